package lanyard

import (
	"context"
	"iter"
	"net/http"
)

// StripeQuery narrows a list of events; what is empty narrows nothing.
type StripeQuery struct {
	TeamID string
	State  string // waiting, sent, failed, unsure, too_late or dismissed
	ListQuery
}

// Stripe says how far Stripe was told what was counted.
func (c *Client) Stripe(ctx context.Context) (StripeStatus, error) {
	return fetch[StripeStatus](ctx, c, call{op: "show the export to Stripe", method: http.MethodGet, at: []string{"billing", "stripe"}})
}

// StripeEvents returns a page of events, newest first.
func (c *Client) StripeEvents(ctx context.Context, q StripeQuery) (Page[StripeEvent], error) {
	v := q.ListQuery.values()
	set(v, "team_id", q.TeamID)
	set(v, "state", q.State)
	return fetch[Page[StripeEvent]](ctx, c, call{op: "list events for Stripe", method: http.MethodGet, at: []string{"billing", "stripe", "events"}, query: v})
}

// AllStripeEvents goes through all events.
func (c *Client) AllStripeEvents(ctx context.Context, q StripeQuery) iter.Seq2[StripeEvent, error] {
	return all(q.ListQuery, func(page ListQuery) (Page[StripeEvent], error) {
		q.ListQuery = page
		return c.StripeEvents(ctx, q)
	})
}

// RetryStripeEvents has events that Stripe refused sent again, so many at a time that a call may have to be repeated until it says 0.
func (c *Client) RetryStripeEvents(ctx context.Context) (StripeRetried, error) {
	return fetch[StripeRetried](ctx, c, call{op: "send events to Stripe again", method: http.MethodPost, at: []string{"billing", "stripe", "retry"}})
}

// RetryStripeEvent has a failed or unsure event sent again.
func (c *Client) RetryStripeEvent(ctx context.Context, identifier string) (StripeEvent, error) {
	return fetch[StripeEvent](ctx, c, call{op: "send an event to Stripe again", method: http.MethodPost, at: []string{"billing", "stripe", "events", identifier, "retry"}})
}

// DismissStripeEvent settles an event that failed, is unsure or too late, without sending it.
func (c *Client) DismissStripeEvent(ctx context.Context, identifier string) (StripeEvent, error) {
	return fetch[StripeEvent](ctx, c, call{op: "dismiss an event", method: http.MethodPost, at: []string{"billing", "stripe", "events", identifier, "dismiss"}})
}
