package admin

import (
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// editScope is GET /admin/apis/{name}/scope: a new one, or with ?name= one that is there.
func (p *rooms) editScope(w http.ResponseWriter, r *http.Request, d *desk) error {
	a, err := p.Manage.API(r.Context(), d.Actor, r.PathValue("name"))
	if err != nil {
		return err
	}
	name := r.URL.Query().Get("name")
	s, there := a.Scopes[name]
	if name != "" && !there {
		return fault.Missing("scope", name)
	}
	return p.form(w, r, p.scopeForm(r, d, a, name, name, s, nil))
}

// scopeForm is the form of a scope: fields name, text, grantable_by, includes, boxes default and writes, button save-scope. was is the name of
// the one that is changed; "" makes one.
func (p *rooms) scopeForm(r *http.Request, d *desk, a lanyard.API, was, name string, s lanyard.Scope, errs page.Errs) formPage {
	view := formPage{
		Room: p.room(r, d, "/admin/apis", "Scope"), Heading: "Add a scope", Back: page.Link{Text: titleOf(a), URL: apiPath(a.Name)},
		Lead:   "What stands here is what people read before they agree, so write it for them.",
		Action: apiPath(a.Name) + "/scope", Button: "Save the scope", ID: "save-scope", Errors: errs,
		Fields: []page.Field{
			{ID: "text", Label: "It lets its holder", Value: s.Text, Max: 120, Complete: "off", Hint: "A verb phrase: read your profile."},
			choice("grantable_by", "Granted by", s.GrantableBy, "Who may put it on a key or a badge.", "everyone", "Everyone", "team_owner", "Owners of a team", "admin", "Admins"),
			{ID: "includes", Label: "Includes", Type: "textarea", Value: strings.Join(s.Includes, "\n"), Optional: true, Code: true, Hint: "Scopes that come with it, one a line."},
		},
		Groups: []group{{ID: "kind", Legend: "It", Boxes: []page.Box{
			{ID: "writes", Name: "writes", Value: "yes", Text: "changes things", Note: "read-only credentials cannot have it", Ticked: s.Writes},
			{ID: "default", Name: "default", Value: "yes", Text: "is ticked when somebody gets a key", Ticked: s.Default},
		}}},
	}
	if was == "" {
		view.Fields = append([]page.Field{{ID: "name", Label: "Name", Value: name, Max: 64, Complete: "off", Hint: "Noun and verb, like forecast.read.", Focus: true}}, view.Fields...)
		return view
	}
	view.Heading, view.Hidden = "The scope "+was, []page.Hidden{{Name: "was", Value: was}}
	view.Remove = &page.Act{ID: "remove-scope", URL: apiPath(a.Name) + "/scope/remove", Text: "Remove this scope", Danger: true, Hidden: view.Hidden}
	return view
}

// saveScope is POST /admin/apis/{name}/scope.
func (p *rooms) saveScope(w http.ResponseWriter, r *http.Request, d *desk) error {
	form := r.PostForm
	was := form.Get("was")
	name := was
	if was == "" {
		name = strings.TrimSpace(form.Get("name"))
	}
	made := lanyard.Scope{Text: form.Get("text"), GrantableBy: form.Get("grantable_by"), Includes: lines(form.Get("includes")), Writes: form.Get("writes") == "yes", Default: form.Get("default") == "yes"}
	return p.change(w, r, d, func(a *lanyard.API) error {
		if _, there := a.Scopes[name]; there != (was != "") {
			return stands("scope", name, there)
		}
		if a.Scopes == nil {
			a.Scopes = map[string]lanyard.Scope{}
		}
		a.Scopes[name] = made
		return nil
	}, func(a lanyard.API, refused error) error {
		errs, err := wrong(refused, map[string]string{"scopes": "name"}, "name", "text", "grantable_by", "includes")
		if err != nil {
			return err
		}
		return p.form(w, r, p.scopeForm(r, d, a, was, name, made, errs))
	})
}

// stands refuses to make what is there, or to change what is not.
func stands(what, name string, there bool) error {
	if there {
		return fault.Field("name", "there is a %s %.80q already", what, name)
	}
	return fault.Missing(what, name)
}

// removeScope is POST /admin/apis/{name}/scope/remove. Operations that ask for it ask for the rest from then on, so it goes only once none
// does.
func (p *rooms) removeScope(w http.ResponseWriter, r *http.Request, d *desk) error {
	was := r.PostForm.Get("was")
	return p.change(w, r, d, func(a *lanyard.API) error {
		if _, there := a.Scopes[was]; !there {
			return fault.Missing("scope", was)
		}
		for name, op := range a.Operations {
			if slices.Contains(op.Scopes, was) {
				return fault.New(fault.Conflict, "the operation %s asks for this scope: without it, it would be open to who lacks it; change the operation first", name)
			}
		}
		delete(a.Scopes, was)
		return nil
	}, func(a lanyard.API, refused error) error {
		errs, err := wrong(refused, nil)
		if err != nil {
			return err
		}
		return p.form(w, r, p.scopeForm(r, d, a, was, was, a.Scopes[was], errs))
	})
}
