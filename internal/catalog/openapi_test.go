package catalog

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

const openAPIHead = "openapi: 3.0.3\ninfo: {title: T, version: '1'}\n"

func TestFromOpenAPIRefuses(t *testing.T) {
	for name, test := range map[string]struct{ document, want string }{
		"nothing":         {"", "no mapping"},
		"a list":          {"[1]", "no mapping"},
		"broken YAML":     {"openapi: [", "cannot be read"},
		"broken JSON":     {"{\"openapi\": ", "cannot be read"},
		"another file":    {"name: x\n", "right file"},
		"Swagger":         {"swagger: '2.0'\n", "Swagger 2.0"},
		"a later version": {"openapi: 4.0.0\n", "not known here"},
		"number version":  {"openapi: 3.0\n", "right file"},
		"no paths":        {openAPIHead, "no operation"},
		"only unusable":   {openAPIHead + "paths: {'/a.{ext}': {get: {}}}\n", "a parameter must be a whole segment"},
		"ambiguous": {
			openAPIHead + "paths: {'/pets/{id}': {get: {}}, '/{kind}/mine': {get: {}}}\n", "neither is more specific",
		},
		"too large": {strings.Repeat(" ", maxOpenAPI+1), "larger than 5 MB"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := FromOpenAPI([]byte(test.document))
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("FromOpenAPI = %v, want an invalid_request with %q", err, test.want)
			}
		})
	}
}

const petsOpenAPI = `
openapi: 3.1.0
info: {title: Pets, version: "1"}
servers:
  - url: https://{region}.pets.example/api/
    variables: {region: {default: eu}}
  - url: https://backup.example
security:
  - oauth: [read:pets]
webhooks: {}
paths:
  /pets:
    get: {}
    post:
      security: [{oauth: ["write:pets"]}, {secretKey: []}]
    options: {}
  /pets/{pet-id}:
    $ref: '#/components/pathItems/pet'
  /pets/{id}.json:
    get: {}
  /elsewhere:
    $ref: 'other.yaml#/x'
  /round:
    $ref: '#/components/pathItems/round'
  /public/:
    get: {security: []}
  /both:
    get: {security: [{oauth: ["read:pets"], secretKey: []}]}
  /certificate:
    get: {security: [{mtls: []}]}
  /perhaps:
    get: {security: [{}, {secretKey: []}]}
components:
  pathItems:
    pet:
      delete: {security: [{oidc: [pets.delete]}]}
    round: {$ref: '#/components/pathItems/round'}
  securitySchemes:
    oauth:
      type: oauth2
      flows:
        authorizationCode:
          scopes: {"read:pets": read your pets, "write:pets": ""}
    secretKey: {type: apiKey, in: header, name: X-Pets-Key}
    oidc: {type: openIdConnect, openIdConnectUrl: 'https://id.example'}
    mtls: {type: mutualTLS}
`

