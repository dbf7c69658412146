package doors

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// Gateway stands in front of the upstreams of APIs and forwards what may pass.
//
// A use is counted when there is a connection to an upstream, before the first byte goes there: what nobody could be reached for costs
// nothing, and what is on its way is counted whatever happens (docs/decisions/0024). With charge: success it is counted when the upstream
// has answered with a status below 400, before the caller hears of it.
type Gateway struct {
	*Doors
	proxy     *httputil.ReverseProxy
	transport *http.Transport
	pools     pools
}

// GatewayOptions are what a gateway takes beside its doors.
type GatewayOptions struct {
	TLS *tls.Config // for upstreams; nil: the system's roots
}

const (
	dialTimeout = 5 * time.Second
	maxIdle     = 256     // connections that wait for the next call, of one upstream
	maxHead     = 1 << 20 // bytes of an upstream's answer before its body
	copyBuffer  = 32 << 10
)

// NewGateway returns a gateway. Its health checks run in Run.
func NewGateway(d *Doors, o GatewayOptions) *Gateway {
	g := &Gateway{Doors: d}
	g.transport = &http.Transport{
		DialContext: (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext, TLSHandshakeTimeout: dialTimeout, TLSClientConfig: o.TLS,
		MaxIdleConns: 0, MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: 90 * time.Second, ForceAttemptHTTP2: true, DisableCompression: true,
		MaxResponseHeaderBytes: maxHead, ExpectContinueTimeout: time.Second, WriteBufferSize: copyBuffer, ReadBufferSize: copyBuffer,
	}
	g.pools = pools{now: d.Now, log: d.Log, transport: g.transport, all: map[string]*pool{}}
	g.proxy = &httputil.ReverseProxy{
		Rewrite: rewrite, Transport: roundTripper{g}, ModifyResponse: arrived, ErrorHandler: failed, BufferPool: &buffers{},
		ErrorLog: slog.NewLogLogger(d.Log.Handler(), slog.LevelDebug),
	}
	return g
}

// Close ends connections to upstreams that wait for a next call.
func (g *Gateway) Close() { g.transport.CloseIdleConnections() }

// buffers is what bodies are copied through.
type buffers struct{ sync.Pool }

func (b *buffers) Get() []byte {
	if there, ok := b.Pool.Get().(*[]byte); ok {
		return *there
	}
	return make([]byte, copyBuffer)
}

func (b *buffers) Put(buffer []byte) { b.Pool.Put(&buffer) }

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.serveWellKnown(w, r) {
		return
	}
	p := &passage{g: g, ResponseWriter: w, began: g.Now(), requestID: web.NewRequestID(), client: web.ClientAddr(r, g.Proxies), trusted: web.TrustedPeer(r, g.Proxies)}
	w.Header()["X-Request-Id"] = []string{p.requestID}
	defer p.end(r)
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace {
		p.answer(g.problem(http.StatusMethodNotAllowed, "invalid_request", "Not a method for an API", "The method "+r.Method+" is not forwarded."))
		return
	}
	if !isToken(r.Method) { // HTTP/2 carries any text
		p.answer(g.problem(http.StatusBadRequest, "invalid_request", "Not a method", "What the request has for a method is none."))
		return
	}
	if !oneLength(r.Header) { // HTTP/2 again: the library takes the first of them, and what is no number for none
		p.answer(g.problem(http.StatusBadRequest, "invalid_request", "Not one length", "The content-length of the request is not one number, so its body has more than one reading."))
		return
	}
	g.Rule(r.Context(), &Call{
		Method: r.Method, Host: hostOf(r), Path: wirePath(r), Query: r.URL.RawQuery, Header: r.Header, IP: p.client, Address: g.address(r, p.trusted),
	}, &p.ruling)
	if p.ruling.Answer != nil {
		p.answer(p.ruling.Answer)
		return
	}
	p.forward(r)
}

// forward sends an allowed call to an upstream and its answer back.
func (p *passage) forward(r *http.Request) {
	g := p.g
	p.pool = g.pools.of(p.ruling.API)
	if p.pool == nil {
		p.answer(g.problem(http.StatusBadGateway, advice.UpstreamUnavailable, "No upstream", "This API names no upstream, so there is nothing to forward to. Who runs it has to declare one."))
		return
	}
	p.identity = make(http.Header, 7)
	if err := g.Identify(r.Context(), &p.ruling, p.identity); err != nil {
		g.undecided(&p.ruling, err)
		p.answer(p.ruling.Answer)
		return
	}
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || len(r.Header["Upgrade"]) > 1 {
		// Whatever else is asked for would be a tunnel past the gateway, such as h2c.
		r.Header.Del("Upgrade")
		r.Header.Del("HTTP2-Settings")
	}
	p.inbound = r.Context()
	ctx, cancel := context.WithCancelCause(context.WithValue(r.Context(), passageKey{}, p))
	defer cancel(nil)
	p.cancel = cancel
	p.watch.Request, p.watch.Decision, p.watch.End = &p.ruling.Request, &p.ruling.Decision, p.cut
	g.Verifier.Watch(&p.watch)
	defer g.Verifier.Unwatch(&p.watch)
	if !g.still(ctx, &p.ruling) { // signing may have taken long
		p.answer(p.ruling.Answer)
		return
	}
	g.proxy.ServeHTTP(p, r.WithContext(ctx))
	if p.wasCut() {
		panic(http.ErrAbortHandler) // so that nobody takes what came for all of it
	}
}

