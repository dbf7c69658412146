package usage

import (
	"sync"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

const (
	maxAdded = 1 << 20 // bytes of events nobody waits for that one group may carry
	maxSpare = 4 << 20 // bytes of buffer kept from one group to the next
)

var (
	errClosed    error = fault.New(fault.Unavailable, "the server is stopping")
	errAbandoned error = fault.New(fault.Unavailable, "the use of this call could not be recorded")
)

// work is what the leader of a group does for all its members.
type work struct {
	records []byte // framed
	count   int
	seal    bool // somebody wants the segment sealed afterwards
}

// group is the callers that share one write and its answer.
type group struct {
	cond    sync.Cond
	members int // waiting or leading; the last to go returns the group to the queue
	work
	added     int // of work.count, how many nobody waits for
	addedSize int // their bytes
	done      bool
	err       error
}

// queue is group commit without a goroutine of its own. Callers append to the open group; whoever finds nobody leading
// leads: it closes that group, commits it while the next one fills, and lets its members go. A caller that is already running
// never waits to be scheduled just to have its bytes written, which is what a writer goroutine costs.
type queue struct {
	seed   uint32 // of the checksums
	max    int    // records in a group; 0 means no bound
	commit func(work) error

	mu     sync.Mutex
	room   sync.Cond // a full group was closed
	busy   bool      // somebody leads
	closed bool
	open   *group
	free   []*group // done and left by everyone; at most two are ever in use by leaders, the rest by slow leavers
	spare  []byte
	stats  Stats
}

func (q *queue) start() {
	q.room.L = &q.mu
	q.open = q.fresh()
}

// record implements Recorder.Record.
func (q *queue) record(ev *Event) error {
	if err := ev.Check(); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.full() && q.busy && !q.closed {
		q.room.Wait()
	}
	if q.closed {
		return errClosed
	}
	q.open.records = appendRecord(q.open.records, q.seed, ev)
	q.open.count++
	return q.await()
}

// add implements Recorder.Add.
func (q *queue) add(ev *Event) {
	bad := ev.Check() != nil
	q.mu.Lock()
	defer q.mu.Unlock()
	g := q.open
	if bad || q.closed || q.full() || g.addedSize >= maxAdded {
		q.stats.Dropped++
		return
	}
	before := len(g.records)
	g.records = appendRecord(g.records, q.seed, ev)
	g.count++
	g.added++
	g.addedSize += len(g.records) - before
}

// flush commits what is pending, and has the segment sealed if asked. The pending events' failure is their own callers' business.
func (q *queue) flush(seal, last bool) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return errClosed
	}
	q.closed = last
	q.open.seal = q.open.seal || seal
	return q.await()
}

func (q *queue) full() bool { return q.max > 0 && q.open.count >= q.max }

// await joins the open group and returns with its answer. q.mu is held on the way in and out.
func (q *queue) await() error {
	g := q.open
	g.members++
	for !g.done {
		if q.busy {
			g.cond.Wait()
			continue
		}
		// Nobody leads, so g cannot be in flight: it is the open group.
		q.lead(g)
	}
	err := g.err
	if g.members--; g.members == 0 {
		q.free = append(q.free, g)
	}
	return err
}

// lead closes the open group g and commits it, letting q.mu go meanwhile.
func (q *queue) lead(g *group) {
	q.busy = true
	q.open = q.fresh()
	q.open.records, q.spare = q.spare[:0], nil
	q.room.Broadcast()
	q.mu.Unlock()
	err := errAbandoned
	defer func() { // even if commit panics: the others must not wait for ever
		q.mu.Lock()
		q.finish(g, err)
	}()
	err = q.commit(g.work)
}

// finish gives the group its answer and the lead to the next.
func (q *queue) finish(g *group, err error) {
	q.busy = false
	if cap(g.records) <= maxSpare {
		q.spare = g.records
	}
	g.records = nil
	g.err, g.done = err, true
	q.count(g)
	g.cond.Broadcast()
	if q.open.members > 0 {
		// One of the next group must know that the lead is free. If a newcomer takes it first, that is for them all.
		q.open.cond.Signal()
	}
}

func (q *queue) count(g *group) {
	if g.err != nil {
		q.stats.Failed += int64(g.count - g.added)
		q.stats.Dropped += int64(g.added)
		return
	}
	q.stats.Records += int64(g.count)
	if g.count > 0 {
		q.stats.Groups++
	}
}

func (q *queue) fresh() *group {
	var g *group
	if n := len(q.free); n > 0 {
		g, q.free = q.free[n-1], q.free[:n-1]
		*g = group{}
	} else {
		g = &group{}
	}
	g.cond.L = &q.mu
	return g
}

func (q *queue) counted() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stats
}
