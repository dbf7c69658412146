package rest

import (
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// appendDecision appends the decision as JSON: the same bytes that json.Marshal makes of Decision.Wire, faster; a test holds the two together. headers is room for the work, to be handed in again.
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
		if d.Family != "" {
			b = appendText(append(b, `,"family_id":`...), string(d.Family))
		}
		b = append(b, '}')
		if d.Token != "" && d.Key != "" {
			b = append(appendText(append(b, `,"api_key":{"id":`...), string(d.Key)), '}')
		}
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
		b = append(appendTime(append(b, `,"reset_at":`...), d.ResetAt(s)), '}')
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
	if age := int64(d.MaxAge / time.Second); age > 0 {
		b = strconv.AppendInt(append(b, `,"max_age":`...), age, 10)
	}
	if ms := d.RetryAfterMS(); ms != 0 {
		b = strconv.AppendInt(append(b, `,"retry_after_ms":`...), ms, 10)
	}
	if len(d.Warnings) > 0 {
		b = appendTexts(append(b, `,"warnings":`...), d.Warnings)
	}
	b = strconv.AppendInt(append(b, `,"http":{"status":`...), int64(d.Code.HTTPStatus()), 10)
	if headers = d.Headers(headers[:0], realm); len(headers) > 0 {
		b = append(b, `,"headers":{`...)
		for i, h := range headers {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendText(append(appendText(b, h.Name), ':'), h.Value)
		}
		b = append(b, '}')
	}
	b = append(b, '}')
	if ms := d.EndsInMS(); d.Allowed() && ms > 0 {
		b = strconv.AppendInt(append(b, `,"ends_in_ms":`...), ms, 10)
	}
	if d.Allowed() && d.Reuse.OK {
		b = strconv.AppendBool(append(b, `,"reuse":{"ip":`...), d.Reuse.IP)
		b = append(strconv.AppendBool(append(b, `,"origin":`...), d.Reuse.Origin), '}')
	}
	b = append(b, `,"revision":"r`...)
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
