package usage

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/id"
)

const testMinute = testTime - testTime%microsPerMinute

// mixed returns events of two keys in two minutes, one of them with a charge that comes twice.
func mixed() []Event {
	at := func(minute, micros int64, change func(*Event)) Event {
		ev := *event(2)
		ev.At = testMinute + minute*microsPerMinute + micros
		change(&ev)
		return ev
	}
	charge := func(ev *Event) { ev.Charge = [16]byte{9} }
	other := func(ev *Event) { ev.Key, ev.Network, ev.Operation = "key_dddddddddddddddd", "", "POST /v1/posts" }
	return []Event{
		at(1, 0, charge),
		at(0, 5, other),
		at(0, 59_999_999, charge),
		at(0, 1, func(*Event) {}),
		at(0, 2, func(ev *Event) { ev.Key, ev.Outcome, ev.Units = "", "not_found", 0 }),
		at(1, 30, func(ev *Event) { ev.Network, ev.InQuery = "198.51.100.0/24", true }),
	}
}

func TestAggregate(t *testing.T) {
	row := func(minute int64, key id.Key, operation, outcome string, count, units int64) Row {
		ev := event(0)
		return Row{
			Minute: testMinute + minute*microsPerMinute, Team: ev.Team, App: ev.App, Key: key, API: ev.API,
			Operation: operation, Outcome: outcome, Mode: ev.Mode, Count: count, Units: units,
		}
	}
	const c, d, get, post = "key_cccccccccccccccc", "key_dddddddddddddddd", "GET /v1/forecast", "POST /v1/posts"
	want := &Batch{
		Rows: []Row{
			row(0, "", get, "not_found", 1, 0),
			row(0, c, get, "valid", 2, 4),
			row(0, d, post, "valid", 1, 2),
			row(1, c, get, "valid", 2, 4),
		},
		Charges: []Charge{
			{Digest: [16]byte{9}, App: event(0).App, At: testMinute + 59_999_999, Row: 1, Units: 2},
			{Digest: [16]byte{9}, App: event(0).App, At: testMinute + microsPerMinute, Row: 3, Units: 2},
		},
		LastUsed: []LastUse{
			{Key: c, At: testMinute + microsPerMinute + 30, Network: "198.51.100.0/24", API: "weather", Operation: get},
			{Key: d, At: testMinute + 5, API: "weather", Operation: post},
		},
		Networks: []NetworkUse{
			{Key: c, Network: "198.51.100.0/24", First: testMinute + microsPerMinute + 30, Last: testMinute + microsPerMinute + 30},
			{Key: c, Network: "203.0.113.0/24", First: testMinute + 1, Last: testMinute + microsPerMinute},
		},
		InQuery: []QueryUse{{Key: c, At: testMinute + microsPerMinute + 30, API: "weather"}},
	}
	events := mixed()
	for range 20 {
		if diff := cmp.Diff(want, Aggregate(events)); diff != "" {
			t.Fatalf("Aggregate differs (-want +got):\n%s", diff)
		}
		rand.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	}
}

func TestWithoutTakesRepeatsOut(t *testing.T) {
	one, two := *event(3), *event(5)
	one.Charge, two.Charge = [16]byte{1}, [16]byte{2}
	two.Outcome = "limited"
	b := Aggregate([]Event{one, *event(10), two})
	before := Aggregate([]Event{one, *event(10), two})
	for _, test := range []struct {
		repeats []int
		want    []Row
	}{
		{nil, b.Rows},
		{[]int{0}, Aggregate([]Event{*event(10), two}).Rows},
		{[]int{1}, Aggregate([]Event{one, *event(10)}).Rows},
		{[]int{0, 1}, Aggregate([]Event{*event(10)}).Rows},
	} {
		if diff := cmp.Diff(test.want, b.Without(test.repeats)); diff != "" {
			t.Errorf("Without(%v) differs (-want +got):\n%s", test.repeats, diff)
		}
	}
	if diff := cmp.Diff(before, b); diff != "" {
		t.Errorf("Without changed its batch (-before +after):\n%s", diff)
	}
}

// ledger is what version 1 wrote for mixed(). The database keeps such entries for ever: this must never change.
const ledger = "0104e703f5f09c0e106161616161616161616161616161616110626262626262626262626262626262620777656174686572104745" +
	"54202f76312f666f726563617374096e6f745f666f756e64046c6976650100880110636363636363636363636363636363630576616c6964" +
	"02044810646464646464646464646464646464640e504f5354202f76312f706f7374730102490110636363636363636363636363636363631" +
	"0474554202f76312f666f7265636173740204"

