package servertest

import (
	"sync"
	"time"
)

// Clock is moved by hand; its Now is for Options.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock shows the real time, and keeps showing it.
func NewClock() *Clock { return &Clock{now: time.Now()} }

// Now is what the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
