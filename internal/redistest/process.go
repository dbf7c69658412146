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
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// patience bounds every wait for a server.
const patience = time.Minute

// Process is a server and its directory. Programs that are no tests use it as it is, tests by way of Server. Its methods are
// called by one goroutine at a time.
type Process struct {
	dir      string
	process  *exec.Cmd // nil while the server is down
	watchdog *exec.Cmd
	lifeline *os.File // the end that the watchdog waits to see closed
	client   valkey.Client
}

// Run starts an empty server. Whoever calls it calls Remove; the server goes with the calling process in any case.
func Run() (*Process, error) {
	// Not $TMPDIR: a socket's path has to stay below 108 bytes.
	dir, err := os.MkdirTemp("/tmp", "lanyard-redis-")
	if err != nil {
		return nil, err
	}
	p := &Process{dir: dir}
	if err := p.Start(); err != nil {
		return nil, errors.Join(err, p.Remove())
	}
	return p, nil
}

// URL is what LANYARD_REDIS_URL takes. It stays the same through every Kill and Start.
func (p *Process) URL() secret.Secret { return secret.Of("unix://" + p.socket()) }

func (p *Process) socket() string { return filepath.Join(p.dir, "socket") }

// watching is what the watchdog runs: it ends the server $1 and, unless it was told that the server comes back, removes $2.
const watching = `
read -r told
kill -KILL "$1"
[ "$told" = keep ] || rm -rf "$2"
`

// Start brings the server up, empty, and returns when it answers.
func (p *Process) Start() error {
	if p.process != nil {
		return errors.New("the server is running")
	}
	program, err := find()
	if err != nil {
		return err
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	defer reader.Close() //nolint:errcheck // the watchdog has a handle of its own
	// A group of its own, so that an interrupt typed at the terminal reaches the caller and not the server below it.
	own := &syscall.SysProcAttr{Setpgid: true}
	cmd := exec.CommandContext(context.Background(), program, "--port", "0", "--unixsocket", p.socket(), "--dir", p.dir, //nolint:gosec // found on PATH
		"--save", "", "--appendonly", "no", "--logfile", filepath.Join(p.dir, "log"))
	cmd.SysProcAttr = own
	if err := cmd.Start(); err != nil {
		return errors.Join(err, writer.Close())
	}
	// The kernel closes the lifeline when this process ends, by return, panic, os.Exit or SIGKILL. Then the directory goes, too.
	watchdog := exec.CommandContext(context.Background(), "/bin/sh", "-c", watching, "redistest", strconv.Itoa(cmd.Process.Pid), p.dir) // #nosec G204 -- a number and our own path
	watchdog.Stdin, watchdog.SysProcAttr = reader, own
	if err := watchdog.Start(); err != nil {
		return errors.Join(err, writer.Close(), cmd.Process.Kill(), cmd.Wait())
	}
	p.process, p.watchdog, p.lifeline = cmd, watchdog, writer
	return p.connect()
}

// Kill ends the server with SIGKILL, as a crash does, and what it held is gone.
func (p *Process) Kill() error {
	if p.process == nil {
		return errors.New("the server is not running")
	}
	if p.client != nil {
		p.client.Close()
		p.client = nil
	}
	_, err := p.lifeline.WriteString("keep\n")
	err = errors.Join(err, p.lifeline.Close(), p.watchdog.Wait())
	var exit *exec.ExitError // says that it was killed, which is what was asked for
	if waited := p.process.Wait(); waited != nil && !errors.As(waited, &exit) {
		err = errors.Join(err, waited)
	}
	p.process = nil
	return err
}

// Remove ends the server, if it runs, and deletes its directory.
func (p *Process) Remove() error {
	var killed error
	if p.process != nil {
		killed = p.Kill()
	}
	return errors.Join(killed, os.RemoveAll(p.dir))
}

// Keys is how many keys the server holds.
func (p *Process) Keys(ctx context.Context) (int64, error) {
	return p.client.Do(ctx, p.client.B().Dbsize().Build()).AsInt64()
}

func (p *Process) connect() error {
	option := valkey.MustParseURL(p.URL().Reveal())
	option.ForceSingleClient, option.DisableCache = true, true
	retry := time.NewTicker(5 * time.Millisecond)
	defer retry.Stop()
	deadline := time.Now().Add(patience) //nolint:forbidigo // a real server is waited for in real time
	for {
		client, err := valkey.NewClient(option)
		if err == nil {
			p.client = client
			return nil
		}
		if client != nil {
			client.Close()
		}
		if time.Now().After(deadline) { //nolint:forbidigo // as above
			return fmt.Errorf("the server does not answer: %w", err)
		}
		<-retry.C
	}
}

// find returns the program of a server.
func find() (string, error) {
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("this needs the program redis-server or valkey-server on PATH: apt-get install redis-server")
}
