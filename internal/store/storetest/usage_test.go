package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	mathrand "math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// marker names a segment after its contents.
func marker(node id.Node, segment uint64, text string) usage.Marker {
	return usage.Marker{Node: node, Epoch: hex.EncodeToString(make([]byte, 16)), Segment: segment, SHA256: sha256.Sum256([]byte(text))}
}

// absorb counts events as a segment of their own.
func absorb(tb testing.TB, st *store.Store, events ...usage.Event) {
	tb.Helper()
	absorbed, err := st.AbsorbUsage(ctx, marker(id.New[id.Node](), 1, "x"), usage.Aggregate(events))
	must(tb, err)
	if !absorbed {
		tb.Fatal("AbsorbUsage of a new segment = false")
	}
}

// segments are those of a node, from a number on, a segment for each list of events.
func segments(node id.Node, first uint64, events ...[]usage.Event) (made []usage.Counted) {
	for i, evs := range events {
		made = append(made, usage.Counted{Marker: marker(node, first+uint64(i), "x"), Batch: usage.Aggregate(evs)}) // #nosec G115 -- few
	}
	return made
}

func use(w *world, at time.Time, charge string) usage.Event {
	ev := usage.Event{
		At: at.UnixMicro(), Team: w.ours, App: w.ourApp, Key: w.ourKey, API: "weather", Operation: "GET /v1/forecast", Outcome: "valid",
		Mode: secret.Live, Units: 3, Network: "203.0.113.0/24",
	}
	copy(ev.Charge[:], charge)
	return ev
}

// total is what a grain's rollup holds, in calls and units, and what its totals hold too.
func total(tb testing.TB, st *store.Store, grain usage.Granularity) [2]int64 {
	tb.Helper()
	var n [2][2]int64
	for i, by := range [][]usage.Dimension{{usage.ByOperation}, nil} { // no total knows of operations
		sums, err := st.UsageSums(ctx, audit.ServerReach(), usage.Query{From: t0.AddDate(-1, 0, 0), To: t0.AddDate(1, 0, 0), Granularity: grain, GroupBy: by})
		must(tb, err)
		for _, s := range sums {
			n[i][0], n[i][1] = n[i][0]+s.Count, n[i][1]+s.Units
		}
	}
	if n[0] != n[1] {
		tb.Fatalf("by %s the rollup holds %v, its totals %v", grain, n[0], n[1])
	}
	return n[0]
}

var allGrains = []usage.Granularity{usage.Minute, usage.Hour, usage.Day, usage.Month}

func wantTotal(t *testing.T, st *store.Store, count, units int64) {
	t.Helper()
	for _, grain := range allGrains {
		if got := total(t, st, grain); got != [2]int64{count, units} {
			t.Errorf("rollup by %s counts %d calls, %d units, want %d, %d", grain, got[0], got[1], count, units)
		}
	}
	ledger, differences, err := st.ReconcileUsage(ctx, t0.AddDate(0, 0, -40), t0.AddDate(0, 0, 40))
	if err != nil || ledger != count || len(differences) > 0 {
		t.Errorf("ReconcileUsage = %d, %v, %v, want %d and no difference", ledger, differences, err, count)
	}
}

func TestAbsorbOnce(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		m := marker(id.New[id.Node](), 1, "these bytes")
		b := usage.Aggregate([]usage.Event{use(w, t0, ""), use(w, t0.Add(time.Second), ""), use(w, t0.Add(2*time.Hour), "")})
		for i, want := range []bool{true, false, false} {
			if got, err := w.AbsorbUsage(ctx, m, b); got != want || err != nil {
				t.Errorf("AbsorbUsage, time %d = %t, %v, want %t", i, got, err, want)
			}
		}
		other := m
		other.SHA256 = sha256.Sum256([]byte("other bytes"))
		if got, err := w.AbsorbUsage(ctx, other, b); got || !errors.Is(err, usage.ErrMarkerConflict) {
			t.Errorf("AbsorbUsage of other bytes under the same marker = %t, %v, want ErrMarkerConflict", got, err)
		}
		wantTotal(t, w.Store, 3, 9)
		k, err := w.Key(ctx, audit.ServerReach(), w.ourKey)
		must(t, err)
		if want := t0.Add(2 * time.Hour); !k.LastUsed.At.Equal(want) || k.LastUsed.Network != "203.0.113.0/24" {
			t.Errorf("LastUsed = %+v, want at %s", k.LastUsed, want)
		}
		absorb(t, w.Store, use(w, t0.Add(time.Hour), ""))
		k, err = w.Key(ctx, audit.ServerReach(), w.ourKey)
		must(t, err)
		if want := t0.Add(2 * time.Hour); !k.LastUsed.At.Equal(want) {
			t.Errorf("LastUsed after an older segment came late = %s, want still %s", k.LastUsed.At, want)
		}
	})
}

