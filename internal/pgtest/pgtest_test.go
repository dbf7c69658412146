package pgtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// child in the environment makes this test binary start a server, say where it is, and wait to be killed.
const child = "PGTEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(child) == "" {
		os.Exit(m.Run())
	}
	c, err := New("-c", "fsync=off")
	if err != nil {
		fmt.Println("no server:", err)
		os.Exit(1)
	}
	fmt.Println(c.dir, c.postgres.Process.Pid)
	select {}
}

func TestFindRefuses(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	half := t.TempDir()
	if err := os.MkdirAll(filepath.Join(half, "15", "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	program(t, filepath.Join(half, "15", "bin", "postgres"))
	for _, pattern := range []string{filepath.Join(t.TempDir(), "*/bin"), filepath.Join(half, "*/bin")} {
		got, err := find(pattern)
		if err == nil || !strings.Contains(err.Error(), "apt-get install postgresql") {
			t.Errorf("find(%q) = %q, %v, want an error that says what to install", pattern, got, err)
		}
	}
}

func TestFindTakesTheNewest(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	root := t.TempDir()
	for _, version := range []string{"9.6", "16", "15", "notes"} {
		bin := filepath.Join(root, version, "bin")
		if err := os.MkdirAll(bin, 0o700); err != nil {
			t.Fatal(err)
		}
		program(t, filepath.Join(bin, "postgres"))
		program(t, filepath.Join(bin, "initdb"))
	}
	pattern, want := filepath.Join(root, "*/bin"), filepath.Join(root, "16", "bin")
	if got, err := find(pattern); got != want || err != nil {
		t.Errorf("find(%q) = %q, %v, want %q", pattern, got, err, want)
	}
}

func program(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestStartGivesEmptyDatabases(t *testing.T) {
	for name, start := range map[string]func(testing.TB) string{"Start": Start, "StartDurable": StartDurable} {
		var first, second string
		t.Run(name, func(t *testing.T) {
			first, second = start(t), start(t)
			if first == second {
				t.Fatalf("%s gave %q twice", name, first)
			}
			for _, url := range []string{first, second} {
				// The name is free in each only if neither sees what the other holds.
				if err := run(url, "CREATE TABLE mark (n BIGINT)"); err != nil {
					t.Errorf("%s: CREATE TABLE in %s = %v, want none", name, url, err)
				}
			}
		})
		for _, url := range []string{first, second} {
			if err := run(url, "SELECT 1"); err == nil {
				t.Errorf("%s: %s still there after its test, want it dropped", name, url)
			}
		}
	}
}

func TestStartDurableSyncs(t *testing.T) {
	for _, test := range []struct {
		name, url, want string
	}{
		{"Start", Start(t), "off"},
		{"StartDurable", StartDurable(t), "on"},
	} {
		if got := ask(t, test.url, "SHOW fsync"); got != test.want {
			t.Errorf("%s: fsync = %q, want %q", test.name, got, test.want)
		}
	}
}

// A test may leave connections behind; the database is dropped all the same.
func TestStartDropsUnderOpenConnections(t *testing.T) {
	var conn *pgx.Conn
	t.Run("open", func(t *testing.T) {
		var err error
		if conn, err = pgx.Connect(t.Context(), Start(t)); err != nil {
			t.Fatal(err)
		}
	})
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("Ping after the database's test = nil, want the connection ended")
	}
}

func TestServerComesBack(t *testing.T) {
	server := NewServer(t)
	url := server.Database()
	want := []string{}
	for _, outage := range []struct {
		name string
		end  func()
	}{
		{"Stop", server.Stop},
		{"Kill", server.Kill},
		{"Kill", server.Kill}, // twice, since the first recovery leaves its own traces
	} {
		if err := run(url, "CREATE TABLE IF NOT EXISTS mark (n TEXT)", "INSERT INTO mark VALUES ('"+outage.name+"')"); err != nil {
			t.Fatalf("before %s: %v", outage.name, err)
		}
		want = append(want, outage.name)

		outage.end()
		if err := run(url, "SELECT 1"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("query after %s = %v, want %v", outage.name, err, syscall.ECONNREFUSED)
		}

		server.Start()
		if got := ask(t, url, "SELECT string_agg(n, ' ' ORDER BY ctid) FROM mark"); got != strings.Join(want, " ") {
			t.Errorf("after %s and Start the table holds %q, want %q", outage.name, got, want)
		}
	}
}

func TestServerRefuses(t *testing.T) {
	c := NewServer(t).c
	if err := c.Start(); err == nil {
		t.Error("start of a running server = nil, want an error")
	}
	if err := c.Stop(); err != nil {
		t.Fatalf("stop = %v", err)
	}
	for name, act := range map[string]func() error{"stop": c.Stop, "kill": c.Kill, "pause": c.pause, "resume": c.resume} {
		if err := act(); err == nil {
			t.Errorf("%s of a stopped server = nil, want an error", name)
		}
	}
}

func TestServerPauseSwallows(t *testing.T) {
	server := NewServer(t)
	url := server.Database()
	old, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	server.Pause()
	const moment = 200 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), moment)
	defer cancel()
	if err := old.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("query on an open connection while paused = %v, want %v", err, context.DeadlineExceeded)
	}
	ctx, cancel = context.WithTimeout(t.Context(), moment)
	defer cancel()
	if _, err := pgx.Connect(ctx, url); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("new connection while paused = %v, want %v", err, context.DeadlineExceeded)
	}
	server.Resume()
	if got := ask(t, url, "SELECT 'back'"); got != "back" {
		t.Errorf("query after Resume = %q, want %q", got, "back")
	}
	server.Pause()
	server.Kill() // a frozen server can be killed too
}

// The server and its directory go with the test process, even if that had no chance to clean up.
func TestServerDiesWithTheTest(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), child+"=yes")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	var dir string
	var pid int
	if _, scanErr := fmt.Sscan(line, &dir, &pid); err != nil || scanErr != nil {
		t.Fatalf("child said %q (%v)", line, err)
	}
	if gone(pid) {
		t.Fatalf("server %d of the child does not run", pid)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("child ended by itself, want it killed")
	}
	if err := await([]int{pid}); err != nil {
		t.Error(err)
	}
	awaitNoFile(t, dir)
}

// awaitNoFile waits until a directory is gone.
func awaitNoFile(t *testing.T, dir string) {
	t.Helper()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Fatalf("directory %s still there %v after the test process", dir, patience)
		}
	}
}

// While a server is down its port is taken for everybody who does not ask for this very port with SO_REUSEADDR.
func TestReserveKeepsThePort(t *testing.T) {
	p, err := Reserve()
	if err != nil {
		t.Fatal(err)
	}
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(socket)
	address := &syscall.SockaddrInet4{Port: p.Number, Addr: [4]byte{127, 0, 0, 1}}
	if err := syscall.Bind(socket, address); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("bind to a reserved port = %v, want %v", err, syscall.EADDRINUSE)
	}
	if err := p.Release(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Bind(socket, address); err != nil {
		t.Errorf("bind to a released port = %v, want none", err)
	}
}

// run executes statements in order on a connection of their own.
func run(url string, statements ...string) error {
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	for _, statement := range statements {
		if _, err := conn.Exec(context.Background(), statement); err != nil {
			return err
		}
	}
	return nil
}

// ask returns the single text a query answers.
func ask(t *testing.T, url, query string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var answer string
	if err := conn.QueryRow(t.Context(), query).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return answer
}
