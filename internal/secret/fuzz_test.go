package secret

import (
	"regexp"
	"strings"
	"testing"
)

func FuzzParse(f *testing.F) {
	v := loadVectors(f)
	for _, good := range v.Valid {
		f.Add(good.Text)
	}
	for _, bad := range v.Invalid {
		f.Add(bad.Text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_ = Hint(text)
		c, err := Parse(text)
		if err != nil {
			if c != (Credential{}) {
				t.Errorf("Parse(%q) = %v beside an error", text, c)
			}
			return
		}
		start := len(text) - checkLength - BodyLength
		again, err := Assemble(c.Prefix, c.Kind, c.Mode, c.ID, [BodyLength]byte([]byte(text[start:start+BodyLength])))
		if err != nil || again.Reveal() != text {
			t.Errorf("Parse(%q) is put together again as %q, %v", text, again.Reveal(), err)
		}
	})
}

func FuzzRedact(f *testing.F) {
	key := issue(f, "lyd", Key, Live)
	for _, text := range []string{"", key, key + key, "x" + key + " " + key[:30], "_key_live_", "_key_live_key_live_" + key[13:]} {
		f.Add(text)
	}
	// The plain statement of what must not be left, by an engine of its own.
	left := regexp.MustCompile(`_(key|pub|cs|pat|rt|ac)_(live|test)_[0-9A-Za-z]{17}`)
	f.Fuzz(func(t *testing.T, text string) {
		got := Redact(text)
		if m := left.FindString(got); m != "" {
			t.Errorf("Redact(%q) = %q, which still holds %q", text, got, m)
		}
		if again := Redact(got); again != got {
			t.Errorf("Redact is not idempotent: %q, then %q", got, again)
		}
		if !left.MatchString(text) && got != text {
			t.Errorf("Redact(%q) = %q, want it unchanged", text, got)
		}
		if want := strings.Count(text, "\n"); strings.Count(got, "\n") != want {
			t.Errorf("Redact(%q) changes the number of lines", text)
		}
	})
}

func FuzzRefresh(f *testing.F) {
	v := loadVectors(f)
	for _, r := range append(v.Refresh, v.RefreshInvalid...) {
		f.Add(r.Body)
	}
	f.Fuzz(func(t *testing.T, text string) {
		body, err := DecodeRefresh(text)
		if err != nil {
			return
		}
		if again := body.Encode(); string(again[:]) != text {
			t.Errorf("DecodeRefresh(%q) encodes to %q", text, again)
		}
	})
}
