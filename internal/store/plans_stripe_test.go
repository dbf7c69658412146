package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/stripe"
	"github.com/lanyard-auth/lanyard/internal/team"
)

// askStripe asks for a second page of events, in every way it can be asked for.
func askStripe(t *testing.T, st *Store, teamID id.Team) {
	t.Helper()
	ctx, now := context.Background(), time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	var errs []error
	for _, f := range []stripe.Filter{{}, {Team: teamID}, {State: stripe.Failed}, {State: stripe.Sent}} {
		f.Before, f.BeforeID, f.Limit = now, "x", 50
		_, err := st.StripeEvents(ctx, f)
		errs = append(errs, err)
	}
	_, err := st.StripeEvent(ctx, "x")
	errs = append(errs, wanted(err))
	_, err = st.Progress(ctx, now)
	if err := errors.Join(append(errs, err)...); err != nil {
		t.Fatal(err)
	}
}

// takeStripeSteps takes each step from a customer to a retry.
func takeStripeSteps(t *testing.T, st *Store) {
	t.Helper()
	ctx, now := context.Background(), time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	ev := audit.Command("test").New(now, "test", "thing", "", nil)
	payer := &team.Team{ID: id.New[id.Team](), Name: "stripe", CreatedAt: now, StripeCustomer: "cus_1"}
	_, err := st.CreateTeam(ctx, payer, "", ev)
	errs := []error{err}
	errs = append(errs, st.step(ctx, "declare", func(ctx context.Context, q querier) error {
		return setMeters(ctx, q, "told", map[string]string{"requests": "acme_requests", "storage": "acme_storage"}, now)
	}))
	now = now.Add(3 * time.Hour)
	_, err = st.RecordEvents(ctx, []billing.MeterEvent{{Source: "told", ID: "1", Team: payer.ID, API: "told", Meter: "storage", At: now, Units: 1}}, now)
	errs = append(errs, err)
	now = now.Add(2 * time.Hour)
	_, err = st.LookAtHours(ctx, now, "", 50)
	errs = append(errs, err)
	claimed, err := st.ClaimEvents(ctx, now, time.Minute, 50)
	if len(claimed) != 1 {
		t.Errorf("%d events for Stripe, want one", len(claimed))
	}
	errs = append(errs, err, st.ReleaseEvents(ctx, now, claimed...), st.EndWaiting(ctx, now, now, now))
	why := func(*stripe.Event) audit.Event { return audit.Command("test").New(now, "test", "thing", "", nil) }
	for _, e := range claimed {
		errs = append(errs, st.EventTried(ctx, e, stripe.Outcome{State: stripe.Failed}), wanted(st.DismissEvent(ctx, "x", why)))
	}
	_, err = st.RetryEvents(ctx, "", now, 50, why)
	if err := errors.Join(append(errs, err)...); err != nil {
		t.Fatal(err)
	}
}
