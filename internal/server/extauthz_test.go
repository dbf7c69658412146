package server_test

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/server"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// TestExtAuthzListens: the listener for Envoy answers both variants while the server runs, and ends with it.
func TestExtAuthzListens(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String() // free again in a moment
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	settings := servertest.Settings(t, servertest.Options{Settings: func(s *config.Settings) {
		s.Listen, s.ExtAuthzListen, s.TrustedProxies = "127.0.0.1:0", address, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}})
	s, err := server.New(t.Context(), settings, server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	listening, done := make(chan net.Addr, 1), make(chan error, 1)
	go func() { done <- s.Run(ctx, func(a net.Addr) { listening <- a }) }()
	select {
	case <-listening:
	case err := <-done:
		t.Fatalf("Run = %v", err)
	}
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	res, err := authv3.NewAuthorizationClient(conn).Check(ctx, &authv3.CheckRequest{})
	if err != nil || res.GetDeniedResponse().GetStatus().GetCode() != http.StatusBadRequest {
		t.Errorf("Check of nothing = %v, %v, want a refusal with 400", res, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/ext_authz/nowhere", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"X-Forwarded-For": {"203.0.113.7"}, "X-Forwarded-Proto": {"http"}}
	answer, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Body.Close(); answer.StatusCode != http.StatusNotFound {
		t.Errorf("a call of no API = %d, want 404", answer.StatusCode)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run = %v", err)
	}
	if conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address); err == nil {
		t.Errorf("somebody still listens at %s", address)
		_ = conn.Close()
	}
}
