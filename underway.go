package lanyard

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/lanyard-auth/lanyard/internal/policy"
)

// ErrEnded is the cause (context.Cause) in the context of a request that was let through and may not go on: its credential was revoked, was
// changed or has expired, or whether it was cannot be found out.
var ErrEnded = errors.New("lanyard: the request may not go on")

// endError says which of them it is: the decision that refused it, or none when nobody can say.
type endError struct{ refused *Decision }

func (e *endError) Error() string {
	if e.refused == nil {
		return ErrEnded.Error() + ": whether it still may could not be found out in time"
	}
	return ErrEnded.Error() + ": " + e.refused.Code
}
func (e *endError) Unwrap() error { return ErrEnded }

// past is a time at which every deadline is over.
var past = time.Unix(1, 0) //nolint:gochecknoglobals // a constant

// passage is a request that was let through and is under way, and the writer of its answer.
type passage struct {
	http.ResponseWriter
	f        *Follower
	asked    VerifyRequest // to be asked again
	decision *Decision
	at       time.Time // when it was decided
	knows    int64     // the revision that was known then
	cancel   context.CancelCauseFunc

	// Of the Follower, under its lock.
	touched  time.Time // the earliest that something can have changed that was not looked into; zero: nothing was heard of
	revision int64     // an answer has to know at least so much
	strict   bool      // and the node that gives it has to ask the database first
	times    int       // how often something was heard of
	busy     bool      // it is being asked about
	ends     time.Time // when the decision ends by itself; zero: never

	mu    sync.Mutex
	ended *endError
	begun bool     // the handler's answer is on its way
	conn  net.Conn // that the handler took over
}

// admission is a request that was decided on.
type admission struct {
	question    VerifyRequest
	credentials Credentials
	who         *Identity
	at          time.Time
	knows       int64
}

// serve lets a request through to next and keeps an eye on it until next is done.
func (f *Follower) serve(w http.ResponseWriter, r *http.Request, next http.Handler, a *admission, g *gate) {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	d := &a.who.Decision
	p := &passage{ResponseWriter: w, f: f, asked: a.question, decision: d, at: a.at, knows: a.knows, ends: d.ends(a.at), cancel: cancel}
	before := w.Header().Clone()
	if !f.watch(p) {
		g.noDecision(w, time.Second)
		return
	}
	defer p.over()
	next.ServeHTTP(p, r.WithContext(ctx))
	p.over() // from here on nobody ends it
	p.mu.Lock()
	ended, begun, taken := p.ended, p.begun, p.conn != nil
	p.mu.Unlock()
	switch {
	case ended == nil || taken:
		return
	case begun: // what broke off must not look whole
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	clear(h) // what the handler set is not said any more, what was there before it is
	maps.Copy(h, before)
	if r.ProtoMajor == 1 {
		h.Set("Connection", "close") // nothing more is read of it
	}
	if ended.refused != nil {
		g.deny(w, *ended.refused, a.credentials)
		return
	}
	g.cutOff(w)
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

// watch begins to keep an eye on a request, and reports whether it may begin. What was heard of that its decision did not know is looked into.
func (f *Follower) watch(p *passage) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done {
		return false
	}
	f.underway[p] = struct{}{}
	if p.knows >= f.revision {
		return true
	}
	if len(f.recent) == 0 || f.recent[0].revision > p.knows+1 { // what lies between is not known any more
		f.touch(p, p.at.Add(-f.stale), f.revision)
		return true
	}
	for _, h := range f.recent {
		if h.revision > p.knows && h.Touches(p.asked.API, p.decision) {
			f.touch(p, h.since, h.revision)
		}
	}
	return true
}

func (f *Follower) unwatch(p *passage) {
	f.mu.Lock()
	delete(f.underway, p)
	f.mu.Unlock()
}

// touch notes that a request has to be looked at. The lock is held.
func (f *Follower) touch(p *passage, since time.Time, revision int64) {
	p.times++
	p.revision = max(p.revision, revision)
	if p.touched.IsZero() {
		p.touched = since
	}
	select {
	case f.soon <- struct{}{}:
	default: // somebody is awake already
	}
}

// end cuts a request off. The lock is held, so it cannot come after unwatch.
func (f *Follower) end(p *passage, why *endError) {
	delete(f.underway, p)
	p.cut(why)
}

// patience is how long a request may go on after something changed that it rests on, before it was looked at: with the time between two looks
// a second, unless what is known may be older than that.
func (f *Follower) patience() time.Duration {
	return max(time.Second, f.stale+2*f.lookEvery()) - f.lookEvery()
}

// sweep looks through what is under way: what may have changed is asked about again, and what cannot be found out in time ends. It does not wait for
// the answers; who wants to, waits for what it returns.
func (f *Follower) sweep(ctx context.Context) *sync.WaitGroup {
	now := f.now()
	fresh := f.fresh(now)
	var again []*passage
	f.mu.Lock()
	for p := range f.underway {
		if p.touched.IsZero() && !p.ends.IsZero() && !now.Before(p.ends) {
			p.touched = now
		}
		switch {
		case !fresh && now.Sub(p.at) > f.stale, !p.touched.IsZero() && now.Sub(p.touched) > f.patience():
			f.end(p, &endError{})
		case !p.touched.IsZero() && p.asked.DPoP != nil: // its proof counted once
			f.end(p, &endError{})
		case !p.touched.IsZero() && !p.busy:
			again = append(again, p)
		}
	}
	f.mu.Unlock()
	var answers sync.WaitGroup
	for len(again) > 0 {
		n := together(again)
		batch := again[:n]
		again = again[n:]
		select {
		case f.asking <- struct{}{}:
		default:
			return &answers // the next look goes on
		}
		f.mu.Lock()
		for _, p := range batch {
			p.busy = true
		}
		f.mu.Unlock()
		answers.Go(func() {
			defer func() { <-f.asking }()
			ctx, cancel := context.WithTimeout(ctx, f.askFor())
			defer cancel()
			f.askAgain(ctx, batch)
			f.mu.Lock()
			defer f.mu.Unlock()
			for _, p := range batch {
				p.busy = false
			}
		})
	}
	return &answers
}

// How many questions go together: what a request or an answer may hold is bounded, and one caller's long path must not spoil it for others.
const (
	maxTogether  = 25
	maxQuestions = 64 << 10 // bytes
)

func together(all []*passage) int {
	size := 0
	for i, p := range all {
		size += len(p.asked.Path) + len(p.asked.Credential) + len(p.asked.APIKey)
		if i == maxTogether || i > 0 && size > maxQuestions {
			return i
		}
	}
	return len(all)
}

// askAgain asks about requests under way, without charging them, and ends those that are refused.
func (f *Follower) askAgain(ctx context.Context, all []*passage) {
	questions, times := make([]VerifyRequest, len(all)), make([]int, len(all))
	none := int64(0)
	f.mu.RLock()
	for i, p := range all {
		questions[i], times[i] = p.asked, p.times
		questions[i].DryRun, questions[i].Cost = true, &none
		if p.strict {
			questions[i].Consistency = "strict"
		}
	}
	f.mu.RUnlock()
	sent := f.now()
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
		if revision, err := parseRevision(d.Revision); err != nil || revision < p.revision || p.strict && f.cursor == "" {
			continue // who answered does not know of it yet
		}
		switch code := policy.Code(d.Code); {
		case d.Allowed:
			p.ends = d.ends(sent)
		case code != policy.RateLimited && code != policy.QuotaExceeded:
			f.end(p, &endError{d})
			continue
		case d.Credential == nil: // its source is barred, for what others there tried, so nothing was found out
			continue
		} // else a limit holds, but what is under way was paid for
		if p.times == times[i] { // else once more
			p.touched, p.strict = time.Time{}, false
		}
	}
}

