package verify

import "context"

// Settle counts an allowed call that was decided with Hold, and returns once the use is durable. If it cannot be made so, what was
// reserved is given back, and the call must not go on: the error is of kind fault.Unavailable. Of several calls of Settle and Drop
// the first has an effect; they are not for use at the same time.
func (v *Verifier) Settle(ctx context.Context, req *Request, d *Decision) error {
	if !d.held {
		return nil
	}
	d.held = false
	return v.record(ctx, req, d, d.cost, [16]byte{})
}

// Drop gives the units back that an allowed call reserved which was decided with Hold and never came to be. What its limits took stays
// taken: whoever calls in vain may not call faster for it.
func (v *Verifier) Drop(d *Decision) {
	if !d.held {
		return
	}
	d.held = false
	v.Quotas.Release(d.asks)
}
