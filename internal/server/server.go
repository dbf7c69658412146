// Package server wires everything once: New makes a server of its settings, Open what commands on the database need.
// Every route stands in routes.go.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/notify"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/quota"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/server/doors"
	"github.com/lanyard-auth/lanyard/internal/server/oauth"
	"github.com/lanyard-auth/lanyard/internal/stripe"
	"github.com/lanyard-auth/lanyard/internal/usage"
	"github.com/lanyard-auth/lanyard/internal/verify"
	"github.com/lanyard-auth/lanyard/internal/web"
)

const (
	pollEvery = 250 * time.Millisecond
	maxSkew   = 500 * time.Millisecond
	grace     = 10 * time.Second // for requests under way at the end

	// Bytes of a spool segment. Absorbing one is one step of SQLite's only writer, and the node's own beat waits behind it: a
	// segment must take a small part of the staleness that decisions allow, even when every use is of another key.
	segmentSize   = 256 << 10
	keepChanges   = 7 * 24 * time.Hour
	keepQuotas    = 62 * 24 * time.Hour // after the end of their period
	keepReplies   = 10 * time.Minute
	keepNewcomers = 7 * 24 * time.Hour // clients that registered themselves and were never allowed anything
	forgetNodes   = 24 * time.Hour
	keepWebhooks  = 30 * 24 * time.Hour // what was told, and what came of it
	chores        = time.Minute
	writeAttempts = 5 * time.Second
)

// Server is one running node.
type Server struct {
	*Core
	Verifier *verify.Verifier
	Tail     *changes.Tail
	Node     id.Node
	Shared   *ratelimit.Shared // nil: limits are counted in memory
	recorder recorder
	quotas   *quota.Keeper
	kit      *web.Kit
	doors    *doors.Doors
	gateway  *doors.Gateway // nil: there is none
	handler  http.Handler
	metrics  http.Handler
	log      *slog.Logger

	pages      *page.Kit
	oauth      *oauth.Server
	mails      *notify.Runner
	hooks      *notify.Hooks
	delivering sync.Mutex       // one round of letters at a time
	telling    sync.Mutex       // and one of webhooks
	stripe     *stripe.Exporter // nil: Stripe is told nothing
	exporting  sync.Mutex
	lastPrefix atomic.Pointer[readPrefix]

	foundAccounts time.Time // by the chores
}

// recorder is a usage.Recorder with its life: Spool with Absorber, or Direct.
type recorder interface {
	usage.Recorder
	Stats() usage.Stats
	run(ctx context.Context) error
	// flush brings what was recorded here into the database.
	flush(ctx context.Context) error
	// recovered reports whether the uses of earlier starts are all in the database.
	recovered() bool
	close() error
}

type spooled struct {
	*usage.Spool
	absorber *usage.Absorber
}

func (s spooled) run(ctx context.Context) error   { return s.absorber.Run(ctx) }
func (s spooled) flush(ctx context.Context) error { return s.absorber.Flush(ctx) }
func (s spooled) recovered() bool                 { return s.Spool.Recovered() }
func (s spooled) close() error                    { return s.Spool.Close() }

type direct struct{ *usage.Direct }

func (d direct) run(ctx context.Context) error { return d.Direct.Run(ctx) }
func (d direct) flush(context.Context) error   { return d.Direct.Flush() }
func (d direct) recovered() bool               { return true }
func (d direct) close() error                  { return d.Direct.Close() }

