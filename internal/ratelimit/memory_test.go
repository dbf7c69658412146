package ratelimit

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func ask(l Limit, subject string, cost int64) []Request {
	return []Request{{Limit: l, Subject: subject, Cost: cost}}
}

// drain spends one unit at a time until refused and returns how many passed.
func drain(m *Memory, now time.Time, l Limit, subject string) (n int64) {
	for m.Spend(now, ask(l, subject, 1), nil).Allowed {
		n++
	}
	return n
}

func TestSpendRefuses(t *testing.T) {
	ten := Limit{Name: "ten", N: 10, Window: time.Minute}
	m := NewMemory(start)
	for _, tc := range []struct {
		name string
		req  Request
	}{
		{"more than the burst", Request{ten, "k", 11}},
		{"the largest cost", Request{ten, "k", math.MaxInt64}},
		{"a negative cost", Request{ten, "k", -1}},
		{"the most negative cost", Request{ten, "k", math.MinInt64}},
		{"the zero limit", Request{Limit{}, "k", 1}},
		{"a zero limit, cost 0", Request{Limit{}, "k", 0}},
		{"N above its bound", Request{Limit{Name: "x", N: MaxN + 1, Window: time.Second}, "k", 1}},
		{"a negative N", Request{Limit{Name: "x", N: -5, Window: time.Second}, "k", 1}},
		{"no window", Request{Limit{Name: "x", N: 5, Window: 0}, "k", 1}},
		{"an endless window", Request{Limit{Name: "x", N: 5, Window: math.MaxInt64}, "k", 1}},
	} {
		out := m.Spend(start, []Request{tc.req}, nil)
		if out.Allowed || out.Denied != 0 || out.Statuses[0].RetryAfter != Never {
			t.Errorf("Spend(%s) = %+v, want refused forever", tc.name, out)
		}
	}
	if m.Len() != 0 {
		t.Errorf("Len() after refusals = %d, want 0", m.Len())
	}
}

func TestSpendAtTheBoundaries(t *testing.T) {
	l := Limit{Name: "ten", N: 10, Window: time.Minute} // one unit every 6 s
	m := NewMemory(start)
	if got := drain(m, start, l, "k"); got != 10 {
		t.Fatalf("the burst is %d, want 10", got)
	}
	for _, tc := range []struct {
		after time.Duration
		want  int64 // units that pass then, after everything before
	}{
		{0, 0},
		{6*time.Second - 1, 0},
		{6 * time.Second, 1},
		{6 * time.Second, 0},
		{18*time.Second - 1, 1},
		{18 * time.Second, 1},
		{78*time.Second - 1, 9},
		{78 * time.Second, 1},
		{24 * time.Hour, 10},
	} {
		if got := drain(m, start.Add(tc.after), l, "k"); got != tc.want {
			t.Errorf("%v after the start %d pass, want %d", tc.after, got, tc.want)
		}
	}
	if got := drain(m, start, l, "another"); got != 10 {
		t.Errorf("another subject has %d, want 10", got)
	}
}

// 7 a second: the interval is 142857142.86 ns and must not be rounded down.
func TestRoundingNeverAdmitsMore(t *testing.T) {
	for _, l := range []Limit{{Name: "a", N: 7, Window: time.Second}, {Name: "b", N: 3, Window: time.Minute}, {Name: "c", N: 999_983, Window: time.Second}, {Name: "d", N: MaxN, Window: time.Second}, {Name: "e", N: MaxN, Window: 31 * time.Hour}, {Name: "f", N: 1, Window: MaxWindow}} {
		m := NewMemory(start)
		out := m.Spend(start, ask(l, "k", l.N), nil)
		if !out.Allowed || out.Statuses[0].Remaining != 0 {
			t.Errorf("%v: a burst of N = %+v, want allowed with 0 remaining", l, out)
		}
		if out := m.Spend(start, ask(l, "k", 1), nil); out.Allowed {
			t.Errorf("%v: N+1 units pass at once", l)
		}
		if out := m.Check(start.Add(l.Window), ask(l, "k", l.N), nil); out.Allowed && l.interval()*l.N > int64(l.Window) {
			t.Errorf("%v: a second burst passes before %d intervals are over", l, l.N)
		}
		if out := m.Check(start.Add(time.Duration(l.N*l.interval())), ask(l, "k", l.N), nil); !out.Allowed {
			t.Errorf("%v: no second burst after %d intervals", l, l.N)
		}
	}
}

