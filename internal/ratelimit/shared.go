package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

const (
	callTimeout  = 5 * time.Millisecond
	dialTimeout  = time.Second
	probeEvery   = 250 * time.Millisecond
	whileAlone   = time.Second // what a caller is told to wait for whom only Redis could let pass
	maxRedisAddr = 2           // a failover pair
)

// SharedOptions are what a Shared is made of.
type SharedOptions struct {
	URL     secret.Secret // redis://, rediss:// or unix://; it may hold a password
	Prefix  string        // begins the name of every key; deployments that share a database need different ones
	Memory  *Memory       // counts while Redis is out of reach
	Nodes   func() int    // how many nodes count now, this one included
	Timeout time.Duration // of a call; 0 means 5 ms
	Log     *slog.Logger
}

// Shared counts in Redis or Valkey, for all nodes together, exactly and by the server's clock. Its semantics are Memory's.
//
// A call that is not answered in time is decided without Redis, and after a few of those in a row no call goes there until
// Run has seen it answer. Meanwhile each limit does what its WhenUnavailable says:
//
//   - Degrade: this node admits its part, N divided by the live nodes, counted in Memory. Parts are rounded down, so all
//     nodes together admit N at most; where there are more nodes than N a part is nothing, and costs are refused.
//   - Closed: costs are refused.
//   - Open: everything passes, uncounted.
//
// Parts are full at first. So the loss of Redis admits at most one further limit, all nodes together, and then what a limit
// refills; an empty Redis that takes the place of a lost one begins with full limits as well.
//
// It needs one server, or a pair of which the other takes over; not Redis Cluster, whose scripts reach only one slot.
type Shared struct {
	opts   SharedOptions
	client valkey.Client // made by Probe, before the breaker first closes
	dial   valkey.ClientOption
	script *valkey.Lua
	probe  sync.Mutex // one at a time
	state  breaker
	calls  atomic.Int64
	failed atomic.Int64
}

// SharedStats counts since the start.
type SharedStats struct {
	Calls    int64 // made to Redis
	Failures int64 // of them: refused, or not answered in time
	Open     bool  // no call goes to Redis now
}

// NewShared returns a Shared that does not call Redis before Probe has found it answering. A URL that cannot be used is a
// *fault.Error of kind Invalid, which does not repeat it.
func NewShared(o SharedOptions) (*Shared, error) {
	dial, err := valkey.ParseURL(o.URL.Reveal())
	if err != nil || len(dial.InitAddress) > maxRedisAddr && dial.Sentinel.MasterSet == "" {
		// The parser's error quotes the URL, and with it the password.
		return nil, fault.New(fault.Invalid, "LANYARD_REDIS_URL must read redis://[user:password@]host[:port][/database], rediss:// for TLS, or unix:///path/to/socket")
	}
	if o.Timeout == 0 {
		o.Timeout = callTimeout
	}
	if dial.Dialer.Timeout == 0 {
		dial.Dialer.Timeout = dialTimeout
	}
	if dial.ConnWriteTimeout == 0 {
		dial.ConnWriteTimeout = dialTimeout
	}
	dial.ClientName = "lanyard"
	dial.ForceSingleClient = dial.Sentinel.MasterSet == ""
	dial.PipelineMultiplex = -1  // one connection: the one that Probe tries is the one that calls use
	dial.AlwaysPipelining = true // a call that gives up leaves the connection to the others
	dial.DisableCache = true
	dial.DisableRetry = true
	s := &Shared{opts: o, dial: dial, script: newScript()}
	s.state.open.Store(true)
	return s, nil
}

// Check answers as Spend would and spends nothing.
func (s *Shared) Check(ctx context.Context, now time.Time, reqs []Request, into []Status) Outcome {
	out, ok := s.ask(ctx, "check", reqs, into)
	if !ok {
		return s.alone(now, reqs, into, false)
	}
	return out
}

// Spend is as Memory.Spend. now counts only while Redis is out of reach.
//
// A call that Redis counted but whose answer came too late is counted here as well. That refuses something it need not
// have; to ask whether it was counted could fail in the same way.
func (s *Shared) Spend(ctx context.Context, now time.Time, reqs []Request, into []Status) Outcome {
	out, ok := s.ask(ctx, "spend", reqs, into)
	if !ok {
		return s.alone(now, reqs, into, true)
	}
	return out
}

// Release gives back what an allowed Spend took, where it took it. What Redis counted and cannot be told of drains by itself.
func (s *Shared) Release(ctx context.Context, spent Receipt, reqs []Request) {
	if spent.Nodes > 0 {
		s.opts.Memory.Release(spent.At, parts(nil, reqs, spent.Nodes))
		return
	}
	if len(reqs) > 0 && !s.state.open.Load() {
		_, _ = s.call(ctx, "release", spent.At.UnixMicro(), reqs) // a failure is counted, and errs towards refusing
	}
}

