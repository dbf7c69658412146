package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/lanyard-auth/lanyard/internal/usage"
)

// grains are the rollups, in the order they are written.
func grains() []usage.Granularity {
	return []usage.Granularity{usage.Minute, usage.Hour, usage.Day, usage.Month}
}

// addToRollups adds what was counted to the rollup of every grain.
func (s *Store) addToRollups(ctx context.Context, q querier, rows []usage.Row) error {
	for _, grain := range grains() {
		sums := rollUp(grain, rows)
		if err := s.insertRows(ctx, q, insert{
			into: `INSERT INTO usage_rollup (grain, start, team_id, app_id, key_id, user_id, api, operation, outcome, mode, count, units)`,
			tail: `ON CONFLICT (grain, start, team_id, app_id, key_id, user_id, api, operation, outcome, mode)
				DO UPDATE SET count = usage_rollup.count + excluded.count, units = usage_rollup.units + excluded.units`,
			rows: len(sums),
			row: func(i int) []any {
				r := &sums[i]
				return []any{
					string(grain), r.Minute, string(r.Team), string(r.App), string(r.Key), string(r.User),
					r.API, r.Operation, r.Outcome, string(r.Mode), r.Count, r.Units,
				}
			},
		}); err != nil {
			return err
		}
	}
	return nil
}

// rollUp sums rows, which are sorted by minute, into a grain's periods. Minute becomes the start of the period. The result is
// in the order of the rollup's primary key.
func rollUp(grain usage.Granularity, rows []usage.Row) []usage.Row {
	if grain == usage.Minute {
		return rows
	}
	sums := newSums()
	var start, end int64 // of the period under way
	for i := range rows {
		if rows[i].Minute >= end {
			at := moment(rows[i].Minute)
			start, end = grain.Start(at).UnixMicro(), grain.Next(at).UnixMicro()
		}
		sums.add(rows[i], start)
	}
	return sums.sorted()
}

// sums adds up rows with the same key.
type sums struct {
	at   map[usage.Row]int // by the row's key: count and units zero
	rows []usage.Row
}

func newSums() *sums { return &sums{at: map[usage.Row]int{}} }

// add adds a row to the period that begins at start.
func (s *sums) add(r usage.Row, start int64) {
	key := r
	key.Minute, key.Count, key.Units = start, 0, 0
	i, there := s.at[key]
	if !there {
		i = len(s.rows)
		s.at[key] = i
		s.rows = append(s.rows, key)
	}
	s.rows[i].Count += r.Count
	s.rows[i].Units += r.Units
}

// sorted returns the rows in order. The sums are spent.
func (s *sums) sorted() []usage.Row {
	slices.SortFunc(s.rows, compareRows)
	return s.rows
}

func compareRows(x, y usage.Row) int {
	return cmp.Or(
		cmp.Compare(x.Minute, y.Minute), cmp.Compare(x.Team, y.Team), cmp.Compare(x.App, y.App), cmp.Compare(x.Key, y.Key), cmp.Compare(x.User, y.User),
		cmp.Compare(x.API, y.API), cmp.Compare(x.Operation, y.Operation), cmp.Compare(x.Outcome, y.Outcome), cmp.Compare(x.Mode, y.Mode),
	)
}
