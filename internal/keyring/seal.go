package keyring

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Place is where a sealed value stands. It opens nowhere else, so that a writer of the database cannot move one person's
// secret into another's row.
type Place struct {
	Table  string
	Column string
	Row    string // the row's primary key
}

func (p Place) String() string { return fmt.Sprintf("%s.%s of %.80q", p.Table, p.Column, p.Row) }

func (p Place) aad() []byte { return bind("lanyard sealed column", p.Table, p.Column, p.Row) }

// ErrUnknownVersion means that a value was sealed with a key this node does not have. If another node just added it,
// Reload helps.
var ErrUnknownVersion = errors.New("sealed with a key version this node does not know")

// versionSize is the length of the big-endian key version in front of a sealed value.
const versionSize = 4

// Seal encrypts a value for its place: key version (4 bytes), nonce (24), XChaCha20-Poly1305 ciphertext and tag, 44 bytes
// more than the value. A place with an empty part is an error: it would not tie the value to anything.
func (r *Ring) Seal(at Place, plaintext []byte) ([]byte, error) {
	if at.Table == "" || at.Column == "" || at.Row == "" {
		return nil, fmt.Errorf("seal %s: table, column and row must be named", at)
	}
	current := r.live.Load().atRest[0]
	out := binary.BigEndian.AppendUint32(nil, uint32(current.version)) // #nosec G115 -- unwrap held it to 1…maxVersion
	return seal(current.aead, out, plaintext, at.aad()), nil
}

// Unseal decrypts what Seal made for the same place, with whichever version of the key made it. Anything else is an error;
// it names the place and never the value.
func (r *Ring) Unseal(at Place, sealed []byte) ([]byte, error) {
	if len(sealed) < versionSize {
		return nil, fmt.Errorf("unseal %s: %d bytes are too few", at, len(sealed))
	}
	version := binary.BigEndian.Uint32(sealed)
	for _, c := range r.live.Load().atRest {
		if int64(c.version) != int64(version) {
			continue
		}
		plaintext, err := unseal(c.aead, nil, sealed[versionSize:], at.aad())
		if err != nil {
			return nil, fmt.Errorf("unseal %s: it was changed, cut short or sealed for another place: %w", at, err)
		}
		return plaintext, nil
	}
	return nil, fmt.Errorf("unseal %s: version %d: %w", at, version, ErrUnknownVersion)
}
