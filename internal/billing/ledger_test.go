package billing_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/billing"
)

// anyAmount draws an amount as somebody could write it, now and then an enormous one.
func anyAmount(t *rapid.T, name string) string {
	most := rapid.SampledFrom([]int64{0, 9_999, 5_000_000, 300_000_000, int64(billing.MaxAmount)}).Draw(t, "size of "+name)
	m := rapid.Int64Range(0, most).Draw(t, name)
	text := billing.Micros(m).String()
	if rapid.Bool().Draw(t, "all places") {
		text = fmt.Sprintf("%d.%06d", m/1_000_000, m%1_000_000)
	}
	return text
}

func anyAmountOrNone(t *rapid.T, name string) string {
	if rapid.Bool().Draw(t, "no "+name) {
		return ""
	}
	return anyAmount(t, name)
}

func micros(t *rapid.T, text string) billing.Micros {
	if text == "" {
		return 0
	}
	m, err := billing.ParseAmount(text)
	if err != nil {
		t.Fatalf("ParseAmount(%s) = %v", text, err)
	}
	return m
}

// anyBound draws an upper bound that is none, or more than 0 and no less than something.
func anyBound(t *rapid.T, name string, least, unit billing.Micros) string {
	if rapid.Bool().Draw(t, "no "+name) {
		return ""
	}
	bound := max((least+unit-1)/unit*unit, unit) + unit*billing.Micros(rapid.SampledFrom([]int64{0, 1, 700, 50_000}).Draw(t, name))
	return min(bound, billing.MaxAmount/unit*unit).String()
}

// anyDeclaration draws a plan of all that ParsePlan accepts; what it refuses has tests of its own.
func anyDeclaration(t *rapid.T) lanyard.Plan {
	p := lanyard.Plan{Period: rapid.SampledFrom([]string{"", "day", "month", "cycle"}).Draw(t, "period")}
	if rapid.IntRange(0, 5).Draw(t, "paid") == 0 {
		return p
	}
	currency := rapid.SampledFrom([]string{"USD", "JPY", "KWD"}).Draw(t, "currency")
	unit := map[string]billing.Micros{"USD": 10_000, "JPY": 1_000_000, "KWD": 1_000}[currency]
	p.Fee = anyAmountOrNone(t, "fee")
	p.Minimum = (micros(t, anyAmountOrNone(t, "minimum")) / unit * unit).String()
	least := max(micros(t, p.Fee), micros(t, p.Minimum))
	p.Cap, p.SpendLimit = anyBound(t, "cap", least, unit), anyBound(t, "spend limit", least, unit)
	for _, meter := range []string{"requests", "units", "storage_gb"} {
		if rapid.Bool().Draw(t, "price of "+meter) {
			p.Prices = append(p.Prices, anyDeclaredPrice(t, meter))
		}
	}
	if len(p.Prices) > 0 && rapid.Bool().Draw(t, "currency at a price") {
		p.Prices[len(p.Prices)-1].Currency = currency
		return p
	}
	p.Currency = currency
	return p
}

func anyDeclaredPrice(t *rapid.T, meter string) lanyard.Price {
	p := lanyard.Price{
		Meter: meter, Model: string(rapid.SampledFrom(append(slices.Clone(allModels), "")).Draw(t, "model")),
		Included: rapid.SampledFrom([]int64{0, 1, 7, 60, billing.MaxUnits}).Draw(t, "included"), Minimum: anyAmountOrNone(t, "minimum"),
	}
	p.Cap = anyBound(t, "cap", micros(t, p.Minimum), 1)
	switch billing.Model(p.Model) {
	case billing.PerUnit, "":
		p.PerUnit = anyAmount(t, "per unit")
	case billing.Packages:
		p.Package = &lanyard.Package{Size: rapid.SampledFrom([]int64{1, 2, 30, billing.MaxUnits}).Draw(t, "size"), Price: anyAmount(t, "package")}
	case billing.Graduated, billing.Volume:
		end := int64(0)
		for range rapid.IntRange(0, 3).Draw(t, "tiers before the last") {
			end += rapid.Int64Range(1, 90).Draw(t, "width")
			p.Tiers = append(p.Tiers, anyTier(t, end))
		}
		p.Tiers = append(p.Tiers, anyTier(t, 0))
	}
	return p
}

func anyTier(t *rapid.T, end int64) lanyard.Tier {
	tier := lanyard.Tier{UpTo: end, PerUnit: anyAmountOrNone(t, "per unit of a tier"), Flat: anyAmountOrNone(t, "flat")}
	if tier.PerUnit+tier.Flat == "" {
		tier.Flat = anyAmount(t, "flat of a tier")
	}
	return tier
}

// used is so many units of a meter at a minute.
type used struct {
	at    time.Time
	meter billing.Meter
	units int64
}

