package admin

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// editOperation is GET /admin/apis/{name}/operation: a new one, or with ?name= one that is there.
func (p *rooms) editOperation(w http.ResponseWriter, r *http.Request, d *desk) error {
	a, err := p.Manage.API(r.Context(), d.Actor, r.PathValue("name"))
	if err != nil {
		return err
	}
	name := r.URL.Query().Get("name")
	op, there := a.Operations[name]
	if name != "" && !there {
		return fault.Missing("operation", name)
	}
	return p.form(w, r, p.operationForm(r, d, a, name, name, op, strconv.FormatInt(cost(op), 10), nil))
}

// operationForm is the form of an operation: fields name, takes, cost, max_age, boxes scope-<name>, button save-operation. was is the name of the one
// that is changed; "" makes one.
func (p *rooms) operationForm(r *http.Request, d *desk, a lanyard.API, was, name string, op lanyard.Operation, price string, errs page.Errs) formPage {
	view := formPage{
		Room: p.room(r, d, "/admin/apis", "Operation"), Heading: "Add an operation", Back: page.Link{Text: titleOf(a), URL: apiPath(a.Name)},
		Lead: "The most exact operation that fits a call decides what it needs. What none fits is refused.", Action: apiPath(a.Name) + "/operation", Button: "Save the operation", ID: "save-operation", Errors: errs,
		Fields: []page.Field{
			choice("takes", "It takes", op.Takes, "", "", "What the API takes: "+takes(a.Takes), "key", "An ID card (API key)", "token", "A visitor badge (access token)", "either", "Either of them", "both", "Both at once"),
			{ID: "cost", Label: "One call counts for", Value: price, Mode: "numeric", Max: 7, Complete: "off", Hint: "Units of limits and quotas; 0 is free."},
			{ID: "max_age", Label: "The user signed in within", Value: op.MaxAge, Max: 20, Complete: "off", Optional: true, Hint: "Like 5m, for what cannot be undone: others are asked to sign in again. Empty: whenever. Only for visitor badges."},
		},
	}
	if len(a.Scopes) > 0 {
		asks := group{ID: "scopes", Legend: "It asks for all of these scopes"}
		for _, scope := range slices.Sorted(maps.Keys(a.Scopes)) {
			box := page.ScopeBox(scope, scope)
			box.Note, box.Ticked = a.Scopes[scope].Text, slices.Contains(op.Scopes, scope)
			asks.Boxes = append(asks.Boxes, box)
		}
		view.Groups = []group{asks}
	}
	if was == "" {
		view.Fields = append([]page.Field{{ID: "name", Label: "Method and path", Value: name, Max: 300, Complete: "off", Hint: "Like GET /v1/forecast/{city} or ANY /v1/{path...}.", Focus: true}}, view.Fields...)
		return view
	}
	view.Heading, view.Hidden = was, []page.Hidden{{Name: "was", Value: was}}
	view.Remove = &page.Act{ID: "remove-operation", URL: apiPath(a.Name) + "/operation/remove", Text: "Remove this operation", Danger: true, Hidden: view.Hidden}
	return view
}

// saveOperation is POST /admin/apis/{name}/operation.
func (p *rooms) saveOperation(w http.ResponseWriter, r *http.Request, d *desk) error {
	form := r.PostForm
	was, price := form.Get("was"), strings.TrimSpace(form.Get("cost"))
	name := was
	if was == "" {
		name = strings.TrimSpace(form.Get("name"))
	}
	made := lanyard.Operation{Takes: form.Get("takes"), Scopes: form["scope"], MaxAge: strings.TrimSpace(form.Get("max_age"))}
	return p.change(w, r, d, func(a *lanyard.API) error {
		if _, there := a.Operations[name]; there != (was != "") {
			return stands("operation", name, there)
		}
		units, err := strconv.ParseInt(price, 10, 64)
		if err != nil {
			return fault.Field("cost", "must be a whole number from 0")
		}
		if units != 1 {
			made.Cost = &units
		}
		if a.Operations == nil {
			a.Operations = map[string]lanyard.Operation{}
		}
		a.Operations[name] = made
		return nil
	}, func(a lanyard.API, refused error) error {
		errs, err := wrong(refused, map[string]string{"operations": "name"}, "name", "takes", "cost", "max_age")
		if err != nil {
			return err
		}
		return p.form(w, r, p.operationForm(r, d, a, was, name, made, price, errs))
	})
}

// removeOperation is POST /admin/apis/{name}/operation/remove.
func (p *rooms) removeOperation(w http.ResponseWriter, r *http.Request, d *desk) error {
	was := r.PostForm.Get("was")
	return p.change(w, r, d, func(a *lanyard.API) error {
		if _, there := a.Operations[was]; !there {
			return fault.Missing("operation", was)
		}
		delete(a.Operations, was)
		return nil
	}, func(a lanyard.API, refused error) error {
		errs, err := wrong(refused, nil)
		if err != nil {
			return err
		}
		op := a.Operations[was]
		return p.form(w, r, p.operationForm(r, d, a, was, was, op, strconv.FormatInt(cost(op), 10), errs))
	})
}
