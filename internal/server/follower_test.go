package server_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/examples/live"
	"github.com/lanyard-auth/lanyard/internal/pgtest"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// guardedAPI is an API in another program than the server: lanyard.Require with a Follower stands in front of it.
type guardedAPI struct {
	*servertest.Node // revokes
	shop             servertest.Shop
	url              string
	verified         atomic.Int64 // questions that were asked
}

// guardAPI starts an API that asks node a (or b, if there is one, in turn).
func guardAPI(t *testing.T, a *servertest.Node, nodes []*servertest.Node, handler func(context.Context, *lanyard.Client) http.Handler) *guardedAPI {
	t.Helper()
	g := &guardedAPI{Node: a, shop: a.Open(t)}
	if _, err := a.Admin.PutAPI(t.Context(), "live", lanyard.API{
		Takes: "either", Metering: "none",
		Operations: map[string]lanyard.Operation{"GET /v1/temperature": {}, "GET /v1/live": {}, "POST /v1/alarm": {}, "GET /v1/files/{name}": {}},
	}, false); err != nil {
		t.Fatal(err)
	}
	c := a.Client(t, a.SystemKey(t, "lanyard.verify", "lanyard.changes.read"))
	var turn atomic.Int64
	c.HTTP = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/v1/verify" {
			g.verified.Add(1)
		}
		r.URL.Host = strings.TrimPrefix(nodes[int(turn.Add(1))%len(nodes)].URL, "http://")
		return http.DefaultTransport.RoundTrip(r)
	})}
	ctx, cancel := context.WithCancel(context.Background())
	server := httptest.NewServer(handler(ctx, c))
	t.Cleanup(func() { cancel(); server.CloseClientConnections(); server.Close() })
	g.url = server.URL
	return g
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (g *guardedAPI) get(t *testing.T, path, key string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// alone asks until the API answers without asking the server.
func (g *guardedAPI) alone(t *testing.T, key string) {
	t.Helper()
	for began := time.Now(); time.Since(began) < 20*time.Second; {
		before := g.verified.Load()
		if res := g.get(t, "/v1/temperature", key); res.StatusCode != http.StatusOK {
			t.Fatalf("GET = %d, want 200", res.StatusCode)
		}
		if g.verified.Load() == before {
			return
		}
	}
	t.Fatal("every request was asked about")
}

// TestFollowerRevoked: an API that answers by itself says its last yes less than a second after a revocation, on whatever node that was.
func TestFollowerRevoked(t *testing.T) {
	database, master := pgtest.Start(t), servertest.Master(t)
	a := servertest.Start(t, servertest.Options{DatabaseURL: database, Master: master})
	b := servertest.Start(t, servertest.Options{DatabaseURL: database, Master: master})
	for name, nodes := range map[string][]*servertest.Node{"the same node": {a}, "the other node": {b}, "both in turn": {a, b}} {
		t.Run(name, func(t *testing.T) {
			g := guardAPI(t, a, nodes, live.Handler)
			for range 5 {
				k := g.Key(t, g.shop)
				g.alone(t, k.Secret)
				if _, err := g.Admin.RevokeKey(t.Context(), k.ID, lanyard.RevokeInput{}, 0); err != nil {
					t.Fatal(err)
				}
				revoked, last := time.Now(), time.Duration(0)
				for status := http.StatusOK; status != http.StatusUnauthorized; {
					sent := time.Since(revoked)
					if status = g.get(t, "/v1/temperature", k.Secret).StatusCode; status == http.StatusOK {
						last = sent
					}
					if sent > 20*time.Second {
						t.Fatalf("the answer is still %d", status)
					}
				}
				if last >= promise {
					t.Errorf("the last yes was to a request of %s after the revocation, want under %s", last, promise)
				}
				t.Logf("the last yes came %s after the answer", last.Round(time.Millisecond))
			}
		})
	}
}

// TestFollowerCutOff: when the server is gone, an API stops answering by itself.
func TestFollowerCutOff(t *testing.T) {
	n := servertest.Start(t, servertest.Options{})
	g := guardAPI(t, n, []*servertest.Node{n}, live.Handler)
	k := g.Key(t, g.shop)
	g.alone(t, k.Secret)
	stream := g.get(t, "/v1/live", k.Secret)
	n.Stop()
	gone := time.Now()
	if _, err := io.Copy(io.Discard, stream.Body); err == nil {
		t.Error("the stream ended as if it were whole")
	}
	t.Logf("the stream ended after %s", time.Since(gone).Round(time.Millisecond))
	for res := g.get(t, "/v1/temperature", k.Secret); res.StatusCode != http.StatusServiceUnavailable; res = g.get(t, "/v1/temperature", k.Secret) {
		if time.Since(gone) > 20*time.Second {
			t.Fatalf("GET = %d long after the server has gone, want 503", res.StatusCode)
		}
	}
}

// endless is an API whose answers take as long as they may. It counts the handlers at work.
type endless struct{ running atomic.Int64 }

func (e *endless) handler(ctx context.Context, c *lanyard.Client) http.Handler {
	f := lanyard.Follow(ctx, c, lanyard.FollowOptions{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/live", func(w http.ResponseWriter, _ *http.Request) { // deaf to its context
		e.running.Add(1)
		defer e.running.Add(-1)
		for {
			if _, err := io.WriteString(w, "data: 1\n\n"); err != nil {
				return
			}
			if err := http.NewResponseController(w).Flush(); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("GET /v1/files/{name}", func(w http.ResponseWriter, _ *http.Request) {
		e.running.Add(1)
		defer e.running.Add(-1)
		w.Header().Set("Content-Length", strconv.Itoa(1<<40))
		_, _ = io.Copy(w, io.LimitReader(zeros{}, 1<<40))
	})
	mux.HandleFunc("GET /v1/temperature", func(w http.ResponseWriter, _ *http.Request) { // a socket that outlives its handler
		hijacker, _ := w.(http.Hijacker)
		conn, _, err := hijacker.Hijack()
		if err != nil {
			return
		}
		e.running.Add(1)
		go func() {
			defer e.running.Add(-1)
			defer func() { _ = conn.Close() }()
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n")
			_, _ = io.Copy(conn, conn)
		}()
	})
	return lanyard.Require(c, "live", lanyard.WithFollower(f))(mux)
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// TestFollowerStreams: an event stream, a download and a socket end after the revocation, whatever their handlers do, and whether the caller reads
// or not.
func TestFollowerStreams(t *testing.T) {
	n := servertest.Start(t, servertest.Options{})
	var e endless
	g := guardAPI(t, n, []*servertest.Node{n}, e.handler)
	for _, path := range []string{"/v1/live", "/v1/files/large", "/v1/temperature"} {
		for _, reads := range []bool{true, false} {
			k := g.Key(t, g.shop)
			conn, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: api.test\r\nX-Api-Key: "+k.Secret+"\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			from := bufio.NewReader(conn)
			if line, err := from.ReadString('\n'); err != nil || !strings.Contains(line, " 200 ") && !strings.Contains(line, " 101 ") {
				t.Fatalf("%s begins with %q, %v", path, line, err)
			}
			if _, err := n.Admin.RevokeKey(t.Context(), k.ID, lanyard.RevokeInput{}, 0); err != nil {
				t.Fatal(err)
			}
			revoked := time.Now()
			if reads {
				_ = conn.SetReadDeadline(revoked.Add(20 * time.Second))
				var late net.Error
				if _, err := io.Copy(io.Discard, from); errors.As(err, &late) && late.Timeout() {
					t.Errorf("%s goes on", path)
				}
			}
			for e.running.Load() > 0 && time.Since(revoked) < 20*time.Second {
				runtime.Gosched()
			}
			if e.running.Load() > 0 {
				t.Fatalf("%s, read %t: its handler goes on", path, reads)
			}
			t.Logf("%s, read %t: ended after %s", path, reads, time.Since(revoked).Round(time.Millisecond))
			_ = conn.Close()
		}
	}
}