// Several segments in one step count what they would count one after the other, whether or not some were counted before.
func TestAbsorbSegments(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		node := id.New[id.Node]()
		must(t, second(w.LeaseQuota(ctx, lease(w, node, "spool", 1000, 1, 100))))
		lot := segments(node, 1,
			[]usage.Event{use(w, t0, "a"), use(w, t0.Add(time.Hour), "")},
			[]usage.Event{use(w, t0.Add(time.Minute), "a"), use(w, t0.Add(time.Second), "b")}, // a repeat of the first segment's
			[]usage.Event{use(w, t0.Add(2*time.Minute), "a")},                                 // nothing but one
			[]usage.Event{use(w, t0.Add(time.Minute), "b"), use(w, t0, "")})
		for i, step := range []struct {
			lot          []usage.Counted
			want         []bool
			count, units int64
		}{
			{lot[:1], []bool{true}, 2, 6},
			{lot[:3], []bool{false, true, true}, 3, 9},
			{lot[1:3], []bool{false, false}, 3, 9},
			{lot, []bool{false, false, false, true}, 4, 12},
			{nil, []bool{}, 4, 12},
		} {
			got, err := w.AbsorbSegments(ctx, step.lot)
			if err != nil || !slices.Equal(got, step.want) {
				t.Errorf("AbsorbSegments, step %d = %t, %v, want %t", i, got, err, step.want)
			}
			wantTotal(t, w.Store, step.count, step.units)
		}
		must(t, w.SettleSpool(ctx, "spool", id.New[id.Node]()))
		if got := left(t, w); got != 988 {
			t.Errorf("of the quota %d are left, want 988: 12 were spent", got)
		}
		k, err := w.Key(ctx, audit.ServerReach(), w.ourKey)
		must(t, err)
		if want := t0.Add(time.Hour); !k.LastUsed.At.Equal(want) {
			t.Errorf("LastUsed = %s, want %s, of the first segment", k.LastUsed.At, want)
		}

		more := segments(node, 5, []usage.Event{use(w, t0, "")}, []usage.Event{use(w, t0, "")}, []usage.Event{use(w, t0, "c")})
		other := more[1]
		other.SHA256 = sha256.Sum256([]byte("other bytes"))
		must(t, second(w.AbsorbUsage(ctx, other.Marker, other.Batch)))
		if got, err := w.AbsorbSegments(ctx, more); got != nil || !errors.Is(err, usage.ErrMarkerConflict) {
			t.Errorf("AbsorbSegments with a marker of other bytes in the middle = %t, %v, want ErrMarkerConflict", got, err)
		}
		wantTotal(t, w.Store, 5, 15)
		got, err := w.AbsorbSegments(ctx, []usage.Counted{more[0], more[2]})
		if err != nil || !slices.Equal(got, []bool{true, true}) {
			t.Errorf("AbsorbSegments of the others = %t, %v, want them counted", got, err)
		}
		wantTotal(t, w.Store, 7, 21)
	})
}

// The charge of an idempotency key is remembered for ten minutes by the time of the use, in whatever order segments come.
func TestCharges(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		another := use(w, t0, "a")
		another.App, another.Team, another.Key = w.theirApp, w.theirs, w.theirKey
		for i, step := range []struct {
			events []usage.Event
			counts int64
		}{
			{[]usage.Event{use(w, t0, "a"), use(w, t0.Add(time.Minute), "a")}, 1},                       // a repeat in one segment
			{[]usage.Event{use(w, t0.Add(5*time.Minute), "a")}, 0},                                      // in the next
			{[]usage.Event{another}, 1},                                                                 // another app's key of the same text
			{[]usage.Event{use(w, t0.Add(usage.ChargeWindow-time.Microsecond), "a")}, 0},                // just inside
			{[]usage.Event{use(w, t0.Add(usage.ChargeWindow), "a")}, 1},                                 // the window is over
			{[]usage.Event{use(w, t0.Add(usage.ChargeWindow+time.Minute), "a")}, 0},                     // and began anew
			{[]usage.Event{use(w, t0.Add(-time.Hour), "a")}, 1},                                         // late, from long before
			{[]usage.Event{use(w, t0.Add(usage.ChargeWindow+2*time.Minute), "a")}, 0},                   // which moved nothing
			{[]usage.Event{use(w, t0, "b"), use(w, t0, "c"), use(w, t0, ""), use(w, t0, "")}, 4},        // without a key each counts
			{[]usage.Event{use(w, t0.Add(time.Second), "b")}, 0},                                        // a segment of repeats only
			{[]usage.Event{use(w, t0.Add(9*time.Minute), "b"), use(w, t0.Add(11*time.Minute), "b")}, 1}, // a repeat pays for none
		} {
			before := total(t, w.Store, usage.Day)
			absorb(t, w.Store, step.events...)
			if got := total(t, w.Store, usage.Day)[0] - before[0]; got != step.counts {
				t.Errorf("step %d counts %d calls, want %d", i, got, step.counts)
			}
		}
		wantTotal(t, w.Store, 9, 27)
		must(t, w.TrimCharges(ctx, t0.Add(time.Hour)))
		absorb(t, w.Store, use(w, t0.Add(12*time.Minute), "b"))
		wantTotal(t, w.Store, 10, 30)
	})
}

