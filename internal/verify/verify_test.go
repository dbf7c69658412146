package verify_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

var forecast = []string{"forecast.read"}

// TestVerifyRefuses goes through every refusal, each on a key that differs from a good one in a single thing.
func TestVerifyRefuses(t *testing.T) {
	w := newWorld(t)
	now := w.clock.Now()
	good := w.key(keySpec{scopes: forecast})
	other, err := secret.New("lyd", secret.Key, secret.Live, id.Chars(good.key.ID), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pat, err := secret.New("lyd", secret.Personal, secret.Live, id.Chars(good.key.ID), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	renamed := "acme" + strings.TrimPrefix(good.credential, "lyd")
	revoked, disabled, deleted := w.key(keySpec{scopes: forecast}), w.key(keySpec{scopes: forecast}), w.key(keySpec{scopes: forecast})
	w.alter(revoked.key.ID, func(k *key.Key) error { return k.Revoke(now, "leaked", 0) })
	w.alter(disabled.key.ID, func(k *key.Key) error { return k.Disable(now) })
	w.alter(deleted.key.ID, func(k *key.Key) error { k.Delete(now); return nil })
	office := policy.Restrictions{IPs: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}}
	page := policy.Restrictions{Origins: []string{"https://app.example"}}
	one := policy.Restrictions{Operations: []string{"GET /v1/forecast"}}

	for _, test := range []struct {
		name string
		req  verify.Request
		want policy.Code
		by   string
	}{
		{"no credential", verify.Request{}, policy.Missing, "credential"},
		{"garbage", verify.Request{Credential: "hello"}, policy.Malformed, "credential"},
		{"one letter off", verify.Request{Credential: good.credential[:len(good.credential)-1] + "!"}, policy.Malformed, "credential"},
		{"cut", verify.Request{Credential: good.credential[:len(good.credential)-1]}, policy.Malformed, "credential"},
		{"upper case", verify.Request{Credential: strings.ToUpper(good.credential)}, policy.Malformed, "credential"},
		{"doubled", verify.Request{Credential: good.credential + good.credential}, policy.Malformed, "credential"},
		{"trailing newline", verify.Request{Credential: good.credential + "\n"}, policy.Malformed, "credential"},
		{"right id, other secret", verify.Request{Credential: other.Reveal()}, policy.NotFound, "credential"},
		{"other prefix, stale checksum", verify.Request{Credential: renamed}, policy.Malformed, "credential"},
		{"a kind this API is never sent", verify.Request{Credential: pat.Reveal()}, policy.NotFound, "credential"},
		{"unknown id", verify.Request{Credential: w.build(keySpec{}).credential}, policy.NotFound, "credential"},
		{"revoked", verify.Request{Credential: revoked.credential}, policy.Revoked, "key"},
		{"deleted", verify.Request{Credential: deleted.credential}, policy.Revoked, "key"},
		{"disabled", verify.Request{Credential: disabled.credential}, policy.Disabled, "key"},
		{"expired at this very moment", verify.Request{Credential: w.key(keySpec{scopes: forecast, expires: now.Truncate(time.Microsecond)}).credential}, policy.Expired, "key"},
		{"not yet", verify.Request{Credential: w.key(keySpec{scopes: forecast, notBefore: now.Add(time.Second)}).credential}, policy.NotYetValid, "key"},
		{"live key for test", verify.Request{Credential: good.credential, Mode: "test"}, policy.ModeMismatch, "mode"},
		{"test key for live", verify.Request{Credential: w.key(keySpec{scopes: forecast, mode: secret.Test}).credential, Mode: "live"}, policy.ModeMismatch, "mode"},
		{"unknown operation", verify.Request{Credential: good.credential, Method: "DELETE", Path: "/v1/forecast"}, policy.OperationUnknown, "operation"},
		{"unknown operation by name", verify.Request{Credential: good.credential, Operation: "GET /v2"}, policy.OperationUnknown, "operation"},
		{"no scopes", verify.Request{Credential: w.key(keySpec{}).credential, Method: "GET", Path: "/v1/forecast"}, policy.InsufficientScope, "key.scopes"},
		{"another scope", verify.Request{Credential: good.credential, Operation: "POST /v1/alerts"}, policy.InsufficientScope, "key.scopes"},
		{"scope beyond the operation's", verify.Request{Credential: good.credential, Operation: "GET /v1/forecast", Scopes: []string{"alerts.write"}}, policy.InsufficientScope, "key.scopes"},
		{"operation not among the key's", verify.Request{Credential: w.key(keySpec{scopes: forecast, restrict: one}).credential, Operation: "GET /v1/history"}, policy.InsufficientScope, "key.operations"},
		{"no operation for a key limited to one", verify.Request{Credential: w.key(keySpec{scopes: forecast, restrict: one}).credential}, policy.InsufficientScope, "key.operations"},
		{"key for a token API", verify.Request{API: "mail", Credential: good.credential, Operation: "GET /v1/messages"}, policy.KindNotAccepted, "key"},
		{"not subscribed", verify.Request{API: "pro", Credential: good.credential}, policy.NotSubscribed, "plan"},
		{"foreign address", verify.Request{Credential: w.key(keySpec{scopes: forecast, restrict: office}).credential, IP: netip.MustParseAddr("198.51.100.1")}, policy.IPDenied, "key.ip_allow"},
		{"no address", verify.Request{Credential: w.key(keySpec{scopes: forecast, restrict: office}).credential}, policy.IPDenied, "key.ip_allow"},
		{"foreign origin", verify.Request{Credential: w.key(keySpec{scopes: forecast, restrict: page}).credential, Origin: "https://evil.example"}, policy.OriginDenied, "key.origins"},
		{"no origin", verify.Request{Credential: w.key(keySpec{scopes: forecast, restrict: page}).credential}, policy.OriginDenied, "key.origins"},
	} {
		if test.req.API == "" {
			test.req.API = "weather"
		}
		got := w.ask(test.req)
		if got.Code != test.want || got.DeniedBy != test.by {
			t.Errorf("%s: Verify = %s by %q, want %s by %q", test.name, got.Code, got.DeniedBy, test.want, test.by)
		}
		if got.Message == "" || strings.Contains(got.Message, "lyd_key_live_") {
			t.Errorf("%s: Message = %q, want words without a credential", test.name, got.Message)
		}
		known := test.want != policy.Missing && test.want != policy.Malformed && test.want != policy.NotFound
		if got.Identified != known {
			t.Errorf("%s: Identified = %v, want %v: only a proven credential is spoken about", test.name, got.Identified, known)
		}
	}
	if n := len(w.rec.events); n != 0 {
		t.Errorf("%d refusals were charged, want none", n)
	}
}

// TestVerifyAPIThatIsNot: an API nobody declared is the asker's mistake, not the caller's.
func TestVerifyAPIThatIsNot(t *testing.T) {
	w := newWorld(t)
	var d verify.Decision
	err := w.v.Verify(context.Background(), &verify.Request{API: "nowhere", Credential: "x"}, &d)
	if !fault.Is(err, fault.NotFound) {
		t.Errorf("Verify(unknown API) error = %v, want not_found", err)
	}
	k := w.key(keySpec{scopes: forecast})
	err = w.v.Verify(context.Background(), &verify.Request{API: "weather", Credential: k.credential, APIKey: k.credential}, &d)
	if !fault.Is(err, fault.Invalid) {
		t.Errorf("Verify(two keys) error = %v, want invalid_request", err)
	}
}

func TestVerifyAllows(t *testing.T) {
	w := newWorld(t)
	k := w.key(keySpec{scopes: forecast, limits: []ratelimit.Limit{{Name: "burst", N: 100, Window: time.Minute}}})
	d := w.ask(verify.Request{API: "weather", Credential: k.credential, Method: "GET", Path: "/v1/history", IP: netip.MustParseAddr("203.0.113.7")})
	if !d.Allowed() || d.Key != k.key.ID || d.App != w.app || d.Team != w.team || d.AppName != "WeatherDashboard" || d.Version != 1 || d.Kind != secret.Key {
		t.Errorf("Verify = %+v, want it allowed with everything about the key", d)
	}
	if len(d.Limits) != 1 || d.Limits[0].Remaining != 98 {
		t.Errorf("Limits = %+v, want 98 left of 100: the operation costs 2", d.Limits)
	}
	if len(w.rec.events) != 1 {
		t.Fatalf("%d uses recorded, want 1", len(w.rec.events))
	}
	ev := w.rec.events[0]
	if ev.Units != 2 || ev.Operation != "GET /v1/history" || ev.Outcome != "valid" || ev.Network != "203.0.113.0/24" || ev.Key != k.key.ID || ev.API != "weather" {
		t.Errorf("recorded %+v, want two units of GET /v1/history from 203.0.113.0/24", ev)
	}
}

func TestVerifyStatusOfOwners(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	k := w.key(keySpec{scopes: forecast})
	check := func(what string, want policy.Code, by string) {
		t.Helper()
		if d := w.ask(verify.Request{API: "weather", Credential: k.credential}); d.Code != want || d.DeniedBy != by {
			t.Errorf("%s: Verify = %s by %q, want %s by %q", what, d.Code, d.DeniedBy, want, by)
		}
	}
	check("at first", policy.Valid, "")
	suspend := func(at time.Time) {
		_, rev, err := w.st.UpdateTeam(ctx, audit.ServerReach(), w.team, w.event("team.update"), func(tm *team.Team) error { tm.SuspendedAt = at; return nil })
		w.must(rev, err)
		w.sync()
	}
	suspend(w.clock.Now())
	check("team suspended", policy.OwnerSuspended, "team")
	suspend(time.Time{})
	check("team active again", policy.Valid, "")
	disable := func(change func(*app.App)) {
		_, rev, err := w.st.UpdateApp(ctx, audit.ServerReach(), w.app, w.event("app.update"), func(a *app.App) error { change(a); return nil })
		w.must(rev, err)
		w.sync()
	}
	disable(func(a *app.App) { a.DisabledAt = w.clock.Now() })
	check("app disabled", policy.Disabled, "app")
	disable(func(a *app.App) { a.DisabledAt = time.Time{} })
	check("app enabled", policy.Valid, "")
	disable(func(a *app.App) { a.DeletedAt = w.clock.Now() })
	check("app deleted", policy.Disabled, "app")
}

func TestVerifySubscription(t *testing.T) {
	w := newWorld(t)
	k := w.key(keySpec{})
	req := verify.Request{API: "pro", Credential: k.credential}
	if d := w.ask(req); d.Code != policy.NotSubscribed {
		t.Fatalf("Verify before subscribing = %s, want not_subscribed", d.Code)
	}
	w.must(w.st.Subscribe(context.Background(), w.team, "pro", billing.Change{Plan: "gold"}, w.event("subscription.set")))
	w.sync()
	for i := range 5 {
		if d := w.ask(req); !d.Allowed() {
			t.Fatalf("call %d = %s by %q, want valid", i, d.Code, d.DeniedBy)
		}
	}
	d := w.ask(req)
	if d.Code != policy.RateLimited || d.DeniedBy != "plan-per-minute" || d.RetryAfter <= 0 {
		t.Errorf("call over the plan's limit = %s by %q after %s, want rate_limited by plan-per-minute", d.Code, d.DeniedBy, d.RetryAfter)
	}
}

func TestVerifyRotation(t *testing.T) {
	w := newWorld(t)
	old := w.key(keySpec{scopes: forecast})
	next, err := secret.New("lyd", secret.Key, secret.Live, id.Chars(old.key.ID), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w.alter(old.key.ID, func(k *key.Key) error {
		return k.Rotate(w.clock.Now(), time.Hour, w.version(0, next.Reveal(), keySpec{}))
	})
	ask := func(c string) verify.Decision { return w.ask(verify.Request{API: "weather", Credential: c}) }
	if d := ask(old.credential); !d.Allowed() || d.Version != 1 || len(d.Warnings) != 1 {
		t.Errorf("old secret within the overlap = %s, version %d, warnings %q; want valid, 1 and one warning", d.Code, d.Version, d.Warnings)
	}
	if d := ask(next.Reveal()); !d.Allowed() || d.Version != 2 || len(d.Warnings) != 0 {
		t.Errorf("new secret = %s, version %d, warnings %q; want valid, 2 and none", d.Code, d.Version, d.Warnings)
	}
	w.clock.Advance(time.Hour + time.Microsecond)
	w.sync()
	if d := ask(old.credential); d.Code != policy.Rotated || d.DeniedBy != "key.version" {
		t.Errorf("old secret after the overlap = %s by %q, want rotated by key.version", d.Code, d.DeniedBy)
	}
	w.alter(old.key.ID, func(k *key.Key) error { return k.Revoke(w.clock.Now(), "", 2) })
	if d := ask(next.Reveal()); d.Code != policy.Revoked {
		t.Errorf("a version revoked on its own = %s, want revoked", d.Code)
	}
}

func TestVerifyLimits(t *testing.T) {
	w := newWorld(t)
	k := w.key(keySpec{scopes: forecast, limits: []ratelimit.Limit{{Name: "burst", N: 3, Window: time.Second}, {Name: "steady", N: 4, Window: time.Minute}}})
	req := verify.Request{API: "weather", Credential: k.credential}
	for i := range 3 {
		if d := w.ask(req); !d.Allowed() {
			t.Fatalf("call %d = %s, want valid", i, d.Code)
		}
	}
	d := w.ask(req)
	if d.Code != policy.RateLimited || d.DeniedBy != "burst" || !strings.Contains(d.Message, "burst") {
		t.Errorf("fourth call = %s by %q (%s), want rate_limited by burst, named in words", d.Code, d.DeniedBy, d.Message)
	}
	if got := d.Limits[1].Remaining; got != 1 {
		t.Errorf("a refusal left %d of the other limit, want 1: it spends nothing", got)
	}
	w.clock.Advance(time.Second)
	w.sync()
	if d := w.ask(req); !d.Allowed() {
		t.Errorf("after a second = %s, want valid", d.Code)
	}
	if d := w.ask(req); d.DeniedBy != "steady" {
		t.Errorf("then = %s by %q, want steady to refuse", d.Code, d.DeniedBy)
	}
	if n := len(w.rec.events); n != 4 {
		t.Errorf("%d uses charged, want 4", n)
	}
	if n := len(w.rec.added); n != 2 || w.rec.added[0].Outcome != "rate_limited" || w.rec.added[0].Units != 0 {
		t.Errorf("refusals noted: %+v, want 2 of rate_limited with no units", w.rec.added)
	}
}

func TestVerifyDryRunAndCost(t *testing.T) {
	w := newWorld(t)
	k := w.key(keySpec{scopes: forecast, limits: []ratelimit.Limit{{Name: "burst", N: 5, Window: time.Minute}}})
	if d := w.ask(verify.Request{API: "weather", Credential: k.credential, DryRun: true, Cost: 6}); d.Code != policy.RateLimited {
		t.Errorf("dry run over the limit = %s, want rate_limited", d.Code)
	}
	d := w.ask(verify.Request{API: "weather", Credential: k.credential, DryRun: true, Cost: 5})
	if !d.Allowed() || d.Limits[0].Remaining != 5 || len(w.rec.events) != 0 {
		t.Errorf("dry run = %s with %d left and %d uses, want valid, 5 and none", d.Code, d.Limits[0].Remaining, len(w.rec.events))
	}
	if d := w.ask(verify.Request{API: "weather", Credential: k.credential, Cost: 5}); !d.Allowed() || d.Limits[0].Remaining != 0 {
		t.Errorf("a call of 5 units = %s with %d left, want valid with 0", d.Code, d.Limits[0].Remaining)
	}
}

// TestVerifyCharge: an idempotency key pays once, and remembers the charge and not the verdict.
func TestVerifyCharge(t *testing.T) {
	w := newWorld(t)
	k := w.key(keySpec{scopes: forecast, limits: []ratelimit.Limit{{Name: "burst", N: 2, Window: time.Minute}}})
	req := verify.Request{API: "weather", Credential: k.credential, IdempotencyKey: "order-1"}
	for i := range 5 {
		if d := w.ask(req); !d.Allowed() || d.Limits[0].Remaining != 1 {
			t.Fatalf("repeat %d = %s with %d left, want valid with 1", i, d.Code, d.Limits[0].Remaining)
		}
	}
	if n := len(w.rec.events); n != 1 {
		t.Fatalf("five repeats were charged %d times, want once", n)
	}
	w.rec.fail = fault.New(fault.Unavailable, "disk full")
	var d verify.Decision
	again := verify.Request{API: "weather", Credential: k.credential, IdempotencyKey: "order-2", Cost: verify.DefaultCost}
	if err := w.v.Verify(context.Background(), &again, &d); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("Verify with a full disk = %v, want unavailable", err)
	}
	w.rec.fail = nil
	if d := w.ask(again); !d.Allowed() || len(w.rec.events) != 2 {
		t.Errorf("the retry = %s with %d charges, want valid with 2: what failed was not paid, and its limit was given back", d.Code, len(w.rec.events))
	}
	w.clock.Advance(11 * time.Minute)
	w.sync()
	if w.ask(req); len(w.rec.events) != 3 {
		t.Errorf("after eleven minutes the key was charged %d times in all, want 3", len(w.rec.events))
	}
	w.alter(k.key.ID, func(k *key.Key) error { return k.Revoke(w.clock.Now(), "", 0) })
	if d := w.ask(req); d.Code != policy.Revoked {
		t.Errorf("a paid repeat on a revoked key = %s, want revoked", d.Code)
	}
}

// TestVerifyChargeRace: of 64 callers with one idempotency key one pays, and none is answered before that is durable.
func TestVerifyChargeRace(t *testing.T) {
	w := newWorld(t)
	k := w.key(keySpec{scopes: forecast})
	for round := range 10 {
		before := len(w.rec.events)
		var callers sync.WaitGroup
		for range 64 {
			callers.Go(func() {
				var d verify.Decision
				req := verify.Request{API: "weather", Credential: k.credential, IdempotencyKey: string(rune('a' + round)), Cost: verify.DefaultCost}
				if err := w.v.Verify(context.Background(), &req, &d); err != nil || !d.Allowed() {
					t.Errorf("Verify = %s, %v, want valid", d.Code, err)
				}
			})
		}
		callers.Wait()
		if got := len(w.rec.events) - before; got != 1 {
			t.Fatalf("64 callers with one idempotency key were charged %d times, want once", got)
		}
	}
}

// TestVerifyFreshness: what is remembered counts for 750 ms after the database was last heard of, and not a moment longer.
func TestVerifyFreshness(t *testing.T) {
	w := newWorld(t)
	k := w.key(keySpec{scopes: forecast})
	req := verify.Request{API: "weather", Credential: k.credential, Cost: verify.DefaultCost}
	w.ask(req)
	w.faulty.cut(errors.New("cut off"))
	w.clock.Advance(749 * time.Millisecond)
	if d := w.ask(req); !d.Allowed() {
		t.Errorf("749 ms after the last poll = %s, want valid", d.Code)
	}
	w.clock.Advance(time.Millisecond)
	var d verify.Decision
	if err := w.v.Verify(context.Background(), &req, &d); !fault.Is(err, fault.Unavailable) {
		t.Errorf("750 ms after the last poll = %s, %v, want unavailable", d.Code, err)
	}
	if _, err := w.v.Asker(context.Background(), k.credential, "", netip.Addr{}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Asker while cut off error = %v, want unavailable", err)
	}
	w.faulty.cut(nil)
	if d := w.ask(req); !d.Allowed() {
		t.Errorf("with the database back = %s, want valid without a restart", d.Code)
	}
}

// TestVerifyStrict: consistency strict sees a change that no poll has brought yet.
func TestVerifyStrict(t *testing.T) {
	w := newWorld(t)
	k := w.key(keySpec{scopes: forecast})
	req := verify.Request{API: "weather", Credential: k.credential}
	w.ask(req)
	if _, _, err := w.st.UpdateKey(context.Background(), audit.ServerReach(), k.key.ID, w.event("key.revoke"), func(k *key.Key) error { return k.Revoke(w.clock.Now(), "", 0) }); err != nil {
		t.Fatal(err)
	}
	if d := w.ask(req); !d.Allowed() {
		t.Fatalf("cached = %s, want valid: nothing has told this node yet", d.Code)
	}
	req.Strict = true
	if d := w.ask(req); d.Code != policy.Revoked {
		t.Errorf("strict = %s, want revoked", d.Code)
	}
}

// TestVerifyRevokedWhileCounting: when making the use durable takes longer than knowledge stays fresh, the answer is
// decided again.
func TestVerifyRevokedWhileCounting(t *testing.T) {
	w := newWorld(t)
	k := w.key(keySpec{scopes: forecast})
	w.rec.before = func() {
		w.rec.before = nil
		if _, _, err := w.st.UpdateKey(context.Background(), audit.ServerReach(), k.key.ID, w.event("key.revoke"), func(k *key.Key) error { return k.Revoke(w.clock.Now(), "", 0) }); err != nil {
			t.Error(err)
		}
		w.clock.Advance(time.Second)
	}
	if d := w.ask(verify.Request{API: "weather", Credential: k.credential}); d.Code != policy.Revoked {
		t.Errorf("Verify = %s, want revoked: it was taken back while the disk was slow", d.Code)
	}
}

// TestVerifyStaleFill: a read that began before a revocation was applied must not bring the key back into the cache.
func TestVerifyStaleFill(t *testing.T) {
	w := newWorld(t)
	k := w.key(keySpec{scopes: forecast})
	w.faulty.onKey = func() {
		w.faulty.onKey = nil
		w.alter(k.key.ID, func(k *key.Key) error { return k.Revoke(w.clock.Now(), "", 0) })
	}
	req := verify.Request{API: "weather", Credential: k.credential}
	w.ask(req) // its read saw the key as it was
	if d := w.ask(req); d.Code != policy.Revoked {
		t.Errorf("the next call = %s, want revoked: the stale read was kept", d.Code)
	}
}

// TestVerifyUnknownSources: who keeps guessing is stopped before any look-up, everybody else is not.
func TestVerifyUnknownSources(t *testing.T) {
	w := newWorld(t)
	good := w.key(keySpec{scopes: forecast})
	fresh := w.key(keySpec{scopes: forecast})
	attacker, victim := netip.MustParseAddr("2001:db8:0:1::1"), netip.MustParseAddr("2001:db8:0:2::1")
	req := verify.Request{API: "weather", Credential: good.credential, IP: attacker}
	if d := w.ask(req); !d.Allowed() {
		t.Fatalf("a good key from the later attacker's network = %s, want valid", d.Code)
	}
	next := attacker
	for i := range 60 {
		next = next.Next() // rotating within one /64 is one source
		if d := w.ask(verify.Request{API: "weather", Credential: w.build(keySpec{}).credential, IP: next}); d.Code != policy.NotFound {
			t.Fatalf("guess %d = %s, want not_found", i, d.Code)
		}
	}
	reads := w.faulty.reads
	d := w.ask(verify.Request{API: "weather", Credential: w.build(keySpec{}).credential, IP: attacker})
	if d.Code != policy.RateLimited || d.DeniedBy != "source" || d.Identified || d.RetryAfter <= 0 {
		t.Errorf("guess 61 = %s by %q, want rate_limited by source", d.Code, d.DeniedBy)
	}
	if w.faulty.reads != reads {
		t.Error("a barred source still cost a look-up")
	}
	if d := w.ask(req); !d.Allowed() {
		t.Errorf("a key that is known already, from the barred network = %s, want valid", d.Code)
	}
	if d := w.ask(verify.Request{API: "weather", Credential: fresh.credential, IP: victim}); !d.Allowed() {
		t.Errorf("a key from elsewhere = %s, want valid", d.Code)
	}
	if err := w.v.FlushAttempts(context.Background()); err != nil {
		t.Fatal(err)
	}
	attempts, err := w.st.Attempts(context.Background(), time.Time{}, "", 10)
	if err != nil || len(attempts) != 1 || attempts[0].Count != 61 || attempts[0].Source != "2001:db8:0:1::/64" {
		t.Errorf("Attempts = %+v, %v, want 61 from 2001:db8:0:1::/64", attempts, err)
	}
	if len(attempts) == 1 && strings.Count(attempts[0].Sample, "_") >= 3 && len(attempts[0].Sample) > 40 {
		t.Errorf("Sample = %q, want the public part alone", attempts[0].Sample)
	}
}

// TestVerifyGarbageCostsNoLookUp: what cannot be a credential is refused from its shape.
func TestVerifyGarbageCostsNoLookUp(t *testing.T) {
	w := newWorld(t)
	good := w.key(keySpec{})
	w.ask(verify.Request{API: "weather", Credential: "garbage that is long enough to have been imported"})
	reads := w.faulty.reads
	for _, text := range []string{"x", good.credential[1:], strings.Repeat("a", 10_000), "lyd_key_live_", "lyd_key_live_\x00"} {
		if d := w.ask(verify.Request{API: "weather", Credential: text}); d.Code != policy.Malformed {
			t.Errorf("Verify(%.20q) = %s, want malformed", text, d.Code)
		}
	}
	if w.faulty.reads != reads {
		t.Errorf("garbage cost %d look-ups, want none", w.faulty.reads-reads)
	}
}

// TestVerifyImported: a key made elsewhere works by its own text.
func TestVerifyImported(t *testing.T) {
	w := newWorld(t)
	if d := w.ask(verify.Request{API: "weather", Credential: "sk_foreign_0123456789abcdef"}); d.Code != policy.Malformed {
		t.Errorf("Verify(foreign text) without imports = %s, want malformed", d.Code)
	}
	k := w.key(keySpec{scopes: forecast, credential: "sk_foreign_0123456789abcdef"})
	if d := w.ask(verify.Request{API: "weather", Credential: k.credential}); !d.Allowed() || d.Key != k.key.ID {
		t.Errorf("Verify(imported) = %s for %s, want valid for %s", d.Code, d.Key, k.key.ID)
	}
	for _, other := range []string{"sk_foreign_0123456789abcdeX", "sk_foreign_0123456789abcde", strings.ToUpper(k.credential)} {
		if d := w.ask(verify.Request{API: "weather", Credential: other}); d.Code != policy.NotFound {
			t.Errorf("Verify(%q) = %s, want not_found", other, d.Code)
		}
	}
	w.alter(k.key.ID, func(k *key.Key) error { return k.Revoke(w.clock.Now(), "", 0) })
	if d := w.ask(verify.Request{API: "weather", Credential: k.credential}); d.Code != policy.Revoked {
		t.Errorf("Verify(imported and revoked) = %s, want revoked", d.Code)
	}
}

// TestVerifyUpgradesPepper: a digest under an old pepper is made anew at its next use, for our own credentials and for
// imported ones, and both go on working.
func TestVerifyUpgradesPepper(t *testing.T) {
	w := newWorld(t)
	own, imported := w.key(keySpec{scopes: forecast}), w.key(keySpec{scopes: forecast, credential: "sk_foreign_0123456789abcdef"})
	if _, err := w.ring.AddVersion(context.Background(), keyring.Pepper, w.clock.Now()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { w.v.Upgrade(ctx); close(done) }()
	for _, m := range []made{own, imported} {
		for {
			if d := w.ask(verify.Request{API: "weather", Credential: m.credential}); !d.Allowed() {
				t.Fatalf("Verify after a new pepper = %s, want valid", d.Code)
			}
			k, err := w.st.Key(ctx, audit.ServerReach(), m.key.ID)
			if err != nil {
				t.Fatal(err)
			}
			if k.Versions[0].Pepper == w.ring.CurrentPepper() && !bytes.Equal(k.Versions[0].Digest, m.key.Versions[0].Digest) {
				break
			}
		}
	}
	cancel()
	<-done
}

// TestVerifyRestored: when the database goes back to an older state, nothing this node saw revoked comes back.
func TestVerifyRestored(t *testing.T) {
	w := newWorld(t)
	k := w.key(keySpec{scopes: forecast})
	req := verify.Request{API: "weather", Credential: k.credential}
	w.ask(req)
	w.alter(k.key.ID, func(k *key.Key) error { return k.Revoke(w.clock.Now(), "", 0) })
	if d := w.ask(req); d.Code != policy.Revoked {
		t.Fatalf("Verify = %s, want revoked", d.Code)
	}
	// As a file put back from yesterday would: the key is good again, the log shorter and no longer the same.
	w.rewind(k.key.ID)
	w.sync()
	if d := w.ask(req); d.Code != policy.Revoked {
		t.Errorf("Verify after the restore = %s, want revoked, by this node's memory", d.Code)
	}
}

func TestAsker(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	k := w.key(keySpec{scopes: []string{"lanyard.verify"}})
	actor, err := w.v.Asker(ctx, k.credential, "", netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	want := audit.Actor{Label: string(k.key.ID), Key: k.key.ID, App: w.app, Team: w.team, Reach: audit.TeamReach(w.team), Scopes: []string{"lanyard.verify"}}
	if diff := cmp.Diff(want, actor, cmp.AllowUnexported(audit.Reach{})); diff != "" {
		t.Errorf("Asker = (-want +got)\n%s", diff)
	}
	for _, credential := range []string{"", "garbage", w.build(keySpec{}).credential} {
		if _, err := w.v.Asker(ctx, credential, "", netip.MustParseAddr("127.0.0.1")); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("Asker(%.10q) error = %v, want unauthenticated", credential, err)
		}
	}
	w.v.SetSystemTeam(w.team)
	if actor, err := w.v.Asker(ctx, k.credential, "", netip.MustParseAddr("127.0.0.1")); err != nil || !actor.Reach.Server() {
		t.Errorf("Asker of the system team = %+v, %v, want server reach", actor, err)
	}
}

// TestHolder: the secret alone is enough to be told who one is, in every state of the key, and gives no rights.
func TestHolder(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	k := w.key(keySpec{scopes: []string{"lanyard.verify"}, restrict: policy.Restrictions{IPs: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}}})
	from := netip.MustParseAddr("198.51.100.1")
	for _, credential := range []string{"", "garbage", w.build(keySpec{}).credential} {
		if _, err := w.v.Holder(ctx, credential, "", from); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("Holder(%.10q) error = %v, want unauthenticated", credential, err)
		}
	}
	if _, err := w.v.Asker(ctx, k.credential, "", from); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("Asker from elsewhere error = %v, want unauthenticated", err)
	}
	w.alter(k.key.ID, func(k *key.Key) error { return k.Disable(w.clock.Now()) })
	actor, err := w.v.Holder(ctx, k.credential, "", from)
	if err != nil || actor.Key != k.key.ID || len(actor.Scopes) != 0 {
		t.Errorf("Holder of a disabled, restricted key = %+v, %v, want it named and without scopes", actor, err)
	}
}
