package factor

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// Invitation asks somebody into a team, by a link that is sent to their address. Like a Link its secret is a ticket, here is its
// digest alone, and pressing the button consumes it; unlike one it can be taken back.
type Invitation struct {
	ID        id.Invitation
	Team      id.Team
	Email     string // as given
	EmailKey  string // as addresses are compared: user.EmailKey
	Role      audit.Role
	Digest    []byte
	Pepper    int
	By        string // who invites: a user, a key or a command, as the audit log names them
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time // zero: nobody took it
	RevokedAt time.Time // zero: it stands
}

// Waits reports whether an invitation can be taken.
func (i *Invitation) Waits(now time.Time) bool {
	return i.UsedAt.IsZero() && i.RevokedAt.IsZero() && now.Before(i.ExpiresAt)
}

// InvitationStore keeps invitations.
type InvitationStore interface {
	// CreateInvitation keeps an invitation into a team within reach, and the letter that carries it (nil: none is sent). It takes
	// the place of one that the same address has into the team and has not used.
	CreateInvitation(ctx context.Context, reach audit.Reach, i *Invitation, letter *Letter, ev audit.Event) error
	// Invitation reads one whatever became of it; fault.NotFound if there is none.
	Invitation(ctx context.Context, invitation id.Invitation) (*Invitation, error)
	// Invitations lists those into a team that were neither used nor revoked, by address, at most limit.
	Invitations(ctx context.Context, reach audit.Reach, team id.Team, limit int) ([]*Invitation, error)
	// RevokeInvitation takes one back; fault.NotFound if it is not the team's, or was used or revoked before.
	RevokeInvitation(ctx context.Context, reach audit.Reach, team id.Team, invitation id.Invitation, ev audit.Event) error
	// TakeInvitation consumes one and makes the user a member, at the time of the event; a role that they have in the team
	// already stays. false: it was used, revoked or has expired, or its team is gone.
	TakeInvitation(ctx context.Context, invitation id.Invitation, user id.User, ev audit.Event) (id.Revision, bool, error)
}
