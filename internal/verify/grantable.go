package verify

import (
	"context"
	"slices"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

// Grantable returns those of the scopes that a user may grant to an app now, in the order given: the same rule by which a
// decision narrows what was granted (DESIGN section 3), so nobody is shown a box that would give nothing. Scopes that no
// API declares, such as OpenID Connect's, are left in.
func (v *Verifier) Grantable(ctx context.Context, userID id.User, a *app.App, scopes []string) ([]string, error) {
	view, err := v.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	standing, err := v.Standing(ctx, userID)
	if err != nil {
		return nil, err
	}
	rights := policy.Rights{Person: true, Admin: standing.Admin, Server: standing.Admin, Registered: a.Origin != app.MadeHere}
	var out []string
	for _, scope := range scopes {
		api := view.ByScope(scope)
		if api != nil {
			rights.Owner = slices.Contains(standing.Owns, a.Team) || api.Policy == view.Management() && len(standing.Owns) > 0
			if !api.Policy.Scopes.CoversFor([]string{scope}, scope, rights) {
				continue
			}
		}
		out = append(out, scope)
	}
	return out, nil
}
