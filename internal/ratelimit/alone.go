package ratelimit

import "time"

// alone decides without Redis, as each limit's WhenUnavailable says.
func (s *Shared) alone(now time.Time, reqs []Request, into []Status, keep bool) Outcome {
	nodes := max(s.opts.Nodes(), 1)
	var room [8]Request
	own := parts(room[:0], reqs, nodes)
	out := s.opts.Memory.ask(now, own, into, keep)
	out.Spent = Receipt{At: now, Nodes: nodes}
	for i := range reqs {
		r, status := &reqs[i], &out.Statuses[len(into)+i]
		status.Limit = r.Limit
		if own[i].Cost < 0 {
			status.Remaining, status.ResetAfter = 0, 0
		}
		if status.RetryAfter == Never && r.possible() {
			status.RetryAfter = whileAlone
		}
	}
	return out
}

// parts appends what Memory is to be asked in place of the requests, when each of so many nodes counts by itself. A cost
// of -1 is refused, one of 0 passes.
func parts(into, reqs []Request, nodes int) []Request {
	for _, r := range reqs {
		switch {
		case !r.possible():
		case r.Limit.WhenUnavailable == Open:
			r.Cost = 0
		case r.Limit.WhenUnavailable == Closed || r.Limit.N < int64(nodes):
			r.Cost = max(-r.Cost, -1)
		default:
			r.Limit.N /= int64(nodes)
		}
		into = append(into, r)
	}
	return into
}

// possible reports whether the limit could ever admit the cost.
func (r *Request) possible() bool {
	return r.Limit.interval() > 0 && r.Cost >= 0 && r.Cost <= r.Limit.N
}
