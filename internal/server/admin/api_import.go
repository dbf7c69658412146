package admin

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// importPage shows what an OpenAPI file would declare: button declare-import.
type importPage struct {
	page.Room
	Steps      *page.Steps
	Action     string // what declares it
	API        lanyard.API
	Unused     []string
	Operations page.Table
	More       int // operations that are not shown
	Scopes     page.Table
	Declared   string // the API as JSON, which the form brings back
}

// showImport is GET /admin/apis/import.
func (p *rooms) showImport(w http.ResponseWriter, r *http.Request, d *desk) error {
	return p.form(w, r, p.importForm(r, d, "", "", nil))
}

// importForm takes a file or its text: fields name, file, text, button read-openapi.
func (p *rooms) importForm(r *http.Request, d *desk, name, text string, errs page.Errs) formPage {
	return formPage{
		Room: p.room(r, d, "/admin/apis", "Import an OpenAPI file"), Heading: "Import an OpenAPI file", Back: page.Link{Text: "APIs", URL: "/admin/apis"},
		Lead:   "Operations come from its paths, scopes from its OAuth schemes, what each takes from its security. You see all of it before anything is declared.",
		Action: "/admin/apis/import", Upload: true, Button: "Show what it declares", ID: "read-openapi", Errors: errs,
		Fields: []page.Field{
			{ID: "name", Label: "Name of the API", Value: name, Max: 63, Complete: "off", Hint: "Lower-case letters, digits and hyphens, like weather.", Focus: true},
			{ID: "file", Label: "File", Type: "file", Optional: true, Hint: "OpenAPI 3.0 or 3.1, in YAML or JSON, up to 5 MB."},
			{ID: "text", Label: "Or its text", Type: "textarea", Value: text, Optional: true, Code: true},
		},
	}
}

// importing is a way on which an OpenAPI file is read.
type importing struct {
	form     func(page.Errs) formPage // shows the form anew, with what is wrong with it
	steps    *page.Steps
	upstream string              // instead of the file's; empty: that one
	done     func(string) string // where an API leads that is declared
}

// importAPI is POST /admin/apis/import: first what the file would declare, then, with what was shown, the declaration.
func (p *rooms) importAPI(w http.ResponseWriter, r *http.Request, d *desk) error {
	return p.readImport(w, r, d, importing{
		form: func(errs page.Errs) formPage {
			return p.importForm(r, d, strings.TrimSpace(r.PostForm.Get("name")), r.PostForm.Get("text"), errs)
		},
		done: func(name string) string { return done(apiPath(name), "api.put", name) },
	})
}

func (p *rooms) readImport(w http.ResponseWriter, r *http.Request, d *desk, on importing) error {
	form := r.PostForm
	name := strings.TrimSpace(form.Get("name"))
	if form.Get("declared") != "" {
		return p.declareImport(w, r, d, name, on)
	}
	refuse := func(refused error, field string) error {
		errs, err := wrong(refused, nil, "name")
		if err != nil {
			return err
		}
		if text := errs[""]; text != "" {
			errs = page.Errs{field: text}
		}
		return p.form(w, r, on.form(errs))
	}
	from, document := "file", form.Get("file")
	if document == "" {
		from, document = "text", form.Get("text")
	}
	if document == "" {
		return refuse(fault.New(fault.Invalid, "choose a file, or paste its text below"), "file")
	}
	if !catalog.ValidName(name) || name == "new" || name == "import" {
		return refuse(fault.Field("name", "begins with a letter and has 2 to 63 lower-case letters, digits and hyphens; lanyard, new and import are taken"), from)
	}
	if err := p.free(r, d, name); err != nil {
		return refuse(err, from)
	}
	a, unused, err := catalog.FromOpenAPI([]byte(document))
	if err != nil {
		return refuse(err, from)
	}
	a.Upstream = cmp.Or(on.upstream, a.Upstream)
	if _, err := p.Manage.PutAPI(r.Context(), d.Actor, name, a, true); err != nil {
		return refuse(err, from)
	}
	declared, err := json.Marshal(a)
	if err != nil {
		return err
	}
	a.Name, a.Takes = name, cmp.Or(a.Takes, "either")
	view := importPage{Room: p.room(r, d, "/admin/apis", "Import "+titleOf(a)), Steps: on.steps, Action: r.URL.Path, API: a, Unused: unused, Declared: string(declared), Scopes: scopeTable(a)}
	view.Operations = operationList(a, page.NewList("/admin/apis/import", nil, "")).Table
	if view.More = len(a.Operations) - len(view.Operations.Rows); view.More < 0 {
		view.More = 0
	}
	for _, table := range []*page.Table{&view.Operations, &view.Scopes} {
		table.Empty.Link = page.Link{}
		for i := range table.Heads {
			table.Heads[i].URL = "" // nothing to sort yet
		}
		for i := range table.Rows {
			table.Rows[i].URL = "" // there is no such page yet
		}
	}
	return p.set.Render(w, r, http.StatusOK, "api-import", view)
}

// declareImport declares what was shown.
func (p *rooms) declareImport(w http.ResponseWriter, r *http.Request, d *desk, name string, on importing) error {
	var a lanyard.API
	dec := json.NewDecoder(strings.NewReader(r.PostForm.Get("declared")))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		return fault.New(fault.Invalid, "what the page showed did not come back whole: import the file once more")
	}
	if err := p.declare(r, d, name, a); err != nil {
		errs, err := wrong(err, nil, "name")
		if err != nil {
			return err
		}
		return p.form(w, r, on.form(errs))
	}
	return page.Redirect(w, r, on.done(name))
}
