package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/pgtest"
)

// shipped is the configuration that people install.
func shipped(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("../../deploy/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestNginxSendsAPostOnce: what a node may have done already is not asked of another node; what it cannot have done, is.
func TestNginxSendsAPostOnce(t *testing.T) {
	for _, test := range []struct {
		name   string
		node   http.HandlerFunc // of every node that there is
		there  int              // how many nodes there are, of three; the others refuse connections
		method string
		asked  int64 // how many nodes were asked
		status int
	}{
		{"a POST that breaks off", breakOff, 3, http.MethodPost, 1, http.StatusBadGateway},
		{"a GET that breaks off", breakOff, 3, http.MethodGet, 3, http.StatusBadGateway},
		{"a POST with the database away", unavailable, 3, http.MethodPost, 1, http.StatusServiceUnavailable},
		{"a GET with the database away", unavailable, 3, http.MethodGet, 1, http.StatusServiceUnavailable},
		{"a POST with two nodes down", agree, 1, http.MethodPost, 1, http.StatusOK},
	} {
		t.Run(test.name, func(t *testing.T) {
			var asked atomic.Int64
			var addresses []string
			for n := range nodes {
				if n < nodes-test.there {
					addresses = append(addresses, port(t))
					continue
				}
				node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if _, err := io.ReadAll(r.Body); err != nil {
						t.Error(err)
					}
					if r.URL.Path != "/healthz" {
						asked.Add(1)
						test.node(w, r)
					}
				}))
				t.Cleanup(node.Close)
				addresses = append(addresses, node.Listener.Addr().String())
			}
			dir, listen := t.TempDir(), port(t)
			if err := configure(shipped(t), dir, listen, addresses); err != nil {
				t.Fatal(err)
			}
			front, err := newFront(dir, "http://"+listen)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := front.end(); err != nil {
					t.Error(err)
				}
			})
			if err := front.start(t.Context()); err != nil {
				t.Fatal(err)
			}
			req, err := http.NewRequestWithContext(t.Context(), test.method, "http://"+listen+"/v1/verify", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if res.StatusCode != test.status || asked.Load() != test.asked {
				t.Errorf("status %d after asking %d nodes, want %d after %d", res.StatusCode, asked.Load(), test.status, test.asked)
			}
		})
	}
}

func breakOff(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
func unavailable(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusServiceUnavailable)
}
func agree(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

// port is an address where nobody listens until the test does.
func port(t *testing.T) string {
	t.Helper()
	p, err := pgtest.Reserve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Release(); err != nil {
			t.Error(err)
		}
	})
	return p.Address()
}

func TestConfigureRefuses(t *testing.T) {
	text := strings.Replace(string(shipped(t)), "listen 443 ssl http2;", "listen 443 ssl;", 1)
	if err := configure([]byte(text), t.TempDir(), "127.0.0.1:1", []string{"a", "b", "c"}); err == nil {
		t.Error("configure of a file that it does not know = nil, want an error: nginx would listen elsewhere")
	}
}
