// Package redistest gives tests a real Redis: a server of their own, empty, on a socket in a temporary directory, which ends
// with the test process however that ends. Run is that for programs that are no tests. It takes redis-server or valkey-server; a test that asks for a server where there
// is none fails and says what to install.
package redistest

import (
	"context"
	"fmt"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Server is a server that one test has for itself. Its methods fail that test when they cannot do what they say, so they are
// called from the test's own goroutine. Its URL stays the same through every Kill and Start.
type Server struct {
	tb testing.TB
	p  *Process
}

// New starts an empty server for tb alone and removes it when tb ends.
func New(tb testing.TB) *Server {
	tb.Helper()
	p, err := Run()
	if err != nil {
		tb.Fatalf("redistest: %v", err)
	}
	tb.Cleanup(func() {
		if err := p.Remove(); err != nil {
			tb.Errorf("redistest: %v", err)
		}
	})
	return &Server{tb: tb, p: p}
}

// URL is what LANYARD_REDIS_URL takes.
func (s *Server) URL() secret.Secret { return s.p.URL() }

// Kill ends the server with SIGKILL, as a crash does, and what it held is gone.
func (s *Server) Kill() {
	s.tb.Helper()
	s.check("kill", s.p.Kill())
}

// Start brings the server back, empty, and returns when it answers.
func (s *Server) Start() {
	s.tb.Helper()
	s.check("start", s.p.Start())
}

// Pause freezes the server. Connections stay open, but nothing answers: to a client this is a network that swallows
// everything. Resume lets it go on where it was.
func (s *Server) Pause() {
	s.tb.Helper()
	s.check("pause", s.p.process.Process.Signal(syscall.SIGSTOP))
}

// Resume ends a Pause.
func (s *Server) Resume() {
	s.tb.Helper()
	s.check("resume", s.p.process.Process.Signal(syscall.SIGCONT))
}

// Now is the server's clock.
func (s *Server) Now() time.Time {
	s.tb.Helper()
	answer, err := s.p.client.Do(context.Background(), s.p.client.B().Time().Build()).AsStrSlice()
	s.check("ask the time", err)
	sec, err := strconv.ParseInt(answer[0], 10, 64)
	s.check("ask the time", err)
	micro, err := strconv.ParseInt(answer[1], 10, 64)
	s.check("ask the time", err)
	return time.Unix(sec, micro*1000)
}

// Do runs one command and returns its answer as text.
func (s *Server) Do(command ...string) string {
	s.tb.Helper()
	answer, err := s.p.client.Do(context.Background(), s.p.client.B().Arbitrary(command...).Build()).ToAny()
	if err != nil && !valkey.IsValkeyNil(err) {
		s.check(command[0], err)
	}
	return fmt.Sprint(answer)
}

func (s *Server) check(what string, err error) {
	s.tb.Helper()
	if err != nil {
		s.tb.Fatalf("redistest: %s: %v", what, err)
	}
}
