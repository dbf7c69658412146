// Package factor holds how somebody proves who they are: passwords, links in mails and the codes that people type. It says
// what is good enough, hashes and compares; when a proof is asked for is package signin's to say, what a proof opens is a
// session's.
package factor

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// MaxPassword is the length of the longest password, in bytes. All of them count: none are cut off (SECURITY-CASES 86).
const MaxPassword = 1024

// Password is what is kept of a user's password. A user has one at most.
type Password struct {
	User      id.User
	Hash      string // the PHC text that Hasher makes
	Pepper    int    // version of the pepper under it
	ChangedAt time.Time
}

// NewPassword is a password that somebody chose, with what goes with it.
type NewPassword struct {
	Password
	Event  audit.Event
	Link   id.Link     // by which it is set; "": none. Whoever opened it showed that the user's address is theirs
	Keep   id.Session  // the one of the user's sessions that goes on; "": none
	Ended  audit.Event // of the sessions that end, if any do
	Letter *Letter     // that tells the user; nil: none
}

// Store keeps passwords.
type Store interface {
	// SetPassword consumes the link, ends the user's sessions but one, puts a password in the place of the one before and posts
	// the letter: all of it or nothing, so that whoever knew the old password is out, and whoever has the link can try again.
	// fault.NotFound: the link does not work any more. fault.Unauthenticated: the account is not in use.
	SetPassword(ctx context.Context, p NewPassword) (id.Revision, error)
	// Password reads a user's password; fault.NotFound if they have none.
	Password(ctx context.Context, user id.User) (Password, error)
	// UpgradePassword puts another hash of the same password in the place of oldHash. If that is no longer what is stored,
	// nothing happens: the password was changed meanwhile. Housekeeping, so without an audit event.
	UpgradePassword(ctx context.Context, p Password, oldHash string) error
}

// checkLength refuses what cannot be a password before any work is done on it.
func checkLength(password string) error {
	switch {
	case password == "":
		return fault.Field("password", "must not be empty")
	case len(password) > MaxPassword:
		return fault.Field("password", "is too long: at most %d bytes", MaxPassword)
	}
	return nil
}
