package storetest

import (
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/quota"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// alerts are those that were told.
func alerts(t *testing.T, st *store.Store) (all []billing.Alert) {
	t.Helper()
	messages, err := st.Outbox(ctx, 1000)
	must(t, err)
	for _, m := range messages {
		var a billing.Alert
		must(t, json.Unmarshal([]byte(m.Body), &a))
		all = append(all, a)
	}
	return all
}

func percents(all []billing.Alert) (of []int) {
	for _, a := range all {
		of = append(of, a.Percent)
	}
	slices.Sort(of)
	return of
}

// A quota is told of at 80 and at 100 hundredths, once in its period, to the webhooks of the team and by a mail.
func TestQuotaAlerts(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		ours, theirs := newHook(t, w.Store, w.ours, outbox.QuotaReached), newHook(t, w.Store, w.theirs)
		node := id.New[id.Node]()
		take := func(subject quota.Subject, limit, units int64) {
			t.Helper()
			start, end := dayOf(t0)
			must(t, second(w.LeaseQuota(ctx, quota.Lease{Node: node, Subject: subject, Start: start, End: end, Limit: limit, Need: units, Now: t0})))
		}
		plan := quota.OnAPI(string(w.ours), "weather", "live")
		take(plan, 10, 7)
		take(plan, 10, 10) // refused, but not since it is used up
		take(quota.OnAPI(string(w.ours), "weather", "test"), 10, 10)
		take(quota.Subject("key_0000000000000000"), 10, 10) // that is gone
		if got := alerts(t, w.Store); len(got) > 0 {
			t.Fatalf("seven of ten, and what nobody is told of, tell of %+v", got)
		}
		take(plan, 10, 1)
		must(t, w.ReturnQuota(ctx, node, []quota.Return{{Subject: plan, Start: usage.Day.Start(t0), Units: 4}}))
		take(plan, 10, 4)
		take(plan, 10, 1)
		start, end := dayOf(t0)
		first := billing.Alert{About: "weather", Team: w.ours, API: "weather", Percent: 80, Limit: 10, Start: start, End: end}
		if diff := cmp.Diff([]billing.Alert{first}, alerts(t, w.Store)); diff != "" {
			t.Errorf("eight, four given back and taken again, and nine of ten (-want +got):\n%s", diff)
		}
		take(plan, 10, 2) // refused: next to nothing is left
		take(plan, 10, 1)
		take(plan, 10, 1)
		take(plan, 20, 6) // a larger plan
		take(quota.Subject(w.ourKey), 2, 2)
		if got := percents(alerts(t, w.Store)); !slices.Equal(got, []int{80, 80, 100, 100}) {
			t.Errorf("the quota used up, 16 of 20, and a key's wholly: told at %v", got)
		}
		if !slices.ContainsFunc(alerts(t, w.Store), func(a billing.Alert) bool {
			return a.Key == w.ourKey && a.Team == w.ours && a.Limit == 2 && a.API == ""
		}) {
			t.Errorf("of a key's quota nothing is told: %+v", alerts(t, w.Store))
		}
		due := claimed(t, w.Store, t0.Add(time.Hour))
		if len(due) != 4 || slices.ContainsFunc(due, func(s outbox.Sending) bool { return s.Webhook != ours.ID || s.Webhook == theirs.ID }) {
			t.Errorf("%d deliveries wait, want our four", len(due))
		}

		waiting, err := w.Unmailed(ctx, 10)
		if err != nil || len(waiting) != 4 {
			t.Fatalf("Unmailed = %d messages, %v, want 4", len(waiting), err)
		}
		letter := outbox.Mail{ID: id.New[id.Message](), Sealed: []byte("sealed")}
		must(t, w.Mailed(ctx, waiting[0].ID, []outbox.Mail{letter}, t0))
		must(t, w.Mailed(ctx, waiting[0].ID, []outbox.Mail{{ID: id.New[id.Message](), Sealed: []byte("again")}}, t0))
		must(t, w.Mailed(ctx, waiting[1].ID, nil, t0))
		if mails, err := w.ClaimMails(ctx, t0.Add(time.Hour), time.Minute, 10); err != nil || len(mails) != 1 || mails[0].ID != letter.ID {
			t.Errorf("ClaimMails = %d mails, %v, want the one that was written first", len(mails), err)
		}
		if waiting, err = w.Unmailed(ctx, 10); err != nil || len(waiting) != 2 {
			t.Errorf("Unmailed = %d messages, %v, want 2", len(waiting), err)
		}
	})
}