// ledger is one team on one API over time, kept as a database does: what was declared, chosen and counted is written down, and bills are
// written of what has ended, whenever somebody looks.
type ledger struct {
	history billing.History
	now     time.Time
	counted []used
	until   time.Time            // before it all bills are written
	bills   [][]*billing.Invoice // each with its adjustments
}

var ledgerPlans = []string{"free", "pro", "max"}

// planAt and offeredAt are what the history says, read another way than the product does: what is the last to be said of something holds.
func (l *ledger) planAt(at time.Time) (plan string) {
	for _, c := range l.history.Subscription.Changes {
		if !c.At.After(at) {
			plan = c.Plan
		}
	}
	for _, candidate := range ledgerPlans {
		if v, offered := l.offeredAt(candidate, at); plan == "" && offered && v.Default {
			return candidate
		}
	}
	return plan
}

func (l *ledger) offeredAt(plan string, at time.Time) (last billing.Version, offered bool) {
	for _, v := range l.history.Versions {
		if v.Plan == plan && !v.Since.After(at) && v.Number > last.Number {
			last = v
		}
	}
	return last, last.Number > 0 && !last.Gone
}

// declare writes another version of a plan. Where it becomes the default, the one that was is declared anew without that.
func (l *ledger) declare(v billing.Version) {
	for _, other := range ledgerPlans {
		if last, offered := l.offeredAt(other, l.now); offered && v.Default && last.Default && other != v.Plan {
			last.Default = false
			l.declare(last)
		}
	}
	last, _ := l.offeredAt(v.Plan, l.now)
	v.Number, v.Since = last.Number+1, l.now
	l.history.Versions = append(l.history.Versions, v)
}

// choose has the team have another plan from a time on, in the place of every change that was to come.
func (l *ledger) choose(at time.Time, plan string) {
	changes := &l.history.Subscription.Changes
	*changes = slices.DeleteFunc(*changes, func(c billing.Change) bool { return c.At.After(l.now) })
	if n := len(*changes); n > 0 && (*changes)[n-1].At.Equal(at) {
		*changes = (*changes)[:n-1]
	}
	*changes = append(*changes, billing.Change{At: at, Plan: plan})
}

// within is what was counted in a stretch.
func (l *ledger) within(s billing.Stretch) billing.Usage {
	sum := billing.Usage{billing.Requests: 0, billing.Units: 0}
	for _, u := range l.counted {
		if s.Held.Contains(u.at) {
			sum[u.meter] += u.units
		}
	}
	return sum
}

// bill writes bills of what has ended, and adjusts those that something was added to.
func (l *ledger) bill(t *rapid.T) {
	for _, of := range l.bills {
		last := of[len(of)-1]
		if now := l.within(last.Stretch); last.Problem == nil && !cmp.Equal(now, last.Used) {
			next := &billing.Invoice{Stretch: last.Stretch, Sequence: last.Sequence + 1}
			if err := next.Settle(now, last.Used); err != nil {
				t.Fatalf("Settle of an adjustment = %v", err)
			}
			if next.Problem == nil {
				l.bills[slices.IndexFunc(l.bills, func(b []*billing.Invoice) bool { return b[0] == of[0] })] = append(of, next)
			}
		}
	}
	for _, s := range l.history.Stretches(l.until, l.now.Add(time.Microsecond)) {
		if s.Held.End.After(l.now) {
			return
		}
		if s.Held.Start.Before(l.until) {
			t.Fatalf("%v begins before %v, up to which bills are written", s.Held, l.until)
		}
		l.until = s.Held.End
		i := &billing.Invoice{Stretch: s}
		charges, err := billing.ReadPlan(s.Version.Declaration()) // as a bill keeps it
		if err != nil {
			t.Fatalf("ReadPlan = %v", err)
		}
		i.Version.Charges = charges
		if err := i.Settle(l.within(s), nil); err != nil {
			t.Fatalf("Settle = %v", err)
		}
		l.bills = append(l.bills, []*billing.Invoice{i})
	}
}

