package rest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// texts are strings as people and attackers write them: with what JSON escapes, and what HTML would take for a tag.
func texts() *rapid.Generator[string] {
	return rapid.OneOf(rapid.StringMatching(`[a-z .]{0,20}`), rapid.String(), rapid.SampledFrom([]string{`"`, `\`, `<b>&amp;`, "\x00\x1f\x7f", "é 漢 \u2028 \u2029", "\xff\xfe"}))
}

func decisions() *rapid.Generator[*verify.Decision] {
	scopes := rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,5}(\.[a-z]{1,5}){0,2}`), 0, 3)
	return rapid.Custom(func(t *rapid.T) *verify.Decision {
		at := time.UnixMicro(rapid.Int64Range(0, 4e15).Draw(t, "at")).UTC()
		d := &verify.Decision{
			Code: rapid.SampledFrom(policy.Codes()).Draw(t, "code"), DeniedBy: texts().Draw(t, "denied_by"), Message: texts().Draw(t, "message"),
			MissingScopes: scopes.Draw(t, "missing"), Scopes: scopes.Draw(t, "scopes"), At: at, Revision: id.Revision(rapid.Int64Range(0, 1<<60).Draw(t, "revision")),
			MaxAge: time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "max_age")), Until: at.Add(time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "until"))),
			Reuse:      verify.Reuse{OK: rapid.Bool().Draw(t, "reuse"), IP: rapid.Bool().Draw(t, "ip"), Origin: rapid.Bool().Draw(t, "origin")},
			RetryAfter: time.Duration(rapid.Int64Range(-1, 1e12).Draw(t, "retry")), Warnings: rapid.SliceOfN(texts(), 0, 2).Draw(t, "warnings"), Identified: rapid.Bool().Draw(t, "identified"),
		}
		if d.Identified {
			d.Key, d.App, d.Team, d.Kind, d.Mode = id.New[id.Key](), id.New[id.App](), id.New[id.Team](), secret.Publishable, secret.Test
			if rapid.Bool().Draw(t, "token") {
				d.Token, d.Family = id.New[id.Token](), id.New[id.Family]()
			}
			d.AppName, d.Version = texts().Draw(t, "app"), rapid.IntRange(0, 9).Draw(t, "version")
			if rapid.Bool().Draw(t, "expires") {
				d.ExpiresAt = at.Add(time.Hour)
			}
			valid := texts().Filter(utf8.ValidString) // all that the API takes as metadata
			if metadata := rapid.MapOfN(valid, valid, 0, 3).Draw(t, "metadata"); len(metadata) > 0 {
				b, err := json.Marshal(metadata)
				if err != nil {
					t.Fatal(err)
				}
				d.AppMetadata = b
			}
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "limits") {
			d.Limits = append(d.Limits, ratelimit.Status{
				Limit: ratelimit.Limit{Name: "limit-" + string(rune('a'+i)), N: 60, Window: time.Minute}, Remaining: rapid.Int64Range(0, 60).Draw(t, "remaining"),
				ResetAfter: time.Duration(rapid.Int64Range(0, 6e10).Draw(t, "reset")), RetryAfter: time.Duration(rapid.Int64Range(-1, 6e10).Draw(t, "wait")),
			})
		}
		return d
	})
}

// TestAppendDecision holds the hand-written answer to json.Marshal's, byte for byte.
func TestAppendDecision(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := decisions().Draw(t, "decision")
		want, err := json.Marshal(d.Wire("weather"))
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := appendDecision(nil, d, "weather", nil); string(got) != string(want) {
			t.Fatalf("appendDecision =\n%s\nwant\n%s", got, want)
		}
	})
}

// TestDoorHeaders: whatever stands in a decision, no header of it breaks out of its line.
func TestDoorHeaders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := decisions().Draw(t, "decision")
		previous := ""
		for _, h := range d.Headers(nil, "weather") {
			if strings.ContainsAny(h.Value, "\r\n\x00") || h.Name <= previous {
				t.Fatalf("header %s: %q after %s, want one line, ordered", h.Name, h.Value, previous)
			}
			previous = h.Name
		}
	})
	for _, test := range []struct {
		d    verify.Decision
		want string
	}{
		{verify.Decision{Code: policy.Missing, Message: "There is none."}, `Bearer realm="weather"`},
		{verify.Decision{Code: policy.Revoked, Message: `It was "taken" back.`}, `Bearer realm="weather", error="invalid_token", error_description="It was 'taken' back."`},
		{
			verify.Decision{Code: policy.InsufficientScope, Message: "Scopes are missing.", MissingScopes: []string{"a.b", "c"}},
			`Bearer realm="weather", error="insufficient_scope", error_description="Scopes are missing.", scope="a.b c"`,
		},
		{
			verify.Decision{Code: policy.SenderMismatch, DeniedBy: "proof", DPoP: true, Message: "Too old."},
			`DPoP realm="weather", error="invalid_dpop_proof", error_description="Too old."`,
		},
		{
			verify.Decision{Code: policy.SenderMismatch, DeniedBy: "scheme", DPoP: true, Message: "It is bound."},
			`DPoP realm="weather", error="invalid_token", error_description="It is bound."`,
		},
		{verify.Decision{Code: policy.IPDenied, Message: "Not from there."}, ""},
	} {
		got := lanyard.HTTPHeaders{}
		for _, h := range test.d.Headers(nil, "weather") {
			got[http.CanonicalHeaderKey(h.Name)] = h.Value
		}
		if got["Www-Authenticate"] != test.want {
			t.Errorf("challenge of %s = %q, want %q", test.d.Code, got["Www-Authenticate"], test.want)
		}
	}
}
