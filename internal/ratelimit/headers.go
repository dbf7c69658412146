package ratelimit

import (
	"strconv"
	"time"
)

// Header is one line of a response's head.
type Header struct{ Name, Value string }

// Headers appends to into the rate limit headers for the statuses of one Outcome, in a fixed order; none when there are
// no statuses. now is the time of the Outcome.
//
//   - RateLimit-Policy and RateLimit name every limit, in the order of statuses (draft-ietf-httpapi-ratelimit-headers;
//     t is seconds until the whole burst is there again). Names should differ; the caller names the limits.
//   - X-RateLimit-Limit, -Remaining and -Reset speak of the binding limit alone. Reset is in Unix seconds, as at GitHub.
//   - Retry-After is there when something was refused and waiting would help: seconds until everything would fit.
//
// The binding limit is the one refused for longest, else the one with the fewest units remaining. Seconds are rounded
// up, so that a client that waits them out passes.
func Headers(into []Header, statuses []Status, now time.Time) []Header {
	if len(statuses) == 0 {
		return into
	}
	b := &statuses[binding(statuses)]
	// All values are written into one text and cut out of it: one allocation instead of six.
	buf := make([]byte, 0, 256)
	var ends [6]int
	for i := range statuses {
		s := &statuses[i]
		buf = appendItem(buf, i, s.Limit.Name, ";q=", s.Limit.N)
		buf = strconv.AppendInt(append(buf, ";w="...), seconds(s.Limit.Window), 10)
	}
	ends[0] = len(buf)
	for i := range statuses {
		s := &statuses[i]
		buf = appendItem(buf, i, s.Limit.Name, ";r=", s.Remaining)
		buf = strconv.AppendInt(append(buf, ";t="...), seconds(s.ResetAfter), 10)
	}
	ends[1] = len(buf)
	buf = strconv.AppendInt(buf, b.Limit.N, 10)
	ends[2] = len(buf)
	buf = strconv.AppendInt(buf, b.Remaining, 10)
	ends[3] = len(buf)
	reset := now.Add(b.ResetAfter)
	at := reset.Unix()
	if reset.Nanosecond() > 0 {
		at++
	}
	buf = strconv.AppendInt(buf, at, 10)
	ends[4] = len(buf)
	wait := RetryAfter(statuses)
	buf = strconv.AppendInt(buf, seconds(wait), 10)
	ends[5] = len(buf)

	text, start := string(buf), 0
	for i, name := range [...]string{"RateLimit-Policy", "RateLimit", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After"} {
		if name != "Retry-After" || wait > 0 {
			into = append(into, Header{Name: name, Value: text[start:ends[i]]})
		}
		start = ends[i]
	}
	return into
}

// RetryAfter returns how long to wait until every limit would admit its cost: 0 when nothing was refused, Never when one
// never will.
func RetryAfter(statuses []Status) time.Duration {
	var longest time.Duration
	for i := range statuses {
		if statuses[i].RetryAfter < 0 {
			return Never
		}
		longest = max(longest, statuses[i].RetryAfter)
	}
	return longest
}

// binding returns the index of the limit that holds the caller back most. There is at least one status.
func binding(statuses []Status) int {
	best := 0
	for i := range statuses {
		if binds(&statuses[i], &statuses[best]) {
			best = i
		}
	}
	return best
}

// binds says whether a holds back more than b.
func binds(a, b *Status) bool {
	if (a.RetryAfter < 0) != (b.RetryAfter < 0) {
		return a.RetryAfter < 0
	}
	if a.RetryAfter != b.RetryAfter {
		return a.RetryAfter > b.RetryAfter
	}
	if a.Remaining != b.Remaining {
		return a.Remaining < b.Remaining
	}
	return a.ResetAfter > b.ResetAfter
}

// appendItem appends `"name"<key>value`, a member of a structured list (RFC 9651), with its comma from the second on. A
// valid name needs no escaping.
func appendItem(buf []byte, index int, name, key string, value int64) []byte {
	if index > 0 {
		buf = append(buf, ", "...)
	}
	buf = append(append(append(buf, '"'), name...), '"')
	return strconv.AppendInt(append(buf, key...), value, 10)
}

// seconds rounds up to whole seconds.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
