package keyring

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"
)

var (
	errGone = errors.New("database gone")
	now     = time.Date(2026, 11, 23, 10, 0, 0, 123456789, time.FixedZone("east", 3600))
)

// memory is a Store with the contract's conditions and nothing else: it shares no bytes with its callers.
type memory struct {
	mu       sync.Mutex
	state    State
	replaced int // how many replacements took place

	readErr   error // returned by Keyring
	writeErr  error // returned by ReplaceKeyring, which then does nothing
	lostReply error // returned by ReplaceKeyring after it did its work
	beforeWin func()
}

func (m *memory) Keyring(context.Context) (State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return deepCopy(m.state), m.readErr
}

func (m *memory) ReplaceKeyring(_ context.Context, next State) (bool, error) {
	if hook := m.beforeWin; hook != nil {
		m.beforeWin = nil
		hook()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writeErr != nil {
		return false, m.writeErr
	}
	if m.state.Revision != next.Revision-1 {
		return false, nil
	}
	m.state = deepCopy(next)
	m.replaced++
	return true, m.lostReply
}

func deepCopy(s State) State {
	s.Check = bytes.Clone(s.Check)
	s.Rows = slices.Clone(s.Rows)
	for i := range s.Rows {
		s.Rows[i].Wrapped = bytes.Clone(s.Rows[i].Wrapped)
	}
	return s
}

// master makes a master key that is the same for the same arguments.
func master(t testing.TB, version int, fill byte) Master {
	t.Helper()
	m, err := GenerateMaster(version, bytes.NewReader(bytes.Repeat([]byte{fill}, keySize)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func open(t testing.TB, store Store, masters Masters) *Ring {
	t.Helper()
	r, err := Open(t.Context(), store, masters, now)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	return r
}
