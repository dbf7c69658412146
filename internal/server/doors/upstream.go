package doors

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/catalog"
)

const (
	// benched is for how long an upstream that could not be reached is asked only if there is no other.
	benched = 3 * time.Second
	// patience is how long an upstream has to begin its answer, if its API does not say.
	patience    = 60 * time.Second
	checkEvery  = 5 * time.Second
	checkFor    = 2 * time.Second
	maxTries    = 3
	healthAgent = "Lanyard-Health"
)

// errSlow says that an upstream did not begin its answer in time.
var errSlow = errors.New("the upstream did not begin its answer in time")

// upstream is one server that calls of an API are forwarded to.
type upstream struct {
	url   *url.URL
	bench atomic.Int64 // until then it is asked only if there is no other, microseconds
	sick  atomic.Bool  // its health check says so
}

// pool is all upstreams of one API.
type pool struct {
	spec     lanyard.API
	servers  []*upstream
	next     atomic.Uint64
	patience time.Duration
	every    time.Duration // between health checks; 0: there are none
	checked  time.Time     // by who runs the checks
}

// pools are the pools of all APIs. One stays as it is, with what it knows, while its API's declaration does.
type pools struct {
	now       func() time.Time
	log       *slog.Logger
	transport http.RoundTripper

	mu  sync.Mutex
	all map[string]*pool
}

// of returns the pool of an API; nil: it names no upstream.
func (ps *pools) of(api *catalog.Compiled) *pool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	there := ps.all[api.Policy.Name]
	if there != nil && sameUpstreams(&there.spec, &api.Spec) {
		return there
	}
	made := newPool(api.Spec)
	if made == nil {
		delete(ps.all, api.Policy.Name)
		return nil
	}
	ps.all[api.Policy.Name] = made
	return made
}

// keep forgets the pools of APIs that are gone.
func (ps *pools) keep(names map[string]bool) []*pool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	var out []*pool
	for name, p := range ps.all {
		if !names[name] {
			delete(ps.all, name)
			continue
		}
		out = append(out, p)
	}
	return out
}

func sameUpstreams(x, y *lanyard.API) bool {
	health := func(a *lanyard.API) lanyard.HealthCheck {
		if a.Health == nil {
			return lanyard.HealthCheck{}
		}
		return *a.Health
	}
	return x.Upstream == y.Upstream && slices.Equal(x.Upstreams, y.Upstreams) && x.Timeout == y.Timeout && health(x) == health(y)
}

func newPool(a lanyard.API) *pool {
	p := &pool{spec: a, patience: patience}
	addresses := a.Upstreams
	if a.Upstream != "" {
		addresses = []string{a.Upstream}
	}
	for _, address := range addresses {
		if u, err := url.Parse(address); err == nil && u.Host != "" { // the catalog has checked it
			p.servers = append(p.servers, &upstream{url: u})
		}
	}
	if len(p.servers) == 0 {
		return nil
	}
	if wait, err := time.ParseDuration(a.Timeout); err == nil && wait > 0 {
		p.patience = wait
	}
	if a.Health != nil {
		p.every = checkEvery
		if every, err := time.ParseDuration(a.Health.Every); err == nil && every > 0 {
			p.every = every
		}
	}
	return p
}

// pick returns who is asked next, in turn, of those that were not tried: one that seems well, else any; nil: all were tried.
func (p *pool) pick(tried []*upstream, now time.Time) *upstream {
	start := int(p.next.Add(1) % uint64(len(p.servers))) // #nosec G115 -- below a small number
	var spare *upstream
	for i := range p.servers {
		u := p.servers[(start+i)%len(p.servers)]
		switch {
		case slices.Contains(tried, u):
		case !u.sick.Load() && u.bench.Load() <= now.UnixMicro():
			return u
		case spare == nil:
			spare = u
		}
	}
	return spare
}

// roundTripper sends a call to one of its API's upstreams, and to another where that cannot do harm.
type roundTripper struct{ g *Gateway }

