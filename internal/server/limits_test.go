package server_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/pgtest"
	"github.com/lanyard-auth/lanyard/internal/redistest"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/servertest"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// thousand is the limit of the test below: 1,000 a minute.
const thousand = 1000

// refill is how much a limit of n a minute refills in a while.
func refill(n int, while time.Duration) float64 { return float64(n) * while.Minutes() }

// herd is three nodes that are all asked about one key.
type herd struct {
	nodes    []*servertest.Node
	key      string
	admitted atomic.Int64
	calls    atomic.Int64
}

// ask asks one node once.
func (h *herd) ask(n *servertest.Node) bool {
	var d verify.Decision
	req := verify.Request{Credential: h.key, API: "open", Cost: verify.DefaultCost}
	h.calls.Add(1)
	if err := n.Verifier.Verify(context.Background(), &req, &d); err != nil || !d.Allowed() {
		return false
	}
	h.admitted.Add(1)
	return true
}

// hammer asks every node all the time until stop is called.
func (h *herd) hammer() (stop func()) {
	var over atomic.Bool
	var all sync.WaitGroup
	for _, n := range h.nodes {
		for range 2 {
			all.Go(func() {
				for !over.Load() {
					h.ask(n)
				}
			})
		}
	}
	return func() {
		over.Store(true)
		all.Wait()
	}
}

// exact hammers a fresh limit for some seconds and holds what was admitted to the promise, by Redis' own time.
func (h *herd) exact(t *testing.T, redis *redistest.Server) (since time.Time) {
	t.Helper()
	before := h.admitted.Load()
	earliest := redis.Now()
	if !h.ask(h.nodes[0]) {
		t.Fatal("the first call is refused")
	}
	first := redis.Now()
	stop := h.hammer()
	until(t, "three seconds by Redis", func() bool { return redis.Now().Sub(first) > 3*time.Second })
	stop()
	last := redis.Now()
	for h.ask(h.nodes[1]) {
	}
	most := thousand + refill(thousand, redis.Now().Sub(earliest))
	least := thousand + refill(thousand, last.Sub(first)) - 3
	if got := float64(h.admitted.Load() - before); got > most || got < least {
		t.Errorf("%.0f were admitted, want %.1f to %.1f", got, least, most)
	} else {
		t.Logf("%.0f were admitted, of at most %.1f and at least %.1f", got, most, least)
	}
	return earliest
}

func (h *herd) open(want bool) bool {
	for _, n := range h.nodes {
		if n.Shared.Stats().Open != want {
			return false
		}
	}
	return true
}

func (h *herd) redisCalls() (sum int64) {
	for _, n := range h.nodes {
		sum += n.Shared.Stats().Calls
	}
	return sum
}

// TestThreeNodesOneLimit: three nodes, one limit of 1,000 a minute, clients hammering all. With Redis exactly what the limit
// allows passes; when it is killed at most one further limit does, and what that refills; no call goes there meanwhile; and it
// is exact again afterwards.
func TestThreeNodesOneLimit(t *testing.T) {
	redis := redistest.New(t)
	database, master := pgtest.Start(t), servertest.Master(t)
	h := &herd{}
	for range 3 {
		h.nodes = append(h.nodes, servertest.Start(t, servertest.Options{DatabaseURL: database, Master: master, RedisURL: redis.URL()}))
	}
	shop := h.nodes[0].Open(t)
	k, err := h.nodes[0].Admin.CreateKey(t.Context(), shop.App.ID, lanyard.KeyInput{
		Name: "hot", Scopes: []string{"news.read"}, Limits: []lanyard.Limit{{Name: "minute", Limit: thousand, WindowSeconds: 60}},
	})
	if err != nil {
		t.Fatal(err)
	}
	h.key = k.Secret
	until(t, "every node to know of all three", func() bool {
		for _, n := range h.nodes {
			if n.Tail.Nodes() != len(h.nodes) {
				return false
			}
		}
		return h.open(false)
	})
	since := h.exact(t, redis)

	stop := h.hammer()
	lost, local, before := redis.Now(), time.Now(), h.admitted.Load()
	redis.Kill()
	until(t, "every node to give Redis up", func() bool { return h.open(true) })
	gone := time.Now()
	calls, asked := h.redisCalls(), h.calls.Load()
	until(t, "some thousand calls", func() bool { return h.calls.Load() > asked+20_000 })
	stop()
	if got := h.redisCalls() - calls; got != 0 {
		t.Errorf("%d calls went to Redis while the breakers were open", got)
	}
	parts := len(h.nodes) * (thousand / len(h.nodes))
	counted := thousand + refill(thousand, lost.Sub(since)+gone.Sub(local))
	most := counted + float64(parts) + refill(parts, time.Since(local))
	if got := float64(h.admitted.Load()); got > most {
		t.Errorf("%.0f were admitted with Redis lost, want at most %.1f", got, most)
	}
	// It degrades, it does not close: every part is there to be had.
	for _, n := range h.nodes {
		for h.ask(n) {
		}
	}
	if got := h.admitted.Load() - before; got < int64(parts) {
		t.Errorf("%d were admitted after the loss, want at least the parts, %d", got, parts)
	} else {
		t.Logf("%d were admitted after the loss, %.1f in all at most", got, most)
	}

	redis.Start()
	until(t, "every node to count in Redis again", func() bool { return h.open(false) })
	h.exact(t, redis)
}

// A server whose Redis is not there starts all the same, says so and tells its metrics; one whose setting is wrong does not.
func TestStartWithoutRedis(t *testing.T) {
	var log strings.Builder
	n := servertest.Start(t, servertest.Options{RedisURL: secret.Of("unix://:hunter2@/nowhere"), Log: slog.New(slog.NewTextHandler(&log, nil))})
	n.Stop()
	if text := log.String(); !strings.Contains(text, "Redis does not answer") || strings.Contains(text, "hunter2") {
		t.Errorf("the log says %q, want a warning without the password", text)
	}
	w := httptest.NewRecorder()
	n.Metrics().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	for _, line := range []string{"lanyard_redis_open 1", "lanyard_redis_calls_total 0", "lanyard_redis_failures_total 0"} {
		if !strings.Contains(w.Body.String(), "\n"+line+"\n") {
			t.Errorf("/metrics lacks %q", line)
		}
	}
	_, err := servertest.TryStart(t, servertest.Options{RedisURL: secret.Of("http://:hunter2@localhost")})
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "LANYARD_REDIS_URL") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("New with a wrong LANYARD_REDIS_URL error = %v, want Invalid without the password", err)
	}
}
