package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// atOnce is a time that is over on every clock.
const atOnce = 1

// FindAccounts implements billing.InvoiceStore: whoever has a subscription, and whoever called, is one. It reads the calls of whole months
// only, so that it can be done every so often. Who turns out to have called before the time that they are billed from is billed from then.
func (s *Store) FindAccounts(ctx context.Context) error {
	const called = ` FROM usage_total t WHERE t.grain = $1 AND t.team_id <> '' AND t.api <> '' AND t.outcome = $2 AND t.mode = $3 `
	args := []any{string(usage.Month), string(policy.Valid), string(secret.Live)}
	return s.step(ctx, "find whom to bill", func(ctx context.Context, q querier) error {
		if _, err := q.ExecContext(ctx, `INSERT INTO billing_account (team_id, api, since, until, due_at)
			SELECT DISTINCT s.team_id, s.api, 0, 0, 1 FROM subscription s
			WHERE NOT EXISTS (SELECT 1 FROM billing_account b WHERE b.team_id = s.team_id AND b.api = s.api)
			ON CONFLICT (team_id, api) DO NOTHING`); err != nil {
			return err
		}
		_, err := q.ExecContext(ctx, `INSERT INTO billing_account (team_id, api, since, until, due_at)
			SELECT t.team_id, t.api, MIN(t.start), MIN(t.start), 1`+called+`AND NOT EXISTS (SELECT 1 FROM billing_account b WHERE b.team_id = t.team_id AND b.api = t.api AND b.since <= t.start)
			GROUP BY t.team_id, t.api
			ON CONFLICT (team_id, api) DO UPDATE SET since = excluded.since, until = excluded.since, due_at = 1 WHERE excluded.since < billing_account.since`, args...)
		return err
	})
}

// dueAt has the bills of a team on an API looked after from a time on, and from the beginning of the month of another on, if that is earlier than
// they were.
func dueAt(ctx context.Context, q querier, teamID id.Team, api string, due, from time.Time) error {
	_, err := q.ExecContext(ctx, `INSERT INTO billing_account (team_id, api, since, until, due_at) VALUES ($1, $2, $3, $3, $4)
		ON CONFLICT (team_id, api) DO UPDATE SET
			until = CASE WHEN excluded.since < billing_account.since THEN excluded.since ELSE billing_account.until END,
			since = CASE WHEN excluded.since < billing_account.since THEN excluded.since ELSE billing_account.since END,
			due_at = CASE WHEN excluded.due_at < billing_account.due_at THEN excluded.due_at ELSE billing_account.due_at END
		WHERE excluded.since < billing_account.since OR excluded.due_at < billing_account.due_at`,
		string(teamID), api, micros(usage.Month.Start(from)), micros(due))
	return err
}

// account is a team on an API.
type account struct {
	team id.Team
	api  string
}

// accountsWhere reads accounts that something is to be done about.
func (s *Store) accountsWhere(ctx context.Context, condition string, now time.Time, limit int) (due []account, err error) {
	err = s.read("look for what to bill", func(q querier) error {
		text := `SELECT team_id, api FROM billing_account WHERE ` + condition + ` LIMIT $2` // #nosec G202 -- constants
		rows, err := q.QueryContext(ctx, text, micros(now), limit)
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			var a account
			err := rows.Scan(&a.team, &a.api)
			due = append(due, a)
			return err
		})
	})
	return due, err
}

// DraftInvoices implements billing.InvoiceStore.
func (s *Store) DraftInvoices(ctx context.Context, now time.Time, grace time.Duration, limit int) (looked int, err error) {
	due, err := s.accountsWhere(ctx, `due_at <= $1 ORDER BY due_at`, now, limit)
	if err != nil {
		return 0, err
	}
	return eachDue(due, func(a account) error {
		err := s.step(ctx, "draft invoices", func(ctx context.Context, q querier) error { return s.draftFor(ctx, q, a.team, a.api, now, grace) })
		return about(err, string(a.team)+" on "+a.api)
	}, func(a account) error {
		return s.step(ctx, "draft invoices later", func(ctx context.Context, q querier) error {
			_, err := q.ExecContext(ctx, `UPDATE billing_account SET due_at = $3 WHERE team_id = $1 AND api = $2`, string(a.team), a.api, micros(now.Add(tryAgain)))
			return err
		})
	})
}

// tryAgain is when what failed is tried again.
const tryAgain = time.Hour

// eachDue does what is due. What fails is put off, so that it holds nothing else up; a database that is out of reach ends it.
func eachDue[T any](due []T, do, later func(T) error) (looked int, err error) {
	for _, one := range due {
		failed := do(one)
		if fault.Is(failed, fault.Unavailable) {
			return looked, errors.Join(err, failed)
		}
		if failed != nil {
			err = errors.Join(err, failed)
			if failed := later(one); failed != nil {
				return looked, errors.Join(err, failed)
			}
		}
		looked++
	}
	return looked, err
}

