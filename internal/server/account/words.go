package account

import (
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/advice"
)

// ago is how long something is past, in words.
func ago(now, then time.Time) string {
	d := now.Sub(then)
	if d < time.Minute {
		return "just now"
	}
	return roughly(d) + " ago"
}

// ahead is how long something is away, in words: never an earlier moment than the true one.
func ahead(now, then time.Time) string {
	return "in " + strings.Replace(advice.More(then.Sub(now)), " more ", " ", 1)
}

// roughly is a length of time in its largest unit, rounded down.
func roughly(d time.Duration) string {
	const day = 24 * time.Hour
	for _, unit := range []struct {
		of   time.Duration
		word string
	}{{365 * day, "year"}, {30 * day, "month"}, {day, "day"}, {time.Hour, "hour"}} {
		if d >= unit.of {
			return count(int64(d/unit.of), unit.word)
		}
	}
	return count(int64(d/time.Minute), "minute")
}
