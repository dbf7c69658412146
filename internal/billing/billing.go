// Package billing is the nouns Subscription and Invoice: which team has which plan for which API, and what it is to pay.
//
// Money is integer micro-units of a currency (Micros), read from decimal text (ParseAmount) and never a float. A plan's
// declaration is read once (ParsePlan) into a PlanVersion, which never changes; what a period costs is a pure function of
// that version and of what was counted (Bill), so that a preview, the final bill and a check of either are one computation.
// Time is cut into periods by PeriodAt, quotas by ParseQuota; Adjust, Forecast, Exceeds and UnitsLeft follow from Bill.
// History says which version held when, and cuts time into what one bill each is for.
//
// What was counted belongs to package usage; which meters an API has, to package catalog, which is written in these terms.
package billing

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// Store keeps subscriptions and bills.
type Store interface {
	InvoiceStore
	SpendStore
	// Subscription returns the team's plans for the API; without any, a Subscription with no changes.
	Subscription(ctx context.Context, team id.Team, api string) (Subscription, error)
	// Subscriptions returns those of all APIs that the team ever chose a plan for, by API.
	Subscriptions(ctx context.Context, reach audit.Reach, team id.Team) ([]Subscription, error)
	// Subscribe gives the team another plan for the API, at once or later, in the place of a change that is still to come. Without
	// a plan it is the API's default. A plan must exist. ev.At is now; what is to be at once holds from the beginning of its minute.
	Subscribe(ctx context.Context, team id.Team, api string, c Change, ev audit.Event) (id.Revision, error)
	// History returns what is needed to say what the team pays for the API, and when.
	History(ctx context.Context, team id.Team, api string) (History, error)
}

// InvoiceStore keeps bills, and what is billed beside calls.
type InvoiceStore interface {
	// Used is what a team used within a stretch, of the meters that are charged for.
	Used(ctx context.Context, team id.Team, api string, s Stretch) (Usage, error)
	// Invoice reads one; a draft comes to what was counted so far.
	Invoice(ctx context.Context, reach audit.Reach, invoice id.Invoice) (*Invoice, error)
	// Invoices lists them, newest first.
	Invoices(ctx context.Context, reach audit.Reach, f InvoiceFilter) ([]*Invoice, error)
	// FinalizeInvoice makes a draft final. fault.Conflict: it is. An adjustment that came to nothing is dropped, and nil returned.
	FinalizeInvoice(ctx context.Context, reach audit.Reach, invoice id.Invoice, now time.Time, why Reason) (*Invoice, error)
	// RecordEvents counts events, each once, and says of which ones that was not the first time. They must lie within EventWindow.
	RecordEvents(ctx context.Context, events []MeterEvent, now time.Time) (again []bool, err error)
	// ReconcileBilling bills anew what is final of the periods that [from, to) touches, and adds up what is leased of quotas. It returns where
	// something else stands. A late arrival is a difference until its adjustment is drafted, within a minute.
	ReconcileBilling(ctx context.Context, from, to time.Time) ([]Difference, error)

	// What follows is done over and over, on any node: each step that another node did before is left out.

	// FindAccounts notes whom there may be something to bill.
	FindAccounts(ctx context.Context) error
	// DraftInvoices writes drafts of stretches that have ended, to be final after the grace. It returns how many accounts it looked at; less
	// than the limit: there are no more.
	DraftInvoices(ctx context.Context, now time.Time, grace time.Duration, limit int) (looked int, err error)
	// FinalizeDue makes drafts final whose grace is over.
	FinalizeDue(ctx context.Context, now time.Time, limit int, why Reason) (looked int, err error)
	// AdjustInvoices compares final bills to which something was added since with what was counted by now, and drafts adjustments.
	AdjustInvoices(ctx context.Context, now time.Time, grace time.Duration, limit int) (looked int, err error)
}

// SpendStore keeps what teams want to be told of their open bills.
type SpendStore interface {
	// SpendAlerts are the amounts at which the team is told of its open bill for the API, in order.
	SpendAlerts(ctx context.Context, team id.Team, api string) ([]Micros, error)
	// SetSpendAlerts replaces them. What the open bill has passed already is told of soon.
	SetSpendAlerts(ctx context.Context, team id.Team, api string, amounts []Micros, ev audit.Event) error
	// TellSpending compares open bills to which something was added with their spend limits and with the amounts that their teams want to be
	// told of. As the other steps of billing it is done over and over, on any node.
	TellSpending(ctx context.Context, now time.Time, limit int) (looked int, err error)
}

// Subscription is a team's plan for an API, over time.
type Subscription struct {
	Team    id.Team
	API     string
	Changes []Change // oldest first; those to come too
}

// Change is a moment from which a team has a plan.
type Change struct {
	At   time.Time // a whole minute, as usage is counted; zero: from the beginning
	Plan string    // "": the API's default plan
}

// PlanAt is the plan that was chosen then; "" where the API's default applies.
func (s Subscription) PlanAt(t time.Time) string {
	plan := ""
	for _, c := range s.Changes {
		if c.At.After(t) {
			break
		}
		plan = c.Plan
	}
	return plan
}

// Next is the first change after a time, if one was decided.
func (s Subscription) Next(t time.Time) (Change, bool) {
	for _, c := range s.Changes {
		if c.At.After(t) {
			return c, true
		}
	}
	return Change{}, false
}

// Anchor is when the cycles begin that a time lies in: when the team first chose a plan. Before that, and where it is not known,
// it is the zero time, and cycles are the calendar's months.
func (s Subscription) Anchor(t time.Time) time.Time {
	if len(s.Changes) == 0 || s.Changes[0].At.After(t) {
		return time.Time{}
	}
	return s.Changes[0].At
}
