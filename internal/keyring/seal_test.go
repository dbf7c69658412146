package keyring

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

func TestSealRefuses(t *testing.T) {
	r := open(t, &memory{}, Masters{Current: master(t, 1, 'a')})
	for _, at := range []Place{{}, {"user", "totp", ""}, {"user", "", "1"}, {"", "totp", "1"}} {
		if got, err := r.Seal(at, []byte("secret")); err == nil || got != nil {
			t.Errorf("Seal(%s) = %x, %v, want an error", at, got, err)
		}
	}
}

func TestUnsealRefuses(t *testing.T) {
	r := open(t, &memory{}, Masters{Current: master(t, 1, 'a')})
	other := open(t, &memory{}, Masters{Current: master(t, 1, 'a')})
	at := Place{"user", "totp", "user_1"}
	sealed, err := r.Seal(at, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		at   Place
	}{
		{"another row", Place{"user", "totp", "user_2"}},
		{"another column", Place{"user", "password", "user_1"}},
		{"another table", Place{"factor", "totp", "user_1"}},
		{"a letter moved", Place{"usert", "otp", "user_1"}},
		{"parts swapped", Place{"totp", "user", "user_1"}},
		{"no place", Place{}},
	} {
		if got, err := r.Unseal(tt.at, sealed); err == nil || got != nil {
			t.Errorf("Unseal(%s) = %q, %v, want an error", tt.name, got, err)
		}
	}
	for n := range len(sealed) {
		if got, err := r.Unseal(at, sealed[:n]); err == nil {
			t.Errorf("Unseal(first %d bytes) = %q, want an error", n, got)
		}
		flipped := bytes.Clone(sealed)
		flipped[n] ^= 1
		if got, err := r.Unseal(at, flipped); err == nil {
			t.Errorf("Unseal(byte %d changed) = %q, want an error", n, got)
		}
	}
	if got, err := r.Unseal(at, append(bytes.Clone(sealed), 0)); err == nil {
		t.Errorf("Unseal(a byte more) = %q, want an error", got)
	}
	for _, version := range []uint32{0, 2, 1 << 31, 1<<32 - 1} {
		renamed := bytes.Clone(sealed)
		binary.BigEndian.PutUint32(renamed, version)
		if _, err := r.Unseal(at, renamed); !errors.Is(err, ErrUnknownVersion) {
			t.Errorf("Unseal(version %d) = %v, want %v", version, err, ErrUnknownVersion)
		}
	}
	if got, err := other.Unseal(at, sealed); err == nil {
		t.Errorf("Unseal by another database's keyring = %q, want an error", got)
	}
}

func TestSealRoundTrip(t *testing.T) {
	r := open(t, &memory{}, Masters{Current: master(t, 1, 'a')})
	at := Place{"user", "totp", "user_1"}
	for _, want := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("long "), 10_000)} {
		first, err := r.Seal(at, want)
		if err != nil {
			t.Fatal(err)
		}
		second, err := r.Seal(at, want)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(first, second) {
			t.Errorf("Seal of %d bytes twice gives the same bytes", len(want))
		}
		if len(first) != len(want)+44 {
			t.Errorf("Seal of %d bytes = %d bytes, want 44 more", len(want), len(first))
		}
		if len(want) > 3 && bytes.Contains(first, want[:4]) {
			t.Error("Seal leaves plaintext")
		}
		for _, sealed := range [][]byte{first, second} {
			if got, err := r.Unseal(at, sealed); err != nil || !bytes.Equal(got, want) {
				t.Errorf("Unseal = %d bytes, %v, want the %d sealed", len(got), err, len(want))
			}
		}
	}
}

func FuzzUnseal(f *testing.F) {
	r := open(f, &memory{}, Masters{Current: master(f, 1, 'a')})
	at := Place{"user", "totp", "user_1"}
	genuine, err := r.Seal(at, []byte("secret"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("user", "totp", "user_1", genuine)
	f.Add("user", "totp", "user_2", genuine)
	f.Add("usert", "otp", "user_1", genuine)
	f.Add("user", "totp", "user_1", genuine[:versionSize])
	f.Add("", "", "", []byte{})
	f.Add("user", "totp", "user_1", append([]byte{0, 0, 0, 2}, genuine[versionSize:]...))
	f.Fuzz(func(t *testing.T, table, column, row string, sealed []byte) {
		place := Place{table, column, row}
		got, err := r.Unseal(place, sealed)
		if err == nil && (place != at || !bytes.Equal(sealed, genuine) || string(got) != "secret") {
			t.Errorf("Unseal(%s, %x) = %q, want an error: nobody sealed that", place, sealed, got)
		}
	})
}

func BenchmarkUnseal(b *testing.B) {
	r := open(b, &memory{}, Masters{Current: master(b, 1, 'a')})
	at := Place{"user", "totp", "user_1"}
	sealed, err := r.Seal(at, []byte("a secret of some twenty bytes"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Unseal(at, sealed); err != nil {
			b.Fatal(err)
		}
	}
}
