package portal

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/page/pagetest"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// openAPI is the document that TestOpenAPIUpToDate holds to the code.
var openAPI = func() []byte {
	text, err := os.ReadFile("../../../docs/openapi.yaml")
	if err != nil {
		panic(err)
	}
	return text
}()

func TestReferenceRefusesWhatIsNoDocument(t *testing.T) {
	for _, text := range []string{"", "\t", "paths: 1", "paths: {/v1/apps: {get: {parameters: {}}}}"} {
		if _, err := describe([]byte(text), "https://id.test"); err == nil {
			t.Errorf("describe of the document %q = nil, want an error", text)
		}
	}
}

// Every operation of the document stands on the page, with its path, scope, parameters and fields.
func TestReferenceHoldsAll(t *testing.T) {
	doc, err := readDocument(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	w := get(t, server(acme()), "/reference", browser)
	body, objects := w.Body.String(), get(t, server(acme()), "/reference/objects", browser).Body.String()
	pagetest.Keep(t, page.New(page.Config{}).Assets(), "portal-reference", body)
	if w.Code != http.StatusOK {
		t.Fatalf("GET /reference = %d %s", w.Code, body)
	}
	both := body + objects
	text := pagetest.Plain(both)
	count := 0
	for path, methods := range doc.Paths {
		for method, op := range methods {
			count++
			part := section(t, body, op.ID)
			plain := pagetest.Plain(part)
			words := []string{strings.ToUpper(method) + " " + path, op.Summary, "-H @token", "https://id.acme.example/v1/"}
			for _, p := range op.Parameters {
				words = append(words, p.Name)
			}
			for _, any := range op.Security {
				words = append(words, any["bearer"]...)
			}
			for _, word := range words {
				if !strings.Contains(plain, word) {
					t.Errorf("the reference of %s lacks %q", op.ID, word)
				}
			}
			if strings.Count(body, `href="#`+op.ID+`"`) < 2 {
				t.Errorf("the contents do not lead to %s", op.ID)
			}
		}
	}
	if count < 50 {
		t.Errorf("the document has %d operations, want all of the API", count)
	}
	for name, s := range doc.Components.Schemas {
		for field, what := range s.Properties {
			if !strings.Contains(both, "<code>"+field+"</code>") || !strings.Contains(text, strings.ReplaceAll(what.Description, "`", "")) {
				t.Errorf("the reference lacks the field %s of %s", field, name)
			}
		}
	}
	for code := range advice.Pages() {
		if web.Status(fault.Kind(code)) != 0 && !strings.Contains(body, `href="/errors/`+code+`"`) {
			t.Errorf("the reference does not lead to /errors/%s", code)
		}
	}
	if !strings.Contains(body, `href="/openapi.yaml"`) {
		t.Error("the reference does not lead to the document")
	}
	for _, m := range regexp.MustCompile(`href="/reference/objects#([^"]*)"`).FindAllStringSubmatch(both, -1) {
		if !strings.Contains(objects, `<section id="`+m[1]+`"`) {
			t.Errorf("the reference leads to the object %s, which is not there", m[1])
		}
	}
	for _, fault := range append(pagetest.Faults(body), pagetest.Faults(objects)...) {
		t.Error(fault)
	}
}

// section is the part of the page about an operation.
func section(t *testing.T, body, id string) string {
	t.Helper()
	_, part, found := strings.Cut(body, `<section id="`+id+`"`)
	if !found {
		t.Fatalf("the reference lacks %s", id)
	}
	part, _, _ = strings.Cut(part, "</section>")
	return part
}

// What is to be copied holds nothing that a shell would read otherwise, and what it sends is JSON with all that is required.
func TestReferenceExamples(t *testing.T) {
	doc, err := readDocument(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(`^curl (-X [A-Z]+ )?-H @token( --json '([^']*)')? "https://id\.test/v1/[^"{}$ ]*"$`)
	for path, methods := range doc.Paths {
		for method, op := range methods {
			call := doc.curl(op, strings.ToUpper(method), path, "https://id.test")
			parts := form.FindStringSubmatch(call)
			if parts == nil {
				t.Errorf("the example of %s is %s", op.ID, call)
				continue
			}
			if parts[3] == "" {
				continue
			}
			of, text := op.Request.Content["application/json"].Schema, parts[3]
			if of.Items != nil { // a list of one
				of, text = *of.Items, strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
			}
			var sent map[string]any
			if err := json.Unmarshal([]byte(text), &sent); err != nil {
				t.Errorf("the example of %s sends %s: %v", op.ID, parts[3], err)
			}
			for _, name := range doc.Components.Schemas[of.object()].Required {
				if _, is := sent[name]; !is {
					t.Errorf("the example of %s sends no %s", op.ID, name)
				}
			}
		}
	}
}

// A document is ours, but its words are text all the same.
func TestReferenceEscapes(t *testing.T) {
	const attack = `</code><script>alert(1)</script>`
	bodies, err := describe([]byte(`{info: {description: "`+attack+`"}, tags: [{name: x, description: "`+attack+`"}], paths: {"/v1/a": {get: {operationId: "a", summary: "`+attack+`", tags: [x],
		parameters: [{name: "`+attack+`", in: query, required: true, description: "`+attack+`"}], responses: {"200": {}}}}}}`), "https://id.test")
	if err != nil {
		t.Fatal(err)
	}
	if body := bodies[0]; strings.Contains(string(body), "<script") {
		t.Errorf("the reference holds a script: %s", body)
	}
}
