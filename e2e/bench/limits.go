package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/pgtest"
	"github.com/lanyard-auth/lanyard/internal/redistest"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

const limitKeys = 1000 // stored, and asked about

// measureLimits measures /v1/verify with two limits and a quota: on one node, which counts limits in memory, and on three, which count
// them in a Redis and everything else in a PostgreSQL that syncs every commit, of either durability.
func measureLimits(ctx context.Context, p plan, dir string, bare process, out, progress io.Writer) error {
	fmt.Fprintf(out, "\n| nodes | durability | connections | what | requests/s | of bare | p50 | p99 |\n|---:|---|---:|---|---:|---:|---:|---:|\n")
	if err := limited(ctx, p, []config.Settings{settings(filepath.Join(dir, "limits"))}, bare, out, progress); err != nil {
		return err
	}
	return onPrograms(func(tb testing.TB) error {
		redis := redistest.New(tb).URL() //nolint:contextcheck // ends with this process
		for _, durability := range []string{config.Database, config.Disk} {
			database := secret.Of(pgtest.StartDurable(tb)) //nolint:contextcheck // as above
			master, err := keyring.GenerateMaster(1, rand.Reader)
			if err != nil {
				return err
			}
			var three []config.Settings
			for i := range 3 {
				s := site{dir: filepath.Join(dir, fmt.Sprint(durability, i)), database: database, redis: redis, durability: durability}.settings()
				if err := errors.Join(os.MkdirAll(s.DataDir, 0o700), keyring.WriteMasterFile(s.MasterKeyFile(), master)); err != nil {
					return err
				}
				three = append(three, s)
			}
			if err := limited(ctx, p, three, bare, out, progress); err != nil {
				return err
			}
		}
		return nil
	})
}

// limited measures servers that share a database.
func limited(ctx context.Context, p plan, nodes []config.Settings, bare process, out, progress io.Writer) (err error) {
	fmt.Fprintf(progress, "storing %d keys for %d nodes…\n", limitKeys, len(nodes))
	seeded, err := seed(ctx, nodes[0], limitKeys, limitKeys)
	if err != nil {
		return fmt.Errorf("store %d keys: %w", limitKeys, err)
	}
	var addresses []string
	for _, s := range nodes {
		running, stop, err := child(ctx, s.DataDir, "-database", s.DatabaseURL.Reveal(), "-redis", s.RedisURL.Reveal(), "-durability", s.Durability)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
		addresses = append(addresses, running.address)
	}
	ask := func(name, api string) subject {
		return subject{name: name, address: addresses[0], others: addresses[1:], open: seeded.questions(addresses[0], api)}
	}
	subjects := []subject{ask("two limits, unmetered", "limited"), ask("metered", "weather"), ask("two limits and a quota, metered", "sold")}
	for _, address := range addresses {
		if err := seeded.warm(subject{address: address}); err != nil {
			return err
		}
	}
	handler := subject{name: "bare handler", address: bare.address, open: seeded.questions(bare.address, "open")}
	for _, connections := range []int{16, 64} {
		rows, err := compare(p, connections, handler, subjects)
		if err != nil {
			return err
		}
		for _, r := range rows {
			fmt.Fprintf(out, "| %d | %s | %d | %s |\n", len(nodes), nodes[0].Durability, connections, r)
		}
	}
	return nil
}

// onPrograms runs do with what starts the real programs for tests.
func onPrograms(do func(tb testing.TB) error) (err error) {
	s := &stage{}
	defer func() {
		if failure, is := recover().(stageError); is {
			err = errors.Join(err, failure)
		}
		for i := len(s.cleanups) - 1; i >= 0; i-- {
			s.cleanups[i]()
		}
		err = errors.Join(err, s.failed)
	}()
	return do(s)
}

// stage is as much of a test as starting programs asks for.
type stage struct {
	testing.TB // nil: whatever else is asked for ends the run
	cleanups   []func()
	failed     error
}

type stageError struct{ error }

func (s *stage) Helper()          {}
func (s *stage) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

func (s *stage) Errorf(format string, args ...any) {
	s.failed = errors.Join(s.failed, fmt.Errorf(format, args...))
}

func (s *stage) Fatalf(format string, args ...any) { panic(stageError{fmt.Errorf(format, args...)}) }
