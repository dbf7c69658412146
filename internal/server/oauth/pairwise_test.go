package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// pairwise makes an app that gets names of its own for users, at a redirect URI.
func (w *world) pairwise(name, redirect string, in lanyard.OAuthSettings) *client {
	w.tb.Helper()
	in.SubjectType, in.RedirectURIs = "pairwise", []string{redirect}
	return w.app(lanyard.AppInput{Name: name, OAuthSettings: in})
}

// subjects are the names that an app gets for who is logged in, by every way it gets one. at is its redirect URI.
func (c *client) subjects(at string) map[string]string {
	c.w.tb.Helper()
	w := c.w
	r := c.redeem(c.code(url.Values{"redirect_uri": {at}}), url.Values{"redirect_uri": {at}})
	next := c.refresh(r.text("refresh_token"))
	text := func(claims map[string]any) string {
		sub, _ := claims["sub"].(string)
		return sub
	}
	opaque := c.redeem(c.code(url.Values{"redirect_uri": {at}, "scope": {"openid"}}), url.Values{"redirect_uri": {at}}).text("access_token")
	return map[string]string{
		"ID token": text(w.idToken(r)), "ID token of a refresh": text(w.idToken(next)), "access token": text(claimsOf(w.tb, next.text("access_token"))),
		"userinfo": w.userinfo(r.text("access_token")).text("sub"), "userinfo, opaque": w.userinfo(opaque).text("sub"),
		"introspection": c.introspect(r.text("access_token")).text("sub"), "introspection, opaque": c.introspect(opaque).text("sub"),
		"introspection of a refresh token": c.introspect(next.text("refresh_token")).text("sub"),
		"introspection by an API":          w.post("/oauth/introspect", url.Values{"token": {r.text("access_token")}}, bearer(w.node.AdminKey)).text("sub"),
	}
}

// sub is the one name an app gets.
func (c *client) sub(at string) string {
	c.w.tb.Helper()
	all := c.subjects(at)
	sub := all["ID token"]
	for way, got := range all {
		if got != sub || got == "" {
			c.w.tb.Errorf("sub by %s = %q, by the ID token %q, want one", way, got, sub)
		}
	}
	return sub
}

// TestPairwise: a user has one name for the apps of a sector, the same at every login and by every way, another for any other
// sector, and none of them tells who it is (OpenID Connect Core section 8.1).
func TestPairwise(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	const there = "https://elsewhere.test/cb"
	one, same, other := w.pairwise("One", callback, lanyard.OAuthSettings{}), w.pairwise("Same", callback+"/2", lanyard.OAuthSettings{}), w.pairwise("Other", there, lanyard.OAuthSettings{})
	open := w.app(lanyard.AppInput{Name: "Open"})
	first := one.sub(callback)
	if got := one.sub(callback); got != first {
		t.Errorf("at the next login sub = %q, want %q", got, first)
	}
	if got := same.sub(callback + "/2"); got != first {
		t.Errorf("for another app of the sector sub = %q, want %q", got, first)
	}
	elsewhere := other.sub(there)
	if elsewhere == first {
		t.Errorf("for another sector sub = %q, as for the first", elsewhere)
	}
	if got := open.sub(callback); got != w.ada.ID {
		t.Errorf("for an app with public subjects sub = %q, want %q", got, w.ada.ID)
	}
	for _, sub := range []string{first, elsewhere} {
		if len(sub) != 43 || strings.Contains(sub, strings.TrimPrefix(w.ada.ID, "user_")) {
			t.Errorf("sub %q tells who it is, or is too long", sub)
		}
	}
	w.user("eve@demo.test")
	w.browser = w.node.Browser(t)
	w.browser.Press(w.browser.Get("/login"), "sign-in", map[string]string{"login": "eve@demo.test", "password": password})
	if eve := one.sub(callback); eve == first || eve == elsewhere {
		t.Errorf("Eve's sub = %q, as Ada's", eve)
	}
	w.browser = w.node.Browser(t)
	if got := one.sub(callback); got != first {
		t.Errorf("in another browser sub = %q, want %q", got, first)
	}
}

