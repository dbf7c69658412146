package store

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// dimensionColumn is the rollup's column of a dimension.
func dimensionColumn(d usage.Dimension) (string, error) {
	if _, err := usage.ParseDimension(string(d)); err != nil {
		return "", err
	}
	switch d {
	case usage.ByTeam, usage.ByApp, usage.ByKey, usage.ByUser:
		return string(d) + "_id", nil
	default:
		return string(d), nil
	}
}

// UsageSums implements usage.Reader. It reads the rollup of the granularity asked for, or its totals if they can answer.
func (s *Store) UsageSums(ctx context.Context, reach audit.Reach, query usage.Query) (answer []usage.Sum, err error) {
	if _, err := usage.ParseGranularity(string(query.Granularity)); err != nil {
		return nil, err
	}
	if query.Whole && len(query.GroupBy) == 0 {
		return nil, fault.Field("group_by", "must name something")
	}
	if !query.From.Before(query.To) {
		return nil, fault.Field("from", "must be before to")
	}
	from, w := "usage_rollup", within("team_id", reach)
	if everyone, answers := byTotals(reach, query); answers {
		if from = "usage_total"; everyone {
			w = w.and("team_id = ?", everyTeam)
		}
	}
	w.and("grain = ? AND start >= ? AND start < ?", string(query.Granularity), micros(query.From), micros(query.To))
	columns := []string{"start"}
	if query.Whole {
		columns = nil
	}
	for _, d := range query.GroupBy {
		column, err := dimensionColumn(d)
		if err != nil {
			return nil, err
		}
		columns = append(columns, column)
	}
	for d, values := range query.Filter {
		column, err := dimensionColumn(d)
		if err != nil {
			return nil, err
		}
		if len(values) > 0 {
			w.and(column+` IN (`+strings.TrimSuffix(strings.Repeat("?, ", len(values)), ", ")+`)`, anys(values)...)
		}
	}
	limit := int64(math.MaxInt64)
	if query.Limit > 0 {
		limit = int64(query.Limit)
	}
	by := strings.Join(columns, ", ")
	order := by
	if query.Whole {
		order = rank(query) + `, ` + by
	}
	text := `SELECT ` + by + `, CAST(SUM(count) AS BIGINT), CAST(SUM(units) AS BIGINT) FROM ` + from + w.String() +
		` GROUP BY ` + by + ` ORDER BY ` + order + ` LIMIT ` + w.arg(limit) + ` OFFSET ` + w.arg(query.Offset)
	err = s.read("sum up usage", func(q querier) error {
		rows, err := q.QueryContext(ctx, text, w.args...)
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			var sum usage.Sum
			var start int64
			into := []any{&start}
			if query.Whole {
				into = nil
			}
			for _, d := range query.GroupBy {
				into = append(into, dimensionOf(&sum.Row, d))
			}
			if err := rows.Scan(append(into, &sum.Count, &sum.Units)...); err != nil {
				return err
			}
			sum.Start = moment(start)
			answer = append(answer, sum)
			return nil
		})
	})
	return answer, err
}

// rank is what the rows of a whole time are ordered by.
func rank(query usage.Query) string {
	measure, way := `SUM(count)`, ` DESC`
	if query.ByUnits {
		measure = `SUM(units)`
	}
	if query.Least {
		way = ` ASC`
	}
	return measure + way
}

// byTotals reports whether totals answer a query, and whether those of all teams together do. What asks for an app, a key, a user or an
// operation they do not tell apart; and which calls belong to no team only the rollup says.
func byTotals(reach audit.Reach, query usage.Query) (everyone, answers bool) {
	asked := slices.Clone(query.GroupBy)
	for d, values := range query.Filter {
		if len(values) > 0 {
			asked = append(asked, d)
		}
	}
	if slices.ContainsFunc(asked, func(d usage.Dimension) bool {
		return d == usage.ByApp || d == usage.ByKey || d == usage.ByUser || d == usage.ByOperation
	}) {
		return false, false
	}
	switch teams := query.Filter[usage.ByTeam]; {
	case !reach.Server():
		return false, true
	case len(teams) > 0:
		return false, !slices.Contains(teams, everyTeam)
	default:
		return true, !slices.Contains(asked, usage.ByTeam)
	}
}

// dimensionOf is where a row keeps a dimension.
func dimensionOf(r *usage.Row, d usage.Dimension) any {
	switch d {
	case usage.ByTeam:
		return &r.Team
	case usage.ByApp:
		return &r.App
	case usage.ByKey:
		return &r.Key
	case usage.ByUser:
		return &r.User
	case usage.ByAPI:
		return &r.API
	case usage.ByOperation:
		return &r.Operation
	case usage.ByOutcome:
		return &r.Outcome
	case usage.ByMode:
		return &r.Mode
	}
	panic("store: no dimension: " + string(d)) // dimensionColumn has refused it
}
