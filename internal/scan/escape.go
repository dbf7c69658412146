package scan

import (
	"bytes"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// introducers are what escapes begin with, and what each makes of the encoding.
const introducers = `\%&=`

func introduces(c byte) bool { return c == '\\' || c == '%' || c == '&' || c == '=' }

func encodingOf(introducer byte) Encoding {
	switch introducer {
	case '%':
		return Percent
	case '&':
		return Entity
	case '=':
		return QuotedPrintable
	}
	return Backslash
}

// nothing is what a continued line stands for.
const nothing = -1

// escapeAt reads the escape at data[i]: what character it stands for, or nothing, and how many bytes it takes. No bytes: there is
// none that stands for an ASCII character. Escapes of escapes (%255F, \\u005f, &amp;#95;) are read as what they become in the end.
func escapeAt(data []byte, i int) (char, width int) {
	rest := data[i:]
	if len(rest) > 64 {
		rest = rest[:64]
	}
	switch rest[0] {
	case '%':
		return percentAt(rest)
	case '\\':
		return backslashAt(rest)
	case '&':
		return entityAt(rest)
	case '=':
		if n := lineBreak(rest[1:]); n > 0 {
			return nothing, 1 + n
		}
		return fixedHex(rest, 1, 2)
	}
	return 0, 0
}

func percentAt(rest []byte) (char, width int) {
	at := 1
	for bytes.HasPrefix(rest[at:], []byte("25")) {
		at += 2
	}
	if at < len(rest) && (rest[at] == 'u' || rest[at] == 'U') {
		return fixedHex(rest, at+1, 4)
	}
	return fixedHex(rest, at, 2)
}

func backslashAt(rest []byte) (char, width int) {
	at := 1
	for at < len(rest) && rest[at] == '\\' {
		at++
	}
	if at == len(rest) {
		return 0, 0
	}
	switch c := rest[at]; {
	case c == '_':
		return '_', at + 1
	case c == '\n' || c == '\r':
		if n := lineBreak(rest[at:]); n > 0 {
			return nothing, at + n
		}
	case c == 'u':
		for at+1 < len(rest) && rest[at+1] == 'u' { // Java allows any number
			at++
		}
		return bracedHex(rest, at+1, 4)
	case c == 'x':
		return bracedHex(rest, at+1, 2)
	case c == 'U':
		return fixedHex(rest, at+1, 8)
	case c == '0' || c == '1':
		return digits(rest, at, at+3, 8)
	}
	return 0, 0
}

// bracedHex reads {5f} or as many digits as there must be without braces.
func bracedHex(rest []byte, at, length int) (char, width int) {
	if at < len(rest) && rest[at] == '{' {
		end := bytes.IndexByte(rest[at:], '}')
		if end < 0 {
			return 0, 0
		}
		char, width = digits(rest, at+1, at+end, 16)
		if width == 0 {
			return 0, 0
		}
		return char, width + 1
	}
	return fixedHex(rest, at, length)
}

func entityAt(rest []byte) (char, width int) {
	at := 1
	for bytes.HasPrefix(rest[at:], []byte("amp;")) {
		at += len("amp;")
	}
	for _, name := range [...]string{"lowbar;", "UnderBar;"} {
		if bytes.HasPrefix(rest[at:], []byte(name)) {
			return '_', at + len(name)
		}
	}
	end := at + bytes.IndexByte(rest[at:], ';')
	if end < at || rest[at] != '#' {
		return 0, 0
	}
	base := 10
	if at++; at < len(rest) && (rest[at] == 'x' || rest[at] == 'X') {
		base, at = 16, at+1
	}
	char, width = digits(rest, at, end, base)
	if width == 0 {
		return 0, 0
	}
	return char, width + 1
}

func fixedHex(rest []byte, at, length int) (char, width int) {
	return digits(rest, at, at+length, 16)
}

// digits reads the ASCII character that the digits rest[at:end] name.
func digits(rest []byte, at, end, base int) (char, width int) {
	if end > len(rest) || at >= end || end-at > 8 {
		return 0, 0
	}
	for _, c := range rest[at:end] {
		digit := strings.IndexByte("0123456789abcdef", c|0x20)
		if digit < 0 || digit >= base || c < '0' {
			return 0, 0
		}
		if char = char*base + digit; char >= 0x80 {
			return 0, 0
		}
	}
	return char, end
}

func lineBreak(rest []byte) int {
	if bytes.HasPrefix(rest, []byte("\r\n")) {
		return 2
	}
	if len(rest) > 0 && rest[0] == '\n' {
		return 1
	}
	return 0
}

// escapes searches around every escape that stands for a character of a head. Most introducers introduce nothing of the kind, as
// the next byte shows.
func (s *search) escapes() {
	data := s.data
	for _, introducer := range []byte(introducers) {
		for at := 0; ; {
			next := bytes.IndexByte(data[at:], introducer)
			if next < 0 {
				break
			}
			if at += next; at+2 >= len(data) {
				break
			}
			if mayEscape(introducer, data[at+1]) {
				at = s.escape(at)
			} else {
				at++
			}
		}
	}
}

// mayEscape says whether an escape that matters may begin with introducer and next.
func mayEscape(introducer, next byte) bool {
	switch introducer {
	case '%':
		return next-'2' < 6 || next == 'u' || next == 'U'
	case '&':
		return next == '#' || next == 'a' || next == 'l' || next == 'U'
	case '=':
		return next == '5' || next == '\n' || next == '\r' // of a head, only an underscore is written so
	}
	switch next {
	case '\\', 'u', 'x', 'U', '_', '0', '1', '\n', '\r':
		return true
	}
	return false
}

// escape looks at one introducer and returns where to go on.
func (s *search) escape(at int) int {
	data := s.data
	char, width := escapeAt(data, at)
	switch {
	case width == 0 && data[at] == '\\':
		for at++; at < len(data) && data[at] == '\\'; { // their last one was looked at with the first
			at++
		}
		return at
	case width == 0:
		return at + 1
	case char == nothing && (at == 0 || at+width >= len(data) || !isWord(data[at-1]) && data[at-1] != ';'):
		return at + width // most lines go on between words
	case char != nothing && (!s.finder.inHead[char] || data[at] == '=' && char != '_'):
		return at + width
	}
	return max(s.wordAround(at), at+width)
}

// How much of a word with escapes in it is decoded at once, and how much of that again with the next part, so that no credential
// is cut.
const (
	maxDecoded  = 16 << 10
	decodedBack = 2 * secret.MaxToken
)

// wordAround decodes the word that data[at], its first escape, belongs to, searches it, and returns where to go on.
func (s *search) wordAround(at int) int {
	start := at
	for start > 0 && at-start < maxHead && isWord(s.data[start-1]) {
		start--
	}
	end, _ := s.decode(s.data, start, maxDecoded, isWord)
	s.raw = append(s.raw, end)
	m := s.finder.matcher
	for from := 0; ; {
		pos, forms := m.next(s.word, from)
		if pos < 0 {
			break
		}
		from = pos + 1
		for _, form := range forms {
			if form.encoding != Plain {
				continue
			}
			if text, public, ok := s.finder.parse(s.word[pos:]); ok {
				first, last := s.raw[pos], s.raw[pos+len(text)]
				s.hits = append(s.hits, hit{
					start: first, end: last, text: text, public: public,
					encoding: s.encodingBetween(first, last),
				})
			}
		}
	}
	if len(s.word) == maxDecoded {
		return s.raw[maxDecoded-decodedBack]
	}
	return end
}

// encodingBetween names a written form after its first escape.
func (s *search) encodingBetween(first, last int) Encoding {
	if i := bytes.IndexAny(s.data[first:last], introducers); i >= 0 {
		return encodingOf(s.data[first+i])
	}
	return Plain
}

// decode sets s.word to what data[at:] means, as far as it is made of what belongs, and s.raw to where each byte of it begins. It
// returns where the rest begins, and what the first escape begins with, 0 if there is none.
func (s *search) decode(data []byte, at, limit int, belongs func(byte) bool) (end int, introducer byte) {
	s.word, s.raw = s.word[:0], s.raw[:0]
	for at < len(data) && len(s.word) < limit {
		c, width := int(data[at]), 1
		if introduces(data[at]) {
			if c, width = escapeAt(data, at); width == 0 {
				break
			}
		}
		if c == nothing {
			if introducer == 0 {
				introducer = data[at]
			}
			at += width
			continue
		}
		if !belongs(byte(c)) { //nolint:gosec // an ASCII character or a byte of data
			break
		}
		if width > 1 && introducer == 0 {
			introducer = data[at]
		}
		s.word, s.raw = append(s.word, byte(c)), append(s.raw, at) //nolint:gosec // as above
		at += width
	}
	return at, introducer
}

// readEscapedTail reads a credential whose head, at data[pos], is plain, and what follows is not.
func (s *search) readEscapedTail(data []byte, pos int) (hit, bool) {
	h, ok := s.finder.headOf(data[pos:])
	if !ok {
		return hit{}, false
	}
	limit := tailLength
	if h.kind == secret.Access {
		limit = secret.MaxToken
	}
	end, introducer := s.decode(data, pos+len(h.text), limit, isBase62)
	if introducer == 0 {
		return hit{}, false
	}
	s.raw = append(s.raw, end)
	text, public, ok := s.finder.parse(append([]byte(h.text), s.word...))
	if !ok {
		return hit{}, false
	}
	return hit{
		start: pos, end: s.raw[len(text)-len(h.text)], text: text, public: public,
		encoding: encodingOf(introducer),
	}, true
}
