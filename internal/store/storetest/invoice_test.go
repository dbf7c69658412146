package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

const grace = 24 * time.Hour

// onDay is a time of November 2026, or of later months where the day is beyond its 30.
func onDay(day int, clock ...int) time.Time {
	at := time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC)
	for i, n := range clock {
		at = at.Add(time.Duration(n) * []time.Duration{time.Hour, time.Minute}[i])
	}
	return at
}

// priceAPI declares the API weather: pro and max are paid for by the month, paid is the default where that is wished.
func priceAPI(tb testing.TB, w *world, at time.Time, byDefault string) {
	tb.Helper()
	plans := map[string]lanyard.Plan{
		"free": {},
		"pro": {Currency: "USD", Fee: "10", Prices: []lanyard.Price{
			{Meter: "requests", Included: 2, PerUnit: "1"}, {Meter: "storage", PerUnit: "0.5"},
		}},
		"max":  {Currency: "USD", Fee: "100"},
		"paid": {Currency: "EUR", Prices: []lanyard.Price{{Meter: "units", PerUnit: "0.25"}}},
	}
	chosen := plans[byDefault]
	chosen.Default = true
	plans[byDefault] = chosen
	a, err := catalog.Normalise("weather", lanyard.API{Takes: "key", Plans: plans, Meters: map[string]lanyard.Meter{"storage": {Text: "gigabytes", Event: "com.acme.storage"}}})
	must(tb, err)
	ev := event("catalog.apply")
	ev.At = at
	must(tb, second(w.UpdateCatalog(ctx, ev, func(s *catalog.State) error { s.APIs["weather"] = a; return nil })))
}

func subscribeAt(tb testing.TB, w *world, team id.Team, plan string, at time.Time) {
	tb.Helper()
	ev := event("subscribe")
	ev.At = at
	must(tb, second(w.Subscribe(ctx, team, "weather", billing.Change{Plan: plan}, ev)))
}

// called absorbs so many allowed calls of our key, at one time.
func called(tb testing.TB, w *world, at time.Time, n int) {
	tb.Helper()
	events := make([]usage.Event, n)
	for i := range events {
		events[i] = use(w, at, "")
	}
	absorb(tb, w.Store, events...)
}

func why(i *billing.Invoice) audit.Event {
	return audit.Command("billing").New(i.FinalAt, "invoice.finalize", string(i.ID), i.Team, nil)
}

// housekeep does on a node what servers do each minute.
func housekeep(tb testing.TB, st *store.Store, now time.Time) {
	tb.Helper()
	must(tb, st.FindAccounts(ctx))
	must(tb, second(st.DraftInvoices(ctx, now, grace, 100)))
	must(tb, second(st.FinalizeDue(ctx, now, 100, why)))
	must(tb, second(st.AdjustInvoices(ctx, now, grace, 100)))
}

// bills are our invoices, oldest first, such as "1 pro v1 11-02 12:00..12-01 12.50 USD"; a draft has no number.
func bills(tb testing.TB, w *world) (texts []string) {
	tb.Helper()
	all, err := w.Invoices(ctx, audit.TeamReach(w.ours), billing.InvoiceFilter{Limit: 100})
	must(tb, err)
	slices.SortStableFunc(all, func(x, y *billing.Invoice) int {
		if c := x.Held.Start.Compare(y.Held.Start); c != 0 {
			return c
		}
		return x.Sequence - y.Sequence
	})
	day := func(at time.Time) string {
		if at.Equal(usage.Day.Start(at)) {
			return at.Format("01-02")
		}
		return at.Format("01-02 15:04")
	}
	for _, i := range all {
		number, kind := "draft", ""
		if i.Final() {
			number = fmt.Sprint(i.Number)
		}
		if i.Sequence > 0 {
			kind = fmt.Sprintf(" adjustment %d", i.Sequence)
		}
		sum := billing.Micros(0)
		for _, l := range i.Statement.Lines {
			sum += l.Amount
		}
		if sum != i.Statement.Total {
			tb.Errorf("the lines of invoice %s add up to %s, its total is %s", number, sum, i.Statement.Total)
		}
		texts = append(texts, fmt.Sprintf("%s %s v%d %s..%s%s %s", number, i.Version.Plan, i.Version.Number, day(i.Held.Start), day(i.Held.End), kind,
			i.Statement.Currency.Format(i.Statement.Total)))
	}
	return texts
}

