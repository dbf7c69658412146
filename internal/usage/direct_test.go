package usage

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

func openDirect(t testing.TB, db Store, maxGroup int) *Direct {
	t.Helper()
	d, err := NewDirect(DirectOptions{Store: db, Node: testNode, MaxGroup: maxGroup})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDirectRefuses(t *testing.T) {
	if _, err := NewDirect(DirectOptions{Node: "node_x"}); err == nil {
		t.Errorf("NewDirect without a node id = nil, want an error")
	}
	d := openDirect(t, &memory{}, 0)
	if err := d.Record(&Event{}); !fault.Is(err, fault.Invalid) {
		t.Errorf("Record(empty event) = %v, want kind %s", err, fault.Invalid)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Record(event(1)); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Record after Close = %v, want kind %s", err, fault.Unavailable)
	}
}

func TestDirectIsUnavailableWhileTheDatabaseIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		db := &memory{fail: func() error { asked++; return errDatabase }}
		d := openDirect(t, db, 0)
		began := time.Now()
		if err := d.Record(event(1)); !fault.Is(err, fault.Unavailable) || !errors.Is(err, errDatabase) {
			t.Errorf("Record without a database = %v, want kind %s with its cause", err, fault.Unavailable)
		}
		if took := time.Since(began); took > defaultPatience || asked < 5 {
			t.Errorf("Record gave up after %v and %d attempts, want several within %v", took, asked, defaultPatience)
		}
		asked = 0
		time.Sleep(defaultPatience)
		if err := d.Record(event(2)); !fault.Is(err, fault.Unavailable) || asked != 1 {
			t.Errorf("Record later in the outage = %v after %d attempts, want kind %s after 1", err, asked, fault.Unavailable)
		}
		db.fail = nil
		record(t, d, 4)
		checkTotal(t, db, 1, 4)
	})
}

func TestDirectDoesNotRetryAConflict(t *testing.T) {
	asked := 0
	d := openDirect(t, &memory{fail: func() error { asked++; return ErrMarkerConflict }}, 0)
	if err := d.Record(event(1)); !fault.Is(err, fault.Unavailable) || asked != 1 {
		t.Errorf("Record with a conflict = %v after %d attempts, want kind %s after 1", err, asked, fault.Unavailable)
	}
}

func TestDirectWithALostAnswerCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &memory{late: func() error { return errDatabase }}
		d := openDirect(t, db, 0)
		record(t, d, 1, 2)
		checkTotal(t, db, 2, 3)
	})
}

func TestDirectAnswersTheOthersWhenTheStorePanics(t *testing.T) {
	db := &memory{fail: func() error { panic("boom") }}
	d := openDirect(t, db, 0)
	func() {
		defer func() {
			if got := recover(); got != "boom" {
				t.Errorf("Record recovered %v, want the store's panic", got)
			}
		}()
		_ = d.Record(event(1)) // panics
	}()
	db.fail = nil
	record(t, d, 2)
	checkTotal(t, db, 1, 2)
}

// held is a database that answers when told.
type held struct {
	memory
	enter chan struct{}
}

func (h *held) AbsorbUsage(ctx context.Context, m Marker, b *Batch) (bool, error) {
	<-h.enter
	return h.memory.AbsorbUsage(ctx, m, b)
}

func TestDirectGroupsAreSharedAndBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &held{enter: make(chan struct{})}
		d := openDirect(t, db, 10)
		var wg sync.WaitGroup
		for range 25 {
			wg.Go(func() {
				if err := d.Record(event(1)); err != nil {
					t.Errorf("Record = %v", err)
				}
			})
			synctest.Wait()
		}
		d.Add(event(1)) // the group that waits is full
		for range 4 {
			db.enter <- struct{}{}
			synctest.Wait()
		}
		wg.Wait()
		checkTotal(t, &db.memory, 25, 25)
		if n := len(db.batches); n != 4 {
			t.Errorf("25 calls in groups of at most 10, the first alone, made %d batches, want 4", n)
		}
		if st := d.Stats(); st.Records != 25 || st.Dropped != 1 {
			t.Errorf("Stats = %+v, want 25 records and 1 dropped", st)
		}
	})
}

func TestDirectRunCommitsWhatWasAdded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &memory{}
		d := openDirect(t, db, 0)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- d.Run(ctx) }()
		d.Add(event(3))
		time.Sleep(absorbEvery + time.Millisecond)
		synctest.Wait()
		checkTotal(t, db, 1, 3)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
}

func BenchmarkDirect(b *testing.B) {
	bench(b, openDirect(b, forgetful{}, 0), 64)
}

type forgetful struct{ Store }

func (forgetful) AbsorbUsage(context.Context, Marker, *Batch) (bool, error) { return true, nil }
