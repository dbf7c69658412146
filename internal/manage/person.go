package manage

import (
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// Person is somebody who is signed in as who acts: what they may do by themselves, without having been given any credential.
// An admin reaches the whole server.
func Person(u *user.User) audit.Actor {
	if u.Admin {
		return audit.Actor{Label: string(u.ID), User: u.ID, Reach: audit.ServerReach(), Scopes: []string{adminScope}}
	}
	return audit.Actor{
		Label: string(u.ID), User: u.ID, Reach: audit.UserReach(u.ID),
		Scopes: []string{appsWrite, keysWrite, usageRead, billingWrite, usersWrite, grantsWrite, leaksRead},
	}
}

// Self is Person for acts on one's own things: an admin too touches nobody else's by it.
func Self(u *user.User) audit.Actor {
	actor := Person(u)
	actor.Reach = audit.UserReach(u.ID)
	return actor
}
