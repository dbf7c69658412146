// Command bench measures POST /v1/verify beside a bare net/http handler that decodes and encodes the same JSON, in one
// run on one machine: requests per second, p50 and p99 at 16 and 64 connections, with one key and with a million stored.
// Servers run in processes of their own; rounds take turns, and the middle one counts, because machines are noisy.
//
//	go run ./e2e/bench [-keys 1000000] [-asked 100000] [-rounds 5] [-for 2s] [-only keys|limits|badge|doors|pages]
//
// Then it measures limits and quotas, on one node and on three, and the visitor badge in the same way, the doors beside what does the same without asking, and the
// pages, one at a time, on a server with much on it.
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
	"net"
	"net/http"
	_ "net/http/pprof" // shown where -pprof says
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/server"
	"github.com/lanyard-auth/lanyard/internal/web"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

type plan struct {
	keys, asked, rounds int
	during              time.Duration
	only                string // keys, limits, badge, doors or pages; empty: all
	match               string
	profile             string
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	var p plan
	flags.IntVar(&p.keys, "keys", 1_000_000, "keys stored in the large run")
	flags.IntVar(&p.asked, "asked", 100_000, "keys that the large run asks about, uniformly")
	flags.IntVar(&p.rounds, "rounds", 5, "rounds of each measurement; the middle one counts")
	flags.DurationVar(&p.during, "for", 2*time.Second, "length of a round")
	flags.StringVar(&p.only, "only", "", "measure keys, limits, badge, doors or pages alone")
	flags.StringVar(&p.match, "match", "", "measure only those of the badge whose name holds this")
	flags.StringVar(&p.profile, "pprof", "", "address where the measured server of the badge, or the doors, shows its profiles")
	serve := flags.String("serve", "", "internal: what a child process serves, bare or a data directory")
	database := flags.String("database", "", "internal: the database of a child, if it is not in its directory")
	redis := flags.String("redis", "", "internal: the Redis of a child")
	durability := flags.String("durability", "", "internal: the durability of a child, if it is not what its database suggests")
	var where site
	flags.StringVar(&where.gateway, "gateway", "", "internal: where a child's gateway listens")
	flags.StringVar(&where.envoy, "envoy", "", "internal: where a child answers Envoy")
	flags.StringVar(&where.metrics, "metrics", "", "internal: where a child shows its counters")
	upstream := flags.String("upstream", "", "internal: where a child that is a bare proxy forwards to")
	var guard guard
	flags.StringVar(&guard.server, "asks", "", "internal: the server that a child which is a guarded API asks")
	flags.StringVar(&guard.token, "token", "", "internal: by what it asks")
	flags.StringVar(&guard.api, "api", "", "internal: its name")
	flags.BoolVar(&guard.follow, "follow", false, "internal: it follows the log of changes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch *serve {
	case "upstream":
		return serveUpstream(ctx, out)
	case "guarded":
		return guard.serve(ctx, out)
	case "yes":
		return serveYes(ctx, out)
	case "check":
		return serveCheck(ctx, out)
	case "proxy":
		return serveProxy(ctx, *upstream, out)
	case "":
		return measure(ctx, p, out, progress)
	case "bare":
		return serveBare(ctx, out)
	}
	where.dir, where.database, where.redis, where.durability = *serve, secret.Of(*database), secret.Of(*redis), *durability
	return serveLanyard(ctx, where.settings(), p.profile, out)
}

// serveBare decodes and encodes the same JSON as /v1/verify with encoding/json, and does nothing else.
func serveBare(ctx context.Context, out io.Writer) error {
	var answer lanyard.Decision
	if err := json.Unmarshal([]byte(sampleAnswer), &answer); err != nil {
		return err
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in lanyard.VerifyRequest
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body, err := json.Marshal(&answer)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // the client has gone otherwise
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, l.Addr())
	mux := http.NewServeMux()
	mux.Handle("POST /v1/verify", handler)
	return web.Serve(ctx, &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}, l, time.Second)
}

const sampleAnswer = `{"allowed":true,"code":"valid","message":"The request may pass.","credential":{"id":"key_8fK2mQz7Lr0Xc41Z","kind":"key","mode":"live","version":1},` +
	`"app":{"id":"app_8fK2mQz7Lr0Xc41Z","name":"WeatherDashboard"},"team":{"id":"team_8fK2mQz7Lr0Xc41Z"},"scopes":["forecast.read"],"limits":[],"http":{"status":200},"revision":"r1000123"}`

