package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/quota"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// LeaseQuota implements quota.Store. Every step locks its leases first, then pools, each in the order of their subjects. Periods of different kinds can begin at once: then the
// longer one's end stays, and uses are counted on the lease up to it.
func (s *Store) LeaseQuota(ctx context.Context, l quota.Lease) (got quota.Leased, err error) {
	err = s.step(ctx, "lease a quota", func(ctx context.Context, q querier) error {
		got = quota.Leased{}
		var ended bool
		if err := q.QueryRowContext(ctx, `INSERT INTO quota_lease (node, subject, start_at, end_at, spool, granted, counted, ended) VALUES ($1, $2, $3, $4, $5, 0, 0, 0)
			ON CONFLICT (node, subject, start_at) DO UPDATE SET end_at = CASE WHEN excluded.end_at > quota_lease.end_at THEN excluded.end_at ELSE quota_lease.end_at END
			RETURNING ended <> 0`,
			string(l.Node), string(l.Subject), micros(l.Start), micros(l.End), l.Spool).Scan(&ended); err != nil {
			return err
		}
		grant, left, refused, err := s.grant(ctx, q, l)
		if err != nil {
			return err
		}
		if refused {
			_, err := q.ExecContext(ctx, `UPDATE quota SET wanted_at = `+s.engine.clock()+` WHERE subject = $1 AND start_at = $2`, string(l.Subject), micros(l.Start))
			got.Left = left
			return err
		}
		got = quota.Leased{Granted: grant, Left: left - grant, Anew: ended}
		_, err = q.ExecContext(ctx, `UPDATE quota_lease SET granted = granted + $4, ended = 0 WHERE node = $1 AND subject = $2 AND start_at = $3`,
			string(l.Node), string(l.Subject), micros(l.Start), grant)
		return err
	})
	return got, err
}

// grant takes a block out of the pool, if what is left covers what is needed, and tells of marks that are reached by it.
func (s *Store) grant(ctx context.Context, q querier, l quota.Lease) (grant, left int64, refused bool, err error) {
	var leased int64
	var told, tells string
	var spends spending
	want := l.Want
	meter, money := l.Subject.Spends()
	if money {
		if spends, told, err = lockSpending(ctx, q, l, billing.Meter(meter)); err != nil {
			return 0, 0, false, err
		}
		leased, left = spends.used[billing.Meter(meter)], spends.left
		want = min(want, max(1, (leased+left)/100))
	} else {
		if leased, told, err = lockPool(ctx, q, l); err != nil {
			return 0, 0, false, err
		}
		left = max(l.Limit-leased, 0)
	}
	// The emptier the pool, the smaller the blocks, so that no node sits on what another needs.
	grant = min(left, max(l.Need, min(want, left/8)))
	if refused = grant < l.Need; refused {
		grant = 0
	}
	switch {
	case !money:
		tells, err = warn(ctx, q, l, leased+grant, refused, told)
	case refused:
		tells, err = spends.warnSpent(ctx, q, told, l.Now)
	default:
		tells = told
	}
	if err != nil || grant == 0 && tells == told {
		return grant, left, refused, err
	}
	_, err = q.ExecContext(ctx, `UPDATE quota SET leased = leased + $3, told = $4 WHERE subject = $1 AND start_at = $2`, string(l.Subject), micros(l.Start), grant, tells)
	return grant, left, refused, err
}

// lockPool returns what is leased of a pool, and up to which mark was told of it, and keeps other steps from it. The first to ask makes it, of
// what was counted before.
func lockPool(ctx context.Context, q querier, l quota.Lease) (leased int64, told string, err error) {
	lock := func() error {
		return q.QueryRowContext(ctx, `UPDATE quota SET end_at = CASE WHEN $3 > end_at THEN $3 ELSE end_at END WHERE subject = $1 AND start_at = $2 RETURNING leased, told`,
			string(l.Subject), micros(l.Start), micros(l.End)).Scan(&leased, &told)
	}
	if err = lock(); !errors.Is(err, sql.ErrNoRows) {
		return leased, told, err
	}
	before, err := countedFor(ctx, q, l)
	if err != nil {
		return 0, "", err
	}
	if _, money := l.Subject.Spends(); money { // whoever spends is watched from now on
		team, rest, _ := strings.Cut(string(l.Subject), "/")
		api, _, _ := strings.Cut(rest, "/")
		if err := dueAt(ctx, q, id.Team(team), api, l.Start, l.Start); err != nil {
			return 0, "", err
		}
	}
	if _, err = q.ExecContext(ctx, `INSERT INTO quota (subject, start_at, end_at, before, leased, wanted_at) VALUES ($1, $2, $3, $4, $4, 0) ON CONFLICT (subject, start_at) DO NOTHING`,
		string(l.Subject), micros(l.Start), micros(l.End), before); err != nil {
		return 0, "", err
	}
	return leased, told, lock()
}

