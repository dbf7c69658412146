package billing_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lanyard-auth/lanyard/internal/billing"
)

func at(t testing.TB, text string) time.Time {
	t.Helper()
	when, err := time.Parse("2006-01-02T15:04", text)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func TestPeriodAt(t *testing.T) {
	for _, tc := range []struct {
		kind                   billing.PeriodKind
		anchor, t, start, next string
	}{
		{billing.Day, "2026-01-31T10:30", "2026-03-05T23:59", "2026-03-05T00:00", "2026-03-06T00:00"},
		{billing.Day, "2026-01-31T10:30", "2026-03-05T00:00", "2026-03-05T00:00", "2026-03-06T00:00"},
		{billing.Month, "2026-01-31T10:30", "2026-12-31T23:59", "2026-12-01T00:00", "2027-01-01T00:00"},
		{billing.Month, "2026-01-31T10:30", "2026-12-01T00:00", "2026-12-01T00:00", "2027-01-01T00:00"},
		// The 31st falls to the last day of shorter months and comes back.
		{billing.Cycle, "2026-01-31T10:30", "2026-01-31T10:30", "2026-01-31T10:30", "2026-02-28T10:30"},
		{billing.Cycle, "2026-01-31T10:30", "2026-02-28T10:29", "2026-01-31T10:30", "2026-02-28T10:30"},
		{billing.Cycle, "2026-01-31T10:30", "2026-02-28T10:30", "2026-02-28T10:30", "2026-03-31T10:30"},
		{billing.Cycle, "2026-01-31T10:30", "2026-03-31T10:29", "2026-02-28T10:30", "2026-03-31T10:30"},
		{billing.Cycle, "2026-01-31T10:30", "2026-04-01T00:00", "2026-03-31T10:30", "2026-04-30T10:30"},
		{billing.Cycle, "2026-01-31T10:30", "2028-02-29T12:00", "2028-02-29T10:30", "2028-03-31T10:30"}, // a leap year
		{billing.Cycle, "2024-02-29T00:00", "2025-03-01T00:00", "2025-02-28T00:00", "2025-03-29T00:00"},
		{billing.Cycle, "2026-06-15T08:00", "2026-12-20T00:00", "2026-12-15T08:00", "2027-01-15T08:00"},
		{billing.Cycle, "2026-06-15T08:00", "2027-01-01T00:00", "2026-12-15T08:00", "2027-01-15T08:00"},
		{billing.Cycle, "2026-06-15T08:00", "2026-02-20T00:00", "2026-02-15T08:00", "2026-03-15T08:00"}, // before the anchor
	} {
		p := billing.PeriodAt(tc.kind, at(t, tc.anchor), at(t, tc.t))
		if !p.Start.Equal(at(t, tc.start)) || !p.End.Equal(at(t, tc.next)) {
			t.Errorf("PeriodAt(%s, %s, %s) = %v to %v, want %s to %s", tc.kind, tc.anchor, tc.t, p.Start, p.End, tc.start, tc.next)
		}
	}
	east := time.FixedZone("east", 5*3600)
	p := billing.PeriodAt(billing.Day, time.Time{}, time.Date(2026, 3, 6, 4, 0, 0, 0, east))
	if !p.Start.Equal(at(t, "2026-03-05T00:00")) || p.Start.Location() != time.UTC {
		t.Errorf("the day of 4 o'clock in the east begins at %v, want UTC's midnight", p.Start)
	}
}

// Periods tile time: each moment lies in its own, and the next begins where it ends.
func TestPeriodsTile(t *testing.T) {
	moment := rapid.Custom(func(t *rapid.T) time.Time {
		from, to := time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2110, 1, 1, 0, 0, 0, 0, time.UTC)
		return time.UnixMicro(rapid.Int64Range(from.UnixMicro(), to.UnixMicro()).Draw(t, "microseconds"))
	})
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]billing.PeriodKind{billing.Day, billing.Month, billing.Cycle}).Draw(t, "kind")
		anchor, when := moment.Draw(t, "anchor"), moment.Draw(t, "t")
		p := billing.PeriodAt(kind, anchor, when)
		if !p.Contains(when) || !p.Contains(p.Start) || p.Contains(p.End) {
			t.Fatalf("%s with anchor %v: %v lies in %v to %v", kind, anchor, when, p.Start, p.End)
		}
		for range 14 {
			if same := billing.PeriodAt(kind, anchor, p.Start); same != p {
				t.Fatalf("the period of its own start is %v, want %v", same, p)
			}
			if same := billing.PeriodAt(kind, anchor, p.End.Add(-time.Microsecond)); same != p {
				t.Fatalf("the period of its last moment is %v, want %v", same, p)
			}
			next := p.Next(kind, anchor)
			if !next.Start.Equal(p.End) || !next.End.After(next.Start) {
				t.Fatalf("after %v comes %v", p, next)
			}
			p = next
		}
		if whole := billing.PeriodAt(kind, anchor, anchor); kind == billing.Cycle && !whole.Start.Equal(anchor.Truncate(time.Minute)) {
			t.Fatalf("the cycle of its anchor %v begins at %v", anchor, whole.Start)
		}
		if !p.Start.Equal(p.Start.Truncate(time.Minute)) {
			t.Fatalf("%s with anchor %v begins within a minute, at %v", kind, anchor, p.Start)
		}
	})
}

