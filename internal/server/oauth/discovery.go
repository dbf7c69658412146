package oauth

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/browser"
)

// wellKnown are the paths of the discovery documents: OpenID Connect Discovery section 4, RFC 8414 section 3.1, and for an
// issuer with a path both ways of putting it together.
func (s *Server) wellKnown() []string {
	paths := []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"}
	if u, err := url.Parse(s.Issuer); err == nil && u.Path != "" && u.Path != "/" {
		paths = append(paths, "/.well-known/openid-configuration"+u.Path, "/.well-known/oauth-authorization-server"+u.Path)
	}
	return paths
}

// discovery tells what this server can (RFC 8414, OpenID Connect Discovery, RFC 9126, 9207, 9449, 9701).
func (s *Server) discovery(w http.ResponseWriter, r *http.Request) error {
	view, err := s.Verifier.Catalog(r.Context())
	if err != nil {
		return err
	}
	scopes := openIDScopes()[:4]
	for _, api := range view.All() {
		for _, scope := range api.Policy.Scopes.All() {
			scopes = append(scopes, scope.Name)
		}
	}
	at := func(path string) string { return s.Issuer + path }
	signed := []string{"ES256", "RS256", "PS256", "EdDSA"}
	doc := map[string]any{
		"issuer":                                                s.Issuer,
		"authorization_endpoint":                                at("/oauth/authorize"),
		"token_endpoint":                                        at("/oauth/token"),
		"pushed_authorization_request_endpoint":                 at("/oauth/par"),
		"device_authorization_endpoint":                         at("/oauth/device_authorization"),
		"introspection_endpoint":                                at("/oauth/introspect"),
		"revocation_endpoint":                                   at("/oauth/revoke"),
		"userinfo_endpoint":                                     at("/oauth/userinfo"),
		"end_session_endpoint":                                  at("/oauth/logout"),
		"jwks_uri":                                              at("/.well-known/jwks.json"),
		"scopes_supported":                                      scopes,
		"response_types_supported":                              []string{"code"},
		"response_modes_supported":                              []string{"query", "form_post"},
		"grant_types_supported":                                 app.GrantTypes(),
		"code_challenge_methods_supported":                      []string{"S256"},
		"token_endpoint_auth_methods_supported":                 app.AuthMethods(),
		"token_endpoint_auth_signing_alg_values_supported":      algNames(),
		"introspection_endpoint_auth_methods_supported":         app.AuthMethods()[:3],
		"revocation_endpoint_auth_methods_supported":            app.AuthMethods(),
		"introspection_signing_alg_values_supported":            signed,
		"dpop_signing_alg_values_supported":                     proofAlgs(),
		"subject_types_supported":                               []string{"public", "pairwise"},
		"id_token_signing_alg_values_supported":                 signed,
		"userinfo_signing_alg_values_supported":                 signed,
		"request_object_signing_alg_values_supported":           algNames(),
		"request_parameter_supported":                           true,
		"request_uri_parameter_supported":                       true,
		"require_request_uri_registration":                      true,
		"claims_parameter_supported":                            true,
		"claims_supported":                                      []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash", "name", "email", "email_verified"},
		"claim_types_supported":                                 []string{"normal"},
		"acr_values_supported":                                  acrValues(),
		"display_values_supported":                              []string{"page"},
		"ui_locales_supported":                                  []string{"en"},
		"prompt_values_supported":                               []string{"none", "login", "consent", "select_account"},
		"authorization_response_iss_parameter_supported":        true,
		"backchannel_logout_supported":                          true,
		"backchannel_logout_session_supported":                  true,
		"frontchannel_logout_supported":                         true,
		"frontchannel_logout_session_supported":                 true,
		"client_id_metadata_document_supported":                 true,
		"require_pushed_authorization_requests":                 false,
		"revocation_endpoint_auth_signing_alg_values_supported": algNames(),
	}
	if s.Registration != "closed" {
		doc["registration_endpoint"] = at("/oauth/register")
	}
	return publish(w, doc, "public, max-age=300")
}

// acrValues are the ways of logging in that apps can ask for.
func acrValues() []string { return []string{browser.ACRPassword} }

// jwks tells the public keys: those in use, those before them as long as something signed with them may be about, and those
// to come (DESIGN section 8).
func (s *Server) jwks(w http.ResponseWriter, _ *http.Request) error {
	return publish(w, json.RawMessage(s.Ring.JWKS(s.Now())), "public, max-age=300")
}

// publish answers a document that everybody may keep for a while.
func publish(w http.ResponseWriter, document any, cache string) error {
	body, err := json.Marshal(document)
	if err != nil {
		return err
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	h.Set("Cache-Control", cache)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // who does not read it has gone
	return nil
}
