package manage

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// Subscriptions lists the plans a team chose. APIs it says nothing of have their default plan, or none. It needs
// lanyard.billing.read.
func (s *Service) Subscriptions(ctx context.Context, actor audit.Actor, teamID string) ([]lanyard.Subscription, error) {
	reach, err := s.may(actor, billingRead)
	if err != nil {
		return nil, err
	}
	t, err := s.teamWithin(ctx, reach, teamID)
	if err != nil {
		return nil, err
	}
	subscriptions, err := s.BillingStore.Subscriptions(ctx, reach, t.ID)
	if err != nil {
		return nil, err
	}
	out := make([]lanyard.Subscription, 0, len(subscriptions))
	for _, sub := range subscriptions {
		out = append(out, lanyard.Subscription{TeamID: string(sub.Team), API: sub.API, Plan: sub.Plan})
	}
	return out, nil
}

// Subscribe sets a team's plan for an API; with plan "" the API's default applies again, if it has one. It needs
// lanyard.billing.write.
func (s *Service) Subscribe(ctx context.Context, actor audit.Actor, teamID, api, plan string) (id.Revision, error) {
	reach, err := s.may(actor, billingWrite)
	if err != nil {
		return 0, err
	}
	t, err := s.teamWithin(ctx, reach, teamID)
	if err != nil {
		return 0, err
	}
	a, err := s.existingAPI(ctx, api)
	if err != nil {
		return 0, err
	}
	if _, there := a.Plans[plan]; plan != "" && !there {
		return 0, fault.Field("plan", "API %s has no plan %.40q; it has %s", api, plan, orNone(strings.Join(slices.Sorted(maps.Keys(a.Plans)), ", ")))
	}
	ev := actor.New(s.now(), "subscription.set", string(t.ID), t.ID, said(details{"api": api, "plan": orNone(plan)}))
	return s.BillingStore.Subscribe(ctx, billing.Subscription{Team: t.ID, API: api, Plan: plan}, ev)
}
