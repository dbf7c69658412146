package page

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTakesGzip(t *testing.T) {
	for accept, want := range map[string]bool{
		"": false, "br": false, "gzip": true, "GZIP": true, "br, gzip;q=0.5": true, "gzip;q=0": false, "gzip;q=x": false, "x-gzip": true, "gzipped": false, "identity, gzip": true, "*": false,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Encoding", accept)
		if got := takesGzip(r); got != want {
			t.Errorf("takesGzip(%q) = %v, want %v", accept, got, want)
		}
	}
}

// TestCompressed: what is the same for everybody is sent short; what may hold a secret beside a stranger's text never is (BREACH).
func TestCompressed(t *testing.T) {
	k := New(acme())
	for name, test := range map[string]struct {
		frame Frame
		want  bool
	}{
		"public": {Frame{}, true}, "private": {Frame{Private: true}, false}, "signed in": {Frame{User: &Person{Email: "ada@demo.test"}}, false}, "signed in, but open": {Frame{User: &Person{Email: "ada@demo.test"}, Open: true}, true},
	} {
		r := request(browser)
		r.Header.Set("Accept-Encoding", "gzip, deflate, br")
		w := ask(k, k.Handle(func(w http.ResponseWriter, r *http.Request) error {
			frame := k.Frame(r, "A", "")
			frame.User, frame.Private, frame.Open = test.frame.User, test.frame.Private, test.frame.Open
			return k.own.Render(w, r, http.StatusOK, "failure", failurePage{Frame: frame, Detail: strings.Repeat("long ", 100)})
		}), r)
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != test.want {
			t.Errorf("%s: compressed = %v, want %v", name, got, test.want)
			continue
		}
		body := io.Reader(w.Body)
		if test.want {
			z, err := gzip.NewReader(bytes.NewReader(w.Body.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			body = z
		}
		text, err := io.ReadAll(body)
		if err != nil || !strings.Contains(string(text), "long long") {
			t.Errorf("%s: %v, %.200s", name, err, text)
		}
	}
}
