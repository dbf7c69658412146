package changes

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// Listener is told what changed, in order, before the revision counts as applied.
type Listener interface {
	// Invalidate drops what is known of one entity. rev orders it against reads under way: what was read before counts as old.
	Invalidate(kind Kind, entity string, rev id.Revision)
	// Reset drops everything.
	Reset()
}

// Tail follows the log for one node. Fill in the exported fields, call Start, then Run.
type Tail struct {
	Store        Store
	Listener     Listener
	Beat         Beat          // Applied and Within are kept by the tail
	Every        time.Duration // between polls
	MaxStaleness time.Duration // how old a confirmation may be for Fresh
	MaxSkew      time.Duration // how far the node's clock may be off the database's
	Now          func() time.Time
	Log          *slog.Logger

	applied   atomic.Int64 // id.Revision
	confirmed atomic.Pointer[time.Time]
	revoked   atomic.Pointer[map[string]time.Time]
	skew      atomic.Int64
	nodes     atomic.Int64

	polling sync.Mutex // one poll at a time, in the order they are sent
	tag     int64      // of the applied entry; guarded by polling

	flight  sync.Mutex
	next    *flight // the poll that later callers of Sync share; guarded by flight
	wake    chan struct{}
	applyOn sync.Mutex
	applies chan struct{} // closed at the next applied revision; guarded by applyOn
}

type flight struct {
	done chan struct{}
	err  error
}

// Start loads where the log stands. Until it succeeded the node is not ready.
func (t *Tail) Start(ctx context.Context) error {
	t.polling.Lock()
	defer t.polling.Unlock()
	if t.wake == nil {
		t.wake = make(chan struct{}, 1)
	}
	return t.load(ctx)
}

// load begins anew at the database's head. Revocations known from before stay in force: a database that was put back to
// an older state must not bring a revoked credential back silently.
func (t *Tail) load(ctx context.Context) error {
	sent := t.Now()
	snap, err := t.Store.ChangesSnapshot(ctx)
	if err != nil {
		return fmt.Errorf("read the head of the changes: %w", err)
	}
	next := make(map[string]time.Time, len(snap.Revocations))
	for _, r := range snap.Revocations {
		next[r.Subject] = r.Until
	}
	if old := t.revoked.Load(); old != nil {
		for subject, until := range *old {
			if _, known := next[subject]; !known && sent.Before(until) {
				next[subject] = until
				t.Log.Warn("the database no longer knows of a revocation that this node remembers; the credential stays refused here: revoke it again", "credential", subject)
			}
		}
	}
	t.revoked.Store(&next)
	t.Listener.Reset()
	t.tag = snap.Tag
	t.applied.Store(int64(snap.Revision))
	t.confirm(sent, snap.Now)
	t.tell()
	return nil
}

// Run polls until ctx ends, then takes the node's beat back.
func (t *Tail) Run(ctx context.Context) {
	go t.Store.WatchChanges(ctx, t.Wake)
	ticker := time.NewTicker(t.Every)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			if err := t.Store.LeaveNode(leaving, t.Beat.Node); err != nil {
				t.Log.Warn("could not sign off; others will wait for this node a little longer", "error", err)
			}
			return
		case <-t.wake:
		case <-ticker.C:
		}
		polling, cancel := context.WithTimeout(ctx, max(t.MaxStaleness, 100*time.Millisecond))
		err := t.Sync(polling)
		cancel()
		if failed := err != nil && ctx.Err() == nil; failed != failing {
			if failing = failed; failing {
				t.Log.Error("lost touch with the database; refusing to decide until it is back", "error", err)
			} else {
				t.Log.Info("in touch with the database again")
			}
		}
	}
}

// Wake asks for a poll soon.
func (t *Tail) Wake() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// Sync polls, and returns once everything committed before the call is applied. Callers at the same time share one poll
// that was sent after each of them called.
func (t *Tail) Sync(ctx context.Context) error {
	t.flight.Lock()
	f := t.next
	if f == nil {
		f = &flight{done: make(chan struct{})}
		t.next = f
		// The poll outlives a caller who gives up: others wait for it too.
		go t.fly(context.WithoutCancel(ctx), f)
	}
	t.flight.Unlock()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return fault.Down(ctx.Err(), "the database does not answer")
	}
}

func (t *Tail) fly(ctx context.Context, f *flight) {
	t.polling.Lock()
	defer t.polling.Unlock()
	t.flight.Lock()
	t.next = nil // from here on the poll counts as sent: who calls now needs the next one
	t.flight.Unlock()
	ctx, cancel := context.WithTimeout(ctx, max(2*t.MaxStaleness, time.Second))
	defer cancel()
	f.err = t.poll(ctx)
	close(f.done)
}

// poll is one look: record the beat, apply what is new, confirm as of when it was sent. After applying something it looks
// again, so that those who wait for this node see how far it has come.
func (t *Tail) poll(ctx context.Context) error {
	for {
		beat := t.Beat
		beat.Applied, beat.Within = id.Revision(t.applied.Load()), t.silence()
		sent := t.Now()
		head, err := t.Store.Poll(ctx, beat)
		if err != nil {
			return fault.Down(err, "the database does not answer")
		}
		t.nodes.Store(int64(head.Nodes))
		if head.Revision < beat.Applied || head.Tag != t.tag {
			t.Log.Warn("the database was restored or replaced: forgetting everything known", "applied", beat.Applied, "head", head.Revision)
			if err := t.load(ctx); err != nil {
				return fault.Down(err, "the database does not answer")
			}
			continue
		}
		if head.Revision == beat.Applied {
			t.confirm(sent, head.Now)
			return nil
		}
		if err := t.apply(ctx, head.Revision); err != nil {
			return fault.Down(err, "the database does not answer")
		}
	}
}

