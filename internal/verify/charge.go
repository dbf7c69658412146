package verify

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// charges remembers for ten minutes which idempotency keys were paid for. It remembers the charge, never the verdict. It
// spares limits a second charge; that the count has each once, after a crash and on any node, is seen to where usage is
// absorbed (usage.ChargeWindow).
type charges struct {
	shards [32]chargeShard
}

type chargeShard struct {
	mu    sync.Mutex
	paid  map[[16]byte]*charge
	order []agedCharge // oldest first
}

type agedCharge struct {
	digest [16]byte
	c      *charge
}

// charge is pending until done is closed.
type charge struct {
	at   time.Time
	done chan struct{}
	ok   bool // written before done is closed
}

func newCharges() *charges {
	c := &charges{}
	for i := range c.shards {
		c.shards[i].paid = map[[16]byte]*charge{}
	}
	return c
}

// chargeDigest names a charge: one idempotency key of one credential, or of what it stands for. Zero: none was given.
func chargeDigest(payer, idempotencyKey string) (digest [16]byte) {
	if idempotencyKey == "" {
		return digest
	}
	sum := sha256.Sum256([]byte(payer + "\x00" + idempotencyKey))
	copy(digest[:], sum[:])
	return digest
}

// claim reports whether the charge was paid already. If not, the caller must call settle with whether it is now. Of
// callers at the same time one pays and the others wait for what becomes of it.
func (c *charges) claim(ctx context.Context, digest [16]byte, now time.Time) (paid bool, settle func(bool), err error) {
	if digest == ([16]byte{}) {
		return false, func(bool) {}, nil
	}
	s := &c.shards[digest[0]%byte(len(c.shards))]
	for {
		s.mu.Lock()
		s.forget(now)
		there := s.paid[digest]
		if there == nil {
			mine := &charge{at: now, done: make(chan struct{})}
			s.paid[digest] = mine
			s.order = append(s.order, agedCharge{digest, mine})
			s.mu.Unlock()
			return false, func(ok bool) { s.settle(digest, mine, ok) }, nil
		}
		s.mu.Unlock()
		select {
		case <-there.done:
			if there.ok {
				return true, nil, nil
			}
		case <-ctx.Done():
			return false, nil, fault.Down(ctx.Err(), "a request with the same idempotency_key is still being charged")
		}
	}
}

func (s *chargeShard) settle(digest [16]byte, mine *charge, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mine.ok = ok
	if !ok && s.paid[digest] == mine {
		delete(s.paid, digest)
	}
	close(mine.done)
}

func (s *chargeShard) forget(now time.Time) {
	n := 0
	for ; n < len(s.order) && now.Sub(s.order[n].c.at) > usage.ChargeWindow; n++ {
		if old := s.order[n]; s.paid[old.digest] == old.c {
			delete(s.paid, old.digest)
		}
	}
	if n > 0 {
		s.order = append(s.order[:0], s.order[n:]...)
	}
}
