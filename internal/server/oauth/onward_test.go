package oauth_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/servertest"

	"github.com/lanyard-auth/lanyard"
)

// link is the path of the link in the newest mail to an address.
func (w *world) link(to string) string {
	w.tb.Helper()
	if err := w.node.Deliver(w.tb.Context()); err != nil {
		w.tb.Fatal(err)
	}
	for _, m := range w.node.Mails.List() {
		if m.To != to {
			continue
		}
		for _, word := range strings.Fields(m.Text) {
			if u, err := url.Parse(word); err == nil && u.Path == "/link" {
				return u.RequestURI()
			}
		}
	}
	w.tb.Fatalf("no link was mailed to %s", to)
	return ""
}

// TestLinkGoesOn: who makes an account on the way into an app, or chooses a new password, ends there and not among the server's
// own pages; but only in the browser that began it (DESIGN section 8).
func TestLinkGoesOn(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now, Settings: func(s *config.Settings) { s.Signup = "open" }})
	c := w.app(lanyard.AppInput{Type: "public"})
	request := func() string {
		t.Helper()
		w.browser = w.node.Browser(t)
		return "?request=" + w.browser.Get(c.ask(nil)).URL.Query().Get("request")
	}
	lands := func(what string, p *servertest.Page) {
		t.Helper()
		if p.Has("approve") {
			p = w.browser.Press(p, "approve", nil)
		}
		if p.Away == nil || p.Away.Query().Get("code") == "" || p.Away.Query().Get("state") != "st" {
			t.Errorf("%s ends at %s (%d), away %v, want a code for the app", what, p.URL, p.Status, p.Away)
		}
	}
	signUp := func(email, at string) {
		t.Helper()
		p := w.browser.Press(w.browser.Get("/signup"+at), "sign-up", map[string]string{"email": email, "password": "seven quiet herons at dusk"})
		if p.Status != 200 || !strings.Contains(p.Body, `href="/signup`+strings.ReplaceAll(at, "%2F", "%2f")+`"`) {
			t.Fatalf("signing up = %d %s", p.Status, p.Text())
		}
	}
	signUp("bob@demo.test", request())
	lands("an account for the app", w.browser.Press(w.browser.Get(w.link("bob@demo.test")), "confirm-link", nil))

	forget := func(at string) {
		t.Helper()
		if p := w.browser.Press(w.browser.Get("/forgot"+at), "send-link", map[string]string{"email": "ada@demo.test"}); p.Status != 200 || !strings.Contains(p.Body, `href="/forgot`+at+`"`) {
			t.Fatalf("asking for a link = %d %s", p.Status, p.Text())
		}
	}
	w.signIn(w.browser.Get("/login"))
	c.code(nil) // consent stands: the form of the new password is the last one
	forget(request())
	p := w.browser.Press(w.browser.Get(w.link("ada@demo.test")), "set-password", map[string]string{"password": "short"})
	lands("a new password", w.browser.Press(p, "set-password", map[string]string{"password": "nine violet moons over tin"}))

	forget(request())
	elsewhere := w.node.Browser(t)
	p = elsewhere.Get(w.link("ada@demo.test"))
	if strings.Contains(p.Header.Get("Content-Security-Policy"), "rp.test") {
		t.Error("a link in another browser knows where the first one was going")
	}
	if p = elsewhere.Press(p, "set-password", map[string]string{"password": "six amber foxes on ice"}); p.Away != nil || p.Status != 200 || !strings.Contains(p.Text(), "Go back to the browser where you began") {
		t.Errorf("a link in another browser = %d at %s, away %v, want it to continue nothing", p.Status, p.URL, p.Away)
	}

	// A local path goes on too; what is over or leads elsewhere does not.
	w.browser = w.node.Browser(t)
	signUp("cleo@demo.test", "?next=%2Fdevice")
	if p := w.browser.Press(w.browser.Get(w.link("cleo@demo.test")), "confirm-link", nil); p.URL.Path != "/device" {
		t.Errorf("an account on the way to /device ends at %s", p.URL)
	}
	w.browser = w.node.Browser(t)
	form := url.Values{"email": {"dan@demo.test"}, "password": {"seven quiet herons at dusk"}, "next": {"//evil.test"}}
	w.browser.Get("/signup")
	w.browser.Post("/signup", form, nil)
	if p := w.browser.Press(w.browser.Get(w.link("dan@demo.test")), "confirm-link", nil); p.URL.Path != "/account" || p.Away != nil {
		t.Errorf("an account on the way to another site ends at %s, away %v", p.URL, p.Away)
	}
	at := request()
	clock.Advance(20 * time.Minute)
	signUp("eli@demo.test", at)
	clock.Advance(11 * time.Minute)
	if p := w.browser.Press(w.browser.Get(w.link("eli@demo.test")), "confirm-link", nil); p.URL.Path != "/account" || p.Status != 200 {
		t.Errorf("an account on the way of a request that is over ends at %s (%d), want the server's own pages", p.URL, p.Status)
	}
}