// about says what an error is about.
func about(err error, what string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// lookAgain is when somebody without a plan is looked at again; what gives them one has them looked at then.
const lookAgain = 24 * time.Hour

// draftFor writes drafts of what has ended of one account. Nothing is billed twice, whatever became of the subscription or of the account's
// row: what a bill was written for is left out.
func (s *Store) draftFor(ctx context.Context, q querier, teamID id.Team, api string, now time.Time, grace time.Duration) error {
	var until int64
	err := q.QueryRowContext(ctx, `UPDATE billing_account SET until = until WHERE team_id = $1 AND api = $2 AND due_at <= $3 RETURNING until`,
		string(teamID), api, micros(now)).Scan(&until)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // another node was first
	}
	if err != nil {
		return err
	}
	h, err := history(ctx, q, teamID, api)
	if err != nil {
		return err
	}
	from, due := moment(until), now.Add(lookAgain)
	stretches := h.Stretches(from, now.Add(time.Microsecond))
	if len(stretches) > 0 { // the first may have begun before
		until = min(until, micros(stretches[0].Held.Start))
	}
	billed, err := billedSince(ctx, q, teamID, api, until)
	if err != nil {
		return err
	}
	for _, stretch := range stretches {
		if stretch.Held.End.After(now) {
			due = stretch.Held.End
			if _, err := watch(ctx, q, teamID, api, stretch); err != nil {
				return err
			}
			break
		}
		from = stretch.Held.End
		if !stretch.Version.Charged() {
			continue
		}
		for _, held := range stretch.Held.Without(billed) {
			stretch.Held = held
			if err := s.draft(ctx, q, &billing.Invoice{Team: teamID, API: api, Stretch: stretch}, now, grace); err != nil {
				return err
			}
		}
	}
	_, err = q.ExecContext(ctx, `UPDATE billing_account SET until = $3, due_at = $4 WHERE team_id = $1 AND api = $2`, string(teamID), api, micros(from), micros(due))
	return err
}

// billedSince are the times after another that bills were written for, oldest first.
func billedSince(ctx context.Context, q querier, teamID id.Team, api string, after int64) (billed []billing.Period, err error) {
	rows, err := q.QueryContext(ctx, `SELECT start_at, end_at FROM invoice WHERE team_id = $1 AND api = $2 AND sequence = 0 AND end_at > $3 ORDER BY start_at`, string(teamID), api, after)
	if err != nil {
		return nil, err
	}
	return billed, scanAll(rows, func() error {
		var start, end int64
		err := rows.Scan(&start, &end)
		billed = append(billed, billing.Period{Start: moment(start), End: moment(end)})
		return err
	})
}

// Used implements billing.InvoiceStore.
func (s *Store) Used(ctx context.Context, teamID id.Team, api string, stretch billing.Stretch) (used billing.Usage, err error) {
	err = s.snapshot(ctx, "read what was used", func(q querier) error {
		used, err = usedIn(ctx, q, teamID, api, stretch)
		return err
	})
	return used, err
}

// usedIn is what was used within a stretch: live calls that were allowed, and what events say of the API's own meters.
func usedIn(ctx context.Context, q querier, teamID id.Team, api string, stretch billing.Stretch) (billing.Usage, error) {
	used := billing.Usage{billing.Requests: 0, billing.Units: 0}
	for _, part := range timeParts(stretch.Held.Start, stretch.Held.End, usage.Month, usage.Day, usage.Hour, usage.Minute) {
		var count, units int64
		if err := q.QueryRowContext(ctx, `SELECT CAST(COALESCE(SUM(count), 0) AS BIGINT), CAST(COALESCE(SUM(units), 0) AS BIGINT) FROM usage_total
			WHERE grain = $1 AND team_id = $2 AND start >= $3 AND start < $4 AND api = $5 AND outcome = $6 AND mode = $7`,
			string(part.grain), string(teamID), micros(part.from), micros(part.to), api, string(policy.Valid), string(secret.Live)).Scan(&count, &units); err != nil {
			return nil, err
		}
		used[billing.Requests] += count
		used[billing.Units] += units
	}
	of, err := usedOfMeters(ctx, q, teamID, api, stretch)
	if err != nil {
		return nil, err
	}
	maps.Copy(used, of)
	return used, nil
}

// usedOfMeters is what events say of the API's own meters within a stretch.
func usedOfMeters(ctx context.Context, q querier, teamID id.Team, api string, stretch billing.Stretch) (billing.Usage, error) {
	used := billing.Usage{}
	for _, meter := range stretch.Version.Meters() {
		var units int64
		if err := q.QueryRowContext(ctx, `SELECT CAST(COALESCE(SUM(units), 0) AS BIGINT) FROM meter_total WHERE team_id = $1 AND api = $2 AND meter = $3 AND start >= $4 AND start < $5`,
			string(teamID), api, string(meter), micros(stretch.Held.Start), micros(stretch.Held.End)).Scan(&units); err != nil {
			return nil, err
		}
		used[meter] = units
	}
	return used, nil
}

// timePart is a stretch of time that the rollup of one grain answers for.
type timePart struct {
	grain    usage.Granularity
	from, to time.Time
}

// timeParts cuts a time that begins and ends with whole minutes into what the grains answer for, each the coarser the better.
func timeParts(from, to time.Time, grains ...usage.Granularity) []timePart {
	if !from.Before(to) || len(grains) == 0 {
		return nil
	}
	grain, finer := grains[0], grains[1:]
	first, end := grain.Start(from), grain.Start(to)
	if first.Before(from) {
		first = grain.Next(from)
	}
	if !first.Before(end) {
		return timeParts(from, to, finer...)
	}
	all := append(timeParts(from, first, finer...), timePart{grain, first, end})
	return append(all, timeParts(end, to, finer...)...)
}
