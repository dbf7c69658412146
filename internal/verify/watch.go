package verify

import (
	"context"
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

	touched time.Time // when something changed that the decision rests on; zero: nothing did
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
	if v.watches.changes.Load() != w.Decision.heard { // while it was decided on, or since
		w.touched = v.Now()
		v.watches.wake()
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

// RunWatches looks through the requests under way until ctx ends: at once after a change that touches one of them.
func (v *Verifier) RunWatches(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-v.watches.soon:
		}
		v.Sweep(ctx)
	}
}

// Sweep looks through the requests under way once.
func (v *Verifier) Sweep(ctx context.Context) {
	ws, now := v.watches, v.Now()
	fresh, late := v.Tail.Fresh(now), now.Add(-v.Tail.MaxStaleness)
	var again []*Watch
	ws.mu.Lock()
	for w := range ws.all {
		switch {
		case !fresh && w.Decision.At.Before(late), !w.touched.IsZero() && w.touched.Before(late):
			ws.end(w, Undecided, "whether it was revoked could not be found out in time")
		case !w.Decision.ExpiresAt.IsZero() && !now.Before(w.Decision.ExpiresAt):
			ws.end(w, Refused, string(policy.Expired))
		case !w.touched.IsZero():
			again = append(again, w)
		}
	}
	ws.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, sweepEvery)
	defer cancel()
	for _, w := range again {
		if !v.lookAgain(ctx, w) {
			return // the database does not answer: the next round tries again what is left
		}
	}
}

// lookAgain decides anew on a request under way, without charging it, and reports whether that could be done.
func (v *Verifier) lookAgain(ctx context.Context, w *Watch) bool {
	ws := v.watches
	ws.mu.Lock()
	if _, there := ws.all[w]; !there {
		ws.mu.Unlock()
		return true
	}
	req, touched := *w.Request, w.touched
	d := Decision{bound: w.Decision.bound}
	ws.mu.Unlock()
	req.trusted = true // it was known once: this is no attempt of anybody
	if err := v.decide(ctx, &req, &d); err != nil || !v.Tail.Fresh(v.Now()) {
		return false
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if _, there := ws.all[w]; !there {
		return true
	}
	if d.Code != policy.Valid {
		ws.end(w, Refused, string(d.Code))
	} else if w.touched.Equal(touched) { // else once more
		w.touched = time.Time{}
	}
	return true
}

// end ends a watch. The lock is held, so that End cannot come after Unwatch.
func (ws *watches) end(w *Watch, why Ending, text string) {
	delete(ws.all, w)
	w.End(why, text)
}

// touch marks what rests on an entity that changed.
func (ws *watches) touch(kind changes.Kind, entity string, now time.Time) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.changes.Add(1)
	for w := range ws.all {
		if w.restsOn(kind, entity) {
			w.touched = now
			ws.wake()
		}
	}
}

func (ws *watches) wake() {
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
	default: // revocations, subscriptions, the keyring, what was restored
		return true
	}
}
