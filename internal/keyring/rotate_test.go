package keyring

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

func TestRotateMasterRefuses(t *testing.T) {
	v2, otherV2, v3 := master(t, 2, 'b'), master(t, 2, 'z'), master(t, 3, 'c')
	store := &memory{}
	open(t, store, Masters{Current: v2})
	before := deepCopy(store.state)
	for _, tt := range []struct {
		name string
		from Masters
		to   Master
		kind fault.Kind
		want string
	}{
		{"no new key", Masters{Current: v2}, Master{}, fault.Invalid, "no new master key"},
		{"no old key", Masters{}, v3, fault.Invalid, "no master key"},
		{"another old key", Masters{Current: otherV2}, v3, fault.Conflict, "another master key (version 2)"},
		{"old key of another version", Masters{Current: v3}, v3, fault.Conflict, "needs master key version 2"},
		{"lower version", Masters{Current: v2}, master(t, 1, 'a'), fault.Invalid, "higher version"},
		{"the same key", Masters{Current: v2}, master(t, 3, 'b'), fault.Invalid, "generate a new one"},
		{"another key of the present version", Masters{Current: v2}, otherV2, fault.Conflict, "another master key (version 2)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := RotateMaster(t.Context(), store, tt.from, tt.to)
			if !fault.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("RotateMaster = %v, want %s with %q", err, tt.kind, tt.want)
			}
		})
	}
	if err := RotateMaster(t.Context(), &memory{}, Masters{Current: v2}, v3); !fault.Is(err, fault.Conflict) {
		t.Errorf("RotateMaster(empty database) = %v, want %s", err, fault.Conflict)
	}
	if err := RotateMaster(t.Context(), &memory{readErr: errGone}, Masters{Current: v2}, v3); !errors.Is(err, errGone) {
		t.Errorf("RotateMaster(store fails) = %v, want %v", err, errGone)
	}
	store.writeErr = errGone
	if err := RotateMaster(t.Context(), store, Masters{Current: v2}, v3); !errors.Is(err, errGone) {
		t.Errorf("RotateMaster(store fails) = %v, want %v", err, errGone)
	}
	damaged := &memory{state: deepCopy(store.state)}
	damaged.state.Rows[2].Wrapped[30] ^= 1
	for name, to := range map[string]Master{"new": v3, "present": v2} {
		if err := RotateMaster(t.Context(), damaged, Masters{Current: v2}, to); !fault.Is(err, fault.Unavailable) {
			t.Errorf("RotateMaster(damaged row, %s key) = %v, want %s", name, err, fault.Unavailable)
		}
	}
	if diff := cmp.Diff(before, store.state); diff != "" {
		t.Errorf("refused rotations changed the keyring:\n%s", diff)
	}
}

