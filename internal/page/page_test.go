package page

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/page/pagetest"
	"github.com/lanyard-auth/lanyard/internal/web"
)

const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

// acme is a provider who picked yellow.
func acme() Config {
	return Config{
		Web: &web.Kit{PublicURL: "https://id.acme.example"},
		Brand: func(context.Context) (lanyard.Brand, error) {
			return lanyard.Brand{Name: "Acme", Color: "#fd0", Support: "help@acme.example", Terms: "https://acme.example/terms", Privacy: "javascript:alert(1)"}, nil
		},
	}
}

// ask runs a handler behind the frame every request has.
func ask(k *Kit, h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	k.Web.Wrap(h).ServeHTTP(w, r)
	return w
}

func request(accept string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept", accept)
	return r
}

// later is a refusal that knows when to come again.
type later struct{ error }

func (later) RetryAfter() time.Duration { return 1500 * time.Millisecond }
func (l later) Unwrap() error           { return l.error }

func TestHandleRefuses(t *testing.T) {
	k := New(acme())
	for _, test := range []struct {
		name          string
		err           error
		status        int
		title, detail string
		retry         string
	}{
		{"not found", fault.New(fault.NotFound, "there is no such app"), 404, "There is nothing here", "There is no such app.", ""},
		{"too many", later{fault.New(fault.TooMany, "wait a little")}, 429, "", "Wait a little.", "2"},
		{"database gone", fault.Down(errors.New("dial 10.0.0.7: cause"), "the database cannot be reached"), 503, "This page cannot be shown now", "The database cannot be reached.", "1"},
		{"a defect", errors.New("10.0.0.7"), 500, "This page cannot be shown now", "Something failed here that should not.", ""},
		{"hostile", fault.New(fault.Invalid, `"><script>alert(1)</script>`), 400, "", "&lt;script&gt;", ""},
	} {
		h := k.Handle(func(http.ResponseWriter, *http.Request) error { return test.err })
		w := ask(k, h, request(browser))
		body := w.Body.String()
		if w.Code != test.status || !strings.Contains(body, test.detail) || !strings.Contains(body, test.title) || strings.Contains(body, "10.0.0.7") ||
			!strings.Contains(body, "Acme") || !strings.Contains(body, w.Header().Get("X-Request-Id")) {
			t.Errorf("%s: a browser gets %d %s, want %d with %q in the look of the rest", test.name, w.Code, body, test.status, test.detail)
		}
		if got := w.Header(); got.Get("Retry-After") != test.retry || got.Get("Cache-Control") != "no-store" || got.Get("Vary") != "Accept" {
			t.Errorf("%s: headers = %v, want Retry-After %q, no-store, Vary", test.name, got, test.retry)
		}
		for _, fault := range pagetest.Faults(body) {
			t.Errorf("%s: %s", test.name, fault)
		}
		if w := ask(k, h, request("application/json")); w.Code != test.status || w.Header().Get("Content-Type") != "application/problem+json" || w.Header().Get("Retry-After") != test.retry {
			t.Errorf("%s: a program gets %d %v, want a problem", test.name, w.Code, w.Header())
		}
	}
}

type plainPage struct {
	Frame
	Text string
}

func TestRenderRefuses(t *testing.T) {
	k := New(acme())
	set := k.Templates(fstest.MapFS{"a.html": {Data: []byte(`{{define "content"}}<h1>{{.Text}}</h1>{{end}}`)}, "b.html": {Data: []byte(`{{define "content"}}begun{{.Nothing}}{{end}}`)}}, "*.html")
	for name, test := range map[string]struct {
		page string
		data any
	}{
		"no such page": {"c", plainPage{}}, "no frame": {"a", struct{ Text string }{}}, "breaks": {"b", plainPage{}}, "nothing": {"a", nil},
	} {
		w := ask(k, k.Handle(func(w http.ResponseWriter, r *http.Request) error {
			return set.Render(w, r, http.StatusOK, test.page, test.data)
		}), request(browser))
		if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "begun") {
			t.Errorf("%s: Render = %d %s, want a whole failure", name, w.Code, w.Body)
		}
	}
}

