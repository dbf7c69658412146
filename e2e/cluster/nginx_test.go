package main

import (
	"bufio"
	"io"
	"net"
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
		again  bool // more than one node is asked
		status int
	}{
		{"a POST that breaks off", breakOff, 3, http.MethodPost, false, http.StatusBadGateway},
		{"a GET that breaks off", breakOff, 3, http.MethodGet, true, http.StatusBadGateway},
		{"a POST with the database away", unavailable, 3, http.MethodPost, false, http.StatusServiceUnavailable},
		{"a GET with the database away", unavailable, 3, http.MethodGet, false, http.StatusServiceUnavailable},
		{"a POST with two nodes down", agree, 1, http.MethodPost, false, http.StatusOK},
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
			url := before(t, addresses)
			if got := status(t, test.method, url); got != test.status || asked.Load() < 1 || (asked.Load() > 1) != test.again {
				t.Errorf("status %d after asking %d times, want %d, and more than once %v", got, asked.Load(), test.status, test.again)
			}
		})
	}
}

// TestNginxFindsWhoIsBack: a node that comes back is asked at once, even if nginx has just found every node dead.
func TestNginxFindsWhoIsBack(t *testing.T) {
	addresses := []string{port(t), port(t), port(t)}
	var up []*httptest.Server
	begin := func(address string) {
		listener, err := net.Listen("tcp", address)
		must(t, err)
		node := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(agree)}}
		node.Start()
		t.Cleanup(node.Close)
		up = append(up, node)
	}
	for _, address := range addresses {
		begin(address)
	}
	url := before(t, addresses)
	for _, node := range up {
		node.Close()
	}
	if got := status(t, http.MethodPost, url); got != http.StatusBadGateway {
		t.Fatalf("status %d with every node dead, want %d", got, http.StatusBadGateway)
	}
	begin(addresses[1])
	if got := status(t, http.MethodPost, url); got != http.StatusOK {
		t.Errorf("status %d with a node back, want %d", got, http.StatusOK)
	}
}

// TestNginxKeepsFrontsOut: who comes through nginx would be taken for a proxy that is trusted, so nobody gets to where those ask, in whatever spelling.
func TestNginxKeepsFrontsOut(t *testing.T) {
	var asked atomic.Int64
	mux := http.NewServeMux() // as a node reads paths
	mux.HandleFunc("/forward-auth/", func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	mux.HandleFunc("/healthz", agree)
	node := httptest.NewServer(mux)
	t.Cleanup(node.Close)
	address := node.Listener.Addr().String()
	host := strings.TrimPrefix(before(t, []string{address, address, address}), "http://")
	for target, want := range map[string]int{
		"/forward-auth/nginx": 404, "/forward-auth/": 404, "/forward-auth/nginx?api=weather": 404, "//forward-auth/nginx": 404, "/forward-auth//nginx": 404, "/./forward-auth/nginx": 404, "/x/../forward-auth/nginx": 404,
		"/forward-auth/x/../nginx": 404, "/%66orward-auth/nginx": 404, "/forward%2dauth/nginx": 404, "/forward-auth%2fnginx": 404, "/forward-auth%2Fnginx": 404, "/x%2f..%2fforward-auth/nginx": 404, "/%2e/forward-auth/nginx": 404,
		"/forward-auth/traefik/preflight": 404, "http://elsewhere/forward-auth/nginx": 404, "/healthz": 200,
	} {
		for _, method := range []string{"GET", "POST", "OPTIONS"} {
			conn, err := net.Dial("tcp", host)
			must(t, err)
			_, err = io.WriteString(conn, method+" "+target+" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			must(t, err)
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			must(t, err)
			must(t, res.Body.Close())
			_ = conn.Close()
			if res.StatusCode != want {
				t.Errorf("%s %s: %d, want %d", method, target, res.StatusCode, want)
			}
		}
	}
	for _, target := range []string{"/FORWARD-AUTH/nginx", "/forward-auth", "/forward-auth;x/nginx", "/x/..;/forward-auth/nginx", "/forward-auth%252fnginx"} { // these lead nowhere
		if got := status(t, http.MethodGet, "http://"+host+target+"?"); got == http.StatusOK {
			t.Errorf("%s: %d", target, got)
		}
	}
	if asked.Load() != 0 {
		t.Errorf("a node was asked %d times", asked.Load())
	}
}

// before starts nginx before nodes, and returns its URL.
func before(t *testing.T, nodes []string) string {
	t.Helper()
	dir, listen := t.TempDir(), port(t)
	must(t, configure(shipped(t), dir, listen, nodes))
	front, err := newFront(dir, "http://"+listen)
	must(t, err)
	t.Cleanup(func() { must(t, front.end()) })
	must(t, front.start(t.Context()))
	return "http://" + listen
}

func status(t *testing.T, method, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url+"/v1/verify", strings.NewReader("{}"))
	must(t, err)
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	must(t, res.Body.Close())
	return res.StatusCode
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
