package catalog

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

// maxNotes is how many sentences a report has; the rest of them is counted.
const maxNotes = 1000

// FromOpenAPI turns an OpenAPI 3.0 or 3.1 document, YAML or JSON, into a declaration: operations from its paths, scopes from
// its OAuth security schemes, which kinds an operation takes and which scopes it asks from `security`, and the upstream from
// `servers`. References are followed within the document alone; nothing is fetched.
//
// The second result is the report: a sentence for everything about access that could not be taken over as it stands, which
// names its place and says what was done instead. What is no matter of access (descriptions, parameters, bodies, responses,
// schemas, examples) is not read and not reported.
//
// Where the two cannot agree, the declaration is the stricter. An operation that cannot be expressed is left out, and so is
// refused; one that would match its requests and ask less of them is left out with it. No operation is open here: one that the
// document opens to everybody takes any key or token. A document of which nothing can be used is a fault.Invalid.
func FromOpenAPI(document []byte) (lanyard.API, []string, error) {
	root, err := parseDocument(document)
	if err != nil {
		return lanyard.API{}, nil, err
	}
	im := &openAPI{root: root, noted: map[string]bool{}, schemes: map[string]scheme{}, scopes: map[string]lanyard.Scope{}, origins: map[string]string{}}
	if err := im.checkVersion(); err != nil {
		return lanyard.API{}, nil, err
	}
	im.unknown("the document", root, "openapi", "info", "jsonSchemaDialect", "servers", "paths", "webhooks", "components", "security", "tags", "externalDocs")
	api := lanyard.API{Title: im.title(), Upstream: im.upstream()}
	im.readSchemes()
	if err := im.readPaths(); err != nil {
		return lanyard.API{}, im.report(), err
	}
	im.settle()
	im.noteSilent()
	im.noteExtensions()
	api.Operations = im.operations()
	if len(api.Operations) == 0 {
		return lanyard.API{}, im.report(), fault.New(fault.Invalid, "the OpenAPI document has no operation that could be used%s", because(im.notes))
	}
	if api.KeyIn = im.keyIn(); api.KeyIn != nil {
		im.note("key_in: keys may stand in the query as api_key, because the document says so; addresses get into logs and histories, so take it out if you can")
	}
	im.markWrites(api.Operations)
	api.Scopes = im.scopes
	api.Takes = shareTakes(api.Operations)
	check := api // Normalise writes defaults into it
	check.Scopes = maps.Clone(api.Scopes)
	if _, err := Normalise("imported", check); err != nil {
		return lanyard.API{}, im.report(), err
	}
	return api, im.report(), nil
}

// because is why nothing could be used, as far as one sentence can say it.
func because(notes []string) string {
	why := slices.IndexFunc(notes, func(sentence string) bool { return strings.Contains(sentence, " is left out: ") })
	if why < 0 {
		why = slices.IndexFunc(notes, func(sentence string) bool { return strings.HasPrefix(sentence, "webhooks: ") })
	}
	if why < 0 {
		return ""
	}
	return ": " + notes[why]
}

// openAPI is one document on its way to a declaration.
type openAPI struct {
	root       object
	schemes    map[string]scheme
	scopes     map[string]lanyard.Scope
	origins    map[string]string // by the scope's name here: its name in the document
	candidates []*candidate
	extensions []string

	notes []string
	noted map[string]bool
	more  int // sentences beyond maxNotes
}

func (im *openAPI) note(format string, args ...any) {
	sentence := fmt.Sprintf(format, args...)
	switch {
	case im.noted[sentence]:
	case len(im.notes) >= maxNotes:
		im.more++
	default:
		im.noted[sentence] = true
		im.notes = append(im.notes, sentence)
	}
}

// report is what was noted. It is complete but for its length.
func (im *openAPI) report() []string {
	if im.more > 0 {
		return append(im.notes, fmt.Sprintf("and %d more of this kind", im.more))
	}
	return im.notes
}

// unknown notes the fields of an object that OpenAPI does not have, and keeps its vendor extensions.
func (im *openAPI) unknown(where string, o object, known ...string) {
	for _, name := range slices.Sorted(maps.Keys(o)) {
		switch {
		case slices.Contains(known, name):
		case strings.HasPrefix(name, "x-"):
			im.extensions = append(im.extensions, name)
		default:
			im.note("%s: %.60q is no field that OpenAPI 3 has there; it is not read", where, name)
		}
	}
}

// noteExtensions names the vendor extensions once: what guards an operation at some other gateway may be among them.
func (im *openAPI) noteExtensions() {
	const most = 10
	slices.Sort(im.extensions)
	names := slices.Compact(im.extensions)
	if len(names) == 0 {
		return
	}
	quoted := make([]string, 0, most)
	for _, name := range names[:min(most, len(names))] {
		quoted = append(quoted, fmt.Sprintf("%.60q", name))
	}
	if len(names) > most {
		quoted = append(quoted, fmt.Sprintf("and %d others", len(names)-most))
	}
	im.note("vendor extensions are not read (%s); what one of them guards has to be said in takes, scopes, limits or plans", strings.Join(quoted, ", "))
}

var versionPattern = regexp.MustCompile(`^3\.[01]\.\d+(-.+)?$`)

func (im *openAPI) checkVersion() error {
	version, swagger := scalar(im.root["openapi"]), scalar(im.root["swagger"])
	switch {
	case versionPattern.MatchString(version):
		return nil
	case swagger != "" && version == "":
		return fault.New(fault.Invalid, "this is Swagger %.20s, also called OpenAPI 2.0, which is not read: convert it to OpenAPI 3 first, as swagger2openapi or editor.swagger.io do", swagger)
	case version == "":
		return fault.New(fault.Invalid, `the document has no "openapi: 3.0.x" or "3.1.x" at its top: is it the right file?`)
	case text(im.root["openapi"]) == "" || version == "3.0" || version == "3.1":
		return fault.New(fault.Invalid, `the document's version must be text of three numbers, such as openapi: "3.0.4", not %.20s`, version)
	}
	return fault.New(fault.Invalid, "OpenAPI %.20q is not known here; 3.0 and 3.1 are", version)
}

// title is info.title, shortened to what a title may have.
func (im *openAPI) title() string {
	const most = 100
	title := plainText(scalar(mapping(im.root["info"])["title"]))
	short := shorten(title, most)
	if short != title {
		im.note("info.title: it is longer than %d characters; it is shortened", most)
	}
	return short
}

// follow resolves a reference within the document; anything that is none comes back as it is.
func (im *openAPI) follow(v any) (object, error) {
	const deepest = 16
	for range deepest {
		found, is := v.(object)
		if !is {
			return nil, fmt.Errorf("it is no mapping")
		}
		ref, is := found["$ref"]
		if !is {
			return found, nil
		}
		pointer, local := strings.CutPrefix(text(ref), "#")
		switch {
		case text(ref) == "":
			return nil, fmt.Errorf("its $ref is no text")
		case !local:
			return nil, fmt.Errorf("%.100q refers to another document, and nothing is fetched", ref)
		case !strings.HasPrefix(pointer, "/"):
			return nil, fmt.Errorf("%.100q is no JSON pointer such as #/components/pathItems/name", ref)
		}
		if v = im.at(pointer[1:]); v == nil {
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
