package portal

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/page/pagetest"
)

// public are the pages that name whoever is signed in.
func public() []string {
	return []string{"/", "/which", "/errors/", "/errors/expired", "/reference", "/reference/objects"}
}

// The pages that explain an outage must be there during it, and then they are everybody's.
func TestPagesOutliveTheSession(t *testing.T) {
	var log strings.Builder
	c := acme()
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	c.Who = func(*http.Request) (*page.Person, error) { return nil, errors.New("database gone") }
	for _, path := range public() {
		w := get(t, server(c), path, browser)
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `href="/login"`) || strings.Contains(w.Body.String(), "/logout") {
			t.Errorf("GET %s without sessions = %d, want the page as a stranger sees it", path, w.Code)
		}
	}
	if !strings.Contains(log.String(), "database gone") {
		t.Errorf("log = %q, want the reason", log.String())
	}
}

// Whoever is signed in is named, and what is theirs is kept nowhere; a stranger's page is no one's.
func TestWhoAsks(t *testing.T) {
	c := acme()
	c.Signup = true
	c.Who = func(r *http.Request) (*page.Person, error) {
		switch r.Header.Get("Accept") {
		case browser + ";x=ada":
			return &page.Person{Name: "Ada <b>", Email: "ada@demo.test"}, nil
		case browser + ";x=root":
			return &page.Person{Name: "Root", Admin: true}, nil
		}
		return nil, nil
	}
	h := server(c)
	for _, path := range public() {
		for accept, test := range map[string]struct{ cache, has, lacks string }{
			browser:             {"no-cache", `href="/login`, `href="/logout"`},
			browser + ";x=ada":  {"no-store", "Ada &lt;b&gt;", `href="/admin"`},
			browser + ";x=root": {"no-store", `href="/admin"`, `href="/login`},
		} {
			w := get(t, h, path, accept)
			body := w.Body.String()
			if w.Header().Get("Cache-Control") != test.cache || !strings.Contains(strings.Join(w.Header().Values("Vary"), " "), "Cookie") || !strings.Contains(body, test.has) || strings.Contains(body, test.lacks) {
				t.Errorf("GET %s for %s: %v, want %s with %s and without %s", path, accept, w.Header(), test.cache, test.has, test.lacks)
			}
			for _, fault := range pagetest.Faults(body) {
				t.Errorf("GET %s for %s: %s", path, accept, fault)
			}
		}
	}
	if body := get(t, h, "/", browser).Body.String(); !strings.Contains(body, `href="/signup`) {
		t.Error("the front of a server that anybody may join does not offer to")
	}
	if body := get(t, h, "/", browser+";x=ada").Body.String(); strings.Contains(body, `href="/signup`) {
		t.Error("the front offers an account to who has one")
	}
	c.Signup = false
	if body := get(t, server(c), "/", browser).Body.String(); strings.Contains(body, `href="/signup`) {
		t.Error("the front offers an account that nobody can make")
	}
}
