package lanyard

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultMaxStaleness is how old what a Follower knows may be when FollowOptions.MaxStaleness is zero: with the time that a look takes, what is
// revoked is refused within a second.
const DefaultMaxStaleness = 750 * time.Millisecond

// FollowOptions are the settings of Follow. The zero value is good.
type FollowOptions struct {
	MaxStaleness time.Duration // how long what was heard last is relied on; 0: DefaultMaxStaleness
	Log          *slog.Logger  // where to say that the log of changes cannot be read, and that it can again; nil: slog.Default()
}

// Follower reads the server's log of changes, so that Require can do two things more (WithFollower):
//
//   - end what is under way, a stream, a socket or a long answer, within a second when its credential is revoked, changed or expires;
//   - give an answer again without asking, for APIs with metering: none, where the server says that it may (DecisionReuse).
//
// It reads the log every few hundred milliseconds and relies on it only for MaxStaleness after a read was sent: one that is late, or a server
// that is out of reach, leaves every request to be asked about and ends what is under way, rather than believing what may be over. (A stream
// of events could not say so much: that nothing comes does not mean that nothing happened.)
//
// One Follower serves any number of guards.
type Follower struct {
	client *Client
	stale  time.Duration
	log    *slog.Logger
	now    func() time.Time
	soon   chan struct{} // something under way has to be looked at

	confirmed atomic.Int64 // everything that happened before this moment is known; nanoseconds since begun
	begun     time.Time

	mu       sync.RWMutex
	cursor   string // "": nothing is known yet
	revision int64  // where the cursor stands
	epoch    int    // counts how often everything had to be forgotten
	done     bool
	bad      bool // the last read failed, and that was logged
	answers  map[question]*remembered
	apis     map[string]*followedAPI
	underway map[*passage]struct{}
}

// Follow begins to read the log of changes of c's server, and goes on until ctx ends. c's token needs the scope lanyard.changes.read beside
// lanyard.verify. When ctx ends, so does what is under way.
func Follow(ctx context.Context, c *Client, o FollowOptions) *Follower {
	f := newFollower(c, o, time.Now) //nolint:forbidigo // the real clock is put in here
	go f.read(ctx)
	go f.look(ctx)
	return f
}

func newFollower(c *Client, o FollowOptions, now func() time.Time) *Follower {
	if c == nil {
		c = &Client{} // every call of it says what is missing
	}
	f := &Follower{
		client: c, stale: o.MaxStaleness, log: o.Log, now: now, begun: now(), soon: make(chan struct{}, 1),
		answers: map[question]*remembered{}, apis: map[string]*followedAPI{}, underway: map[*passage]struct{}{},
	}
	if f.stale <= 0 {
		f.stale = DefaultMaxStaleness
	}
	if f.log == nil {
		f.log = slog.Default()
	}
	f.confirmed.Store(-1)
	return f
}

// every is how often the log is read: two reads may fail before what is known is too old.
func (f *Follower) every() time.Duration { return f.stale / 3 }

// lookEvery is how often what is under way is looked through.
func (f *Follower) lookEvery() time.Duration { return f.every() / 2 }

func (f *Follower) read(ctx context.Context) {
	ticker := time.NewTicker(f.every())
	defer ticker.Stop()
	for {
		f.poll(ctx)
		select {
		case <-ctx.Done():
			f.stop()
			return
		case <-ticker.C:
		}
	}
}

// look looks through what is under way, at once after a change that touches some of it.
func (f *Follower) look(ctx context.Context) {
	ticker := time.NewTicker(f.lookEvery())
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-f.soon:
		}
		f.sweep(ctx)
	}
}

// fresh reports whether everything is known that happened more than the longest staleness ago.
func (f *Follower) fresh(now time.Time) bool {
	at := f.confirmed.Load()
	return at >= 0 && now.Sub(f.begun)-time.Duration(at) <= f.stale
}

