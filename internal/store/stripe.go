package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/stripe"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// setCustomer writes down which customer a team is from the next hour on.
func setCustomer(ctx context.Context, q querier, teamID id.Team, customer string, now time.Time) error {
	from := micros(stripe.From(now))
	if _, err := q.ExecContext(ctx, `DELETE FROM stripe_customer WHERE team_id = $1 AND since > $2`, string(teamID), from); err != nil {
		return err
	}
	_, err := q.ExecContext(ctx, `INSERT INTO stripe_customer (team_id, since, customer) VALUES ($1, $2, $3)
		ON CONFLICT (team_id, since) DO UPDATE SET customer = excluded.customer`, string(teamID), from, customer)
	return err
}

// setMeters writes down which meters of Stripe those of an API feed from the next hour on, as far as that differs from what was said last.
func setMeters(ctx context.Context, q querier, api string, declared map[string]string, now time.Time) error {
	last, err := stripeMeters(ctx, q, api, end)
	if err != nil {
		return err
	}
	from := micros(stripe.From(now))
	meters := maps.Clone(last)
	maps.Copy(meters, declared)
	for _, meter := range slices.Sorted(maps.Keys(meters)) {
		if last[meter] == declared[meter] {
			continue
		}
		if _, err := q.ExecContext(ctx, `DELETE FROM stripe_meter WHERE api = $1 AND meter = $2 AND since > $3`, api, meter, from); err != nil {
			return err
		}
		if _, err := q.ExecContext(ctx, `INSERT INTO stripe_meter (api, meter, since, event) VALUES ($1, $2, $3, $4)
			ON CONFLICT (api, meter, since) DO UPDATE SET event = excluded.event`, api, meter, from, declared[meter]); err != nil {
			return err
		}
	}
	return nil
}

// end is after every time that is stored.
const end = 1 << 62

// stripeMeters are the event names of an API's meters in an hour, by meter; "" of one that feeds none any more.
func stripeMeters(ctx context.Context, q querier, api string, start int64) (events map[string]string, err error) {
	rows, err := q.QueryContext(ctx, `SELECT meter, event FROM stripe_meter WHERE api = $1 AND since <= $2 ORDER BY meter, since`, api, start) //nolint:sqlclosecheck // scanAll closes them
	if err != nil {
		return nil, err
	}
	events = map[string]string{}
	return events, scanAll(rows, func() error {
		var meter, event string
		err := rows.Scan(&meter, &event)
		events[meter] = event // the last one holds
		return err
	})
}

// stripeCustomer is which customer a team is in an hour; "": none.
func stripeCustomer(ctx context.Context, q querier, teamID id.Team, start int64) (customer string, err error) {
	err = q.QueryRowContext(ctx, `SELECT customer FROM stripe_customer WHERE team_id = $1 AND since <= $2 ORDER BY since DESC LIMIT 1`, string(teamID), start).Scan(&customer)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return customer, err
}

// countedHour is an hour of a team's use of an API.
type countedHour struct {
	team  id.Team
	api   string
	start int64
}

const hourMicros = int64(time.Hour / time.Microsecond)

// hoursOf are the hours in which rows count live, allowed calls.
func hoursOf(rows []usage.Row) map[countedHour]bool {
	hours := map[countedHour]bool{}
	for i := range rows {
		if r := &rows[i]; r.Team != "" && r.Outcome == string(policy.Valid) && r.Mode == secret.Live {
			hours[countedHour{r.Team, r.API, r.Minute - r.Minute%hourMicros}] = true
		}
	}
	return hours
}

// teamsAtOnce bounds the parameters of a statement.
const teamsAtOnce = 1000