func TestStatus(t *testing.T) {
	l := Limit{Name: "ten", N: 10, Window: time.Minute}
	m := NewMemory(start)
	out := m.Spend(start, ask(l, "k", 4), nil)
	want := Outcome{Allowed: true, Denied: -1, Statuses: []Status{{Limit: l, Remaining: 6, ResetAfter: 24 * time.Second}}}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("Spend(4) (-want +got):\n%s", diff)
	}
	later := start.Add(time.Second)
	out = m.Spend(later, ask(l, "k", 8), nil)
	want = Outcome{Denied: 0, Statuses: []Status{{Limit: l, Remaining: 6, ResetAfter: 23 * time.Second, RetryAfter: 11 * time.Second}}}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("Spend(8) (-want +got):\n%s", diff)
	}
	if m.Check(later.Add(11*time.Second-1), ask(l, "k", 8), nil).Allowed || !m.Check(later.Add(11*time.Second), ask(l, "k", 8), nil).Allowed {
		t.Error("RetryAfter is not exact")
	}
	out = m.Spend(start.Add(24*time.Second), ask(l, "k", 0), nil)
	want = Outcome{Allowed: true, Denied: -1, Statuses: []Status{{Limit: l, Remaining: 10}}}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("Spend(0) after the reset (-want +got):\n%s", diff)
	}
}

func TestSpendIsAllOrNothing(t *testing.T) {
	wide, narrow := Limit{Name: "wide", N: 100, Window: time.Hour}, Limit{Name: "narrow", N: 2, Window: time.Minute}
	m := NewMemory(start)
	reqs := []Request{{wide, "app", 1}, {narrow, "key", 1}, {wide, "team", 1}}
	buf := make([]Status, 0, 3)
	for range 2 {
		if out := m.Spend(start, reqs, buf); !out.Allowed {
			t.Fatalf("Spend = %+v, want allowed", out)
		}
	}
	for range 5 {
		out := m.Spend(start, reqs, buf)
		if out.Allowed || out.Denied != 1 {
			t.Fatalf("Spend = %+v, want refused by index 1", out)
		}
		for i, want := range []int64{98, 0, 98} {
			if got := out.Statuses[i].Remaining; got != want {
				t.Errorf("remaining of %s after a refusal = %d, want %d", reqs[i].Subject, got, want)
			}
		}
		if out.Statuses[0].RetryAfter != 0 || out.Statuses[1].RetryAfter != 30*time.Second {
			t.Errorf("RetryAfter = %v and %v, want 0s and 30s", out.Statuses[0].RetryAfter, out.Statuses[1].RetryAfter)
		}
	}
}

// The same cell twice in one call: neither alone is too much, both are.
func TestSpendOfOneCellTwice(t *testing.T) {
	l := Limit{Name: "ten", N: 10, Window: time.Minute}
	m := NewMemory(start)
	twice := []Request{{l, "k", 6}, {l, "k", 6}}
	if out := m.Spend(start, twice, nil); out.Allowed || out.Denied != 1 || out.Statuses[0].Remaining != 10 || out.Statuses[1].RetryAfter != 12*time.Second {
		t.Errorf("Spend(6 and 6 of 10) = %+v, want refused by the second for 12s, nothing spent", out)
	}
	twice[1].Cost = 4
	if out := m.Spend(start, twice, nil); !out.Allowed || out.Statuses[0].Remaining != 0 {
		t.Errorf("Spend(6 and 4 of 10) = %+v, want allowed with 0 remaining", out)
	}
}

func TestCheckSpendsNothing(t *testing.T) {
	l := Limit{Name: "ten", N: 10, Window: time.Minute}
	m := NewMemory(start)
	for range 20 {
		if out := m.Check(start, ask(l, "k", 10), nil); !out.Allowed || out.Statuses[0].Remaining != 10 {
			t.Fatalf("Check = %+v, want allowed with 10 remaining", out)
		}
	}
	if m.Len() != 0 {
		t.Errorf("Len() after checks = %d, want 0", m.Len())
	}
}

