package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"testing"
)

// TestMain is the server when torture started this binary as one.
func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1) //nolint:gocritic // the signals end with the process
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestTorture is five kills of what `make torture` does two hundred times.
func TestTorture(t *testing.T) {
	for _, durability := range []string{"disk", "database"} {
		t.Run(durability, func(t *testing.T) {
			r, err := torture(t.Context(), options{kills: 5, durability: durability}, t.Output())
			if err != nil {
				t.Fatal(err)
			}
			t.Log(r)
			if err := r.verdict(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTortureFleet is the same for three nodes on a PostgreSQL and a Redis: three kills of nodes, one of each of the others.
func TestTortureFleet(t *testing.T) {
	for name, o := range map[string]options{
		"disk":                        {durability: "disk"},
		"database":                    {durability: "database"},
		"database, the disks go, too": {durability: "database", loseDisks: true},
	} {
		t.Run(name, func(t *testing.T) {
			o.kills, o.nodes = 5, 3
			r, err := tortureFleet(t.Context(), o, t.Output())
			if err != nil {
				t.Fatal(err)
			}
			t.Log(r)
			if err := r.verdict(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLoseDisksRefuses(t *testing.T) {
	for _, args := range [][]string{{"-lose-disks"}, {"-lose-disks", "-nodes", "3"}, {"-lose-disks", "-durability", "database"}} {
		if err := run(t.Context(), args, t.Output(), t.Output()); err == nil {
			t.Errorf("run(%q) = nil, want it refused: what is lost there is documented", args)
		}
	}
}