// wirePath is the path as it stood on the wire.
func wirePath(r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	if strings.HasPrefix(path, "/") {
		return path
	}
	if u, err := url.Parse(path); err == nil && u.Host != "" && u.User == nil && r.ProtoMajor < 2 { // absolute form; RFC 9110 section 4.2.4 has no user there
		return u.EscapedPath()
	}
	if r.RequestURI == "" { // made in this process
		return r.URL.EscapedPath()
	}
	return path // "*" and the like, which is no path
}

// oneLength reports whether a request names one length at most (RFC 9110 section 8.6).
func oneLength(h http.Header) bool {
	lengths := h["Content-Length"]
	for _, length := range lengths {
		if length != lengths[0] || length == "" || strings.Trim(length, "0123456789") != "" {
			return false
		}
	}
	return true
}

// hostOf is the host that a request is for; "": it names two. HTTP/2 has a place of its own for it, beside which a header may stand
// (RFC 9113 section 8.3.1); net/http leaves that in only there.
func hostOf(r *http.Request) string {
	for _, said := range r.Header["Host"] {
		if !strings.EqualFold(said, r.Host) {
			return ""
		}
	}
	return r.Host
}

// address is what a caller wrote to get here, without query.
func (g *Gateway) address(r *http.Request, trusted bool) string {
	scheme, ours, _ := strings.Cut(g.GatewayURL, "://")
	if r.Host != ours {
		switch proto := r.Header.Get("X-Forwarded-Proto"); {
		case trusted && (proto == "http" || proto == "https"):
			scheme = proto
		case r.TLS != nil:
			scheme = "https"
		default:
			scheme = "http"
		}
	}
	return scheme + "://" + r.Host + wirePath(r)
}

// rewrite makes what the upstream gets. Headers that Connection names are gone by now, so it cannot name what is set here.
func rewrite(pr *httputil.ProxyRequest) {
	p := passageOf(pr.In.Context())
	out := pr.Out
	lanyard.StripHeaders(out.Header)
	for name := range out.Header {
		if routing(name) {
			delete(out.Header, name)
		}
	}
	if p.trusted {
		if chain := pr.In.Header["X-Forwarded-For"]; len(chain) > 0 {
			out.Header["X-Forwarded-For"] = chain
		}
	}
	pr.SetXForwarded()
	if proto := pr.In.Header.Get("X-Forwarded-Proto"); p.trusted && (proto == "https" || proto == "http") {
		out.Header["X-Forwarded-Proto"] = []string{proto}
	}
	if p.ruling.Prefix != "" {
		out.Header["X-Forwarded-Prefix"] = []string{p.ruling.Prefix}
	}
	for name, values := range p.identity {
		out.Header[name] = values
	}
	out.Header["X-Request-Id"] = []string{p.requestID}
	// Trailers come after the decision, with names nobody has looked at.
	out.Trailer = nil
	// As it came: the standard library drops parts of a query that it would not read.
	out.URL.RawQuery = pr.In.URL.RawQuery
	lanyard.StripQuery(out.URL)
}

// routing says whether a header tells a program behind where a request came from or went, in whatever spelling: only a door says that.
func routing(name string) bool {
	plain := strings.Map(func(r rune) rune {
		if r == '_' || r == '.' {
			return '-'
		}
		return unicode.ToLower(r)
	}, name)
	switch plain {
	case "forwarded", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip", "cf-connecting-ip", "x-rewrite-url", "x-host", "x-http-host-override", "x-scheme",
		"front-end-https", "remote-user", "x-remote-user", "x-request-id":
		return true
	}
	return strings.HasPrefix(plain, "x-forwarded") || strings.HasPrefix(plain, "x-original-")
}

// arrived is called with the head of the upstream's answer, before the caller gets it.
func arrived(res *http.Response) error {
	p := passageOf(res.Request.Context())
	if p.ruling.API.Spec.Charge == "success" {
		if res.StatusCode >= http.StatusBadRequest {
			p.g.Verifier.Drop(&p.ruling.Decision)
		} else if err := p.settle(); err != nil {
			return err
		}
	}
	h := res.Header
	clean(h)
	if res.StatusCode != http.StatusSwitchingProtocols && (len(res.Trailer) > 0 || res.ProtoMajor > 1) {
		res.Body = &trailed{res.Body, res}
	}
	if len(h["Cache-Control"]) == 0 && len(res.Request.Header["Authorization"]) == 0 {
		// A cache in front knows that what came with Authorization is one caller's (RFC 9111 section 3.5). Of other credentials it does not.
		h["Cache-Control"] = []string{"private"}
	}
	for name, values := range p.ruling.Headers {
		if name == "Vary" || name == "Warning" {
			values = append(h[name], values...)
		}
		h[name] = values
	}
	h["X-Request-Id"] = []string{p.requestID}
	delete(p.Header(), "X-Request-Id") // else it would be there twice
	if res.StatusCode == http.StatusSwitchingProtocols {
		delete(p.Header(), "Connection") // what was to come after the answer is the tunnel now
	}
	p.status = res.StatusCode
	return nil
}

