package keyring

import (
	"context"
	"fmt"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// RotateMaster wraps every key anew under to, in one transaction. from has to hold the key the database is under now; to
// may be among it, which is how a fleet rotates without a gap (see Masters). Repeated after an answer that got lost it does
// nothing and succeeds. Running rings are not disturbed: the keys inside are the same.
//
// It protects against who finds the old master key and a database copied later. Who has the old master key and a copy
// from before has the keys inside; against them AddVersion makes new ones.
//
// A version that is not above the present one is a fault.Invalid; a wrong from, or a change of the keyring at the same
// moment, a fault.Conflict. Then nothing was changed.
func RotateMaster(ctx context.Context, store Store, from Masters, to Master) error {
	if to.isZero() {
		return fault.New(fault.Invalid, "there is no new master key to rotate to")
	}
	state, err := store.Keyring(ctx)
	if err != nil {
		return fmt.Errorf("rotate master key: %w", err)
	}
	if state.Empty() {
		return fault.New(fault.Conflict, "this database has no keys yet: start the server with the new master key instead")
	}
	if state.MasterVersion == to.Version {
		return alreadyUnder(to, state)
	}
	if err := from.validate(); err != nil {
		return err
	}
	old, err := from.opens(state)
	if err != nil {
		return err
	}
	if to.Version < old.Version {
		return fault.New(fault.Invalid, "the new master key has version %d and the present one version %d: give the new one a higher version", to.Version, old.Version)
	}
	if to.sameKey(old) {
		return fault.New(fault.Invalid, "the new master key is the present one with another version: generate a new one")
	}
	keys, err := unwrap(old, state)
	if err != nil {
		return err
	}
	next := State{Revision: state.Revision, MasterVersion: to.Version}
	if next.Check, err = to.check(); err != nil {
		return err
	}
	if next.Rows, err = wrap(to, keys); err != nil {
		return err
	}
	if err := replace(ctx, store, next); err != nil {
		return fmt.Errorf("rotate master key to version %d: %w", to.Version, err)
	}
	return nil
}

// alreadyUnder is the repeat of a rotation that was done: it succeeds if it was to the same key and left every row whole.
func alreadyUnder(to Master, state State) error {
	if _, err := (Masters{Current: to}).opens(state); err != nil {
		return err
	}
	_, err := unwrap(to, state)
	return err
}
