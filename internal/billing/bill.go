package billing

import (
	"fmt"
	"maps"
)

// Statement is what a period costs: lines whose amounts add up to the total.
type Statement struct {
	Currency Currency
	Lines    []Line
	Total    Micros // whole minor units of the currency
}

// LineKind says what a line is about.
type LineKind string

// The kinds of line, in the order in which they stand: the fee, the lines of each price in the order of the plan, then
// what bounds the whole, and rounding last.
const (
	LineFee        LineKind = "fee"
	LineIncluded   LineKind = "included"   // units that cost nothing
	LineUnits      LineKind = "units"      // units at what one costs
	LineFlat       LineKind = "flat"       // a tier's flat price
	LinePackages   LineKind = "packages"   // packages at what one costs
	LineMinimum    LineKind = "minimum"    // what is missing to a minimum
	LineCap        LineKind = "cap"        // what lies over a cap, below zero
	LineLimit      LineKind = "limit"      // what lies over the spend limit, below zero
	LineRounding   LineKind = "rounding"   // to the minor unit of the currency, of either sign
	LineAdjustment LineKind = "adjustment" // what came late (Adjust)
)

// Line is one line of a statement. Where Quantity is not 0, Amount is Quantity times Price.
type Line struct {
	Kind     LineKind
	Meter    Meter  // "" where the line is about the whole
	Tier     int    // counted from 1; 0 where there is none
	Units    int64  // of the meter, that this line accounts for; a meter's lines add up to what was used
	Quantity int64  // how often Price is due: units, packages, or 1 for a fee
	Price    Micros // of a unit, of a package, or the fee as prorated
	Amount   Micros
}

// Bill returns what the usage of a period costs. It is a pure function: a preview is the same as the final bill of the
// same usage. share says which part of the period the version held; when a plan changes at once, the bill of the one ends
// and that of the next begins, each with its share.
//
//   - The fee, then each price, is added up; the sum is raised to the plan's minimum, then lowered to its cap.
//   - Fee, included units, minima and caps are prorated to the share; what a unit, tier or package costs, and the spend limit, are not.
//   - A prorated amount is rounded to the micro-unit, half up; prorated included units are rounded up; a prorated minimum or
//     cap of the plan is rounded to the minor unit.
//   - Calls never bring the total over the plan's spend limit: what they would is taken off. Events are counted whatever they cost, so what
//     they cost alone is due all the same.
//   - The total alone is rounded to the currency's minor unit, half away from zero, in a line of its own.
//
// Meters that have no price are free. An error means that usage or share are impossible, or that an amount is ErrTooLarge.
func Bill(version PlanVersion, usage Usage, share Fraction) (Statement, error) {
	s, err := unlimited(version, usage, share)
	if err != nil || version.SpendLimit == 0 || s.Total <= version.SpendLimit {
		return s, err
	}
	events := maps.Clone(usage)
	delete(events, Requests)
	delete(events, Units)
	alone, err := unlimited(version, events, share)
	if err != nil {
		return Statement{}, err
	}
	if most := max(version.SpendLimit, alone.Total); s.Total > most {
		s.Lines = append(s.Lines, Line{Kind: LineLimit, Amount: most - s.Total})
		s.Total = most
	}
	return s, nil
}

// unlimited is Bill without the spend limit.
func unlimited(version PlanVersion, usage Usage, share Fraction) (Statement, error) {
	if err := share.check(); err != nil {
		return Statement{}, err
	}
	t := tally{}
	t.charge(Line{Kind: LineFee, Quantity: 1, Price: share.money(version.Fee)})
	for _, p := range version.Prices {
		units := usage[p.Meter]
		switch {
		case units < 0:
			return Statement{}, fmt.Errorf("%d %s cannot have been used", units, p.Meter)
		case units > MaxUnits:
			return Statement{}, fmt.Errorf("%d %s: %w", units, p.Meter, ErrTooLarge)
		}
		p.charge(&t, units, share)
	}
	c := version.Currency
	t.bound("", 0, c.Round(share.money(version.Minimum)), c.Round(share.ceiling(version.Cap)))
	t.add(Line{Kind: LineRounding, Amount: c.Round(t.sum) - t.sum})
	if t.err != nil {
		return Statement{}, fmt.Errorf("bill: %w", t.err)
	}
	return Statement{Currency: c, Lines: t.lines, Total: t.sum}, nil
}

// tally adds lines up. Its error is the first that occurred; what it holds then is of no use.
type tally struct {
	lines []Line
	sum   Micros
	err   error
}

// charge adds a line whose amount is its quantity times its price.
func (t *tally) charge(l Line) {
	amount, err := l.Price.Times(l.Quantity)
	if err != nil && t.err == nil {
		t.err = err
	}
	l.Amount = amount
	t.add(l)
}

// add adds a line, unless it says nothing.
func (t *tally) add(l Line) {
	if l.Units == 0 && l.Amount == 0 {
		return
	}
	sum, err := t.sum.Plus(l.Amount)
	if err != nil && t.err == nil {
		t.err = err
	}
	t.sum = sum
	t.lines = append(t.lines, l)
}

// bound raises what was added since the sum was before to a minimum, or lowers it to a cap.
func (t *tally) bound(m Meter, before, minimum, most Micros) {
	switch since := t.sum - before; {
	case since > most:
		t.add(Line{Kind: LineCap, Meter: m, Amount: most - since})
	case since < minimum:
		t.add(Line{Kind: LineMinimum, Meter: m, Amount: minimum - since})
	}
}

// Text says what the line is about, without its amount, as pages and exports show it: "requests in tier 2: 500 at 0.002 USD".
func (l Line) Text(c Currency) string {
	tier := ""
	if l.Tier > 0 {
		tier = fmt.Sprintf(" in tier %d", l.Tier)
	}
	switch l.Kind {
	case LineFee:
		return "fee"
	case LineIncluded:
		return fmt.Sprintf("%s included: %d", l.Meter, l.Units)
	case LineUnits:
		return fmt.Sprintf("%s%s: %d at %s", l.Meter, tier, l.Units, c.Format(l.Price))
	case LineFlat:
		return fmt.Sprintf("flat price of %s%s", l.Meter, tier)
	case LinePackages:
		return fmt.Sprintf("packages of %s: %d at %s", l.Meter, l.Quantity, c.Format(l.Price))
	case LineLimit:
		return "over the spend limit"
	case LineMinimum, LineCap, LineRounding, LineAdjustment:
		if l.Meter != "" {
			return fmt.Sprintf("%s of %s", l.Kind, l.Meter)
		}
	}
	return string(l.Kind)
}
