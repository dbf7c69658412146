package admin

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// apisPage is GET /admin/apis.
type apisPage struct {
	page.Room
	Search page.Search
	Table  page.Table
	Any    bool // there is one, whatever is searched
	Pager  page.Pager
}

// apis is GET /admin/apis. The catalog is one small document, so it is searched and divided here.
func (p *rooms) apis(w http.ResponseWriter, r *http.Request, d *desk) (err error) {
	view := apisPage{Room: p.room(r, d, "/admin/apis", "APIs")}
	if view.Done, err = p.told(r, d); err != nil {
		return err
	}
	all, err := p.Manage.APIs(r.Context(), d.Actor)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	view.Any = len(all) > 0
	view.Search = page.Search{URL: "/admin/apis", Label: "APIs by name or title", Query: query.Get("q"), Selects: []page.Field{
		choice("takes", "What they take", query.Get("takes"), "", "", "Take anything", "key", "Take keys", "token", "Take badges", "either", "Take either", "both", "Take both at once"),
	}}
	var found []lanyard.API
	for _, a := range all {
		if holds(a.Name+" "+a.Title, query.Get("q")) && (query.Get("takes") == "" || query.Get("takes") == a.Takes) {
			found = append(found, a)
		}
	}
	found, next := cut(found, query.Get("cursor"))
	view.Pager = page.NewPager("/admin/apis", query, next)
	view.Table = page.Table{
		Caption: "APIs", Heads: []page.Head{{Text: "API"}, {Text: "Takes"}, {Text: "Scopes", Number: true}, {Text: "Operations", Number: true}, {Text: "Plans", Number: true}},
		Empty: page.Empty{
			Title: "No API is declared yet", Text: "An API has a name, says which credential it takes and who may do what. Read it from its OpenAPI file, or begin with one operation for everything.",
			Link: page.Link{Text: "Import an OpenAPI file", URL: "/admin/apis/import"},
		},
	}
	if view.Any {
		view.Table.Empty = page.Empty{Title: "No API is like that", Text: "Search for less, or for something else.", Link: page.Link{Text: "Show all APIs", URL: "/admin/apis"}}
	}
	for _, a := range found {
		view.Table.Rows = append(view.Table.Rows, page.Row{URL: apiPath(a.Name), Cells: []page.Cell{
			{Text: titleOf(a), Note: a.Name}, {Text: takes(a.Takes)}, {Text: strconv.Itoa(len(a.Scopes))}, {Text: strconv.Itoa(len(a.Operations))}, {Text: strconv.Itoa(len(a.Plans))},
		}})
	}
	return p.set.Render(w, r, http.StatusOK, "apis", view)
}

// holds reports whether text holds what was typed, whatever the case.
func holds(text, typed string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(strings.TrimSpace(typed)))
}

// cut takes one page of a list that is at hand whole; its cursor is how many come before.
func cut[T any](all []T, cursor string) (rows []T, next string) {
	from, err := strconv.Atoi(cursor)
	if err != nil || from < 0 || from > len(all) {
		from = 0
	}
	rows = all[from:]
	if len(rows) > perPage {
		rows, next = rows[:perPage], strconv.Itoa(from+perPage)
	}
	return rows, next
}

func apiPath(name string) string { return "/admin/apis/" + name }

func titleOf(a lanyard.API) string {
	if a.Title != "" {
		return a.Title
	}
	return a.Name
}

// takes says in words which credential is taken.
func takes(kind string) string {
	switch kind {
	case "key":
		return "an ID card (API key)"
	case "token":
		return "a visitor badge (access token)"
	case "both":
		return "both at once"
	}
	return "either of them"
}

// newAPI is GET /admin/apis/new.
func (p *rooms) newAPI(w http.ResponseWriter, r *http.Request, d *desk) error {
	return p.form(w, r, p.newAPIForm(r, d, lanyard.API{Takes: r.URL.Query().Get("takes")}, nil))
}

// newAPIForm is the form of a new API: fields name, title, takes, upstream, button declare-api.
func (p *rooms) newAPIForm(r *http.Request, d *desk, a lanyard.API, errs page.Errs) formPage {
	return formPage{
		Room: p.room(r, d, "/admin/apis", "Add an API"), Heading: "Add an API", Back: page.Link{Text: "APIs", URL: "/admin/apis"}, Action: "/admin/apis", Button: "Add the API", ID: "declare-api",
		Lead: "It begins with one operation for everything. Its scopes, operations and plans come next.", Errors: errs,
		Fields: []page.Field{
			{ID: "name", Label: "Name", Value: a.Name, Max: 63, Complete: "off", Hint: "In addresses and scopes: lower-case letters, digits and hyphens, like weather.", Focus: true},
			{ID: "title", Label: "Title", Value: a.Title, Max: 100, Complete: "off", Optional: true, Hint: "How people call it."},
			takesField("takes", "It takes", a.Takes),
			{ID: "upstream", Label: "Upstream", Type: "url", Value: a.Upstream, Max: 500, Complete: "off", Optional: true, Hint: "Where it really is, like http://localhost:9001."},
		},
	}
}

// takesField asks which credential is taken.
func takesField(id, label, chosen string) page.Field {
	return choice(id, label, chosen, "A key says which app calls, a badge for whom it calls.",
		"either", "Either of them", "key", "An ID card (API key)", "token", "A visitor badge (access token)", "both", "Both at once")
}

// declareAPI is POST /admin/apis.
func (p *rooms) declareAPI(w http.ResponseWriter, r *http.Request, d *desk) error {
	form := r.PostForm
	a := lanyard.API{Title: form.Get("title"), Takes: form.Get("takes"), Upstream: form.Get("upstream"), Operations: map[string]lanyard.Operation{"ANY /{path...}": {}}}
	name := strings.TrimSpace(form.Get("name"))
	err := p.declare(r, d, name, a)
	if err != nil {
		errs, err := wrong(err, nil, "name", "title", "takes", "upstream")
		if err != nil {
			return err
		}
		a.Name = name
		return p.form(w, r, p.newAPIForm(r, d, a, errs))
	}
	return page.Redirect(w, r, done(apiPath(name), "api.put", name))
}

// declare puts a new API in place; one that is there already stays as it is.
func (p *rooms) declare(r *http.Request, d *desk, name string, a lanyard.API) error {
	if !catalog.ValidName(name) || name == "new" || name == "import" {
		return fault.Field("name", "begins with a letter and has 2 to 63 lower-case letters, digits and hyphens; lanyard, new and import are taken")
	}
	_, err := p.Manage.API(r.Context(), d.Actor, name)
	if err == nil {
		return &fault.Error{Kind: fault.Conflict, Field: "name", Detail: "there is an API of this name already"}
	}
	if !fault.Is(err, fault.NotFound) {
		return err
	}
	_, err = p.Manage.PutAPI(r.Context(), d.Actor, name, a, false)
	return err
}
