package ratelimit

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

func TestParseLimitRefuses(t *testing.T) {
	for _, text := range []string{
		"", "/", "60", "60/", "/minute", "0/minute", "-1/minute", "+60/minute", "060/minute", "6_0/minute", " 60/minute", "60 /minute",
		"60/minute ", "60/Minute", "60/minutes", "60/week", "1e3/minute", "6.5/minute", "60/90", "60/+90s", "60/-90s", "60/.5h", "60/1500ms",
		"60/0s", "60/999ms", "60/745h", "60/minute/hour", "1000000001/second", "9223372036854775808/second", "60/99999999999h", "６０/minute", "60/minute\n",
		"60/minute  closed", "60/minute Closed", "60/minute shut", "60/minute closed ", "60/minute open open", "closed", " closed",
	} {
		if got, err := ParseLimit(text); fault.KindOf(err) != fault.Invalid || got != (Limit{}) {
			t.Errorf("ParseLimit(%q) = %v, %v, want an invalid_request", text, got, err)
		}
	}
}

func TestParseLimit(t *testing.T) {
	for _, tc := range []struct {
		text, canonical, name string
		n                     int64
		window                time.Duration
	}{
		{"1/second", "1/second", "per-second", 1, time.Second},
		{"60/minute", "60/minute", "per-minute", 60, time.Minute},
		{"5/hour", "5/hour", "per-hour", 5, time.Hour},
		{"1000000000/day", "1000000000/day", "per-day", 1e9, 24 * time.Hour},
		{"100/90s", "100/90s", "per-90s", 100, 90 * time.Second},
		{"100/60s", "100/minute", "per-minute", 100, time.Minute},
		{"7/1h30m", "7/90m", "per-90m", 7, 90 * time.Minute},
		{"7/2h", "7/2h", "per-2h", 7, 2 * time.Hour},
		{"1/744h", "1/744h", "per-744h", 1, MaxWindow},
	} {
		for _, when := range []string{Degrade, Closed, Open} {
			want := Limit{Name: tc.name, N: tc.n, Window: tc.window, WhenUnavailable: when}
			if got, err := ParseLimit(tc.text + " " + when); err != nil || got != want || got.String() != tc.canonical+" "+when {
				t.Errorf("ParseLimit(%q) = %+v, %v, want %+v", tc.text+" "+when, got, err, want)
			}
		}
		got, err := ParseLimit(tc.text)
		if want := (Limit{Name: tc.name, N: tc.n, Window: tc.window}); err != nil || got != want {
			t.Errorf("ParseLimit(%q) = %+v, %v, want %+v", tc.text, got, err, want)
		}
		if got.String() != tc.canonical {
			t.Errorf("ParseLimit(%q).String() = %q, want %q", tc.text, got, tc.canonical)
		}
	}
}

func TestValidate(t *testing.T) {
	good := Limit{Name: "burst", N: 1, Window: time.Second}
	for _, tc := range []struct {
		field  string // "" when valid
		change func(*Limit)
	}{
		{"", func(l *Limit) { l.WhenUnavailable = Degrade }},
		{"", func(l *Limit) { l.WhenUnavailable = Closed }},
		{"", func(l *Limit) { l.WhenUnavailable = Open }},
		{"when_unavailable", func(l *Limit) { l.WhenUnavailable = "Open" }},
		{"name", func(l *Limit) { l.Name = "" }},
		{"name", func(l *Limit) { l.Name = "1st" }},
		{"name", func(l *Limit) { l.Name = "Burst" }},
		{"name", func(l *Limit) { l.Name = "a\"b" }},
		{"name", func(l *Limit) { l.Name = "a\n" }},
		{"name", func(l *Limit) { l.Name = strings.Repeat("a", 33) }},
		{"limit", func(l *Limit) { l.N = 0 }},
		{"limit", func(l *Limit) { l.N = -1 }},
		{"limit", func(l *Limit) { l.N = MaxN + 1 }},
		{"window_seconds", func(l *Limit) { l.Window = 0 }},
		{"window_seconds", func(l *Limit) { l.Window = -time.Second }},
		{"window_seconds", func(l *Limit) { l.Window = time.Second - 1 }},
		{"window_seconds", func(l *Limit) { l.Window = time.Second + 1 }},
		{"window_seconds", func(l *Limit) { l.Window = MaxWindow + time.Second }},
		{"", func(*Limit) {}},
		{"", func(l *Limit) { l.N, l.Window = MaxN, MaxWindow }},
		{"", func(l *Limit) { l.N = MaxN }},
		{"", func(l *Limit) { l.Name = "a_-9" + strings.Repeat("z", 28) }},
	} {
		l := good
		tc.change(&l)
		err := l.Validate()
		var f *fault.Error
		switch {
		case tc.field == "" && err == nil:
		case errors.As(err, &f) && f.Kind == fault.Invalid && f.Field == tc.field && tc.field != "":
		default:
			t.Errorf("Validate(%+v) = %v, want field %q at fault", l, err, tc.field)
		}
	}
}

func FuzzParseLimit(f *testing.F) {
	for _, text := range []string{"60/minute", "100/90s", "1/744h", "0/day", "1/1h30m", "+1/second", "60/minute closed", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseLimit(text)
		if err != nil {
			return
		}
		if err := l.Validate(); err != nil {
			t.Errorf("ParseLimit(%q) = %+v, which is not valid: %v", text, l, err)
		}
		if again, err := ParseLimit(l.String()); err != nil || again != l {
			t.Errorf("ParseLimit(%q) = %+v, whose text %q reads as %+v, %v", text, l, l, again, err)
		}
	})
}
