package admin

import (
	"cmp"
	"net/http"
	"slices"
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
	List page.Listed
}

// apis is GET /admin/apis. The catalog is one small document, so it is searched, sorted and divided here.
func (p *rooms) apis(w http.ResponseWriter, r *http.Request, d *desk) (err error) {
	l := page.NewList("/admin/apis", r.URL.Query(), "APIs by name or title", "name", "-scopes", "-operations", "-plans")
	kind := l.Narrow("takes", "What they take", "", "Take anything", "key", "Take keys", "token", "Take badges", "either", "Take either", "both", "Take both at once")
	view := apisPage{Room: p.room(r, d, l.Path, "APIs")}
	if view.Done, err = p.told(r, d); err != nil {
		return err
	}
	all, err := p.Manage.APIs(r.Context(), d.Actor)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(a lanyard.API) bool { return !l.Search.Holds(a.Name+" "+a.Title) || kind != "" && kind != a.Takes })
	slices.SortStableFunc(all, func(a, b lanyard.API) int {
		if l.Down {
			a, b = b, a
		}
		switch l.Sort {
		case "scopes":
			return cmp.Compare(len(a.Scopes), len(b.Scopes))
		case "operations":
			return cmp.Compare(len(a.Operations), len(b.Operations))
		case "plans":
			return cmp.Compare(len(a.Plans), len(b.Plans))
		}
		return cmp.Compare(strings.ToLower(titleOf(a)), strings.ToLower(titleOf(b)))
	})
	found, pages := page.Cut(l, all, perPage)
	table := page.Table{
		Caption: "APIs", Heads: []page.Head{l.Head("API", "name"), {Text: "Takes"}, l.Head("Scopes", "scopes"), l.Head("Operations", "operations"), l.Head("Plans", "plans")},
		Empty: page.Empty{
			Title: "No API is declared yet", Text: "An API has a name, says which credential it takes and who may do what. Read it from its OpenAPI file, or begin with one operation for everything.",
			Link: page.Link{Text: "Import an OpenAPI file", URL: "/admin/apis/import"},
		},
	}
	for i := range table.Heads {
		table.Heads[i].Number = i > 1
	}
	for _, a := range found {
		table.Rows = append(table.Rows, page.Row{URL: apiPath(a.Name), Cells: []page.Cell{
			{Text: titleOf(a), Note: a.Name}, {Text: takes(a.Takes)}, {Text: strconv.Itoa(len(a.Scopes))}, {Text: strconv.Itoa(len(a.Operations))}, {Text: strconv.Itoa(len(a.Plans))},
		}})
	}
	view.List = l.Show(table, pages)
	return p.set.Render(w, r, http.StatusOK, "apis", view)
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
	if err := p.free(r, d, name); err != nil {
		return err
	}
	_, err := p.Manage.PutAPI(r.Context(), d.Actor, name, a, false)
	return err
}

// free refuses a name that an API has already.
func (p *rooms) free(r *http.Request, d *desk, name string) error {
	_, err := p.Manage.API(r.Context(), d.Actor, name)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil
	case err == nil:
		return &fault.Error{Kind: fault.Conflict, Field: "name", Detail: "there is an API of this name already"}
	}
	return err
}
