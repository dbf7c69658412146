package lanyard

import (
	"context"
	"iter"
	"net/http"
)

// WebhookQuery asks for webhooks.
type WebhookQuery struct {
	TeamID string // "": of every team within reach
	ListQuery
}

// CreateWebhook makes a webhook; its Secret is in this answer and in none after it (scope lanyard.apps.write).
func (c *Client) CreateWebhook(ctx context.Context, in WebhookInput) (NewWebhook, error) {
	return fetch[NewWebhook](ctx, c, call{op: "create webhook", method: http.MethodPost, at: []string{"webhooks"}, in: in, create: true})
}

// Webhook returns one webhook.
func (c *Client) Webhook(ctx context.Context, id string) (Webhook, error) {
	return fetch[Webhook](ctx, c, call{op: "show webhook", method: http.MethodGet, at: []string{"webhooks", id}})
}

// Webhooks returns a page of webhooks, newest first.
func (c *Client) Webhooks(ctx context.Context, q WebhookQuery) (Page[Webhook], error) {
	v := q.values()
	set(v, "team_id", q.TeamID)
	return fetch[Page[Webhook]](ctx, c, call{op: "list webhooks", method: http.MethodGet, at: []string{"webhooks"}, query: v})
}

// AllWebhooks goes through all webhooks, newest first.
func (c *Client) AllWebhooks(ctx context.Context, q WebhookQuery) iter.Seq2[Webhook, error] {
	return all(q.ListQuery, func(page ListQuery) (Page[Webhook], error) {
		q.ListQuery = page
		return c.Webhooks(ctx, q)
	})
}

// UpdateWebhook changes what in names and leaves the rest.
func (c *Client) UpdateWebhook(ctx context.Context, id string, in WebhookPatch) (Webhook, error) {
	return fetch[Webhook](ctx, c, call{op: "update webhook", method: http.MethodPatch, at: []string{"webhooks", id}, in: in})
}

// DeleteWebhook forgets a webhook and its secret.
func (c *Client) DeleteWebhook(ctx context.Context, id string) error {
	return c.tell(ctx, call{op: "delete webhook", method: http.MethodDelete, at: []string{"webhooks", id}})
}

// RotateWebhookSecret gives a webhook a new signing secret. For a day messages bear the signatures of both.
func (c *Client) RotateWebhookSecret(ctx context.Context, id string) (NewWebhook, error) {
	return fetch[NewWebhook](ctx, c, call{op: "rotate webhook secret", method: http.MethodPost, at: []string{"webhooks", id, "rotate-secret"}, create: true})
}

// WebhookDeliveries returns a page of what a webhook was told, newest first.
func (c *Client) WebhookDeliveries(ctx context.Context, id string, q ListQuery) (Page[WebhookDelivery], error) {
	return fetch[Page[WebhookDelivery]](ctx, c, call{op: "list webhook deliveries", method: http.MethodGet, at: []string{"webhooks", id, "deliveries"}, query: q.values()})
}

// ReplayWebhook sends a message again, under the same id.
func (c *Client) ReplayWebhook(ctx context.Context, id, message string) (WebhookDelivery, error) {
	return fetch[WebhookDelivery](ctx, c, call{op: "replay webhook", method: http.MethodPost, at: []string{"webhooks", id, "deliveries", message, "replay"}})
}

// TestWebhook sends a webhook a message of the type webhook.test.
func (c *Client) TestWebhook(ctx context.Context, id string) (WebhookDelivery, error) {
	return fetch[WebhookDelivery](ctx, c, call{op: "test webhook", method: http.MethodPost, at: []string{"webhooks", id, "test"}})
}
