package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

const (
	openAPIHead    = "openapi: 3.0.4\ninfo: {title: T, version: '1'}\n"
	openAPISchemes = `
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: x-api-key}
    other: {type: apiKey, in: header, name: X-API-KEY}
    query: {type: apiKey, in: query, name: api_key}
    nowhere: {type: apiKey, in: body, name: k}
    oauth: {type: oauth2, flows: {authorizationCode: {scopes: {a.read: read, a.write: write}}}}
    oidc: {type: openIdConnect, openIdConnectUrl: https://id.example}
    bearer: {type: http, scheme: Bearer}
    jwt: {type: http, scheme: bearer, bearerFormat: JWT}
    basic: {type: http, scheme: basic}
    digest: {type: http, scheme: digest}
    mtls: {type: mutualTLS}
    odd: {type: password}
    alias: {$ref: '#/components/securitySchemes/key'}
    gone: {$ref: '#/components/securitySchemes/nobody'}
`
)

func TestFromOpenAPIRefuses(t *testing.T) {
	deep := strings.Repeat("{\"a\":", maxDepth+2) + "1" + strings.Repeat("}", maxDepth+2)
	bomb := "openapi: 3.1.0\na: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for i := range 9 {
		letter := string(rune('a' + i))
		next := string(rune('b' + i))
		bomb += next + ": &" + next + " [" + strings.TrimSuffix(strings.Repeat("*"+letter+",", 10), ",") + "]\n"
	}
	for name, test := range map[string]struct{ document, want string }{
		"nothing":             {"", "no mapping"},
		"a list":              {"[1]", "no mapping"},
		"broken YAML":         {"openapi: [", "cannot be read"},
		"broken JSON":         {"{\"openapi\": ", "cannot be read"},
		"two documents":       {"openapi: 3.1.0\n---\nopenapi: 3.1.0\n", "more than one document"},
		"a name twice":        {"openapi: 3.1.0\npaths: {}\npaths: {}\n", "stands twice"},
		"a name twice, JSON":  {`{"openapi": "3.1.0", "paths": {"/a": {"get": {"security": [], "security": [{"key": []}]}}}}`, "cannot be read"},
		"a number twice":      {"openapi: 3.1.0\nx: {1: a, '1': b}\n", "stands twice"},
		"a list as a name":    {"openapi: 3.1.0\nx: {? [1] : a}\n", "a name is no text"},
		"too deep":            {deep, "nested deeper than 200"},
		"too deep, YAML":      {strings.Repeat("[", 20_000), "cannot be read"},
		"an alias bomb":       {bomb, "aliases stand for more than 200000 values"},
		"an alias of itself":  {"openapi: 3.1.0\npaths: &a {/x: *a}\n", "contains itself"},
		"another file":        {"name: x\n", "right file"},
		"Swagger":             {"swagger: '2.0'\ninfo: {}\n", "Swagger 2.0, also called OpenAPI 2.0, which is not read: convert it"},
		"Swagger's number":    {"swagger: 2.0\n", "convert it to OpenAPI 3 first"},
		"a later version":     {"openapi: 4.0.0\n", "not known here"},
		"the next version":    {"openapi: 3.2.0\n", `OpenAPI "3.2.0" is not known here; 3.0 and 3.1 are`},
		"no version":          {"openapi: 3.0.banana\n", "not known here"},
		"a number":            {"openapi: 3.1\n", `such as openapi: "3.0.4", not 3.1`},
		"two numbers":         {"openapi: '3.1'\n", "text of three numbers"},
		"no paths":            {openAPIHead, "no operation"},
		"paths that are none": {openAPIHead + "paths: []\n", "paths of the OpenAPI document is no mapping"},
		"only webhooks":       {"openapi: 3.1.0\nwebhooks: {a: {post: {}}}\n", "calls by the API, not to it"},
		"only unusable":       {openAPIHead + "paths: {'/a.{ext}': {get: {security: []}}}\n", "a parameter must be a whole segment"},
		"too large":           {strings.Repeat(" ", maxOpenAPI+1), "larger than 5 MB"},
		"too many paths":      {openAPIHead + "paths:\n" + many(maxOperations+1, "  /%d: {}\n"), "at most 2000 operations"},
		"too many operations": {openAPIHead + "paths:\n" + many(maxOperations/2+1, "  /%d: {get: {}, put: {}}\n"), "has 2002 operations"},
		"too many scopes": {openAPIHead + "paths: {/a: {get: {}}}\ncomponents: {securitySchemes: {o: {type: oauth2, flows: {implicit: {scopes: {\n" +
			many(maxScopes+1, "    s%d: x,\n") + "}}}}}}\n", "(scopes): is too large: at most 500"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := FromOpenAPI([]byte(test.document))
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("FromOpenAPI = %v, want an invalid_request with %q", err, test.want)
			}
		})
	}
}

