package quota

import (
	"context"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

const (
	largest    = 1000                   // units of a block, unless one call costs more
	part       = 100                    // a block is at most this part of the quota
	emptyFor   = 250 * time.Millisecond // a dry pool is not asked again that soon
	idleAfter  = 5 * time.Second        // what was not touched for that long goes back
	wantedFor  = 5 * time.Second
	tidyEvery  = 500 * time.Millisecond
	deadAfter  = 10 * time.Second // long after such a node refuses everything: it does not know of changes
	leaveAlone = time.Minute      // after a period's end, for calls under way
	shards     = 64
)

// Keeper spends this node's blocks and leases new ones. Its fields are set before its first use; it must not be copied.
type Keeper struct {
	Store Store
	Node  id.Node // of this start
	// Spool names the directory where the node's uses wait for the database, from one start to the next; "": they go there at once.
	Spool string
	// Recovered reports whether the uses of earlier starts on the spool are all absorbed.
	Recovered func() bool
	Timeout   time.Duration // of a lease; 0 means 2 s
	Now       func() time.Time
	Log       *slog.Logger

	leases atomic.Int64 // begun
	once   sync.Once
	seed   maphash.Seed
	shards [shards]shard
}

type shard struct {
	mu    sync.RWMutex
	pools map[held]*pool
}

// held names a pool.
type held struct {
	subject Subject
	start   int64 // microseconds UTC
}

// pool is what this node holds of one quota. Whoever has the lock may ask the database for more: the others wait for the answer.
type pool struct {
	mu      sync.Mutex
	end     time.Time
	limit   int64
	free    int64 // units leased and not spent
	left    int64 // in the database's pool when it was asked last
	touched time.Time
	emptied time.Time // when the pool had too little
	short   int64     // how much it had too little for, then
	gone    bool      // forgotten: a new one is made
	lease   int       // its number: what another paid for does not go back to this one
}

func (k *Keeper) start() {
	k.once.Do(func() {
		k.seed = maphash.MakeSeed()
		for i := range k.shards {
			k.shards[i].pools = map[held]*pool{}
		}
	})
}

// Take spends every ask's cost, or nothing at all when one is refused; its index is denied, else -1. An error is of kind
// fault.Unavailable: whether there is enough cannot be said.
func (k *Keeper) Take(ctx context.Context, now time.Time, asks []Ask) (denied int, err error) {
	for i := range asks {
		ok, err := k.take(ctx, now, &asks[i])
		if err == nil && ok {
			continue
		}
		k.Release(asks[:i])
		return i, err
	}
	return -1, nil
}

// Release gives back what an allowed Take of the same asks spent, because a later step refused the call.
func (k *Keeper) Release(asks []Ask) {
	for i := range asks {
		if asks[i].Cost == 0 {
			continue
		}
		p := k.pool(&asks[i])
		if p.lease == asks[i].lease {
			p.free += asks[i].Cost
		}
		p.mu.Unlock()
	}
}

// Check answers as Take would, as far as this node knows, and spends nothing.
func (k *Keeper) Check(ctx context.Context, now time.Time, asks []Ask) (denied int, err error) {
	denied = -1
	for i := range asks {
		cost := asks[i].Cost
		asks[i].Cost = 0
		_, err := k.take(ctx, now, &asks[i])
		asks[i].Cost = cost
		if err != nil {
			return i, err
		}
		if cost > asks[i].seen.Remaining && denied < 0 {
			denied = i
		}
	}
	return denied, nil
}

// Status is how the quota of an ask stood after the Take or Check it was part of.
func (a *Ask) Status() Status { return a.seen }

func (k *Keeper) take(ctx context.Context, now time.Time, a *Ask) (ok bool, err error) {
	p := k.pool(a)
	defer p.mu.Unlock()
	defer func() { a.seen = p.status(a) }()
	p.touched = now
	unknown := p.limit != a.Limit || !p.end.Equal(a.End)
	if unknown { // new here, or another quota now: what was leased under another limit is none of this one's
		if err := k.giveBack(ctx, a, p); err != nil {
			return false, err
		}
		p.left, p.emptied, p.end = 0, time.Time{}, a.End
	}
	for try := 0; unknown || a.Cost > p.free; try++ {
		unknown = false
		if a.Cost >= p.short && now.Sub(p.emptied) < emptyFor || try == 2 {
			return false, nil
		}
		if err := k.lease(ctx, now, a, p); err != nil {
			return false, err
		}
	}
	p.free -= a.Cost
	a.lease = p.lease
	return true, nil
}

// lease asks for a block that covers the ask.
func (k *Keeper) lease(ctx context.Context, now time.Time, a *Ask, p *pool) error {
	ctx, cancel := context.WithTimeout(ctx, k.timeout())
	defer cancel()
	need := max(a.Cost-p.free, 0)
	got, err := k.Store.LeaseQuota(ctx, Lease{
		Node: k.Node, Spool: k.Spool, Subject: a.Subject, Start: a.Start, End: a.End, Limit: a.Limit, Need: need, Want: max(1, min(largest, a.Limit/part)), Now: now,
	})
	if err != nil {
		return fault.Down(err, "what is left of the quota cannot be found out")
	}
	if got.Anew {
		p.free, p.lease = 0, k.begin()
	}
	p.limit, p.free, p.left = a.Limit, p.free+got.Granted, got.Left
	p.emptied, p.short = time.Time{}, 0
	if got.Granted < need {
		p.emptied, p.short = now, need
	}
	return nil
}

// begin numbers a lease.
func (k *Keeper) begin() int { return int(k.leases.Add(1)) }

func (k *Keeper) timeout() time.Duration {
	if k.Timeout == 0 {
		return 2 * time.Second
	}
	return k.Timeout
}

// giveBack returns what the pool holds. It is locked.
func (k *Keeper) giveBack(ctx context.Context, a *Ask, p *pool) error {
	if p.free <= 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, k.timeout())
	defer cancel()
	units := p.free
	p.free = 0 // before the answer: one that is lost may have been heard
	if err := k.Store.ReturnQuota(ctx, k.Node, []Return{{Subject: a.Subject, Start: a.Start, Units: units}}); err != nil {
		return fault.Down(err, "what is left of the quota cannot be found out")
	}
	return nil
}

