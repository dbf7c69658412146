package storetest

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/quota"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// dayOf is the period of a quota in these tests.
func dayOf(at time.Time) (start, end time.Time) { return usage.Day.Start(at), usage.Day.Next(at) }

// lease is what a node asks for of our team's quota on the API weather.
func lease(w *world, node id.Node, spool string, limit, need, want int64) quota.Lease {
	start, end := dayOf(t0)
	return quota.Lease{Node: node, Spool: spool, Subject: quota.OnAPI(string(w.ours), "weather", "live"), Start: start, End: end, Limit: limit, Need: need, Want: want}
}

func wantLease(t *testing.T, st *store.Store, l quota.Lease, want quota.Leased) {
	t.Helper()
	got, err := st.LeaseQuota(ctx, l)
	if err != nil || got != want {
		t.Errorf("LeaseQuota(limit %d, need %d, want %d) = %+v, %v, want %+v", l.Limit, l.Need, l.Want, got, err, want)
	}
}

// left is how many units a quota of 1000 has that nobody leased.
func left(t *testing.T, w *world) int64 {
	t.Helper()
	got, err := w.LeaseQuota(ctx, lease(w, id.New[id.Node](), "", 1000, 2000, 0)) // more than there can be
	must(t, err)
	return got.Left
}

func TestQuotaLease(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		a, b := id.New[id.Node](), id.New[id.Node]()
		wantLease(t, w.Store, lease(w, a, "", 10, 11, 1), quota.Leased{Left: 10})
		wantLease(t, w.Store, lease(w, a, "", 10, 0, 5), quota.Leased{Granted: 1, Left: 9})
		wantLease(t, w.Store, lease(w, b, "", 10, 8, 1), quota.Leased{Granted: 8, Left: 1})
		wantLease(t, w.Store, lease(w, a, "", 10, 2, 2), quota.Leased{Left: 1})
		wantLease(t, w.Store, lease(w, a, "", 5, 1, 1), quota.Leased{}) // the plan allows less now
		wantLease(t, w.Store, lease(w, a, "", 1000, 1, 50), quota.Leased{Granted: 50, Left: 941})
		wantLease(t, w.Store, lease(w, a, "", 1000, 1, 500), quota.Leased{Granted: 117, Left: 824}) // an eighth

		must(t, w.ReturnQuota(ctx, b, []quota.Return{{Subject: lease(w, b, "", 0, 0, 0).Subject, Start: usage.Day.Start(t0), Units: 9}})) // it has 8
		if got := left(t, w); got != 824 {
			t.Errorf("after giving back what was never leased %d are left, want 824", got)
		}
		must(t, w.ReturnQuota(ctx, b, []quota.Return{{Subject: lease(w, b, "", 0, 0, 0).Subject, Start: usage.Day.Start(t0), Units: 8}}))
		if got := left(t, w); got != 832 {
			t.Errorf("after giving back 8 %d are left, want 832", got)
		}
		nobodys := quota.Return{Subject: "key_of_nobody", Start: usage.Day.Start(t0), Units: 1} // comes first, and keeps nothing else from going back
		must(t, w.ReturnQuota(ctx, a, []quota.Return{{Subject: lease(w, a, "", 0, 0, 0).Subject, Start: usage.Day.Start(t0), Units: 2}, nobodys}))
		if got := left(t, w); got != 834 {
			t.Errorf("after giving back 2, and what nobody leased, %d are left, want 834", got)
		}
		held, err := w.WantedQuotas(ctx, a, time.Hour)
		if err != nil || len(held) != 1 || held[0].Ended {
			t.Errorf("WantedQuotas = %v, %v, want ours", held, err)
		}
		must(t, w.TrimQuotas(ctx, t0.AddDate(0, 0, 2)))
		if got := left(t, w); got != 1000 {
			t.Errorf("of a forgotten period %d are left, want all 1000", got)
		}
	})
}

// What was used before anybody leased counts, of whomever the quota is.
func TestQuotaCountsBefore(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		personal := use(w, t0, "")
		personal.Team, personal.App, personal.User = "", "", w.dev
		refused, test, yesterday, elsewhere := use(w, t0, ""), use(w, t0, ""), use(w, t0.AddDate(0, 0, -1), ""), use(w, t0, "")
		refused.Outcome, test.Mode, elsewhere.API = "rate_limited", "test", "mail"
		absorb(t, w.Store, use(w, t0, ""), use(w, t0, ""), personal, refused, test, yesterday, elsewhere)
		for subject, want := range map[quota.Subject]int64{
			quota.OnAPI(string(w.ours), "weather", "live"): 6, quota.OnAPI(string(w.ours), "weather", "test"): 3, quota.OnAPI(string(w.ours), "mail", "live"): 3,
			quota.OnAPI(string(w.dev), "weather", "live"): 3, quota.OnAPI(string(w.theirs), "weather", "live"): 0, quota.Subject(w.ourKey): 12,
		} {
			l := lease(w, id.New[id.Node](), "", 100, 0, 0)
			l.Subject = subject
			wantLease(t, w.Store, l, quota.Leased{Left: 100 - want})
		}
	})
}

