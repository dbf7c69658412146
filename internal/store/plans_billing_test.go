package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/quota"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// askBills asks for a second page of bills, in every way it can be asked for.
func askBills(t *testing.T, st *Store, teamID id.Team) {
	t.Helper()
	ctx, now := context.Background(), time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	var errs []error
	for _, reach := range []audit.Reach{audit.ServerReach(), audit.TeamReach(teamID)} {
		for _, f := range []billing.InvoiceFilter{{}, {Team: teamID}, {State: billing.Draft}, {API: "weather", State: billing.Final}} {
			f.Before, f.BeforeID, f.Limit = now, "x", 50
			_, err := st.Invoices(ctx, reach, f)
			errs = append(errs, err)
		}
		_, err := st.Invoice(ctx, reach, id.New[id.Invoice]())
		errs = append(errs, wanted(err))
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// declarePaid declares an API with a plan that costs something.
func declarePaid(t *testing.T, st *Store) {
	t.Helper()
	event := audit.Command("test").New(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), "test", "thing", "", nil)
	_, err := st.UpdateCatalog(context.Background(), event, func(s *catalog.State) error {
		s.APIs["paid"] = lanyard.API{Name: "paid", Takes: "key", Plans: map[string]lanyard.Plan{"pro": {Currency: "USD", Fee: "10", SpendLimit: "20", Prices: []lanyard.Price{{Meter: "storage", PerUnit: "1"}, {Meter: "requests", PerUnit: "5"}}}}}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// askSpending leases what a team may spend until nothing is left, and has its bill compared and mails be written.
func askSpending(ctx context.Context, st *Store, payer id.Team, now time.Time) error {
	event := audit.Command("test").New(now, "test", "thing", "", nil)
	errs := []error{st.SetSpendAlerts(ctx, payer, "paid", []billing.Micros{1}, event)}
	for range 3 {
		_, err := st.LeaseQuota(ctx, quota.Lease{
			Node: "node_1", Subject: quota.Spend(string(payer), "paid", "requests"), Start: now, End: now.AddDate(0, 1, 0), Limit: quota.Unbounded, Need: 1, Now: now,
		})
		errs = append(errs, err)
	}
	rows := []usage.Row{{Minute: micros(now), Team: payer, API: "paid", Outcome: string(policy.Valid), Mode: secret.Live, Count: 1, Units: 1}}
	errs = append(errs, st.step(ctx, "absorb", func(ctx context.Context, q querier) error { return markSpending(ctx, q, rows) }))
	_, err := st.TellSpending(ctx, now, 50)
	waiting, unread := st.Unmailed(ctx, 50)
	_, read := st.SpendAlerts(ctx, payer, "paid")
	errs = append(errs, err, unread, read)
	for _, m := range waiting {
		errs = append(errs, st.Mailed(ctx, m.ID, nil, now))
	}
	if len(waiting) == 0 {
		errs = append(errs, errors.New("nothing is told"))
	}
	return errors.Join(errs...)
}

// takeBillingSteps takes each step from a subscription to an adjustment.
func takeBillingSteps(t *testing.T, st *Store) {
	t.Helper()
	ctx, now := context.Background(), time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	event := audit.Command("test").New(now, "test", "thing", "", nil)
	why := func(*billing.Invoice) audit.Event { return audit.Command("test").New(now, "test", "thing", "", nil) }
	payer := &team.Team{ID: id.New[id.Team](), Name: "team", CreatedAt: now}
	_, err := st.CreateTeam(ctx, payer, "", event)
	errs := []error{err}
	event.ID = id.New[id.Event]()
	_, err = st.Subscribe(ctx, payer.ID, "paid", billing.Change{Plan: "pro"}, event)
	errs = append(errs, err)
	counted := func(name string) error {
		_, err := st.RecordEvents(ctx, []billing.MeterEvent{{Source: "a", ID: name, Team: payer.ID, API: "paid", Meter: "storage", At: now, Units: 1}}, now)
		return err
	}
	errs = append(errs, counted("1"), askSpending(ctx, st, payer.ID, now))
	for range 2 {
		now = now.AddDate(0, 2, 0)
		_, err = st.DraftInvoices(ctx, now, time.Hour, 50)
		errs = append(errs, err)
		_, err = st.FinalizeDue(ctx, now.Add(time.Hour), 50, why)
		errs = append(errs, err)
		_, err = st.AdjustInvoices(ctx, now.Add(3*time.Hour), time.Hour, 50)
		now = time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
		errs = append(errs, err, counted("2"))
	}
	errs = append(errs, st.TrimEvents(ctx, now))
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}
