package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lanyard-auth/lanyard"
)

// TestCluster is `make cluster`: real nginx, PostgreSQL and Redis, and three servers that are killed and replaced under
// traffic. What was acknowledged is counted, once.
func TestCluster(t *testing.T) {
	c := start(t)
	key, err := c.seed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client, err := lanyard.NewClient(c.url, c.token)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("client address", func(t *testing.T) { c.believesNginxAlone(t, client, key) })
	t.Run("stream", func(t *testing.T) { c.streams(t, client) })

	traffic := &traffic{c: c, key: key}
	stop := traffic.start(t)
	traffic.goOn(t, "with everything up")

	must(t, c.nodes[0].kill())
	traffic.goOn(t, "with a node killed")
	must(t, c.nodes[0].start(t.Context()))

	for _, n := range c.nodes {
		must(t, n.end())
		traffic.goOn(t, "with "+n.name+" ended")
		must(t, n.start(t.Context()))
	}
	traffic.goOn(t, "with every node replaced")

	must(t, c.redis.Kill())
	traffic.goOn(t, "with Redis killed")
	must(t, c.redis.Start())
	must(t, c.postgres.Kill())
	must(t, c.postgres.Start())
	traffic.goOn(t, "after a kill of PostgreSQL")
	must(t, c.front.kill())
	must(t, c.front.start(t.Context()))
	traffic.goOn(t, "after a kill of nginx")
	stop()

	count, units := int64(0), int64(0)
	day := 24 * time.Hour
	now := time.Now().UTC().Truncate(day)
	for row, err := range client.AllUsage(t.Context(), lanyard.UsageQuery{From: now.Add(-2 * day), To: now.Add(2 * day), Key: key.ID, Granularity: "day"}) {
		if err != nil {
			t.Fatal(err)
		}
		count, units = count+row.Count, units+row.Units
	}
	told, cost := traffic.told.Load(), traffic.cost.Load()
	if count != told || units != cost {
		t.Errorf("%d uses of %d units were acknowledged, and %d of %d counted", told, cost, count, units)
	}
	t.Logf("%d acknowledged, %d counted; %d asked again", told, count, traffic.broken.Load())
	reconcile := c.lanyard(t.Context(), "usage", "reconcile")
	reconcile.Env = append(reconcile.Env, "LANYARD_URL="+c.url, "LANYARD_TOKEN="+c.token)
	if out, err := reconcile.CombinedOutput(); err != nil || !strings.HasSuffix(string(out), "difference: 0.\n") {
		t.Errorf("usage reconcile = %q, %v, want the difference 0", out, err)
	}
	t.Run("newer schema", c.meetsANewerSchema)
}

// What the cluster started, and its directory, go with it even if it is killed.
func TestWatchdog(t *testing.T) {
	c := &cluster{dir: filepath.Join(t.TempDir(), "cluster")}
	must(t, os.Mkdir(c.dir, 0o700))
	must(t, c.watch())
	s := &service{name: "sleep", dir: c.dir, program: "/bin/sh", args: []string{"-c", "sleep 1000; true"}} // with a child
	ended, err := s.begin()
	must(t, err)
	must(t, c.lifeline.Close()) // as the kernel does it when this process ends
	must(t, c.watchdog.Wait())
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the program still runs")
		must(t, s.kill())
	}
	if _, err := os.Stat(c.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory: %v, want it gone", err)
	}
}

func start(t *testing.T) *cluster {
	t.Helper()
	c, err := newCluster(t.Context(), built(t), shipped(t), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, c.close()) })
	return c
}

// built is the program.
func built(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "lanyard")
	build := exec.Command("go", "build", "-o", program, "../../cmd/lanyard")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	return program
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// believesNginxAlone: a node takes the address of a client from nginx, and nginx from the connection, whatever is claimed.
func (c *cluster) believesNginxAlone(t *testing.T, client *lanyard.Client, key lanyard.NewKey) {
	elsewhere := "127.0.0.2"
	doorman, err := client.CreateKey(t.Context(), key.AppID, lanyard.KeyInput{Name: "doorman", Scopes: []string{"lanyard.verify"}, IPAllow: []string{elsewhere}})
	must(t, err)
	for _, test := range []struct {
		from, claimed string
		want          int
	}{
		{elsewhere, "", http.StatusOK},
		{"127.0.0.1", "", http.StatusUnauthorized},
		{"127.0.0.1", elsewhere, http.StatusUnauthorized},
		{elsewhere, "192.0.2.1", http.StatusOK},
	} {
		from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(test.from)}}
		transport := &http.Transport{DialContext: from.DialContext}
		req := c.ask(t.Context(), doorman.Secret, lanyard.VerifyRequest{Credential: key.Secret, API: "weather", DryRun: true})
		if test.claimed != "" {
			req.Header.Set("X-Forwarded-For", test.claimed)
		}
		// nginx listens on IPv4 alone, and so must the caller, whose address is one.
		req.URL.Host = strings.Replace(req.URL.Host, "localhost", "127.0.0.1", 1)
		res, err := transport.RoundTrip(req)
		must(t, err)
		must(t, res.Body.Close())
		if res.StatusCode != test.want {
			t.Errorf("from %s, claiming %q: status %d, want %d", test.from, test.claimed, res.StatusCode, test.want)
		}
		transport.CloseIdleConnections()
	}
}

