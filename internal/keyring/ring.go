package keyring

import (
	"context"
	"crypto/cipher"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// Ring holds the open keys of a running node. It is safe for concurrent use; each call sees the keys of one moment.
// It prints as a word and has no encoding.
type Ring struct {
	store   Store
	masters Masters

	changing sync.Mutex // orders Reload and changes, so that what was read last stays
	live     atomic.Pointer[keys]
}

// keys are the open keys of one moment, never changed once made.
type keys struct {
	peppers []*pepper    // the current one first
	atRest  []column     // the current one first
	sealing []column     // as above
	refresh []*pepper    // as above
	signing []signingKey // newest first within an algorithm
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
	if state.early() { // Open adds what is missing, so the database was put back since
		return fault.New(fault.Unavailable, "the keyring was put back to that of an earlier version: start the server again")
	}
	next := &keys{}
	for _, k := range opened {
		if err := next.add(k); err != nil {
			return err
		}
	}
	r.live.Store(next)
	return nil
}

// add takes in the next key. They come newest first within each purpose.
func (k *keys) add(opened openKey) error {
	info := opened.info()
	switch opened.Purpose {
	case Pepper:
		k.peppers = append(k.peppers, newPepper(opened.Version, opened.key))
	case Refresh:
		k.refresh = append(k.refresh, newPepper(opened.Version, opened.key))
	case AtRest, Sealing:
		aead, err := chacha20poly1305.NewX(opened.key)
		if err != nil {
			return fmt.Errorf("open key %s version %d: %w", opened.Purpose, opened.Version, err)
		}
		c := column{version: opened.Version, aead: aead}
		if opened.Purpose == AtRest {
			k.atRest = append(k.atRest, c)
		} else {
			k.sealing = append(k.sealing, c)
		}
	case SignES256, SignRS256, SignPS256, SignEdDSA, SignAssertion:
		signing, err := parseSigning(opened)
		if err != nil {
			return err
		}
		k.signing = append(k.signing, signing)
		info.KeyID = signing.signer.kid
	}
	k.list = append(k.list, info)
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

// List returns what may be shown of every key, by purpose, the current version first.
func (r *Ring) List() []Info { return slices.Clone(r.live.Load().list) }
