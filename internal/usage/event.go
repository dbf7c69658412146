package usage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Limits of one event. With the bound on a segment's size they also keep sums of units within an int64.
const (
	MaxAPI       = 64                // bytes
	MaxOperation = 512               // bytes
	MaxOutcome   = 48                // bytes
	MaxNetwork   = 64                // bytes
	MaxUnits     = 1_000_000_000_000 // of one event

	maxAt = 253_402_300_800_000_000 // year 10000: what RFC 3339 can write, in microseconds
)

// Event is one decided call.
type Event struct {
	At        int64       // microseconds since 1970, UTC
	Team      id.Team     // who is billed; empty when the credential is unknown, as are the next three
	App       id.App      //
	Key       id.Key      // the credential
	User      id.User     // for whom, when a person stands behind the call
	API       string      // by name
	Operation string      // "GET /v1/forecast"; empty when none was asked
	Outcome   string      // the decision's code, such as "valid"
	Mode      secret.Mode // empty when the credential is unknown
	Units     int64       // what it cost, 0 to MaxUnits
	Charge    [16]byte    // digest of the idempotency key; zero means none
	Network   string      // where from, such as "203.0.113.0/24"; for last use only, may be empty
	InQuery   bool        // the key stood in the address of the call; for last use only
}

// Check refuses what could not be stored and read back, with an error of kind fault.Invalid.
func (ev *Event) Check() error {
	if ev.At <= 0 || ev.At >= maxAt {
		return fault.Field("at", "the time of a use must lie between 1970 and 9999")
	}
	if ev.Units < 0 || ev.Units > MaxUnits {
		return fault.Field("units", "the units of a use must be 0 to %d", int64(MaxUnits))
	}
	if ev.Mode != "" && !ev.Mode.Known() {
		return fault.Field("mode", "the mode of a use must be live or test")
	}
	if !validID(ev.Team) || !validID(ev.App) || !validID(ev.Key) || !validID(ev.User) {
		return fault.Field("credential", "a use must name its team, app, key and user by their ids")
	}
	for _, text := range [...]struct {
		field, value string
		max          int
	}{
		{"api", ev.API, MaxAPI},
		{"operation", ev.Operation, MaxOperation},
		{"outcome", ev.Outcome, MaxOutcome},
		{"network", ev.Network, MaxNetwork},
	} {
		if !validText(text.value, text.max) {
			return fault.Field(text.field, "must be at most %d bytes of printable text", text.max)
		}
	}
	if ev.Outcome == "" {
		return fault.Field("outcome", "a use must say how it ended")
	}
	return nil
}

func validID[K id.Kind](k K) bool {
	if k == "" {
		return true
	}
	_, err := id.Parse[K](string(k))
	return err == nil
}

// validText keeps out what a PostgreSQL TEXT or a CSV line would choke on long after the call was acknowledged.
func validText(text string, limit int) bool {
	if len(text) > limit {
		return false
	}
	ascii := true
	for i := range len(text) {
		c := text[i]
		if c < 0x20 || c == 0x7f {
			return false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	return ascii || utf8.ValidString(text)
}

// The first byte of an encoded event says which of the fixed-size parts follow, and what else is so. All its bits are taken.
const (
	hasTeam byte = 1 << iota
	hasApp
	hasKey
	hasUser
	hasCharge
	isLive
	isTest
	inQuery
)

// AppendEvent appends the one encoding of ev, which must have passed Check: the flags; time and units as uvarints; 16 characters
// for each id that is there; the charge if there is one; API, operation, outcome and network, each after its length.
func AppendEvent(b []byte, ev *Event) []byte {
	b = append(b, ev.flags())
	b = binary.AppendUvarint(b, uint64(ev.At))    // #nosec G115 -- Check: positive
	b = binary.AppendUvarint(b, uint64(ev.Units)) // #nosec G115 -- Check: not negative
	b = append(b, id.Chars(ev.Team)...)
	b = append(b, id.Chars(ev.App)...)
	b = append(b, id.Chars(ev.Key)...)
	b = append(b, id.Chars(ev.User)...)
	if ev.Charge != ([16]byte{}) {
		b = append(b, ev.Charge[:]...)
	}
	b = appendText(b, ev.API)
	b = appendText(b, ev.Operation)
	b = appendText(b, ev.Outcome)
	return appendText(b, ev.Network)
}

func (ev *Event) flags() byte {
	var f byte
	set := func(flag byte, is bool) {
		if is {
			f |= flag
		}
	}
	set(hasTeam, ev.Team != "")
	set(hasApp, ev.App != "")
	set(hasKey, ev.Key != "")
	set(hasUser, ev.User != "")
	set(hasCharge, ev.Charge != [16]byte{})
	set(isLive, ev.Mode == secret.Live)
	set(isTest, ev.Mode == secret.Test)
	set(inQuery, ev.InQuery)
	return f
}

// DecodeEvent reads what AppendEvent wrote into ev. It refuses every other byte string: whatever it accepts, AppendEvent turns
// back into the same bytes.
func DecodeEvent(b []byte, ev *Event) error { return decodeEvent(b, ev, nil) }

// decodeEvent shares strings through w, so that reading a segment allocates once a name and not once an event.
func decodeEvent(b []byte, ev *Event, w words) error {
	r := reader{b: b, words: w}
	flags := r.byte()
	if flags&isLive != 0 && flags&isTest != 0 {
		return fmt.Errorf("decode usage event: unknown flags %#x", flags)
	}
	*ev = Event{At: r.int(maxAt - 1), Units: r.int(MaxUnits), InQuery: flags&inQuery != 0}
	if flags&hasTeam != 0 {
		ev.Team = readID[id.Team](&r)
	}
	if flags&hasApp != 0 {
		ev.App = readID[id.App](&r)
	}
	if flags&hasKey != 0 {
		ev.Key = readID[id.Key](&r)
	}
	if flags&hasUser != 0 {
		ev.User = readID[id.User](&r)
	}
	if flags&hasCharge != 0 {
		copy(ev.Charge[:], r.take(len(ev.Charge)))
	}
	ev.API = r.text(MaxAPI)
	ev.Operation = r.text(MaxOperation)
	ev.Outcome = r.text(MaxOutcome)
	ev.Network = r.text(MaxNetwork)
	switch {
	case flags&isLive != 0:
		ev.Mode = secret.Live
	case flags&isTest != 0:
		ev.Mode = secret.Test
	}
	if err := r.end(); err != nil {
		return fmt.Errorf("decode usage event: %w", err)
	}
	if ev.At == 0 || ev.Outcome == "" || flags&hasCharge != 0 && ev.Charge == ([16]byte{}) {
		return errors.New("decode usage event: a mandatory part is empty")
	}
	return nil
}
