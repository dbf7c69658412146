package keyring

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// Ring holds the open keys of a running node. It is safe for concurrent use; each call sees the keys of one moment.
// It prints as a word and has no encoding.
type Ring struct {
	store   Store
	masters Masters

	changing sync.Mutex // orders Reload and AddVersion, so that what was read last stays
	live     atomic.Pointer[keys]
}

// keys are the open keys of one moment, never changed once made.
type keys struct {
	peppers []*pepper // the current one first
	atRest  []column  // the current one first
	list    []Info
}

// column is a key for sealed columns.
type column struct {
	version int
	aead    cipher.AEAD
}

// Format prints no key, whatever the verb.
func (r *Ring) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "keyring") // fmt's own buffer does not fail
}

// Open reads the keyring and opens its keys with the current or the previous master key. In an empty database it makes
// the first key of each purpose, under the current one; of nodes that start at once one does, and the others take what it
// made.
//
// Another master key than the database's is a fault.Conflict, a damaged row a fault.Unavailable; both say in one sentence
// what to do. now is written as the time of creation.
func Open(ctx context.Context, store Store, masters Masters, now time.Time) (*Ring, error) {
	if err := masters.validate(); err != nil {
		return nil, err
	}
	state, err := store.Keyring(ctx)
	if err != nil {
		return nil, fmt.Errorf("open keyring: %w", err)
	}
	if state.Empty() {
		if state, err = found(ctx, store, masters.Current, now); err != nil {
			return nil, fmt.Errorf("make the first keys: %w", err)
		}
	}
	r := &Ring{store: store, masters: masters}
	if err := r.use(state); err != nil {
		return nil, err
	}
	return r, nil
}

// found makes the first state, or returns the one of whoever was faster.
func found(ctx context.Context, store Store, master Master, now time.Time) (State, error) {
	check, err := master.check()
	if err != nil {
		return State{}, err
	}
	first := State{Revision: 1, MasterVersion: master.Version, Check: check}
	for _, purpose := range purposes {
		if first.Rows, err = withVersion(first.Rows, master, purpose, now); err != nil {
			return State{}, err
		}
	}
	won, err := store.ReplaceKeyring(ctx, first)
	if err != nil || won {
		return first, err
	}
	return store.Keyring(ctx)
}

// withVersion returns rows with a new current version of a purpose, wrapped under master, in a slice of its own.
func withVersion(rows []Row, master Master, purpose Purpose, now time.Time) ([]Row, error) {
	next := Row{Purpose: purpose, Version: 1, State: Current, CreatedAt: now.UTC().Truncate(time.Microsecond)}
	rows = slices.Clone(rows)
	for i := range rows {
		if rows[i].Purpose == purpose {
			rows[i].State = Retiring
			next.Version = max(next.Version, rows[i].Version+1)
		}
	}
	key, err := newKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	wrapped, err := wrap(master, []openKey{{Row: next, key: key}})
	if err != nil {
		return nil, err
	}
	return append(rows, wrapped...), nil
}

// use opens a state's keys and puts them in the place of those before; on an error these stay.
func (r *Ring) use(state State) error {
	master, err := r.masters.opens(state)
	if err != nil {
		return err
	}
	opened, err := unwrap(master, state)
	if err != nil {
		return err
	}
	next := &keys{}
	for _, k := range opened {
		next.list = append(next.list, k.info())
		switch k.Purpose {
		case Pepper:
			next.peppers = append(next.peppers, newPepper(k.Version, k.key))
		case AtRest:
			aead, err := chacha20poly1305.NewX(k.key[:])
			if err != nil {
				return fmt.Errorf("open key %s version %d: %w", k.Purpose, k.Version, err)
			}
			next.atRest = append(next.atRest, column{version: k.Version, aead: aead})
		case Sealing: // opened to see that it is whole; nothing here seals tokens
		}
	}
	r.live.Store(next)
	return nil
}

// Reload takes over what other nodes and commands changed. On an error the keys in use stay as they are. After a rotation
// to a master key this node does not have, it is the fault.Conflict that Open gives.
func (r *Ring) Reload(ctx context.Context) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	state, err := r.stored(ctx)
	if err != nil {
		return err
	}
	return r.use(state)
}

// stored reads a state that has to be there, since Open made or found one.
func (r *Ring) stored(ctx context.Context) (State, error) {
	state, err := r.store.Keyring(ctx)
	if err != nil {
		return State{}, fmt.Errorf("reload keyring: %w", err)
	}
	if state.Empty() {
		return State{}, fault.New(fault.Unavailable, "the keyring is gone from the database: restore it from a backup")
	}
	return state, nil
}

// AddVersion makes a new current key for a purpose and keeps the older ones for what they made. This ring uses it at once;
// other nodes must Reload before they can read what is made with it. If the keyring changed meanwhile nothing happens
// and the error is a fault.Conflict.
func (r *Ring) AddVersion(ctx context.Context, purpose Purpose, now time.Time) (Info, error) {
	if !slices.Contains(purposes, purpose) {
		return Info{}, fault.Field("purpose", "there are no keys for %.40q: choose one of %s", purpose, purposes)
	}
	r.changing.Lock()
	defer r.changing.Unlock()
	state, err := r.stored(ctx)
	if err != nil {
		return Info{}, err
	}
	// Everything is opened first: a new version on top of a damaged keyring would bury the damage.
	if err := r.use(state); err != nil {
		return Info{}, err
	}
	master, err := r.masters.opens(state)
	if err != nil {
		return Info{}, err
	}
	if state.Rows, err = withVersion(state.Rows, master, purpose, now); err != nil {
		return Info{}, fmt.Errorf("add a key for %s: %w", purpose, err)
	}
	if err := replace(ctx, r.store, state); err != nil {
		return Info{}, fmt.Errorf("add a key for %s: %w", purpose, err)
	}
	added := state.Rows[len(state.Rows)-1]
	return added.info(), r.use(state)
}

// replace stores a changed state, or fails because somebody else was faster.
func replace(ctx context.Context, store Store, state State) error {
	state.Revision++
	won, err := store.ReplaceKeyring(ctx, state)
	if err != nil {
		return err
	}
	if !won {
		return fault.New(fault.Conflict, "the keyring was changed by somebody else at the same moment: look at `lanyard keyring list`, then try again")
	}
	return nil
}

// List returns what may be shown of every key, by purpose, the current version first.
func (r *Ring) List() []Info { return slices.Clone(r.live.Load().list) }
