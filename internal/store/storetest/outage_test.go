package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/pgtest"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// A database that goes away makes every method unavailable, and one that comes back needs no new Open.
func TestDatabaseGone(t *testing.T) {
	server := pgtest.NewServer(t)
	url := server.Database()
	db := database{url: url, driver: "pgx", dsn: url}
	w := newWorld(t, db.open(t))
	// Many connections that will not know that their server has gone.
	race(16, func(int) error { return second(w.App(ctx, audit.ServerReach(), w.ourApp)) })
	m, b := marker(id.New[id.Node](), 1, "x"), usage.Aggregate([]usage.Event{use(w, t0, "")})
	methods := map[string]func(context.Context) error{
		"App":             func(ctx context.Context) error { return second(w.App(ctx, audit.ServerReach(), w.ourApp)) },
		"Key":             func(ctx context.Context) error { return second(w.Key(ctx, audit.ServerReach(), w.ourKey)) },
		"CreateApp":       func(ctx context.Context) error { return second(w.CreateApp(ctx, anApp(w.ours), event("app.create"))) },
		"Poll":            func(ctx context.Context) error { return second(w.Poll(ctx, changes.Beat{Node: m.Node})) },
		"ChangesSnapshot": func(ctx context.Context) error { return second(w.ChangesSnapshot(ctx)) },
		"AbsorbUsage":     func(ctx context.Context) error { return second(w.AbsorbUsage(ctx, m, b)) },
		"Ping":            w.Ping,
	}
	// A connection that died unnoticed costs one call. There are at most 20, so the 21st of a method works.
	works := func(when string) {
		t.Helper()
		for name, call := range methods {
			err := call(ctx)
			for try := 0; try < 20 && fault.Is(err, fault.Unavailable); try++ {
				err = call(ctx)
			}
			if err != nil {
				t.Errorf("%s %s = %v, want it to work", name, when, err)
			}
		}
	}

	server.Kill()
	for range 3 {
		for name, call := range methods {
			wantKind(t, name+" without its server", call(ctx), fault.Unavailable)
		}
	}
	server.Start()
	works("after the server came back")
	race(16, func(int) error { return second(w.App(ctx, audit.ServerReach(), w.ourApp)) })
	server.Stop()
	server.Start()
	works("right after a restart in between")

	server.Pause()
	for name, call := range methods {
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		err := call(short) // or this test never ends
		cancel()
		wantKind(t, name+" of a server that does not answer", err, fault.Unavailable)
	}
	server.Resume()
	works("after the server went on")
	wantTotal(t, w.Store, 1, 3)
}