// live has anything happen to the ledger, and bills it on the way.
func (l *ledger) live(t *rapid.T) {
	for range rapid.IntRange(1, 12).Draw(t, "steps") {
		step := rapid.SampledFrom([]time.Duration{0, time.Minute, 7 * time.Hour, 24 * time.Hour, 9 * 24 * time.Hour, 40 * 24 * time.Hour}).Draw(t, "time goes on")
		l.now = l.now.Add(step + time.Duration(rapid.IntRange(0, 3).Draw(t, "minutes"))*time.Minute)
		plan := rapid.SampledFrom(ledgerPlans).Draw(t, "plan")
		switch rapid.SampledFrom([]string{"declare", "declare", "take away", "choose", "choose at the end", "use", "use"}).Draw(t, "what") {
		case "declare":
			v, err := billing.ParsePlan(anyDeclaration(t), external)
			if err != nil {
				t.Fatalf("ParsePlan = %v", err)
			}
			l.declare(billing.Version{Plan: plan, Default: rapid.Bool().Draw(t, "default"), Charges: v})
		case "take away":
			if _, offered := l.offeredAt(plan, l.now); offered {
				l.declare(billing.Version{Plan: plan, Gone: true})
			}
		case "choose":
			l.choose(l.now, rapid.SampledFrom(append([]string{""}, ledgerPlans...)).Draw(t, "choice"))
		case "choose at the end":
			at := l.now
			if s, has := l.history.At(l.now); has {
				at = s.Whole.End
			}
			l.choose(at, plan)
		case "use":
			for range rapid.IntRange(1, 4).Draw(t, "uses") {
				ago := time.Duration(rapid.SampledFrom([]int{0, 0, 1, 60, 3000, 60_000}).Draw(t, "minutes ago")) * time.Minute
				l.counted = append(l.counted, used{
					l.now.Add(-ago), rapid.SampledFrom([]billing.Meter{billing.Requests, billing.Units, "storage_gb"}).Draw(t, "meter"),
					rapid.SampledFrom([]int64{1, 2, 61, 500, 1 << 40}).Draw(t, "units"),
				})
			}
		}
		l.bill(t)
	}
}

func anyLedger(t *rapid.T) *ledger {
	start := time.Date(2027, 12, rapid.IntRange(1, 31).Draw(t, "day"), 0, rapid.IntRange(0, 1439).Draw(t, "minute"), 0, 0, time.UTC)
	l := &ledger{now: start}
	l.live(t)
	return l
}

// checkStatement says what every bill and every preview is: lines that add up to a total which can be paid.
func checkStatement(t *rapid.T, i *billing.Invoice) {
	sum := billing.Micros(0)
	for _, line := range i.Statement.Lines {
		sum += line.Amount
	}
	if sum != i.Statement.Total || i.Statement.Currency.Round(sum) != sum || i.Statement.Currency != i.Version.Charges.Currency {
		t.Fatalf("%+v: its lines add up to %s", i.Statement, sum)
	}
	if i.Problem != nil && (!errors.Is(i.Problem, billing.ErrTooLarge) || len(i.Statement.Lines) > 0) {
		t.Fatalf("with the problem %v it has %+v", i.Problem, i.Statement)
	}
}

// Stretches do not overlap, there is one at each moment at which the team had a plan that was offered, and it is that plan's, at the
// price of when it began.
func stretchesCover(t *rapid.T) {
	l := anyLedger(t)
	begin, end := l.now.AddDate(-2, 0, 0), l.now.AddDate(0, 3, 0)
	all := l.history.Stretches(begin, end)
	for i, s := range all {
		if i > 0 && s.Held.Start.Before(all[i-1].Held.End) {
			t.Fatalf("%v overlaps %v", s.Held, all[i-1].Held)
		}
		if v, offered := l.offeredAt(s.Version.Plan, s.Held.Start); !offered || v.Number != s.Version.Number {
			t.Fatalf("%v has version %d of plan %s, want %d", s.Held, s.Version.Number, s.Version.Plan, v.Number)
		}
	}
	moments := []time.Time{l.now}
	for _, c := range l.history.Subscription.Changes {
		moments = append(moments, c.At, c.At.Add(-time.Microsecond))
	}
	for _, v := range l.history.Versions {
		moments = append(moments, v.Since, v.Since.Add(-time.Microsecond))
	}
	for range 20 {
		moments = append(moments, begin.Add(time.Duration(rapid.Int64Range(0, int64(end.Sub(begin))-1).Draw(t, "moment"))))
	}
	for _, at := range moments {
		plan := l.planAt(at)
		s, found := l.history.At(at)
		if _, offered := l.offeredAt(plan, at); offered && !found {
			t.Fatalf("no stretch at %v, when the team had plan %s", at, plan)
		}
		if found && s.Version.Plan != plan {
			t.Fatalf("at %v the stretch is of plan %s, want %q", at, s.Version.Plan, plan)
		}
		if i := slices.IndexFunc(all, func(s billing.Stretch) bool { return s.Held.Contains(at) }); found != (i >= 0) || found && cmp.Diff(all[i], s) != "" {
			t.Fatalf("At(%v) = %v, %v; among all it is number %d", at, s.Held, found, i)
		}
	}
}

