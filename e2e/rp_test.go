package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/client/rs"
	zitadel "github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

const (
	callback = "https://rp.example/callback"
	goodbye  = "https://rp.example/bye"
	secretOf = "blue cabbage under 9 moons" // ada's
)

// party is a server with a user in her browser, and an app.
type party struct {
	t          *testing.T
	node       *servertest.Node
	browser    *servertest.Browser
	id, secret string
}

func newParty(t *testing.T, grants ...string) *party {
	t.Helper()
	n := servertest.Start(t, servertest.Options{})
	shop := n.Open(t)
	if _, err := n.Manage.CreateUser(t.Context(), audit.Command("test"), lanyard.UserInput{Email: "ada@demo.test", Name: "Ada", Password: secretOf}); err != nil {
		t.Fatal(err)
	}
	a, err := n.Admin.CreateApp(t.Context(), lanyard.AppInput{Name: "Party", TeamID: shop.Team.ID, OAuthSettings: lanyard.OAuthSettings{
		RedirectURIs: []string{callback}, PostLogoutRedirectURIs: []string{goodbye}, GrantTypes: grants, Scopes: []string{"news.read"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	made, err := n.Admin.CreateSecret(t.Context(), a.ID, lanyard.SecretInput{})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Tail.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &party{t: t, node: n, browser: n.Browser(t), id: a.ClientID, secret: made.Secret}
}

// allow has ada sign in and say yes, and returns what the app gets.
func (p *party) allow(address string) url.Values {
	p.t.Helper()
	page := p.browser.Get(address)
	if page.Has("sign-in") {
		page = p.browser.Press(page, "sign-in", map[string]string{"login": "ada@demo.test", "password": secretOf})
	}
	if page.Has("approve") {
		page = p.browser.Press(page, "approve", nil)
	}
	if page.Away == nil || page.Away.Query().Get("code") == "" {
		p.t.Fatalf("the way ends at %s (%d), %v: %.500s", page.URL, page.Status, page.Away, page.Text())
	}
	return page.Away.Query()
}

// TestZitadel: the relying party and the resource server of github.com/zitadel/oidc work unchanged.
func TestZitadel(t *testing.T) {
	const device = "urn:ietf:params:oauth:grant-type:device_code"
	p := newParty(t, "authorization_code", "refresh_token", "client_credentials", device)
	ctx := t.Context()
	scopes := []string{"openid", "profile", "email"}
	party, err := rp.NewRelyingPartyOIDC(ctx, p.node.URL, p.id, p.secret, callback, scopes, rp.WithSigningAlgsFromDiscovery(), rp.WithVerifierOpts(rp.WithIssuedAtOffset(5*time.Second)))
	if err != nil {
		t.Fatal(err)
	}
	verifier := oauth2.GenerateVerifier()
	sum := sha256.Sum256([]byte(verifier))
	got := p.allow(rp.AuthURL("state", party, rp.WithCodeChallenge(base64.RawURLEncoding.EncodeToString(sum[:]))))
	if got.Get("state") != "state" || got.Get("iss") != p.node.URL {
		t.Errorf("the answer is %v", got)
	}
	tokens, err := rp.CodeExchange[*zitadel.IDTokenClaims](ctx, got.Get("code"), party, rp.WithCodeVerifier(verifier))
	if err != nil {
		t.Fatal(err)
	}
	info, err := rp.Userinfo[*zitadel.UserInfo](ctx, tokens.AccessToken, tokens.TokenType, tokens.IDTokenClaims.GetSubject(), party)
	if err != nil || info.Email != "ada@demo.test" || info.Name != "Ada" {
		t.Errorf("userinfo = %+v, %v", info, err)
	}
	fresh, err := rp.RefreshTokens[*zitadel.IDTokenClaims](ctx, party, tokens.RefreshToken, "", "")
	if err != nil || fresh.AccessToken == tokens.AccessToken || fresh.RefreshToken == "" {
		t.Fatalf("refresh = %v", err)
	}
	server, err := rs.NewResourceServerClientCredentials(ctx, p.node.URL, p.id, p.secret)
	if err != nil {
		t.Fatal(err)
	}
	active := func(token string) bool {
		t.Helper()
		said, err := rs.Introspect[*zitadel.IntrospectionResponse](ctx, server, token)
		if err != nil {
			t.Fatal(err)
		}
		return said.Active
	}
	if !active(fresh.AccessToken) {
		t.Error("introspection = inactive, want active")
	}
	if err := rp.RevokeToken(ctx, party, fresh.RefreshToken, "refresh_token"); err != nil {
		t.Errorf("revoke = %v", err)
	}
	if active(fresh.AccessToken) {
		t.Error("introspection after the revocation = active, want inactive")
	}
	if _, err := rp.RefreshTokens[*zitadel.IDTokenClaims](ctx, party, fresh.RefreshToken, "", ""); err == nil {
		t.Error("a refresh after the revocation worked")
	}
	machine, err := rp.NewRelyingPartyOIDC(ctx, p.node.URL, p.id, p.secret, "", []string{"news.read"})
	if err != nil {
		t.Fatal(err)
	}
	if own, err := rp.ClientCredentials(ctx, machine, nil); err != nil || !active(own.AccessToken) {
		t.Errorf("client credentials = %v", err)
	}
	asked, err := rp.DeviceAuthorization(ctx, []string{"openid"}, party, nil)
	if err != nil {
		t.Fatal(err)
	}
	page := p.browser.Press(p.browser.Get("/device"), "go-on", map[string]string{"user_code": asked.UserCode})
	p.browser.Press(page, "approve", nil)
	if got, err := rp.DeviceAccessToken(ctx, asked.DeviceCode, time.Second, party); err != nil || !active(got.AccessToken) {
		t.Errorf("device = %v", err)
	}
	to, err := rp.EndSession(ctx, party, tokens.IDToken, goodbye, "bye", "", nil)
	if err != nil || to == nil || to.Query().Get("state") != "bye" {
		t.Errorf("end session = %v, %v", to, err)
	}
}

// TestGoOIDC: coreos/go-oidc with golang.org/x/oauth2.
func TestGoOIDC(t *testing.T) {
	p := newParty(t, "authorization_code", "refresh_token")
	ctx := t.Context()
	provider, err := oidc.NewProvider(ctx, p.node.URL)
	if err != nil {
		t.Fatal(err)
	}
	cfg := oauth2.Config{ClientID: p.id, ClientSecret: p.secret, Endpoint: provider.Endpoint(), RedirectURL: callback, Scopes: []string{"openid", "email"}}
	verifier := oauth2.GenerateVerifier()
	got := p.allow(cfg.AuthCodeURL("state", oidc.Nonce("nonce"), oauth2.S256ChallengeOption(verifier)))
	if _, err := cfg.Exchange(ctx, got.Get("code"), oauth2.VerifierOption(oauth2.GenerateVerifier())); err == nil {
		t.Error("a code with another verifier was redeemed")
	}
	tokens, err := cfg.Exchange(ctx, got.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	text, _ := tokens.Extra("id_token").(string)
	idToken, err := provider.Verifier(&oidc.Config{ClientID: p.id}).Verify(ctx, text)
	if err != nil || idToken.Nonce != "nonce" || idToken.VerifyAccessToken(tokens.AccessToken) != nil {
		t.Fatalf("the ID token = %+v, %v", idToken, err)
	}
	if _, err := provider.Verifier(&oidc.Config{ClientID: "another"}).Verify(ctx, text); err == nil {
		t.Error("another app takes the ID token")
	}
	info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil || info.Subject != idToken.Subject || info.Email != "ada@demo.test" {
		t.Errorf("userinfo = %+v, %v", info, err)
	}
	tokens.Expiry = time.Unix(1, 0)
	fresh, err := cfg.TokenSource(ctx, tokens).Token()
	if err != nil || fresh.AccessToken == tokens.AccessToken {
		t.Errorf("refresh = %v", err)
	}
}
