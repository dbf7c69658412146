package storetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// ledger is two teams on two APIs over some months, of whom anything happens that can be asked for.
type ledger struct {
	*world
	random *rand.Rand
	now    time.Time
	svc    *manage.Service
	apis   map[string]lanyard.API
	used   []counted
	events int
}

// counted is what was used of a meter, once.
type counted struct {
	team  id.Team
	api   string
	meter billing.Meter
	at    time.Time
	units int64
}

func newLedger(t *testing.T, w *world, random *rand.Rand) *ledger {
	l := &ledger{world: w, random: random, now: onDay(random.IntN(30)+1, random.IntN(24), random.IntN(60)), apis: map[string]lanyard.API{}}
	l.svc = &manage.Service{TeamStore: w.Store, CatalogStore: w.Store, BillingStore: w.Store, Management: catalog.Management("https://lanyard.example"), Now: func() time.Time { return l.now }}
	for i, name := range []string{"weather", "mail"} {
		l.apis[name] = lanyard.API{Takes: "key", Plans: map[string]lanyard.Plan{}, Meters: map[string]lanyard.Meter{"storage": {Text: "gigabytes", Event: fmt.Sprintf("com.acme.%d", i)}}}
		l.declare(t, name)
	}
	return l
}

func pick[T any](random *rand.Rand, from ...T) T { return from[random.IntN(len(from))] }

// amount is one from nothing to a most, with up to six places.
func (l *ledger) amount(most int64) string { return billing.Micros(l.random.Int64N(most)).String() }

// anyPlan is a plan of any model and bound that can be declared.
func (l *ledger) anyPlan() lanyard.Plan {
	p := lanyard.Plan{Period: pick(l.random, "", "day", "month", "month", "cycle", "cycle")}
	if l.random.IntN(5) == 0 {
		return p
	}
	p.Currency = pick(l.random, "USD", "JPY", "KWD")
	if l.random.IntN(2) == 0 {
		p.Fee = l.amount(90_000_000)
	}
	if l.random.IntN(3) == 0 {
		p.Minimum = pick(l.random, "0", "7", "40")
	}
	if l.random.IntN(3) == 0 {
		p.Cap = pick(l.random, "90", "101")
	}
	for _, meter := range []string{"requests", "units", "storage"} {
		if l.random.IntN(2) == 0 {
			p.Prices = append(p.Prices, l.anyPrice(meter))
		}
	}
	return p
}

func (l *ledger) anyPrice(meter string) lanyard.Price {
	p := lanyard.Price{Meter: meter, Model: pick(l.random, "", "per_unit", "package", "graduated", "volume"), Included: pick[int64](l.random, 0, 1, 5)}
	if l.random.IntN(3) == 0 {
		p.Minimum, p.Cap = "1.005", pick(l.random, "", "6.6")
	}
	switch p.Model {
	case "package":
		p.Package = &lanyard.Package{Size: l.random.Int64N(5) + 1, Price: l.amount(9_000_000)}
	case "graduated", "volume":
		p.Tiers = []lanyard.Tier{{UpTo: 1, PerUnit: l.amount(2_000_000)}, {UpTo: 4, Flat: l.amount(2_000_000)}, {PerUnit: l.amount(1_000_000), Flat: l.amount(500_000)}}
	default:
		p.PerUnit = l.amount(3_000_000)
	}
	return p
}

// asked says what may be answered: a change that is refused changes nothing.
func asked(t *testing.T, what string, err error, refusals ...fault.Kind) {
	t.Helper()
	for _, kind := range refusals {
		if fault.Is(err, kind) {
			return
		}
	}
	if err != nil {
		t.Fatalf("%s = %v", what, err)
	}
}

// declare changes an API's plans: one is another, one may go, another may become the default.
func (l *ledger) declare(t *testing.T, api string) {
	a := l.apis[api]
	plans := map[string]lanyard.Plan{}
	for name, p := range a.Plans {
		if plans[name] = p; l.random.IntN(6) == 0 {
			delete(plans, name)
		}
	}
	plans[pick(l.random, "free", "pro", "max")] = l.anyPlan()
	byDefault := pick(l.random, "free", "pro", "max", "")
	for name, p := range plans {
		p.Default = name == byDefault
		plans[name] = p
	}
	a.Plans = plans
	_, err := l.svc.PutAPI(ctx, audit.Command("test"), api, a, false)
	if asked(t, "PutAPI", err, fault.Conflict, fault.Invalid); err == nil {
		l.apis[api] = a
	}
}

// use has a team call, or be billed for an event, some time ago or now.
func (l *ledger) use(t *testing.T, team id.Team, api string) {
	at := l.now.Add(-pick(l.random, 0, 0, time.Minute, 3*time.Hour, 2*24*time.Hour, 33*24*time.Hour))
	n := l.random.Int64N(6) + 1
	if l.random.IntN(3) == 0 {
		l.events++
		must(t, second(l.RecordEvents(ctx, []billing.MeterEvent{{Source: "test", ID: fmt.Sprint(l.events), Team: team, API: api, Meter: "storage", At: at, Units: n}}, l.now)))
		l.used = append(l.used, counted{team, api, "storage", at, n})
		return
	}
	events := make([]usage.Event, n)
	for i := range events {
		events[i] = use(l.world, at, "")
		events[i].Team, events[i].API = team, api
	}
	absorb(t, l.Store, events...)
	l.used = append(l.used, counted{team, api, billing.Requests, at, n}, counted{team, api, billing.Units, at, 3 * n})
}