func serveLanyard(ctx context.Context, settings config.Settings, profile string, out io.Writer) error {
	if profile != "" {
		l, err := net.Listen("tcp", profile)
		if err != nil {
			return err
		}
		go http.Serve(l, http.DefaultServeMux) //nolint:errcheck // for whoever profiles, until the process ends
	}
	s, err := server.New(ctx, settings, server.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	return s.Run(ctx, func(a net.Addr) { fmt.Fprintln(out, a) })
}

// site is where a server keeps what it has; what is empty is as the server would choose.
type site struct {
	dir, durability string
	gateway, envoy  string
	metrics         string
	database, redis secret.Secret
}

func settings(dir string) config.Settings { return site{dir: dir}.settings() }

func (w site) settings() config.Settings {
	proxies := ""
	if w.envoy != "" {
		proxies = "127.0.0.1/32"
	}
	s, err := config.Load(config.Source{Dir: w.dir, Getenv: func(name string) string {
		return map[string]string{
			"LANYARD_DATA_DIR": w.dir, "LANYARD_LISTEN": "127.0.0.1:0", "LANYARD_PUBLIC_URL": "http://localhost:8420",
			"LANYARD_DATABASE_URL": w.database.Reveal(), "LANYARD_REDIS_URL": w.redis.Reveal(), "LANYARD_DURABILITY": w.durability,
			"LANYARD_GATEWAY_LISTEN": w.gateway, "LANYARD_EXTAUTHZ_LISTEN": w.envoy, "LANYARD_METRICS_LISTEN": w.metrics, "LANYARD_TRUSTED_PROXIES": proxies,
		}[name]
	}})
	if err != nil {
		panic(err) // constant input
	}
	return s
}

// process is a server that runs beside.
type process struct {
	address string
	pid     int
}

// child starts this program again as a server.
func child(ctx context.Context, what string, more ...string) (p process, stop func() error, err error) {
	self, err := os.Executable()
	if err != nil {
		return p, nil, err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{"-serve", what}, more...)...)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	out, err := cmd.StdoutPipe()
	if err != nil {
		return p, nil, err
	}
	if err := cmd.Start(); err != nil {
		return p, nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	stop = func() error { return errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait()) }
	if err != nil {
		return p, nil, errors.Join(fmt.Errorf("start %s: %w", what, err), stop())
	}
	return process{strings.TrimSpace(line), cmd.Process.Pid}, stop, nil
}

// subject is one server and what it is asked.
type subject struct {
	name    string
	address string
	others  []string // further nodes that share the connections
	pids    []int    // of the servers that work for it, whose processor time is then told; none: it is not
	open    func(conn int) talk
	drive   func(conn int, until time.Time) ([]time.Duration, error) // for what is not said over HTTP/1.1, in place of open
	before  func() error                                             // before a round; nil: nothing is to be prepared
	after   func() error                                             // after a round, to look at what came of it; nil: the answers said it all
}

func measure(ctx context.Context, p plan, out, progress io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "lanyard-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	about := fmt.Sprintf("%s, %d cores, %s", runtime.Version(), runtime.NumCPU(), runtime.GOARCH)
	if p.only != "pages" {
		fmt.Fprintf(out, "%s; %d rounds of %s, the middle one counts\n", about, p.rounds, p.during)
		if err := measureBeside(ctx, p, dir, out, progress); err != nil {
			return err
		}
	}
	if p.only == "" || p.only == "doors" {
		if err := measureDoors(ctx, p, dir, out, progress); err != nil {
			return err
		}
	}
	if p.only == "" || p.only == "pages" {
		fmt.Fprintf(out, "\n%s; each page %d times, one at a time\n", about, pageAsked)
		return measurePages(ctx, crowd{teams: 500, people: 5000, apps: 10_000, large: 2000, usage: 1_000_000}, dir, out, progress)
	}
	return nil
}

// measureBeside measures what is told as a part of the bare handler.
func measureBeside(ctx context.Context, p plan, dir string, out, progress io.Writer) (err error) {
	bare, stopBare, err := child(ctx, "bare")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopBare()) }()
	if p.only == "" || p.only == "keys" {
		fmt.Fprintf(out, "\n| keys stored | connections | what | requests/s | of bare | p50 | p99 |\n|---:|---:|---|---:|---:|---:|---:|\n")
		for _, keys := range []int{1, p.keys} {
			if err := measureKeys(ctx, p, keys, filepath.Join(dir, fmt.Sprint(keys)), bare.address, out, progress); err != nil {
				return err
			}
		}
	}
	if p.only == "" || p.only == "limits" {
		if err := measureLimits(ctx, p, dir, bare, out, progress); err != nil {
			return err
		}
	}
	if p.only == "" || p.only == "badge" {
		return measureBadge(ctx, p, dir, bare, out, progress)
	}
	return nil
}

