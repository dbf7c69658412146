package storetest

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/outbound"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/stripe"
	"github.com/lanyard-auth/lanyard/internal/stripe/stripetest"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// till is a provider who bills with Stripe: a world whose team ours is the customer cus_ours from 11:00 of the first day on, with an API
// whose requests, units and storage are told to Stripe, and a Stripe.
type till struct {
	*world
	fake *stripetest.Fake
	at   atomic.Int64 // the clock
	log  bytes.Buffer
	x    *stripe.Exporter
}

func newTill(t *testing.T, db database) *till {
	t.Helper()
	w := &till{world: newWorld(t, db.open(t))}
	w.set(onDay(1, 10, 20))
	w.fake = stripetest.Start(t, w.now, []string{"cus_ours", "cus_theirs"}, []string{"acme_requests", "acme_units", "acme_storage"})
	w.declare(t, map[string]string{"requests": "acme_requests", "units": "acme_units", "storage": "acme_storage"})
	w.customer(t, w.ours, "cus_ours")
	w.x = w.exporter(t, w.Store)
	return w
}

func (w *till) now() time.Time   { return time.UnixMicro(w.at.Load()).UTC() }
func (w *till) set(at time.Time) { w.at.Store(at.UnixMicro()) }

func (w *till) event(action string) audit.Event {
	ev := event(action)
	ev.At = w.now()
	return ev
}

func (w *till) why(act string) stripe.Reason {
	return func(*stripe.Event) audit.Event { return w.event("stripe_event." + act) }
}

func (w *till) declare(t *testing.T, names map[string]string) {
	t.Helper()
	a, err := catalog.Normalise("weather", lanyard.API{Takes: "key", Meters: map[string]lanyard.Meter{"storage": {Text: "gigabytes", Event: "com.acme.storage"}}, Stripe: names})
	must(t, err)
	must(t, second(w.UpdateCatalog(ctx, w.event("catalog.apply"), func(s *catalog.State) error { s.APIs["weather"] = a; return nil })))
}

func (w *till) customer(t *testing.T, of id.Team, customer string) {
	t.Helper()
	must(t, third(w.UpdateTeam(ctx, audit.ServerReach(), of, w.event("team.update"), func(t *team.Team) error { t.StripeCustomer = customer; return nil })))
}

func (w *till) exporter(t *testing.T, st *store.Store) *stripe.Exporter {
	t.Helper()
	here, err := url.Parse(w.fake.URL)
	must(t, err)
	client, err := outbound.New(outbound.Options{Allow: []string{here.Host}})
	must(t, err)
	send := &stripe.Client{URL: w.fake.URL, Key: secret.Of(stripetest.Key), Tell: client.TellForm, Now: w.now}
	return &stripe.Exporter{Queue: st, Send: send.Send, Deployment: "team_0123456789abcdef", Now: w.now, Log: slog.New(slog.NewTextHandler(&w.log, nil))}
}

// export is a round at a time.
func (w *till) export(t *testing.T, at time.Time) {
	t.Helper()
	w.set(at)
	must(t, w.x.Once(ctx))
}

func (w *till) stored(t *testing.T, units int64, at time.Time, name string) {
	t.Helper()
	must(t, second(w.RecordEvents(ctx, []billing.MeterEvent{{Source: "disks", ID: name, Team: w.ours, API: "weather", Meter: "storage", At: at, Units: units}}, w.now())))
}

// told are the events that Stripe took, such as "cus_ours acme_units 01 11:00 = 9", in order.
func (w *till) told() (texts []string) {
	for _, e := range w.fake.Events() {
		texts = append(texts, fmt.Sprintf("%s %s %s = %d", e.Customer, e.Name, e.At.Format("02 15:04"), e.Value))
	}
	slices.Sort(texts)
	return texts
}

// events are ours in a state, oldest first.
func (w *till) events(t *testing.T, state stripe.State) []*stripe.Event {
	t.Helper()
	all, err := w.StripeEvents(ctx, stripe.Filter{State: state, Limit: 1000})
	must(t, err)
	slices.Reverse(all)
	return all
}

func (w *till) wantTold(t *testing.T, what string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, w.told()); diff != "" {
		t.Errorf("%s: Stripe was told -want +got:\n%s", what, diff)
	}
	if wrong := w.fake.Wrong(); len(wrong) > 0 {
		t.Errorf("%s: requests break Stripe's rules: %q", what, wrong)
	}
}