// RoundTrip implements http.RoundTripper.
func (t roundTripper) RoundTrip(out *http.Request) (*http.Response, error) {
	p := passageOf(out.Context())
	p.outbound = out.Context()
	var answered atomic.Bool
	waiting := time.AfterFunc(p.pool.patience, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !answered.Load() && !p.over {
			p.cancel(errSlow)
			p.hush()
		}
	})
	defer waiting.Stop()
	defer answered.Store(true)
	body := &onceBody{ReadCloser: out.Body, broken: &p.broken, read: func() {
		if !answered.Load() {
			waiting.Reset(p.pool.patience) // who sends a long body makes progress
		}
	}}
	if out.Body != nil && out.Body != http.NoBody {
		out.Body = body
	}
	traced := out.WithContext(httptrace.WithClientTrace(out.Context(), &httptrace.ClientTrace{GotConn: p.connected}))
	var tried []*upstream
	for {
		u := p.pool.pick(tried, t.g.Now())
		tried = append(tried, u)
		p.upstream, p.reached = u, false
		traced.URL = u.address(p.ruling.Forward, out.URL)
		traced.Host = u.url.Host
		res, err := t.g.transport.RoundTrip(traced)
		if err == nil {
			u.bench.Store(0)
			res.Request = out
			return res, nil
		}
		if out.Context().Err() != nil {
			return nil, err
		}
		if !p.broken.Load() { // else it was the caller
			u.bench.Store(t.g.Now().Add(benched).UnixMicro())
		}
		if len(tried) >= min(len(p.pool.servers), maxTries) || body.touched.Load() || p.reached && !(idempotent(out.Method) && (out.Body == nil || out.Body == http.NoBody)) {
			return nil, err
		}
	}
}

// connected is called when there is a connection to an upstream, before anything is written to it.
func (p *passage) connected(info httptrace.GotConnInfo) {
	p.reached = true
	if p.ruling.API.Spec.Charge == "success" {
		return
	}
	err := p.settle()
	if err == nil && !p.g.still(p.outbound, &p.ruling) { // counting may have taken long
		err = &cutError{string(p.ruling.Decision.Code), p.ruling.Answer}
	}
	if err == nil && p.outbound.Err() == nil {
		return
	}
	// Nothing may be written to it. HTTP/2 looks at the context before it writes, and others use the same connection; HTTP/1 does not look.
	p.cancel(err)
	if secured, is := info.Conn.(*tls.Conn); !is || secured.ConnectionState().NegotiatedProtocol != "h2" {
		_ = info.Conn.Close()
	}
}

// address is where the upstream is asked for a path.
func (u *upstream) address(path string, asked *url.URL) *url.URL {
	return &url.URL{Scheme: u.url.Scheme, Host: u.url.Host, Path: strings.TrimSuffix(u.url.Path, "/") + path, RawQuery: asked.RawQuery}
}

// idempotent: RFC 9110 section 9.2.2.
func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// onceBody is a body that a transport which fails does not close: another may still have to send it.
type onceBody struct {
	io.ReadCloser
	read    func()
	touched atomic.Bool
	broken  *atomic.Bool // the caller did not send all of it
}

func (b *onceBody) Read(into []byte) (int, error) {
	b.touched.Store(true)
	b.read()
	n, err := b.ReadCloser.Read(into)
	if err != nil && !errors.Is(err, io.EOF) {
		b.broken.Store(true)
	}
	return n, err
}

func (b *onceBody) Close() error { return nil } // ReverseProxy closes what is behind

// Run checks the health of upstreams until ctx ends.
func (g *Gateway) Run(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	var checking sync.WaitGroup
	defer checking.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			g.checkDue(ctx, &checking)
		}
	}
}

// checkDue begins the health checks that are due.
func (g *Gateway) checkDue(ctx context.Context, checking *sync.WaitGroup) {
	t, err := g.places(ctx)
	if err != nil {
		return // what is known stays
	}
	names := map[string]bool{}
	for _, at := range t.all {
		names[at.name] = true
		if at.api.Spec.Health != nil {
			g.pools.of(at.api) // also before its first call
		}
	}
	now := g.Now()
	for _, p := range g.pools.keep(names) {
		if p.every == 0 || now.Sub(p.checked) < p.every {
			continue
		}
		p.checked = now
		for _, u := range p.servers {
			checking.Add(1)
			go func() {
				defer checking.Done()
				g.check(ctx, p, u)
			}()
		}
	}
}

// check asks an upstream how it is: a status below 400 in time is well.
func (g *Gateway) check(ctx context.Context, p *pool, u *upstream) {
	ctx, cancel := context.WithTimeout(ctx, min(p.every, checkFor))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.address(p.spec.Health.Path, &url.URL{}).String(), nil)
	if err != nil {
		return
	}
	req.Header.Set("User-Agent", healthAgent)
	res, err := g.transport.RoundTrip(req)
	sick := err != nil || res.StatusCode >= http.StatusBadRequest
	if err == nil {
		_ = res.Body.Close()
	}
	if ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
		return // the server ends
	}
	if was := u.sick.Swap(sick); was != sick {
		if sick {
			g.Log.Warn("an upstream is not well; calls go to the others", "api", p.spec.Name, "upstream", u.url.Host, "error", err)
		} else {
			g.Log.Info("an upstream is well again", "api", p.spec.Name, "upstream", u.url.Host)
		}
	}
}
