package storetest

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/store"
)

// rotated takes the token at a counter one step on, and wants the outcome.
func rotated(t *testing.T, st *store.Store, family id.Family, counter uint32, now time.Time, want grant.Outcome) *grant.Family {
	t.Helper()
	f, got, err := st.RotateRefresh(ctx, grant.Rotation{Family: family, Counter: counter, KeyVersion: 7, Now: now})
	if err != nil || got != want || f == nil {
		t.Fatalf("RotateRefresh at %d = %+v, %q, %v, want %q", counter, f, got, err, want)
	}
	return f
}

// wantChain wants the row of a chain to be as it was, save for what want says.
func wantChain(t *testing.T, st *store.Store, want *grant.Family) {
	t.Helper()
	got, err := st.Family(ctx, want.ID)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Family: %v, -want +got:\n%s", err, diff)
	}
}

// Nothing is taken on, kept alive or repeated for a chain that has ended or hangs on something out of force (PROTOCOLS 10),
// and nothing is written then.
func TestRotateRefreshRefusals(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		nothing := id.New[id.Family]()
		wantKind(t, "Family of nothing", second(st.Family(ctx, nothing)), fault.NotFound)
		for _, keep := range []bool{false, true} {
			wantKind(t, "RotateRefresh of nothing", third(st.RotateRefresh(ctx, grant.Rotation{Family: nothing, Keep: keep, Now: t0})), fault.NotFound)
		}
		ends := map[string]func(t *testing.T, st *store.Store, g *grant.Grant){}
		for name, off := range outOfForce {
			ends[name] = off
		}
		ends["chain revoked"] = func(t *testing.T, st *store.Store, g *grant.Grant) {
			live, err := st.Families(ctx, g.ID, t0)
			must(t, err)
			for _, f := range live {
				must(t, second(st.RevokeFamily(ctx, f.ID, event("family.revoke"))))
			}
		}
		for name, end := range ends {
			g := freshGrant(t, st)
			first, stepped, kept := redeemed(t, st, g), redeemed(t, st, g), redeemed(t, st, g)
			stepped = rotated(t, st, stepped.ID, 0, t0, grant.Won)
			end(t, st, g)
			for what, r := range map[string]grant.Rotation{
				"the current token":     {Family: first.ID, Counter: 0, KeyVersion: 2},
				"the successor":         {Family: stepped.ID, Counter: 1, KeyVersion: 2},
				"the predecessor":       {Family: stepped.ID, Counter: 0, KeyVersion: 2},
				"a sign of life":        {Family: kept.ID, Counter: 0, Keep: true},
				"a later sign of life":  {Family: kept.ID, Counter: 0, Keep: true, Now: t0.Add(time.Hour)},
				"the predecessor, kept": {Family: stepped.ID, Counter: 0, Keep: true},
			} {
				if r.Now.IsZero() {
					r.Now = t0.Add(time.Second)
				}
				before, err := st.Family(ctx, r.Family)
				must(t, err)
				f, outcome, err := st.RotateRefresh(ctx, r)
				if err != nil || outcome != grant.Dead {
					t.Errorf("%s: RotateRefresh of %s = %q, %v, want dead", name, what, outcome, err)
				}
				if diff := cmp.Diff(before, f); diff != "" {
					t.Errorf("%s: RotateRefresh of %s answered -was +got:\n%s", name, what, diff)
				}
				wantChain(t, st, before)
			}
		}
	})
}

