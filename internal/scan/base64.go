package scan

import (
	"bytes"
	"encoding/binary"
)

// readBase64 decodes around data[pos], the first character that stands for nothing but a head; offset says where among three
// bytes the head begins.
func (s *search) readBase64(data []byte, pos, offset, layers int) (hit, bool) {
	d, ok := beforeHead(data, pos, offset)
	if !ok {
		return hit{}, false
	}
	d.read(data, pos)
	m := s.finder.matcher
	near := d.text[:min(len(d.text), m.length+leadBytes+1)]
	for at := 0; ; {
		inner, forms := m.next(near, at)
		if inner < 0 {
			return hit{}, false
		}
		for _, form := range forms {
			if h, ok := s.readAt(d.text, inner, form, layers+1); ok {
				h.encoding = nest(Base64, h.encoding)
				h.start, h.end = d.raw[h.start], d.end
				return h, true
			}
		}
		at = inner + 1
	}
}

// decoding is what base64 stands for, as far as it was read.
type decoding struct {
	bits, count uint // read, and not yet a byte
	text        []byte
	raw         []int // where each byte begins
	begins      int   // where the next byte begins
	end         int   // of what was read
}

// leadBytes is how many bytes before a head are decoded with it, where they are there: a head in base64 that is in base64 again
// needs what comes before it.
const leadBytes = 3

// beforeHead decodes what stands before a head: whole bytes of it, or else the bits of its own that share a character with them.
func beforeHead(data []byte, pos, offset int) (decoding, bool) {
	var d decoding
	want := [...]int{4, 2, 3}[offset] // to where four characters are three bytes
	chars := make([]int, 0, want)     // back from pos
	for i := pos; len(chars) < want; {
		if i = charBefore(data, i); i < 0 || !isBase64(data[i]) {
			break
		}
		chars = append(chars, i)
	}
	d.text, d.raw = make([]byte, 0, 96), make([]int, 0, 96)
	switch {
	case len(chars) == want:
		for i := len(chars) - 1; i >= 0; i-- {
			d.add(data, chars[i])
		}
	case offset == 0:
	case len(chars) == 0:
		return d, false
	default:
		d.count = [...]uint{0, 4, 2}[offset]
		value, _ := sextet(data[chars[0]])
		d.bits, d.begins = value&(1<<d.count-1), chars[0]
	}
	return d, true
}

// add decodes the character data[i].
func (d *decoding) add(data []byte, i int) bool {
	value, ok := sextet(data[i])
	if !ok {
		return false
	}
	if d.count == 0 {
		d.begins = i
	}
	d.bits, d.count = d.bits<<6|value, d.count+6
	if d.count >= 8 {
		d.count -= 8
		d.text, d.raw = append(d.text, byte(d.bits>>d.count)), append(d.raw, d.begins) //nolint:gosec // the low eight bits are meant
		d.begins = i
		d.bits &= 1<<d.count - 1
	}
	return true
}

// read decodes from data[i] to where no credential can go on.
func (d *decoding) read(data []byte, i int) {
	for i < len(data) && len(d.text) < maxWritten {
		if d.add(data, i) {
			i++
			// A head is over by now, even in UTF-16 and in base64: what belongs to none of them ends the credential.
			if n := len(d.text); n > 2*maxHead+leadBytes+1 && !goesOn(d.text[n-1]) {
				break
			}
			continue
		}
		n := breakAt(data, i)
		if n == 0 {
			break
		}
		i += n
	}
	d.end = i
}

// goesOn says whether a credential in some form, after its head, may go on with c.
func goesOn(c byte) bool {
	return isBase62(c) || c == 0 || introduces(c) || c == '\n' || c == '\r' || c == ' ' || c == '\t'
}