// New opens the database and wires a server. Nothing runs until Run, except that it is ready to decide.
func New(ctx context.Context, settings config.Settings, opts Options) (_ *Server, err error) {
	core, err := Open(ctx, settings, opts)
	if err != nil {
		return nil, err
	}
	s := &Server{Core: core, Node: id.New[id.Node](), log: core.opts.Log}
	defer func() {
		if err != nil {
			err = errors.Join(err, core.Close())
		}
	}()
	if s.recorder, err = s.newRecorder(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.recorder.close())
		}
	}()
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	now := core.opts.Now
	s.Tail = &changes.Tail{
		Store: core.Store, Beat: changes.Beat{Node: s.Node, Name: host, StartedAt: now()}, Every: pollEvery, MaxStaleness: settings.MaxStaleness, MaxSkew: maxSkew,
		Now: now, Log: s.log,
	}
	s.quotas = &quota.Keeper{Store: core.Store, Node: s.Node, Spool: s.spoolName(), Recovered: s.recorder.recovered, Now: now, Log: s.log}
	limits, err := s.newLimits()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.closeRedis()
		}
	}()
	s.Verifier = verify.New(verify.Config{
		Store: core.Store, Ring: core.Ring, Tokens: core.minter, Tail: s.Tail, Recorder: s.recorder, Limits: limits, Quotas: s.quotas, Management: core.Management,
		Identifier: settings.Identifier, Now: now, Log: s.log,
	})
	s.Verifier.SetSystemTeam(core.SystemTeam)
	if err := s.Tail.Start(ctx); err != nil {
		return nil, err
	}
	// The first beat goes before the first call: else a node that leases units of a quota would be taken for dead, and one that
	// counts a part of a limit would not be known to the others.
	if err := s.Tail.Sync(ctx); err != nil {
		return nil, err
	}
	s.reachRedis(ctx)
	core.Manage.Flush, core.Manage.Wait = s.flush, s.Tail.Wait
	s.kit = &web.Kit{PublicURL: settings.PublicURL, Proxies: settings.TrustedProxies, Quiet: quiet, Log: s.log, Now: now}
	if s.mails, err = s.newMails(); err != nil {
		return nil, err
	}
	if s.hooks, err = s.newHooks(); err != nil {
		return nil, err
	}
	if s.stripe, err = s.newStripe(); err != nil {
		return nil, err
	}
	if err = s.newDoors(); err != nil {
		return nil, err
	}
	if s.handler, err = s.routes(); err != nil { //nolint:contextcheck // handlers have contexts of their own
		return nil, err
	}
	s.metrics = s.newMetrics()
	return s, nil
}

func (s *Server) newRecorder() (recorder, error) {
	if s.Settings.Durability == config.Database {
		d, err := usage.NewDirect(usage.DirectOptions{Store: s.Store, Node: s.Node, Now: s.opts.Now, Rand: s.opts.Random})
		return direct{d}, err
	}
	dir := s.Settings.SpoolDir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the spool directory: %w", err)
	}
	spool, err := usage.Open(usage.Options{Dir: dir, Node: s.Node, MaxSegment: segmentSize, Fsync: s.Settings.Durability == config.Fsync, Log: s.log, Rand: s.opts.Random})
	if err != nil {
		return nil, err
	}
	return spooled{spool, &usage.Absorber{Spool: spool, Store: s.Store, Log: s.log}}, nil
}

// spoolName names the spool in the leases of quotas; "": there is none.
func (s *Server) spoolName() string {
	if spool, is := s.recorder.(spooled); is {
		return spool.Name()
	}
	return ""
}

// flush brings this node's uses into the database, and the counts of unknown credentials, before they are shown.
func (s *Server) flush(ctx context.Context) error {
	return errors.Join(s.recorder.flush(ctx), s.Verifier.FlushAttempts(ctx))
}

// Handler is the server's main surface, for tests and for whoever listens by themselves.
func (s *Server) Handler() http.Handler { return s.handler }

// Metrics is what the listener of metrics serves.
func (s *Server) Metrics() http.Handler { return s.metrics }

// Pages is what the server's pages are made with, for whoever adds one.
func (s *Server) Pages() *page.Kit { return s.pages }

// Run listens and serves until ctx ends, then finishes what is under way. listening is called with the address once
// requests are answered; it may be nil.
func (s *Server) Run(ctx context.Context, listening func(net.Addr)) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Settings.Listen)
	if err != nil {
		return errors.Join(fault.New(fault.Unavailable, "cannot listen on %s: %s; set LANYARD_LISTEN to a free address", s.Settings.Listen, plainNet(err)), s.Close())
	}
	stop := s.Start(ctx)
	if l, err = s.secured(l); err != nil {
		return errors.Join(err, stop())
	}
	// Whichever listener fails ends them all.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	metricsDone, err := s.serveMetrics(ctx)
	if err != nil {
		return errors.Join(err, l.Close(), stop())
	}
	gatewayDone, err := s.serveGateway(ctx, cancel)
	if err != nil {
		cancel()
		return errors.Join(err, <-metricsDone, l.Close(), stop())
	}
	extAuthzDone, err := s.serveExtAuthz(ctx, cancel)
	if err != nil {
		cancel()
		return errors.Join(err, <-gatewayDone, <-metricsDone, l.Close(), stop())
	}
	if listening != nil {
		listening(l.Addr())
	}
	err = web.Serve(ctx, web.NewServer(s.handler, s.log), l, grace)
	cancel()
	return errors.Join(err, <-extAuthzDone, <-gatewayDone, <-metricsDone, stop())
}

