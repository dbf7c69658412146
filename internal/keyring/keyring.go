// Package keyring owns Lanyard's own secret keys: the master key, and the keys that it wraps.
//
// The master key stands outside the database (a file, or LANYARD_MASTER_KEY) and does one thing: it wraps. Every key that
// does work (peppers for digests of credentials, keys of sealed columns and tokens, keys that sign) is a versioned row of
// the database, sealed under the master key. So a stolen database verifies nothing and reveals no credential, and the
// master key is replaced by wrapping some rows anew, without touching a credential.
//
// The database also holds a check value, from which nothing follows about the master key, so that a node started with
// another key refuses at once, in one sentence, and never writes what the others cannot read.
//
// A Ring is what the rest of the server holds: the open keys of one moment, swapped whole by Reload. Where rows and check
// value are stored is package store's business; when to reload is the business of whoever follows the changes.
package keyring

import (
	"context"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
)

// keySize is the length in bytes of the master key and of every key it wraps, those that sign aside.
const keySize = 32

// RowState is a wrapped key's place in its purpose's succession.
type RowState string

// Each purpose has exactly one current version, its highest. New work is done with it.
const (
	Current  RowState = "current"
	Retiring RowState = "retiring" // still opens and verifies what it made
)

// Row is one wrapped key as it is stored. Wrapped is worthless without the master key.
type Row struct {
	Purpose       Purpose
	Version       int // from 1, unique within the purpose
	MasterVersion int // the master key it is wrapped under: the same in every row
	Wrapped       []byte
	CreatedAt     time.Time // UTC, whole microseconds
	State         RowState
}

// State is everything the database stores about keys. The zero value is a database without any.
type State struct {
	Revision      int // from 1, raised by every change; 0 means nothing is stored yet
	MasterVersion int
	Check         []byte // tells the right master key from another, and nothing else
	Rows          []Row
	Act           *audit.Event // of whoever changes it, written with the change and never read; nil: housekeeping, or a command
}

// Empty says that no keys were made yet: the only state in which a master key may be generated.
func (s State) Empty() bool { return s.Revision == 0 }

// Store keeps the state. The keyring is a handful of rows, so it is read and replaced whole: one compare-and-set decides
// the race of two first starts, of two rotations, and of a new key against a new master key, which must not miss it.
type Store interface {
	// Keyring reads the state in one snapshot; the zero State if there is none.
	Keyring(ctx context.Context) (State, error)
	// ReplaceKeyring stores next whole, in one transaction, if the stored revision (0 when there is none) is
	// next.Revision-1. Otherwise it changes nothing and returns false.
	ReplaceKeyring(ctx context.Context, next State) (bool, error)
}

// Info is what may be shown of a key.
type Info struct {
	Purpose   Purpose   `json:"purpose"`
	Version   int       `json:"version"`
	State     RowState  `json:"state"`
	CreatedAt time.Time `json:"created_at"`
	KeyID     string    `json:"key_id,omitempty"` // of a signing key: the kid of what it signs
}

func (r Row) info() Info {
	return Info{Purpose: r.Purpose, Version: r.Version, State: r.State, CreatedAt: r.CreatedAt}
}

// newestFirst orders rows by purpose and, within one, the current version before the retiring ones.
func newestFirst(a, b Row) int {
	if a.Purpose != b.Purpose {
		return strings.Compare(string(a.Purpose), string(b.Purpose))
	}
	return b.Version - a.Version
}
