package extauthz_test

import (
	"context"
	"log/slog"
	"net"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/lanyard-auth/lanyard/internal/web"
)

// bare lets every call through, to tell what of a question's time is gRPC's.
type bare struct {
	authv3.UnimplementedAuthorizationServer
}

func (bare) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return &authv3.CheckResponse{Status: &status.Status{}, HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{}}}, nil
}

// BenchmarkCheck is a question over a connection on this machine: answered by Lanyard, and by a server that only says yes, on the same HTTP server.
func BenchmarkCheck(b *testing.B) {
	w := newWorld(b, here)
	req := question("GET", forecast, "x-api-key: "+w.key.Secret, "accept: */*", "user-agent: bench")
	run := func(b *testing.B, envoy authv3.AuthorizationClient) {
		b.Helper()
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if res, err := envoy.Check(b.Context(), req); err != nil || res.GetOkResponse() == nil {
					b.Errorf("Check = %v, %v", res, err)
					return
				}
			}
		})
	}
	b.Run("lanyard", func(b *testing.B) { run(b, w.envoy) })
	b.Run("bare", func(b *testing.B) {
		s := grpc.NewServer()
		authv3.RegisterAuthorizationServer(s, bare{})
		l, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
		must(b, err)
		ctx, cancel := context.WithCancel(context.WithoutCancel(b.Context()))
		done := make(chan error, 1)
		go func() { done <- web.Serve(ctx, web.NewGatewayServer(s, slog.New(slog.DiscardHandler)), l, 0) }()
		conn, err := grpc.NewClient("passthrough:///"+l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		must(b, err)
		run(b, authv3.NewAuthorizationClient(conn))
		must(b, conn.Close())
		cancel()
		must(b, <-done)
	})
}
