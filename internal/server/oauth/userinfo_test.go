package oauth_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// userinfo asks with a token in the header.
func (w *world) userinfo(access string) *reply {
	w.tb.Helper()
	return call(w.tb, http.MethodGet, w.node.URL+"/oauth/userinfo", nil, bearer(access))
}

// challenged fails the test unless the answer is the challenge of a protected resource with the error (RFC 6750 section 3).
func (w *world) challenged(what string, r *reply, status int, code string) {
	w.tb.Helper()
	w.refused(what, r, status, code)
	if got := r.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, `Bearer realm="lanyard", error="`+code+`"`) {
		w.tb.Errorf("%s: WWW-Authenticate = %q, want Bearer with %s", what, got, code)
	}
}

// TestUserinfoRefused: nothing but an access token of a user, once, in header or form, tells anything (OpenID Connect Core
// section 5.3; RFC 6750 sections 2 and 3; PROTOCOLS OAuth 13; SECURITY-CASES 56, 100).
func TestUserinfoRefused(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{})
	code := c.code(nil)
	r := c.redeem(code, nil)
	access := r.text("access_token")
	address := w.node.URL + "/oauth/userinfo"
	if r := w.userinfo(access); r.status != 200 {
		t.Fatalf("the right token = %d %s, want 200", r.status, r.raw)
	}
	for name, header := range map[string]http.Header{
		"nothing": nil, "Basic": basicHeader(c.id, c.secret), "an empty header": {"Authorization": {""}}, "Bearer alone": {"Authorization": {"Bearer"}}, "Bearer and a blank": {"Authorization": {"Bearer "}},
		"a token without a scheme": {"Authorization": {access}}, "as x-api-key": {"X-Api-Key": {access}}, "in a cookie": {"Cookie": {"access_token=" + access}},
	} {
		r := call(t, http.MethodGet, address, nil, header)
		if r.status != 401 || r.header.Get("WWW-Authenticate") != `Bearer realm="lanyard"` {
			t.Errorf("%s = %d %s (%s), want 401 and a challenge without an error", name, r.status, r.raw, r.header.Get("WWW-Authenticate"))
		}
	}
	for name, text := range map[string]string{
		"garbage": "x", "null": "null", "cut": access[:len(access)-1], "longer": access + "A", "padded": access + "=", "twice": access + " " + access, "with a comma": access + ",", "with two blanks": " " + access,
		"the ID token": r.text("id_token"), "the refresh token": r.text("refresh_token"), "the code": code, "the client secret": c.secret, "an API key": w.node.AdminKey, "a personal token": w.personal(),
		"by another's key": newSigner(t, jose.ES256, "one").sign(claimsOf(t, access), map[jose.HeaderKey]any{"typ": "at+jwt"}), "unsigned": unsigned(t, claimsOf(t, access), "none"),
	} {
		w.challenged(name, w.userinfo(text), 401, "invalid_token")
	}
	machine := w.machine(lanyard.AppInput{}).token(itself(nil)).text("access_token")
	w.challenged("an app's own token", w.userinfo(machine), 403, "insufficient_scope")
	w.challenged("a token without openid", w.userinfo(c.asks(url.Values{"scope": {"profile.read"}}).text("access_token")), 403, "insufficient_scope")

	form := url.Values{"access_token": {access}}
	for name, r := range map[string]*reply{
		"in the query":              call(t, http.MethodGet, address+"?access_token="+access, nil, nil),
		"in the query, and header":  call(t, http.MethodGet, address+"?access_token="+access, nil, bearer(access)),
		"in the query of a POST":    call(t, http.MethodPost, address+"?access_token="+access, url.Values{}, nil),
		"in two headers":            call(t, http.MethodGet, address, nil, http.Header{"Authorization": {"Bearer " + access, "Bearer " + access}}),
		"in form and header":        call(t, http.MethodPost, address, form, bearer(access)),
		"in the form twice":         call(t, http.MethodPost, address, url.Values{"access_token": {access, access}}, nil),
		"in a form of another type": call(t, http.MethodPost, address, form, http.Header{"Content-Type": {"text/plain"}}),
	} {
		w.refused(name, r, 400, "invalid_request")
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch} {
		if r := call(t, method, address, nil, bearer(access)); r.status != http.StatusMethodNotAllowed {
			t.Errorf("%s = %d %s, want 405", method, r.status, r.raw)
		}
	}
}

