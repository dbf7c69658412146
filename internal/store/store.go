// Package store keeps everything in SQLite or PostgreSQL. It is the only package that speaks SQL.
//
// There is one SQL text for both engines, in the PostgreSQL dialect, written by hand in the function that scans it: `$N`
// parameters, CAST where types differ, times as BIGINT microseconds UTC with 0 for "never", JSON as TEXT.
//
// A method is one atomic step of the domain; no transaction leaves the package. A step that can alter a decision appends
// to the log of changes as its last statements, a step on behalf of somebody writes its audit line.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// Store is an open database. It implements the Store interfaces of the nouns.
type Store struct {
	engine engine
	reads  *sql.DB
	log    *slog.Logger
}

// engine is what differs between SQLite and PostgreSQL.
type engine interface {
	// step runs fn in a transaction of its own, as far as fn and other steps can tell.
	step(ctx context.Context, fn func(context.Context, querier) error) error
	// beat is step for one statement whose loss at a power failure harms nobody, so that it waits for no disk: a node that
	// cannot tell that it lives must stop deciding.
	beat(ctx context.Context, fn func(context.Context, querier) error) error
	// clock is the SQL expression of the database's time in microseconds UTC.
	clock() string
	// kind is fault.Unavailable for an error that means the database is out of reach or out of room, fault.Conflict for one
	// about a row that has the same unique value, and "" for what is our mistake.
	kind(err error) fault.Kind
	// insert runs an INSERT of one row or more.
	insert(ctx context.Context, q querier, in *insert) error
	// lockOut keeps every other step from the tables until this one ends.
	lockOut(ctx context.Context, q querier, tables []string) error
	// watch calls hint when another process may have appended changes, until ctx ends.
	watch(ctx context.Context, hint func())
	// notify is run at the end of a step that appended changes; may do nothing.
	notify(ctx context.Context, q querier) error
	name() string
	close() error
}

// querier is a transaction, or a connection for reads.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// Open connects to the database of a URL, `sqlite:PATH` or `postgres://…`, and brings its schema up to date. A schema
// newer than this program is refused. Errors never hold the URL's password.
func Open(ctx context.Context, url string, log *slog.Logger) (*Store, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	var s *Store
	var err error
	switch {
	case strings.HasPrefix(url, "sqlite:"):
		s, err = openSQLite(ctx, strings.TrimPrefix(url, "sqlite:"), log)
	case strings.HasPrefix(url, "postgres://"), strings.HasPrefix(url, "postgresql://"):
		s, err = openPostgres(ctx, url, log)
	default:
		scheme, _, _ := strings.Cut(url, ":")
		return nil, fault.New(fault.Invalid, "LANYARD_DATABASE_URL must begin with sqlite: or postgres://, not %.20q", scheme)
	}
	if err != nil {
		return nil, err
	}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Engine is "sqlite" or "postgres".
func (s *Store) Engine() string { return s.engine.name() }

// Close closes the database after the steps under way.
func (s *Store) Close() error {
	return errors.Join(s.engine.close(), s.reads.Close())
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.failed("ping", s.reads.QueryRowContext(ctx, `SELECT 1`).Scan(&one))
}

// step runs fn as one atomic step and gives its error the operation's name and a kind.
func (s *Store) step(ctx context.Context, op string, fn func(context.Context, querier) error) error {
	return s.failed(op, s.engine.step(ctx, fn))
}

// read runs fn on a connection for reads.
func (s *Store) read(op string, fn func(querier) error) error {
	return s.failed(op, fn(s.reads))
}

// snapshot runs fn on one consistent view of the database.
func (s *Store) snapshot(ctx context.Context, op string, fn func(querier) error) error {
	tx, err := s.reads.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
	if err != nil {
		return s.failed(op, err)
	}
	err = fn(tx)
	if rollback := tx.Rollback(); err == nil && rollback != nil {
		err = rollback
	}
	return s.failed(op, err)
}

// failed wraps an error of an operation. What is no fault yet becomes Unavailable when the database is out of reach, and
// otherwise stays without a kind: a defect of ours.
func (s *Store) failed(op string, err error) error {
	if err == nil {
		return nil
	}
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	kind := s.engine.kind(err)
	switch {
	case kind == fault.Unavailable || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		return &fault.Error{Kind: fault.Unavailable, Detail: "the database is out of reach; try again", Err: fmt.Errorf("%s: %w", op, err)}
	case kind == fault.Conflict:
		return &fault.Error{Kind: fault.Conflict, Detail: "there is one with the same name or value already", Err: fmt.Errorf("%s: %w", op, err)}
	}
	return fmt.Errorf("store: %s: %w", op, err)
}

// closed says that the connection, or the whole database, was closed on our side; database/sql exports no error for the latter.
func closed(err error) bool {
	return errors.Is(err, sql.ErrConnDone) || err.Error() == "sql: database is closed"
}

// micros is a time as it is stored; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// moment is a stored time.
func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// blob is bytes as they are stored where there may be none: then NULL.
func blob(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// storable says whether a text from outside can stand in a column: PostgreSQL takes neither NUL nor what is no UTF-8.
func storable(text string) bool {
	return utf8.ValidString(text) && strings.IndexByte(text, 0) < 0
}

// guarded runs fn and turns its panic into an error: a panic in a step takes neither the others nor the connection along.
func guarded(ctx context.Context, q querier, fn func(context.Context, querier) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a database step: %v", p)
		}
	}()
	return fn(ctx, q)
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
