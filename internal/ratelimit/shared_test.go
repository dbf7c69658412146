package ratelimit

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/redistest"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// newShared returns a connected Shared for three nodes, whose calls have time enough on a busy machine.
func newShared(t testing.TB, server *redistest.Server) *Shared {
	t.Helper()
	s, err := NewShared(SharedOptions{
		URL: server.URL(), Prefix: "test:", Memory: NewMemory(start), Nodes: func() int { return 3 }, Timeout: 5 * time.Second, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNewSharedRefuses(t *testing.T) {
	for _, url := range []string{
		"", "localhost:6379", "http://:hunter2@localhost", "redis://:hunter2@localhost/x", "redis://:hunter2@local host", "redis://:hunter2@localhost?dial_timeout=x",
		"redis://:hunter2@a?addr=b&addr=c",
	} {
		_, err := NewShared(SharedOptions{URL: secret.Of(url)})
		if !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("NewShared(%q) error = %v, want Invalid without the password", url, err)
		}
	}
}

func TestSharedRefuses(t *testing.T) {
	ten := Limit{Name: "ten", N: 10, Window: time.Minute}
	s := newShared(t, redistest.New(t))
	for _, tc := range []struct {
		name string
		req  Request
	}{
		{"more than the burst", Request{ten, "k", 11}},
		{"the largest cost", Request{ten, "k", math.MaxInt64}},
		{"a negative cost", Request{ten, "k", -1}},
		{"the most negative cost", Request{ten, "k", math.MinInt64}},
		{"the zero limit", Request{Limit{}, "k", 1}},
		{"a limit too large", Request{Limit{Name: "l", N: MaxN + 1, Window: time.Second}, "k", 1}},
		{"a window too long", Request{Limit{Name: "l", N: 1, Window: MaxWindow + time.Second}, "k", 1}},
	} {
		out := s.Spend(t.Context(), start, []Request{tc.req}, nil)
		if out.Allowed || out.Denied != 0 || out.Statuses[0].RetryAfter != Never {
			t.Errorf("Spend(%s) = %+v, want refused for ever", tc.name, out)
		}
	}
	if got := s.Stats(); got.Failures != 0 {
		t.Errorf("Stats = %+v, want no failures", got)
	}
}

func TestSharedIsAllOrNothing(t *testing.T) {
	wide, narrow := Limit{Name: "wide", N: 100, Window: 31 * 24 * time.Hour}, Limit{Name: "narrow", N: 2, Window: 24 * time.Hour}
	s := newShared(t, redistest.New(t))
	reqs := []Request{{wide, "app", 1}, {narrow, "key", 1}, {wide, "team", 1}}
	for range 2 {
		if out := s.Spend(t.Context(), start, reqs, nil); !out.Allowed {
			t.Fatalf("Spend = %+v, want allowed", out)
		}
	}
	for range 3 {
		out := s.Spend(t.Context(), start, reqs, nil)
		if out.Allowed || out.Denied != 1 || out.Statuses[0].Remaining != 98 || out.Statuses[1].Remaining != 0 || out.Statuses[2].Remaining != 98 {
			t.Fatalf("Spend = %+v, want refused by index 1 with 98, 0 and 98 left", out)
		}
		if wait := out.Statuses[1].RetryAfter; wait <= 11*time.Hour || wait > 12*time.Hour {
			t.Errorf("RetryAfter = %v, want what is left of 12 hours", wait)
		}
	}
	// The same cell twice in one call: neither alone is too much, both are.
	twice := []Request{{wide, "two", 60}, {wide, "two", 60}}
	if out := s.Spend(t.Context(), start, twice, nil); out.Denied != 1 || out.Statuses[0].Remaining != 100 {
		t.Errorf("Spend(60 and 60 of 100) = %+v, want refused by the second, nothing spent", out)
	}
	twice[1].Cost = 40
	if out := s.Spend(t.Context(), start, twice, nil); !out.Allowed || out.Statuses[0].Remaining != 0 {
		t.Errorf("Spend(60 and 40 of 100) = %+v, want allowed with 0 remaining", out)
	}
	first := Status{Remaining: 42}
	if out := s.Check(t.Context(), start, ask(wide, "new", 1), []Status{first}); len(out.Statuses) != 2 || out.Statuses[0] != first || out.Statuses[1].Remaining != 100 {
		t.Errorf("Statuses = %+v, want one appended, and nothing spent", out.Statuses)
	}
}

func TestSharedRelease(t *testing.T) {
	l := Limit{Name: "ten", N: 10, Window: 31 * 24 * time.Hour}
	s := newShared(t, redistest.New(t))
	spend := func(cost int64) Outcome { return s.Spend(t.Context(), start, ask(l, "k", cost), nil) }
	six := spend(6)
	if four := spend(4); !six.Allowed || !four.Allowed || spend(1).Allowed {
		t.Fatal("6 and 4 of 10 are not what fits")
	}
	s.Release(t.Context(), six.Spent, ask(l, "k", 6))
	// What had refilled meanwhile is not given back a second time: a little less than 6 of 10 is there.
	if got := s.Check(t.Context(), start, ask(l, "k", 0), nil).Statuses[0].Remaining; got != 5 && got != 6 {
		t.Errorf("remaining after the release = %d, want 5 or 6", got)
	}
	for range 3 {
		s.Release(t.Context(), six.Spent, ask(l, "k", 10))
		s.Release(t.Context(), six.Spent, ask(l, "k", -10))
		s.Release(t.Context(), six.Spent, ask(l, "nobody", 10))
	}
	if !spend(10).Allowed || spend(1).Allowed {
		t.Error("after too many releases something else than the burst of 10 passes")
	}
	// One of long ago gives nothing back.
	s.Release(t.Context(), Receipt{At: six.Spent.At.Add(-l.Window)}, ask(l, "k", 10))
	if spend(1).Allowed {
		t.Error("a release gave back what had refilled by itself")
	}
}

// A clock that goes back refills nothing: a cell written in the future is as it was then until the clock gets there.
func TestSharedClockGoingBack(t *testing.T) {
	l := Limit{Name: "ten", N: 10, Window: time.Minute}
	server := redistest.New(t)
	s := newShared(t, server)
	ahead := server.Now().Add(time.Hour).UnixMicro()
	server.Do("SET", "test:k:ten:60", fmt.Sprintf("%d %d", ahead, 55*int64(time.Second)))
	out := s.Spend(t.Context(), start, ask(l, "k", 1), nil)
	if out.Allowed || out.Statuses[0].ResetAfter != 55*time.Second {
		t.Errorf("Spend with the clock an hour back = %+v, want refused, and nothing drained", out)
	}
	server.Do("SET", "test:k:ten:60", fmt.Sprintf("%d %d", ahead, 1))
	if out := s.Spend(t.Context(), start, ask(l, "k", 9), nil); !out.Allowed {
		t.Fatalf("Spend(9) = %+v, want allowed", out)
	}
	if life := server.Do("PTTL", "test:k:ten:60"); len(life) < len("3600000") {
		t.Errorf("the cell lives %s ms, want an hour more than it takes to drain", life)
	}
}

func TestSharedCellsExpire(t *testing.T) {
	server := redistest.New(t)
	s := newShared(t, server)
	s.Spend(t.Context(), start, ask(Limit{Name: "fast", N: 1000, Window: time.Second}, "k", 1), nil)
	out := s.Spend(t.Context(), start, ask(Limit{Name: "kept", N: 10, Window: time.Hour}, "k", 1), nil)
	s.Check(t.Context(), start, ask(Limit{Name: "seen", N: 10, Window: time.Hour}, "k", 1), nil)
	s.Spend(t.Context(), start, ask(Limit{Name: "over", N: 10, Window: time.Hour}, "k", 11), nil)
	patiently(t, "only the undrained cell to be left", func() bool {
		return server.Do("KEYS", "test:*") == "[test:k:kept:3600]"
	})
	s.Release(t.Context(), Receipt{At: out.Spent.At.Add(time.Hour)}, ask(Limit{Name: "kept", N: 10, Window: time.Hour}, "k", 1))
	if got := server.Do("KEYS", "test:*"); got != "[]" {
		t.Errorf("after the release these cells are left: %s", got)
	}
}

// Whatever is asked, Redis answers as Memory does, asked at Redis' own times.
func TestSharedAgreesWithMemory(t *testing.T) {
	limits := []Limit{
		{Name: "a", N: 1, Window: time.Second},
		{Name: "b", N: 7, Window: time.Second},
		{Name: "c", N: MaxN, Window: time.Second},
		{Name: "d", N: 3, Window: MaxWindow},
		{Name: "e", N: MaxN, Window: MaxWindow},
		{Name: "f", N: 2000, Window: time.Second},
	}
	s := newShared(t, redistest.New(t))
	var round atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		// Memory forgets nanoseconds that a clock of microseconds does not have, so both count from the same microsecond.
		m, mark := NewMemory(start), round.Add(1)
		for range rapid.IntRange(1, 30).Draw(t, "calls") {
			var reqs []Request
			for range rapid.IntRange(1, 4).Draw(t, "requests") {
				l := rapid.SampledFrom(limits).Draw(t, "limit")
				subject := fmt.Sprint(rapid.SampledFrom([]string{"x", "y"}).Draw(t, "subject"), mark)
				cost := rapid.OneOf(rapid.Int64Range(-1, 4), rapid.Int64Range(0, l.N)).Draw(t, "cost")
				reqs = append(reqs, Request{l, subject, cost})
			}
			switch rapid.SampledFrom([]string{"spend", "spend", "spend", "check", "undo"}).Draw(t, "what") {
			case "check":
				got := s.Check(context.Background(), start, reqs, nil)
				same(t, "Check", reqs, m.Check(got.Spent.At, reqs, nil), got)
			case "undo":
				got := s.Spend(context.Background(), start, reqs, nil)
				same(t, "Spend", reqs, m.Spend(got.Spent.At, reqs, nil), got)
				if got.Allowed {
					s.Release(context.Background(), got.Spent, reqs)
					// When Redis did it is not known; what is left of it is compared in TestSharedRelease.
					return
				}
			default:
				got := s.Spend(context.Background(), start, reqs, nil)
				same(t, "Spend", reqs, m.Spend(got.Spent.At, reqs, nil), got)
			}
		}
	})
}