func TestStatusesAreAppended(t *testing.T) {
	l := Limit{Name: "ten", N: 10, Window: time.Minute}
	first := Status{Remaining: 42}
	out := NewMemory(start).Spend(start, ask(l, "k", 1), []Status{first})
	if len(out.Statuses) != 2 || out.Statuses[0] != first || out.Statuses[1].Remaining != 9 {
		t.Errorf("Statuses = %+v, want one appended", out.Statuses)
	}
	if out := NewMemory(start).Spend(start, nil, nil); !out.Allowed || out.Denied != -1 {
		t.Errorf("Spend(nothing) = %+v, want allowed", out)
	}
}

func TestRelease(t *testing.T) {
	l := Limit{Name: "ten", N: 10, Window: time.Minute} // one unit every 6 s
	for _, tc := range []struct {
		name string
		late time.Duration // between the spending and another one, then the release
		want int64         // remaining then
	}{
		{"at once", 0, 9},
		{"one interval later", 6 * time.Second, 9},  // 1 of the 2 had refilled, the other comes back
		{"after all refilled", 12 * time.Second, 9}, // nothing comes back: 10 would be one too many
	} {
		m := NewMemory(start)
		m.Spend(start, ask(l, "k", 2), nil)
		now := start.Add(tc.late)
		m.Spend(now, ask(l, "k", 1), nil)
		m.Release(start, ask(l, "k", 2))
		if got := m.Check(now, ask(l, "k", 0), nil).Statuses[0].Remaining; got != tc.want {
			t.Errorf("remaining after a release %s = %d, want %d", tc.name, got, tc.want)
		}
	}
	m := NewMemory(start)
	m.Spend(start, ask(l, "k", 3), nil)
	for range 5 {
		m.Release(start, ask(l, "k", 10))
		m.Release(start, ask(l, "nobody", 10))
		m.Release(start, ask(l, "k", -10))
	}
	if got := drain(m, start, l, "k"); got != 10 {
		t.Errorf("after too many releases %d pass, want the burst of 10", got)
	}
}

func TestChangedLimitKeepsWhatWasSpent(t *testing.T) {
	m := NewMemory(start)
	m.Spend(start, ask(Limit{Name: "l", N: 10, Window: time.Minute}, "k", 8), nil)
	if got := m.Check(start, ask(Limit{Name: "l", N: 100, Window: time.Minute}, "k", 0), nil).Statuses[0].Remaining; got != 20 {
		t.Errorf("remaining of 100 after 80%% of 10 was spent = %d, want 20", got)
	}
	m.Spend(start, ask(Limit{Name: "l", N: 7, Window: time.Minute}, "q", 7), nil)
	if got := m.Check(start, ask(Limit{Name: "l", N: 6, Window: time.Minute}, "q", 0), nil).Statuses[0].Remaining; got != 0 {
		t.Errorf("remaining of 6 after all of 7 was spent = %d, want 0", got)
	}
	if got := m.Check(start, ask(Limit{Name: "l", N: 10, Window: time.Hour}, "k", 0), nil).Statuses[0].Remaining; got != 10 {
		t.Errorf("remaining with another window = %d, want 10", got)
	}
}

func TestClockGoingBack(t *testing.T) {
	l := Limit{Name: "ten", N: 10, Window: time.Minute}
	m := NewMemory(start)
	noon := start.Add(time.Hour)
	if got := drain(m, noon, l, "k"); got != 10 {
		t.Fatalf("the burst is %d, want 10", got)
	}
	for _, now := range []time.Time{noon.Add(-time.Second), start, start.Add(-time.Hour), {}, start.AddDate(-500, 0, 0)} {
		if got := drain(m, now, l, "k"); got != 0 {
			t.Errorf("with the clock back at %v %d pass, want 0", now, got)
		}
	}
	// Even a cell that was dropped as drained stays spent for a clock that is behind.
	m.Spend(noon.Add(time.Hour), ask(l, "k", 1), nil)
	m.Release(noon.Add(time.Hour), ask(l, "k", 1))
	if got := drain(m, noon, l, "k") + drain(m, noon.Add(time.Hour), l, "k"); got != 10 {
		t.Errorf("with the clock an hour back %d pass, want 10", got)
	}
	far := start.AddDate(10000, 0, 0)
	if got := drain(m, far, l, "far") + drain(m, far.AddDate(1, 0, 0), l, "far"); got != 10 {
		t.Errorf("at the end of time %d pass, want 10", got)
	}
}

