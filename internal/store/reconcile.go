package store

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// ReconcileUsage implements usage.Reader. It goes through the ledger day by day, so that it needs memory for one day only,
// and month by month for the rollup of months, which are compared whole.
func (s *Store) ReconcileUsage(ctx context.Context, from, to time.Time) (ledger int64, differences []usage.Difference, err error) {
	if !from.Before(to) {
		return 0, nil, fault.Field("from", "must be before to")
	}
	err = s.snapshot(ctx, "reconcile usage", func(q querier) error {
		for day := usage.Day.Start(from); day.Before(to); day = usage.Day.Next(day) {
			count, found, err := reconcile(ctx, q, day, usage.Day.Next(day), usage.Minute, usage.Hour, usage.Day)
			if err != nil {
				return err
			}
			ledger += count
			differences = append(differences, found...)
		}
		for month := usage.Month.Start(from); month.Before(to); month = usage.Month.Next(month) {
			_, found, err := reconcile(ctx, q, month, usage.Month.Next(month), usage.Month)
			if err != nil {
				return err
			}
			differences = append(differences, found...)
		}
		return nil
	})
	return ledger, differences, err
}

// recount is what a table should say of a grain.
type recount struct {
	of    rollup
	grain usage.Granularity
	*sums
}

// reconcile compares the rollups of some grains with the ledger, from one time to another.
func reconcile(ctx context.Context, q querier, from, to time.Time, grains ...usage.Granularity) (ledger int64, differences []usage.Difference, err error) {
	var recounts []recount
	for _, grain := range grains {
		for _, of := range rollups() {
			recounts = append(recounts, recount{of, grain, newSums()})
		}
	}
	if err := eachLedgerRow(ctx, q, from, to, func(r usage.Row) {
		ledger += r.Count
		at := moment(r.Minute)
		for _, one := range recounts {
			for _, row := range one.of.rowsOf(r) {
				one.add(row, one.grain.Start(at).UnixMicro())
			}
		}
	}); err != nil {
		return 0, nil, err
	}
	for _, one := range recounts {
		found, err := one.compare(ctx, q, from, to)
		if err != nil {
			return 0, nil, err
		}
		differences = append(differences, found...)
	}
	return ledger, differences, nil
}

func eachLedgerRow(ctx context.Context, q querier, from, to time.Time, visit func(usage.Row)) error {
	segments, err := q.QueryContext(ctx, `SELECT node, epoch, segment, counted FROM usage_segment WHERE last_at >= $1 AND first_at < $2`, micros(from), micros(to)) //nolint:sqlclosecheck // scanAll closes them
	if err != nil {
		return err
	}
	return scanAll(segments, func() error {
		var node, epoch string
		var segment int64
		var counted []byte
		if err := segments.Scan(&node, &epoch, &segment, &counted); err != nil {
			return err
		}
		rows, err := usage.DecodeRows(counted)
		if err != nil {
			return fmt.Errorf("usage segment %s %s %d: %w", node, epoch, segment, err)
		}
		for i := range rows {
			if micros(from) <= rows[i].Minute && rows[i].Minute < micros(to) {
				visit(rows[i])
			}
		}
		return nil
	})
}

// compare returns where the table says something else than the recount, in the order of their keys.
func (c recount) compare(ctx context.Context, q querier, from, to time.Time) (differences []usage.Difference, err error) {
	// The rollup becomes a second set of rows; where a key stands on one side only, the other says 0.
	rollup := newSums()
	rows, err := q.QueryContext(ctx, `SELECT start, `+c.of.columns+`, count, units FROM `+c.of.table+` WHERE grain = $1 AND start >= $2 AND start < $3`, // #nosec G202 -- constants
		string(c.grain), micros(from), micros(to))
	if err != nil {
		return nil, err
	}
	if err := scanAll(rows, func() error {
		var r usage.Row
		if err := rows.Scan(&r.Minute, &r.Team, &r.App, &r.Key, &r.User, &r.API, &r.Operation, &r.Outcome, &r.Mode, &r.Count, &r.Units); err != nil {
			return err
		}
		rollup.add(r, r.Minute)
		return nil
	}); err != nil {
		return nil, err
	}
	all := newSums()
	for _, r := range c.rows {
		all.add(r, r.Minute)
	}
	for _, r := range rollup.rows {
		r.Count, r.Units = 0, 0
		all.add(r, r.Minute)
	}
	for _, want := range all.sorted() {
		key := want
		key.Count, key.Units = 0, 0
		var has usage.Row
		if i, there := rollup.at[key]; there {
			has = rollup.rows[i]
		}
		if has.Count == want.Count && has.Units == want.Units {
			continue
		}
		d := usage.Difference{Granularity: c.grain, Start: moment(want.Minute), Row: want, RollupCount: has.Count, RollupUnits: has.Units}
		d.Row.Minute = 0 // Start says it
		differences = append(differences, d)
	}
	return differences, nil
}
