package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// Subscription implements billing.Store.
func (s *Store) Subscription(ctx context.Context, teamID id.Team, api string) (billing.Subscription, error) {
	sub := billing.Subscription{Team: teamID, API: api}
	err := s.read("read a subscription", func(q querier) error {
		var since int64
		err := q.QueryRowContext(ctx, `SELECT plan, since FROM subscription WHERE team_id = $1 AND api = $2`, string(teamID), api).Scan(&sub.Plan, &since)
		sub.Since = moment(since)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return sub, err
}

// Subscriptions implements billing.Store, ordered by API.
func (s *Store) Subscriptions(ctx context.Context, reach audit.Reach, teamID id.Team) (subs []billing.Subscription, err error) {
	err = s.snapshot(ctx, "list subscriptions", func(q querier) error {
		if _, err := oneTeam(ctx, q, reach, teamID); err != nil {
			return err
		}
		rows, err := q.QueryContext(ctx, `SELECT team_id, api, plan, since FROM subscription WHERE team_id = $1 ORDER BY api`, string(teamID))
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			var sub billing.Subscription
			var since int64
			err := rows.Scan(&sub.Team, &sub.API, &sub.Plan, &since)
			sub.Since = moment(since)
			subs = append(subs, sub)
			return err
		})
	})
	return subs, err
}

// SubscriptionEntity is the name of a team's plan for an API in the log of changes.
func SubscriptionEntity(teamID id.Team, api string) string { return string(teamID) + "/" + api }

// Subscribe implements billing.Store. The catalog stands still meanwhile, so that no plan goes while a team chooses it.
func (s *Store) Subscribe(ctx context.Context, sub billing.Subscription, ev audit.Event) (rev id.Revision, err error) {
	err = s.step(ctx, "subscribe", func(ctx context.Context, q querier) error {
		if err := lockCatalog(ctx, q); err != nil {
			return err
		}
		if _, err := oneTeam(ctx, q, audit.ServerReach(), sub.Team); err != nil {
			return err
		}
		a, err := oneAPI(ctx, q, sub.API)
		if err != nil {
			return err
		}
		if sub.Plan == "" {
			_, err = q.ExecContext(ctx, `DELETE FROM subscription WHERE team_id = $1 AND api = $2`, string(sub.Team), sub.API)
		} else if _, offered := a.Plans[sub.Plan]; !offered {
			return fault.Field("plan", "API %q has no plan %.80q", sub.API, sub.Plan)
		} else {
			_, err = q.ExecContext(ctx, `INSERT INTO subscription (team_id, api, plan, since) VALUES ($1, $2, $3, $4)
				ON CONFLICT (team_id, api) DO UPDATE SET plan = excluded.plan`, string(sub.Team), sub.API, sub.Plan, micros(ev.At))
		}
		if err != nil {
			return err
		}
		ev.Team = sub.Team
		rev, err = s.finish(ctx, q, ev, change{changes.Subscription, SubscriptionEntity(sub.Team, sub.API)})
		return err
	})
	return rev, err
}
