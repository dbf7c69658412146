package grant

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Family is the chain of refresh tokens of one grant on one device. A refresh token is (family, counter, MAC over both and
// Seed): neither the database nor the keys alone make one, and no token is a row.
type Family struct {
	ID         id.Family
	App        id.App
	User       id.User
	Grant      id.Grant
	Session    id.Session
	Mode       secret.Mode
	Issue      Issue
	Seed       []byte // 16 random bytes
	Counter    uint32 // of the token that is good now
	KeyVersion int    // of the key its MAC is made with
	CreatedAt  time.Time
	RotatedAt  time.Time // when Counter was reached
	UsedAt     time.Time // when it was last used; kept by the Store
	IdleAt     time.Time // dead from then on, unless used before
	ExpiresAt  time.Time
	RevokedAt  time.Time // zero: live
}

// Rotation asks for a chain's next token, or with Keep for a sign of life that leaves the token good.
type Rotation struct {
	Family     id.Family
	Counter    uint32 // of the token presented
	KeyVersion int    // to make the next one with
	Keep       bool
	Now        time.Time
}

// FamilyStore keeps chains.
type FamilyStore interface {
	// Family reads a chain whatever became of it; fault.NotFound if there is none.
	Family(ctx context.Context, family id.Family) (*Family, error)
	// RotateRefresh takes the chain one step on by one conditional statement on its counter, while grant, app and user are in
	// force, and returns the row as it is then; fault.NotFound if there is none. Won: this attempt did it. Same: the counter is
	// one ahead and was reached within Grace, and all is still in force. Reused, Ahead: the chain was revoked now, with an entry
	// among the revocations. Dead: it had ended, or what it hangs on is not in force. Housekeeping, save for the revocation.
	RotateRefresh(ctx context.Context, r Rotation) (*Family, Outcome, error)
	// RevokeFamily ends a chain, whether or not it has a row, and keeps it among the revocations. Revoking again is no error, and
	// leaves no second audit line.
	RevokeFamily(ctx context.Context, family id.Family, ev audit.Event) (id.Revision, error)
	// Families lists the live chains of a grant, those used last first.
	Families(ctx context.Context, grant id.Grant, now time.Time) ([]*Family, error)
}
