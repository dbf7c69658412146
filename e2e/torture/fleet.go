package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/pgtest"
	"github.com/lanyard-auth/lanyard/internal/redistest"
)

// patience bounds the wait for everything to live again after the last kill.
const patience = time.Minute

// fleet is several nodes on one PostgreSQL and one Redis.
type fleet struct {
	options
	dir      string
	postgres *pgtest.Cluster
	redis    *redistest.Process
	members  []*member

	killedNodes, killedPostgres, killedRedis int
}

// tortureFleet kills nodes, PostgreSQL and Redis in turn.
func tortureFleet(ctx context.Context, o options, progress io.Writer) (r report, err error) {
	f := &fleet{options: o}
	defer func() { err = errors.Join(err, f.remove()) }()
	database, err := f.servers() //nolint:contextcheck // starting a server is bounded by itself
	if err != nil {
		return r, fmt.Errorf("prepare: %w", err)
	}
	if err := f.prepare(ctx, database); err != nil {
		return r, fmt.Errorf("prepare: %w", err)
	}
	everything, stop := context.WithCancel(ctx)
	t := &traffic{}
	var lives sync.WaitGroup
	defer func() {
		stop()
		t.clients.Wait()
		lives.Wait()
	}()
	over := make(chan struct{})
	ends := make(chan error, len(f.members))
	for _, m := range f.members {
		t.nodes = append(t.nodes, m.victim)
		lives.Go(func() { ends <- m.keep(everything, over) })
	}
	t.start(everything)
	if err := f.kill(everything, t, progress); err != nil {
		return r, err
	}
	if err := errors.Join(f.alive(everything), f.counting(everything)); err != nil {
		return r, err
	}
	t.finish()
	close(over)
	for range f.members {
		if err := <-ends; err != nil {
			return r, fmt.Errorf("the last end of a node: %w", err)
		}
	}
	r.kills = fmt.Sprintf("%d: nodes %d, PostgreSQL %d, Redis %d", f.killedNodes+f.killedPostgres+f.killedRedis, f.killedNodes, f.killedPostgres, f.killedRedis)
	t.report(&r)
	for _, m := range f.members[1:] {
		if err := m.flush(ctx); err != nil {
			return r, err
		}
	}
	err = f.members[0].count(ctx, &r)
	return r, err
}

// servers starts PostgreSQL, with an empty database, and Redis.
func (f *fleet) servers() (database string, err error) {
	// fsync matters when the power fails, not when processes are killed. A commit is written before it is acknowledged
	// (synchronous_commit), and pages whole.
	if f.postgres, err = pgtest.New("-c", "fsync=off", "-c", "synchronous_commit=on", "-c", "full_page_writes=on"); err != nil {
		return "", err
	}
	if f.redis, err = redistest.Run(); err != nil {
		return "", err
	}
	return f.postgres.Database()
}

// prepare makes the nodes, and what their clients ask with.
func (f *fleet) prepare(ctx context.Context, database string) error {
	master, err := keyring.GenerateMaster(1, rand.Reader)
	if err != nil {
		return err
	}
	if f.dir, err = os.MkdirTemp("", "lanyard-torture-"); err != nil {
		return err
	}
	shared := map[string]string{"LANYARD_DATABASE_URL": database, "LANYARD_REDIS_URL": f.redis.URL().Reveal(), "LANYARD_MASTER_KEY": master.Reveal()}
	for n := range f.nodes {
		v, err := newVictim(filepath.Join(f.dir, strconv.Itoa(n)), f.durability, shared)
		if err != nil {
			return err
		}
		if n == 0 {
			if err := v.seed(ctx); err != nil {
				return err
			}
		} else {
			v.keys = f.members[0].keys
		}
		f.members = append(f.members, &member{victim: v, losesDisk: f.loseDisks})
	}
	return nil
}

func (f *fleet) remove() error {
	var errs []error
	if f.redis != nil {
		errs = append(errs, f.redis.Remove())
	}
	if f.postgres != nil {
		errs = append(errs, f.postgres.Remove())
	}
	if f.dir != "" {
		errs = append(errs, os.RemoveAll(f.dir))
	}
	return errors.Join(errs...)
}