func many(n int, format string) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, format, i)
	}
	return out.String()
}

// YAML is read as the JSON it stands for, aliases and merges included.
func TestParseDocument(t *testing.T) {
	got, err := parseDocument([]byte("a: &a {200: 1, b: 0x10, 2024-01-01: 2024-01-02}\nc: {<<: *a, b: true, ~: null}\nd: {<<: [*a, {e: 1.5}]}\n&k k: *k\n*k : 1\n"))
	if err == nil {
		t.Errorf("parseDocument of a name twice by its alias = %v, want an error", got)
	}
	got, err = parseDocument([]byte("a: &a {200: 1, b: 0x10, 2024-01-01: 2024-01-02}\nc: {<<: *a, b: true, ~: null}\nd: {<<: [*a, {e: 1.5}]}\nf: *a\n"))
	a := object{"200": 1, "b": 16, "2024-01-01": "2024-01-02"}
	want := object{
		"a": a, "c": object{"200": 1, "b": true, "2024-01-01": "2024-01-02", "~": nil}, "d": object{"200": 1, "b": 16, "2024-01-01": "2024-01-02", "e": 1.5}, "f": a,
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("parseDocument = %v (-want +got):\n%s", err, diff)
	}
}

// The time is that of the size, not of its square: names by the hundred thousand took minutes.
func TestParseDocumentManyNames(t *testing.T) {
	if _, err := parseDocument([]byte("openapi: 3.1.0\nx:\n" + many(100_000, "  k%d: 1\n"))); err != nil {
		t.Errorf("parseDocument = %v, want nil", err)
	}
}

