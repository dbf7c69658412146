package manage

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// TeamPlan is a team's plan for an API: what is left of it, and what it costs.
type TeamPlan struct {
	API    string
	Title  string
	Plan   string // "": none
	Chosen string // "": the plan is the API's default
	Spec   lanyard.Plan
	Plans  map[string]lanyard.Plan // there are to choose from
	Next   *lanyard.PlanChange     // that was decided and is still to come
	Ends   time.Time               // the period under way; zero: the team has no plan
	Quota  *QuotaLeft              // nil: there is none
	Alerts []string                // amounts at which the team is told of the open bill; as Open
	Open   *lanyard.Invoice        // of the period under way; nil: nothing is to be paid, or it is not for the asker to see
}

// QuotaLeft says how a quota stands.
type QuotaLeft struct {
	Limit, Used, Left int64
	ResetsAt          time.Time
}

// TeamPlans lists the APIs that have plans, with the team's of each. It needs lanyard.usage.read; what is to be paid is shown to
// who has lanyard.billing.read.
func (s *Service) TeamPlans(ctx context.Context, actor audit.Actor, teamID string) ([]TeamPlan, error) {
	reach, err := s.may(actor, usageRead)
	if err != nil {
		return nil, err
	}
	t, err := s.teamWithin(ctx, reach, teamID)
	if err != nil {
		return nil, err
	}
	pays, err := s.maySeeBills(ctx, actor, teamID)
	if err != nil {
		return nil, err
	}
	state, err := s.CatalogStore.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.flush(ctx); err != nil {
		return nil, err
	}
	var out []TeamPlan
	for _, name := range slices.Sorted(maps.Keys(state.APIs)) {
		if len(state.APIs[name].Plans) == 0 {
			continue
		}
		one, err := s.teamPlan(ctx, t.ID, name, state.APIs[name], pays)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func (s *Service) maySeeBills(ctx context.Context, actor audit.Actor, teamID string) (bool, error) {
	reach, err := s.may(actor, billingRead)
	if err == nil {
		_, err = s.teamWithin(ctx, reach, teamID)
	}
	if fault.Is(err, fault.InsufficientScope) || fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}

func (s *Service) teamPlan(ctx context.Context, teamID id.Team, api string, a lanyard.API, pays bool) (TeamPlan, error) {
	now := s.now()
	h, err := s.BillingStore.History(ctx, teamID, api)
	if err != nil {
		return TeamPlan{}, err
	}
	out := TeamPlan{API: api, Title: cmp.Or(a.Title, api), Chosen: h.Subscription.PlanAt(now), Plans: a.Plans, Next: s.wireSubscription(h.Subscription).Next}
	out.Plan = out.Chosen
	for name, plan := range a.Plans {
		if out.Plan == "" && plan.Default {
			out.Plan = name
		}
	}
	out.Spec = a.Plans[out.Plan]
	if out.Quota, err = s.quotaLeft(ctx, teamID, api, out.Spec.Quota, h.Subscription.Anchor(now)); err != nil {
		return out, err
	}
	if stretch, found := h.At(now); found {
		out.Ends = stretch.Whole.End
	}
	if !pays {
		return out, nil
	}
	amounts, err := s.BillingStore.SpendAlerts(ctx, teamID, api)
	if err != nil {
		return out, err
	}
	out.Alerts = wireAlerts(amounts).Amounts
	out.Open, err = s.preview(ctx, teamID, api, now, now)
	return out, err
}

// quotaLeft counts what is used of a quota in the period under way. Blocks that nodes hold and have not spent are left.
func (s *Service) quotaLeft(ctx context.Context, teamID id.Team, api, text string, anchor time.Time) (*QuotaLeft, error) {
	if text == "" {
		return nil, nil
	}
	q, err := billing.ParseQuota(text)
	if err != nil {
		return nil, err
	}
	period := billing.PeriodAt(q.Period, anchor, s.now())
	used, err := s.BillingStore.Used(ctx, teamID, api, billing.Stretch{Held: period})
	if err != nil {
		return nil, err
	}
	units := used[billing.Units]
	return &QuotaLeft{q.Units, units, max(q.Units-units, 0), period.End}, nil
}