// poll reads what is new in the log, and fetches what is missing of the APIs.
func (f *Follower) poll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, f.stale)
	defer cancel()
	for {
		sent, after := f.now(), f.place()
		page, err := f.client.Changes(ctx, after, 0)
		var p *ProblemError
		switch {
		case errors.As(err, &p) && p.Code == "changes_reset" && after != fromNow:
			f.forget()
			continue
		case err != nil:
			f.trouble(ctx, err)
			return
		}
		revision, err := parseRevision(page.Revision)
		if err != nil {
			f.trouble(ctx, err)
			return
		}
		f.apply(page, revision)
		if len(page.Items) > 0 { // there may be more
			continue
		}
		f.confirmed.Store(int64(sent.Sub(f.begun)))
		f.well(ctx)
		break
	}
	f.fetchAPIs(ctx)
}

// place is where to read on: behind the newest entry, as long as nothing is remembered.
func (f *Follower) place() string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.cursor == "" {
		return fromNow
	}
	return f.cursor
}

// fromNow as a cursor is behind the newest change.
const fromNow = "now"

// apply forgets what a page of the log touches.
func (f *Follower) apply(page Changes, revision int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range page.Items {
		if c.Kind == changedAPI || c.Kind == "restored" {
			for name, api := range f.apis {
				if c.Kind != changedAPI || name == c.ID {
					api.touch()
				}
			}
		}
	}
	for q, a := range f.answers {
		if anyTouches(page.Items, q.api, &a.who.Decision) {
			delete(f.answers, q)
		}
	}
	since := f.now().Add(-f.stale) // no earlier, or it would have been heard of before
	if at := f.confirmed.Load(); at >= 0 && f.begun.Add(time.Duration(at)).After(since) {
		since = f.begun.Add(time.Duration(at))
	}
	for p := range f.underway {
		if anyTouches(page.Items, p.asked.API, p.decision) {
			f.touch(p, since, revision)
		}
	}
	f.cursor, f.revision = page.Cursor, revision
}

func anyTouches(changes []Change, api string, d *Decision) bool {
	for i := range changes {
		if changes[i].Touches(api, d) {
			return true
		}
	}
	return false
}

// forget drops everything: the log does not continue from where we stood.
func (f *Follower) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cursor, f.revision = "", 0
	f.epoch++
	clear(f.answers)
	for _, api := range f.apis {
		api.touch()
	}
	now := f.now()
	for p := range f.underway {
		f.touch(p, now, 0)
	}
}

// stop is the end: nobody looks after what is under way any more.
func (f *Follower) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = true
	f.confirmed.Store(-1)
	clear(f.answers)
	for p := range f.underway {
		f.end(p, errUndecided)
	}
}

// trouble says once that the log cannot be read.
func (f *Follower) trouble(ctx context.Context, err error) {
	f.mu.Lock()
	again := f.bad || errors.Is(ctx.Err(), context.Canceled)
	f.bad = true
	f.mu.Unlock()
	if again {
		return
	}
	why := "lanyard's log of changes cannot be read: every request is asked about, and what is under way ends"
	var p *ProblemError
	if errors.As(err, &p) && p.Status == http.StatusForbidden {
		why = "lanyard refuses its log of changes to LANYARD_TOKEN: give it the scope lanyard.changes.read; until then what is under way ends at once"
	}
	f.log.ErrorContext(ctx, why, "error", err.Error())
}

func (f *Follower) well(ctx context.Context) {
	f.mu.Lock()
	again := f.bad
	f.bad = false
	f.mu.Unlock()
	if again {
		f.log.InfoContext(ctx, "lanyard's log of changes can be read again")
	}
}

// parseRevision reads "r" and a number.
func parseRevision(text string) (int64, error) {
	digits, ok := strings.CutPrefix(text, "r")
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 0 {
		return 0, errors.New("the server names no revision: it is older than this client")
	}
	return n, nil
}
