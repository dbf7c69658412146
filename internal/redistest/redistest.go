// Package redistest gives tests a real Redis: a server of their own, empty, on a socket in a temporary directory, which ends
// with the test process however that ends. It takes redis-server or valkey-server; a test that asks for a server where there
// is none fails and says what to install.
package redistest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// patience bounds every wait for a server.
const patience = time.Minute

// Server is a server that one test has for itself. Its methods fail that test when they cannot do what they say, so they are
// called from the test's own goroutine. Its URL stays the same through every Kill and Start.
type Server struct {
	tb       testing.TB
	dir      string
	process  *exec.Cmd
	watchdog *exec.Cmd
	lifeline *os.File // the end that the watchdog waits to see closed
	client   valkey.Client
}

// New starts an empty server for tb alone and removes it when tb ends.
func New(tb testing.TB) *Server {
	tb.Helper()
	// Not $TMPDIR: a socket's path has to stay below 108 bytes.
	dir, err := os.MkdirTemp("/tmp", "lanyard-redis-")
	if err != nil {
		tb.Fatalf("redistest: %v", err)
	}
	s := &Server{tb: tb, dir: dir}
	tb.Cleanup(func() {
		if s.process != nil {
			s.Kill()
		}
		if err := os.RemoveAll(dir); err != nil {
			tb.Errorf("redistest: %v", err)
		}
	})
	s.Start()
	return s
}

// URL is what LANYARD_REDIS_URL takes.
func (s *Server) URL() secret.Secret { return secret.Of("unix://" + s.socket()) }

// Kill ends the server with SIGKILL, as a crash does, and what it held is gone.
func (s *Server) Kill() {
	s.tb.Helper()
	s.client.Close()
	s.check("kill", errors.Join(s.lifeline.Close(), s.watchdog.Wait()))
	var exit *exec.ExitError // says that it was killed, which is what was asked for
	if err := s.process.Wait(); err != nil && !errors.As(err, &exit) {
		s.check("kill", err)
	}
	s.process = nil
}

// Start brings the server back, empty, and returns when it answers.
func (s *Server) Start() {
	s.tb.Helper()
	program, err := find()
	s.check("start", err)
	reader, writer, err := os.Pipe()
	s.check("start", err)
	// A group of its own, so that an interrupt typed at the terminal reaches the test and not the server below it.
	own := &syscall.SysProcAttr{Setpgid: true}
	s.process = exec.CommandContext(context.Background(), program, "--port", "0", "--unixsocket", s.socket(), "--dir", s.dir, //nolint:gosec // found on PATH
		"--save", "", "--appendonly", "no", "--logfile", filepath.Join(s.dir, "log"))
	s.process.SysProcAttr = own
	s.check("start", s.process.Start())
	// The kernel closes the lifeline when this process ends, by return, panic, os.Exit or SIGKILL.
	s.watchdog = exec.CommandContext(context.Background(), "/bin/sh", "-c", `read -r _; kill -KILL "$1"`, "redistest", strconv.Itoa(s.process.Process.Pid)) // #nosec G204 -- a number
	s.watchdog.Stdin, s.watchdog.SysProcAttr, s.lifeline = reader, own, writer
	s.check("start", errors.Join(s.watchdog.Start(), reader.Close()))
	s.connect()
}

// Pause freezes the server. Connections stay open, but nothing answers: to a client this is a network that swallows
// everything. Resume lets it go on where it was.
func (s *Server) Pause() {
	s.tb.Helper()
	s.check("pause", s.process.Process.Signal(syscall.SIGSTOP))
}

// Resume ends a Pause.
func (s *Server) Resume() {
	s.tb.Helper()
	s.check("resume", s.process.Process.Signal(syscall.SIGCONT))
}

// Now is the server's clock.
func (s *Server) Now() time.Time {
	s.tb.Helper()
	answer, err := s.client.Do(context.Background(), s.client.B().Time().Build()).AsStrSlice()
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
	answer, err := s.client.Do(context.Background(), s.client.B().Arbitrary(command...).Build()).ToAny()
	if err != nil && !valkey.IsValkeyNil(err) {
		s.check(command[0], err)
	}
	return fmt.Sprint(answer)
}

func (s *Server) connect() {
	s.tb.Helper()
	option := valkey.MustParseURL(s.URL().Reveal())
	option.ForceSingleClient, option.DisableCache = true, true
	retry := time.NewTicker(5 * time.Millisecond)
	defer retry.Stop()
	deadline := time.Now().Add(patience) //nolint:forbidigo // a real server is waited for in real time
	for {
		client, err := valkey.NewClient(option)
		if err == nil {
			s.client = client
			return
		}
		if client != nil {
			client.Close()
		}
		if time.Now().After(deadline) { //nolint:forbidigo // as above
			s.check("start", err)
		}
		<-retry.C
	}
}

func (s *Server) socket() string { return filepath.Join(s.dir, "socket") }

func (s *Server) check(what string, err error) {
	s.tb.Helper()
	if err != nil {
		s.tb.Fatalf("redistest: %s: %v", what, err)
	}
}

// find returns the program of a server.
func find() (string, error) {
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("this test needs the program redis-server or valkey-server on PATH: apt-get install redis-server")
}