// What cannot be said is left out, and the report says why. /stays is what stays.
func TestFromOpenAPILeavesOut(t *testing.T) {
	for name, test := range map[string]struct{ paths, want string }{
		"a part of a segment":     {"/a/{b}c: {get: {}}", `"GET /a/{b}c" is left out: a parameter must be a whole segment, and "{b}c" is not`},
		"two in a segment":        {"/a/{b}-{c}: {get: {}}", `"{b}-{c}" is not`},
		"several segments":        {"/a/{b*}/c: {get: {}}", `looks like several`},
		"several segments, plus":  {"/a/{+b}: {get: {}}", `looks like several`},
		"no slash":                {"a: {get: {}}", `"GET a" is left out: it does not begin with a slash`},
		"a query":                 {"/a?b=c: {get: {}}", `a query is no part of a path`},
		"a fragment":              {"'/a#b': {get: {}}", `a fragment is no part of a path`},
		"an empty segment":        {"/a//b: {get: {}}", `more than one reading`},
		"dots":                    {"/a/../b: {get: {}}", `more than one reading`},
		"a semicolon":             {"/a;b: {get: {}}", `more than one reading`},
		"an encoded slash":        {"/a%2fb: {get: {}}", `more than one reading`},
		"an encoded brace":        {"/a%7Bb: {get: {}}", `"GET /a%7Bb" is left out`},
		"no percent-encoding":     {"/100%: {get: {}}", `more than one reading`},
		"too long":                {"/" + strings.Repeat("a", 600) + ": {get: {}}", `is left out: it is longer than 490 characters`},
		"the style matrix":        {"/a/{b}: {parameters: [{in: path, name: b, style: matrix}], get: {}}", `"b" has the style matrix`},
		"no mapping":              {"/a: {get: yes}", `"GET /a" is left out: it is no mapping`},
		"null":                    {"/a: {get: }", `"GET /a" is left out: it is no mapping`},
		"a path that is none":     {"/a: []", `path "/a" is left out: it is no mapping`},
		"a reference to nothing":  {"/a: {$ref: '#/paths/~1b'}", `"#/paths/~1b" refers to nothing`},
		"another document":        {"/a: {$ref: 'b.yaml#/c'}", `"b.yaml#/c" refers to another document, and nothing is fetched`},
		"an address":              {"/a: {$ref: 'http://169.254.169.254/'}", `refers to another document, and nothing is fetched`},
		"an anchor":               {"/a: {$ref: '#b'}", `"#b" is no JSON pointer`},
		"the whole":               {"/a: {$ref: '#'}", `"#" is no JSON pointer`},
		"a reference of numbers":  {"/a: {$ref: 1}", `its $ref is no text`},
		"a circle":                {"/a: {$ref: '#/paths/~1a'}", `its references go in a circle`},
		"an operation elsewhere":  {"/a: {get: {$ref: '#/paths/~1stays/get'}}", `it is a reference, which an operation cannot be`},
		"both beside and in it":   {"/a: {$ref: '#/paths/~1stays', get: {}}", `"GET /a" is left out: it stands both in the reference of its path and beside it`},
		"a certificate":           {"/a: {get: {security: [{mtls: []}]}}", `the security scheme "mtls" cannot be used`},
		"a certificate and a key": {"/a: {get: {security: [{mtls: [], key: []}]}}", `"GET /a" is left out: nothing of what it asks can be asked here`},
		"digest":                  {"/a: {get: {security: [{digest: []}]}}", `the HTTP scheme "digest" has no counterpart`},
		"an odd type":             {"/a: {get: {security: [{odd: []}]}}", `"odd" cannot be used: its type "password" has no counterpart`},
		"a key in the body":       {"/a: {get: {security: [{nowhere: []}]}}", `its keys stand in "body"`},
		"a scheme elsewhere":      {"/a: {get: {security: [{gone: []}]}}", `security scheme "gone": "#/components/securitySchemes/nobody" refers to nothing`},
		"an unknown scheme":       {"/a: {get: {security: [{nobody: []}]}}", `there is no security scheme "nobody"`},
		"optional and unusable":   {"/a: {get: {security: [{}, {mtls: []}]}}", `"GET /a" is left out`},
		"security as a mapping":   {"/a: {get: {security: {key: []}}}", `"GET /a" is left out: its security is no list`},
		"security as nothing":     {"/a: {get: {security: }}", `its security is no list`},
		"security as names":       {"/a: {get: {security: [key]}}", `an alternative of its security is no mapping`},
		"security of nulls":       {"/a: {get: {security: [null]}}", `an alternative of its security is no mapping`},
		"scopes as text":          {"/a: {get: {security: [{oauth: a.read}]}}", `the scopes it asks of "oauth" are no list`},
		"a scope as a number":     {"/a: {get: {security: [{oauth: [1]}]}}", `the scope "1" has no name`},
		"an impossible scope":     {"/a: {get: {security: [{oauth: ['*']}]}}", `the scope "*" can have no such name here`},
		"a scope of the server":   {"/a: {get: {security: [{oauth: [lanyard.admin]}]}}", `the scope "lanyard.admin" has a name of the server's own scopes`},
		"scopes that become one":  {"/a: {get: {security: [{oauth: ['a:read']}]}}", `would be called "a.read" here, as "a.read" is`},
		"too many scopes":         {"/a: {get: {security: [{oauth: [" + many(21, "s%d,") + "]}]}}", `it asks 21 scopes, and at most 20 are possible`},
		"another method":          {"/a: {link: {}, GET: {}}", `path "/a": "link" is no field that OpenAPI 3 has there`},
		"OPTIONS":                 {"/a: {options: {}}", `path "/a": OPTIONS is left out; preflights are answered from cors`},
	} {
		t.Run(name, func(t *testing.T) {
			got, report, err := FromOpenAPI([]byte(openAPIHead + "security: [{key: []}]\npaths:\n  /stays: {get: {}}\n  " + test.paths + openAPISchemes))
			if err != nil {
				t.Fatalf("FromOpenAPI = %v", err)
			}
			if names := slices.Collect(maps.Keys(got.Operations)); !slices.Equal(names, []string{"GET /stays"}) {
				t.Errorf("FromOpenAPI has %q, want GET /stays alone", names)
			}
			if all := strings.Join(report, "\n"); !strings.Contains(all, test.want) {
				t.Errorf("FromOpenAPI: no sentence with %q in\n%s", test.want, all)
			}
		})
	}
}

