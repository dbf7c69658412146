package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

// maxOpenAPI is how large a document may be, in bytes.
const maxOpenAPI = 5 << 20

// object is a mapping of the document.
type object = map[string]any

// FromOpenAPI turns an OpenAPI 3.0 or 3.1 document, YAML or JSON, into a declaration: operations from its paths, scopes from
// its OAuth security schemes, which kinds an operation takes and which scopes it asks from `security`, and the upstream from
// `servers`. References are followed within the document alone; nothing is fetched.
//
// The second result has a line for everything that could not be said here. Where the document is looser than a declaration
// can be, the declaration is the stricter: an operation that cannot be expressed is left out, and so refused. A document of
// which nothing can be used is a fault.Invalid, and so are operations that policy finds ambiguous.
func FromOpenAPI(document []byte) (lanyard.API, []string, error) {
	if len(document) > maxOpenAPI {
		return lanyard.API{}, nil, fault.New(fault.Invalid, "the OpenAPI document is larger than %d MB", maxOpenAPI>>20)
	}
	root, err := parseDocument(document)
	if err != nil {
		return lanyard.API{}, nil, err
	}
	im := &openAPI{root: root, schemes: map[string]scheme{}, scopes: map[string]lanyard.Scope{}, operations: map[string]lanyard.Operation{}}
	if err := im.checkVersion(); err != nil {
		return lanyard.API{}, nil, err
	}
	im.readSchemes()
	if err := im.readPaths(); err != nil {
		return lanyard.API{}, im.notes, err
	}
	if len(im.operations) == 0 {
		return lanyard.API{}, im.notes, fault.New(fault.Invalid, "the OpenAPI document has no operation that could be used%s", because(im.notes))
	}
	api := lanyard.API{Title: im.title(), Upstream: im.upstream(), Operations: im.operations, Scopes: im.scopes}
	api.Takes = shareTakes(api.Operations)
	check := api // Normalise writes defaults into it
	check.Scopes = maps.Clone(api.Scopes)
	if _, err := Normalise("imported", check); err != nil {
		return lanyard.API{}, im.notes, err
	}
	return api, im.notes, nil
}

func because(notes []string) string {
	if len(notes) == 0 {
		return ""
	}
	return ": " + notes[0]
}

// parseDocument reads JSON as JSON, because YAML does not allow its tabs.
func parseDocument(text []byte) (object, error) {
	var root any
	var err error
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		err = json.Unmarshal(text, &root)
	} else {
		err = yaml.Unmarshal(text, &root)
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "the OpenAPI document cannot be read: %.300s", strings.ReplaceAll(err.Error(), "\n", " "))
	}
	doc, ok := root.(object)
	if !ok {
		return nil, fault.New(fault.Invalid, "the OpenAPI document is no mapping: is it the right file?")
	}
	return doc, nil
}

// openAPI is one document on its way to a declaration.
type openAPI struct {
	root       object
	schemes    map[string]scheme
	scopes     map[string]lanyard.Scope
	operations map[string]lanyard.Operation
	notes      []string
}

func (im *openAPI) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(im.notes, text) {
		im.notes = append(im.notes, text)
	}
}

func (im *openAPI) checkVersion() error {
	switch version := text(im.root["openapi"]); {
	case strings.HasPrefix(version, "3.0."), strings.HasPrefix(version, "3.1."):
		return nil
	case im.root["swagger"] != nil:
		return fault.New(fault.Invalid, "this is Swagger 2.0: convert it to OpenAPI 3 first")
	case version == "":
		return fault.New(fault.Invalid, `the document has no "openapi: 3.0.x" or "3.1.x" at its top: is it the right file?`)
	default:
		return fault.New(fault.Invalid, "OpenAPI %.20q is not known here; 3.0 and 3.1 are", version)
	}
}

func (im *openAPI) title() string {
	title := strings.TrimSpace(text(mapping(im.root["info"])["title"]))
	if title != "" && fault.CheckName("title", title, 100) != nil {
		im.note("info.title: it is too long or holds control characters")
		return ""
	}
	return title
}

// upstream is the first server, if it is a whole address.
func (im *openAPI) upstream() string {
	servers := list(im.root["servers"])
	if len(servers) == 0 {
		return ""
	}
	if len(servers) > 1 {
		im.note("servers: only the first of %d is the upstream", len(servers))
	}
	server := mapping(servers[0])
	address := text(server["url"])
	for name, v := range mapping(server["variables"]) {
		address = strings.ReplaceAll(address, "{"+name+"}", text(mapping(v)["default"]))
	}
	address = strings.TrimSuffix(address, "/")
	if len(address) > 500 || strings.ContainsAny(address, "{} ") || !absoluteURI(address, "https", "http") {
		im.note("servers: %.100q is no whole http or https address; say the upstream yourself", address)
		return ""
	}
	return address
}

// follow resolves a reference within the document; anything that is none comes back as it is.
func (im *openAPI) follow(v any) (object, error) {
	const deepest = 16
	for range deepest {
		found := mapping(v)
		ref, is := found["$ref"].(string)
		if !is {
			return found, nil
		}
		pointer, local := strings.CutPrefix(ref, "#/")
		if !local {
			return nil, fmt.Errorf("%.100q refers to another document", ref)
		}
		if v = im.at(pointer); v == nil {
			return nil, fmt.Errorf("%.100q refers to nothing", ref)
		}
	}
	return nil, fmt.Errorf("its references go in a circle")
}

// at is the value of a JSON pointer without its first slash (RFC 6901).
func (im *openAPI) at(pointer string) any {
	var v any = im.root
	for part := range strings.SplitSeq(pointer, "/") {
		if plain, err := url.PathUnescape(part); err == nil {
			part = plain
		}
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		switch here := v.(type) {
		case object:
			v = here[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(here) {
				return nil
			}
			v = here[i]
		default:
			return nil
		}
	}
	return v
}

// shareTakes moves what all operations take to the API.
func shareTakes(ops map[string]lanyard.Operation) string {
	first, shared := "", true
	for _, op := range ops {
		if first == "" {
			first = op.Takes
		}
		shared = shared && op.Takes == first
	}
	if !shared {
		first = string(policy.TakesEither)
	}
	for name, op := range ops {
		if op.Takes == first {
			op.Takes = ""
			ops[name] = op
		}
	}
	return first
}

// mapping, list and text are what a value is, or nothing.
func mapping(v any) object {
	m, _ := v.(object)
	return m
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func text(v any) string {
	s, _ := v.(string)
	return s
}
