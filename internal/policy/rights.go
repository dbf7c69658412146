package policy

import "strings"

// ManagementPrefix begins the names of the scopes of Lanyard's own API.
const ManagementPrefix = "lanyard."

// Rights are what the owner of a credential may do now. Scopes beyond them give nothing, whatever the credential says, so
// whoever loses a role narrows every live token (DESIGN section 3). The zero value is an app of an ordinary team.
type Rights struct {
	Server     bool // scopes of server reach count: the team `system`, or an admin
	Person     bool // a user stands behind the credential: scopes count as far as the user could grant them
	Admin      bool // the user is an admin
	Owner      bool // the user owns the team concerned
	Registered bool // the app registered itself: the scopes of Lanyard's own API give nothing
}

// forbid reports whether a scope gives nothing to an owner with these rights.
func (r Rights) forbid(s *Scope) bool {
	switch {
	case s.ServerReach && !r.Server:
		return true
	case r.Registered && strings.HasPrefix(s.Name, ManagementPrefix):
		return true
	case !r.Person || r.Admin:
		return false
	}
	switch s.GrantableBy {
	case "", GrantableByEveryone: // CONTRACT: everyone unless said otherwise
		return false
	case GrantableByTeamOwner:
		return !r.Owner
	case GrantableByAdmin:
	}
	return true // also for a word nobody declared
}
