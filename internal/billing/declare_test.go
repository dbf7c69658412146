package billing_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

func TestParsePlanRefuses(t *testing.T) {
	price := func(text string) string { return "{currency: USD, prices: [{meter: requests, " + text + "}]}" }
	for _, tc := range []struct{ field, plan string }{
		{"currency", `{fee: 5}`},
		{"currency", `{spend_limit: 5}`},
		{"currency", `{prices: [{meter: requests, per_unit: 1}]}`},
		{"currency", `{currency: usd, fee: 5}`},
		{"currency", `{currency: XXX}`},
		{"prices[0].currency", `{prices: [{meter: requests, per_unit: 1, currency: dollars}]}`},
		{"prices[0].currency", `{currency: EUR, prices: [{meter: requests, per_unit: 1, currency: USD}]}`},
		{"prices[1].currency", `{prices: [{meter: requests, per_unit: 1, currency: USD}, {meter: units, per_unit: 1, currency: EUR}]}`},
		{"period", `{period: week}`},
		{"period", `{period: Month}`},
		{"fee", `{currency: USD, fee: -1}`},
		{"fee", `{currency: USD, fee: 1e3}`},
		{"fee", `{currency: USD, fee: 0x10}`},
		{"fee", `{currency: USD, fee: 1_000}`},
		{"fee", `{currency: USD, fee: 0.0000001}`},
		{"fee", `{currency: USD, fee: true}`},
		{"fee", `{currency: USD, fee: 1000000001}`},
		{"minimum", `{currency: USD, minimum: 0.005}`},
		{"cap", `{currency: JPY, cap: 0.5}`},
		{"cap", `{currency: USD, cap: 0}`},
		{"cap", `{currency: USD, cap: 5, fee: 6}`},
		{"cap", `{currency: USD, cap: 5, minimum: 6}`},
		{"spend_limit", `{currency: KWD, spend_limit: 0.0005}`},
		{"spend_limit", `{currency: USD, spend_limit: 0.00}`},
		{"spend_limit", `{currency: USD, spend_limit: 5, fee: 6}`},
		{"prices", `{currency: USD, prices: [` + strings.Repeat(`{meter: requests, per_unit: 1},`, 21) + `]}`},
		{"prices[0].meter", `{currency: USD, prices: [{per_unit: 1}]}`},
		{"prices[0].meter", `{currency: USD, prices: [{meter: Requests, per_unit: 1}]}`},
		{"prices[1].meter", `{currency: USD, prices: [{meter: requests, per_unit: 1}, {meter: requests, per_unit: 2}]}`},
		{"prices[0].model", price(`model: tiered, per_unit: 1`)},
		{"prices[0].included", price(`included: -1, per_unit: 1`)},
		{"prices[0].included", price(`included: 9007199254740992, per_unit: 1`)},
		{"prices[0].minimum", price(`minimum: x, per_unit: 1`)},
		{"prices[0].cap", price(`cap: 0, per_unit: 1`)},
		{"prices[0].cap", price(`cap: 1, minimum: 2, per_unit: 1`)},
		{"prices[0].per_unit", price(`included: 1`)},
		{"prices[0].per_unit", price(`per_unit: .5`)},
		{"prices[0].per_unit", price(`model: graduated, tiers: [{per_unit: 1}], per_unit: 1`)},
		{"prices[0].tiers", price(`per_unit: 1, tiers: [{per_unit: 1}]`)},
		{"prices[0].tiers", price(`model: volume`)},
		{"prices[0].tiers", price(`model: volume, tiers: [` + strings.Repeat(`{per_unit: 1},`, 21) + `]`)},
		{"prices[0].tiers[0].up_to", price(`model: volume, tiers: [{up_to: 5, per_unit: 1}]`)},
		{"prices[0].tiers[0].up_to", price(`model: graduated, tiers: [{per_unit: 1}, {per_unit: 2}]`)},
		{"prices[0].tiers[0].up_to", price(`model: graduated, tiers: [{up_to: -5, per_unit: 1}, {per_unit: 2}]`)},
		{"prices[0].tiers[1].up_to", price(`model: graduated, tiers: [{up_to: 5, per_unit: 1}, {up_to: 5, per_unit: 2}, {per_unit: 3}]`)},
		{"prices[0].tiers[0].per_unit", price(`model: graduated, tiers: [{}]`)},
		{"prices[0].tiers[0].per_unit", price(`model: graduated, tiers: [{per_unit: -1}]`)},
		{"prices[0].tiers[0].flat", price(`model: graduated, tiers: [{flat: -1}]`)},
		{"prices[0].package", price(`model: package`)},
		{"prices[0].package", price(`per_unit: 1, package: {size: 1, price: 1}`)},
		{"prices[0].package.size", price(`model: package, package: {price: 1}`)},
		{"prices[0].package.price", price(`model: package, package: {size: 1}`)},
	} {
		var p lanyard.Plan
		if err := yaml.Unmarshal([]byte(tc.plan), &p); err != nil {
			t.Fatalf("%s: %v", tc.plan, err)
		}
		v, err := billing.ParsePlan(p, external)
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Field != tc.field || f.Detail == "" || v.Currency != "" {
			t.Errorf("ParsePlan(%s) = %+v, %v, want invalid_request about %s", tc.plan, v, err, tc.field)
		}
	}
}

func TestParsePlan(t *testing.T) {
	got := planOf(t, `{period: cycle, fee: 9.90, minimum: 0, spend_limit: 20, prices: [{meter: storage_gb, per_unit: "0.023", currency: EUR}]}`)
	want := billing.PlanVersion{
		Currency: "EUR", Period: billing.Cycle, Fee: 9_900_000, SpendLimit: 20_000_000,
		Prices: []billing.Price{{Meter: "storage_gb", Model: billing.PerUnit, PerUnit: 23_000}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ParsePlan (-want +got):\n%s", diff)
	}
	if v := planOf(t, `{currency: USD, fee: 1}`); v.Period != billing.Month {
		t.Errorf("a plan that says no period has %q, want month", v.Period)
	}
	if v := planOf(t, `{limits: [60/minute], quota: 1000/month}`); fmt.Sprint(v) != fmt.Sprint(billing.PlanVersion{}) {
		t.Errorf("a plan that charges nothing = %+v", v)
	}
}

// A version and its declaration say the same; what is no price is left alone.
func TestDeclareRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyVersion(t, allModels...)
		declared := v.Declare(lanyard.Plan{Text: "for all", Limits: []string{"60/minute"}, Fee: "7"})
		again, err := billing.ParsePlan(declared, nil)
		if err != nil {
			t.Fatalf("ParsePlan(%+v) = %v", declared, err)
		}
		if diff := cmp.Diff(v, again); diff != "" {
			t.Fatalf("ParsePlan of the declaration (-before +after):\n%s", diff)
		}
		if declared.Text != "for all" || len(declared.Limits) != 1 {
			t.Fatalf("Declare lost what is no price: %+v", declared)
		}
		if diff := cmp.Diff(declared, again.Declare(declared)); diff != "" {
			t.Fatalf("the canonical form is not stable:\n%s", diff)
		}
	})
}
