package portal

import (
	"bytes"
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// referencePage is Lanyard's own API. All but its frame is the same for everybody, and made once.
type referencePage struct {
	page.Frame
	Body template.HTML
}

// reference serves GET /reference, and its objects' page: which of what is described.
func (p *portal) reference(title string, which int) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		bodies, err := p.described()
		if err != nil {
			return err
		}
		view := referencePage{p.frame(w, r, title, "/reference"), bodies[which]}
		view.Open = true
		return p.pages.Render(w, r, http.StatusOK, "reference", view)
	}
}

// described is the document as the body of a page.
type described struct {
	About     string
	PublicURL string
	Groups    []describedGroup
	Objects   []describedObject
	Errors    []describedError
}

type describedGroup struct {
	ID, Title, Text string
	Operations      []describedOperation
}

type describedOperation struct {
	ID, Method, Path string
	Summary, Text    string
	Scopes           []string // any one of them opens it
	Parameters       []member
	Takes            body
	Answers          body
	Status           string
	Curl             string
}

// body is what a request or an answer holds.
type body struct {
	kind
	Media   string   // where it is no JSON
	Members []member // of an object that is described nowhere else
	None    bool
}

type describedObject struct {
	ID      string
	Members []member
}

// member is a parameter, or a field of an object.
type member struct {
	Name     string
	In       string // of a parameter: "path", "query" or "header"
	Required bool
	kind
	Text string
}

// kind says what a value is: words, and the object they end with.
type kind struct {
	Words  string
	Object string
}

type describedError struct {
	Status int
	Text   advice.Text
}

// describe writes the bodies of the reference and of its objects' page.
func describe(text []byte, publicURL string) (bodies [2]template.HTML, err error) {
	doc, err := readDocument(text)
	if err != nil {
		return bodies, err
	}
	made := template.Must(template.New("").Funcs(template.FuncMap{"marked": marked, "paragraphs": paragraphs}).ParseFS(templates, "templates/once/*.html"))
	all := doc.describe(publicURL)
	for i, name := range []string{"reference.html", "objects.html"} {
		var b bytes.Buffer
		if err := made.ExecuteTemplate(&b, name, all); err != nil {
			return bodies, fmt.Errorf("write the reference: %w", err)
		}
		bodies[i] = template.HTML(b.String()) //nolint:gosec // html/template has just made it
	}
	return bodies, nil
}

func (d document) describe(publicURL string) described {
	made := described{About: d.Info.Description, PublicURL: publicURL, Errors: refusals()}
	shared, sent := d.shared(), d.sent()
	for _, t := range d.Tags {
		group := describedGroup{ID: t.Name + "-calls", Title: page.Upper(t.Name), Text: t.Description}
		for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
			for _, method := range []string{"get", "post", "put", "patch", "delete"} {
				if op, is := d.Paths[path][method]; is && slices.Contains(op.Tags, t.Name) {
					group.Operations = append(group.Operations, d.operation(op, strings.ToUpper(method), path, publicURL, shared))
				}
			}
		}
		made.Groups = append(made.Groups, group)
	}
	for _, name := range slices.Sorted(maps.Keys(shared)) {
		made.Objects = append(made.Objects, describedObject{name, d.members(d.Components.Schemas[name], sent[name])})
	}
	return made
}

func (d document) operation(op operation, method, path, publicURL string, shared map[string]bool) describedOperation {
	made := describedOperation{ID: op.ID, Method: method, Path: path, Summary: op.Summary, Text: op.Description, Curl: d.curl(op, method, path, publicURL)}
	for _, any := range op.Security {
		made.Scopes = append(made.Scopes, any["bearer"]...)
	}
	for _, p := range op.Parameters {
		made.Parameters = append(made.Parameters, member{p.Name, p.In, p.Required, d.kind(p.Schema), cmp.Or(p.Description, p.Schema.Description)})
	}
	made.Takes = d.body(op.Request.Content, shared, true)
	for status, answer := range op.Responses {
		if strings.HasPrefix(status, "2") {
			made.Status, made.Answers = status, d.body(answer.Content, shared, false)
		}
	}
	return made
}

