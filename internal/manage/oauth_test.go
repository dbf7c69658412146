package manage

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

const (
	publicJWKS  = `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`
	privateJWKS = `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}]}`
)

func TestDeclareRefuses(t *testing.T) {
	w := newWorld(t)
	w.svc.CheckFetch = func(address string) error {
		if strings.Contains(address, "10.0.0.1") {
			return fault.New(fault.Invalid, "is not public")
		}
		return nil
	}
	before := w.trace()
	const done = "https://a.example/done"
	owner := userActor(w.a.owner, w.a.team, everyScope()...)
	developer := userActor(w.a.developer, w.a.team, everyScope()...)
	for _, tc := range []struct {
		as    audit.Actor
		kind  fault.Kind
		field string
		typ   string
		in    lanyard.OAuthSettings
	}{
		{owner, fault.Invalid, "redirect_uris[0]", "", lanyard.OAuthSettings{RedirectURIs: []string{"javascript:alert(1)"}}},
		{owner, fault.Invalid, "redirect_uris[1]", "", lanyard.OAuthSettings{RedirectURIs: []string{done, "https://a.example/*"}}},
		{owner, fault.Invalid, "redirect_uris", "", lanyard.OAuthSettings{GrantTypes: []string{"authorization_code"}}},
		{owner, fault.Invalid, "grant_types[0]", "", lanyard.OAuthSettings{GrantTypes: []string{"password"}}},
		{owner, fault.Invalid, "token_endpoint_auth_method", "", lanyard.OAuthSettings{RedirectURIs: []string{done}, TokenEndpointAuthMethod: "none"}},
		{owner, fault.Invalid, "token_endpoint_auth_method", "public", lanyard.OAuthSettings{RedirectURIs: []string{done}, TokenEndpointAuthMethod: "client_secret_basic"}},
		{owner, fault.Invalid, "grant_types", "public", lanyard.OAuthSettings{GrantTypes: []string{"client_credentials"}}},
		{owner, fault.Invalid, "jwks", "", lanyard.OAuthSettings{RedirectURIs: []string{done}, TokenEndpointAuthMethod: "private_key_jwt"}},
		{owner, fault.Invalid, "jwks", "", lanyard.OAuthSettings{JWKS: json.RawMessage(privateJWKS)}},
		{owner, fault.Invalid, "jwks", "", lanyard.OAuthSettings{JWKS: json.RawMessage(`{"keys":[{"kty":"oct","k":"AAAA"}]}`)}},
		{owner, fault.Invalid, "jwks", "", lanyard.OAuthSettings{JWKS: json.RawMessage(`{"keys":[]}`)}},
		{owner, fault.Invalid, "jwks", "", lanyard.OAuthSettings{JWKS: json.RawMessage(`[1]`)}},
		{owner, fault.Invalid, "jwks_uri", "", lanyard.OAuthSettings{JWKSURI: "https://10.0.0.1/keys"}},
		{owner, fault.Invalid, "backchannel_logout_uri", "", lanyard.OAuthSettings{BackchannelLogoutURI: "https://10.0.0.1/out"}},
		{owner, fault.Invalid, "request_uris[1]", "", lanyard.OAuthSettings{RequestURIs: []string{"https://a.example/r", "https://10.0.0.1/r"}}},
		{owner, fault.Invalid, "contacts[0]", "", lanyard.OAuthSettings{Contacts: []string{"a\nb"}}},
		{owner, fault.Invalid, "scopes[1]", "", lanyard.OAuthSettings{Scopes: []string{"openid", "forecast.raed"}}},
		{owner, fault.Invalid, "required_scopes[0]", "", lanyard.OAuthSettings{RequiredScopes: []string{"nothing"}}},
		{owner, fault.Invalid, "required_scopes", "", lanyard.OAuthSettings{Scopes: []string{"openid"}, RequiredScopes: []string{"forecast.read"}}},
		{owner, fault.NotGrantable, "scopes[0]", "", lanyard.OAuthSettings{Scopes: []string{"radar.steer"}}},
		{developer, fault.NotGrantable, "scopes[0]", "", lanyard.OAuthSettings{Scopes: []string{"alerts.write"}}},
		{owner, fault.NotGrantable, "scopes[0]", "", lanyard.OAuthSettings{Scopes: []string{"lanyard.admin"}}},
		{w.admin, fault.NotGrantable, "scopes[0]", "", lanyard.OAuthSettings{Scopes: []string{"lanyard.admin"}}},
		{owner, fault.InsufficientScope, "first_party", "", lanyard.OAuthSettings{FirstParty: true}},
		{w.a.keyActor, fault.InsufficientScope, "first_party", "", lanyard.OAuthSettings{FirstParty: true}},
	} {
		_, err := w.svc.CreateApp(t.Context(), tc.as, lanyard.AppInput{Name: "x", TeamID: w.a.team, Type: tc.typ, OAuthSettings: tc.in})
		text, _ := json.Marshal(tc.in)
		wantFault(t, "CreateApp("+string(text)+") as "+tc.as.Label, err, tc.kind, tc.field)
		if err != nil && strings.Contains(err.Error(), "nWGxne") {
			t.Errorf("the refusal repeats a private key: %v", err)
		}
	}
	if w.trace() != before {
		t.Error("refused apps left traces")
	}
}

