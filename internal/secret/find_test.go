package secret

import (
	"crypto/rand"
	"slices"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	a, err := New("acme", Key, Live, "0123456789ABCDEF", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := New("lyd", Personal, Test, "FEDCBA9876543210", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	one, two := a.Reveal(), b.Reveal()
	wrong := one[:len(one)-1] + "!"
	for text, want := range map[string][]string{
		"": nil, "_key_live_": nil, strings.Repeat("_", 1000): nil, one[:len(one)-1]: nil, wrong: nil, strings.ToUpper(one): nil, one[5:]: nil,
		one: {one}, "KEY=" + one + "\n" + `{"token":"` + two + `"}`: {one, two}, one + two: {one, two}, "x_key_live_" + one: {one}, one + " " + one: {one, one}, "é" + one + "é": {one},
	} {
		var got []string
		Find(text, func(credential string, c Credential) bool {
			if c.ID == "" {
				t.Errorf("Find(%q) gives no id", text)
			}
			got = append(got, credential)
			return true
		})
		if !slices.Equal(got, want) {
			t.Errorf("Find(%.80q) = %q, want %q", text, got, want)
		}
	}
	n := 0
	Find(one+two, func(string, Credential) bool { n++; return false })
	if n != 1 {
		t.Errorf("Find went on %d times after it was told to stop", n-1)
	}
}

// FuzzFind: whatever is found parses, and stands in the text.
func FuzzFind(f *testing.F) {
	f.Add("KEY=acme_key_live_0123456789ABCDEF" + strings.Repeat("a", 38))
	f.Fuzz(func(t *testing.T, text string) {
		Find(text, func(credential string, _ Credential) bool {
			if _, err := Parse(credential); err != nil || !strings.Contains(text, credential) {
				t.Errorf("Find(%q) gives %q", text, credential)
			}
			return true
		})
	})
}
