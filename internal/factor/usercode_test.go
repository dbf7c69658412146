package factor

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"
)

func TestCanonicalUserCode(t *testing.T) {
	for _, bad := range []string{
		"", "BCDF", "BCDF-GHJ", "BCDF-GHJKL", "BCDF-GHJA", "BCDF-GHJY", "BCDF-GHJ0", "BCDF_GHJK", "BCDF.GHJK", "ſBCDFGHJ", "BCDF-GHJ\x00K", "ВСDF-GHJK", // Cyrillic
		strings.Repeat(" ", 60) + "BCDF-GHJK",
	} {
		if got, ok := CanonicalUserCode(bad); ok {
			t.Errorf("CanonicalUserCode(%q) = %q, want none", bad, got)
		}
	}
	for _, good := range []string{"BCDF-GHJK", "bcdf-ghjk", "BCDFGHJK", " bcdf ghjk\n", "b c d f - g h j k", "BCDF–GHJK", "BCDF\u00a0GHJK", "-BCDFGHJK-"} {
		if got, ok := CanonicalUserCode(good); got != "BCDF-GHJK" || !ok {
			t.Errorf("CanonicalUserCode(%q) = %q, %v, want BCDF-GHJK", good, got, ok)
		}
	}
}

func TestNewUserCode(t *testing.T) {
	// Bytes from 240 up are drawn again: here the first code would otherwise begin with B.
	code, err := NewUserCode(bytes.NewReader([]byte{240, 255, 0, 1, 2, 3, 19, 20, 239, 5, 6, 7, 8, 9, 10, 11}))
	if code != "BCDF-ZBZH" || err != nil {
		t.Errorf("NewUserCode = %q, %v, want BCDF-ZBZH", code, err)
	}
	if code, err := NewUserCode(strings.NewReader("short")); err == nil {
		t.Errorf("NewUserCode without randomness = %q, want an error", code)
	}
	seen := map[string]bool{}
	for range 1000 {
		code, err := NewUserCode(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if again, ok := CanonicalUserCode(code); !ok || again != code || seen[code] {
			t.Errorf("NewUserCode = %q, which is read as %q, %v, seen before %v", code, again, ok, seen[code])
		}
		seen[code] = true
	}
}

func FuzzCanonicalUserCode(f *testing.F) {
	f.Add("BCDF-GHJK")
	f.Add("bcdf ghjk")
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := CanonicalUserCode(typed)
		if !ok {
			return
		}
		if again, ok := CanonicalUserCode(code); !ok || again != code || len(code) != 9 || strings.Trim(code, letters+"-") != "" {
			t.Errorf("CanonicalUserCode(%q) = %q, which is read as %q", typed, code, again)
		}
	})
}
