package oauth_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// BenchmarkAsked is what the answers that apps ask for most cost above net/http: a JWT by client credentials, and introspection of
// one by an app and by a key.
func BenchmarkAsked(b *testing.B) {
	w := newWorld(b, servertest.Options{})
	c := w.machine(lanyard.AppInput{})
	text := c.token(itself(nil)).text("access_token")
	asks := url.Values{"token": {text}}
	for _, bench := range []struct {
		name, path string
		form       url.Values
		header     http.Header
	}{
		{"token", "/oauth/token", itself(nil), basicHeader(c.id, c.secret)},
		{"introspect by app", "/oauth/introspect", asks, basicHeader(c.id, c.secret)},
		{"introspect by key", "/oauth/introspect", asks, bearer(w.node.AdminKey)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			body := bench.form.Encode()
			r := httptest.NewRequest(http.MethodPost, bench.path, nil)
			for name, values := range bench.header {
				r.Header[name] = values
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.ContentLength = int64(len(body))
			read := strings.NewReader(body)
			out := &discard{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				read.Reset(body)
				clear(out.header)
				r.Form, r.PostForm, r.Body = nil, nil, io.NopCloser(read)
				w.node.Handler().ServeHTTP(out, r)
			}
			if out.status >= 400 {
				b.Fatalf("status %d", out.status)
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
