package oauth_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// endpoints are those that discovery has to name, with the method that each answers and what it says to nothing.
func endpoints() map[string]struct {
	method string
	status int
} {
	return map[string]struct {
		method string
		status int
	}{
		"authorization_endpoint": {http.MethodGet, 400}, "token_endpoint": {http.MethodPost, 401}, "pushed_authorization_request_endpoint": {http.MethodPost, 401},
		"device_authorization_endpoint": {http.MethodPost, 401}, "introspection_endpoint": {http.MethodPost, 401}, "revocation_endpoint": {http.MethodPost, 401},
		"userinfo_endpoint": {http.MethodGet, 401}, "end_session_endpoint": {http.MethodGet, 303}, "jwks_uri": {http.MethodGet, 200}, "registration_endpoint": {http.MethodPost, 400},
	}
}

// TestDiscovery: one document in every well-known form, for an issuer with a path too (OpenID Connect Discovery section 4, RFC
// 8414 section 3.1 and 5), and whatever it names is there.
func TestDiscovery(t *testing.T) {
	for name, tc := range map[string]struct {
		path  string
		forms []string
	}{
		"without a path": {"", []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"}},
		"with a path":    {"/x", []string{"/.well-known/openid-configuration/x", "/.well-known/oauth-authorization-server/x", "/x/.well-known/openid-configuration"}},
		"with a long one": {"/oauth/id.1", []string{
			"/.well-known/openid-configuration/oauth/id.1", "/.well-known/oauth-authorization-server/oauth/id.1", "/oauth/id.1/.well-known/openid-configuration",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, servertest.Options{Settings: func(s *config.Settings) { s.PublicURL += tc.path; s.DCR = config.Open }})
			issuer := w.node.URL + tc.path
			var first *reply
			for _, form := range tc.forms {
				r := call(t, http.MethodGet, w.node.URL+form, nil, nil)
				if first == nil {
					first = r
				}
				if r.status != 200 || r.raw != first.raw || r.header.Get("Content-Type") != "application/json" || r.header.Get("Access-Control-Allow-Origin") != "*" {
					t.Errorf("%s = %d %.100s (%v), want the same document for everybody", form, r.status, r.raw, r.header)
				}
			}
			if first.text("issuer") != issuer {
				t.Errorf("issuer = %q, want %q to the letter", first.text("issuer"), issuer)
			}
			for endpoint, want := range endpoints() {
				address := first.text(endpoint)
				if !strings.HasPrefix(address, issuer+"/") {
					t.Errorf("%s = %q, want it below %s", endpoint, address, issuer)
					continue
				}
				var form url.Values
				if want.method == http.MethodPost {
					form = url.Values{}
				}
				if r := call(t, want.method, address, form, nil); r.status != want.status {
					t.Errorf("%s %s = %d %.200s, want %d", want.method, address, r.status, r.raw, want.status)
				}
			}
			for member := range first.body {
				if _, known := endpoints()[member]; !known && (strings.HasSuffix(member, "_endpoint") || strings.HasSuffix(member, "_uri")) {
					t.Errorf("discovery names %s, which this test does not know", member)
				}
			}
			c := w.app(lanyard.AppInput{Type: "public"})
			got := c.login(nil)
			if got.Get("iss") != issuer {
				t.Errorf("iss in the answer = %q, want %q (RFC 9207)", got.Get("iss"), issuer)
			}
			r := c.redeem(got.Get("code"), nil)
			provider, err := oidc.NewProvider(t.Context(), issuer)
			if err != nil {
				t.Fatalf("a foreign client cannot discover %s: %v", issuer, err)
			}
			if token, err := provider.Verifier(&oidc.Config{ClientID: c.id}).Verify(t.Context(), r.text("id_token")); err != nil || token.Subject != w.ada.ID {
				t.Errorf("a foreign client reads the ID token as %+v, %v, want Ada's", token, err)
			}
		})
	}
}