func TestUsageSums(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		refused := use(w, t0.Add(time.Minute), "")
		refused.Outcome, refused.Units = "insufficient_scope", 0
		theirs := use(w, t0.AddDate(0, 0, 1), "")
		theirs.Team, theirs.App, theirs.Key = w.theirs, w.theirApp, w.theirKey
		absorb(t, w.Store, use(w, t0, ""), use(w, t0.Add(30*time.Second), ""), refused, theirs)
		day := usage.Day.Start(t0)
		month := usage.Query{From: day.AddDate(0, 0, -1), To: day.AddDate(0, 0, 10), Granularity: usage.Day}

		for field, alter := range map[string]func(*usage.Query){
			"granularity": func(q *usage.Query) { q.Granularity = "week" },
			"from":        func(q *usage.Query) { q.From = q.To },
			"group_by":    func(q *usage.Query) { q.GroupBy = []usage.Dimension{"count) FROM users --"} },
		} {
			q := month
			alter(&q)
			_, err := w.UsageSums(ctx, audit.ServerReach(), q)
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Field != field {
				t.Errorf("UsageSums with a bad %s = %v, want invalid_request naming it", field, err)
			}
		}
		q := month
		q.Filter = map[usage.Dimension][]string{"count) FROM users --": {"x"}}
		wantKind(t, "UsageSums with a bad filter", second(w.UsageSums(ctx, audit.ServerReach(), q)), fault.Invalid)

		row := func(start time.Time, count, units int64, alter func(*usage.Row)) usage.Sum {
			s := usage.Sum{Start: start, Row: usage.Row{Count: count, Units: units}}
			if alter != nil {
				alter(&s.Row)
			}
			return s
		}
		outcome := func(text string) func(*usage.Row) { return func(r *usage.Row) { r.Outcome = text } }
		app := func(of id.App) func(*usage.Row) { return func(r *usage.Row) { r.App = of } }
		for name, c := range map[string]struct {
			alter func(*usage.Query)
			reach audit.Reach
			want  []usage.Sum
		}{
			"all":        {func(*usage.Query) {}, audit.ServerReach(), []usage.Sum{row(day, 3, 6, nil), row(day.AddDate(0, 0, 1), 1, 3, nil)}},
			"a team":     {func(*usage.Query) {}, audit.TeamReach(w.ours), []usage.Sum{row(day, 3, 6, nil)}},
			"a member":   {func(*usage.Query) {}, audit.UserReach(w.foreign), []usage.Sum{row(day.AddDate(0, 0, 1), 1, 3, nil)}},
			"a month":    {func(q *usage.Query) { q.From, q.Granularity = usage.Month.Start(t0), usage.Month }, audit.ServerReach(), []usage.Sum{row(usage.Month.Start(t0), 4, 9, nil)}},
			"by outcome": {func(q *usage.Query) { q.GroupBy = []usage.Dimension{usage.ByOutcome} }, audit.TeamReach(w.ours), []usage.Sum{row(day, 1, 0, outcome("insufficient_scope")), row(day, 2, 6, outcome("valid"))}},
			"filtered": {func(q *usage.Query) {
				q.Filter = map[usage.Dimension][]string{usage.ByOutcome: {"valid", "expired"}, usage.ByKey: {string(w.ourKey)}}
			}, audit.ServerReach(), []usage.Sum{row(day, 2, 6, nil)}},
			"foreign filter": {func(q *usage.Query) { q.Filter = map[usage.Dimension][]string{usage.ByTeam: {string(w.theirs)}} }, audit.TeamReach(w.ours), nil},
			"offset":         {func(q *usage.Query) { q.Offset, q.Limit = 1, 1 }, audit.ServerReach(), []usage.Sum{row(day.AddDate(0, 0, 1), 1, 3, nil)}},
			"a ranking": {func(q *usage.Query) { q.Whole, q.GroupBy = true, []usage.Dimension{usage.ByApp} }, audit.ServerReach(), []usage.Sum{
				row(time.Time{}, 3, 6, app(w.ourApp)), row(time.Time{}, 1, 3, app(w.theirApp)),
			}},
			"the least": {func(q *usage.Query) {
				q.Whole, q.Least, q.Limit, q.GroupBy = true, true, 1, []usage.Dimension{usage.ByApp}
			}, audit.ServerReach(), []usage.Sum{row(time.Time{}, 1, 3, app(w.theirApp))}},
			"by units": {func(q *usage.Query) {
				q.Whole, q.ByUnits, q.Offset, q.Limit, q.GroupBy = true, true, 1, 1, []usage.Dimension{usage.ByOutcome}
			}, audit.ServerReach(), []usage.Sum{row(time.Time{}, 1, 0, outcome("insufficient_scope"))}},
			"minutes": {func(q *usage.Query) { q.Granularity = usage.Minute }, audit.TeamReach(w.ours), []usage.Sum{
				row(t0, 2, 6, nil), row(t0.Add(time.Minute), 1, 0, nil),
			}},
		} {
			q := month
			c.alter(&q)
			got, err := w.UsageSums(ctx, c.reach, q)
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("UsageSums(%s): %v, -want +got:\n%s", name, err, diff)
			}
		}
	})
}

