package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/server"
)

// victim is the server that is killed.
type victim struct {
	dir, listen, durability string
	asker                   string
	repeating, once         lanyard.NewKey
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
