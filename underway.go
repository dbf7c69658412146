package lanyard

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/lanyard-auth/lanyard/internal/policy"
)

// ErrEnded is the cause (context.Cause) in the context of a request that was let through and may not go on: its credential was revoked, was
// changed or has expired, or whether it was cannot be found out.
var ErrEnded = errors.New("lanyard: the request may not go on")

// endError says which of them it is.
type endError struct {
	code policy.Code // "" when nobody can say
	text string
}

func (e *endError) Error() string { return ErrEnded.Error() + ": " + e.text }
func (e *endError) Unwrap() error { return ErrEnded }

var errUndecided = &endError{text: "whether it still may could not be found out in time"} //nolint:gochecknoglobals // a constant

// past is a time at which every deadline is over.
var past = time.Unix(1, 0) //nolint:gochecknoglobals // a constant

// passage is a request that was let through and is under way, and the writer of its answer.
type passage struct {
	http.ResponseWriter
	f        *Follower
	asked    VerifyRequest // to be asked again
	decision *Decision
	at       time.Time // when it was decided
	cancel   context.CancelCauseFunc

	// Of the Follower, under its lock.
	touched  time.Time // the earliest that something can have changed that was not looked into; zero: nothing was heard of
	revision int64     // an answer has to know at least so much
	times    int       // how often something was heard of
	until    time.Time // when the decision ends by itself; zero: never

	mu    sync.Mutex
	ended error
	begun bool     // the handler's answer is on its way
	conn  net.Conn // that the handler took over
}

// serve lets a request through to next and keeps an eye on it until next is done.
func (f *Follower) serve(w http.ResponseWriter, r *http.Request, next http.Handler, asked VerifyRequest, at time.Time, who *Identity, g *gate) {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	p := &passage{ResponseWriter: w, f: f, asked: asked, decision: &who.Decision, at: at, cancel: cancel}
	if until := who.Decision.Until; until != nil {
		p.until = *until
	}
	f.watch(p)
	defer p.over()
	next.ServeHTTP(p, r.WithContext(ctx))
	p.over() // from here on nobody ends it
	p.finish(g)
}

// over ends the watch, unless the handler took the connection over: that lives until it is closed.
func (p *passage) over() {
	p.mu.Lock()
	taken := p.conn != nil
	p.mu.Unlock()
	if !taken {
		p.f.unwatch(p)
	}
}

// watch begins to keep an eye on a request. What was decided before a change that we have heard of is looked at at once.
func (f *Follower) watch(p *passage) {
	revision, err := parseRevision(p.decision.Revision)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done {
		f.end(p, errUndecided)
		return
	}
	f.underway[p] = struct{}{}
	if err != nil || revision < f.revision {
		f.touch(p, p.at.Add(-f.stale), f.revision)
	}
}

func (f *Follower) unwatch(p *passage) {
	f.mu.Lock()
	delete(f.underway, p)
	f.mu.Unlock()
}

// touch notes that a request has to be looked at. The lock is held.
func (f *Follower) touch(p *passage, since time.Time, revision int64) {
	p.times++
	p.revision = revision
	if p.touched.IsZero() {
		p.touched = since
	}
	select {
	case f.soon <- struct{}{}:
	default: // somebody is awake already
	}
}

// end cuts a request off. The lock is held, so it cannot come after unwatch.
func (f *Follower) end(p *passage, why error) {
	delete(f.underway, p)
	p.cut(why)
}

// patience is how long a request may go on after something changed that it rests on, before it was looked at: with the time between two looks
// a second, unless what is known may be older than that.
func (f *Follower) patience() time.Duration {
	return max(time.Second, f.stale+2*f.lookEvery()) - f.lookEvery()
}

// sweep looks through what is under way: what may have changed is asked about again, and what cannot be found out in time ends.
func (f *Follower) sweep(ctx context.Context) {
	now := f.now()
	fresh := f.fresh(now)
	var again []*passage
	f.mu.Lock()
	for p := range f.underway {
		if p.touched.IsZero() && !p.until.IsZero() && !now.Before(p.until) {
			p.touched = now
		}
		switch {
		case !fresh && now.Sub(p.at) > f.stale, !p.touched.IsZero() && now.Sub(p.touched) > f.patience():
			f.end(p, errUndecided)
		case !p.touched.IsZero() && p.asked.DPoP != nil: // its proof counted once
			f.end(p, errUndecided)
		case !p.touched.IsZero():
			again = append(again, p)
		}
	}
	f.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, f.lookEvery())
	defer cancel()
	for len(again) > 0 && ctx.Err() == nil {
		n := min(len(again), maxBatch)
		f.askAgain(ctx, again[:n])
		again = again[n:]
	}
}

