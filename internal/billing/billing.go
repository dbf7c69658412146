// Package billing is the noun Subscription, which team has which plan for which API, and what a plan charges for a period.
//
// Money is integer micro-units of a currency (Micros), read from decimal text (ParseAmount) and never a float. A plan's
// declaration is read once (ParsePlan) into a PlanVersion, which never changes; what a period costs is a pure function of
// that version and of what was counted (Bill), so that a preview, the final bill and a check of either are one computation.
// Time is cut into periods by PeriodAt, quotas by ParseQuota; Adjust, Forecast, Exceeds and UnitsLeft follow from Bill.
//
// What was counted belongs to package usage; which meters an API has, to package catalog, which is written in these terms.
package billing

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// Subscription is a team's plan for an API. Where a team has none, the API's default plan applies.
type Subscription struct {
	Team id.Team
	API  string
	Plan string
	// Since is when the team first chose a plan for the API; zero: it never did. Its cycles begin then.
	Since time.Time
}

// Store keeps subscriptions.
type Store interface {
	// Subscription returns the team's plan for the API; without one, a Subscription whose Plan is "".
	Subscription(ctx context.Context, team id.Team, api string) (Subscription, error)
	Subscriptions(ctx context.Context, reach audit.Reach, team id.Team) ([]Subscription, error)
	// Subscribe sets the team's plan for the API, or with Plan "" takes it away. The plan must exist when it is set.
	Subscribe(ctx context.Context, s Subscription, ev audit.Event) (id.Revision, error)
}
