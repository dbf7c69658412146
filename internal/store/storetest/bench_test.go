package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/pgtest"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// durable runs a benchmark on both engines, with every commit on the disk.
func durable(b *testing.B, bench func(b *testing.B, st *store.Store)) {
	b.Helper()
	for engine, url := range map[string]func() string{
		"sqlite":   func() string { return sqlite(b).url },
		"postgres": func() string { return pgtest.StartDurable(b) },
	} {
		b.Run(engine, func(b *testing.B) {
			st := database{url: url()}.open(b)
			bench(b, st)
		})
	}
}

// BenchmarkCreateApp is 64 callers that each make one app after the other.
func BenchmarkCreateApp(b *testing.B) {
	durable(b, func(b *testing.B, st *store.Store) {
		owner := newTeam(b, st)
		var left atomic.Int64
		left.Store(int64(b.N))
		var callers sync.WaitGroup
		b.ResetTimer()
		for range 64 {
			callers.Go(func() {
				for left.Add(-1) >= 0 {
					if _, err := st.CreateApp(ctx, anApp(owner), event("app.create")); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		callers.Wait()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "steps/s")
	})
}

// BenchmarkAbsorbUsage absorbs segments of 50,000 events of 1,000 keys within a minute, without idempotency keys and with
// one on every tenth call.
func BenchmarkAbsorbUsage(b *testing.B) {
	const events, keys = 50_000, 1000
	for _, charged := range []int{0, 10} {
		b.Run(fmt.Sprintf("charged=%d%%", charged), func(b *testing.B) {
			durable(b, func(b *testing.B, st *store.Store) {
				evs := make([]usage.Event, events)
				for i := range evs {
					k := fmt.Sprintf("%016d", i%keys)
					evs[i] = usage.Event{
						At: t0.Add(time.Duration(i) * time.Millisecond).UnixMicro(), Team: id.Of[id.Team](k), App: id.Of[id.App](k), Key: id.Of[id.Key](k),
						API: "weather", Operation: "GET /v1/forecast", Outcome: "valid", Mode: secret.Live, Units: 1, Network: "203.0.113.0/24",
					}
				}
				node := id.New[id.Node]()
				segment := uint64(0)
				b.ResetTimer()
				for b.Loop() {
					b.StopTimer()
					segment++
					for i := range evs {
						evs[i].At += time.Minute.Microseconds()
						if charged > 0 && i%10 == 0 {
							copy(evs[i].Charge[:], fmt.Sprintf("%d %d", segment, i))
						}
					}
					batch := usage.Aggregate(evs)
					b.StartTimer()
					if absorbed, err := st.AbsorbUsage(ctx, marker(node, segment, "x"), batch); err != nil || !absorbed {
						b.Fatalf("AbsorbUsage = %t, %v", absorbed, err)
					}
				}
				b.ReportMetric(float64(b.N)*events/b.Elapsed().Seconds(), "events/s")
			})
		})
	}
}