// sextet returns the six bits that a character of either alphabet stands for.
func sextet(c byte) (uint, bool) {
	switch {
	case c-'A' < 26:
		return uint(c - 'A'), true
	case c-'a' < 26:
		return uint(c-'a') + 26, true
	case c-'0' < 10:
		return uint(c-'0') + 52, true
	case c == '+' || c == '-':
		return 62, true
	case c == '/' || c == '_':
		return 63, true
	}
	return 0, false
}

// breakAt returns how long the line break at data[i] is, with the next line's indent: "\n", "\r\n", or the two written as JSON
// and string literals do. 0 if there is none.
func breakAt(data []byte, i int) int {
	end := i
	for _, written := range [...]string{"\r", `\r`, "\n", `\n`} {
		if bytes.HasPrefix(data[end:], []byte(written)) {
			end += len(written)
		}
	}
	if end == i {
		return 0
	}
	for end < len(data) && (data[end] == ' ' || data[end] == '\t') {
		end++
	}
	return end - i
}

// charBefore returns where the character before data[pos] stands, over a line break; -1 if there is none.
func charBefore(data []byte, pos int) int {
	i := pos
	for i > 0 && (data[i-1] == ' ' || data[i-1] == '\t') {
		i--
	}
	before := data[:i]
	for _, written := range [...]string{`\n`, "\n", `\r`, "\r"} {
		before = bytes.TrimSuffix(before, []byte(written))
	}
	if len(before) == i && i < pos { // blanks, and no line break before them
		return -1
	}
	return len(before) - 1
}

// foldSide is how many characters on either side of a line break may belong to what is searched for.
const foldSide = 24

// minFold is the narrowest line that base64 is taken to be broken into. Mail has 76, PEM 64, GitHub's API 60.
const minFold = 40

// breaks looks where lines of base64 are broken: the matcher does not see a head that a break cuts in two. A line of minFold
// characters holds eight of them at a multiple of stride, so looking there, at all eight at once, suffices.
func (s *search) breaks() {
	data, isBase64 := s.data, &s.finder.isBase64
	known := 0 // what was looked at
	for at := 0; at+8 <= len(data); at += stride {
		if at < known || anyBelow(binary.LittleEndian.Uint64(data[at:])) {
			continue
		}
		begin, end := at, at
		for begin > known && isBase64[data[begin-1]] {
			begin--
		}
		for end < len(data) && isBase64[data[end]] {
			end++
		}
		if known = end; end-begin >= minFold {
			s.seam(end)
		}
	}
}

const stride = minFold - 8

// anyBelow says whether any of eight bytes lies below all of base64's: a blank, a line break, a quote, a round bracket.
func anyBelow(word uint64) bool {
	const lowest, high = 0x2b2b2b2b2b2b2b2b, 0x8080808080808080
	return (word-lowest)&^word&high != 0
}

// seam looks across the break at data[end], before which a line of base64 stands, if it is one.
func (s *search) seam(end int) {
	data := s.data
	after := end + breakAt(data, end)
	if after == end || after >= len(data) || !isBase64(data[after]) {
		return
	}
	s.fold, s.origin = s.fold[:0], s.origin[:0]
	for i := end - foldSide; i < end; i++ {
		s.fold, s.origin = append(s.fold, data[i]), append(s.origin, i)
	}
	for i := after; i < len(data) && len(s.fold) < 2*foldSide; i++ {
		if !isBase64(data[i]) {
			n := breakAt(data, i)
			if n == 0 {
				break
			}
			i += n - 1
			continue
		}
		s.fold, s.origin = append(s.fold, data[i]), append(s.origin, i)
	}
	for at := 0; ; {
		pos, forms := s.finder.matcher.next(s.fold, at)
		if pos < 0 {
			return
		}
		for _, form := range forms {
			if form.encoding != Base64 {
				continue
			}
			if h, ok := s.readBase64(data, s.origin[pos], form.offset, 0); ok {
				s.hits = append(s.hits, h)
			}
		}
		at = pos + 1
	}
}

func isBase64(c byte) bool {
	_, ok := sextet(c)
	return ok
}