// Whatever totals answer, the rollup answers the same.
func TestTotalsAgree(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		random := mathrand.New(mathrand.NewPCG(11, 30))
		for range 4 {
			var events []usage.Event
			for range 200 {
				ev := use(w, t0.Add(time.Duration(random.IntN(90*24*60))*time.Minute), "")
				switch random.IntN(4) {
				case 0:
					ev.Team, ev.App, ev.Key = w.theirs, w.theirApp, w.theirKey
				case 1:
					ev.Team, ev.App, ev.Key, ev.User = "", "", "", w.foreign // a personal token's
				}
				ev.API, ev.Operation = []string{"weather", "mail"}[random.IntN(2)], []string{"GET /", "POST /"}[random.IntN(2)]
				ev.Outcome, ev.Mode = []string{"valid", "expired"}[random.IntN(2)], []secret.Mode{secret.Live, secret.Test}[random.IntN(2)]
				events = append(events, ev)
			}
			absorb(t, w.Store, events...)
		}
		told := []usage.Dimension{usage.ByTeam, usage.ByAPI, usage.ByOutcome, usage.ByMode}
		for n, reach := range []audit.Reach{audit.ServerReach(), audit.TeamReach(w.ours), audit.UserReach(w.foreign)} {
			for _, filter := range []map[usage.Dimension][]string{
				nil, {usage.ByTeam: {}}, {usage.ByTeam: {string(w.ours), string(w.theirs)}}, {usage.ByTeam: {string(w.ours), ""}}, {usage.ByAPI: {"mail"}, usage.ByOutcome: {"valid"}},
			} {
				for set := range 1 << len(told) {
					q := usage.Query{From: t0.AddDate(0, 0, -1), To: t0.AddDate(0, 3, 0), Granularity: allGrains[set%len(allGrains)], Filter: filter}
					for i, d := range told {
						if set>>i&1 == 1 {
							q.GroupBy = append(q.GroupBy, d)
						}
					}
					got, err := w.UsageSums(ctx, reach, q)
					must(t, err)
					q.GroupBy = append(q.GroupBy, usage.ByOperation)
					fine, err := w.UsageSums(ctx, reach, q)
					must(t, err)
					var want []usage.Sum // the operations added up: they follow each other
					for _, s := range fine {
						s.Operation = ""
						key := s
						if last := len(want) - 1; last >= 0 {
							if key.Count, key.Units = want[last].Count, want[last].Units; key == want[last] {
								want[last].Count, want[last].Units = key.Count+s.Count, key.Units+s.Units
								continue
							}
						}
						want = append(want, s)
					}
					if diff := cmp.Diff(want, got); diff != "" || len(got) == 0 && n == 0 {
						t.Fatalf("reach %d, %v by %v: -rollup +totals:\n%s", n, filter, q.GroupBy, diff)
					}
				}
			}
		}
		_, differences, err := w.ReconcileUsage(ctx, t0, t0.AddDate(0, 3, 0))
		if err != nil || len(differences) > 0 {
			t.Errorf("ReconcileUsage = %v, %v; want no difference", differences, err)
		}
	})
}

