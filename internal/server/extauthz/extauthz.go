// Package extauthz answers Envoy's filter ext_authz, which asks about every call whether it may pass: over gRPC
// (envoy.service.auth.v3.Authorization) and over HTTP (its http_service), both on one listener. Each turns what Envoy says into a doors.Call
// and gets its Ruling, so it lets through what every other door does. It stands apart from doors for its libraries: gRPC and Envoy's messages.
//
//	POST /envoy.service.auth.v3.Authorization/Check   gRPC
//	ANY  /ext_authz/…                                 HTTP: the call itself, below the path_prefix that Envoy is told
//
// The two are told apart by their paths and by nothing a caller can choose. Without the prefix a call that Envoy hands on could look like
// gRPC, and gRPC answers 200 even to refuse, which is how http_service says yes.
package extauthz

import (
	"net/http"
	"strings"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"

	"github.com/lanyard-auth/lanyard/internal/server/doors"
	"github.com/lanyard-auth/lanyard/internal/web"
)

const (
	// Prefix stands before the path of every call that the HTTP variant is asked about: http_service.path_prefix.
	Prefix = "/ext_authz"
	// maxMessage is how much a question over gRPC may have. Envoy's own limit for headers is 60 KiB.
	maxMessage = 128 << 10
	// maxHeaders is how much of it may be headers of the call, as at the other doors.
	maxHeaders = 32 << 10
	maxTarget  = 16 << 10
	maxMethod  = 32
)

// Service is both variants, as a handler for a server that speaks HTTP/2 without TLS too (web.NewGatewayServer). It is safe for concurrent use.
type Service struct {
	authv3.UnimplementedAuthorizationServer
	doors *doors.Doors
	grpc  *grpc.Server
}

// New returns a service that rules as the doors do.
func New(d *doors.Doors) *Service {
	s := &Service{doors: d, grpc: grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage))}
	authv3.RegisterAuthorizationServer(s.grpc, s)
	return s
}

// ServeHTTP implements http.Handler. Of its own answers none is 200: a gRPC client takes 403 for PermissionDenied and 404 for Unimplemented.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case !web.TrustedPeer(r, s.doors.Proxies):
		s.doors.Stranger().Write(w)
	case isCheck(r):
		s.grpc.ServeHTTP(w, r)
	case strings.HasPrefix(r.RequestURI, Prefix):
		s.serveCall(w, r)
	default:
		s.doors.Problem(http.StatusNotFound, "not_found", "Nobody asks here", "Envoy asks here over gRPC, or over HTTP with the path_prefix "+Prefix+".").Write(w)
	}
}

func isCheck(r *http.Request) bool {
	return r.ProtoMajor == 2 && r.Method == http.MethodPost && r.RequestURI == authv3.Authorization_Check_FullMethodName &&
		strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}
