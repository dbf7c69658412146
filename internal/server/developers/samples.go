package developers

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// calls make a first call with a key that stands in an environment variable, in several languages.
type calls struct {
	Curl           string
	Samples        []sample
	API, Operation string // what they call
}

// sample is a first call in one language.
type sample struct{ Name, Text string }

// firstCall writes calls of an operation that a key's scopes open; none where no API says where it stands.
func firstCall(k *lanyard.Key, view *verify.CatalogView, name string) calls {
	for _, scope := range k.Scopes {
		api := view.ByScope(scope)
		if api == nil || !strings.HasPrefix(api.Policy.Identifier, "http") {
			continue
		}
		if method, path, operation := entrance(api, k); method != "" {
			made := callsOf(method, strings.TrimSuffix(api.Policy.Identifier, "/")+path, name)
			made.API, made.Operation = api.Policy.Name, operation
			return made
		}
	}
	return calls{}
}

// verifying asks for a decision about a key, with the key itself: where nobody here answers calls of an API, that is what whoever guards
// it does. The key holds lanyard.verify for it, and stands in $KEY.
func verifying(publicURL string, api *catalog.Compiled, k *lanyard.Key) string {
	method, path, _ := entrance(api, k)
	if method == "" {
		method, path = "GET", "/"
	}
	return fmt.Sprintf(`curl -H @<(printf 'Authorization: Bearer %%s' "$KEY") --json @- "%s/v1/verify" <<< '{"credential":"'"$KEY"'","api":"%s","method":"%s","path":"%s"}'`,
		publicURL, api.Policy.Name, method, path)
}

// entrance is the method and path to try first: a GET without parameters, if there is one, else what comes nearest to it.
func entrance(api *catalog.Compiled, k *lanyard.Key) (method, path, operation string) {
	best := 4
	for _, name := range slices.Sorted(maps.Keys(api.Spec.Operations)) {
		op := api.Spec.Operations[name]
		m, template, _ := strings.Cut(name, " ")
		if !takesKey(api.Spec.Takes, op.Takes) || !coversAll(api, k.Scopes, op.Scopes) || len(k.Operations) > 0 && !slices.Contains(k.Operations, name) {
			continue
		}
		rank := 0
		if m != "GET" {
			rank = 2
		}
		if strings.Contains(template, "{") {
			rank++
		}
		if rank < best {
			best, method, path, operation = rank, m, example(template), name
		}
	}
	if method == "ANY" {
		method = "GET"
	}
	return method, path, operation
}

// takesKey reports whether an API key alone opens an operation, or an API where nothing is said of the operation.
func takesKey(api, operation string) bool {
	takes := operation
	if takes == "" {
		takes = api
	}
	return takes == "" || takes == "key" || takes == "either"
}

func coversAll(api *catalog.Compiled, granted, needs []string) bool {
	for _, need := range needs {
		if !api.Policy.Scopes.Covers(granted, need, false) {
			return false
		}
	}
	return true
}

// example fills a template in: 1 for each part, nothing for the rest.
func example(template string) string {
	parts := strings.Split(template, "/")
	for i, part := range parts {
		switch {
		case part == "{$}" || strings.HasSuffix(part, "...}"):
			parts[i] = ""
		case strings.HasPrefix(part, "{"):
			parts[i] = "1"
		}
	}
	return strings.Join(parts, "/")
}

// callsOf writes a call in every language, the key in none of curl's arguments: other users see those while it runs. Neither method nor address holds a quote: templates and identifiers are checked when an
// API is declared.
func callsOf(method, address, name string) calls {
	fill := strings.NewReplacer("METHOD", method, "ADDRESS", address, "VARIABLE", name)
	made := calls{Curl: fill.Replace(`curl -X METHOD -H @- "ADDRESS" <<< "x-api-key: $VARIABLE"`)}
	if method == "GET" {
		made.Curl = fill.Replace(`curl -H @- "ADDRESS" <<< "x-api-key: $VARIABLE"`)
	}
	made.Samples = []sample{
		{"Go", fill.Replace(`req, err := http.NewRequest("METHOD", "ADDRESS", nil)
if err != nil {
	return err
}
req.Header.Set("x-api-key", os.Getenv("VARIABLE"))
res, err := http.DefaultClient.Do(req)`)},
		{"JavaScript", fill.Replace(`const res = await fetch("ADDRESS", {
  method: "METHOD",
  headers: { "x-api-key": process.env.VARIABLE },
});
console.log(res.status, await res.json());`)},
		{"Python", fill.Replace(`import os, urllib.request

req = urllib.request.Request("ADDRESS", method="METHOD",
    headers={"x-api-key": os.environ["VARIABLE"]})
print(urllib.request.urlopen(req).read().decode())`)},
	}
	return made
}
