package secret

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/id"
)

// Kind is the word between prefix and mode. The words were chosen so that no other vendor's scanner rule matches
// (`sk_live` is Stripe's); gitleaks_test.go holds that.
type Kind string

// The kinds that share the layout of this package.
const (
	Key         Kind = "key" // an app's API key
	Publishable Kind = "pub" // an app's API key that may be seen in a browser; always restricted
	Client      Kind = "cs"  // an app's client secret, for the token endpoint
	Personal    Kind = "pat" // a user's personal token
	Refresh     Kind = "rt"  // a refresh token; its secret has the layout of RefreshBody
	Code        Kind = "ac"  // an authorization code
)

// Kinds returns every kind, in the order of the constants.
func Kinds() []Kind { return []Kind{Key, Publishable, Client, Personal, Refresh, Code} }

// Known says whether k is one of the constants.
func (k Kind) Known() bool {
	switch k {
	case Key, Publishable, Client, Personal, Refresh, Code:
		return true
	case Access: // its text has another shape: ParseToken
	}
	return false
}

// Mode says whether use is real or a trial. Every credential has one; test use is never billed.
type Mode string

// The modes.
const (
	Live Mode = "live"
	Test Mode = "test"
)

// Known says whether m is one of the constants.
func (m Mode) Known() bool { return m == Live || m == Test }

// Credential is the public part of a credential: all that may be stored, logged and shown.
type Credential struct {
	Prefix string // the provider's, such as "lyd"
	Kind   Kind
	Mode   Mode
	ID     string // 16 base62 characters; id.Of makes a typed id of them
}

// Sizes of the parts, in characters.
const (
	BodyLength  = 32 // the secret between id and check
	checkLength = 6  // 62^6 > 2^32
	tailLength  = id.Length + BodyLength + checkLength
	maxPrefix   = 12
	maxLength   = maxPrefix + len("_key_live_") + tailLength
)

// What Parse refuses, each with the sentence for the person who sent the text. They hold none of it.
var (
	ErrEmpty    = errors.New("there is no credential here: it is empty")
	ErrTooLong  = errors.New("it is longer than any credential of this kind: was something pasted twice, or a line break with it?")
	ErrShape    = errors.New("it does not look like a credential from here: those read prefix_kind_mode_ and then only letters and digits")
	ErrKind     = errors.New("the second word is no kind of credential: want key, pub, cs, pat, rt or ac")
	ErrMode     = errors.New("the third word is no mode: want live or test")
	ErrLength   = errors.New("the part after the last underscore has not 54 characters: it was cut, padded or pasted twice")
	ErrChecksum = errors.New("the last six characters do not match the rest: it was mistyped or cut")
)

// Parse reads a credential and accepts only its canonical text: exact case, no space, no escape, nothing before or after.
// The errors are the package's Err… values. It does no I/O, looks at no secret and allocates nothing; what it returns are
// substrings of text, so whoever keeps them for long clones them (id.Of does).
//
// Any well-formed prefix passes: which ones are this server's is the caller's to say.
func Parse(text string) (Credential, error) {
	c, err := split(text)
	if err != nil {
		return Credential{}, err
	}
	covered := len(text) - checkLength
	check := checksum(text[:covered])
	if string(check[:]) != text[covered:] {
		return Credential{}, ErrChecksum
	}
	return c, nil
}

// split returns the public part of a credential without looking at the checksum.
func split(text string) (Credential, error) {
	if text == "" {
		return Credential{}, ErrEmpty
	}
	if len(text) > maxLength {
		return Credential{}, ErrTooLong
	}
	prefix, rest, _ := strings.Cut(text, "_")
	kind, rest, _ := strings.Cut(rest, "_")
	mode, tail, ok := strings.Cut(rest, "_")
	switch {
	case !ok || !isPrefix(prefix):
		return Credential{}, ErrShape
	case !Kind(kind).Known():
		return Credential{}, ErrKind
	case !Mode(mode).Known():
		return Credential{}, ErrMode
	case !id.IsBase62(tail):
		return Credential{}, ErrShape
	case len(tail) != tailLength:
		return Credential{}, ErrLength
	}
	return Credential{Prefix: prefix, Kind: Kind(kind), Mode: Mode(mode), ID: tail[:id.Length]}, nil
}

// New makes a credential whose 32 secret characters are drawn evenly from random. idChars are the 16 characters of the
// id of the thing it stands for (id.Chars). It fails on a malformed part, or if random does.
func New(prefix string, kind Kind, mode Mode, idChars string, random io.Reader) (Secret, error) {
	chars, err := id.Base62(random, BodyLength)
	if err != nil {
		return Secret{}, fmt.Errorf("make a %s credential: %w", kind, err)
	}
	return Assemble(prefix, kind, mode, idChars, [BodyLength]byte([]byte(chars)))
}

// Assemble puts a credential together around secret characters that are given, such as those of RefreshBody.Encode.
func Assemble(prefix string, kind Kind, mode Mode, idChars string, body [BodyLength]byte) (Secret, error) {
	if err := ValidPrefix(prefix); err != nil {
		return Secret{}, err
	}
	switch {
	case !kind.Known():
		return Secret{}, fmt.Errorf("assemble credential: kind %q is unknown", kind)
	case !mode.Known():
		return Secret{}, fmt.Errorf("assemble credential: mode %q is unknown", mode)
	case len(idChars) != id.Length || !id.IsBase62(idChars):
		return Secret{}, fmt.Errorf("assemble credential: id %q has not %d letters or digits", idChars, id.Length)
	case !id.IsBase62(string(body[:])):
		return Secret{}, errors.New("assemble credential: the secret part is not base62")
	}
	text := prefix + "_" + string(kind) + "_" + string(mode) + "_" + idChars + string(body[:])
	check := checksum(text)
	return Of(text + string(check[:])), nil
}

// ValidPrefix refuses a prefix that is not 2 to 12 lower-case letters and digits, a letter first.
func ValidPrefix(prefix string) error {
	if !isPrefix(prefix) {
		return fmt.Errorf("prefix %.20q: want 2 to %d lower-case letters or digits, a letter first", prefix, maxPrefix)
	}
	return nil
}

func isPrefix(s string) bool {
	if len(s) < 2 || len(s) > maxPrefix || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := range len(s) {
		if (s[i] < 'a' || s[i] > 'z') && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

// checksum returns the CRC-32 (IEEE) of text as a base62 number of fixed width, most significant digit first.
//
// The loop is crc32.ChecksumIEEE written out: that one takes a []byte and would copy a string to the heap.
func checksum[T string | []byte](text T) [checkLength]byte {
	crc := ^uint32(0)
	for i := range len(text) {
		crc = crc32.IEEETable[crc&0xff^uint32(text[i])] ^ crc>>8
	}
	crc = ^crc
	var out [checkLength]byte
	for i := checkLength - 1; i >= 0; i-- {
		out[i] = alphabet[crc%62]
		crc /= 62
	}
	return out
}
