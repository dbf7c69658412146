// Package changes follows the ordered log of whatever can alter a decision, so that every node knows within a second what
// any node did.
//
// Each entry of the log was the last statement of its transaction, so revision order is commit order. A Tail polls the
// head of the log, applies what is new by telling its Listener which entities changed, and only then confirms that
// everything older than the poll's sending is known. A cache may be trusted while that confirmation is young (Fresh); when
// it is not, Sync asks the database anew, and if that fails the node does not decide.
//
// The package owns the tail, the confirmation and the set of revocations in memory. It knows nothing of what is cached.
package changes

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard/internal/id"
)

// Kind says what changed.
type Kind string

// The kinds of entities that decisions are made of.
const (
	Key          Kind = "key"
	App          Kind = "app"
	Team         Kind = "team"
	User         Kind = "user"
	Grant        Kind = "grant"
	API          Kind = "api"
	Subscription Kind = "subscription" // id: team_…/api
	Brand        Kind = "brand"
	Import       Kind = "import"     // credentials made elsewhere were taken over
	Revocation   Kind = "revocation" // id: kind and id of what was revoked; see Revoked
	Keyring      Kind = "keyring"    // keys of our own were made or wrapped anew: nodes read them again
	Restored     Kind = "restored"   // the database was replaced: everything changed
)

// Entry is one line of the log.
type Entry struct {
	Revision id.Revision
	Tag      int64 // random: tells an entry from another that took its number after a restore
	Kind     Kind
	ID       string
	At       time.Time
}

// Revoked is a revocation that nodes keep in memory until its end, whatever becomes of the row it was about.
type Revoked struct {
	Subject string // such as "key_…" or "key_…#2" for one version
	Until   time.Time
}

// RevocationLife is how long a revocation is kept apart from what it revoked: the hard cap on any access token and a
// margin (DESIGN section 5).
const RevocationLife = 24*time.Hour + 5*time.Minute

// Beat is what a node tells with each poll.
type Beat struct {
	Node      id.Node
	Name      string
	StartedAt time.Time
	Applied   id.Revision
	Within    time.Duration // how long a node that is not seen may still decide
}

// Head is the answer to a poll, as of one moment.
type Head struct {
	Revision id.Revision
	Tag      int64     // of the entry at the beat's Applied revision; 0 if there is none
	Now      time.Time // the database's clock
	Nodes    int       // that may decide now, the beat's included: seen within the beat's Within
}

// Snapshot is where a tail begins: the head and all revocations in force, as of one moment.
type Snapshot struct {
	Revision    id.Revision
	Tag         int64
	Revocations []Revoked
	Now         time.Time
}

// NodeState is how far a node has come.
type NodeState struct {
	ID      id.Node
	Applied id.Revision
}

// Store is what the tail needs of the database.
type Store interface {
	// Poll records the beat and reads the head in one statement.
	Poll(ctx context.Context, b Beat) (Head, error)
	// LeaveNode takes the node's beat back: it has stopped deciding.
	LeaveNode(ctx context.Context, node id.Node) error
	ChangesSnapshot(ctx context.Context) (Snapshot, error)
	// ChangesAfter lists entries after a revision, oldest first.
	ChangesAfter(ctx context.Context, after id.Revision, limit int) ([]Entry, error)
	// RevocationsOf reads the revocations of the given subjects.
	RevocationsOf(ctx context.Context, subjects []string) ([]Revoked, error)
	// Behind lists the nodes that may still decide from memory and have not applied the revision: seen by database time
	// within the given time.
	Behind(ctx context.Context, rev id.Revision, within time.Duration) ([]NodeState, error)
	// WatchChanges calls hint whenever the log may have grown, until ctx ends. It is a hint: polls find what it misses.
	WatchChanges(ctx context.Context, hint func())
	// TrimChanges forgets entries and revocations that nobody needs any more; the newest entry always stays.
	TrimChanges(ctx context.Context, before time.Time) error
}
