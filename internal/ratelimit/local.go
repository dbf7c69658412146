package ratelimit

import (
	"context"
	"time"
)

// Local counts in the memory of one node where others count in a Shared.
type Local struct{ Memory *Memory }

// Check is Memory.Check.
func (l Local) Check(_ context.Context, now time.Time, reqs []Request, into []Status) Outcome {
	return l.Memory.Check(now, reqs, into)
}

// Spend is Memory.Spend.
func (l Local) Spend(_ context.Context, now time.Time, reqs []Request, into []Status) Outcome {
	out := l.Memory.Spend(now, reqs, into)
	out.Spent.At = now
	return out
}

// Release is Memory.Release.
func (l Local) Release(_ context.Context, spent Receipt, reqs []Request) {
	l.Memory.Release(spent.At, reqs)
}
