package oauth_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// TestCodeFlow: sign in, untick, read, be refused in words, take back.
func TestCodeFlow(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public"})
	p := w.browser.Get(c.ask(nil))
	if !p.Has("login") || !p.Has("password") || !p.Has("sign-in") {
		t.Fatalf("authorize shows %d %.300s, want the sign-in page", p.Status, p.Text())
	}
	p = w.signIn(p)
	if !p.Has("approve") || !p.Has("deny") || !p.Ticked("scope-profile.read") || p.Ticked("scope-posts.write") {
		t.Fatalf("after the sign-in comes %s %.300s, want consent with writing scopes unticked", p.URL, p.Text())
	}
	for _, want := range []string{"It will be able to", "read your profile", "post for you", "NOT", "read your messages", "PostPal", "rp.test", "15 minutes"} {
		if !strings.Contains(p.Text(), want) {
			t.Errorf("the consent page does not say %q: %s", want, p.Text())
		}
	}
	p = w.browser.Press(p, "approve", nil)
	if p.Away == nil || p.Away.Query().Get("state") != "st" || p.Away.Query().Get("iss") != w.node.URL {
		t.Fatalf("after consent comes %v, want the app with state and iss", p.Away)
	}
	r := c.redeem(p.Away.Query().Get("code"), nil)
	if r.status != http.StatusOK || r.text("token_type") != "Bearer" || r.text("id_token") == "" || r.text("refresh_token") == "" {
		t.Fatalf("redeem = %d %s", r.status, r.raw)
	}
	if scopes := strings.Fields(r.text("scope")); slices.Contains(scopes, "posts.write") || !slices.Contains(scopes, "profile.read") {
		t.Errorf("scope = %v, want what was ticked", scopes)
	}
	if d := w.verify(r.text("access_token"), "GET", "/v1/me"); !d.Allowed || d.User == nil || d.User.ID != w.ada.ID {
		t.Errorf("GET /v1/me = %+v, want allowed for %s", d, w.ada.ID)
	}
	if d := w.verify(r.text("access_token"), "POST", "/v1/posts"); d.Allowed || d.Code != "insufficient_scope" {
		t.Errorf("POST /v1/posts = %+v, want insufficient_scope", d)
	}
	next := c.refresh(r.text("refresh_token"))
	if next.status != http.StatusOK || next.text("refresh_token") == r.text("refresh_token") {
		t.Fatalf("refresh = %d %s, want another refresh token", next.status, next.raw)
	}
	grants, err := w.node.Manage.Grants(t.Context(), w.admin(), manage.GrantsFilter{User: w.ada.ID}, manage.List{})
	if err != nil || len(grants.Items) != 1 {
		t.Fatalf("Grants = %+v, %v, want one", grants, err)
	}
	if _, err := w.node.Manage.RevokeGrant(t.Context(), w.admin(), grants.Items[0].ID); err != nil {
		t.Fatal(err)
	}
	w.sync()
	if d := w.verify(next.text("access_token"), "GET", "/v1/me"); d.Allowed || d.Code != "revoked" {
		t.Errorf("after the grant was revoked = %+v, want revoked", d)
	}
	w.refused("refresh after the grant was revoked", c.refresh(next.text("refresh_token")), http.StatusBadRequest, "invalid_grant")
}

// TestCodeRefused: everything a thief or a mistaken app could send, each with a fresh code that stays good (PROTOCOLS OAuth
// 5-9, SECURITY-CASES 36, 38, 44).
func TestCodeRefused(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c, other := w.app(lanyard.AppInput{Type: "public"}), w.app(lanyard.AppInput{Name: "Other", Type: "public"})
	for name, tc := range map[string]struct {
		by     *client
		change url.Values
		status int
		code   string
	}{
		"no verifier":            {c, url.Values{"code_verifier": nil}, 400, "invalid_grant"},
		"an empty verifier":      {c, url.Values{"code_verifier": {""}}, 400, "invalid_grant"},
		"another verifier":       {c, url.Values{"code_verifier": {verifier + "x"}}, 400, "invalid_grant"},
		"a short verifier":       {c, url.Values{"code_verifier": {"short"}}, 400, "invalid_grant"},
		"another redirect URI":   {c, url.Values{"redirect_uri": {callback + "/"}}, 400, "invalid_grant"},
		"no redirect URI":        {c, url.Values{"redirect_uri": nil}, 400, "invalid_grant"},
		"another client":         {other, nil, 400, "invalid_grant"},
		"no code":                {c, url.Values{"code": nil}, 400, "invalid_request"},
		"the code twice":         {c, url.Values{"code": {"a", "b"}}, 400, "invalid_request"},
		"another resource":       {c, url.Values{"resource": {"https://elsewhere.test"}}, 400, "invalid_target"},
		"no grant type":          {c, url.Values{"grant_type": nil}, 400, "invalid_request"},
		"an unknown grant type":  {c, url.Values{"grant_type": {"magic"}}, 400, "unsupported_grant_type"},
		"the password grant":     {c, url.Values{"grant_type": {"password"}}, 400, "unsupported_grant_type"},
		"an unregistered grant":  {c, url.Values{"grant_type": {"client_credentials"}}, 400, "unauthorized_client"},
		"a client secret though": {c, url.Values{"client_secret": {"lyd_cs_live_x"}}, 401, "invalid_client"},
	} {
		code := c.code(nil)
		w.refused(name, tc.by.redeem(code, tc.change), tc.status, tc.code)
		if r := c.redeem(code, nil); r.status != http.StatusOK {
			t.Errorf("%s: the code was harmed: %d %s", name, r.status, r.raw)
		}
	}
}
