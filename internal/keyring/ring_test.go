package keyring

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

const credential = "lyd_key_live_0123456789abcdefABCDEFGHIJKLMNOPQRSTUVWXYZ012345678901"

func TestMatchesRefuses(t *testing.T) {
	r := open(t, &memory{}, Masters{Current: master(t, 1, 'a')})
	version, digest := r.MAC(credential)
	flipped := digest
	flipped[31] ^= 1
	plain := sha256.Sum256([]byte(credential))
	for _, tt := range []struct {
		name    string
		version int
		digest  [32]byte
		text    string
	}{
		{"another credential", version, digest, credential[:len(credential)-1] + "2"},
		{"a shorter one", version, digest, credential[:len(credential)-1]},
		{"a longer one", version, digest, credential + "0"},
		{"NUL appended", version, digest, credential + "\x00"},
		{"empty", version, digest, ""},
		{"another case", version, digest, strings.ToUpper(credential)},
		{"last bit", version, flipped, credential},
		{"zero digest", version, [32]byte{}, credential},
		{"digest without pepper", version, plain, credential},
		{"version 0", 0, digest, credential},
		{"unknown version", version + 1, digest, credential},
	} {
		if r.Matches(tt.version, tt.digest, tt.text) {
			t.Errorf("Matches(%s) = true, want false", tt.name)
		}
	}
	if r.KnowsPepper(0) || r.KnowsPepper(version+1) || !r.KnowsPepper(version) {
		t.Errorf("KnowsPepper is not true for version %d alone", version)
	}
}

// The pooled computation gives what crypto/hmac gives, at every length around its blocks and its scratch space.
func TestMACIsHMAC(t *testing.T) {
	store := &memory{}
	m := master(t, 1, 'a')
	r := open(t, store, Masters{Current: m})
	keys, err := unwrap(m, store.state)
	if err != nil {
		t.Fatal(err)
	}
	var pepperKey []byte
	for _, k := range keys {
		if k.Purpose == Pepper {
			pepperKey = k.key[:]
		}
	}
	for _, n := range []int{0, 1, 55, 56, 63, 64, 65, 67, 127, 128, 129, 255, 256, 257, 1200, 1 << 16} {
		text := strings.Repeat("x", n)
		reference := hmac.New(sha256.New, pepperKey)
		reference.Write([]byte(text))
		version, got := r.MAC(text)
		if !bytes.Equal(got[:], reference.Sum(nil)) || version != 1 {
			t.Errorf("MAC(%d bytes) = %d, %x, want version 1 and the standard library's", n, version, got)
		}
		if !r.Matches(version, got, text) {
			t.Errorf("Matches(MAC of %d bytes) = false", n)
		}
	}
}

