package secret

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/id"
)

// Access is the kind of an opaque access token: `<prefix>_at_<mode>_<id 16><sealed><check 6>`. Its sealed part has no fixed
// length, so Parse refuses it; ParseToken reads it.
const Access Kind = "at"

// MaxToken is the longest opaque access token, in characters.
const MaxToken = 1200

// ErrSealed refuses characters that no sealed part is written as.
var ErrSealed = errors.New("the access token's inner part is not one that was ever issued")

// KindOf returns the second word of a text, if that is a kind that can be: a cheap look before parsing.
func KindOf(text string) Kind {
	_, rest, _ := strings.Cut(text, "_")
	word, _, ok := strings.Cut(rest, "_")
	if kind := Kind(word); ok && (kind == Access || kind.Known()) {
		return kind
	}
	return ""
}

// TokenHead is what comes before the sealed part: what the seal is bound to.
func TokenHead(prefix string, mode Mode, idChars string) string {
	return prefix + "_" + string(Access) + "_" + string(mode) + "_" + idChars
}

// AssembleToken puts an opaque access token together. ErrTooLong when it would have more than MaxToken characters.
func AssembleToken(prefix string, mode Mode, idChars string, sealed []byte) (Secret, error) {
	if err := ValidPrefix(prefix); err != nil {
		return Secret{}, err
	}
	if !mode.Known() || len(idChars) != id.Length || !id.IsBase62(idChars) {
		return Secret{}, errors.New("assemble access token: mode or id is malformed")
	}
	if len(sealed) == 0 {
		return Secret{}, errors.New("assemble access token: nothing is sealed in it")
	}
	head := TokenHead(prefix, mode, idChars)
	length := len(head) + sealedLength(len(sealed)) + checkLength
	if length > MaxToken {
		return Secret{}, ErrTooLong
	}
	text := make([]byte, 0, length)
	text = append(text, head...)
	text = appendSealed(text, sealed)
	check := checksum(text)
	return Of(string(append(text, check[:]...))), nil
}

// ParseToken reads an opaque access token and appends its sealed part to into. Only the canonical text passes. The errors are
// the package's Err… values; what the Credential holds are substrings of text.
func ParseToken(text string, into []byte) (c Credential, sealed []byte, err error) {
	if text == "" {
		return Credential{}, nil, ErrEmpty
	}
	if len(text) > MaxToken {
		return Credential{}, nil, ErrTooLong
	}
	prefix, rest, _ := strings.Cut(text, "_")
	kind, rest, _ := strings.Cut(rest, "_")
	mode, tail, ok := strings.Cut(rest, "_")
	switch {
	case !ok || !isPrefix(prefix):
		return Credential{}, nil, ErrShape
	case Kind(kind) != Access:
		return Credential{}, nil, ErrKind
	case !Mode(mode).Known():
		return Credential{}, nil, ErrMode
	case !id.IsBase62(tail):
		return Credential{}, nil, ErrShape
	case len(tail) <= id.Length+checkLength:
		return Credential{}, nil, ErrLength
	}
	covered := len(text) - checkLength
	check := checksum(text[:covered])
	if string(check[:]) != text[covered:] {
		return Credential{}, nil, ErrChecksum
	}
	sealed, ok = decodeSealed(into, tail[id.Length:len(tail)-checkLength])
	if !ok {
		return Credential{}, nil, ErrSealed
	}
	return Credential{Prefix: prefix, Kind: Access, Mode: Mode(mode), ID: tail[:id.Length]}, sealed, nil
}

// Eight bytes are eleven digits, since 62^11 > 2^64; a shorter rest takes as few as hold it. So encoding is linear, and a
// token is marked whole by a double click.
func digitsFor(n int) int { return [...]int{0, 2, 3, 5, 6, 7, 9, 10, 11}[n] }

func bytesFor(digits int) (int, bool) {
	for n := 1; n <= 8; n++ {
		if digitsFor(n) == digits {
			return n, true
		}
	}
	return 0, false
}

func sealedLength(n int) int { return n/8*11 + digitsFor(n%8) }

func appendSealed(out, sealed []byte) []byte {
	for len(sealed) > 0 {
		n := min(8, len(sealed))
		var word [8]byte
		copy(word[8-n:], sealed[:n])
		value := binary.BigEndian.Uint64(word[:])
		var digits [11]byte
		width := digitsFor(n)
		for i := width - 1; i >= 0; i-- {
			digits[i] = alphabet[value%62]
			value /= 62
		}
		out = append(out, digits[:width]...)
		sealed = sealed[n:]
	}
	return out
}

// decodeSealed is the inverse of appendSealed; false for digits that it never writes.
func decodeSealed(out []byte, text string) ([]byte, bool) {
	for text != "" {
		width := min(11, len(text))
		n, ok := bytesFor(width)
		if !ok {
			return nil, false
		}
		var number uint64
		for i := range width {
			digit, ok := value(text[i])
			if !ok {
				return nil, false
			}
			over, product := bits.Mul64(number, 62)
			var carry uint64
			if number, carry = bits.Add64(product, digit, 0); over != 0 || carry != 0 {
				return nil, false
			}
		}
		if n < 8 && number>>(8*n) != 0 {
			return nil, false
		}
		var word [8]byte
		binary.BigEndian.PutUint64(word[:], number)
		out = append(out, word[8-n:]...)
		text = text[width:]
	}
	return out, true
}
