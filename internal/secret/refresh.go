package secret

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// alphabet is package id's: digit values 0-9, A-Z, a-z.
const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// RefreshMAC is the 144-bit MAC inside a refresh token. It proves the token genuine, so it prints `[redacted]` (keep it out
// of unexported fields, where fmt does not ask). Compare it with hmac.Equal, never with ==.
type RefreshMAC [18]byte

// Format implements fmt.Formatter for every verb.
func (RefreshMAC) Format(f fmt.State, _ rune) { writeRedacted(f) }

// MarshalText returns `[redacted]`.
func (RefreshMAC) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// RefreshBody is what the 32 secret characters of a refresh token say; its id is the family's (DESIGN section 4).
type RefreshBody struct {
	Version byte       // of the key the MAC was made with
	Counter uint32     // how often the family was rotated before this token
	MAC     RefreshMAC // over prefix, kind, mode, family, counter and the family's seed; made and checked elsewhere
}

// ErrRefresh refuses 32 characters that no RefreshBody encodes to.
var ErrRefresh = errors.New("the refresh token's inner part is not one that was ever issued")

// Encode returns the body as a base62 number of fixed width: version 1 byte, counter 4 bytes big endian, MAC 18 bytes,
// 184 bits in 32 characters (which hold 190).
func (b RefreshBody) Encode() [BodyLength]byte {
	var raw [24]byte // the first byte stays 0: three words of 64 bits are easier to divide than 23 bytes
	raw[1] = b.Version
	binary.BigEndian.PutUint32(raw[2:6], b.Counter)
	copy(raw[6:], b.MAC[:])
	high, mid, low := binary.BigEndian.Uint64(raw[0:8]), binary.BigEndian.Uint64(raw[8:16]), binary.BigEndian.Uint64(raw[16:24])

	var out [BodyLength]byte
	for i := BodyLength - 1; i >= 0; i-- {
		var rem uint64
		high, rem = bits.Div64(0, high, 62)
		mid, rem = bits.Div64(rem, mid, 62)
		low, rem = bits.Div64(rem, low, 62)
		out[i] = alphabet[rem]
	}
	return out
}

// DecodeRefresh is the inverse of Encode. It refuses (ErrRefresh) anything but 32 base62 characters, and numbers of
// 2^184 and more, so that a body has one text only.
func DecodeRefresh(body string) (RefreshBody, error) {
	if len(body) != BodyLength {
		return RefreshBody{}, ErrRefresh
	}
	var high, mid, low uint64
	for i := range len(body) {
		digit, ok := value(body[i])
		if !ok {
			return RefreshBody{}, ErrRefresh
		}
		// number = number*62 + digit, over three words. 62^32 < 2^192: nothing is lost on top.
		lowOver, lowProduct := bits.Mul64(low, 62)
		midOver, midProduct := bits.Mul64(mid, 62)
		var carry uint64
		low, carry = bits.Add64(lowProduct, digit, 0)
		mid, carry = bits.Add64(midProduct, lowOver, carry)
		high = high*62 + midOver + carry
	}
	var raw [24]byte
	binary.BigEndian.PutUint64(raw[0:8], high)
	binary.BigEndian.PutUint64(raw[8:16], mid)
	binary.BigEndian.PutUint64(raw[16:24], low)
	if raw[0] != 0 {
		return RefreshBody{}, ErrRefresh
	}
	return RefreshBody{Version: raw[1], Counter: binary.BigEndian.Uint32(raw[2:6]), MAC: RefreshMAC(raw[6:])}, nil
}

// ParseRefresh is Parse for a refresh token, with its body. Another kind is ErrKind.
func ParseRefresh(text string) (Credential, RefreshBody, error) {
	c, err := Parse(text)
	if err != nil {
		return Credential{}, RefreshBody{}, err
	}
	if c.Kind != Refresh {
		return Credential{}, RefreshBody{}, ErrKind
	}
	end := len(text) - checkLength
	body, err := DecodeRefresh(text[end-BodyLength : end])
	if err != nil {
		return Credential{}, RefreshBody{}, err
	}
	return c, body, nil
}

// value returns the number a base62 digit stands for.
func value(c byte) (uint64, bool) {
	switch {
	case c >= '0' && c <= '9':
		return uint64(c - '0'), true
	case c >= 'A' && c <= 'Z':
		return uint64(c-'A') + 10, true
	case c >= 'a' && c <= 'z':
		return uint64(c-'a') + 36, true
	}
	return 0, false
}
