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

// methods of a path item. OPTIONS is apart: the gateway answers preflights.
var openAPIMethods = []string{"get", "put", "post", "delete", "head", "patch", "trace"}

const (
	maxOperationScopes = 20  // as checkSizes has it
	maxTemplate        = 490 // characters of a path; with its method it is one of checkSizes' names
)

// candidate is an operation of the document on its way to one of the declaration.
type candidate struct {
	place    string          // "GET /pets/{pet-id}", as the document has it
	name     string          // "GET /pets/{pet_id}", as it is declared; of one that cannot be, the template of all it might match; empty: it matches nothing
	template policy.Template // of name
	asks     *demand         // nil: what it asks cannot be said
	out      bool            // it is not declared
}

// twice stands where a path item and its reference have the same operation.
type twice struct{}

func (im *openAPI) readPaths() error {
	paths := mapping(im.root["paths"])
	if len(paths) > maxOperations {
		return fault.New(fault.Invalid, "the OpenAPI document has %d paths; at most %d operations can be declared", len(paths), maxOperations)
	}
	if im.root["paths"] != nil && paths == nil {
		return fault.New(fault.Invalid, "paths of the OpenAPI document is no mapping")
	}
	if im.root["webhooks"] != nil {
		im.note("webhooks: they are calls by the API, not to it; nothing is declared for them")
	}
	for _, path := range names(paths) {
		if strings.HasPrefix(path, "x-") {
			im.extensions = append(im.extensions, path)
			continue
		}
		im.readPath(path, paths[path])
	}
	if n := len(im.candidates); n > maxOperations {
		return fault.New(fault.Invalid, "the OpenAPI document has %d operations; at most %d can be declared", n, maxOperations)
	}
	return nil
}

// readPath reads one path item. When it cannot be read at all, whatever it might hold is left out.
func (im *openAPI) readPath(path string, declared any) {
	item, err := im.pathItem(path, declared)
	if err != nil {
		im.note("path %.100q is left out: %s", path, err)
		template, _ := pathTemplate(path)
		im.leaveOut("ANY "+path, template, nil)
		return
	}
	im.unknown(fmt.Sprintf("path %.100q", path), item, append([]string{"$ref", "summary", "description", "options", "servers", "parameters"}, openAPIMethods...)...)
	if item["servers"] != nil {
		im.note("path %.100q: its own servers are not used; its operations go where the others go", path)
	}
	if item["options"] != nil {
		im.note("path %.100q: OPTIONS is left out; preflights are answered from cors", path)
	}
	template, wrong := pathTemplate(path)
	if wrong == nil && template != path && template != path+"{$}" {
		im.note("path %.100q is %.100q here", path, template)
	}
	for _, method := range openAPIMethods {
		if declared, is := item[method]; is {
			im.operation(strings.ToUpper(method)+" "+path, template, wrong, item, declared)
		}
	}
}

// pathItem follows a path item's reference. What stands beside the reference belongs to it too; of what both have the
// specification says that anything may happen, so that nothing does.
func (im *openAPI) pathItem(path string, declared any) (object, error) {
	item, err := im.follow(declared)
	beside := mapping(declared)
	if err != nil || beside["$ref"] == nil || len(beside) == 1 {
		return item, err
	}
	item = maps.Clone(item)
	for _, name := range names(beside) {
		_, both := item[name]
		switch {
		case name == "$ref", name == "summary", name == "description":
		case both && slices.Contains(openAPIMethods, name):
			item[name] = twice{}
		case both:
			im.note("path %.100q: %.60q stands both in its reference and beside it; the one beside is not read", path, name)
		default:
			item[name] = beside[name]
		}
	}
	return item, nil
}

