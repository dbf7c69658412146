package lanyard

import (
	"encoding/json"
	"time"
)

// The types of the JSON API about visitor badges: what an app declares as an OAuth client, and client secrets, personal
// tokens, grants and sessions.

// OAuthSettings is what an app declares as an OAuth client, by the names of RFC 7591 and OpenID Connect registration. All
// absent is an app that uses API keys alone.
type OAuthSettings struct {
	RedirectURIs            []string        `json:"redirect_uris,omitempty" maxItems:"50" doc:"Exact addresses; https, http on this machine, or a scheme of the app's own"`
	GrantTypes              []string        `json:"grant_types,omitempty" maxItems:"10" doc:"Absent with redirect_uris: authorization_code and refresh_token"`
	TokenEndpointAuthMethod string          `json:"token_endpoint_auth_method,omitempty" enum:"client_secret_basic,client_secret_post,private_key_jwt,none" doc:"Absent: none for public apps, else client_secret_basic"`
	Scopes                  []string        `json:"scopes,omitempty" maxItems:"100" doc:"The most it may ask for; absent: what users may grant, and nothing by client credentials"`
	RequiredScopes          []string        `json:"required_scopes,omitempty" maxItems:"100" doc:"Without which it is of no use: users cannot untick them"`
	FirstParty              bool            `json:"first_party,omitempty" doc:"The provider's own, for which nobody is asked; set by admins only"`
	RefreshRotation         string          `json:"refresh_rotation,omitempty" enum:"always,never" doc:"When a refresh token is exchanged at its use; absent: for public apps"`
	JWKS                    json.RawMessage `json:"jwks,omitempty" doc:"The app's public keys, as a JWK Set"`
	JWKSURI                 string          `json:"jwks_uri,omitempty" maxLength:"500"`

	LogoURI   string   `json:"logo_uri,omitempty" maxLength:"500"`
	PolicyURI string   `json:"policy_uri,omitempty" maxLength:"500"`
	TOSURI    string   `json:"tos_uri,omitempty" maxLength:"500"`
	Contacts  []string `json:"contacts,omitempty" maxItems:"10"`

	SubjectType              string   `json:"subject_type,omitempty" enum:"public,pairwise"`
	SectorIdentifierURI      string   `json:"sector_identifier_uri,omitempty" maxLength:"500"`
	IDTokenSignedResponseAlg string   `json:"id_token_signed_response_alg,omitempty" maxLength:"10"`
	UserinfoSignedAlg        string   `json:"userinfo_signed_response_alg,omitempty" maxLength:"10"`
	RequestObjectSigningAlg  string   `json:"request_object_signing_alg,omitempty" maxLength:"10"`
	RequestURIs              []string `json:"request_uris,omitempty" maxItems:"50"`
	RequirePushedRequests    bool     `json:"require_pushed_authorization_requests,omitempty"`
	DPoPBoundAccessTokens    bool     `json:"dpop_bound_access_tokens,omitempty"`

	PostLogoutRedirectURIs            []string `json:"post_logout_redirect_uris,omitempty" maxItems:"50"`
	BackchannelLogoutURI              string   `json:"backchannel_logout_uri,omitempty" maxLength:"500"`
	BackchannelLogoutSessionRequired  bool     `json:"backchannel_logout_session_required,omitempty"`
	FrontchannelLogoutURI             string   `json:"frontchannel_logout_uri,omitempty" maxLength:"500"`
	FrontchannelLogoutSessionRequired bool     `json:"frontchannel_logout_session_required,omitempty"`
}

