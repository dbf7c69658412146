package server

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/server/extauthz"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// ExtAuthz is what the listener for Envoy serves, for tests and for whoever listens by themselves.
func (s *Server) ExtAuthz() http.Handler { return extauthz.New(s.doors) }

// serveExtAuthz answers Envoy until ctx ends, if a listener is configured, and calls failed if that ends before. The channel tells how.
func (s *Server) serveExtAuthz(ctx context.Context, failed func()) (<-chan error, error) {
	done := make(chan error, 1)
	if s.Settings.ExtAuthzListen == "" {
		done <- nil
		return done, nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Settings.ExtAuthzListen)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "cannot listen on %s: %s; set LANYARD_EXTAUTHZ_LISTEN to a free address", s.Settings.ExtAuthzListen, plainNet(err))
	}
	if l, err = s.secured(l); err != nil {
		return nil, err
	}
	go func() {
		defer failed()
		if err := web.Serve(ctx, web.NewGatewayServer(s.ExtAuthz(), s.log), l, grace); err != nil {
			done <- fmt.Errorf("serve ext_authz: %w", err)
			return
		}
		done <- nil
	}()
	return done, nil
}
