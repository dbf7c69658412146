package keyring

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

func TestOpenRefusesMasters(t *testing.T) {
	v1, v2, otherV1 := master(t, 1, 'a'), master(t, 2, 'b'), master(t, 1, 'z')
	store := &memory{}
	open(t, store, Masters{Current: v1})
	before := store.state
	for _, tt := range []struct {
		name    string
		masters Masters
		kind    fault.Kind
		want    string
	}{
		{"none", Masters{}, fault.Invalid, "there is no master key"},
		{"zero previous", Masters{Current: v1, Previous: &Master{}}, fault.Invalid, "there is no master key"},
		{"one version twice", Masters{Current: v1, Previous: &otherV1}, fault.Invalid, "both have version 1"},
		{
			"another key of the version",
			Masters{Current: otherV1},
			fault.Conflict,
			"this database was made with another master key (version 1): start with the key it was made with, from master.key or LANYARD_MASTER_KEY",
		},
		{"another key as previous", Masters{Current: v2, Previous: &otherV1}, fault.Conflict, "another master key (version 1)"},
		{"another version", Masters{Current: v2}, fault.Conflict, "needs master key version 1, and version 2 was given"},
		{"the key with another version", Masters{Current: master(t, 2, 'a')}, fault.Conflict, "needs master key version 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Open(t.Context(), store, tt.masters, now)
			if r != nil || !fault.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Open = %v, %v, want no ring and %s with %q", r, err, tt.kind, tt.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("Open error %q is more than one sentence", err)
			}
		})
	}
	if diff := cmp.Diff(before, store.state); diff != "" {
		t.Errorf("refused nodes changed the keyring:\n%s", diff)
	}
}

