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

// rollup is a table that derives from the ledger.
type rollup struct {
	table   string
	columns string                      // of a usage.Row after its start, as a SELECT names them; what the table does not tell apart is ''
	rowsOf  func(usage.Row) []usage.Row // what a row of the ledger is counted in
}

func rollups() []rollup {
	return []rollup{
		{"usage_rollup", `team_id, app_id, key_id, user_id, api, operation, outcome, mode`, func(r usage.Row) []usage.Row { return []usage.Row{r} }},
		{"usage_total", `team_id, '', '', '', api, '', outcome, mode`, totalsOf},
	}
}

// fillTotals makes the totals of what is in the rollup.
var fillTotals = []string{
	`INSERT INTO usage_total (grain, start, team_id, api, outcome, mode, count, units)
		SELECT grain, start, team_id, api, outcome, mode, CAST(SUM(count) AS BIGINT), CAST(SUM(units) AS BIGINT)
		FROM usage_rollup WHERE team_id <> '' GROUP BY grain, start, team_id, api, outcome, mode`,
	`INSERT INTO usage_total (grain, start, team_id, api, outcome, mode, count, units)
		SELECT grain, start, '', api, outcome, mode, CAST(SUM(count) AS BIGINT), CAST(SUM(units) AS BIGINT)
		FROM usage_rollup GROUP BY grain, start, api, outcome, mode`,
}

// addToRollups adds what was counted to the rollup of every grain. Totals go last: nodes that absorb at once wait for each other there.
func (s *Store) addToRollups(ctx context.Context, q querier, rows []usage.Row) error {
	if err := s.addRows(ctx, q, rows); err != nil {
		return err
	}
	return s.addTotals(ctx, q, totals(rows))
}

func (s *Store) addRows(ctx context.Context, q querier, rows []usage.Row) error {
	sums := allGrains(rows)
	return s.insertRows(ctx, q, insert{
		into: `INSERT INTO usage_rollup (grain, start, team_id, app_id, key_id, user_id, api, operation, outcome, mode, count, units)`,
		of:   []string{"TEXT", "BIGINT", "TEXT", "TEXT", "TEXT", "TEXT", "TEXT", "TEXT", "TEXT", "TEXT", "BIGINT", "BIGINT"},
		tail: `ON CONFLICT (grain, start, team_id, app_id, key_id, user_id, api, operation, outcome, mode)
			DO UPDATE SET count = usage_rollup.count + excluded.count, units = usage_rollup.units + excluded.units`,
		rows: len(sums),
		row: func(i int) []any {
			r := &sums[i]
			return []any{
				string(r.grain), r.Minute, string(r.Team), string(r.App), string(r.Key), string(r.User),
				r.API, r.Operation, r.Outcome, string(r.Mode), r.Count, r.Units,
			}
		},
	})
}

func (s *Store) addTotals(ctx context.Context, q querier, rows []usage.Row) error {
	sums := allGrains(rows)
	return s.insertRows(ctx, q, insert{
		into: `INSERT INTO usage_total (grain, start, team_id, api, outcome, mode, count, units)`,
		of:   []string{"TEXT", "BIGINT", "TEXT", "TEXT", "TEXT", "TEXT", "BIGINT", "BIGINT"},
		tail: `ON CONFLICT (grain, team_id, start, api, outcome, mode)
			DO UPDATE SET count = usage_total.count + excluded.count, units = usage_total.units + excluded.units`,
		rows: len(sums),
		row: func(i int) []any {
			r := &sums[i]
			return []any{string(r.grain), r.Minute, string(r.Team), r.API, r.Outcome, string(r.Mode), r.Count, r.Units}
		},
	})
}

// grained is a row of a grain's rollup. Minute is the start of its period.
type grained struct {
	grain usage.Granularity
	usage.Row
}

// allGrains are the rows of every grain, grain by grain.
func allGrains(rows []usage.Row) []grained {
	all := make([]grained, 0, 4*len(rows))
	for _, grain := range grains() {
		for _, r := range rollUp(grain, rows) {
			all = append(all, grained{grain, r})
		}
	}
	return all
}

// everyTeam stands for the team in the totals of all teams together.
const everyTeam = ""

// totals adds rows up by team, and for all teams together. Who belongs to no team counts in the latter alone.
func totals(rows []usage.Row) []usage.Row {
	sums := newSums()
	for _, r := range rows {
		for _, total := range totalsOf(r) {
			sums.add(total, total.Minute)
		}
	}
	return sums.sorted()
}

// totalsOf are the totals that a row is counted in.
func totalsOf(r usage.Row) []usage.Row {
	r.App, r.Key, r.User, r.Operation = "", "", "", ""
	every := r
	every.Team = everyTeam
	if r.Team == everyTeam {
		return []usage.Row{every}
	}
	return []usage.Row{r, every}
}

// merge adds up what several segments counted.
func merge(counted [][]usage.Row) []usage.Row {
	if len(counted) == 1 {
		return counted[0]
	}
	sums := newSums()
	for _, rows := range counted {
		for _, r := range rows {
			sums.add(r, r.Minute)
		}
	}
	return sums.sorted()
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