// Every bill is for a stretch that a preview finds from any moment of it, whatever was declared and chosen after it ended, and both come
// to the same lines; with its adjustments it is the bill of all that was used; and every use is on one bill, or of a time without a plan.
func billsHold(t *rapid.T) {
	l := anyLedger(t)
	l.now = l.now.AddDate(0, 2, 0)
	l.bill(t)
	left := slices.Clone(l.counted)
	for _, of := range l.bills {
		s := of[0].Stretch
		inside := s.Held.Start.Add(time.Duration(rapid.Int64Range(0, int64(s.Held.End.Sub(s.Held.Start))-1).Draw(t, "inside")))
		again, found := l.history.At(inside)
		if diff := cmp.Diff(s, again); !found || diff != "" {
			t.Fatalf("the preview is for another stretch than the bill (-bill +preview):\n%s", diff)
		}
		preview, first := &billing.Invoice{Stretch: again}, &billing.Invoice{Stretch: s}
		must(t, preview.Settle(of[0].Used, nil), first.Settle(l.within(s), nil))
		if diff := cmp.Diff(of[0].Statement, preview.Statement); diff != "" || !errors.Is(preview.Problem, of[0].Problem) {
			t.Fatalf("the preview differs (-bill +preview):\n%s", diff)
		}
		sum := billing.Micros(0)
		for _, i := range of {
			checkStatement(t, i)
			sum += i.Statement.Total
		}
		last := of[len(of)-1]
		if last.Problem == nil && first.Problem == nil && (sum != first.Statement.Total || !cmp.Equal(last.Used, l.within(s))) {
			t.Fatalf("a bill and its %d adjustments come to %s for %v, want %s for %v", len(of)-1, sum, last.Used, first.Statement.Total, l.within(s))
		}
		left = slices.DeleteFunc(left, func(u used) bool { return s.Held.Contains(u.at) })
	}
	for _, u := range left {
		if s, has := l.history.At(u.at); has && !s.Held.End.After(l.now) {
			t.Fatalf("%d %s of %v are on no bill", u.units, u.meter, u.at)
		}
	}
	if s, has := l.history.At(l.now); has {
		open := &billing.Invoice{Stretch: s}
		must(t, open.Settle(l.within(s), nil))
		checkStatement(t, open)
	}
}

func must(t *rapid.T, errs ...error) {
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// What a plan can declare is accepted, billed and read again as it was.
func anyPlanIsBilled(t *rapid.T) {
	declared := anyDeclaration(t)
	v, err := billing.ParsePlan(declared, external)
	if err != nil {
		t.Fatalf("ParsePlan(%+v) = %v", declared, err)
	}
	again, err := billing.ReadPlan(v.Declare(lanyard.Plan{}))
	if diff := cmp.Diff(v, again); err != nil || diff != "" {
		t.Fatalf("ReadPlan of the declaration = %v (-before +after):\n%s", err, diff)
	}
	usage := billing.Usage{}
	for _, m := range []billing.Meter{billing.Requests, billing.Units, "storage_gb"} {
		usage[m] = rapid.Int64Range(0, rapid.SampledFrom([]int64{0, 3, 200, 1 << 30, billing.MaxUnits}).Draw(t, "most")).Draw(t, string(m))
	}
	share := anyShare(t)
	start := time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)
	held := time.Duration(share.Part) * time.Microsecond
	i := &billing.Invoice{Stretch: billing.Stretch{
		Version: billing.Version{Charges: v}, Whole: billing.Period{Start: start, End: start.Add(time.Duration(share.Whole) * time.Microsecond)},
		Held: billing.Period{Start: start, End: start.Add(held)},
	}}
	must(t, i.Settle(usage, nil))
	checkStatement(t, i)
	if i.Problem != nil {
		return
	}
	over, err := v.Exceeds(usage, i.Share())
	if want := withinLimit(t, v, usage, i.Share()); err != nil || i.Statement.Total != want.total || over != want.over {
		t.Fatalf("%v comes to %s, Exceeds = %v, %v; want %+v with a limit of %s", usage, i.Statement.Total, over, err, want, v.SpendLimit)
	}
}

// limited is what a bill comes to, and whether it is more without the spend limit.
type limited struct {
	total billing.Micros
	over  bool
}

// withinLimit reads the rule once more: what is over the limit is due as far as events alone cost it.
func withinLimit(t *rapid.T, v billing.PlanVersion, usage billing.Usage, share billing.Fraction) limited {
	limit := v.SpendLimit
	v.SpendLimit = 0
	whole, err := billing.Bill(v, usage, share)
	must(t, err)
	if limit == 0 || whole.Total <= limit {
		return limited{whole.Total, false}
	}
	events, err := billing.Bill(v, billing.Usage{"storage_gb": usage["storage_gb"]}, share)
	must(t, err)
	return limited{min(whole.Total, max(limit, events.Total)), true}
}

func TestAnyPlanIsBilled(t *testing.T) { rapid.Check(t, anyPlanIsBilled) }
func TestStretchesCover(t *testing.T)  { rapid.Check(t, stretchesCover) }
func TestBillsHold(t *testing.T)       { rapid.Check(t, billsHold) }