// cut ends a request that may not go on. It never waits: whoever reads or writes finds that it is over.
func (p *passage) cut(why *endError) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = why
	p.cancel(why)
	if p.conn != nil {
		closeNow(p.conn)
		return
	}
	control := http.NewResponseController(p.ResponseWriter)
	err := control.SetReadDeadline(past)
	if p.begun {
		err = errors.Join(err, control.SetWriteDeadline(past))
	}
	if errors.Is(err, http.ErrNotSupported) {
		p.f.hides.Do(func() {
			p.f.log.Warn("a http.ResponseWriter around lanyard.Require has no method Unwrap, so a write that waits for its reader cannot be ended (logged once)")
		})
	}
}

// begin notes that the handler answers, and says why it may not.
func (p *passage) begin() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended != nil {
		return p.ended
	}
	p.begun = true
	return nil
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

// ReadFrom implements io.ReaderFrom, so that files are still sent by the system: in pieces, between which it may end.
func (p *passage) ReadFrom(from io.Reader) (sent int64, err error) {
	const piece = 1 << 20
	for {
		if err := p.begin(); err != nil {
			return sent, err
		}
		n, err := io.Copy(p.ResponseWriter, &io.LimitedReader{R: from, N: piece})
		sent += n
		if err != nil || n < piece {
			return sent, err
		}
	}
}

// SetReadDeadline is what http.ResponseController asks for. What has ended stays so.
func (p *passage) SetReadDeadline(at time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended != nil {
		return p.ended
	}
	return http.NewResponseController(p.ResponseWriter).SetReadDeadline(at)
}

// SetWriteDeadline is SetReadDeadline's like.
func (p *passage) SetWriteDeadline(at time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended != nil {
		return p.ended
	}
	return http.NewResponseController(p.ResponseWriter).SetWriteDeadline(at)
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

// closeNow closes a connection without waiting, as TLS may: for a last word to who does not read it. Deadlines would be the handler's to move.
func closeNow(conn net.Conn) {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	go func() { _ = conn.Close() }()
}

// Unwrap lets http.ResponseController reach the rest.
func (p *passage) Unwrap() http.ResponseWriter { return p.ResponseWriter }
