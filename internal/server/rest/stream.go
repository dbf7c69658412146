package rest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/web"
)

const (
	// lookAgain is how many beats pass between two looks at who asks: at the default beat, a second.
	lookAgain = 2
	// readAgain is how many beats pass at most between two reads of the log, whatever this node heard of it.
	readAgain = 10
	// streamWrite is how long one write to a stream may take before its reader counts as gone.
	streamWrite = 5 * time.Second
)

// follower is one event stream of the log of changes.
type follower struct {
	*api
	c      *call
	cursor string
	next   <-chan struct{} // closed once this node applied what may not have been sent
	behind bool            // the last read failed: no beat may say that all was sent
}

// streamChanges sends the log as server-sent events until the reader, the credential or the server goes.
func (a *api) streamChanges(c *call, in *changesQuery) error {
	f := &follower{api: a, c: c, cursor: cmp.Or(in.After, in.LastEventID), next: a.Next()}
	// Before the answer begins an unknown cursor is a problem like any other.
	page, err := a.Service.ChangesAfter(c.r.Context(), c.actor, f.cursor, 1)
	if err != nil {
		return err
	}
	if len(page.Items) == 0 {
		f.cursor = page.Cursor // "now" is a place from here on
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would collect events
	c.w.WriteHeader(http.StatusOK)
	defer func() { _ = f.control().SetWriteDeadline(time.Time{}) }() // the connection may be used again
	if f.send() && f.beat() {
		f.follow()
	}
	return nil
}

func (f *follower) control() *http.ResponseController { return http.NewResponseController(f.c.w) }

func (f *follower) follow() {
	ticker := time.NewTicker(f.Beat)
	defer ticker.Stop()
	for beats := 1; ; beats++ {
		select {
		case <-f.c.r.Context().Done():
			return
		case <-web.Closing(f.c.r.Context()):
			return
		case <-f.next:
			if !f.send() {
				return
			}
			continue
		case <-ticker.C:
		}
		if beats%lookAgain == 0 && !f.stillMay() {
			return
		}
		if (f.behind || beats%readAgain == 0) && !f.send() {
			return
		}
		if !f.beat() {
			return
		}
	}
}

// stillMay asks again who the reader is. Not knowing is no.
func (f *follower) stillMay() bool {
	actor, err := f.admit(f.c.r, f.c.route)
	f.c.actor = actor
	return err == nil
}

// send sends what came since the cursor, and reports whether the stream goes on.
func (f *follower) send() bool {
	// Taken before the read: what is applied during it closes this channel, and is read again.
	f.next = f.Next()
	for {
		page, err := f.Service.ChangesAfter(f.c.r.Context(), f.c.actor, f.cursor, 0)
		if f.behind = err != nil; err != nil {
			if fault.Is(err, fault.ChangesReset) || fault.Is(err, fault.InsufficientScope) {
				problem := f.Kit.Problem(http.Header{}, f.c.r, err)
				problem.RequestID = web.RequestID(f.c.r.Context())
				f.event("reset", "", problem)
				return false
			}
			return f.c.r.Context().Err() == nil // the database is away: without beats the reader will know
		}
		f.cursor = page.Cursor
		if len(page.Items) == 0 {
			return true
		}
		if !f.event("changes", page.Cursor, page) {
			return false
		}
	}
}

// beat tells how old what was sent may be. The age is taken before looking whether more was applied: if not, everything
// known at that moment has been sent.
func (f *follower) beat() bool {
	age := f.Age()
	select {
	case <-f.next:
		if !f.send() {
			return false
		}
	default:
	}
	if f.behind {
		return true
	}
	return f.write(fmt.Sprintf(": as_of_age_ms=%d\n\n", age.Milliseconds()))
}

func (f *follower) event(name, id string, data any) bool {
	text, err := json.Marshal(data)
	if err != nil {
		panic("rest: an event cannot be written as JSON: " + err.Error()) // types of ours
	}
	if id != "" {
		id = "id: " + id + "\n"
	}
	return f.write("event: " + name + "\n" + id + "data: " + string(text) + "\n\n")
}

func (f *follower) write(text string) bool {
	// A writer without deadlines is one of a test.
	_ = f.control().SetWriteDeadline(f.Now().Add(streamWrite))
	if _, err := f.c.w.Write([]byte(text)); err != nil {
		return false
	}
	return f.control().Flush() == nil
}
