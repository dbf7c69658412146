package scan

import (
	"encoding/base64"
	"encoding/binary"
)

// form is how a needle is written, and where its first byte stands among three when that is base64.
type form struct {
	encoding Encoding // Plain, UTF16LE (the bytes of UTF16BE are the same but for the first) or Base64
	offset   int      // 0, 1 or 2
}

// needlesFor returns the heads in every form that is searched for directly.
func needlesFor(heads []head) map[string][]form {
	needles := map[string][]form{}
	add := func(text string, f form) {
		for _, known := range needles[text] {
			if known == f {
				return
			}
		}
		needles[text] = append(needles[text], f)
	}
	addBase64 := func(text string) (written [3]string) {
		for offset := range 3 {
			written[offset] = inBase64(text, offset)
			add(written[offset], form{Base64, offset})
		}
		return written
	}
	for _, h := range heads {
		wide := widen(h.text)
		add(h.text, form{encoding: Plain})
		add(wide, form{encoding: UTF16LE})
		addBase64(wide)
		for _, once := range addBase64(h.text) {
			addBase64(once)
		}
	}
	return needles
}

// inBase64 returns the characters that stand for text alone, wherever it begins offset bytes (mod 3) into what is encoded.
func inBase64(text string, offset int) string {
	all := base64.RawStdEncoding.EncodeToString(append(make([]byte, offset), text...))
	first := (offset*8 + 5) / 6
	last := (offset + len(text)) * 8 / 6
	return all[first:last]
}

// widen returns text in UTF-16, from the first byte that is not zero to the last.
func widen(text string) string {
	wide := make([]byte, 0, 2*len(text))
	for i := range len(text) {
		wide = append(wide, text[i], 0)
	}
	return string(wide[:len(wide)-1])
}

// matcher finds the first characters of many needles at once (Wu and Manber, 1994): it looks at four bytes and skips as far as
// no needle can end. How far it skips at most is how long the shortest needle is, so each is cut to that length.
type matcher struct {
	length  int
	skip    [1 << blockBits]uint8
	needles map[uint32][]needle // by the hash of their last four bytes
}

type needle struct {
	text  string
	forms []form
}

const (
	block     = 4
	blockBits = 15
)

func hashBlock(x uint32) uint32 { return x * 0x9E3779B1 >> (32 - blockBits) }

func newMatcher(needles map[string][]form) *matcher {
	m := &matcher{length: 255, needles: map[uint32][]needle{}}
	for text := range needles {
		m.length = min(m.length, len(text))
	}
	for i := range m.skip {
		m.skip[i] = uint8(m.length - block + 1) //nolint:gosec // at most 255
	}
	cut := map[string][]form{}
	for text, forms := range needles {
		cut[text[:m.length]] = append(cut[text[:m.length]], forms...)
	}
	for text, forms := range cut {
		for end := block; end <= m.length; end++ {
			h := hashBlock(binary.LittleEndian.Uint32([]byte(text[end-block : end])))
			m.skip[h] = min(m.skip[h], uint8(m.length-end)) //nolint:gosec // at most 255
			if end == m.length {
				m.needles[h] = append(m.needles[h], needle{text, distinctForms(forms)})
			}
		}
	}
	return m
}

func distinctForms(forms []form) []form {
	var kept []form
next:
	for _, f := range forms {
		for _, k := range kept {
			if k == f {
				continue next
			}
		}
		kept = append(kept, f)
	}
	return kept
}

// next returns the first place at or after at where a needle's first characters stand, and in which forms; -1 if there is none.
func (m *matcher) next(data []byte, at int) (pos int, forms []form) {
	for end := at + m.length; end <= len(data); {
		h := hashBlock(binary.LittleEndian.Uint32(data[end-block : end]))
		if skip := m.skip[h]; skip != 0 {
			end += int(skip)
			continue
		}
		for _, n := range m.needles[h] {
			if string(data[end-m.length:end]) == n.text {
				return end - m.length, n.forms
			}
		}
		end++
	}
	return -1, nil
}

// match is where a needle's first characters stand.
type match struct {
	pos   int
	forms []form
}

// all appends every match to found. It goes through four quarters at once: one alone would wait for memory at every step, since
// where it looks next depends on what it sees.
func (m *matcher) all(data []byte, found []match) []match {
	const lanes = 4
	quarter := len(data) / lanes
	var at, end [lanes]int // where blocks end, and the last place where one may
	for i := range lanes {
		at[i], end[i] = i*quarter+m.length, (i+1)*quarter+m.length-1
	}
	end[lanes-1] = len(data)
	if quarter > 2*m.length {
		a, b, c, d := at[0], at[1], at[2], at[3]
		for a <= end[0] && b <= end[1] && c <= end[2] && d <= end[3] {
			sa, sb, sc, sd := m.skipAt(data, a), m.skipAt(data, b), m.skipAt(data, c), m.skipAt(data, d)
			if sa == 0 {
				found, sa = m.check(data, a, found), 1
			}
			if sb == 0 {
				found, sb = m.check(data, b, found), 1
			}
			if sc == 0 {
				found, sc = m.check(data, c, found), 1
			}
			if sd == 0 {
				found, sd = m.check(data, d, found), 1
			}
			a, b, c, d = a+sa, b+sb, c+sc, d+sd
		}
		at = [lanes]int{a, b, c, d}
	} else {
		at[0], at[1], end[0], end[1] = m.length, 1, len(data), 0
		at[2], at[3], end[2], end[3] = 1, 1, 0, 0
	}
	for i := range lanes {
		for at[i] <= end[i] {
			skip := m.skipAt(data, at[i])
			if skip == 0 {
				found, skip = m.check(data, at[i], found), 1
			}
			at[i] += skip
		}
	}
	return found
}

func (m *matcher) skipAt(data []byte, end int) int {
	return int(m.skip[hashBlock(binary.LittleEndian.Uint32(data[end-block:end]))])
}

// check appends what matches and ends at data[:end].
func (m *matcher) check(data []byte, end int, found []match) []match {
	begin := end - m.length
	for _, n := range m.needles[hashBlock(binary.LittleEndian.Uint32(data[end-block:end]))] {
		if string(data[begin:end]) == n.text {
			return append(found, match{begin, n.forms})
		}
	}
	return found
}
