package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
)

// insert is an INSERT of many rows. Rows that may meet those of another node are given in the order of their primary key,
// so that two nodes do not lock each other out.
type insert struct {
	into string                  // "INSERT INTO member (team_id, user_id, role)"
	tail string                  // "ON CONFLICT …", may be empty
	rows int                     // how many
	row  func(i int) []any       // the values of one
	scan func(row scanner) error // for a tail with RETURNING, else nil
}

// insertRows runs in, as many rows at a time as the engine likes best.
func (s *Store) insertRows(ctx context.Context, q querier, in insert) error {
	if in.rows == 0 {
		return nil
	}
	atOnce := max(1, s.engine.paramsAtOnce()/len(in.row(0)))
	whole := in.rows - in.rows%atOnce
	if err := in.run(ctx, q, 0, whole, atOnce); err != nil {
		return err
	}
	return in.run(ctx, q, whole, in.rows, in.rows-whole)
}

// run inserts the rows from first up to end with one statement that takes atOnce of them.
func (in *insert) run(ctx context.Context, q querier, first, end, atOnce int) (err error) {
	if first == end {
		return nil
	}
	width := len(in.row(first))
	stmt, err := q.PrepareContext(ctx, in.text(width, atOnce))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stmt.Close()) }()
	args := make([]any, 0, width*atOnce)
	for first < end {
		args = args[:0]
		for range atOnce {
			args = append(args, in.row(first)...)
			first++
		}
		if err := in.exec(ctx, stmt, args); err != nil {
			return err
		}
	}
	return nil
}

func (in *insert) text(width, rows int) string {
	var b strings.Builder
	b.WriteString(in.into + ` VALUES `)
	for i := range rows {
		if i > 0 {
			b.WriteString(`, `)
		}
		b.WriteString(`(` + placeholders(1+i*width, width) + `)`)
	}
	b.WriteString(` ` + in.tail)
	return b.String()
}

func (in *insert) exec(ctx context.Context, stmt *sql.Stmt, args []any) error {
	if in.scan == nil {
		_, err := stmt.ExecContext(ctx, args...)
		return err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	return scanAll(rows, func() error { return in.scan(rows) })
}
