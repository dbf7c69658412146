package login_test

import (
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// TestSessionEnds: DESIGN section 8: who is not an admin stays signed in for 14 days, busy or not; an admin until they were
// not seen for 12 hours, and no longer than 14 days either.
func TestSessionEnds(t *testing.T) {
	const day = 24 * time.Hour
	for name, test := range map[string]struct {
		admin bool
		in    []time.Duration // between visits that find them signed in
		out   time.Duration   // after the last of those
	}{
		"an admin who goes away":               {true, nil, 12 * time.Hour},
		"an admin who comes back in time":      {true, []time.Duration{12*time.Hour - time.Millisecond, 12*time.Hour - time.Millisecond, 5 * time.Minute}, 12 * time.Hour},
		"an admin who never rests":             {true, repeated(28, 12*time.Hour-time.Minute), 28 * time.Minute},
		"somebody who goes away":               {false, []time.Duration{12 * time.Hour, 14*day - 12*time.Hour - time.Millisecond}, time.Millisecond},
		"somebody who goes away at once":       {false, nil, 14 * day},
		"somebody who comes by till the end":   {false, repeated(14, day-time.Millisecond), 14 * time.Millisecond},
		"somebody who comes by a moment later": {false, repeated(14, day-time.Millisecond), day},
	} {
		clock := servertest.NewClock()
		n := servertest.Start(t, servertest.Options{Now: clock.Now})
		u := addUser(t, n, "ada@example.com")
		if _, err := n.Admin.UpdateUser(t.Context(), u.ID, lanyard.UserPatch{Admin: &test.admin}); err != nil {
			t.Fatal(err)
		}
		b := n.Browser(t)
		signIn := map[string]string{"login": "ada@example.com", "password": password}
		if p := b.Press(b.Get("/login"), "sign-in", signIn); p.URL.Path != "/account" {
			t.Fatalf("%s: the login leads to %s (%d)", name, p.URL, p.Status)
		}
		for i, d := range test.in {
			clock.Advance(d)
			if p := b.Get("/account"); p.URL.Path != "/account" {
				t.Fatalf("%s: visit %d = %d at %s, want them signed in", name, i+1, p.Status, p.URL)
			}
		}
		clock.Advance(test.out)
		p := b.Get("/account")
		if p.URL.Path != "/login" {
			t.Errorf("%s: the last visit = %d at %s, want the sign-in page", name, p.Status, p.URL)
			continue
		}
		if p := b.Get("/account"); p.URL.Path != "/login" {
			t.Errorf("%s: looking at the sign-in page signs them in again", name)
		}
		if p := b.Press(p, "sign-in", signIn); p.URL.Path != "/account" {
			t.Errorf("%s: the next login leads to %s (%d)", name, p.URL, p.Status)
		}
	}
}

// TestSessionOfNewAdmin: from the moment that somebody is an admin their session is an admin's.
func TestSessionOfNewAdmin(t *testing.T) {
	clock := servertest.NewClock()
	n := servertest.Start(t, servertest.Options{Now: clock.Now})
	u := addUser(t, n, "ada@example.com")
	b := n.Browser(t)
	b.Press(b.Get("/login"), "sign-in", map[string]string{"login": "ada@example.com", "password": password})
	clock.Advance(12 * time.Hour)
	if _, err := n.Admin.UpdateUser(t.Context(), u.ID, lanyard.UserPatch{Admin: new(true)}); err != nil {
		t.Fatal(err)
	}
	if p := b.Get("/account"); p.URL.Path != "/login" {
		t.Errorf("a browser that an admin did not use for half a day shows %s", p.URL)
	}
}

func repeated(n int, d time.Duration) []time.Duration {
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = d
	}
	return all
}