func TestReconcileFinds(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		absorb(t, w.Store, use(w, t0, ""), use(w, t0.AddDate(0, 1, 0), ""))
		raw := db.raw(t)
		must(t, second(raw.ExecContext(ctx, `UPDATE usage_rollup SET count = 5, units = 1 WHERE grain = 'hour'`)))
		must(t, second(raw.ExecContext(ctx, `DELETE FROM usage_rollup WHERE grain = 'day'`)))
		must(t, second(raw.ExecContext(ctx, `UPDATE usage_rollup SET outcome = 'expired' WHERE grain = 'month'`)))
		must(t, second(raw.ExecContext(ctx, `UPDATE usage_total SET count = 7 WHERE grain = 'day' AND team_id = ''`)))
		ledger, got, err := w.ReconcileUsage(ctx, t0, t0.Add(time.Minute))
		must(t, err)
		type brief struct {
			Granularity   usage.Granularity
			Outcome       string
			Ledger, Found [2]int64
		}
		var all []brief
		for _, d := range got {
			if !d.Start.Equal(d.Granularity.Start(t0)) {
				t.Errorf("a difference is about %s, want the period of %s", d.Start, t0)
			}
			all = append(all, brief{d.Granularity, d.Row.Outcome, [2]int64{d.Row.Count, d.Row.Units}, [2]int64{d.RollupCount, d.RollupUnits}})
		}
		want := []brief{
			{usage.Hour, "valid", [2]int64{1, 3}, [2]int64{5, 1}},
			{usage.Day, "valid", [2]int64{1, 3}, [2]int64{}},
			{usage.Day, "valid", [2]int64{1, 3}, [2]int64{7, 3}},
			{usage.Month, "expired", [2]int64{}, [2]int64{1, 3}},
			{usage.Month, "valid", [2]int64{1, 3}, [2]int64{}},
		}
		if diff := cmp.Diff(want, all); diff != "" || ledger != 1 {
			t.Errorf("ReconcileUsage = %d calls, want 1; differences -want +got:\n%s", ledger, diff)
		}
		wantKind(t, "ReconcileUsage of no time", third(w.ReconcileUsage(ctx, t0, t0)), fault.Invalid)
	})
}

func TestAttempts(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		hour := usage.Hour.Start(t0)
		a := usage.Attempt{Source: "203.0.113.7", Code: "malformed", Start: hour, Count: 2, LastAt: hour.Add(time.Minute), Sample: "lyd_key_live_b"}
		older, other := a, a
		older.LastAt, older.Sample, older.Count = hour, "lyd_key_live_a", 1
		other.Code = "not_found"
		must(t, st.AddAttempts(ctx, []usage.Attempt{a, older, other}))
		must(t, st.AddAttempts(ctx, []usage.Attempt{older}))
		must(t, st.AddAttempts(ctx, nil))
		sum := a
		sum.Count = 4
		got, err := st.Attempts(ctx, time.Time{}, "", 10)
		if diff := cmp.Diff([]usage.Attempt{other, sum}, got); err != nil || diff != "" {
			t.Errorf("Attempts: %v, -want +got:\n%s", err, diff)
		}
		got, err = st.Attempts(ctx, hour, a.Source, 10)
		if err != nil || len(got) != 0 {
			t.Errorf("Attempts after the source = %v, %v, want none", got, err)
		}
	})
}

// A step's own context ends it: nothing is counted, and the same segment may come again.
func TestAbsorbCancelled(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		gone, cancel := context.WithCancel(ctx)
		cancel()
		m, b := marker(id.New[id.Node](), 1, "x"), usage.Aggregate([]usage.Event{use(w, t0, "a")})
		absorbed, err := w.AbsorbUsage(gone, m, b)
		if absorbed {
			t.Error("AbsorbUsage with a cancelled context = true")
		}
		wantKind(t, "AbsorbUsage with a cancelled context", err, fault.Unavailable)
		absorbed, err = w.AbsorbUsage(ctx, m, b)
		if !absorbed || err != nil {
			t.Errorf("AbsorbUsage again = %t, %v, want it counted", absorbed, err)
		}
		wantTotal(t, w.Store, 1, 3)
	})
}
