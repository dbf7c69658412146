package rest

import (
	"context"
	"net/http"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/manage"
)

type stripeQuery struct {
	TeamID string `query:"team_id" doc:"Only this team's"`
	State  string `query:"state" enum:"waiting,sent,failed,unsure,too_late,dismissed" doc:"Only these"`
	Paging
}

type stripeEventID struct {
	ID string `path:"id" doc:"lanyard-…, the event's identifier"`
}

func (a *api) addStripe() {
	s := a.Service
	add(a, route{
		id: "show-stripe", method: http.MethodGet, path: "/v1/billing/stripe", tag: "billing", scopes: []string{billingRead},
		summary: "Say how far Stripe was told what was counted", description: "Needs a credential of the server's own team.",
	}, func(ctx context.Context, actor audit.Actor, _ *struct{}) (lanyard.StripeStatus, error) {
		return s.Stripe(ctx, actor)
	})
	add(a, route{
		id: "list-stripe-events", method: http.MethodGet, path: "/v1/billing/stripe/events", tag: "billing", scopes: []string{billingRead},
		summary: "List what Stripe was told, and is to be told", description: "Newest first. Needs a credential of the server's own team.",
	}, func(ctx context.Context, actor audit.Actor, in *stripeQuery) (lanyard.Page[lanyard.StripeEvent], error) {
		return s.StripeEvents(ctx, actor, manage.StripeFilter{Team: in.TeamID, State: in.State}, in.list())
	})
	add(a, route{
		id: "retry-stripe-events", method: http.MethodPost, path: "/v1/billing/stripe/retry", tag: "billing", scopes: []string{billingWrite},
		summary:     "Send what Stripe refused again",
		description: "Up to 500 events a call, to the customers and under the event names that are set now. Needs a credential of the server's own team.",
	}, func(ctx context.Context, actor audit.Actor, _ *struct{}) (lanyard.StripeRetried, error) {
		return s.RetryStripeEvents(ctx, actor)
	})
	add(a, route{
		id: "retry-stripe-event", method: http.MethodPost, path: "/v1/billing/stripe/events/{id}/retry", tag: "billing", scopes: []string{billingWrite},
		summary:     "Send a failed or unsure event again",
		description: "Before you have an unsure one sent again, see at Stripe that it is not there: its identifier may be forgotten. Needs a credential of the server's own team.",
	}, func(ctx context.Context, actor audit.Actor, in *stripeEventID) (lanyard.StripeEvent, error) {
		return s.RetryStripeEvent(ctx, actor, in.ID)
	})
	add(a, route{
		id: "dismiss-stripe-event", method: http.MethodPost, path: "/v1/billing/stripe/events/{id}/dismiss", tag: "billing", scopes: []string{billingWrite},
		summary:     "Settle an event without sending it",
		description: "For one that failed, is unsure or too late, once it is set right at Stripe or given up. Needs a credential of the server's own team.",
	}, func(ctx context.Context, actor audit.Actor, in *stripeEventID) (lanyard.StripeEvent, error) {
		return s.DismissStripeEvent(ctx, actor, in.ID)
	})
}
