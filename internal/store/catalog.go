package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// API implements catalog.Store.
func (s *Store) API(ctx context.Context, name string) (a lanyard.API, err error) {
	err = s.read("read an API", func(q querier) error {
		a, err = oneAPI(ctx, q, name)
		return err
	})
	return a, err
}

func oneAPI(ctx context.Context, q querier, name string) (a lanyard.API, err error) {
	var spec string
	err = q.QueryRowContext(ctx, `SELECT spec FROM api WHERE name = $1`, name).Scan(&spec)
	if errors.Is(err, sql.ErrNoRows) {
		return a, fault.Missing("API", name)
	}
	if err != nil {
		return a, err
	}
	return a, decode(spec, &a)
}

// Catalog implements catalog.Store.
func (s *Store) Catalog(ctx context.Context) (state catalog.State, err error) {
	err = s.snapshot(ctx, "read the catalog", func(q querier) error {
		state, err = loadCatalog(ctx, q)
		return err
	})
	return state, err
}

// lockCatalog keeps other steps from changing the catalog, and from subscribing to what is about to go.
func lockCatalog(ctx context.Context, q querier) error {
	_, err := q.ExecContext(ctx, `UPDATE setting SET name = name WHERE name = 'brand'`)
	return err
}

func loadCatalog(ctx context.Context, q querier) (state catalog.State, err error) {
	state = catalog.State{APIs: map[string]lanyard.API{}}
	if state.Brand, err = loadBrand(ctx, q); err != nil {
		return state, err
	}
	apis, err := q.QueryContext(ctx, `SELECT name, spec FROM api`) //nolint:sqlclosecheck // scanAll closes them
	if err != nil {
		return state, err
	}
	return state, scanAll(apis, func() error {
		var name, spec string
		var a lanyard.API
		if err := apis.Scan(&name, &spec); err != nil {
			return err
		}
		err := decode(spec, &a)
		state.APIs[name] = a
		return err
	})
}

// Brand reads the provider's face alone: every page wears it.
func (s *Store) Brand(ctx context.Context) (brand lanyard.Brand, err error) {
	err = s.read("read the brand", func(q querier) error {
		brand, err = loadBrand(ctx, q)
		return err
	})
	return brand, err
}

func loadBrand(ctx context.Context, q querier) (brand lanyard.Brand, err error) {
	var text string
	if err := q.QueryRowContext(ctx, `SELECT value FROM setting WHERE name = 'brand'`).Scan(&text); err != nil {
		return brand, err
	}
	return brand, decode(text, &brand)
}

// countSubscribers reads the whole table of subscriptions: who changes the catalog waits for it, and nobody else. Who is to get a plan
// later counts as its subscriber too.
func countSubscribers(ctx context.Context, q querier, state *catalog.State, now time.Time) error {
	state.Subscribers = map[string]map[string]int{}
	subs, err := subscriptions(ctx, q, &where{})
	if err != nil {
		return err
	}
	for _, sub := range subs {
		plans := map[string]bool{sub.PlanAt(now): true}
		for _, c := range sub.Changes {
			if c.At.After(now) {
				plans[c.Plan] = true
			}
		}
		delete(plans, "")
		for plan := range plans {
			if state.Subscribers[sub.API] == nil {
				state.Subscribers[sub.API] = map[string]int{}
			}
			state.Subscribers[sub.API][plan]++
		}
	}
	return nil
}

// catalogText is a catalog as it is stored: what tells whether something differs.
type catalogText struct {
	brand string
	apis  map[string]string
}

func textOf(state *catalog.State) (text catalogText, err error) {
	text.apis = make(map[string]string, len(state.APIs))
	if text.brand, err = encode(state.Brand); err != nil {
		return text, err
	}
	for name, a := range state.APIs {
		a.Name = name
		if text.apis[name], err = encode(a); err != nil {
			return text, err
		}
	}
	return text, nil
}

// UpdateCatalog implements catalog.Store. Taking an API away takes its scopes along and ends its subscriptions.
func (s *Store) UpdateCatalog(ctx context.Context, ev audit.Event, alter func(*catalog.State) error) (rev id.Revision, err error) {
	err = s.step(ctx, "change the catalog", func(ctx context.Context, q querier) error {
		rev = 0
		if err := lockCatalog(ctx, q); err != nil {
			return err
		}
		state, err := loadCatalog(ctx, q)
		if err != nil {
			return err
		}
		if err := countSubscribers(ctx, q, &state, ev.At); err != nil {
			return err
		}
		before, err := textOf(&state) // now: alter may reach into the maps
		if err != nil {
			return err
		}
		if err := alter(&state); err != nil {
			return err
		}
		after, err := textOf(&state)
		if err != nil {
			return err
		}
		altered, err := s.writeCatalog(ctx, q, ev, before, after, state.APIs)
		if err != nil || len(altered) == 0 {
			return err
		}
		rev, err = s.finish(ctx, q, ev, altered...)
		return err
	})
	return rev, err
}

// writeCatalog writes what differs and returns it.
func (s *Store) writeCatalog(ctx context.Context, q querier, ev audit.Event, before, after catalogText, apis map[string]lanyard.API) (altered []change, err error) {
	gone := slices.DeleteFunc(slices.Sorted(maps.Keys(before.apis)), func(name string) bool { _, stays := after.apis[name]; return stays })
	differ := slices.DeleteFunc(slices.Sorted(maps.Keys(after.apis)), func(name string) bool { return before.apis[name] == after.apis[name] })
	// Scopes go first and come last, since one may move from an API to another.
	for _, name := range slices.Concat(gone, differ) {
		if _, err := q.ExecContext(ctx, `DELETE FROM scope WHERE api = $1`, name); err != nil {
			return nil, err
		}
		altered = append(altered, change{changes.API, name})
	}
	for _, name := range gone {
		if err := endSubscriptions(ctx, q, name, ev.At); err != nil {
			return nil, err
		}
		if _, err := q.ExecContext(ctx, `DELETE FROM api WHERE name = $1`, name); err != nil {
			return nil, err
		}
	}
	for _, name := range differ {
		if _, err := q.ExecContext(ctx, `INSERT INTO api (name, spec, created_at, updated_at) VALUES ($1, $2, $3, $3)
			ON CONFLICT (name) DO UPDATE SET spec = excluded.spec, updated_at = excluded.updated_at`, name, after.apis[name], micros(ev.At)); err != nil {
			return nil, err
		}
	}
	for _, name := range differ {
		scopes := slices.Sorted(maps.Keys(apis[name].Scopes))
		if err := s.insertRows(ctx, q, insert{into: `INSERT INTO scope (name, api)`, rows: len(scopes), row: func(i int) []any { return []any{scopes[i], name} }}); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Concat(gone, differ) {
		if err := setMeters(ctx, q, name, apis[name].Stripe, ev.At); err != nil {
			return nil, err
		}
	}
	if err := s.versionPlans(ctx, q, slices.Concat(gone, differ), apis, ev.At); err != nil {
		return nil, err
	}
	if before.brand == after.brand {
		return altered, nil
	}
	_, err = q.ExecContext(ctx, `UPDATE setting SET value = $1, updated_at = $2 WHERE name = 'brand'`, after.brand, micros(ev.At))
	return append(altered, change{changes.Brand, "brand"}), err
}