func TestShareOf(t *testing.T) {
	june := billing.Period{Start: at(t, "2026-06-01T00:00"), End: at(t, "2026-07-01T00:00")}
	day := int64(24 * time.Hour / time.Microsecond)
	for _, tc := range []struct {
		start, end string
		part       int64
	}{
		{"2026-06-01T00:00", "2026-06-11T00:00", 10 * day},
		{"2026-06-11T00:00", "2026-07-01T00:00", 20 * day},
		{"2026-06-01T00:00", "2026-07-01T00:00", 30 * day},
		{"2026-05-20T00:00", "2026-06-02T00:00", day},
		{"2026-06-30T00:00", "2026-09-01T00:00", day},
		{"2026-06-05T00:00", "2026-06-05T00:00", 0},
		{"2026-08-01T00:00", "2026-09-01T00:00", 0},
	} {
		part := billing.Period{Start: at(t, tc.start), End: at(t, tc.end)}
		if got, want := part.ShareOf(june), (billing.Fraction{Part: tc.part, Whole: 30 * day}); got != want {
			t.Errorf("%s to %s is %v of June, want %v", tc.start, tc.end, got, want)
		}
	}
}

func TestParseQuota(t *testing.T) {
	for text, want := range map[string]billing.Quota{
		"1000/month": {1000, billing.Month}, "1/day": {1, billing.Day}, "999999999999999/cycle": {999_999_999_999_999, billing.Cycle},
	} {
		if got, err := billing.ParseQuota(text); err != nil || got != want || got.String() != text {
			t.Errorf("ParseQuota(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "1000", "/month", "0/day", "-1/day", "+1/day", "01/day", "1000/week", "1000/Month", "1000/month ", "1/day\n", "9999999999999999/day", "1.5/day"} {
		if got, err := billing.ParseQuota(text); err == nil {
			t.Errorf("ParseQuota(%q) = %v, want an error", text, got)
		}
	}
}

func FuzzParseQuota(f *testing.F) {
	for _, seed := range []string{"1000/month", "1/day", "5/cycle", "0/day", "01/day", "1/week"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := billing.ParseQuota(text)
		if err == nil && (q.Units < 1 || q.Units > billing.MaxUnits || !q.Period.Valid() || q.String() != text) {
			t.Errorf("ParseQuota(%q) = %+v, whose text is %q", text, q, q)
		}
	})
}

func TestForecast(t *testing.T) {
	const month = 30 * 24 * time.Hour
	for _, tc := range []struct {
		used    int64
		elapsed time.Duration
		whole   time.Duration
		want    int64
		ok      bool
	}{
		{100, month / 2, month, 200, true},
		{100, 36 * time.Hour, month, 2000, true},
		{100, 36*time.Hour - time.Nanosecond, month, 0, false},
		{100, 0, month, 0, false},
		{0, month / 2, month, 0, true},
		{1, 7 * 24 * time.Hour, month, 4, true}, // 30/7, rounded down
		{100, month, month, 100, true},
		{100, 2 * month, month, 100, true},
		{-1, month, month, 0, false},
		{1 << 52, month / 2, month, 1 << 53, true},
		{1 << 62, month / 10, month, 0, false}, // too much to say
	} {
		if got, ok := billing.Forecast(tc.used, tc.elapsed, tc.whole); got != tc.want || ok != tc.ok {
			t.Errorf("Forecast(%d, %v, %v) = %d, %v, want %d, %v", tc.used, tc.elapsed, tc.whole, got, ok, tc.want, tc.ok)
		}
	}
}

func TestWithout(t *testing.T) {
	day := func(from, to int) billing.Period {
		return billing.Period{time.Date(2026, 11, from, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, to, 0, 0, 0, 0, time.UTC)}
	}
	for _, tc := range []struct{ others, want []billing.Period }{
		{nil, []billing.Period{day(5, 10)}},
		{[]billing.Period{day(1, 5), day(10, 12)}, []billing.Period{day(5, 10)}},
		{[]billing.Period{day(5, 10)}, nil},
		{[]billing.Period{day(1, 20)}, nil},
		{[]billing.Period{day(1, 6)}, []billing.Period{day(6, 10)}},
		{[]billing.Period{day(9, 11)}, []billing.Period{day(5, 9)}},
		{[]billing.Period{day(6, 7), day(8, 9)}, []billing.Period{day(5, 6), day(7, 8), day(9, 10)}},
		{[]billing.Period{day(4, 6), day(6, 7), day(9, 10)}, []billing.Period{day(7, 9)}},
	} {
		if got := day(5, 10).Without(tc.others); !slices.Equal(got, tc.want) {
			t.Errorf("without %v it is %v, want %v", tc.others, got, tc.want)
		}
	}
}