func (p *pool) status(a *Ask) Status {
	remaining := min(max(p.free+p.left, 0), a.Limit)
	return Status{Limit: a.Limit, Used: a.Limit - remaining, Remaining: remaining, ResetsAt: a.End}
}

// pool returns the pool of an ask, locked.
func (k *Keeper) pool(a *Ask) *pool {
	k.start()
	key := held{a.Subject, a.Start.UnixMicro()}
	s := &k.shards[maphash.String(k.seed, string(a.Subject))%shards]
	for {
		s.mu.RLock()
		p := s.pools[key]
		s.mu.RUnlock()
		if p == nil {
			s.mu.Lock()
			if p = s.pools[key]; p == nil {
				p = &pool{end: a.End, lease: k.begin()}
				s.pools[key] = p
			}
			s.mu.Unlock()
		}
		if p.mu.Lock(); !p.gone {
			return p
		}
		p.mu.Unlock()
	}
}

// each visits every pool, locked, and forgets those that visit says.
func (k *Keeper) each(visit func(held, *pool) (forget bool)) {
	for i := range k.shards {
		s := &k.shards[i]
		s.mu.RLock()
		all := make(map[held]*pool, len(s.pools))
		for key, p := range s.pools {
			all[key] = p
		}
		s.mu.RUnlock()
		for key, p := range all {
			p.mu.Lock()
			forget := visit(key, p)
			p.gone = p.gone || forget
			p.mu.Unlock()
			if forget {
				s.mu.Lock()
				if s.pools[key] == p {
					delete(s.pools, key)
				}
				s.mu.Unlock()
			}
		}
	}
}

// Run gives back what is idle or wanted, and what dead nodes left, until ctx ends. Whoever ends it calls GiveBack then.
func (k *Keeper) Run(ctx context.Context) {
	k.start()
	ticker := time.NewTicker(tidyEvery)
	defer ticker.Stop()
	settled, failing := k.Spool == "", false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := k.tidy(ctx, &settled)
		if err != nil && !failing && ctx.Err() == nil { // once an outage, not twice a second
			k.Log.Warn("blocks of quotas cannot be given back; what this server held counts as used until its next start", "error", err)
		}
		failing = err != nil
	}
}

// tidy is one round of Run.
func (k *Keeper) tidy(ctx context.Context, settled *bool) error {
	if !*settled && k.Recovered() {
		if err := k.Store.SettleSpool(ctx, k.Spool, k.Node); err != nil {
			return err
		}
		*settled = true
	}
	if err := k.Store.SettleDead(ctx, deadAfter); err != nil {
		return err
	}
	wanted, err := k.Store.WantedQuotas(ctx, k.Node, wantedFor)
	if err != nil {
		return err
	}
	want := make(map[held]bool, len(wanted))
	lost := map[held]bool{}
	for _, w := range wanted {
		key := held{w.Subject, w.Start.UnixMicro()}
		want[key], lost[key] = !w.Ended, w.Ended
	}
	k.each(func(key held, _ *pool) (forget bool) { return lost[key] })
	return k.giveBackIf(ctx, func(key held, p *pool, now time.Time) bool { return want[key] || now.Sub(p.touched) > idleAfter })
}

// GiveBack returns everything: this node takes no more calls.
func (k *Keeper) GiveBack(ctx context.Context) error {
	k.start()
	return k.giveBackIf(ctx, func(held, *pool, time.Time) bool { return true })
}

func (k *Keeper) giveBackIf(ctx context.Context, is func(held, *pool, time.Time) bool) error {
	now := k.Now()
	var returns []Return
	k.each(func(key held, p *pool) (forget bool) {
		if p.free > 0 && is(key, p, now) {
			returns = append(returns, Return{Subject: key.subject, Start: time.UnixMicro(key.start).UTC(), Units: p.free})
			p.left += p.free
			p.free = 0
		}
		return now.Sub(p.end) > leaveAlone || p.free == 0 && now.Sub(p.touched) > idleAfter
	})
	if len(returns) == 0 {
		return nil
	}
	return k.Store.ReturnQuota(ctx, k.Node, returns)
}
