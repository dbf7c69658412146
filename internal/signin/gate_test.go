package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/user"
)

const right = "blue cabbage under 9 moons"

// passwords has another name than the users' store, so that both can be parts.
type passwords interface{ factor.Store }

// people are the users of a gate, by the key of their address.
type people struct {
	user.Store
	passwords
	users map[string]*user.User
	kept  map[id.User]factor.Password
	down  error
}

func (p *people) UserByEmail(_ context.Context, email string) (*user.User, error) {
	if p.down != nil {
		return nil, p.down
	}
	if u := p.users[user.EmailKey(email)]; u != nil {
		return u, nil
	}
	return nil, fault.New(fault.NotFound, "there is no such user")
}

func (p *people) Password(_ context.Context, u id.User) (factor.Password, error) {
	if kept, ok := p.kept[u]; ok {
		return kept, nil
	}
	return factor.Password{}, fault.New(fault.NotFound, "there is no password")
}

type gateWorld struct {
	*Gate
	people *people
	at     time.Time
}

func newGate(t *testing.T) *gateWorld {
	t.Helper()
	w := &gateWorld{at: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), people: &people{users: map[string]*user.User{}, kept: map[id.User]factor.Password{}}}
	mac := func(text string) (int, [32]byte) { return 1, sha256.Sum256([]byte("pepper" + text)) }
	with := func(_ int, text string) ([32]byte, bool) {
		_, sum := mac(text)
		return sum, true
	}
	hasher := factor.New(mac, with, rand.Reader, 2)
	for _, name := range []string{"bob@example.com", "gone@example.com"} {
		u := &user.User{ID: id.New[id.User](), Email: name}
		hash, pepper, err := hasher.Hash(t.Context(), u.ID, right)
		if err != nil {
			t.Fatal(err)
		}
		w.people.users[name], w.people.kept[u.ID] = u, factor.Password{User: u.ID, Hash: hash, Pepper: pepper}
	}
	w.people.users["gone@example.com"].DisabledAt = w.at
	w.Gate = &Gate{Users: w.people, Passwords: w.people, Hasher: hasher, Limits: ratelimit.NewMemory(w.at), Now: func() time.Time { return w.at }}
	return w
}

// try returns "in", "wrong", "tried" or the error's text.
func (w *gateWorld) try(t *testing.T, email, password, from string) string {
	t.Helper()
	_, err := w.Password(t.Context(), email, password, netip.MustParseAddr(from))
	var tried *Tried
	switch {
	case err == nil:
		return "in"
	case errors.As(err, &tried):
		if tried.RetryAfter() <= 0 {
			t.Error("a refusal does not say when to try again")
		}
		return "tried"
	case fault.Is(err, fault.Unauthenticated) && err.Error() == Wrong().Error():
		return "wrong"
	}
	return err.Error()
}

// used spends limits as wrong passwords would, without the work of hashing them.
func (w *gateWorld) used(limit ratelimit.Limit, subject string, n int64) {
	w.Limits.Spend(w.at, []ratelimit.Request{{Limit: limit, Subject: subject, Cost: n}}, nil)
}

// TestGateSaysNothing: who is unknown, locked, or wrong hears the same.
func TestGateSaysNothing(t *testing.T) {
	w := newGate(t)
	for _, test := range [][2]string{{"bob@example.com", "wrong"}, {"nobody@example.com", right}, {"gone@example.com", right}, {"", right}, {"bob@example.com\x00", right}} {
		if got := w.try(t, test[0], test[1], "192.0.2.1"); got != "wrong" {
			t.Errorf("%q = %s, want wrong", test, got)
		}
	}
}

