package extauthz_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/servertest"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// world is a whole server with its listener for Envoy, and Envoy's own client.
type world struct {
	*servertest.Node
	key     lanyard.NewKey
	address string
	conn    *grpc.ClientConn
	envoy   authv3.AuthorizationClient
	stop    func() error
	log     *lines
}

// lines is a log that can be written while it is read.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

const here = "127.0.0.0/8"

// newWorld trusts who asks from the addresses that are named.
func newWorld(tb testing.TB, trusted ...string) *world {
	tb.Helper()
	w := &world{log: &lines{}}
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.Node = servertest.Start(tb, servertest.Options{Log: log, Settings: func(s *config.Settings) {
		for _, one := range trusted {
			s.TrustedProxies = append(s.TrustedProxies, netip.MustParsePrefix(one))
		}
	}})
	shop := w.Open(tb)
	w.key = w.Key(tb, shop)
	weather := servertest.Catalog().APIs["weather"]
	weather.Routes, weather.KeyIn = []lanyard.Route{{Prefix: "/weather", StripPrefix: true}}, []string{"header", "query"}
	weather.CORS = &lanyard.CORS{Origins: []string{"https://app.example"}}
	weather.Operations["GET /v1/files/{name...}"] = lanyard.Operation{}
	_, err := w.Admin.ApplyCatalog(tb.Context(), lanyard.Catalog{APIs: map[string]lanyard.API{"weather": weather}}, false)
	must(tb, err)
	must(tb, w.Tail.Sync(tb.Context()))

	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	must(tb, err)
	w.address = l.Addr().String()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	done := make(chan error, 1)
	go func() { done <- web.Serve(ctx, web.NewGatewayServer(w.ExtAuthz(), log), l, 5*time.Second) }()
	w.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	w.conn, err = grpc.NewClient("passthrough:///"+w.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(tb, err)
	w.envoy = authv3.NewAuthorizationClient(w.conn)
	tb.Cleanup(func() {
		must(tb, w.conn.Close())
		must(tb, w.stop())
	})
	return w
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

const (
	forecast = "/weather/v1/forecast"
	caller   = "203.0.113.7"
)

// question is what Envoy asks about a call with these header lines, as encode_raw_headers has it.
func question(method, target string, lines ...string) *authv3.CheckRequest {
	raw := &corev3.HeaderMap{}
	for _, line := range append([]string{":path: " + target, "x-forwarded-for: " + caller}, lines...) {
		at := strings.Index(line[1:], ": ") + 1
		raw.Headers = append(raw.Headers, &corev3.HeaderValue{Key: line[:at], RawValue: []byte(line[at+2:])})
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: socket(caller)},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: method, Path: target, Host: "api.example.test", Scheme: "https", Protocol: "HTTP/2", Size: -1, HeaderMap: raw,
		}},
	}}
}

func socket(ip string) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: ip, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 4711}}}}
}

// joined is a question as Envoy asks it without encode_raw_headers.
func joined(req *authv3.CheckRequest) *authv3.CheckRequest {
	said := req.GetAttributes().GetRequest().GetHttp()
	said.Headers = map[string]string{}
	for _, line := range said.GetHeaderMap().GetHeaders() {
		if before, ok := said.Headers[line.GetKey()]; ok {
			said.Headers[line.GetKey()] = before + "," + string(line.GetRawValue())
		} else {
			said.Headers[line.GetKey()] = string(line.GetRawValue())
		}
	}
	said.HeaderMap = nil
	return req
}

// check asks as Envoy does.
func (w *world) check(tb testing.TB, req *authv3.CheckRequest) *authv3.CheckResponse {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 10*time.Second)
	defer cancel()
	res, err := w.envoy.Check(ctx, req)
	if err != nil {
		tb.Fatalf("Check: %v; it must not fail, or Envoy answers in its own words", err)
	}
	return res
}

// headersOf are headers that Envoy is told to set.
func headersOf(options []*corev3.HeaderValueOption) map[string]string {
	out := map[string]string{}
	for _, o := range options {
		out[o.GetHeader().GetKey()] = o.GetHeader().GetValue()
	}
	return out
}

// ask sends what Envoy's http_service sends.
func (w *world) ask(tb testing.TB, method, target string, lines ...string) (*http.Response, string) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), method, "http://"+w.address, nil)
	must(tb, err)
	req.URL.Opaque = target
	req.Host = "api.example.test"
	req.Header["X-Forwarded-For"], req.Header["X-Forwarded-Proto"] = []string{caller + ",127.0.0.1"}, []string{"https"}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		if name = http.CanonicalHeaderKey(name); value == "" {
			delete(req.Header, name)
		} else {
			req.Header[name] = append(req.Header[name], value)
		}
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	must(tb, err)
	body, err := io.ReadAll(res.Body)
	must(tb, err)
	must(tb, res.Body.Close())
	return res, string(body)
}
