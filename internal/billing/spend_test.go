package billing_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/lanyard-auth/lanyard/internal/billing"
)

func TestSpendLimit(t *testing.T) {
	volume := `{currency: USD, spend_limit: 8, prices: [{meter: requests, model: volume, included: 5, tiers: [{up_to: 1000, per_unit: 0.01}, {per_unit: 0.006}]}]}`
	for _, tc := range []struct {
		name, plan string
		used       int64
		exceeds    bool
		left       int64
	}{
		{"no limit", `{currency: USD, prices: [{meter: requests, per_unit: 1}]}`, 7, false, billing.MaxUnits - 7},
		{"from nothing", `{currency: USD, spend_limit: 10, fee: 4, prices: [{meter: requests, per_unit: 0.5}]}`, 0, false, 12},
		{"one below", `{currency: USD, spend_limit: 10, fee: 4, prices: [{meter: requests, per_unit: 0.5}]}`, 11, false, 1},
		{"reached", `{currency: USD, spend_limit: 10, fee: 4, prices: [{meter: requests, per_unit: 0.5}]}`, 12, false, 0},
		{"exceeded", `{currency: USD, spend_limit: 10, fee: 4, prices: [{meter: requests, per_unit: 0.5}]}`, 13, true, 0},
		{"by a rounded cent", `{currency: USD, spend_limit: 1, prices: [{meter: requests, per_unit: 0.002}]}`, 0, false, 502}, // 502 cost 1.004, which is 1.00
		{"an allowance first", `{currency: USD, spend_limit: 1, prices: [{meter: requests, included: 100, per_unit: 1}]}`, 40, false, 61},
		{"packages", `{currency: USD, spend_limit: 10, prices: [{meter: requests, model: package, package: {size: 100, price: 4}}]}`, 50, false, 150},
		{"never over the cap", `{currency: USD, spend_limit: 10, cap: 10, prices: [{meter: requests, per_unit: 0.5}]}`, 0, false, 18_014_398_509}, // what can be billed at all
		{"no price", `{currency: USD, spend_limit: 10, fee: 4}`, 9, false, billing.MaxUnits - 9},
		{"volume, before the cheaper tier", volume, 0, false, 805},
		{"volume, in the cheaper tier", volume, 1010, false, 1339 - 1010}, // 1334 count, and cost 8.004, which is 8.00
	} {
		v := planOf(t, tc.plan)
		usage := billing.Usage{billing.Requests: tc.used}
		if got, err := v.Exceeds(usage, billing.Fraction{}); err != nil || got != tc.exceeds {
			t.Errorf("%s: Exceeds(%d) = %v, %v, want %v", tc.name, tc.used, got, err, tc.exceeds)
		}
		if got, err := v.UnitsLeft(usage, billing.Fraction{}, billing.Requests); err != nil || got != tc.left {
			t.Errorf("%s: UnitsLeft(%d) = %d, %v, want %d", tc.name, tc.used, got, err, tc.left)
		}
		if usage[billing.Requests] != tc.used || len(usage) != 1 {
			t.Errorf("%s: UnitsLeft changed the usage to %v", tc.name, usage)
		}
	}
	v := planOf(t, volume)
	if _, err := v.UnitsLeft(billing.Usage{billing.Requests: -1}, billing.Fraction{}, billing.Requests); err == nil {
		t.Error("UnitsLeft after -1 = nil, want an error")
	}
	if left, err := v.UnitsLeft(nil, billing.Fraction{}, billing.Requests); err != nil || left != 805 {
		t.Errorf("UnitsLeft after nothing = %d, %v, want 805", left, err)
	}
}

// Every unit up to the answer stays within the limit, and the one behind it does not.
func TestUnitsLeftIsTheFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, usage, share := anyVersion(t, allModels...), anyUsage(t), anyShare(t)
		v.SpendLimit = max(v.Minimum, v.Fee/1_000_000*1_000_000+1_000_000) + 1_000_000*amount(t, "over minimum", 900)
		left, err := v.UnitsLeft(usage, share, billing.Requests)
		if err != nil {
			t.Fatal(err)
		}
		start := usage[billing.Requests]
		for n := int64(0); n <= min(left, 400); n++ {
			usage[billing.Requests] = start + n
			if exceeds, err := v.Exceeds(usage, share); err != nil || exceeds && left > 0 {
				t.Fatalf("UnitsLeft = %d, but after %d Exceeds = %v, %v", left, n, exceeds, err)
			}
		}
		if usage[billing.Requests] = start + left + 1; usage[billing.Requests] <= billing.MaxUnits {
			if exceeds, err := v.Exceeds(usage, share); err == nil && !exceeds && left > 0 {
				t.Fatalf("UnitsLeft = %d, but one more does not exceed the limit", left)
			}
		}
	})
}