// What another node counted before a quota was set, and brings afterwards, is taken from the pool, of which it has leased nothing.
func TestQuotaCountsLatecomers(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		node, late := id.New[id.Node](), id.New[id.Node]()
		wantLease(t, w.Store, lease(w, node, "", 1000, 1, 100), quota.Leased{Granted: 100, Left: 900})
		for _, outside := range []time.Time{t0.AddDate(0, 0, -1), t0.AddDate(0, 0, 1)} {
			must(t, second(w.AbsorbUsage(ctx, marker(late, uint64(outside.Day()), "a"), usage.Aggregate([]usage.Event{use(w, outside, "")}))))
		}
		refused, test := use(w, t0, ""), use(w, t0, "")
		refused.Outcome, test.Mode = "rate_limited", "test"
		must(t, second(w.AbsorbUsage(ctx, marker(late, 30, "a"), usage.Aggregate([]usage.Event{use(w, t0, ""), use(w, t0.Add(time.Minute), ""), refused, test}))))
		if got := left(t, w); got != 894 {
			t.Errorf("after two uses of a node that leased nothing %d are left, want 894", got)
		}
		wantLease(t, w.Store, lease(w, late, "", 1000, 1, 100), quota.Leased{Granted: 100, Left: 794})
		must(t, second(w.AbsorbUsage(ctx, marker(late, 31, "a"), usage.Aggregate([]usage.Event{use(w, t0, "")}))))
		if got := left(t, w); got != 794 {
			t.Errorf("after a use that its block paid for %d are left, want 794", got)
		}
		differences, err := w.ReconcileBilling(ctx, t0, t0.Add(time.Hour))
		if err != nil || len(differences) > 0 {
			t.Errorf("ReconcileBilling = %+v, %v, want no difference", differences, err)
		}
	})
}

// A quota of days and one of months begin together on the first of a month: when the one takes the other's place, uses of the whole month count.
func TestQuotaOfAnotherPeriod(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		node := id.New[id.Node]()
		first := usage.Month.Start(t0)
		day := quota.Lease{Node: node, Subject: quota.OnAPI(string(w.ours), "weather", "live"), Start: first, End: usage.Day.Next(first), Limit: 1000, Need: 1, Want: 100}
		month := day
		month.End = usage.Month.Next(first)
		must(t, second(w.Poll(ctx, changes.Beat{Node: node, Name: "node", StartedAt: t0})))
		wantLease(t, w.Store, day, quota.Leased{Granted: 100, Left: 900})
		wantLease(t, w.Store, month, quota.Leased{Granted: 100, Left: 800})
		wantLease(t, w.Store, day, quota.Leased{Granted: 100, Left: 700})
		must(t, second(w.AbsorbUsage(ctx, marker(node, 1, "a"), usage.Aggregate([]usage.Event{use(w, first.AddDate(0, 0, 9), "")}))))
		must(t, w.SettleDead(ctx, 0))
		month.Need, month.Node = 2000, id.New[id.Node]()
		wantLease(t, w.Store, month, quota.Leased{Left: 997})
		must(t, w.TrimQuotas(ctx, first.AddDate(0, 0, 20)))
		wantLease(t, w.Store, month, quota.Leased{Left: 997})
	})
}

// What a node left when it died is free again once everything it counted is absorbed; no unit that was spent is.
func TestQuotaSettles(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		died, next := id.New[id.Node](), id.New[id.Node]()
		wantLease(t, w.Store, lease(w, died, "spool", 1000, 1, 100), quota.Leased{Granted: 100, Left: 900})
		must(t, second(w.AbsorbUsage(ctx, marker(died, 1, "a"), usage.Aggregate([]usage.Event{use(w, t0, ""), use(w, t0, "")}))))
		must(t, w.SettleSpool(ctx, "another", next))
		must(t, w.SettleDead(ctx, 0)) // its uses may still lie on a disk
		if got := left(t, w); got != 900 {
			t.Errorf("before its spool was recovered %d are left, want 900", got)
		}
		must(t, w.SettleSpool(ctx, "spool", next))
		must(t, w.SettleSpool(ctx, "spool", next))
		if got := left(t, w); got != 994 {
			t.Errorf("after settling %d are left, want 994: it spent 6", got)
		}
		must(t, w.ReturnQuota(ctx, died, []quota.Return{{Subject: lease(w, died, "", 0, 0, 0).Subject, Start: usage.Day.Start(t0), Units: 1}}))
		must(t, second(w.AbsorbUsage(ctx, marker(died, 2, "b"), usage.Aggregate([]usage.Event{use(w, t0, "")})))) // a segment put aside and mended
		if got := left(t, w); got != 991 {
			t.Errorf("after a late segment %d are left, want 991", got)
		}
	})
}

