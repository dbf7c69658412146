// Package outbox is the noun Message: something that has to be told to somebody outside, written in the transaction of
// what it tells and delivered later. What mails say is sealed: the links in them are credentials.
package outbox

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard/internal/id"
)

// Kind says what happened. It is the event type that webhooks carry.
type Kind string

// The kinds.
const (
	KeyRotationDue Kind = "key.rotation_due" // a key's schedule asks for a rotation
	KeyExpiring    Kind = "key.expiring"     // a key ends soon
	KeyStale       Kind = "key.stale"        // a key was not used for long, or never
	QuotaReached   Kind = "quota.reached"    // a part of a quota is used
	SpendReached   Kind = "spend.reached"    // a bill has come to a part of its limit, or to an amount the team wants to know of
)

// Message waits for delivery. Body is a JSON object without secrets.
type Message struct {
	ID        id.Message
	Kind      Kind
	Subject   string // what it is about; Kind and Subject together are unique, so that nothing is told twice
	Team      id.Team
	Body      string
	CreatedAt time.Time
}

// Mail waits to be sent. Only who holds the keyring can read it.
type Mail struct {
	ID        id.Message
	Sealed    []byte // a letter of package notify, bound to ID
	Attempts  int    // how often sending it has failed
	CreatedAt time.Time
}

// Logout waits to be told to an app: a session that signed in to it has ended. It holds no secret, and is told once for each
// session and app.
type Logout struct {
	Session  id.Session // as which the app knows it
	App      id.App
	User     id.User
	Attempts int // how often telling it has failed
}

// Waiting is what may be shown of a message on its way: nothing of what it says.
type Waiting struct {
	ID        string // a mail's own, or of the app that is to be told
	Attempts  int    // how often sending it has failed
	NextAt    time.Time
	LastError string
	CreatedAt time.Time
}

// Store keeps messages. They are written by the steps that cause them.
type Store interface {
	// Outbox lists what waits, oldest first.
	Outbox(ctx context.Context, limit int) ([]Message, error)
	// Unmailed lists messages that mails are still to be written about, oldest first.
	Unmailed(ctx context.Context, limit int) ([]Message, error)
	// Mailed queues the mails about a message, unless another node did. Without any there is nobody to write to.
	Mailed(ctx context.Context, message id.Message, letters []Mail, now time.Time) error
}
