package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/usage"
)

// attemptKey names the attempts of a source within an hour.
type attemptKey struct {
	source, code string
	start        int64
}

// AddAttempts implements usage.Reader.
func (s *Store) AddAttempts(ctx context.Context, attempts []usage.Attempt) error {
	sums := map[attemptKey]usage.Attempt{}
	for _, a := range attempts {
		k := attemptKey{a.Source, a.Code, micros(usage.Hour.Start(a.Start))}
		sum, there := sums[k]
		if there && sum.LastAt.After(a.LastAt) {
			a.LastAt, a.Sample = sum.LastAt, sum.Sample
		}
		a.Count += sum.Count
		sums[k] = a
	}
	keys := make([]attemptKey, 0, len(sums))
	for k := range sums {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y attemptKey) int {
		if c := strings.Compare(x.source+"\x00"+x.code, y.source+"\x00"+y.code); c != 0 {
			return c
		}
		return int(max(-1, min(1, x.start-y.start)))
	})
	return s.step(ctx, "add attempts", func(ctx context.Context, q querier) error {
		return s.insertRows(ctx, q, insert{
			into: `INSERT INTO attempt (source, code, start, count, last_at, sample)`, rows: len(keys),
			tail: `ON CONFLICT (source, code, start) DO UPDATE SET count = attempt.count + excluded.count,
				last_at = CASE WHEN excluded.last_at > attempt.last_at THEN excluded.last_at ELSE attempt.last_at END,
				sample = CASE WHEN excluded.last_at >= attempt.last_at THEN excluded.sample ELSE attempt.sample END`,
			row: func(i int) []any {
				a := sums[keys[i]]
				return []any{keys[i].source, keys[i].code, keys[i].start, a.Count, micros(a.LastAt), a.Sample}
			},
		})
	})
}

// Attempts implements usage.Reader, newest first. beforeSource is the source of the last one seen and, after a blank, its
// code; without a code the list goes on behind all of that source's.
func (s *Store) Attempts(ctx context.Context, before time.Time, beforeSource string, limit int) (attempts []usage.Attempt, err error) {
	err = s.read("list attempts", func(q querier) error {
		w := &where{}
		if !before.IsZero() {
			source, code, _ := strings.Cut(beforeSource, " ")
			w.and("(start, source, code) < (?, ?, ?)", micros(before), source, code)
		}
		query := `SELECT source, code, start, count, last_at, sample FROM attempt` + w.String() + ` ORDER BY start DESC, source DESC, code DESC LIMIT ` + w.arg(limit)
		rows, err := q.QueryContext(ctx, query, w.args...)
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			var a usage.Attempt
			var start, last int64
			if err := rows.Scan(&a.Source, &a.Code, &start, &a.Count, &last, &a.Sample); err != nil {
				return err
			}
			a.Start, a.LastAt = moment(start), moment(last)
			attempts = append(attempts, a)
			return nil
		})
	})
	return attempts, err
}
