//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/server"
)

// running is a badge with few clients, and a server of it in this process.
func running(tb testing.TB) (*badge, *server.Server) {
	tb.Helper()
	settings := settings(tb.TempDir())
	b, err := seedBadge(tb.Context(), settings, 2)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := b.core.Close(); err != nil {
			tb.Error(err)
		}
	})
	if _, err := b.mint(tb.Context(), b.clients[0], formatJWT); err != nil {
		tb.Fatal(err)
	}
	s, err := server.New(tb.Context(), settings, server.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	stop := s.Start(tb.Context())
	tb.Cleanup(func() {
		if err := stop(); err != nil {
			tb.Error(err)
		}
	})
	return b, s
}

// TestBadge: every measurement of the badge goes through, and finds its answers right.
func TestBadge(t *testing.T) {
	b, s := running(t)
	served := httptest.NewServer(s.Handler())
	t.Cleanup(served.Close)
	subjects, err := b.subjects(t.Context(), strings.TrimPrefix(served.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	for _, subject := range subjects {
		if strings.HasSuffix(subject.name, "first sight") {
			continue // asks as the others do, about tens of thousands of tokens made for each round
		}
		r, err := subject.round(len(b.clients), 50*time.Millisecond)
		if err != nil || r.requests == 0 {
			t.Errorf("%s: round() = %d requests, %v, want some and no error", subject.name, r.requests, err)
		}
	}
}

// BenchmarkBadge is what the measurements cost above net/http.
func BenchmarkBadge(b *testing.B) {
	badge, s := running(b)
	handler := s.Handler()
	for _, format := range []string{formatJWT, formatOpaque} {
		c := badge.clients[0]
		text, err := badge.mint(b.Context(), c, format)
		if err != nil {
			b.Fatal(err)
		}
		for _, of := range []struct {
			name    string
			request []byte
		}{
			{"issue/" + format, newIssuance(c, "localhost", format).next()},
			{"introspect/" + format, introspection("localhost", format).request(c, text)},
			{"verify/" + format, decision(badge, "localhost", format).request(c, text)},
		} {
			b.Run(of.name, func(b *testing.B) { serve(b, handler, of.request) })
		}
	}
}

func serve(b *testing.B, handler http.Handler, raw []byte) {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		b.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		b.Fatal(err)
	}
	r = r.WithContext(context.WithoutCancel(b.Context()))
	r.RemoteAddr = "127.0.0.1:1"
	read := bytes.NewReader(body)
	r.Body = io.NopCloser(read)
	w := &discard{header: http.Header{}}
	b.ReportAllocs()
	began := used(b)
	for b.Loop() {
		read.Reset(body)
		clear(w.header)
		handler.ServeHTTP(w, r)
	}
	// On a machine that others use it says more than the time that went by.
	b.ReportMetric(float64((used(b)-began).Nanoseconds())/float64(b.N), "cpu-ns/op")
	if w.status >= 400 {
		b.Fatalf("ServeHTTP() = %d, want 200", w.status)
	}
}

// used is the processor time of this process so far.
func used(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// discard is a connection whose other end reads everything.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

func (d *discard) SetReadDeadline(time.Time) error { return nil }
