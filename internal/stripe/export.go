package stripe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-auth/lanyard/internal/id"
)

const (
	hoursAtOnce  = 200
	eventsAtOnce = 32
	workers      = 4               // as many as package outbound lets at one host
	lease        = 5 * time.Minute // longer than eventsAtOnce tries that all time out, by so many workers
	noteTime     = 10 * time.Second
	endEvery     = time.Minute // what has waited too long is ended so often while a round lasts
)

// Exporter brings events to Stripe, whenever its owner calls Once. Several nodes may have one each on the same queue.
type Exporter struct {
	Queue      Queue
	Send       func(ctx context.Context, e *Event) Answer // Client.Send
	Deployment id.Team                                    // the built-in team's id, which tells servers apart
	Now        func() time.Time
	Log        *slog.Logger

	pauseUntil time.Time // of Once alone
	stats      stats
}

type stats struct{ sent, refused, unanswered, behind atomic.Int64 }

// Stats are what this node did since it started.
type Stats struct {
	Sent       int64         // events that Stripe took
	Refused    int64         // and that it refused
	Unanswered int64         // tries that have to be repeated
	Behind     time.Duration // how long ago the earliest hour ended of which something waits, as of the last round; 0: nothing does
}

// Stats says what this node did.
func (x *Exporter) Stats() Stats {
	return Stats{Sent: x.stats.sent.Load(), Refused: x.stats.refused.Load(), Unanswered: x.stats.unanswered.Load(), Behind: time.Duration(x.stats.behind.Load())}
}

// Once looks at every hour that is due and sends every event whose time has come. An event that does not arrive is put off and is no error;
// the queue's failures are. Not to be called twice at a time.
func (x *Exporter) Once(ctx context.Context) error {
	err := errors.Join(x.look(ctx), x.sendDue(ctx))
	progress, failed := x.Queue.Progress(ctx, x.Now())
	if failed == nil {
		behind := time.Duration(0)
		if !progress.Oldest.IsZero() {
			behind = max(0, x.Now().Sub(progress.Oldest.Add(time.Hour)))
		}
		x.stats.behind.Store(int64(behind))
	}
	return errors.Join(err, failed)
}

// look writes events for what was counted.
func (x *Exporter) look(ctx context.Context) (err error) {
	for looked := hoursAtOnce; looked == hoursAtOnce && ctx.Err() == nil; {
		var failed error
		looked, failed = x.Queue.LookAtHours(ctx, x.Now(), x.Deployment, hoursAtOnce)
		err = errors.Join(err, failed)
	}
	return err
}

func (x *Exporter) sendDue(ctx context.Context) error {
	var ended time.Time
	for ctx.Err() == nil {
		now := x.Now()
		if now.Sub(ended) >= endEvery {
			if err := x.Queue.EndWaiting(ctx, now, now.Add(-unsureAfter), now.Add(-tooOld)); err != nil {
				return err
			}
			ended = now
		}
		if now.Before(x.pauseUntil) {
			return nil
		}
		due, err := x.Queue.ClaimEvents(ctx, now, lease, eventsAtOnce)
		if err != nil || len(due) == 0 {
			return err
		}
		if err := x.batch(ctx, due); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// batch sends what was claimed: one after the other to a customer's meter, which Stripe wants so, and several of those at a time.
func (x *Exporter) batch(ctx context.Context, due []Event) error {
	type account struct{ customer, name string }
	var order []account
	groups := map[account][]Event{}
	for _, e := range due {
		of := account{e.Customer, e.Name}
		if groups[of] == nil {
			order = append(order, of)
		}
		groups[of] = append(groups[of], e)
	}
	round := &round{turns: make(chan struct{}, workers)}
	for _, of := range order {
		round.all.Go(func() {
			round.turns <- struct{}{}
			defer func() { <-round.turns }()
			for _, e := range groups[of] {
				x.try(ctx, round, e)
			}
		})
	}
	round.all.Wait()
	next := x.Now()
	if !round.pauseUntil.IsZero() {
		x.pauseUntil, next = round.pauseUntil, round.pauseUntil
	}
	noting, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	round.failures = append(round.failures, x.Queue.ReleaseEvents(noting, next, round.untried...))
	return errors.Join(round.failures...)
}

// round is one batch under way.
type round struct {
	all   sync.WaitGroup
	turns chan struct{}

	mu         sync.Mutex
	pauseUntil time.Time // nothing else is sent before
	untried    []Event
	failures   []error
}

// skips reports whether an event is left for later, and notes it.
func (r *round) skips(ctx context.Context, e Event) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pauseUntil.IsZero() && ctx.Err() == nil {
		return false
	}
	r.untried = append(r.untried, e)
	return true
}

// try sends one event and writes down what became of it, even when the server is stopping: else it would have to be asked for again.
func (x *Exporter) try(ctx context.Context, r *round, e Event) {
	if r.skips(ctx, e) {
		return
	}
	began := x.Now()
	answer := x.Send(ctx, &e)
	now := x.Now()
	o := Judge(e, answer, began, now)
	noting, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	err := x.Queue.EventTried(noting, e, o)
	x.tell(&e, answer, o)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.failures = append(r.failures, fmt.Errorf("note what became of %s: %w", e.Identifier, err))
	}
	if o.Pause > 0 && now.Add(o.Pause).After(r.pauseUntil) {
		r.pauseUntil = now.Add(o.Pause)
	}
}

// tell counts and logs what became of a try.
func (x *Exporter) tell(e *Event, answer Answer, o Outcome) {
	about := []any{"identifier", e.Identifier, "team", e.Team, "api", e.API, "meter", e.Meter, "hour", e.Start, "status", answer.Status, "error", o.Error}
	switch o.State {
	case Sent:
		x.stats.sent.Add(1)
	case Waiting:
		x.stats.unanswered.Add(1)
		x.Log.Info("an event did not arrive at Stripe and is tried again", append(about, "next", o.NextAt)...)
	case Failed, Unsure, TooLate, Dismissed:
		x.stats.refused.Add(1)
		x.Log.Warn("Stripe refused an event", append(about, "state", o.State)...)
	}
}
