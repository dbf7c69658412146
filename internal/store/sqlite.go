package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

const (
	sqliteReaders  = 8
	sqliteBusy     = 5 * time.Second
	batchSteps     = 256                   // most steps that share a commit
	batchTime      = 20 * time.Millisecond // most time steps of one batch run before it commits
	sqliteQueueCap = 1024

	// At most, in KiB. The writer's holds the index of digests, which grows everywhere at once, for a million keys or two.
	sqliteWriterCache = "cache_size(-131072)"
	sqliteReaderCache = "cache_size(-16384)"

	// In pages of the log. Absorbing usage writes the same pages again and again, and each checkpoint brings them home once.
	sqliteCheckpoint = "wal_autocheckpoint(4000)"
)

// sqliteEngine commits in groups: one writer runs the queued steps one after the other, each in a savepoint of its own,
// and commits them together. So many callers share one fsync, and each still gets its own answer or error.
type sqliteEngine struct {
	db     *sql.DB
	queue  chan *queuedStep
	done   chan struct{}
	mu     sync.RWMutex // guards closed against sends
	closed bool

	appended bool // to the log of changes, by the batch under way; the writer's own

	hintMu sync.Mutex
	hints  map[int]func()
	hintID int
}

type queuedStep struct {
	ctx    context.Context //nolint:containedctx // only asked whether the caller still waits, before the step begins
	fn     func(context.Context, querier) error
	beat   bool // may be lost at a power failure
	err    error
	answer chan struct{}
}

func openSQLite(ctx context.Context, path string, log *slog.Logger) (*Store, error) {
	if path == "" || path == ":memory:" {
		return nil, errors.New("a SQLite database needs a path, such as sqlite:./data/lanyard.db")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the database's directory: %w", err)
	}
	// SQLite gives its files the rights of the first process's umask; make it before, for its owner alone.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator names this path
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	dsn := func(extra ...string) string {
		q := url.Values{"_txlock": {"immediate"}, "_pragma": append([]string{
			fmt.Sprintf("busy_timeout(%d)", sqliteBusy.Milliseconds()), "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)", "temp_store(MEMORY)",
		}, extra...)}
		return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
	}
	writes, err := sql.Open("sqlite", dsn(sqliteWriterCache, sqliteCheckpoint))
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	writes.SetMaxOpenConns(1)
	if err := patiently(ctx, writes.PingContext); err != nil {
		return nil, errors.Join(fmt.Errorf("open the database %s: %w", filepath.Base(path), err), writes.Close())
	}
	readDSN := dsn(sqliteReaderCache, "query_only(ON)")
	reads, err := sql.Open("sqlite", readDSN)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the database: %w", err), writes.Close())
	}
	reads.SetMaxOpenConns(sqliteReaders)
	reads.SetMaxIdleConns(sqliteReaders)
	e := &sqliteEngine{db: writes, queue: make(chan *queuedStep, sqliteQueueCap), done: make(chan struct{}), hints: map[int]func(){}}
	go e.write() //nolint:contextcheck // the writer lives as long as the Store, not as the call that opens it
	return &Store{engine: e, reads: reads, log: log}, nil
}

// patiently tries again while the file is locked. The switch to WAL, which the first opener makes, knows no busy timeout.
func patiently(ctx context.Context, open func(context.Context) error) error {
	pause := time.NewTicker(20 * time.Millisecond)
	defer pause.Stop()
	for tries := sqliteBusy / (20 * time.Millisecond); ; tries-- {
		err := open(ctx)
		var se *sqlite.Error
		if err == nil || tries == 0 || !errors.As(err, &se) || se.Code()&0xff != sqlite3.SQLITE_BUSY {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-pause.C:
		}
	}
}

func (e *sqliteEngine) name() string { return "sqlite" }

func (e *sqliteEngine) clock() string { return `CAST(unixepoch('subsec') * 1000000 AS INTEGER)` }

// step queues fn and waits for its answer. Once the step has begun the caller's context no longer matters: it waits for
// what became of it.
func (e *sqliteEngine) step(ctx context.Context, fn func(context.Context, querier) error) error {
	return e.wait(ctx, &queuedStep{ctx: ctx, fn: fn, answer: make(chan struct{})})
}

// beat queues fn like a step. Where it comes first it has a commit of its own that does not wait for the disk; behind other
// steps it shares theirs.
func (e *sqliteEngine) beat(ctx context.Context, fn func(context.Context, querier) error) error {
	return e.wait(ctx, &queuedStep{ctx: ctx, fn: fn, beat: true, answer: make(chan struct{})})
}

func (e *sqliteEngine) wait(ctx context.Context, s *queuedStep) error {
	e.mu.RLock()
	if e.closed {
		e.mu.RUnlock()
		return sql.ErrConnDone
	}
	select {
	case e.queue <- s:
	case <-ctx.Done():
		e.mu.RUnlock()
		return ctx.Err()
	}
	e.mu.RUnlock()
	<-s.answer
	return s.err
}