// The ends of time: a chain is dead at the microsecond it is idle or expires.
func TestRotateRefreshTimes(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		g := freshGrant(t, st)
		f := redeemed(t, st, g)
		want := *f
		for _, keep := range []bool{true, false} {
			got, outcome, err := st.RotateRefresh(ctx, grant.Rotation{Family: f.ID, Keep: keep, KeyVersion: 2, Now: f.IdleAt})
			if err != nil || outcome != grant.Dead {
				t.Errorf("RotateRefresh when idle, keep %t = %q, %v, want dead", keep, outcome, err)
			}
			if diff := cmp.Diff(&want, got); diff != "" {
				t.Errorf("RotateRefresh when idle: -want +got:\n%s", diff)
			}
		}
		if live, err := st.Families(ctx, g.ID, f.IdleAt); err != nil || len(live) != 0 {
			t.Errorf("Families when idle = %d, %v, want none", len(live), err)
		}
		now := f.IdleAt.Add(-time.Microsecond)
		want.Counter, want.KeyVersion, want.RotatedAt, want.UsedAt, want.IdleAt = 1, 7, now, now, now.Add(grant.FamilyIdle)
		if diff := cmp.Diff(&want, rotated(t, st, f.ID, 0, now, grant.Won)); diff != "" {
			t.Errorf("RotateRefresh in the last microsecond: -want +got:\n%s", diff)
		}
		wantChain(t, st, &want)

		short := aFamily(g)
		short.ExpiresAt = t0.Add(time.Hour)
		short.IdleAt = short.ExpiresAt
		wantOutcome(t, "RedeemCode", grant.Won)(st.RedeemCode(ctx, issued(t, st, g).ID, short.ID, short, t0))
		now = short.ExpiresAt.Add(-time.Microsecond)
		if got := rotated(t, st, short.ID, 0, now, grant.Won); !got.IdleAt.Equal(short.ExpiresAt) {
			t.Errorf("RotateRefresh moved the idle end to %s, want never beyond %s", got.IdleAt, short.ExpiresAt)
		}
		rotated(t, st, short.ID, 1, short.ExpiresAt, grant.Dead)
		rotated(t, st, short.ID, 0, short.ExpiresAt, grant.Dead)
		must(t, second(db.raw(t).ExecContext(ctx, `UPDATE family SET idle_at = $2 WHERE id = $1`, string(short.ID), short.ExpiresAt.Add(time.Hour).UnixMicro())))
		rotated(t, st, short.ID, 1, short.ExpiresAt, grant.Dead) // whatever its idle end says
	})
}

// The predecessor gets the same successor while it may have been lost, and after that ends the chain, as do all before it.
func TestRotateRefreshReplay(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		g := freshGrant(t, st)
		at := t0.Add(time.Hour)
		for name, c := range map[string]struct {
			counter uint32
			now     time.Time
			keep    bool
			want    grant.Outcome
			action  string
		}{
			"the predecessor at once":     {2, at, false, grant.Same, ""},
			"the predecessor in time":     {2, at.Add(grant.Grace - time.Microsecond), false, grant.Same, ""},
			"the predecessor, kept":       {2, at, true, grant.Same, ""},
			"the predecessor too late":    {2, at.Add(grant.Grace), false, grant.Reused, "family.reuse"},
			"too late, kept":              {2, at.Add(grant.Grace), true, grant.Reused, "family.reuse"},
			"the one before, at once":     {1, at, false, grant.Reused, "family.reuse"},
			"the first":                   {0, at, false, grant.Reused, "family.reuse"},
			"ahead by one":                {4, at, false, grant.Ahead, "family.ahead"},
			"ahead, kept":                 {4, at, true, grant.Ahead, "family.ahead"},
			"ahead as far as can be":      {math.MaxUint32, at, false, grant.Ahead, "family.ahead"},
			"the current one, after idle": {3, at.Add(grant.FamilyIdle), false, grant.Dead, ""},
			"the first, after idle":       {0, at.Add(grant.FamilyIdle), false, grant.Dead, ""},
		} {
			f := redeemed(t, st, g)
			for counter := range uint32(3) {
				f = rotated(t, st, f.ID, counter, at, grant.Won)
			}
			before := head(t, st)
			var got *grant.Family
			for i := range 2 {
				want := c.want
				if i == 1 && c.action != "" {
					want = grant.Dead // it has ended already
				}
				answer, outcome, err := st.RotateRefresh(ctx, grant.Rotation{Family: f.ID, Counter: c.counter, KeyVersion: 9, Keep: c.keep, Now: c.now})
				if err != nil || outcome != want {
					t.Errorf("%s: RotateRefresh = %q, %v, want %q", name, outcome, err, want)
				}
				got = answer
			}
			if c.action == "" {
				if diff := cmp.Diff(f, got); diff != "" || head(t, st) != before {
					t.Errorf("%s: head %s, was %s, -want +got:\n%s", name, head(t, st), before, diff)
				}
				wantChain(t, st, f)
				continue
			}
			f.RevokedAt = c.now
			wantChain(t, st, f)
			revoked, err := st.RevocationsOf(ctx, []string{string(f.ID)})
			if diff := cmp.Diff([]changes.Revoked{{Subject: string(f.ID), Until: c.now.Add(changes.RevocationLife)}}, revoked); err != nil || diff != "" {
				t.Errorf("%s: RevocationsOf: %v, -want +got:\n%s", name, err, diff)
			}
			if diff := cmp.Diff([]string{entry(changes.Revocation, string(f.ID))}, since(t, st, before)); diff != "" {
				t.Errorf("%s: entries -want +got:\n%s", name, diff)
			}
			wantReuse(t, st, g, f.ID, c.action, c.now)
			rotated(t, st, f.ID, 3, at, grant.Dead) // the good token ended too
		}
	})
}

