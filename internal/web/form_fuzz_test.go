package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// FuzzReadForm: what is read stood in the body, whatever the query says, is a form by its media type, and means the same when it
// is written again. Everything else is the caller's fault, and never ours.
func FuzzReadForm(f *testing.F) {
	const form = "application/x-www-form-urlencoded"
	for _, body := range []string{"a=1&b=2", "a=1;b=2", "a=%zz", "%=", "q=body", "", "&", "a=b=c", "+=+", "a=%00%ff", strings.Repeat("a", MaxForm), strings.Repeat("a", MaxForm+1)} {
		f.Add(form, body)
	}
	for _, media := range []string{"", "text/plain", "multipart/form-data; boundary=x", form + "; charset=utf-8", form + ",text/plain", form + ";", "Application/X-WWW-Form-Urlencoded"} {
		f.Add(media, "a=1")
	}
	k := &Kit{}
	f.Fuzz(func(t *testing.T, media, body string) {
		r := httptest.NewRequest(http.MethodPost, "/oauth/token?q=query", strings.NewReader(body))
		r.Header["Content-Type"] = []string{media}
		values, err := k.ReadForm(httptest.NewRecorder(), r)
		if err != nil {
			if !fault.Is(err, fault.Invalid) || values != nil {
				t.Errorf("ReadForm(%q, %q) = %v, %v, want nothing but a fault of the caller", media, body, values, err)
			}
			return
		}
		if base, _, _ := strings.Cut(media, ";"); !strings.EqualFold(strings.TrimSpace(base), form) || len(body) > MaxForm {
			t.Errorf("ReadForm(%q, %d bytes) = %d values, want it refused", media, len(body), len(values))
		}
		for _, q := range values["q"] {
			if q == "query" && !strings.Contains(body, "u") && !strings.Contains(body, "%") {
				t.Errorf("ReadForm(%q) takes q from the query", body)
			}
		}
		again, err := url.ParseQuery(values.Encode())
		if diff := cmp.Diff(values, again); err != nil || diff != "" {
			t.Errorf("ReadForm(%q), written and read again: %v, -first +again:\n%s", body, err, diff)
		}
	})
}
