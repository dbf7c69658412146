// Package fault names the ways a request to Lanyard can fail, so that every surface maps them to its own dialect through
// one table. An error without a Kind is a defect of ours: surfaces answer a bare 500 and log it once.
//
// A refused credential is no fault; it is a decision (package verify).
package fault

import (
	"errors"
	"fmt"
)

// Kind says which sort of failure it is. Its text is the wire code of CONTRACT's problem documents.
type Kind string

// The kinds, with the HTTP status the JSON API gives them.
const (
	Invalid             Kind = "invalid_request"      // 400: the request itself is wrong; Field says where
	Unauthenticated     Kind = "unauthenticated"      // 401: no credential, or one that does not pass
	InsufficientScope   Kind = "insufficient_scope"   // 403: the asker may not do this
	NotGrantable        Kind = "scope_not_grantable"  // 403: the asker may not hand this scope on
	NotFound            Kind = "not_found"            // 404: no such thing, or out of the asker's reach
	Conflict            Kind = "conflict"             // 409: the state of the thing forbids it
	ChangesReset        Kind = "changes_reset"        // 410: the cursor into the changes is unknown; start over
	IdempotencyMismatch Kind = "idempotency_mismatch" // 422: the same Idempotency-Key with another body
	TooMany             Kind = "too_many_requests"    // 429
	Unavailable         Kind = "unavailable"          // 503: Lanyard cannot decide or keep its promise now
)

// Error is a failure with its kind. Detail is one sentence for the person who sent the request and never holds a secret.
type Error struct {
	Kind   Kind
	Field  string // the input at fault, as a path such as "limits[0].window_seconds"; may be empty
	Detail string
	ID     string // the thing it is about, when there is one; may be empty
	Err    error  // the cause, for logs only; may be nil
}

func (e *Error) Error() string {
	text := string(e.Kind)
	if e.Field != "" {
		text += " (" + e.Field + ")"
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// New returns an error of a kind with a formatted detail.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}

// Field returns an Invalid error about one input.
func Field(field, format string, args ...any) *Error {
	return &Error{Kind: Invalid, Field: field, Detail: fmt.Sprintf(format, args...)}
}

// Missing returns the NotFound that hides whether a thing does not exist or is out of reach.
func Missing(what, name string) *Error {
	return &Error{Kind: NotFound, Detail: fmt.Sprintf("there is no %s %.80q within your reach", what, name), ID: name}
}

// Down returns an Unavailable with its cause.
func Down(err error, format string, args ...any) *Error {
	return &Error{Kind: Unavailable, Detail: fmt.Sprintf(format, args...), Err: err}
}

// KindOf returns the kind of the first Error in err's chain, or "" if it has none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// Is says whether err is a fault of that kind.
func Is(err error, kind Kind) bool { return KindOf(err) == kind }
