package manage

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

const (
	maxContacts = 10
	maxContact  = 254
	maxJWKS     = 20_000 // bytes
	maxKeys     = 20
)

// openIDScope reports whether a scope is one of OpenID Connect's (Core sections 5.4 and 11), which every app may ask for.
func openIDScope(scope string) bool {
	return slices.Contains([]string{"openid", "profile", "email", "address", "phone", "offline_access"}, scope)
}

// oauthFrom is what an input declares.
func oauthFrom(in lanyard.OAuthSettings) app.OAuth {
	return app.OAuth{
		RedirectURIs: in.RedirectURIs, GrantTypes: in.GrantTypes, AuthMethod: in.TokenEndpointAuthMethod, Scopes: in.Scopes,
		RequiredScopes: in.RequiredScopes, FirstParty: in.FirstParty, Rotation: in.RefreshRotation, JWKS: keysFrom(in.JWKS), JWKSURI: in.JWKSURI,
		LogoURI: in.LogoURI, PolicyURI: in.PolicyURI, TermsURI: in.TOSURI, Contacts: in.Contacts, SubjectType: in.SubjectType,
		SectorURI: in.SectorIdentifierURI, IDTokenAlg: in.IDTokenSignedResponseAlg, UserinfoAlg: in.UserinfoSignedAlg,
		RequestAlg: in.RequestObjectSigningAlg, RequestURIs: in.RequestURIs, RequirePAR: in.RequirePushedRequests, RequireDPoP: in.DPoPBoundAccessTokens,
		PostLogoutURIs: in.PostLogoutRedirectURIs, BackchannelURI: in.BackchannelLogoutURI, BackchannelSession: in.BackchannelLogoutSessionRequired,
		FrontURI: in.FrontchannelLogoutURI, FrontSession: in.FrontchannelLogoutSessionRequired,
	}
}

// keysFrom is a key set, or nothing for {} and null.
func keysFrom(raw json.RawMessage) json.RawMessage {
	switch strings.TrimSpace(string(raw)) {
	case "", "{}", "null":
		return nil
	}
	return raw
}

func wireOAuth(o *app.OAuth) lanyard.OAuthSettings {
	return lanyard.OAuthSettings{
		RedirectURIs: o.RedirectURIs, GrantTypes: o.GrantTypes, TokenEndpointAuthMethod: o.AuthMethod, Scopes: o.Scopes, RequiredScopes: o.RequiredScopes,
		FirstParty: o.FirstParty, RefreshRotation: o.Rotation, JWKS: o.JWKS, JWKSURI: o.JWKSURI, LogoURI: o.LogoURI, PolicyURI: o.PolicyURI,
		TOSURI: o.TermsURI, Contacts: o.Contacts, SubjectType: o.SubjectType, SectorIdentifierURI: o.SectorURI, IDTokenSignedResponseAlg: o.IDTokenAlg,
		UserinfoSignedAlg: o.UserinfoAlg, RequestObjectSigningAlg: o.RequestAlg, RequestURIs: o.RequestURIs, RequirePushedRequests: o.RequirePAR,
		DPoPBoundAccessTokens: o.RequireDPoP, PostLogoutRedirectURIs: o.PostLogoutURIs, BackchannelLogoutURI: o.BackchannelURI,
		BackchannelLogoutSessionRequired: o.BackchannelSession, FrontchannelLogoutURI: o.FrontURI, FrontchannelLogoutSessionRequired: o.FrontSession,
	}
}

