package app

import (
	"encoding/json"
	"slices"
	"time"
)

// Origin says how an app came to be.
type Origin string

// The origins. Apps that registered themselves never get a `lanyard.` scope and belong to a team of their own.
const (
	MadeHere  Origin = ""     // by a person or a management call
	DCR       Origin = "dcr"  // dynamic client registration (RFC 7591)
	ByAddress Origin = "cimd" // by a client id metadata document: its client id is the document's address
)

// Grant types (RFC 6749, 8628, 8693, 7523). There is no implicit and no password grant.
const (
	AuthorizationCode = "authorization_code"
	RefreshToken      = "refresh_token"
	ClientCredentials = "client_credentials"
	DeviceCode        = "urn:ietf:params:oauth:grant-type:device_code"
	TokenExchange     = "urn:ietf:params:oauth:grant-type:token-exchange"
	JWTBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer"
)

// GrantTypes lists every grant type.
func GrantTypes() []string {
	return []string{AuthorizationCode, RefreshToken, ClientCredentials, DeviceCode, TokenExchange, JWTBearer}
}

// Ways an app proves at the token endpoint that it is itself.
const (
	AuthNone          = "none"
	AuthBasic         = "client_secret_basic"
	AuthPost          = "client_secret_post"
	AuthPrivateKeyJWT = "private_key_jwt"
)

// AuthMethods lists them.
func AuthMethods() []string { return []string{AuthBasic, AuthPost, AuthPrivateKeyJWT, AuthNone} }

// When a refresh token is exchanged for another at its use.
const (
	RotatePublic = ""       // for public apps: the default
	RotateAlways = "always" // for every app
	RotateNever  = "never"  // FAPI 2: the app proves itself anyway
)

// OAuth is what an app declares as an OAuth client, by the names of RFC 7591 and OpenID Connect registration. The zero
// value is an app that uses API keys alone.
type OAuth struct {
	RedirectURIs []string `json:"redirect_uris,omitempty"`
	GrantTypes   []string `json:"grant_types,omitempty"`
	AuthMethod   string   `json:"token_endpoint_auth_method,omitempty"`
	AuthAlg      string   `json:"token_endpoint_auth_signing_alg,omitempty"`

	Scopes         []string `json:"scopes,omitempty"`          // the most it may ask for; empty: what users may grant, and nothing by client credentials
	RequiredScopes []string `json:"required_scopes,omitempty"` // without which it is of no use: not to be unticked
	FirstParty     bool     `json:"first_party,omitempty"`     // the provider's own: nobody is asked; admins only
	Rotation       string   `json:"refresh_rotation,omitempty"`

	JWKS    json.RawMessage `json:"jwks,omitempty"`
	JWKSURI string          `json:"jwks_uri,omitempty"`

	LogoURI   string   `json:"logo_uri,omitempty"`
	PolicyURI string   `json:"policy_uri,omitempty"`
	TermsURI  string   `json:"tos_uri,omitempty"`
	Contacts  []string `json:"contacts,omitempty"`

	SubjectType     string   `json:"subject_type,omitempty"` // "pairwise", else public
	SectorURI       string   `json:"sector_identifier_uri,omitempty"`
	IDTokenAlg      string   `json:"id_token_signed_response_alg,omitempty"`
	UserinfoAlg     string   `json:"userinfo_signed_response_alg,omitempty"`
	IntrospectAlg   string   `json:"introspection_signed_response_alg,omitempty"`
	RequestAlg      string   `json:"request_object_signing_alg,omitempty"`
	RequestURIs     []string `json:"request_uris,omitempty"`
	DefaultMaxAge   *int     `json:"default_max_age,omitempty"`
	RequireAuthTime bool     `json:"require_auth_time,omitempty"`  // every ID token of a login says auth_time
	DefaultACRs     []string `json:"default_acr_values,omitempty"` // a wish; there is one acr here
	InitiateURI     string   `json:"initiate_login_uri,omitempty"`
	RequirePAR      bool     `json:"require_pushed_authorization_requests,omitempty"`
	RequireDPoP     bool     `json:"dpop_bound_access_tokens,omitempty"`
	ApplicationType string   `json:"application_type,omitempty"` // web, native
	SoftwareID      string   `json:"software_id,omitempty"`
	SoftwareVersion string   `json:"software_version,omitempty"`

	PostLogoutURIs     []string `json:"post_logout_redirect_uris,omitempty"`
	BackchannelURI     string   `json:"backchannel_logout_uri,omitempty"`
	BackchannelSession bool     `json:"backchannel_logout_session_required,omitempty"`
	FrontURI           string   `json:"frontchannel_logout_uri,omitempty"`
	FrontSession       bool     `json:"frontchannel_logout_session_required,omitempty"`
}

// ClientID is the app's name on the wire: its id, or the address of its document.
func (a *App) ClientID() string {
	if a.ClientURL != "" {
		return a.ClientURL
	}
	return string(a.ID)
}

// Rotates reports whether a refresh token of the app is exchanged at its use (RFC 9700 section 4.14.2).
func (a *App) Rotates() bool {
	switch a.OAuth.Rotation {
	case RotateAlways:
		return true
	case RotateNever: // not for one that proves nothing at a refresh
		return a.Type == Public && !a.OAuth.RequireDPoP
	}
	return a.Type == Public
}

// MayUse reports whether the app registered a grant type. What is not registered is refused.
func (a *App) MayUse(grantType string) bool { return slices.Contains(a.OAuth.GrantTypes, grantType) }

// DocumentFresh says whether the metadata document read last still counts.
func (a *App) DocumentFresh(now time.Time) bool { return now.Before(a.DocumentUntil) }
