package ratelimit

import "sync/atomic"

// failuresToOpen is how many calls in a row have to fail before no more are made.
const failuresToOpen = 3

// breaker keeps calls away from what does not answer them. While it is open nobody calls; whoever looks after it closes it
// when it has seen that calls work again.
type breaker struct {
	open     atomic.Bool
	failures atomic.Int64 // in a row
}

// worked notes a call that was answered.
func (b *breaker) worked() {
	if b.failures.Load() != 0 {
		b.failures.Store(0)
	}
}

// failed notes a call that was not, and reports whether that opened the breaker.
func (b *breaker) failed() bool {
	return b.failures.Add(1) >= failuresToOpen && b.open.CompareAndSwap(false, true)
}

// close lets calls pass again, and reports whether it was open.
func (b *breaker) close() bool {
	b.failures.Store(0)
	return b.open.CompareAndSwap(true, false)
}