// TestDiscoveryTells: what is offered, and above all what is not (OAuth 2.1; RFC 8414; PROTOCOLS OAuth 5, 15 and "OpenID
// Connect"; SECURITY-CASES 162).
func TestDiscoveryTells(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	r := call(t, http.MethodGet, w.node.URL+"/.well-known/openid-configuration", nil, nil)
	if r.body["registration_endpoint"] != nil {
		t.Error("a registration endpoint is named where registration is closed")
	}
	list := func(member string) []string {
		t.Helper()
		var out []string
		values, _ := r.body[member].([]any)
		for _, v := range values {
			text, _ := v.(string)
			out = append(out, text)
		}
		return out
	}
	for member, want := range map[string][]string{
		"response_types_supported": {"code"}, "code_challenge_methods_supported": {"S256"}, "response_modes_supported": {"query", "form_post"}, "subject_types_supported": {"public", "pairwise"},
	} {
		if got := list(member); !slices.Equal(got, want) {
			t.Errorf("%s = %v, want %v and no more", member, got, want)
		}
	}
	for member, want := range map[string][]string{
		"token_endpoint_auth_methods_supported": {"none", "client_secret_basic", "client_secret_post", "private_key_jwt"}, "id_token_signing_alg_values_supported": {"RS256", "ES256"},
		"userinfo_signing_alg_values_supported": {"RS256", "ES256"}, "request_object_signing_alg_values_supported": {"RS256", "ES256"}, "dpop_signing_alg_values_supported": {"ES256"},
		"grant_types_supported":   {"authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code"},
		"scopes_supported":        {"openid", "profile", "email", "offline_access", "profile.read", "posts.write", "files.read"},
		"prompt_values_supported": {"none", "login", "consent", "select_account"}, "claims_supported": {"sub", "auth_time", "acr", "amr", "sid", "name", "email"},
	} {
		got := list(member)
		for _, value := range want {
			if !slices.Contains(got, value) {
				t.Errorf("%s = %v, want %s among them", member, got, value)
			}
		}
	}
	for _, member := range []string{
		"authorization_response_iss_parameter_supported", "claims_parameter_supported", "request_parameter_supported", "request_uri_parameter_supported", "require_request_uri_registration",
		"backchannel_logout_supported", "backchannel_logout_session_supported", "frontchannel_logout_supported", "frontchannel_logout_session_supported", "client_id_metadata_document_supported",
	} {
		if r.body[member] != true {
			t.Errorf("%s = %v, want true", member, r.body[member])
		}
	}
	for member := range r.body {
		for _, value := range list(member) {
			if strings.HasSuffix(member, "alg_values_supported") && (value == "none" || strings.HasPrefix(value, "HS") || strings.HasPrefix(value, "RSA1")) || value == "password" || value == "implicit" || value == "plain" {
				t.Errorf("%s offers %s", member, value)
			}
		}
	}
}

// TestKeysRotate: a new key is published before it signs, the old one stays as long as what it signed may be about, and a key
// that is revoked is believed no more, as soon as a node hears of it (DESIGN section 8).
func TestKeysRotate(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c := w.machine(lanyard.AppInput{})
	mint := func() (access, kid string) {
		t.Helper()
		access = c.token(itself(nil)).text("access_token")
		signed, err := jose.ParseSignedCompact(access, []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			t.Fatalf("%q: %v", access, err)
		}
		return access, signed.Signatures[0].Protected.KeyID
	}
	published := func() []string {
		t.Helper()
		var kids []string
		for _, key := range w.jwks().Keys {
			if key.Algorithm == "ES256" {
				kids = append(kids, key.KeyID)
			}
			if !key.IsPublic() || key.Use != "sig" || !key.Valid() {
				t.Errorf("the key set holds %+v, want public keys for signatures", key)
			}
		}
		return kids
	}
	later := func(d time.Duration) {
		t.Helper()
		clock.Advance(d)
		if err := w.node.Ring.RotateSigning(t.Context(), clock.Now()); err != nil {
			t.Fatal(err)
		}
		w.sync()
	}
	good := func(what, access string, want bool) {
		t.Helper()
		if d := w.verify(access, "GET", "/v1/me"); d.Allowed != want || !want && d.Code != "not_found" && d.Code != "expired" {
			t.Errorf("%s: %s, want it to be good: %v", what, d.Code, want)
		}
	}
	access, first := mint()
	if kids := published(); !slices.Equal(kids, []string{first}) {
		t.Fatalf("published are %v, want %s", kids, first)
	}
	later(keyring.RotateAfter)
	good("after 90 days", access, false)
	kids := published()
	access, kid := mint()
	if len(kids) != 2 || kids[1] != first || kid != first {
		t.Fatalf("at the rotation %v are published and %s signs, want a new one and %s", kids, kid, first)
	}
	good("signed by the old key, with a new one published", access, true)
	second := kids[0]
	later(keyring.PublishAhead - time.Minute)
	access, kid = mint()
	if kid != first {
		t.Errorf("a minute before its time %s signs, want %s", kid, first)
	}
	later(time.Minute)
	good("signed by the old key, with the new one in use", access, true)
	access, kid = mint()
	if kid != second || len(published()) != 2 {
		t.Errorf("a day later %s signs and %v are published, want %s and both", kid, published(), second)
	}
	good("signed by the new key", access, true)
	later(keyring.KeepPublished)
	if kids := published(); !slices.Equal(kids, []string{second}) {
		t.Errorf("after the overlap %v are published, want %s", kids, second)
	}
	access, _ = mint()
	good("signed by the key that is left", access, true)
	if err := w.node.Ring.Drop(t.Context(), keyring.SignES256, 2, clock.Now()); err != nil {
		t.Fatal(err)
	}
	w.sync()
	good("signed by a revoked key", access, false)
	if kids := published(); len(kids) != 1 || kids[0] == second {
		t.Errorf("after the revocation %v are published, want another than %s", kids, second)
	}
	access, kid = mint()
	if kid == second || kid == first {
		t.Errorf("after the revocation %s signs", kid)
	}
	good("signed by its successor", access, true)
}