func (e *sqliteEngine) close() error {
	e.mu.Lock()
	if !e.closed {
		e.closed = true
		close(e.queue)
	}
	e.mu.Unlock()
	<-e.done
	return e.db.Close()
}

// write is the one writer.
func (e *sqliteEngine) write() {
	defer close(e.done)
	for first := range e.queue {
		e.batch(first)
	}
}

// batch runs first and whatever else is queued in one transaction, and answers each step after the commit.
func (e *sqliteEngine) batch(first *queuedStep) {
	ctx := context.Background() // not a caller's: one that gives up must not undo the others' steps
	ran := []*queuedStep{first}
	e.appended = false
	err := e.transaction(ctx, first.beat, func(tx *sql.Tx) error {
		if err := run(ctx, tx, first); err != nil || first.beat {
			return err
		}
		for began := time.Now(); len(ran) < batchSteps && time.Since(began) < batchTime; { //nolint:forbidigo // paces the disk, decides nothing
			select {
			case s, open := <-e.queue:
				if !open {
					return nil
				}
				ran = append(ran, s)
				if err := run(ctx, tx, s); err != nil {
					return err
				}
			default:
				return nil
			}
		}
		return nil
	})
	for _, s := range ran {
		if err != nil {
			s.err = err // a refusal too: it may rest on what an earlier step of this batch wrote, and that is gone
		}
		close(s.answer)
	}
	if err == nil && e.appended {
		e.hint()
	}
}

// transaction runs fn and commits. A light one is in the log when it returns, but not on the platter: with NORMAL, SQLite
// syncs its log at the next FULL commit or checkpoint, and a power failure before takes away a whole suffix of it.
func (e *sqliteEngine) transaction(ctx context.Context, light bool, fn func(*sql.Tx) error) (err error) {
	if light {
		if _, err := e.db.ExecContext(ctx, `PRAGMA synchronous = NORMAL`); err != nil {
			return err
		}
		defer func() {
			_, full := e.db.ExecContext(ctx, `PRAGMA synchronous = FULL`)
			err = errors.Join(err, full)
		}()
	}
	tx, err := e.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// run runs one step in its savepoint. Its own failure is kept in s.err; an error is returned only when the whole batch
// cannot go on.
func run(ctx context.Context, tx *sql.Tx, s *queuedStep) error {
	select {
	case <-s.ctx.Done():
		s.err = s.ctx.Err() // nobody waits any more
		return nil
	default:
	}
	if _, err := tx.ExecContext(ctx, `SAVEPOINT step`); err != nil {
		return err
	}
	if s.err = guarded(ctx, tx, s.fn); s.err != nil {
		if _, err := tx.ExecContext(ctx, `ROLLBACK TO step`); err != nil {
			// SQLite has rolled back by itself (disk full, I/O error): the batch is gone. The step's error says why; the
			// text only, since its kind is not that of the others.
			return fmt.Errorf("%w: %s", errBatch, s.err.Error())
		}
	}
	if _, err := tx.ExecContext(ctx, `RELEASE step`); err != nil {
		return fmt.Errorf("%w: %s", errBatch, err.Error())
	}
	return nil
}

// errBatch says that a batch was undone whole, though most of its steps were sound: they may be tried again.
var errBatch = errors.New("the database undid a group of changes")

func (e *sqliteEngine) kind(err error) fault.Kind {
	if closed(err) || errors.Is(err, errBatch) {
		return fault.Unavailable
	}
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return ""
	}
	if code := se.Code(); code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY {
		return fault.Conflict
	}
	switch se.Code() & 0xff { // the primary code of an extended one
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY,
		sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_PERM, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT:
		return fault.Unavailable
	}
	return ""
}

// insert takes one row at a time: there is no round trip to save, and in groups rows cost no less.
func (e *sqliteEngine) insert(ctx context.Context, q querier, in *insert) error {
	return in.values(ctx, q, 1)
}

// lockOut has nothing to do: there is one writer at a time.
func (e *sqliteEngine) lockOut(context.Context, querier, []string) error { return nil }

// notify is called within a step, so by the writer.
func (e *sqliteEngine) notify(context.Context, querier) error {
	e.appended = true
	return nil
}

// watch hints at every batch of this process that appended changes; another process's writes are found by polling.
func (e *sqliteEngine) watch(ctx context.Context, hint func()) {
	e.hintMu.Lock()
	e.hintID++
	mine := e.hintID
	e.hints[mine] = hint
	e.hintMu.Unlock()
	<-ctx.Done()
	e.hintMu.Lock()
	delete(e.hints, mine)
	e.hintMu.Unlock()
}

func (e *sqliteEngine) hint() {
	e.hintMu.Lock()
	defer e.hintMu.Unlock()
	for _, hint := range e.hints {
		hint()
	}
}
