package portal

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/web"
)

const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

// acme is a provider with an API of every sort.
func acme() Config {
	return Config{
		PublicURL: "https://id.acme.example",
		Brand: func(context.Context) (lanyard.Brand, error) {
			return lanyard.Brand{Name: "Acme", Color: "#fd0", Support: "help@acme.example", Terms: "https://acme.example/terms", Privacy: "javascript:alert(1)"}, nil
		},
		APIs: func(context.Context) ([]lanyard.API, error) {
			return []lanyard.API{
				{Name: "weather", Title: "Weather", Takes: "key", Scopes: map[string]lanyard.Scope{"forecast.read": {Text: "read forecasts"}}},
				{Name: "mail", Takes: "token", Operations: map[string]lanyard.Operation{"GET /v1/status": {Takes: "key"}, "GET /v1/me": {Takes: "token"}}},
				{Name: "maps", Takes: "either", Scopes: map[string]lanyard.Scope{"a": {Text: "one"}, "b": {Text: "two"}, "c": {Text: "three"}, "d": {Text: "four"}, "e": {Text: "five"}, "f": {Text: "six"}}},
				{Name: "bank", Takes: "both", Operations: map[string]lanyard.Operation{"GET /a": {Takes: "key"}, "GET /b": {Takes: "token"}}},
			}, nil
		},
	}
}

// server mounts the routes as the product does: on a ServeMux behind the kit's frame.
func server(c Config) http.Handler {
	kit := &web.Kit{PublicURL: c.PublicURL, Log: c.Log}
	mux := http.NewServeMux()
	c.Document = func() ([]byte, error) { return openAPI, nil }
	Register(mux, c)
	return kit.Wrap(kit.Mux(mux, kit.Refuse))
}

func get(t testing.TB, h http.Handler, target, accept string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	u, err := url.ParseRequestURI(target)
	if err != nil {
		t.Fatalf("the test asks for %q: %v", target, err)
	}
	r.URL, r.RequestURI = u, target
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestUnknownIsRefused(t *testing.T) {
	h := server(acme())
	for _, target := range []string{
		"/errors/nope", "/errors/Expired", "/errors/expired%20", "/errors/expired%00", "/errors/expired.html", "/errors/..%2fassets", "/errors/%2e%2e",
		"/errors/%3Cscript%3Ealert(1)%3C%2Fscript%3E", "/errors/expired/", "/errors//expired", "/errors/a/b", "/%2e%2e/errors/expired", "//evil.test/", "/which/",
		"/assets/", "/assets/page.css", "/assets/..%2fpage.go", "/assets/%2e%2e%2fpage.go", "/assets/brand-.css", "/assets/brand-0b7a5c.css",
		"/assets/brand-0b7a5c-000000000000.css", "/assets/brand-zzzzzz-000000000000.css", "/assets/brand-red;}-000000000000.css", "/assets/brand-0b7a5c-000000000000.js",
	} {
		w := get(t, h, target, browser)
		if w.Code != http.StatusNotFound || w.Header().Get("Location") != "" {
			t.Errorf("GET %s = %d to %q, want 404", target, w.Code, w.Header().Get("Location"))
		}
		if strings.Contains(w.Body.String(), "<script") {
			t.Errorf("GET %s reflects a script", target)
		}
	}
	w := get(t, h, "/errors/nope", browser)
	for _, want := range []string{"Acme", `href="/errors/"`, "There is nothing here", w.Header().Get("X-Request-Id")} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("GET /errors/nope lacks %q", want)
		}
	}
	if strings.Contains(w.Body.String(), "nope") {
		t.Error("GET /errors/nope repeats the code it does not know")
	}
}

func TestUnknownForPrograms(t *testing.T) {
	w := get(t, server(acme()), "/errors/nope", "application/json")
	var got lanyard.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusNotFound || w.Header().Get("Content-Type") != "application/problem+json" || got.Code != "not_found" ||
		!strings.Contains(got.Detail, "https://id.acme.example/errors/") {
		t.Errorf("GET /errors/nope for a program = %d %s %s, want a problem that names the list", w.Code, w.Header().Get("Content-Type"), w.Body)
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	h := server(acme())
	for _, target := range []string{"/", "/which", "/reference", "/errors/", "/errors/expired"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, target, strings.NewReader("whose=public")))
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST %s = %d, want 405", target, w.Code)
		}
	}
}

// Nothing a request holds comes back as markup (SECURITY-CASES B), and what the provider wrote stays text.
func TestNothingIsReflected(t *testing.T) {
	const attack = `"'><script>alert(1)</script><img src=x onerror=alert(1)>`
	c := acme()
	c.Brand = func(context.Context) (lanyard.Brand, error) {
		return lanyard.Brand{Name: attack, Color: `red;}</style>` + attack, Support: "javascript:alert(1)//a@b", Terms: `https://x/" onmouseover=alert(1)`, Privacy: "data:text/html,x"}, nil
	}
	c.APIs = func(context.Context) ([]lanyard.API, error) {
		return []lanyard.API{{Name: attack, Title: attack, Takes: attack, Scopes: map[string]lanyard.Scope{attack: {Text: attack}}}}, nil
	}
	h, q := server(c), url.QueryEscape(attack)
	for _, target := range []string{
		"/", "/?error_hint=" + q + "&error_description=" + q, "/which", "/which?whose=" + q, "/which?whose=public&where=" + q + "&leak=" + q,
		"/which?whose=public&where=server&leak=ends&x=" + q, "/errors/?hint=" + q, "/errors/expired?error_description=" + q, "/errors/" + url.PathEscape(attack),
	} {
		body := get(t, h, target, browser+";x="+attack).Body.String()
		for _, bad := range []string{"<script", "<img", "onerror=alert(1)>", `" onmouseover`, `href="javascript:`, `href="data:`, "</style"} {
			if strings.Contains(body, bad) {
				t.Errorf("GET %s holds %q", target, bad)
			}
		}
	}
}

