package app

import (
	"fmt"
	"net/url"
	"slices"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// signatures are what this server signs with, and what clients may sign with beyond that.
func signatures() []string { return []string{"ES256", "RS256", "PS256", "EdDSA"} }

func clientSignatures() []string {
	return append(signatures(), "ES384", "PS384", "RS384", "ES512", "PS512", "RS512")
}

// Check reports the first member of a registration that cannot be. Which scopes there are and may be asked, and whether
// addresses may be fetched, is for others to say.
func (o *OAuth) Check() error {
	if err := o.checkRedirects(); err != nil {
		return err
	}
	for i, grantType := range o.GrantTypes {
		if !slices.Contains(GrantTypes(), grantType) {
			return fault.Field(fmt.Sprintf("grant_types[%d]", i), "there is no grant type %.60q here", grantType)
		}
	}
	if err := o.checkProof(); err != nil {
		return err
	}
	if err := o.checkAlgorithms(); err != nil {
		return err
	}
	if o.Rotation != RotatePublic && o.Rotation != RotateAlways && o.Rotation != RotateNever {
		return fault.Field("refresh_rotation", `must be "always", "never" or absent`)
	}
	if o.SubjectType != "" && o.SubjectType != "public" && o.SubjectType != "pairwise" {
		return fault.Field("subject_type", `must be "public" or "pairwise"`)
	}
	if o.SubjectType == "pairwise" && o.SectorURI == "" && hosts(o.RedirectURIs) > 1 {
		return fault.Field("sector_identifier_uri", "is needed for pairwise subjects: the redirect URIs have several hosts")
	}
	if o.DefaultMaxAge != nil && *o.DefaultMaxAge < 0 {
		return fault.Field("default_max_age", "must not be negative")
	}
	for _, scope := range o.RequiredScopes {
		if len(o.Scopes) > 0 && !slices.Contains(o.Scopes, scope) {
			return fault.Field("required_scopes", "%.64q is not among the scopes", scope)
		}
	}
	return o.checkAddresses()
}

func (o *OAuth) checkRedirects() error {
	if len(o.RedirectURIs) > MaxRedirects {
		return fault.Field("redirect_uris", "must be at most %d", MaxRedirects)
	}
	for i, uri := range o.RedirectURIs {
		if err := CheckRedirect(uri); err != nil {
			return fault.Field(fmt.Sprintf("redirect_uris[%d]", i), "%s", said(err))
		}
	}
	if slices.Contains(o.GrantTypes, AuthorizationCode) && len(o.RedirectURIs) == 0 {
		return fault.Field("redirect_uris", "are needed for the grant type authorization_code")
	}
	if slices.Contains(o.GrantTypes, RefreshToken) && !slices.Contains(o.GrantTypes, AuthorizationCode) && !slices.Contains(o.GrantTypes, DeviceCode) {
		return fault.Field("grant_types", "refresh_token goes with authorization_code or with the device grant")
	}
	for i, uri := range o.PostLogoutURIs {
		if err := CheckRedirect(uri); err != nil {
			return fault.Field(fmt.Sprintf("post_logout_redirect_uris[%d]", i), "%s", said(err))
		}
	}
	return nil
}

// checkProof checks how the app proves that it is itself.
func (o *OAuth) checkProof() error {
	if o.AuthMethod != "" && !slices.Contains(AuthMethods(), o.AuthMethod) {
		return fault.Field("token_endpoint_auth_method", "must be one of %v", AuthMethods())
	}
	if len(o.JWKS) > 0 && o.JWKSURI != "" {
		return fault.Field("jwks", "register keys or their address, not both")
	}
	if o.AuthMethod == AuthPrivateKeyJWT && len(o.JWKS) == 0 && o.JWKSURI == "" {
		return fault.Field("jwks", "or jwks_uri is needed for private_key_jwt")
	}
	if o.AuthMethod == AuthNone && slices.Contains(o.GrantTypes, ClientCredentials) {
		return fault.Field("grant_types", "client_credentials is for apps that prove who they are")
	}
	return nil
}

func (o *OAuth) checkAlgorithms() error {
	for name, alg := range map[string]string{
		"id_token_signed_response_alg": o.IDTokenAlg, "userinfo_signed_response_alg": o.UserinfoAlg, "introspection_signed_response_alg": o.IntrospectAlg,
	} {
		if alg != "" && !slices.Contains(signatures(), alg) {
			return fault.Field(name, "must be one of %v", signatures())
		}
	}
	for name, alg := range map[string]string{"token_endpoint_auth_signing_alg": o.AuthAlg, "request_object_signing_alg": o.RequestAlg} {
		if alg != "" && !slices.Contains(clientSignatures(), alg) {
			return fault.Field(name, "must be one of %v", clientSignatures())
		}
	}
	return nil
}

// checkAddresses checks what is shown as a link or called by browsers. javascript: and its like would run on our pages
// (SECURITY-CASES 32, 34).
func (o *OAuth) checkAddresses() error {
	for name, address := range map[string]string{
		"logo_uri": o.LogoURI, "policy_uri": o.PolicyURI, "tos_uri": o.TermsURI, "initiate_login_uri": o.InitiateURI, "jwks_uri": o.JWKSURI,
		"sector_identifier_uri": o.SectorURI, "backchannel_logout_uri": o.BackchannelURI, "frontchannel_logout_uri": o.FrontURI,
	} {
		if address == "" {
			continue
		}
		if err := CheckWebAddress(address); err != nil {
			return fault.Field(name, "%s", said(err))
		}
	}
	if len(o.RequestURIs) > MaxRedirects {
		return fault.Field("request_uris", "must be at most %d", MaxRedirects)
	}
	for i, address := range o.RequestURIs {
		if err := CheckWebAddress(address); err != nil {
			return fault.Field(fmt.Sprintf("request_uris[%d]", i), "%s", said(err))
		}
	}
	return nil
}

// said is the sentence of a fault.
func said(err error) string {
	if f, ok := err.(*fault.Error); ok { //nolint:errorlint // made a line above, by this package
		return f.Detail
	}
	return err.Error()
}

func hosts(addresses []string) int {
	seen := map[string]bool{}
	for _, address := range addresses {
		if u, err := url.Parse(address); err == nil {
			seen[u.Host] = true
		}
	}
	return len(seen)
}
