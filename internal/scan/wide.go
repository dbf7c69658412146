package scan

// maxWritten is how many bytes of written form a credential may take: 1,200 characters of up to ten bytes each.
const maxWritten = 16 << 10

// readWide reads UTF-16 text from the low half of its first character, data[pos].
func (s *search) readWide(data []byte, pos int) (hit, bool) {
	var text []byte
	end := pos
	for end < len(data) && data[end] != 0 && data[end] < 0x80 && len(text) < maxWritten/2 {
		if len(text) > maxHead && !isBase62(data[end]) && !introduces(data[end]) {
			break
		}
		text = append(text, data[end])
		end += 2
		if end-1 < len(data) && data[end-1] != 0 {
			break
		}
	}
	inner, ok := s.readPlain(text, 0)
	if !ok {
		return hit{}, false
	}
	h := hit{start: pos, end: min(pos+2*inner.end, len(data)), text: inner.text, public: inner.public, encoding: UTF16LE}
	if bigEndian(data, pos, h.end) {
		h.start, h.end, h.encoding = h.start-1, h.end-1, UTF16BE
	}
	h.encoding = nest(h.encoding, inner.encoding)
	return h, true
}

// bigEndian says whether the low halves are the second ones. With zeros on both sides, as in a file of nothing but ASCII, that
// is told by where the text stands: a file begins with a whole character.
func bigEndian(data []byte, low, end int) bool {
	if low == 0 || data[low-1] != 0 {
		return false
	}
	if end-1 < len(data) && data[end-1] != 0 {
		return true
	}
	return low%2 == 1
}

func nest(outer, inner Encoding) Encoding {
	if inner == Plain {
		return outer
	}
	return outer + "/" + inner
}