// countedFor is how many units of a quota were counted so far.
func countedFor(ctx context.Context, q querier, l quota.Lease) (units int64, err error) {
	if meter, money := l.Subject.Spends(); money {
		team, rest, _ := strings.Cut(string(l.Subject), "/")
		api, _, _ := strings.Cut(rest, "/")
		used, err := usedIn(ctx, q, id.Team(team), api, billing.Stretch{Held: billing.Period{Start: l.Start, End: l.End}})
		return used[billing.Meter(meter)], err
	}
	table, w := "usage_total", &where{}
	w.and(`grain = ?`, string(usage.Minute))
	if owner, rest, onAPI := strings.Cut(string(l.Subject), "/"); onAPI {
		api, mode, _ := strings.Cut(rest, "/")
		team, user := owner, ""
		if _, err := id.Parse[id.User](owner); err == nil { // a personal token's: it has no team
			table, team, user = "usage_rollup", "", owner
		}
		w.and(`team_id = ?`, team).given(`user_id = ?`, user).and(`api = ? AND mode = ?`, api, mode)
	} else {
		table = "usage_rollup"
		w.and(`app_id = (SELECT k.app_id FROM api_key k WHERE k.id = ?) AND key_id = ?`, owner, owner)
	}
	w.and(`outcome = ? AND start >= ? AND start < ?`, string(policy.Valid), micros(l.Start), micros(l.End))
	err = q.QueryRowContext(ctx, `SELECT CAST(COALESCE(SUM(units), 0) AS BIGINT) FROM `+table+w.String(), w.args...).Scan(&units)
	return units, err
}

// ReturnQuota implements quota.Store. What was counted on a lease is never given back.
func (s *Store) ReturnQuota(ctx context.Context, node id.Node, returns []quota.Return) error {
	slices.SortFunc(returns, func(a, b quota.Return) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), a.Start.Compare(b.Start))
	})
	return s.step(ctx, "give back a quota", func(ctx context.Context, q querier) error {
		var taken []quota.Return
		for _, r := range returns {
			result, err := q.ExecContext(ctx, `UPDATE quota_lease SET granted = granted - $4 WHERE node = $1 AND subject = $2 AND start_at = $3 AND ended = 0 AND granted - $4 >= counted`,
				string(node), string(r.Subject), micros(r.Start), r.Units)
			if err != nil {
				return err
			}
			n, err := result.RowsAffected()
			if err != nil {
				return err
			}
			if n > 0 { // else the lease ended
				taken = append(taken, r)
			}
		}
		for _, r := range taken {
			if err := addLeased(ctx, q, string(r.Subject), micros(r.Start), -r.Units); err != nil {
				return err
			}
		}
		return nil
	})
}

func addLeased(ctx context.Context, q querier, subject string, start, units int64) error {
	_, err := q.ExecContext(ctx, `UPDATE quota SET leased = leased + $3 WHERE subject = $1 AND start_at = $2`, subject, start, units)
	return err
}

// heldAtOnce bounds an answer of WantedQuotas; what it leaves out is asked for again soon.
const heldAtOnce = 1000

// WantedQuotas implements quota.Store.
func (s *Store) WantedQuotas(ctx context.Context, node id.Node, within time.Duration) (held []quota.Held, err error) {
	err = s.read("look for wanted quotas", func(q querier) error {
		rows, err := q.QueryContext(ctx, `SELECT l.subject, l.start_at, l.ended <> 0 FROM quota_lease l JOIN quota p ON p.subject = l.subject AND p.start_at = l.start_at
			WHERE l.node = $1 AND (l.ended = 1 OR p.wanted_at > `+s.engine.clock()+` - $2) LIMIT $3`, string(node), within.Microseconds(), heldAtOnce) // #nosec G202 -- constants
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			var h quota.Held
			var start int64
			err := rows.Scan(&h.Subject, &start, &h.Ended)
			h.Start = moment(start)
			held = append(held, h)
			return err
		})
	})
	return held, err
}

