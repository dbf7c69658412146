package manage

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

func TestEditLimitsRefuses(t *testing.T) {
	burst := lanyard.Limit{Name: "burst", Limit: 60, WindowSeconds: 60}
	for _, tc := range []struct{ texts, says string }{
		{"60", "is no limit"},
		{"60/fortnight", "is no limit"},
		{"-1/minute", "a limit allows 1 to"},
		{"060/minute", "is no limit"},
		{"60/minute gently", "is no limit"},
		{"0/minute", "a limit allows 1 to"},
		{"60/90ms", "a whole number of seconds"},
		{"60/32d", "is no limit"},
		{"60/800h", "31 days"},
		{"60/minute,70/60s", "60/minute and 70/minute are for the same window"},
		{"60/minute,60/minute", "60/minute and 60/minute are for the same window"},
		{strings.Repeat("1/minute,", 8) + "1/minute", "at most 8"},
	} {
		got, err := EditLimits(nil, strings.Split(tc.texts, ","))
		wantFault(t, tc.texts, err, fault.Invalid, "limits")
		if err == nil || !strings.Contains(err.Error(), tc.says) || got != nil {
			t.Errorf("EditLimits(%s) = %v, %v, want it refused with %q", tc.texts, got, err, tc.says)
		}
	}
	if got, err := EditLimits([]lanyard.Limit{burst}, []string{"60/minute", "9/minute", "10/minute"}); err == nil {
		t.Errorf("two new limits of one window = %v, want them refused", got)
	}
}

func TestLimitWords(t *testing.T) {
	for text, want := range map[string]string{
		"60/minute":     "60 calls at once, then 1 a second",
		"5/second":      "5 calls at once, then 5 a second",
		"1/second":      "1 call, then 1 a second",
		"600/minute":    "600 calls at once, then 10 a second",
		"90/minute":     "90 calls at once, then 1.5 a second",
		"100/90s":       "100 calls at once, then about 1.1 a second",
		"1000/day":      "1000 calls at once, then about 42 an hour",
		"5/2h":          "5 calls at once, then 2.5 an hour",
		"1/day":         "1 call, then 1 a day",
		"2/744h closed": "2 calls at once, then 1 every 15.5 days",
	} {
		l, err := EditLimits(nil, []string{text})
		if err != nil {
			t.Fatal(err)
		}
		if got := LimitWords(l[0]); got != want {
			t.Errorf("LimitWords(%s) = %s, want %s", text, got, want)
		}
	}
}

func TestEditLimits(t *testing.T) {
	before := []lanyard.Limit{{Name: "burst", Limit: 5, WindowSeconds: 1}, {Name: "per-minute", Limit: 60, WindowSeconds: 60, WhenUnavailable: "closed"}}
	for _, tc := range []struct {
		texts []string
		want  []lanyard.Limit
		says  string
	}{
		{nil, []lanyard.Limit{}, "none"},
		{[]string{"5/second", "60/minute closed"}, before, "5/second (burst), 60/minute closed"},
		{[]string{"60/minute", "5/1s"}, []lanyard.Limit{{Name: "per-minute", Limit: 60, WindowSeconds: 60}, before[0]}, "60/minute, 5/second (burst)"},
		{[]string{"10/second", "60/minute closed"}, []lanyard.Limit{{Name: "burst", Limit: 10, WindowSeconds: 1}, before[1]}, "10/second (burst), 60/minute closed"},
		{[]string{"6/second", "5/second"}, []lanyard.Limit{{Name: "per-second", Limit: 6, WindowSeconds: 1}, before[0]}, "6/second, 5/second (burst)"},
		{[]string{"100/90s", "1000/day", "9/1h30m open"}, []lanyard.Limit{{Name: "per-90s", Limit: 100, WindowSeconds: 90}, {Name: "per-day", Limit: 1000, WindowSeconds: 86400}, {Name: "per-90m", Limit: 9, WindowSeconds: 5400, WhenUnavailable: "open"}}, "100/90s, 1000/day, 9/90m open"},
	} {
		got, err := EditLimits(before, tc.texts)
		if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
			t.Errorf("EditLimits(%v) = %v (-want +got):\n%s", tc.texts, err, diff)
		}
		if says := LimitsText(got); says != tc.says {
			t.Errorf("LimitsText(%v) = %s, want %s", got, says, tc.says)
		}
		if _, err := limitsFrom(got); err != nil {
			t.Errorf("limitsFrom(%v) = %v", got, err)
		}
	}
}
