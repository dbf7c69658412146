// Package audit says who acts, whose things they may touch, and what is written down about it.
//
// Every change by a person or a management call carries an Event into the store, which writes it in the same transaction:
// there is no change without its line, and no line without its change. Housekeeping writes none.
package audit

import (
	"time"

	"github.com/lanyard-auth/lanyard/internal/id"
)

// Reach is whose things a call may touch: the whole server, one team's, or those of the teams a user belongs to. It is
// derived from who asks, never from a parameter. The zero value reaches nothing.
type Reach struct {
	server bool
	team   id.Team
	user   id.User
	role   Role
}

// ServerReach touches everything. Only admins and the server itself have it.
func ServerReach() Reach { return Reach{server: true} }

// TeamReach touches what one team owns.
func TeamReach(team id.Team) Reach { return Reach{team: team} }

// UserReach touches what the user's teams own, as far as the user's role in each goes (As).
func UserReach(user id.User) Reach { return Reach{user: user, role: RoleAny} }

// As narrows a user's reach to the teams where they have the role (or own the team). Other reaches are not changed.
func (r Reach) As(role Role) Reach {
	if r.user != "" {
		r.role = role
	}
	return r
}

// Server reports whether the reach is the whole server.
func (r Reach) Server() bool { return r.server }

// Team is the one team reached, or "".
func (r Reach) Team() id.Team { return r.team }

// User is the user whose teams are reached, or "".
func (r Reach) User() id.User { return r.user }

// Role is what a user must be in a team for it to be reached; meaningless for other reaches.
func (r Reach) Role() Role { return r.role }

// Role is what a member is in a team, or what an act wants of them.
type Role string

// The roles. An owner can do what the others can; RoleAny is wanted by acts open to every member.
const (
	RoleOwner     Role = "owner"
	RoleDeveloper Role = "developer"
	RoleBilling   Role = "billing"
	RoleAny       Role = "any"
)

// Valid reports whether r is a role a member can have.
func (r Role) Valid() bool { return r == RoleOwner || r == RoleDeveloper || r == RoleBilling }

// Actor is who acts: a credential, a user or a command run on the database. Rights are Scopes within Reach.
type Actor struct {
	Label  string // what the audit log shows: key_…, user_…, or "command apply"
	Key    id.Key
	App    id.App
	User   id.User
	Team   id.Team // where things are made when a request names no team; "" for none
	Reach  Reach
	Scopes []string // effective management scopes, as granted; package manage knows what each includes
	APIs   []string // narrows lanyard.verify; empty: every API
}

// Command is the actor of an administrative command that works on the database directly. It may do everything.
func Command(name string) Actor {
	return Actor{Label: "command " + name, Reach: ServerReach(), Scopes: []string{"lanyard.admin"}}
}

// Event is one line of the audit log. Details hold names and figures, never secrets.
type Event struct {
	ID      id.Event
	At      time.Time
	Actor   string
	Action  string // "key.revoke"
	Target  string // the id or name acted upon
	Team    id.Team
	Details map[string]string
}

// New makes an event for an act of the actor. The store fills in what only it knows (Team of the thing, when absent).
func (a Actor) New(at time.Time, action, target string, team id.Team, details map[string]string) Event {
	return Event{ID: id.New[id.Event](), At: at, Actor: a.Label, Action: action, Target: target, Team: team, Details: details}
}

// Filter narrows the audit log; what is empty narrows nothing. Before and BeforeID continue after the last line seen.
type Filter struct {
	Action   string
	Target   string
	Actor    string    // as Event has it
	From, To time.Time // From is inclusive, To exclusive
	Oldest   bool      // the oldest first
	Before   time.Time
	BeforeID string
	Limit    int
}
