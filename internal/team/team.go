// Package team is the noun Team: who owns apps and is billed, a person's own or a company with members.
package team

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
)

// SystemName is the built-in team under which the server's own management keys live. Only its apps' credentials can hold
// scopes of server reach.
const SystemName = "system"

// Team owns apps.
type Team struct {
	ID          id.Team
	Name        string
	System      bool // the built-in team; there is one
	CreatedAt   time.Time
	SuspendedAt time.Time         // zero: active
	Limits      []ratelimit.Limit // of all its apps together

	NoDigest bool // its people want no mail about its keys

	StripeCustomer string // cus_…: which Stripe customer it is; "": none
}

// Member is a user in a team.
type Member struct {
	User id.User
	Role audit.Role
}

// Colleague is a member as the others see them.
type Colleague struct {
	Member
	Name     string
	Email    string
	Disabled bool // their account is
}

// Membership is a team as one of its members sees it.
type Membership struct {
	Team Team
	Role audit.Role
}

// Store keeps teams and who is in them.
type Store interface {
	// CreateTeam makes a team; owner may be "".
	CreateTeam(ctx context.Context, t *Team, owner id.User, ev audit.Event) (id.Revision, error)
	Team(ctx context.Context, reach audit.Reach, team id.Team) (*Team, error)
	Teams(ctx context.Context, reach audit.Reach, filter Filter) ([]*Team, error)
	UpdateTeam(ctx context.Context, reach audit.Reach, team id.Team, ev audit.Event, change func(*Team) error) (*Team, id.Revision, error)
	Members(ctx context.Context, reach audit.Reach, team id.Team) ([]Member, error)
	// Colleagues lists members with their names, at most limit.
	Colleagues(ctx context.Context, reach audit.Reach, team id.Team, limit int) ([]Colleague, error)
	// SetMember adds a member or changes their role. Taking the last owner's role away is a conflict. Invitations by somebody who
	// is no owner after it are revoked.
	SetMember(ctx context.Context, reach audit.Reach, team id.Team, m Member, ev audit.Event) (id.Revision, error)
	// RemoveMember takes a user out, and back the invitations they sent. The last owner stays.
	RemoveMember(ctx context.Context, reach audit.Reach, team id.Team, user id.User, ev audit.Event) (id.Revision, error)
	// Memberships lists the teams a user is in, by name, at most limit.
	Memberships(ctx context.Context, user id.User, limit int) ([]Membership, error)
	// SystemTeam returns the built-in team with its built-in app, making both at the first call on a database.
	SystemTeam(ctx context.Context, at time.Time) (id.Team, id.App, error)
}

// Filter narrows a list of teams. Before continues after that creation time and id.
type Filter struct {
	IDs      []id.Team // empty: any; else the answer is in no order, and the only page
	Name     string
	Before   time.Time
	BeforeID string
	Limit    int
}

// ErrLastOwner is returned for an act that would leave a team without an owner.
func ErrLastOwner() error {
	return fault.New(fault.Conflict, "a team needs an owner: make somebody else one first")
}