func TestOpenRefusesDamage(t *testing.T) {
	v1 := master(t, 1, 'a')
	store := &memory{}
	r := open(t, store, Masters{Current: v1})
	for range 2 {
		if _, err := r.AddVersion(t.Context(), Pepper, now); err != nil {
			t.Fatal(err)
		}
	}
	old := deepCopy(store.state)
	if err := RotateMaster(t.Context(), store, Masters{Current: v1}, master(t, 2, 'b')); err != nil {
		t.Fatal(err)
	}
	masters := Masters{Current: master(t, 2, 'b'), Previous: &v1}
	row := func(s State, purpose Purpose, version int) *Row {
		for i := range s.Rows {
			if s.Rows[i].Purpose == purpose && s.Rows[i].Version == version {
				return &s.Rows[i]
			}
		}
		t.Fatalf("no row %s %d", purpose, version)
		return nil
	}
	for _, tt := range []struct {
		name   string
		damage func(*State)
		want   []string
	}{
		{"bit of the key", func(s *State) { row(*s, AtRest, 1).Wrapped[30] ^= 1 }, []string{"at_rest version 1"}},
		{"bit of the nonce", func(s *State) { row(*s, Sealing, 1).Wrapped[0] ^= 1 }, []string{"sealing version 1"}},
		{"bit of the tag", func(s *State) { row(*s, Pepper, 2).Wrapped[71] ^= 1 }, []string{"pepper version 2"}},
		{"cut short", func(s *State) { w := &row(*s, Pepper, 1).Wrapped; *w = (*w)[:71] }, []string{"pepper version 1"}},
		{"lengthened", func(s *State) { w := &row(*s, Pepper, 1).Wrapped; *w = append(*w, 0) }, []string{"pepper version 1"}},
		{"emptied", func(s *State) { row(*s, Pepper, 1).Wrapped = nil }, []string{"pepper version 1"}},
		{"versions swapped", func(s *State) {
			a, b := row(*s, Pepper, 1), row(*s, Pepper, 2)
			a.Wrapped, b.Wrapped = b.Wrapped, a.Wrapped
		}, []string{"pepper version 2", "moved from another row"}},
		{"purposes swapped", func(s *State) {
			a, b := row(*s, Sealing, 1), row(*s, AtRest, 1)
			a.Wrapped, b.Wrapped = b.Wrapped, a.Wrapped
		}, []string{"at_rest version 1"}},
		{"row from before the rotation", func(s *State) { *row(*s, Pepper, 1) = *row(old, Pepper, 1) }, []string{"pepper version 1", "master key version 1"}},
		{"its bytes alone", func(s *State) { row(*s, Pepper, 1).Wrapped = row(old, Pepper, 1).Wrapped }, []string{"pepper version 1"}},
		{"version renamed", func(s *State) { row(*s, AtRest, 1).Version = 2 }, []string{"at_rest version 2"}},
		{"version zero", func(s *State) { row(*s, AtRest, 1).Version = 0 }, []string{"at_rest version 0"}},
		{"version huge", func(s *State) { row(*s, AtRest, 1).Version = maxVersion + 1 }, []string{"at_rest version 2147483648"}},
		{"row twice", func(s *State) { s.Rows = append(s.Rows, *row(*s, Pepper, 3)) }, []string{"pepper version 3", "twice"}},
		{"two current", func(s *State) { row(*s, Pepper, 1).State = Current }, []string{"pepper version 1"}},
		{"none current", func(s *State) { row(*s, Pepper, 3).State = Retiring }, []string{"pepper version 3"}},
		{"unknown state", func(s *State) { row(*s, Pepper, 1).State = "gone" }, []string{"pepper version 1", "gone"}},
		{"newest gone", func(s *State) {
			s.Rows = slices.DeleteFunc(s.Rows, func(r Row) bool { return r.Purpose == Pepper && r.Version == 3 })
		}, []string{"pepper version 2", "retiring"}},
		{"purpose gone", func(s *State) {
			s.Rows = slices.DeleteFunc(s.Rows, func(r Row) bool { return r.Purpose == Sealing })
		}, []string{"no key for sealing"}},
		{"all gone", func(s *State) { s.Rows = nil }, []string{"no key for pepper"}},
		{"unknown purpose that does not open", func(s *State) {
			s.Rows = append(s.Rows, Row{Purpose: "future", Version: 1, MasterVersion: 2, State: Current, Wrapped: make([]byte, 72)})
		}, []string{"future version 1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			damaged := &memory{state: deepCopy(store.state)}
			tt.damage(&damaged.state)
			r, err := Open(t.Context(), damaged, masters, now)
			if r != nil || !fault.Is(err, fault.Unavailable) {
				t.Fatalf("Open = %v, %v, want no ring and %s", r, err, fault.Unavailable)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Open error = %q, want it to say %q", err, want)
				}
			}
		})
	}
	for name, damage := range map[string]func(*State){
		"check changed": func(s *State) { s.Check[0] ^= 1 },
		"check short":   func(s *State) { s.Check = s.Check[:31] },
		"check gone":    func(s *State) { s.Check = nil },
		"old check":     func(s *State) { s.Check = old.Check },
	} {
		damaged := &memory{state: deepCopy(store.state)}
		damage(&damaged.state)
		if r, err := Open(t.Context(), damaged, masters, now); r != nil || !fault.Is(err, fault.Conflict) {
			t.Errorf("Open(%s) = %v, %v, want %s", name, r, err, fault.Conflict)
		}
	}
}

func TestOpenFailsWithItsStore(t *testing.T) {
	masters := Masters{Current: master(t, 1, 'a')}
	for name, store := range map[string]*memory{
		"read":       {readErr: errGone},
		"write":      {writeErr: errGone},
		"reply lost": {lostReply: errGone},
	} {
		if r, err := Open(t.Context(), store, masters, now); r != nil || !errors.Is(err, errGone) {
			t.Errorf("Open(%s fails) = %v, %v, want %v", name, r, err, errGone)
		}
	}
	// The node whose answer got lost starts again and finds the keys it made.
	store := &memory{lostReply: errGone}
	if _, err := Open(t.Context(), store, masters, now); !errors.Is(err, errGone) {
		t.Fatal(err)
	}
	store.lostReply = nil
	open(t, store, masters)
	if store.replaced != 1 {
		t.Errorf("after a lost answer and a second start the keyring was written %d times, want 1", store.replaced)
	}
}

