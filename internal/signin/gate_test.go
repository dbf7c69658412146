package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
	look  func() // called at each look; may be nil
}

func (p *people) UserByEmail(_ context.Context, email string) (*user.User, error) {
	if p.look != nil {
		p.look()
	}
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
	for _, name := range []string{"bob@example.com", "gone@example.com", "kim@example.com"} {
		u := w.add(name, "")
		hash, pepper, err := hasher.Hash(t.Context(), u, right)
		if err != nil {
			t.Fatal(err)
		}
		w.people.kept[u] = factor.Password{User: u, Hash: hash, Pepper: pepper}
	}
	w.people.users["gone@example.com"].DisabledAt = w.at
	w.Gate = &Gate{Users: w.people, Passwords: w.people, Hasher: hasher, Limits: ratelimit.NewMemory(w.at), Now: func() time.Time { return w.at }}
	return w
}

// quick is a hash of nothing, compared with in no time.
const quick = "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// add makes a user with a password of which the hash is given.
func (w *gateWorld) add(email, hash string) id.User {
	u := &user.User{ID: id.New[id.User](), Email: email}
	w.people.users[email], w.people.kept[u.ID] = u, factor.Password{User: u.ID, Hash: hash, Pepper: 1}
	return u.ID
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

// TestGateSpellings: SECURITY-CASES 82: a spelling that means an account is counted as that account, and one that looks like it
// means nobody.
func TestGateSpellings(t *testing.T) {
	w := newGate(t)
	same := []string{
		"kim@example.com", "Kim@example.com", "KIM@EXAMPLE.COM", "kim@Example.Com", " kim@example.com", "kim@example.com ", "\tkim@example.com\r\n", "kim@example.com\u00a0", "\u3000kim@example.com",
		"\u2028kim@example.com\u2029", "\u212aim@example.com", "k\u0130m@example.com", // a Kelvin sign; an I with a dot
	}
	others := []string{
		"ｋｉｍ@example.com", "\u043aim@example.com", "k\u0131m@example.com", "kim@example\u3002com", "kim@example.com.", "kim+x@example.com", "k.im@example.com",
		"kim@example.com\x00", "kim\u200b@example.com", "\u200ekim@example.com", "\ufeffkim@example.com", "ki\u00adm@example.com", "ki\u0301m@example.com", "kim@example.com\xff", "kim", "kim@example.com,x",
		"<kim@example.com>", "kim@example.com" + strings.Repeat(" ", 300) + "x",
	}
	for _, name := range same {
		if got := w.try(t, name, right, "192.0.2.1"); got != "in" {
			t.Errorf("%q = %s, want in", name, got)
		}
	}
	for _, name := range same[:10] {
		if got := w.try(t, name, "wrong", "192.0.2.1"); got != "wrong" {
			t.Errorf("%q = %s, want wrong", name, got)
		}
	}
	for _, name := range same {
		if got := w.try(t, name, right, "192.0.2.1"); got != "tried" {
			t.Errorf("%q after ten wrong tries = %s, want tried", name, got)
		}
	}
	for _, name := range others {
		if got := w.try(t, name, right, "198.51.100.7"); got != "wrong" {
			t.Errorf("%q = %s, want wrong", name, got)
		}
	}
}

// TestGateNumbers: the limits that docs/threat-model.md tells, whoever of many names or of many sources tries; each lets one
// more through when one has been forgotten (SECURITY-CASES 92).
func TestGateNumbers(t *testing.T) {
	for name, test := range map[string]struct {
		n     int
		every time.Duration
		who   func(i int) (email, from string)
	}{
		"one account from one network": {10, time.Minute, func(i int) (string, string) { return "name0@example.com", fmt.Sprintf("2001:db8::%x", i) }},
		"one account from everywhere":  {100, 36 * time.Second, func(i int) (string, string) { return "name0@example.com", fmt.Sprintf("2001:db8:0:%x::1", i) }},
		"one IPv6 network": {60, 10 * time.Second, func(i int) (string, string) {
			return fmt.Sprintf("name%d@example.com", i), fmt.Sprintf("2001:db8::%x:1", i)
		}},
		"one IPv4 address": {60, 10 * time.Second, func(i int) (string, string) { return fmt.Sprintf("name%d@example.com", i), "192.0.2.1" }},
	} {
		w := newGate(t)
		for i := range 61 {
			w.add(fmt.Sprintf("name%d@example.com", i), quick)
		}
		for i := range test.n {
			if email, from := test.who(i); w.try(t, email, "wrong", from) != "wrong" {
				t.Fatalf("%s: try %d of %d is refused", name, i+1, test.n)
			}
		}
		email, from := test.who(test.n)
		_, err := w.Password(t.Context(), email, "wrong", netip.MustParseAddr(from))
		var tried *Tried
		if !errors.As(err, &tried) || tried.RetryAfter() != test.every {
			t.Errorf("%s: try %d = %v, want it refused for %v", name, test.n+1, err, test.every)
			continue
		}
		w.at = w.at.Add(test.every - time.Millisecond)
		if got := w.try(t, email, "wrong", from); got != "tried" {
			t.Errorf("%s: a moment too early = %s, want tried", name, got)
		}
		w.at = w.at.Add(time.Millisecond)
		if got := w.try(t, email, "wrong", from) + " " + w.try(t, email, "wrong", from); got != "wrong tried" {
			t.Errorf("%s: in time, twice = %s, want wrong tried", name, got)
		}
	}
}

// TestGateAtOnce: of tries that are all under way at the same time no more get through than one after another.
func TestGateAtOnce(t *testing.T) {
	w := newGate(t)
	w.add("ann@example.com", quick)
	const tries = 64
	arrived, open := make(chan bool, 2*tries), make(chan bool)
	w.people.look = func() {
		arrived <- true
		<-open
	}
	got := make([]string, tries)
	var done sync.WaitGroup
	for i := range got {
		done.Go(func() {
			got[i] = w.try(t, "ann@example.com", "wrong", "192.0.2.1")
			arrived <- true
		})
	}
	for range tries { // each has been refused, or has got past the limit and looks for the account
		<-arrived
	}
	close(open)
	done.Wait()
	count := map[string]int{}
	for _, g := range got {
		count[g]++
	}
	if diff := cmp.Diff(map[string]int{"wrong": 10, "tried": tries - 10}, count); diff != "" {
		t.Errorf("tries at once (-want +got):\n%s", diff)
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