func wantBills(t *testing.T, what string, w *world, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, bills(t, w)); diff != "" {
		t.Errorf("%s: invoices -want +got:\n%s", what, diff)
	}
}

func TestInvoice(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		priceAPI(t, w, onDay(1), "free")
		subscribeAt(t, w, w.ours, "pro", onDay(2, 12)) // for 28.5 of 30 days: the fee is 9.50
		housekeep(t, w.Store, onDay(3))
		wantBills(t, "within the period", w)

		hook := newHook(t, w.Store, w.ours, "invoice.final")
		called(t, w, onDay(2, 11), 7) // before the plan was chosen
		called(t, w, onDay(10), 3)
		refused, tried := use(w, onDay(10), ""), use(w, onDay(10), "")
		refused.Outcome, tried.Mode = "rate_limited", secret.Test
		absorb(t, w.Store, refused, tried)
		housekeep(t, w.Store, onDay(31).Add(-time.Microsecond))
		wantBills(t, "a moment before its end", w)
		housekeep(t, w.Store, onDay(31))
		wantBills(t, "at its end", w, "draft pro v1 11-02 12:00..12-01 10.50 USD")
		called(t, w, onDay(30, 23, 59), 1)
		called(t, w, onDay(31), 4) // the next period's
		wantBills(t, "within the grace", w, "draft pro v1 11-02 12:00..12-01 11.50 USD")

		priceAPI(t, w, onDay(31, 1), "paid") // other declarations make other versions
		subscribeAt(t, w, w.ours, "max", onDay(31, 2))
		first := "1 pro v1 11-02 12:00..12-01 11.50 USD"
		housekeep(t, w.Store, onDay(32))
		wantBills(t, "after the grace", w, first, "draft pro v1 12-01..12-01 02:00 3.03 USD") // of its fee 2/744, of what is included 1
		called(t, w, onDay(20), 2)
		housekeep(t, w.Store, onDay(33))
		december := "2 pro v1 12-01..12-01 02:00 3.03 USD"
		wantBills(t, "calls that came late", w, first, "draft pro v1 11-02 12:00..12-01 adjustment 1 2.00 USD", december)
		called(t, w, onDay(21), 1)
		housekeep(t, w.Store, onDay(34))
		adjusted := "3 pro v1 11-02 12:00..12-01 adjustment 1 3.00 USD"
		wantBills(t, "and more of them", w, first, adjusted, december)
		housekeep(t, w.Store, onDay(35))
		wantBills(t, "and none", w, first, adjusted, december)
		called(t, w, onDay(22), 1)
		housekeep(t, w.Store, onDay(36))
		housekeep(t, w.Store, onDay(37))
		wantBills(t, "and once more", w, first, adjusted, "4 pro v1 11-02 12:00..12-01 adjustment 2 1.00 USD", december)
		if lines := auditLines(t, w.Store, "invoice.finalize"); len(lines) != 4 {
			t.Errorf("%d lines in the audit log tell of 4 final invoices", len(lines))
		}

		told, err := w.Deliveries(ctx, audit.ServerReach(), hook.ID, time.Time{}, "", 9)
		if err != nil || len(told) != 4 {
			t.Errorf("the team was told of %d final invoices, %v, want 4", len(told), err)
		}
		all, err := w.Invoices(ctx, audit.TeamReach(w.theirs), billing.InvoiceFilter{Limit: 9})
		if err != nil || len(all) > 0 {
			t.Errorf("another team's list has %d invoices, %v, want none", len(all), err)
		}
		all, err = w.Invoices(ctx, audit.ServerReach(), billing.InvoiceFilter{State: billing.Final, Team: w.ours, API: "weather", Limit: 1})
		if err != nil || len(all) != 1 {
			t.Fatalf("Invoices = %d, %v, want one", len(all), err)
		}
		wantKind(t, "another team's look at an invoice", second(w.Invoice(ctx, audit.TeamReach(w.theirs), all[0].ID)), fault.NotFound)
		wantKind(t, "making a final invoice final", second(w.FinalizeInvoice(ctx, audit.ServerReach(), all[0].ID, onDay(40), why)), fault.Conflict)
	})
}

