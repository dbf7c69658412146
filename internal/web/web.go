// Package web is what every HTTP surface of Lanyard shares: the frame around a request (id, client address, log line,
// panics), the one writer of problem documents, strict JSON, and a server with sane limits.
//
// It knows nothing of what is served. Who the asker is, and what they may do, is the surfaces' and package manage's.
package web

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Kit is what the surfaces of one server share. Fill it in once; it is not changed afterwards.
type Kit struct {
	PublicURL string           // without a slash at its end; problem types stand below it
	Proxies   []netip.Prefix   // whose X-Forwarded-For is believed; none by default
	Quiet     []string         // patterns whose successes are not logged, because there are too many of them
	Log       *slog.Logger     // nil: nothing is logged
	Now       func() time.Time // nil: time.Now
}

func (k *Kit) now() time.Time {
	if k.Now != nil {
		return k.Now()
	}
	return time.Now() //nolint:forbidigo // the clock field's zero value is the real clock
}

func (k *Kit) log() *slog.Logger {
	if k.Log != nil {
		return k.Log
	}
	return slog.New(slog.DiscardHandler)
}

// Wrap puts the frame around a whole server: a request id of our own making (one from outside is ignored, since it would
// let a caller write into our log), headers that keep browsers from guessing, one log line, and a 500 for a panic.
func (k *Kit) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := k.now()
		requestID := NewRequestID()
		r = r.WithContext(context.WithValue(r.Context(), requestIDKey{}, requestID))
		rec := &recorder{ResponseWriter: w}
		h := w.Header()
		h["X-Request-Id"] = []string{requestID}
		h["X-Content-Type-Options"] = []string{"nosniff"}
		h["Referrer-Policy"] = []string{"no-referrer"}
		defer func() {
			caught := recover()
			if caught != nil {
				k.panicked(rec, r, caught)
			}
			k.logged(rec, r, began)
			if caught != nil && rec.aborted {
				panic(http.ErrAbortHandler)
			}
		}()
		next.ServeHTTP(rec, r)
	})
}

// panicked answers 500 if it still can, and otherwise has the connection cut, so that nobody takes half an answer for a
// whole one.
func (k *Kit) panicked(rec *recorder, r *http.Request, caught any) {
	if caught != http.ErrAbortHandler { //nolint:errorlint // recovered as it was thrown; nobody wraps it
		k.log().ErrorContext(r.Context(), "panic", "request_id", RequestID(r.Context()), "pattern", r.Pattern,
			"panic", caught, "stack", string(debug.Stack()))
	}
	if rec.status != 0 || caught == http.ErrAbortHandler { //nolint:errorlint // as above
		rec.aborted = true
		return
	}
	k.write(rec, r, internal())
}

// logged writes the access line. It holds no query and no header: credentials stand there. A path may hold one by mistake.
func (k *Kit) logged(rec *recorder, r *http.Request, began time.Time) {
	if rec.status == 0 && !rec.aborted {
		rec.status = http.StatusOK // as net/http does for who writes nothing
	}
	if rec.status < 400 && !rec.aborted && slices.Contains(k.Quiet, r.Pattern) {
		return
	}
	level := slog.LevelInfo
	if rec.status >= 500 {
		level = slog.LevelWarn
	}
	log := k.log()
	if !log.Enabled(r.Context(), level) {
		return
	}
	path := r.URL.Path
	if len(path) > 200 {
		path = path[:200]
	}
	log.LogAttrs(r.Context(), level, "request",
		slog.String("request_id", RequestID(r.Context())),
		slog.String("method", r.Method),
		slog.String("path", secret.Redact(path)),
		slog.String("pattern", r.Pattern),
		slog.Int("status", rec.status),
		slog.Int64("bytes", rec.bytes),
		slog.Duration("took", k.now().Sub(began)),
		slog.String("client", k.Client(r).String()),
	)
}

type requestIDKey struct{}

// RequestID returns the id that Wrap gave the request, or "" outside one.
func RequestID(ctx context.Context) string {
	text, _ := ctx.Value(requestIDKey{}).(string)
	return text
}

// NewRequestID returns 16 letters or digits, 80 bits.
func NewRequestID() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return base32.StdEncoding.EncodeToString(b[:])
}

// recorder notes what was answered, for the log and to know whether an answer has begun.
type recorder struct {
	http.ResponseWriter
	status  int
	bytes   int64
	aborted bool
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach what it needs.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// begun reports whether the answer is on its way.
func (w *recorder) begun() bool { return w.status != 0 }