// TestUserinfoTells: what the scopes allow and no more, by every way that is open.
func TestUserinfoTells(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public"})
	address := w.node.URL + "/oauth/userinfo"
	for scope, want := range map[string]map[string]any{
		"openid":                            {"sub": w.ada.ID},
		"openid profile":                    {"sub": w.ada.ID, "name": "Ada"},
		"openid email":                      {"sub": w.ada.ID, "email": "ada@demo.test", "email_verified": true},
		"openid address phone":              {"sub": w.ada.ID},
		"openid profile email profile.read": {"sub": w.ada.ID, "name": "Ada", "email": "ada@demo.test", "email_verified": true},
	} {
		access := c.asks(url.Values{"scope": {scope}}).text("access_token")
		for way, r := range map[string]*reply{
			"GET":           w.userinfo(access),
			"bearer":        call(t, http.MethodGet, address, nil, http.Header{"Authorization": {"bearer " + access}}),
			"POST":          call(t, http.MethodPost, address, nil, bearer(access)),
			"POST, no form": call(t, http.MethodPost, address, url.Values{}, bearer(access)),
			"form":          call(t, http.MethodPost, address, url.Values{"access_token": {access}}, nil),
		} {
			if diff := cmp.Diff(want, r.body); r.status != 200 || diff != "" {
				t.Errorf("%s by %s = %d (-want +got):\n%s", scope, way, r.status, diff)
			}
			h := r.header
			if h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s by %s: %v, want JSON that nobody stores, for scripts of any origin", scope, way, h)
			}
		}
	}
	name := "Ada Lovelace"
	if _, err := w.node.Manage.UpdateUser(t.Context(), w.admin(), w.ada.ID, lanyard.UserPatch{Name: &name}); err != nil {
		t.Fatal(err)
	}
	if r := w.userinfo(c.asks(url.Values{"scope": {"openid profile"}}).text("access_token")); r.text("name") != name {
		t.Errorf("after a change of name = %s, want %s", r.raw, name)
	}
}

// TestUserinfoSigned: an app that registered an algorithm gets a JWT for itself (OpenID Connect Core section 5.3.2).
func TestUserinfoSigned(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	for _, alg := range []jose.SignatureAlgorithm{jose.ES256, jose.RS256} {
		c := w.app(lanyard.AppInput{Type: "public", OAuthSettings: lanyard.OAuthSettings{UserinfoSignedAlg: string(alg)}})
		r := w.userinfo(c.asks(url.Values{"scope": {"openid email"}}).text("access_token"))
		if r.status != 200 || r.header.Get("Content-Type") != "application/jwt" || r.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%s: %d %s (%v), want a JWT", alg, r.status, r.raw, r.header)
		}
		want := map[string]any{"iss": w.node.URL, "aud": c.id, "sub": w.ada.ID, "email": "ada@demo.test", "email_verified": true}
		if diff := cmp.Diff(want, w.opened(r.raw, "JWT", alg)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", alg, diff)
		}
		// It is no ID token, though it is signed with the same key and says who it is for.
		if got := c.login(url.Values{"id_token_hint": {r.raw}}); got.Get("error") != "invalid_request" {
			t.Errorf("signed userinfo as id_token_hint = %v, want invalid_request", got)
		}
		w.challenged("signed userinfo as access token", w.userinfo(r.raw), 401, "invalid_token")
	}
}

