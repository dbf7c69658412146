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
)

// Absorber brings sealed segments into the database. Its fields are set before its first use; it must not be copied.
type Absorber struct {
	Spool *Spool
	Store Store
	Log   *slog.Logger // nil means slog.Default()

	once sync.Once
	turn chan struct{} // held by whoever absorbs, so that a segment is in flight once
	kick chan struct{}
}

func (a *Absorber) start() {
	a.once.Do(func() {
		a.Log = cmp.Or(a.Log, slog.Default())
		a.turn = make(chan struct{}, 1)
		a.kick = make(chan struct{}, 1)
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

// absorbSealed stops at the first segment that the database does not take, but not at one that the disk does not give.
func (a *Absorber) absorbSealed(ctx context.Context) error {
	var unread error
	for _, g := range a.Spool.Sealed() {
		m, b, err := a.read(g)
		if err != nil {
			unread = errors.Join(unread, err)
			continue
		}
		if b == nil {
			continue
		}
		if err := a.absorbOne(ctx, g, m, b); err != nil {
			return errors.Join(unread, fmt.Errorf("absorb usage segment %s: %w", g, err))
		}
	}
	return unread
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

func (a *Absorber) absorbOne(ctx context.Context, g Segment, m Marker, b *Batch) error {
	ctx, cancel := context.WithTimeout(ctx, absorbBound)
	defer cancel()
	absorbed, err := a.Store.AbsorbUsage(ctx, m, b)
	if errors.Is(err, ErrMarkerConflict) {
		a.Log.Error("a usage segment differs from what was counted under its marker; it was set aside, uncounted",
			"segment", g.String(), "node", m.Node, "sha256", fmt.Sprintf("%x", m.SHA256))
		return g.SetAside()
	}
	if err != nil {
		return err
	}
	if !absorbed {
		a.Log.Info("a usage segment had been counted before a crash and was only removed", "segment", g.String())
	}
	return g.Remove()
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
