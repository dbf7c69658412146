package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/user"
)

func aDevice(a id.App) *grant.Device {
	device := id.New[id.Device]()
	return &grant.Device{
		ID: device, Digest: digest(string(device)), UserDigest: digest("user code " + string(device)), Pepper: 1, App: a,
		Issue: grant.Issue{Scopes: []string{"forecast.read"}, Audience: "weather"}, State: grant.DevicePending, Interval: grant.PollEvery,
		CreatedAt: t0, ExpiresAt: t0.Add(grant.DeviceLife),
	}
}

// newDevice is a device that waits; seen: the browser has it.
func newDevice(t *testing.T, st *store.Store, a id.App, seen bool) *grant.Device {
	t.Helper()
	d := aDevice(a)
	must(t, st.CreateDevice(ctx, d))
	if seen {
		must(t, second(st.DeviceByCode(ctx, [][]byte{d.UserDigest}, browser, t0)))
		d.Browser = browser
	}
	return d
}

func approval(g *grant.Grant) grant.Answer {
	return grant.Answer{
		State: grant.DeviceApproved, User: g.User, Session: sessionOf(g.User), Grant: g,
		Issue: grant.Issue{Scopes: g.Scopes, Audience: "weather", AuthTime: t0.Unix()},
	}
}

func wantDevice(t *testing.T, st *store.Store, want *grant.Device) {
	t.Helper()
	got, err := st.Device(ctx, want.ID)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Device: %v, -want +got:\n%s", err, diff)
	}
}

// A device is seen by one browser, while it waits; whoever else types its code learns nothing (PROTOCOLS 19).
func TestDeviceByCode(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		wantKind(t, "Device of nothing", second(w.Device(ctx, id.New[id.Device]())), fault.NotFound)
		d := newDevice(t, w.Store, w.ourApp, false)
		twin := aDevice(w.ourApp)
		twin.UserDigest = d.UserDigest
		wantKind(t, "CreateDevice with a user code that is taken", w.CreateDevice(ctx, twin), fault.Conflict)
		digests := [][]byte{digest("under another pepper"), d.UserDigest}
		for name, c := range map[string]struct {
			digests [][]byte
			browser []byte
			now     time.Time
		}{
			"no code":         {nil, browser, t0},
			"another code":    {digests[:1], browser, t0},
			"the device code": {[][]byte{d.Digest}, browser, t0},
			"no browser":      {digests, nil, t0},
			"expired":         {digests, browser, d.ExpiresAt},
		} {
			wantKind(t, "DeviceByCode with "+name, second(w.DeviceByCode(ctx, c.digests, c.browser, c.now)), fault.NotFound)
		}
		wantDevice(t, w.Store, d)
		d.Browser = browser
		for range 2 {
			got, err := w.DeviceByCode(ctx, digests, browser, d.ExpiresAt.Add(-time.Microsecond))
			if diff := cmp.Diff(d, got); err != nil || diff != "" {
				t.Errorf("DeviceByCode: %v, -want +got:\n%s", err, diff)
			}
			wantKind(t, "DeviceByCode in another browser", second(w.DeviceByCode(ctx, digests, digest("other"), t0)), fault.NotFound)
		}
		must(t, second(w.AnswerDevice(ctx, d.ID, browser, grant.Answer{State: grant.DeviceDenied, User: w.dev}, t0, event("device.deny"))))
		wantKind(t, "DeviceByCode of one that was answered", second(w.DeviceByCode(ctx, digests, browser, t0)), fault.NotFound)
	})
}

