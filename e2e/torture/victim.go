package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/pgtest"
	"github.com/lanyard-auth/lanyard/internal/server"
)

// victim is a server that is killed. It is always found at the same address.
type victim struct {
	dir, durability string
	port            pgtest.Port
	shared          map[string]string // settings that it has in common with other nodes
	keys
}

// keys are what clients ask with and ask about.
type keys struct {
	asker           string
	repeating, once lanyard.NewKey
}

func newVictim(dir, durability string, shared map[string]string) (*victim, error) {
	port, err := pgtest.Reserve()
	return &victim{dir: dir, durability: durability, port: port, shared: shared}, err
}

func (v *victim) settings() config.Settings {
	return settings(v.dir, v.port.Address(), v.durability, func(name string) string { return v.shared[name] })
}

func (v *victim) seed(ctx context.Context) (err error) {
	core, err := server.Open(ctx, v.settings(), server.Options{})
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
	app, err := core.Manage.CreateApp(ctx, actor, lanyard.AppInput{
		Name: "WeatherDashboard", TeamID: team.ID,
		// Nobody reaches it, but every call has to be counted against it: where there is a Redis, there.
		Limits: []lanyard.Limit{{Name: "minute", Limit: 1_000_000_000, WindowSeconds: 60}},
	})
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
	cmd, err := v.command(ctx)
	if err != nil {
		return err
	}
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

// command is this program again, as a server. Secrets go by the environment, which other users cannot read.
func (v *victim) command(ctx context.Context) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-serve", v.dir, "-listen", v.port.Address(), "-durability", v.durability)
	cmd.Env = append(os.Environ(), childVariable+"=1")
	for name, value := range v.shared {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd, nil
}

// childVariable tells the test binary that it is the server.
const childVariable = "LANYARD_TORTURE_CHILD"

// use is one use of a key: what it costs, and the idempotency key it is repeated with, if it is.
type use struct {
	key            lanyard.NewKey
	cost           int64
	idempotencyKey string
}

// ask asks once, and returns nil for a yes.
func (v *victim) ask(ctx context.Context, u use) error {
	body, err := json.Marshal(lanyard.VerifyRequest{Credential: u.key.Secret, API: "weather", Cost: &u.cost, IdempotencyKey: u.idempotencyKey})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+v.port.Address()+"/v1/verify", bytes.NewReader(body))
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

// flush counts what waits in the victim's spool, once it has gone for good.
func (v *victim) flush(ctx context.Context) error {
	s, err := server.New(ctx, v.settings(), server.Options{})
	if err != nil {
		return err
	}
	return s.Start(ctx)()
}

// count reads what the database says, after the last server has gone.
func (v *victim) count(ctx context.Context, r *report) (err error) {
	s, err := server.New(ctx, v.settings(), server.Options{})
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
			r.counted, r.countedUnits = r.counted+row.Count, r.countedUnits+row.Units
		case row.Key == v.once.ID:
			r.countedOnce += row.Count
		}
	}
	_, differences, err := s.Store.ReconcileUsage(ctx, from, to)
	r.differences = len(differences)
	return err
}
