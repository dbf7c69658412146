package usage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	absorbEvery = time.Second
	absorbBound = 30 * time.Second // of one attempt, and between attempts while the database is away

	// Segments that wait are absorbed together, so that what they have in common is written once. SQLite's only writer is held
	// meanwhile, and the node's own beat waits behind it: they may have as many rows as are written in about this time, and as many
	// as one segment of the server's size can have all the same.
	absorbAim = 100 * time.Millisecond
	leastRows = 1 << 12
	mostRows  = 1 << 16
	mostInLot = 64 // segments, for the memory's sake
)

// Absorber brings sealed segments into the database. Its fields are set before its first use; it must not be copied.
type Absorber struct {
	Spool *Spool
	Store Store
	Log   *slog.Logger     // nil means slog.Default()
	Now   func() time.Time // nil means time.Now

	once sync.Once
	turn chan struct{} // held by whoever absorbs, so that a segment is in flight once
	kick chan struct{}
	rows int // that segments absorbed together may have, about; belongs to whoever has the turn
}

func (a *Absorber) start() {
	a.once.Do(func() {
		a.Log = cmp.Or(a.Log, slog.Default())
		a.turn = make(chan struct{}, 1)
		a.kick = make(chan struct{}, 1)
		a.rows = leastRows
		if a.Now == nil {
			a.Now = time.Now //nolint:forbidigo // the clock field's zero value is the real clock
		}
	})
}

// Kick makes Run absorb now and not at the next second. It does not wait.
func (a *Absorber) Kick() {
	a.start()
	select {
	case a.kick <- struct{}{}:
	default: // one is waiting already, and will find what this one is about
	}
}

// Run absorbs every second and when kicked, until ctx ends. While the database fails it tries less and less often, at least twice a
// minute; a kick is tried at once. It returns nil: what is left waits on the disk.
func (a *Absorber) Run(ctx context.Context) error {
	a.start()
	wait := absorbEvery
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		case <-a.kick:
		}
		switch err := a.absorb(ctx, false); {
		case err == nil:
			wait = absorbEvery
		case ctx.Err() != nil:
			return nil
		default:
			wait = min(2*wait, absorbBound)
			a.Log.Error("usage waits on the disk: the database did not absorb it", "segments", len(a.Spool.Sealed()), "again_in", wait, "err", err)
		}
		timer.Reset(wait)
	}
}

// Flush returns when the database has everything that was recorded or added before the call.
func (a *Absorber) Flush(ctx context.Context) error {
	a.start()
	return a.absorb(ctx, true)
}

// absorb brings everything that waits into the database, oldest first. It seals only what can be absorbed right away, unless the
// caller wants everything: else a database that is away for an hour would find 3600 small segments.
func (a *Absorber) absorb(ctx context.Context, everything bool) error {
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return fmt.Errorf("absorb usage: %w", ctx.Err())
	}
	if everything {
		if err := a.Spool.Seal(); err != nil {
			return fmt.Errorf("absorb usage: %w", err)
		}
	}
	if err := a.absorbSealed(ctx); err != nil || everything {
		return err
	}
	if err := a.Spool.Seal(); err != nil {
		return fmt.Errorf("absorb usage: %w", err)
	}
	return a.absorbSealed(ctx)
}

// absorbSealed stops at the first segments that the database does not take, but not at one that the disk does not give.
func (a *Absorber) absorbSealed(ctx context.Context) error {
	var unread error
	waiting := a.Spool.Sealed()
	for len(waiting) > 0 {
		l, err := a.load(waiting)
		unread = errors.Join(unread, err)
		waiting = waiting[l.seen:]
		if len(l.segments) == 0 {
			continue
		}
		if err := a.absorbLot(ctx, l); err != nil {
			return errors.Join(unread, err)
		}
	}
	return unread
}

// lot is segments that are absorbed together.
type lot struct {
	segments []Segment
	counted  []Counted
	seen     int  // segments that were looked at, those that gave nothing too
	full     bool // there was no room for the next
}

// load reads as many of the segments as may be absorbed together, which are all of one node. The error is about those that the disk
// did not give.
func (a *Absorber) load(waiting []Segment) (l lot, unread error) {
	rows, charges := map[Row]struct{}{}, 0
	for _, g := range waiting {
		if len(l.segments) == mostInLot || len(l.segments) > 0 && g.Node != l.segments[0].Node {
			break
		}
		m, b, err := a.read(g)
		if b != nil {
			for _, r := range b.Rows {
				r.Count, r.Units = 0, 0
				rows[r] = struct{}{}
			}
			charges += len(b.Charges)
			if l.full = len(l.segments) > 0 && len(rows)+charges > a.rows; l.full {
				break // it is read again with the next
			}
			l.segments, l.counted = append(l.segments, g), append(l.counted, Counted{m, b})
		}
		unread = errors.Join(unread, err)
		l.seen++
	}
	return l, unread
}

// absorbLot absorbs segments together. If the marker of one is taken they go one by one, so that it alone is set aside.
func (a *Absorber) absorbLot(ctx context.Context, l lot) error {
	absorbed, err := a.offer(ctx, l)
	if errors.Is(err, ErrMarkerConflict) && len(l.segments) > 1 {
		for i := range l.segments {
			if err := a.absorbLot(ctx, lot{segments: l.segments[i : i+1], counted: l.counted[i : i+1]}); err != nil {
				return err
			}
		}
		return nil
	}
	if errors.Is(err, ErrMarkerConflict) {
		m := l.counted[0].Marker
		a.Log.Error("a usage segment differs from what was counted under its marker; it was set aside, uncounted",
			"segment", l.segments[0].String(), "node", m.Node, "sha256", fmt.Sprintf("%x", m.SHA256))
		return l.segments[0].SetAside()
	}
	if err != nil {
		return fmt.Errorf("absorb usage segment %s and %d more: %w", l.segments[0], len(l.segments)-1, err)
	}
	for i, g := range l.segments {
		if !absorbed[i] {
			a.Log.Info("a usage segment had been counted before a crash and was only removed", "segment", g.String())
		}
		if err := g.Remove(); err != nil {
			return err
		}
	}
	return nil
}

// offer has the database absorb segments, and sets by how long it took how many rows the next may have.
func (a *Absorber) offer(ctx context.Context, l lot) (absorbed []bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, absorbBound)
	defer cancel()
	began := a.Now()
	absorbed, err = a.Store.AbsorbSegments(ctx, l.counted)
	switch took := a.Now().Sub(began); {
	case err != nil || took > absorbAim:
		a.rows = max(a.rows/2, leastRows)
	case took < absorbAim/2 && l.full:
		a.rows = min(a.rows*2, mostRows)
	}
	return absorbed, err
}

// read returns what is in a segment, repaired if need be; nil if nothing is left of it.
func (a *Absorber) read(g Segment) (Marker, *Batch, error) {
	m, b, err := g.batch()
	if !errors.Is(err, ErrDamaged) {
		return m, b, err
	}
	a.Log.Error("a sealed usage segment is damaged; its sound records are counted", "segment", g.String(), "err", err)
	left, err := a.Spool.Repair(g)
	if err != nil || !left {
		return Marker{}, nil, err
	}
	return g.batch()
}

func (g Segment) batch() (Marker, *Batch, error) {
	sums := newAggregator()
	m, err := g.Read(func(ev *Event) error {
		sums.add(ev)
		return nil
	})
	if err != nil {
		return Marker{}, nil, err
	}
	return m, sums.batch(), nil
}
