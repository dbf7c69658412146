package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/pgtest"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// promise is how long a revocation may take to be everywhere.
const promise = time.Second

// TestRevokedEverywhere: 200 keys are revoked on node A while node B serves them hot. B's last yes comes less than a
// second after A's answer; with ?wait= none comes after it at all.
func TestRevokedEverywhere(t *testing.T) {
	database := pgtest.Start(t)
	master := servertest.Master(t)
	a := servertest.Start(t, servertest.Options{DatabaseURL: database, Master: master})
	b := servertest.Start(t, servertest.Options{DatabaseURL: database, Master: master})
	shop := a.Open(t)
	const keys, together = 200, 20
	for _, wait := range []time.Duration{0, promise} {
		t.Run(fmt.Sprintf("wait=%s", wait), func(t *testing.T) {
			var slowest time.Duration
			for range keys / together / 2 {
				var hot []*hotKey
				for range together {
					hot = append(hot, heat(t, b, a.Key(t, shop)))
				}
				for _, h := range hot {
					applied, err := a.Admin.RevokeKey(t.Context(), h.key.ID, lanyard.RevokeInput{Reason: "test"}, wait)
					if err != nil {
						t.Fatal(err)
					}
					h.revokedAt(time.Now())
					if wait > 0 && !applied.Applied {
						t.Errorf("RevokeKey with ?wait=%s = %+v, want applied: both nodes are alive", wait, applied)
					}
				}
				for _, h := range hot {
					last := h.cool(t)
					slowest = max(slowest, last)
					if last >= promise {
						t.Errorf("B said yes %s after A's answer, want under %s", last, promise)
					}
					if wait > 0 && last > 0 {
						t.Errorf("B said yes %s after A had answered that the revocation was applied everywhere", last)
					}
				}
			}
			t.Logf("the last yes came %s after the answer", slowest)
		})
	}
}

// hotKey is a key that is asked about all the time.
type hotKey struct {
	key     lanyard.NewKey
	mu      sync.Mutex
	revoked time.Time
	last    time.Duration // how long after the revocation's answer a request that got a yes was sent
	done    chan struct{}
	err     error
}

func heat(t *testing.T, n *servertest.Node, k lanyard.NewKey) *hotKey {
	t.Helper()
	h := &hotKey{key: k, done: make(chan struct{})}
	warm := make(chan struct{})
	go func() {
		defer close(h.done)
		for first := true; ; first = false {
			sent := time.Now()
			d, err := n.Admin.Verify(context.Background(), lanyard.VerifyRequest{Credential: k.Secret, API: "open"})
			if first {
				close(warm)
			}
			if err != nil || !d.Allowed {
				if err == nil && d.Code != "revoked" {
					err = fmt.Errorf("code %s, want revoked", d.Code)
				}
				h.err = err
				return
			}
			h.mu.Lock()
			if revoked := h.revoked; !revoked.IsZero() {
				h.last = max(h.last, sent.Sub(revoked))
			}
			h.mu.Unlock()
		}
	}()
	<-warm
	return h
}

func (h *hotKey) revokedAt(at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.revoked = at
}

