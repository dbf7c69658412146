package catalog

import (
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
)

func TestLint(t *testing.T) {
	scopes := map[string]lanyard.Scope{"a.read": {Text: "read"}, "a.write": {Text: "write", Writes: true}}
	both := lanyard.Operation{Scopes: []string{"a.read", "a.write"}}
	for name, test := range map[string]struct {
		api  lanyard.API
		want string // part of the only finding; "": none
	}{
		"nothing to say":      {lanyard.API{Takes: "key", Scopes: scopes, Operations: map[string]lanyard.Operation{"POST /v1/forecast": both}}, ""},
		"a key to a person":   {lanyard.API{Takes: "key", Operations: map[string]lanyard.Operation{"GET /v1/me/messages": {}}}, "takes an API key"},
		"either to a person":  {lanyard.API{Takes: "either", Operations: map[string]lanyard.Operation{"GET /users/{id}": {}}}, "also takes an API key"},
		"a token to a person": {lanyard.API{Takes: "key", Operations: map[string]lanyard.Operation{"GET /me": {Takes: "token"}}}, ""},
		"not a person":        {lanyard.API{Takes: "key", Operations: map[string]lanyard.Operation{"GET /v1/mean": {}}}, ""},
		"open to all":         {lanyard.API{Scopes: scopes, Operations: map[string]lanyard.Operation{"DELETE /v1/x": {}, "POST /v1/x": both}}, "DELETE /v1/x changes things"},
		"reads with a write":  {lanyard.API{Scopes: scopes, Operations: map[string]lanyard.Operation{"GET /v1/x": both}}, "asks for a.write"},
		"never asked":         {lanyard.API{Scopes: scopes, Operations: map[string]lanyard.Operation{"POST /v1/x": {Scopes: []string{"a.write"}}}}, "scope a.read"},
		"in the address":      {lanyard.API{KeyIn: []string{"header", "query"}}, "in the address"},
		"without TLS":         {lanyard.API{Upstream: "http://api.internal"}, "without TLS"},
		"here":                {lanyard.API{Upstream: "http://localhost:9001"}, ""},
	} {
		got := Lint(test.api)
		if test.want == "" && len(got) > 0 || test.want != "" && (len(got) != 1 || !strings.Contains(got[0], test.want)) {
			t.Errorf("Lint of %s = %q, want %q", name, got, test.want)
		}
	}
}
