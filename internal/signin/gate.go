package signin

import (
	"context"
	"net/netip"
	"time"

	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// Gate lets in who knows a password. An unknown name, a wrong password and a disabled account take the same time and get
// the same answer. Failures are counted by account and network, by account, and by network, so that neither one account
// nor many can be tried at will. Who is elsewhere than the one guessing can still get in, until the account had too many from
// everywhere: then no password opens it for a while, and a link by mail still does (docs/threat-model.md). Safe for concurrent
// use.
type Gate struct {
	Users     user.Store
	Passwords factor.Store
	Hasher    *factor.Hasher
	Limits    *ratelimit.Memory // of this node
	Now       func() time.Time
}

// Limits on failures. They never open: a node counts by itself.
var limits = struct{ pair, account, network ratelimit.Limit }{ //nolint:gochecknoglobals // constants that Go cannot write as such
	pair:    ratelimit.Limit{Name: "login", N: 10, Window: 10 * time.Minute},
	account: ratelimit.Limit{Name: "login_account", N: 100, Window: time.Hour},
	network: ratelimit.Limit{Name: "login_network", N: 60, Window: 10 * time.Minute},
}

// Tried is too many failures; it says when to try again.
type Tried struct {
	err   *fault.Error
	after time.Duration
}

func (t *Tried) Error() string { return t.err.Error() }

// Unwrap returns the fault.
func (t *Tried) Unwrap() error { return t.err }

// RetryAfter implements web.Retry.
func (t *Tried) RetryAfter() time.Duration { return t.after }

// Wrong is what everybody is told who is not let in.
func Wrong() error {
	return fault.New(fault.Unauthenticated, "the mail address or the password is not right")
}

// Password returns the user that an address and a password belong to. A refusal is Wrong or a Tried; other errors are the
// database's.
func (g *Gate) Password(ctx context.Context, email, password string, from netip.Addr) (*user.User, error) {
	now := g.Now()
	account, network := user.EmailKey(email), Network(from)
	if len(account) > 254 {
		account = account[:254]
	}
	spend := []ratelimit.Request{
		{Limit: limits.pair, Subject: account + "\x00" + network, Cost: 1},
		{Limit: limits.account, Subject: account, Cost: 1},
		{Limit: limits.network, Subject: network, Cost: 1},
	}
	// Spent before the work and given back on success: tries at the same time do not slip through between look and count.
	if out := g.Limits.Spend(now, spend, nil); !out.Allowed {
		return nil, &Tried{fault.New(fault.TooMany, "too many tries; wait a little, or set a new password by mail"), ratelimit.RetryAfter(out.Statuses)}
	}
	u, known, err := g.look(ctx, email)
	if err != nil {
		g.Limits.Release(now, spend)
		return nil, err
	}
	ok, outdated, err := g.Hasher.Verify(ctx, known, password)
	if err != nil {
		g.Limits.Release(now, spend)
		return nil, err
	}
	if !ok || known == nil || !u.DisabledAt.IsZero() {
		return nil, Wrong()
	}
	g.Limits.Release(now, spend)
	if outdated {
		g.upgrade(ctx, known, password)
	}
	return u, nil
}

// Try counts a try at something that could be guessed, by who tries and from where, and refuses with a Tried when there were
// too many. Unlike a password's, every try counts.
func (g *Gate) Try(what string, from netip.Addr, who string) error {
	_, err := g.Guess(what, from, who)
	return err
}

// Guess is Try where only what is wrong counts: the caller looks and calls right if it was right, which gives the try back.
// It is spent before, so that guesses at the same time do not slip through between look and count.
func (g *Gate) Guess(what string, from netip.Addr, who string) (right func(), err error) {
	now := g.Now()
	spend := []ratelimit.Request{
		{Limit: limits.pair, Subject: what + "\x00" + who, Cost: 1},
		{Limit: limits.network, Subject: what + "\x00" + Network(from), Cost: 1},
	}
	if out := g.Limits.Spend(now, spend, nil); !out.Allowed {
		return nil, &Tried{fault.New(fault.TooMany, "too many tries; wait a little"), ratelimit.RetryAfter(out.Statuses)}
	}
	return func() { g.Limits.Release(now, spend) }, nil
}

// look finds who is meant; nobody is no error.
func (g *Gate) look(ctx context.Context, email string) (*user.User, *factor.Password, error) {
	u, err := g.Users.UserByEmail(ctx, email)
	if fault.Is(err, fault.NotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	p, err := g.Passwords.Password(ctx, u.ID)
	if fault.Is(err, fault.NotFound) {
		return u, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return u, &p, nil
}

// upgrade replaces a hash that was made with older settings or an older pepper. If it fails, a later login does it.
func (g *Gate) upgrade(ctx context.Context, old *factor.Password, password string) {
	hash, pepper, err := g.Hasher.Hash(ctx, old.User, password)
	if err != nil {
		return
	}
	_ = g.Passwords.UpgradePassword(ctx, factor.Password{User: old.User, Hash: hash, Pepper: pepper, ChangedAt: old.ChangedAt}, old.Hash)
}

// Network is the neighbourhood whose tries count together: an IPv4 address, or the /64 that one host commands
// (SECURITY-CASES 92).
func Network(ip netip.Addr) string {
	ip = ip.Unmap().WithZone("")
	if !ip.IsValid() {
		return "unknown"
	}
	if ip.Is4() {
		return ip.String()
	}
	p, err := ip.Prefix(64)
	if err != nil {
		return ip.String()
	}
	return p.String()
}
