package rest

import (
	"context"
	"net/http"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/manage"
)

const usageRead = "lanyard.usage.read"

// UsageFilter says which counted calls are meant. It is exported for huma, like Paging.
type UsageFilter struct {
	From        time.Time `query:"from" doc:"Inclusive; absent: the start of the month of to"`
	To          time.Time `query:"to" doc:"Exclusive; absent: now"`
	Granularity string    `query:"granularity" enum:"minute,hour,day,month" doc:"Absent: day"`
	GroupBy     []string  `query:"group_by" maxItems:"7" doc:"What to tell apart: team, app, key, api, operation, outcome, mode"`
	Team        []string  `query:"team" maxItems:"100" doc:"Only these teams"`
	App         []string  `query:"app" maxItems:"100" doc:"Only these apps"`
	Key         []string  `query:"key" maxItems:"100" doc:"Only these keys"`
	API         []string  `query:"api" maxItems:"100" doc:"Only these APIs"`
	Operation   string    `query:"operation" maxLength:"300" doc:"Only this operation, such as GET /v1/forecast"`
	Outcome     []string  `query:"outcome" maxItems:"100" doc:"Only these outcomes: valid, or the code of a refusal"`
	Mode        []string  `query:"mode" maxItems:"2" doc:"Only live or test"`
}

func (f *UsageFilter) query() manage.UsageQuery {
	q := manage.UsageQuery{
		From: f.From, To: f.To, Granularity: f.Granularity, GroupBy: f.GroupBy,
		Filter: map[string][]string{"team": f.Team, "app": f.App, "key": f.Key, "api": f.API, "outcome": f.Outcome, "mode": f.Mode},
	}
	if f.Operation != "" {
		q.Filter["operation"] = []string{f.Operation}
	}
	return q
}

type usageQuery struct {
	UsageFilter
	Paging
}

type reconcileQuery struct {
	From time.Time `query:"from" required:"true" doc:"Inclusive"`
	To   time.Time `query:"to" required:"true" doc:"Exclusive"`
}

func (a *api) addUsage() {
	add(a, route{
		id: "read-usage", method: http.MethodGet, path: "/v1/usage", tag: "usage", scopes: []string{usageRead},
		summary: "Read counted calls", description: "In the order of time. Periods are whole and in UTC.",
	}, func(ctx context.Context, actor audit.Actor, in *usageQuery) (lanyard.Page[lanyard.UsageRow], error) {
		q := in.query()
		q.Limit, q.Cursor = in.Limit, in.Cursor
		return a.Service.UsageRows(ctx, actor, q)
	})
	a.addExport()
	add(a, route{
		id: "reconcile-usage", method: http.MethodGet, path: "/v1/usage/reconcile", tag: "usage", scopes: []string{usageRead},
		summary: "Count the ledger anew and compare", description: "Every sum of the days named is compared with the ledger, what is leased of quotas with what nodes hold, and final invoices with what was counted. No differences is how it should be. Needs a credential of the server's own team.",
	}, func(ctx context.Context, actor audit.Actor, in *reconcileQuery) (lanyard.Reconciliation, error) {
		return a.reconcile(ctx, actor, in.From, in.To)
	})
}

func (a *api) reconcile(ctx context.Context, actor audit.Actor, from, to time.Time) (lanyard.Reconciliation, error) {
	out := lanyard.Reconciliation{Differences: []lanyard.UsageDifference{}, Billing: []lanyard.BillingDifference{}}
	ledger, differences, err := a.Service.Reconcile(ctx, actor, from, to)
	if err != nil {
		return out, err
	}
	for _, d := range differences {
		out.Differences = append(out.Differences, lanyard.UsageDifference{
			Granularity: string(d.Granularity), Start: d.Start, Team: string(d.Row.Team), App: string(d.Row.App), Key: string(d.Row.Key),
			User: string(d.Row.User), API: d.Row.API, Operation: d.Row.Operation, Outcome: d.Row.Outcome, Mode: string(d.Row.Mode),
			LedgerCount: d.Row.Count, LedgerUnits: d.Row.Units, RollupCount: d.RollupCount, RollupUnits: d.RollupUnits,
		})
	}
	out.LedgerCount = ledger
	bills, err := a.Service.ReconcileBilling(ctx, actor, from, to)
	for _, d := range bills {
		out.Billing = append(out.Billing, lanyard.BillingDifference{What: d.What, Of: d.Of, Meter: string(d.Meter), Start: d.Start, Counted: d.Counted, Shown: d.Shown})
	}
	return out, err
}
