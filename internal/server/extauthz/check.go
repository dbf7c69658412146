package extauthz

import (
	"context"
	"errors"
	"net/http"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/server/doors"
)

// Check implements envoy.service.auth.v3.Authorization. It never fails: what Envoy makes of an error is up to its configuration, so an answer
// that nobody could decide on is a refusal with status 503.
func (s *Service) Check(ctx context.Context, req *authv3.CheckRequest) (res *authv3.CheckResponse, _ error) {
	var ruling doors.Ruling
	defer func() {
		if caught := recover(); caught != nil {
			s.doors.Drop(&ruling)
			s.doors.Log.ErrorContext(ctx, "panic", "panic", caught)
			res = denied(s.doors.Failed())
		}
	}()
	call, err := readCheck(req, s.doors.Proxies)
	if err != nil {
		return denied(s.unread(err)), nil
	}
	identity := make(http.Header, 8)
	if answer := s.rule(ctx, &call, &ruling, identity); answer != nil {
		return denied(answer), nil
	}
	return allowed(&call, &ruling, identity), nil
}

// rule decides on a call, and counts it and says who calls if it may pass. nil: it may.
func (s *Service) rule(ctx context.Context, call *doors.Call, r *doors.Ruling, identity http.Header) *doors.Answer {
	s.doors.Rule(ctx, call, r)
	if r.Answer == nil {
		if err := r.Literal(call.Path); err != nil {
			s.doors.Drop(r)
			return s.doors.Unclear(err)
		}
		s.doors.Admit(ctx, r, identity)
	}
	if r.Answer != nil {
		s.doors.Log.DebugContext(ctx, "refused", "at", "ext_authz", "status", r.Answer.Status, "code", r.Answer.Code, "method", call.Method, "path", secret.Redact(call.Path))
	}
	return r.Answer
}

// unread answers a question that tells of no call.
func (s *Service) unread(err error) *doors.Answer {
	if errors.Is(err, errTooLarge) {
		return s.doors.Problem(http.StatusRequestHeaderFieldsTooLarge, "invalid_request", "Headers too large", "The headers of a call are at most 32 KiB in all.")
	}
	return s.doors.Unclear(err)
}
