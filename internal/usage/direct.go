package usage

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

const (
	defaultGroup    = 4096
	defaultPatience = 5 * time.Second
	firstPause      = 20 * time.Millisecond
	longestPause    = 500 * time.Millisecond
)

// DirectOptions says how events go into the database at once.
type DirectOptions struct {
	Store    Store
	Node     id.Node
	MaxGroup int              // events in one transaction; 0 means 4096
	Patience time.Duration    // how long a group tries to learn its fate; 0 means 5 s
	Now      func() time.Time // nil means time.Now
	Rand     io.Reader        // for the epoch; nil means crypto/rand
}

// Direct makes events durable in the database itself (durability database): Record returns after the commit that holds the
// event. Groups form as in a Spool; each is a Batch with a marker of its own.
//
// A connection that dies during a commit leaves open whether the commit took place. The leader then offers the same batch under
// the same marker until the database says which, so nothing is counted twice. If it does not within the patience, the whole
// group is unavailable: those calls were refused, and what they cost was counted once or not at all.
type Direct struct {
	opts  DirectOptions
	queue queue
	epoch string

	// These belong to whoever leads the queue.
	number uint64
	down   time.Time // since when the database has failed; zero while it answers
}

// NewDirect draws the epoch of this start. There is nothing to recover.
func NewDirect(opts DirectOptions) (*Direct, error) {
	if _, err := id.Parse[id.Node](string(opts.Node)); err != nil {
		return nil, fmt.Errorf("record usage in the database: %w", err)
	}
	opts.MaxGroup = cmp.Or(opts.MaxGroup, defaultGroup)
	opts.Patience = cmp.Or(opts.Patience, defaultPatience)
	if opts.Now == nil {
		opts.Now = time.Now //nolint:forbidigo // the clock field's zero value is the real clock
	}
	if opts.Rand == nil {
		opts.Rand = rand.Reader
	}
	o := origin{node: opts.Node}
	if _, err := io.ReadFull(opts.Rand, o.epoch[:]); err != nil {
		return nil, fmt.Errorf("draw a usage epoch: %w", err)
	}
	d := &Direct{opts: opts, epoch: hex.EncodeToString(o.epoch[:])}
	d.queue = queue{seed: o.seed(), max: opts.MaxGroup, commit: d.commit}
	d.queue.start()
	return d, nil
}

// Record implements Recorder.
func (d *Direct) Record(ev *Event) error { return d.queue.record(ev) }

// Add implements Recorder. Without a Record to go with, an added event is committed by Run or the next Flush.
func (d *Direct) Add(ev *Event) { d.queue.add(ev) }

// Stats returns the counts since NewDirect.
func (d *Direct) Stats() Stats { return d.queue.counted() }

// Flush returns when the database has everything that was added before the call, or with the error of the group it was in.
func (d *Direct) Flush() error { return d.queue.flush(false, false) }

// Close commits what is pending. Record fails from then on.
func (d *Direct) Close() error { return d.queue.flush(false, true) }

// Run commits added events every second until ctx ends. A group that fails is in Stats, and the next one is tried like any other.
func (d *Direct) Run(ctx context.Context) error {
	tick := time.NewTicker(absorbEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := d.Flush(); errors.Is(err, errClosed) {
				return nil
			}
		}
	}
}

// commit runs for one leader at a time.
func (d *Direct) commit(w work) error {
	if w.count == 0 {
		return nil
	}
	sums := newAggregator()
	if _, err := eachRecord(w.records, d.queue.seed, func(ev *Event) error {
		sums.add(ev)
		return nil
	}); err != nil {
		return err
	}
	d.number++
	m := Marker{Node: d.opts.Node, Epoch: d.epoch, Segment: d.number, SHA256: sha256.Sum256(w.records)}
	if err := d.absorb(m, sums.batch()); err != nil {
		return fault.Down(fmt.Errorf("%w: %w", ErrPerhaps, err), "the use of this call could not be recorded")
	}
	return nil
}

// absorb offers one batch until the database has answered or the patience is over. The patience counts from the first failure of an
// outage, over all groups: while it lasts, later groups try once and do not each make their callers wait as long again.
func (d *Direct) absorb(m Marker, b *Batch) error {
	pause := firstPause
	for {
		began := d.opts.Now()
		ctx, cancel := context.WithTimeout(context.Background(), d.opts.Patience)
		_, err := d.opts.Store.AbsorbUsage(ctx, m, b)
		cancel()
		if err == nil {
			d.down = time.Time{}
			return nil
		}
		if errors.Is(err, ErrMarkerConflict) {
			return err
		}
		if d.down.IsZero() {
			d.down = began
		}
		if d.opts.Now().Add(pause).Sub(d.down) > d.opts.Patience {
			return fmt.Errorf("after failing since %s: %w", d.down.UTC().Format(time.RFC3339Nano), err)
		}
		<-time.NewTimer(pause).C
		pause = min(2*pause, longestPause)
	}
}
