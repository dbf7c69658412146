// Package usage owns the count: the event that one decided call leaves behind, the spool that makes it durable before the
// answer leaves, and the pure part of bringing it into the database.
//
// The promise is exact money: an event whose Record returned nil is counted once, whatever is killed when. It holds because
//
//   - Record returns only after the bytes are in the kernel (durability disk), on the platter (fsync) or in the database
//     (database), and a group that could not be written whole is cut away whole;
//   - segments are immutable once sealed and carry a marker (node, epoch of the start, number, SHA-256), which the database
//     writes in the transaction that counts them, alone or with others that waited. Absorbing one twice therefore counts it
//     once, and a crash between any two steps leaves either a segment to absorb or a marker that says it was.
//
// An event whose Record failed was not acknowledged. It is cut away too, except where the disk refuses even that and the
// process dies before the segment is absorbed: then it may be counted, once.
//
// SQL is in package store, which implements Store; what a caller is billed for is package billing's.
package usage

import (
	"context"
	"errors"

	"github.com/lanyard-auth/lanyard/internal/id"
)

// Recorder makes an event durable. Spool and Direct are the two.
type Recorder interface {
	// Record returns once ev is durable, or with an error of kind fault.Unavailable, or of kind fault.Invalid if
	// ev.Check refuses it. It does not keep ev.
	Record(ev *Event) error
	// Add takes ev along with the next group and does not wait: for refusals, whose count is no money. Beyond a bound,
	// or when that group fails, they are dropped and Stats says how many.
	Add(ev *Event)
}

// Marker names one absorbed segment or group. Node, Epoch and Segment are its identity; the same identity with another
// SHA256 is two different contents under one name, and nothing may be counted for it.
type Marker struct {
	Node    id.Node
	Epoch   string // 32 hex digits, drawn at each start
	Segment uint64
	SHA256  [32]byte // of the record bytes
}

// Store is what this package asks of the database.
type Store interface {
	// AbsorbUsage counts b and writes m, in one transaction. If m stands there with the same SHA256 it changes nothing
	// and returns false; with another it returns ErrMarkerConflict. It must not change b, which may be offered again.
	AbsorbUsage(ctx context.Context, m Marker, b *Batch) (absorbed bool, err error)
	// AbsorbSegments does for several segments of one node, oldest first, what AbsorbUsage does for one, in one transaction for
	// them all. It says of each whether it was counted now. If one of them has the marker of another, it changes nothing.
	AbsorbSegments(ctx context.Context, segments []Counted) (absorbed []bool, err error)
}

// Counted is a segment as the database gets it.
type Counted struct {
	Marker
	*Batch
}

// ErrPerhaps is part of what Record returns when the event may have been counted all the same: the database took it, or not, and did
// not say.
var ErrPerhaps = errors.New("the use may have been counted")

// ErrMarkerConflict says that the database absorbed other bytes under the same node, epoch and segment.
var ErrMarkerConflict = errors.New("usage segment was absorbed with other contents")

// Stats counts what a Recorder did since its start.
type Stats struct {
	Records int64 // made durable, those of Add included
	Groups  int64 // writes that carried them
	Failed  int64 // refused with an error
	Dropped int64 // given to Add and not kept
}