// markHours has hours looked at that are some Stripe customer's. It is a part of the step that counts in them, and takes the lock of each
// hour's row whether it is new or not: whoever looks at the hour at the same time waits, and sees what was counted, or leaves the row to be
// looked at again. Where no team is a customer it costs one look into an index.
func (s *Store) markHours(ctx context.Context, q querier, hours map[countedHour]bool) error {
	teams := map[id.Team]bool{}
	for h := range hours {
		teams[h.team] = true
	}
	since := map[id.Team]int64{}
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(teams)), teamsAtOnce) {
		w := (&where{}).oneOf("team_id", texts(chunk))
		rows, err := q.QueryContext(ctx, `SELECT team_id, MIN(since) FROM stripe_customer`+w.String()+` GROUP BY team_id`, w.args...) //nolint:sqlclosecheck // scanAll closes them
		if err != nil {
			return err
		}
		if err := scanAll(rows, func() error {
			var of id.Team
			var first int64
			err := rows.Scan(&of, &first)
			since[of] = first
			return err
		}); err != nil {
			return err
		}
	}
	var marks []countedHour
	for h := range hours {
		if first, is := since[h.team]; is && h.start >= first {
			marks = append(marks, h)
		}
	}
	slices.SortFunc(marks, func(x, y countedHour) int {
		return cmp.Or(cmp.Compare(x.team, y.team), cmp.Compare(x.api, y.api), cmp.Compare(x.start, y.start))
	})
	return s.insertRows(ctx, q, insert{
		into: `INSERT INTO stripe_hour (team_id, api, start, check_at)`, of: []string{"TEXT", "TEXT", "BIGINT", "BIGINT"}, rows: len(marks),
		tail: `ON CONFLICT (team_id, api, start) DO UPDATE SET check_at = excluded.check_at WHERE stripe_hour.check_at > excluded.check_at`,
		row: func(i int) []any {
			m := &marks[i]
			return []any{string(m.team), m.api, m.start, m.start + hourMicros + stripe.Settle.Microseconds()}
		},
	})
}

// LookAtHours implements stripe.Queue.
func (s *Store) LookAtHours(ctx context.Context, now time.Time, deployment id.Team, limit int) (looked int, err error) {
	var due []countedHour
	err = s.read("look for hours to export", func(q querier) error {
		rows, err := q.QueryContext(ctx, `SELECT team_id, api, start FROM stripe_hour WHERE check_at <= $1 ORDER BY check_at LIMIT $2`, micros(now), limit)
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			var h countedHour
			err := rows.Scan(&h.team, &h.api, &h.start)
			due = append(due, h)
			return err
		})
	})
	if err != nil {
		return 0, err
	}
	return eachDue(due, func(h countedHour) error {
		err := s.step(ctx, "look at an hour", func(ctx context.Context, q querier) error { return lookAtHour(ctx, q, h, now, deployment) })
		return about(err, string(h.team)+" on "+h.api+" at "+moment(h.start).Format(time.RFC3339))
	}, func(h countedHour) error {
		return s.step(ctx, "look at an hour later", func(ctx context.Context, q querier) error {
			_, err := q.ExecContext(ctx, `UPDATE stripe_hour SET check_at = $4 WHERE team_id = $1 AND api = $2 AND start = $3`, string(h.team), h.api, h.start, micros(now.Add(tryAgain)))
			return err
		})
	})
}

