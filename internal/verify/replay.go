package verify

import (
	"crypto/sha256"
	"hash/maphash"
	"sync"
	"time"
)

// replays remembers which DPoP proofs were shown to this node, as long as they could be shown again. It is of bounded size:
// what is dropped to make room is the oldest, so a flood shortens the memory and keeps nobody out.
type replays struct {
	seed   maphash.Seed
	shards [16]replayShard
}

type replayShard struct {
	mu    sync.Mutex
	seen  map[[16]byte]struct{}
	order []agedProof // in the order they came
}

type agedProof struct {
	digest [16]byte
	until  int64 // seconds
}

// proofsKept is how many proofs a shard remembers at most.
const proofsKept = 1 << 16

func newReplays() *replays {
	r := &replays{seed: maphash.MakeSeed()}
	for i := range r.shards {
		r.shards[i].seen = map[[16]byte]struct{}{}
	}
	return r
}

// first notes a proof and reports whether it was never shown before.
func (r *replays) first(p *Possession, now time.Time) bool {
	sum := sha256.Sum256([]byte(p.Thumbprint + "\x00" + p.ID))
	digest := [16]byte(sum[:16])
	s := &r.shards[maphash.Bytes(r.seed, digest[:])%uint64(len(r.shards))]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(now.Unix())
	if _, again := s.seen[digest]; again {
		return false
	}
	s.seen[digest] = struct{}{}
	s.order = append(s.order, agedProof{digest, p.IssuedAt.Add(ProofLife).Unix() + 1})
	return true
}

// forget drops from the front what can be shown no longer, and makes room.
func (s *replayShard) forget(now int64) {
	n := 0
	for n < len(s.order) && (s.order[n].until < now || len(s.order)-n >= proofsKept) {
		delete(s.seen, s.order[n].digest)
		n++
	}
	if n > 0 {
		s.order = s.order[n:]
	}
}
