package doors

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// passage is one call on its way through the gateway, and the writer of its answer.
type passage struct {
	http.ResponseWriter
	g         *Gateway
	requestID string
	began     time.Time
	client    netip.Addr
	trusted   bool // the peer is a trusted proxy
	ruling    Ruling
	identity  http.Header
	pool      *pool
	upstream  *upstream // that was tried last
	watch     verify.Watch
	inbound   context.Context // the caller's
	outbound  context.Context // of the call to the upstream
	cancel    context.CancelCauseFunc
	status    int
	bytes     int64
	failure   error
	reached   bool        // there was a connection to an upstream
	broken    atomic.Bool // the caller did not send all of the body

	mu    sync.Mutex
	begun bool     // the upstream's answer is on its way
	conn  net.Conn // that became a tunnel
	cutBy *cutError
	over  bool // the connection may be at its next call

	hushed bool // nothing more is read of the caller, so the connection cannot have a next call
}

type passageKey struct{}

func passageOf(ctx context.Context) *passage {
	p, _ := ctx.Value(passageKey{}).(*passage)
	return p
}

// cutError is why a call that was allowed was cut off.
type cutError struct {
	text   string
	answer *Answer // where none had begun
}

func (e *cutError) Error() string { return "cut off: " + e.text }

// past is a time at which every deadline is over.
var past = time.Unix(1, 0) //nolint:gochecknoglobals // a constant

// cut ends a call that may not go on. It never waits: whoever reads or writes finds deadlines that are over.
func (p *passage) cut(why verify.Ending, text string) {
	answer := p.g.noDecision()
	if why == verify.Refused {
		answer = p.g.problem(policy.Code(text).HTTPStatus(), text, "No longer allowed", "What this call came with was taken back, changed or has expired while it was under way.")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutBy = &cutError{text, answer}
	p.cancel(p.cutBy)
	if p.conn != nil {
		_ = p.conn.SetDeadline(past) // a connection that is gone is cut as well
		return
	}
	p.hush()
	if p.begun {
		_ = http.NewResponseController(p.ResponseWriter).SetWriteDeadline(past)
	}
}

// hush ends the wait for a body that the caller does not send: a transport waits for it before it says that it failed.
// It is called with the lock.
func (p *passage) hush() {
	p.hushed = true
	_ = http.NewResponseController(p.ResponseWriter).SetReadDeadline(past)
}

// bodyTime is how long the rest of a body may take that nobody wants, as the server reads it before it answers.
const bodyTime = 2 * time.Second

// wasCut says whether the answer was cut off after it had begun.
func (p *passage) wasCut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cutBy != nil && p.begun && p.conn == nil
}

func (p *passage) cutFor() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cutBy == nil {
		return ""
	}
	return p.cutBy.text
}

// answer writes what the gateway says itself.
func (p *passage) answer(a *Answer) {
	for name, values := range p.ruling.Headers {
		if name == allowOrigin || name == "Vary" || name == "Access-Control-Expose-Headers" { // else a script could not read why
			p.Header()[name] = values
		}
	}
	p.status = a.Status
	p.Header()["X-Request-Id"] = []string{p.requestID}
	p.mu.Lock()
	hushed := p.hushed
	p.mu.Unlock()
	if hushed {
		p.Header().Set("Connection", "close")
	}
	_ = http.NewResponseController(p.ResponseWriter).SetReadDeadline(time.Now().Add(bodyTime)) //nolint:forbidigo // deadlines of connections are of the real clock
	a.Write(counter{p})
}

// counter writes an answer of ours past the checks of one that comes from an upstream.
type counter struct{ p *passage }

func (c counter) Header() http.Header    { return c.p.ResponseWriter.Header() }
func (c counter) WriteHeader(status int) { c.p.ResponseWriter.WriteHeader(status) }
func (c counter) Write(b []byte) (int, error) {
	n, err := c.p.ResponseWriter.Write(b)
	c.p.bytes += int64(n)
	return n, err
}

// WriteHeader implements http.ResponseWriter for the upstream's answer. What comes before that (1xx) is not handed on: nobody has looked at its
// headers.
func (p *passage) WriteHeader(status int) {
	if status < http.StatusOK {
		return
	}
	p.mu.Lock()
	cut := p.cutBy != nil
	p.begun = true
	p.mu.Unlock()
	if cut { // between the head's arrival and now
		panic(http.ErrAbortHandler)
	}
	p.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (p *passage) Write(b []byte) (int, error) {
	n, err := p.ResponseWriter.Write(b)
	p.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach what it needs.
func (p *passage) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// Hijack implements http.Hijacker, for tunnels.
func (p *passage) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(p.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conn, p.begun = conn, true
	if p.cutBy != nil {
		_ = conn.SetDeadline(past)
	}
	return conn, rw, nil
}

// settle counts the call.
func (p *passage) settle() error {
	return p.g.Verifier.Settle(context.WithoutCancel(p.inbound), &p.ruling.Request, &p.ruling.Decision)
}

// end closes the books on a call: what was not counted by now is not.
func (p *passage) end(r *http.Request) {
	p.mu.Lock()
	p.over = true
	p.mu.Unlock()
	p.g.Verifier.Drop(&p.ruling.Decision)
	caught := recover()
	if caught != nil && caught != http.ErrAbortHandler { //nolint:errorlint // recovered as it was thrown; nobody wraps it
		p.g.Log.ErrorContext(r.Context(), "panic", "request_id", p.requestID, "panic", caught)
		caught = http.ErrAbortHandler
	}
	p.log(r)
	if caught != nil {
		panic(http.ErrAbortHandler)
	}
}
