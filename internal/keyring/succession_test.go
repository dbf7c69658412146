package keyring

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// kids returns the key ids of the JWK set.
func kids(t *testing.T, r *Ring, at time.Time) (ids []string) {
	t.Helper()
	var set struct {
		Keys []struct{ Kid string } `json:"keys"`
	}
	if err := json.Unmarshal(r.JWKS(at), &set); err != nil {
		t.Fatal(err)
	}
	for _, key := range set.Keys {
		ids = append(ids, key.Kid)
	}
	return ids
}

// The life of a key to the microsecond: the first signs at once; the next is published a day before it signs; the one
// before stays published for 25 hours more, in the set and for verification alike.
func TestSigningKeysSucceedEachOther(t *testing.T) {
	store := &memory{}
	r := open(t, store, Masters{Current: master(t, 1, 'a')})
	made := now.UTC().Truncate(time.Microsecond)
	first := signer(t, r, "ES256", made).KeyID()
	if got := kids(t, r, made); !slices.Equal(got, []string{first}) {
		t.Errorf("JWKS at the start = %q, want %q", got, first)
	}

	early := made.Add(RotateAfter - time.Microsecond)
	if err := r.RotateSigning(t.Context(), early); err != nil || store.replaced != 1 {
		t.Errorf("RotateSigning before its time = %v and %d writes, want nothing", err, store.replaced)
	}
	rotated := made.Add(RotateAfter)
	if err := r.RotateSigning(t.Context(), rotated); err != nil || store.replaced != 2 {
		t.Fatalf("RotateSigning = %v and %d writes, want one more", err, store.replaced)
	}
	published := kids(t, r, rotated)
	if len(published) != 2 || published[1] != first {
		t.Fatalf("JWKS after RotateSigning = %q, want a new key and then %q", published, first)
	}
	second := published[0]

	over := rotated.Add(PublishAhead + KeepPublished)
	for _, tt := range []struct {
		name   string
		at     time.Time
		signer string
		old    bool // the first is still published
	}{
		{"at once", rotated, first, true},
		{"just before a day is over", rotated.Add(PublishAhead - time.Microsecond), first, true},
		{"a day later", rotated.Add(PublishAhead), second, true},
		{"just before the last token ends", over.Add(-time.Microsecond), second, true},
		{"after the last token", over, second, false},
	} {
		if got := signer(t, r, "ES256", tt.at).KeyID(); got != tt.signer {
			t.Errorf("%s: Signer = %s, want %s", tt.name, got, tt.signer)
		}
		if _, _, ok := r.PublicKey(first, tt.at); ok != tt.old {
			t.Errorf("%s: PublicKey(first) = %v, want %v", tt.name, ok, tt.old)
		}
		if _, _, ok := r.PublicKey(second, tt.at); !ok {
			t.Errorf("%s: PublicKey(second) = false", tt.name)
		}
		if got := slices.Contains(kids(t, r, tt.at), first); got != tt.old {
			t.Errorf("%s: JWKS has the first: %v, want %v", tt.name, got, tt.old)
		}
		if err := r.RotateSigning(t.Context(), tt.at); err != nil {
			t.Errorf("%s: RotateSigning = %v", tt.name, err)
		}
		rows := 0
		for _, info := range r.List() {
			if info.Purpose == SignES256 {
				rows++
			}
		}
		if (rows == 2) != tt.old {
			t.Errorf("%s: RotateSigning leaves %d keys, the first published: %v", tt.name, rows, tt.old)
		}
	}
	if store.replaced != 3 {
		t.Errorf("the keyring was written %d times, want 3", store.replaced)
	}
}

// Rotation on many nodes makes one key, and none for algorithms that nobody needed.
func TestRotateSigningOnEveryNode(t *testing.T) {
	store := &memory{}
	masters := Masters{Current: master(t, 1, 'a')}
	nodes := []*Ring{open(t, store, masters), open(t, store, masters), open(t, store, masters)}
	at := now.Add(RotateAfter + time.Second)
	for _, r := range nodes {
		if err := r.RotateSigning(t.Context(), at); err != nil {
			t.Errorf("RotateSigning = %v", err)
		}
	}
	for _, r := range nodes {
		if got := r.List(); len(got) != len(founding)+1 {
			t.Errorf("List after three rotations = %v, want one more key", got)
		}
	}
	if store.replaced != 2 {
		t.Errorf("three rotations wrote %d times, want once", store.replaced-1)
	}

	// Somebody else's change in between: this run does nothing, the next does it.
	later := at.Add(RotateAfter)
	store.beforeWin = func() {
		if _, err := nodes[1].AddVersion(t.Context(), Pepper, later); err != nil {
			t.Errorf("AddVersion = %v", err)
		}
	}
	if err := nodes[0].RotateSigning(t.Context(), later); err != nil || store.replaced != 3 {
		t.Errorf("RotateSigning of who was slower = %v and %d writes, want none", err, store.replaced-3)
	}
	if err := nodes[0].RotateSigning(t.Context(), later); err != nil || store.replaced != 4 {
		t.Errorf("RotateSigning once more = %v and %d writes, want one", err, store.replaced-3)
	}
	store.readErr = errGone
	if err := nodes[0].RotateSigning(t.Context(), later.Add(RotateAfter)); !errors.Is(err, errGone) {
		t.Errorf("RotateSigning(store fails) = %v, want %v", err, errGone)
	}
}