// Only the browser that saw a device answers, once and in time; a refused approval leaves it waiting and makes no grant.
func TestAnswerDeviceRefusals(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		signIn(t, w.Store, w.dev)
		signIn(t, w.Store, w.billing)
		d, unseen := newDevice(t, w.Store, w.ourApp, true), newDevice(t, w.Store, w.ourApp, false)
		yes := approval(aGrant(w.dev, w.ourApp, "a"))
		before := head(t, w.Store)
		for name, c := range map[string]struct {
			device  id.Device
			browser []byte
			now     time.Time
		}{
			"nothing":         {id.New[id.Device](), browser, t0},
			"another browser": {d.ID, digest("other"), t0},
			"no browser":      {d.ID, nil, t0},
			"one not seen":    {unseen.ID, nil, t0},
			"one never seen":  {unseen.ID, browser, t0},
			"an expired one":  {d.ID, browser, d.ExpiresAt},
		} {
			if answered, err := w.AnswerDevice(ctx, c.device, c.browser, yes, c.now, event("refused")); answered || err != nil {
				t.Errorf("AnswerDevice of %s = %t, %v, want false", name, answered, err)
			}
		}
		for name, a := range map[string]grant.Answer{
			"nothing":               {User: w.dev},
			"pending":               {State: grant.DevicePending, User: w.dev},
			"yes without a grant":   {State: grant.DeviceApproved, User: w.dev},
			"no with a grant":       {State: grant.DeviceDenied, User: w.dev, Grant: yes.Grant},
			"another app's grant":   approval(aGrant(w.dev, w.theirApp, "a")),
			"a grant of other user": {State: grant.DeviceApproved, User: w.dev, Grant: aGrant(w.owner, w.ourApp, "a")},
		} {
			if answered, err := w.AnswerDevice(ctx, d.ID, browser, a, t0, event("refused")); answered || err == nil || fault.KindOf(err) != "" {
				t.Errorf("AnswerDevice with %s = %t, %v, want an error without a kind", name, answered, err)
			}
		}
		must(t, third(w.UpdateUser(ctx, w.billing, event("disable"), func(u *user.User) error { u.DisabledAt = t0; return nil })))
		before += 2
		answered, err := w.AnswerDevice(ctx, d.ID, browser, approval(aGrant(w.billing, w.ourApp, "a")), t0, event("refused"))
		if answered || !fault.Is(err, fault.Conflict) {
			t.Errorf("AnswerDevice of a disabled user = %t, %v, want a conflict", answered, err)
		}
		yes.Session = id.New[id.Session]()
		wantKind(t, "AnswerDevice in a session that ended", second(w.AnswerDevice(ctx, d.ID, browser, yes, t0, event("refused"))), fault.NotFound)
		wantDevice(t, w.Store, d)
		wantDevice(t, w.Store, unseen)
		if head(t, w.Store) != before || len(auditLines(t, w.Store, "refused")) > 0 {
			t.Errorf("a refusal left something: head %s, want %s", head(t, w.Store), before)
		}
		wantKind(t, "LiveGrant after refusals", second(w.LiveGrant(ctx, w.dev, w.ourApp)), fault.NotFound)
	})
}

