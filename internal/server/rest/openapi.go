package rest

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/web"
)

//go:generate go test . -run ^TestOpenAPIUpToDate$ -update

const schemas = "#/components/schemas/"

// frame is the document without its paths. It names no server: the document is the same wherever it is served.
func (a *api) frame() *huma.OpenAPI {
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Lanyard", Version: "1",
			Description: "Hands out, checks, counts and takes back the credentials of HTTP APIs.\n\n" +
				"Every call carries a credential as bearer whose scopes for the API `lanyard` cover it. Errors are problem documents (RFC 9457). " +
				"Unknown fields and unknown query parameters are refused. Things out of reach are 404.",
			License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
		},
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry(schemas, huma.DefaultSchemaNamer),
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"bearer": {Type: "http", Scheme: "bearer", Description: "An API key, access token or personal token of this server"},
			},
		},
		Tags: []*huma.Tag{
			{Name: "apps", Description: "Software that calls APIs"},
			{Name: "keys", Description: "API keys: an app's static credentials"},
			{Name: "tokens", Description: "Personal tokens: a user's own static credentials"},
			{Name: "grants", Description: "What users allow apps"},
			{Name: "verify", Description: "May this request pass?"},
			{Name: "teams", Description: "Who owns apps and is billed"},
			{Name: "users", Description: "People"},
			{Name: "catalog", Description: "Protected APIs with their scopes, operations and plans"},
			{Name: "billing", Description: "Which team has which plan"},
			{Name: "usage", Description: "Counted calls"},
			{Name: "webhooks", Description: "Addresses that are told of a team's events"},
			{Name: "leaks", Description: "Credentials that were found where they do not belong"},
			{Name: "logs", Description: "What was done, what changed, and what was refused"},
		},
	}
	doc.Components.Schemas.Schema(reflect.TypeFor[lanyard.Problem](), true, "Problem")
	return doc
}

// security asks for a bearer credential with any one of the scopes.
func security(scopes []string) []map[string][]string {
	if len(scopes) == 0 {
		return []map[string][]string{{"bearer": {}}}
	}
	var any []map[string][]string
	for _, s := range scopes {
		any = append(any, map[string][]string{"bearer": {s}})
	}
	return any
}

func reference(name string) *huma.Schema { return &huma.Schema{Ref: schemas + name} }

func content(media string, schema *huma.Schema) map[string]*huma.MediaType {
	return map[string]*huma.MediaType{media: {Schema: schema}}
}

func problemResponse() *huma.Response {
	return &huma.Response{Description: "Why not: a problem document", Content: content("application/problem+json", reference("Problem"))}
}

func onceParameter() *huma.Param {
	least, most := 1, 200
	return &huma.Param{
		Name: "Idempotency-Key", In: "header", Schema: &huma.Schema{Type: huma.TypeString, MinLength: &least, MaxLength: &most},
		Description: "A text of your choice. The same request repeated with it within 10 minutes does nothing more and answers the same; later it is a conflict that names what was made.",
	}
}

// plainRoutes documents the two ways to a decision, whose handlers are not huma's.
func (a *api) plainRoutes() {
	a.describe("verify", "/v1/verify", "Decide whether a request may pass",
		"Answers 200 with a decision, allowed or not. 503 means that nothing was decided: the request must not pass.",
		reflect.TypeFor[lanyard.VerifyRequest](), reflect.TypeFor[lanyard.Decision]())
	a.describe("verify-batch", "/v1/verify/batch", "Decide about up to 100 requests",
		"Answers one result for each request, in order: a decision, or the problem that kept it from being made.",
		reflect.TypeFor[lanyard.BatchRequest](), reflect.TypeFor[lanyard.BatchAnswer]())
}

func (a *api) describe(id, path, summary, description string, in, out reflect.Type) {
	registry := a.huma.OpenAPI().Components.Schemas
	a.huma.OpenAPI().AddOperation(&huma.Operation{
		OperationID: id, Method: http.MethodPost, Path: path, Summary: summary, Description: description, Tags: []string{"verify"},
		Security:    security([]string{"lanyard.verify"}),
		RequestBody: &huma.RequestBody{Required: true, Content: content("application/json", registry.Schema(in, true, in.Name()))},
		Responses: map[string]*huma.Response{
			strconv.Itoa(http.StatusOK): {Description: http.StatusText(http.StatusOK), Content: content("application/json", registry.Schema(out, true, out.Name()))},
			"default":                   problemResponse(),
		},
	})
}

// finish takes out what huma put in and nobody here means: its own error types, and null for every array.
func (a *api) finish() {
	all := a.huma.OpenAPI().Components.Schemas.Map()
	delete(all, "ErrorModel")
	delete(all, "ErrorDetail")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		notNull(all[name])
	}
	for _, item := range a.huma.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			for _, p := range op.Parameters {
				notNull(p.Schema)
			}
		}
	}
}

func notNull(s *huma.Schema) {
	if s == nil {
		return
	}
	if s.Type == huma.TypeArray {
		s.Nullable = false
	}
	notNull(s.Items)
	for _, member := range s.Properties {
		notNull(member)
	}
	if rest, ok := s.AdditionalProperties.(*huma.Schema); ok {
		notNull(rest)
	}
}

// document is the OpenAPI document as YAML.
func (a *api) document() ([]byte, error) {
	text, err := a.huma.OpenAPI().YAML()
	if err != nil {
		return nil, fmt.Errorf("write the OpenAPI document: %w", err)
	}
	return text, nil
}

// maxBody is what huma may read of a body that the adapter has measured already; huma refuses one that is just as long.
const maxBody = web.MaxBody + 1