// Stats returns the counters.
func (s *Shared) Stats() SharedStats {
	return SharedStats{Calls: s.calls.Load(), Failures: s.failed.Load(), Open: s.state.open.Load()}
}

// Run looks after the connection until ctx ends: while no call goes to Redis it tries every quarter of a second whether
// they could.
func (s *Shared) Run(ctx context.Context) {
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if s.state.open.Load() {
				_ = s.Probe(ctx) // Stats tell how it stands; each failure in the log would say the same four times a second
			}
		}
	}
}

// Probe connects, if need be, and does what calls do; if that works in a call's time, calls go to Redis from then on.
func (s *Shared) Probe(ctx context.Context) error {
	s.probe.Lock()
	defer s.probe.Unlock()
	if s.client == nil {
		client, err := valkey.NewClient(s.dial)
		if err != nil {
			if client != nil {
				client.Close()
			}
			return fmt.Errorf("connect to Redis: %w", err)
		}
		s.client = client
	}
	self := []Request{{Limit: Limit{Name: "probe", N: MaxN, Window: time.Second}, Subject: "lanyard", Cost: 1}}
	for _, timeout := range []time.Duration{dialTimeout, s.opts.Timeout} { // the first may have to connect
		if _, err := s.eval(ctx, timeout, "spend", 0, self); err != nil {
			return fmt.Errorf("count in Redis: %w", err)
		}
	}
	if s.state.close() {
		s.opts.Log.Info("limits are counted in Redis, for all nodes together")
	}
	return nil
}

// Close ends the connection. It is called after Run has returned and when no call is under way.
func (s *Shared) Close() {
	s.probe.Lock()
	defer s.probe.Unlock()
	s.state.open.Store(true)
	if s.client != nil {
		s.client.Close()
	}
}

// ask is Check and Spend; not ok: Redis did not decide, and the outcome is none.
func (s *Shared) ask(ctx context.Context, what string, reqs []Request, into []Status) (Outcome, bool) {
	if len(reqs) == 0 {
		return Outcome{Allowed: true, Denied: -1, Statuses: into}, true
	}
	if s.state.open.Load() {
		return Outcome{}, false
	}
	answer, err := s.call(ctx, what, 0, reqs)
	if err != nil {
		return Outcome{}, false
	}
	out := Outcome{Allowed: true, Denied: -1, Statuses: into, Spent: Receipt{At: time.UnixMicro(answer[0])}}
	for i := range reqs {
		wait, used := answer[2*i+1], answer[2*i+2]
		status := Status{Limit: reqs[i].Limit, RetryAfter: time.Duration(wait)}
		if interval := reqs[i].Limit.interval(); interval > 0 {
			status.Remaining = max(reqs[i].Limit.N*interval-used, 0) / interval
			status.ResetAfter = time.Duration(used)
		}
		if wait != 0 && out.Allowed {
			out.Allowed, out.Denied = false, i
		}
		out.Statuses = append(out.Statuses, status)
	}
	return out, true
}

// call is eval in a call's time, and tells the breaker. That the caller has gone is no failure of Redis: it is not waited
// for longer than for others.
func (s *Shared) call(ctx context.Context, what string, spent int64, reqs []Request) ([]int64, error) {
	s.calls.Add(1)
	answer, err := s.eval(context.WithoutCancel(ctx), s.opts.Timeout, what, spent, reqs)
	if err == nil {
		s.state.worked()
		return answer, nil
	}
	s.failed.Add(1)
	if s.state.failed() {
		s.opts.Log.Warn("Redis does not answer: until it does this node counts limits by itself, as each says in when_unavailable", "error", err)
	}
	return nil, err
}

var errAnswer = errors.New("redis answered something else than the script does")

func (s *Shared) eval(ctx context.Context, timeout time.Duration, what string, spent int64, reqs []Request) ([]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	keys, args := make([]string, len(reqs)), make([]string, 2, 2+2*len(reqs))
	args[0], args[1] = what, strconv.FormatInt(spent, 10)
	for i := range reqs {
		r := &reqs[i]
		// From the right the parts read unambiguously: neither a name nor a number has a colon.
		keys[i] = s.opts.Prefix + r.Subject + ":" + r.Limit.Name + ":" + strconv.FormatInt(int64(r.Limit.Window/time.Second), 10)
		interval, take := r.Limit.interval(), int64(-1)
		if r.possible() {
			take = r.Cost * interval
		} else if what == "release" {
			take = 0
		}
		args = append(args, strconv.FormatInt(take, 10), strconv.FormatInt(r.Limit.N*interval, 10))
	}
	answer, err := s.script.Exec(ctx, s.client, keys, args).AsIntSlice()
	if err == nil && len(answer) != 1+2*len(reqs) {
		err = errAnswer
	}
	return answer, err
}
