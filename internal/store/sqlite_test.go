package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

func openTestSQLite(tb testing.TB) *Store {
	tb.Helper()
	st, err := Open(context.Background(), "sqlite:"+filepath.Join(tb.TempDir(), "sub dir?", "lanyard.db"), nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := st.Close(); err != nil {
			tb.Error(err)
		}
	})
	return st
}

// put is a step that leaves a setting, then returns err.
func put(name string, err error) func(context.Context, querier) error {
	return func(ctx context.Context, q querier) error {
		if _, err := q.ExecContext(ctx, `INSERT INTO setting (name, value, updated_at) VALUES ($1, '', 0)`, name); err != nil {
			return err
		}
		return err
	}
}

func settings(t *testing.T, st *Store) (n int) {
	t.Helper()
	if err := st.reads.QueryRowContext(context.Background(), `SELECT COUNT(*) FROM setting WHERE name <> 'brand'`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// hold queues steps behind one that waits, so that they share a batch, and calls queued when all stand there. It returns
// their answers, and that of the one in front.
func hold(st *Store, steps int, step func(i int) error, queued func()) (errs []error, front error) {
	e := st.engine.(*sqliteEngine)
	begun, release := make(chan struct{}), make(chan struct{})
	errs = make([]error, steps)
	var all sync.WaitGroup
	all.Go(func() {
		front = st.step(context.Background(), "wait", func(context.Context, querier) error {
			close(begun)
			<-release
			return nil
		})
	})
	<-begun
	for i := range steps {
		all.Go(func() { errs[i] = step(i) })
	}
	for len(e.queue) < steps {
		runtime.Gosched()
	}
	queued()
	close(release)
	all.Wait()
	return errs, front
}

func TestPragmas(t *testing.T) {
	st := openTestSQLite(t)
	for name, db := range map[string]*sql.DB{"writer": st.engine.(*sqliteEngine).db, "readers": st.reads} {
		for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1", "busy_timeout": "5000"} {
			var got string
			if err := db.QueryRowContext(context.Background(), `PRAGMA `+pragma).Scan(&got); err != nil || got != want {
				t.Errorf("PRAGMA %s of the %s = %q, %v, want %q", pragma, name, got, err, want)
			}
		}
	}
	if _, err := st.reads.ExecContext(context.Background(), `DELETE FROM setting`); err == nil {
		t.Error("a reader could write")
	}
}

// 64 callers at once, some of which fail or panic: each gets its own answer, what failed leaves nothing, and they share
// commits.
func TestGroupCommit(t *testing.T) {
	st := openTestSQLite(t)
	var commits atomic.Int64
	watching, stop := context.WithCancel(context.Background())
	watched := make(chan struct{})
	go func() { defer close(watched); st.engine.watch(watching, func() { commits.Add(1) }) }()
	e := st.engine.(*sqliteEngine)
	for registered := false; !registered; runtime.Gosched() {
		e.hintMu.Lock()
		registered = len(e.hints) > 0
		e.hintMu.Unlock()
	}
	const steps = 64
	refusal := fault.New(fault.Conflict, "its own refusal")
	errs, front := hold(st, steps, func(i int) error {
		step := func(ctx context.Context, q querier) error {
			// As a step that appends changes does: that is what commits are heard of by.
			return errors.Join(st.engine.notify(ctx, q), put(fmt.Sprint("step ", i), nil)(ctx, q))
		}
		switch i % 4 {
		case 1:
			step = put(fmt.Sprint("step ", i), fmt.Errorf("step %d: %w", i, refusal))
		case 2:
			step = func(ctx context.Context, q querier) error {
				if err := put(fmt.Sprint("step ", i), nil)(ctx, q); err != nil {
					return err
				}
				panic(i)
			}
		case 3:
			step = put("brand", nil) // is there already
		}
		return st.step(context.Background(), "test", func(ctx context.Context, q querier) error {
			if err := e.notify(ctx, q); err != nil { // what a commit is counted by
				return err
			}
			return step(ctx, q)
		})
	}, func() {})
	if front != nil {
		t.Errorf("the step in front = %v, want it done", front)
	}
	for i, err := range errs {
		ok := false
		switch i % 4 {
		case 0:
			ok = err == nil
		case 1:
			ok = errors.Is(err, refusal) && strings.Contains(err.Error(), fmt.Sprintf("step %d:", i))
		case 2:
			ok = err != nil && strings.Contains(err.Error(), fmt.Sprint("panic in a database step: ", i))
		case 3:
			ok = fault.Is(err, fault.Conflict)
		}
		if !ok {
			t.Errorf("step %d = %v, want its own answer", i, err)
		}
	}
	if got := settings(t, st); got != steps/4 {
		t.Errorf("%d steps left something, want the %d that succeeded", got, steps/4)
	}
	stop()
	<-watched
	// One is enough, but a slow machine cuts the batch after batchTime.
	if got := commits.Load(); got < 1 || got > steps/4 {
		t.Errorf("%d commits for %d steps that were queued together, want them shared", got, steps+1)
	}
}

// A caller who gives up before its step begins is skipped; one who gives up later undoes nobody's step.
func TestCancelled(t *testing.T) {
	st := openTestSQLite(t)
	early, cancelEarly := context.WithCancel(context.Background())
	during, cancelDuring := context.WithCancel(context.Background())
	defer cancelDuring()
	errs, front := hold(st, 3, func(i int) error {
		switch i {
		case 0:
			return st.step(early, "test", put("early", nil))
		case 1:
			return st.step(during, "test", func(ctx context.Context, q querier) error {
				cancelDuring()
				return put("during", nil)(ctx, q)
			})
		}
		return st.step(context.WithoutCancel(during), "test", put("other", nil))
	}, cancelEarly)
	if front != nil || !fault.Is(errs[0], fault.Unavailable) || !errors.Is(errs[0], context.Canceled) {
		t.Errorf("a step whose caller gave up before = %v, want unavailable, because of the context", errs[0])
	}
	if errs[1] != nil || errs[2] != nil {
		t.Errorf("a step whose caller gives up during it = %v, the other = %v, want both done", errs[1], errs[2])
	}
	if got := settings(t, st); got != 2 {
		t.Errorf("%d steps left something, want 2", got)
	}
}

// When the database undoes the whole batch every step of it fails as unavailable, and the next batch works.
func TestBatchUndone(t *testing.T) {
	st := openTestSQLite(t)
	errs, front := hold(st, 3, func(i int) error {
		return st.step(context.Background(), "test", func(ctx context.Context, q querier) error {
			if i != 1 {
				return put(fmt.Sprint("step ", i), nil)(ctx, q)
			}
			// What SQLite does by itself on a full disk: the transaction ends under the step.
			if _, err := q.ExecContext(ctx, `ROLLBACK`); err != nil {
				return err
			}
			return fault.New(fault.Conflict, "a refusal that rests on what is gone")
		})
	}, func() {})
	if !fault.Is(front, fault.Unavailable) {
		t.Errorf("the step in front = %v, want unavailable: it was in the batch", front)
	}
	undone := 0
	for i, err := range errs {
		switch {
		case fault.Is(err, fault.Unavailable):
			undone++
		case err != nil || i == 1:
			t.Errorf("step %d = %v, want it done in another batch, or unavailable", i, err)
		}
	}
	if got := settings(t, st); undone == 0 || got != len(errs)-undone {
		t.Errorf("%d steps were unavailable and %d left something, want every one of %d to be either", undone, got, len(errs))
	}
	if err := st.step(context.Background(), "test", put("after", nil)); err != nil {
		t.Errorf("a step after the batch = %v, want it done", err)
	}
}

// A full disk is unavailable, leaves nothing half-written, and room makes it work again without a restart.
func TestFull(t *testing.T) {
	st := openTestSQLite(t)
	e := st.engine.(*sqliteEngine)
	var pages int
	if err := st.reads.QueryRowContext(context.Background(), `PRAGMA page_count`).Scan(&pages); err != nil {
		t.Fatal(err)
	}
	limit := func(n int) {
		t.Helper()
		if _, err := e.db.ExecContext(context.Background(), fmt.Sprintf(`PRAGMA max_page_count = %d`, n)); err != nil {
			t.Fatal(err)
		}
	}
	big := func(name string) func(context.Context, querier) error {
		return func(ctx context.Context, q querier) error {
			_, err := q.ExecContext(ctx, `INSERT INTO setting (name, value, updated_at) VALUES ($1, $2, 0)`, name, strings.Repeat("x", 1<<20))
			return err
		}
	}
	limit(pages + 4)
	errs, front := hold(st, 4, func(i int) error { return st.step(context.Background(), "test", big(fmt.Sprint(i))) }, func() {})
	for _, err := range append(errs, front) {
		if !fault.Is(err, fault.Unavailable) {
			t.Errorf("a step on a full disk = %v, want unavailable", err)
		}
	}
	if got := settings(t, st); got != 0 {
		t.Errorf("%d settings are there, want none", got)
	}
	limit(1 << 20)
	if err := st.step(context.Background(), "test", big("room")); err != nil {
		t.Errorf("a step after there was room = %v", err)
	}
}

// Close waits for the steps that stand in the queue, and later ones are unavailable.
func TestCloseWaits(t *testing.T) {
	st := openTestSQLite(t)
	e := st.engine.(*sqliteEngine)
	closed := make(chan error, 1)
	errs, front := hold(st, 8, func(i int) error { return st.step(context.Background(), "test", put(fmt.Sprint(i), nil)) }, func() {
		go func() { closed <- e.close() }()
	})
	if err := <-closed; err != nil || front != nil {
		t.Errorf("close = %v, the step under way = %v", err, front)
	}
	for i, err := range errs {
		if err != nil {
			t.Errorf("step %d that was queued before Close = %v, want it done", i, err)
		}
	}
	if got := settings(t, st); got != len(errs) {
		t.Errorf("%d steps left something, want %d", got, len(errs))
	}
	if err := st.step(context.Background(), "test", put("late", nil)); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a step after Close = %v, want unavailable", err)
	}
}

