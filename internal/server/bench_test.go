package server_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// BenchmarkVerifyHandler is what POST /v1/verify costs above net/http, beside a handler that decodes and encodes the same
// JSON with encoding/json.
func BenchmarkVerifyHandler(b *testing.B) {
	n := servertest.Start(b, servertest.Options{})
	shop := n.Open(b)
	k := n.Key(b, shop)
	answer, err := n.Admin.Verify(b.Context(), lanyard.VerifyRequest{Credential: k.Secret, API: "open"})
	if err != nil {
		b.Fatal(err)
	}
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in lanyard.VerifyRequest
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			b.Error(err)
		}
		body, err := json.Marshal(&answer)
		if err != nil {
			b.Error(err)
		}
		_, _ = w.Write(body)
	})
	for _, bench := range []struct {
		name, api string
		handler   http.Handler
	}{{"bare", "open", bare}, {"unmetered", "open", n.Handler()}, {"metered", "weather", n.Handler()}} {
		b.Run(bench.name, func(b *testing.B) {
			body, err := json.Marshal(lanyard.VerifyRequest{Credential: k.Secret, API: bench.api, IP: "203.0.113.7"})
			if err != nil {
				b.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodPost, "/v1/verify", nil)
			r.Header.Set("Authorization", "Bearer "+n.AdminKey)
			r.Header.Set("Content-Type", "application/json")
			r.ContentLength = int64(len(body))
			read := bytes.NewReader(body)
			r.Body = io.NopCloser(read)
			w := &discard{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				read.Reset(body)
				clear(w.header)
				bench.handler.ServeHTTP(w, r)
			}
			if w.status >= 400 {
				b.Fatalf("status %d", w.status)
			}
		})
	}
}

type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }
