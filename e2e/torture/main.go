// Command torture kills a server under traffic, again and again, and then compares what its clients were told with what
// it counted. It prints acknowledged, counted and the difference, which must be 0.
//
//	go run ./e2e/torture [-kills 200] [-durability disk]
//
// Half of the clients send an idempotency key and repeat until they are told yes: each of their uses must be counted once.
// The others never repeat: what they were told is counted, and what broke off may be, once.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	flags := flag.NewFlagSet("torture", flag.ContinueOnError)
	kills := flags.Int("kills", 200, "how often the server is killed")
	durability := flags.String("durability", config.Disk, "disk, fsync or database")
	serve := flags.String("serve", "", "internal: the data directory a child process serves")
	listen := flags.String("listen", "", "internal: where")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *serve != "" {
		s, err := server.New(ctx, settings(*serve, *listen, *durability), server.Options{Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))})
		if err != nil {
			return err
		}
		return s.Run(ctx, func(a net.Addr) { fmt.Fprintln(out, a) })
	}
	r, err := torture(ctx, *kills, *durability, progress)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, r)
	return r.verdict()
}

func settings(dir, listen, durability string) config.Settings {
	s, err := config.Load(config.Source{Dir: dir, Getenv: func(name string) string {
		return map[string]string{
			"LANYARD_DATA_DIR": dir, "LANYARD_LISTEN": listen, "LANYARD_PUBLIC_URL": "http://localhost:8420", "LANYARD_DURABILITY": durability,
			// Nodes that share a database are told of it in the environment.
			"LANYARD_DATABASE_URL": os.Getenv("LANYARD_DATABASE_URL"), "LANYARD_MASTER_KEY": os.Getenv("LANYARD_MASTER_KEY"),
		}[name]
	}})
	if err != nil {
		panic(err) // constant input
	}
	return s
}

// report is what came of it. Repeating clients are exact; of the others the count lies between told and tried.
type report struct {
	kills                    int
	acknowledged, counted    int64 // of clients that repeat with an idempotency key
	told, tried, countedOnce int64 // of clients that do not
	differences              int   // between ledger and rollups
}

func (r report) String() string {
	return fmt.Sprintf("kills %d\nacknowledged %d, counted %d, difference %d\nwithout retries: told %d, counted %d, tried %d\nreconcile: %d differences",
		r.kills, r.acknowledged, r.counted, r.counted-r.acknowledged, r.told, r.countedOnce, r.tried, r.differences)
}

func (r report) verdict() error {
	switch {
	case r.acknowledged == 0 || r.told == 0:
		return errors.New("nothing was acknowledged, so nothing was proven")
	case r.counted != r.acknowledged:
		return fmt.Errorf("%d uses were acknowledged and %d counted", r.acknowledged, r.counted)
	case r.countedOnce < r.told || r.countedOnce > r.tried:
		return fmt.Errorf("without retries %d were told yes and %d tried, but %d counted", r.told, r.tried, r.countedOnce)
	case r.differences != 0:
		return fmt.Errorf("ledger and rollups differ in %d places", r.differences)
	}
	return nil
}

// victim is the server that is killed.
type victim struct {
	dir, listen, durability string
	asker                   string
	repeating, once         lanyard.NewKey
}

func torture(ctx context.Context, kills int, durability string, progress io.Writer) (_ report, err error) {
	dir, err := os.MkdirTemp("", "lanyard-torture-")
	if err != nil {
		return report{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	listen, err := freeAddress()
	if err != nil {
		return report{}, err
	}
	v := &victim{dir: dir, listen: listen, durability: durability}
	if err := v.seed(ctx); err != nil {
		return report{}, fmt.Errorf("prepare: %w", err)
	}
	r := report{kills: kills}
	clients, stopClients := context.WithCancel(ctx)
	defer stopClients()
	var traffic sync.WaitGroup
	var stopping atomic.Bool
	for c := range 8 {
		traffic.Go(func() {
			for i := 0; !stopping.Load() && clients.Err() == nil; i++ {
				if c%2 == 0 {
					if v.repeat(clients, fmt.Sprintf("%d-%d", c, i)) {
						atomic.AddInt64(&r.acknowledged, 1)
					}
					continue
				}
				atomic.AddInt64(&r.tried, 1)
				if v.ask(clients, v.once.Secret, "") == nil {
					atomic.AddInt64(&r.told, 1)
				}
			}
		})
	}
	for k := range kills {
		if err := v.liveAndDie(ctx, syscall.SIGKILL, time.Duration(20+mathrand.IntN(250))*time.Millisecond); err != nil {
			return r, fmt.Errorf("life %d: %w", k, err)
		}
		if (k+1)%20 == 0 {
			fmt.Fprintf(progress, "%d of %d kills, %d acknowledged\n", k+1, kills, atomic.LoadInt64(&r.acknowledged))
		}
	}
	// A last life: clients finish what they began, then the server ends in order.
	done := make(chan struct{})
	go func() {
		stopping.Store(true)
		traffic.Wait()
		close(done)
	}()
	if err := v.live(ctx, func(p *os.Process) error { <-done; return p.Signal(syscall.SIGTERM) }); err != nil {
		return r, fmt.Errorf("last life: %w", err)
	}
	return r, v.count(ctx, &r)
}

func (v *victim) seed(ctx context.Context) (err error) {
	core, err := server.Open(ctx, settings(v.dir, v.listen, v.durability), server.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, core.Close()) }()
	actor := audit.Command("torture")
	system, err := core.Manage.CreateSystemKey(ctx, actor, "torture", []string{"lanyard.verify"})
	if err != nil {
		return err
	}
	v.asker = system.Secret
	if _, err := core.Manage.ApplyCatalog(ctx, actor, lanyard.Catalog{APIs: map[string]lanyard.API{"weather": {Takes: "key"}}}, false); err != nil {
		return err
	}
	team, err := core.Manage.CreateTeam(ctx, actor, lanyard.TeamInput{Name: "Sunny"})
	if err != nil {
		return err
	}
	app, err := core.Manage.CreateApp(ctx, actor, lanyard.AppInput{Name: "WeatherDashboard", TeamID: team.ID})
	if err != nil {
		return err
	}
	for name, into := range map[string]*lanyard.NewKey{"repeating": &v.repeating, "once": &v.once} {
		if *into, err = core.Manage.CreateKey(ctx, actor, app.ID, lanyard.KeyInput{Name: name}); err != nil {
			return err
		}
	}
	return nil
}

// liveAndDie runs the server for a while after it has begun to answer, then kills it.
func (v *victim) liveAndDie(ctx context.Context, with syscall.Signal, after time.Duration) error {
	return v.live(ctx, func(p *os.Process) error {
		select {
		case <-time.After(after):
		case <-ctx.Done():
		}
		return p.Signal(with)
	})
}

func (v *victim) live(ctx context.Context, end func(*os.Process) error) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, "-serve", v.dir, "-listen", v.listen, "-durability", v.durability)
	cmd.Env = append(os.Environ(), childVariable+"=1")
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return errors.Join(fmt.Errorf("the server did not start: %s", complaint.String()), cmd.Process.Kill(), cmd.Wait())
	}
	if err := end(cmd.Process); err != nil {
		return err
	}
	_ = cmd.Wait() // it was killed, or ended as told
	return nil
}

// childVariable tells the test binary that it is the server.
const childVariable = "LANYARD_TORTURE_CHILD"

// repeat asks until the answer is yes.
func (v *victim) repeat(ctx context.Context, idempotencyKey string) bool {
	for ctx.Err() == nil {
		if v.ask(ctx, v.repeating.Secret, idempotencyKey) == nil {
			return true
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
	return false
}

func (v *victim) ask(ctx context.Context, credential, idempotencyKey string) error {
	body, err := json.Marshal(lanyard.VerifyRequest{Credential: credential, API: "weather", IdempotencyKey: idempotencyKey})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+v.listen+"/v1/verify", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+v.asker)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var d lanyard.Decision
	if err := json.NewDecoder(resp.Body).Decode(&d); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || !d.Allowed {
		return fmt.Errorf("status %d, %s", resp.StatusCode, d.Code)
	}
	return nil
}

// count reads what the database says, after the last server has gone.
func (v *victim) count(ctx context.Context, r *report) (err error) {
	s, err := server.New(ctx, settings(v.dir, v.listen, v.durability), server.Options{})
	if err != nil {
		return err
	}
	stop := s.Start(ctx)
	defer func() { err = errors.Join(err, stop()) }()
	now := time.Now().UTC()
	from, to := now.Add(-48*time.Hour).Truncate(24*time.Hour), now.Add(48*time.Hour).Truncate(24*time.Hour)
	rows, err := s.Manage.UsageRows(ctx, audit.Command("torture"), manage.UsageQuery{From: from, To: to, Granularity: "day", GroupBy: []string{"key", "outcome"}, Limit: 200})
	if err != nil {
		return err
	}
	for _, row := range rows.Items {
		switch {
		case row.Outcome != "valid":
		case row.Key == v.repeating.ID:
			r.counted += row.Count
		case row.Key == v.once.ID:
			r.countedOnce += row.Count
		}
	}
	_, differences, err := s.Store.ReconcileUsage(ctx, from, to)
	r.differences = len(differences)
	return err
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
