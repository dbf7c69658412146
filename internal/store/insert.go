package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// insert is an INSERT of many rows. Rows that may meet those of another node are given in the order of their primary key,
// so that two nodes do not lock each other out.
type insert struct {
	into string                  // "INSERT INTO member (team_id, user_id, role)"
	of   []string                // the types of the columns, "TEXT"; where they are given, PostgreSQL gets an array of each
	only string                  // which of the rows, as a condition on n, the row with the names of into; may be empty, else of is given
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
	return s.engine.insert(ctx, q, &in)
}

// values inserts the rows by statements that name each value, atOnce rows at a time.
func (in *insert) values(ctx context.Context, q querier, atOnce int) error {
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

// arraysAtOnce bounds the memory of a statement that takes its rows as arrays.
const arraysAtOnce = 8192

// arrays inserts the rows by a statement whose parameters are the columns: PostgreSQL plans it once, however many rows there are.
func (in *insert) arrays(ctx context.Context, q querier) error {
	columns := make([]string, len(in.of))
	for i, kind := range in.of {
		columns[i] = fmt.Sprintf(`$%d::%s[]`, i+1, kind)
	}
	text := in.into + ` SELECT * FROM unnest(` + strings.Join(columns, `, `) + `) ` + in.tail
	if in.only != "" {
		_, names, _ := strings.Cut(in.into, "(")
		text = in.into + ` SELECT n.* FROM unnest(` + strings.Join(columns, `, `) + `) AS n(` + names + ` WHERE ` + in.only + ` ` + in.tail
	}
	for first := 0; first < in.rows; first += arraysAtOnce {
		args, err := in.columns(first, min(first+arraysAtOnce, in.rows))
		if err != nil {
			return err
		}
		if in.scan == nil {
			if _, err := q.ExecContext(ctx, text, args...); err != nil {
				return err
			}
			continue
		}
		rows, err := q.QueryContext(ctx, text, args...)
		if err != nil {
			return err
		}
		if err := scanAll(rows, func() error { return in.scan(rows) }); err != nil {
			return err
		}
	}
	return nil
}

// columns are the values of the rows from first up to end, column by column.
func (in *insert) columns(first, end int) ([]any, error) {
	texts, numbers, bytes := make([][]string, len(in.of)), make([][]int64, len(in.of)), make([][][]byte, len(in.of))
	for i := first; i < end; i++ {
		for c, value := range in.row(i) {
			switch v := value.(type) {
			case string:
				texts[c] = append(texts[c], v)
			case int64:
				numbers[c] = append(numbers[c], v)
			case []byte:
				bytes[c] = append(bytes[c], v)
			default:
				return nil, fmt.Errorf("a %T stands in no array", value)
			}
		}
	}
	args := make([]any, len(in.of))
	for c := range args {
		switch {
		case texts[c] != nil:
			args[c] = texts[c]
		case numbers[c] != nil:
			args[c] = numbers[c]
		default:
			args[c] = bytes[c]
		}
	}
	return args, nil
}

func (in *insert) text(width, rows int) string {
	var b strings.Builder
	if in.only != "" { // one row at a time
		_, names, _ := strings.Cut(strings.TrimSuffix(in.into, ")"), "(")
		columns := strings.Split(names, ",")
		for i, name := range columns {
			columns[i] = fmt.Sprintf(`$%d AS %s`, i+1, strings.TrimSpace(name))
		}
		return in.into + ` SELECT n.* FROM (SELECT ` + strings.Join(columns, `, `) + `) n WHERE ` + in.only + ` ` + in.tail
	}
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
