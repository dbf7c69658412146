package page

import (
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/advice"
)

// Ago is how long something is past, in words.
func Ago(now, then time.Time) string {
	d := now.Sub(then)
	if d < time.Minute {
		return "just now"
	}
	return Roughly(d) + " ago"
}

// Ahead is how long something is away, in words: never an earlier moment than the true one.
func Ahead(now, then time.Time) string {
	return "in " + strings.Replace(advice.More(then.Sub(now)), " more ", " ", 1)
}

// Roughly is a length of time in its largest unit, rounded down.
func Roughly(d time.Duration) string {
	const day = 24 * time.Hour
	for _, unit := range []struct {
		of   time.Duration
		word string
	}{{365 * day, "year"}, {30 * day, "month"}, {day, "day"}, {time.Hour, "hour"}} {
		if d >= unit.of {
			return CountOf(int64(d/unit.of), unit.word)
		}
	}
	return CountOf(int64(d/time.Minute), "minute")
}

// CountOf is a number with its unit, as people say it: "1 minute", "2 minutes".
func CountOf(n int64, unit string) string {
	if n != 1 {
		unit += "s"
	}
	return Count(n) + " " + unit
}