// An approval makes or widens the grant in the same step; a denial makes none. Either is the last word.
func TestAnswerDevice(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		se := signIn(t, w.Store, w.dev)
		no, yes, more := newDevice(t, w.Store, w.ourApp, true), newDevice(t, w.Store, w.ourApp, true), newDevice(t, w.Store, w.ourApp, true)
		first, wider := aGrant(w.dev, w.ourApp, "a"), aGrant(w.dev, w.ourApp, "b")
		last := t0.Add(grant.DeviceLife - time.Microsecond)
		for _, c := range []struct {
			device *grant.Device
			answer grant.Answer
			scopes []string // of the grant afterwards
		}{
			{no, grant.Answer{State: grant.DeviceDenied, User: w.dev, Session: id.New[id.Session]()}, nil}, // joins nothing
			{yes, approval(first), []string{"a"}},
			{more, approval(wider), []string{"a", "b"}},
		} {
			before := head(t, w.Store)
			if answered, err := w.AnswerDevice(ctx, c.device.ID, browser, c.answer, last, event("device.answer")); !answered || err != nil {
				t.Errorf("AnswerDevice = %t, %v, want true", answered, err)
			}
			c.device.State, c.device.User, c.device.Session = c.answer.State, c.answer.User, c.answer.Session
			var want []string
			if c.scopes != nil {
				g, err := w.LiveGrant(ctx, w.dev, w.ourApp)
				must(t, err)
				if diff := cmp.Diff(c.scopes, g.Scopes); diff != "" || g.ID != first.ID {
					t.Errorf("LiveGrant = %+v, scopes -want +got:\n%s", g, diff)
				}
				c.device.Grant, c.device.Issue = g.ID, c.answer.Issue
				want = []string{entry(changes.Grant, string(g.ID))}
			}
			wantDevice(t, w.Store, c.device)
			for _, a := range []grant.Answer{approval(aGrant(w.dev, w.ourApp, "c")), {State: grant.DeviceDenied, User: w.dev}} {
				if answered, err := w.AnswerDevice(ctx, c.device.ID, browser, a, t0, event("again")); answered || err != nil {
					t.Errorf("AnswerDevice again = %t, %v, want false", answered, err)
				}
			}
			wantDevice(t, w.Store, c.device)
			if diff := cmp.Diff(want, since(t, w.Store, before)); diff != "" {
				t.Errorf("entries -want +got:\n%s", diff)
			}
		}
		// The session is known to have signed in to the app, once.
		must(t, second(w.EndSessions(ctx, w.dev, se.ID, "", event("session.end"))))
		wantNotices(t, "after the session's end", w.Store, outbox.Logout{Session: se.Alias, App: w.ourApp, User: w.dev})
		if n, again := len(auditLines(t, w.Store, "device.answer")), len(auditLines(t, w.Store, "again")); n != 3 || again != 0 {
			t.Errorf("%d audit lines of answers and %d of later ones, want 3 and none", n, again)
		}
	})
}

// Asking too soon makes the interval longer for good (RFC 8628 section 3.5); a device that is over is told so, and no more.
func TestPollDevice(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		wantKind(t, "PollDevice of nothing", second(w.PollDevice(ctx, id.New[id.Device](), t0)), fault.NotFound)
		d := newDevice(t, w.Store, w.ourApp, false)
		for _, c := range []struct {
			after, interval time.Duration
			slow            bool
		}{
			{0, 5 * time.Second, false},
			{5 * time.Second, 5 * time.Second, false},
			{10*time.Second - time.Microsecond, 10 * time.Second, true},
			{15 * time.Second, 15 * time.Second, true},
			{30 * time.Second, 15 * time.Second, false},
			{45 * time.Second, 15 * time.Second, false},
		} {
			now := t0.Add(c.after)
			p, err := w.PollDevice(ctx, d.ID, now)
			d.PolledAt, d.Interval = now, c.interval
			if diff := cmp.Diff(grant.Poll{Device: *d, Slow: c.slow}, p); err != nil || diff != "" {
				t.Errorf("PollDevice after %s: %v, -want +got:\n%s", c.after, err, diff)
			}
			wantDevice(t, w.Store, d)
		}
		for range 2 {
			p, err := w.PollDevice(ctx, d.ID, d.ExpiresAt)
			if diff := cmp.Diff(grant.Poll{Device: *d}, p); err != nil || diff != "" {
				t.Errorf("PollDevice of one that expired: %v, -want +got:\n%s", err, diff)
			}
		}
	})
}

// approved is a device that its user let in.
func approved(t *testing.T, st *store.Store, g *grant.Grant) *grant.Device {
	t.Helper()
	d := newDevice(t, st, g.App, true)
	if answered, err := st.AnswerDevice(ctx, d.ID, browser, approval(aGrant(g.User, g.App, "forecast.read")), t0, event("device.approve")); !answered || err != nil {
		t.Fatalf("AnswerDevice = %t, %v", answered, err)
	}
	return d
}

