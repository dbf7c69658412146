package key

import (
	"context"
	"strconv"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Store keeps keys. Methods take the reach; a row outside it is fault.NotFound.
type Store interface {
	// CreateKeys makes all or none of the keys. A digest that stands already is a conflict naming the key that has it.
	CreateKeys(ctx context.Context, keys []*Key, ev audit.Event) (id.Revision, error)
	Key(ctx context.Context, reach audit.Reach, key id.Key) (*Key, error)
	Keys(ctx context.Context, reach audit.Reach, filter Filter) ([]*Key, error)
	// UpdateKey applies change to the key as it is now, in one atomic step; an error from change changes nothing.
	UpdateKey(ctx context.Context, reach audit.Reach, key id.Key, ev audit.Event, change func(*Key) error) (*Key, id.Revision, error)
	// DigestTaken says which of the digests stand already, by index.
	DigestTaken(ctx context.Context, digests [][]byte) (map[int]id.Key, error)
	// UpgradeDigest replaces a digest made another way (imported, or under an old pepper) by a MAC. It changes nothing if the
	// version no longer has the old digest. Housekeeping: no audit line, no change entry.
	UpgradeDigest(ctx context.Context, key id.Key, version int, old []byte, now Version) error
	// RotationsDue emits one key.rotation_due event into the outbox for every key whose schedule says so and that has none
	// for its current version yet, and returns how many.
	RotationsDue(ctx context.Context, now time.Time) (int, error)
}

// VersionSubject names one version of a key among the revocations that nodes remember.
func VersionSubject(key id.Key, version int) string { return string(key) + "#" + strconv.Itoa(version) }

// Filter narrows a list of keys. Before and BeforeID continue after the last one seen.
type Filter struct {
	IDs   []id.Key // empty: any; else the answer is in no order, and the only page
	App   id.App
	Team  id.Team
	Name  string
	Kinds []secret.Kind // empty: every kind
	// With EndsBefore the list is of keys that end between the two times, the next to end first, those revoked left out; it has
	// one page.
	EndsAfter, EndsBefore time.Time
	Before                time.Time
	BeforeID              string
	Limit                 int
}