func TestStripeExport(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newTill(t, db)
		called(t, w.world, onDay(1, 10, 50), 5) // before the first whole hour
		called(t, w.world, onDay(1, 11, 10), 3)
		refused := use(w.world, onDay(1, 11, 20), "")
		refused.Outcome = "revoked"
		tested := use(w.world, onDay(1, 11, 20), "")
		tested.Mode = secret.Test
		foreign := use(w.world, onDay(1, 11, 20), "")
		foreign.Team, foreign.App, foreign.Key = w.theirs, w.theirApp, w.theirKey
		absorb(t, w.Store, refused, tested, foreign)
		w.stored(t, 40, onDay(1, 11, 59), "1")
		w.export(t, onDay(1, 12, 4))
		w.wantTold(t, "before the hour has settled")
		hour := []string{"cus_ours acme_requests 01 11:00 = 3", "cus_ours acme_storage 01 11:00 = 40", "cus_ours acme_units 01 11:00 = 9"}
		w.export(t, onDay(1, 12, 5))
		w.wantTold(t, "after the hour", hour...)
		for range 3 {
			w.export(t, w.now().Add(time.Hour))
		}
		w.wantTold(t, "when nothing was counted since", hour...)

		// What arrives late is told as the difference, to whom the hour belongs.
		w.customer(t, w.ours, "cus_theirs")
		called(t, w.world, onDay(1, 11, 30), 2)
		w.stored(t, 1, onDay(1, 11, 30), "2")
		w.export(t, onDay(2))
		late := []string{"cus_ours acme_requests 01 11:00 = 2", "cus_ours acme_storage 01 11:00 = 1", "cus_ours acme_units 01 11:00 = 6"}
		w.wantTold(t, "after late arrivals", slices.Sorted(slices.Values(slices.Concat(hour, late)))...)

		// Another customer, another name and no name count from the next hour on.
		w.set(onDay(2, 9, 30))
		w.customer(t, w.ours, "cus_theirs")
		w.declare(t, map[string]string{"requests": "acme_units"})
		called(t, w.world, onDay(2, 9, 40), 1)
		called(t, w.world, onDay(2, 10, 1), 1)
		w.export(t, onDay(2, 12))
		want := slices.Concat(hour, late, []string{"cus_theirs acme_requests 02 09:00 = 1", "cus_theirs acme_units 02 09:00 = 3", "cus_theirs acme_units 02 10:00 = 1"})
		w.wantTold(t, "after changes", slices.Sorted(slices.Values(want))...)

		w.customer(t, w.ours, "")
		called(t, w.world, onDay(2, 13, 1), 1)
		w.export(t, onDay(3))
		w.wantTold(t, "without a customer", slices.Sorted(slices.Values(want))...)
		if p, err := w.Progress(ctx, w.now()); err != nil || len(p.Counts) > 0 || p.Unlooked > 0 || !p.Oldest.IsZero() {
			t.Errorf("Progress = %+v, %v, want nothing that waits", p, err)
		}
	})
}

// Whatever becomes of requests and their answers, Stripe has been told every unit once in the end.
func TestStripeLostAnswers(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newTill(t, db)
		var mu sync.Mutex
		chance := rand.New(rand.NewPCG(1, 2))
		w.fake.Next = func(int, url.Values) stripetest.Fault {
			mu.Lock()
			defer mu.Unlock()
			return stripetest.Fault(chance.IntN(9)) // 7 and 8 are none
		}
		w.customer(t, w.theirs, "cus_theirs")
		sums := map[string]int64{}
		at := onDay(1, 11)
		for n := range int64(30) {
			called(t, w.world, at.Add(time.Duration(n%5)*-time.Hour+30*time.Minute), 1) // some of them late
			if at.Add(time.Duration(n%5)*-time.Hour).Hour() >= 11 || at.Day() > 1 {
				sums["acme_requests"]++
				sums["acme_units"] += 3
			}
			at = at.Add(time.Hour)
			w.export(t, at.Add(10*time.Minute))
			w.export(t, at.Add(40*time.Minute))
		}
		for range 40 { // hours in which waiting events are tried again
			at = at.Add(30 * time.Minute)
			w.export(t, at)
		}
		for name, want := range sums {
			if got := w.fake.Total("cus_ours", name); got != want {
				t.Errorf("Stripe was told %d of %s, want %d", got, name, want)
			}
		}
		for _, state := range stripe.States() {
			if n := len(w.events(t, state)); n > 0 && state != stripe.Sent {
				t.Errorf("%d events are %s, want every one sent", n, state)
			}
		}
		if wrong := w.fake.Wrong(); len(wrong) > 0 {
			t.Errorf("requests break Stripe's rules: %q", wrong)
		}
		if strings.Contains(w.log.String(), stripetest.Key) || !strings.Contains(w.log.String(), "did not arrive at Stripe") {
			t.Errorf("the log tells the key, or nothing at all:\n%.2000s", w.log.String())
		}
	})
}

