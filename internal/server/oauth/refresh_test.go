package oauth_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// TestRefreshRefused: what a stranger or a greedy app could send changes nothing (PROTOCOLS OAuth 10, SECURITY-CASES 42, 44).
func TestRefreshRefused(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{})
	other, public := w.app(lanyard.AppInput{Name: "Other"}), w.app(lanyard.AppInput{Name: "Public", Type: "public"})
	text := c.tokens().text("refresh_token")
	form := func(change url.Values) url.Values {
		f := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {text}}
		for name, values := range change {
			f[name] = values
		}
		return f
	}
	w.refused("another client", other.token(form(nil)), 400, "invalid_grant")
	w.refused("a public client", public.token(form(nil)), 400, "invalid_grant")
	w.refused("no proof of the client", w.post("/oauth/token", form(url.Values{"client_id": {c.id}}), nil), 401, "invalid_client")
	w.refused("a wrong secret", w.post("/oauth/token", form(url.Values{"client_id": {c.id}, "client_secret": {other.secret}}), nil), 401, "invalid_client")
	w.refused("more scopes", c.token(form(url.Values{"scope": {"profile.read messages.read"}})), 400, "invalid_scope")
	w.refused("another resource", c.token(form(url.Values{"resource": {"https://elsewhere.test"}})), 400, "invalid_target")
	w.refused("no token", c.token(url.Values{"grant_type": {"refresh_token"}}), 400, "invalid_request")
	for i := len(text) - 50; i < len(text); i++ { // no oracle: every changed character is the same refusal
		changed := text[:i] + string(rune('0'+(text[i]+1)%10)) + text[i+1:]
		if changed != text {
			w.refused("a changed token", c.refresh(changed), 400, "invalid_grant")
		}
	}
	r := c.token(form(url.Values{"scope": {"profile.read"}}))
	if r.status != http.StatusOK || r.text("scope") != "profile.read" || r.text("refresh_token") != text {
		t.Errorf("a narrower refresh of a confidential client = %d %s, want the scope and the same refresh token", r.status, r.raw)
	}
}

// TestRefreshReuse: a public client's token rotates; its predecessor gets the same successor for half a minute, and afterwards
// whoever presents it has stolen it: chain and access tokens end (RFC 9700 section 4.14.2).
func TestRefreshReuse(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public"})
	first := c.tokens()
	second := c.refresh(first.text("refresh_token"))
	again := c.refresh(first.text("refresh_token"))
	if second.status != 200 || again.status != 200 || second.text("refresh_token") != again.text("refresh_token") || second.text("refresh_token") == first.text("refresh_token") {
		t.Fatalf("two refreshes = %d, %d, want one and the same successor", second.status, again.status)
	}
	third := c.refresh(second.text("refresh_token"))
	if third.status != 200 {
		t.Fatalf("refresh = %d %s", third.status, third.raw)
	}
	w.refused("the token before the last", c.refresh(first.text("refresh_token")), 400, "invalid_grant")
	w.refused("the live one after the theft was seen", c.refresh(third.text("refresh_token")), 400, "invalid_grant")
	w.sync()
	for _, r := range []*reply{first, second, third} {
		if d := w.verify(r.text("access_token"), "GET", "/v1/me"); d.Code != "revoked" {
			t.Errorf("an access token of the chain = %s, want revoked", d.Code)
		}
	}
}

// TestCodeReplay: a code that its own client presents again, later than a race would, ends what it led to (RFC 9700 section
// 4.5.3); a race ends nothing.
func TestCodeReplay(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c, other := w.app(lanyard.AppInput{Type: "public"}), w.app(lanyard.AppInput{Name: "Other", Type: "public"})
	code := c.code(nil)
	r := c.redeem(code, nil)
	w.refused("the code again, at once", c.redeem(code, nil), 400, "invalid_grant")
	w.refused("the used code, by another client", other.redeem(code, nil), 400, "invalid_grant")
	w.sync()
	if d := w.verify(r.text("access_token"), "GET", "/v1/me"); !d.Allowed {
		t.Fatalf("after a race the token = %s, want valid", d.Code)
	}
	clock.Advance(10 * time.Second)
	w.refused("the code by another client, later", other.redeem(code, nil), 400, "invalid_grant")
	w.sync()
	if d := w.verify(r.text("access_token"), "GET", "/v1/me"); !d.Allowed {
		t.Fatalf("after a foreign replay the token = %s, want valid", d.Code)
	}
	w.refused("the code by its client, later", c.redeem(code, nil), 400, "invalid_grant")
	w.sync()
	if d := w.verify(r.text("access_token"), "GET", "/v1/me"); d.Code != "revoked" {
		t.Errorf("after the replay the token = %s, want revoked", d.Code)
	}
	w.refused("its refresh token", c.refresh(r.text("refresh_token")), 400, "invalid_grant")
}