func TestMACInParallel(t *testing.T) {
	r := open(t, &memory{}, Masters{Current: master(t, 1, 'a')})
	var wg sync.WaitGroup
	for i := range 8 {
		text := credential + strings.Repeat("y", i*40)
		version, digest := r.MAC(text)
		wg.Go(func() {
			for range 500 {
				if !r.Matches(version, digest, text) || r.Matches(version, digest, text+"z") {
					t.Errorf("Matches of credential %d changes its mind under load", i)
					return
				}
			}
		})
	}
	for range 20 {
		if _, err := r.AddVersion(t.Context(), Pepper, now); err != nil {
			t.Error(err)
		}
		if err := r.Reload(t.Context()); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}

func TestAddVersionRefuses(t *testing.T) {
	store := &memory{}
	m := master(t, 1, 'a')
	r := open(t, store, Masters{Current: m})
	before := deepCopy(store.state)
	for _, purpose := range []Purpose{"", "Pepper", "future", "pepper "} {
		if info, err := r.AddVersion(t.Context(), purpose, now); !fault.Is(err, fault.Invalid) {
			t.Errorf("AddVersion(%q) = %v, %v, want %s", purpose, info, err, fault.Invalid)
		}
	}
	store.writeErr = errGone
	if info, err := r.AddVersion(t.Context(), Pepper, now); !errors.Is(err, errGone) {
		t.Errorf("AddVersion(store fails) = %v, %v, want %v", info, err, errGone)
	}
	store.writeErr, store.readErr = nil, errGone
	if info, err := r.AddVersion(t.Context(), Pepper, now); !errors.Is(err, errGone) {
		t.Errorf("AddVersion(store fails) = %v, %v, want %v", info, err, errGone)
	}
	store.readErr = nil
	store.state.Rows[1].Wrapped[40] ^= 1
	if info, err := r.AddVersion(t.Context(), Pepper, now); !fault.Is(err, fault.Unavailable) {
		t.Errorf("AddVersion(damaged keyring) = %v, %v, want %s", info, err, fault.Unavailable)
	}
	store.state = State{}
	if info, err := r.AddVersion(t.Context(), Pepper, now); !fault.Is(err, fault.Unavailable) {
		t.Errorf("AddVersion(keyring gone) = %v, %v, want %s", info, err, fault.Unavailable)
	}
	store.state = before
	if store.replaced != 1 || r.CurrentPepper() != 1 {
		t.Errorf("after refusals: %d writes, pepper %d, want 1 and 1", store.replaced, r.CurrentPepper())
	}
}

// A rotation of the master key between AddVersion's read and its write must not lose either.
func TestAddVersionAgainstRotation(t *testing.T) {
	v1, v2 := master(t, 1, 'a'), master(t, 2, 'b')
	store := &memory{}
	r := open(t, store, Masters{Current: v1})
	store.beforeWin = func() {
		if err := RotateMaster(t.Context(), store, Masters{Current: v1}, v2); err != nil {
			t.Errorf("RotateMaster = %v", err)
		}
	}
	if info, err := r.AddVersion(t.Context(), Pepper, now); !fault.Is(err, fault.Conflict) {
		t.Errorf("AddVersion during a rotation = %v, %v, want %s", info, err, fault.Conflict)
	}
	other := open(t, store, Masters{Current: v2})
	store.beforeWin = func() {
		if _, err := other.AddVersion(t.Context(), Pepper, now); err != nil {
			t.Errorf("AddVersion = %v", err)
		}
	}
	if err := RotateMaster(t.Context(), store, Masters{Current: v2}, master(t, 3, 'c')); !fault.Is(err, fault.Conflict) {
		t.Errorf("RotateMaster during AddVersion = %v, want %s", err, fault.Conflict)
	}
	if got := open(t, store, Masters{Current: v2}).CurrentPepper(); got != 2 {
		t.Errorf("CurrentPepper after both = %d, want 2", got)
	}
}

func TestAddVersionKeepsTheOldOnes(t *testing.T) {
	store := &memory{}
	masters := Masters{Current: master(t, 1, 'a')}
	r := open(t, store, masters)
	behind := open(t, store, masters)
	oldVersion, oldDigest := r.MAC(credential)
	at := Place{"user", "totp", "user_1"}
	oldSealed, err := r.Seal(at, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	later := now.Add(time.Hour)
	for _, purpose := range []Purpose{Pepper, AtRest} {
		want := Info{Purpose: purpose, Version: 2, State: Current, CreatedAt: later.UTC().Truncate(time.Microsecond)}
		if got, err := r.AddVersion(t.Context(), purpose, later); err != nil || got != want {
			t.Errorf("AddVersion(%s) = %v, %v, want %v", purpose, got, err, want)
		}
	}
	version, digest := r.MAC(credential)
	if version != 2 || r.CurrentPepper() != 2 || digest == oldDigest {
		t.Errorf("MAC after AddVersion = version %d, current %d, want another digest under 2", version, r.CurrentPepper())
	}
	if !r.Matches(oldVersion, oldDigest, credential) || !r.Matches(version, digest, credential) {
		t.Error("Matches after AddVersion forgets a pepper")
	}
	if r.Matches(1, digest, credential) || r.Matches(2, oldDigest, credential) {
		t.Error("Matches takes a digest under another pepper's version")
	}
	if diff := cmp.Diff([]Lookup{{2, digest}, {1, oldDigest}}, r.Lookups(credential)); diff != "" {
		t.Errorf("Lookups (-want +got):\n%s", diff)
	}
	newSealed, err := r.Seal(at, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	for _, sealed := range [][]byte{oldSealed, newSealed} {
		if got, err := r.Unseal(at, sealed); err != nil || string(got) != "secret" {
			t.Errorf("Unseal after AddVersion = %q, %v, want the value", got, err)
		}
	}

	// The other node does not know the new versions, says so, and does after Reload.
	if behind.KnowsPepper(2) || behind.Matches(2, digest, credential) {
		t.Error("a node knows a pepper before it reloads")
	}
	if _, err := behind.Unseal(at, newSealed); !errors.Is(err, ErrUnknownVersion) {
		t.Errorf("Unseal before Reload = %v, want %v", err, ErrUnknownVersion)
	}
	if err := behind.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !behind.Matches(2, digest, credential) || !behind.Matches(1, oldDigest, credential) {
		t.Error("Matches after Reload misses a pepper")
	}
	if diff := cmp.Diff(r.List(), behind.List()); diff != "" {
		t.Errorf("List of two nodes differ:\n%s", diff)
	}
}

func TestReloadKeepsTheKeysOnError(t *testing.T) {
	store := &memory{}
	r := open(t, store, Masters{Current: master(t, 1, 'a')})
	version, digest := r.MAC(credential)
	good := deepCopy(store.state)
	for name, spoil := range map[string]func(){
		"store fails":    func() { store.readErr = errGone },
		"keyring gone":   func() { store.state = State{} },
		"row damaged":    func() { store.state.Rows[0].Wrapped[3] ^= 1 },
		"another master": func() { store.state.Check[0] ^= 1 },
	} {
		spoil()
		if err := r.Reload(t.Context()); err == nil {
			t.Errorf("Reload(%s) = nil, want an error", name)
		}
		if !r.Matches(version, digest, credential) || len(r.List()) != len(founding) {
			t.Errorf("Reload(%s) took the keys away", name)
		}
		store.readErr, store.state = nil, deepCopy(good)
	}
	if err := r.Reload(t.Context()); err != nil {
		t.Errorf("Reload = %v, want none", err)
	}
}

func BenchmarkMAC(b *testing.B) {
	r := open(b, &memory{}, Masters{Current: master(b, 1, 'a')})
	b.ReportAllocs()
	for b.Loop() {
		r.MAC(credential)
	}
}

func BenchmarkMatches(b *testing.B) {
	r := open(b, &memory{}, Masters{Current: master(b, 1, 'a')})
	version, digest := r.MAC(credential)
	b.ReportAllocs()
	for b.Loop() {
		if !r.Matches(version, digest, credential) {
			b.Fatal("Matches = false")
		}
	}
}

func BenchmarkMatchesParallel(b *testing.B) {
	r := open(b, &memory{}, Masters{Current: master(b, 1, 'a')})
	version, digest := r.MAC(credential)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r.Matches(version, digest, credential)
		}
	})
}
