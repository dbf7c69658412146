package billing

// Meter names what is counted and priced: a built-in one, or one that the API declares and external events feed.
type Meter string

// The built-in meters.
const (
	Requests Meter = "requests" // allowed calls
	Units    Meter = "units"    // allowed calls, each weighted by its operation's cost
)

// Usage is how many units of each meter were used in a period. None is negative.
type Usage map[Meter]int64

// Model says how units become money.
type Model string

// The models.
const (
	PerUnit   Model = "per_unit"  // every unit costs the same
	Graduated Model = "graduated" // every unit costs what the tier it lies in says
	Volume    Model = "volume"    // every unit costs what the tier that the last one lies in says
	Packages  Model = "package"   // units are sold by packages, and a begun one is a whole one
)

// PlanVersion is what a plan charges for a period, as ParsePlan read it. It never changes: another declaration makes another version. All its
// amounts are in Currency; where it charges nothing it has none. The zero amount of a bound means that there is no bound.
//
// Minimum, Cap and SpendLimit are whole minor units of the currency, so that rounding a bill does not cross them.
type PlanVersion struct {
	Currency   Currency
	Period     PeriodKind
	Fee        Micros // is due for every period, used or not
	Minimum    Micros // is the least that a period costs, the fee included
	Cap        Micros // is the most that a period costs, the fee included
	SpendLimit Micros // refuses calls that would make the period cost more
	Prices     []Price
}

// Price is what the units of one meter cost. A plan has at most one price for a meter; meters without one are free.
type Price struct {
	Meter    Meter
	Model    Model
	Included int64   // come off first and cost nothing; tiers and packages count what is left
	PerUnit  Micros  // of PerUnit
	Tiers    []Tier  // of Graduated and Volume, in order
	Package  Package // of Packages
	Minimum  Micros  // is the least that this price comes to in a period, used or not
	Cap      Micros  // is the most that this price comes to in a period
}

// Tier is a stretch of units: those after the last tier's UpTo, up to and with its own.
type Tier struct {
	UpTo    int64 // 0 in the last tier: it has no end
	PerUnit Micros
	Flat    Micros // is due once when the tier is entered: by its first unit (Graduated), or by the last one lying in it (Volume)
}

// Package is so many units that are sold together.
type Package struct {
	Size  int64
	Price Micros
}

// charge adds the lines of so many units. Included units, minimum and cap are for the share of the period; tiers, packages
// and what a unit costs are not prorated.
func (p Price) charge(t *tally, units int64, share Fraction) {
	before := t.sum
	included := min(units, share.units(p.Included))
	t.add(Line{Kind: LineIncluded, Meter: p.Meter, Units: included})
	units -= included
	switch p.Model {
	case PerUnit:
		t.charge(Line{Kind: LineUnits, Meter: p.Meter, Units: units, Quantity: units, Price: p.PerUnit})
	case Graduated:
		p.graduated(t, units)
	case Volume:
		p.volume(t, units)
	case Packages:
		packages := units / p.Package.Size
		if units%p.Package.Size > 0 {
			packages++
		}
		t.charge(Line{Kind: LinePackages, Meter: p.Meter, Units: units, Quantity: packages, Price: p.Package.Price})
	}
	t.bound(p.Meter, before, share.money(p.Minimum), share.ceiling(p.Cap))
}

func (p Price) graduated(t *tally, units int64) {
	below := int64(0)
	for i, tier := range p.Tiers {
		if units <= below {
			return
		}
		inside := units - below
		if tier.UpTo > 0 {
			inside = min(inside, tier.UpTo-below)
		}
		p.inTier(t, i, inside)
		below = tier.UpTo
	}
}

func (p Price) volume(t *tally, units int64) {
	for i, tier := range p.Tiers {
		if tier.UpTo == 0 || units <= tier.UpTo {
			p.inTier(t, i, units)
			return
		}
	}
}

// inTier adds so many units at the price of the tier with that index, and its flat price if there is a unit.
func (p Price) inTier(t *tally, i int, units int64) {
	if units == 0 {
		return
	}
	tier := p.Tiers[i]
	t.charge(Line{Kind: LineUnits, Meter: p.Meter, Tier: i + 1, Units: units, Quantity: units, Price: tier.PerUnit})
	t.charge(Line{Kind: LineFlat, Meter: p.Meter, Tier: i + 1, Quantity: 1, Price: tier.Flat})
}
