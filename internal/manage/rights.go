package manage

import (
	"strings"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// The management scopes that acts ask for. Write includes read, and lanyard.admin all.
const (
	appsRead     = "lanyard.apps.read"
	appsWrite    = "lanyard.apps.write"
	keysRead     = "lanyard.keys.read"
	keysWrite    = "lanyard.keys.write"
	usageRead    = "lanyard.usage.read"
	usageWrite   = "lanyard.usage.write"
	billingRead  = "lanyard.billing.read"
	billingWrite = "lanyard.billing.write"
	catalogRead  = "lanyard.catalog.read"
	catalogWrite = "lanyard.catalog.write"
	usersRead    = "lanyard.users.read"
	usersWrite   = "lanyard.users.write"
	auditRead    = "lanyard.audit.read"
	changesRead  = "lanyard.changes.read"
	leaksRead    = "lanyard.leaks.read"
	verifyScope  = "lanyard.verify"
	adminScope   = "lanyard.admin"
	grantsRead   = "lanyard.grants.read"
	grantsWrite  = "lanyard.grants.write"
)

// may says within which reach the actor may do what needs a scope, or refuses with fault.InsufficientScope. A user's reach
// is narrowed to the teams where their role allows the act; the store looks the role up as it is then.
func (s *Service) may(actor audit.Actor, need string) (audit.Reach, error) {
	if !s.holds(actor, need) {
		return audit.Reach{}, lacks(need, "which the credential does not hold")
	}
	return actor.Reach.As(roleFor(need)), nil
}

// mayOwn says whose own things (grants, sessions, personal tokens) the actor may touch: anybody's with server reach, which is
// "", or a person's own.
func (s *Service) mayOwn(actor audit.Actor, need string) (id.User, error) {
	switch {
	case !s.Management.Scopes.Covers(actor.Scopes, need, true):
		return "", lacks(need, "which the credential does not hold")
	case actor.Reach.Server():
		return "", nil
	case actor.User == "":
		return "", lacks(need, "held for the whole server or by the person concerned: these things belong to people, not to teams")
	}
	return actor.User, nil
}

// inPerson reports whether a user acts by being logged in, and not through an app or a token that they handed out.
func inPerson(actor audit.Actor) bool { return actor.User != "" && actor.App == "" && actor.Key == "" }

// mayInPerson refuses whoever is not logged in as themself.
func mayInPerson(actor audit.Actor) error {
	if !inPerson(actor) {
		return fault.New(fault.InsufficientScope, "only the person concerned can do this, logged in to this server")
	}
	return nil
}

// mayOnServer is may for acts that concern the whole server: the scope alone, held for one team, is not enough.
func (s *Service) mayOnServer(actor audit.Actor, need string) error {
	reach, err := s.may(actor, need)
	if err == nil && !reach.Server() {
		err = lacks(need, "held for the whole server: by a key of the team system (`lanyard admin key create`) or an admin")
	}
	return err
}

func lacks(need, how string) error {
	return fault.New(fault.InsufficientScope, "this needs the scope %s, %s", need, how)
}

// holds reports whether a scope is among the actor's, itself or by inclusion. Scopes of server reach count only for actors
// with that reach, save that people may look after the teams they own.
func (s *Service) holds(actor audit.Actor, need string) bool {
	ownTeams := actor.Reach.User() != "" && (need == usersRead || need == usersWrite)
	return s.Management.Scopes.Covers(actor.Scopes, need, actor.Reach.Server() || ownTeams)
}

// roleFor is what a user must be in a team to do there what needs the scope.
func roleFor(need string) audit.Role {
	noun, _, _ := strings.Cut(strings.TrimPrefix(need, "lanyard."), ".")
	switch noun {
	case "apps", "keys", "leaks":
		return audit.RoleDeveloper
	case "billing":
		return audit.RoleBilling
	case "usage":
		return audit.RoleAny
	}
	return audit.RoleOwner
}
