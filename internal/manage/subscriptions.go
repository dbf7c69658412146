package manage

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

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
		if one := s.wireSubscription(sub); one.Plan != "" || one.Next != nil {
			out = append(out, one)
		}
	}
	return out, nil
}

// Subscription is a team's plan for one API. It needs lanyard.billing.read.
func (s *Service) Subscription(ctx context.Context, actor audit.Actor, teamID, api string) (lanyard.Subscription, error) {
	none := lanyard.Subscription{}
	reach, err := s.may(actor, billingRead)
	if err != nil {
		return none, err
	}
	t, err := s.teamWithin(ctx, reach, teamID)
	if err != nil {
		return none, err
	}
	sub, err := s.BillingStore.Subscription(ctx, t.ID, api)
	if err != nil {
		return none, err
	}
	return s.wireSubscription(sub), nil
}

func (s *Service) wireSubscription(sub billing.Subscription) lanyard.Subscription {
	now := s.now()
	out := lanyard.Subscription{TeamID: string(sub.Team), API: sub.API, Plan: sub.PlanAt(now)}
	if next, some := sub.Next(now); some {
		out.Next = &lanyard.PlanChange{Plan: next.Plan, At: next.At}
	}
	return out
}

// periodEnd is the word for a change at the end of the period under way.
const periodEnd = "period_end"

// Subscribe sets a team's plan for an API; with plan "" the API's default applies again, if it has one. At the end of the period
// it does so without a broken one; where there is no period under way that is at once. It needs lanyard.billing.write.
func (s *Service) Subscribe(ctx context.Context, actor audit.Actor, teamID, api string, in lanyard.SubscriptionInput) (id.Revision, error) {
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
	if _, there := a.Plans[in.Plan]; in.Plan != "" && !there {
		return 0, fault.Field("plan", "API %s has no plan %.40q; it has %s", api, in.Plan, orNone(strings.Join(slices.Sorted(maps.Keys(a.Plans)), ", ")))
	}
	now := s.now()
	change, about := billing.Change{At: now, Plan: in.Plan}, details{"api": api, "plan": orNone(in.Plan)}
	switch in.When {
	case "", "now":
	case periodEnd:
		if change.At, err = s.periodEnd(ctx, t.ID, api, now); err != nil {
			return 0, err
		}
		about["at"] = change.At.Format(time.RFC3339)
	default:
		return 0, fault.Field("when", "must be now or %s, not %.40q", periodEnd, in.When)
	}
	ev := actor.New(now, "subscription.set", string(t.ID), t.ID, said(about))
	return s.BillingStore.Subscribe(ctx, t.ID, api, change, ev)
}

// periodEnd is when the period of the team's plan ends that is under way; now, where there is none.
func (s *Service) periodEnd(ctx context.Context, teamID id.Team, api string, now time.Time) (time.Time, error) {
	h, err := s.BillingStore.History(ctx, teamID, api)
	if err != nil {
		return now, err
	}
	stretch, has := h.At(now)
	if !has {
		return now, nil
	}
	return stretch.Whole.End, nil
}
