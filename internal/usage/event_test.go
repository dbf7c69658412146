package usage

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

func TestCheckRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Event)
	}{
		{"no time", func(ev *Event) { ev.At = 0 }},
		{"before 1970", func(ev *Event) { ev.At = -1 }},
		{"year 10000", func(ev *Event) { ev.At = maxAt }},
		{"negative units", func(ev *Event) { ev.Units = -1 }},
		{"too many units", func(ev *Event) { ev.Units = MaxUnits + 1 }},
		{"mode", func(ev *Event) { ev.Mode = "demo" }},
		{"team", func(ev *Event) { ev.Team = "team_short" }},
		{"app of another kind", func(ev *Event) { ev.App = "key_bbbbbbbbbbbbbbbb" }},
		{"key", func(ev *Event) { ev.Key = "key_cccccccccccccc-c" }},
		{"user", func(ev *Event) { ev.User = "ada" }},
		{"no outcome", func(ev *Event) { ev.Outcome = "" }},
		{"long outcome", func(ev *Event) { ev.Outcome = strings.Repeat("x", MaxOutcome+1) }},
		{"long API", func(ev *Event) { ev.API = strings.Repeat("x", MaxAPI+1) }},
		{"long operation", func(ev *Event) { ev.Operation = strings.Repeat("x", MaxOperation+1) }},
		{"long network", func(ev *Event) { ev.Network = strings.Repeat("x", MaxNetwork+1) }},
		{"NUL", func(ev *Event) { ev.Operation = "GET /\x00" }},
		{"line feed", func(ev *Event) { ev.Network = "a\nb" }},
		{"not UTF-8", func(ev *Event) { ev.API = "\xff" }},
	} {
		ev := event(1)
		test.change(ev)
		if err := ev.Check(); !fault.Is(err, fault.Invalid) {
			t.Errorf("Check with %s = %v, want an error of kind %s", test.name, err, fault.Invalid)
		}
	}
}

func TestDecodeEventRefuses(t *testing.T) {
	full := AppendEvent(nil, randomEvent())
	live := AppendEvent(nil, event(1))
	bare := AppendEvent(nil, &Event{At: 1, Outcome: "missing"})
	for _, test := range []struct {
		name string
		b    []byte
	}{
		{"nothing", nil},
		{"a byte too many", append(bytes.Clone(full), 0)},
		{"two modes", append([]byte{isLive | isTest}, bare[1:]...)},
		{"a time in two ways", append([]byte{0, 0x81, 0}, bare[2:]...)},
		{"no time", append([]byte{0, 0}, bare[2:]...)},
		{"units beyond their limit", append([]byte{0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, bare[3:]...)},
		{"an id that is none", bytes.Replace(live, []byte("cccc"), []byte("cc-c"), 1)},
		{"a charge of zeros", append(append([]byte{hasCharge, 1, 0}, make([]byte, 16)...), bare[3:]...)},
		{"an empty outcome", []byte{0, 1, 0, 0, 0, 0, 0}},
		{"a length beyond the end", []byte{0, 1, 0, 0, 0, 9, 'x', 0}},
	} {
		var ev Event
		if err := DecodeEvent(test.b, &ev); err == nil {
			t.Errorf("DecodeEvent(%s: %x) = %+v, want an error", test.name, test.b, ev)
		}
	}
	for n := range full {
		var ev Event
		if err := DecodeEvent(full[:n], &ev); err == nil {
			t.Errorf("DecodeEvent(first %d of %d bytes) = %+v, want an error", n, len(full), ev)
		}
	}
}

func TestEventComesBack(t *testing.T) {
	test := event(0)
	test.Mode, test.API = "test", "wörld"
	queried := event(1)
	queried.InQuery = true
	for _, want := range []*Event{event(1), randomEvent(), test, queried, {At: 1, Outcome: "malformed"}, {At: maxAt - 1, Units: MaxUnits, Outcome: "x"}} {
		if err := want.Check(); err != nil {
			t.Fatalf("Check(%+v) = %v", want, err)
		}
		got := Event{Operation: "left over"}
		if err := DecodeEvent(AppendEvent(nil, want), &got); err != nil {
			t.Errorf("DecodeEvent(AppendEvent(%+v)) = %v", want, err)
		} else if diff := cmp.Diff(*want, got); diff != "" {
			t.Errorf("DecodeEvent(AppendEvent) differs (-want +got):\n%s", diff)
		}
	}
}

func TestLargestEventFitsARecord(t *testing.T) {
	ev := randomEvent()
	ev.At, ev.Units = maxAt-1, MaxUnits
	ev.API, ev.Operation = strings.Repeat("x", MaxAPI), strings.Repeat("x", MaxOperation)
	ev.Outcome, ev.Network = strings.Repeat("x", MaxOutcome), strings.Repeat("x", MaxNetwork)
	if err := ev.Check(); err != nil {
		t.Fatal(err)
	}
	if n := len(AppendEvent(nil, ev)); n > maxEvent {
		t.Errorf("the largest event has %d bytes, want at most %d", n, maxEvent)
	}
	if n := len(AppendEvent(nil, &Event{At: 1, Outcome: "x"})); n != minEvent {
		t.Errorf("the smallest event has %d bytes, want %d", n, minEvent)
	}
}

func FuzzDecodeEvent(f *testing.F) {
	f.Add(AppendEvent(nil, randomEvent()))
	f.Add(AppendEvent(nil, &Event{At: 1, Outcome: "x"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var ev Event
		if DecodeEvent(b, &ev) != nil {
			return
		}
		if err := ev.Check(); err != nil {
			t.Errorf("DecodeEvent(%x) gave what Check refuses: %v", b, err)
		}
		if again := AppendEvent(nil, &ev); !bytes.Equal(again, b) {
			t.Errorf("AppendEvent(DecodeEvent(%x)) = %x", b, again)
		}
	})
}
