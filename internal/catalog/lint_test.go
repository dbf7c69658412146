package catalog

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
)

// said are findings as "rule about", in order.
func said(findings []Finding) []string {
	out := []string{}
	for _, f := range findings {
		out = append(out, f.Rule+" "+f.About)
	}
	return out
}

func ops(names ...string) map[string]lanyard.Operation {
	all := map[string]lanyard.Operation{}
	for _, name := range names {
		all[name] = lanyard.Operation{}
	}
	return all
}

func asking(name string, scopes ...string) map[string]lanyard.Operation {
	return map[string]lanyard.Operation{name: {Scopes: scopes}}
}

func TestLint(t *testing.T) {
	scopes := map[string]lanyard.Scope{"a.read": {Text: "read"}, "a.write": {Text: "write", Writes: true}}
	one := func(name, text string) map[string]lanyard.Scope { return map[string]lanyard.Scope{name: {Text: text}} }
	for name, test := range map[string]struct {
		api  lanyard.API
		want []string
	}{
		// Private data open to a key.
		"a key to a person":       {lanyard.API{Takes: "key", Operations: ops("GET /v1/me/messages")}, []string{"private-by-key GET /v1/me/messages"}},
		"either to a person":      {lanyard.API{Takes: "either", Operations: ops("GET /users/{userID}")}, []string{"private-by-key GET /users/{userID}"}},
		"either is the default":   {lanyard.API{Operations: ops("GET /people/{id}/photo")}, []string{"private-by-key GET /people/{id}/photo"}},
		"a key by its scope":      {lanyard.API{Takes: "key", Scopes: one("o.read", "read Your orders"), Operations: asking("GET /orders", "o.read")}, []string{"private-by-key GET /orders"}},
		"a key for a whole inbox": {lanyard.API{Takes: "key", Operations: ops("GET /inbox/{rest...}")}, []string{"private-by-key GET /inbox/{rest...}"}},
		// Public data asking for a login.
		"a login for weather":       {lanyard.API{Takes: "token", Scopes: one("w.read", "read forecasts"), Operations: asking("GET /v1/forecast", "w.read")}, []string{"public-by-login GET /v1/forecast"}},
		"both for a catalog":        {lanyard.API{Takes: "both", Operations: ops("GET /Catalog/{item}")}, []string{"public-by-login GET /Catalog/{item}"}},
		"a login by its scope":      {lanyard.API{Takes: "token", Scopes: one("weather.read", "see it"), Operations: asking("GET /v1/x", "weather.read")}, []string{"public-by-login GET /v1/x"}},
		"a login and no scope":      {lanyard.API{Takes: "token", Operations: ops("HEAD /v1/docs")}, []string{"public-by-login HEAD /v1/docs"}},
		"a login of one operation":  {lanyard.API{Takes: "key", Operations: map[string]lanyard.Operation{"GET /status": {Takes: "token"}}}, []string{"public-by-login GET /status"}},
		"a login for many findings": {lanyard.API{Takes: "token", Operations: ops("GET /status", "GET /x")}, []string{"public-by-login GET /status", "public-by-login GET /x"}},
		// Writes without a scope.
		"a write open to all":           {lanyard.API{Takes: "key", Scopes: scopes, Operations: map[string]lanyard.Operation{"DELETE /x": {}, "PUT /x": {Scopes: []string{"a.write", "a.read"}}}}, []string{"write-without-scope DELETE /x"}},
		"writes and no scopes at all":   {lanyard.API{Takes: "key", Operations: ops("POST /x", "PATCH /x", "PUT /x", "DELETE /x", "GET /x")}, []string{"write-without-scope scopes"}},
		"a write that asks for reading": {lanyard.API{Takes: "token", Scopes: one("a.read", "read"), Operations: asking("DELETE /x", "a.read")}, []string{"write-without-scope DELETE /x"}},
		// Reads with a scope that writes, itself or by inclusion.
		"reads with a write": {lanyard.API{Takes: "key", Scopes: scopes, Operations: asking("GET /x", "a.read", "a.write")}, []string{"read-wants-write GET /x"}},
		"reads with all": {lanyard.API{
			Takes: "key", Scopes: map[string]lanyard.Scope{"a.all": {Text: "all", Includes: []string{"a.write"}}, "a.write": {Text: "write", Writes: true}},
			Operations: map[string]lanyard.Operation{"GET /x": {Scopes: []string{"a.all"}}, "PUT /x": {Scopes: []string{"a.write"}}},
		}, []string{"read-wants-write GET /x"}},
		// Wildcards.
		"everything":               {lanyard.API{Takes: "key", Operations: ops("ANY /{path...}")}, []string{"wildcard ANY /{path...}"}},
		"every method":             {lanyard.API{Takes: "key", Operations: ops("ANY /x")}, []string{"wildcard ANY /x"}},
		"around what is guarded":   {lanyard.API{Takes: "key", Scopes: one("a.read", "read"), Operations: map[string]lanyard.Operation{"GET /a/": {}, "GET /a/b": {Scopes: []string{"a.read"}}}}, []string{"wildcard GET /a/"}},
		"around what takes tokens": {lanyard.API{Takes: "key", Operations: map[string]lanyard.Operation{"ANY /": {}, "GET /me": {Takes: "token"}}}, []string{"wildcard ANY /"}},
		// Scopes.
		"default that writes":      {lanyard.API{Takes: "key", Scopes: map[string]lanyard.Scope{"a.write": {Text: "write", Writes: true, Default: true}}, Operations: asking("POST /x", "a.write")}, []string{"default-writes scope a.write"}},
		"never asked":              {lanyard.API{Takes: "key", Scopes: scopes, Operations: asking("POST /x", "a.write")}, []string{"scope-never-asked scope a.read"}},
		"never asked but included": {lanyard.API{Takes: "key", Scopes: map[string]lanyard.Scope{"a.all": {Text: "all", Includes: []string{"a.read", "a.old"}}, "a.read": {Text: "read"}, "a.old": {Text: "x"}}, Operations: asking("GET /x", "a.read")}, []string{"scope-never-asked scope a.old"}},
		// Places.
		"keys in the address":     {lanyard.API{KeyIn: []string{"header", "query"}}, []string{"key-in-query key_in"}},
		"an origin without TLS":   {lanyard.API{CORS: &lanyard.CORS{Origins: []string{"https://a.example", "http://a.example"}}}, []string{"origin-too-wide cors.origins"}},
		"an origin at home":       {lanyard.API{Upstream: "https://api.example", CORS: &lanyard.CORS{Origins: []string{"http://localhost:3000"}}}, []string{"origin-too-wide cors.origins"}},
		"an upstream in clear":    {lanyard.API{Upstream: "http://api.internal"}, []string{"upstream-without-tls upstream"}},
		"an upstream like a loop": {lanyard.API{Upstream: "http://127.evil.example"}, []string{"upstream-without-tls upstream"}},

		// Nothing to say.
		"an ID card":             {lanyard.API{Takes: "key", Scopes: one("forecast.read", "read forecasts"), Operations: asking("GET /v1/forecast", "forecast.read")}, nil},
		"a badge":                {lanyard.API{Takes: "token", Scopes: one("profile.read", "read your profile"), Operations: asking("GET /v1/me", "profile.read")}, nil},
		"a person without scope": {lanyard.API{Takes: "token", Operations: ops("GET /v1/me")}, nil},
		"both to a person":       {lanyard.API{Takes: "both", Operations: ops("GET /v1/me")}, nil},
		"not a person":           {lanyard.API{Takes: "key", Operations: ops("GET /v1/mean", "GET /v1/users", "GET /v1/orders/{id}", "GET /v1/account")}, nil},
		"not public":             {lanyard.API{Takes: "token", Scopes: one("order.read", "read orders"), Operations: asking("GET /orders/{id}/status", "order.read")}, nil},
		"your weather":           {lanyard.API{Takes: "token", Scopes: one("weather.read", "see the weather at your home"), Operations: asking("GET /weather", "weather.read")}, nil},
		"a search":               {lanyard.API{Takes: "token", Scopes: one("a.read", "read"), Operations: asking("POST /search", "a.read")}, nil},
		"a write by key":         {lanyard.API{Takes: "key", Scopes: one("a.manage", "manage"), Operations: asking("PUT /x", "a.manage")}, nil},
		"a tree of files":        {lanyard.API{Takes: "key", Scopes: one("f.read", "read"), Operations: map[string]lanyard.Operation{"GET /f/{path...}": {Scopes: []string{"f.read"}}, "GET /f/index": {}}}, nil},
		"asked by the API alone": {lanyard.API{Scopes: one("a.read", "read")}, nil},
		"an upstream here":       {lanyard.API{Upstream: "http://localhost:9001", CORS: &lanyard.CORS{Origins: []string{"http://localhost:3000"}}}, nil},
		"an upstream at ::1":     {lanyard.API{Upstream: "http://[::1]:9001"}, nil},
	} {
		got := said(Lint(test.api))
		if !slices.Equal(got, test.want) {
			t.Errorf("Lint of %s = %q, want %q", name, got, test.want)
		}
	}
}