func same(t *rapid.T, what string, reqs []Request, want, got Outcome) {
	t.Helper()
	got.Spent = Receipt{}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s(%+v) (-memory +redis):\n%s", what, reqs, diff)
	}
}

// Three nodes at once spend exactly what there is.
func TestSharedParallelSpendsAdmitExactlyN(t *testing.T) {
	l := Limit{Name: "thousand", N: 1000, Window: 31 * 24 * time.Hour}
	server := redistest.New(t)
	var admitted atomic.Int64
	var all sync.WaitGroup
	for range 3 {
		node := newShared(t, server)
		for range 8 {
			all.Go(func() {
				for range 100 {
					out := node.Spend(context.Background(), start, ask(l, "k", 1), nil)
					if out.Spent.Nodes != 0 {
						t.Error("Redis did not answer")
					}
					if out.Allowed {
						admitted.Add(1)
					}
				}
			})
		}
	}
	all.Wait()
	if got := admitted.Load(); got != 1000 {
		t.Errorf("%d of 2400 passed, want 1000", got)
	}
}

// A server that forgot the script is given it again.
func TestSharedAfterScriptFlush(t *testing.T) {
	server := redistest.New(t)
	s := newShared(t, server)
	server.Do("SCRIPT", "FLUSH")
	out := s.Spend(t.Context(), start, ask(Limit{Name: "ten", N: 10, Window: time.Minute}, "k", 1), nil)
	if !out.Allowed || out.Spent.Nodes != 0 || s.Stats().Failures != 0 {
		t.Errorf("Spend = %+v, want allowed by Redis", out)
	}
}