// Many nodes cross a mark at once, and it is told once.
func TestQuotaAlertRace(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		start, end := dayOf(t0)
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				node := id.New[id.Node]()
				for range 8 {
					if _, err := w.LeaseQuota(ctx, quota.Lease{Node: node, Subject: quota.OnAPI(string(w.ours), "weather", "live"), Start: start, End: end, Limit: 100, Need: 1, Now: t0}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if got := percents(alerts(t, w.Store)); !slices.Equal(got, []int{80, 100}) {
			t.Errorf("16 nodes that take 128 of 100 units are told of at %v, want 80 and 100", got)
		}
	})
}

// spendAPI declares the API weather with plans that have a spend limit of 10 USD.
func spendAPI(tb testing.TB, w *world) {
	tb.Helper()
	a, err := catalog.Normalise("weather", lanyard.API{Takes: "key", Meters: map[string]lanyard.Meter{"storage": {Text: "gigabytes", Event: "com.acme.storage"}}, Plans: map[string]lanyard.Plan{
		"free": {Default: true},
		"both": {Currency: "USD", Fee: "1", SpendLimit: "10", Prices: []lanyard.Price{
			{Meter: "requests", PerUnit: "0.5"}, {Meter: "units", Included: 4, PerUnit: "0.25"}, {Meter: "storage", PerUnit: "1"},
		}},
		"open": {Currency: "USD", Prices: []lanyard.Price{{Meter: "requests", PerUnit: "1"}}},
	}})
	must(tb, err)
	ev := event("catalog.apply")
	ev.At = onDay(1)
	must(tb, second(w.UpdateCatalog(ctx, ev, func(s *catalog.State) error { s.APIs["weather"] = a; return nil })))
}

// spend leases what one call costs that counts three units, on both meters. It reports whether the call may pass.
func spend(t *testing.T, w *world, node id.Node, start, end time.Time) bool {
	t.Helper()
	for _, of := range []struct {
		meter string
		need  int64
	}{{"requests", 1}, {"units", 3}} {
		got, err := w.LeaseQuota(ctx, quota.Lease{
			Node: node, Subject: quota.Spend(string(w.ours), "weather", of.meter), Start: start, End: end, Limit: quota.Unbounded, Need: of.need, Want: 1, Now: onDay(20),
		})
		must(t, err)
		if got.Granted < of.need {
			return false
		}
	}
	return true
}