// Every rule is found by something, is listed, and teaches: the sentence names what it is about, and what to do instead.
func TestLintRules(t *testing.T) {
	got := Lint(lanyard.API{
		Takes: "either", KeyIn: []string{"query"}, Upstream: "http://api.internal", CORS: &lanyard.CORS{Origins: []string{"http://a.example"}},
		Scopes: map[string]lanyard.Scope{"a.write": {Text: "write", Writes: true, Default: true}, "a.old": {Text: "old"}},
		Operations: map[string]lanyard.Operation{
			"GET /v1/me": {}, "GET /v1/weather": {Takes: "token"}, "DELETE /v1/x": {}, "GET /v1/x": {Scopes: []string{"a.write"}}, "ANY /v1/": {},
		},
	})
	found := map[string]bool{}
	for _, f := range got {
		found[f.Rule] = true
		about := strings.TrimPrefix(f.About, "scope ")
		if !strings.Contains(f.Text, strings.TrimSuffix(about, ".origins")) || !strings.HasSuffix(f.Text, ".") || strings.Count(f.Text, ". ") == 0 {
			t.Errorf("Lint says %q about %q, want a sentence about it and one that says what to do", f.Text, f.About)
		}
	}
	for _, rule := range Rules() {
		if !found[rule[0]] || rule[1] == "" {
			t.Errorf("Lint finds nothing of %s in\n%s", rule[0], strings.Join(said(got), "\n"))
		}
		delete(found, rule[0])
	}
	if len(found) > 0 {
		t.Errorf("Rules does not list %v", found)
	}
}

func TestLintCountsMany(t *testing.T) {
	var names []string
	for i := range 6 {
		names = append(names, fmt.Sprintf("DELETE /%d", i))
	}
	got := Lint(lanyard.API{Takes: "key", Operations: ops(names...)})
	if len(got) != 1 || !strings.Contains(got[0].Text, "DELETE /0, DELETE /1, DELETE /2 and 3 others") {
		t.Errorf("Lint = %q, want one finding that names three and counts three", got)
	}
}
