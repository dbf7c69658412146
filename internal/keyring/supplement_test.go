package keyring

import (
	"errors"
	"slices"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// early returns a database as the first version of the program left it.
func early(t *testing.T, masters Masters) *memory {
	t.Helper()
	store := &memory{}
	open(t, store, masters)
	store.state.Rows = slices.DeleteFunc(store.state.Rows, func(r Row) bool { return !slices.Contains(original, r.Purpose) })
	if len(store.state.Rows) != 3 {
		t.Fatalf("an early keyring has %d rows, want 3", len(store.state.Rows))
	}
	store.replaced = 0
	return store
}

func TestOpenRefusesHalfAKeyring(t *testing.T) {
	masters := Masters{Current: master(t, 1, 'a')}
	for _, lost := range founding {
		store := &memory{}
		open(t, store, masters)
		store.state.Rows = slices.DeleteFunc(store.state.Rows, func(r Row) bool { return r.Purpose == lost })
		if r, err := Open(t.Context(), store, masters, now); r != nil || !fault.Is(err, fault.Unavailable) || !contains(err, "no key for "+string(lost)) {
			t.Errorf("Open without %s = %v, %v, want %s", lost, r, err, fault.Unavailable)
		}
	}
	// One of another algorithm does not stand in for the lost one.
	store := early(t, masters)
	var err error
	if store.state.Rows, err = withVersion(store.state.Rows, masters.Current, SignEdDSA, now); err != nil {
		t.Fatal(err)
	}
	if r, err := Open(t.Context(), store, masters, now); r != nil || !fault.Is(err, fault.Unavailable) {
		t.Errorf("Open with EdDSA alone = %v, %v, want %s", r, err, fault.Unavailable)
	}
	// Nothing is put on top of damage.
	store = early(t, masters)
	store.state.Rows[0].Wrapped[30] ^= 1
	if r, err := Open(t.Context(), store, masters, now); r != nil || !fault.Is(err, fault.Unavailable) || store.replaced != 0 {
		t.Errorf("Open of an early keyring with damage = %v, %v and %d writes, want %s and none", r, err, store.replaced, fault.Unavailable)
	}
	store = early(t, masters)
	store.writeErr = errGone
	if r, err := Open(t.Context(), store, masters, now); r != nil || !errors.Is(err, errGone) {
		t.Errorf("Open(store fails) = %v, %v, want %v", r, err, errGone)
	}
	store = early(t, masters)
	if r, err := Open(t.Context(), store, Masters{Current: master(t, 1, 'z')}, now); r != nil || !fault.Is(err, fault.Conflict) || store.replaced != 0 {
		t.Errorf("Open with another master = %v, %v and %d writes, want %s and none", r, err, store.replaced, fault.Conflict)
	}
}

func TestOpenSupplementsAnEarlyKeyring(t *testing.T) {
	v1, v2 := master(t, 1, 'a'), master(t, 2, 'b')
	store := early(t, Masters{Current: v1})
	was := deepCopy(store.state)
	// The master key may be rotated before the keyring is supplemented.
	if err := RotateMaster(t.Context(), store, Masters{Current: v1}, v2); err != nil {
		t.Fatal(err)
	}
	store.state = deepCopy(was)
	// Under the previous master key it is that one the new keys are wrapped under, as all rows are under one.
	r := open(t, store, Masters{Current: v2, Previous: &v1})
	if got := len(r.List()); got != len(founding) || store.replaced != 2 {
		t.Errorf("List after Open = %d keys and %d writes, want %d", got, store.replaced, len(founding))
	}
	signer(t, r, "ES256", now)
	again := open(t, store, Masters{Current: v1})
	if store.replaced != 2 || len(again.List()) != len(founding) {
		t.Error("a second Open writes once more")
	}
	version, digest := r.MAC(credential)
	if !again.Matches(version, digest, credential) {
		t.Error("the supplement changed the pepper")
	}
	// Put back under a running node it is refused, and the node keeps what it has.
	store.state = was
	if err := r.Reload(t.Context()); !fault.Is(err, fault.Unavailable) || r.CurrentPepper() != 1 {
		t.Errorf("Reload of an early keyring = %v, want %s", err, fault.Unavailable)
	}
	if version, _ := r.RefreshMAC(nil); version != 1 {
		t.Error("Reload of an early keyring took the refresh key away")
	}
}

func TestParallelSupplements(t *testing.T) {
	masters := Masters{Current: master(t, 1, 'a')}
	store := early(t, masters)
	rings, errs := openAtOnce(t, store, 16, func(int) Masters { return masters })
	for i := range rings {
		if errs[i] != nil {
			t.Fatalf("Open = %v", errs[i])
		}
		_, want := rings[0].RefreshMAC([]byte("m"))
		if _, got := rings[i].RefreshMAC([]byte("m")); got != want {
			t.Errorf("node %d has a refresh key of its own", i)
		}
	}
	if store.replaced != 1 {
		t.Errorf("%d nodes added keys, want 1", store.replaced)
	}
	// Who loses to another change tries again.
	store = early(t, masters)
	store.beforeWin = func() {
		rows, err := withVersion(store.state.Rows, masters.Current, Pepper, now)
		if err != nil {
			t.Fatal(err)
		}
		store.state.Rows, store.state.Revision = rows, store.state.Revision+1
	}
	if got := open(t, store, masters).CurrentPepper(); got != 2 {
		t.Errorf("CurrentPepper after both = %d, want 2", got)
	}
}
