package oauth_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// TestSignInAgain: where nobody has to be asked any more, the sign-in form is the last one, and its page admits the way to the
// app: a browser follows no other redirect after a form (PROTOCOLS OpenID Connect, "CSP form-action must not block the way to
// the client"). servertest.Browser holds every form to that.
func TestSignInAgain(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	own := w.app(lanyard.AppInput{Type: "public", OAuthSettings: lanyard.OAuthSettings{FirstParty: true}})
	native := w.app(lanyard.AppInput{Type: "public", OAuthSettings: lanyard.OAuthSettings{RedirectURIs: []string{"com.example.pal:/cb"}}})
	c := w.app(lanyard.AppInput{Type: "public"})
	c.code(nil)
	scheme := url.Values{"scope": {"openid"}, "redirect_uri": {"com.example.pal:/cb"}}
	w.browser.Press(w.browser.Get(native.ask(scheme)), "approve", nil)
	for name, test := range map[string]struct {
		c      *client
		change url.Values
		admits string
	}{
		"consent stands":         {c, nil, "https:"},
		"after prompt=login":     {c, url.Values{"prompt": {"login"}}, "https:"},
		"the provider's own app": {own, nil, "https:"},
		"a native app":           {native, scheme, "com.example.pal:"},
	} {
		w.browser = w.node.Browser(t)
		p := w.browser.Get(test.c.ask(test.change))
		wrong := w.browser.Press(p, "sign-in", map[string]string{"login": "ada@demo.test", "password": "wrong"})
		for what, p := range map[string]*servertest.Page{"the page": p, "the page after a slip": wrong} {
			if csp := p.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' "+test.admits+";") {
				t.Errorf("%s: %s has the policy %q, want it to admit %s", name, what, csp, test.admits)
			}
		}
		if in := w.signIn(wrong); in.Away == nil || in.Away.Query().Get("code") == "" {
			t.Errorf("%s: the sign-in leads to %s (%d), away %v", name, in.URL, in.Status, in.Away)
		}
	}
	w.browser = w.node.Browser(t)
	// An answer as a form of its own: its page admits the app and nothing else.
	in := w.signIn(w.browser.Get(c.ask(url.Values{"response_mode": {"form_post"}})))
	if csp := in.Header.Get("Content-Security-Policy"); in.Status != 200 || !strings.Contains(csp, "form-action https:;") || !strings.Contains(in.Body, `name="code"`) {
		t.Errorf("form_post = %d at %s with %q, want a form for the app", in.Status, in.URL, csp)
	}
	if p := w.node.Browser(t).Get("/login"); !strings.Contains(p.Header.Get("Content-Security-Policy"), "form-action 'self';") {
		t.Errorf("a login to this server's own pages has the policy %q, want it to lead nowhere else", p.Header.Get("Content-Security-Policy"))
	}
}