// clean takes out of an upstream's answer what the gateway alone says: who may read it, and about itself. Cookies of our own names go too,
// and what would clear them: on a shared host they would sign people out, or in as somebody else.
func clean(h http.Header) {
	for name := range h {
		if strings.HasPrefix(name, corsPrefix) || strings.HasPrefix(name, "X-Lanyard-") || name == "Clear-Site-Data" {
			delete(h, name)
		}
	}
	keepCookies(h)
}

// trailed is a body whose trailers, which are known at its end, are cleaned as its head was.
type trailed struct {
	io.ReadCloser
	res *http.Response
}

func (b *trailed) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	if err != nil {
		clean(b.res.Trailer)
		delete(b.res.Trailer, "Set-Cookie")
	}
	return n, err
}

// keepCookies takes cookies of our own names out of an upstream's answer: on a shared host they would sign people out, or in as somebody else.
func keepCookies(h http.Header) {
	var kept []string
	for _, line := range h["Set-Cookie"] {
		name, _, _ := strings.Cut(line, "=")
		if name = strings.TrimSpace(name); name != "" && !strings.EqualFold(name, "lanyard") && !strings.EqualFold(name, "__Host-lanyard") {
			kept = append(kept, line)
		}
	}
	if len(kept) < len(h["Set-Cookie"]) {
		h["Set-Cookie"] = kept
	}
}

// failed is called when there is no answer to hand on.
func failed(_ http.ResponseWriter, r *http.Request, err error) {
	p := passageOf(r.Context())
	g, cause := p.g, context.Cause(r.Context())
	var cut *cutError
	var unavailable *fault.Error
	var late net.Error
	switch {
	case errors.As(cause, &cut):
		p.answer(cut.answer)
	case errors.Is(cause, errSlow):
		p.failure = errSlow
		p.answer(g.late())
	case p.inbound.Err() != nil:
		p.status = statusGone // nobody listens any more, or only half: what became of the call is not known
		panic(http.ErrAbortHandler)
	case p.broken.Load():
		p.failure = err
		p.answer(g.problem(http.StatusBadRequest, "invalid_request", "The body cannot be read",
			"The call was let through, but its body broke off or is not framed as its headers say, so the API behind did not get all of it."))
	case errors.As(cause, &unavailable), errors.As(err, &unavailable):
		g.undecided(&p.ruling, err)
		p.answer(p.ruling.Answer)
	case errors.As(err, &late) && late.Timeout():
		p.failure = err
		p.answer(g.late())
	default:
		p.failure = err
		p.answer(g.problem(http.StatusBadGateway, advice.UpstreamUnavailable, "The API cannot be reached", "The call was let through, but the API behind could not be reached, or broke off before it answered. Try again in a moment."))
	}
}

// late is the answer where an upstream did not begin its own in time.
func (g *Gateway) late() *Answer {
	return g.problem(http.StatusGatewayTimeout, advice.UpstreamTimeout, "The API did not answer in time",
		"The call was let through, but the API behind did not answer in time. What it may have done is not known; try again if that does no harm.")
}

// statusGone is what logs say where the caller left before there was an answer, as nginx has it.
const statusGone = 499

// log writes the access line. It holds no query and no header: credentials stand there. A path may hold one by mistake.
func (p *passage) log(r *http.Request) {
	level := slog.LevelInfo
	if p.status >= http.StatusInternalServerError {
		level = slog.LevelWarn
	}
	if !p.g.Log.Enabled(r.Context(), level) {
		return
	}
	path := wirePath(r)
	if len(path) > 200 {
		path = path[:200]
	}
	said := &p.ruling.Decision
	line := []slog.Attr{
		slog.String("request_id", p.requestID), slog.String("method", r.Method), slog.String("host", r.Host), slog.String("path", secret.Redact(path)),
		slog.Int("status", p.status), slog.Int64("bytes", p.bytes), slog.Duration("took", p.g.Now().Sub(p.began)), slog.String("client", p.client.String()),
	}
	if p.ruling.API != nil {
		line = append(line, slog.String("api", p.ruling.API.Policy.Name))
	}
	if p.ruling.Decided {
		line = append(line, slog.String("code", string(said.Code)), slog.String("credential", said.Credential()), slog.String("operation", said.Operation()))
	} else if p.ruling.Answer != nil {
		line = append(line, slog.String("code", p.ruling.Answer.Code))
	}
	if p.upstream != nil {
		line = append(line, slog.String("upstream", p.upstream.url.Host))
	}
	if p.failure != nil {
		line = append(line, slog.String("error", p.failure.Error()))
	}
	if text := p.cutFor(); text != "" {
		line = append(line, slog.String("cut", text))
	}
	p.g.Log.LogAttrs(r.Context(), level, "call", line...)
}
