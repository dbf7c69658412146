package keyring

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

// AddVersion makes a new newest key for a purpose and keeps the older ones for what they made. Keys that sign are published
// before they are used; any other this ring uses at once, and other nodes must Reload before they can read what is made
// with it. If the keyring changed meanwhile nothing happens and the error is a fault.Conflict.
func (r *Ring) AddVersion(ctx context.Context, purpose Purpose, now time.Time) (Info, error) {
	return r.Rotate(ctx, purpose, now, nil)
}

// Rotate is AddVersion as somebody's act, which is written down with it.
func (r *Ring) Rotate(ctx context.Context, purpose Purpose, now time.Time, act *audit.Event) (Info, error) {
	if err := purpose.known(); err != nil {
		return Info{}, err
	}
	won, err := r.change(ctx, act, func(rows []Row, master Master) ([]Row, error) {
		return withVersion(rows, master, purpose, now)
	})
	if err == nil && !won {
		err = errLost()
	}
	if err != nil {
		return Info{}, fmt.Errorf("add a key for %s: %w", purpose, err)
	}
	list := r.live.Load().list
	return list[slices.IndexFunc(list, func(i Info) bool { return i.Purpose == purpose })], nil
}

// Drop removes a key for good, and with it all that it made: see Purpose.Loss.
//
// A signing key goes at once, for it may have been stolen. In the place of the newest one a new one is made in the same
// step, so that no version is ever given twice; if there was no other of its algorithm, the new one is in use at once. Of
// the other purposes the current key stays: the fault.Conflict says to rotate first. A key that is not there is a
// fault.NotFound.
func (r *Ring) Drop(ctx context.Context, purpose Purpose, version int, now time.Time) error {
	return r.Revoke(ctx, purpose, version, now, nil)
}

// Revoke is Drop as somebody's act, which is written down with it.
func (r *Ring) Revoke(ctx context.Context, purpose Purpose, version int, now time.Time, act *audit.Event) error {
	if err := purpose.known(); err != nil {
		return err
	}
	won, err := r.change(ctx, act, func(rows []Row, master Master) (_ []Row, err error) {
		at := slices.IndexFunc(rows, func(row Row) bool { return row.Purpose == purpose && row.Version == version })
		if at < 0 {
			return nil, fault.New(fault.NotFound, "there is no key for %s of version %d: look at `lanyard keyring list`", purpose, version)
		}
		newest := rows[at].State == Current
		if newest && purpose.Algorithm() == "" {
			return nil, fault.New(fault.Conflict, "version %d is the current key for %s, and without it %s: run `lanyard keyring rotate %[2]s` first", version, purpose, purpose.Loss())
		}
		if newest {
			if rows, err = withVersion(rows, master, purpose, now); err != nil {
				return nil, err
			}
		}
		return slices.Delete(slices.Clone(rows), at, at+1), nil
	})
	if err == nil && !won {
		err = errLost()
	}
	if err != nil {
		return fmt.Errorf("revoke the key for %s of version %d: %w", purpose, version, err)
	}
	return nil
}

// change replaces the stored rows by what edit makes of them, in one compare-and-set, and takes them over. Nothing is
// stored, and it returns false, if somebody else was faster or edit returns nil: there is nothing to change. edit leaves its
// argument as it is, and may look at r.live, which is what stands in those rows. act may be nil.
func (r *Ring) change(ctx context.Context, act *audit.Event, edit func(rows []Row, master Master) ([]Row, error)) (won bool, err error) {
	r.changing.Lock()
	defer r.changing.Unlock()
	state, err := r.stored(ctx)
	if err != nil {
		return false, err
	}
	// Everything is opened first: a new version on top of a damaged keyring would bury the damage.
	if err := r.use(state); err != nil {
		return false, err
	}
	master, err := r.masters.opens(state)
	if err != nil {
		return false, err
	}
	if state.Rows, err = edit(state.Rows, master); err != nil || state.Rows == nil {
		return false, err
	}
	state.Revision++
	state.Act = act
	won, err = r.store.ReplaceKeyring(ctx, state)
	if err != nil || !won {
		return false, err
	}
	return true, r.use(state)
}

// withVersion returns rows with a new newest version of a purpose, wrapped under master, in a slice of its own.
func withVersion(rows []Row, master Master, purpose Purpose, now time.Time) ([]Row, error) {
	next := Row{Purpose: purpose, Version: 1, State: Current, CreatedAt: now.UTC().Truncate(time.Microsecond)}
	rows = slices.Clone(rows)
	for i := range rows {
		if rows[i].Purpose == purpose {
			rows[i].State = Retiring
			next.Version = max(next.Version, rows[i].Version+1)
		}
	}
	if limit := purpose.maxVersion(); next.Version > limit {
		return nil, fault.New(fault.Conflict, "there were %d keys for %s, and there cannot be more", limit, purpose)
	}
	key, err := generate(purpose)
	if err != nil {
		return nil, err
	}
	wrapped, err := wrap(master, []openKey{{Row: next, key: key}})
	if err != nil {
		return nil, err
	}
	return append(rows, wrapped...), nil
}

// generate draws a key for a purpose, in the form in which it is wrapped.
func generate(purpose Purpose) ([]byte, error) {
	if alg := purpose.Algorithm(); alg != "" {
		return generateSigning(alg)
	}
	key, err := newKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return key[:], nil
}

// replace stores a changed state, or fails because somebody else was faster.
func replace(ctx context.Context, store Store, state State) error {
	state.Revision++
	won, err := store.ReplaceKeyring(ctx, state)
	if err == nil && !won {
		err = errLost()
	}
	return err
}

func errLost() error {
	return fault.New(fault.Conflict, "the keyring was changed by somebody else at the same moment: look at `lanyard keyring list`, then try again")
}
