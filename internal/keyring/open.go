package keyring

import (
	"context"
	"fmt"
	"time"
)

// Open reads the keyring and opens its keys with the current or the previous master key. In an empty database it makes
// the first keys, under the current one; of nodes that start at once one does, and the others take what it made. The
// keyring of an earlier version gets the keys it did not know of in the same way.
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
	for state.early() {
		if state, err = supplement(ctx, store, masters, state, now); err != nil {
			return nil, fmt.Errorf("add the keys of this version: %w", err)
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
	for _, purpose := range founding {
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

// supplement makes the keys that the first version of this program did not. It returns the state that is stored then: its
// own, or that of whoever was faster, who may have changed something else.
func supplement(ctx context.Context, store Store, masters Masters, state State, now time.Time) (State, error) {
	master, err := masters.opens(state)
	if err != nil {
		return State{}, err
	}
	// Everything is opened first: new keys on top of a damaged keyring would bury the damage.
	if _, err := unwrap(master, state); err != nil {
		return State{}, err
	}
	next := state
	next.Revision++
	for _, purpose := range founding {
		if state.has(purpose) {
			continue
		}
		if next.Rows, err = withVersion(next.Rows, master, purpose, now); err != nil {
			return State{}, err
		}
	}
	won, err := store.ReplaceKeyring(ctx, next)
	if err != nil || won {
		return next, err
	}
	return store.Keyring(ctx)
}
