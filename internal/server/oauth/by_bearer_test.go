package oauth_test

import (
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

const bearerGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// away makes an app that acts for users who are away, by a key, and for itself.
func (w *world) away(name string, key *signer) *client {
	w.tb.Helper()
	in := lanyard.AppInput{Name: name, OAuthSettings: lanyard.OAuthSettings{
		GrantTypes: []string{"authorization_code", "refresh_token", bearerGrant}, Scopes: []string{"openid", "profile.read", "messages.read", "posts.write"},
	}}
	if key != nil {
		in.JWKS = public(w.tb, key)
	}
	return w.app(in)
}

// bring presents an assertion as a grant.
func (c *client) bring(text string, change url.Values) *reply {
	c.w.tb.Helper()
	form := url.Values{"grant_type": {bearerGrant}, "assertion": {text}}
	maps.Copy(form, change)
	return c.token(form)
}

// TestBearerRefused: an assertion of somebody else's, for another server, out of its time or used, brings nothing (RFC 7523
// sections 2.1 and 3).
func TestBearerRefused(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	key, foreign := newSigner(t, jose.ES256, ""), newSigner(t, jose.ES256, "")
	c, other, keyless := w.away("Away", key), w.away("Other", foreign), w.away("Keyless", nil)
	public := w.app(lanyard.AppInput{Name: "Public", Type: "public"})
	c.code(nil) // Ada allows the app
	eve := w.user("eve@demo.test")
	now := clock.Now()
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	ada := func(change map[string]any) map[string]any {
		claims := map[string]any{"sub": w.ada.ID}
		maps.Copy(claims, change)
		return c.claims(now, claims)
	}
	for name, change := range map[string]map[string]any{
		"no iss":                     {"iss": nil},
		"another app's iss":          {"iss": other.id},
		"the issuer as iss":          {"iss": w.node.URL},
		"the user as iss":            {"iss": w.ada.ID},
		"no sub":                     {"sub": nil},
		"an empty sub":               {"sub": ""},
		"a mail address as sub":      {"sub": "ada@demo.test"},
		"another app as sub":         {"sub": other.id},
		"an unknown user":            {"sub": "user_0000000000000000"},
		"a user who allowed nothing": {"sub": eve.ID},
		"no aud":                     {"aud": nil},
		"another server's aud":       {"aud": "https://elsewhere.test"},
		"the token endpoint as aud":  {"aud": w.node.URL + "/oauth/token"},
		"two audiences":              {"aud": []string{w.node.URL, "https://elsewhere.test"}},
		"no exp":                     {"exp": nil},
		"exp of now":                 {"exp": at(0)},
		"expired":                    {"exp": at(-time.Second)},
		"too long a life":            {"exp": at(time.Hour + time.Second)},
		"not yet":                    {"nbf": at(61 * time.Second)},
		"from the future":            {"iat": at(61 * time.Second)},
		"no jti":                     {"jti": nil},
		"an empty jti":               {"jti": ""},
	} {
		w.refused(name, c.bring(key.sign(ada(change), nil), nil), 400, "invalid_grant")
	}
	right := func() string { return key.sign(ada(nil), nil) }
	for name, text := range map[string]string{
		"another app's key": foreign.sign(ada(nil), nil),
		"garbage":           "garbage",
		"no signature":      right()[:strings.LastIndexByte(right(), '.')+1],
		"no algorithm":      unsigned(t, ada(nil), "none"),
		"HMAC with the key": shared(t, key, ada(nil)),
		"its key with it":   foreign.sign(ada(nil), map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: foreign.key.Public()}}),
		"an access token":   c.tokens().text("access_token"),
	} {
		w.refused(name, c.bring(text, nil), 400, "invalid_grant")
	}
	w.refused("another app's assertion", other.bring(right(), nil), 400, "invalid_grant")
	w.refused("an app without keys", keyless.bring(key.sign(keyless.claims(now, map[string]any{"sub": w.ada.ID}), nil), nil), 400, "invalid_grant")
	w.refused("a client without the grant", public.bring(right(), nil), 400, "unauthorized_client")
	w.refused("its name alone", w.post("/oauth/token", url.Values{"grant_type": {bearerGrant}, "assertion": {right()}, "client_id": {c.id}}, nil), 401, "invalid_client")
	w.refused("nothing", c.bring("", nil), 400, "invalid_request")
	w.refused("two", c.bring("", url.Values{"assertion": {right(), right()}}), 400, "invalid_request")
	if r := c.bring(right(), nil); r.status != 200 {
		t.Errorf("a right one = %d %s, want 200", r.status, r.raw)
	}
}