// A node that counts in the database and is unseen loses its blocks, and counts nothing on them if it comes back.
func TestQuotaOfTheDead(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		lives, died := id.New[id.Node](), id.New[id.Node]()
		must(t, second(w.Poll(ctx, changes.Beat{Node: lives, Name: "lives", StartedAt: t0})))
		wantLease(t, w.Store, lease(w, lives, "", 1000, 1, 100), quota.Leased{Granted: 100, Left: 900})
		wantLease(t, w.Store, lease(w, died, "", 1000, 1, 100), quota.Leased{Granted: 100, Left: 800})
		must(t, second(w.AbsorbUsage(ctx, marker(died, 1, "a"), usage.Aggregate([]usage.Event{use(w, t0, "")}))))
		must(t, w.SettleDead(ctx, time.Minute))
		if got := left(t, w); got != 897 {
			t.Errorf("after one of two died %d are left, want 897", got)
		}
		batch := usage.Aggregate([]usage.Event{use(w, t0, "")})
		if _, err := w.AbsorbUsage(ctx, marker(died, 2, "b"), batch); !errors.Is(err, quota.ErrEnded) || !fault.Is(err, fault.Unavailable) {
			t.Errorf("AbsorbUsage of a node taken for dead = %v, want ErrEnded", err)
		}
		wantTotal(t, w.Store, 1, 3)
		held, err := w.WantedQuotas(ctx, died, 0)
		if err != nil || len(held) != 1 || !held[0].Ended {
			t.Errorf("WantedQuotas of a node taken for dead = %v, %v, want that its lease ended", held, err)
		}
		wantLease(t, w.Store, lease(w, died, "", 1000, 1, 10), quota.Leased{Granted: 10, Left: 887, Anew: true})
		must(t, second(w.AbsorbUsage(ctx, marker(died, 2, "b"), batch)))
		wantTotal(t, w.Store, 2, 6)
	})
}

// Four nodes spend one quota as fast as they can: never a unit more than there are and, once idle blocks went back, never one less.
func TestQuotaRace(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		const limit = 3000
		start, end := dayOf(t0)
		now := t0
		var nodes []*quota.Keeper
		for range 4 {
			node := id.New[id.Node]()
			must(t, second(w.Poll(ctx, changes.Beat{Node: node, Name: "node", StartedAt: t0})))
			nodes = append(nodes, &quota.Keeper{Store: w.Store, Node: node, Timeout: time.Minute, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)})
		}
		var taken atomic.Int64
		spend := func() {
			var all sync.WaitGroup
			for i := range 32 {
				all.Go(func() {
					refuse := 100 // calls that a later step refuses
					ask := []quota.Ask{{Subject: quota.OnAPI(string(w.ours), "weather", "live"), Start: start, End: end, Limit: limit, Cost: int64(1 + i%3)}}
					for {
						denied, err := nodes[i%4].Take(ctx, now, ask)
						if err != nil {
							t.Error(err)
						}
						if err != nil || denied >= 0 {
							return
						}
						if i%8 == 7 && refuse > 0 {
							nodes[i%4].Release(ask)
							refuse--
							continue
						}
						taken.Add(ask[0].Cost)
					}
				})
			}
			all.Wait()
		}
		for range 4 {
			spend()
			if got := taken.Load(); got > limit {
				t.Fatalf("of a quota of %d units %d were spent", limit, got)
			}
			for _, k := range nodes {
				must(t, k.GiveBack(ctx))
			}
			now = now.Add(time.Second)
		}
		if got := taken.Load(); got != limit {
			t.Errorf("of a quota of %d units %d could be spent", limit, got)
		}
	})
}

// Units go back to the lease that paid for them: not to the one that a node begins after it was taken for dead.
func TestQuotaReleaseAfterDeath(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		k := &quota.Keeper{Store: w.Store, Node: id.New[id.Node](), Now: func() time.Time { return t0 }, Log: slog.New(slog.DiscardHandler)}
		start, end := dayOf(t0)
		take := func(cost int64) ([]quota.Ask, bool) {
			t.Helper()
			asks := []quota.Ask{{Subject: quota.OnAPI(string(w.ours), "weather", "live"), Start: start, End: end, Limit: 100, Cost: cost}}
			denied, err := k.Take(ctx, t0, asks)
			must(t, err)
			return asks, denied < 0
		}
		before, _ := take(5)
		must(t, w.SettleDead(ctx, 0)) // the node never beat
		_, most := take(95)
		k.Release(before)
		_, rest := take(5)
		if _, more := take(1); !most || !rest || more {
			t.Errorf("95, 5 and 1 more of 100 were allowed: %t, %t, %t, want all but the last", most, rest, more)
		}
	})
}
