package ratelimit

import (
	"hash/maphash"
	"maps"
	"math/bits"
	"strings"
	"sync"
	"time"
)

// Never is the RetryAfter of a cost that the limit can never admit.
const Never time.Duration = -1

// Request asks one limit on behalf of one subject.
type Request struct {
	Limit   Limit
	Subject string // who is counted: an id, a source address
	Cost    int64  // units; 0 only reports, less than 0 is refused
}

// Status says how one limit stands after an Outcome.
type Status struct {
	Limit      Limit
	Remaining  int64         // units that could be spent at once
	ResetAfter time.Duration // until the whole burst is there again; 0 when it is
	RetryAfter time.Duration // until this request's cost would fit; 0 when it fits; Never
}

// Outcome answers a Check or a Spend.
type Outcome struct {
	Allowed  bool
	Denied   int      // index of the first request that was refused; -1 when allowed
	Statuses []Status // the slice that was handed in, with one Status a request appended
	Spent    Receipt  // by a Local or a Shared: for their Release
}

// Receipt says when and where a Spend took what it took.
type Receipt struct {
	At    time.Time // by the clock that counted
	Nodes int       // 0: all count together; else each of so many counts its part by itself
}

// shardCount is the number of locks; a request notes the shards it touches in the bits of a uint64.
const shardCount = 64

// sweepFrom is the number of cells below which a shard is not worth looking through.
const sweepFrom = 16

// Memory counts in the memory of one node. It is exact under any number of goroutines.
//
// Time is what callers pass, taken relative to the start, by the monotonic clock where both readings have one. A shard
// never goes back: an earlier time than it has seen counts as that one. So a clock set back admits nothing extra.
//
// Cells that have drained are dropped when a shard has grown to twice what was alive at its last sweep, so memory stays
// within about twice the live subjects, at a constant cost per new one.
type Memory struct {
	start  time.Time
	seed   maphash.Seed
	shards [shardCount]shard
}

type shard struct {
	mu      sync.Mutex
	cells   map[cellKey]*cell
	latest  int64 // latest time seen, in nanoseconds since the start
	sweepAt int   // number of cells that calls for the next sweep
}

// cellKey names a cell. N is not part of it: a limit whose N is changed keeps its cell, and with it the share of the
// window that was spent. Another window is another cell, and starts full.
type cellKey struct {
	subject, name string
	window        time.Duration
}

// cell is the theoretical arrival time of GCRA: when the bucket will be empty of spent units, in nanoseconds since the
// start. At or before now the whole burst is there. It is only touched under its shard's lock.
type cell struct {
	tat int64
}

// NewMemory returns an empty Memory. start is the current time; later times count from it.
func NewMemory(start time.Time) *Memory {
	m := &Memory{start: start, seed: maphash.MakeSeed()}
	for i := range m.shards {
		m.shards[i].cells = map[cellKey]*cell{}
		m.shards[i].sweepAt = sweepFrom
	}
	return m
}

// Check answers as Spend would and spends nothing.
func (m *Memory) Check(now time.Time, reqs []Request, into []Status) Outcome {
	return m.ask(now, reqs, into, false)
}

// Spend takes every request's cost from its limit, or nothing at all when one refuses; no other call sees a state in
// between. Requests of the same limit and subject are charged one after another.
//
// One Status a request is appended to into, in the order of reqs. With room in it and subjects known, nothing is allocated.
func (m *Memory) Spend(now time.Time, reqs []Request, into []Status) Outcome {
	return m.ask(now, reqs, into, true)
}

func (m *Memory) ask(now time.Time, reqs []Request, into []Status, keep bool) Outcome {
	touched := m.lock(reqs)
	defer m.unlock(touched)
	at := m.advance(touched, m.since(now))

	out := Outcome{Allowed: true, Denied: -1, Statuses: into}
	for i := range reqs {
		wait := m.take(at, &reqs[i])
		if wait != 0 && out.Allowed {
			out.Allowed, out.Denied = false, i
		}
		out.Statuses = append(out.Statuses, Status{Limit: reqs[i].Limit, RetryAfter: wait})
	}
	statuses := out.Statuses[len(into):]
	if !out.Allowed || !keep {
		for i := range reqs {
			if statuses[i].RetryAfter == 0 {
				m.giveBack(at, &reqs[i], 0)
			}
		}
	}
	for i := range reqs {
		m.report(at, &reqs[i], &statuses[i])
	}
	return out
}

// Release gives back what an allowed Spend at the time spent took, because a later step refused the call.
//
// A unit that may have refilled meanwhile is not given back a second time: the later the release, the less it returns,
// down to nothing after cost*window/N. It errs towards refusing, never towards admitting too much.
func (m *Memory) Release(spent time.Time, reqs []Request) {
	touched := m.lock(reqs)
	defer m.unlock(touched)
	then := m.since(spent)
	at := m.advance(touched, then)
	for i := range reqs {
		m.giveBack(at, &reqs[i], at-then)
	}
}

