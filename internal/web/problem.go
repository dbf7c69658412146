package web

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// statuses is the one table from kinds of failure to HTTP (CONTRACT, "HTTP: JSON API").
var statuses = map[fault.Kind]int{
	fault.Invalid:             http.StatusBadRequest,
	fault.Unauthenticated:     http.StatusUnauthorized,
	fault.InsufficientScope:   http.StatusForbidden,
	fault.NotGrantable:        http.StatusForbidden,
	fault.NotFound:            http.StatusNotFound,
	fault.Conflict:            http.StatusConflict,
	fault.ChangesReset:        http.StatusGone,
	fault.IdempotencyMismatch: http.StatusUnprocessableEntity,
	fault.TooMany:             http.StatusTooManyRequests,
	fault.Unavailable:         http.StatusServiceUnavailable,
}

// Status is the HTTP status of a kind of failure; 0: there is no such kind.
func Status(kind fault.Kind) int { return statuses[kind] }

// Retry is an error that knows when to try again; its time becomes the header Retry-After.
type Retry interface {
	error
	RetryAfter() time.Duration
}

// Invalid is a fault.Invalid about several inputs at once.
type Invalid struct {
	Fields []lanyard.ProblemField
}

func (e *Invalid) Error() string { return "invalid_request: " + e.Unwrap().Error() }

// Unwrap returns the fault about the first input.
func (e *Invalid) Unwrap() error {
	if len(e.Fields) == 0 {
		return fault.New(fault.Invalid, "the request is not valid")
	}
	return fault.Field(e.Fields[0].Field, "%s", e.Fields[0].Detail)
}

// Handle turns a function that returns its failure into a handler. Every failure is answered by Refuse.
func (k *Kit) Handle(serve func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := serve(w, r); err != nil {
			k.Refuse(w, r, err)
		}
	}
}

// Refuse answers a failure with a problem document (RFC 9457). If the answer has begun already it logs the failure and cuts
// the connection.
func (k *Kit) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	if begun, ok := w.(interface{ begun() bool }); ok && begun.begun() {
		k.log().ErrorContext(r.Context(), "an answer broke off", "request_id", RequestID(r.Context()), "pattern", r.Pattern, "error", err)
		panic(http.ErrAbortHandler)
	}
	k.write(w, r, k.Problem(w.Header(), r, err))
}

// Problem describes a failure and sets the headers that belong to it: Retry-After and, for 401, WWW-Authenticate (RFC 6750
// section 3). An error without a kind is a defect of ours: it is logged, here and nowhere else, and described as a bare 500.
// A cause behind a fault.Unavailable is logged too: the document does not tell it.
func (k *Kit) Problem(h http.Header, r *http.Request, err error) lanyard.Problem {
	var e *fault.Error
	if !errors.As(err, &e) || statuses[e.Kind] == 0 {
		if r.Context().Err() == nil { // else the caller went away, and whatever broke off broke off
			k.log().ErrorContext(r.Context(), "request failed", "request_id", RequestID(r.Context()), "pattern", r.Pattern, "error", err)
		}
		return internal()
	}
	p := lanyard.Problem{
		Type:   k.PublicURL + "/errors/" + string(e.Kind),
		Title:  advice.Denial(policy.Code(e.Kind), advice.Case{}).Title,
		Status: statuses[e.Kind],
		Code:   string(e.Kind),
		// Both may repeat what came from outside, where somebody may have pasted a credential.
		Detail: secret.Redact(e.Detail),
		ID:     secret.Redact(e.ID),
	}
	if e.Field != "" {
		p.Errors = []lanyard.ProblemField{{Field: e.Field, Detail: p.Detail}}
		p.Detail = e.Field + ": " + p.Detail
	}
	var several *Invalid
	if errors.As(err, &several) {
		p.Errors = several.Fields
	}
	switch e.Kind {
	case fault.Unauthenticated:
		challenge := `Bearer realm="lanyard"`
		if r.Header.Get("Authorization") != "" || r.Header.Get("X-Api-Key") != "" {
			challenge += `, error="invalid_token"`
		}
		h.Set("WWW-Authenticate", challenge)
	case fault.InsufficientScope:
		h.Set("WWW-Authenticate", `Bearer realm="lanyard", error="insufficient_scope"`)
	case fault.TooMany, fault.Unavailable:
		h.Set("Retry-After", RetryAfter(err))
		if e.Err != nil && r.Context().Err() == nil {
			k.log().WarnContext(r.Context(), "refused for now", "request_id", RequestID(r.Context()), "pattern", r.Pattern, "error", err)
		}
	default: // the document says it all
	}
	return p
}

// RetryAfter is how long to wait after err, in whole seconds, rounded up, at least 1.
func RetryAfter(err error) string {
	var retry Retry
	if !errors.As(err, &retry) {
		return "1"
	}
	return strconv.FormatInt(max(1, int64(math.Ceil(retry.RetryAfter().Seconds()))), 10)
}

func internal() lanyard.Problem {
	return lanyard.Problem{
		Type: "about:blank", Title: "Internal Server Error", Status: http.StatusInternalServerError, Code: "internal_error",
		Detail: "Something failed here that should not. Tell whoever runs this server the request id.",
	}
}

func (k *Kit) write(w http.ResponseWriter, r *http.Request, p lanyard.Problem) {
	p.RequestID = RequestID(r.Context())
	h := w.Header()
	Guard(h)
	h.Set("Content-Type", "application/problem+json")
	body, err := json.Marshal(p)
	if err != nil {
		panic("web: a problem cannot be written as JSON: " + err.Error()) // strings and numbers only
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // who does not read it has gone
}

// Guard sets the headers of answers that are data: never stored, never rendered as a page.
func Guard(h http.Header) {
	h["Cache-Control"] = noStore
	h["Content-Security-Policy"] = noPage
}

// Values of headers that every answer has; net/http does not change them.
var (
	noStore = []string{"no-store"}
	noPage  = []string{"default-src 'none'; frame-ancestors 'none'"}
)
