package admin

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// editAPI is GET /admin/apis/{name}/edit.
func (p *rooms) editAPI(w http.ResponseWriter, r *http.Request, d *desk) error {
	a, err := p.Manage.API(r.Context(), d.Actor, r.PathValue("name"))
	if err != nil {
		return err
	}
	return p.form(w, r, p.apiForm(r, d, a, chapters(a), slices.Contains(a.KeyIn, "query"), nil))
}

// apiForm changes everything of an API but its scopes, operations and plans: button save-api.
func (p *rooms) apiForm(r *http.Request, d *desk, a lanyard.API, all []chapter, inQuery bool, errs page.Errs) formPage {
	view := formPage{
		Room: p.room(r, d, "/admin/apis", "Edit "+titleOf(a)), Heading: "Edit " + titleOf(a), Back: page.Link{Text: titleOf(a), URL: apiPath(a.Name)},
		Action: apiPath(a.Name) + "/edit", Button: "Save the API", ID: "save-api", Errors: errs,
	}
	for _, c := range all {
		made := section{ID: c.id, Title: c.title, Text: c.text}
		for _, part := range c.parts {
			made.Fields = append(made.Fields, part.Field)
		}
		view.Sections = append(view.Sections, made)
	}
	view.Sections[0].Groups = []group{{ID: "key_in", Legend: "Keys", Boxes: []page.Box{{ID: "key_in_query", Name: "query", Value: "yes", Text: "A key may also stand in the address", Note: "addresses end up in logs", Ticked: inQuery}}}}
	return view
}

// saveAPI is POST /admin/apis/{name}/edit. A form that is refused comes back as it was sent.
func (p *rooms) saveAPI(w http.ResponseWriter, r *http.Request, d *desk) error {
	form := r.PostForm
	return p.change(w, r, d, func(a *lanyard.API) error { return withForm(a, form) }, func(a lanyard.API, refused error) error {
		all := chapters(a)
		for _, c := range all {
			for i := range c.parts {
				if part := &c.parts[i]; form.Has(part.ID) {
					part.show(sent(form, part.ID))
				}
			}
		}
		errs, err := besideParts(refused, all)
		if err != nil {
			return err
		}
		return p.form(w, r, p.apiForm(r, d, a, all, form.Get("query") == "yes", errs))
	})
}

// withForm writes what the form says into the API. What reads as it is stored, or was not sent at all, stays as it is: there may be several
// ways to store what reads alike, and an older page knows fewer fields.
func withForm(a *lanyard.API, form url.Values) error {
	for _, c := range chapters(*a) {
		for _, part := range c.parts {
			text := sent(form, part.ID)
			if !form.Has(part.ID) || text == part.Value {
				continue
			}
			if err := part.set(a, text); err != nil {
				return err
			}
		}
	}
	if inQuery := form.Get("query") == "yes"; inQuery != slices.Contains(a.KeyIn, "query") {
		if a.KeyIn = []string{"header"}; inQuery {
			a.KeyIn = append(a.KeyIn, "query")
		}
	}
	return nil
}
