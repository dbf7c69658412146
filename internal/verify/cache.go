package verify

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"github.com/lanyard-auth/lanyard/internal/id"
)

// cache keeps the entities of one kind. A read that began before a change was applied may have seen the entity as it was;
// it answers its caller, but is not kept if the entity changed since.
type cache[V any] struct {
	live    *otter.Cache[string, V]
	flights singleflight.Group
	timeout time.Duration
	now     func() time.Time
	applied func() id.Revision
	seed    maphash.Seed
	shards  [64]cacheShard
}

// cacheShard orders keeping and dropping the same entity.
type cacheShard struct {
	mu      sync.Mutex
	changed map[string]changedAt // entities changed lately
	resets  int
}

type changedAt struct {
	rev id.Revision
	at  time.Time
}

// remembered is how many changes a shard keeps before it forgets those that no read under way can have missed.
const remembered = 256

func newCache[V any](size int, timeout time.Duration, now func() time.Time, applied func() id.Revision) *cache[V] {
	c := &cache[V]{
		live: otter.Must(&otter.Options[string, V]{MaximumSize: max(size, 1)}), timeout: timeout, now: now, applied: applied, seed: maphash.MakeSeed(),
	}
	for i := range c.shards {
		c.shards[i].changed = map[string]changedAt{}
	}
	return c
}

func (c *cache[V]) shard(entity string) *cacheShard {
	return &c.shards[maphash.String(c.seed, entity)%uint64(len(c.shards))]
}

// peek returns what is kept, without asking anybody.
func (c *cache[V]) peek(entity string) (V, bool) { return c.live.GetIfPresent(entity) }

// get returns what is kept, or loads it. Callers who miss the same entity at the same time share one load, which goes on
// when one of them gives up and ends by the timeout.
func (c *cache[V]) get(ctx context.Context, entity string, load func(context.Context) (V, error)) (V, error) {
	if v, ok := c.live.GetIfPresent(entity); ok {
		return v, nil
	}
	loaded := c.flights.DoChan(entity, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
		defer cancel()
		return c.fill(ctx, entity, load)
	})
	var none V
	select {
	case r := <-loaded:
		if r.Err != nil {
			return none, r.Err
		}
		v, _ := r.Val.(V)
		return v, nil
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

func (c *cache[V]) fill(ctx context.Context, entity string, load func(context.Context) (V, error)) (V, error) {
	s := c.shard(entity)
	s.mu.Lock()
	resets := s.resets
	s.mu.Unlock()
	before := c.applied()
	v, err := load(ctx)
	if err != nil {
		return v, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.resets == resets && s.changed[entity].rev <= before {
		c.live.Set(entity, v)
	}
	return v, nil
}

// invalidate drops the entity, and keeps reads that began before rev was applied from bringing it back.
func (c *cache[V]) invalidate(entity string, rev id.Revision) {
	// Callers from now on must not join a load that began before the change.
	c.flights.Forget(entity)
	s := c.shard(entity)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := c.now()
	if len(s.changed) >= remembered {
		for other, change := range s.changed {
			if now.Sub(change.at) > 2*c.timeout {
				delete(s.changed, other)
			}
		}
	}
	s.changed[entity] = changedAt{rev: rev, at: now}
	c.live.Invalidate(entity)
}

// drop forgets an entity that did not change what it decides.
func (c *cache[V]) drop(entity string) { c.live.Invalidate(entity) }

func (c *cache[V]) reset() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.resets++
		s.mu.Unlock()
	}
	c.live.InvalidateAll()
}
