package usage

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

func TestParsersRefuse(t *testing.T) {
	for _, text := range []string{"", "Day", "week", "day "} {
		if got, err := ParseGranularity(text); !fault.Is(err, fault.Invalid) {
			t.Errorf("ParseGranularity(%q) = %q, %v, want kind %s", text, got, err, fault.Invalid)
		}
	}
	for _, text := range []string{",", "team,", "team,team", "Team", "minute", "team app"} {
		if got, err := ParseDimensions(text); !fault.Is(err, fault.Invalid) {
			t.Errorf("ParseDimensions(%q) = %q, %v, want kind %s", text, got, err, fault.Invalid)
		}
	}
}

func TestParseDimensions(t *testing.T) {
	for text, want := range map[string][]Dimension{
		"": nil,
		"team,app,key,user,api,operation,outcome,mode": {ByTeam, ByApp, ByKey, ByUser, ByAPI, ByOperation, ByOutcome, ByMode},
	} {
		got, err := ParseDimensions(text)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("ParseDimensions(%q): %v, differs (-want +got):\n%s", text, err, diff)
		}
	}
}

func TestGranularity(t *testing.T) {
	const at = "2028-02-29T23:59:59.999999+01:00" // 22:59 UTC
	for _, test := range []struct{ name, at, start, next string }{
		{"minute", at, "2028-02-29T22:59:00Z", "2028-02-29T23:00:00Z"},
		{"hour", at, "2028-02-29T22:00:00Z", "2028-02-29T23:00:00Z"},
		{"day", at, "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"},
		{"month", at, "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"},
		{"month", "2026-12-31T23:59:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		{"day", "2026-01-01T00:30:00+02:00", "2025-12-31T00:00:00Z", "2026-01-01T00:00:00Z"},
	} {
		g, err := ParseGranularity(test.name)
		if err != nil {
			t.Fatal(err)
		}
		moment, err := time.Parse(time.RFC3339Nano, test.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := g.Start(moment).Format(time.RFC3339); got != test.start {
			t.Errorf("%s.Start(%s) = %s, want %s", g, test.at, got, test.start)
		}
		if got := g.Next(moment).Format(time.RFC3339); got != test.next {
			t.Errorf("%s.Next(%s) = %s, want %s", g, test.at, got, test.next)
		}
	}
}