// A bill comes to no more than its spend limit, whatever is charged, and that calls are refused is told once.
func TestSpendLimit(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		spendAPI(t, w)
		subscribeAt(t, w, w.ours, "both", onDay(10))
		node, other := id.New[id.Node](), id.New[id.Node]()
		start, end := onDay(10), onDay(31)
		if _, err := w.LeaseQuota(ctx, quota.Lease{Node: node, Subject: quota.Spend(string(w.ours), "weather", "units"), Start: onDay(11), End: end, Limit: quota.Unbounded, Need: 1}); !fault.Is(err, fault.Unavailable) {
			t.Errorf("a lease of a bill that does not begin then = %v, want unavailable", err)
		}
		// A call costs 0.5, and 0.75 once four units were used; the share of the fee is 0.7. Two calls cost 1 + 0.5, each further one 1.25.
		n := 0
		for ; n < 20 && spend(t, w, []id.Node{node, other}[n%2], start, end); n++ {
			must(t, second(w.AbsorbUsage(ctx, marker([]id.Node{node, other}[n%2], uint64(n)+1, "a"), usage.Aggregate([]usage.Event{use(w, onDay(20), "")}))))
		}
		h, err := w.History(ctx, w.ours, "weather")
		must(t, err)
		stretch, _ := h.At(onDay(20))
		used, err := w.Used(ctx, w.ours, "weather", stretch)
		must(t, err)
		statement, err := stretch.Bill(used)
		must(t, err)
		one := billing.Usage{billing.Requests: used[billing.Requests] + 1, billing.Units: used[billing.Units] + 3}
		endless := stretch.Version.Charges
		endless.SpendLimit = 0
		if more, err := billing.Bill(endless, one, stretch.Share()); err != nil || statement.Total > stretch.Version.Charges.SpendLimit || more.Total <= stretch.Version.Charges.SpendLimit {
			t.Errorf("%d calls passed, which cost %s; one more would have cost %s, %v", n, statement.Total, more.Total, err)
		}
		for range 3 {
			if spend(t, w, node, start, end) {
				t.Error("a call passes after one was refused")
			}
		}
		got := alerts(t, w.Store)
		if len(got) != 1 || got[0].Percent != 100 || got[0].SpendLimit != "10.00" || got[0].Team != w.ours || got[0].API != "weather" || !got[0].End.Equal(end) {
			t.Errorf("told of %+v, want once that the limit is reached", got)
		}
		// Another plan has no limit, and then its own bill. The bill that ends has a share of what is included, and is bounded all the same.
		subscribeAt(t, w, w.ours, "open", onDay(21))
		h, err = w.History(ctx, w.ours, "weather")
		must(t, err)
		stretch, _ = h.At(onDay(20))
		used[billing.Units] += 1000
		if cut, err := stretch.Bill(used); err != nil || cut.Total != stretch.Version.Charges.SpendLimit || cut.Lines[len(cut.Lines)-1].Kind != billing.LineLimit {
			t.Errorf("the bill that was cut short comes to %+v, %v, want its limit", cut, err)
		}
		subscribeAt(t, w, w.ours, "both", onDay(22))
		if !spend(t, w, node, onDay(22), onDay(31)) {
			t.Error("nothing is left in the stretch after another plan")
		}
	})
}

// Four nodes spend up to one limit at once: never over it.
func TestSpendRace(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		spendAPI(t, w)
		subscribeAt(t, w, w.ours, "both", onDay(1))
		var all sync.WaitGroup
		var passed sync.Map
		for i := range 4 {
			all.Go(func() {
				node, n := id.New[id.Node](), 0
				for n < 20 && spend(t, w, node, onDay(1), onDay(31)) {
					n++
				}
				passed.Store(i, n)
			})
		}
		all.Wait()
		n := int64(0)
		passed.Range(func(_, calls any) bool { n += int64(calls.(int)); return true })
		h, err := w.History(ctx, w.ours, "weather")
		must(t, err)
		stretch, _ := h.At(onDay(20))
		statement, err := stretch.Bill(billing.Usage{billing.Requests: n, billing.Units: 3 * n})
		if err != nil || statement.Total > stretch.Version.Charges.SpendLimit || n < 4 {
			t.Errorf("%d calls passed, which cost %s, %v", n, statement.Total, err)
		}
		if got := percents(alerts(t, w.Store)); !slices.Equal(got, []int{100}) {
			t.Errorf("told at %v, want once at 100", got)
		}
	})
}