// Len returns the number of cells held, drained ones that were not yet dropped included.
func (m *Memory) Len() int {
	n := 0
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		n += len(s.cells)
		s.mu.Unlock()
	}
	return n
}

// take spends a request's cost and returns 0, or leaves the cell alone and returns how long to wait.
func (m *Memory) take(at int64, r *Request) time.Duration {
	interval := r.Limit.interval()
	if interval == 0 || r.Cost < 0 || r.Cost > r.Limit.N {
		return Never
	}
	if r.Cost == 0 {
		return 0
	}
	s, key := m.find(r)
	c := s.cells[key]
	tat := at
	if c != nil {
		tat = max(c.tat, at)
	}
	tat += r.Cost * interval
	if over := tat - at - r.Limit.N*interval; over > 0 {
		return time.Duration(over)
	}
	if c == nil {
		c = s.add(at, key)
	}
	c.tat = tat
	return 0
}

// giveBack undoes a take of elapsed nanoseconds ago. What is left when nothing else was spent is a drained cell, so it
// goes at once: checks and refusals leave none behind.
func (m *Memory) giveBack(at int64, r *Request, elapsed int64) {
	if r.Cost < 1 || r.Cost > r.Limit.N {
		return
	}
	back := r.Cost*r.Limit.interval() - elapsed
	s, key := m.find(r)
	c := s.cells[key]
	if c == nil || back <= 0 {
		return
	}
	c.tat -= back
	if c.tat <= at {
		delete(s.cells, key)
	}
}

func (m *Memory) report(at int64, r *Request, status *Status) {
	interval := r.Limit.interval()
	if interval == 0 {
		return
	}
	s, key := m.find(r)
	var used int64
	if c := s.cells[key]; c != nil {
		used = max(c.tat-at, 0)
	}
	// Below zero only when N was lowered after the spending: N*interval of the old one may be N nanoseconds longer.
	status.Remaining = max(r.Limit.N*interval-used, 0) / interval
	status.ResetAfter = time.Duration(used)
}

// find returns the shard and the key of a request's cell. All limits of a subject share a shard, hence a lock.
func (m *Memory) find(r *Request) (*shard, cellKey) {
	return &m.shards[m.shardOf(r.Subject)], cellKey{subject: r.Subject, name: r.Limit.Name, window: r.Limit.Window}
}

func (m *Memory) shardOf(subject string) uint64 {
	return maphash.String(m.seed, subject) % shardCount
}

// since returns nanoseconds since the start. Times centuries off stop short of where adding a window would overflow.
func (m *Memory) since(t time.Time) int64 {
	const far = 1 << 62
	return min(max(int64(t.Sub(m.start)), -far), far)
}

// lock locks the shards of all requests in ascending order, so that two calls cannot wait for each other, and returns
// them as bits.
func (m *Memory) lock(reqs []Request) (touched uint64) {
	for i := range reqs {
		touched |= 1 << m.shardOf(reqs[i].Subject)
	}
	for rest := touched; rest != 0; rest &= rest - 1 {
		m.shards[bits.TrailingZeros64(rest)].mu.Lock()
	}
	return touched
}

func (m *Memory) unlock(touched uint64) {
	for rest := touched; rest != 0; rest &= rest - 1 {
		m.shards[bits.TrailingZeros64(rest)].mu.Unlock()
	}
}

// advance returns the latest of at and what the locked shards have seen, and makes them remember it. Without it a cell
// dropped as drained would be fresh for a caller whose clock is behind.
func (m *Memory) advance(touched uint64, at int64) int64 {
	for rest := touched; rest != 0; rest &= rest - 1 {
		at = max(at, m.shards[bits.TrailingZeros64(rest)].latest)
	}
	for rest := touched; rest != 0; rest &= rest - 1 {
		m.shards[bits.TrailingZeros64(rest)].latest = at
	}
	return at
}

// add makes a cell, after a sweep when it is time for one. The strings are copied: a subject cut out of a request must
// not keep the request in memory, nor a credential it came in.
func (s *shard) add(at int64, key cellKey) *cell {
	if len(s.cells) >= s.sweepAt {
		s.sweep(at)
	}
	key.subject, key.name = strings.Clone(key.subject), strings.Clone(key.name)
	c := &cell{}
	s.cells[key] = c
	return c
}

// sweep drops the cells that have drained. A map does not shrink by itself, so a crowd that left is followed by a new map.
func (s *shard) sweep(at int64) {
	before := len(s.cells)
	maps.DeleteFunc(s.cells, func(_ cellKey, c *cell) bool { return c.tat <= at })
	alive := len(s.cells)
	if alive < before/8 {
		shrunk := make(map[cellKey]*cell, alive)
		maps.Copy(shrunk, s.cells)
		s.cells = shrunk
	}
	s.sweepAt = max(sweepFrom, 2*alive)
}