// What is left out is refused, so that nothing else may match its requests and ask less. ok lists what stays.
func TestFromOpenAPISettles(t *testing.T) {
	for name, test := range map[string]struct{ paths, stays string }{
		"a tie that asks the same":         {"{'/pets/{id}': {get: {}}, '/{kind}/mine': {get: {}}}", "GET /pets/{id}"},
		"a tie that asks otherwise":        {"{'/pets/{id}': {get: {}}, '/{kind}/mine': {get: {security: [{oauth: []}]}}, /x: {get: {}}}", "GET /x"},
		"a tie of which one asks more":     {"{'/pets/{id}': {get: {}}, '/{kind}/mine': {get: {security: [{key: [], oauth: [a.read]}]}}}", "GET /{kind}/mine"},
		"the same by another name":         {"{'/{a-b}': {get: {}}, '/{a_b}': {get: {security: [{oauth: []}]}}, /x/y: {get: {}}}", "GET /x/y"},
		"a hole in what matches all":       {"{/a/b: {get: {security: [{mtls: []}]}}, '/a/{x}': {get: {}}, /a/c: {get: {}}}", "GET /a/c"},
		"a hole in a tree":                 {"{/a/b: {get: {security: [{mtls: []}]}}, '/a/{x}': {get: {security: [{oauth: []}]}}, '/{x}/{y}': {get: {}}, /c: {get: {}}}", "GET /c"},
		"a hole that asked the same":       {"{'/a/{x}.json': {get: {}}, '/a/{x}': {get: {}}}", "GET /a/{x}"},
		"a hole that asked less":           {"{'/a/{x}.json': {get: {security: []}}, '/a/{x}': {get: {}}}", "GET /a/{x}"},
		"a hole that asked more":           {"{'/a/{x}.json': {get: {security: [{oauth: [a.read]}]}}, '/a/{x}': {get: {security: [{oauth: []}]}}, /b: {get: {}}}", "GET /b"},
		"a hole of another method":         {"{/a/b: {post: {security: [{mtls: []}]}}, '/a/{x}': {get: {}}}", "GET /a/{x}"},
		"a hole where nothing can be seen": {"{/a/b: {$ref: 'x.yaml'}, '/a/{x}': {get: {}, post: {}}, /a/b/c: {get: {}}}", "GET /a/b/c"},
		"HEAD is served by GET":            {"{/a: {get: {}, head: {security: [{mtls: []}]}}, /b: {get: {}}}", "GET /b"},
		"a hole before what is narrower":   {"{'/{x}': {get: {security: [{mtls: []}]}}, /a: {get: {}}}", "GET /a"},
		"a hole behind a query":            {"{'/a?type=secret': {get: {security: [{oauth: []}]}}, /a: {get: {}}, /b: {get: {}}}", "GET /b"},
		"a hole with braces":               {"{/a%7Bb: {get: {security: [{oauth: []}]}}, '/{x}': {get: {}}, /b: {get: {}}}", "GET /b"},
		"a hole that is long":              {"{/" + strings.Repeat("a", 600) + ": {get: {security: [{oauth: []}]}}, '/{x}': {get: {}}, /b: {get: {}}}", "GET /b"},
		"a hole that no request reaches":   {"{'/a;x': {get: {security: [{oauth: []}]}}, '/{x}': {get: {}}}", "GET /{x}"},
	} {
		t.Run(name, func(t *testing.T) {
			got, report, err := FromOpenAPI([]byte(openAPIHead + "security: [{key: []}]\npaths: " + test.paths + openAPISchemes))
			if err != nil {
				t.Fatalf("FromOpenAPI = %v", err)
			}
			if stays := strings.Join(slices.Sorted(maps.Keys(got.Operations)), ", "); stays != test.stays {
				t.Errorf("FromOpenAPI has %s, want %s; it says\n%s", stays, test.stays, strings.Join(report, "\n"))
			}
		})
	}
}