// maxBatch is how many decisions the server makes at once.
const maxBatch = 100

// askAgain asks about requests under way, without charging them, and ends those that are refused.
func (f *Follower) askAgain(ctx context.Context, all []*passage) {
	questions, times := make([]VerifyRequest, len(all)), make([]int, len(all))
	none := int64(0)
	f.mu.RLock()
	for i, p := range all {
		questions[i], times[i] = p.asked, p.times
		questions[i].DryRun, questions[i].Cost = true, &none
	}
	f.mu.RUnlock()
	answers, err := f.client.VerifyBatch(ctx, questions)
	if err != nil {
		return // the next look tries again
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, p := range all {
		d := answers[i].Decision
		if _, there := f.underway[p]; !there || d == nil {
			continue
		}
		if revision, err := parseRevision(d.Revision); err != nil || revision < p.revision {
			continue // who answered does not know of it yet
		}
		switch code := policy.Code(d.Code); {
		case d.Allowed:
			p.until = time.Time{}
			if d.Until != nil {
				p.until = *d.Until
			}
		case code == policy.RateLimited, code == policy.QuotaExceeded: // what is under way was paid for
		default:
			f.end(p, &endError{code, d.Message})
			continue
		}
		if p.times == times[i] { // else once more
			p.touched = time.Time{}
		}
	}
}

// cut ends a request that may not go on. It never waits: whoever reads or writes finds that it is over.
func (p *passage) cut(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = why
	p.cancel(why)
	if p.conn != nil {
		closeNow(p.conn)
		return
	}
	control := http.NewResponseController(p.ResponseWriter)
	_ = control.SetReadDeadline(past) // a writer without deadlines is one of a test
	if p.begun {
		_ = control.SetWriteDeadline(past)
	}
}

// finish answers in the handler's place where it had not begun, and breaks an answer off that had: it must not look whole.
func (p *passage) finish(g *gate) {
	p.mu.Lock()
	ended, begun, taken := p.ended, p.begun, p.conn != nil
	p.mu.Unlock()
	switch {
	case ended == nil || taken:
		return
	case begun:
		panic(http.ErrAbortHandler)
	}
	clear(p.Header())
	p.Header().Set("Connection", "close") // nothing more is read of it
	var e *endError
	if errors.As(ended, &e) && e.code != "" {
		g.newDenial(e.code.HTTPStatus(), e.code, e.text).Answer(p.ResponseWriter)
		return
	}
	g.noDecision(p.ResponseWriter, time.Second)
}

// begin notes that the handler answers, and says why it may not.
func (p *passage) begin() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended == nil {
		p.begun = true
	}
	return p.ended
}

// WriteHeader implements http.ResponseWriter.
func (p *passage) WriteHeader(status int) {
	if status < http.StatusOK && status != http.StatusSwitchingProtocols {
		p.ResponseWriter.WriteHeader(status)
		return
	}
	if p.begin() == nil {
		p.ResponseWriter.WriteHeader(status)
	}
}

// Write implements http.ResponseWriter.
func (p *passage) Write(b []byte) (int, error) {
	if err := p.begin(); err != nil {
		return 0, err
	}
	return p.ResponseWriter.Write(b)
}

// ReadFrom implements io.ReaderFrom, so that files are still sent by the system.
func (p *passage) ReadFrom(from io.Reader) (int64, error) {
	if err := p.begin(); err != nil {
		return 0, err
	}
	return io.Copy(p.ResponseWriter, from)
}

// Flush implements http.Flusher.
func (p *passage) Flush() { _ = p.FlushError() }

// FlushError is what http.ResponseController asks for.
func (p *passage) FlushError() error {
	if err := p.begin(); err != nil {
		return err
	}
	return http.NewResponseController(p.ResponseWriter).Flush()
}

// Hijack implements http.Hijacker, for sockets.
func (p *passage) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(p.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conn = conn
	if p.ended != nil {
		closeNow(conn)
		return nil, nil, p.ended
	}
	return &socket{Conn: conn, p: p}, rw, nil
}

// socket is a connection that a handler took over. It is watched until it is closed, also when the handler has returned.
type socket struct {
	net.Conn
	p *passage
}

func (s *socket) Close() error {
	s.p.f.unwatch(s.p)
	return s.Conn.Close()
}

// closeNow closes a connection without waiting: TLS would send a last word to who may not read it. Deadlines would be the handler's to move.
func closeNow(conn net.Conn) {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	_ = conn.Close()
}

// Unwrap lets http.ResponseController reach the rest.
func (p *passage) Unwrap() http.ResponseWriter { return p.ResponseWriter }
