package main

import (
	"context"
	"crypto/rand"
	mathrand "math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/pgtest"
	"github.com/lanyard-auth/lanyard/internal/server"
)

// quotaUnits is the quota that three nodes spend.
const quotaUnits = 10_000

// TestQuotaTorture spends one quota on three nodes that share a PostgreSQL and are killed at random. Never more is told yes than there
// is and, once those that were killed have come back, at least 99 in 100. LANYARD_QUOTA_KILLS is how many kills: 5 unless it is set.
func TestQuotaTorture(t *testing.T) {
	kills := 5
	if text := os.Getenv("LANYARD_QUOTA_KILLS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		kills = n
	}
	master, err := keyring.GenerateMaster(1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, durability := range []string{"disk", "database"} {
		t.Run(durability, func(t *testing.T) {
			shared := map[string]string{"LANYARD_DATABASE_URL": pgtest.Start(t), "LANYARD_MASTER_KEY": master.Reveal()}
			q := &quotaTorture{t: t, kills: kills}
			for range 3 {
				v, err := newVictim(t.TempDir(), durability, shared)
				if err != nil {
					t.Fatal(err)
				}
				q.nodes = append(q.nodes, v)
			}
			q.seed()
			q.run()
			told, counted := q.told.Load(), q.counted()
			t.Logf("of %d units %d were told yes, %d counted, after %d kills", quotaUnits, told, counted, kills)
			if told > quotaUnits || counted > quotaUnits || told < quotaUnits*99/100 || counted < told {
				t.Errorf("of %d units %d were told yes and %d counted: want at least 99 in 100 and not one too many", quotaUnits, told, counted)
			}
		})
	}
}

type quotaTorture struct {
	t     *testing.T
	kills int
	nodes []*victim
	told  atomic.Int64
}

func (q *quotaTorture) seed() {
	q.t.Helper()
	first := q.nodes[0]
	if err := first.seed(q.t.Context()); err != nil {
		q.t.Fatal(err)
	}
	for _, n := range q.nodes[1:] {
		n.keys = first.keys
	}
	core := q.open()
	_, err := core.Manage.ApplyCatalog(q.t.Context(), audit.Command("torture"), lanyard.Catalog{APIs: map[string]lanyard.API{
		"weather": {Takes: "key", Plans: map[string]lanyard.Plan{"free": {Default: true, Quota: strconv.Itoa(quotaUnits) + "/month"}}},
	}}, false)
	if err != nil {
		q.t.Fatal(err)
	}
}

func (q *quotaTorture) open() *server.Core {
	q.t.Helper()
	core, err := server.Open(q.t.Context(), q.nodes[0].settings(), server.Options{})
	if err != nil {
		q.t.Fatal(err)
	}
	q.t.Cleanup(func() {
		if err := core.Close(); err != nil {
			q.t.Error(err)
		}
	})
	return core
}

// run kills nodes under traffic, lets them live, and ends when all refuse.
func (q *quotaTorture) run() {
	ctx, stop := context.WithTimeout(q.t.Context(), 5*time.Minute)
	defer stop()
	var clients, lives sync.WaitGroup
	spent := make(chan struct{})
	for _, n := range q.nodes {
		lives.Go(func() {
			for range q.kills / len(q.nodes) {
				if err := n.liveAndDie(ctx, syscall.SIGKILL, time.Duration(100+mathrand.IntN(400))*time.Millisecond); err != nil {
					q.t.Error(err)
				}
			}
			if err := n.live(ctx, func(p *os.Process) error {
				select {
				case <-spent:
				case <-ctx.Done():
				}
				return p.Signal(syscall.SIGTERM)
			}); err != nil {
				q.t.Error(err)
			}
		})
		for range 4 {
			clients.Go(func() { q.spend(ctx, n) })
		}
	}
	clients.Wait()
	close(spent)
	lives.Wait()
	if err := ctx.Err(); err != nil {
		q.t.Errorf("the quota was not spent: %v", err)
	}
}

// spend asks one node until nothing was told yes anywhere for so long that what is idle must have come back, and what the dead left.
func (q *quotaTorture) spend(ctx context.Context, n *victim) {
	const quiet = 20 * time.Second
	last, seen := time.Now(), int64(-1)
	for ctx.Err() == nil && q.told.Load() < quotaUnits {
		if n.ask(ctx, use{key: n.once, cost: 1}) == nil {
			q.told.Add(1)
		} else {
			<-time.NewTimer(5 * time.Millisecond).C
		}
		if now := q.told.Load(); now != seen {
			last, seen = time.Now(), now
		} else if time.Since(last) > quiet {
			return
		}
	}
}

// counted is how many units the database holds, after every node ended in order.
func (q *quotaTorture) counted() int64 {
	q.t.Helper()
	r := report{}
	if err := q.nodes[0].count(q.t.Context(), &r); err != nil {
		q.t.Fatal(err)
	}
	if r.differences != 0 {
		q.t.Errorf("ledger and rollups differ in %d places", r.differences)
	}
	return r.countedOnce
}
