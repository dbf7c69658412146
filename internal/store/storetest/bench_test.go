package storetest

import (
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/pgtest"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/team"
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

const teamsOfMix = 50

// mix is who makes the calls of a benchmark.
type mix struct {
	name   string
	events int // of an iteration
	keys   int // that make them; 0: every call is another key's
	even   bool
	charge int  // one call of so many has an idempotency key; 0: none
	stripe bool // every team is a customer of Stripe
}

// BenchmarkAbsorbUsage brings sealed segments, of the size a server makes, from a spool into the database, as a server that fell behind
// does. Each iteration is another minute. The calls are of 1,000 keys of 200 apps of 50 teams and of 10 operations of 3 APIs: mixed, the
// second of them makes half as many calls as the first, the third a third, and so on (Zipf); even, all make as many. In the worst case
// every call is of a key that was never seen before.
func BenchmarkAbsorbUsage(b *testing.B) {
	for _, m := range []mix{
		{name: "mixed", events: 100_000, keys: 1000},
		{name: "charged", events: 100_000, keys: 1000, charge: 10},
		{name: "customers", events: 100_000, keys: 1000, stripe: true},
		{name: "even", events: 100_000, keys: 1000, even: true},
		{name: "worst", events: 25_000},
	} {
		b.Run(m.name, func(b *testing.B) {
			durable(b, func(b *testing.B, st *store.Store) {
				spool, err := usage.Open(usage.Options{Dir: b.TempDir(), Node: id.New[id.Node](), MaxSegment: 256 << 10})
				must(b, err)
				defer func() { must(b, spool.Close()) }()
				absorber := &usage.Absorber{Spool: spool, Store: st}
				for i := 0; m.stripe && i < teamsOfMix; i++ {
					ev := event("team.create")
					ev.At = t0.Add(-2 * time.Hour)
					t := &team.Team{ID: id.Of[id.Team](fmt.Sprintf("%016d", i)), Name: "team", CreatedAt: ev.At, StripeCustomer: fmt.Sprintf("cus_%d", i)}
					must(b, second(st.CreateTeam(ctx, t, "", ev)))
				}
				minute := 0
				b.ResetTimer()
				for b.Loop() {
					b.StopTimer()
					m.record(b, spool, minute)
					must(b, spool.Seal())
					minute++
					b.StartTimer()
					must(b, absorber.Flush(ctx))
				}
				b.ReportMetric(float64(b.N*m.events)/b.Elapsed().Seconds(), "events/s")
			})
		})
	}
}

// record writes the calls of a minute.
func (m mix) record(b *testing.B, spool *usage.Spool, minute int) {
	b.Helper()
	const apps, operations = 200, 10
	random := mathrand.New(mathrand.NewPCG(uint64(minute), 1)) // #nosec G115 G404 -- the same calls each time
	pick := func(n int) func() int {
		if m.even {
			return func() int { return random.IntN(n) }
		}
		return zipf(random, n)
	}
	operationOf, keyOf := pick(operations), func() int { return 0 }
	if m.keys > 0 {
		keyOf = pick(m.keys)
	}
	for i := range m.events {
		key, operation := keyOf(), operationOf()
		if m.keys == 0 {
			key = minute*m.events + i
		}
		ev := usage.Event{
			At:   t0.Add(time.Duration(minute)*time.Minute + time.Duration(i)*time.Minute/time.Duration(m.events)).UnixMicro(),
			Team: id.Of[id.Team](fmt.Sprintf("%016d", key%teamsOfMix)), App: id.Of[id.App](fmt.Sprintf("%016d", key%apps)), Key: id.Of[id.Key](fmt.Sprintf("%016d", key)),
			API: []string{"weather", "maps", "trains"}[operation%3], Operation: fmt.Sprintf("GET /v1/operation-%d", operation), Outcome: usage.Accepted,
			Mode: secret.Live, Units: 1, Network: "203.0.113.0/24",
		}
		if m.charge > 0 && i%m.charge == 0 {
			copy(ev.Charge[:], fmt.Sprintf("%d %d", minute, i))
		}
		must(b, spool.Record(&ev))
	}
}

// zipf draws numbers below n, number i with a chance of 1 to i+1.
func zipf(random *mathrand.Rand, n int) func() int {
	upTo, sum := make([]float64, n), 0.0
	for i := range upTo {
		sum += 1 / float64(i+1)
		upTo[i] = sum
	}
	return func() int {
		i, _ := slices.BinarySearch(upTo, random.Float64()*sum)
		return i
	}
}