func TestDropRefuses(t *testing.T) {
	store := &memory{}
	r := open(t, store, Masters{Current: master(t, 1, 'a')})
	for _, tt := range []struct {
		purpose Purpose
		version int
		kind    fault.Kind
		want    string
	}{
		{"", 1, fault.Invalid, "choose one of"},
		{"future", 1, fault.Invalid, "choose one of"},
		{Pepper, 2, fault.NotFound, "version 2"},
		{SignES256, 0, fault.NotFound, "version 0"},
		{SignRS256, 1, fault.NotFound, "sign_rs256"},
		{Pepper, 1, fault.Conflict, "refused for ever: run `lanyard keyring rotate pepper` first"},
		{Sealing, 1, fault.Conflict, "opaque access token"},
		{AtRest, 1, fault.Conflict, "second factor"},
		{Refresh, 1, fault.Conflict, "log in again"},
	} {
		if err := r.Drop(t.Context(), tt.purpose, tt.version, now); !fault.Is(err, tt.kind) || !contains(err, tt.want) {
			t.Errorf("Drop(%s, %d) = %v, want %s with %q", tt.purpose, tt.version, err, tt.kind, tt.want)
		}
	}
	store.writeErr = errGone
	if err := r.Drop(t.Context(), SignES256, 1, now); !errors.Is(err, errGone) {
		t.Errorf("Drop(store fails) = %v, want %v", err, errGone)
	}
	store.writeErr = nil
	store.beforeWin = func() { store.state.Revision++ }
	if err := r.Drop(t.Context(), SignES256, 1, now); !fault.Is(err, fault.Conflict) {
		t.Errorf("Drop(somebody faster) = %v, want %s", err, fault.Conflict)
	}
	if store.replaced != 1 {
		t.Errorf("after refusals the keyring was written %d times, want 1", store.replaced)
	}
}

// A signing key that leaked is gone from the moment of Drop on, and signing goes on.
func TestDropSigning(t *testing.T) {
	store := &memory{}
	r := open(t, store, Masters{Current: master(t, 1, 'a')})
	first := signer(t, r, "ES256", now).KeyID()
	drop := func(version int) {
		t.Helper()
		if err := r.Drop(t.Context(), SignES256, version, now); err != nil {
			t.Fatalf("Drop(version %d) = %v", version, err)
		}
		if open(t, store, r.masters).live.Load() == nil {
			t.Fatal("the keyring does not open any more")
		}
	}

	drop(1) // the only one: the next is in use at once
	second := signer(t, r, "ES256", now).KeyID()
	if _, _, ok := r.PublicKey(first, now); ok || second == first {
		t.Error("the only key is still there after Drop")
	}
	if got := kids(t, r, now); !slices.Equal(got, []string{second}) {
		t.Errorf("JWKS after Drop = %q, want %q alone", got, second)
	}

	if _, err := r.AddVersion(t.Context(), SignES256, now); err != nil {
		t.Fatal(err)
	}
	third := kids(t, r, now)[0]
	drop(3) // published, not yet in use: the one in use stays so, and another is published
	if got := kids(t, r, now); signer(t, r, "ES256", now).KeyID() != second || len(got) != 2 || got[0] == third {
		t.Errorf("after Drop of the next key: JWKS = %q, want a new one and %q, which signs", got, second)
	}
	drop(2) // in use: the one that is published takes over at once
	if got := kids(t, r, now); len(got) != 1 || signer(t, r, "ES256", now).KeyID() != got[0] {
		t.Errorf("after Drop of the key in use: JWKS = %q, want one, which signs", got)
	}
	// A version that was given once names no other key: a backup cannot bring a revoked one back in its place.
	for _, info := range r.List() {
		if info.Purpose == SignES256 && info.Version != 4 {
			t.Errorf("List = %+v, want version 4 alone", info)
		}
	}
}

func TestDropRetired(t *testing.T) {
	r := open(t, &memory{}, Masters{Current: master(t, 1, 'a')})
	_, digest := r.MAC(credential)
	sealed := r.SealToken(nil, nil, []byte("token"))
	_, mac := r.RefreshMAC([]byte("message"))
	for _, purpose := range []Purpose{Pepper, Sealing, Refresh, AtRest} {
		if _, err := r.AddVersion(t.Context(), purpose, now); err != nil {
			t.Fatal(err)
		}
		if err := r.Drop(t.Context(), purpose, 1, now); err != nil {
			t.Errorf("Drop(%s, 1) = %v", purpose, err)
		}
	}
	if r.KnowsPepper(1) || r.Matches(1, digest, credential) {
		t.Error("the pepper is still there after Drop")
	}
	if _, err := r.OpenToken(nil, nil, sealed); !errors.Is(err, ErrSealed) || errors.Is(err, ErrUnknownVersion) {
		t.Errorf("OpenToken after Drop = %v, want %v: nobody will add that version", err, ErrSealed)
	}
	if got, known := r.RefreshMACWith(1, []byte("message")); known || got == mac {
		t.Error("the refresh key is still there after Drop")
	}
}