func TestDecodeRowsRefuses(t *testing.T) {
	rows := Aggregate(mixed()).Rows
	good := EncodeRows(rows)
	bad := func(change func([]Row)) []byte {
		changed := slices.Clone(rows)
		change(changed)
		return EncodeRows(changed)
	}
	for _, test := range []struct {
		name string
		b    []byte
	}{
		{"nothing", nil},
		{"another version", append([]byte{2}, good[1:]...)},
		{"a byte too many", append(bytes.Clone(good), 0)},
		{"more rows than it says", append([]byte{1, 3}, good[2:]...)},
		{"fewer rows than it says", append([]byte{1, 5}, good[2:]...)},
		{"a huge number of rows", append([]byte{1, 0xff, 0xff, 0xff, 0x7f}, good[2:]...)},
		{"out of order", bad(func(r []Row) { r[1], r[2] = r[2], r[1] })},
		{"a row twice", bad(func(r []Row) { r[1] = r[0] })},
		{"a row without a call", bad(func(r []Row) { r[0].Count = 0 })},
		{"a mode that is none", bad(func(r []Row) { r[3].Mode = "demo" })},
		{"an id that is none", bytes.Replace(good, []byte("dddd"), []byte("dd-d"), 1)},
		{"a field that did not change", []byte{1, 1, newOutcome | newAPI, 0, 1, 'x', 1, 0}},
		{"a short id", []byte{1, 1, newTeam | newOutcome&0x7f | 0x80, 1, 1, 'a', 1, 'x', 1, 0}},
	} {
		if got, err := DecodeRows(test.b); err == nil {
			t.Errorf("DecodeRows(%s: %x) = %+v, want an error", test.name, test.b, got)
		}
	}
	for n := range good {
		if got, err := DecodeRows(good[:n]); err == nil {
			t.Errorf("DecodeRows(first %d of %d bytes) = %+v, want an error", n, len(good), got)
		}
	}
}

// The uses of several batches are those of one with all their events, and a key that comes from everywhere takes no more room than others.
func TestTogether(t *testing.T) {
	events := mixed()
	whole := Aggregate(events)
	last, networks, inQuery := Together([]*Batch{Aggregate(events[:2]), Aggregate(events[2:4]), Aggregate(events[4:])})
	if diff := cmp.Diff(whole, &Batch{Rows: whole.Rows, Charges: whole.Charges, LastUsed: last, Networks: networks, InQuery: inQuery}); diff != "" {
		t.Errorf("Together differs (-want +got):\n%s", diff)
	}
	var batches []*Batch
	for n := range 4 {
		var many []Event
		for i := range 40 {
			ev := *event(int64(i))
			ev.At, ev.Network = testMinute, fmt.Sprintf("10.%d.%d.0/24", n, i)
			many = append(many, ev)
		}
		batches = append(batches, Aggregate(many))
	}
	if _, networks, _ := Together(batches); len(batches[0].Networks) != MaxNetworks || len(networks) != MaxNetworks {
		t.Errorf("one key has %d networks in a batch and %d together, want %d", len(batches[0].Networks), len(networks), MaxNetworks)
	}
}

func TestRowsComeBack(t *testing.T) {
	for _, want := range [][]Row{{}, Aggregate(mixed()).Rows, {{Minute: 0, Outcome: "x", Count: 1}}} {
		got, err := DecodeRows(EncodeRows(want))
		if err != nil {
			t.Errorf("DecodeRows(EncodeRows(%+v)) = %v", want, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("DecodeRows(EncodeRows) differs (-want +got):\n%s", diff)
		}
	}
}

func TestEncodedRowsStay(t *testing.T) {
	if got := hex.EncodeToString(EncodeRows(Aggregate(mixed()).Rows)); got != ledger {
		t.Errorf("EncodeRows(mixed) = %s, want %s", got, ledger)
	}
}

func FuzzDecodeRows(f *testing.F) {
	f.Add(EncodeRows(Aggregate(mixed()).Rows))
	f.Add(EncodeRows(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		rows, err := DecodeRows(b)
		if err != nil {
			return
		}
		if again := EncodeRows(rows); !bytes.Equal(again, b) {
			t.Errorf("EncodeRows(DecodeRows(%x)) = %x", b, again)
		}
	})
}
