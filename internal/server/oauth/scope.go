package oauth

import (
	"slices"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// The scopes of OpenID Connect (Core section 5.4, section 11). address and phone are known and give nothing: nothing of the
// kind is kept here.
const (
	scopeOpenID  = "openid"
	scopeProfile = "profile"
	scopeEmail   = "email"
	scopeOffline = "offline_access"
)

func openIDScopes() []string {
	return []string{scopeOpenID, scopeProfile, scopeEmail, scopeOffline, "address", "phone"}
}

func isOpenID(scope string) bool { return slices.Contains(openIDScopes(), scope) }

// target is what a request asks for after its checks: scopes of one API at most, and OpenID Connect's.
type target struct {
	scopes   []string
	api      *catalog.Compiled // nil: OpenID scopes alone
	audience string
}

func (t *target) apiName() string {
	if t.api == nil {
		return ""
	}
	return t.api.Policy.Name
}

// resolve finds the one API that scopes and resources mean (DESIGN section 8: one audience per access token), and checks
// that the app may ask for them. within is what the app may ask for at most; nil is what it registered.
func (s *Server) resolve(view *verify.CatalogView, a *app.App, asked, resources []string) (target, error) {
	t := target{audience: s.Issuer}
	if len(resources) > 1 {
		return t, fail(invalidTarget, "name one resource: a token is for one API")
	}
	var apiScopes []string
	for _, scope := range asked {
		if isOpenID(scope) {
			if err := mayAskOpenID(a, scope); err != nil {
				return t, err
			}
			continue
		}
		owner := view.ByScope(scope)
		switch {
		case owner == nil:
			return t, fail(invalidScope, "there is no scope %s", short(scope))
		case t.api != nil && t.api != owner && len(resources) == 0:
			return t, fail(invalidTarget, "scopes of %s and %s need a token each: ask for one API at a time, or name the resource", t.api.Policy.Name, owner.Policy.Name)
		case t.api == nil || len(resources) > 0:
			t.api = owner
		}
		apiScopes = append(apiScopes, scope)
	}
	if len(resources) == 1 {
		named := view.ByIdentifier(resources[0])
		if named == nil {
			return t, fail(invalidTarget, "there is no API with the identifier %s", short(resources[0]))
		}
		for _, scope := range apiScopes {
			if view.ByScope(scope) != named {
				return t, fail(invalidScope, "the scope %s is not one of the API that resource names", scope)
			}
		}
		t.api = named
	}
	if len(apiScopes) == 0 && (t.api != nil || len(asked) == 0) {
		var err error
		if apiScopes, err = s.defaults(view, a, &t); err != nil {
			return t, err
		}
	}
	for _, scope := range apiScopes {
		if err := mayAsk(a, scope, view); err != nil {
			return t, err
		}
	}
	t.scopes = asked
	for _, scope := range apiScopes {
		if !slices.Contains(t.scopes, scope) {
			t.scopes = append(slices.Clone(t.scopes), scope)
		}
	}
	if t.api != nil {
		t.audience = t.api.Policy.Identifier
	}
	return t, nil
}

// defaults are the scopes of a request that names none: those of the resource, else of the app's only API.
func (s *Server) defaults(view *verify.CatalogView, a *app.App, t *target) ([]string, error) {
	if t.api == nil {
		var candidates []*catalog.Compiled
		for _, scope := range a.OAuth.Scopes {
			if api := view.ByScope(scope); api != nil && !slices.Contains(candidates, api) {
				candidates = append(candidates, api)
			}
		}
		if len(a.OAuth.Scopes) == 0 {
			for _, api := range view.All() {
				if api.Policy.Takes != "key" && api.Policy.Name != catalog.ManagementName && len(defaultScopes(api, a)) > 0 {
					candidates = append(candidates, api)
				}
			}
		}
		if len(candidates) != 1 {
			return nil, fail(invalidScope, "say which scopes, or which resource: without either there is no telling which API is meant")
		}
		t.api = candidates[0]
	}
	scopes := defaultScopes(t.api, a)
	if len(scopes) == 0 {
		return nil, fail(invalidScope, "the API %s has no default scopes: name the ones you need", t.api.Policy.Name)
	}
	return scopes, nil
}

// defaultScopes are those of the API's default scopes that the app may ask for.
func defaultScopes(api *catalog.Compiled, a *app.App) []string {
	var scopes []string
	for _, s := range api.Policy.Scopes.All() {
		if s.Default && (len(a.OAuth.Scopes) == 0 || slices.Contains(a.OAuth.Scopes, s.Name)) {
			scopes = append(scopes, s.Name)
		}
	}
	return scopes
}

// mayAskOpenID says why an app may not ask for one of OpenID Connect's scopes, or nil. Who registers itself means every scope
// that it lists (RFC 7591 section 2, SECURITY-CASES 60); an app that was made here, and lists scopes of APIs alone, was given
// those as the limit among APIs.
func mayAskOpenID(a *app.App, scope string) error {
	listed := a.OAuth.Scopes
	if len(listed) == 0 || slices.Contains(listed, scope) || a.Origin == app.MadeHere && !slices.ContainsFunc(listed, isOpenID) {
		return nil
	}
	return fail(invalidScope, "this client did not register the scope %s", scope)
}

// mayAsk says why an app may not ask for a scope of an API, or nil. What an app registered is the most it gets; an app
// that registered none may ask users for what everyone may grant (SECURITY-CASES 60).
func mayAsk(a *app.App, scope string, view *verify.CatalogView) error {
	if view.ByScope(scope).Policy.Name == catalog.ManagementName && a.Origin != app.MadeHere {
		return fail(invalidScope, "the scope %s is not for apps that registered themselves", scope)
	}
	if len(a.OAuth.Scopes) > 0 {
		if !slices.Contains(a.OAuth.Scopes, scope) {
			return fail(invalidScope, "this client did not register the scope %s", scope)
		}
		return nil
	}
	if s := view.ByScope(scope).Policy.Scopes.Get(scope); s.GrantableBy != "" && s.GrantableBy != "everyone" {
		return fail(invalidScope, "this client did not register the scope %s, which only some may grant", scope)
	}
	return nil
}
