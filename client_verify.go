package lanyard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// Verify asks whether a request may pass (POST /v1/verify, scope lanyard.verify). A refused credential is a Decision whose
// Allowed is false, with a nil error. An error means that nothing was decided, and the request must not pass. An answer
// that contradicts itself is an error too.
//
// A call whose connection breaks may have been charged. With an IdempotencyKey (or DryRun) it is repeated once by itself.
func (c *Client) Verify(ctx context.Context, in VerifyRequest) (Decision, error) {
	k := call{op: "verify", method: http.MethodPost, at: []string{"verify"}, in: in, repeat: in.chargesOnce()}
	d, err := fetch[Decision](ctx, c, k)
	if err != nil {
		return Decision{}, err
	}
	if err := d.check(); err != nil {
		return Decision{}, fmt.Errorf("verify: %w", err)
	}
	return d, nil
}

// VerifyBatch asks for up to 100 decisions at once. The results are in the order of the requests, each a decision or the
// problem that kept it from being made.
func (c *Client) VerifyBatch(ctx context.Context, in []VerifyRequest) ([]BatchItem, error) {
	chargesTwice := slices.ContainsFunc(in, func(r VerifyRequest) bool { return !r.chargesOnce() })
	k := call{op: "verify a batch", method: http.MethodPost, at: []string{"verify", "batch"}, in: BatchRequest{in}, repeat: !chargesTwice}
	out, err := fetch[BatchAnswer](ctx, c, k)
	if err != nil {
		return nil, err
	}
	if len(out.Items) != len(in) {
		return nil, fmt.Errorf("verify a batch: %d answers to %d questions", len(out.Items), len(in))
	}
	for i, item := range out.Items {
		if (item.Decision == nil) == (item.Problem == nil) {
			return nil, fmt.Errorf("verify a batch: answer %d is not one of decision and problem", i)
		}
		if item.Decision != nil {
			if err := item.Decision.check(); err != nil {
				return nil, fmt.Errorf("verify a batch: answer %d: %w", i, err)
			}
		}
	}
	return out.Items, nil
}

// chargesOnce says that sending it twice charges no more than sending it once.
func (r VerifyRequest) chargesOnce() bool { return r.IdempotencyKey != "" || r.DryRun }

// check refuses a decision that nobody made: "{}", a page of some proxy, or one whose parts say different things.
func (d *Decision) check() error {
	switch {
	case d.Code == "":
		return errors.New("the answer is no decision: is LANYARD_URL right?")
	case d.Allowed && d.Code == "valid" && d.HTTP.Status == http.StatusOK:
		return nil
	case d.Allowed || d.Code == "valid":
		return fmt.Errorf("the decision contradicts itself: allowed %t, code %.40q, status %d", d.Allowed, d.Code, d.HTTP.Status)
	}
	switch d.HTTP.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		return nil
	}
	return fmt.Errorf("the decision is %.40q with status %d: want 401, 403 or 429", d.Code, d.HTTP.Status)
}
