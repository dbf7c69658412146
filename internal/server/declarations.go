package server

import (
	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/catalog"
)

// ReadOpenAPI turns an OpenAPI document into the declaration of an API. The report has a sentence for everything that could not
// be taken over as it stands, also when nothing could.
func ReadOpenAPI(document []byte) (api lanyard.API, report []string, err error) {
	return catalog.FromOpenAPI(document)
}

// Finding is something that the author of an API may not have meant.
type Finding = catalog.Finding

// Lint says what the authors of a catalog may not have meant, by API. A catalog that could not be applied is a fault.
func Lint(c lanyard.Catalog) (map[string][]Finding, error) {
	state, err := catalog.Merge(catalog.State{}, c)
	if err != nil {
		return nil, err
	}
	found := make(map[string][]Finding, len(state.APIs))
	for name, a := range state.APIs {
		found[name] = catalog.Lint(a)
	}
	return found, nil
}

// LintRules are the rules of Lint, each with what it finds.
func LintRules() [][2]string { return catalog.Rules() }
