package main

import (
	"strconv"
	"strings"
	"time"
)

// maxDays keeps a duration from overflowing.
const maxDays = 36500

// moment reads a time that lies ahead: RFC 3339, a date (its end, UTC: 2026-12-31 is good through that day), or a duration
// from now such as 90d or 12h.
func moment(flag, text string, now time.Time) (*time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return new(t.UTC()), nil
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return new(t.AddDate(0, 0, 1)), nil
	}
	d, err := span(flag, text)
	if err != nil {
		return nil, usage("%s %.40q is no time: write 2026-12-31, 90d, 12h or 2026-12-31T12:00:00Z", flag, text)
	}
	return new(now.UTC().Add(d).Truncate(time.Second)), nil
}

// span reads a duration above zero, with d for days of 24 hours.
func span(flag, text string) (time.Duration, error) {
	if number, ok := strings.CutSuffix(text, "d"); ok {
		days, err := strconv.Atoi(number)
		if err == nil && days > 0 && days <= maxDays {
			return time.Duration(days) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, usage("%s %.40q is no length of time: write 90d, 12h or 30m", flag, text)
	}
	return d, nil
}

// since reads a time that lies behind: RFC 3339, a date (its begin, UTC), or a duration back from now.
func since(flag, text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC(), nil
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	d, err := span(flag, text)
	if err != nil {
		return time.Time{}, usage("%s %.40q is no time: write 2026-12-31, 2026-12-31T12:00:00Z, or 7d for a week ago", flag, text)
	}
	return now.UTC().Add(-d), nil
}
