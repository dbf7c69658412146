package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// VersionPlans writes down what plans are declared as, where their last version says otherwise: those of a database from before
// versions were kept, or that a server of such a version changed meanwhile.
func (s *Store) VersionPlans(ctx context.Context, now time.Time) error {
	var missing []planRow
	find := func(q querier) error {
		state, err := loadCatalog(ctx, q)
		if err != nil {
			return err
		}
		missing, err = missingVersions(ctx, q, slices.Sorted(maps.Keys(state.APIs)), state.APIs)
		return err
	}
	if err := s.read("look at the plans", find); err != nil || len(missing) == 0 {
		return err
	}
	return s.step(ctx, "write versions of plans", func(ctx context.Context, q querier) error {
		if err := lockCatalog(ctx, q); err != nil {
			return err
		}
		if err := find(q); err != nil {
			return err
		}
		return s.writeVersions(ctx, q, missing, now)
	})
}

// versionPlans writes a version of each plan of some APIs that is declared otherwise than its last one says.
func (s *Store) versionPlans(ctx context.Context, q querier, names []string, apis map[string]lanyard.API, now time.Time) error {
	missing, err := missingVersions(ctx, q, names, apis)
	if err != nil {
		return err
	}
	return s.writeVersions(ctx, q, missing, now)
}

// planRow is a version as it is stored.
type planRow struct {
	api, plan string
	number    int
	spec      string // "": the plan was taken away
}

func (s *Store) writeVersions(ctx context.Context, q querier, versions []planRow, now time.Time) error {
	since := micros(now.Truncate(time.Minute))
	for i, v := range versions {
		if i > 0 && versions[i-1].api == v.api {
			continue
		}
		// Which plan is the default may be another now.
		if _, err := q.ExecContext(ctx, `UPDATE billing_account SET due_at = $2 WHERE api = $1 AND due_at > $2`, v.api, since); err != nil {
			return err
		}
	}
	return s.insertRows(ctx, q, insert{
		into: `INSERT INTO plan_version (id, api, plan, number, since, spec)`, rows: len(versions),
		row: func(i int) []any {
			v := versions[i]
			return []any{string(id.New[id.Plan]()), v.api, v.plan, v.number, since, v.spec}
		},
	})
}

// missingVersions compares the last version of every plan with what is declared.
func missingVersions(ctx context.Context, q querier, names []string, apis map[string]lanyard.API) (missing []planRow, err error) {
	for _, name := range names {
		last, err := lastVersions(ctx, q, name)
		if err != nil {
			return nil, err
		}
		for plan := range apis[name].Plans {
			if _, known := last[plan]; !known {
				last[plan] = planRow{api: name, plan: plan}
			}
		}
		for _, plan := range slices.Sorted(maps.Keys(last)) {
			spec := ""
			if declared, stays := apis[name].Plans[plan]; stays {
				if spec, err = encode(declared); err != nil {
					return nil, err
				}
			}
			if v := last[plan]; v.spec != spec {
				missing = append(missing, planRow{name, plan, v.number + 1, spec})
			}
		}
	}
	return missing, nil
}

func lastVersions(ctx context.Context, q querier, api string) (last map[string]planRow, err error) {
	last = map[string]planRow{}
	rows, err := q.QueryContext(ctx, `SELECT plan, number, spec FROM plan_version WHERE api = $1 ORDER BY plan, number`, api)
	if err != nil {
		return nil, err
	}
	return last, scanAll(rows, func() error {
		v := planRow{api: api}
		err := rows.Scan(&v.plan, &v.number, &v.spec)
		last[v.plan] = v
		return err
	})
}

// History implements billing.Store.
func (s *Store) History(ctx context.Context, teamID id.Team, api string) (h billing.History, err error) {
	err = s.snapshot(ctx, "read what a team pays", func(q querier) error {
		h, err = history(ctx, q, teamID, api)
		return err
	})
	return h, err
}

func history(ctx context.Context, q querier, teamID id.Team, api string) (h billing.History, err error) {
	if h.Subscription, err = oneSubscription(ctx, q, teamID, api); err != nil {
		return h, err
	}
	rows, err := q.QueryContext(ctx, `SELECT id, plan, number, since, spec FROM plan_version WHERE api = $1 ORDER BY plan, number`, api)
	if err != nil {
		return h, err
	}
	return h, scanAll(rows, func() error {
		var v billing.Version
		var since int64
		var spec string
		if err := rows.Scan(&v.ID, &v.Plan, &v.Number, &since, &spec); err != nil {
			return err
		}
		v.Since = moment(since)
		if err := readVersion(&v, spec); err != nil {
			return fmt.Errorf("version %d of plan %s of API %s: %w", v.Number, v.Plan, api, err)
		}
		h.Versions = append(h.Versions, v)
		return nil
	})
}

func readVersion(v *billing.Version, spec string) (err error) {
	if v.Gone = spec == ""; v.Gone {
		return nil
	}
	var declared lanyard.Plan
	if err := decode(spec, &declared); err != nil {
		return err
	}
	v.Default = declared.Default
	v.Charges, err = billing.ReadPlan(declared)
	return err
}
