package keyring

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

func contains(err error, want string) bool { return err != nil && strings.Contains(err.Error(), want) }

func TestOpenTokenRefuses(t *testing.T) {
	r := open(t, &memory{}, Masters{Current: master(t, 1, 'a')})
	other := open(t, &memory{}, Masters{Current: master(t, 1, 'a')})
	aad := []byte("lyd_at_live_8fK2mQz7Lr0Xc41Z")
	sealed := r.SealToken(nil, aad, []byte("who and what"))
	if len(sealed) != len("who and what")+SealedOverhead {
		t.Errorf("SealToken = %d bytes, want %d more than the text", len(sealed), SealedOverhead)
	}
	refused := func(name string, r *Ring, aad, sealed []byte) {
		t.Helper()
		if got, err := r.OpenToken(nil, aad, sealed); got != nil || !errors.Is(err, ErrSealed) || errors.Is(err, ErrUnknownVersion) {
			t.Errorf("OpenToken(%s) = %q, %v, want %v", name, got, err, ErrSealed)
		}
	}
	refused("another head", r, []byte("lyd_at_test_8fK2mQz7Lr0Xc41Z"), sealed)
	refused("no head", r, nil, sealed)
	refused("another database", other, aad, sealed)
	refused("a byte more", r, aad, append(bytes.Clone(sealed), 0))
	for n := range sealed {
		refused("cut", r, aad, sealed[:n])
		if n >= versionSize {
			flipped := bytes.Clone(sealed)
			flipped[n] ^= 1
			refused("changed", r, aad, flipped)
		}
	}
	for version, unknown := range map[uint32]bool{0: false, 2: true, maxVersion: true, maxVersion + 1: false, 1<<32 - 1: false} {
		renamed := bytes.Clone(sealed)
		binary.BigEndian.PutUint32(renamed, version)
		if got, err := r.OpenToken(nil, aad, renamed); got != nil || errors.Is(err, ErrUnknownVersion) != unknown || err == nil {
			t.Errorf("OpenToken(version %d) = %q, %v, want %v: %v", version, got, err, ErrUnknownVersion, unknown)
		}
	}
	// The key of sealed columns opens no token, and the other way round.
	at := Place{"a", "b", "c"}
	column, err := r.Seal(at, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	refused("a sealed column", r, at.aad(), column)
	if got, err := r.Unseal(at, r.SealToken(nil, at.aad(), []byte("x"))); err == nil {
		t.Errorf("Unseal(a token) = %q, want an error", got)
	}
}

func TestTokensOpenAcrossVersions(t *testing.T) {
	store := &memory{}
	masters := Masters{Current: master(t, 1, 'a')}
	r, behind := open(t, store, masters), open(t, store, masters)
	aad, text := []byte("head"), []byte("who and what")
	old := r.SealToken([]byte("dst"), aad, text)
	if !bytes.HasPrefix(old, []byte("dst")) {
		t.Fatalf("SealToken(dst) = %x, want it appended", old)
	}
	old = old[len("dst"):]
	if bytes.Equal(old, r.SealToken(nil, aad, text)) {
		t.Error("SealToken twice gives the same bytes")
	}
	if _, err := r.AddVersion(t.Context(), Sealing, now); err != nil {
		t.Fatal(err)
	}
	fresh := r.SealToken(nil, aad, text)
	for _, sealed := range [][]byte{old, fresh} {
		if got, err := r.OpenToken([]byte("dst"), aad, sealed); err != nil || string(got) != "dst"+string(text) {
			t.Errorf("OpenToken = %q, %v, want it appended", got, err)
		}
	}
	if _, err := behind.OpenToken(nil, aad, fresh); !errors.Is(err, ErrUnknownVersion) {
		t.Errorf("OpenToken before Reload = %v, want %v", err, ErrUnknownVersion)
	}
	if err := behind.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := behind.OpenToken(nil, aad, fresh); err != nil || !bytes.Equal(got, text) {
		t.Errorf("OpenToken after Reload = %q, %v", got, err)
	}
}

func TestRefreshMACIsHMAC(t *testing.T) {
	store := &memory{}
	m := master(t, 1, 'a')
	r := open(t, store, Masters{Current: m})
	keys, err := unwrap(m, store.state)
	if err != nil {
		t.Fatal(err)
	}
	var key []byte
	for _, k := range keys {
		if k.Purpose == Refresh {
			key = k.key
		}
	}
	for _, n := range []int{0, 1, 64, 127, 128, 129, 1000} {
		message := bytes.Repeat([]byte{'m'}, n)
		reference := hmac.New(sha256.New, key)
		reference.Write(message)
		version, mac := r.RefreshMAC(message)
		if version != 1 || !bytes.Equal(mac[:], reference.Sum(nil)[:18]) {
			t.Errorf("RefreshMAC(%d bytes) = version %d and another MAC than the standard library's", n, version)
		}
		if again, known := r.RefreshMACWith(1, message); !known || again != mac {
			t.Errorf("RefreshMACWith(1, %d bytes) = known %v and another MAC", n, known)
		}
	}
	for _, version := range []int{-1, 0, 2, 255, 256} {
		if mac, known := r.RefreshMACWith(version, []byte("m")); known || mac != [18]byte{} {
			t.Errorf("RefreshMACWith(%d) = known, want it unknown and no MAC", version)
		}
	}
	// One message under another purpose's key is another MAC.
	_, digest := r.MAC("m")
	if _, mac := r.RefreshMAC([]byte("m")); bytes.Equal(mac[:], digest[:18]) {
		t.Error("RefreshMAC uses the pepper")
	}
}

// The version of a refresh key stands in one byte of the token, so there are 255 at most.
func TestRefreshVersionsFitAByte(t *testing.T) {
	m := master(t, 1, 'a')
	store := &memory{}
	r := open(t, store, Masters{Current: m})
	for range 254 {
		if _, err := r.AddVersion(t.Context(), Refresh, now); err != nil {
			t.Fatal(err)
		}
		for i := 1; i < len(r.live.Load().refresh); i++ {
			if err := r.Drop(t.Context(), Refresh, r.live.Load().refresh[i].version, now); err != nil {
				t.Fatal(err)
			}
		}
	}
	if version, _ := r.RefreshMAC(nil); version != 255 {
		t.Fatalf("RefreshMAC = version %d, want 255", version)
	}
	if info, err := r.AddVersion(t.Context(), Refresh, now); !fault.Is(err, fault.Conflict) {
		t.Errorf("AddVersion after 255 = %v, %v, want %s", info, err, fault.Conflict)
	}
	rows, err := wrap(m, []openKey{{Row: Row{Purpose: Refresh, Version: 256, State: Current, CreatedAt: now}, key: make([]byte, keySize)}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range store.state.Rows {
		if store.state.Rows[i].Purpose == Refresh {
			store.state.Rows[i].State = Retiring
		}
	}
	store.state.Rows = append(store.state.Rows, rows...)
	if err := r.Reload(t.Context()); !fault.Is(err, fault.Unavailable) || !contains(err, "refresh version 256") {
		t.Errorf("Reload with version 256 = %v, want %s", err, fault.Unavailable)
	}
}

func FuzzOpenToken(f *testing.F) {
	r := open(f, &memory{}, Masters{Current: master(f, 1, 'a')})
	genuine := r.SealToken(nil, []byte("head"), []byte("text"))
	f.Add([]byte("head"), genuine)
	f.Add([]byte("head"), genuine[:SealedOverhead-1])
	f.Add([]byte("other"), genuine)
	f.Add([]byte{}, []byte{})
	f.Add([]byte("head"), append([]byte{0, 0, 0, 2}, genuine[versionSize:]...))
	f.Fuzz(func(t *testing.T, aad, sealed []byte) {
		got, err := r.OpenToken(nil, aad, sealed)
		if err == nil && (string(aad) != "head" || !bytes.Equal(sealed, genuine) || string(got) != "text") {
			t.Errorf("OpenToken(%q, %x) = %q, want an error: nobody sealed that", aad, sealed, got)
		}
	})
}

func BenchmarkSealToken(b *testing.B) {
	r := open(b, &memory{}, Masters{Current: master(b, 1, 'a')})
	aad, text, out := []byte("lyd_at_live_8fK2mQz7Lr0Xc41Z"), make([]byte, 200), make([]byte, 0, 400)
	b.ReportAllocs()
	for b.Loop() {
		r.SealToken(out, aad, text)
	}
}

func BenchmarkOpenToken(b *testing.B) {
	r := open(b, &memory{}, Masters{Current: master(b, 1, 'a')})
	aad, out := []byte("lyd_at_live_8fK2mQz7Lr0Xc41Z"), make([]byte, 0, 400)
	sealed := r.SealToken(nil, aad, make([]byte, 200))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.OpenToken(out, aad, sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRefreshMAC(b *testing.B) {
	r := open(b, &memory{}, Masters{Current: master(b, 1, 'a')})
	message := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		r.RefreshMAC(message)
	}
}