// A refused event holds nothing up, says why, and goes where it should once that is set right.
func TestStripeRefused(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newTill(t, db)
		w.customer(t, w.ours, "cus_gone")
		w.customer(t, w.theirs, "cus_theirs")
		w.declare(t, map[string]string{"requests": "acme_requests"})
		called(t, w.world, onDay(1, 11, 10), 3)
		theirs := use(w.world, onDay(1, 11, 20), "")
		theirs.Team, theirs.App, theirs.Key = w.theirs, w.theirApp, w.theirKey
		absorb(t, w.Store, theirs)
		w.export(t, onDay(1, 12, 5))
		w.wantTold(t, "beside a refused one", "cus_theirs acme_requests 01 11:00 = 1")
		failed := w.events(t, stripe.Failed)
		if len(failed) != 1 || failed[0].Error != "400: No such customer: 'cus_gone'" || failed[0].Team != w.ours {
			t.Fatalf("failed = %+v, want ours with what Stripe says", failed)
		}
		asked := w.fake.Requests()
		w.export(t, onDay(3))
		if w.fake.Requests() != asked {
			t.Error("a refused event was sent again by itself")
		}

		wantKind(t, "a retry of what is sent", second(w.RetryEvents(ctx, w.events(t, stripe.Sent)[0].Identifier, w.now(), 0, w.why("retry"))), fault.Conflict)
		wantKind(t, "a retry of nothing", second(w.RetryEvents(ctx, "lanyard-0", w.now(), 0, w.why("retry"))), fault.NotFound)
		wantKind(t, "a dismissal of what is sent", w.DismissEvent(ctx, w.events(t, stripe.Sent)[0].Identifier, w.why("dismiss")), fault.Conflict)
		w.customer(t, w.ours, "cus_ours")
		if n, err := w.RetryEvents(ctx, "", w.now(), 100, w.why("retry")); n != 1 || err != nil {
			t.Errorf("RetryEvents = %d, %v, want the one that failed", n, err)
		}
		w.export(t, w.now())
		w.wantTold(t, "after a retry", "cus_ours acme_requests 01 11:00 = 3", "cus_theirs acme_requests 01 11:00 = 1")
		if e, err := w.StripeEvent(ctx, failed[0].Identifier); err != nil || e.State != stripe.Sent || e.Error != "" || !e.SentAt.Equal(w.now()) {
			t.Errorf("StripeEvent = %+v, %v, want it sent under the same identifier", e, err)
		}
	})
}

// What may have arrived is not sent again when Stripe may have forgotten it, and what is too old is not sent.
func TestStripeUnsure(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newTill(t, db)
		w.declare(t, map[string]string{"requests": "acme_requests"})
		var next atomic.Int64
		next.Store(int64(stripetest.DropAfter))
		w.fake.Next = func(int, url.Values) stripetest.Fault { return stripetest.Fault(next.Load()) }
		called(t, w.world, onDay(1, 11, 10), 3)
		w.export(t, onDay(1, 12, 5))
		next.Store(int64(stripetest.None))
		w.export(t, onDay(2, 12, 6)) // nobody was there for a day
		w.wantTold(t, "a day later", "cus_ours acme_requests 01 11:00 = 3")
		unsure := w.events(t, stripe.Unsure)
		if len(unsure) != 1 || w.fake.Requests() != 1 {
			t.Fatalf("unsure = %+v after %d requests, want one and one", unsure, w.fake.Requests())
		}
		must(t, w.DismissEvent(ctx, unsure[0].Identifier, w.why("dismiss")))
		if p, err := w.Progress(ctx, w.now()); err != nil || p.Counts[stripe.Dismissed] != 1 || len(p.Counts) != 1 {
			t.Errorf("Progress = %+v, %v, want one dismissed", p, err)
		}

		// One that was never sent has no such bound, until its hour is too old.
		next.Store(int64(stripetest.Throttle))
		called(t, w.world, onDay(2, 13), 1)
		w.export(t, onDay(2, 14, 5))
		w.export(t, onDay(2, 14, 6))
		next.Store(int64(stripetest.None))
		w.export(t, onDay(4))
		w.wantTold(t, "after it was throttled for days", "cus_ours acme_requests 01 11:00 = 3", "cus_ours acme_requests 02 13:00 = 1")
		called(t, w.world, onDay(2, 13), 1)
		w.export(t, onDay(2+35, 14))
		w.wantTold(t, "when it is too late", "cus_ours acme_requests 01 11:00 = 3", "cus_ours acme_requests 02 13:00 = 1")
		if late := w.events(t, stripe.TooLate); len(late) != 1 || late[0].Sequence != 1 || late[0].Units != 1 {
			t.Errorf("too late = %+v, want the one that arrived too late", late)
		}
		// An identifier that Stripe knows, though none of our tries can have arrived, is another server's.
		called(t, w.world, onDay(30, 1), 2)
		w.set(onDay(30, 3))
		must(t, second(w.LookAtHours(ctx, w.now(), w.x.Deployment, 10)))
		twin := w.events(t, stripe.Waiting)[0]
		if a := w.x.Send(ctx, twin); !a.Accepted {
			t.Fatalf("Send = %+v, want it accepted", a)
		}
		w.export(t, onDay(30, 3, 1))
		if e, err := w.StripeEvent(ctx, twin.Identifier); err != nil || e.State != stripe.Unsure {
			t.Errorf("an event that a twin sent is %+v, %v, want unsure", e, err)
		}
	})
}