func TestFromOpenAPI(t *testing.T) {
	got, notes, err := FromOpenAPI([]byte(petsOpenAPI))
	if err != nil {
		t.Fatalf("FromOpenAPI = %v", err)
	}
	want := lanyard.API{
		Title: "Pets", Upstream: "https://eu.pets.example/api", Takes: "either",
		Scopes: map[string]lanyard.Scope{"read.pets": {Text: "read your pets"}, "write.pets": {Text: "write.pets"}, "pets.delete": {Text: "pets.delete"}},
		Operations: map[string]lanyard.Operation{
			"GET /pets":             {Takes: "token", Scopes: []string{"read.pets"}},
			"POST /pets":            {Scopes: []string{"write.pets"}},
			"DELETE /pets/{pet_id}": {Takes: "token", Scopes: []string{"pets.delete"}},
			"GET /public/{$}":       {},
			"GET /both":             {Takes: "both", Scopes: []string{"read.pets"}},
			"GET /perhaps":          {Takes: "key"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("FromOpenAPI (-want +got):\n%s", diff)
	}
	all := strings.Join(notes, "\n")
	for _, want := range []string{
		`only the first of 2`, `webhooks`, `"/pets/{id}.json" is left out: a parameter must be a whole segment`, `"other.yaml#/x" refers to another document`,
		`"/round" is left out: its references go in a circle`, `"GET /public/{$}" asks for no credential`, `"GET /certificate" is left out`,
		`not in "X-Pets-Key"`, `type "mutualTLS" has no counterpart`, `"read:pets" is called "read.pets" here`, `OPTIONS is left to CORS`,
		`"GET /perhaps" can be called without a credential; here it needs one`, `"POST /pets" asks different scopes in its alternatives`,
	} {
		if !strings.Contains(all, want) {
			t.Errorf("FromOpenAPI: no note with %q in\n%s", want, all)
		}
	}
}

// Tabs are no YAML, and JSON documents have them; version 3.0 and the other kinds of schemes.
func TestFromOpenAPIJSON(t *testing.T) {
	got, notes, err := FromOpenAPI([]byte("{\t\"openapi\": \"3.0.1\",\n\t\"servers\": [{\"url\": \"/v1\"}],\n\t\"security\": [{\"k\": []}],\n" +
		"\t\"paths\": {\"/a/{0}/{0}\": {\"get\": {}}, \"/b\": {\"get\": {\"security\": [{\"basic\": []}]}}},\n" +
		"\t\"components\": {\"securitySchemes\": {\"k\": {\"type\": \"apiKey\", \"in\": \"query\", \"name\": \"k\"}, \"basic\": {\"type\": \"http\", \"scheme\": \"Basic\"}}}}"))
	want := lanyard.API{
		Takes: "key", Scopes: map[string]lanyard.Scope{}, Operations: map[string]lanyard.Operation{"GET /a/{_0}/{_0_}": {}, "GET /b": {}},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("FromOpenAPI = %v (-want +got):\n%s", err, diff)
	}
	for i, want := range []string{`with Basic, the API key is the user name`, `keys in the query get into logs`, `"/v1" is no whole http or https address`} {
		if i >= len(notes) || !strings.Contains(notes[i], want) {
			t.Errorf("FromOpenAPI notes = %q, want %q at %d", notes, want, i)
		}
	}
}

func TestDemandTakes(t *testing.T) {
	const schemes = `
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: x-api-key}
    oauth: {type: oauth2, flows: {}}
    bearer: {type: http, scheme: bearer}
    jwt: {type: http, scheme: bearer, bearerFormat: JWT}
    digest: {type: http, scheme: digest}
`
	for security, want := range map[string]string{
		"[{key: []}]":                            "key",
		"[{oauth: []}]":                          "token",
		"[{jwt: []}]":                            "token",
		"[{bearer: []}]":                         "either",
		"[{key: []}, {oauth: []}]":               "either",
		"[{key: [], oauth: []}]":                 "both",
		"[{key: [], bearer: []}]":                "both",
		"[{key: [], oauth: []}, {key: []}]":      "key",
		"[{key: []}, {digest: []}]":              "key",
		"[{key: [], digest: []}, {oauth: []}]":   "token",
		"[{key: []}, {unknown: []}]":             "key",
		"[{key: [], jwt: []}, {bearer: []}]":     "either",
		"[{oauth: []}, {key: [], oauth: [a.b]}]": "token",
	} {
		got, _, err := FromOpenAPI([]byte(openAPIHead + "paths: {/a: {get: {security: " + security + "}}}" + schemes))
		if err != nil || got.Takes != want {
			t.Errorf("FromOpenAPI(security %s).Takes = %q, %v, want %q", security, got.Takes, err, want)
		}
	}
}

// Whatever comes in, the result is a declaration that stands, or an error that says why.
func FuzzFromOpenAPI(f *testing.F) {
	f.Add([]byte(petsOpenAPI))
	f.Add([]byte(`{"openapi":"3.0.0","paths":{"/":{"get":{}}}}`))
	f.Add([]byte("openapi: 3.1.0\npaths: &a {/x: *a}\n"))
	f.Add([]byte("openapi: 3.1.0\npaths: {/a/: {$ref: '#/paths/~1a~1'}}\n"))
	f.Fuzz(func(t *testing.T, document []byte) {
		api, _, err := FromOpenAPI(document)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("FromOpenAPI = %v, want an invalid_request", err)
			}
			return
		}
		if _, err := Normalise("fuzzed", api); err != nil {
			t.Errorf("Normalise(FromOpenAPI) = %v, want nil", err)
		}
	})
}
