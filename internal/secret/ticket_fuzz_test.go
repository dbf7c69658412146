package secret

import (
	"regexp"
	"strings"
	"testing"
)

// FuzzTicketID: a ticket is 48 letters and digits, by an engine of its own too, and its id the first 16 of them.
func FuzzTicketID(f *testing.F) {
	good := strings.Repeat("0Az9", 12)
	for _, text := range []string{good, good[1:], good + "0", good[:47] + "-", good[:47] + "\n", good[:46] + "ä", "", strings.Repeat("\x00", 48)} {
		f.Add(text)
	}
	shape := regexp.MustCompile(`\A[0-9A-Za-z]{48}\z`)
	f.Fuzz(func(t *testing.T, text string) {
		chars, ok := TicketID(text)
		if ok != shape.MatchString(text) || ok && chars != text[:16] || !ok && chars != "" {
			t.Errorf("TicketID(%q) = %q, %t", text, chars, ok)
		}
	})
}