// Late calls that were taken back by nothing leave no adjustment; what came to nothing until it became final is dropped.
func TestInvoiceAdjustedByNothing(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		priceAPI(t, w, onDay(1), "free")
		subscribeAt(t, w, w.ours, "pro", onDay(1))
		housekeep(t, w.Store, onDay(31))
		housekeep(t, w.Store, onDay(32))
		called(t, w, onDay(5), 2) // both are included: the bill stays what it is, but says what was used
		housekeep(t, w.Store, onDay(33))
		wantBills(t, "what is included", w, "1 pro v1 11-01..12-01 10.00 USD", "draft pro v1 11-01..12-01 adjustment 1 0.00 USD")
		absorb(t, w.Store, func() usage.Event { e := use(w, onDay(5), ""); e.Outcome = "rate_limited"; return e }())
		housekeep(t, w.Store, onDay(34))
		housekeep(t, w.Store, onDay(35))
		wantBills(t, "what is refused", w, "1 pro v1 11-01..12-01 10.00 USD", "2 pro v1 11-01..12-01 adjustment 1 0.00 USD")
	})
}

// Whoever chose nothing pays by the default plan, from when on there was one.
func TestInvoiceByDefault(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		called(t, w, onDay(1), 5)
		priceAPI(t, w, onDay(2), "paid")
		called(t, w, onDay(3), 2) // three units each
		housekeep(t, w.Store, onDay(31))
		wantBills(t, "the first month", w, "draft paid v1 11-02..12-01 1.50 EUR")
		priceAPI(t, w, onDay(41), "free")
		called(t, w, onDay(40), 4)
		called(t, w, onDay(42), 4)
		housekeep(t, w.Store, onDay(43))
		wantBills(t, "when another plan became the default", w, "1 paid v1 11-02..12-01 1.50 EUR", "draft paid v1 12-01..12-11 3.00 EUR")
	})
}

// What was used before a plan was chosen for later is billed by what held then, and so is what arrives late of a month from before the
// first bill.
func TestInvoiceBeforeTheFirst(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		priceAPI(t, w, onDay(1), "paid")
		ev := event("subscribe")
		ev.At = onDay(40)
		must(t, second(w.Subscribe(ctx, w.ours, "weather", billing.Change{Plan: "max", At: onDay(62)}, ev))) // on the 1st of January
		called(t, w, onDay(35), 1)
		housekeep(t, w.Store, onDay(62))
		wantBills(t, "by the default plan", w, "draft paid v1 12-01..01-01 0.75 EUR")
		called(t, w, onDay(20), 1)
		housekeep(t, w.Store, onDay(63))
		wantBills(t, "calls of the month before", w, "draft paid v1 11-01..12-01 0.75 EUR", "1 paid v1 12-01..01-01 0.75 EUR")
		must(t, second(w.RecordEvents(ctx, []billing.MeterEvent{stored(w, "a", "1", onDay(10), 4)}, onDay(40))))
		housekeep(t, w.Store, onDay(93))
		wantBills(t, "and the plan that was chosen", w, "2 paid v1 11-01..12-01 0.75 EUR", "1 paid v1 12-01..01-01 0.75 EUR", "draft max v1 01-01..02-01 100.00 USD")
	})
}

// However many nodes write bills at once, there is one of each, and numbers have no gap.
func TestInvoiceRace(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		nodes := []*store.Store{db.open(t), db.open(t)}
		w := newWorld(t, nodes[0])
		priceAPI(t, w, onDay(1), "free")
		teams := []id.Team{w.ours, w.theirs}
		for range 6 {
			teams = append(teams, newTeam(t, w.Store))
		}
		for _, team := range teams {
			subscribeAt(t, w, team, "pro", onDay(1))
		}
		for _, err := range race(racers, func(i int) error {
			return second(nodes[i%2].DraftInvoices(ctx, onDay(31), grace, 100))
		}) {
			must(t, err)
		}
		all, err := w.Invoices(ctx, audit.ServerReach(), billing.InvoiceFilter{Limit: 100})
		must(t, err)
		if len(all) != len(teams) {
			t.Fatalf("%d drafts for %d teams", len(all), len(teams))
		}
		winners(t, "making one draft final", nodes, func(st *store.Store, _ int) (bool, error) {
			i, err := st.FinalizeInvoice(ctx, audit.ServerReach(), all[0].ID, onDay(31), why)
			return i != nil, err
		}, fault.Conflict)
		for _, err := range race(racers, func(i int) error {
			return second(nodes[i%2].FinalizeDue(ctx, onDay(32), 100, why))
		}) {
			must(t, err)
		}
		var numbers []int64
		all, err = w.Invoices(ctx, audit.ServerReach(), billing.InvoiceFilter{Limit: 100})
		must(t, err)
		for _, i := range all {
			numbers = append(numbers, i.Number)
		}
		slices.Sort(numbers)
		if diff := cmp.Diff([]int64{1, 2, 3, 4, 5, 6, 7, 8}, numbers); diff != "" {
			t.Errorf("numbers -want +got:\n%s", diff)
		}

		called(t, w, onDay(9), 4)
		for _, err := range race(racers, func(i int) error {
			return second(nodes[i%2].AdjustInvoices(ctx, onDay(33), grace, 100))
		}) {
			must(t, err)
		}
		wantBills(t, "after all compared at once", w, bills(t, w)[0], "draft pro v1 11-01..12-01 adjustment 1 2.00 USD")
	})
}

