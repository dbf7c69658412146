package id

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestParseRefuses(t *testing.T) {
	good := string(New[App]())
	for _, text := range []string{
		"", "app", "app_", good[:len(good)-1], good + "0", " " + good, good + " ", strings.ToUpper(good),
		strings.Replace(good, "app_", "key_", 1), "app_" + strings.Repeat("é", 8), "app_" + strings.Repeat("-", 16),
	} {
		if got, err := Parse[App](text); err == nil {
			t.Errorf("Parse[App](%q) = %q, want an error", text, got)
		}
	}
}

func TestParseAcceptsItsOwn(t *testing.T) {
	want := New[Key]()
	got, err := Parse[Key](string(want))
	if err != nil || got != want {
		t.Errorf("Parse[Key](%q) = %q, %v, want it back", want, got, err)
	}
	if Of[Key](Chars(want)) != want {
		t.Errorf("Of(Chars(%q)) is another id", want)
	}
}

func TestBase62IsEven(t *testing.T) {
	// Every byte value once: the 248 accepted ones must give each letter exactly four times.
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	counts := map[rune]int{}
	text, err := Base62(io.MultiReader(bytes.NewReader(all), bytes.NewReader(make([]byte, 4096))), 248)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range text {
		counts[c]++
	}
	for c, n := range counts {
		if n != 4 {
			t.Errorf("Base62 of every byte once has %q %d times, want 4", c, n)
		}
	}
}

func TestNewFromFailsWithItsSource(t *testing.T) {
	boom := errors.New("boom")
	if _, err := NewFrom[User](iotestErr{boom}); !errors.Is(err, boom) {
		t.Errorf("NewFrom(failing source) error = %v, want %v", err, boom)
	}
}

type iotestErr struct{ err error }

func (r iotestErr) Read([]byte) (int, error) { return 0, r.err }