// put sets what a patch names.
func put[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func patchOAuth(o *app.OAuth, patch lanyard.OAuthPatch) {
	put(&o.RedirectURIs, patch.RedirectURIs)
	put(&o.GrantTypes, patch.GrantTypes)
	put(&o.AuthMethod, patch.TokenEndpointAuthMethod)
	put(&o.Scopes, patch.Scopes)
	put(&o.RequiredScopes, patch.RequiredScopes)
	put(&o.FirstParty, patch.FirstParty)
	put(&o.Rotation, patch.RefreshRotation)
	if patch.JWKS != nil {
		o.JWKS = keysFrom(*patch.JWKS)
	}
	put(&o.JWKSURI, patch.JWKSURI)
	put(&o.LogoURI, patch.LogoURI)
	put(&o.PolicyURI, patch.PolicyURI)
	put(&o.TermsURI, patch.TOSURI)
	put(&o.Contacts, patch.Contacts)
	put(&o.SubjectType, patch.SubjectType)
	put(&o.SectorURI, patch.SectorIdentifierURI)
	put(&o.IDTokenAlg, patch.IDTokenSignedResponseAlg)
	put(&o.UserinfoAlg, patch.UserinfoSignedAlg)
	put(&o.RequestAlg, patch.RequestObjectSigningAlg)
	put(&o.RequestURIs, patch.RequestURIs)
	put(&o.RequirePAR, patch.RequirePushedRequests)
	put(&o.RequireDPoP, patch.DPoPBoundAccessTokens)
	put(&o.PostLogoutURIs, patch.PostLogoutRedirectURIs)
	put(&o.BackchannelURI, patch.BackchannelLogoutURI)
	put(&o.BackchannelSession, patch.BackchannelLogoutSessionRequired)
	put(&o.FrontURI, patch.FrontchannelLogoutURI)
	put(&o.FrontSession, patch.FrontchannelLogoutSessionRequired)
}

// completeOAuth writes the defaults out: an app that can be returned to signs users in, and proves itself as its type can.
func completeOAuth(a *app.App) {
	o := &a.OAuth
	if len(o.RedirectURIs) > 0 && len(o.GrantTypes) == 0 {
		o.GrantTypes = []string{app.AuthorizationCode, app.RefreshToken}
	}
	if len(o.GrantTypes) > 0 && o.AuthMethod == "" {
		o.AuthMethod = app.AuthBasic
		if a.Type == app.Public {
			o.AuthMethod = app.AuthNone
		}
	}
}

// checkOAuth checks what an app declares, as it is to be. before is what stood there: what did not change is not asked
// again, so that who may change a logo need not be able to grant every scope.
func (g *granting) checkOAuth(a *app.App, before *app.OAuth) error {
	o := &a.OAuth
	if reflect.DeepEqual(o, before) {
		return nil
	}
	if a.Origin == app.ByAddress {
		return fault.New(fault.Conflict, "app %s says by its metadata document what it is, at %s: change it there", a.ID, a.ClientURL)
	}
	if o.FirstParty || before.FirstParty {
		// For these nobody is asked, so where they send users and who they are is the provider's to say.
		if err := g.service.mayOnServer(g.actor, adminScope); err != nil {
			return under("first_party", err)
		}
		if a.Origin != app.MadeHere {
			return fault.Field("first_party", "an app that registered itself is not the provider's own")
		}
	}
	if err := o.Check(); err != nil {
		return err
	}
	if err := checkAuthMethod(a); err != nil {
		return err
	}
	if err := g.checkAppScopes(o, before); err != nil {
		return err
	}
	if err := checkContacts(o.Contacts); err != nil {
		return err
	}
	if string(o.JWKS) != string(before.JWKS) {
		if err := checkJWKS(o.JWKS); err != nil {
			return err
		}
	}
	return g.service.checkFetched(o, before)
}

// checkAuthMethod holds type and proof together (RFC 6749 section 2.1): a public app keeps no secret, and one that proves
// nothing is public.
func checkAuthMethod(a *app.App) error {
	switch method := a.OAuth.AuthMethod; {
	case method != "" && method != app.AuthNone && a.Type == app.Public:
		return fault.Field("token_endpoint_auth_method", `must be "none": a public app keeps no secret`)
	case method == app.AuthNone && a.Type != app.Public:
		return fault.Field("token_endpoint_auth_method", `"none" is for apps of type "public"`)
	}
	return nil
}

// checkAppScopes: what an app may ask for has to be grantable to it, like the scopes of its keys.
func (g *granting) checkAppScopes(o, before *app.OAuth) error {
	already := slices.Concat(before.Scopes, before.RequiredScopes)
	for _, scope := range slices.Concat(o.Scopes, o.RequiredScopes) {
		if openIDScope(scope) {
			already = append(already, scope)
		}
	}
	if err := g.prohibitsAll("scopes", o.Scopes, already, nil); err != nil {
		return err
	}
	if err := g.prohibitsAll("required_scopes", o.RequiredScopes, slices.Concat(already, o.Scopes), nil); err != nil {
		return err
	}
	o.Scopes, o.RequiredScopes = distinct(o.Scopes), distinct(o.RequiredScopes)
	return nil
}

func checkContacts(contacts []string) error {
	if err := checkCount("contacts", len(contacts), maxContacts); err != nil {
		return err
	}
	for i, contact := range contacts {
		if err := fault.CheckName(fmt.Sprintf("contacts[%d]", i), contact, maxContact); err != nil {
			return err
		}
	}
	return nil
}

// checkJWKS wants a set of public keys for signatures (RFC 7517). A private key that somebody sent by mistake is refused
// with that word, and repeated nowhere.
func checkJWKS(raw json.RawMessage) error {
	if len(raw) == 0 {
		return nil
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(raw, &set); err != nil || len(raw) > maxJWKS || len(set.Keys) == 0 || len(set.Keys) > maxKeys {
		return fault.Field("jwks", `must be a JWK Set, {"keys": [...]}, of 1 to %d public keys`, maxKeys)
	}
	for i := range set.Keys {
		switch key := &set.Keys[i]; {
		case !key.IsPublic():
			return fault.Field("jwks", "key %d is private or symmetric: it is no secret any more; make a new pair and register its public half", i+1)
		case !key.Valid():
			return fault.Field("jwks", "key %d is no valid RSA, EC or Ed25519 key", i+1)
		}
	}
	return nil
}

// checkFetched checks the addresses that this server would fetch or call (SECURITY-CASES 148): those that are new.
func (s *Service) checkFetched(o, before *app.OAuth) error {
	if s.CheckFetch == nil {
		return nil
	}
	type place struct{ field, address string }
	places := []place{
		{"jwks_uri", o.JWKSURI}, {"sector_identifier_uri", o.SectorURI}, {"logo_uri", o.LogoURI}, {"backchannel_logout_uri", o.BackchannelURI},
	}
	for i, address := range o.RequestURIs {
		places = append(places, place{fmt.Sprintf("request_uris[%d]", i), address})
	}
	known := append([]string{"", before.JWKSURI, before.SectorURI, before.LogoURI, before.BackchannelURI}, before.RequestURIs...)
	for _, p := range places {
		if slices.Contains(known, p.address) {
			continue
		}
		if err := s.CheckFetch(p.address); err != nil {
			return under(p.field, err)
		}
	}
	return nil
}

// oauthDetails are the settings that differ, in an audit line.
func oauthDetails(d details, o, before *app.OAuth) {
	is, was := flatten(o), flatten(before)
	for name := range was {
		if _, there := is[name]; !there {
			d[name] = "none"
		}
	}
	for name, value := range is {
		if was[name] != value {
			d[name] = value
		}
	}
}

// flatten is the settings by their names on the wire.
func flatten(o *app.OAuth) map[string]string {
	out := map[string]string{}
	text, err := json.Marshal(o)
	if err != nil {
		return out
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return out
	}
	for name, raw := range members {
		value := string(raw)
		var list []string
		switch {
		case name == "jwks":
			sum := sha256.Sum256(raw)
			value = "sha256:" + hex.EncodeToString(sum[:])
		case json.Unmarshal(raw, &list) == nil:
			value = strings.Join(list, " ")
		default:
			value = strings.Trim(value, `"`)
		}
		out[name] = value
	}
	return out
}
