package ratelimit

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHeaders(t *testing.T) {
	burst, day := Limit{Name: "burst", N: 100, Window: time.Minute}, Limit{Name: "per-day", N: 1000, Window: 24 * time.Hour}
	now := time.Unix(1_800_000_000, 500_000_000)
	for _, tc := range []struct {
		name     string
		statuses []Status
		want     []Header
	}{
		{"no limits", nil, nil},
		{"one, as in the draft", []Status{{burst, 50, 30 * time.Second, 0}}, []Header{
			{"RateLimit-Policy", `"burst";q=100;w=60`},
			{"RateLimit", `"burst";r=50;t=30`},
			{"X-RateLimit-Limit", "100"},
			{"X-RateLimit-Remaining", "50"},
			{"X-RateLimit-Reset", "1800000031"},
		}},
		{"two, the second binds", []Status{{burst, 50, 29*time.Second + 1, 0}, {day, 49, 500 * time.Millisecond, 0}}, []Header{
			{"RateLimit-Policy", `"burst";q=100;w=60, "per-day";q=1000;w=86400`},
			{"RateLimit", `"burst";r=50;t=30, "per-day";r=49;t=1`},
			{"X-RateLimit-Limit", "1000"},
			{"X-RateLimit-Remaining", "49"},
			{"X-RateLimit-Reset", "1800000001"},
		}},
		{"the refusing one binds", []Status{{burst, 3, 58 * time.Second, 1200*time.Millisecond + 1}, {day, 0, time.Hour, 0}}, []Header{
			{"RateLimit-Policy", `"burst";q=100;w=60, "per-day";q=1000;w=86400`},
			{"RateLimit", `"burst";r=3;t=58, "per-day";r=0;t=3600`},
			{"X-RateLimit-Limit", "100"},
			{"X-RateLimit-Remaining", "3"},
			{"X-RateLimit-Reset", "1800000059"},
			{"Retry-After", "2"},
		}},
		{"waiting does not help", []Status{{day, 1000, 0, time.Hour}, {burst, 100, 0, Never}}, []Header{
			{"RateLimit-Policy", `"per-day";q=1000;w=86400, "burst";q=100;w=60`},
			{"RateLimit", `"per-day";r=1000;t=0, "burst";r=100;t=0`},
			{"X-RateLimit-Limit", "100"},
			{"X-RateLimit-Remaining", "100"},
			{"X-RateLimit-Reset", "1800000001"},
		}},
	} {
		if diff := cmp.Diff(tc.want, Headers(nil, tc.statuses, now)); diff != "" {
			t.Errorf("Headers(%s) (-want +got):\n%s", tc.name, diff)
		}
	}
	before := []Header{{"A", "b"}}
	if got := Headers(before, []Status{{Limit: burst}}, now); len(got) != 6 || got[0] != before[0] {
		t.Errorf("Headers(into a slice) = %v, want them appended", got)
	}
}

func TestRetryAfterIsTheLongest(t *testing.T) {
	for _, tc := range []struct {
		waits []time.Duration
		want  time.Duration
	}{
		{nil, 0},
		{[]time.Duration{0, 0}, 0},
		{[]time.Duration{1, 5, 3}, 5},
		{[]time.Duration{1, Never, 3}, Never},
	} {
		var statuses []Status
		for _, w := range tc.waits {
			statuses = append(statuses, Status{RetryAfter: w})
		}
		if got := RetryAfter(statuses); got != tc.want {
			t.Errorf("RetryAfter(%v) = %v, want %v", tc.waits, got, tc.want)
		}
	}
}

func BenchmarkHeaders(b *testing.B) {
	statuses := []Status{{Limit{Name: "minute", N: 100, Window: time.Minute}, 50, 30 * time.Second, 0}, {Limit{Name: "day", N: 1000, Window: 24 * time.Hour}, 49, time.Hour, 0}}
	buf := make([]Header, 0, 6)
	b.ReportAllocs()
	for b.Loop() {
		Headers(buf, statuses, start)
	}
}
