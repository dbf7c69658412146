package login_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// guesses are ten tries at one account, each under another spelling.
func guesses() []string {
	return []string{
		"kim@example.com", "Kim@example.com", "KIM@EXAMPLE.COM", "kim@Example.COM", " kim@example.com", "kim@example.com ", "kIM@example.com", "\u212aim@example.com", "kim@example.com\u00a0", "\tkim@example.com",
	}
}

// tryAs sends name and password from a fresh browser that says of itself, in every way there is, where it comes from.
func tryAs(t *testing.T, n *servertest.Node, name, password, from string) *servertest.Page {
	t.Helper()
	return n.Browser(t).Post("/login", url.Values{"login": {name}, "password": {password}}, http.Header{
		"X-Forwarded-For": {from}, "X-Real-Ip": {from}, "X-Client-Ip": {from}, "True-Client-Ip": {from}, "Cf-Connecting-Ip": {from}, "Forwarded": {"for=" + from},
	})
}

// TestGuessesByOne: SECURITY-CASES 82, 92: ten wrong passwords in ten minutes, whatever the spelling of the name and whatever
// a stranger says of where they come from; then nobody there is let in to the account, and the answer does not tell who knew
// the password.
func TestGuessesByOne(t *testing.T) {
	clock := servertest.NewClock()
	n := servertest.Start(t, servertest.Options{Now: clock.Now})
	addUser(t, n, "kim@example.com")
	addUser(t, n, "bob@example.com")
	for i, name := range guesses() {
		if p := tryAs(t, n, name, "wrong", fmt.Sprintf("203.0.113.%d", i)); p.Status != http.StatusUnauthorized {
			t.Fatalf("try %d as %q = %d, want 401", i+1, name, p.Status)
		}
	}
	said := map[string]bool{}
	for _, word := range []string{"wrong", password} {
		p := tryAs(t, n, "kim@example.com", word, "203.0.113.99")
		if p.Status != http.StatusTooManyRequests || p.Header.Get("Retry-After") != "60" {
			t.Errorf("the eleventh try = %d, Retry-After %q, want 429 and a minute", p.Status, p.Header.Get("Retry-After"))
		}
		said[p.Text()] = true
	}
	if len(said) != 1 {
		t.Errorf("the answers to a right and a wrong password differ: %v", said)
	}
	if p := tryAs(t, n, "bob@example.com", password, "203.0.113.99"); p.URL.Path != "/account" {
		t.Errorf("another account = %d at %s, want it let in", p.Status, p.URL)
	}
	clock.Advance(time.Minute)
	if p := tryAs(t, n, "kim@example.com", password, ""); p.URL.Path != "/account" {
		t.Errorf("a minute later = %d at %s, want the right password taken", p.Status, p.URL)
	}
}

// TestGuessesBehindProxy: behind a trusted proxy the address that it saw counts, IPv6 by its /64; what the client wrote to
// the left of that counts for nothing (SECURITY-CASES 92).
func TestGuessesBehindProxy(t *testing.T) {
	n := servertest.Start(t, servertest.Options{Settings: func(s *config.Settings) { s.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }})
	addUser(t, n, "kim@example.com")
	for _, seen := range []struct{ format, same, other string }{
		{"203.0.113.%d, 2001:db8::%[1]d:0:1", "198.51.100.7, 2001:db8::9", "198.51.100.7, 2001:db8:0:1::9"},
		{"[2001:db8::9]:%d, 192.0.2.%[1]d, 192.0.2.200", "::ffff:192.0.2.200", "192.0.2.201"},
	} {
		for i, name := range guesses() {
			if p := tryAs(t, n, name, "wrong", fmt.Sprintf(seen.format, i+1)); p.Status != http.StatusUnauthorized {
				t.Fatalf("try %d as %q = %d, want 401", i+1, name, p.Status)
			}
		}
		if p := tryAs(t, n, "kim@example.com", password, seen.same); p.Status != http.StatusTooManyRequests {
			t.Errorf("the eleventh try, from %s = %d, want 429", seen.same, p.Status)
		}
		if p := tryAs(t, n, "kim@example.com", password, seen.other); p.URL.Path != "/account" {
			t.Errorf("kim themself, from %s = %d at %s, want them let in", seen.other, p.Status, p.URL)
		}
	}
}
