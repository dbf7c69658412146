// Package ratelimit holds how fast somebody may call: limits of the form N per window, each spent by subjects such as a
// key, an app, a team or a source address.
//
// The rule is GCRA, a leaky bucket kept as one integer. A limit of N per window has burst N and refills evenly, one unit
// every window/N. Within any stretch of time no more than N + N*stretch/window units pass. All limits of a request are
// checked before any is spent, and none is spent when one refuses.
//
// Memory keeps the integers of one node, Shared keeps them in Redis for several. Which limits apply to whom, and quotas (how much per period), belong to others.
package ratelimit

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// Bounds of a limit.
const (
	MaxN      = 1_000_000_000
	MinWindow = time.Second
	MaxWindow = 31 * 24 * time.Hour
)

// Limit allows N units per Window.
type Limit struct {
	Name   string // shown in headers and denials: [a-z][a-z0-9_-]{0,31}
	N      int64  // 1 to MaxN; also the burst
	Window time.Duration

	// WhenUnavailable is what to do while a counter shared by several nodes is out of reach: Degrade, Closed or Open;
	// "" is Degrade (see Shared). It plays no part in Memory, which shares with nobody.
	WhenUnavailable string
}

// What a limit can do while its shared counter is out of reach (DESIGN section 7).
const (
	Degrade = "degrade" // each node admits its part of the limit
	Closed  = "closed"  // refuse
	Open    = "open"    // admit
)

var validName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// Validate returns a *fault.Error of kind Invalid unless the name is well formed, 1 <= N <= MaxN and Window is a whole
// number of seconds from MinWindow to MaxWindow. Its Field is that of the JSON API: name, limit, window_seconds or
// when_unavailable.
func (l Limit) Validate() error {
	switch {
	case !validName.MatchString(l.Name):
		return fault.Field("name", "%.40q is no name of a limit: want a lower-case letter, then up to 31 of a-z, 0-9, _ and -", l.Name)
	case l.N < 1 || l.N > MaxN:
		return fault.Field("limit", "a limit allows 1 to %d per window, not %d", MaxN, l.N)
	case l.Window < MinWindow || l.Window > MaxWindow || l.Window%time.Second != 0:
		return fault.Field("window_seconds", "a window is a whole number of seconds from 1 second to 31 days, not %v", l.Window)
	case l.WhenUnavailable != "" && l.WhenUnavailable != Degrade && l.WhenUnavailable != Closed && l.WhenUnavailable != Open:
		return fault.Field("when_unavailable", "must be degrade, closed or open, not %.40q", l.WhenUnavailable)
	}
	return nil
}

// words are the windows that have a name.
var words = [...]struct {
	name   string
	window time.Duration
}{{"second", time.Second}, {"minute", time.Minute}, {"hour", time.Hour}, {"day", 24 * time.Hour}}

// ParseLimit reads the form of lanyard.yaml: `60/minute`, with second, minute, hour or day, or a duration as in
// `100/90s`; what to do when the shared counter is out of reach may follow a blank, as in `60/minute closed`. The limit is
// named after its window (`per-minute`, `per-90s`); callers may rename it. Refusals are *fault.Error of kind Invalid.
func ParseLimit(text string) (Limit, error) {
	rate, when, said := strings.Cut(text, " ")
	if said && when != Degrade && when != Closed && when != Open {
		return Limit{}, badLimit(text)
	}
	count, window, ok := strings.Cut(rate, "/")
	n, err := strconv.ParseInt(count, 10, 64)
	// Only canonical digits: ParseInt would also take "+60" and "060".
	if !ok || err != nil || strconv.FormatInt(n, 10) != count {
		return Limit{}, badLimit(text)
	}
	l := Limit{N: n, WhenUnavailable: when}
	for _, w := range words {
		if window == w.name {
			l.Window = w.window
		}
	}
	if l.Window == 0 {
		if window == "" || window[0] < '0' || window[0] > '9' {
			return Limit{}, badLimit(text)
		}
		if l.Window, err = time.ParseDuration(window); err != nil {
			return Limit{}, badLimit(text)
		}
	}
	l.Name = "per-" + l.windowText()
	if err := l.Validate(); err != nil {
		return Limit{}, err
	}
	return l, nil
}

func badLimit(text string) error {
	return fault.Field("limit", "%.40q is no limit: write how many, a slash and second, minute, hour, day or a time, such as 60/minute or 100/90s; degrade, closed or open may follow a blank", text)
}

// Of returns the limit with a name that tells whose it is: `per-minute` of the team is `team-per-minute`.
func (l Limit) Of(whose string) Limit {
	l.Name = whose + "-" + l.Name
	return l
}

// String returns the canonical form, which ParseLimit reads: `60/minute`, `100/90s`, `5/2h closed`. It leaves the name out.
func (l Limit) String() string {
	rate := strconv.FormatInt(l.N, 10) + "/" + l.windowText()
	if l.WhenUnavailable == "" {
		return rate
	}
	return rate + " " + l.WhenUnavailable
}

func (l Limit) windowText() string {
	for _, w := range words {
		if l.Window == w.window {
			return w.name
		}
	}
	switch {
	case l.Window%time.Hour == 0:
		return strconv.FormatInt(int64(l.Window/time.Hour), 10) + "h"
	case l.Window%time.Minute == 0:
		return strconv.FormatInt(int64(l.Window/time.Minute), 10) + "m"
	case l.Window%time.Second == 0:
		return strconv.FormatInt(int64(l.Window/time.Second), 10) + "s"
	}
	return l.Window.String() // not valid; still readable in a complaint
}

// interval returns the nanoseconds between two units of refill, rounded up to whole ones. Rounding up lets at most one
// nanosecond per unit go to waste and never admits more than promised. It is 0 for a limit out of bounds, which
// therefore admits nothing. By the bounds, N*interval < 2^52.
func (l Limit) interval() int64 {
	if l.N < 1 || l.N > MaxN || l.Window < MinWindow || l.Window > MaxWindow {
		return 0
	}
	return (int64(l.Window) + l.N - 1) / l.N
}
