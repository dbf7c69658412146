package billing

import (
	"fmt"
	"maps"
	"slices"
)

// Adjust returns what is to be added to a final bill when usage arrived late: before is the Bill of
// what was billed so far, earlier adjustments included, after the Bill of everything. There is a line for each meter that changed, by its name, and one without a meter for what changed in fee, bounds
// and rounding of the whole, first; units and amounts may be below zero. Before's total and the lines add up to after's total.
func Adjust(before, after Statement) ([]Line, error) {
	if before.Currency != after.Currency {
		return nil, fmt.Errorf("a bill in %s cannot be adjusted to one in %s", before.Currency, after.Currency)
	}
	changed := map[Meter]Line{}
	count := func(lines []Line, sign int64) {
		for _, l := range lines {
			sum := changed[l.Meter]
			sum.Units += sign * l.Units
			sum.Amount += Micros(sign) * l.Amount
			changed[l.Meter] = sum
		}
	}
	count(before.Lines, -1)
	count(after.Lines, 1)
	var lines []Line
	for _, m := range slices.Sorted(maps.Keys(changed)) {
		if l := changed[m]; l.Units != 0 || l.Amount != 0 {
			lines = append(lines, Line{Kind: LineAdjustment, Meter: m, Units: l.Units, Amount: l.Amount})
		}
	}
	return lines, nil
}