// TestBearerScopes: an assertion brings what the user allowed and the app registered, for one API, and for the app itself
// nothing that is about a user (RFC 7521 section 4.1; RFC 8707 section 2).
func TestBearerScopes(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	key := newSigner(t, jose.ES256, "")
	c := w.away("Away", key)
	c.code(nil) // openid, profile.read and posts.write
	sign := func(subject string) string {
		return key.sign(c.claims(time.Now(), map[string]any{"sub": subject}), nil)
	}
	for name, ask := range map[string]struct {
		form url.Values
		code string
	}{
		"not allowed by the user":   {url.Values{"scope": {"messages.read"}}, "invalid_scope"},
		"one not allowed":           {url.Values{"scope": {"profile.read messages.read"}}, "invalid_scope"},
		"not registered":            {url.Values{"scope": {"files.read"}}, "invalid_scope"},
		"email":                     {url.Values{"scope": {"profile.read email"}}, "invalid_scope"},
		"unknown":                   {url.Values{"scope": {"profile.raed"}}, "invalid_scope"},
		"an unknown resource":       {url.Values{"scope": {"profile.read"}, "resource": {"https://elsewhere.test"}}, "invalid_target"},
		"two resources":             {url.Values{"scope": {"profile.read"}, "resource": {w.node.URL + "/apis/mail", w.node.URL + "/apis/files"}}, "invalid_target"},
		"a resource of other scope": {url.Values{"scope": {"profile.read"}, "resource": {w.node.URL + "/apis/files"}}, "invalid_scope"},
	} {
		text := sign(w.ada.ID)
		w.refused(name, c.bring(text, ask.form), 400, ask.code)
		if r := c.bring(text, url.Values{"scope": {"profile.read"}}); r.status != 200 {
			t.Errorf("after %s: a request that is right = %d %s, want the assertion still good", name, r.status, r.raw)
		}
	}
	public := w.app(lanyard.AppInput{Name: "Public", Type: "public", OAuthSettings: lanyard.OAuthSettings{
		GrantTypes: []string{bearerGrant}, RedirectURIs: []string{}, Scopes: []string{"profile.read"}, JWKS: public(t, key),
	}})
	w.refused("a public app for itself", public.bring(key.sign(public.claims(time.Now(), nil), nil), nil), 400, "unauthorized_client")
	w.refused("openid for the app itself", c.bring(sign(c.id), url.Values{"scope": {"openid"}}), 400, "invalid_scope")
	w.refused("openid among others for the app itself", c.bring(sign(c.id), url.Values{"scope": {"profile.read openid"}}), 400, "invalid_scope")
}

// TestBearer: the token is the user's, under the grant, and dies with it; there is nothing to refresh, and the assertion is
// good once (RFC 7523 section 3; RFC 7521 section 4.1).
func TestBearer(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	key := newSigner(t, jose.PS256, "one")
	c := w.away("Away", key)
	c.code(nil)
	grants, err := w.node.Manage.Grants(t.Context(), w.admin(), manage.GrantsFilter{App: c.id}, manage.List{Limit: 1})
	if err != nil || len(grants.Items) != 1 {
		t.Fatal(grants, err)
	}
	now := float64(clock.Now().Unix())
	sign := func(subject string) string {
		return key.sign(c.claims(clock.Now(), map[string]any{"sub": subject, "jti": string(id.New[id.Grant]())}), nil)
	}
	brought := map[string]string{}
	for name, want := range map[string]map[string]any{
		w.ada.ID: {"sub": w.ada.ID, "grant_id": grants.Items[0].ID},
		c.id:     {"sub": c.id},
	} {
		text := sign(name)
		r := c.bring(text, url.Values{"scope": {"profile.read"}})
		brought[name] = r.text("access_token")
		delete(r.body, "access_token")
		if diff := cmp.Diff(map[string]any{"token_type": "Bearer", "expires_in": 900.0, "scope": "profile.read"}, r.body); r.status != 200 || diff != "" {
			t.Fatalf("for %s = %d (-want +got):\n%s", name, r.status, diff)
		}
		_, claims := opened(t, w, brought[name])
		delete(claims, "jti")
		maps.Copy(want, map[string]any{"iss": w.node.URL, "client_id": c.id, "aud": w.node.URL + "/apis/mail", "scope": "profile.read", "mode": "live", "iat": now, "exp": now + 900})
		if diff := cmp.Diff(want, claims); diff != "" {
			t.Errorf("for %s: claims (-want +got):\n%s", name, diff)
		}
		w.good("for "+name, brought[name])
		w.refused("again for "+name, c.bring(text, url.Values{"scope": {"profile.read"}}), 400, "invalid_grant")
	}
	if _, err := w.node.Manage.RevokeGrant(t.Context(), w.admin(), grants.Items[0].ID); err != nil {
		t.Fatal(err)
	}
	w.sync()
	w.over("the user's, when the grant is taken back", brought[w.ada.ID])
	w.good("the app's own", brought[c.id])
	w.refused("without the grant", c.bring(sign(w.ada.ID), nil), 400, "invalid_grant")
}

// TestBearerLocked: for a locked user nothing is brought, and nothing that was brought works.
func TestBearerLocked(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	key, yes := newSigner(t, jose.ES256, ""), true
	c := w.away("Away", key)
	c.code(nil)
	sign := func() string { return key.sign(c.claims(time.Now(), map[string]any{"sub": w.ada.ID}), nil) }
	before := c.bring(sign(), nil)
	w.good("before", before.text("access_token"))
	if _, err := w.node.Manage.UpdateUser(t.Context(), w.admin(), w.ada.ID, lanyard.UserPatch{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	w.refused("a locked user", c.bring(sign(), nil), 400, "invalid_grant")
	if d := w.verify(before.text("access_token"), "GET", "/v1/me"); d.Allowed {
		t.Errorf("a locked user's token = %s, want refused", d.Code)
	}
}
