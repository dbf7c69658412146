package session

import (
	"testing"
	"time"
)

// TestLive: a session counts for 14 days, whatever its user does; an admin's no longer than 12 hours after they were last
// seen.
func TestLive(t *testing.T) {
	begin := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	for _, test := range []struct {
		seen, now time.Duration // after the beginning
		admin     bool
		want      bool
	}{
		{0, 0, false, true},
		{0, 0, true, true},
		{0, 12*time.Hour - 1, true, true},
		{0, 12 * time.Hour, true, false},
		{0, 12 * time.Hour, false, true},
		{time.Hour, 13*time.Hour - 1, true, true},
		{time.Hour, 13 * time.Hour, true, false},
		{0, 14*day - 1, false, true},
		{0, 14 * day, false, false},
		{14*day - 1, 14 * day, false, false},
		{14*day - 1, 14*day - 1, true, true},
		{14*day - 1, 14 * day, true, false},
	} {
		s := &Session{SeenAt: begin.Add(test.seen), ExpiresAt: begin.Add(Life)}
		if got := s.Live(begin.Add(test.now), test.admin); got != test.want {
			t.Errorf("Live(begin+%v, %t) of one seen at begin+%v = %t, want %t", test.now, test.admin, test.seen, got, test.want)
		}
	}
}
