package lanyard

import "context"

// Identity is who calls, as the decision found. What it points to may be shared with other requests: do not change it.
type Identity struct {
	App        DecisionApp
	Team       string   // its id; "" when the credential has none
	User       string   // the id of the user a token acts for; "" with an API key alone
	Scopes     []string // what the credential may do here
	Credential string   // its public id
	Mode       string   // live or test
	Decision   Decision // all of it: what is left of limits and quota, warnings, the grant
}

type identityKey struct{}

// IdentityFrom returns who calls, from the context of a request that Require let through.
func IdentityFrom(ctx context.Context) (Identity, bool) {
	who, ok := ctx.Value(identityKey{}).(*Identity)
	if !ok {
		return Identity{}, false
	}
	return *who, true
}

func identityOf(d Decision) *Identity {
	who := &Identity{Scopes: d.Scopes, Decision: d}
	if d.App != nil {
		who.App = *d.App
	}
	if d.Team != nil {
		who.Team = d.Team.ID
	}
	if d.User != nil {
		who.User = d.User.ID
	}
	if d.Credential != nil {
		who.Credential, who.Mode = d.Credential.ID, d.Credential.Mode
	}
	return who
}
