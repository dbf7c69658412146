package verify

import (
	"context"

	"github.com/lanyard-auth/lanyard/internal/policy"
)

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

// Still decides anew on a call that was allowed, if anything was heard of since that could alter that, and reports whether it is allowed now.
// If it is not, d says why. Nothing is charged. An error is one of Verify's: nobody can say.
func (v *Verifier) Still(ctx context.Context, req *Request, d *Decision) (bool, error) {
	if v.current(d) {
		return true, nil
	}
	again, next := *req, Decision{bound: d.bound}
	again.trusted = true // it was known once: this is no attempt of anybody
	err := v.fresh(ctx, func() error {
		next.reset()
		return v.decide(ctx, &again, &next)
	})
	if err != nil {
		return false, err
	}
	if next.Code == policy.Valid {
		d.heard, d.Until = next.heard, next.Until
		return true, nil
	}
	d.Code, d.DeniedBy, d.MissingScopes = next.Code, next.DeniedBy, next.MissingScopes
	return false, nil
}