// alone returns a Shared that has never reached its Redis.
func alone(t testing.TB, nodes int) *Shared {
	t.Helper()
	s, err := NewShared(SharedOptions{
		URL: secret.Of("unix:///nowhere"), Memory: NewMemory(start), Nodes: func() int { return nodes }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestAloneDoesWhatEachLimitSays(t *testing.T) {
	l := func(n int64, when string) Limit {
		return Limit{Name: "l", N: n, Window: time.Minute, WhenUnavailable: when}
	}
	for _, tc := range []struct {
		name  string
		limit Limit
		nodes int
		want  int64 // of a hundred tries of 1
	}{
		{"its part", l(30, ""), 3, 10},
		{"its part, by name", l(30, Degrade), 3, 10},
		{"its part, rounded down", l(11, ""), 4, 2},
		{"no node known but itself", l(11, ""), 0, 11},
		{"one each", l(3, ""), 3, 1},
		{"nothing for any", l(2, ""), 3, 0},
		{"closed", l(30, Closed), 3, 0},
		{"open", l(30, Open), 3, 100},
	} {
		s, passed := alone(t, tc.nodes), int64(0)
		for range 100 {
			out := s.Spend(t.Context(), start, ask(tc.limit, "k", 1), nil)
			if out.Allowed {
				passed++
			} else if wait := out.Statuses[0].RetryAfter; wait <= 0 || out.Denied != 0 || out.Statuses[0].Limit != tc.limit {
				t.Errorf("%s: Spend = %+v, want a time to wait", tc.name, out)
			}
		}
		if passed != tc.want {
			t.Errorf("%s: %d passed, want %d", tc.name, passed, tc.want)
		}
	}
	// All are asked before any is spent, whatever they do.
	s := alone(t, 2)
	both := []Request{{l(10, Open), "k", 1}, {l(10, ""), "app", 1}, {l(10, Closed), "team", 1}}
	if out := s.Spend(t.Context(), start, both, nil); out.Allowed || out.Denied != 2 || out.Statuses[1].Remaining != 5 {
		t.Errorf("Spend = %+v, want refused by the closed one with nothing spent", out)
	}
	// More than a part may pass again, more than the limit never.
	if out := s.Spend(t.Context(), start, ask(l(10, ""), "k", 6), nil); out.Statuses[0].RetryAfter != whileAlone {
		t.Errorf("Spend(6 of a part of 5) = %+v, want %v to wait", out, whileAlone)
	}
	if out := s.Spend(t.Context(), start, ask(l(10, Open), "k", 11), nil); out.Allowed || out.Statuses[0].RetryAfter != Never {
		t.Errorf("Spend(11 of 10) = %+v, want refused for ever", out)
	}
	// What costs nothing passes everywhere.
	for _, when := range []string{Degrade, Closed, Open} {
		if out := s.Spend(t.Context(), start, ask(l(1, when), "k", 0), nil); !out.Allowed {
			t.Errorf("Spend(0) of %s = %+v, want allowed", when, out)
		}
	}
}

func TestAloneReleases(t *testing.T) {
	l := Limit{Name: "ten", N: 10, Window: time.Minute}
	s := alone(t, 2)
	out := s.Spend(t.Context(), start, ask(l, "k", 5), nil)
	s.opts.Nodes = func() int { return 1 } // the other went meanwhile: what is given back is what was taken
	s.Release(t.Context(), out.Spent, ask(l, "k", 5))
	if got := s.Check(t.Context(), start, ask(l, "k", 0), nil).Statuses[0].Remaining; !out.Allowed || got != 10 {
		t.Errorf("remaining after the release = %d, want 10", got)
	}
	// What Redis counted is not given back here.
	s.Spend(t.Context(), start, ask(l, "k", 5), nil)
	s.Release(t.Context(), Receipt{At: start}, ask(l, "k", 5))
	if got := s.Check(t.Context(), start, ask(l, "k", 0), nil).Statuses[0].Remaining; got != 5 {
		t.Errorf("remaining after another's release = %d, want 5", got)
	}
}

// Whatever is asked of however many nodes, together they admit N at most at one moment.
func TestPartsNeverExceedTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := rapid.IntRange(1, 9).Draw(t, "nodes")
		l := Limit{Name: "l", N: rapid.Int64Range(1, 50).Draw(t, "n"), Window: time.Minute}
		memories := make([]*Shared, nodes)
		for i := range memories {
			memories[i] = &Shared{opts: SharedOptions{Memory: NewMemory(start), Nodes: func() int { return nodes }}}
		}
		var admitted int64
		for range rapid.IntRange(0, 100).Draw(t, "tries") {
			cost := rapid.Int64Range(1, 5).Draw(t, "cost")
			if memories[rapid.IntRange(0, nodes-1).Draw(t, "node")].alone(start, ask(l, "k", cost), nil, true).Allowed {
				admitted += cost
			}
		}
		if admitted > l.N {
			t.Fatalf("%d nodes admitted %d of %d", nodes, admitted, l.N)
		}
	})
}