// Only an approved device is redeemed, in time, and for whom it would not be refused.
func TestRedeemDeviceRefusals(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		g := freshGrant(t, st)
		f := aFamily(g)
		wantKind(t, "RedeemDevice of nothing", second(st.RedeemDevice(ctx, id.New[id.Device](), f.ID, f, t0)), fault.NotFound)
		waiting, denied, late := newDevice(t, st, g.App, true), newDevice(t, st, g.App, true), approved(t, st, g)
		must(t, second(st.AnswerDevice(ctx, denied.ID, browser, grant.Answer{State: grant.DeviceDenied, User: g.User}, t0, event("device.deny"))))
		// A grant on a device that nobody let in would be a fault; it does not help.
		must(t, second(db.raw(t).ExecContext(ctx, `UPDATE device SET grant_id = $1 WHERE state <> 'approved'`, string(g.ID))))
		wantOutcome(t, "RedeemDevice that waits", grant.Dead)(st.RedeemDevice(ctx, waiting.ID, f.ID, f, t0))
		wantOutcome(t, "RedeemDevice that was denied", grant.Dead)(st.RedeemDevice(ctx, denied.ID, f.ID, f, t0))
		wantOutcome(t, "RedeemDevice at its end", grant.Dead)(st.RedeemDevice(ctx, late.ID, f.ID, f, late.ExpiresAt))
		for name, off := range outOfForce {
			g := freshGrant(t, st)
			d, f := approved(t, st, g), aFamily(g)
			off(t, st, g)
			wantOutcome(t, "RedeemDevice with "+name, grant.Dead)(st.RedeemDevice(ctx, d.ID, f.ID, f, t0))
		}
		if n := families(t, db); n != 0 {
			t.Errorf("%d chains after refusals, want none", n)
		}
		wantOutcome(t, "RedeemDevice in its last microsecond", grant.Won)(st.RedeemDevice(ctx, late.ID, f.ID, f, late.ExpiresAt.Add(-time.Microsecond)))
	})
}

// A device is redeemed once, like a code.
func TestRedeemDevice(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		g := freshGrant(t, st)
		d, f, other := approved(t, st, g), aFamily(g), aFamily(g)
		wantOutcome(t, "RedeemDevice", grant.Won)(st.RedeemDevice(ctx, d.ID, f.ID, f, t0))
		wantChain(t, st, f)
		got, err := st.Device(ctx, d.ID)
		if err != nil || !got.ConsumedAt.Equal(t0) || got.Family != f.ID {
			t.Errorf("Device = %+v, %v, want it consumed for %s", got, err, f.ID)
		}
		if p, err := st.PollDevice(ctx, d.ID, t0.Add(time.Hour)); err != nil || p.Slow || !p.Device.PolledAt.IsZero() {
			t.Errorf("PollDevice of one that was consumed = %+v, %v, want it read", p, err)
		}
		wantOutcome(t, "RedeemDevice soon after", grant.Lost)(st.RedeemDevice(ctx, d.ID, other.ID, other, t0.Add(grant.Race-time.Microsecond)))
		wantChain(t, st, f)
		late := t0.Add(grant.Race)
		wantOutcome(t, "RedeemDevice later", grant.Reused)(st.RedeemDevice(ctx, d.ID, other.ID, other, late))
		f.RevokedAt = late
		wantChain(t, st, f)
		wantReuse(t, st, g, f.ID, "family.reuse", late)
		wantKind(t, "Family of a loser", second(st.Family(ctx, other.ID)), fault.NotFound)
	})
}

// A grant that a device made is as good as any: its app's end ends it.
func TestDeviceGrantEnds(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		signIn(t, w.Store, w.dev)
		d := newDevice(t, w.Store, w.ourApp, true)
		must(t, second(w.AnswerDevice(ctx, d.ID, browser, approval(aGrant(w.dev, w.ourApp, "a")), t0, event("device.approve"))))
		must(t, third(w.UpdateApp(ctx, audit.ServerReach(), w.ourApp, event("delete"), func(a *app.App) error { a.DeletedAt = t0; return nil })))
		wantKind(t, "LiveGrant of a deleted app", second(w.LiveGrant(ctx, w.dev, w.ourApp)), fault.NotFound)
	})
}
