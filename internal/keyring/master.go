package keyring

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// Master is a master key and its version. It prints as redacted under every verb and in every encoding; Reveal alone
// gives its text. The zero value is no key and is refused everywhere.
type Master struct {
	Version int

	// A function, because fmt does not ask an unexported field of somebody's struct for its Format: it prints what it
	// reaches, through a pointer too when the verb is wrong. Of a function it shows the address.
	key func() *[keySize]byte
}

func newMaster(version int, key *[keySize]byte) Master {
	return Master{Version: version, key: func() *[keySize]byte { return key }}
}

// ParseMaster reads `<version>:<base64 of 32 bytes>`: a decimal version from 1, a colon, standard base64 with padding.
// Only the text that Reveal writes is accepted. The errors (fault.Invalid) never repeat any of the text.
func ParseMaster(text string) (Master, error) {
	number, encoded, found := strings.Cut(text, ":")
	if !found {
		return Master{}, fault.New(fault.Invalid, "a master key reads <version>:<base64 of 32 bytes>, and this one has no colon")
	}
	version, err := strconv.Atoi(number)
	if err != nil || version < 1 || version > maxVersion || strconv.Itoa(version) != number {
		return Master{}, fault.New(fault.Invalid, "a master key begins with its version, a whole number from 1 without leading zeros, and this one does not")
	}
	// No %w of the decoder's error: it quotes the position, and the text is a secret.
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || base64.StdEncoding.EncodeToString(raw) != encoded { // the decoder skips line ends
		return Master{}, fault.New(fault.Invalid, "master key version %d is not standard base64 with padding and nothing around it", version)
	}
	if len(raw) != keySize {
		return Master{}, fault.New(fault.Invalid, "master key version %d has %d bytes: want %d", version, len(raw), keySize)
	}
	return newMaster(version, (*[keySize]byte)(raw)), nil
}

// GenerateMaster draws a master key of the version given. It fails if random does or if version is below 1.
func GenerateMaster(version int, random io.Reader) (Master, error) {
	if version < 1 || version > maxVersion {
		return Master{}, fault.New(fault.Invalid, "a master key's version is a whole number from 1, not %d", version)
	}
	key, err := newKey(random)
	if err != nil {
		return Master{}, fmt.Errorf("generate master key version %d: %w", version, err)
	}
	return newMaster(version, key), nil
}

// newKey draws the bytes of a key.
func newKey(random io.Reader) (*[keySize]byte, error) {
	key := new([keySize]byte)
	if _, err := io.ReadFull(random, key[:]); err != nil {
		return nil, fmt.Errorf("read randomness: %w", err)
	}
	return key, nil
}

// Reveal returns the text that ParseMaster reads: the secret itself. The zero value has none.
func (m Master) Reveal() string {
	if m.isZero() {
		return ""
	}
	return strconv.Itoa(m.Version) + ":" + base64.StdEncoding.EncodeToString(m.key()[:])
}

// Format prints the version and no key, whatever the verb.
func (m Master) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, m.redacted()) // fmt's own buffer does not fail
}

// MarshalText keeps the key out of JSON and structured logs too.
func (m Master) MarshalText() ([]byte, error) { return []byte(m.redacted()), nil }

func (m Master) redacted() string {
	return "master key version " + strconv.Itoa(m.Version) + " [redacted]"
}

func (m Master) isZero() bool { return m.key == nil }

func (m Master) sameKey(other Master) bool {
	return subtle.ConstantTimeCompare(m.key()[:], other.key()[:]) == 1
}

// check returns the value by which a database knows this key. Key and version go in, so neither can be exchanged.
func (m Master) check() ([]byte, error) {
	key, err := m.derive("lanyard keyring: check")
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(bind("lanyard master key", strconv.Itoa(m.Version)))
	return mac.Sum(nil), nil
}

// derive gives each use of the master key a key of its own, so that what one use shows tells nothing about another.
func (m Master) derive(use string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, m.key()[:], nil, use, keySize)
	if err != nil {
		return nil, fmt.Errorf("derive from master key version %d: %w", m.Version, err)
	}
	return key, nil
}

// Masters are the keys a node was started with. Both are accepted, so that a rotation can roll through a fleet: every node
// gets the new one as Current and the old one as Previous, then the keys are wrapped anew, then Previous goes.
type Masters struct {
	Current  Master
	Previous *Master // nil outside a rotation
}

// validate refuses what no database could be opened with.
func (ms Masters) validate() error {
	if ms.Current.isZero() || (ms.Previous != nil && ms.Previous.isZero()) {
		return fault.New(fault.Invalid, "there is no master key: set LANYARD_MASTER_KEY, or point LANYARD_DATA_DIR at the directory with master.key")
	}
	if ms.Previous != nil && ms.Previous.Version == ms.Current.Version {
		return fault.New(fault.Invalid, "LANYARD_MASTER_KEY and LANYARD_MASTER_KEY_PREVIOUS both have version %d: give each key a version of its own", ms.Current.Version)
	}
	return nil
}

// opens returns the one of ms that the state was wrapped under, or a fault.Conflict that says what to start with.
func (ms Masters) opens(state State) (Master, error) {
	m := ms.Current
	if ms.Previous != nil && ms.Previous.Version == state.MasterVersion {
		m = *ms.Previous
	}
	if m.Version != state.MasterVersion {
		return Master{}, fault.New(fault.Conflict,
			"this database needs master key version %d, and version %d was given: start with version %d, from master.key or LANYARD_MASTER_KEY",
			state.MasterVersion, m.Version, state.MasterVersion)
	}
	want, err := m.check()
	if err != nil {
		return Master{}, err
	}
	if !hmac.Equal(want, state.Check) {
		return Master{}, fault.New(fault.Conflict,
			"this database was made with another master key (version %d): start with the key it was made with, from master.key or LANYARD_MASTER_KEY",
			state.MasterVersion)
	}
	return m, nil
}