func TestOpenMakesTheFirstKeys(t *testing.T) {
	store := &memory{}
	if !store.state.Empty() {
		t.Fatal("zero State is not Empty")
	}
	r := open(t, store, Masters{Current: master(t, 1, 'a')})
	if store.state.Empty() {
		t.Error("State after the first Open is Empty")
	}
	signer, err := r.Signer(t.Context(), "ES256", now)
	if err != nil {
		t.Fatal(err)
	}
	created := now.UTC().Truncate(time.Microsecond)
	want := []Info{
		{Purpose: AtRest, Version: 1, State: Current, CreatedAt: created},
		{Purpose: Pepper, Version: 1, State: Current, CreatedAt: created},
		{Purpose: Refresh, Version: 1, State: Current, CreatedAt: created},
		{Purpose: Sealing, Version: 1, State: Current, CreatedAt: created},
		{Purpose: SignES256, Version: 1, State: Current, CreatedAt: created, KeyID: signer.KeyID()},
	}
	if diff := cmp.Diff(want, r.List()); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
	again := open(t, store, Masters{Current: master(t, 1, 'a')})
	if diff := cmp.Diff(want, again.List()); diff != "" {
		t.Errorf("List of a second Open (-want +got):\n%s", diff)
	}
	version, digest := r.MAC("credential")
	if !again.Matches(version, digest, "credential") {
		t.Error("a second Open has another pepper")
	}
	if store.replaced != 1 {
		t.Errorf("two Opens wrote %d times, want 1", store.replaced)
	}
}

// Two keyrings never have a key in common, nor two purposes.
func TestKeysAreFresh(t *testing.T) {
	seen := map[string]string{}
	m := master(t, 1, 'a')
	for range 3 {
		store := &memory{}
		open(t, store, Masters{Current: m})
		keys, err := unwrap(m, store.state)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if other, found := seen[string(k.key)]; found {
				t.Errorf("%s has the key of %s", k.Purpose, other)
			}
			seen[string(k.key)] = string(k.Purpose)
		}
	}
}

func TestParallelFirstOpens(t *testing.T) {
	const nodes = 16
	for round := range 8 {
		store := &memory{}
		rings, errs := openAtOnce(t, store, nodes, func(int) Masters { return Masters{Current: master(t, 1, 'a')} })
		if store.replaced != 1 {
			t.Fatalf("round %d: %d nodes initialised, want 1", round, store.replaced)
		}
		for i := range nodes {
			if errs[i] != nil {
				t.Fatalf("round %d: Open = %v", round, errs[i])
			}
			version, digest := rings[i].MAC("credential")
			if !rings[0].Matches(version, digest, "credential") {
				t.Errorf("round %d: node %d has keys of its own", round, i)
			}
		}
	}
}

func TestParallelFirstOpensWithTwoMasters(t *testing.T) {
	const nodes = 16
	for round := range 8 {
		store := &memory{}
		rings, errs := openAtOnce(t, store, nodes, func(i int) Masters { return Masters{Current: master(t, 1, byte('a'+i%2))} })
		won := 0
		if errs[0] != nil {
			won = 1
		}
		for i := range nodes {
			if i%2 == won && errs[i] != nil {
				t.Errorf("round %d: node %d of the winning master: %v", round, i, errs[i])
			}
			if i%2 != won && (rings[i] != nil || !fault.Is(errs[i], fault.Conflict)) {
				t.Errorf("round %d: node %d of the losing master = %v, %v, want %s", round, i, rings[i], errs[i], fault.Conflict)
			}
		}
		if store.replaced != 1 {
			t.Errorf("round %d: %d nodes initialised, want 1", round, store.replaced)
		}
	}
}

func openAtOnce(t *testing.T, store Store, nodes int, masters func(int) Masters) ([]*Ring, []error) {
	rings, errs := make([]*Ring, nodes), make([]error, nodes)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range nodes {
		ms := masters(i)
		wg.Go(func() {
			<-start
			rings[i], errs[i] = Open(t.Context(), store, ms, now)
		})
	}
	close(start)
	wg.Wait()
	return rings, errs
}
