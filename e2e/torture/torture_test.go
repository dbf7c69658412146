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
			r, err := torture(t.Context(), 5, durability, t.Output())
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