func TestFromOpenAPITakes(t *testing.T) {
	for security, want := range map[string]lanyard.Operation{
		"[]":                                   {Takes: "either"},
		"[{}]":                                 {Takes: "either"},
		"[{key: []}]":                          {Takes: "key"},
		"[{key: }]":                            {Takes: "key"},
		"[{alias: []}]":                        {Takes: "key"},
		"[{basic: []}]":                        {Takes: "key"},
		"[{query: []}]":                        {Takes: "key"},
		"[{oauth: []}]":                        {Takes: "token"},
		"[{oidc: [openid]}]":                   {Takes: "token"},
		"[{jwt: []}]":                          {Takes: "token"},
		"[{bearer: []}]":                       {Takes: "either"},
		"[{key: []}, {oauth: []}]":             {Takes: "either"},
		"[{}, {key: []}]":                      {Takes: "key"},
		"[{key: [], oauth: []}]":               {Takes: "both"},
		"[{key: [], bearer: []}]":              {Takes: "both"},
		"[{key: [], other: []}]":               {Takes: "key"},
		"[{oauth: [], oidc: []}]":              {Takes: "token"},
		"[{bearer: [], oauth: []}]":            {Takes: "token"},
		"[{key: [], oauth: []}, {key: []}]":    {Takes: "key"},
		"[{key: [], jwt: []}, {bearer: []}]":   {Takes: "either"},
		"[{key: []}, {digest: []}]":            {Takes: "key"},
		"[{key: [], digest: []}, {oauth: []}]": {Takes: "token"},
		"[{key: []}, {unknown: []}]":           {Takes: "key"},
		"[{oauth: [a.read, a.read]}]":          {Takes: "token", Scopes: []string{"a.read"}},
		"[{oauth: [a.read]}, {oauth: [b.c]}]":  {Takes: "token", Scopes: []string{"a.read", "b.c"}},
		"[{key: []}, {oauth: [a.read]}]":       {Takes: "either", Scopes: []string{"a.read"}},
		"[{jwt: [auditor]}]":                   {Takes: "token", Scopes: []string{"auditor"}},
		"[{oidc: [openid, email, 'https://b.example/c d']}]": {Takes: "token", Scopes: []string{"b.example.c.d", "email.read"}},
	} {
		got, _, err := FromOpenAPI([]byte(openAPIHead + "paths: {/a: {get: {security: " + security + "}}}" + openAPISchemes))
		op := got.Operations["GET /a"]
		op.Takes = got.Takes
		if diff := cmp.Diff(want, op); diff != "" || err != nil {
			t.Errorf("FromOpenAPI(security %s) = %v (-want +got):\n%s", security, err, diff)
		}
	}
}

