package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Cluster is one PostgreSQL server and its directory: data, the log of all starts, and the local socket. Programs that are no
// tests use it as it is, tests by way of Server. Its methods are called by one goroutine at a time.
type Cluster struct {
	bin       string   // folder of the server's programs
	dir       string   // removed with the cluster
	settings  []string // further arguments of postgres
	owner     *syscall.Credential
	port      Port
	watchdog  *exec.Cmd
	lifeline  *os.File  // the end that the watchdog waits to see closed
	postgres  *exec.Cmd // nil while the server is down
	databases atomic.Int64
}

// New makes the directory, fills it and starts the server, with further arguments of the program postgres. Whoever calls it
// calls Remove; if the process ends before that, however it ends, the server and its directory go with it.
func New(settings ...string) (_ *Cluster, err error) {
	c := &Cluster{settings: settings}
	if c.bin, err = find(debian); err != nil {
		return nil, err
	}
	if c.owner, err = owner(); err != nil {
		return nil, err
	}
	// Not $TMPDIR: the server's user must be able to walk there, and a socket's path has to stay below 108 bytes.
	if c.dir, err = os.MkdirTemp("/tmp", "lanyard-pg-"); err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	if err := c.fill(); err != nil {
		return nil, errors.Join(err, c.Remove())
	}
	if err := c.Start(); err != nil {
		return nil, errors.Join(err, c.Remove())
	}
	return c, nil
}

// fill takes a port, sets the watchdog and runs initdb.
func (c *Cluster) fill() (err error) {
	if c.owner != nil {
		if err := os.Chown(c.dir, int(c.owner.Uid), int(c.owner.Gid)); err != nil {
			return fmt.Errorf("give directory to the server's user: %w", err)
		}
	}
	if c.port, err = Reserve(); err != nil {
		return err
	}
	if err := c.watch(); err != nil {
		return err
	}
	initdb := c.command(filepath.Join(c.bin, "initdb"), "--pgdata="+c.data(), "--no-sync", "--auth=trust",
		"--username=postgres", "--encoding=UTF8", "--locale=C")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// Start runs the server and returns when it answers a query.
func (c *Cluster) Start() error {
	if c.postgres != nil {
		return errors.New("the server is running")
	}
	log, err := os.OpenFile(c.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer log.Close() //nolint:errcheck // nothing is written here; the server has a handle of its own
	args := append([]string{
		"-D", c.data(), "-k", c.dir, "-p", strconv.Itoa(c.port.Number),
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200",
	}, c.settings...)
	cmd := c.command(filepath.Join(c.bin, "postgres"), args...)
	cmd.Stdout, cmd.Stderr = log, log
	// A group of its own, so that an interrupt typed at the terminal reaches the test and not the server below it.
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	c.postgres = cmd
	if err := c.ready(); err != nil {
		text, readErr := os.ReadFile(c.log())
		return errors.Join(fmt.Errorf("%w\n%s", err, text), readErr, c.Kill())
	}
	return nil
}

// ready waits until the server answers a query.
func (c *Cluster) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		conn, err := pgx.Connect(ctx, c.url("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		if gone(c.postgres.Process.Pid) {
			return errors.New("postgres ended while starting")
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w", err)
		}
	}
}

// Stop asks for a fast shutdown: connections are ended, what was committed is written.
func (c *Cluster) Stop() error {
	return c.end(func() error { return c.postgres.Process.Signal(syscall.SIGINT) })
}

// Kill ends the server and every process it started.
func (c *Cluster) Kill() error {
	return c.end(func() error {
		family, err := c.freeze()
		if err != nil {
			return err
		}
		if err := signal(family, syscall.SIGKILL); err != nil {
			return err
		}
		// The next start refuses as long as one of them holds the shared memory.
		return await(family[1:])
	})
}

// end does what makes the server end, and collects it.
func (c *Cluster) end(how func() error) error {
	if c.postgres == nil {
		return errors.New("the server is not running")
	}
	if err := how(); err != nil {
		return err
	}
	err := c.postgres.Wait()
	c.postgres = nil
	var exit *exec.ExitError // says how it ended, which is what was asked for
	if err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("wait for postgres: %w", err)
	}
	return nil
}

func (c *Cluster) pause() error {
	if c.postgres == nil {
		return errors.New("the server is not running")
	}
	_, err := c.freeze()
	return err
}

func (c *Cluster) resume() error {
	if c.postgres == nil {
		return errors.New("the server is not running")
	}
	family, err := children(c.postgres.Process.Pid)
	if err != nil {
		return err
	}
	return signal(append(family, c.postgres.Process.Pid), syscall.SIGCONT)
}

// freeze stops every process of the server and returns their ids, the parent first. The parent is stopped first so that it
// starts no further ones. Signalling its process group would miss them: each makes a session of its own.
func (c *Cluster) freeze() ([]int, error) {
	parent := c.postgres.Process.Pid
	if err := signal([]int{parent}, syscall.SIGSTOP); err != nil {
		return nil, err
	}
	family, err := children(parent)
	if err != nil {
		return nil, err
	}
	return append([]int{parent}, family...), signal(family, syscall.SIGSTOP)
}

// Remove ends the server, if it runs, and deletes its directory. It is safe on a cluster that was only half made.
func (c *Cluster) Remove() error {
	var ended error
	if c.postgres != nil {
		ended = c.Kill()
	}
	return errors.Join(ended, c.dismiss(), c.port.Release(), os.RemoveAll(c.dir))
}

// command prepares a program that runs as the server's user in the server's directory.
func (c *Cluster) command(program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), program, args...)
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.owner}
	// Nothing of the caller's environment: PGPORT, PGOPTIONS and the like would change what runs.
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	return cmd
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }
func (c *Cluster) log() string  { return filepath.Join(c.dir, "log") }

// owner returns whom the server runs as: nil for the user of the test, or, since PostgreSQL refuses root, user postgres.
func owner() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil // what exec takes for "no other user"
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root, and the user to run it as is missing (%w): apt-get install postgresql", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user id %q of postgres: %w", account.Uid, err)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("group id %q of postgres: %w", account.Gid, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