// body describes what travels: an object that stands nowhere else with its members.
func (d document) body(content media, shared map[string]bool, sent bool) body {
	if len(content) == 0 {
		return body{None: true}
	}
	var others []string
	for _, kind := range slices.Sorted(maps.Keys(content)) {
		if kind != "application/json" {
			others = append(others, kind)
		}
	}
	made := body{Media: strings.Join(others, " or ")}
	of, is := content["application/json"]
	if !is {
		return made
	}
	made.kind = d.kind(of.Schema)
	if name := of.Schema.object(); made.Object == name && !shared[name] {
		made.kind, made.Members = kind{}, d.members(d.Components.Schemas[name], sent)
	}
	return made
}

// listed is what a page of a list holds, or nil: an object of items and next_cursor.
func (d document) listed(name string) *schema {
	s := d.Components.Schemas[name]
	if _, pages := s.Properties["next_cursor"]; !pages || len(s.Properties) != 2 {
		return nil
	}
	return s.Properties["items"].Items
}

// members are the fields of an object. Which are required matters only where it is sent.
func (d document) members(s schema, sent bool) []member {
	var out []member
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		field := s.Properties[name]
		out = append(out, member{Name: name, Required: sent && slices.Contains(s.Required, name), kind: d.kind(field), Text: field.Description})
	}
	return out
}

// kind says what a schema stands for.
func (d document) kind(s schema) kind {
	in := func(words string, of schema) kind {
		inner := d.kind(of)
		inner.Words = strings.TrimSpace(words + " " + inner.Words)
		return inner
	}
	switch name := s.object(); {
	case name != "" && d.listed(name) != nil:
		return in("a page of", *d.listed(name))
	case name != "":
		return kind{Object: name}
	case s.Items != nil:
		return in("list of", *s.Items)
	case s.More.schema != nil:
		return in("by name:", *s.More.schema)
	case len(s.Enum) > 0:
		return kind{Words: strings.Join(s.Enum, " | ")}
	case s.Format == "date-time":
		return kind{Words: "time"}
	case s.Type == "":
		return kind{Words: "any JSON"}
	}
	return kind{Words: s.Type}
}

// shared are the objects that stand under a heading of their own: those that more than one place leads to, or that stand within others.
func (d document) shared() map[string]bool {
	times, shared := map[string]int{}, map[string]bool{"Problem": true}
	for _, methods := range d.Paths {
		for _, op := range methods {
			contents := []media{op.Request.Content}
			for _, answer := range op.Responses {
				contents = append(contents, answer.Content)
			}
			for _, content := range contents {
				of := content["application/json"].Schema
				if name := d.kind(of).Object; name != "" {
					times[name]++
					shared[name] = shared[name] || times[name] > 1 || of.object() != name // a page or list of them
				}
			}
		}
	}
	for name, s := range d.Components.Schemas {
		if d.listed(name) != nil {
			continue
		}
		for _, field := range s.Properties {
			if inner := d.kind(field).Object; inner != "" {
				shared[inner] = true
			}
		}
	}
	maps.DeleteFunc(shared, func(_ string, is bool) bool { return !is })
	return shared
}

// sent are the objects that a request may hold.
func (d document) sent() map[string]bool {
	all := map[string]bool{}
	var add func(name string)
	add = func(name string) {
		if name == "" || all[name] {
			return
		}
		all[name] = true
		for _, field := range d.Components.Schemas[name].Properties {
			add(d.kind(field).Object)
		}
	}
	for _, methods := range d.Paths {
		for _, op := range methods {
			add(d.kind(op.Request.Content["application/json"].Schema).Object)
		}
	}
	return all
}

// refusals are the errors of the API, by their status.
func refusals() []describedError {
	var all []describedError
	for code, text := range advice.Pages() {
		if status := web.Status(fault.Kind(code)); status != 0 {
			all = append(all, describedError{status, text})
		}
	}
	slices.SortFunc(all, func(a, b describedError) int {
		return cmp.Or(cmp.Compare(a.Status, b.Status), cmp.Compare(a.Text.Code, b.Text.Code))
	})
	return all
}

// piece is words, or a word of code among them.
type piece struct {
	Text string
	Code bool
}

// marked takes apart what stands between backticks.
func marked(text string) []piece {
	var out []piece
	for i, part := range strings.Split(text, "`") {
		if part != "" {
			out = append(out, piece{part, i%2 == 1})
		}
	}
	return out
}

func paragraphs(text string) []string {
	return slices.DeleteFunc(strings.Split(text, "\n\n"), func(s string) bool { return strings.TrimSpace(s) == "" })
}