func TestRenderHeaders(t *testing.T) {
	k := New(acme())
	set := k.Templates(fstest.MapFS{
		"a.html":     {Data: []byte(`{{define "content"}}<h1>{{.Text}}</h1>{{template "tail"}}{{end}}`)},
		"parts.html": {Data: []byte(`{{define "tail"}}<p>tail</p>{{end}}`)},
	}, "*.html")
	if got := set.Names(); len(got) != 1 || got[0] != "a" {
		t.Fatalf("Names = %q, want the page alone", got)
	}
	const base = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'%; frame-ancestors 'none'; base-uri 'none'"
	for name, test := range map[string]struct {
		frame         Frame
		cache, policy string
	}{
		"plain":     {Frame{}, "no-cache", strings.Replace(base, "%", "", 1)},
		"private":   {Frame{Private: true}, "no-store", strings.Replace(base, "%", "", 1)},
		"signed in": {Frame{User: &Person{Email: "ada@demo.test"}}, "no-store", strings.Replace(base, "%", "", 1)},
		"to a client": {
			Frame{FormAction: []string{"https://rp.example:8443/cb?x=1", "https://rp.test/other", "com.example.app:/cb", "javascript:alert(1)", "https://a.example;script-src *"}},
			"no-cache", strings.Replace(base, "%", " https: com.example.app:", 1),
		},
		"frames": {Frame{Frames: []string{"https://rp.example/out?sid=1", "com.example.app:/out"}}, "no-cache", strings.Replace(base, "%", "", 1) + "; frame-src https://rp.example"},
	} {
		w := ask(k, k.Handle(func(w http.ResponseWriter, r *http.Request) error {
			frame := k.Frame(r, "A", "")
			frame.User, frame.Private, frame.FormAction, frame.Frames = test.frame.User, test.frame.Private, test.frame.FormAction, test.frame.Frames
			return set.Render(w, r, http.StatusAccepted, "a", plainPage{frame, "<b>"})
		}), request(browser))
		for header, want := range map[string]string{
			"Content-Type": "text/html; charset=utf-8", "Cache-Control": test.cache, "Content-Security-Policy": test.policy, "X-Frame-Options": "DENY",
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		} {
			if got := w.Header().Get(header); got != want {
				t.Errorf("%s: %s = %q, want %q", name, header, got, want)
			}
		}
		body := w.Body.String()
		if w.Code != http.StatusAccepted || !strings.Contains(body, "<h1>&lt;b&gt;</h1><p>tail</p>") {
			t.Errorf("%s: Render = %d %s, want the page", name, w.Code, body)
		}
		if shown := strings.Contains(body, `href="/logout"`); shown != (test.frame.User != nil) {
			t.Errorf("%s: the page offers to sign out: %v", name, shown)
		}
		for _, fault := range pagetest.Faults(body) {
			t.Errorf("%s: %s", name, fault)
		}
	}
}

func TestLost(t *testing.T) {
	k := New(acme())
	for accept, want := range map[string]string{browser: "text/html", "*/*": "application/problem+json", "": "application/problem+json", "application/json": "application/problem+json"} {
		w := ask(k, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			k.Lost(w, r, fault.New(fault.NotFound, "there is nothing at this path"))
		}), request(accept))
		if w.Code != http.StatusNotFound || !strings.HasPrefix(w.Header().Get("Content-Type"), want) || !strings.Contains(strings.ToLower(w.Body.String()), "there is nothing at this path") || w.Header().Get("Vary") != "Accept" {
			t.Errorf("Lost to %q = %d %s: %s", accept, w.Code, w.Header(), w.Body)
		}
	}
}

func TestWantsJSON(t *testing.T) {
	for accept, want := range map[string]bool{
		"": false, "*/*": false, browser: false, "text/html": false, "text/html, application/json": false, "application/json;q=0": false, "nonsense;;;": false,
		"application/json": true, "application/json, */*": true, "Application/JSON; q=0.5": true, "text/html;q=0, application/json": true, "application/problem+json": true,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept", accept)
		if got := WantsJSON(r); got != want {
			t.Errorf("WantsJSON(%q) = %v, want %v", accept, got, want)
		}
	}
}

// A page and its assets may be asked of different nodes, so a name must mean the same everywhere.
func TestAssets(t *testing.T) {
	k, other := New(acme()), New(Config{Web: &web.Kit{}, Brand: func(context.Context) (lanyard.Brand, error) { return lanyard.Brand{}, nil }})
	frame := k.Frame(request(browser), "", "")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /assets/{name}", other.Assets())
	for path, kind := range map[string]string{frame.Sheet: "text/css; charset=utf-8", frame.BrandSheet: "text/css; charset=utf-8", frame.Icon: "image/svg+xml"} {
		w := ask(other, mux, httptest.NewRequest(http.MethodGet, path, nil))
		if got := w.Header(); w.Code != http.StatusOK || got.Get("Content-Type") != kind || got.Get("Cache-Control") != "public, max-age=31536000, immutable" || w.Body.Len() == 0 {
			t.Errorf("GET %s = %d %v, want the asset", path, w.Code, got)
		}
	}
	if w := ask(other, mux, httptest.NewRequest(http.MethodGet, frame.BrandSheet, nil)); !strings.Contains(w.Body.String(), "--brand: #ffdd00;") {
		t.Errorf("the sheet of a colour that is not the brand's = %s, want it all the same", w.Body)
	}
}
