//go:build !windows

package usage

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// child starts this binary again in the given role.
func child(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), "USAGE_TEST_CHILD="+role, "USAGE_TEST_DIR="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

// recordUntilKilled is the killed process: it prints each number once its Record has returned nil.
func recordUntilKilled(dir string) error {
	s, err := Open(Options{Dir: dir, Node: testNode, MaxSegment: 10_000, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	var next atomic.Int64
	failed := make(chan error)
	for range 8 {
		go func() {
			for {
				n := next.Add(1)
				if err := s.Record(event(n)); err != nil {
					failed <- err
					return
				}
				if n%100 == 0 {
					if err := s.Seal(); err != nil {
						failed <- err
						return
					}
				}
				if _, err := fmt.Fprintln(os.Stdout, n); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	for round := range 10 {
		cmd := child(t, "record", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var acknowledged []int64
		killAt := 1 + rand.IntN(3000) // #nosec G404 -- any moment will do
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			n, err := strconv.ParseInt(lines.Text(), 10, 64)
			if err != nil {
				t.Fatalf("round %d: the child printed %q", round, lines.Text())
			}
			acknowledged = append(acknowledged, n)
			if len(acknowledged) == killAt {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatalf("round %d: the child ended by itself", round)
		}
		checkCountedOnce(t, dir, acknowledged)
	}
}

// checkCountedOnce recovers the spool, crashes between the database's commit and the removal of the segment, and absorbs again.
func checkCountedOnce(t *testing.T, dir string, acknowledged []int64) {
	t.Helper()
	s := openSpool(t, dir, nil)
	found := map[int64]int{}
	for _, n := range waiting(t, s) {
		found[n]++
	}
	for _, n := range acknowledged {
		if found[n] != 1 {
			t.Errorf("use %d was acknowledged and is there %d times, want once", n, found[n])
		}
	}
	db := &memory{}
	for _, g := range s.Sealed() {
		m, b, err := g.batch()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.AbsorbUsage(t.Context(), m, b); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openSpool(t, dir, nil)
	a := &Absorber{Spool: s, Store: db, Log: slog.New(slog.DiscardHandler)}
	if err := a.Flush(t.Context()); err != nil {
		t.Fatalf("Flush = %v", err)
	}
	if count, _ := db.total(); count != int64(len(found)) {
		t.Errorf("the database counted %d uses, want the %d that were found", count, len(found))
	}
	if left := s.Sealed(); len(left) > 0 {
		t.Errorf("after Flush %v wait, want nothing", left)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// recordUntilFull is a process whose files may not grow beyond 4,000 bytes, until they may again. It prints what was acknowledged.
func recordUntilFull(dir string) error {
	signal.Ignore(syscall.SIGXFSZ) // write then answers EFBIG, as it answers ENOSPC on a full disk
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return err
	}
	limit := was
	limit.Cur = 4000
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	s, err := Open(Options{Dir: dir, Node: testNode, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	refused := 0
	for n := int64(1); n <= 100; n++ {
		switch err := s.Record(event(n)); {
		case err == nil:
			fmt.Fprintln(os.Stdout, n)
		case fault.Is(err, fault.Unavailable) && errors.Is(err, syscall.EFBIG):
			refused++
		default:
			return fmt.Errorf("record on a full disk: %w", err)
		}
	}
	if refused == 0 {
		return errors.New("the disk never was full")
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return err
	}
	for n := int64(101); n <= 200; n++ {
		if err := s.Record(event(n)); err != nil {
			return fmt.Errorf("record when there is room again: %w", err)
		}
		fmt.Fprintln(os.Stdout, n)
	}
	return nil // without Close: as if killed
}

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	cmd := child(t, "full", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var want []int64
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		n, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, n)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the child with the full disk: %v", err)
	}
	if got := waiting(t, openSpool(t, dir, nil)); !slices.Equal(got, want) || len(got) < 101 {
		t.Errorf("recovered %v, want what was acknowledged: %v", got, want)
	}
}