// Redis goes and comes back: the breaker opens, no call goes there while it is open, and calls go there again.
func TestBreaker(t *testing.T) {
	l := Limit{Name: "nine", N: 9, Window: 31 * 24 * time.Hour}
	server := redistest.New(t)
	for _, loss := range []struct {
		name       string
		begin, end func()
		timeout    time.Duration
	}{
		{"killed", server.Kill, server.Start, 5 * time.Second},
		{"silent", server.Pause, server.Resume, 50 * time.Millisecond},
	} {
		s, err := NewShared(SharedOptions{
			URL: server.URL(), Prefix: loss.name, Memory: NewMemory(start), Nodes: func() int { return 3 }, Timeout: loss.timeout, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		others := goleak.IgnoreCurrent()
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.Run(ctx) })
		spend := func() Outcome { return s.Spend(ctx, start, ask(l, "k", 1), nil) }
		patiently(t, "the first connection", func() bool { return !s.Stats().Open })

		loss.begin()
		var passed int
		for range 20 {
			if spend().Allowed {
				passed++
			}
		}
		if got := s.Stats(); passed != 3 || !got.Open || got.Failures != failuresToOpen {
			t.Errorf("%s: %d of 20 passed with %+v, want 3, a third of the limit, and an open breaker after %d failures", loss.name, passed, got, failuresToOpen)
		}
		before := s.Stats().Calls
		for range 100 {
			s.Release(ctx, Receipt{At: start}, ask(l, "k", 1))
			s.Check(ctx, start, ask(l, "k", 1), nil)
			spend()
		}
		if got := s.Stats().Calls; got != before {
			t.Errorf("%s: %d calls went to Redis while the breaker was open", loss.name, got-before)
		}

		loss.end()
		patiently(t, "calls to go to Redis again", func() bool { return spend().Spent.Nodes == 0 })
		cancel()
		running.Wait()
		s.Close()
		goleak.VerifyNone(t, others)
	}
}

// patiently waits until what is asked for is so.
func patiently(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited 30 s for %s", what)
		}
	}
}

func BenchmarkSharedSpendTwoLimits(b *testing.B) {
	s := newShared(b, redistest.New(b))
	reqs := []Request{{Limit{Name: "second", N: MaxN, Window: time.Second}, "key_A", 1}, {Limit{Name: "day", N: MaxN, Window: 24 * time.Hour}, "app_B", 1}}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		buf := make([]Status, 0, 2)
		for pb.Next() {
			s.Spend(b.Context(), start, reqs, buf)
		}
	})
}