// SettleSpool implements quota.Store.
func (s *Store) SettleSpool(ctx context.Context, spool string, now id.Node) error {
	return s.step(ctx, "settle quotas", func(ctx context.Context, q querier) error {
		return settle(ctx, q, `spool = $1 AND node <> $2`, spool, string(now))
	})
}

// SettleDead implements quota.Store.
func (s *Store) SettleDead(ctx context.Context, unseen time.Duration) error {
	const dead = `spool = '' AND NOT EXISTS (SELECT 1 FROM node n WHERE n.id = quota_lease.node AND n.seen_at > `
	return s.step(ctx, "settle quotas", func(ctx context.Context, q querier) error {
		return settle(ctx, q, dead+s.engine.clock()+` - $1)`, unseen.Microseconds())
	})
}

// settle ends leases. First it ends them, so that nothing is counted on them any more, then it takes what was not spent back.
func settle(ctx context.Context, q querier, which string, args ...any) error {
	type lease struct {
		node, subject  string
		start, unspent int64
	}
	var ended []lease
	rows, err := q.QueryContext(ctx, `UPDATE quota_lease SET ended = 1 WHERE ended = 0 AND `+which+` RETURNING node, subject, start_at, granted - counted`, args...)
	if err != nil {
		return err
	}
	if err := scanAll(rows, func() error {
		var l lease
		err := rows.Scan(&l.node, &l.subject, &l.start, &l.unspent)
		ended = append(ended, l)
		return err
	}); err != nil {
		return err
	}
	slices.SortFunc(ended, func(a, b lease) int { return cmp.Or(cmp.Compare(a.subject, b.subject), cmp.Compare(a.start, b.start)) })
	for _, l := range ended {
		if _, err := q.ExecContext(ctx, `UPDATE quota_lease SET granted = counted WHERE node = $1 AND subject = $2 AND start_at = $3`, l.node, l.subject, l.start); err != nil {
			return err
		}
		if err := addLeased(ctx, q, l.subject, l.start, -l.unspent); err != nil {
			return err
		}
	}
	return nil
}

// TrimQuotas implements quota.Store.
func (s *Store) TrimQuotas(ctx context.Context, before time.Time) error {
	return s.step(ctx, "forget old quotas", func(ctx context.Context, q querier) error {
		if _, err := q.ExecContext(ctx, `DELETE FROM quota_lease WHERE end_at < $1`, micros(before)); err != nil {
			return err
		}
		_, err := q.ExecContext(ctx, `DELETE FROM quota WHERE end_at < $1`, micros(before))
		return err
	})
}

// leaseSpan is a lease of a node that uses are counted on, or, of what it has not leased, the pool.
type leaseSpan struct {
	subject    string
	start, end int64
	spool      string
	units      int64
	over       int64 // counted beyond what was granted
}

// subjectsAtOnce bounds a look for pools and leases.
const subjectsAtOnce = 400