// A token that somebody stole ends its chain even while nothing of it would be accepted.
func TestReuseOutOfForce(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		for name, off := range outOfForce {
			g := freshGrant(t, st)
			f, c := redeemed(t, st, g), issued(t, st, g)
			made := aFamily(g)
			wantOutcome(t, "RedeemCode", grant.Won)(st.RedeemCode(ctx, c.ID, made.ID, made, t0))
			for counter := range uint32(2) {
				rotated(t, st, f.ID, counter, t0, grant.Won)
			}
			off(t, st, g)
			want := grant.Reused
			if ended(t, db, "family", f.ID) != 0 {
				want = grant.Dead // it ended with its grant
			}
			rotated(t, st, f.ID, 0, t0.Add(time.Minute), want)
			wantOutcome(t, name+": RedeemCode again", grant.Reused)(st.RedeemCode(ctx, c.ID, made.ID, made, t0.Add(time.Minute)))
			for _, family := range []id.Family{f.ID, made.ID} {
				if ended(t, db, "family", family) == 0 {
					t.Errorf("%s: a chain goes on after a replay", name)
				}
			}
		}
	})
}

// A sign of life moves the idle end alone, and is written once a minute at most.
func TestKeepRefresh(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		want := redeemed(t, st, freshGrant(t, st))
		for _, c := range []struct {
			after   time.Duration
			written bool
		}{{time.Second, false}, {time.Minute - time.Microsecond, false}, {time.Minute, true}, {time.Minute + time.Second, false}, {time.Hour, true}, {400 * time.Hour, true}} {
			now := t0.Add(c.after)
			if c.written {
				want.UsedAt, want.IdleAt = now, now.Add(grant.FamilyIdle)
			}
			got, outcome, err := st.RotateRefresh(ctx, grant.Rotation{Family: want.ID, Keep: true, Now: now})
			if err != nil || outcome != grant.Won {
				t.Errorf("RotateRefresh that keeps, after %s = %q, %v, want won", c.after, outcome, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("after %s: -want +got:\n%s", c.after, diff)
			}
			wantChain(t, st, want)
		}
	})
}

// A chain's counter ends where its token has no room for more.
func TestRotateRefreshLast(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		f := redeemed(t, st, freshGrant(t, st))
		must(t, second(db.raw(t).ExecContext(ctx, `UPDATE family SET counter = $2 WHERE id = $1`, string(f.ID), int64(math.MaxUint32-1))))
		if got := rotated(t, st, f.ID, math.MaxUint32-1, t0, grant.Won); got.Counter != math.MaxUint32 {
			t.Errorf("RotateRefresh = %d, want the last counter", got.Counter)
		}
		rotated(t, st, f.ID, math.MaxUint32, t0, grant.Dead)
		rotated(t, st, f.ID, math.MaxUint32-1, t0, grant.Same)
		rotated(t, st, f.ID, 0, t0, grant.Reused)
	})
}

// A chain ends once, with a row or without, and what is live of a grant is listed.
func TestRevokeFamily(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		g := freshGrant(t, st)
		older, newer, other := redeemed(t, st, g), redeemed(t, st, g), redeemed(t, st, freshGrant(t, st))
		newer = rotated(t, st, newer.ID, 0, t0.Add(time.Second), grant.Won)
		live, err := st.Families(ctx, g.ID, t0)
		if diff := cmp.Diff([]*grant.Family{newer, older}, live); err != nil || diff != "" {
			t.Errorf("Families: %v, -want +got:\n%s", err, diff)
		}
		for _, family := range []id.Family{older.ID, id.New[id.Family]()} {
			before := head(t, st)
			var rev id.Revision
			for range 2 {
				ev := event("family.revoke")
				ev.Target = string(family)
				rev, err = st.RevokeFamily(ctx, family, ev)
				must(t, err)
			}
			if diff := cmp.Diff([]string{entry(changes.Revocation, string(family))}, since(t, st, before)); diff != "" || rev != before+1 {
				t.Errorf("RevokeFamily = %s, want %s, entries -want +got:\n%s", rev, before+1, diff)
			}
			if got := revokedNow(t, st, string(family)); len(got) != 1 {
				t.Errorf("remembered as revoked: %v, want %s", got, family)
			}
			lines := 0
			for _, line := range auditLines(t, st, "family.revoke") {
				if line.Target == string(family) {
					lines++
				}
			}
			if lines != 1 {
				t.Errorf("%d audit lines, want one", lines)
			}
		}
		rotated(t, st, older.ID, 0, t0, grant.Dead)
		live, err = st.Families(ctx, g.ID, t0)
		if diff := cmp.Diff([]*grant.Family{newer}, live); err != nil || diff != "" {
			t.Errorf("Families after one ended: %v, -want +got:\n%s", err, diff)
		}
		wantChain(t, st, other)
	})
}
