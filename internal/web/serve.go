package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// NewServer returns a server whose limits keep slow or greedy clients from holding it. It sets no time for a whole answer,
// since streams have none: whoever reads a body (ReadBody) or writes a stream sets their own.
func NewServer(handler http.Handler, log *slog.Logger) *http.Server {
	closing := make(chan struct{})
	s := &http.Server{
		Handler:           oneAtATime(handler),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.Background(), closingKey{}, closing)
		},
	}
	s.RegisterOnShutdown(sync.OnceFunc(func() { close(closing) }))
	return s
}

// oneAtATime ends a connection after a request whose length another program could have read in another way: one in chunks, which may have come with a
// Content-Length as well, and one of HTTP/1.0, for which chunks do not exist. net/http has taken those headers out by now, so nobody can tell
// (RFC 9112 section 6.1). What a program before us took for the rest of such a request is not read as the next.
func oneAtATime(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 1 && (len(r.TransferEncoding) > 0 || r.ProtoMinor == 0) {
			w.Header()["Connection"] = []string{"close"}
		}
		next.ServeHTTP(w, r)
	})
}

// NewGatewayServer is NewServer for calls that are forwarded: it also speaks HTTP/2 without TLS, to proxies that do.
func NewGatewayServer(handler http.Handler, log *slog.Logger) *http.Server {
	s := NewServer(handler, log)
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	return s
}

type closingKey struct{}

// Closing returns a channel that is closed when the server of a request begins to shut down: streams end then, so that
// whoever reads them finds another node at once. Outside a server of NewServer it is nil.
func Closing(ctx context.Context) <-chan struct{} {
	closing, _ := ctx.Value(closingKey{}).(chan struct{})
	return closing
}

// Serve serves until ctx ends, then lets requests under way finish for at most grace before it cuts them off. It returns nil
// after an orderly end.
func Serve(ctx context.Context, s *http.Server, l net.Listener, grace time.Duration) error {
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := s.Shutdown(ending)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.Close()
	}
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
