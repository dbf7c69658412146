package lanyard

import (
	"context"
	"fmt"
	"io"
	"time"
)

// stream makes a call whose answer has no limit. Refusals are read whole, like any other.
func (c *Client) stream(ctx context.Context, k call) (io.ReadCloser, error) {
	limit := DefaultTimeout
	if c.Timeout > 0 {
		limit = c.Timeout
	}
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(limit, func() { cancel(&lateError{c.URL, limit}) })
	res, err := c.send(ctx, k, nil, "")
	if err != nil {
		late.Stop()
		cancel(nil)
		return nil, fmt.Errorf("%s: %w", k.op, err)
	}
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		if !late.Stop() { // it came in the very moment
			_ = res.Body.Close()
			return nil, fmt.Errorf("%s: %w", k.op, context.Cause(ctx))
		}
		return &streamBody{res.Body, cancel}, nil
	}
	defer late.Stop()
	defer cancel(nil)
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.op, c.unreachable(ctx, err))
	}
	a := answer{res.StatusCode, res.Header, text}
	return nil, a.refusal(k.op, c.Token)
}

// streamBody ends the call's context when it is closed.
type streamBody struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

func (b *streamBody) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}
