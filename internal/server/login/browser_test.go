package login_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// TestSessionFixation: the cookie that a browser came with is not the one that is signed in; the one from before stays
// nobody's.
func TestSessionFixation(t *testing.T) {
	n := servertest.Start(t, servertest.Options{})
	addUser(t, n, "ada@example.com")
	planted := n.Browser(t)
	planted.Get("/login")
	victim := n.Browser(t)
	victim.SetCookies(planted.Cookies())
	if p := victim.Press(victim.Get("/login"), "sign-in", map[string]string{"login": "ada@example.com", "password": password}); p.URL.Path != "/account" {
		t.Fatalf("the login leads to %s", p.URL)
	}
	if p := planted.Get("/account"); p.URL.Path != "/login" {
		t.Error("whoever planted the cookie is signed in with it")
	}
	before := victim.Cookies()
	if p := victim.Press(victim.Get("/logout"), "confirm-logout", nil); p.Status != http.StatusOK {
		t.Fatalf("the logout = %d", p.Status)
	}
	victim.SetCookies(before)
	if p := victim.Get("/account"); p.URL.Path != "/login" { // SECURITY-CASES 118
		t.Error("the old cookie works after the logout")
	}
}

// TestCookie: what the cookie is, behind https and on loopback.
func TestCookie(t *testing.T) {
	for address, want := range map[string]string{"https://auth.example.com": "__Host-lanyard", "": "lanyard"} {
		n := servertest.Start(t, servertest.Options{PublicURL: address})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.URL+"/login", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		all := res.Cookies()
		if len(all) != 1 {
			t.Fatalf("%d cookies, want 1", len(all))
		}
		c := all[0]
		if c.Name != want || !c.HttpOnly || c.Secure != (address != "") || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("the cookie is %s", strings.ReplaceAll(c.String(), c.Value, "…"))
		}
		if h := res.Header; h.Get("Cache-Control") != "no-store" || !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("the login page has the headers %v", h)
		}
	}
}

// TestForms: forms that another site sent, and forms that are odd, do nothing.
func TestForms(t *testing.T) {
	n := servertest.Start(t, servertest.Options{Settings: func(s *config.Settings) { s.Signup = "open" }})
	addUser(t, n, "ada@example.com")
	b := n.Browser(t)
	b.Get("/login")
	good := url.Values{"login": {"ada@example.com"}, "password": {password}}
	for what, header := range map[string]http.Header{
		"cross-site":     {"Sec-Fetch-Site": {"cross-site"}},
		"same-site":      {"Sec-Fetch-Site": {"same-site"}},
		"another origin": {"Sec-Fetch-Site": nil, "Origin": {"https://evil.example"}},
		"null origin":    {"Sec-Fetch-Site": nil, "Origin": {"null"}},
	} {
		for _, path := range []string{"/login", "/signup", "/forgot", "/link", "/logout", "/device", "/consent", "/setup"} {
			if p := b.Post(path, good, header); p.Status != http.StatusForbidden {
				t.Errorf("POST %s, %s = %d, want 403", path, what, p.Status)
			}
		}
	}
	for what, form := range map[string]url.Values{
		"twice":    {"login": {"ada@example.com", "eve@example.com"}, "password": {password}},
		"NUL":      {"login": {"ada@example.com\x00"}, "password": {password}},
		"oversize": {"login": {"ada@example.com"}, "password": {strings.Repeat("x", 1<<20)}},
		"empty":    {},
	} {
		if p := b.Post("/login", form, nil); p.Status < 400 || p.Status > 499 {
			t.Errorf("%s = %d %s, want it refused", what, p.Status, p.URL)
		}
	}
	if p := b.Post("/login", good, http.Header{"Content-Type": {"text/plain"}}); p.Status != http.StatusBadRequest {
		t.Errorf("a form as text = %d, want 400", p.Status)
	}
	if p := b.Get("/account"); p.URL.Path != "/login" {
		t.Error("one of these forms signed in")
	}
	// Where it goes on after the login is on this server (SECURITY-CASES A).
	for _, next := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, "/\t/evil.example", "javascript:alert(1)", "%2f%2fevil.example"} {
		fresh := n.Browser(t)
		p := fresh.Press(fresh.Get("/login?next="+url.QueryEscape(next)), "sign-in", map[string]string{"login": "ada@example.com", "password": password})
		if p.Away != nil || p.Status >= 500 {
			t.Errorf("next=%s leads to %v (%d)", next, p.Away, p.Status)
		}
	}
}
