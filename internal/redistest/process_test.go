package redistest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"testing"
)

// The server is empty after a Kill and a Start, at the same address.
func TestComesBackEmpty(t *testing.T) {
	s := New(t)
	url := s.URL().Reveal()
	s.Do("SET", "a", "1")
	if got := s.Do("GET", "a"); got != "1" {
		t.Fatalf("GET a = %s, want 1", got)
	}
	s.Kill()
	s.Start()
	if keys, err := s.p.Keys(context.Background()); err != nil || keys != 0 || s.URL().Reveal() != url {
		t.Errorf("after Kill and Start: %d keys at %v (%v), want none at %v", keys, s.URL().Reveal(), err, url)
	}
}

// The server and its directory go with the process that started it, even if that had no chance to clean up.
func TestDiesWithTheProcess(t *testing.T) {
	p, err := Run()
	if err != nil {
		t.Fatal(err)
	}
	p.client.Close()
	if err := errors.Join(p.lifeline.Close(), p.watchdog.Wait()); err != nil { // as the kernel does it
		t.Error(err)
	}
	if err := p.process.Wait(); err == nil {
		t.Error("the server ended in order, want it killed")
	}
	if _, err := os.Stat(p.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory: %v, want it gone", err)
	}
}
