// Package pgtest gives tests a real PostgreSQL: a server of their own, in a temporary directory, on a port of its own, which
// ends with the test process however that ends.
//
// Start hands out empty databases on one server shared by the whole test process. NewServer is for tests that take a server
// away: stop it, kill it, freeze it, bring it back. New is that for programs that are no tests. It needs PostgreSQL 13 or newer on Linux; a test that asks for a server
// where there is none fails and says what to install.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// patience bounds every wait for a server. It is far above what a loaded machine needs and below the time limit of a test.
const patience = time.Minute

// The shared servers start when first asked for. Nobody stops them: their watchdog does, when the test process has gone.
//

var (
	quick   = sync.OnceValues(func() (*Cluster, error) { return New("-c", "fsync=off", "-c", "full_page_writes=off") })
	durable = sync.OnceValues(func() (*Cluster, error) { return New("-c", "fsync=on") })
)

// Start returns the URL of a fresh, empty database, which is dropped when tb ends. The server is shared by the test process
// and does not fsync: a killed server keeps what was committed, a power cut would not.
func Start(tb testing.TB) string {
	tb.Helper()
	c, err := quick()
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	return c.database(tb)
}

// StartDurable is Start on a server that syncs every commit to disk, for tests and benchmarks where that cost is the matter.
func StartDurable(tb testing.TB) string {
	tb.Helper()
	c, err := durable()
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	return c.database(tb)
}

// Server is a server that one test has for itself. Its methods fail that test when they cannot do what they say, so they are
// called from the test's own goroutine. Port and data stay the same through every stop and start.
type Server struct {
	tb testing.TB
	c  *Cluster
}

// NewServer starts a server for tb alone and removes it when tb ends. It takes a second or two.
func NewServer(tb testing.TB) *Server {
	tb.Helper()
	// Pages are written whole: a kill may fall between the two halves of one.
	c, err := New("-c", "fsync=off")
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	tb.Cleanup(func() {
		if err := c.Remove(); err != nil {
			tb.Errorf("pgtest: remove server: %v", err)
		}
	})
	return &Server{tb: tb, c: c}
}

// Database returns the URL of a fresh, empty database on the server. It goes with the server, not before.
func (s *Server) Database() string {
	s.tb.Helper()
	url, err := s.c.Database()
	s.check("create database", err)
	return url
}

// Stop shuts the server down in order, ending every connection. New ones are refused until Start.
func (s *Server) Stop() {
	s.tb.Helper()
	s.check("stop", s.c.Stop())
}

// Kill ends every process of the server with SIGKILL, as a crash does. Start recovers what was committed.
func (s *Server) Kill() {
	s.tb.Helper()
	s.check("kill", s.c.Kill())
}

// Start brings the server back after Stop or Kill and returns when it answers.
func (s *Server) Start() {
	s.tb.Helper()
	s.check("start", s.c.Start())
}

// Pause freezes every process of the server. Connections stay open and new ones are accepted by the kernel, but nothing
// answers: to a client this is a network that swallows everything. Stop works again only after Resume.
func (s *Server) Pause() {
	s.tb.Helper()
	s.check("pause", s.c.pause())
}

// Resume lets a paused server go on where it was.
func (s *Server) Resume() {
	s.tb.Helper()
	s.check("resume", s.c.resume())
}

func (s *Server) check(what string, err error) {
	s.tb.Helper()
	if err != nil {
		s.tb.Fatalf("pgtest: %s: %v", what, err)
	}
}

// database creates a database that lives as long as tb.
func (c *Cluster) database(tb testing.TB) string {
	tb.Helper()
	url, err := c.Database()
	if err != nil {
		tb.Fatalf("pgtest: create database: %v", err)
	}
	tb.Cleanup(func() {
		if err := c.drop(url); err != nil {
			tb.Errorf("pgtest: drop database: %v", err)
		}
	})
	return url
}

// Database makes an empty database and returns its URL.
func (c *Cluster) Database() (string, error) {
	name := fmt.Sprintf("t_%d", c.databases.Add(1))
	// template0 holds nothing that a person may have added and has no sessions that would stand in the way of a copy.
	return c.url(name), c.exec("CREATE DATABASE " + name + " TEMPLATE template0")
}

// drop removes the database of a URL that Database returned, and ends the connections a test may have left open.
func (c *Cluster) drop(url string) error {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("parse %s: %w", url, err)
	}
	return c.exec("DROP DATABASE " + config.Database + " WITH (FORCE)")
}

func (c *Cluster) url(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", c.port.Number, database)
}

// exec runs one statement in the database every server has.
func (c *Cluster) exec(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.url("postgres"))
	if err != nil {
		return fmt.Errorf("connect for %q: %w", statement, err)
	}
	if _, err := conn.Exec(ctx, statement); err != nil {
		return errors.Join(fmt.Errorf("%q: %w", statement, err), conn.Close(ctx))
	}
	return conn.Close(ctx)
}