// The document's security stands for operations that have none of their own, and for no other.
func TestFromOpenAPIInherits(t *testing.T) {
	got, _, err := FromOpenAPI([]byte(openAPIHead + "security: [{oauth: [a.read]}]\n" +
		"paths: {/a: {get: {}, put: {security: [{key: []}]}, delete: {security: []}}, /p: {$ref: '#/components/x-p', post: {security: [{key: []}]}}}" + openAPISchemes +
		"  x-p: {get: {}, parameters: []}\n"))
	want := map[string]lanyard.Operation{
		"GET /a": {Takes: "token", Scopes: []string{"a.read"}}, "PUT /a": {Takes: "key"}, "DELETE /a": {},
		"GET /p": {Takes: "token", Scopes: []string{"a.read"}}, "POST /p": {Takes: "key"},
	}
	if diff := cmp.Diff(want, got.Operations); diff != "" || err != nil {
		t.Errorf("FromOpenAPI = %v (-want +got):\n%s", err, diff)
	}
}

func TestFromOpenAPIUpstream(t *testing.T) {
	for servers, test := range map[string]struct{ upstream, says string }{
		"[]":                                    {"", "servers: it lists nothing"},
		"[{}]":                                  {"", "servers[0]: it has no url"},
		"[{url: /}]":                            {"", `"/" is no http or https address`},
		"[{url: /v1}]":                          {"", `"/v1" is a path alone`},
		"[{url: //a/b}]":                        {"", `is no http or https address`},
		"[{url: 'ftp://a.example'}]":            {"", `is no http or https address`},
		"[{url: 'https://a.example/?k=1'}]":     {"", `without query`},
		"[{url: 'https://u:sekrit@a.example'}]": {"", `its address names a user`},
		"[{url: 'https://{a}.example'}]":        {"", `its variable "a" has no default`},
		"[{url: 'https://{a.example'}]":         {"", `a brace of its address is not closed`},
		"[{url: 'https://{a}/', variables: {a: {default: '{b}'}, b: {default: x}}}]": {"", `its address cannot be read`},
		"[{url: 'https://" + strings.Repeat("a", 600) + "'}]":                        {"", `is no http or https address`},

		"[{url: 'https://a.example/'}]": {"https://a.example", ""},
		"[{url: 'http://{h}:{p}/{v}/', variables: {h: {default: a}, p: {default: 80}, v: {default: v2, enum: [v1, v2]}}}]": {"http://a:80/v2", "makes the upstream http://a:80/v2"},
		"[{url: 'https://a.example', host: b}, {url: 'https://b.example'}]":                                                {"https://a.example", "only the first of 2 is the upstream"},
	} {
		got, report, err := FromOpenAPI([]byte(openAPIHead + "servers: " + servers + "\npaths: {/a: {get: {security: []}}}\n"))
		all := strings.Join(report, "\n")
		if err != nil || got.Upstream != test.upstream || !strings.Contains(all, test.says) || strings.Contains(all, "sekrit") {
			t.Errorf("FromOpenAPI(servers %.100s) = %q, %v, want %q and a sentence with %q in\n%s", servers, got.Upstream, err, test.upstream, test.says, all)
		}
	}
}

// The query is opened by an operation that is declared, in the parameter that is read here, and by nothing else.
func TestFromOpenAPIKeyIn(t *testing.T) {
	for paths, want := range map[string][]string{
		"/a: {get: {security: [{key: []}]}}":                                         nil,
		"/a;b: {get: {security: [{query: []}]}}, /a: {get: {security: [{key: []}]}}": nil,
		"/a: {get: {security: [{query: []}]}}":                                       {"header", "query"},
		"/a: {get: {security: [{key: []}, {query: []}]}}":                            {"header", "query"},
	} {
		got, report, err := FromOpenAPI([]byte(openAPIHead + "paths: {" + paths + "}" + openAPISchemes))
		said := strings.Contains(strings.Join(report, "\n"), "key_in: keys may stand in the query")
		if err != nil || !slices.Equal(got.KeyIn, want) || said != (want != nil) {
			t.Errorf("FromOpenAPI(%s).KeyIn = %q, %v, said: %t, want %q", paths, got.KeyIn, err, said, want)
		}
	}
}