// countLeases counts on the leases of a node what its uses spent of them. What it never leased of a pool, since the pool was made while the uses
// waited, is taken from the pool.
func (s *Store) countLeases(ctx context.Context, q querier, node id.Node, rows []usage.Row) error {
	if len(rows) == 0 {
		return nil
	}
	var one int
	if err := q.QueryRowContext(ctx, `SELECT 1 FROM quota LIMIT 1`).Scan(&one); errors.Is(err, sql.ErrNoRows) {
		return nil
	} else if err != nil {
		return err
	}
	spent := spentOf(rows)
	first, last := rows[0].Minute, rows[len(rows)-1].Minute // sorted by minute
	pools, err := spans(ctx, q, `SELECT subject, start_at, end_at, '' FROM quota WHERE start_at <= $1 AND end_at > $2`, slices.Sorted(maps.Keys(spent)), last, first)
	if err != nil || len(pools) == 0 {
		return err
	}
	var known []string
	for _, p := range pools {
		known = append(known, p.subject)
	}
	leases, err := spans(ctx, q, `SELECT subject, start_at, end_at, spool FROM quota_lease WHERE start_at <= $1 AND end_at > $2 AND node = $3`, slices.Compact(known), last, first, string(node))
	if err != nil {
		return err
	}
	type place struct {
		subject string
		start   int64
	}
	leased := map[place]bool{}
	for _, l := range leases {
		l.units, leased[place{l.subject, l.start}] = l.of(spent), true
		if err := l.count(ctx, q, node); err != nil {
			return err
		}
	}
	for _, l := range leases {
		if l.over > 0 {
			if err := addLeased(ctx, q, l.subject, l.start, l.over); err != nil {
				return err
			}
		}
	}
	for _, p := range pools {
		units := p.of(spent)
		if units == 0 || leased[place{p.subject, p.start}] {
			continue
		}
		if _, err := q.ExecContext(ctx, `UPDATE quota SET leased = leased + $3, before = before + $3 WHERE subject = $1 AND start_at = $2`, p.subject, p.start, units); err != nil {
			return err
		}
	}
	return nil
}

// spentOf says what rows spent of whose quotas, by minute.
func spentOf(rows []usage.Row) map[string]map[int64]int64 {
	spent := map[string]map[int64]int64{}
	add := func(subject quota.Subject, minute, units int64) {
		of := spent[string(subject)]
		if of == nil {
			of = map[int64]int64{}
			spent[string(subject)] = of
		}
		of[minute] += units
	}
	for i := range rows {
		r := &rows[i]
		if r.Outcome != string(policy.Valid) {
			continue
		}
		if r.Key != "" {
			add(quota.Subject(r.Key), r.Minute, r.Units)
		}
		add(quota.OnAPI(cmp.Or(string(r.Team), string(r.User)), r.API, string(r.Mode)), r.Minute, r.Units)
		if r.Team != "" && string(r.Mode) == liveMode {
			add(quota.Spend(string(r.Team), r.API, string(billing.Requests)), r.Minute, r.Count)
			add(quota.Spend(string(r.Team), r.API, string(billing.Units)), r.Minute, r.Units)
		}
	}
	return spent
}

// spans reads pools or leases of subjects, which are in order.
func spans(ctx context.Context, q querier, query string, subjects []string, args ...any) (found []*leaseSpan, err error) {
	for part := range slices.Chunk(subjects, subjectsAtOnce) {
		all := append(slices.Clone(args), anys(part)...)
		rows, err := q.QueryContext(ctx, query+` AND subject IN (`+placeholders(len(args)+1, len(part))+`) ORDER BY subject, start_at`, all...) // #nosec G202 -- constants and placeholders
		if err != nil {
			return nil, err
		}
		if err := scanAll(rows, func() error {
			l := &leaseSpan{}
			err := rows.Scan(&l.subject, &l.start, &l.end, &l.spool)
			found = append(found, l)
			return err
		}); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// of is what was spent within the span.
func (l *leaseSpan) of(spent map[string]map[int64]int64) (units int64) {
	for minute, n := range spent[l.subject] {
		if l.start <= minute && minute < l.end {
			units += n
		}
	}
	return units
}

// count adds the units. Uses from before the node leased, which its blocks did not pay for, are taken from the pool now; so are those of
// a spool whose lease ended before all of it was absorbed. A node that counts in the database, taken for dead, counts nothing more.
func (l *leaseSpan) count(ctx context.Context, q querier, node id.Node) error {
	if l.units == 0 {
		return nil
	}
	var granted, counted, ended int64
	err := q.QueryRowContext(ctx, `UPDATE quota_lease SET counted = counted + $4 WHERE node = $1 AND subject = $2 AND start_at = $3 RETURNING granted, counted, ended`,
		string(node), l.subject, l.start, l.units).Scan(&granted, &counted, &ended)
	switch {
	case err != nil:
		return err
	case ended == 1 && l.spool == "":
		return fault.Down(quota.ErrEnded, "this node was taken for dead")
	case counted <= granted:
		return nil
	}
	if _, err := q.ExecContext(ctx, `UPDATE quota_lease SET granted = counted WHERE node = $1 AND subject = $2 AND start_at = $3`, string(node), l.subject, l.start); err != nil {
		return err
	}
	l.over = counted - granted
	return nil
}
