package factor

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// cost is what one argon2id hash costs.
type cost struct {
	memory  uint32 // KiB
	time    uint32 // passes
	threads uint8
}

// current is the cost of new hashes: the second of the settings that OWASP's Password Storage Cheat Sheet calls equal.
// Older ones are replaced at the next login.
var current = cost{memory: 19 << 10, time: 2, threads: 1} //nolint:gochecknoglobals // a constant that Go cannot write as such

// Bounds on what a stored hash may ask for. The database is not trusted to set the work: a row that asked for 4 GiB would
// take the server down.
const (
	maxMemory  = 64 << 10 // KiB
	maxTime    = 8
	maxThreads = 4
	saltSize   = 16
	tagSize    = 32
	maxPHC     = 128 // bytes; what format makes is shorter
)

// phc is a stored hash, read.
type phc struct {
	cost
	salt [saltSize]byte
	tag  [tagSize]byte
}

var errPHC = errors.New("a stored password hash is not one that Lanyard made")

// format returns the PHC text: $argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag>, with base64 that has no padding.
func (p phc) format() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", p.memory, p.time, p.threads, b64.EncodeToString(p.salt[:]), b64.EncodeToString(p.tag[:]))
}

// parsePHC accepts only what format makes, within the bounds.
func parsePHC(text string) (phc, error) {
	var p phc
	rest, ok := strings.CutPrefix(text, "$argon2id$v=19$")
	parts := strings.Split(rest, "$")
	if !ok || len(text) > maxPHC || len(parts) != 3 {
		return phc{}, errPHC
	}
	params := strings.Split(parts[0], ",")
	if len(params) != 3 {
		return phc{}, errPHC
	}
	memory, okM := number(params[0], "m=", maxMemory)
	time, okT := number(params[1], "t=", maxTime)
	threads, okP := number(params[2], "p=", maxThreads)
	okS, okH := unbase64(p.salt[:], parts[1]), unbase64(p.tag[:], parts[2])
	if !okM || !okT || !okP || !okS || !okH || memory < 8*threads { // RFC 9106 section 3.1
		return phc{}, errPHC
	}
	p.cost = cost{memory: uint32(memory), time: uint32(time), threads: uint8(threads)} //nolint:gosec // each is within its bound
	if p.format() != text {
		return phc{}, errPHC
	}
	return p, nil
}

// number reads "m=19456".
func number(text, name string, most uint64) (uint64, bool) {
	digits, ok := strings.CutPrefix(text, name)
	n, err := strconv.ParseUint(digits, 10, 32)
	return n, ok && err == nil && n >= 1 && n <= most
}

// unbase64 fills into exactly.
func unbase64(into []byte, text string) bool {
	b64 := base64.RawStdEncoding.Strict()
	if len(text) != b64.EncodedLen(len(into)) {
		return false
	}
	n, err := b64.Decode(into, []byte(text))
	return err == nil && n == len(into)
}