func TestDeclareDefaults(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct{ typ, method string }{{"confidential", "client_secret_basic"}, {"public", "none"}} {
		a, err := w.svc.CreateApp(t.Context(), w.admin, lanyard.AppInput{
			Name: "x", TeamID: w.a.team, Type: tc.typ, OAuthSettings: lanyard.OAuthSettings{RedirectURIs: []string{"https://a.example/done"}},
		})
		if err != nil || strings.Join(a.GrantTypes, " ") != "authorization_code refresh_token" || a.TokenEndpointAuthMethod != tc.method {
			t.Errorf("CreateApp(%s) = %+v, %v, want the code grant and %s", tc.typ, a.OAuthSettings, err, tc.method)
		}
	}
	bare, err := w.svc.App(t.Context(), w.admin, w.a.app)
	if err != nil || len(bare.GrantTypes) != 0 || bare.TokenEndpointAuthMethod != "" {
		t.Errorf("an app of API keys alone = %+v, %v, want no settings", bare.OAuthSettings, err)
	}
}

func TestPatchOAuth(t *testing.T) {
	w := newWorld(t)
	developer := userActor(w.a.developer, w.a.team, everyScope()...)
	made, err := w.svc.CreateApp(t.Context(), w.admin, lanyard.AppInput{Name: "x", TeamID: w.a.team, OAuthSettings: lanyard.OAuthSettings{
		RedirectURIs: []string{"https://a.example/done"}, Scopes: []string{"alerts.write", "openid"}, JWKS: json.RawMessage(publicJWKS),
	}})
	if err != nil {
		t.Fatal(err)
	}
	patch := func(as audit.Actor, p lanyard.OAuthPatch) (lanyard.App, error) {
		return w.svc.UpdateApp(t.Context(), as, made.ID, lanyard.AppPatch{OAuthPatch: p})
	}
	// What stands may stay, though the developer could not grant it.
	kept := []string{"openid", "alerts.write", "forecast.read"}
	if a, err := patch(developer, lanyard.OAuthPatch{Scopes: &kept}); err != nil || len(a.Scopes) != 3 || len(a.RedirectURIs) != 1 {
		t.Errorf("patch = %+v, %v, want a scope more and the rest left", a.OAuthSettings, err)
	}
	if ev := w.lastEvent(); ev.Action != "app.update" || !strings.Contains(ev.Details["scopes"], "forecast.read") || ev.Details["redirect_uris"] != "" {
		t.Errorf("the audit says %+v, want what changed and nothing else", ev)
	}
	more := []string{"alerts.read"}
	_, err = patch(developer, lanyard.OAuthPatch{Scopes: &more})
	wantFault(t, "patch to a scope that only owners grant", err, fault.NotGrantable, "scopes[0]")
	none := json.RawMessage("{}")
	if a, err := patch(developer, lanyard.OAuthPatch{JWKS: &none}); err != nil || a.JWKS != nil {
		t.Errorf("patch jwks {} = %s, %v, want none", a.JWKS, err)
	}
	yes := true
	_, err = patch(developer, lanyard.OAuthPatch{FirstParty: &yes})
	wantFault(t, "first party by a developer", err, fault.InsufficientScope, "first_party")
	if _, err := patch(w.admin, lanyard.OAuthPatch{FirstParty: &yes}); err != nil {
		t.Fatal(err)
	}
	// Where the users of the provider's own app are sent is no developer's to say.
	elsewhere := []string{"https://eve.example/done"}
	_, err = patch(developer, lanyard.OAuthPatch{RedirectURIs: &elsewhere})
	wantFault(t, "another way back of a first-party app", err, fault.InsufficientScope, "first_party")
}