// A node that dies between writing down that it sends and sending, or after it, loses nothing and doubles nothing.
func TestStripeKilled(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newTill(t, db)
		w.declare(t, map[string]string{"requests": "acme_requests"})
		called(t, w.world, onDay(1, 11, 10), 3)
		called(t, w.world, onDay(1, 12, 10), 4)
		w.set(onDay(1, 13, 5))
		must(t, second(w.LookAtHours(ctx, w.now(), w.x.Deployment, 10)))
		claimed, err := w.ClaimEvents(ctx, w.now(), time.Minute, 10)
		if err != nil || len(claimed) != 2 {
			t.Fatalf("ClaimEvents = %v, %v, want both hours", claimed, err)
		}
		if a := w.x.Send(ctx, &claimed[0]); !a.Accepted {
			t.Fatalf("Send = %+v, want it accepted", a)
		}
		// Here it dies. Another node comes.
		w.export(t, w.now().Add(30*time.Second))
		if n := len(w.events(t, stripe.Sent)); n != 0 {
			t.Errorf("%d events were sent by another node within the lease", n)
		}
		w.export(t, w.now().Add(time.Minute))
		w.wantTold(t, "after the lease", "cus_ours acme_requests 01 11:00 = 3", "cus_ours acme_requests 01 12:00 = 4")
		if n := len(w.events(t, stripe.Sent)); n != 2 {
			t.Errorf("%d events are sent, want both", n)
		}
		// The dead one was only slow: what it says now changes nothing.
		must(t, w.EventTried(ctx, claimed[1], stripe.Outcome{At: w.now(), State: stripe.Failed, Error: "late"}))
		must(t, w.ReleaseEvents(ctx, w.now(), claimed...))
		if n := len(w.events(t, stripe.Sent)); n != 2 {
			t.Errorf("%d events are sent after a late word, want both", n)
		}
	})
}

// Nodes that export while others count tell every unit once.
func TestRaceStripe(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newTill(t, db)
		w.declare(t, map[string]string{"requests": "acme_requests"})
		w.set(onDay(2))
		nodes := []*store.Store{w.Store, db.open(t), db.open(t), db.open(t)}
		const each = 20
		race(2*len(nodes), func(i int) error {
			node := nodes[i%len(nodes)]
			if i < len(nodes) {
				for n := range each {
					_, err := node.AbsorbUsage(ctx, marker(id.New[id.Node](), 1, "x"), usage.Aggregate([]usage.Event{use(w.world, onDay(1, 11+n%5, 1), "")}))
					must(t, err)
				}
				return nil
			}
			x := w.exporter(t, node)
			x.Log = slog.New(slog.DiscardHandler)
			for range each {
				if err := x.Once(ctx); err != nil {
					t.Errorf("Once = %v", err)
				}
			}
			return nil
		})
		for n := range 10 { // a node may have waited for another's call to the same customer
			w.export(t, onDay(2, n))
		}
		seen := map[string]bool{}
		for _, e := range w.fake.Events() {
			if seen[e.Identifier] {
				t.Errorf("%s was taken twice", e.Identifier)
			}
			seen[e.Identifier] = true
		}
		if got := w.fake.Total("cus_ours", "acme_requests"); got != int64(len(nodes)*each) {
			t.Errorf("Stripe was told %d, want %d", got, len(nodes)*each)
		}
		for _, e := range w.events(t, "") {
			if e.State != stripe.Sent {
				t.Errorf("%+v, want it sent", e)
			}
		}
	})
}