func TestMemoryIsBoundedByTheLiving(t *testing.T) {
	l := Limit{Name: "one", N: 1, Window: time.Second}
	m := NewMemory(start)
	const perSecond = 5000
	for sec := range 20 {
		now := start.Add(time.Duration(sec) * time.Second)
		for i := range perSecond {
			m.Spend(now, ask(l, fmt.Sprintf("s%d-%d", sec, i), 1), nil)
		}
		if got, most := m.Len(), 3*perSecond+shardCount*sweepFrom; got > most {
			t.Fatalf("Len() after %d s with %d live subjects = %d, want at most %d", sec, perSecond, got, most)
		}
	}
	// A cell is dropped no nanosecond too early.
	m = NewMemory(start)
	last := start.Add(time.Second - 1)
	for i := range perSecond {
		m.Spend(start, ask(l, fmt.Sprint("early", i), 1), nil)
	}
	for i := range perSecond {
		m.Spend(last, ask(l, fmt.Sprint("late", i), 1), nil)
	}
	for i := range perSecond {
		if m.Check(last, ask(l, fmt.Sprint("early", i), 1), nil).Allowed {
			t.Fatalf("cell %d was lost a nanosecond before it drained", i)
		}
	}
}

func TestLiveCellSurvivesTheSweeps(t *testing.T) {
	l, day := Limit{Name: "one", N: 1, Window: time.Second}, Limit{Name: "day", N: 1, Window: 24 * time.Hour}
	m, now := NewMemory(start), start
	m.Spend(now, ask(day, "patient", 1), nil)
	for i := range 100_000 {
		now = now.Add(time.Millisecond)
		m.Spend(now, ask(l, fmt.Sprint(i), 1), nil)
	}
	if m.Spend(now, ask(day, "patient", 1), nil).Allowed {
		t.Error("a live cell was lost")
	}
}

// With the clock frozen exactly N pass, however many try at once, alone and together with a wider limit in other shards.
func TestParallelSpendsAdmitExactlyN(t *testing.T) {
	const tries = 64
	l, wide := Limit{Name: "thousand", N: 1000, Window: time.Hour}, Limit{Name: "wide", N: MaxN, Window: time.Hour}
	m := NewMemory(start)
	var admitted, released atomic.Int64
	var wg sync.WaitGroup
	for g := range tries {
		wg.Go(func() {
			buf := make([]Status, 0, 3)
			other := fmt.Sprint("other", g%5)
			for i := range 100 {
				reqs := []Request{{l, "k", 1}, {wide, other, 1}, {wide, "all", 1}}
				if g%2 == 1 {
					reqs[0], reqs[2] = reqs[2], reqs[0]
				}
				if !m.Spend(start, reqs, buf).Allowed {
					continue
				}
				if i%10 == 0 {
					m.Release(start, reqs)
					released.Add(1)
					continue
				}
				admitted.Add(1)
			}
		})
	}
	wg.Wait()
	got := admitted.Load() + drain(m, start, l, "k")
	if got != 1000 || released.Load() == 0 {
		t.Errorf("%d goroutines: %d admitted, %d released, want 1000 and some", tries, got, released.Load())
	}
	used := MaxN - m.Check(start, ask(wide, "all", 0), nil).Statuses[0].Remaining
	if used != admitted.Load() {
		t.Errorf("the wide limit has %d spent, want %d", used, admitted.Load())
	}
}

func TestSpendDoesNotAllocate(t *testing.T) {
	m := NewMemory(start)
	reqs := []Request{{Limit{Name: "minute", N: 1000, Window: time.Minute}, "key_A", 1}, {Limit{Name: "day", N: 100000, Window: 24 * time.Hour}, "app_B", 1}}
	buf := make([]Status, 0, 2)
	m.Spend(start, reqs, buf)
	got := testing.AllocsPerRun(100, func() {
		if !m.Spend(start, reqs, buf).Allowed {
			t.Error("refused")
		}
	})
	if got != 0 {
		t.Errorf("Spend allocates %v times, want 0", got)
	}
}

func BenchmarkSpendTwoLimits(b *testing.B) {
	m := NewMemory(start)
	reqs := []Request{{Limit{Name: "second", N: MaxN, Window: time.Second}, "key_A", 1}, {Limit{Name: "day", N: MaxN, Window: 24 * time.Hour}, "app_B", 1}}
	buf := make([]Status, 0, 2)
	now := start
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Millisecond)
		m.Spend(now, reqs, buf)
	}
}