// TestPairwiseSector: a sector identifier makes one sector of several hosts, and without one there is no telling which is meant.
func TestPairwiseSector(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	const there, sector = "https://elsewhere.test/cb", "https://sector.test/uris.json"
	one := w.pairwise("One", callback, lanyard.OAuthSettings{SectorIdentifierURI: sector})
	two := w.pairwise("Two", there, lanyard.OAuthSettings{SectorIdentifierURI: sector})
	alone := w.pairwise("Alone", callback, lanyard.OAuthSettings{})
	first := one.sub(callback)
	if got := two.sub(there); got != first {
		t.Errorf("by another host of the sector sub = %q, want %q", got, first)
	}
	if got := alone.sub(callback); got == first {
		t.Errorf("by the same host without the sector sub = %q, as with it", got)
	}
	in := lanyard.AppInput{Name: "Both", TeamID: w.team.ID, OAuthSettings: lanyard.OAuthSettings{SubjectType: "pairwise", RedirectURIs: []string{callback, there}}}
	if a, err := w.node.Manage.CreateApp(t.Context(), w.admin(), in); err == nil {
		t.Errorf("an app of two hosts without a sector = %+v, want it refused", a)
	}
	in.SubjectType = "odd"
	if a, err := w.node.Manage.CreateApp(t.Context(), w.admin(), in); err == nil {
		t.Errorf("an app with an odd subject type = %+v, want it refused", a)
	}
}

// TestPairwiseHints: the app's own name for a user means that user in id_token_hint, claims and a logout, and another app's
// name means nobody.
func TestPairwiseHints(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	const there = "https://elsewhere.test/cb"
	c := w.pairwise("One", callback, lanyard.OAuthSettings{PostLogoutRedirectURIs: []string{bye}})
	other := w.pairwise("Other", there, lanyard.OAuthSettings{})
	hint := c.tokens().text("id_token")
	sub, _ := claimsOf(t, hint)["sub"].(string)
	foreign := other.sub(there)
	silent := url.Values{"prompt": {"none"}}
	ask := func(name, value string) url.Values {
		t.Helper()
		silent := url.Values{"prompt": silent["prompt"], name: {value}}
		return c.login(silent)
	}
	if got := ask("id_token_hint", hint); got.Get("code") == "" {
		t.Errorf("with the hint of who is logged in = %v, want a code", got)
	}
	if got := ask("claims", `{"id_token":{"sub":{"value":"`+sub+`"}}}`); got.Get("code") == "" {
		t.Errorf("with the name of who is logged in = %v, want a code", got)
	}
	for _, name := range []string{foreign, w.ada.ID, "x"} {
		if got := ask("claims", `{"id_token":{"sub":{"value":"`+name+`"}}}`); got.Get("error") != "login_required" {
			t.Errorf("with the name %s = %v, want login_required", name, got)
		}
	}
	p := w.browser.Get(leave(url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {bye}}))
	if p = w.browser.Press(p, "confirm-logout", nil); p.Away == nil || p.Away.String() != bye {
		t.Errorf("after the logout = %s, away %v, want %s", p.URL, p.Away, bye)
	}
}

// TestPairwiseStops: behind such a name stands a user all the same: what ends theirs ends its tokens, and /v1/verify tells the
// API whose they are.
func TestPairwiseStops(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.pairwise("One", callback, lanyard.OAuthSettings{})
	r := c.tokens()
	if d := w.verify(r.text("access_token"), "GET", "/v1/me"); !d.Allowed || d.User == nil || d.User.ID != w.ada.ID {
		t.Errorf("/v1/verify = %+v, want it allowed for %s", d, w.ada.ID)
	}
	yes := true
	if _, err := w.node.Manage.UpdateUser(t.Context(), w.admin(), w.ada.ID, lanyard.UserPatch{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	if d := w.verify(r.text("access_token"), "GET", "/v1/me"); d.Allowed || d.Code != "disabled" {
		t.Errorf("/v1/verify of a locked user = %+v, want disabled", d)
	}
	w.challenged("userinfo of a locked user", w.userinfo(r.text("access_token")), 401, "invalid_token")
	w.refused("a refresh of a locked user", c.refresh(r.text("refresh_token")), http.StatusBadRequest, "invalid_grant")
	w.inactive("introspection of a locked user", c.introspect(r.text("access_token")))
}

// TestPairwiseWithoutRedirect: two apps for devices, which have no redirect URI, are no sector (OpenID Connect Core section 8.1).
func TestPairwiseWithoutRedirect(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	sub := func(name string) string {
		d := w.deviceApp(lanyard.AppInput{Name: name, OAuthSettings: lanyard.OAuthSettings{SubjectType: "pairwise"}}).device("openid")
		d.answer("approve")
		r := d.poll(nil)
		if r.status != 200 {
			t.Fatalf("poll = %d %s", r.status, r.raw)
		}
		return w.userinfo(r.text("access_token")).text("sub")
	}
	if one, other := sub("One"), sub("Other"); one == other || one == "" {
		t.Errorf("two apps know the user by %q and %q", one, other)
	}
}
