package scan

import (
	"bytes"
	"regexp"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// AllowMark on the line of a finding, at most allowReach bytes from it, says that it is meant to be there. Minified files are
// one line: a mark does not speak for all of it.
const AllowMark = "lanyard:allow"

const allowReach = 1024

// place counts lines and columns on the way through a text.
type place struct {
	line, column int // of the byte that comes next, from 0
	wide         wideness
}

type wideness int

const (
	narrow wideness = iota
	little
	big
)

// newPlace stands at the beginning of data, by whose first characters UTF-16 is told.
func newPlace(data []byte) place {
	p := place{}
	if len(data) < 2 {
		return p
	}
	switch {
	case data[0] == 0xff && data[1] == 0xfe, data[0] != 0 && data[1] == 0:
		p.wide = little
	case data[0] == 0xfe && data[1] == 0xff, data[0] == 0 && data[1] != 0:
		p.wide = big
	}
	return p
}

// walk goes over data[from:to], in UTF-16 to the unit that begins at or before to, and returns where it stands.
func (p *place) walk(data []byte, from, to int) int {
	if p.wide != narrow {
		to &^= 1
	}
	if to <= from {
		return from
	}
	p.advance(data[from:to])
	return to
}

// advance goes over data, which in UTF-16 is whole units.
func (p *place) advance(data []byte) {
	if p.wide != narrow {
		p.advanceWide(data)
		return
	}
	if last := bytes.LastIndexByte(data, '\n'); last >= 0 {
		p.line += bytes.Count(data[:last+1], []byte{'\n'})
		p.column = 0
		data = data[last+1:]
	}
	for _, c := range data {
		if c&0xc0 != 0x80 {
			p.column++
		}
	}
}

func (p *place) advanceWide(data []byte) {
	low, high := 0, 1
	if p.wide == big {
		low, high = 1, 0
	}
	for i := 0; i+1 < len(data); i += 2 {
		p.column++
		if data[i+low] == '\n' && data[i+high] == 0 {
			p.line++
			p.column = 0
		}
	}
}

// finding describes a hit in data that begins where p stands; base is the offset of data.
func (p *place) finding(data []byte, h hit, base int64) Finding {
	return Finding{
		Kind: h.public.Kind, Mode: h.public.Mode, ID: h.public.ID,
		Offset: base + int64(h.start), Line: p.line + 1, Column: p.column + 1, Encoding: h.encoding, Variable: variable(data[:h.start]),
		Credential: secret.Of(h.text),
		Allowed:    allowed(data, h),
	}
}

// assigned is the last name on a line that something is assigned to: `API_KEY = "`, `"apiKey": "`, `export KEY='`.
var assigned = regexp.MustCompile(`(?:^|[^A-Za-z0-9_.-])([A-Za-z_][A-Za-z0-9_.-]{0,39})["']?(?:\s*:\s*[A-Za-z&'* ]{1,20})?\s*(?::=|=>|=|:)\s*[rbfuq@#($&{<]{0,3}["'\x60\[({]{0,4}$`)

// variable returns what a credential after this text is assigned to. What might be a secret itself, by its digits, is no name.
func variable(before []byte) string {
	before = before[max(0, len(before)-variableReach):]
	before = before[bytes.LastIndexByte(before, '\n')+1:]
	found := assigned.FindSubmatch(before)
	if found == nil {
		return ""
	}
	digits := 0
	for _, c := range found[1] {
		if c-'0' < 10 {
			digits++
		}
	}
	if digits > 2 {
		return ""
	}
	return string(found[1])
}

const variableReach = 160

// allowed says whether AllowMark stands on a line of the hit.
func allowed(data []byte, h hit) bool {
	before := data[max(0, h.start-allowReach):h.start]
	before = before[bytes.LastIndexByte(before, '\n')+1:]
	after := data[h.end:min(len(data), h.end+allowReach)]
	if end := bytes.IndexByte(after, '\n'); end >= 0 {
		after = after[:end]
	}
	for _, mark := range []string{AllowMark, widen(AllowMark)} {
		if bytes.Contains(before, []byte(mark)) || bytes.Contains(after, []byte(mark)) {
			return true
		}
	}
	return false
}