// A beat is committed without waiting for the disk, hints at nothing, and leaves the next step as durable as ever.
func TestBeat(t *testing.T) {
	st := openTestSQLite(t)
	e := st.engine.(*sqliteEngine)
	var hints atomic.Int64
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go e.watch(ctx, func() { hints.Add(1) })
	for registered := false; !registered; runtime.Gosched() {
		e.hintMu.Lock()
		registered = len(e.hints) > 0
		e.hintMu.Unlock()
	}
	if _, err := st.Poll(ctx, changes.Beat{Node: "node_0000000000000000"}); err != nil {
		t.Fatal(err)
	}
	var level int
	if err := st.step(ctx, "test", func(ctx context.Context, q querier) error {
		return q.QueryRowContext(ctx, `PRAGMA synchronous`).Scan(&level)
	}); err != nil || level != 2 {
		t.Errorf("synchronous after a beat = %d, %v, want 2 (FULL)", level, err)
	}
	if err := e.beat(ctx, func(ctx context.Context, q querier) error {
		return q.QueryRowContext(ctx, `PRAGMA synchronous`).Scan(&level)
	}); err != nil || level != 1 {
		t.Errorf("synchronous within a beat = %d, %v, want 1 (NORMAL)", level, err)
	}
	if got := hints.Load(); got != 0 {
		t.Errorf("beats hinted %d times, want never: a poll that wakes the next poll does not end", got)
	}
}
