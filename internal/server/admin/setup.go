package admin

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// Setting up has three steps. The first is the link that makes the first admin (package login), this is the second, and the third is
// the first call (package developers). Each can be skipped, and come back to.

const tryPath = "/setup/call"

// showSetup is GET /setup/api.
func (p *rooms) showSetup(w http.ResponseWriter, r *http.Request, d *desk) error {
	return p.setupForm(w, r, d, nil)
}

// setupForm asks for an API: fields name, upstream, takes, file, text, buttons set-up-api and try-example.
func (p *rooms) setupForm(w http.ResponseWriter, r *http.Request, d *desk, errs page.Errs) error {
	view := p.setupView(r, d, errs)
	there, err := p.Manage.APIs(r.Context(), d.Actor)
	if err != nil {
		return err
	}
	example := p.Example
	for _, a := range there {
		view.Skip = page.Link{Text: "Go on with what is declared", URL: tryPath}
		if example != nil && a.Name == example.Name {
			example = nil
		}
	}
	if example != nil {
		view.Other = &page.Act{ID: "try-example", URL: "/setup/api", Text: "Try with " + example.Title, Hidden: []page.Hidden{{Name: "example", Value: "yes"}}}
		view.Lead += " None at hand? " + example.Title + " is an example that this server answers itself."
	}
	return p.form(w, r, view)
}

func (p *rooms) setupView(r *http.Request, d *desk, errs page.Errs) formPage {
	form, steps := r.PostForm, page.SetupSteps(1)
	return formPage{
		Room: p.room(r, d, "", "Your API"), Steps: &steps, Heading: "Your API", Action: "/setup/api", Upload: true, Button: "Go on", ID: "set-up-api", Errors: errs,
		Lead: "What shall keys and badges open?", Skip: page.Link{Text: "Later: go to the administration", URL: "/admin"},
		Fields: []page.Field{
			{ID: "name", Label: "Name", Value: form.Get("name"), Max: 63, Complete: "off", Focus: true, Hint: "In addresses and scopes: lower-case letters, digits and hyphens, like weather."},
			{ID: "upstream", Label: "Upstream", Type: "url", Value: form.Get("upstream"), Max: 500, Complete: "off", Optional: true, Hint: "Where it really is, like http://localhost:9001."},
			{ID: "file", Label: "OpenAPI file", Type: "file", Optional: true, Hint: "3.0 or 3.1, in YAML or JSON, up to 5 MB. You see what it declares before anything is written. Without one there is one operation for everything."},
			{ID: "text", Label: "Or its text", Type: "textarea", Value: form.Get("text"), Optional: true, Code: true},
			takesField("takes", "Without a file, it takes", form.Get("takes")),
		},
	}
}

// setUpAPI is POST /setup/api: the example, an OpenAPI file, or a name alone.
func (p *rooms) setUpAPI(w http.ResponseWriter, r *http.Request, d *desk) error {
	form, steps := r.PostForm, page.SetupSteps(1)
	name := strings.TrimSpace(form.Get("name"))
	a := lanyard.API{Takes: form.Get("takes"), Upstream: form.Get("upstream"), Operations: map[string]lanyard.Operation{"ANY /{path...}": {}}}
	switch {
	case form.Get("example") != "" && p.Example == nil:
		return fault.New(fault.NotFound, "this server has no example")
	case form.Get("example") != "":
		name, a = p.Example.Name, *p.Example
	case form.Get("file") != "" || form.Get("text") != "" || form.Get("declared") != "":
		return p.readImport(w, r, d, importing{form: func(errs page.Errs) formPage { return p.setupView(r, d, errs) }, steps: &steps, upstream: a.Upstream, done: tryWith})
	}
	if err := p.declare(r, d, name, a); err != nil {
		errs, err := wrong(err, nil, "name", "takes", "upstream")
		if err != nil {
			return err
		}
		return p.setupForm(w, r, d, errs)
	}
	return page.Redirect(w, r, tryWith(name))
}

// tryWith is where an API that is declared gets its first call.
func tryWith(name string) string { return tryPath + "?" + url.Values{"api": {name}}.Encode() }
