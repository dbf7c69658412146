package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

//go:embed migrations
var migrations embed.FS

// migrateTries is how often a start that lost a race against another one tries again.
const migrateTries = 4

// migrate brings the schema up to this program's version. Nodes that start together take turns. A database that a newer
// program has migrated is refused: this one would not know what it must keep.
func (s *Store) migrate(ctx context.Context) error {
	for try := 1; ; try++ {
		err := s.migrateOnce(ctx)
		// SQLite has no lock to take turns by. Each migration is one transaction, so who comes second fails on what the first
		// has made, and goes on from there.
		if err == nil || try == migrateTries || fault.Is(err, fault.Conflict) || ctx.Err() != nil {
			return err
		}
	}
}

func (s *Store) migrateOnce(ctx context.Context) error {
	provider, err := s.migrator()
	if err != nil {
		return err
	}
	has, newest, err := provider.GetVersions(ctx)
	if err != nil {
		return s.failed("read the schema's version", err)
	}
	if has > newest {
		return fault.New(fault.Conflict, "the database has schema version %d, but this program knows only %d: it is older than the one that last ran here; start that one, or a newer one", has, newest)
	}
	if has == newest {
		return nil
	}
	_, err = provider.Up(ctx)
	return s.failed("migrate the schema", err)
}

// SchemaVersion is the newest schema this program knows, and the one the database has.
func (s *Store) SchemaVersion(ctx context.Context) (known, has int64, err error) {
	provider, err := s.migrator()
	if err != nil {
		return 0, 0, err
	}
	has, known, err = provider.GetVersions(ctx)
	return known, has, s.failed("read the schema's version", err)
}

func (s *Store) migrator() (*goose.Provider, error) {
	var db *sql.DB
	var dialect goose.Dialect
	var options []goose.ProviderOption
	switch e := s.engine.(type) {
	case *sqliteEngine:
		db, dialect = e.db, goose.DialectSQLite3
	case *postgresEngine:
		db, dialect = e.db, goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // looked for every second, for five minutes
		if err != nil {
			return nil, fmt.Errorf("make the migration lock: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	dir, err := fs.Sub(migrations, "migrations/"+s.engine.name())
	if err != nil {
		return nil, fmt.Errorf("open the migrations: %w", err)
	}
	provider, err := goose.NewProvider(dialect, db, dir, append(options, goose.WithVerbose(false))...)
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	return provider, nil
}
