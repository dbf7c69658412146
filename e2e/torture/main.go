// Command torture kills servers under traffic, again and again, and then compares what their clients were told with what
// was counted. It prints acknowledged, counted and the difference, which must be 0.
//
//	go run ./e2e/torture [-kills 200] [-durability disk]
//	go run ./e2e/torture -nodes 3 [-kills 200] [-durability database [-lose-disks]]
//
// With -nodes there are several, on one PostgreSQL and one Redis, which are killed too: of five kills three are of nodes.
// With -lose-disks a node's data directory goes with every kill of it.
//
// Half of the clients send an idempotency key and repeat until they are told yes, at whatever node: each of their uses must be
// counted once. The others never repeat: what they were told is counted, and what broke off may be, once.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

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

// options say what is killed how often.
type options struct {
	kills, nodes int
	durability   string
	loseDisks    bool
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	var o options
	flags := flag.NewFlagSet("torture", flag.ContinueOnError)
	flags.IntVar(&o.kills, "kills", 200, "how often something is killed")
	flags.IntVar(&o.nodes, "nodes", 1, "how many nodes; several share a PostgreSQL and a Redis")
	flags.StringVar(&o.durability, "durability", config.Disk, "disk, fsync or database")
	flags.BoolVar(&o.loseDisks, "lose-disks", false, "with several nodes and durability database: a killed node loses its data directory")
	serve := flags.String("serve", "", "internal: the data directory a child process serves")
	listen := flags.String("listen", "", "internal: where")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *serve != "" {
		s, err := server.New(ctx, settings(*serve, *listen, o.durability, os.Getenv), server.Options{Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))})
		if err != nil {
			return err
		}
		return s.Run(ctx, func(a net.Addr) { fmt.Fprintln(out, a) })
	}
	if o.loseDisks && (o.nodes == 1 || o.durability != config.Database) {
		return errors.New("-lose-disks goes with -nodes and -durability database: with any other what waits on a disk is lost with it, as documented")
	}
	kill := torture
	if o.nodes > 1 {
		kill = tortureFleet
	}
	r, err := kill(ctx, o, progress)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, r)
	return r.verdict()
}

// shared are the settings that nodes have in common. A node finds them in its environment.
var shared = []string{"LANYARD_DATABASE_URL", "LANYARD_REDIS_URL", "LANYARD_MASTER_KEY"}

func settings(dir, listen, durability string, getenv func(string) string) config.Settings {
	values := map[string]string{
		"LANYARD_DATA_DIR": dir, "LANYARD_LISTEN": listen, "LANYARD_PUBLIC_URL": "http://localhost:8420", "LANYARD_DURABILITY": durability,
	}
	for _, name := range shared {
		values[name] = getenv(name)
	}
	s, err := config.Load(config.Source{Dir: dir, Getenv: func(name string) string { return values[name] }})
	if err != nil {
		panic(err) // constant input
	}
	return s
}

// report is what came of it. Repeating clients are exact; of the others the count lies between told and tried.
type report struct {
	kills                           string
	acknowledged, counted           int64 // of clients that repeat with an idempotency key
	acknowledgedUnits, countedUnits int64 // what these uses cost: one lost and another counted twice would not even out
	told, tried, countedOnce        int64 // of clients that do not
	differences                     int   // between ledger and rollups
}

func (r report) String() string {
	return fmt.Sprintf("kills %s\nacknowledged %d, counted %d, difference %d\nin units: acknowledged %d, counted %d, difference %d\nwithout retries: told %d, counted %d, tried %d\nreconcile: %d differences",
		r.kills, r.acknowledged, r.counted, r.counted-r.acknowledged, r.acknowledgedUnits, r.countedUnits, r.countedUnits-r.acknowledgedUnits, r.told, r.countedOnce, r.tried, r.differences)
}

func (r report) verdict() error {
	switch {
	case r.acknowledged == 0 || r.told == 0:
		return errors.New("nothing was acknowledged, so nothing was proven")
	case r.counted != r.acknowledged || r.countedUnits != r.acknowledgedUnits:
		return fmt.Errorf("%d uses of %d units were acknowledged, and %d of %d counted", r.acknowledged, r.acknowledgedUnits, r.counted, r.countedUnits)
	case r.countedOnce < r.told || r.countedOnce > r.tried:
		return fmt.Errorf("without retries %d were told yes and %d tried, but %d counted", r.told, r.tried, r.countedOnce)
	case r.differences != 0:
		return fmt.Errorf("ledger and rollups differ in %d places", r.differences)
	}
	return nil
}
