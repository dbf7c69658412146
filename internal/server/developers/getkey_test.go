package developers_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
)

// TestGoForKeyRefuses: who is not signed in signs in first and comes back; who may make no key is led to none; an API that is not
// there is not there.
func TestGoForKeyRefuses(t *testing.T) {
	d := newDesk(t)
	if p := d.node.Browser(t).Get("/developers/get-key?api=weather"); p.URL.Path != "/login" || p.URL.Query().Get("next") != "/developers/get-key?api=weather" {
		t.Errorf("a stranger is led to %s, want the login and back", p.URL)
	}
	if p := d.browser.Get("/developers/get-key?api=nope"); p.Status != http.StatusNotFound {
		t.Errorf("a key for an API that is not there: %d at %s, want 404", p.Status, p.URL)
	}
	bill := d.person("bill@demo.test", "Bill")
	if _, err := d.node.Admin.PutMember(t.Context(), d.team.ID, bill.ID, lanyard.MemberInput{Role: "billing"}); err != nil {
		t.Fatal(err)
	}
	d.browser = d.node.Browser(t)
	d.signIn("bill@demo.test")
	if p := d.browser.Get("/developers/get-key"); p.Status != http.StatusOK || p.URL.Path != d.path("") {
		t.Errorf("who may make no key is led to %d %s, want the team's overview", p.Status, p.URL)
	}
}

// TestGoForKey: from the front to the form of the API's key, by way of a team where there is none yet.
func TestGoForKey(t *testing.T) {
	d := newDesk(t)
	if p := d.browser.Get("/"); !strings.Contains(p.Text(), "Dara") || !strings.Contains(p.Text(), "Sign out") || p.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the front does not know who is signed in: %v %.300s", p.Header, p.Text())
	}
	if p := d.node.Browser(t).Get("/"); len(p.Header.Values("Set-Cookie")) > 0 || p.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("the front for a stranger: %v, want no cookie", p.Header)
	}
	if p := d.browser.Get("/developers/get-key?api=weather"); p.URL.Path != d.path("/keys/new") || !strings.Contains(p.Body, `id="get-key"`) {
		t.Errorf("get a key for weather leads to %s, want its form", p.URL)
	}
	if p := d.browser.Get("/developers/get-key"); p.URL.Path != d.path("/keys/new") || p.URL.RawQuery != "" {
		t.Errorf("get a key leads to %s, want the choice of an API", p.URL)
	}
	d.person("nora@demo.test", "Nora")
	d.browser = d.node.Browser(t)
	d.signIn("nora@demo.test")
	form := d.sound(d.browser.Get("/developers/get-key?api=weather"))
	if p := d.browser.Press(form, "start-team", map[string]string{"name": ""}); p.Status != http.StatusBadRequest {
		t.Errorf("a team without a name = %d, want 400", p.Status)
	} else if p = d.browser.Press(p, "start-team", map[string]string{"name": "Nora’s team"}); !strings.HasSuffix(p.URL.Path, "/keys/new") || p.URL.Query().Get("api") != "weather" {
		t.Errorf("after the start of a team: %s, want the form of the key", p.URL)
	}
}
