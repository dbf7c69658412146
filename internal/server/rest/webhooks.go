package rest

import (
	"context"
	"net/http"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
)

type webhookPath struct {
	ID string `path:"id" doc:"hook_…"`
}

type webhooksQuery struct {
	TeamID string `query:"team_id" doc:"Only this team's"`
	Paging
}

type webhookInput struct {
	Body lanyard.WebhookInput
}

type webhookPatch struct {
	ID   string `path:"id" doc:"hook_…"`
	Body lanyard.WebhookPatch
}

type deliveriesQuery struct {
	ID string `path:"id" doc:"hook_…"`
	Paging
}

type deliveryPath struct {
	ID      string `path:"id" doc:"hook_…"`
	Message string `path:"message" doc:"msg_…"`
}

func (a *api) addWebhooks() {
	s := a.Service
	add(a, route{
		id: "create-webhook", method: http.MethodPost, path: "/v1/webhooks", tag: "webhooks", scopes: []string{appsWrite}, status: http.StatusCreated, once: true,
		summary:     "Create a webhook",
		description: "The address is told of the team's events, signed as Standard Webhooks has it: headers webhook-id, webhook-timestamp and webhook-signature. The signing secret is in this answer and in none after it.",
	}, func(ctx context.Context, actor audit.Actor, in *webhookInput) (lanyard.NewWebhook, error) {
		return s.CreateWebhook(ctx, actor, in.Body)
	})
	add(a, route{
		id: "list-webhooks", method: http.MethodGet, path: "/v1/webhooks", tag: "webhooks", scopes: []string{appsRead},
		summary: "List webhooks", description: "Newest first.",
	}, func(ctx context.Context, actor audit.Actor, in *webhooksQuery) (lanyard.Page[lanyard.Webhook], error) {
		return s.Webhooks(ctx, actor, in.TeamID, in.list())
	})
	add(a, route{
		id: "show-webhook", method: http.MethodGet, path: "/v1/webhooks/{id}", tag: "webhooks", scopes: []string{appsRead},
		summary: "Show a webhook",
	}, func(ctx context.Context, actor audit.Actor, in *webhookPath) (lanyard.Webhook, error) {
		return s.Webhook(ctx, actor, in.ID)
	})
	add(a, route{
		id: "update-webhook", method: http.MethodPatch, path: "/v1/webhooks/{id}", tag: "webhooks", scopes: []string{appsWrite},
		summary: "Change a webhook", description: "Changes the fields given and leaves the rest. What waits for a webhook that is disabled is given up; it can be sent again.",
	}, func(ctx context.Context, actor audit.Actor, in *webhookPatch) (lanyard.Webhook, error) {
		return s.UpdateWebhook(ctx, actor, in.ID, in.Body)
	})
	add(a, route{
		id: "delete-webhook", method: http.MethodDelete, path: "/v1/webhooks/{id}", tag: "webhooks", scopes: []string{appsWrite},
		summary: "Delete a webhook", description: "Its secret is forgotten, and what waits for it is given up.",
	}, func(ctx context.Context, actor audit.Actor, in *webhookPath) (lanyard.Webhook, error) {
		return s.DeleteWebhook(ctx, actor, in.ID)
	})
	add(a, route{
		id: "rotate-webhook-secret", method: http.MethodPost, path: "/v1/webhooks/{id}/rotate-secret", tag: "webhooks", scopes: []string{appsWrite}, once: true,
		summary: "Give a webhook a new signing secret", description: "For a day messages bear the signatures of both. The new secret is in this answer and in none after it.",
	}, func(ctx context.Context, actor audit.Actor, in *webhookPath) (lanyard.NewWebhook, error) {
		return s.RotateWebhookSecret(ctx, actor, in.ID)
	})
	add(a, route{
		id: "list-webhook-deliveries", method: http.MethodGet, path: "/v1/webhooks/{id}/deliveries", tag: "webhooks", scopes: []string{appsRead},
		summary: "List what a webhook was told", description: "Newest first, with every attempt, for thirty days.",
	}, func(ctx context.Context, actor audit.Actor, in *deliveriesQuery) (lanyard.Page[lanyard.WebhookDelivery], error) {
		return s.WebhookDeliveries(ctx, actor, in.ID, in.list())
	})
	add(a, route{
		id: "replay-webhook-delivery", method: http.MethodPost, path: "/v1/webhooks/{id}/deliveries/{message}/replay", tag: "webhooks", scopes: []string{appsWrite},
		summary: "Send a message again", description: "Under the same webhook-id.",
	}, func(ctx context.Context, actor audit.Actor, in *deliveryPath) (lanyard.WebhookDelivery, error) {
		return s.ReplayWebhook(ctx, actor, in.ID, in.Message)
	})
	add(a, route{
		id: "test-webhook", method: http.MethodPost, path: "/v1/webhooks/{id}/test", tag: "webhooks", scopes: []string{appsWrite},
		summary: "Send a test event", description: "A message of the type webhook.test, whatever types the webhook wants.",
	}, func(ctx context.Context, actor audit.Actor, in *webhookPath) (lanyard.WebhookDelivery, error) {
		return s.TestWebhook(ctx, actor, in.ID)
	})
}
