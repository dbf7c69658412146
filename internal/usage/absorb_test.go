package usage

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

var errDatabase = errors.New("the database is away")

func absorber(s *Spool, db Store) *Absorber {
	return &Absorber{Spool: s, Store: db, Log: slog.New(slog.DiscardHandler)}
}

func checkTotal(t *testing.T, db *memory, count, units int64) {
	t.Helper()
	if c, u := db.total(); c != count || u != units {
		t.Errorf("the database counted %d calls of %d units, want %d of %d", c, u, count, units)
	}
}

func TestFlushKeepsWhatTheDatabaseRefuses(t *testing.T) {
	db := &memory{fail: func() error { return errDatabase }}
	s := openSpool(t, t.TempDir(), nil)
	a := absorber(s, db)
	record(t, s, 1, 2)
	if err := a.Flush(t.Context()); !errors.Is(err, errDatabase) {
		t.Errorf("Flush without a database = %v, want its error", err)
	}
	if n := len(s.Sealed()); n != 1 {
		t.Errorf("%d segments wait, want 1", n)
	}
	db.fail = nil
	record(t, s, 3)
	if err := a.Flush(t.Context()); err != nil || len(s.Sealed()) > 0 {
		t.Errorf("Flush with the database back = %v, %v waits, want nothing", err, s.Sealed())
	}
	checkTotal(t, db, 3, 6)
}

func TestFlushWithALostAnswerCountsOnce(t *testing.T) {
	db := &memory{late: func() error { return errDatabase }}
	s := openSpool(t, t.TempDir(), nil)
	a := absorber(s, db)
	record(t, s, 1, 2)
	if err := a.Flush(t.Context()); !errors.Is(err, errDatabase) {
		t.Errorf("Flush with a lost answer = %v, want its error", err)
	}
	if err := a.Flush(t.Context()); err != nil {
		t.Errorf("Flush again = %v", err)
	}
	checkTotal(t, db, 2, 3)
}

func TestFlushSetsAConflictAside(t *testing.T) {
	db := &memory{}
	dir := t.TempDir()
	s := openSpool(t, dir, nil)
	record(t, s, 1)
	if err := s.Seal(); err != nil {
		t.Fatal(err)
	}
	m, b, err := s.Sealed()[0].batch()
	if err != nil {
		t.Fatal(err)
	}
	m.SHA256[0] ^= 1
	if _, err := db.AbsorbUsage(t.Context(), m, b); err != nil {
		t.Fatal(err)
	}
	record(t, s, 10)
	if err := absorber(s, db).Flush(t.Context()); err != nil || len(s.Sealed()) > 0 {
		t.Errorf("Flush with a conflict = %v, %v waits, want it set aside", err, s.Sealed())
	}
	if kept, err := filepath.Glob(filepath.Join(dir, "*"+asideEnd)); err != nil || len(kept) != 1 {
		t.Errorf("set aside: %v, %v, want one file", kept, err)
	}
	checkTotal(t, db, 2, 11)
}

func TestFlushRepairsDamageAndPassesWhatIsGone(t *testing.T) {
	db := &memory{}
	s := openSpool(t, t.TempDir(), func(o *Options) { o.MaxSegment = 1 })
	record(t, s, 1, 2, 4, 8) // a segment each
	segments := s.Sealed()
	for i, size := range []int64{0: 10, 1: headSize + 5} {
		if err := os.Truncate(segments[i].path, size); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(segments[2].path); err != nil {
		t.Fatal(err)
	}
	if err := absorber(s, db).Flush(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Flush with a segment gone = %v, want an error that says so", err)
	}
	checkTotal(t, db, 1, 8)
}

func TestFlushGivesUpWithItsContext(t *testing.T) {
	a := absorber(openSpool(t, t.TempDir(), nil), &memory{})
	a.start()
	a.turn <- struct{}{} // somebody absorbs and does not come back
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Flush(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Flush with an ended context = %v, want %v", err, context.Canceled)
	}
}

func TestRunAbsorbsEverySecondAndWhenKicked(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		asked, away := 0, false // held by db.mu
		db := &memory{}
		set := func(now bool) {
			db.mu.Lock()
			defer db.mu.Unlock()
			asked, away = 0, now
		}
		db.fail = func() error {
			asked++
			if away {
				return errDatabase
			}
			return nil
		}
		s := openSpool(t, dir, nil)
		a := absorber(s, db)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- a.Run(ctx) }()

		record(t, s, 1)
		time.Sleep(absorbEvery + time.Millisecond)
		synctest.Wait()
		checkTotal(t, db, 1, 1)

		record(t, s, 2)
		a.Kick()
		synctest.Wait()
		checkTotal(t, db, 2, 3)

		set(true)
		for n := range int64(600) { // ten minutes of outage
			record(t, s, n)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		db.mu.Lock()
		times := asked
		db.mu.Unlock()
		if times < 10 || times > 30 {
			t.Errorf("in ten minutes of outage the database was asked %d times, want about twice a minute", times)
		}
		if n := len(s.Sealed()); n != 1 {
			t.Errorf("ten minutes of outage left %d sealed segments, want 1", n)
		}
		set(false)
		a.Kick()
		synctest.Wait()
		if count, _ := db.total(); count != 602 {
			t.Errorf("after the outage %d calls are counted, want 602", count)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
}
