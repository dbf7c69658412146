package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

// methods of a path item, and what they are on the wire. OPTIONS is left to CORS.
var openAPIMethods = []string{"get", "put", "post", "delete", "head", "patch", "trace"}

func (im *openAPI) readPaths() error {
	paths := mapping(im.root["paths"])
	if len(paths) > maxOperations {
		return fault.New(fault.Invalid, "the OpenAPI document has %d paths; at most %d operations can be declared", len(paths), maxOperations)
	}
	if im.root["webhooks"] != nil {
		im.note("webhooks: they are calls by the API, not to it")
	}
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if strings.HasPrefix(path, "x-") {
			continue
		}
		item, err := im.follow(paths[path])
		if err != nil {
			im.note("path %.100q is left out: %s", path, err)
			continue
		}
		template, err := pathTemplate(path)
		if err != nil {
			im.note("path %.100q is left out: %s", path, err)
			continue
		}
		if item["servers"] != nil {
			im.note("path %.100q: its own servers are not used", path)
		}
		for _, method := range openAPIMethods {
			if op, is := item[method].(object); is {
				im.operation(strings.ToUpper(method)+" "+template, op)
			}
		}
		if item["options"] != nil {
			im.note("path %.100q: OPTIONS is left to CORS", path)
		}
	}
	return nil
}

func (im *openAPI) operation(name string, op object) {
	if _, err := policy.NewOperations([]policy.Operation{{Name: name}}); err != nil {
		im.note("%s", err)
		return
	}
	if op["servers"] != nil {
		im.note("operation %.100q: its own servers are not used", name)
	}
	own, declared := op["security"]
	if !declared {
		own = im.root["security"]
	}
	security := list(own)
	where := fmt.Sprintf("operation %.100q", name)
	d := im.demand(where, security)
	switch {
	case len(security) == 0 || !d.usable && d.anonymous && onlyEmpty(security):
		im.note("%s asks for no credential; here it takes any", where)
	case !d.usable:
		im.note("%s is left out: what it asks cannot be said here", where)
		return
	case d.anonymous:
		im.note("%s can be called without a credential; here it needs one", where)
	}
	if d.unlike {
		im.note("%s asks different scopes in its alternatives; here it asks all of them", where)
	}
	im.operations[name] = lanyard.Operation{Takes: string(d.takes()), Scopes: d.scopes}
}

func onlyEmpty(security []any) bool {
	return !slices.ContainsFunc(security, func(v any) bool { return len(mapping(v)) > 0 })
}

// pathTemplate turns an OpenAPI path into a template of package policy: the names of parameters become identifiers, and a
// final slash means just that one path.
func pathTemplate(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return "", fmt.Errorf("it does not begin with a slash")
	}
	segments := strings.Split(rest, "/")
	taken := map[string]bool{}
	for i, segment := range segments {
		name, opens := strings.CutPrefix(segment, "{")
		name, closes := strings.CutSuffix(name, "}")
		switch {
		case segment == "" && i == len(segments)-1:
			segments[i] = "{$}"
		case !strings.ContainsAny(segment, "{}"):
		case !opens || !closes || strings.ContainsAny(name, "{}"):
			return "", fmt.Errorf("a parameter must be a whole segment, and %.60q is not", segment)
		default:
			segments[i] = "{" + parameter(name, taken) + "}"
		}
	}
	return "/" + strings.Join(segments, "/"), nil
}

// parameter makes an identifier that no other parameter of the path has.
func parameter(name string, taken map[string]bool) string {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, name)
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	for taken[name] {
		name += "_"
	}
	taken[name] = true
	return name
}
