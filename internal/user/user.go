// Package user is the noun User: a person, known by a mail address. How they prove who they are belongs elsewhere.
package user

import (
	"context"
	"net/mail"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
)

// User is a person.
type User struct {
	ID         id.User
	Email      string // as given
	EmailKey   string // canonical, unique: EmailKey(Email)
	Name       string
	Admin      bool
	CreatedAt  time.Time
	DisabledAt time.Time         // zero: enabled
	VerifiedAt time.Time         // zero: nobody showed that the address is theirs
	Epoch      int               // raised to end every token and personal token issued before
	Limits     []ratelimit.Limit // of all calls on the user's behalf together
}

// Standing is what a decision needs to know of a user as things are now.
type Standing struct {
	Disabled bool
	Admin    bool
	Epoch    int
	Owns     []id.Team // teams where the user is an owner
	Limits   []ratelimit.Limit
}

// Store keeps users. Reach does not apply: only server reach gets here, which package manage sees to.
type Store interface {
	// CreateUser makes a user; an address that is taken is a conflict.
	CreateUser(ctx context.Context, u *User, ev audit.Event) (id.Revision, error)
	User(ctx context.Context, user id.User) (*User, error)
	Users(ctx context.Context, filter Filter) ([]*User, error)
	// UserForDecision reads how a user stands; fault.NotFound if there is none.
	UserForDecision(ctx context.Context, user id.User) (Standing, error)
	// UserByEmail finds a user by user.EmailKey of an address; fault.NotFound if there is none.
	UserByEmail(ctx context.Context, email string) (*User, error)
	// UpdateUser applies change to the row as it is now. Where it disables the user or raises the epoch, their sessions end and
	// the old epoch is kept among the revocations.
	UpdateUser(ctx context.Context, user id.User, ev audit.Event, change func(*User) error) (*User, id.Revision, error)
}

// EpochSubject names tokens of one epoch of a user, app or grant among the revocations that nodes remember.
func EpochSubject(owner string, epoch int) string { return owner + "^" + strconv.Itoa(epoch) }

// Filter narrows a list of users.
type Filter struct {
	IDs      []id.User // empty: any; else the answer is in no order, and the only page
	Email    string
	Before   time.Time
	BeforeID string
	Limit    int
}

// CheckEmail refuses what is no plain mail address: a display name, comments, an IP host, and whatever is not ASCII. Of two
// addresses that look alike one could be taken for the other, and letters that fold to ASCII would be the same account.
func CheckEmail(email string) error {
	if strings.ContainsFunc(email, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return fault.Field("email", "must be a mail address of plain letters, digits and signs; a domain of another script is written xn--…")
	}
	addr, err := mail.ParseAddress(email)
	at := strings.LastIndexByte(email, '@')
	if err != nil || addr.Address != email || addr.Name != "" || at < 1 || len(email) > 254 || !strings.Contains(email[at:], ".") || strings.ContainsAny(email, "[]\"") {
		return fault.Field("email", "must be a mail address such as ada@example.com")
	}
	return nil
}

// EmailKey is the form addresses are compared in: lower case, so that Bob@x and bob@x are one person
// (SECURITY-CASES 82). Dots and plus signs mean what the mail host says they mean and stay.
func EmailKey(email string) string { return strings.ToLower(strings.TrimSpace(email)) }
