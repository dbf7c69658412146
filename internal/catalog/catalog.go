// Package catalog is the noun API: the APIs that Lanyard stands in front of, with their scopes, operations and plans, as
// lanyard.yaml declares them. It checks declarations, fills in defaults, compiles them for package policy, and works out
// what a new declaration changes.
package catalog

import (
	"context"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// State is the whole catalog as of one moment.
type State struct {
	Brand lanyard.Brand
	APIs  map[string]lanyard.API // by name, normalised (Normalise)

	// Subscribers counts the teams that chose a plan, by API and plan: a plan in use cannot be taken away. Only UpdateCatalog counts them.
	Subscribers map[string]map[string]int
}

// Store keeps the catalog.
type Store interface {
	API(ctx context.Context, name string) (lanyard.API, error)
	Catalog(ctx context.Context) (State, error)
	// UpdateCatalog applies change to the catalog as it is now, in one atomic step, and stores what differs. When change
	// returns an error, or alters nothing, nothing is written and the revision is 0.
	UpdateCatalog(ctx context.Context, ev audit.Event, change func(*State) error) (id.Revision, error)
}
