package lanyard

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

// Denial is the problem document a door answers a refused request with (RFC 9457).
type Denial struct {
	Problem
	DeniedBy         string   `json:"denied_by,omitempty"`
	MissingScopes    []string `json:"missing_scopes,omitempty"`
	MaxAge           int64    `json:"max_age,omitempty"` // seconds
	RetryAfterMS     int64    `json:"retry_after_ms,omitempty"`
	ViolatedPolicies []string `json:"violated-policies,omitempty"` // draft-ietf-httpapi-ratelimit-headers spells it so
}

// quotaType is the problem type of that draft.
const quotaType = "https://iana.org/assignments/http-problem-types#quota-exceeded"

// NewDenial returns the document for a decision that refuses. errorsURL is where the pages about codes stand, such as
// https://auth.example.com/errors.
func NewDenial(d Decision, errorsURL string) Denial {
	n := newDenial(d.HTTP.Status, policy.Code(d.Code), d.Message, errorsURL)
	n.DeniedBy, n.MissingScopes, n.MaxAge, n.RetryAfterMS = d.DeniedBy, d.MissingScopes, d.MaxAge, d.RetryAfterMS
	if n.Status == http.StatusTooManyRequests {
		n.Type = quotaType
		if d.DeniedBy != "" {
			n.ViolatedPolicies = []string{d.DeniedBy}
		}
	}
	return n
}

// RefuseCredentials returns the document for a request without a credential (refused nil), or with one that FromRequest refused.
func RefuseCredentials(refused error, errorsURL string) Denial {
	var e *CredentialsError
	if errors.As(refused, &e) {
		return newDenial(e.Status, policy.Code(e.Code), e.Detail, errorsURL)
	}
	return newDenial(http.StatusUnauthorized, policy.Missing, "", errorsURL)
}

// newDenial takes title and an absent detail from the one table of texts.
func newDenial(status int, code policy.Code, detail, errorsURL string) Denial {
	text := advice.Denial(code, advice.Case{})
	if detail == "" {
		detail = text.Sentence
	}
	return Denial{Problem: Problem{Type: errorsURL + "/" + string(code), Title: text.Title, Status: status, Code: string(code), Detail: detail}}
}

// Answer writes the document with its status. Headers such as WWW-Authenticate and Retry-After are set before.
func (n Denial) Answer(w http.ResponseWriter) {
	body, err := json.Marshal(n)
	if err != nil { // no field of it can fail
		body = []byte(`{}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(n.Status)
	_, _ = w.Write(append(body, '\n')) // whoever does not listen any more needs no answer
}