// A restoration sends nothing again: a database in use knows what it told, and what a lost one told is left to a person.
func TestRestoreStripe(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newTill(t, db)
		w.declare(t, map[string]string{"requests": "acme_requests"})
		must(t, third(w.SystemTeam(ctx, t0)))
		called(t, w.world, onDay(1, 11, 10), 3)
		w.set(onDay(1, 12, 1))
		file, _ := backup(t, w.Store) // before the hour was looked at
		w.export(t, onDay(1, 12, 5))
		w.set(onDay(1, 12, 10))
		sent := []string{"cus_ours acme_requests 01 11:00 = 3"}

		must(t, second(w.Restore(ctx, bytes.NewReader(file), w.now(), w.event("restore"))))
		w.export(t, onDay(1, 13))
		w.wantTold(t, "after a restoration in place", sent...)
		called(t, w.world, onDay(1, 11, 20), 1)
		w.export(t, onDay(1, 14))
		sent = append(sent, "cus_ours acme_requests 01 11:00 = 1")
		slices.Sort(sent)
		w.wantTold(t, "after a late arrival since", sent...)

		fresh := sqlite(t).open(t)
		if db.driver == "pgx" {
			fresh = postgres(t).open(t)
		}
		must(t, third(fresh.SystemTeam(ctx, t0))) // a server ran on it, and somebody declared something
		putAPIs(t, fresh, weather("mail"))
		w.set(onDay(2, 10, 30))
		must(t, second(fresh.Restore(ctx, bytes.NewReader(file), w.now(), w.event("restore"))))
		w.world.Store, w.x = fresh, w.exporter(t, fresh)
		w.export(t, onDay(2, 10, 40))
		called(t, w.world, onDay(2, 10, 50), 1)
		w.export(t, onDay(2, 11, 5))
		sent = append(sent, "cus_ours acme_requests 02 10:00 = 1")
		w.wantTold(t, "after a restoration of what was lost", sent...)
		if unsure := w.events(t, stripe.Unsure); len(unsure) != 1 || unsure[0].Units != 3 || !strings.Contains(unsure[0].Error, "backup") {
			t.Errorf("unsure = %+v, want the hour that ended before", unsure)
		}
	})
}

// A restoration takes a customer back that was set since, but not from the hours in which it was so.
func TestRestoreKeepsCustomers(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newTill(t, db)
		w.declare(t, map[string]string{"requests": "acme_requests"})
		must(t, third(w.SystemTeam(ctx, t0)))
		file, _ := backup(t, w.Store)
		w.set(onDay(1, 11, 30))
		w.customer(t, w.ours, "cus_theirs")
		w.declare(t, map[string]string{"requests": "acme_units"})
		called(t, w.world, onDay(1, 12, 10), 3)
		w.set(onDay(1, 13, 1))
		must(t, second(w.Restore(ctx, bytes.NewReader(file), w.now(), w.event("restore"))))
		called(t, w.world, onDay(1, 14, 10), 5)
		w.export(t, onDay(1, 15, 10))
		w.wantTold(t, "of the hours before and after a restoration", "cus_ours acme_requests 01 14:00 = 5", "cus_theirs acme_units 01 12:00 = 3")
	})
}

// What is being counted while the hour is looked at is not missed: whoever looks waits for it. Of the two engines PostgreSQL lets them meet.
func TestStripeMeetsAbsorption(t *testing.T) {
	db := postgres(t)
	w := newTill(t, db)
	w.declare(t, map[string]string{"requests": "acme_requests"})
	called(t, w.world, onDay(1, 11, 10), 1)
	w.set(onDay(1, 12, 5))
	raw := db.raw(t)
	hold, err := raw.BeginTx(ctx, nil)
	must(t, err)
	must(t, second(hold.ExecContext(ctx, `LOCK TABLE invoice IN ACCESS EXCLUSIVE MODE`))) // which an absorption comes to last
	waiting := func() (n int) {
		must(t, raw.QueryRowContext(ctx, `SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&n))
		return n
	}
	absorbed, looked := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := w.AbsorbUsage(ctx, marker(id.New[id.Node](), 1, "x"), usage.Aggregate([]usage.Event{use(w.world, onDay(1, 11, 20), "")}))
		absorbed <- err
	}()
	for waiting() < 1 {
		runtime.Gosched()
	}
	go func() { looked <- second(w.LookAtHours(ctx, w.now(), w.x.Deployment, 10)) }()
	for waiting() < 2 && len(looked) == 0 {
		runtime.Gosched()
	}
	must(t, hold.Rollback(), <-absorbed, <-looked)
	w.export(t, w.now())
	if got := w.fake.Total("cus_ours", "acme_requests"); got != 2 {
		t.Errorf("Stripe was told %d, want both calls", got)
	}
}
