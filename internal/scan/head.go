package scan

import (
	"bytes"
	"hash/crc32"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// The layout after a head, as package secret writes it; a test holds the two together.
const (
	idLength    = 16
	checkLength = 6
	tailLength  = idLength + secret.BodyLength + checkLength
	maxHead     = 12 + len("_key_live_")
)

// head is what a credential begins with.
type head struct {
	text string // lyd_key_live_
	kind secret.Kind
}

func headsOf(prefix string) []head {
	var heads []head
	for _, kind := range append(secret.Kinds(), secret.Access) {
		for _, mode := range []secret.Mode{secret.Live, secret.Test} {
			heads = append(heads, head{strings.Join([]string{prefix, string(kind), string(mode), ""}, "_"), kind})
		}
	}
	return heads
}

// headOf returns the head that text begins with.
func (f *Finder) headOf(text []byte) (head, bool) {
	for _, h := range f.heads {
		if len(text) >= len(h.text) && string(text[:len(h.text)]) == h.text {
			return h, true
		}
	}
	return head{}, false
}

// parse returns the credential that text begins with; what follows it does not matter, since its length is known or, of an
// access token, found by the checksum.
func (f *Finder) parse(text []byte) (string, secret.Credential, bool) {
	h, ok := f.headOf(text)
	if !ok {
		return "", secret.Credential{}, false
	}
	if h.kind == secret.Access {
		return parseToken(text, len(h.text))
	}
	end := len(h.text) + tailLength
	if len(text) < end || !isBase62(text[end-1]) { // the cheap look: most that only mention a head end here
		return "", secret.Credential{}, false
	}
	whole := string(text[:end])
	public, err := secret.Parse(whole)
	return whole, public, err == nil
}

// parseToken returns the access token that text begins with. All the letters and digits that stand together are most likely the
// whole of it; where it runs into what follows, each shorter one is tried.
func parseToken(text []byte, head int) (string, secret.Credential, bool) {
	end := head
	for end < len(text) && end <= secret.MaxToken && isBase62(text[end]) {
		end++
	}
	if end <= head+idLength+checkLength {
		return "", secret.Credential{}, false
	}
	whole := string(text[:end])
	if public, _, err := secret.ParseToken(whole, nil); err == nil {
		return whole, public, true
	}
	first := head + idLength + 1
	crc := crc32.ChecksumIEEE(text[:first])
	for n := first; n+checkLength < end; n++ {
		if check, ok := number(text[n : n+checkLength]); ok && check == uint64(crc) {
			shorter := whole[:n+checkLength]
			if public, _, err := secret.ParseToken(shorter, nil); err == nil {
				return shorter, public, true
			}
		}
		crc = crc32.Update(crc, crc32.IEEETable, text[n:n+1])
	}
	return "", secret.Credential{}, false
}

// number reads a base62 number.
func number(digits []byte) (uint64, bool) {
	var n uint64
	for _, c := range digits {
		value := bytes.IndexByte([]byte("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"), c)
		if value < 0 {
			return 0, false
		}
		n = n*62 + uint64(value)
	}
	return n, true
}

func isBase62(c byte) bool {
	return c-'0' < 10 || c-'A' < 26 || c-'a' < 26
}

// isWord says whether a credential is made of c.
func isWord(c byte) bool { return isBase62(c) || c == '_' }
