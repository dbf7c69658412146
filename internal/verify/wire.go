package verify

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
)

// Wire is the decision in the types of the JSON API. realm is the API's name.
func (d *Decision) Wire(realm string) lanyard.Decision {
	out := lanyard.Decision{
		Allowed: d.Allowed(), Code: string(d.Code), Message: d.Message, Scopes: append([]string{}, d.Scopes...), Limits: []lanyard.DecisionLimit{},
		DeniedBy: d.DeniedBy, MissingScopes: d.MissingScopes, MaxAge: int64(d.MaxAge / time.Second), RetryAfterMS: d.RetryAfterMS(), Warnings: d.Warnings,
		HTTP: lanyard.DecisionHTTP{Status: d.Code.HTTPStatus()}, Revision: d.Revision.String(),
	}
	if d.Identified {
		out.Credential = &lanyard.DecisionCredential{ID: d.Credential(), Kind: string(d.Kind), Mode: string(d.Mode), Version: d.Version, FamilyID: string(d.Family)}
		if !d.ExpiresAt.IsZero() {
			at := d.ExpiresAt
			out.Credential.ExpiresAt = &at
		}
		if d.Token != "" && d.Key != "" {
			out.APIKey = &lanyard.DecisionRef{ID: string(d.Key)}
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
		out.Limits = append(out.Limits, lanyard.DecisionLimit{Name: s.Limit.Name, Limit: s.Limit.N, Remaining: s.Remaining, ResetAt: d.ResetAt(s)})
	}
	if q := d.Quota; q.Limit > 0 {
		out.Quota = &lanyard.DecisionQuota{Limit: q.Limit, Used: q.Used, Remaining: q.Remaining, ResetsAt: q.ResetsAt}
	}
	if d.Allowed() {
		out.EndsInMS = d.EndsInMS()
	}
	if d.Allowed() && d.Reuse.OK {
		out.Reuse = &lanyard.DecisionReuse{IP: d.Reuse.IP, Origin: d.Reuse.Origin}
	}
	for _, h := range d.Headers(nil, realm) {
		if out.HTTP.Headers == nil {
			out.HTTP.Headers = lanyard.HTTPHeaders{}
		}
		out.HTTP.Headers[h.Name] = h.Value
	}
	return out
}

// Headers appends to into the headers that a door adds to its answer, ordered by name: the limits', and for a refused credential
// the challenge of RFC 6750 section 3 or RFC 9449 section 7.1.
func (d *Decision) Headers(into []ratelimit.Header, realm string) []ratelimit.Header {
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
	case d.Code == policy.InsufficientUserAuthn: // RFC 9470 section 3
		into = append(into, ratelimit.Header{Name: "WWW-Authenticate", Value: scheme + ` realm="` + realm + `", error="insufficient_user_authentication", error_description=` +
			quoted(d.Message) + `, max_age="` + strconv.FormatInt(int64(d.MaxAge/time.Second), 10) + `"`})
	case status == 401:
		into = append(into, ratelimit.Header{Name: "WWW-Authenticate", Value: scheme + ` realm="` + realm + `", error="` + word + `", error_description=` + quoted(d.Message)})
	case d.Code == policy.InsufficientScope && len(d.MissingScopes) > 0:
		into = append(into, ratelimit.Header{Name: "WWW-Authenticate", Value: scheme + ` realm="` + realm + `", error="insufficient_scope", error_description=` +
			quoted(d.Message) + `, scope="` + strings.Join(d.MissingScopes, " ") + `"`})
	case status == 429 && len(d.Limits) == 0:
		into = append(into, ratelimit.Header{Name: "Retry-After", Value: strconv.FormatInt((d.RetryAfterMS()+999)/1000, 10)})
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

// EndsInMS is in how many whole milliseconds, at least one, something ends that the decision rests on; 0: nothing does.
func (d *Decision) EndsInMS() int64 {
	if d.Until.IsZero() {
		return 0
	}
	return max(1, d.Until.Sub(d.At).Milliseconds())
}

// RetryAfterMS is RetryAfter in whole milliseconds, rounded up.
func (d *Decision) RetryAfterMS() int64 {
	if d.RetryAfter <= 0 {
		return 0
	}
	return int64((d.RetryAfter + time.Millisecond - 1) / time.Millisecond)
}

// ResetAt is when the limit is whole again, in whole milliseconds.
func (d *Decision) ResetAt(s *ratelimit.Status) time.Time {
	return d.At.Add(s.ResetAfter).UTC().Truncate(time.Millisecond)
}
