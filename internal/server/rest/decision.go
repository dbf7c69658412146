package rest

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// wireDecision is the decision in the types of the JSON API. appendDecision writes the same bytes that json.Marshal makes
// of it, faster; a test holds the two together.
func wireDecision(d *verify.Decision, realm string) lanyard.Decision {
	out := lanyard.Decision{
		Allowed: d.Allowed(), Code: string(d.Code), Message: d.Message, Scopes: append([]string{}, d.Scopes...), Limits: []lanyard.DecisionLimit{},
		DeniedBy: d.DeniedBy, MissingScopes: d.MissingScopes, RetryAfterMS: milliseconds(d.RetryAfter), Warnings: d.Warnings,
		HTTP: lanyard.DecisionHTTP{Status: d.Code.HTTPStatus()}, Revision: d.Revision.String(),
	}
	if d.Identified {
		out.Credential = &lanyard.DecisionCredential{ID: d.Credential(), Kind: string(d.Kind), Mode: string(d.Mode), Version: d.Version}
		if !d.ExpiresAt.IsZero() {
			at := d.ExpiresAt
			out.Credential.ExpiresAt = &at
		}
		if d.App != "" {
			out.App = &lanyard.DecisionApp{ID: string(d.App), Name: d.AppName}
		}
		if d.App != "" && len(d.AppMetadata) > 0 {
			// The metadata was encoded by us when it was remembered.
			if err := json.Unmarshal(d.AppMetadata, &out.App.Metadata); err != nil {
				out.App.Metadata = nil
			}
		}
		if d.Team != "" {
			out.Team = &lanyard.DecisionRef{ID: string(d.Team)}
		}
		if d.User != "" {
			out.User = &lanyard.DecisionRef{ID: string(d.User)}
		}
		out.GrantID = string(d.Grant)
	}
	for i := range d.Limits {
		s := &d.Limits[i]
		out.Limits = append(out.Limits, lanyard.DecisionLimit{Name: s.Limit.Name, Limit: s.Limit.N, Remaining: s.Remaining, ResetAt: resetAt(d, s)})
	}
	if q := d.Quota; q.Limit > 0 {
		out.Quota = &lanyard.DecisionQuota{Limit: q.Limit, Used: q.Used, Remaining: q.Remaining, ResetsAt: q.ResetsAt}
	}
	for _, h := range doorHeaders(nil, d, realm) {
		if out.HTTP.Headers == nil {
			out.HTTP.Headers = lanyard.HTTPHeaders{}
		}
		out.HTTP.Headers[h.Name] = h.Value
	}
	return out
}

// appendDecision appends the decision as JSON. headers is room for the work, to be handed in again.
func appendDecision(b []byte, d *verify.Decision, realm string, headers []ratelimit.Header) ([]byte, []ratelimit.Header) {
	b = strconv.AppendBool(append(b, `{"allowed":`...), d.Allowed())
	b = appendText(append(b, `,"code":`...), string(d.Code))
	b = appendText(append(b, `,"message":`...), d.Message)
	if d.Identified {
		b = appendText(append(b, `,"credential":{"id":`...), d.Credential())
		b = appendText(append(b, `,"kind":`...), string(d.Kind))
		b = appendText(append(b, `,"mode":`...), string(d.Mode))
		if d.Version != 0 {
			b = strconv.AppendInt(append(b, `,"version":`...), int64(d.Version), 10)
		}
		if !d.ExpiresAt.IsZero() {
			b = appendTime(append(b, `,"expires_at":`...), d.ExpiresAt)
		}
		b = append(b, '}')
		b = appendWhose(b, d)
	}
	b = appendTexts(append(b, `,"scopes":`...), d.Scopes)
	b = append(b, `,"limits":[`...)
	for i := range d.Limits {
		if i > 0 {
			b = append(b, ',')
		}
		s := &d.Limits[i]
		b = appendText(append(b, `{"name":`...), s.Limit.Name)
		b = strconv.AppendInt(append(b, `,"limit":`...), s.Limit.N, 10)
		b = strconv.AppendInt(append(b, `,"remaining":`...), s.Remaining, 10)
		b = append(appendTime(append(b, `,"reset_at":`...), resetAt(d, s)), '}')
	}
	b = append(b, ']')
	if q := d.Quota; q.Limit > 0 {
		b = strconv.AppendInt(append(b, `,"quota":{"limit":`...), q.Limit, 10)
		b = strconv.AppendInt(append(b, `,"used":`...), q.Used, 10)
		b = strconv.AppendInt(append(b, `,"remaining":`...), q.Remaining, 10)
		b = append(appendTime(append(b, `,"resets_at":`...), q.ResetsAt), '}')
	}
	if d.DeniedBy != "" {
		b = appendText(append(b, `,"denied_by":`...), d.DeniedBy)
	}
	if len(d.MissingScopes) > 0 {
		b = appendTexts(append(b, `,"missing_scopes":`...), d.MissingScopes)
	}
	if ms := milliseconds(d.RetryAfter); ms != 0 {
		b = strconv.AppendInt(append(b, `,"retry_after_ms":`...), ms, 10)
	}
	if len(d.Warnings) > 0 {
		b = appendTexts(append(b, `,"warnings":`...), d.Warnings)
	}
	b = strconv.AppendInt(append(b, `,"http":{"status":`...), int64(d.Code.HTTPStatus()), 10)
	if headers = doorHeaders(headers[:0], d, realm); len(headers) > 0 {
		b = append(b, `,"headers":{`...)
		for i, h := range headers {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendText(append(appendText(b, h.Name), ':'), h.Value)
		}
		b = append(b, '}')
	}
	b = append(b, `},"revision":"r`...)
	b = strconv.AppendInt(b, int64(d.Revision), 10)
	return append(b, `"}`...), headers
}

