package verify

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

// sweepEvery is how often requests under way are looked through. With the longest staleness by default, 750 ms, what is older than
// it may be ends within a second.
const sweepEvery = 100 * time.Millisecond

// Watch is a request that was allowed and is still under way: a stream, a download, a call that takes long. Its fields are set before it is
// given to Verifier.Watch.
type Watch struct {
	Request  *Request             // as it was decided on; it must not change until Unwatch
	Decision *Decision            // which allowed it; likewise
	End      func(Ending, string) // called once at most, and not after Unwatch returned; it must not call Unwatch itself. The text says why, for the log

	// touched is the earliest that something can have changed that the decision rests on and that was not looked into since; zero: nothing was
	// heard of.
	touched time.Time
	times   int       // how often something was heard of
	until   time.Time // when something of what the call came with ends; zero: never
}

// Ending says why a request that was allowed may not go on.
type Ending uint8

// The endings.
const (
	Refused   Ending = iota // it would be refused now: revoked, expired, narrowed
	Undecided               // nobody can say: this node has not heard of changes for too long
)

// watches are the requests under way. They are few beside what passes, and changes are rarer still: nothing is indexed.
type watches struct {
	changes atomic.Int64 // how many were heard of; written under mu
	mu      sync.Mutex
	all     map[*Watch]struct{}
	soon    chan struct{}
}

func newWatches() *watches {
	return &watches{all: map[*Watch]struct{}{}, soon: make(chan struct{}, 1)}
}

// Watch keeps an eye on a request that was allowed until Unwatch: when it would not be allowed any more, because it was revoked, changed or
// has expired, or when nobody can say, End is called. That is within a second of a change, whoever made it (Tail.MaxStaleness, and a
// little).
func (v *Verifier) Watch(w *Watch) {
	v.watches.mu.Lock()
	defer v.watches.mu.Unlock()
	v.watches.all[w] = struct{}{}
	w.until = w.Decision.Until
	if v.watches.changes.Load() != w.Decision.heard { // while it was decided on, or since
		v.watches.touched(w, v.confirmed())
	}
}

// Unwatch ends the watch. Once it has returned, End is not called any more.
func (v *Verifier) Unwatch(w *Watch) {
	v.watches.mu.Lock()
	delete(v.watches.all, w)
	v.watches.mu.Unlock()
}

// Watched is how many requests are under way.
func (v *Verifier) Watched() int {
	v.watches.mu.Lock()
	defer v.watches.mu.Unlock()
	return len(v.watches.all)
}

// RunWatches looks through the requests under way until ctx ends: at once after a change that touches one of them. At the end it ends them
// all, since nobody looks after them then.
func (v *Verifier) RunWatches(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			v.watches.mu.Lock()
			defer v.watches.mu.Unlock()
			for w := range v.watches.all {
				v.watches.end(w, Undecided, "this server ends")
			}
			return
		case <-ticker.C:
		case <-v.watches.soon:
		}
		v.Sweep(ctx)
	}
}

// confirmed is as of when this node knew all there was: what it hears of after that came later.
func (v *Verifier) confirmed() time.Time {
	now := v.Now()
	return now.Add(-v.Tail.Age(now))
}

// patience is how long after a change a request may go on that rests on what changed: with the sweep's own time a second, unless the node is
// allowed to be staler than that.
func (v *Verifier) patience() time.Duration {
	return max(time.Second, v.Tail.MaxStaleness+2*sweepEvery) - sweepEvery
}

// Sweep looks through the requests under way once.
func (v *Verifier) Sweep(ctx context.Context) {
	ws, now := v.watches, v.Now()
	fresh := v.Tail.Fresh(now)
	stale, late := now.Add(-v.Tail.MaxStaleness), now.Add(-v.patience())
	var again []*Watch
	ws.mu.Lock()
	for w := range ws.all {
		if w.touched.IsZero() && !w.until.IsZero() && !now.Before(w.until) {
			w.touched = now
		}
		switch {
		case !fresh && w.Decision.At.Before(stale), !w.touched.IsZero() && w.touched.Before(late):
			ws.end(w, Undecided, "whether it was revoked could not be found out in time")
		case !w.touched.IsZero():
			again = append(again, w)
		}
	}
	ws.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, sweepEvery)
	defer cancel()
	for _, w := range again {
		if ctx.Err() != nil {
			return // what is left is looked at in the next round
		}
		v.lookAgain(ctx, w)
	}
}

// lookFor is how long a look at one request may take. What it reads from the database stays in the cache, so of those that rest on the same
// entity one waits.
const lookFor = 20 * time.Millisecond

// lookAgain decides anew on a request under way, without charging it.
func (v *Verifier) lookAgain(ctx context.Context, w *Watch) {
	ws := v.watches
	ws.mu.Lock()
	if _, there := ws.all[w]; !there {
		ws.mu.Unlock()
		return
	}
	req, times := *w.Request, w.times
	d := Decision{bound: w.Decision.bound}
	ws.mu.Unlock()
	req.trusted = true // it was known once: this is no attempt of anybody
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	if err := v.decide(ctx, &req, &d); err != nil || !v.Tail.Fresh(v.Now()) {
		return // the next round tries again
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if _, there := ws.all[w]; !there {
		return
	}
	if d.Code != policy.Valid {
		ws.end(w, Refused, string(d.Code))
		return
	}
	w.until = d.Until
	if w.times == times { // else once more
		w.touched = time.Time{}
	}
}

// end ends a watch. The lock is held, so that End cannot come after Unwatch.
func (ws *watches) end(w *Watch, why Ending, text string) {
	delete(ws.all, w)
	w.End(why, text)
}

// touch marks what rests on an entity that changed.
func (ws *watches) touch(kind changes.Kind, entity string, since time.Time) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.changes.Add(1)
	for w := range ws.all {
		if w.restsOn(kind, entity) {
			ws.touched(w, since)
		}
	}
}

// touched notes that one has to be looked at. The lock is held.
func (ws *watches) touched(w *Watch, since time.Time) {
	w.times++
	if w.touched.IsZero() {
		w.touched = since
	}
	select {
	case ws.soon <- struct{}{}:
	default: // it is awake already
	}
}

// restsOn says whether a change of an entity may alter the decision. In doubt it may.
func (w *Watch) restsOn(kind changes.Kind, entity string) bool {
	d := w.Decision
	switch kind {
	case changes.Key: // personal tokens too; a key beside a token is d.Key
		return d.Key != "" && id.Chars(d.Key) == id.Chars(id.Key(entity))
	case changes.App:
		return string(d.App) == entity
	case changes.Team:
		return string(d.Team) == entity
	case changes.User:
		return string(d.User) == entity || d.User == "" && d.Team == ""
	case changes.Grant:
		return string(d.Grant) == entity
	case changes.API:
		return w.Request.API == entity
	case changes.Brand:
		return false
	case changes.Revocation:
		names := func(one string) bool { return one != "" && strings.Contains(entity, one) } // alone, or with a version or an epoch
		return names(string(d.Key)) || names(string(d.Token)) || names(string(d.Family)) || names(string(d.Grant)) || names(string(d.App)) || names(string(d.User))
	default: // revocations, subscriptions, the keyring, what was restored
		return true
	}
}
