package policy

import (
	"regexp"
	"strings"
	"testing"
)

// FuzzValidScope: a scope's name is what an engine of its own says, and so needs no quoting where scopes are joined by blanks.
func FuzzValidScope(f *testing.F) {
	for _, name := range []string{"a", "forecast.read", "a-b_c.d9", "lanyard.admin", "", ".", "a.", ".a", "a..b", "A", "9a", "a b", "a\nb", "a\"b", "ä", "a\x00", strings.Repeat("a", 64), strings.Repeat("a", 65)} {
		f.Add(name)
	}
	shape := regexp.MustCompile(`\A[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)*\z`)
	f.Fuzz(func(t *testing.T, name string) {
		err := ValidScope(name)
		if want := len(name) <= 64 && shape.MatchString(name); (err == nil) != want {
			t.Errorf("ValidScope(%q) = %v, want it valid: %t", name, err, want)
		}
		if err != nil {
			return
		}
		if got := strings.Fields("x " + name + " y"); len(got) != 3 || got[1] != name {
			t.Errorf("among others %q reads as %q", name, got)
		}
	})
}
