package verify

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// ringWatch keeps the keyring in step with the log of changes. What was proven under one generation of it is not believed
// under the next: a key may have been dropped because it was stolen.
type ringWatch struct {
	changed atomic.Int64 // generation the log speaks of
	read    atomic.Int64 // generation that was read
	asked   atomic.Int64 // when an unknown key last made us read, in nanoseconds
	flight  singleflight.Group
	soon    chan struct{}
}

// between is how often texts that name an unknown key may make this node read the keyring.
const between = time.Second

// ringChanged notes that the keyring is no longer what was read. The next token waits for it to be read; Upgrade reads it
// aside, so that mostly none has to.
func (v *Verifier) ringChanged() {
	v.ring.changed.Add(1)
	select {
	case v.ring.soon <- struct{}{}:
	default:
	}
}

// ringNow returns the generation of the keyring in use, after reading it if the log has a newer one.
func (v *Verifier) ringNow(ctx context.Context) (int64, error) {
	for {
		generation := v.ring.changed.Load()
		if v.ring.read.Load() >= generation {
			return generation, nil
		}
		if err := v.readRing(ctx); err != nil {
			return 0, err
		}
	}
}

// readRing reads the keyring anew; callers at the same time share it.
func (v *Verifier) readRing(ctx context.Context) error {
	done := v.ring.flight.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), v.Timeout)
		defer cancel()
		generation := v.ring.changed.Load()
		if err := v.Ring.Reload(ctx); err != nil {
			return nil, fault.Down(err, "the keyring cannot be read")
		}
		for read := v.ring.read.Load(); read < generation && !v.ring.read.CompareAndSwap(read, generation); read = v.ring.read.Load() {
		}
		return nil, nil
	})
	select {
	case r := <-done:
		return r.Err
	case <-ctx.Done():
		return fault.Down(ctx.Err(), "the keyring cannot be read")
	}
}

// readForUnknown reads the keyring because a text names a key that is not in it, and reports whether it did: at most once
// a second, however many such texts are made up.
func (v *Verifier) readForUnknown(ctx context.Context) (bool, error) {
	now := v.Now().UnixNano()
	last := v.ring.asked.Load()
	if now-last < int64(between) && now >= last || !v.ring.asked.CompareAndSwap(last, now) {
		return false, nil
	}
	return true, v.readRing(ctx)
}
