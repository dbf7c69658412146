package store

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// Subscription implements billing.Store.
func (s *Store) Subscription(ctx context.Context, teamID id.Team, api string) (sub billing.Subscription, err error) {
	err = s.read("read a subscription", func(q querier) error {
		sub, err = oneSubscription(ctx, q, teamID, api)
		return err
	})
	return sub, err
}

func oneSubscription(ctx context.Context, q querier, teamID id.Team, api string) (billing.Subscription, error) {
	w := (&where{}).and(`team_id = ? AND api = ?`, string(teamID), api)
	found, err := subscriptions(ctx, q, w)
	if err != nil || len(found) == 0 {
		return billing.Subscription{Team: teamID, API: api}, err
	}
	return found[0], nil
}

// Subscriptions implements billing.Store.
func (s *Store) Subscriptions(ctx context.Context, reach audit.Reach, teamID id.Team) (subs []billing.Subscription, err error) {
	err = s.snapshot(ctx, "list subscriptions", func(q querier) error {
		if _, err := oneTeam(ctx, q, reach, teamID); err != nil {
			return err
		}
		subs, err = subscriptions(ctx, q, (&where{}).and(`team_id = ?`, string(teamID)))
		return err
	})
	return subs, err
}

func subscriptions(ctx context.Context, q querier, w *where) (subs []billing.Subscription, err error) {
	rows, err := q.QueryContext(ctx, `SELECT team_id, api, plan, since FROM subscription`+w.String()+` ORDER BY team_id, api, since`, w.args...)
	if err != nil {
		return nil, err
	}
	return subs, scanAll(rows, func() error {
		var one billing.Subscription
		var c billing.Change
		var since int64
		if err := rows.Scan(&one.Team, &one.API, &c.Plan, &since); err != nil {
			return err
		}
		c.At = moment(since)
		if last := len(subs) - 1; last < 0 || subs[last].Team != one.Team || subs[last].API != one.API {
			subs = append(subs, one)
		}
		last := &subs[len(subs)-1]
		last.Changes = append(last.Changes, c)
		return nil
	})
}

// SubscriptionEntity is the name of a team's plan for an API in the log of changes.
func SubscriptionEntity(teamID id.Team, api string) string { return string(teamID) + "/" + api }

// Subscribe implements billing.Store. The catalog stands still meanwhile, so that no plan goes while a team chooses it.
func (s *Store) Subscribe(ctx context.Context, teamID id.Team, api string, c billing.Change, ev audit.Event) (rev id.Revision, err error) {
	err = s.step(ctx, "subscribe", func(ctx context.Context, q querier) error {
		if err := lockCatalog(ctx, q); err != nil {
			return err
		}
		if _, err := oneTeam(ctx, q, audit.ServerReach(), teamID); err != nil {
			return err
		}
		a, err := oneAPI(ctx, q, api)
		if err != nil {
			return err
		}
		if _, offered := a.Plans[c.Plan]; c.Plan != "" && !offered {
			return fault.Field("plan", "API %q has no plan %.80q", api, c.Plan)
		}
		if err := changePlan(ctx, q, teamID, api, c, ev.At); err != nil {
			return err
		}
		ev.Team = teamID
		rev, err = s.finish(ctx, q, ev, change{changes.Subscription, SubscriptionEntity(teamID, api)})
		return err
	})
	return rev, err
}

// mostChanges bounds how often a plan can be changed at once within a day: each change is a bill, with a share of the fee and of what is included.
const mostChanges = 5

func changePlan(ctx context.Context, q querier, teamID id.Team, api string, c billing.Change, now time.Time) error {
	minute := now.Truncate(time.Minute)
	if err := dueAt(ctx, q, teamID, api, minute, minute); err != nil {
		return err
	}
	// What bills were written for stays as it was: another node's clock may be ahead, or this call have waited.
	var until int64
	if err := q.QueryRowContext(ctx, `UPDATE billing_account SET until = until WHERE team_id = $1 AND api = $2 RETURNING until`, string(teamID), api).Scan(&until); err != nil {
		return err
	}
	if billed := moment(until); minute.Before(billed) && billed.Before(minute.Add(time.Hour)) {
		minute = billed
	}
	if c.At = c.At.Truncate(time.Minute); c.At.Before(minute) {
		c.At = minute
	}
	if _, err := q.ExecContext(ctx, `DELETE FROM subscription WHERE team_id = $1 AND api = $2 AND since > $3`, string(teamID), api, micros(minute)); err != nil {
		return err
	}
	sub, err := oneSubscription(ctx, q, teamID, api)
	if err != nil || sub.PlanAt(c.At) == c.Plan {
		return err
	}
	if recent := changesWithin(sub, c.At.Add(-24*time.Hour), c.At); c.At.Equal(minute) && recent >= mostChanges {
		return fault.New(fault.Conflict, "the plan was changed %d times within a day: let the next change begin when the period ends (period_end), or wait", recent)
	}
	_, err = q.ExecContext(ctx, `INSERT INTO subscription (team_id, api, plan, since) VALUES ($1, $2, $3, $4)
		ON CONFLICT (team_id, api, since) DO UPDATE SET plan = excluded.plan`, string(teamID), api, c.Plan, micros(c.At))
	return err
}

// changesWithin counts the changes after a time, up to and with another.
func changesWithin(sub billing.Subscription, after, to time.Time) (n int) {
	for _, c := range sub.Changes {
		if c.At.After(after) && !c.At.After(to) {
			n++
		}
	}
	return n
}

// endSubscriptions ends those for an API that goes.
func endSubscriptions(ctx context.Context, q querier, api string, now time.Time) error {
	minute := micros(now.Truncate(time.Minute))
	if _, err := q.ExecContext(ctx, `DELETE FROM spend_alert WHERE api = $1`, api); err != nil {
		return err
	}
	if _, err := q.ExecContext(ctx, `DELETE FROM subscription WHERE api = $1 AND since > $2`, api, minute); err != nil {
		return err
	}
	_, err := q.ExecContext(ctx, `INSERT INTO subscription (team_id, api, plan, since) SELECT DISTINCT team_id, api, '', CAST($2 AS BIGINT) FROM subscription WHERE api = $1
		ON CONFLICT (team_id, api, since) DO UPDATE SET plan = excluded.plan`, api, minute)
	return err
}
