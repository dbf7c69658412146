package rest

import (
	"context"
	"net/http"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
)

const (
	billingRead  = "lanyard.billing.read"
	billingWrite = "lanyard.billing.write"
)

type subscriptionsQuery struct {
	ID string `path:"id" doc:"team_…"`
	Paging
}

type subscribeInput struct {
	ID   string `path:"id" doc:"team_…"`
	API  string `path:"api" doc:"The API's name"`
	Body lanyard.SubscriptionInput
}

type alertsQuery struct {
	ID  string `path:"id" doc:"team_…"`
	API string `path:"api" doc:"The API's name"`
}

type alertsInput struct {
	ID   string `path:"id" doc:"team_…"`
	API  string `path:"api" doc:"The API's name"`
	Body lanyard.SpendAlerts
}

type unsubscribe struct {
	ID   string `path:"id" doc:"team_…"`
	API  string `path:"api" doc:"The API's name"`
	When string `query:"when" enum:"now,period_end" doc:"Absent: now"`
	Waiting
}

func (a *api) addBilling() {
	s := a.Service
	add(a, route{
		id: "list-subscriptions", method: http.MethodGet, path: "/v1/teams/{id}/subscriptions", tag: "billing", scopes: []string{billingRead},
		summary: "List a team's subscriptions",
	}, func(ctx context.Context, actor audit.Actor, in *subscriptionsQuery) (lanyard.Page[lanyard.Subscription], error) {
		subscriptions, err := s.Subscriptions(ctx, actor, in.ID)
		if err != nil {
			return lanyard.Page[lanyard.Subscription]{}, err
		}
		return pageOf(subscriptions, in.Paging)
	})
	add(a, route{
		id: "subscribe", method: http.MethodPut, path: "/v1/teams/{id}/subscriptions/{api}", tag: "billing", scopes: []string{billingWrite},
		summary: "Choose a team's plan for an API",
	}, func(ctx context.Context, actor audit.Actor, in *subscribeInput) (lanyard.Subscription, error) {
		if _, err := s.Subscribe(ctx, actor, in.ID, in.API, in.Body); err != nil {
			return lanyard.Subscription{}, err
		}
		return s.Subscription(ctx, actor, in.ID, in.API)
	})
	add(a, route{
		id: "get-spend-alerts", method: http.MethodGet, path: "/v1/teams/{id}/subscriptions/{api}/alerts", tag: "billing", scopes: []string{billingRead},
		summary: "Show the amounts at which a team is told of its open bill",
	}, func(ctx context.Context, actor audit.Actor, in *alertsQuery) (lanyard.SpendAlerts, error) {
		return s.SpendAlerts(ctx, actor, in.ID, in.API)
	})
	add(a, route{
		id: "set-spend-alerts", method: http.MethodPut, path: "/v1/teams/{id}/subscriptions/{api}/alerts", tag: "billing", scopes: []string{billingWrite},
		summary:     "Choose the amounts at which a team is told of its open bill",
		description: "The owners get a mail and the team's webhooks `spend.reached`, once in a period for each amount. An empty list ends that. 80 and 100 % of a plan's spend limit are told without it.",
	}, func(ctx context.Context, actor audit.Actor, in *alertsInput) (lanyard.SpendAlerts, error) {
		return s.SetSpendAlerts(ctx, actor, in.ID, in.API, in.Body)
	})
	add(a, route{
		id: "unsubscribe", method: http.MethodDelete, path: "/v1/teams/{id}/subscriptions/{api}", tag: "billing", scopes: []string{billingWrite},
		summary: "End a team's plan for an API", description: "The API's default plan, if there is one, applies again.",
	}, func(ctx context.Context, actor audit.Actor, in *unsubscribe) (lanyard.Applied, error) {
		return a.applied(ctx, in.Waiting, func() (id.Revision, error) {
			return s.Subscribe(ctx, actor, in.ID, in.API, lanyard.SubscriptionInput{When: in.When})
		})
	})
}
