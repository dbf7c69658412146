package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
)

func TestParseCatalogRefuses(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"empty":         {"", "f is empty"},
		"a comment":     {"# nothing\n", "f is empty"},
		"nothing":       {"apis: {}\n", "declares nothing"},
		"a list":        {"[1]\n", "line 1: a list stands where a group of fields belongs"},
		"top level":     {"api:\n  weather: {}\n", "line 1: unknown field api in the file's top level; known are brand and apis"},
		"in an API":     {"apis:\n  weather:\n    take: key\n", "line 3: unknown field take in an API"},
		"in a scope":    {"apis:\n  w:\n    scopes:\n      a: {txt: x}\n", "line 4: unknown field txt in a scope"},
		"in token":      {"apis:\n  w:\n    token: {life: x}\n", "line 3: unknown field life in token"},
		"twice":         {"apis:\n  w: {}\n  w: {}\n", `line 3: field "w" already defined at line 2`},
		"field twice":   {"apis:\n  w:\n    takes: key\n    takes: key\n", "line 4: field \"takes\" already defined at line 3"},
		"wrong type":    {"apis:\n  w:\n    operations:\n      GET /a: {cost: much}\n", "line 4: a text `much` stands where a whole number belongs"},
		"not a list":    {"apis:\n  w:\n    key_in: header\n", "stands where a list belongs"},
		"two documents": {"apis: {w: {}}\n---\napis: {v: {}}\n", "more than one document"},
		"tab":           {"apis:\n\tw: {}\n", "line 2"},
		"breaks off":    {"apis: {w: \n", "f: line"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseCatalog("f", []byte(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "lanyard.") || strings.Contains(err.Error(), "!!") {
				t.Errorf("parseCatalog = %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestParseCatalog(t *testing.T) {
	got, err := parseCatalog("f", []byte(`
brand: {name: Acme, color: "#0a7"}
apis:
  weather:
    takes: key
    operations:
      GET /v1/forecast: {scopes: [forecast.read], cost: 2}
      GET /v1/health:
`))
	want := lanyard.Catalog{
		Brand: &lanyard.Brand{Name: "Acme", Color: "#0a7"},
		APIs: map[string]lanyard.API{"weather": {
			Takes: "key", Operations: map[string]lanyard.Operation{"GET /v1/forecast": {Scopes: []string{"forecast.read"}, Cost: new(int64(2))}, "GET /v1/health": {}},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("parseCatalog = %v (-want +got):\n%s", err, diff)
	}
}

func FuzzParseCatalog(f *testing.F) {
	f.Add([]byte("apis:\n  w: {takes: key}\n"))
	f.Add([]byte("brand: &a {name: x}\napis: {w: *a}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parseCatalog("f", text)
		if err == nil && c.Brand == nil && len(c.APIs) == 0 {
			t.Errorf("parseCatalog(%q) = nothing and no error", text)
		}
	})
}