// OAuthPatch changes what it names and leaves the rest. An empty text or list takes a setting away.
type OAuthPatch struct {
	RedirectURIs            *[]string        `json:"redirect_uris,omitempty" maxItems:"50"`
	GrantTypes              *[]string        `json:"grant_types,omitempty" maxItems:"10"`
	TokenEndpointAuthMethod *string          `json:"token_endpoint_auth_method,omitempty" enum:"client_secret_basic,client_secret_post,private_key_jwt,none"`
	Scopes                  *[]string        `json:"scopes,omitempty" maxItems:"100"`
	RequiredScopes          *[]string        `json:"required_scopes,omitempty" maxItems:"100"`
	FirstParty              *bool            `json:"first_party,omitempty"`
	RefreshRotation         *string          `json:"refresh_rotation,omitempty" maxLength:"10"`
	JWKS                    *json.RawMessage `json:"jwks,omitempty" doc:"{} takes the keys away"`
	JWKSURI                 *string          `json:"jwks_uri,omitempty" maxLength:"500"`

	LogoURI   *string   `json:"logo_uri,omitempty" maxLength:"500"`
	PolicyURI *string   `json:"policy_uri,omitempty" maxLength:"500"`
	TOSURI    *string   `json:"tos_uri,omitempty" maxLength:"500"`
	Contacts  *[]string `json:"contacts,omitempty" maxItems:"10"`

	SubjectType              *string   `json:"subject_type,omitempty" maxLength:"10"`
	SectorIdentifierURI      *string   `json:"sector_identifier_uri,omitempty" maxLength:"500"`
	IDTokenSignedResponseAlg *string   `json:"id_token_signed_response_alg,omitempty" maxLength:"10"`
	UserinfoSignedAlg        *string   `json:"userinfo_signed_response_alg,omitempty" maxLength:"10"`
	RequestObjectSigningAlg  *string   `json:"request_object_signing_alg,omitempty" maxLength:"10"`
	RequestURIs              *[]string `json:"request_uris,omitempty" maxItems:"50"`
	RequirePushedRequests    *bool     `json:"require_pushed_authorization_requests,omitempty"`
	DPoPBoundAccessTokens    *bool     `json:"dpop_bound_access_tokens,omitempty"`

	PostLogoutRedirectURIs            *[]string `json:"post_logout_redirect_uris,omitempty" maxItems:"50"`
	BackchannelLogoutURI              *string   `json:"backchannel_logout_uri,omitempty" maxLength:"500"`
	BackchannelLogoutSessionRequired  *bool     `json:"backchannel_logout_session_required,omitempty"`
	FrontchannelLogoutURI             *string   `json:"frontchannel_logout_uri,omitempty" maxLength:"500"`
	FrontchannelLogoutSessionRequired *bool     `json:"frontchannel_logout_session_required,omitempty"`
}

// SecretInput makes a client secret of an app.
type SecretInput struct {
	Name      string     `json:"name,omitempty" maxLength:"100" doc:"Absent: client secret"`
	Mode      string     `json:"mode,omitempty" enum:"live,test" doc:"Absent: live"`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"Absent: permanent"`
}

// PersonalToken is a user's own token as it may be shown: everything but the secret.
type PersonalToken struct {
	ID           string     `json:"id"`
	UserID       string     `json:"user_id"`
	Name         string     `json:"name"`
	Mode         string     `json:"mode" enum:"live,test"`
	Status       string     `json:"status" doc:"valid, expired or revoked"`
	Hint         string     `json:"hint" doc:"The public part of the credential"`
	Scopes       []string   `json:"scopes"`
	IPAllow      []string   `json:"ip_allow,omitempty"`
	CreatedAt    time.Time  `json:"created_at"`
	ExpiresAt    time.Time  `json:"expires_at"`
	RevokedAt    *time.Time `json:"revoked_at,omitempty"`
	RevokeReason string     `json:"revoke_reason,omitempty"`
	LastUsed     *LastUsed  `json:"last_used,omitempty"`
	IfStolen     string     `json:"if_stolen" doc:"What a thief could do with it, in one sentence"`
}

// PersonalTokenInput makes a personal token of the user who asks.
type PersonalTokenInput struct {
	Name      string     `json:"name" minLength:"1" maxLength:"100"`
	Scopes    []string   `json:"scopes,omitempty" maxItems:"100" doc:"Of what the user may do now"`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"Absent: in 30 days; at most in 365"`
	IPAllow   []string   `json:"ip_allow,omitempty" maxItems:"100" doc:"Addresses or CIDR blocks"`
	Mode      string     `json:"mode,omitempty" enum:"live,test" doc:"Absent: live"`
}

// NewPersonalToken is a personal token with its secret, which is in this answer and in none after it.
type NewPersonalToken struct {
	ID     string `json:"id"`
	Secret string `json:"secret,omitempty" doc:"Shown once. Absent when an Idempotency-Key is repeated late"`
	PersonalToken
}

// Grant is what one user allowed one app.
type Grant struct {
	ID         string     `json:"id"`
	UserID     string     `json:"user_id"`
	AppID      string     `json:"app_id"`
	TeamID     string     `json:"team_id" doc:"The app's"`
	Scopes     []string   `json:"scopes"`
	CreatedAt  time.Time  `json:"created_at"`
	UpdatedAt  time.Time  `json:"updated_at"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty" doc:"When a token was last issued under it"`
	RevokedAt  *time.Time `json:"revoked_at,omitempty"`
}

// Session is one login in one browser.
type Session struct {
	ID        string    `json:"id"`
	UserID    string    `json:"user_id"`
	Network   string    `json:"network,omitempty" doc:"The neighbourhood of the address it was begun from"`
	Agent     string    `json:"agent,omitempty" doc:"A short name of the browser"`
	AuthAt    time.Time `json:"auth_at" doc:"When the user last proved who they are"`
	CreatedAt time.Time `json:"created_at"`
	SeenAt    time.Time `json:"seen_at" doc:"Within five minutes"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Ended says how many sessions an act ended.
type Ended struct {
	Ended int `json:"ended"`
}
