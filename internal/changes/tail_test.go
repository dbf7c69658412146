package changes

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// memory is a log of changes in memory, honest about what the store promises. Package storetest holds the real one to it.
type memory struct {
	Store
	mu      sync.Mutex
	entries []Entry // revision n stands at n-1-trimmed
	trimmed int
	revoked []Revoked
	now     time.Time
	err     error
	polls   int
}

func (m *memory) add(kind Kind, entity string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := id.Revision(len(m.entries) + m.trimmed + 1)
	m.entries = append(m.entries, Entry{Revision: n, Tag: int64(n)*7 + m.now.Unix(), Kind: kind, ID: entity})
}

func (m *memory) head() (id.Revision, int64) {
	if len(m.entries) == 0 {
		return id.Revision(m.trimmed), 0
	}
	last := m.entries[len(m.entries)-1]
	return last.Revision, last.Tag
}

func (m *memory) Poll(_ context.Context, b Beat) (Head, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.polls++
	h := Head{Now: m.now, Nodes: 2}
	h.Revision, _ = m.head()
	for _, e := range m.entries {
		if e.Revision == b.Applied {
			h.Tag = e.Tag
		}
	}
	return h, m.err
}

func (m *memory) ChangesSnapshot(context.Context) (Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := Snapshot{Revocations: m.revoked, Now: m.now}
	s.Revision, s.Tag = m.head()
	return s, m.err
}

func (m *memory) ChangesAfter(_ context.Context, after id.Revision, limit int) ([]Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []Entry
	for _, e := range m.entries {
		if e.Revision > after && len(found) < limit {
			found = append(found, e)
		}
	}
	return found, m.err
}

func (m *memory) RevocationsOf(context.Context, []string) ([]Revoked, error) { return m.revoked, m.err }

// listener notes what it is told.
type listener struct{ told []string }

func (l *listener) Invalidate(kind Kind, entity string, _ id.Revision) {
	l.told = append(l.told, string(kind)+" "+entity)
}
func (l *listener) Reset() { l.told = append(l.told, "reset") }

func newTail(t *testing.T) (*Tail, *memory, *listener) {
	t.Helper()
	m := &memory{now: time.Unix(1_800_000_000, 0)}
	l := &listener{}
	tail := &Tail{
		Store: m, Listener: l, MaxStaleness: 750 * time.Millisecond, MaxSkew: 500 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { m.mu.Lock(); defer m.mu.Unlock(); return m.now },
	}
	if tail.Fresh(tail.Now()) || tail.Ready() == nil {
		t.Error("a tail that has not started is fresh, want it not ready")
	}
	if err := tail.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.told = nil
	return tail, m, l
}

func TestTailApplies(t *testing.T) {
	tail, m, l := newTail(t)
	m.add(Key, "key_1")
	m.add(App, "app_1")
	if got := tail.Nodes(); got != 1 {
		t.Errorf("Nodes before the first poll = %d, want itself", got)
	}
	if err := tail.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"key key_1", "app app_1"}, l.told); diff != "" || tail.Applied() != 2 {
		t.Errorf("applied %s and told (-want +got)\n%s", tail.Applied(), diff)
	}
}

// TestTailNoticesAnotherLog: a shorter log, one whose entry has another tag, and one that was trimmed beyond this node make
// it forget everything. What it saw revoked stays revoked.
func TestTailNoticesAnotherLog(t *testing.T) {
	for name, change := range map[string]func(*memory){
		"shorter":  func(m *memory) { m.entries = m.entries[:1] },
		"retagged": func(m *memory) { m.entries[len(m.entries)-1].Tag = 1 },
		"trimmed": func(m *memory) {
			for range 5 {
				m.entries = append(m.entries, Entry{Revision: id.Revision(len(m.entries) + 1), Tag: 9, Kind: Key, ID: "key_late"})
			}
			m.trimmed, m.entries = 4, m.entries[4:]
		},
	} {
		tail, m, l := newTail(t)
		m.revoked = []Revoked{{Subject: "key_1", Until: m.now.Add(time.Hour)}}
		m.add(Key, "key_1")
		m.add(Revocation, "key_1")
		if err := tail.Sync(t.Context()); err != nil || !tail.Revoked("key_1") {
			t.Fatalf("%s: Sync = %v, revoked %v, want it learnt", name, err, tail.Revoked("key_1"))
		}
		l.told, m.revoked = nil, nil
		change(m)
		if err := tail.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(l.told) != 1 || l.told[0] != "reset" {
			t.Errorf("%s: told %q, want one reset", name, l.told)
		}
		if !tail.Revoked("key_1") || !tail.AnyRevoked() {
			t.Errorf("%s: the revocation was forgotten", name)
		}
		if want, _ := m.head(); tail.Applied() != want {
			t.Errorf("%s: applied %s, want the head %s", name, tail.Applied(), want)
		}
	}
}

// TestTailFresh looks at the clock from both sides.
func TestTailFresh(t *testing.T) {
	tail, m, _ := newTail(t)
	at := m.now
	for after, want := range map[time.Duration]bool{0: true, 749 * time.Millisecond: true, 750 * time.Millisecond: false, time.Hour: false, -749 * time.Millisecond: true, -750 * time.Millisecond: false} {
		if got := tail.Fresh(at.Add(after)); got != want {
			t.Errorf("Fresh %s after the poll = %v, want %v", after, got, want)
		}
	}
	m.err = errors.New("gone")
	if err := tail.Sync(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Sync without a database error = %v, want unavailable", err)
	}
	m.mu.Lock()
	m.err, m.now = nil, m.now.Add(time.Hour)
	m.mu.Unlock()
	if err := tail.Sync(t.Context()); err != nil || tail.Ready() != nil {
		t.Errorf("Sync with the database back = %v, Ready = %v, want both nil", err, tail.Ready())
	}
}

// TestTailSyncShares: callers at the same time share polls, and each sees what was there before it called.
func TestTailSyncShares(t *testing.T) {
	tail, m, _ := newTail(t)
	m.polls = 0
	var callers sync.WaitGroup
	for range 64 {
		callers.Go(func() {
			m.add(Key, "key_1")
			m.mu.Lock()
			want, _ := m.head()
			m.mu.Unlock()
			if err := tail.Sync(context.Background()); err != nil || tail.Applied() < want {
				t.Errorf("Sync = %v, applied %s, want at least %s", err, tail.Applied(), want)
			}
		})
	}
	callers.Wait()
}
