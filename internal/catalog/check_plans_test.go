package catalog

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

// priced is a declaration with every field that prices have, and numbers as people write them.
const priced = `
meters:
  storage_gb: {text: gigabytes stored, event: com.acme.storage}
plans:
  all:
    quota: 5000/cycle
    period: cycle
    fee: 9.90
    minimum: 10
    cap: 5000.00
    spend_limit: 900.5
    prices:
      - {meter: requests, included: 10000, per_unit: 0.002, currency: USD}
      - {meter: units, model: graduated, tiers: [{up_to: 1000, per_unit: 0.10, flat: 3}, {per_unit: "0.000001"}], minimum: 1, cap: 800}
      - {meter: storage_gb, model: package, package: {size: 50, price: 1.25}}
`

func fromYAML(t *testing.T, text string) (a lanyard.API) {
	t.Helper()
	dec := yaml.NewDecoder(strings.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&a); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return a
}

// Amounts are read as they are written: never through a float, in neither form.
func TestPricesInYAMLAndJSON(t *testing.T) {
	normal, err := Normalise("weather", fromYAML(t, priced))
	if err != nil {
		t.Fatal(err)
	}
	all := normal.Plans["all"]
	want := lanyard.Plan{
		Quota: "5000/cycle", Currency: "USD", Period: "cycle", Fee: "9.9", Minimum: "10", Cap: "5000", SpendLimit: "900.5",
		Prices: []lanyard.Price{
			{Meter: "requests", Model: "per_unit", Included: 10000, PerUnit: "0.002", Currency: "USD"},
			{Meter: "units", Model: "graduated", Tiers: []lanyard.Tier{{UpTo: 1000, PerUnit: "0.1", Flat: "3"}, {PerUnit: "0.000001"}}, Minimum: "1", Cap: "800", Currency: "USD"},
			{Meter: "storage_gb", Model: "package", Package: &lanyard.Package{Size: 50, Price: "1.25"}, Currency: "USD"},
		},
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("the plan (-want +got):\n%s", diff)
	}
	asJSON, err := json.Marshal(normal)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(apiOf(t, string(asJSON)))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Normalise("weather", fromYAML(t, string(asYAML)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(normal, again); diff != "" {
		t.Errorf("through JSON and YAML (-before +after):\n%s", diff)
	}
	if err := json.Unmarshal([]byte(`{"plans": {"a": {"fee": 9.9}}}`), new(lanyard.API)); err == nil {
		t.Error("JSON gives an amount as a number, and it was read: want text alone")
	}
}

// The plans of the contract's lanyard.yaml are declared as they stand there.
func TestContractsPlans(t *testing.T) {
	normal, err := Normalise("weather", fromYAML(t, `
identifier: https://api.acme.example/weather
upstream: http://localhost:9001
routes: [{prefix: /weather, strip_prefix: true}]
takes: key
key_in: [header, query]
metering: exact
cors: {origins: ["https://app.example"]}
scopes:
  forecast.read: {text: read forecasts, default: true}
operations:
  GET /v1/forecast: {scopes: [forecast.read], cost: 1}
plans:
  free: {default: true, limits: [60/minute], quota: 1000/month}
  pro:  {limits: [600/minute], prices: [{meter: requests, included: 10000, per_unit: 0.002, currency: USD}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]lanyard.Plan{
		"free": {Default: true, Limits: []string{"60/minute"}, Quota: "1000/month"},
		"pro": {
			Limits: []string{"600/minute"}, Currency: "USD", Period: "month",
			Prices: []lanyard.Price{{Meter: "requests", Model: "per_unit", Included: 10000, PerUnit: "0.002", Currency: "USD"}},
		},
	}
	if diff := cmp.Diff(want, normal.Plans); diff != "" {
		t.Errorf("the plans (-want +got):\n%s", diff)
	}
}

func TestStripeNames(t *testing.T) {
	const meters = "meters: {storage_gb: {text: gigabytes stored, event: com.acme.storage}}\n"
	for _, test := range []struct{ text, field, says string }{
		{"stripe: {storage: acme_storage}", "stripe.storage", "no meter of this API"},
		{"stripe: {requests: ''}", "stripe.requests", ""},
		{"stripe: {requests: " + strings.Repeat("x", 101) + "}", "stripe.requests", "100"},
		{"stripe: {requests: \"a\\nb\"}", "stripe.requests", ""},
		{"stripe: {requests: acme, units: acme}", "stripe.units", "the meter requests goes by this name"},
		{"metering: none\nstripe: {requests: acme}", "stripe.requests", "not counted"},
	} {
		_, err := Normalise("weather", fromYAML(t, meters+test.text))
		var f *fault.Error
		if !errors.As(err, &f) || f.Field != test.field || !strings.Contains(f.Detail, test.says) {
			t.Errorf("Normalise(%s) = %v, want a fault of %s that says %q", test.text, err, test.field, test.says)
		}
	}
	a, err := Normalise("weather", fromYAML(t, meters+"stripe: {requests: acme_requests, units: acme units, storage_gb: "+strings.Repeat("x", 100)+"}"))
	if err != nil || len(a.Stripe) != 3 {
		t.Errorf("Normalise = %v, %v, want three names", a.Stripe, err)
	}
}

// What the guide to prices shows as lanyard.yaml can be applied.
func TestGuidesCatalog(t *testing.T) {
	guide, err := os.ReadFile("../../docs/guides/prices.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(guide), "```yaml\n")
	text, _, _ = strings.Cut(text, "```")
	var c lanyard.Catalog
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	after, err := Merge(State{}, c)
	if err != nil {
		t.Fatal(err)
	}
	if pro := after.APIs["weather"].Plans["pro"]; pro.Period != "cycle" || len(pro.Prices) != 2 {
		t.Errorf("the guide's plan = %+v, want a cycle and two prices", pro)
	}
}

// Normalise leaves its argument alone, and a change of a price is one change.
func TestPricesDiffer(t *testing.T) {
	declared := fromYAML(t, priced)
	normal, err := Normalise("weather", declared)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fromYAML(t, priced), declared); diff != "" {
		t.Errorf("Normalise changed its argument (-before +after):\n%s", diff)
	}
	dearer, err := Normalise("weather", fromYAML(t, strings.Replace(priced, "per_unit: 0.10,", "per_unit: 0.25,", 1)))
	if err != nil {
		t.Fatal(err)
	}
	got := Diff(State{APIs: map[string]lanyard.API{"weather": normal}}, State{APIs: map[string]lanyard.API{"weather": dearer}})
	want := []lanyard.CatalogChange{{Path: "apis.weather.plans.all.prices[1].tiers[0].per_unit", Action: "change", Before: "0.1", After: "0.25"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Diff (-want +got):\n%s", diff)
	}
}