// TestUserinfoOver: what ends a token ends what it tells (SECURITY-CASES 58, 116-122).
func TestUserinfoOver(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	yes, no := true, false
	ctx := t.Context()
	c := w.app(lanyard.AppInput{})
	over := map[string]func(r *reply){
		"the token revoked": func(r *reply) {
			w.post("/oauth/revoke", url.Values{"token": {r.text("access_token")}}, basicHeader(c.id, c.secret))
		},
		"the chain revoked": func(r *reply) {
			w.post("/oauth/revoke", url.Values{"token": {r.text("refresh_token")}}, basicHeader(c.id, c.secret))
		},
		"the grant taken back": func(*reply) {
			grants, err := w.node.Manage.Grants(ctx, w.admin(), manage.GrantsFilter{User: w.ada.ID}, manage.List{})
			if err != nil || len(grants.Items) == 0 {
				t.Fatalf("Grants = %+v, %v, want one", grants, err)
			}
			if _, err := w.node.Manage.RevokeGrant(ctx, w.admin(), grants.Items[0].ID); err != nil {
				t.Fatal(err)
			}
		},
		"the user locked": func(*reply) {
			if _, err := w.node.Manage.UpdateUser(ctx, w.admin(), w.ada.ID, lanyard.UserPatch{Disabled: &yes}); err != nil {
				t.Fatal(err)
			}
		},
		"the app locked": func(*reply) {
			if _, err := w.node.Manage.UpdateApp(ctx, w.admin(), c.id, lanyard.AppPatch{Disabled: &yes}); err != nil {
				t.Fatal(err)
			}
		},
		"at its end": func(*reply) { clock.Advance(15 * time.Minute) },
	}
	for name, end := range over {
		r := c.tokens()
		if r := w.userinfo(r.text("access_token")); r.status != 200 {
			t.Fatalf("%s, before = %d %s, want 200", name, r.status, r.raw)
		}
		end(r)
		w.sync()
		w.challenged(name, w.userinfo(r.text("access_token")), 401, "invalid_token")
		if _, err := w.node.Manage.UpdateUser(ctx, w.admin(), w.ada.ID, lanyard.UserPatch{Disabled: &no}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.node.Manage.UpdateApp(ctx, w.admin(), c.id, lanyard.AppPatch{Disabled: &no}); err != nil {
			t.Fatal(err)
		}
		w.sync()
	}
}

// TestAddressAndPhone: both scopes are known and may be asked for, by name or by claims, and tell nothing: nothing of the kind
// is kept (OpenID Connect Core section 5.4).
func TestAddressAndPhone(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public"})
	r := c.asks(url.Values{
		"scope":  {"openid email address phone"},
		"claims": {`{"id_token":{"address":{"essential":true},"phone_number":null},"userinfo":{"address":null,"phone_number":{"essential":true},"phone_number_verified":null}}`},
	})
	if r.status != 200 || r.text("scope") != "openid email address phone" {
		t.Fatalf("a login for address and phone = %d %s, want them granted", r.status, r.raw)
	}
	info := w.userinfo(r.text("access_token"))
	if diff := cmp.Diff(map[string]any{"sub": w.ada.ID, "email": "ada@demo.test", "email_verified": true}, info.body); diff != "" {
		t.Errorf("userinfo (-want +got):\n%s", diff)
	}
	for name := range w.idToken(r) {
		if strings.Contains(name, "address") || strings.Contains(name, "phone") {
			t.Errorf("the ID token holds %s", name)
		}
	}
	known := call(t, http.MethodGet, w.node.URL+"/.well-known/openid-configuration", nil, nil)
	claims, _ := known.body["claims_supported"].([]any)
	for _, name := range []string{"address", "phone_number", "phone_number_verified"} {
		if slices.Contains(claims, any(name)) {
			t.Errorf("claims_supported offers %s", name)
		}
	}
}
