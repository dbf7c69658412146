package billing

import "time"

// Forecast says what will have been used at the end of a period, from what was used in the part of it that has elapsed: use
// goes on as it did on average, used * whole / elapsed, rounded down. There is none (ok is false) before a twentieth of the
// period has elapsed, 36 hours of a month, since the first calls say little. Once the period is over it is what was used.
//
// A forecast of money is the Bill of forecast usage: allowances and tiers keep an amount from growing evenly.
func Forecast(used int64, elapsed, whole time.Duration) (units int64, ok bool) {
	switch {
	case used < 0 || elapsed <= 0 || elapsed < whole/20:
		return 0, false
	case elapsed >= whole:
		return used, true
	}
	units, _, ok = scale(used, int64(whole), int64(elapsed))
	return units, ok
}
