package stripe

import (
	"fmt"
	"net/http"
	"time"
)

// Answer is what came of one request.
type Answer struct {
	Status     int  // 0: none came
	Accepted   bool // it says that Stripe has the event, under our identifier
	Duplicate  bool // it says that Stripe has one with the identifier
	Refusal    bool // it is an error as Stripe writes them, and about this request
	Retry      bool // it asks for another try, whatever its status says
	RetryAfter time.Duration
	NotSent    bool   // the request did not leave this machine
	Text       string // for people: never a secret
}

// Outcome is what follows from an answer.
type Outcome struct {
	At        time.Time
	State     State
	NextAt    time.Time // of one that waits
	UnknownAt time.Time
	Error     string
	Pause     time.Duration // how long nothing else is sent; 0: the others need not wait
}

// waits are how long to wait after each try; the last for all that follow.
var waits = [...]time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour}

const longestPause = 5 * time.Minute

// Judge says what follows from the answer to a try of an event that began at a time. It is not known what became of a try that was not
// answered, or by an error of Stripe's own: it may have counted. What was refused, throttled or never sent did not.
func Judge(e Event, a Answer, began, now time.Time) Outcome {
	o := Outcome{At: now, State: Waiting, UnknownAt: e.UnknownAt, Error: a.Text}
	switch {
	case a.Accepted:
		return Outcome{At: now, State: Sent}
	case a.Duplicate && !e.UnknownAt.IsZero():
		return Outcome{At: now, State: Sent} // an earlier try arrived, whose answer did not
	case a.Duplicate:
		// No try of ours can have arrived, so another server sent it: one that was restored from the same backup, or is a copy.
		o.State = Unsure
		return o
	case a.Refusal && !a.Retry && !e.UnknownAt.IsZero():
		o.State = Unsure // that this try was refused says nothing of the one before, whose answer was lost
		return o
	case a.Refusal && !a.Retry:
		o.State = Failed
		return o
	}
	wait := waits[min(max(e.Tries-1, 0), len(waits)-1)]
	keyRefused := a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden
	if keyRefused { // it is about our key, and no event is at fault
		wait = min(wait, longestPause)
	}
	known := a.NotSent || keyRefused || a.Status == http.StatusTooManyRequests || a.Refusal
	if !known && o.UnknownAt.IsZero() {
		o.UnknownAt = began
	}
	o.NextAt = now.Add(max(wait+spread(e.Identifier, wait), a.RetryAfter))
	o.Pause = max(min(wait, longestPause), a.RetryAfter)
	return o
}

// spread is up to a tenth more of a wait, another for each event: what failed together does not come back together.
func spread(identifier string, wait time.Duration) time.Duration {
	sum := uint32(0)
	for _, c := range []byte(identifier) {
		sum = sum*31 + uint32(c)
	}
	return wait / 10 * time.Duration(sum%100) / 100
}

// answered is the text of an answer that says nothing itself.
func answered(status int) string {
	return fmt.Sprintf("Stripe answered %d %s", status, http.StatusText(status))
}
