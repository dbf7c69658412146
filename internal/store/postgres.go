package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

const (
	postgresConns   = 20
	postgresTries   = 8
	postgresChannel = "lanyard_changes"
)

// postgresEngine gives each step a transaction of its own, run again when the server says that it lost a race.
type postgresEngine struct {
	db     *sql.DB
	config *pgx.ConnConfig
	log    *slog.Logger
}

func openPostgres(ctx context.Context, url string, log *slog.Logger) (*Store, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fault.New(fault.Invalid, "LANYARD_DATABASE_URL is no valid PostgreSQL URL; it reads postgres://user:password@host:5432/database")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	config.RuntimeParams["application_name"] = "lanyard"
	config.RuntimeParams["synchronous_commit"] = "on"
	config.RuntimeParams["timezone"] = "UTC"
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(postgresConns)
	db.SetMaxIdleConns(postgresConns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fault.Down(withoutPassword(err, config.Password), "PostgreSQL at %s does not answer", config.Host), db.Close())
	}
	return &Store{engine: &postgresEngine{db: db, config: config, log: log}, reads: db, log: log}, nil
}

func withoutPassword(err error, password string) error {
	if password == "" || !strings.Contains(err.Error(), password) {
		return err
	}
	return errors.New(strings.ReplaceAll(err.Error(), password, "[redacted]"))
}

func (e *postgresEngine) name() string { return "postgres" }

func (e *postgresEngine) clock() string {
	return `CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)`
}

func (e *postgresEngine) close() error { return nil } // the pool is the Store's

func (e *postgresEngine) step(ctx context.Context, fn func(context.Context, querier) error) error {
	for try := 1; ; try++ {
		err := e.once(ctx, fn)
		if try == postgresTries || !lostRace(err) {
			return err
		}
	}
}

// beat sends one statement, which is a transaction of its own.
func (e *postgresEngine) beat(ctx context.Context, fn func(context.Context, querier) error) error {
	return fn(ctx, e.db)
}

func (e *postgresEngine) once(ctx context.Context, fn func(context.Context, querier) error) error {
	tx, err := e.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := guarded(ctx, tx, fn); err != nil {
		if rollback := tx.Rollback(); rollback != nil && !errors.Is(rollback, sql.ErrTxDone) {
			return errors.Join(err, rollback)
		}
		return err
	}
	return tx.Commit()
}

// lostRace says that the transaction was undone because of another and may simply be run again: serialization failure or
// deadlock (PostgreSQL, appendix A, class 40).
func lostRace(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && (pe.Code == "40001" || pe.Code == "40P01")
}

func (e *postgresEngine) kind(err error) fault.Kind {
	var pe *pgconn.PgError
	switch {
	case errors.As(err, &pe) && pe.Code == "23505":
		return fault.Conflict
	case e.unavailable(err):
		return fault.Unavailable
	}
	return ""
}

// postgresParams saves round trips; the protocol's bound is 65,535.
const postgresParams = 6000

func (e *postgresEngine) insert(ctx context.Context, q querier, in *insert) error {
	if in.of != nil {
		return in.arrays(ctx, q)
	}
	return in.values(ctx, q, max(1, postgresParams/len(in.row(0))))
}

// lockOut lets others read on, and makes everything that writes or locks a row wait.
func (e *postgresEngine) lockOut(ctx context.Context, q querier, tables []string) error {
	_, err := q.ExecContext(ctx, `LOCK TABLE `+strings.Join(tables, ", ")+` IN EXCLUSIVE MODE`)
	return err
}

func (e *postgresEngine) unavailable(err error) bool {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		// 08 connection, 25006 read-only (a standby), 40 lost races, 53 resources, 55P03 lock timeout, 57 shutdown, 58 I/O
		for _, class := range []string{"08", "25006", "40", "53", "55P03", "57", "58"} {
			if strings.HasPrefix(pe.Code, class) {
				return true
			}
		}
		return false
	}
	var netErr net.Error
	var connErr *pgconn.ConnectError
	return errors.As(err, &netErr) || errors.As(err, &connErr) || closed(err) || pgconn.SafeToRetry(err) ||
		strings.Contains(err.Error(), "EOF") || strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "bad connection")
}

func (e *postgresEngine) notify(ctx context.Context, q querier) error {
	_, err := q.ExecContext(ctx, `SELECT pg_notify('`+postgresChannel+`', '')`)
	return err
}

// watch listens on a connection of its own and comes back when that breaks. What is missed meanwhile is found by polling.
func (e *postgresEngine) watch(ctx context.Context, hint func()) {
	for ctx.Err() == nil {
		if err := e.listen(ctx, hint); err != nil && ctx.Err() == nil {
			e.log.Debug("listening for changes broke off; polling goes on", "error", withoutPassword(err, e.config.Password))
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (e *postgresEngine) listen(ctx context.Context, hint func()) (err error) {
	conn, err := pgx.ConnectConfig(ctx, e.config.Copy())
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if _, err := conn.Exec(ctx, `LISTEN `+postgresChannel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
		hint()
	}
}
