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
	wanted chan struct{} // an API has to be read
	asking chan struct{} // one for each question about what is under way

	confirmed atomic.Pointer[time.Time] // everything that happened before is known; nil: nothing is
	hides     sync.Once                 // of a line in the log

	mu       sync.RWMutex
	cursor   string // "": nothing is known yet
	revision int64  // where the cursor stands
	recent   []heard
	settled  time.Time // before it nothing is remembered: nodes may not know yet that the log began anew
	epoch    int       // counts how often everything had to be forgotten
	done     bool
	bad      bool // the last read failed, and that was logged
	answers  map[question]*remembered
	apis     map[string]*followedAPI
	underway map[*passage]struct{}
}

// heard is a change that was heard of lately.
type heard struct {
	Change
	revision int64
	since    time.Time // no earlier did it happen
}

const (
	maxRecent = 1 << 10
	maxPage   = 1000
	// maxWork is how many changes are held against how much of what is known, one by one: above that all of it is forgotten, or asked about.
	maxWork = 1 << 20
	// settling is how long after the log began anew a node may not know of it: longer than any of them is allowed to be stale.
	settling = time.Minute
	// learnEvery is how often an API is tried again that could not be read.
	learnEvery = 5 * time.Second
)

// Follow begins to read the log of changes of c's server, and goes on until ctx ends. c's token needs the scope lanyard.changes.read beside
// lanyard.verify. When ctx ends, so does what is under way, and nothing is let through any more: end it after the HTTP server's Shutdown.
func Follow(ctx context.Context, c *Client, o FollowOptions) *Follower {
	f := newFollower(c, o, time.Now) //nolint:forbidigo // the real clock is put in here
	go f.read(ctx)
	go f.look(ctx)
	go f.learn(ctx)
	return f
}

func newFollower(c *Client, o FollowOptions, now func() time.Time) *Follower {
	if c == nil {
		c = &Client{} // every call of it says what is missing
	}
	f := &Follower{
		client: c, stale: o.MaxStaleness, log: o.Log, now: now, soon: make(chan struct{}, 1), wanted: make(chan struct{}, 1), asking: make(chan struct{}, 8),
		answers: map[question]*remembered{}, apis: map[string]*followedAPI{}, underway: map[*passage]struct{}{},
	}
	if f.stale <= 0 {
		f.stale = DefaultMaxStaleness
	}
	if f.log == nil {
		f.log = slog.Default()
	}
	return f
}

// every is how often the log is read.
func (f *Follower) every() time.Duration { return f.stale / 3 }

// lookEvery is how often what is under way is looked through.
func (f *Follower) lookEvery() time.Duration { return f.stale / 6 }

// askFor is how long a call may take on which what is known depends: one may hang, and the next is still in time.
func (f *Follower) askFor() time.Duration { return f.stale / 2 }

func (f *Follower) read(ctx context.Context) {
	f.poll(ctx)
	loop(ctx, f.every(), nil, f.poll)
	f.stop()
}

// look looks through what is under way, at once after a change that touches some of it.
func (f *Follower) look(ctx context.Context) {
	loop(ctx, f.lookEvery(), f.soon, func(ctx context.Context) { f.sweep(ctx) })
}

// learn reads the APIs that are guarded: when one is new or changed, and again where that failed.
func (f *Follower) learn(ctx context.Context) { loop(ctx, learnEvery, f.wanted, f.fetchAPIs) }

// loop does something every so often, and when somebody wakes it, until ctx ends.
func loop(ctx context.Context, every time.Duration, wake <-chan struct{}, do func(context.Context)) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-wake:
		}
		do(ctx)
	}
}

// fresh reports whether everything is known that happened more than the longest staleness ago. Both clocks are asked: while a machine sleeps, one
// of them stands still.
func (f *Follower) fresh(now time.Time) bool {
	at := f.confirmed.Load()
	if at == nil {
		return false
	}
	wall := now.Round(0).Sub(at.Round(0))
	return now.Sub(*at) <= f.stale && wall <= f.stale && wall >= -f.stale
}

// poll reads what is new in the log.
func (f *Follower) poll(ctx context.Context) {
	for {
		sent, after := f.now(), f.place()
		page, revision, err := f.page(ctx, after)
		var p *ProblemError
		switch {
		case errors.As(err, &p) && p.Code == "changes_reset" && after != fromNow:
			f.forget()
			continue
		case err != nil:
			f.trouble(ctx, err)
			return
		}
		f.apply(page, revision)
		if len(page.Items) == maxPage { // there may be more
			continue
		}
		f.confirmed.Store(&sent)
		f.well(ctx)
		return
	}
}

func (f *Follower) page(ctx context.Context, after string) (Changes, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, f.askFor())
	defer cancel()
	page, err := f.client.Changes(ctx, after, maxPage)
	if err != nil {
		return page, 0, err
	}
	revision, err := parseRevision(page.Revision)
	return page, revision, err
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
	since := f.now().Add(-f.stale) // no earlier, or it would have been heard of before
	if at := f.confirmed.Load(); at != nil && at.After(since) {
		since = *at
	}
	if f.cursor == "" { // where everything begins nobody knows what was before
		for p := range f.underway {
			if p.knows < revision || p.strict {
				f.touch(p, since, revision)
			}
		}
	}
	for _, c := range page.Items {
		at, err := parseRevision(c.Revision)
		if err != nil {
			at = revision
		}
		f.note(heard{c, at, since})
		if c.Kind == changedAPI || c.Kind == "restored" {
			for name, api := range f.apis {
				if c.Kind != changedAPI || name == c.ID {
					f.want(api)
				}
			}
		}
	}
	if len(page.Items)*len(f.answers) > maxWork {
		clear(f.answers)
	}
	for q, a := range f.answers {
		if anyTouches(page.Items, q.api, &a.who.Decision) {
			delete(f.answers, q)
		}
	}
	all := len(page.Items)*len(f.underway) > maxWork
	for p := range f.underway {
		if all || anyTouches(page.Items, p.asked.API, p.decision) {
			f.touch(p, since, revision)
		}
	}
	f.cursor, f.revision = page.Cursor, revision
}

// note keeps a change for requests that are still being decided on. The lock is held.
func (f *Follower) note(h heard) {
	if len(f.recent) == maxRecent {
		f.recent = append(f.recent[:0], f.recent[maxRecent/2:]...)
	}
	f.recent = append(f.recent, h)
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
	now := f.now()
	f.cursor, f.revision, f.recent, f.settled = "", 0, nil, now.Add(settling)
	f.epoch++
	clear(f.answers)
	for _, api := range f.apis {
		f.want(api)
	}
	for p := range f.underway {
		p.strict = true
		f.touch(p, now, 0)
	}
}

// stop is the end: nobody looks after what is under way any more.
func (f *Follower) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = true
	f.confirmed.Store(nil)
	clear(f.answers)
	for p := range f.underway {
		f.end(p, &endError{})
	}
}

// stopped reports whether the Follower has come to its end.
func (f *Follower) stopped() bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.done
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
	var p *ProblemError
	if errors.As(err, &p) && p.Status == http.StatusForbidden {
		f.log.ErrorContext(ctx, "lanyard refuses its log of changes to LANYARD_TOKEN: give it the scope lanyard.changes.read; until then what is under way ends at once", "error", err.Error())
		return
	}
	f.log.ErrorContext(ctx, "lanyard's log of changes cannot be read: every request is asked about, and what is under way ends", "error", err.Error())
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
