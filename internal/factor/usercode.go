package factor

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// letters are what user codes consist of: no vowels, so that they spell nothing, and no Y, which is one in places
// (RFC 8628 section 6.1). Eight of them are 34 bits.
const (
	letters        = "BCDFGHJKLMNPQRSTVWXZ"
	userCodeLength = 8
)

// NewUserCode returns a code for a person to type on another device, as it is shown: XXXX-XXXX. It fails only if random
// does.
func NewUserCode(random io.Reader) (string, error) {
	// 240 = 12*20: bytes from 240 up would favour the first letters, so they are drawn again.
	const even = 240
	code := make([]byte, 0, userCodeLength)
	var buf [2 * userCodeLength]byte
	for len(code) < userCodeLength {
		if _, err := io.ReadFull(random, buf[:]); err != nil {
			return "", fmt.Errorf("make a user code: %w", err)
		}
		for _, b := range buf {
			if b < even && len(code) < userCodeLength {
				code = append(code, letters[int(b)%len(letters)])
			}
		}
	}
	return shown(string(code)), nil
}

// CanonicalUserCode returns a typed code as NewUserCode shows it. Case, spaces and dashes are the typist's to choose; any
// other difference makes it no code.
func CanonicalUserCode(typed string) (code string, ok bool) {
	if len(typed) > 64 {
		return "", false
	}
	var b strings.Builder
	for _, r := range typed {
		if unicode.IsSpace(r) || unicode.Is(unicode.Dash, r) {
			continue
		}
		if 'a' <= r && r <= 'z' {
			r -= 'a' - 'A'
		}
		if !strings.ContainsRune(letters, r) {
			return "", false
		}
		b.WriteRune(r)
	}
	if b.Len() != userCodeLength {
		return "", false
	}
	return shown(b.String()), true
}

// UserCodeText is what the MAC of a canonical code covers: its digest finds the device that waits.
func UserCodeText(code string) string { return "user_code\x00" + code }

func shown(code string) string { return code[:userCodeLength/2] + "-" + code[userCodeLength/2:] }
