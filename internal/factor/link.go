package factor

import (
	"context"
	"encoding/json"
	"time"

	"github.com/lanyard-auth/lanyard/internal/id"
)

// Lifetimes of links (DESIGN section 8).
const (
	LinkLife   = 15 * time.Minute
	SetupLife  = 30 * time.Minute
	InviteLife = 7 * 24 * time.Hour
)

// Purpose is what a link does when its button is pressed.
type Purpose string

// The purposes.
const (
	SignUp Purpose = "signup" // makes the account that waits in Data
	Invite Purpose = "invite" // opens the sign-up form for one address
	Reset  Purpose = "reset"  // sets a new password
	Login  Purpose = "login"  // signs in
	Setup  Purpose = "setup"  // makes the first admin
)

// Link is a one-time link in a mail, or the setup link on the console. Its secret is a ticket; here is its digest alone.
// Opening it shows a button, pressing the button consumes it: mail programs open links by themselves.
type Link struct {
	ID         id.Link
	Digest     []byte
	Pepper     int
	Purpose    Purpose
	User       id.User // "": nobody yet
	Email      string
	Data       json.RawMessage
	Browser    []byte // of the browser that asked for it; nil: any may use it
	CreatedAt  time.Time
	ExpiresAt  time.Time
	ConsumedAt time.Time
}

// Letter is a sealed message that is to be delivered, written in the step of what it tells.
type Letter struct {
	ID     id.Message
	Kind   string // mail
	Sealed []byte
}

// LinkStore keeps links. They are consumed by the steps of what they are for (Store.SetPassword, manage.Accounts).
type LinkStore interface {
	// CreateLink keeps a link and the letter that carries it (nil: it is shown on a console). Older links of the same user,
	// address and purpose stop working.
	CreateLink(ctx context.Context, l *Link, letter *Letter) error
	// Link reads a link whatever became of it; fault.NotFound if there is none.
	Link(ctx context.Context, link id.Link) (*Link, error)
	// TrimLinks forgets links and invitations that ended a week ago.
	TrimLinks(ctx context.Context, now time.Time) error
	// Post keeps a letter for delivery.
	Post(ctx context.Context, letter Letter, now time.Time) error
}
