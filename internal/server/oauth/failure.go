package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// Errors of OAuth 2.0 and the specifications built on it.
const (
	invalidRequest       = "invalid_request"
	invalidClient        = "invalid_client"
	invalidGrant         = "invalid_grant"
	unauthorizedClient   = "unauthorized_client"
	unsupportedGrant     = "unsupported_grant_type"
	unsupportedResponse  = "unsupported_response_type"
	invalidScope         = "invalid_scope"
	invalidTarget        = "invalid_target" // RFC 8707
	accessDenied         = "access_denied"
	serverError          = "server_error"
	unavailable          = "temporarily_unavailable"
	invalidToken         = "invalid_token"          // RFC 6750
	insufficientScope    = "insufficient_scope"     // RFC 6750
	invalidProof         = "invalid_dpop_proof"     // RFC 9449
	pending              = "authorization_pending"  // RFC 8628
	slowDown             = "slow_down"              // RFC 8628
	expiredToken         = "expired_token"          // RFC 8628
	invalidRequestObject = "invalid_request_object" // RFC 9101
	invalidRequestURI    = "invalid_request_uri"
	invalidMetadata      = "invalid_client_metadata" // RFC 7591
	invalidRedirect      = "invalid_redirect_uri"    // RFC 7591
	unsupportedTokenType = "unsupported_token_type"  // RFC 7009
	unmetAuthentication  = "unmet_authentication_requirements"
)

// failure is an error in OAuth's own dialect (RFC 6749 section 5.2). Its detail is one sentence and holds no secret.
type failure struct {
	Code   string
	Detail string
	Status int // 0: 400
	Basic  bool
	Bearer string // challenge of a protected resource: the scheme
}

func (f *failure) Error() string { return f.Code + ": " + f.Detail }

func fail(code, format string, args ...any) *failure {
	return &failure{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// translate gives every error OAuth's dialect. Unknown ones stay what they are.
func translate(err error) (*failure, bool) {
	var f *failure
	if errors.As(err, &f) {
		return f, true
	}
	switch fault.KindOf(err) {
	case fault.Invalid:
		return &failure{Code: invalidRequest, Detail: detail(err)}, true
	case fault.Unavailable:
		return &failure{Code: unavailable, Status: http.StatusServiceUnavailable, Detail: detail(err)}, true
	case fault.TooMany:
		return &failure{Code: unavailable, Status: http.StatusTooManyRequests, Detail: detail(err)}, true
	case fault.Unauthenticated:
		return &failure{Code: invalidClient, Status: http.StatusUnauthorized, Detail: detail(err)}, true
	default:
		return nil, false
	}
}

func detail(err error) string {
	var e *fault.Error
	if !errors.As(err, &e) {
		return ""
	}
	if e.Field != "" {
		return e.Field + " " + e.Detail
	}
	return e.Detail
}

// handle turns a function that returns its failure into a handler of the JSON endpoints.
func (s *Server) handle(serve func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := serve(w, r); err != nil {
			s.refuse(w, r, err)
		}
	}
}

// refuse answers a failure as JSON. What has no dialect is a defect of ours: logged once, and a bare server_error.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	f, known := translate(err)
	if !known {
		if r.Context().Err() == nil {
			s.Log.ErrorContext(r.Context(), "request failed", "request_id", web.RequestID(r.Context()), "pattern", r.Pattern, "error", err)
		}
		f = &failure{Code: serverError, Status: http.StatusInternalServerError, Detail: "Something failed here that should not. Tell whoever runs this server the request id."}
	} else if f.Status >= 500 {
		s.Log.WarnContext(r.Context(), "refused for now", "request_id", web.RequestID(r.Context()), "pattern", r.Pattern, "error", err)
	}
	status := f.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	h := w.Header()
	if f.Basic {
		h.Set("WWW-Authenticate", `Basic realm="lanyard", charset="UTF-8"`)
	}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		h.Set("Retry-After", web.RetryAfter(err))
	}
	if f.Bearer != "" {
		h.Add("WWW-Authenticate", f.challenge())
	}
	body := struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{f.Code, plain(f.Detail)}
	if err := writeJSON(w, status, body); err != nil {
		s.Log.ErrorContext(r.Context(), "an error could not be written", "error", err)
	}
}

// challenge is the answer of a protected resource (RFC 6750 section 3, RFC 9449 section 7.1).
func (f *failure) challenge() string {
	text := f.Bearer + ` realm="lanyard"`
	if f.Code != "" && f.Code != invalidRequest || f.Detail != "" {
		text += `, error="` + f.Code + `", error_description="` + plain(f.Detail) + `"`
	}
	if f.Bearer == "DPoP" {
		text += `, algs="` + strings.Join(proofAlgs(), " ") + `"`
	}
	return text
}

// plain keeps the characters that error_description may have (RFC 6749 section 5.2), and hides what may be a credential.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"' || r == '\\':
			return '\''
		case r < ' ' || r > '~':
			return ' '
		}
		return r
	}, secret.Redact(text))
}

// writeJSON answers a document that nobody may store.
func writeJSON(w http.ResponseWriter, status int, document any) error {
	body, err := json.Marshal(document)
	if err != nil {
		return fmt.Errorf("encode an answer: %w", err)
	}
	writeHeader(w, status, len(body))
	_, _ = w.Write(body) // who does not read it has gone
	return nil
}
