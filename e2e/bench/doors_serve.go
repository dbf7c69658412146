package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// sunny is what the upstream answers.
const sunny = `{"city":"Lagos","days":[{"summary":"some clouds","high_c":33}]}`

// forecast is an API that does nothing.
func forecast(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, sunny)
}

func serveUpstream(ctx context.Context, out io.Writer) error {
	return serveOn(ctx, out, http.HandlerFunc(forecast))
}

// guard is how an API guards itself.
type guard struct {
	server, token, api string
	follow             bool // gives answers again where it may
}

// serve is the same API as the upstream, guarded.
func (g *guard) serve(ctx context.Context, out io.Writer) error {
	client, err := lanyard.NewClient(g.server, g.token)
	if err != nil {
		return err
	}
	var opts []lanyard.Option
	if g.follow {
		opts = append(opts, lanyard.WithFollower(lanyard.Follow(ctx, client, lanyard.FollowOptions{})))
	}
	return serveOn(ctx, out, lanyard.Require(client, g.api, opts...)(http.HandlerFunc(forecast)))
}

// serveProxy is the standard library's reverse proxy before an upstream, with as many idle connections as the gateway keeps.
func serveProxy(ctx context.Context, upstream string, out io.Writer) error {
	target := &url.URL{Scheme: "http", Host: upstream}
	return serveOn(ctx, out, &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target); r.SetXForwarded() },
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true, IdleConnTimeout: 90 * time.Second, WriteBufferSize: 32 << 10, ReadBufferSize: 32 << 10},
	})
}

// yes is what a forward-auth endpoint answers to let a call through.
const yes = "ok\n"

// serveYes lets every call through.
func serveYes(ctx context.Context, out io.Writer) error {
	return serveOn(ctx, out, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, yes)
	}))
}

func serveOn(ctx context.Context, out io.Writer, handler http.Handler) error {
	return serveWith(ctx, out, &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second})
}

func serveWith(ctx context.Context, out io.Writer, s *http.Server) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, l.Addr())
	return web.Serve(ctx, s, l, time.Second)
}

// consent lets every call through over gRPC.
type consent struct {
	authv3.UnimplementedAuthorizationServer
}

func (consent) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return &authv3.CheckResponse{Status: &status.Status{}, HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{}}}, nil
}

// serveCheck is gRPC that only says yes, on the same HTTP server as Lanyard's.
func serveCheck(ctx context.Context, out io.Writer) error {
	s := grpc.NewServer()
	authv3.RegisterAuthorizationServer(s, consent{})
	return serveWith(ctx, out, web.NewGatewayServer(s, slog.New(slog.DiscardHandler)))
}