// kill kills, of every five times three times a node and once each PostgreSQL and Redis, in random order. A node is started
// again by its keeper, whatever else happens meanwhile.
func (f *fleet) kill(ctx context.Context, t *traffic, progress io.Writer) error {
	if err := f.alive(ctx); err != nil {
		return err
	}
	var round []func(context.Context) error
	for k := range f.kills {
		if len(round) == 0 {
			round = []func(context.Context) error{f.killNode, f.killNode, f.killNode, f.killPostgres, f.killRedis}
			mathrand.Shuffle(len(round), func(i, j int) { round[i], round[j] = round[j], round[i] })
		}
		pause(ctx, moment(20*time.Millisecond, 800*time.Millisecond))
		if err := round[0](ctx); err != nil {
			return fmt.Errorf("kill %d: %w", k, err)
		}
		round = round[1:]
		if (k+1)%20 == 0 {
			fmt.Fprintf(progress, "%d of %d kills, %d acknowledged\n", k+1, f.kills, t.acknowledged.Load())
		}
	}
	return ctx.Err()
}

func (f *fleet) killNode(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for ctx.Err() == nil {
		killed, err := f.members[mathrand.IntN(len(f.members))].kill()
		if killed || err != nil {
			f.killedNodes++
			return err
		}
		pause(ctx, time.Millisecond) // that one was just dead
	}
	return ctx.Err()
}

func (f *fleet) killPostgres(ctx context.Context) error {
	f.killedPostgres++
	return restart(ctx, f.postgres)
}

func (f *fleet) killRedis(ctx context.Context) error {
	f.killedRedis++
	return restart(ctx, f.redis)
}

// restart kills a server and brings it back a moment later.
func restart(ctx context.Context, s interface {
	Kill() error
	Start() error
},
) error {
	if err := s.Kill(); err != nil {
		return fmt.Errorf("kill %T: %w", s, err)
	}
	pause(ctx, moment(time.Millisecond, 300*time.Millisecond))
	return s.Start()
}

// alive waits until every node answers.
func (f *fleet) alive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, m := range f.members {
		for !m.answers() {
			if ctx.Err() != nil {
				return fmt.Errorf("node %s does not live again: %s", m.dir, m.complaint())
			}
			pause(ctx, 5*time.Millisecond)
		}
	}
	return nil
}

// counting waits until limits are counted in Redis: if they never are, killing it proved nothing.
func (f *fleet) counting(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		keys, err := f.redis.Keys(ctx)
		if err != nil {
			return fmt.Errorf("no limit is counted in Redis: %w", err)
		}
		if keys > 0 {
			return nil
		}
		pause(ctx, 5*time.Millisecond)
	}
}

// member is a node that is started again whenever it has ended.
type member struct {
	*victim
	losesDisk bool

	mu      sync.Mutex
	process *os.Process // nil from its end, or the signal for it, to the next life
	up      bool        // it listens
	last    string      // what it said on stderr in its last life
}

// keep starts the node again and again, as a service manager does, until over is closed; then it has it end in order.
func (m *member) keep(ctx context.Context, over <-chan struct{}) error {
	for {
		ended, err := m.begin(ctx)
		if err != nil {
			return err
		}
		select {
		case err := <-ended: // killed, or it could not start because something else was down
			if ctx.Err() != nil {
				return errors.Join(ctx.Err(), err)
			}
			if m.losesDisk {
				if err := os.RemoveAll(m.dir); err != nil {
					return err
				}
			}
			pause(ctx, moment(time.Millisecond, 100*time.Millisecond))
		case <-over:
			if _, err := m.signal(syscall.SIGTERM); err != nil {
				return err
			}
			if err := <-ended; err != nil {
				return fmt.Errorf("%w: %s", err, m.complaint())
			}
			return nil
		}
	}
}

// begin starts the node. The channel tells how its life ended.
func (m *member) begin(ctx context.Context) (<-chan error, error) {
	cmd, err := m.command(ctx)
	if err != nil {
		return nil, err
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	m.set(cmd.Process, false, "")
	ended := make(chan error, 1)
	go func() {
		if _, err := bufio.NewReader(out).ReadString('\n'); err == nil {
			m.listens(cmd.Process)
		}
		_, _ = io.Copy(io.Discard, out) // to its end: Wait would close the pipe under the reader
		err := cmd.Wait()
		m.set(nil, false, said.String())
		ended <- err
	}()
	return ended, nil
}

func (m *member) set(p *os.Process, up bool, said string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.process, m.up, m.last = p, up, said
}

// listens notes that a process listens, unless it has been killed since it said so.
func (m *member) listens(p *os.Process) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.up = m.process == p
}

func (m *member) kill() (bool, error) { return m.signal(syscall.SIGKILL) }

// signal reports whether there was a process to send it to. From then on the node counts as dead.
func (m *member) signal(s os.Signal) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.process == nil {
		return false, nil
	}
	if err := m.process.Signal(s); err != nil {
		if errors.Is(err, os.ErrProcessDone) {
			return false, nil
		}
		return false, err
	}
	m.process, m.up = nil, false
	return true, nil
}

func (m *member) answers() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.up
}

func (m *member) complaint() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}