// TestGateLimits: SECURITY-CASES 82, 92: however the name or the address is written it is one counter, and the right password
// does not tell itself by getting past it.
func TestGateLimits(t *testing.T) {
	w := newGate(t)
	for i, name := range []string{"bob@example.com", "Bob@example.com", "bob@example.com ", "BOB@EXAMPLE.COM", " bob@Example.com"} {
		for j := range 2 {
			from := []string{"2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:0:1:2:3:4"}[(i+j)%3]
			if got := w.try(t, name, "wrong", from); got != "wrong" {
				t.Fatalf("try %d.%d = %s, want wrong", i, j, got)
			}
		}
	}
	for _, password := range []string{"wrong", right} {
		if got := w.try(t, "bob@example.com", password, "2001:db8::9"); got != "tried" {
			t.Errorf("the eleventh try = %s, want tried", got)
		}
	}
	if got := w.try(t, "bob@example.com", right, "2001:db8:0:1::1"); got != "in" {
		t.Errorf("bob himself, elsewhere = %s, want in", got)
	}
	if got := w.try(t, "bob@example.com", right, "::ffff:192.0.2.1"); got != "in" {
		t.Errorf("bob from IPv4 = %s, want in", got)
	}
	w.at = w.at.Add(limits.pair.Window)
	if got := w.try(t, "bob@example.com", right, "2001:db8::1"); got != "in" {
		t.Errorf("after the window = %s, want in", got)
	}
}

// TestGateNetwork: many names from one network, and one name from many, are counted too; unknown names like known ones.
func TestGateNetwork(t *testing.T) {
	w := newGate(t)
	w.used(limits.network, "192.0.2.1", int64(limits.network.N)-1)
	if got := w.try(t, "name@example.com", "wrong", "192.0.2.1"); got != "wrong" {
		t.Errorf("the last try of a network = %s, want wrong", got)
	}
	for _, from := range []string{"192.0.2.1", "::ffff:192.0.2.1"} {
		if got := w.try(t, "bob@example.com", right, from); got != "tried" {
			t.Errorf("one more from %s = %s, want tried", from, got)
		}
	}
	for _, name := range []string{"bob@example.com", "nobody@example.com"} {
		w.used(limits.account, name, int64(limits.account.N))
		if got := w.try(t, name, right, "198.51.100.7"); got != "tried" {
			t.Errorf("%s after a hundred tries from everywhere = %s, want tried", name, got)
		}
	}
}

// TestGateRight: whoever knows the password is not counted, and a database that is down counts against nobody.
func TestGateRight(t *testing.T) {
	w := newGate(t)
	for i := range 12 {
		if got := w.try(t, "bob@example.com", right, "192.0.2.1"); got != "in" {
			t.Fatalf("login %d = %s, want in", i, got)
		}
	}
	w.people.down = fault.New(fault.Unavailable, "the database is out of reach")
	for range 12 {
		if got := w.try(t, "bob@example.com", right, "192.0.2.1"); got != w.people.down.Error() {
			t.Fatalf("without a database = %s", got)
		}
	}
	w.people.down = nil
	if got := w.try(t, "bob@example.com", right, "192.0.2.1"); got != "in" {
		t.Errorf("after the outage = %s, want in", got)
	}
}

// TestGuess: what is right is given back.
func TestGuess(t *testing.T) {
	w := newGate(t)
	from := netip.MustParseAddr("192.0.2.1")
	for range 20 {
		was, err := w.Guess("code", from, "user")
		if err != nil {
			t.Fatal(err)
		}
		was()
	}
	for i := range limits.pair.N {
		if _, err := w.Guess("code", from, "user"); err != nil {
			t.Fatalf("guess %d: %v", i, err)
		}
	}
	if _, err := w.Guess("code", from, "user"); err == nil {
		t.Error("an eleventh wrong guess was taken")
	}
	if _, err := w.Guess("other", from, "user"); err != nil {
		t.Error("guesses at one thing count against another:", err)
	}
}

func TestNetwork(t *testing.T) {
	for _, test := range [][2]string{
		{"192.0.2.1", "192.0.2.1"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"2001:db8::1", "2001:db8::/64"},
		{"2001:db8:0:0:ffff::", "2001:db8::/64"},
		{"2001:db8:0:1::", "2001:db8:0:1::/64"},
		{"fe80::1%eth0", "fe80::/64"},
	} {
		if got := Network(netip.MustParseAddr(test[0])); got != test[1] {
			t.Errorf("Network(%s) = %s, want %s", test[0], got, test[1])
		}
	}
	if got := Network(netip.Addr{}); got != "unknown" {
		t.Errorf("Network of nothing = %s", got)
	}
}
