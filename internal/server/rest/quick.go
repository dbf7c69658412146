package rest

import (
	"github.com/lanyard-auth/lanyard"
)

// quickDecode reads the request that nearly everybody sends: a flat object of plain strings, and true or false for
// dry_run. It reports whether it understood the whole body. Whatever else there is (escapes, other characters than ASCII,
// numbers, arrays, names it does not know, a name given twice) is left to web.DecodeStrict, which accepts or refuses it with
// reasons; a fuzz test holds that the two agree on all that quickDecode accepts.
func quickDecode(body []byte, in *lanyard.VerifyRequest) bool {
	p := quick{text: string(body)}
	if !p.byte('{') {
		return false
	}
	var seen uint32
	for first := true; ; first = false {
		p.space()
		if p.byte('}') && (first || seen != 0) {
			break
		}
		if !first && !(p.byte(',') && p.spaced()) {
			return false
		}
		name, ok := p.string()
		if !ok {
			return false
		}
		p.space()
		if !p.byte(':') {
			return false
		}
		p.space()
		field, bit := fieldOf(in, name)
		if seen&bit != 0 {
			return false
		}
		seen |= bit
		switch {
		case field != nil:
			if *field, ok = p.string(); !ok {
				return false
			}
		case name == "dry_run":
			if in.DryRun, ok = p.bool(); !ok {
				return false
			}
		default:
			return false
		}
	}
	p.space()
	return p.at == len(p.text)
}

// fieldOf is where a string member goes, with a bit of its own. Names without a string have only a bit.
func fieldOf(in *lanyard.VerifyRequest, name string) (*string, uint32) {
	switch name {
	case "credential":
		return &in.Credential, 1 << 0
	case "api":
		return &in.API, 1 << 1
	case "operation":
		return &in.Operation, 1 << 2
	case "method":
		return &in.Method, 1 << 3
	case "path":
		return &in.Path, 1 << 4
	case "ip":
		return &in.IP, 1 << 5
	case "origin":
		return &in.Origin, 1 << 6
	case "mode":
		return &in.Mode, 1 << 7
	case "idempotency_key":
		return &in.IdempotencyKey, 1 << 8
	case "consistency":
		return &in.Consistency, 1 << 9
	case "api_key":
		return &in.APIKey, 1 << 10
	case "key_in":
		return &in.KeyIn, 1 << 12
	}
	return nil, 1 << 11 // dry_run; anything else is not understood
}

// quick reads plain JSON from a text, of which its strings are parts.
type quick struct {
	text string
	at   int
}

func (p *quick) byte(c byte) bool {
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *quick) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return
		}
	}
}

func (p *quick) spaced() bool {
	p.space()
	return true
}

func (p *quick) string() (string, bool) {
	if !p.byte('"') {
		return "", false
	}
	for start := p.at; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return p.text[start : p.at-1], true
		case c < 0x20 || c == '\\' || c >= 0x7f:
			return "", false
		}
	}
	return "", false
}

func (p *quick) bool() (value, ok bool) {
	for _, word := range [2]string{"true", "false"} {
		if len(p.text)-p.at >= len(word) && p.text[p.at:p.at+len(word)] == word {
			p.at += len(word)
			return word == "true", true
		}
	}
	return false, false
}
