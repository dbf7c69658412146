package billing

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Micros is an amount of money in millionths of a currency's unit: 1_500_000 is 1.50 USD. It is the only form in which
// money is kept, sent and computed with; which currency it is stands beside it.
type Micros int64

const (
	one    Micros = 1_000_000 // one unit of the currency
	places int    = 6         // of it that are kept

	// MaxMicros bounds every amount that is computed, so that it is exact in any JSON reader (2^53-1, nine billion units).
	MaxMicros Micros = 1<<53 - 1
	// MaxAmount is the largest amount that can be declared: a billion units.
	MaxAmount = 1_000_000_000 * one
	// MaxUnits bounds what is counted on a meter in a period.
	MaxUnits int64 = 1<<53 - 1
)

// ErrTooLarge is the error of arithmetic whose result lies beyond MaxMicros. Nothing is ever cut off or wrapped round.
var ErrTooLarge = errors.New("the amount is too large to be billed")

var amountPattern = regexp.MustCompile(`^(0|[1-9][0-9]{0,9})(\.[0-9]{1,6})?$`)

// ParseAmount reads decimal text from 0 to MaxAmount with at most six places, such as "0.002", "5" or "9.90". A sign, an
// exponent, and zeros or blanks in front are refused. Its errors say what is wanted, for a fault.Field to name the place.
func ParseAmount(text string) (Micros, error) {
	if !amountPattern.MatchString(text) {
		return 0, fmt.Errorf("%.40q is no amount: want decimal text with at most six places, such as 0.002", text)
	}
	whole, fraction, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", places-len(fraction)), 10, 64)
	if err != nil || Micros(n) > MaxAmount {
		return 0, fmt.Errorf("%.40q is more than the largest amount, %s", text, MaxAmount)
	}
	return Micros(n), nil
}

// String returns the shortest decimal text, which ParseAmount reads unless it is negative: "0.002", "5", "-9.9".
func (m Micros) String() string { return m.text(0) }

// text returns decimal text with at least so many places.
func (m Micros) text(least int) string {
	sign := ""
	if m < 0 {
		sign = "-"
	}
	fraction := fmt.Sprintf("%06d", (m % one).abs())
	for len(fraction) > least && strings.HasSuffix(fraction, "0") {
		fraction = fraction[:len(fraction)-1]
	}
	if fraction != "" {
		fraction = "." + fraction
	}
	return fmt.Sprintf("%s%d%s", sign, (m / one).abs(), fraction)
}

// abs keeps the type away from fmt, which would call String.
func (m Micros) abs() int64 { return int64(max(m, -m)) }

// Plus adds two amounts, or returns ErrTooLarge.
func (m Micros) Plus(n Micros) (Micros, error) {
	if m < -MaxMicros || m > MaxMicros || n < -MaxMicros || n > MaxMicros || m+n < -MaxMicros || m+n > MaxMicros {
		return 0, ErrTooLarge
	}
	return m + n, nil
}

// Times returns what so many units cost at m each, or ErrTooLarge. Neither may be negative.
func (m Micros) Times(units int64) (Micros, error) {
	if m < 0 || units < 0 || units > 0 && m > MaxMicros/Micros(units) {
		return 0, ErrTooLarge
	}
	return m * Micros(units), nil
}