func stored(w *world, source, name string, at time.Time, units int64) billing.MeterEvent {
	return billing.MeterEvent{Source: source, ID: name, Team: w.ours, API: "weather", Meter: "storage", At: at, Units: units}
}

// An event is counted once, however often and by whomever it is sent, and one that comes after its bill is final adjusts that.
func TestMeterEvents(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		nodes := []*store.Store{db.open(t), db.open(t)}
		w := newWorld(t, nodes[0])
		priceAPI(t, w, onDay(1), "free")
		subscribeAt(t, w, w.ours, "pro", onDay(1))
		record := func(want []bool, events ...billing.MeterEvent) {
			t.Helper()
			again, err := w.RecordEvents(ctx, events, onDay(3))
			must(t, err)
			if !slices.Equal(again, want) {
				t.Errorf("RecordEvents says %v, want %v", again, want)
			}
		}
		record(nil)
		record([]bool{false, false, true}, stored(w, "b", "1", onDay(2), 4), stored(w, "a", "1", onDay(2), 2), stored(w, "b", "1", onDay(2), 4))
		record([]bool{true, false}, stored(w, "a", "1", onDay(9), 9), stored(w, "a", "2", onDay(2), 1))
		housekeep(t, w.Store, onDay(31))
		wantBills(t, "seven units", w, "draft pro v1 11-01..12-01 13.50 USD")
		housekeep(t, w.Store, onDay(32))

		fresh := 0
		for _, n := range race(racers, func(i int) int {
			again, err := nodes[i%2].RecordEvents(ctx, []billing.MeterEvent{stored(w, "b", "2", onDay(20), 3), stored(w, "a", "3", onDay(20), 3)}, onDay(33))
			if err != nil {
				t.Error(err)
				return 0
			}
			return len(again) - len(slices.DeleteFunc(again, func(a bool) bool { return !a }))
		}) {
			fresh += n
		}
		if fresh != 2 {
			t.Errorf("two events sent %d times were new %d times", racers, fresh)
		}
		housekeep(t, w.Store, onDay(33))
		wantBills(t, "late events", w, "1 pro v1 11-01..12-01 13.50 USD", "draft pro v1 11-01..12-01 adjustment 1 3.00 USD")
	})
}

// A restoration takes no bill back, and what was billed is not billed again.
func TestInvoicesOutliveARestoration(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		priceAPI(t, w, onDay(1), "free")
		subscribeAt(t, w, w.ours, "pro", onDay(1))
		must(t, second(w.RecordEvents(ctx, []billing.MeterEvent{stored(w, "a", "1", onDay(2), 4)}, onDay(2))))
		var backup bytes.Buffer
		must(t, second(w.Backup(ctx, &backup, onDay(3))))
		must(t, second(w.RecordEvents(ctx, []billing.MeterEvent{stored(w, "a", "2", onDay(4), 4)}, onDay(4))))
		housekeep(t, w.Store, onDay(31))
		housekeep(t, w.Store, onDay(32))
		want := "1 pro v1 11-01..12-01 14.00 USD"
		wantBills(t, "before", w, want)
		must(t, second(w.Restore(ctx, &backup, onDay(33), event("restore"))))
		for day := 33; day < 36; day++ {
			housekeep(t, w.Store, onDay(day))
		}
		wantBills(t, "after", w, want)
		again, err := w.RecordEvents(ctx, []billing.MeterEvent{stored(w, "a", "1", onDay(2), 4), stored(w, "a", "2", onDay(4), 4)}, onDay(34))
		if err != nil || !slices.Equal(again, []bool{true, true}) {
			t.Errorf("RecordEvents after the restoration = %v, %v, want both known", again, err)
		}
	})
}