func (t *Tail) apply(ctx context.Context, head id.Revision) error {
	const page = 1000
	for after := id.Revision(t.applied.Load()); after < head; {
		entries, err := t.Store.ChangesAfter(ctx, after, page)
		if err != nil {
			return err
		}
		if len(entries) == 0 || entries[0].Revision != after+1 {
			// Entries this node has not seen were trimmed: it slept for days.
			return t.load(ctx)
		}
		if err := t.learnRevocations(ctx, entries); err != nil {
			return err
		}
		for _, e := range entries {
			if e.Kind == Restored {
				t.Listener.Reset()
			} else {
				t.Listener.Invalidate(e.Kind, e.ID, e.Revision)
			}
			after, t.tag = e.Revision, e.Tag
		}
		t.applied.Store(int64(after))
		t.tell()
	}
	return nil
}

func (t *Tail) learnRevocations(ctx context.Context, entries []Entry) error {
	var subjects []string
	for _, e := range entries {
		if e.Kind == Revocation {
			subjects = append(subjects, e.ID)
		}
	}
	if len(subjects) == 0 {
		return nil
	}
	revoked, err := t.Store.RevocationsOf(ctx, subjects)
	if err != nil {
		return err
	}
	now := t.Now()
	next := make(map[string]time.Time, len(subjects))
	if old := t.revoked.Load(); old != nil {
		maps.Copy(next, *old)
		maps.DeleteFunc(next, func(_ string, until time.Time) bool { return !now.Before(until) })
	}
	for _, r := range revoked {
		next[r.Subject] = r.Until
	}
	t.revoked.Store(&next)
	return nil
}

func (t *Tail) confirm(sent, dbNow time.Time) {
	t.confirmed.Store(&sent)
	if !dbNow.IsZero() {
		t.skew.Store(int64(dbNow.Sub(sent.Round(0))))
	}
}

// Applied is the newest revision this node knows.
func (t *Tail) Applied() id.Revision { return id.Revision(t.applied.Load()) }

// Nodes is how many nodes may decide, this one included, as of its last poll. A node that nobody has seen for longer than this
// counts has stopped deciding by itself.
func (t *Tail) Nodes() int { return max(int(t.nodes.Load()), 1) }

// silence is how long a node that is not seen may still decide: what it knows is that old at most, and its last poll took as
// long at most.
func (t *Tail) silence() time.Duration { return 2 * t.MaxStaleness }

// Revoked reports whether the subject was revoked, by this node's memory.
func (t *Tail) Revoked(subject string) bool {
	revoked := t.revoked.Load()
	if revoked == nil || len(*revoked) == 0 {
		return false
	}
	_, is := (*revoked)[subject]
	return is
}

// AnyRevoked reports whether the memory holds revocations at all; it spares the hot path the building of subjects.
func (t *Tail) AnyRevoked() bool {
	revoked := t.revoked.Load()
	return revoked != nil && len(*revoked) > 0
}

// Fresh reports whether what is known may be trusted at now: both clocks, the monotonic and the wall's, say that less than
// MaxStaleness passed since the last confirmed poll was sent.
func (t *Tail) Fresh(now time.Time) bool {
	sent := t.confirmed.Load()
	if sent == nil {
		return false
	}
	wall := now.Round(0).Sub(sent.Round(0))
	return now.Sub(*sent) < t.MaxStaleness && wall < t.MaxStaleness && wall > -t.MaxStaleness
}

// Age is how long ago the last confirmed poll was sent; before the first, a long time.
func (t *Tail) Age(now time.Time) time.Duration {
	sent := t.confirmed.Load()
	if sent == nil {
		return time.Hour
	}
	return now.Sub(*sent)
}

// Ready says why the node may not serve, or nil.
func (t *Tail) Ready() error {
	if !t.Fresh(t.Now()) {
		return fault.New(fault.Unavailable, "the changes were not seen for more than %s", t.MaxStaleness)
	}
	if skew := time.Duration(t.skew.Load()); skew.Abs() > t.MaxSkew {
		return fault.New(fault.Unavailable, "this machine's clock is %s off the database's; set it by NTP", skew.Round(time.Millisecond))
	}
	return nil
}

// tell wakes whoever waits for this node to apply something.
func (t *Tail) tell() {
	t.applyOn.Lock()
	defer t.applyOn.Unlock()
	if t.applies != nil {
		close(t.applies)
		t.applies = nil
	}
}

// Next returns a channel that is closed when something more was applied. All who wait share it.
func (t *Tail) Next() <-chan struct{} {
	t.applyOn.Lock()
	defer t.applyOn.Unlock()
	if t.applies == nil {
		t.applies = make(chan struct{})
	}
	return t.applies
}

// Wait returns true once every node has applied the revision or has stopped deciding from memory by itself, which it has
// after being unseen for twice MaxStaleness. It returns false when the time is over first.
func (t *Tail) Wait(ctx context.Context, rev id.Revision, atMost time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	pause := time.NewTimer(0)
	defer pause.Stop()
	if err := t.Sync(ctx); err != nil {
		return false, err
	}
	for {
		behind, err := t.Store.Behind(ctx, rev, t.silence())
		if err != nil && ctx.Err() == nil {
			return false, fault.Down(err, "the database does not answer")
		}
		if err == nil && len(behind) == 0 {
			return true, nil
		}
		pause.Reset(10 * time.Millisecond)
		select {
		case <-ctx.Done():
			return false, nil
		case <-pause.C:
		}
	}
}