// streams: an event comes through nginx while the stream is open.
func (c *cluster) streams(t *testing.T, client *lanyard.Client) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	now, err := client.Changes(ctx, "", 0)
	must(t, err)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/v1/changes?after="+now.Cursor, nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", "text/event-stream")
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), ": as_of_age_ms=") {
		t.Fatalf("the stream begins %q, %v, want a beat", lines.Text(), lines.Err())
	}
	team, err := client.CreateTeam(ctx, lanyard.TeamInput{Name: "Rainy"})
	must(t, err)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "data: ") && strings.Contains(lines.Text(), team.ID) {
			return
		}
	}
	t.Errorf("the stream ended (%v) before it told of the new team", lines.Err())
}

// meetsANewerSchema: nodes that run when a newer program migrates are not stopped; the older program does not start again.
func (c *cluster) meetsANewerSchema(t *testing.T) {
	conn, err := pgx.Connect(t.Context(), c.database)
	must(t, err)
	_, err = conn.Exec(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)`)
	must(t, errors.Join(err, conn.Close(context.WithoutCancel(t.Context()))))
	must(t, c.nodes[0].end())
	if err := c.nodes[0].start(t.Context()); err == nil {
		t.Error("the older program starts on a newer schema, want it refused")
	}
	log, err := os.ReadFile(c.nodes[0].log())
	must(t, err)
	if !strings.Contains(string(log), "schema version 9999") {
		t.Errorf("the log says %q, want it to name the schema", log)
	}
	for _, n := range c.nodes[1:] {
		if !answers(t.Context(), n.ready) {
			t.Errorf("%s is not ready any more", n.name)
		}
	}
}

func (c *cluster) ask(ctx context.Context, asker string, in lanyard.VerifyRequest) *http.Request {
	body, err := json.Marshal(in)
	if err != nil {
		panic(err) // a type of ours
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/v1/verify", bytes.NewReader(body))
	if err != nil {
		panic(err) // constant but for the address of a server that answered
	}
	req.Header.Set("Authorization", "Bearer "+asker)
	req.Header.Set("Content-Type", "application/json")
	return req
}

// traffic is clients that repeat each use, with its idempotency key, until they are told yes.
type traffic struct {
	c   *cluster
	key lanyard.NewKey

	told, cost, broken atomic.Int64
}

// start sets clients going. stop returns when each has brought its last use to an end.
func (tr *traffic) start(t *testing.T) (stop func()) {
	var over atomic.Bool
	var clients sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for n := range 4 {
		clients.Go(func() {
			for i := 0; !over.Load() && ctx.Err() == nil; i++ {
				cost := 1 + mathrand.Int64N(1000)
				in := lanyard.VerifyRequest{Credential: tr.key.Secret, API: "weather", Cost: &cost, IdempotencyKey: fmt.Sprintf("%d-%d", n, i)}
				for !tr.yes(ctx, in) && ctx.Err() == nil {
					tr.broken.Add(1)
					<-time.After(10 * time.Millisecond) // a client waits a little, too
				}
				if ctx.Err() == nil {
					tr.told.Add(1)
					tr.cost.Add(cost)
				}
			}
		})
	}
	t.Cleanup(func() { // when the test failed
		cancel()
		clients.Wait()
	})
	return func() {
		over.Store(true)
		clients.Wait()
	}
}

func (tr *traffic) yes(ctx context.Context, in lanyard.VerifyRequest) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	res, err := http.DefaultClient.Do(tr.c.ask(ctx, tr.c.token, in))
	if err != nil {
		return false
	}
	defer res.Body.Close()
	var d lanyard.Decision
	return res.StatusCode == http.StatusOK && json.NewDecoder(res.Body).Decode(&d) == nil && d.Allowed
}

// goOn waits until so many more calls were acknowledged that none of them can have been under way before.
func (tr *traffic) goOn(t *testing.T, when string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	defer func() { t.Logf("%s: %d asked again so far", when, tr.broken.Load()) }()
	for enough := tr.told.Load() + 100; tr.told.Load() < enough; {
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Fatalf("calls do not go on %s", when)
		}
	}
}