func TestFromOpenAPIScopes(t *testing.T) {
	long := strings.Repeat("wort ", 40)
	got, report, err := FromOpenAPI([]byte("\ufeff" + openAPIHead + `
paths:
  /a: {get: {security: [{o: [a.read]}]}, post: {security: [{o: [a.read, a.write]}]}}
  /b: {get: {security: [{o: [all]}]}, put: {security: [{o: [all]}]}}
components:
  securitySchemes:
    o:
      type: oauth2
      flows:
        x-flow: {}
        telepathy: {scopes: {t.read: x}}
        password: {scopes: [a]}
        authorizationCode: {scopes: {a.read: "read\n  your \u0007things", a.write: "` + long + `", openid: log in, all: , Bad!: x}}
        clientCredentials: {scopes: {all: do everything}}
`))
	want := map[string]lanyard.Scope{
		"a.read": {Text: "read your things"}, "a.write": {Text: strings.TrimSpace(strings.Repeat("wort ", 23)) + "…", Writes: true}, "all": {Text: "do everything", Writes: true},
	}
	if diff := cmp.Diff(want, got.Scopes); diff != "" || err != nil {
		t.Errorf("FromOpenAPI = %v (-want +got):\n%s", err, diff)
	}
	all := strings.Join(report, "\n")
	for _, want := range []string{
		`OpenAPI has no flow "telepathy"`, `the flow password does not exist here (OAuth 2.1)`, `the scopes of its flow password are no mapping`,
		`scope "a.write": its description is longer than 120 characters; it is shortened`, `scope "openid": it belongs to the login`, `scope "Bad!" is not declared`, `"x-flow"`,
	} {
		if !strings.Contains(all, want) {
			t.Errorf("FromOpenAPI: no sentence with %q in\n%s", want, all)
		}
	}
}

// A report has an end, however much there is to say.
func TestFromOpenAPIReportEnds(t *testing.T) {
	_, report, err := FromOpenAPI([]byte(openAPIHead + many(maxNotes+50, "field%d: 1\n") + "paths: {/a: {get: {security: []}}}\n"))
	if err != nil || len(report) != maxNotes+1 || report[maxNotes] != "and 51 more of this kind" {
		t.Errorf("FromOpenAPI says %d sentences, the last %q, %v; want %d and a count", len(report), report[len(report)-1], err, maxNotes)
	}
}

// Whatever comes in, the result is a declaration that stands, or an error that says why.
func FuzzFromOpenAPI(f *testing.F) {
	f.Add([]byte(openAPIHead + "security: [{key: []}]\npaths: {/a/{b}: {get: {security: [{}, {oauth: [a.read], key: []}]}, $ref: '#/paths/~1c'}, /c: {put: {}}}" + openAPISchemes))
	f.Add([]byte(`{"openapi":"3.0.0","paths":{"/":{"get":{}}}}`))
	f.Add([]byte("openapi: 3.1.0\npaths: &a {/x: *a}\n"))
	f.Add([]byte("openapi: 3.1.0\npaths: {/a/: {$ref: '#/paths/~1a~1'}}\n"))
	f.Add([]byte("openapi: 3.1.0\nservers: [{url: 'http://{a}', variables: {a: {default: 1}}}]\npaths: {'/a/{b}c': {get: {}}, '/a/{d}': {get: {security: []}}}\n"))
	f.Fuzz(func(t *testing.T, document []byte) {
		api, report, err := FromOpenAPI(document)
		for _, sentence := range report {
			if sentence == "" || strings.ContainsAny(sentence, "\n\x00") {
				t.Errorf("FromOpenAPI says %q, want a sentence on a line", sentence)
			}
		}
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("FromOpenAPI = %v, want an invalid_request", err)
			}
			return
		}
		normal, err := Normalise("fuzzed", api)
		if err != nil {
			t.Errorf("Normalise(FromOpenAPI) = %v, want nil", err)
		}
		Lint(normal)
	})
}
