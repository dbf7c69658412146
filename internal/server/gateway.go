package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/server/doors"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// newDoors makes what stands in front of APIs.
func (s *Server) newDoors() error {
	s.doors = doors.New(doors.Config{
		Verifier: s.Verifier, Assert: s.minter.Assert, Keys: s.Ring.AssertionJWKS, Issuer: s.Settings.PublicURL, GatewayURL: s.Settings.GatewayURL,
		Proxies: s.Settings.TrustedProxies, Log: s.log, Now: s.opts.Now,
	})
	if s.Settings.GatewayURL == "" {
		return nil
	}
	var o doors.GatewayOptions
	if file := s.Settings.OutboundCAFile; file != "" {
		roots, err := x509.SystemCertPool()
		if err != nil {
			return fmt.Errorf("read the system's certificates: %w", err)
		}
		text, err := os.ReadFile(file) //nolint:gosec // the setting names it
		if err != nil || !roots.AppendCertsFromPEM(text) {
			return fault.New(fault.Invalid, "LANYARD_OUTBOUND_CA_FILE names no file with certificates in PEM")
		}
		o.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	s.gateway = doors.NewGateway(s.doors, o)
	return nil
}

// Gateway is what the gateway's listener serves, for tests and for whoever listens by themselves; nil: there is no gateway.
func (s *Server) Gateway() http.Handler {
	if s.gateway == nil {
		return nil
	}
	return s.gateway
}

func (s *Server) runGateway(ctx context.Context) {
	if s.gateway == nil {
		return
	}
	s.gateway.Run(ctx)
	s.gateway.Close()
}

// serveGateway serves the gateway until ctx ends, if a listener is configured, and calls failed if that ends before. The channel tells how.
func (s *Server) serveGateway(ctx context.Context, failed func()) (<-chan error, error) {
	done := make(chan error, 1)
	if s.gateway == nil || s.Settings.GatewayListen == "" {
		done <- nil
		return done, nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Settings.GatewayListen)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "cannot listen on %s: %s; set LANYARD_GATEWAY_LISTEN to a free address", s.Settings.GatewayListen, plainNet(err))
	}
	if l, err = s.secured(l); err != nil {
		return nil, err
	}
	go func() {
		defer failed()
		if err := web.Serve(ctx, web.NewGatewayServer(s.gateway, s.log), l, grace); err != nil {
			done <- fmt.Errorf("serve the gateway: %w", err)
			return
		}
		done <- nil
	}()
	return done, nil
}
