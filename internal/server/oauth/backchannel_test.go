package oauth_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// TestBackChannelNames: what an app is told names the session as its ID token did, though its user logged in again since, and
// though the login was a device's; and it is told when another user takes the browser over or the account is shut.
func TestBackChannelNames(t *testing.T) {
	heard := make(chan string, 20)
	there, allow := stranger(t, func(_ http.ResponseWriter, r *http.Request) { heard <- r.FormValue("logout_token") })
	w := newWorld(t, servertest.Options{Settings: allow})
	back := lanyard.OAuthSettings{BackchannelLogoutURI: there.URL + "/out"}
	site, tv := w.app(lanyard.AppInput{Type: "public", OAuthSettings: back}), w.deviceApp(lanyard.AppInput{Name: "TV", OAuthSettings: back})
	// told are the ends that apps hear of now: the app's sid by its id.
	told := func() map[any]any {
		t.Helper()
		if err := w.node.Deliver(t.Context()); err != nil {
			t.Error(err)
		}
		got := map[any]any{}
		for len(heard) > 0 {
			claims := w.opened(<-heard, "logout+jwt", jose.ES256)
			got[claims["aud"]] = claims["sid"]
		}
		return got
	}
	wantTold := func(what string, want map[any]any) {
		t.Helper()
		if diff := cmp.Diff(want, told()); diff != "" {
			t.Errorf("%s: told -want +got:\n%s", what, diff)
		}
	}
	again := url.Values{"prompt": {"login"}}

	first := w.idToken(site.tokens())["sid"]
	d := tv.device("openid profile.read")
	d.answer("approve")
	onTV := w.idToken(d.poll(nil))["sid"]
	second := w.idToken(site.redeem(site.code(again), nil))["sid"]
	if first == nil || first != onTV || first != second {
		t.Errorf("sid %v, on a device %v, after another login %v, want one name of one session", first, onTV, second)
	}
	wantTold("after the same user's login", map[any]any{})
	w.browser.Press(w.browser.Get("/logout"), "confirm-logout", nil)
	wantTold("after the logout", map[any]any{site.id: first, tv.id: first})

	// Somebody else logs in in the same browser.
	third := w.idToken(site.redeem(site.code(nil), nil))["sid"]
	w.user("eve@demo.test")
	p := w.browser.Press(w.browser.Get(site.ask(again)), "sign-in", map[string]string{"login": "eve@demo.test", "password": password})
	if p.Status != http.StatusOK || third == first {
		t.Fatalf("Eve's login = %d at %s; sid %v after %v", p.Status, p.URL, third, first)
	}
	wantTold("after another user's login", map[any]any{site.id: third})

	w.browser = w.node.Browser(t)
	fourth := w.idToken(site.redeem(site.code(nil), nil))["sid"]
	yes := true
	if _, err := w.node.Manage.UpdateUser(t.Context(), w.admin(), w.ada.ID, lanyard.UserPatch{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	wantTold("after the account was disabled", map[any]any{site.id: fourth})
	w.sync()
}
