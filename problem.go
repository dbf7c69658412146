package lanyard

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// ProblemError is an answer of the JSON API other than success. Its fields are those of the Problem; Status is always the
// HTTP status, and Code is set even when the answer was no problem document (that of a proxy in between, say).
type ProblemError struct {
	Problem
	Op         string        // what was asked for, such as "create key"
	RetryAfter time.Duration // how long the server asks to wait; 0 when it does not say
}

// Error says what was asked, what came back and what to do about it. It never holds the client's token.
func (e *ProblemError) Error() string {
	text := e.Op + ": " + strings.TrimRight(e.said(), ".")
	for _, field := range e.Errors {
		text += "; " + field.Field + ": " + strings.TrimRight(field.Detail, ".")
	}
	if todo := e.todo(); todo != "" {
		text += "; " + todo
	}
	if e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	return text
}

func (e *ProblemError) said() string {
	switch {
	case e.Detail != "":
		return e.Detail
	case e.Title != "":
		return e.Title
	}
	return "the server answered " + strconv.Itoa(e.Status)
}

// todo is what the one who asked can do, where the detail cannot know it.
func (e *ProblemError) todo() string {
	switch fault.Kind(e.Code) {
	case fault.Unauthenticated:
		return "set LANYARD_TOKEN to a credential that works on this server"
	case fault.InsufficientScope:
		return "use a token that has the scope"
	case fault.NotGrantable:
		return "ask somebody who holds the scope"
	case fault.ChangesReset:
		return "read the changes from the beginning"
	case fault.TooMany, fault.Unavailable:
		if e.RetryAfter > 0 {
			return "try again in " + e.RetryAfter.String()
		}
		return "try again in a moment"
	case fault.Invalid, fault.NotFound, fault.Conflict, fault.IdempotencyMismatch: // the detail says it
	}
	return ""
}

// problem reads an answer that is no success. What it keeps of a stranger's text is short and holds no credential.
func (a *answer) problem(op string, token Secret) *ProblemError {
	e := &ProblemError{Op: op, RetryAfter: retryAfter(a.header)}
	if err := json.Unmarshal(a.body, &e.Problem); err != nil {
		e.Problem = Problem{}
	}
	e.Status = a.status
	for _, text := range []*string{&e.Type, &e.Title, &e.Code, &e.Detail, &e.ID, &e.RequestID} {
		*text = tame(*text, token.Reveal())
	}
	for i := range e.Errors {
		e.Errors[i] = ProblemField{Field: tame(e.Errors[i].Field, token.Reveal()), Detail: tame(e.Errors[i].Detail, token.Reveal())}
	}
	if e.Code == "" {
		e.Code = string(kindOf(a.status))
	}
	if e.Title == "" {
		e.Title = http.StatusText(a.status)
	}
	return e
}

// kindOf is the kind of failure a bare status speaks of.
func kindOf(status int) fault.Kind {
	switch status {
	case http.StatusUnauthorized:
		return fault.Unauthenticated
	case http.StatusForbidden:
		return fault.InsufficientScope
	case http.StatusNotFound:
		return fault.NotFound
	case http.StatusConflict:
		return fault.Conflict
	case http.StatusTooManyRequests:
		return fault.TooMany
	}
	if status >= 500 {
		return fault.Unavailable
	}
	return fault.Invalid
}

// tame cuts a text from elsewhere to what may stand in a log or on a terminal: one short line without any of the secrets.
func tame(text string, secrets ...string) string {
	const most = 2000
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, secret.Of(s).String())
		}
	}
	text = secret.Redact(text)
	if len(text) > most {
		text = text[:most]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
}

// retryAfter reads Retry-After in seconds, at most an hour; its form as a date is not used by Lanyard.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.ParseUint(h.Get("Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, time.Hour) // #nosec G115 -- 31 bits
}
