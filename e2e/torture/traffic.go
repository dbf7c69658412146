package main

import (
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// dearest is the most that one use costs.
const dearest = 1000

// traffic is clients that ask, each time any of the nodes.
type traffic struct {
	nodes    []*victim
	clients  sync.WaitGroup
	stopping atomic.Bool

	acknowledged, acknowledgedUnits atomic.Int64
	told, tried                     atomic.Int64
}

// start sets eight clients going. They end when ctx does, or after finish.
func (t *traffic) start(ctx context.Context) {
	for c := range 8 {
		t.clients.Go(func() {
			for i := 0; !t.stopping.Load() && ctx.Err() == nil; i++ {
				cost := 1 + mathrand.Int64N(dearest)
				if c%2 == 0 {
					if t.repeat(ctx, use{key: t.nodes[0].repeating, cost: cost, idempotencyKey: fmt.Sprintf("%d-%d", c, i)}) {
						t.acknowledged.Add(1)
						t.acknowledgedUnits.Add(cost)
					}
					continue
				}
				t.tried.Add(1)
				if t.any().ask(ctx, use{key: t.nodes[0].once, cost: cost}) == nil {
					t.told.Add(1)
				}
			}
		})
	}
}

// finish lets clients bring to an end what they began: it needs nodes that live.
func (t *traffic) finish() {
	t.stopping.Store(true)
	t.clients.Wait()
}

func (t *traffic) any() *victim { return t.nodes[mathrand.IntN(len(t.nodes))] }

// repeat asks until the answer is yes. Once in four it asks again after that, as one does whose answer was lost on its way:
// kills alone seldom fall between the count and the answer.
func (t *traffic) repeat(ctx context.Context, u use) bool {
	for ctx.Err() == nil {
		if t.any().ask(ctx, u) == nil {
			if mathrand.IntN(4) == 0 {
				_ = t.any().ask(ctx, u) // whatever it says, it was counted
			}
			return true
		}
		pause(ctx, 5*time.Millisecond)
	}
	return false
}

func (t *traffic) report(r *report) {
	r.acknowledged, r.acknowledgedUnits = t.acknowledged.Load(), t.acknowledgedUnits.Load()
	r.told, r.tried = t.told.Load(), t.tried.Load()
}

// pause is how long something is left alone. Nothing depends on its length.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// moment is a random one between the two, so that kills meet everything that is done.
func moment(least, most time.Duration) time.Duration {
	return least + mathrand.N(most-least)
}
