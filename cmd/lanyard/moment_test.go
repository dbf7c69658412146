package main

import (
	"testing"
	"time"
)

func TestMoment(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 5, time.UTC)
	for _, text := range []string{"", "soon", "0d", "-1d", "-1h", "0s", "1.5d", "36501d", "2026-13-01", "2026-12-31 10:00", "99999999999h"} {
		if got, err := moment("--expires", text, now); err == nil {
			t.Errorf("moment(%q) = %v, want an error", text, got)
		}
	}
	for text, want := range map[string]string{
		"2026-12-31":                "2027-01-01T00:00:00Z",
		"2026-12-31T12:00:00Z":      "2026-12-31T12:00:00Z",
		"2026-12-31T12:00:00+02:00": "2026-12-31T10:00:00Z",
		"90d":                       "2027-02-21T10:00:00Z",
		"12h":                       "2026-11-23T22:00:00Z",
		"1h30m":                     "2026-11-23T11:30:00Z",
	} {
		got, err := moment("--expires", text, now)
		if err != nil || got.Format(time.RFC3339Nano) != want {
			t.Errorf("moment(%q) = %v, %v, want %s", text, got, err, want)
		}
	}
	for text, want := range map[string]string{"2026-11-01": "2026-11-01T00:00:00Z", "7d": "2026-11-16T10:00:00.000000005Z", "2026-11-01T01:00:00Z": "2026-11-01T01:00:00Z"} {
		got, err := since("--from", text, now)
		if err != nil || got.Format(time.RFC3339Nano) != want {
			t.Errorf("since(%q) = %v, %v, want %s", text, got, err, want)
		}
	}
}

func TestUsageSpan(t *testing.T) {
	var u usageFlags
	from, to, err := u.span(time.Date(2026, 12, 31, 23, 59, 59, 0, time.FixedZone("west", -3600)))
	if err != nil || from.Format(time.DateOnly) != "2027-01-01" || to.Format(time.DateOnly) != "2027-02-01" {
		t.Errorf("span at the year's end = %v, %v, %v, want the month in UTC", from, to, err)
	}
}