// operation reads one operation. template is its path here, and wrong says why it cannot have one.
func (im *openAPI) operation(place, template string, wrong error, item object, declared any) {
	op, is := declared.(object)
	where := fmt.Sprintf("operation %.100q", place)
	switch {
	case declared == any(twice{}):
		im.note("%s is left out: it stands both in the reference of its path and beside it", where)
		im.leaveOut(place, template, nil)
		return
	case !is:
		im.note("%s is left out: it is no mapping", where)
		im.leaveOut(place, template, nil)
		return
	case op["$ref"] != nil:
		im.note("%s is left out: it is a reference, which an operation cannot be", where)
		im.leaveOut(place, template, nil)
		return
	}
	im.unknown(where, op, "tags", "summary", "description", "externalDocs", "operationId", "parameters", "requestBody", "responses", "callbacks", "deprecated", "security", "servers")
	if op["servers"] != nil {
		im.note("%s: its own servers are not used; it goes where the others go", where)
	}
	if op["callbacks"] != nil {
		im.note("%s: its callbacks are calls by the API, not to it; nothing is declared for them", where)
	}
	if name := im.matrix(item, op); name != "" {
		wrong = fmt.Errorf("its parameter %.60q has the style matrix, which writes semicolons, and paths with those are refused", name)
		template = ""
	}
	asks := im.asks(where, op)
	method, _, _ := strings.Cut(place, " ")
	if wrong == nil {
		_, wrong = policy.ParseTemplate(method + " " + template) // nothing is left for it to refuse, as far as is known
	}
	if wrong != nil {
		im.note("%s is left out: %s", where, wrong)
		im.leaveOut(place, template, asks)
		return
	}
	if asks != nil && len(asks.scopes) > maxOperationScopes {
		im.note("%s is left out: it asks %d scopes, and at most %d are possible", where, len(asks.scopes), maxOperationScopes)
		asks = nil
	}
	if asks == nil {
		im.leaveOut(place, template, nil)
		return
	}
	im.candidates = append(im.candidates, newCandidate(place, method+" "+template, asks, false))
}

// leaveOut keeps an operation that is not declared: others must not take its requests for less.
func (im *openAPI) leaveOut(place, template string, asks *demand) {
	method, _, _ := strings.Cut(place, " ")
	name := ""
	if template != "" {
		name = method + " " + template
	}
	im.candidates = append(im.candidates, newCandidate(place, name, asks, true))
}

func newCandidate(place, name string, asks *demand, out bool) *candidate {
	c := &candidate{place: place, name: name, asks: asks, out: out}
	var err error
	if c.template, err = policy.ParseTemplate(name); err != nil {
		c.name = "" // no path in normal form matches it
	}
	return c
}

// matrix is the name of a path parameter that is written with a semicolon, or nothing.
func (im *openAPI) matrix(item, op object) string {
	for _, declared := range slices.Concat(list(item["parameters"]), list(op["parameters"])) {
		p, err := im.follow(declared)
		if err == nil && text(p["in"]) == "path" && text(p["style"]) == "matrix" {
			return text(p["name"])
		}
	}
	return ""
}

// operations are the candidates that are left.
func (im *openAPI) operations() map[string]lanyard.Operation {
	ops := map[string]lanyard.Operation{}
	for _, c := range im.candidates {
		if !c.out {
			ops[c.name] = lanyard.Operation{Takes: string(c.asks.takes()), Scopes: c.asks.scopes}
		}
	}
	return ops
}

// pathTemplate turns an OpenAPI path into a template of package policy: the names of parameters become identifiers, a final
// slash means just that one path, and percent-encoded text is decoded. With an error comes a template that takes at least what
// the path means, or nothing when no request can match.
func pathTemplate(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return "", fmt.Errorf("it does not begin with a slash")
	}
	var wrong error
	if before, _, more := strings.Cut(rest, "?"); more {
		rest, wrong = before, fmt.Errorf("a query is no part of a path")
	}
	if before, _, more := strings.Cut(rest, "#"); more {
		rest, wrong = before, fmt.Errorf("a fragment is no part of a path")
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
			plain, err := policy.NormalPath("/" + segment)
			if err != nil || segment == "" {
				return "", policy.ErrAmbiguousPath
			}
			if segments[i] = plain[1:]; strings.ContainsAny(plain, "{}") {
				wrong = fmt.Errorf("%.60q holds a brace that is no parameter", segment)
				segments[i] = "{" + parameter("part", taken) + "}"
			}
		case !opens || !closes || strings.ContainsAny(name, "{}"):
			wrong = fmt.Errorf("a parameter must be a whole segment, and %.60q is not", segment)
			segments[i] = "{" + parameter("part", taken) + "}"
		case strings.HasPrefix(name, "+") || strings.HasSuffix(name, "*") || strings.HasSuffix(name, "..."):
			wrong = fmt.Errorf("a parameter of OpenAPI is one segment, and %.60q looks like several", segment)
			if i != len(segments)-1 {
				segments = segments[:i+1]
			}
			segments[i] = "{" + parameter("part", taken) + "...}"
			return "/" + strings.Join(segments, "/"), wrong
		default:
			segments[i] = "{" + parameter(name, taken) + "}"
		}
	}
	template := "/" + strings.Join(segments, "/")
	if len(template) > maxTemplate {
		for i := range segments {
			if segments[i] != "{$}" {
				segments[i] = fmt.Sprintf("{p%d}", i)
			}
		}
		return "/" + strings.Join(segments, "/"), fmt.Errorf("it is longer than %d characters", maxTemplate)
	}
	return template, wrong
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