// TestSelfRegistered: an app that registered itself gets no management scope, is nobody's own, and one that is known by its
// document is changed there.
func TestSelfRegistered(t *testing.T) {
	w := newWorld(t)
	team, err := w.store.RegisteredTeam(t.Context(), begin)
	if err != nil {
		t.Fatal(err)
	}
	for _, origin := range []app.Origin{app.DCR, app.ByAddress} {
		a := &app.App{ID: id.New[id.App](), Team: team, Name: "stranger", Type: app.Confidential, Origin: origin, CreatedAt: begin}
		if origin == app.ByAddress {
			a.ClientURL = "https://app.example/client.json"
		}
		if _, err := w.store.CreateApp(t.Context(), a, w.admin.New(begin, "app.register", string(a.ID), team, nil)); err != nil {
			t.Fatal(err)
		}
		yes := true
		_, err := w.svc.UpdateApp(t.Context(), w.admin, string(a.ID), lanyard.AppPatch{OAuthPatch: lanyard.OAuthPatch{FirstParty: &yes}})
		if origin == app.ByAddress {
			wantFault(t, "UpdateApp of a document's app", err, fault.Conflict, "")
		} else {
			wantFault(t, "first party of a registered app", err, fault.Invalid, "first_party")
		}
		_, err = w.svc.CreateKey(t.Context(), w.admin, string(a.ID), lanyard.KeyInput{Name: "k", Scopes: []string{"lanyard.keys.read"}})
		wantFault(t, "a management scope for it", err, fault.NotGrantable, "scopes[0]")
		shown, err := w.svc.App(t.Context(), w.admin, string(a.ID))
		if err != nil || shown.Origin != string(origin) || shown.ClientID != a.ClientID() {
			t.Errorf("App = %+v, %v, want its origin and client id", shown, err)
		}
	}
}

func TestSecretRefuses(t *testing.T) {
	w := newWorld(t)
	make := func(typ string, s lanyard.OAuthSettings) string {
		t.Helper()
		a, err := w.svc.CreateApp(t.Context(), w.admin, lanyard.AppInput{Name: "x", TeamID: w.a.team, Type: typ, OAuthSettings: s})
		if err != nil {
			t.Fatal(err)
		}
		return a.ID
	}
	public := make("public", lanyard.OAuthSettings{RedirectURIs: []string{"https://a.example/done"}})
	signing := make("", lanyard.OAuthSettings{GrantTypes: []string{"client_credentials"}, TokenEndpointAuthMethod: "private_key_jwt", JWKS: json.RawMessage(publicJWKS)})
	for _, of := range []string{public, signing} {
		_, err := w.svc.CreateSecret(t.Context(), w.admin, of, lanyard.SecretInput{})
		wantFault(t, "CreateSecret", err, fault.Conflict, "")
	}
	_, err := w.svc.CreateSecret(t.Context(), w.admin, w.a.app, lanyard.SecretInput{Mode: "prod"})
	wantFault(t, "CreateSecret(mode prod)", err, fault.Invalid, "mode")
	past := begin
	_, err = w.svc.CreateSecret(t.Context(), w.admin, w.a.app, lanyard.SecretInput{ExpiresAt: &past})
	wantFault(t, "CreateSecret(in the past)", err, fault.Invalid, "expires_at")

	// Who may not do what the app may does not come by its secret, neither a new one nor by rotation.
	managing := make("", lanyard.OAuthSettings{GrantTypes: []string{"client_credentials"}, Scopes: []string{"lanyard.usage.read"}})
	made, err := w.svc.CreateSecret(t.Context(), w.admin, managing, lanyard.SecretInput{})
	if err != nil || made.Name != "client secret" || made.Kind != "cs" {
		t.Fatalf("CreateSecret = %+v, %v", made, err)
	}
	lacking := userActor(w.a.developer, w.a.team, "lanyard.keys.write")
	_, err = w.svc.CreateSecret(t.Context(), lacking, managing, lanyard.SecretInput{})
	wantFault(t, "CreateSecret without what the app may", err, fault.NotGrantable, "")
	_, err = w.svc.RotateKey(t.Context(), lacking, made.ID, lanyard.RotateInput{})
	wantFault(t, "RotateKey without what the app may", err, fault.NotGrantable, "")
	if _, err := w.svc.RevokeKey(t.Context(), lacking, made.ID, lanyard.RevokeInput{}); err != nil {
		t.Errorf("RevokeKey = %v, want it: ending is not passing on", err)
	}
}