// lookAtHour writes events for what was counted in an hour beyond those that are written. The mark goes first, so that one node does it; its
// counts are read after, since the lock of the mark may have been waited for.
func lookAtHour(ctx context.Context, q querier, h countedHour, now time.Time, deployment id.Team) error {
	first, err := decides(ctx, q, `DELETE FROM stripe_hour WHERE team_id = $1 AND api = $2 AND start = $3 AND check_at <= $4`, string(h.team), h.api, h.start, micros(now))
	if err != nil || !first {
		return err
	}
	customer, err := stripeCustomer(ctx, q, h.team, h.start)
	if err != nil || customer == "" {
		return err
	}
	events, err := stripeMeters(ctx, q, h.api, h.start)
	if err != nil {
		return err
	}
	state, nextAt, why := stripe.Waiting, micros(now), ""
	if doubted, err := inDoubt(ctx, q, h.start); err != nil {
		return err
	} else if doubted {
		state, nextAt, why = stripe.Unsure, 0, restoredWhile
	}
	for _, meter := range slices.Sorted(maps.Keys(events)) {
		if events[meter] == "" {
			continue
		}
		counted, err := countedIn(ctx, q, h, billing.Meter(meter))
		if err != nil {
			return err
		}
		var told, sequence int64
		if err := q.QueryRowContext(ctx, `SELECT CAST(COALESCE(SUM(units), 0) AS BIGINT), COUNT(*) FROM stripe_event WHERE team_id = $1 AND api = $2 AND meter = $3 AND start = $4`,
			string(h.team), h.api, meter, h.start).Scan(&told, &sequence); err != nil {
			return err
		}
		if counted <= told {
			continue
		}
		e := stripe.Event{Team: h.team, API: h.api, Meter: billing.Meter(meter), Start: moment(h.start), Sequence: int(sequence)}
		if _, err := q.ExecContext(ctx, `INSERT INTO stripe_event (`+stripeColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, 0, $12, 0, $13)`,
			stripe.Identifier(deployment, &e), string(e.Team), e.API, meter, h.start, sequence, customer, events[meter], counted-told,
			string(state), nextAt, micros(now), why); err != nil {
			return err
		}
	}
	return nil
}

// countedIn is what was counted of a meter in an hour.
func countedIn(ctx context.Context, q querier, h countedHour, meter billing.Meter) (units int64, err error) {
	switch meter {
	case billing.Requests:
		err = q.QueryRowContext(ctx, hourTotal("count"), string(usage.Hour), string(h.team), h.start, h.api, string(policy.Valid), string(secret.Live)).Scan(&units)
	case billing.Units:
		err = q.QueryRowContext(ctx, hourTotal("units"), string(usage.Hour), string(h.team), h.start, h.api, string(policy.Valid), string(secret.Live)).Scan(&units)
	default:
		err = q.QueryRowContext(ctx, `SELECT CAST(COALESCE(SUM(units), 0) AS BIGINT) FROM meter_total WHERE team_id = $1 AND api = $2 AND meter = $3 AND start >= $4 AND start < $5`,
			string(h.team), h.api, string(meter), h.start, h.start+hourMicros).Scan(&units)
	}
	return units, err
}

func hourTotal(column string) string {
	return `SELECT CAST(COALESCE(SUM(` + column + `), 0) AS BIGINT) FROM usage_total
		WHERE grain = $1 AND team_id = $2 AND start = $3 AND api = $4 AND outcome = $5 AND mode = $6` // #nosec G202 -- a constant
}

// What is said of events that a restoration leaves in doubt.
const restoredWhile = "a backup took the place of a lost database after the hour ended: Stripe may have it already"

// inDoubt reports whether it is unknown what Stripe was told of an hour.
func inDoubt(ctx context.Context, q querier, start int64) (doubted bool, err error) {
	var one int
	err = q.QueryRowContext(ctx, `SELECT 1 FROM stripe_doubt WHERE until > $1 LIMIT 1`, start).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// doubt notes the hours that ended before now, where a backup takes the place of a database that is lost, and with it what that told Stripe
// since. The same database, which has the built-in team of the backup, knows what it did.
func (r *restore) doubt(ctx context.Context) error {
	same, _, err := systemTeam(ctx, r.q)
	if err != nil || !r.before.unused && same == r.before.system {
		return err
	}
	_, err = r.q.ExecContext(ctx, `INSERT INTO stripe_doubt (until) VALUES ($1) ON CONFLICT (until) DO NOTHING`, micros(r.at.UTC().Truncate(time.Hour)))
	return err
}

// customersAsSet writes down, from the next hour on, whose customers and which event names the backup says; until then it is as it was.
func (r *restore) customersAsSet(ctx context.Context) error {
	const changed = `SELECT id, stripe_customer FROM team t WHERE stripe_customer <>
		COALESCE((SELECT c.customer FROM stripe_customer c WHERE c.team_id = t.id ORDER BY c.since DESC LIMIT 1), '')`
	rows, err := r.q.QueryContext(ctx, changed) //nolint:sqlclosecheck // scanAll closes them
	if err != nil {
		return err
	}
	other := map[id.Team]string{}
	if err := scanAll(rows, func() error {
		var teamID id.Team
		var customer string
		err := rows.Scan(&teamID, &customer)
		other[teamID] = customer
		return err
	}); err != nil {
		return err
	}
	for _, teamID := range slices.Sorted(maps.Keys(other)) {
		if err := setCustomer(ctx, r.q, teamID, other[teamID], r.at); err != nil {
			return err
		}
	}
	state, err := loadCatalog(ctx, r.q)
	if err != nil {
		return err
	}
	for _, api := range slices.Sorted(maps.Keys(state.APIs)) {
		if err := setMeters(ctx, r.q, api, state.APIs[api].Stripe, r.at); err != nil {
			return err
		}
	}
	return nil
}

// doubtWaiting settles events of a backup that waited when it was made: they may have been sent since. Those that the database knows itself
// stay as they are there.
func doubtWaiting(columns []string, rows [][]any) {
	state, next, why := slices.Index(columns, "state"), slices.Index(columns, "next_at"), slices.Index(columns, "error")
	if state < 0 || next < 0 || why < 0 {
		return // which the insertion refuses
	}
	for _, row := range rows {
		if row[state] == string(stripe.Waiting) {
			row[state], row[next], row[why] = string(stripe.Unsure), int64(0), restoredWhile
		}
	}
}
