package outbound

import (
	"context"
	"sync"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// How many fetches run at once, overall and to one host. Others wait within their own time.
const (
	atOnce     = 32
	atOnceHost = 4
)

// turns lets only so many in. A slow host holds up those who want it, and no more than its share of all others.
type turns struct {
	all     chan struct{}
	perHost int
	mu      *sync.Mutex
	hosts   map[string]*queue // of hosts that somebody wants now
}

type queue struct {
	slots chan struct{}
	users int
}

func newTurns(all, perHost int) turns {
	return turns{all: make(chan struct{}, all), perHost: perHost, mu: new(sync.Mutex), hosts: map[string]*queue{}}
}

// take waits for a turn. The caller calls done when it is over.
func (t turns) take(ctx context.Context, host string) (done func(), err error) {
	q := t.join(host)
	if err := enter(ctx, q.slots); err != nil {
		t.leave(host)
		return nil, err
	}
	// The host's turn comes first: whoever waits for a slow host holds none of the others'.
	if err := enter(ctx, t.all); err != nil {
		<-q.slots
		t.leave(host)
		return nil, err
	}
	return func() {
		<-t.all
		<-q.slots
		t.leave(host)
	}, nil
}

func enter(ctx context.Context, slots chan struct{}) error {
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fault.Down(ctx.Err(), "too many fetches are under way; try again in a moment")
	}
}

func (t turns) join(host string) *queue {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := t.hosts[host]
	if q == nil {
		q = &queue{slots: make(chan struct{}, t.perHost)}
		t.hosts[host] = q
	}
	q.users++
	return q
}

func (t turns) leave(host string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if q := t.hosts[host]; q.users > 1 {
		q.users--
	} else {
		delete(t.hosts, host)
	}
}
