package usage

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// TestMain lets a test start this binary again as a process that may be limited or killed.
func TestMain(m *testing.M) {
	switch dir := os.Getenv("USAGE_TEST_DIR"); os.Getenv("USAGE_TEST_CHILD") {
	case "record":
		must(recordUntilKilled(dir))
	case "full":
		must(recordUntilFull(dir))
	default:
		os.Exit(m.Run())
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const (
	testNode = id.Node("node_0123456789abcdef")
	testTime = int64(1_790_000_000_000_000) // a moment in 2026
)

// event returns a use that is told from others by its units.
func event(units int64) *Event {
	return &Event{
		At: testTime, Team: "team_aaaaaaaaaaaaaaaa", App: "app_bbbbbbbbbbbbbbbb", Key: "key_cccccccccccccccc",
		API: "weather", Operation: "GET /v1/forecast", Outcome: "valid", Mode: secret.Live, Units: units, Network: "203.0.113.0/24",
	}
}

func openSpool(t testing.TB, dir string, change func(*Options)) *Spool {
	t.Helper()
	opts := Options{Dir: dir, Node: testNode, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&opts)
	}
	s, err := Open(opts)
	if err != nil {
		t.Fatalf("Open(%s) = %v", dir, err)
	}
	t.Cleanup(func() {
		_ = s.Close() // a second close, or one on a disk that fails on purpose
	})
	return s
}

func record(t testing.TB, r Recorder, units ...int64) {
	t.Helper()
	for _, n := range units {
		if err := r.Record(event(n)); err != nil {
			t.Fatalf("Record(%d) = %v", n, err)
		}
	}
}

// waiting returns the units of everything that waits to be absorbed, in order.
func waiting(t testing.TB, s *Spool) []int64 {
	t.Helper()
	var units []int64
	for _, g := range s.Sealed() {
		if _, err := g.Read(func(ev *Event) error {
			units = append(units, ev.Units)
			return nil
		}); err != nil {
			t.Fatalf("%s.Read = %v", g, err)
		}
	}
	return units
}

// memory is a database that keeps the contract of Store.
type memory struct {
	mu      sync.Mutex
	markers map[Marker][32]byte // without its sum → its sum
	batches []*Batch
	lots    []int        // how many segments were offered at once, each time
	fail    func() error // asked before anything is written; nil means never
	late    func() error // asked after the commit: an answer that got lost
}

func (m *memory) AbsorbUsage(ctx context.Context, k Marker, b *Batch) (bool, error) {
	absorbed, err := m.AbsorbSegments(ctx, []Counted{{k, b}})
	return absorbed != nil && absorbed[0], err
}

func (m *memory) AbsorbSegments(_ context.Context, segments []Counted) (absorbed []bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lots = append(m.lots, len(segments))
	if m.fail != nil {
		if err := m.fail(); err != nil {
			return nil, err
		}
	}
	for _, one := range segments {
		old, there := m.markers[one.identity()]
		if there && old != one.SHA256 {
			return nil, ErrMarkerConflict
		}
		absorbed = append(absorbed, !there)
	}
	if m.markers == nil {
		m.markers = map[Marker][32]byte{}
	}
	for i, one := range segments {
		if absorbed[i] {
			m.markers[one.identity()] = one.SHA256
			m.batches = append(m.batches, one.Batch)
		}
	}
	if m.late != nil && slices.Contains(absorbed, true) {
		return absorbed, m.late()
	}
	return absorbed, nil
}

// identity is the marker without its sum.
func (m Marker) identity() Marker {
	m.SHA256 = [32]byte{}
	return m
}

// total returns the calls and units counted.
func (m *memory) total() (count, units int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.batches {
		for _, r := range b.Rows {
			count += r.Count
			units += r.Units
		}
	}
	return count, units
}

func randomEvent() *Event {
	ev := event(7)
	ev.User = id.New[id.User]()
	_, _ = rand.Read(ev.Charge[:]) // never fails
	return ev
}
