package billing

import (
	"fmt"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

// maxPrices and maxTiers are what the wire types' tags promise, for declarations that come another way.
const (
	maxPrices = 20
	maxTiers  = 20
)

// ParsePlan reads what a plan of lanyard.yaml charges, for an API that declares these meters. The first fault is returned as
// a fault.Error whose field is the path below the plan, such as prices[0].per_unit.
func ParsePlan(p lanyard.Plan, meters map[string]lanyard.Meter) (PlanVersion, error) {
	r := reading{}
	v := PlanVersion{
		Currency:   r.currency(p),
		Period:     r.period(p.Period),
		Fee:        r.amount("fee", p.Fee),
		Minimum:    r.amount("minimum", p.Minimum),
		Cap:        r.bound("cap", p.Cap),
		SpendLimit: r.bound("spend_limit", p.SpendLimit),
	}
	if len(p.Prices) > maxPrices {
		r.refuse("prices", "is too large: at most %d", maxPrices)
	}
	priced := map[string]bool{}
	for i, declared := range p.Prices {
		field := fmt.Sprintf("prices[%d]", i)
		_, external := meters[declared.Meter]
		switch m := Meter(declared.Meter); {
		case m != Requests && m != Units && !external:
			r.refuse(field+".meter", "%.40q is no meter: want requests, units, or one that stands under this API's meters", declared.Meter)
		case priced[declared.Meter]:
			r.refuse(field+".meter", "there is a price for %s already", declared.Meter)
		}
		priced[declared.Meter] = true
		v.Prices = append(v.Prices, r.price(field, declared))
	}
	if r.err == nil {
		r.whole(v)
	}
	if r.err != nil {
		return PlanVersion{}, r.err
	}
	if v.Period == "" && v.Currency != "" {
		v.Period = Month
	}
	return v, nil
}

// ReadPlan reads what a plan charges of a declaration that was found sound before, whatever meters the API declares by now.
func ReadPlan(p lanyard.Plan) (PlanVersion, error) {
	meters := map[string]lanyard.Meter{}
	for _, price := range p.Prices {
		meters[price.Meter] = lanyard.Meter{}
	}
	return ParsePlan(p, meters)
}

// Declare returns the plan with what v charges in the canonical form, of which ParsePlan reads v again.
func (v PlanVersion) Declare(p lanyard.Plan) lanyard.Plan {
	p.Currency, p.Period = string(v.Currency), string(v.Period)
	p.Fee, p.Minimum, p.Cap, p.SpendLimit = unlessNone(v.Fee), unlessNone(v.Minimum), unlessNone(v.Cap), unlessNone(v.SpendLimit)
	p.Prices = nil
	for _, price := range v.Prices {
		out := lanyard.Price{
			Meter: string(price.Meter), Model: string(price.Model), Included: price.Included,
			Minimum: unlessNone(price.Minimum), Cap: unlessNone(price.Cap), Currency: string(v.Currency),
		}
		switch price.Model {
		case PerUnit:
			out.PerUnit = price.PerUnit.String()
		case Packages:
			out.Package = &lanyard.Package{Size: price.Package.Size, Price: price.Package.Price.String()}
		case Graduated, Volume:
			for _, tier := range price.Tiers {
				out.Tiers = append(out.Tiers, lanyard.Tier{UpTo: tier.UpTo, PerUnit: tier.PerUnit.String(), Flat: unlessNone(tier.Flat)})
			}
		}
		p.Prices = append(p.Prices, out)
	}
	return p
}

func unlessNone(m Micros) string {
	if m == 0 {
		return ""
	}
	return m.String()
}

// reading is a plan being read. It remembers the first fault; what is read after it is of no use.
type reading struct{ err error }

func (r *reading) refuse(field, format string, args ...any) {
	if r.err == nil {
		r.err = fault.Field(field, format, args...)
	}
}

// currency returns the one currency of the plan, wherever it stands. A plan that names an amount needs one.
func (r *reading) currency(p lanyard.Plan) Currency {
	field, text := "currency", p.Currency
	for i, price := range p.Prices {
		here := fmt.Sprintf("prices[%d].currency", i)
		switch {
		case text == "":
			field, text = here, price.Currency
		case price.Currency != "" && price.Currency != text:
			r.refuse(here, "a plan has one currency, and this one has %.40q already", text)
		}
	}
	if text == "" {
		if len(p.Prices) > 0 || p.Fee+p.Minimum+p.Cap+p.SpendLimit != "" {
			r.refuse("currency", "say which currency the plan's amounts are in, such as USD")
		}
		return ""
	}
	c, err := ParseCurrency(text)
	if err != nil {
		r.refuse(field, "%s", err)
	}
	return c
}

func (r *reading) period(text string) PeriodKind {
	k := PeriodKind(text)
	if text != "" && !k.Valid() {
		r.refuse("period", "must be day, month or cycle, not %.40q", text)
	}
	return k
}

// amount reads an amount that may be absent, which is 0.
func (r *reading) amount(field, text string) Micros {
	if text == "" {
		return 0
	}
	m, err := ParseAmount(text)
	if err != nil {
		r.refuse(field, "%s", err)
	}
	return m
}

// bound reads an upper bound that may be absent. One of 0 is refused, since 0 is how none is kept.
func (r *reading) bound(field, text string) Micros {
	m := r.amount(field, text)
	if text != "" && m == 0 {
		r.refuse(field, "must be more than 0; leave it away where there is none")
	}
	return m
}

// needed reads an amount that must stand there; it may be 0.
func (r *reading) needed(field, text string) Micros {
	if text == "" {
		r.refuse(field, "is missing: want decimal text with at most six places, such as 0.002")
	}
	return r.amount(field, text)
}

// whole checks how the amounts of the whole plan stand to each other.
func (r *reading) whole(v PlanVersion) {
	for _, bound := range []struct {
		field  string
		amount Micros
		upper  bool
	}{{"minimum", v.Minimum, false}, {"cap", v.Cap, true}, {"spend_limit", v.SpendLimit, true}} {
		switch {
		case v.Currency.Round(bound.amount) != bound.amount:
			r.refuse(bound.field, "%s cannot be paid in %s, whose least amount is %s", bound.amount, v.Currency, v.Currency.minor())
		case bound.upper && bound.amount > 0 && bound.amount < max(v.Fee, v.Minimum):
			r.refuse(bound.field, "is less than the plan's fee or minimum, %s", max(v.Fee, v.Minimum))
		}
	}
}
