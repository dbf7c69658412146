package usage

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
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

// flushed records a use for each number and flushes everything.
func flushed(t *testing.T, s *Spool, a *Absorber, units ...int64) {
	t.Helper()
	record(t, s, units...)
	if err := a.Flush(t.Context()); err != nil || len(s.Sealed()) > 0 {
		t.Errorf("Flush = %v, %v waits, want nothing", err, s.Sealed())
	}
}

func oneEach(o *Options) { o.MaxSegment = 1 }

func TestSegmentsThatWaitAreAbsorbedTogether(t *testing.T) {
	db := &memory{}
	s := openSpool(t, t.TempDir(), oneEach)
	a := absorber(s, db)
	a.start()
	flushed(t, s, a, 1, 2, 4)
	if !slices.Equal(db.lots, []int{3}) {
		t.Errorf("three segments were offered by %v, want all at once", db.lots)
	}
	db.lots, a.rows = nil, 2
	for n := range int64(3) { // rows of their own: two have room together
		ev := event(8 << n)
		ev.Operation = []string{"GET /a", "GET /b", "GET /c"}[n]
		if err := s.Record(ev); err != nil {
			t.Fatal(err)
		}
	}
	flushed(t, s, a)
	if !slices.Equal(db.lots, []int{2, 1}) {
		t.Errorf("segments of a row each, two rows at once, were offered by %v, want 2 and 1", db.lots)
	}
	db.lots, a.rows = nil, 1
	for n := range int64(3) { // a charge counts like a row
		ev := event(64 << n)
		ev.Charge[0] = 1
		if err := s.Record(ev); err != nil {
			t.Fatal(err)
		}
	}
	flushed(t, s, a)
	if !slices.Equal(db.lots, []int{1, 1, 1}) {
		t.Errorf("segments above what there is room for were offered by %v, want one by one", db.lots)
	}
	checkTotal(t, db, 9, 511)
}

func TestSegmentsOfAnotherNodeAreAbsorbedApart(t *testing.T) {
	dir, db := t.TempDir(), &memory{}
	before := openSpool(t, dir, func(o *Options) { o.Node = "node_fedcba9876543210" })
	record(t, before, 1)
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	s := openSpool(t, dir, nil)
	flushed(t, s, absorber(s, db), 2)
	if !slices.Equal(db.lots, []int{1, 1}) {
		t.Errorf("segments of two nodes were offered by %v, want one by one", db.lots)
	}
	checkTotal(t, db, 2, 3)
}

func TestSlowAbsorptionTakesFewer(t *testing.T) {
	now := time.Unix(0, 0)
	took := time.Duration(0)
	db := &memory{fail: func() error { now = now.Add(took); return nil }}
	s := openSpool(t, t.TempDir(), oneEach)
	a := absorber(s, db)
	a.Now = func() time.Time { return now }
	a.start()
	for _, step := range []struct {
		took     time.Duration
		segments int // all of the same rows, and more than go at once
		want     int
	}{
		{absorbAim, 2, leastRows},
		{0, 2, leastRows}, // there was room left
		{0, mostInLot + 1, leastRows},
	} {
		took = step.took
		flushed(t, s, a, make([]int64, step.segments)...)
		if a.rows != step.want {
			t.Errorf("after %d segments that took %s the next may have %d rows, want %d", step.segments, step.took, a.rows, step.want)
		}
	}
	for _, step := range []struct {
		took time.Duration
		full bool
		err  error
		want int
	}{
		{0, true, nil, 2 * leastRows},
		{absorbAim / 2, true, nil, 2 * leastRows},
		{0, true, nil, 4 * leastRows},
		{absorbAim + 1, true, nil, 2 * leastRows},
		{0, true, errDatabase, leastRows},
		{absorbAim + 1, false, nil, leastRows},
	} {
		took = step.took
		db.fail = func() error { now = now.Add(took); return step.err }
		if _, err := a.offer(t.Context(), lot{full: step.full}); !errors.Is(err, step.err) || a.rows != step.want {
			t.Errorf("offer that took %s, full %t = %v, then %d rows, want %v, %d", took, step.full, err, a.rows, step.err, step.want)
		}
	}
}

func TestConflictAmongSegmentsSetsThatOneAside(t *testing.T) {
	db, dir := &memory{}, t.TempDir()
	s := openSpool(t, dir, oneEach)
	record(t, s, 1, 2, 4)
	for i, alter := range []func(*Marker){func(*Marker) {}, func(m *Marker) { m.SHA256[0] ^= 1 }} { // the first was counted, the second differs
		m, b, err := s.Sealed()[i].batch()
		if err != nil {
			t.Fatal(err)
		}
		alter(&m)
		if _, err := db.AbsorbUsage(t.Context(), m, b); err != nil {
			t.Fatal(err)
		}
	}
	flushed(t, s, absorber(s, db))
	if kept, err := filepath.Glob(filepath.Join(dir, "*"+asideEnd)); err != nil || len(kept) != 1 {
		t.Errorf("set aside: %v, %v, want one file", kept, err)
	}
	checkTotal(t, db, 3, 7)
}

// A crash after the commit leaves any of the segments, and others were sealed since.
func TestCrashWhileSegmentsAreRemovedCountsOnce(t *testing.T) {
	for removed := range 4 {
		db, dir := &memory{}, t.TempDir()
		s := openSpool(t, dir, oneEach)
		a := absorber(s, db)
		a.start()
		record(t, s, 1, 2, 4)
		l, err := a.load(s.Sealed())
		if err != nil || len(l.segments) != 3 {
			t.Fatalf("load = %d segments, %v, want 3", len(l.segments), err)
		}
		if _, err := a.offer(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		for _, g := range l.segments[:removed] {
			if err := g.Remove(); err != nil {
				t.Fatal(err)
			}
		}
		record(t, s, 8)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openSpool(t, dir, oneEach)
		flushed(t, s, absorber(s, db), 16)
		checkTotal(t, db, 5, 31)
	}
}
