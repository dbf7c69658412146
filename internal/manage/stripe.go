package manage

import (
	"context"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/stripe"
)

// retriedAtOnce bounds the step of a call that has every failed event sent again.
const retriedAtOnce = 500

// StripeFilter narrows a list of events; "" is any.
type StripeFilter struct{ Team, State string }

// Stripe says how far Stripe was told what was counted. It needs lanyard.billing.read for the whole server.
func (s *Service) Stripe(ctx context.Context, actor audit.Actor) (lanyard.StripeStatus, error) {
	if err := s.mayOnServer(actor, billingRead); err != nil {
		return lanyard.StripeStatus{}, err
	}
	p, err := s.StripeStore.Progress(ctx, s.now())
	if err != nil {
		return lanyard.StripeStatus{}, err
	}
	return lanyard.StripeStatus{
		On: s.StripeOn, Behind: at(p.Oldest), Hours: p.Unlooked, LastError: p.LastError, Waiting: p.Counts[stripe.Waiting], Failed: p.Counts[stripe.Failed],
		Unsure: p.Counts[stripe.Unsure], TooLate: p.Counts[stripe.TooLate], Dismissed: p.Counts[stripe.Dismissed],
	}, nil
}

// StripeEvents lists what Stripe was told and is to be told, newest first. It needs lanyard.billing.read for the whole server.
func (s *Service) StripeEvents(ctx context.Context, actor audit.Actor, f StripeFilter, list List) (lanyard.Page[lanyard.StripeEvent], error) {
	none := lanyard.Page[lanyard.StripeEvent]{}
	if err := s.mayOnServer(actor, billingRead); err != nil {
		return none, err
	}
	filter := stripe.Filter{State: stripe.State(f.State)}
	if f.State != "" && !slices.Contains(stripe.States(), filter.State) {
		return none, fault.Field("state", "must be waiting, sent, failed, unsure, too_late or dismissed, not %.40q", f.State)
	}
	var err error
	if filter.Team, err = s.teamFilter(ctx, audit.ServerReach(), f.Team); err != nil {
		return none, err
	}
	return readPage(s, list, lister[*stripe.Event, lanyard.StripeEvent]{
		name: "stripe events", filters: []string{f.Team, f.State},
		fetch: func(before time.Time, beforeID string, limit int) ([]*stripe.Event, error) {
			filter.Before, filter.BeforeID, filter.Limit = before, beforeID, limit
			return s.StripeStore.StripeEvents(ctx, filter)
		},
		place: func(e *stripe.Event) (time.Time, string) { return e.CreatedAt, e.Identifier },
		wire:  wireStripeEvent,
	})
}

// RetryStripeEvents has events that Stripe refused sent again, at most so many at a time. They go to the customers and the meters that are set
// now. It needs lanyard.billing.write for the whole server.
func (s *Service) RetryStripeEvents(ctx context.Context, actor audit.Actor) (lanyard.StripeRetried, error) {
	if err := s.mayOnServer(actor, billingWrite); err != nil {
		return lanyard.StripeRetried{}, err
	}
	n, err := s.StripeStore.RetryEvents(ctx, "", s.now(), retriedAtOnce, s.aboutEvent(actor, "stripe_event.retry"))
	return lanyard.StripeRetried{Retried: n}, err
}

// RetryStripeEvent has one failed or unsure event sent again. Of an unsure one whoever asks has to know that Stripe does not have it. It needs
// lanyard.billing.write for the whole server.
func (s *Service) RetryStripeEvent(ctx context.Context, actor audit.Actor, identifier string) (lanyard.StripeEvent, error) {
	return s.settleEvent(ctx, actor, identifier, func() error {
		_, err := s.StripeStore.RetryEvents(ctx, identifier, s.now(), 1, s.aboutEvent(actor, "stripe_event.retry"))
		return err
	})
}

// DismissStripeEvent settles an event that failed, is unsure or too late, without sending it. It needs lanyard.billing.write for the whole
// server.
func (s *Service) DismissStripeEvent(ctx context.Context, actor audit.Actor, identifier string) (lanyard.StripeEvent, error) {
	return s.settleEvent(ctx, actor, identifier, func() error {
		return s.StripeStore.DismissEvent(ctx, identifier, s.aboutEvent(actor, "stripe_event.dismiss"))
	})
}

// settleEvent does something about one event and shows it.
func (s *Service) settleEvent(ctx context.Context, actor audit.Actor, identifier string, settle func() error) (lanyard.StripeEvent, error) {
	if err := s.mayOnServer(actor, billingWrite); err != nil {
		return lanyard.StripeEvent{}, err
	}
	if err := stripe.CheckIdentifier(identifier); err != nil {
		return lanyard.StripeEvent{}, err
	}
	if err := settle(); err != nil {
		return lanyard.StripeEvent{}, err
	}
	e, err := s.StripeStore.StripeEvent(ctx, identifier)
	if err != nil {
		return lanyard.StripeEvent{}, err
	}
	return wireStripeEvent(e), nil
}

// aboutEvent is what the audit log says of an act on an event. It stands in no team's log: it is between the provider and Stripe.
func (s *Service) aboutEvent(actor audit.Actor, action string) stripe.Reason {
	now := s.now()
	return func(e *stripe.Event) audit.Event {
		d := details{"team": string(e.Team), "api": e.API, "meter": string(e.Meter), "hour": e.Start.Format(time.RFC3339), "state": string(e.State)}
		return actor.New(now, action, e.Identifier, "", said(d))
	}
}

func wireStripeEvent(e *stripe.Event) lanyard.StripeEvent {
	return lanyard.StripeEvent{
		Identifier: e.Identifier, TeamID: string(e.Team), API: e.API, Meter: string(e.Meter), Hour: e.Start, Sequence: e.Sequence, Customer: e.Customer, EventName: e.Name,
		Units: e.Units, State: string(e.State), Tries: e.Tries, NextAt: at(e.NextAt), SentAt: at(e.SentAt), Error: e.Error, CreatedAt: e.CreatedAt,
	}
}
