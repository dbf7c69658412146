package billing

import (
	"maps"
	"slices"
)

// Exceeds reports whether a period with that usage costs more than the plan's spend limit. Without one nothing does.
func (v PlanVersion) Exceeds(usage Usage, share Fraction) (bool, error) {
	if v.SpendLimit == 0 {
		return false, nil
	}
	statement, err := unlimited(v, usage, share)
	return statement.Total > v.SpendLimit, err
}

// UnitsLeft returns how many more units of a meter can be used, one after another and nothing else meanwhile, before one of them makes
// the period cost more than the plan's spend limit. It is at most what is left to MaxUnits, which is the answer without a limit.
//
// With volume prices a later tier can cost less again; what lies behind the first unit that is too much is out of reach.
func (v PlanVersion) UnitsLeft(usage Usage, share Fraction, m Meter) (int64, error) {
	if exceeds, err := v.Exceeds(usage, share); err != nil || exceeds {
		return 0, err
	}
	with := maps.Clone(usage)
	if with == nil {
		with = Usage{}
	}
	tooMuch := func(units int64) bool {
		with[m] = units
		exceeds, err := v.Exceeds(with, share)
		return exceeds || err != nil // what is too large to be billed is more than any limit
	}
	low := usage[m] // is never too much
	for _, high := range v.edges(m, share) {
		if high <= low {
			continue
		}
		if !tooMuch(high) {
			low = high
			continue
		}
		for high-low > 1 {
			if middle := low + (high-low)/2; tooMuch(middle) {
				high = middle
			} else {
				low = middle
			}
		}
		break
	}
	return low - usage[m], nil
}

// edges returns the numbers of units between which the price of a meter grows evenly: it can fall only right behind one.
func (v PlanVersion) edges(m Meter, share Fraction) []int64 {
	edges := []int64{MaxUnits}
	for _, p := range v.Prices {
		for _, tier := range p.Tiers {
			if end := tier.UpTo + share.units(p.Included); p.Meter == m && tier.UpTo > 0 && end < MaxUnits {
				edges = append(edges, end)
			}
		}
	}
	slices.Sort(edges)
	return edges
}