// What an open bill comes to is told at parts of its limit and at amounts that the team chose, each once, when it was counted.
func TestSpendAlerts(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		spendAPI(t, w)
		subscribeAt(t, w, w.ours, "both", onDay(1))
		tell := func(at time.Time) {
			t.Helper()
			must(t, second(w.DraftInvoices(ctx, at, grace, 10)))
			must(t, second(w.TellSpending(ctx, at, 10)))
		}
		n := 0
		stored := func(at time.Time, units int64) {
			t.Helper()
			n++
			must(t, second(w.RecordEvents(ctx, []billing.MeterEvent{{Source: "test", ID: string(rune('a' + n)), Team: w.ours, API: "weather", Meter: "storage", At: at, Units: units}}, at)))
		}
		amounts := func() (told []string) {
			for _, a := range alerts(t, w.Store) {
				told = append(told, a.Amount)
			}
			slices.Sort(told)
			return told
		}
		tell(onDay(1))
		stored(onDay(2), 6) // with the fee 7
		tell(onDay(2))
		if got := alerts(t, w.Store); len(got) > 0 {
			t.Fatalf("7 of 10 told of %+v", got)
		}
		stored(onDay(3), 1)
		tell(onDay(3))
		tell(onDay(3))
		set := func(amounts ...billing.Micros) {
			t.Helper()
			must(t, w.SetSpendAlerts(ctx, w.ours, "weather", amounts, event("subscription.alerts")))
		}
		set(2_000_000, 5_000_000, 9_000_000)
		if got, err := w.SpendAlerts(ctx, w.ours, "weather"); err != nil || !slices.Equal(got, []billing.Micros{2_000_000, 5_000_000, 9_000_000}) {
			t.Errorf("SpendAlerts = %v, %v", got, err)
		}
		tell(onDay(3))
		tell(onDay(3))
		if got := amounts(); !slices.Equal(got, []string{"", "5.00"}) {
			t.Errorf("at 8 of 10, with 2, 5 and 9 to be told of: %q, want 80 hundredths and 5.00", got)
		}
		stored(onDay(4), 4) // an event is counted, whatever it costs
		tell(onDay(4))
		if got := percents(alerts(t, w.Store)); !slices.Equal(got, []int{0, 0, 80, 100}) {
			t.Errorf("beyond the limit: %v", got)
		}

		// Without a limit calls that are absorbed have the bill looked at, as long as somebody wants to know.
		subscribeAt(t, w, w.ours, "open", onDay(5))
		set(3_000_000)
		tell(onDay(5, 1))
		for i := range 3 {
			must(t, second(w.AbsorbUsage(ctx, marker(id.New[id.Node](), 1, string(rune('a'+i))), usage.Aggregate([]usage.Event{use(w, onDay(6), "")}))))
			tell(onDay(6))
		}
		if got := amounts(); !slices.Equal(got, []string{"", "", "3.00", "5.00", "9.00"}) {
			t.Errorf("three calls at 1.00 each: told of %q, want 3.00 too", got)
		}
		set()
		tell(onDay(6))
		must(t, second(w.AbsorbUsage(ctx, marker(id.New[id.Node](), 1, "z"), usage.Aggregate([]usage.Event{use(w, onDay(7), "")}))))
		if looked, err := w.TellSpending(ctx, onDay(7), 10); err != nil || looked != 0 {
			t.Errorf("TellSpending looked at %d, %v, though nobody wants to know", looked, err)
		}
	})
}

// What was told once is not told again after a restoration.
func TestAlertsOutliveRestoration(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		spendAPI(t, w)
		subscribeAt(t, w, w.ours, "both", onDay(1))
		must(t, w.SetSpendAlerts(ctx, w.ours, "weather", []billing.Micros{1_000_000}, event("subscription.alerts")))
		file, _ := backup(t, w.Store)
		tell := func() {
			t.Helper()
			must(t, second(w.DraftInvoices(ctx, onDay(3), grace, 10)))
			must(t, second(w.TellSpending(ctx, onDay(3), 10)))
		}
		must(t, second(w.RecordEvents(ctx, []billing.MeterEvent{{Source: "test", ID: "1", Team: w.ours, API: "weather", Meter: "storage", At: onDay(2), Units: 1}}, onDay(2))))
		tell()
		before := alerts(t, w.Store)
		restore(t, w.Store, file)
		must(t, second(w.RecordEvents(ctx, []billing.MeterEvent{{Source: "test", ID: "2", Team: w.ours, API: "weather", Meter: "storage", At: onDay(2), Units: 1}}, onDay(2))))
		tell()
		if diff := cmp.Diff(before, alerts(t, w.Store)); diff != "" || len(before) != 1 {
			t.Errorf("after a restoration (-want +got):\n%s", diff)
		}
		if got, err := w.SpendAlerts(ctx, w.ours, "weather"); err != nil || len(got) != 1 {
			t.Errorf("SpendAlerts after a restoration = %v, %v", got, err)
		}
	})
}