func measureKeys(ctx context.Context, p plan, keys int, dir, bare string, out, progress io.Writer) (err error) {
	fmt.Fprintf(progress, "storing %d keys…\n", keys)
	began := time.Now()
	seeded, err := seed(ctx, settings(dir), keys, min(keys, p.asked))
	if err != nil {
		return fmt.Errorf("store %d keys: %w", keys, err)
	}
	fmt.Fprintf(progress, "stored %d keys in %s\n", keys, time.Since(began).Round(time.Second))
	running, stop, err := child(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	address := running.address
	handler := subject{name: "(a) bare handler", address: bare, open: seeded.questions(bare, "open")}
	subjects := []subject{
		{name: "(b) /v1/verify, unmetered", address: address, open: seeded.questions(address, "open")},
		{name: "(c) /v1/verify, metered (disk)", address: address, open: seeded.questions(address, "weather")},
	}
	// Warm up: every key that will be asked about, once on each API.
	for _, s := range subjects {
		if err := seeded.warm(s); err != nil {
			return err
		}
	}
	for _, connections := range []int{16, 64} {
		rows, err := compare(p, connections, handler, subjects)
		if err != nil {
			return err
		}
		for _, r := range rows {
			fmt.Fprintf(out, "| %d | %d | %s |\n", keys, connections, r)
		}
	}
	return nil
}

// compare asks the subjects in turns, the bare handler before each of them, since a machine that others use is fast now and
// slow then. It returns the last columns of a line for each; of bare is the middle of what each round was of the one before.
func compare(p plan, connections int, bare subject, subjects []subject) ([]string, error) {
	var base []result
	rounds, parts := make([][]result, len(subjects)), make([][]float64, len(subjects))
	for range p.rounds {
		for i, s := range subjects {
			before, err := bare.round(connections, p.during/2)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", bare.name, err)
			}
			r, err := s.round(connections, p.during)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			base, rounds[i], parts[i] = append(base, before), append(rounds[i], r), append(parts[i], r.perSecond/before.perSecond)
		}
	}
	rows := []string{row(bare.name, middle(base), 1)}
	for i, s := range subjects {
		slices.Sort(parts[i])
		rows = append(rows, row(s.name, middle(rounds[i]), parts[i][len(parts[i])/2]))
	}
	return rows, nil
}

// row is a line's columns from the name on: requests a second, part of bare, processor time of the server where it is known,
// and how long an answer took.
func row(name string, r result, part float64) string {
	cpu := ""
	if r.cpu > 0 {
		cpu = fmt.Sprintf("%.1fµs | ", float64(r.cpu.Nanoseconds())/1000)
	}
	return fmt.Sprintf("%s | %.0f | %.2f | %s%s | %s", name, r.perSecond, part, cpu, r.p50.Round(time.Microsecond), r.p99.Round(time.Microsecond))
}

func (s *subject) round(connections int, during time.Duration) (r result, err error) {
	if s.before != nil {
		if err := s.before(); err != nil {
			return r, err
		}
	}
	busy, err := processorTime(s.pids...)
	if err != nil {
		return r, err
	}
	converse := s.drive
	if converse == nil {
		addresses := append([]string{s.address}, s.others...) // share the connections evenly
		converse = func(conn int, until time.Time) ([]time.Duration, error) {
			return drive(addresses[conn%len(addresses)], until, s.open(conn))
		}
	}
	if r, err = load(connections, during, converse); err != nil {
		return r, err
	}
	after, err := processorTime(s.pids...)
	if err != nil {
		return r, err
	}
	r.cpu = (after - busy) / time.Duration(r.requests)
	if s.after == nil {
		return r, nil
	}
	return r, s.after()
}

// processorTime is what processes have used up, in steps of 10 ms; 0 where the system does not say.
func processorTime(pids ...int) (time.Duration, error) {
	if runtime.GOOS != "linux" {
		return 0, nil
	}
	var ticks int64
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, err
		}
		// proc_pid_stat(5): the name stands in brackets; user and system time are the 14th and 15th field, in hundredths of a second.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) < 13 {
			return 0, fmt.Errorf("the times of process %d cannot be read", pid)
		}
		for _, field := range fields[11:13] {
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return 0, err
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

func middle(rounds []result) result {
	slices.SortFunc(rounds, func(a, b result) int {
		if a.perSecond < b.perSecond {
			return -1
		}
		return 1
	})
	return rounds[len(rounds)/2]
}