func (l *ledger) live(t *testing.T, steps int) {
	for range steps {
		l.now = l.now.Add(time.Duration(l.random.Int64N(90))*time.Second + pick(l.random, 0, 0, time.Hour, 25*time.Hour, 6*24*time.Hour))
		team, api := pick(l.random, l.ours, l.theirs), pick(l.random, "weather", "mail")
		switch l.random.IntN(8) {
		case 0:
			l.declare(t, api)
		case 1, 2:
			in := lanyard.SubscriptionInput{Plan: pick(l.random, "free", "pro", "max", ""), When: pick(l.random, "", "now", "period_end")}
			_, err := l.svc.Subscribe(ctx, audit.Command("test"), string(team), api, in)
			asked(t, "Subscribe", err, fault.Invalid, fault.Conflict) // no such plan; too many changes in a day
		case 3:
			housekeep(t, l.Store, l.now)
		default:
			l.use(t, team, api)
		}
	}
}

func (l *ledger) within(team id.Team, api string, meter billing.Meter, p billing.Period) (units int64) {
	for _, u := range l.used {
		if u.team == team && u.api == api && u.meter == meter && p.Contains(u.at) {
			units += u.units
		}
	}
	return units
}

// check compares every bill with the preview of its period and with what was used.
func (l *ledger) check(t *testing.T, team id.Team, api string) (bills int) {
	all, err := l.Invoices(ctx, audit.TeamReach(team), billing.InvoiceFilter{API: api, Limit: 1000})
	must(t, err)
	slices.SortFunc(all, func(x, y *billing.Invoice) int {
		return cmp.Or(x.Held.Start.Compare(y.Held.Start), x.Sequence-y.Sequence)
	})
	for i := 0; i < len(all); {
		bill, sum, last := all[i], billing.Micros(0), all[i]
		if i > 0 && bill.Held.Start.Before(all[i-1].Held.End) {
			t.Fatalf("the bill for %v overlaps the one for %v", bill.Held, all[i-1].Held)
		}
		for ; i < len(all) && all[i].Held == bill.Held; i++ {
			last, sum = all[i], sum+all[i].Statement.Total
			lines := billing.Micros(0)
			for _, line := range last.Statement.Lines {
				lines += line.Amount
			}
			if lines != last.Statement.Total {
				t.Fatalf("%+v: its lines add up to %s", last.Statement, lines)
			}
		}
		bills++
		inside := bill.Held.Start.Add(time.Duration(l.random.Int64N(int64(bill.Held.End.Sub(bill.Held.Start)))))
		preview, err := l.svc.PreviewInvoices(ctx, audit.Command("test"), lanyard.InvoicePreview{TeamID: string(team), API: api, At: inside})
		if err != nil || len(preview) != 1 {
			t.Fatalf("the preview of %v is %+v, %v", bill.Held, preview, err)
		}
		first, err := l.svc.Invoice(ctx, audit.Command("test"), string(bill.ID))
		must(t, err)
		first.ID, first.Number, first.State, first.CreatedAt, first.FinalAt = "", 0, "open", nil, nil
		if first.Used = preview[0].Used; last.Sequence > 0 { // the preview is of all that was used
			first.Lines, first.Total = preview[0].Lines, bill.Statement.Currency.Text(sum)
		}
		if diff := gocmp.Diff(first, preview[0]); diff != "" {
			t.Fatalf("%d invoices and the preview for %v (-invoices +preview):\n%s", last.Sequence+1, bill.Held, diff)
		}
		for _, price := range bill.Version.Charges.Prices { // what has no price makes no adjustment
			if used := l.within(team, api, price.Meter, bill.Held); used != last.Used[price.Meter] || used != preview[0].Used[string(price.Meter)] {
				t.Fatalf("%d %s were used in %v, %d are billed, the preview says %d", used, price.Meter, bill.Held, last.Used[price.Meter], preview[0].Used[string(price.Meter)])
			}
		}
	}
	h, err := l.History(ctx, team, api)
	must(t, err)
	for _, u := range l.used {
		s, has := h.At(u.at)
		billed := slices.ContainsFunc(all, func(i *billing.Invoice) bool { return i.Held.Contains(u.at) })
		if ended := has && s.Version.Charged() && !s.Held.End.After(l.now); u.team == team && u.api == api && billed != ended {
			t.Fatalf("that what was used at %v of plan %q for %v is on a bill: %v, want %v", u.at, s.Version.Plan, s.Held, billed, ended)
		}
	}
	return bills
}

// Whatever is declared, chosen and used, and whenever anybody looks: a bill is what the preview says of its period, with its adjustments the
// bill of all that was used, and nothing is on two.
func TestInvoicesOfAnyLife(t *testing.T) {
	for range 2 {
		engines(t, func(t *testing.T, db database) {
			seed, bills := rand.Uint64(), 0
			t.Logf("seed %d", seed)
			l := newLedger(t, newWorld(t, db.open(t)), rand.New(rand.NewPCG(seed, 0)))
			for range 3 {
				l.live(t, 30)
				for range 2 { // the second time drafts have become final
					for range 5 { // a hundred bills each
						housekeep(t, l.Store, l.now)
					}
					for _, team := range []id.Team{l.ours, l.theirs} {
						bills += l.check(t, team, "weather") + l.check(t, team, "mail")
					}
					l.now = l.now.Add(grace)
				}
			}
			if bills == 0 {
				t.Error("nothing was billed in months")
			}
			if differences, err := l.ReconcileBilling(ctx, onDay(1).AddDate(0, -3, 0), l.now); err != nil || len(differences) > 0 {
				t.Errorf("ReconcileBilling = %+v, %v, want no difference", differences, err)
			}
		})
	}
}
