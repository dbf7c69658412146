package billing_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lanyard-auth/lanyard/internal/billing"
)

// TestLines shows every kind of line in the order of a bill, with the words for people.
func TestLines(t *testing.T) {
	version := planOf(t, `
currency: USD
fee: 5
cap: 40
prices:
  - {meter: units, model: package, included: 50, package: {size: 100, price: 2}, minimum: 6}
  - {meter: requests, model: graduated, tiers: [{up_to: 10, per_unit: 0.333}, {per_unit: 0.1, flat: 1}], cap: 4.001}
  - {meter: storage_gb, per_unit: 25}
`)
	got, err := billing.Bill(version, billing.Usage{"requests": 15, "units": 151, "unknown": 7}, billing.Fraction{})
	if err != nil {
		t.Fatal(err)
	}
	want := billing.Statement{Currency: "USD", Total: 15_000_000, Lines: []billing.Line{
		{Kind: billing.LineFee, Quantity: 1, Price: 5_000_000, Amount: 5_000_000},
		{Kind: billing.LineIncluded, Meter: "units", Units: 50},
		{Kind: billing.LinePackages, Meter: "units", Units: 101, Quantity: 2, Price: 2_000_000, Amount: 4_000_000},
		{Kind: billing.LineMinimum, Meter: "units", Amount: 2_000_000},
		{Kind: billing.LineUnits, Meter: "requests", Tier: 1, Units: 10, Quantity: 10, Price: 333_000, Amount: 3_330_000},
		{Kind: billing.LineUnits, Meter: "requests", Tier: 2, Units: 5, Quantity: 5, Price: 100_000, Amount: 500_000},
		{Kind: billing.LineFlat, Meter: "requests", Tier: 2, Quantity: 1, Price: 1_000_000, Amount: 1_000_000},
		{Kind: billing.LineCap, Meter: "requests", Amount: -829_000},
		{Kind: billing.LineRounding, Amount: -1_000},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Bill (-want +got):\n%s", diff)
	}
	var said []string
	for _, l := range got.Lines {
		said = append(said, l.Text("USD"))
	}
	words := []string{
		"fee", "units included: 50", "packages of units: 2 at 2.00 USD", "minimum of units", "requests in tier 1: 10 at 0.333 USD", "requests in tier 2: 5 at 0.10 USD",
		"flat price of requests in tier 2", "cap of requests", "rounding",
	}
	if diff := cmp.Diff(words, said); diff != "" {
		t.Errorf("Text (-want +got):\n%s", diff)
	}
	capped, err := billing.Bill(version, billing.Usage{"storage_gb": 2}, billing.Fraction{})
	if err != nil {
		t.Fatal(err)
	}
	if last := capped.Lines[len(capped.Lines)-1]; capped.Total != 40_000_000 || last != (billing.Line{Kind: billing.LineCap, Amount: -21_000_000}) {
		t.Errorf("Bill = %+v, want the whole lowered to its cap", capped)
	}
}

func TestBillRefuses(t *testing.T) {
	version := planOf(t, `{currency: USD, prices: [{meter: requests, per_unit: 1000000}]}`)
	for name, tc := range map[string]struct {
		usage billing.Usage
		share billing.Fraction
	}{
		"less than nothing":    {billing.Usage{"requests": -1}, billing.Fraction{}},
		"more than is counted": {billing.Usage{"requests": billing.MaxUnits + 1}, billing.Fraction{}},
		"more than the whole":  {billing.Usage{}, billing.Fraction{Part: 2, Whole: 1}},
		"a part below nothing": {billing.Usage{}, billing.Fraction{Part: -1, Whole: 1}},
		"a part of nothing":    {billing.Usage{}, billing.Fraction{Part: 1}},
	} {
		if s, err := billing.Bill(version, tc.usage, tc.share); err == nil {
			t.Errorf("%s: Bill = %+v, want an error", name, s)
		}
	}
	if _, err := billing.Bill(version, billing.Usage{"requests": 9007}, billing.Fraction{}); err != nil {
		t.Errorf("Bill of nine billion = %v", err)
	}
	for _, units := range []int64{9008, 1 << 40, billing.MaxUnits} {
		if s, err := billing.Bill(version, billing.Usage{"requests": units}, billing.Fraction{}); !errors.Is(err, billing.ErrTooLarge) {
			t.Errorf("Bill(%d) = %+v, %v, want ErrTooLarge", units, s, err)
		}
	}
	if s, err := billing.Bill(billing.PlanVersion{}, billing.Usage{"requests": 5}, billing.Fraction{}); err != nil || s.Total != 0 || len(s.Lines) != 0 {
		t.Errorf("Bill of a plan that charges nothing = %+v, %v", s, err)
	}
}

func amount(t *rapid.T, name string, most int64) billing.Micros {
	return billing.Micros(rapid.Int64Range(0, most).Draw(t, name))
}

// anyPrice draws a price as ParsePlan could have read it.
func anyPrice(t *rapid.T, meter billing.Meter, models ...billing.Model) billing.Price {
	p := billing.Price{
		Meter: meter, Model: rapid.SampledFrom(models).Draw(t, "model"), Included: rapid.Int64Range(0, 50).Draw(t, "included"),
		Minimum: amount(t, "minimum", 50_000_000),
	}
	if rapid.Bool().Draw(t, "capped") {
		p.Cap = max(p.Minimum+amount(t, "over minimum", 500_000_000), 1)
	}
	switch p.Model {
	case billing.PerUnit:
		p.PerUnit = amount(t, "per unit", 3_000_000)
	case billing.Packages:
		p.Package = billing.Package{Size: rapid.Int64Range(1, 30).Draw(t, "size"), Price: amount(t, "package", 9_000_000)}
	case billing.Graduated, billing.Volume:
		end := int64(0)
		for range rapid.IntRange(0, 3).Draw(t, "tiers") {
			end += rapid.Int64Range(1, 100).Draw(t, "more")
			p.Tiers = append(p.Tiers, billing.Tier{UpTo: end, PerUnit: amount(t, "tier", 3_000_000), Flat: amount(t, "flat", 5_000_000)})
		}
		p.Tiers = append(p.Tiers, billing.Tier{PerUnit: amount(t, "tier", 3_000_000), Flat: amount(t, "flat", 5_000_000)})
	}
	return p
}

// anyVersion draws a plan as ParsePlan could have read it, with prices for up to two meters.
func anyVersion(t *rapid.T, models ...billing.Model) billing.PlanVersion {
	v := billing.PlanVersion{
		Currency: rapid.SampledFrom([]billing.Currency{"USD", "JPY", "KWD"}).Draw(t, "currency"), Period: billing.Month,
		Fee: amount(t, "fee", 100_000_000), Minimum: 1_000_000 * amount(t, "minimum of the whole", 200),
	}
	if rapid.Bool().Draw(t, "capped") {
		v.Cap = max(v.Fee/1_000_000*1_000_000+1_000_000, v.Minimum) + 1_000_000*amount(t, "over minimum", 900)
	}
	for _, m := range []billing.Meter{billing.Requests, billing.Units}[:rapid.IntRange(0, 2).Draw(t, "prices")] {
		v.Prices = append(v.Prices, anyPrice(t, m, models...))
	}
	return v
}

func anyUsage(t *rapid.T) billing.Usage {
	return billing.Usage{billing.Requests: rapid.Int64Range(0, 500).Draw(t, "requests"), billing.Units: rapid.Int64Range(0, 500).Draw(t, "units")}
}

func anyShare(t *rapid.T) billing.Fraction {
	whole := rapid.Int64Range(1, 31*24*3600*1_000_000).Draw(t, "whole")
	return billing.Fraction{Part: rapid.Int64Range(0, whole).Draw(t, "part"), Whole: whole}
}

func billOf(t *rapid.T, v billing.PlanVersion, usage billing.Usage, share billing.Fraction) billing.Statement {
	s, err := billing.Bill(v, usage, share)
	if err != nil {
		t.Fatalf("Bill(%+v, %v, %v) = %v", v, usage, share, err)
	}
	return s
}

var allModels = []billing.Model{billing.PerUnit, billing.Graduated, billing.Volume, billing.Packages}

// Lines add up to the total, a priced line is quantity times price, a meter's lines add up to what was used, the total can
// be paid and is never above the cap, and the same usage always makes the same bill.
func TestLinesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, usage, share := anyVersion(t, allModels...), anyUsage(t), anyShare(t)
		s := billOf(t, v, usage, share)
		sum, units := billing.Micros(0), billing.Usage{}
		of := map[billing.Meter]billing.Micros{}
		for _, l := range s.Lines {
			sum += l.Amount
			units[l.Meter] += l.Units
			of[l.Meter] += l.Amount
			if l.Quantity != 0 && l.Amount != billing.Micros(l.Quantity)*l.Price {
				t.Fatalf("line %+v: %d times %s is not its amount", l, l.Quantity, l.Price)
			}
		}
		if sum != s.Total || v.Currency.Round(s.Total) != s.Total || s.Total < 0 {
			t.Fatalf("%+v: lines add up to %s", s, sum)
		}
		if v.Cap > 0 && s.Total > v.Cap {
			t.Fatalf("%+v is above the cap %s", s, v.Cap)
		}
		for _, p := range v.Prices {
			if units[p.Meter] != usage[p.Meter] {
				t.Fatalf("%+v accounts for %d %s, want %d", s, units[p.Meter], p.Meter, usage[p.Meter])
			}
			if p.Cap > 0 && of[p.Meter] > p.Cap {
				t.Fatalf("%s comes to %s, above its cap %s", p.Meter, of[p.Meter], p.Cap)
			}
		}
		if whole := billOf(t, v, usage, billing.Fraction{}); whole.Total < v.Minimum {
			t.Fatalf("%+v is below the minimum %s", whole, v.Minimum)
		} else if diff := cmp.Diff(whole, billOf(t, v, usage, billing.Fraction{Part: share.Whole, Whole: share.Whole})); diff != "" {
			t.Fatalf("all of a period is not the whole:\n%s", diff)
		}
		if diff := cmp.Diff(s, billOf(t, v, usage, share)); diff != "" {
			t.Fatalf("the same usage made another bill:\n%s", diff)
		}
	})
}

