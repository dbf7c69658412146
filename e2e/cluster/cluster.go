package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/pgtest"
	"github.com/lanyard-auth/lanyard/internal/redistest"
)

// nodes is how many there are, as in the shipped configuration of nginx.
const nodes = 3

// cluster is nodes on one PostgreSQL and one Redis behind one nginx.
type cluster struct {
	dir      string // goes with the cluster
	program  string // lanyard
	url      string // of nginx
	database string
	ports    []pgtest.Port
	postgres *pgtest.Cluster
	redis    *redistest.Process
	nodes    []*service
	front    *service
	watchdog *exec.Cmd
	lifeline *os.File // the end that the watchdog waits to see closed
	token    string   // of a management key
}

// newCluster starts everything. program is lanyard, shipped the configuration of nginx, listen where nginx listens, "" for
// any free port of loopback.
func newCluster(ctx context.Context, program string, shipped []byte, listen string) (_ *cluster, err error) {
	c := &cluster{program: program}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	// Not $TMPDIR: paths are to be pasted, so they had better be short.
	if c.dir, err = os.MkdirTemp("/tmp", "lanyard-cluster-"); err != nil {
		return nil, err
	}
	if err := c.watch(); err != nil {
		return nil, err
	}
	if c.postgres, err = pgtest.New("-c", "fsync=off"); err != nil { //nolint:contextcheck // starting a server is bounded by itself
		return nil, err
	}
	if c.redis, err = redistest.Run(); err != nil { //nolint:contextcheck // as above
		return nil, err
	}
	if c.database, err = c.postgres.Database(); err != nil { //nolint:contextcheck // as above
		return nil, err
	}
	if err := c.design(shipped, listen); err != nil {
		return nil, err
	}
	// The first command on the database makes the schema.
	if c.token, err = c.managementKey(ctx); err != nil {
		return nil, err
	}
	for _, n := range c.nodes {
		if err := n.start(ctx); err != nil {
			return nil, err
		}
	}
	return c, c.front.start(ctx)
}

// design lays out who runs where and with which settings.
func (c *cluster) design(shipped []byte, listen string) error {
	var addresses []string
	for range nodes + 1 { // the last is for nginx
		port, err := pgtest.Reserve()
		if err != nil {
			return err
		}
		c.ports, addresses = append(c.ports, port), append(addresses, port.Address())
	}
	if listen == "" {
		listen = addresses[nodes]
	}
	c.url = "http://localhost" + listen[strings.LastIndexByte(listen, ':'):]
	master, err := keyring.GenerateMaster(1, rand.Reader)
	if err != nil {
		return err
	}
	masterFile := filepath.Join(c.dir, "master.key")
	if err := os.WriteFile(masterFile, []byte(master.Reveal()+"\n"), 0o600); err != nil {
		return err
	}
	for n := range nodes {
		name := "node-" + strconv.Itoa(n+1)
		dir := filepath.Join(c.dir, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		c.nodes = append(c.nodes, &service{
			name: name, dir: c.dir, program: c.program, args: []string{"serve"}, ready: "http://" + addresses[n] + "/readyz",
			env: []string{
				"LANYARD_LISTEN=" + addresses[n], "LANYARD_PUBLIC_URL=" + c.url, "LANYARD_DATA_DIR=" + dir, "LANYARD_DATABASE_URL=" + c.database,
				"LANYARD_REDIS_URL=" + c.redis.URL().Reveal(), "LANYARD_MASTER_KEY_FILE=" + masterFile, "LANYARD_TRUSTED_PROXIES=127.0.0.1/32",
			},
		})
	}
	if err := configure(shipped, c.dir, listen, addresses[:nodes]); err != nil {
		return err
	}
	c.front, err = newFront(c.dir, c.url)
	return err
}

// lanyard prepares a command with the settings of a node.
func (c *cluster) lanyard(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.program, args...)
	cmd.Dir, cmd.Env = c.dir, append([]string{"PATH=/usr/bin:/bin"}, c.nodes[0].env...)
	return cmd
}

func (c *cluster) managementKey(ctx context.Context) (string, error) {
	out, err := c.lanyard(ctx, "admin", "key", "create", "--scope", "lanyard.admin").Output()
	if err != nil {
		var ended *exec.ExitError
		if errors.As(err, &ended) {
			err = fmt.Errorf("%w: %s", err, ended.Stderr)
		}
		return "", fmt.Errorf("make a management key: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// watching is what the watchdog runs: it reads until this process has gone, for whatever reason, then ends what it started
// and removes the directory $1. PostgreSQL and Redis have watchdogs of their own.
const watching = `
read -r _
for file in "$1"/*.pid; do
	[ -e "$file" ] && kill -s KILL -- "-$(cat "$file")"
done
rm -rf "$1"
`

// watch starts the watchdog. The kernel closes the lifeline when this process ends.
func (c *cluster) watch() error {
	reader, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	defer reader.Close() //nolint:errcheck // the watchdog has a handle of its own
	cmd := &exec.Cmd{Path: "/bin/sh", Args: []string{"/bin/sh", "-c", watching, "cluster", c.dir}, Dir: "/", Stdin: reader, SysProcAttr: &syscall.SysProcAttr{Setpgid: true}}
	if err := cmd.Start(); err != nil {
		return errors.Join(err, writer.Close())
	}
	c.watchdog, c.lifeline = cmd, writer
	return nil
}

// close ends everything in order and removes the directory. It is safe on a cluster that was only half made.
func (c *cluster) close() error {
	var errs []error
	if c.front != nil {
		errs = append(errs, c.front.end())
	}
	for _, n := range c.nodes {
		errs = append(errs, n.end())
	}
	if c.redis != nil {
		errs = append(errs, c.redis.Remove())
	}
	if c.postgres != nil {
		errs = append(errs, c.postgres.Remove())
	}
	if c.watchdog != nil {
		errs = append(errs, c.lifeline.Close(), c.watchdog.Wait())
	}
	for _, p := range c.ports {
		errs = append(errs, p.Release())
	}
	return errors.Join(errs...)
}