// Who can open the database before and after a rotation from version 1 to 2.
func TestRotationRollsThroughAFleet(t *testing.T) {
	v1, v2 := master(t, 1, 'a'), master(t, 2, 'b')
	v1Only, both, swapped, v2Only := Masters{Current: v1}, Masters{Current: v2, Previous: &v1}, Masters{Current: v1, Previous: &v2}, Masters{Current: v2}

	store := &memory{}
	first := open(t, store, v1Only)
	if _, err := first.AddVersion(t.Context(), Pepper, now); err != nil {
		t.Fatal(err)
	}
	version, digest := first.MAC(credential)
	at := Place{"user", "totp", "user_1"}
	sealed, err := first.Seal(at, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	rolled := open(t, store, both)

	check := func(when string, masters Masters, holder string, want string) {
		t.Helper()
		r, err := Open(t.Context(), store, masters, now)
		if want != "" {
			if r != nil || !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: Open with %s = %v, %v, want %s with %q", when, holder, r, err, fault.Conflict, want)
			}
			return
		}
		if err != nil {
			t.Errorf("%s: Open with %s = %v, want none", when, holder, err)
			return
		}
		if !r.Matches(version, digest, credential) {
			t.Errorf("%s: node with %s does not know the digest", when, holder)
		}
		if got, err := r.Unseal(at, sealed); err != nil || string(got) != "secret" {
			t.Errorf("%s: node with %s: Unseal = %q, %v", when, holder, got, err)
		}
	}
	check("before", v1Only, "1", "")
	check("before", both, "2 and previous 1", "")
	check("before", swapped, "1 and previous 2", "")
	check("before", v2Only, "2", "needs master key version 1, and version 2 was given")

	before := deepCopy(store.state)
	if err := RotateMaster(t.Context(), store, both, v2); err != nil {
		t.Fatalf("RotateMaster = %v", err)
	}
	check("after", v1Only, "1", "needs master key version 2, and version 1 was given")
	check("after", both, "2 and previous 1", "")
	check("after", swapped, "1 and previous 2", "")
	check("after", v2Only, "2", "")

	for i, row := range store.state.Rows {
		if row.MasterVersion != 2 || string(row.Wrapped) == string(before.Rows[i].Wrapped) {
			t.Errorf("after the rotation row %s %d is as before", row.Purpose, row.Version)
		}
	}
	if diff := cmp.Diff(first.List(), open(t, store, v2Only).List()); diff != "" {
		t.Errorf("the rotation changed what List shows:\n%s", diff)
	}

	// Running nodes: who holds the new key reloads and goes on; who does not is told, and keeps what it has.
	if err := rolled.Reload(t.Context()); err != nil || !rolled.Matches(version, digest, credential) {
		t.Errorf("Reload with both = %v, want none and the keys", err)
	}
	if err := first.Reload(t.Context()); !fault.Is(err, fault.Conflict) || !first.Matches(version, digest, credential) {
		t.Errorf("Reload with 1 = %v, want %s and the keys kept", err, fault.Conflict)
	}
	if info, err := first.AddVersion(t.Context(), Pepper, now); !fault.Is(err, fault.Conflict) {
		t.Errorf("AddVersion with 1 = %v, %v, want %s", info, err, fault.Conflict)
	}
	if info, err := rolled.AddVersion(t.Context(), Pepper, now); err != nil || info.Version != 3 {
		t.Errorf("AddVersion with both = %v, %v, want version 3", info, err)
	}
	check("after a new pepper", v2Only, "2", "")
}

func TestRotateMasterRepeats(t *testing.T) {
	v1, v2 := master(t, 1, 'a'), master(t, 2, 'b')
	store := &memory{}
	open(t, store, Masters{Current: v1})
	store.lostReply = errGone
	if err := RotateMaster(t.Context(), store, Masters{Current: v1}, v2); !errors.Is(err, errGone) {
		t.Fatalf("RotateMaster(answer lost) = %v, want %v", err, errGone)
	}
	store.lostReply = nil
	done := deepCopy(store.state)
	for _, from := range []Masters{{Current: v1}, {Current: v2, Previous: &v1}, {Current: v2}} {
		if err := RotateMaster(t.Context(), store, from, v2); err != nil {
			t.Errorf("RotateMaster again = %v, want none", err)
		}
	}
	if diff := cmp.Diff(done, store.state); diff != "" {
		t.Errorf("a repeated rotation changed the keyring:\n%s", diff)
	}
}

// A purpose this version of the program does not know is wrapped anew with the rest: a newer node may have made it.
func TestRotateMasterTakesUnknownPurposes(t *testing.T) {
	v1, v2 := master(t, 1, 'a'), master(t, 2, 'b')
	store := &memory{}
	open(t, store, Masters{Current: v1})
	var err error
	if store.state.Rows, err = withVersion(store.state.Rows, v1, "future", now); err != nil {
		t.Fatal(err)
	}
	if err := RotateMaster(t.Context(), store, Masters{Current: v1}, v2); err != nil {
		t.Fatal(err)
	}
	if got := len(open(t, store, Masters{Current: v2}).List()); got != len(founding)+1 {
		t.Errorf("List after the rotation has %d keys, want %d", got, len(founding)+1)
	}
}
