package billing

import (
	"fmt"
	"math/bits"
)

// Fraction is a part of a whole, both counted in microseconds: how much of a period a plan held. The zero Fraction is the
// whole.
type Fraction struct {
	Part, Whole int64 // 0 <= Part <= Whole
}

func (f Fraction) check() error {
	if f.Part < 0 || f.Part > f.Whole {
		return fmt.Errorf("%d of %d is no part of a period", f.Part, f.Whole)
	}
	return nil
}

// money returns the part of an amount, half a micro-unit rounded up.
func (f Fraction) money(m Micros) Micros {
	quotient, remainder := f.of(int64(m))
	if remainder >= f.Whole-remainder && remainder > 0 {
		quotient++
	}
	return Micros(quotient)
}

// ceiling returns the part of a cap; of none, 0, it is what no amount exceeds.
func (f Fraction) ceiling(most Micros) Micros {
	if most == 0 {
		return MaxMicros
	}
	return f.money(most)
}

// units returns the part of a number of units, a begun unit rounded up: what is left of an allowance is never less than
// its share.
func (f Fraction) units(n int64) int64 {
	quotient, remainder := f.of(n)
	if remainder > 0 {
		quotient++
	}
	return quotient
}

func (f Fraction) of(n int64) (quotient, remainder int64) {
	if f == (Fraction{}) {
		return n, 0
	}
	quotient, remainder, _ = scale(n, f.Part, f.Whole)
	return quotient, remainder
}

// scale returns n*part/whole in 128 bits. None may be negative, whole not 0. It is not ok when the result exceeds an int64.
func scale(n, part, whole int64) (quotient, remainder int64, ok bool) {
	high, low := bits.Mul64(uint64(n), uint64(part)) // #nosec G115 -- not negative
	if high >= uint64(whole) {                       // #nosec G115 -- positive
		return 0, 0, false
	}
	q, r := bits.Div64(high, low, uint64(whole)) // #nosec G115 -- positive
	if q > 1<<63-1 {
		return 0, 0, false
	}
	return int64(q), int64(r), true // #nosec G115 -- just checked; r is below whole
}