// Start runs the server's background work. The returned function ends it, counts what is waiting and closes the database;
// it is to be called once no more requests come.
func (s *Server) Start(ctx context.Context) (stop func() error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	for _, work := range []func(context.Context){
		s.Tail.Run,
		s.Verifier.Upgrade,
		s.Verifier.RunWatches,
		s.runGateway,
		func(ctx context.Context) { s.Verifier.RunGuard(ctx, writeAttempts) },
		func(ctx context.Context) {
			if err := s.recorder.run(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("counting stopped", "error", err)
			}
		},
		s.quotas.Run,
		s.chores,
		s.deliver,
		s.runRedis,
	} {
		running.Add(1)
		go func() {
			defer running.Done()
			work(ctx)
		}()
	}
	return func() error {
		last, done := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer done()
		err := s.recorder.flush(last)
		if err != nil {
			s.log.Warn("uses are still waiting to be counted; the next start counts them", "error", err)
		}
		cancel()
		running.Wait()
		s.closeRedis()
		if err := s.quotas.GiveBack(last); err != nil {
			s.log.Warn("blocks of quotas could not be given back; the next start does", "error", err)
		}
		return errors.Join(s.recorder.close(), s.Core.Close())
	}
}

// chores are what has to be done every so often. On several nodes each does them: every one is a conditional statement.
func (s *Server) chores(ctx context.Context) {
	ticker := time.NewTicker(chores)
	defer ticker.Stop()
	for {
		now := s.opts.Now()
		for name, chore := range map[string]func() error{
			"tell of rotations due":   func() error { _, err := s.Store.RotationsDue(ctx, now); return err },
			"trim the changes":        func() error { return s.Store.TrimChanges(ctx, now.Add(-keepChanges)) },
			"forget old charges":      func() error { return s.Store.TrimCharges(ctx, now.Add(-keepChanges)) },
			"forget old answers":      func() error { return s.Store.ForgetReplies(ctx, now.Add(-keepReplies)) },
			"forget what was issued":  func() error { return s.Store.TrimGrants(ctx, now) },
			"forget unused clients":   func() error { return s.Store.TrimApps(ctx, now.Add(-keepNewcomers), now) },
			"forget old sessions":     func() error { return s.Store.TrimSessions(ctx, now) },
			"forget old webhooks":     func() error { return s.Store.TrimWebhooks(ctx, now.Add(-keepWebhooks)) },
			"forget old links":        func() error { return s.Store.TrimLinks(ctx, now) },
			"rotate signing keys":     func() error { return s.Ring.RotateSigning(ctx, now) },
			"look keys over":          func() error { _, err := s.Manage.LookOver(ctx); return err },
			"warn of tokens that end": func() error { _, err := s.Manage.WarnPersonal(ctx); return err },
			"write invoices":          func() error { return s.bill(ctx) },
			"write mails of alerts":   func() error { _, err := s.Manage.WriteMails(ctx); return err },
			"forget old events":       func() error { return s.Store.TrimEvents(ctx, now.Add(-billing.EventMemory)) },
			"forget old quotas":       func() error { return s.Store.TrimQuotas(ctx, now.Add(-keepQuotas)) },
			"forget nodes that ended": func() error { return s.Store.ForgetNodes(ctx, forgetNodes) },
		} {
			if err := chore(); err != nil && ctx.Err() == nil {
				s.log.Warn("a chore failed; it is tried again in a minute", "chore", name, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// authenticate finds out who asks the JSON API.
func (s *Server) authenticate(r *http.Request) (audit.Actor, error) {
	credential, err := bearer(r)
	if err != nil {
		return audit.Actor{}, err
	}
	ip := s.kit.Client(r)
	return s.Verifier.Asker(r.Context(), credential, "", ip)
}

// Ready says why the node should get no requests, or nil.
func (s *Server) Ready(ctx context.Context) error {
	if err := s.Store.Ping(ctx); err != nil {
		return err
	}
	return s.Tail.Ready()
}

// Spoiled lists files in the spool that could not be counted and were put aside for a person to look at.
func Spoiled(settings config.Settings) ([]string, error) {
	var found []string
	for _, pattern := range []string{"*.corrupt", "*.aside"} {
		names, err := filepath.Glob(filepath.Join(settings.SpoolDir(), pattern))
		if err != nil {
			return nil, fmt.Errorf("look through the spool: %w", err)
		}
		found = append(found, names...)
	}
	return found, nil
}

func plainNet(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err.Error()
	}
	return err.Error()
}