func TestFailuresBecomePages(t *testing.T) {
	for _, test := range []struct {
		name   string
		err    error
		status int
		want   string
	}{
		{"database gone", fault.Down(errors.New("dial 10.0.0.7: secret detail"), "the database cannot be reached"), 503, "The database cannot be reached."},
		{"a defect", errors.New("secret detail"), 500, "Something failed here"},
		{"refused", fault.New(fault.TooMany, "wait a little"), 429, "Wait a little."},
	} {
		c := acme()
		c.APIs = func(context.Context) ([]lanyard.API, error) { return nil, test.err }
		w := get(t, server(c), "/", browser)
		body := w.Body.String()
		if w.Code != test.status || !strings.Contains(body, test.want) || strings.Contains(body, "secret detail") || !strings.Contains(body, "Acme") {
			t.Errorf("%s: GET / = %d %s, want %d with %q in the same look", test.name, w.Code, body, test.status, test.want)
		}
		if w := get(t, server(c), "/", "application/json"); w.Code != test.status || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: GET / for a program = %d %s, want a problem", test.name, w.Code, w.Header().Get("Content-Type"))
		}
	}
}

// The page that explains an outage must be there during it.
func TestPagesOutliveTheBrand(t *testing.T) {
	var log strings.Builder
	c := acme()
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	c.Brand = func(context.Context) (lanyard.Brand, error) { return lanyard.Brand{}, errors.New("database gone") }
	w := get(t, server(c), "/errors/unavailable", browser)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "Lanyard") {
		t.Errorf("GET /errors/unavailable without a brand = %d, want 200 under the name Lanyard", w.Code)
	}
	if !strings.Contains(log.String(), "database gone") {
		t.Errorf("log = %q, want the reason", log.String())
	}
}

func TestHeaders(t *testing.T) {
	h := server(acme())
	for target, wantType := range map[string]string{
		"/": "text/html; charset=utf-8", "/which": "text/html; charset=utf-8", "/errors/": "text/html; charset=utf-8", "/errors/expired": "text/html; charset=utf-8",
		"/errors/nope": "text/html; charset=utf-8", "/reference": "text/html; charset=utf-8",
	} {
		got := get(t, h, target, browser).Header()
		for name, want := range map[string]string{
			"Content-Type": wantType, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
		} {
			if got.Get(name) != want {
				t.Errorf("GET %s: %s = %q, want %q", target, name, got.Get(name), want)
			}
		}
		want := "no-cache"
		if target == "/errors/nope" {
			want = "no-store"
		}
		if got.Get("Cache-Control") != want {
			t.Errorf("GET %s: Cache-Control = %q, want %q", target, got.Get("Cache-Control"), want)
		}
		if strings.HasPrefix(target, "/errors/") && target != "/errors/" && got.Get("Vary") != "Accept" {
			t.Errorf("GET %s: Vary = %q, want Accept", target, got.Get("Vary"))
		}
	}
}

func TestErrorsForPrograms(t *testing.T) {
	h := server(acme())
	for code, text := range advice.Pages() {
		w := get(t, h, "/errors/"+code, "application/json")
		var got map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
			t.Fatalf("GET /errors/%s for a program = %d %s (%v)", code, w.Code, w.Body, err)
		}
		want := map[string]string{"code": code, "title": text.Title, "sentence": text.Sentence, "who": text.Who, "how": text.How, "example": text.Example}
		if text.Also != "" {
			want["also"] = text.Also
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("GET /errors/%s for a program (-want +got):\n%s", code, diff)
		}
	}
}

func FuzzRequest(f *testing.F) {
	f.Add("expired", "whose=public&where=server&leak=ends", "brand-0b7a5c-000000000000.css", "application/json")
	f.Add("<script>", "whose=%zz;", "brand-", "text/html;q=x")
	h := server(acme())
	f.Fuzz(func(t *testing.T, code, query, name, accept string) {
		for _, u := range []*url.URL{{Path: "/errors/" + code}, {Path: "/which", RawQuery: query}, {Path: "/assets/" + name}} {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.URL = u
			r.Header["Accept"] = []string{accept}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			body, err := io.ReadAll(w.Body)
			if err != nil || w.Code >= 500 || w.Code >= 300 && w.Code < 400 && u.Path != "/errors" || strings.Contains(strings.ToLower(string(body)), "<script") {
				t.Errorf("GET %s = %d %s", u, w.Code, body)
			}
		}
	})
}