// cool waits for the first no.
func (h *hotKey) cool(t *testing.T) time.Duration {
	t.Helper()
	select {
	case <-h.done:
	case <-time.After(10 * promise):
		t.Fatal("the revoked key is still let in")
	}
	if h.err != nil {
		t.Errorf("asking about the key ended with %v, want revoked", h.err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

// TestCutOff: a node that loses the database refuses within a second, and decides again when it is back, without a restart.
func TestCutOff(t *testing.T) {
	database := pgtest.Start(t)
	master := servertest.Master(t)
	link := newLink(t, database)
	a := servertest.Start(t, servertest.Options{DatabaseURL: database, Master: master})
	b := servertest.Start(t, servertest.Options{DatabaseURL: link.url, Master: master})
	shop := a.Open(t)
	k := a.Key(t, shop)
	ask := func() (bool, error) {
		d, err := b.Admin.Verify(t.Context(), lanyard.VerifyRequest{Credential: k.Secret, API: "open"})
		return d.Allowed, err
	}
	if allowed, err := ask(); err != nil || !allowed {
		t.Fatalf("before the cut: %v, %v, want a yes", allowed, err)
	}
	for _, how := range []struct {
		name string
		cut  func()
	}{{"silence", link.silence}, {"reset", link.reset}} {
		how.cut()
		cut := time.Now()
		revoked := a.Key(t, shop)
		var lastYes time.Duration
		for since := time.Duration(0); since < 2*promise; since = time.Since(cut) {
			sent := time.Since(cut)
			if allowed, err := ask(); err == nil && allowed {
				lastYes = sent
			}
		}
		if lastYes >= promise {
			t.Errorf("%s: the cut-off node said yes %s after the cut, want under %s", how.name, lastYes, promise)
		}
		if _, err := ask(); status(err) != http.StatusServiceUnavailable && status(err) != 0 {
			t.Errorf("%s: the cut-off node answers %v, want 503", how.name, err)
		}
		// A waits for B only as long as B could still decide from memory.
		if applied, err := a.Admin.RevokeKey(t.Context(), revoked.ID, lanyard.RevokeInput{}, 3*time.Second); err != nil || !applied.Applied {
			t.Errorf("%s: RevokeKey with ?wait=3s = %+v, %v, want applied: B refuses by itself", how.name, applied, err)
		}
		link.heal()
		deadline := time.Now().Add(15 * time.Second)
		for {
			if allowed, err := ask(); err == nil && allowed {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: the node does not decide again after the database came back", how.name)
			}
		}
	}
}

// TestDatabaseGone: without its database a server answers 503, and is back when the database is.
func TestDatabaseGone(t *testing.T) {
	pg := pgtest.NewServer(t)
	n := servertest.Start(t, servertest.Options{DatabaseURL: pg.Database()})
	shop := n.Open(t)
	k := n.Key(t, shop)
	ask := func() error {
		d, err := n.Admin.Verify(t.Context(), lanyard.VerifyRequest{Credential: k.Secret, API: "weather"})
		if err == nil && !d.Allowed {
			return errors.New(d.Code)
		}
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	pg.Kill()
	until(t, "503 while the database is gone", func() bool { return status(ask()) == http.StatusServiceUnavailable })
	if _, err := n.Admin.CreateApp(t.Context(), lanyard.AppInput{Name: "late", TeamID: shop.Team.ID}); status(err) != http.StatusServiceUnavailable {
		t.Errorf("CreateApp without a database error = %v, want 503", err)
	}
	if err := n.Ready(t.Context()); err == nil {
		t.Error("Ready without a database = nil, want an error")
	}
	pg.Start()
	until(t, "a yes when the database is back", func() bool { return ask() == nil })
	until(t, "ready when the database is back", func() bool { return n.Ready(t.Context()) == nil })
}

// TestClockOff: a node whose clock is off the database's, either way, is not ready and says why. It alone; and only as long.
func TestClockOff(t *testing.T) {
	database, master := pgtest.Start(t), servertest.Master(t)
	var off atomic.Int64
	a := servertest.Start(t, servertest.Options{DatabaseURL: database, Master: master})
	b := servertest.Start(t, servertest.Options{DatabaseURL: database, Master: master, Now: func() time.Time { return time.Now().Add(time.Duration(off.Load())) }})
	both := func() bool { return a.Ready(t.Context()) == nil && b.Ready(t.Context()) == nil }
	until(t, "both nodes to be ready", both)
	for _, wrong := range []time.Duration{2 * time.Second, -2 * time.Second} {
		off.Store(int64(wrong))
		until(t, "the node to say that its clock is wrong", func() bool {
			err := b.Ready(t.Context())
			return err != nil && strings.Contains(err.Error(), "this machine's clock is ")
		})
		until(t, "the other to be ready", func() bool { return a.Ready(t.Context()) == nil })
		res, err := http.Get(b.URL + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("/readyz with a clock %s off answers %d, want 503", wrong, res.StatusCode)
		}
		off.Store(0)
		until(t, "both nodes to be ready again", both)
	}
}

// TestOtherMasterKey: the second node refuses in one sentence.
func TestOtherMasterKey(t *testing.T) {
	database := pgtest.Start(t)
	servertest.Start(t, servertest.Options{DatabaseURL: database, Master: servertest.Master(t)})
	_, err := servertest.TryStart(t, servertest.Options{DatabaseURL: database, Master: servertest.Master(t)})
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "another master key") || strings.Contains(err.Error(), "\n") {
		t.Errorf("New with another master key error = %v, want one sentence about it", err)
	}
}

// status is the HTTP status of a client's error; 0 for none.
func status(err error) int {
	var p *lanyard.ProblemError
	if errors.As(err, &p) {
		return p.Status
	}
	return 0
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited 20 s for %s", what)
		}
	}
}

// through replaces the address of a database URL.
func through(t *testing.T, database, address string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = address
	return u.String()
}
