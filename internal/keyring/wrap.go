package keyring

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// bind joins a domain and its parts into bytes that no other domain or parts give: each is preceded by its length.
func bind(domain string, parts ...string) []byte {
	out := lengthPrefixed(nil, domain)
	for _, part := range parts {
		out = lengthPrefixed(out, part)
	}
	return out
}

func lengthPrefixed(out []byte, part string) []byte {
	return append(binary.BigEndian.AppendUint64(out, uint64(len(part))), part...)
}

// seal encrypts with a random nonce, which it appends to out before the ciphertext. 192 bits of nonce never repeat.
func seal(aead cipher.AEAD, out, plaintext, aad []byte) []byte {
	start := len(out)
	out = append(out, make([]byte, chacha20poly1305.NonceSizeX)...)
	nonce := out[start:]
	_, _ = rand.Read(nonce) // crypto/rand does not fail
	return aead.Seal(out, nonce, plaintext, aad)
}

// unseal reverses seal, given what seal appended; the plaintext is appended to out.
func unseal(aead cipher.AEAD, out, sealed, aad []byte) ([]byte, error) {
	if len(sealed) < chacha20poly1305.NonceSizeX+chacha20poly1305.Overhead {
		return nil, fmt.Errorf("%d bytes are too few", len(sealed))
	}
	nonce, ciphertext := sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:]
	return aead.Open(out, nonce, ciphertext, aad)
}

// wrapper returns the cipher that wraps keys under m.
func (m Master) wrapper() (cipher.AEAD, error) {
	key, err := m.derive("lanyard keyring: wrap")
	if err != nil {
		return nil, err
	}
	return chacha20poly1305.NewX(key)
}

// rowAAD ties a wrapped key to its row: moved to another purpose or version it does not open.
func rowAAD(row Row) []byte {
	return bind("lanyard keyring row", string(row.Purpose), strconv.Itoa(row.Version))
}

// openKey is a row with its key: keySize bytes, or for a signing key PKCS #8.
type openKey struct {
	Row
	key []byte
}

// wrap returns the rows of keys wrapped under m.
func wrap(m Master, keys []openKey) ([]Row, error) {
	wrapper, err := m.wrapper()
	if err != nil {
		return nil, err
	}
	rows := make([]Row, 0, len(keys))
	for _, k := range keys {
		row := k.Row
		row.MasterVersion = m.Version
		row.Wrapped = seal(wrapper, nil, k.key, rowAAD(row))
		rows = append(rows, row)
	}
	return rows, nil
}

// unwrap opens every row of a state that m was found to open and that is complete, newest first within each purpose. An
// error (fault.Unavailable) names purpose and version of the row at fault.
func unwrap(m Master, state State) ([]openKey, error) {
	wrapper, err := m.wrapper()
	if err != nil {
		return nil, err
	}
	rows := slices.SortedFunc(slices.Values(state.Rows), newestFirst)
	keys := make([]openKey, 0, len(rows))
	for i, row := range rows {
		if row.Version < 1 || row.Version > row.Purpose.maxVersion() {
			return nil, damaged(row, "has a version out of range")
		}
		if row.MasterVersion != m.Version {
			return nil, damaged(row, "names master key version %d, the database version %d", row.MasterVersion, m.Version)
		}
		newest := i == 0 || rows[i-1].Purpose != row.Purpose
		if !newest && rows[i-1].Version == row.Version {
			return nil, damaged(row, "is there twice")
		}
		if want := stateOf(newest); row.State != want {
			return nil, damaged(row, "is marked %.20q, where %q is expected", row.State, want)
		}
		key, err := unseal(wrapper, nil, row.Wrapped, rowAAD(row))
		if err != nil {
			return nil, damaged(row, "does not open: it was changed, cut short or moved from another row")
		}
		// A purpose that only a newer version of the program knows may have keys of any length.
		if row.Purpose.known() == nil && row.Purpose.Algorithm() == "" && len(key) != keySize {
			return nil, damaged(row, "has %d bytes, where %d are expected", len(key), keySize)
		}
		keys = append(keys, openKey{Row: row, key: key})
	}
	return keys, complete(state)
}

func stateOf(newest bool) RowState {
	if newest {
		return Current
	}
	return Retiring
}

// complete refuses a keyring from which a purpose is gone. Making a new key in its place would hide the loss, and let
// every credential made with the lost one fail without a word.
func complete(state State) error {
	needed := founding
	if state.early() {
		needed = original
	}
	for _, p := range needed {
		if !state.has(p) {
			return fault.New(fault.Unavailable, "the keyring has no key for %s: restore the database from a backup", p)
		}
	}
	return nil
}

// early says whether the state was founded by the first version of this program, which knew of no refresh tokens and signed
// nothing, and not opened since.
func (s State) early() bool {
	return !slices.ContainsFunc(s.Rows, func(r Row) bool { return r.Purpose == Refresh || r.Purpose.Algorithm() != "" })
}

func (s State) has(p Purpose) bool {
	return slices.ContainsFunc(s.Rows, func(r Row) bool { return r.Purpose == p })
}

func damaged(row Row, format string, args ...any) error {
	return fault.New(fault.Unavailable, "the keyring's row for %.40s version %d %s: restore the database from a backup",
		row.Purpose, row.Version, fmt.Sprintf(format, args...))
}
