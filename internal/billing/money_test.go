package billing_test

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/lanyard-auth/lanyard/internal/billing"
)

func TestParseAmount(t *testing.T) {
	for text, want := range map[string]billing.Micros{
		"0": 0, "0.0": 0, "0.000001": 1, "0.002": 2_000, "5": 5_000_000, "9.90": 9_900_000, "1000000000": billing.MaxAmount, "999999999.999999": billing.MaxAmount - 1,
		"0.100001": 100_001, "123456789.123457": 123_456_789_123_457, // both fall between floats
	} {
		if got, err := billing.ParseAmount(text); err != nil || got != want {
			t.Errorf("ParseAmount(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", " ", "-1", "+1", "1e3", "1E-3", ".5", "5.", "05", "00", "1,5", "1_000", "0x10", "0.0000001", "1.2.3", " 1", "1 ", "1\n", "1000000000.000001",
		"9999999999", "10000000000", "99999999999999999999", "NaN", "Infinity", "٣", "5 USD", "$5",
	} {
		if got, err := billing.ParseAmount(text); err == nil || got != 0 {
			t.Errorf("ParseAmount(%q) = %d, %v, want an error", text, got, err)
		}
	}
}

func TestMicrosString(t *testing.T) {
	for amount, want := range map[billing.Micros]string{
		0: "0", 1: "0.000001", -1: "-0.000001", 2_000: "0.002", -500_000: "-0.5", 5_000_000: "5", 9_900_000: "9.9", -12_345_678: "-12.345678",
		billing.MaxMicros: "9007199254.740991", math.MinInt64: "-9223372036854.775808",
	} {
		if got := amount.String(); got != want {
			t.Errorf("Micros(%d).String() = %q, want %q", int64(amount), got, want)
		}
	}
}

func FuzzParseAmount(f *testing.F) {
	for _, seed := range []string{"0", "0.002", "9.90", "1000000000", "-1", "1e3", ".5", "00.1", "0.0000001"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := billing.ParseAmount(text)
		if err != nil {
			return
		}
		if m < 0 || m > billing.MaxAmount {
			t.Errorf("ParseAmount(%q) = %d, which is out of bounds", text, m)
		}
		if again, err := billing.ParseAmount(m.String()); err != nil || again != m {
			t.Errorf("ParseAmount(%q) = %d, whose text %q gives %d, %v", text, m, m, again, err)
		}
	})
}

func TestArithmeticIsCheckedNotWrong(t *testing.T) {
	most := billing.MaxMicros
	for _, tc := range []struct {
		a, b, want billing.Micros
		tooLarge   bool
	}{
		{1, 2, 3, false},
		{most, 0, most, false},
		{most, -1, most - 1, false},
		{most, 1, 0, true},
		{-most, -1, 0, true},
		{math.MaxInt64, math.MaxInt64, 0, true},
		{math.MinInt64, math.MinInt64, 0, true},
		{math.MaxInt64, math.MinInt64, 0, true},
	} {
		if got, err := tc.a.Plus(tc.b); got != tc.want || errors.Is(err, billing.ErrTooLarge) != tc.tooLarge {
			t.Errorf("%d.Plus(%d) = %d, %v, want %d", int64(tc.a), int64(tc.b), got, err, tc.want)
		}
	}
	for _, tc := range []struct {
		price    billing.Micros
		units    int64
		want     billing.Micros
		tooLarge bool
	}{
		{2_000, 3, 6_000, false},
		{most, 1, most, false},
		{1, int64(most), most, false},
		{0, math.MaxInt64, 0, false},
		{most, 0, 0, false},
		{most, 2, 0, true},
		{2, 1 << 52, 0, true},
		{math.MaxInt64, math.MaxInt64, 0, true},
		{-1, 1, 0, true},
		{1, -1, 0, true},
	} {
		if got, err := tc.price.Times(tc.units); got != tc.want || errors.Is(err, billing.ErrTooLarge) != tc.tooLarge {
			t.Errorf("%d.Times(%d) = %d, %v, want %d", int64(tc.price), tc.units, got, err, tc.want)
		}
	}
}

func TestCurrency(t *testing.T) {
	for _, text := range []string{"", "usd", "US", "XXX", "USDT", "USD ", "€"} {
		if _, err := billing.ParseCurrency(text); err == nil {
			t.Errorf("ParseCurrency(%q) = nil, want an error", text)
		}
	}
	for _, tc := range []struct {
		currency string
		amount   billing.Micros
		rounded  billing.Micros
		text     string
	}{
		{"USD", 4_999, 0, "0.004999 USD"},
		{"USD", 5_000, 10_000, "0.005 USD"},
		{"USD", -4_999, 0, "-0.004999 USD"},
		{"USD", -5_000, -10_000, "-0.005 USD"},
		{"EUR", 12_300_000, 12_300_000, "12.30 EUR"},
		{"JPY", 1_499_999, 1_000_000, "1.499999 JPY"},
		{"JPY", 1_500_000, 2_000_000, "1.5 JPY"},
		{"JPY", 1_200_000_000, 1_200_000_000, "1200 JPY"},
		{"KWD", 12_300_500, 12_301_000, "12.3005 KWD"},
		{"KWD", 12_300_000, 12_300_000, "12.300 KWD"},
	} {
		c, err := billing.ParseCurrency(tc.currency)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Round(tc.amount); got != tc.rounded {
			t.Errorf("%s.Round(%s) = %s, want %s", c, tc.amount, got, tc.rounded)
		}
		if got := c.Format(tc.amount); got != tc.text {
			t.Errorf("%s.Format(%d) = %q, want %q", c, int64(tc.amount), got, tc.text)
		}
	}
}

// Rounding never moves an amount by more than half of the least that can be paid, and is done once.
func TestRoundIsNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := billing.Currency(rapid.SampledFrom([]string{"USD", "JPY", "KWD"}).Draw(t, "currency"))
		unit := map[billing.Currency]billing.Micros{"USD": 10_000, "JPY": 1_000_000, "KWD": 1_000}[c]
		m := billing.Micros(rapid.Int64Range(-int64(billing.MaxMicros), int64(billing.MaxMicros)).Draw(t, "amount"))
		r := c.Round(m)
		if r%unit != 0 || 2*max(r-m, m-r) > unit || c.Round(r) != r || c.Round(-m) != -r {
			t.Fatalf("%s.Round(%s) = %s", c, m, r)
		}
	})
}