// appendWhose appends whose credential it is: app, team, user, grant, as far as there are any.
func appendWhose(b []byte, d *verify.Decision) []byte {
	if d.App != "" {
		b = appendText(append(b, `,"app":{"id":`...), string(d.App))
		b = appendText(append(b, `,"name":`...), d.AppName)
		if len(d.AppMetadata) > 0 {
			b = append(append(b, `,"metadata":`...), d.AppMetadata...)
		}
		b = append(b, '}')
	}
	if d.Team != "" {
		b = append(appendText(append(b, `,"team":{"id":`...), string(d.Team)), '}')
	}
	if d.User != "" {
		b = append(appendText(append(b, `,"user":{"id":`...), string(d.User)), '}')
	}
	if d.Grant != "" {
		b = appendText(append(b, `,"grant_id":`...), string(d.Grant))
	}
	return b
}

// doorHeaders are the headers that a door adds to its answer, ordered by name: the limits', and for a refused credential
// the challenge of RFC 6750 section 3 or RFC 9449 section 7.1.
func doorHeaders(into []ratelimit.Header, d *verify.Decision, realm string) []ratelimit.Header {
	into = ratelimit.Headers(into, d.Limits, d.At)
	scheme, word := "Bearer", "invalid_token"
	if d.DPoP {
		scheme = "DPoP"
	}
	if d.BadProof() {
		word = "invalid_dpop_proof"
	}
	switch status := d.Code.HTTPStatus(); {
	case d.Code == policy.Missing:
		into = append(into, ratelimit.Header{Name: "WWW-Authenticate", Value: `Bearer realm="` + realm + `"`})
	case status == 401:
		into = append(into, ratelimit.Header{Name: "WWW-Authenticate", Value: scheme + ` realm="` + realm + `", error="` + word + `", error_description=` + quoted(d.Message)})
	case d.Code == policy.InsufficientScope && len(d.MissingScopes) > 0:
		into = append(into, ratelimit.Header{Name: "WWW-Authenticate", Value: scheme + ` realm="` + realm + `", error="insufficient_scope", error_description=` +
			quoted(d.Message) + `, scope="` + strings.Join(d.MissingScopes, " ") + `"`})
	case status == 429 && len(d.Limits) == 0:
		into = append(into, ratelimit.Header{Name: "Retry-After", Value: strconv.FormatInt((milliseconds(d.RetryAfter)+999)/1000, 10)})
	}
	if len(into) > 1 {
		slices.SortFunc(into, func(a, b ratelimit.Header) int { return strings.Compare(a.Name, b.Name) })
	}
	return into
}

// quoted is a quoted-string of RFC 9110 section 5.6.4, in the characters RFC 6750 allows.
func quoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\'')
		case r < 0x20 || r > 0x7e:
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func milliseconds(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}

// resetAt is when the limit is whole again, in whole milliseconds.
func resetAt(d *verify.Decision, s *ratelimit.Status) time.Time {
	return d.At.Add(s.ResetAfter).UTC().Truncate(time.Millisecond)
}

func appendTime(b []byte, t time.Time) []byte {
	return append(t.UTC().AppendFormat(append(b, '"'), time.RFC3339Nano), '"')
}

func appendTexts(b []byte, texts []string) []byte {
	b = append(b, '[')
	for i, t := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, t)
	}
	return append(b, ']')
}

// appendText appends a JSON string. Text that encoding/json would write with an escape is left to it.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(text)
			if err != nil { // strings always encode
				return append(b, `""`...)
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}
