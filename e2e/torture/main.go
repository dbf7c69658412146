// Command torture kills a server under traffic, again and again, and then compares what its clients were told with what
// it counted. It prints acknowledged, counted and the difference, which must be 0.
//
//	go run ./e2e/torture [-kills 200] [-durability disk]
//
// Half of the clients send an idempotency key and repeat until they are told yes: each of their uses must be counted once.
// The others never repeat: what they were told is counted, and what broke off may be, once.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	flags := flag.NewFlagSet("torture", flag.ContinueOnError)
	kills := flags.Int("kills", 200, "how often the server is killed")
	durability := flags.String("durability", config.Disk, "disk, fsync or database")
	serve := flags.String("serve", "", "internal: the data directory a child process serves")
	listen := flags.String("listen", "", "internal: where")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *serve != "" {
		s, err := server.New(ctx, settings(*serve, *listen, *durability), server.Options{Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))})
		if err != nil {
			return err
		}
		return s.Run(ctx, func(a net.Addr) { fmt.Fprintln(out, a) })
	}
	r, err := torture(ctx, *kills, *durability, progress)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, r)
	return r.verdict()
}

func settings(dir, listen, durability string) config.Settings {
	s, err := config.Load(config.Source{Dir: dir, Getenv: func(name string) string {
		return map[string]string{
			"LANYARD_DATA_DIR": dir, "LANYARD_LISTEN": listen, "LANYARD_PUBLIC_URL": "http://localhost:8420", "LANYARD_DURABILITY": durability,
			// Nodes that share a database are told of it in the environment.
			"LANYARD_DATABASE_URL": os.Getenv("LANYARD_DATABASE_URL"), "LANYARD_MASTER_KEY": os.Getenv("LANYARD_MASTER_KEY"),
		}[name]
	}})
	if err != nil {
		panic(err) // constant input
	}
	return s
}

// report is what came of it. Repeating clients are exact; of the others the count lies between told and tried.
type report struct {
	kills                    int
	acknowledged, counted    int64 // of clients that repeat with an idempotency key
	told, tried, countedOnce int64 // of clients that do not
	differences              int   // between ledger and rollups
}

func (r report) String() string {
	return fmt.Sprintf("kills %d\nacknowledged %d, counted %d, difference %d\nwithout retries: told %d, counted %d, tried %d\nreconcile: %d differences",
		r.kills, r.acknowledged, r.counted, r.counted-r.acknowledged, r.told, r.countedOnce, r.tried, r.differences)
}

func (r report) verdict() error {
	switch {
	case r.acknowledged == 0 || r.told == 0:
		return errors.New("nothing was acknowledged, so nothing was proven")
	case r.counted != r.acknowledged:
		return fmt.Errorf("%d uses were acknowledged and %d counted", r.acknowledged, r.counted)
	case r.countedOnce < r.told || r.countedOnce > r.tried:
		return fmt.Errorf("without retries %d were told yes and %d tried, but %d counted", r.told, r.tried, r.countedOnce)
	case r.differences != 0:
		return fmt.Errorf("ledger and rollups differ in %d places", r.differences)
	}
	return nil
}

func torture(ctx context.Context, kills int, durability string, progress io.Writer) (_ report, err error) {
	dir, err := os.MkdirTemp("", "lanyard-torture-")
	if err != nil {
		return report{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	listen, err := freeAddress()
	if err != nil {
		return report{}, err
	}
	v := &victim{dir: dir, listen: listen, durability: durability}
	if err := v.seed(ctx); err != nil {
		return report{}, fmt.Errorf("prepare: %w", err)
	}
	r := report{kills: kills}
	clients, stopClients := context.WithCancel(ctx)
	defer stopClients()
	var traffic sync.WaitGroup
	var stopping atomic.Bool
	for c := range 8 {
		traffic.Go(func() {
			for i := 0; !stopping.Load() && clients.Err() == nil; i++ {
				if c%2 == 0 {
					if v.repeat(clients, fmt.Sprintf("%d-%d", c, i)) {
						atomic.AddInt64(&r.acknowledged, 1)
					}
					continue
				}
				atomic.AddInt64(&r.tried, 1)
				if v.ask(clients, v.once.Secret, "") == nil {
					atomic.AddInt64(&r.told, 1)
				}
			}
		})
	}
	for k := range kills {
		if err := v.liveAndDie(ctx, syscall.SIGKILL, time.Duration(20+mathrand.IntN(250))*time.Millisecond); err != nil {
			return r, fmt.Errorf("life %d: %w", k, err)
		}
		if (k+1)%20 == 0 {
			fmt.Fprintf(progress, "%d of %d kills, %d acknowledged\n", k+1, kills, atomic.LoadInt64(&r.acknowledged))
		}
	}
	// A last life: clients finish what they began, then the server ends in order.
	done := make(chan struct{})
	go func() {
		stopping.Store(true)
		traffic.Wait()
		close(done)
	}()
	if err := v.live(ctx, func(p *os.Process) error { <-done; return p.Signal(syscall.SIGTERM) }); err != nil {
		return r, fmt.Errorf("last life: %w", err)
	}
	return r, v.count(ctx, &r)
}
