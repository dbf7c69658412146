package main

import (
	"context"
	"os"
	"testing"
)

// TestMain is the server when torture started this binary as one.
func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		if err := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr); err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
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