// More use never costs less, except with volume prices.
func TestMoreCostsNoLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, usage, share := anyVersion(t, billing.PerUnit, billing.Graduated, billing.Packages), anyUsage(t), anyShare(t)
		less := billOf(t, v, usage, share)
		usage[billing.Requests] += rapid.Int64Range(0, 100).Draw(t, "more")
		if more := billOf(t, v, usage, share); more.Total < less.Total {
			t.Fatalf("more use costs %s, less %s", more.Total, less.Total)
		}
	})
}

// What was billed and its adjustment are the bill of everything, and by meter.
func TestAdjust(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, share := anyVersion(t, allModels...), anyShare(t)
		before, after := billOf(t, v, anyUsage(t), share), billOf(t, v, anyUsage(t), share)
		lines, err := billing.Adjust(before, after)
		if err != nil {
			t.Fatal(err)
		}
		sum := before.Total
		count := map[billing.Meter]billing.Line{}
		for _, l := range append(append([]billing.Line(nil), before.Lines...), lines...) {
			c := count[l.Meter]
			c.Units, c.Amount = c.Units+l.Units, c.Amount+l.Amount
			count[l.Meter] = c
		}
		for _, l := range lines {
			sum += l.Amount
			if l.Kind != billing.LineAdjustment || l.Units == 0 && l.Amount == 0 {
				t.Fatalf("an adjustment has the line %+v", l)
			}
		}
		if sum != after.Total {
			t.Fatalf("%s and %+v is %s, want %s", before.Total, lines, sum, after.Total)
		}
		for _, l := range after.Lines {
			c := count[l.Meter]
			c.Units, c.Amount = c.Units-l.Units, c.Amount-l.Amount
			count[l.Meter] = c
		}
		for m, c := range count {
			if c.Units != 0 || c.Amount != 0 {
				t.Fatalf("of %q %+v is left over", m, c)
			}
		}
		if lines, err := billing.Adjust(after, after); err != nil || len(lines) != 0 {
			t.Fatalf("Adjust of the same = %+v, %v, want nothing", lines, err)
		}
	})
	if _, err := billing.Adjust(billing.Statement{Currency: "USD"}, billing.Statement{Currency: "EUR"}); err == nil {
		t.Error("Adjust from USD to EUR = nil, want an error")
	}
}
