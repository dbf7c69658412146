package login_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// answered asks once, follows nothing, and returns what came with its address.
func answered(t *testing.T, address *url.URL) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address.Host, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.URL = address
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return res
}

// TestWaysBack: SECURITY-CASES 14, 16: wherever a way back can be named, one that somebody reads as another site is dropped:
// no page carries it on, no answer leads there. That a login goes home instead, TestForms holds.
func TestWaysBack(t *testing.T) {
	n := servertest.Start(t, servertest.Options{Settings: func(s *config.Settings) { s.Signup = "open" }})
	addUser(t, n, "ada@example.com")
	base, err := url.Parse(n.URL)
	if err != nil {
		t.Fatal(err)
	}
	at := func(path string, query url.Values) *url.URL {
		return &url.URL{Scheme: base.Scheme, Host: base.Host, Path: path, RawQuery: query.Encode()}
	}
	b := n.Browser(t)
	for _, text := range servertest.Corpus(t, "../../browser/testdata/elsewhere.txt") {
		res := answered(t, at("/continue", url.Values{"return_to": {text}}))
		if got := res.Header.Get("Location"); res.StatusCode != http.StatusSeeOther || got != "/account" {
			t.Errorf("GET /continue?return_to=%q = %d to %q, want /account", text, res.StatusCode, got)
		}
		res = answered(t, at("/device", url.Values{"user_code": {text}}))
		if got := res.Header.Get("Location"); res.StatusCode != http.StatusSeeOther || got != "/login?next=%2Fdevice" {
			t.Errorf("GET /device?user_code=%q = %d to %q, want the sign-in page and then /device", text, res.StatusCode, got)
		}
		for _, path := range []string{"/login", "/signup", "/forgot", "/logout"} {
			if p := b.Get(at(path, url.Values{"next": {text}}).String()); p.Status != http.StatusOK || p.URL.Path != path || strings.Contains(p.Body, "evil") || strings.Contains(p.Body, `name="next"`) {
				t.Errorf("GET %s?next=%q = %d at %s, want the page without a way back", path, text, p.Status, p.URL)
			}
		}
		if p := b.Get(at("/login", url.Values{"request": {text}}).String()); p.Status != http.StatusNotFound || strings.Contains(p.Body, "evil") {
			t.Errorf("GET /login?request=%q = %d, want 404", text, p.Status)
		}
		if strings.ContainsAny(text, "\x00") {
			continue // no form may hold it, which TestForms holds
		}
		for path, form := range map[string]url.Values{
			"/login":  {"login": {"ada@example.com"}, "password": {""}},
			"/signup": {"email": {"eve@example.com"}, "password": {"short"}},
			"/forgot": {"email": {"no address"}},
			"/logout": {},
		} {
			form.Set("next", text)
			form.Set("after", text)
			if p := b.Post(path, form, nil); p.Away != nil || p.URL.Path != path || strings.Contains(p.Body, "evil") || strings.Contains(p.Body, `name="next"`) {
				t.Errorf("POST %s with next=%q = %d at %s to %v, want the page without a way back", path, text, p.Status, p.URL, p.Away)
			}
		}
		// The rooms send whoever is not signed in away, and name the page that was asked for.
		for _, query := range []string{"", "done=x"} {
			res = answered(t, &url.URL{Scheme: base.Scheme, Host: base.Host, Path: "/developers/" + text, RawQuery: query})
			to, err := url.Parse(res.Header.Get("Location"))
			if err != nil {
				t.Fatal(err)
			}
			next := to.Query().Get("next")
			if asked := to.String() != ""; asked && (to.Host != "" || to.Path != "/login" || browser.Local(next, "") != next || next != "/developers" && !strings.HasPrefix(next, "/developers/")) {
				t.Errorf("GET /developers/%q?%s leads to %q, want the sign-in page and then the rooms", text, query, to)
			}
		}
		// Nor is it a path that the server tidies up by sending the browser there.
		if strings.HasPrefix(text, "/") {
			if got := answered(t, &url.URL{Scheme: base.Scheme, Host: base.Host, Path: text}).Header.Get("Location"); got != "" {
				t.Errorf("GET %q leads to %q, want nowhere", text, got)
			}
		}
	}
	// One of ours is carried all the way, or dropping would prove nothing.
	fresh := n.Browser(t)
	p := fresh.Get("/login?next=" + url.QueryEscape("/account/apps?a=b"))
	if p = fresh.Press(p, "sign-in", map[string]string{"login": "ada@example.com", "password": password}); p.URL.RequestURI() != "/account/apps?a=b" {
		t.Errorf("a login with a way back of ours ends at %s", p.URL)
	}
}
