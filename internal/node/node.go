// Package node is the noun Node: one running server. A node tells the database that it is alive with every look at the
// head of the changes, so that whoever waits for a change knows whom to wait for. The package also keeps the answers that
// nodes stored for repeated requests.
package node

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard/internal/id"
)

// State is what the database knows of a node.
type State struct {
	ID        id.Node
	Name      string // host name, for people
	StartedAt time.Time
	SeenAt    time.Time // database time of its latest look
	Applied   id.Revision
}

// Answer is what was answered to a request that carried an Idempotency-Key.
type Answer struct {
	Key    string // digest of asker, route and Idempotency-Key
	Body   [32]byte
	Status int
	Reply  []byte // sealed: it may hold a secret
	Target string // id of what was made
	At     time.Time
}

// AnswerLife is how long it is remembered that a request was answered, after its reply was forgotten.
const AnswerLife = 7 * 24 * time.Hour

// Store keeps nodes and their stored answers.
type Store interface {
	// Nodes lists the nodes seen within the given time, with the database's time now.
	Nodes(ctx context.Context, within time.Duration) ([]State, time.Time, error)
	// ForgetNodes removes nodes unseen for that long.
	ForgetNodes(ctx context.Context, unseen time.Duration) error
	// ClaimAnswer makes an empty answer for a request and returns nil, or returns the answer that stands there already.
	// Of parallel claims one wins.
	ClaimAnswer(ctx context.Context, a Answer) (*Answer, error)
	// StoreAnswer fills in a claimed answer. DropAnswer takes a claim back, when the request failed.
	StoreAnswer(ctx context.Context, a Answer) error
	DropAnswer(ctx context.Context, key string) error
	// ForgetReplies empties the replies of answers from before then, since their secret is not kept longer than promised,
	// and forgets answers older by AnswerLife altogether.
	ForgetReplies(ctx context.Context, before time.Time) error
}