// TestCodeExpires: client and age are checked both (SECURITY-CASES 36).
func TestCodeExpires(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c, other := w.app(lanyard.AppInput{Type: "public"}), w.app(lanyard.AppInput{Name: "Other", Type: "public"})
	code := c.code(nil)
	clock.Advance(61 * time.Second)
	w.sync()
	w.refused("too old", c.redeem(code, nil), 400, "invalid_grant")
	w.refused("too old, by another", other.redeem(code, nil), 400, "invalid_grant")
}

// TestUserStops: a disabled user's refresh, code and device stop at once; enabling brings no old session back.
func TestUserStops(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public"})
	r := c.tokens()
	code := c.code(nil)
	yes, no := true, false
	if _, err := w.node.Manage.UpdateUser(t.Context(), w.admin(), w.ada.ID, lanyard.UserPatch{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	w.refused("refresh", c.refresh(r.text("refresh_token")), 400, "invalid_grant")
	w.refused("code", c.redeem(code, nil), 400, "invalid_grant")
	if d := w.verify(r.text("access_token"), "GET", "/v1/me"); d.Allowed {
		t.Errorf("the access token = %s, want refused", d.Code)
	}
	if p := w.browser.Get("/account"); !p.Has("sign-in") {
		t.Errorf("the session still works: %s", p.URL)
	}
	if _, err := w.node.Manage.UpdateUser(t.Context(), w.admin(), w.ada.ID, lanyard.UserPatch{Disabled: &no}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	if d := w.verify(r.text("access_token"), "GET", "/v1/me"); d.Allowed {
		t.Error("enabling the user brought an old access token back")
	}
	if p := w.browser.Get("/account"); !p.Has("sign-in") {
		t.Error("enabling the user brought an old session back")
	}
}

// TestAppDeleted: with the app goes everything that was issued to it.
func TestAppDeleted(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public"})
	r := c.tokens()
	apps, err := w.node.Manage.Apps(t.Context(), w.admin(), w.team.ID, "PostPal", manage.List{Limit: 1})
	if err != nil || len(apps.Items) != 1 {
		t.Fatal(err)
	}
	if _, err := w.node.Manage.DeleteApp(t.Context(), w.admin(), apps.Items[0].ID); err != nil {
		t.Fatal(err)
	}
	w.sync()
	w.refused("refresh", c.refresh(r.text("refresh_token")), 401, "invalid_client")
	if d := w.verify(r.text("access_token"), "GET", "/v1/me"); d.Allowed {
		t.Errorf("the access token = %s, want refused", d.Code)
	}
	if p := w.browser.Get(c.ask(nil)); p.Status != 400 || p.Away != nil {
		t.Errorf("authorize = %d, %v, want a page that stays", p.Status, p.Away)
	}
}

// TestRefreshMode: a test secret does not take a live chain on.
func TestRefreshMode(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{})
	text := c.tokens().text("refresh_token")
	made, err := w.node.Manage.CreateSecret(t.Context(), w.admin(), c.id, lanyard.SecretInput{Mode: "test"})
	if err != nil {
		t.Fatal(err)
	}
	test := &client{w: w, id: c.id, secret: made.Secret}
	w.refused("a live chain by a test secret", test.refresh(text), 400, "invalid_grant")
	if r := c.refresh(text); r.status != 200 {
		t.Errorf("afterwards = %d %s", r.status, r.raw)
	}
}

// TestPublicAlwaysRotates: a public app's refresh token is used once, whatever it registered (RFC 9700 section 4.14.2).
func TestPublicAlwaysRotates(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public", OAuthSettings: lanyard.OAuthSettings{RefreshRotation: "never"}})
	text := c.tokens().text("refresh_token")
	if r := c.refresh(text); r.status != 200 || r.text("refresh_token") == text {
		t.Errorf("refresh = %d, the same refresh token again", r.status)
	}
}
