package key

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Lifetimes of personal tokens (DESIGN section 8).
const (
	PersonalLife    = 30 * 24 * time.Hour
	MaxPersonalLife = 365 * 24 * time.Hour
)

// Personal is a personal token: a user's own static credential, narrowed and always dated. It can do at most what its user
// can do at the moment of each call.
type Personal struct {
	ID           id.Key
	User         id.User
	Name         string
	Mode         secret.Mode
	Prefix       string
	Scopes       []string
	Restrictions policy.Restrictions
	Digest       []byte // HMAC-SHA-256(pepper, whole credential)
	Pepper       int
	Epoch        int // the user's when it was made
	CreatedAt    time.Time
	ExpiresAt    time.Time
	RevokedAt    time.Time // zero: not revoked
	RevokeReason string
	LastUsed     LastUsed
}

// StatusAt says whether the token may work at all: policy.Valid or the reason it may not.
func (p *Personal) StatusAt(now time.Time) policy.Code {
	switch {
	case !p.RevokedAt.IsZero():
		return policy.Revoked
	case !now.Before(p.ExpiresAt):
		return policy.Expired
	}
	return policy.Valid
}

// Validate reports the first field that cannot be.
func (p *Personal) Validate() error {
	if err := fault.CheckName("name", p.Name, 100); err != nil {
		return err
	}
	if p.Mode != secret.Live && p.Mode != secret.Test {
		return fault.Field("mode", `must be "live" or "test"`)
	}
	if !p.ExpiresAt.After(p.CreatedAt) {
		return fault.Field("expires_at", "must be in the future")
	}
	if p.ExpiresAt.Sub(p.CreatedAt) > MaxPersonalLife {
		return fault.Field("expires_at", "must be within %d days", int(MaxPersonalLife/(24*time.Hour)))
	}
	return nil
}

// PersonalStore keeps personal tokens. They are their user's own; user "" means any user's.
type PersonalStore interface {
	CreatePersonal(ctx context.Context, p *Personal, ev audit.Event) (id.Revision, error)
	// PersonalForDecision reads a token whatever became of it.
	PersonalForDecision(ctx context.Context, token id.Key) (*Personal, error)
	Personal(ctx context.Context, user id.User, token id.Key) (*Personal, error)
	Personals(ctx context.Context, filter PersonalFilter) ([]*Personal, error)
	// RevokePersonal ends a token for good. Revoking again changes nothing and is no error.
	RevokePersonal(ctx context.Context, user id.User, token id.Key, reason string, ev audit.Event) (*Personal, id.Revision, error)
	// UpgradePersonal replaces a digest made under an old pepper. Housekeeping.
	UpgradePersonal(ctx context.Context, token id.Key, old []byte, pepper int, digest []byte) error
	// ExpiringPersonal lists the tokens that end within so many days and whose user was not told yet, the next to end first.
	// Tokens that do not work any more, and those of disabled users, are left out.
	ExpiringPersonal(ctx context.Context, of Expiring) ([]*Personal, error)
}

// Expiring says which tokens are about to end.
type Expiring struct {
	Now     time.Time
	Days    int
	After   time.Time // continues after a token that ends then
	AfterID id.Key
	Limit   int
}

// PersonalFilter narrows a list of personal tokens.
type PersonalFilter struct {
	User     id.User
	Before   time.Time
	BeforeID string
	Limit    int
}
