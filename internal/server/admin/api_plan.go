package admin

import (
	"net/http"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// editPlan is GET /admin/apis/{name}/plan: a new one, or with ?name= one that is there.
func (p *rooms) editPlan(w http.ResponseWriter, r *http.Request, d *desk) error {
	a, err := p.Manage.API(r.Context(), d.Actor, r.PathValue("name"))
	if err != nil {
		return err
	}
	name := r.URL.Query().Get("name")
	plan, there := a.Plans[name]
	if name != "" && !there {
		return fault.Missing("plan", name)
	}
	return p.form(w, r, p.planForm(r, d, a, name, name, plan, nil))
}

// planForm is the form of a plan: fields name, text, limits, quota, box default, button save-plan. was is the name of the one that is changed;
// "" makes one.
func (p *rooms) planForm(r *http.Request, d *desk, a lanyard.API, was, name string, plan lanyard.Plan, errs page.Errs) formPage {
	view := formPage{
		Room: p.room(r, d, "/admin/apis", "Plan"), Heading: "Add a plan", Back: page.Link{Text: titleOf(a), URL: apiPath(a.Name)},
		Action: apiPath(a.Name) + "/plan", Button: "Save the plan", ID: "save-plan", Errors: errs,
		Fields: []page.Field{
			{ID: "text", Label: "What it is", Value: plan.Text, Max: 200, Optional: true, Complete: "off", Hint: "In a few words, for who chooses: for trying things out."},
			{ID: "limits", Label: "Limits", Type: "textarea", Value: strings.Join(plan.Limits, "\n"), Optional: true, Code: true, Hint: "One a line, like 60/minute. All of them hold."},
			{ID: "quota", Label: "Quota", Value: plan.Quota, Max: 30, Optional: true, Complete: "off", Hint: "Like 1000/month."},
		},
		Groups: []group{{ID: "kind", Legend: "It", Boxes: []page.Box{{ID: "default", Name: "default", Value: "yes", Text: "is the plan of every team that chose none", Ticked: plan.Default}}}},
	}
	if was == "" {
		view.Fields = append([]page.Field{{ID: "name", Label: "Name", Value: name, Max: 32, Complete: "off", Hint: "Lower-case letters and digits, like free.", Focus: true}}, view.Fields...)
		return view
	}
	view.Heading, view.Hidden = "The plan "+was, []page.Hidden{{Name: "was", Value: was}}
	view.Remove = &page.Act{ID: "remove-plan", URL: apiPath(a.Name) + "/plan/remove", Text: "Remove this plan", Danger: true, Hidden: view.Hidden}
	return view
}

// savePlan is POST /admin/apis/{name}/plan. A new default takes the place of the old one.
func (p *rooms) savePlan(w http.ResponseWriter, r *http.Request, d *desk) error {
	form := r.PostForm
	was := form.Get("was")
	name := was
	if was == "" {
		name = strings.TrimSpace(form.Get("name"))
	}
	made := lanyard.Plan{Text: form.Get("text"), Limits: lines(form.Get("limits")), Quota: strings.TrimSpace(form.Get("quota")), Default: form.Get("default") == "yes"}
	return p.change(w, r, d, func(a *lanyard.API) error {
		if _, there := a.Plans[name]; there != (was != "") {
			return stands("plan", name, there)
		}
		if a.Plans == nil {
			a.Plans = map[string]lanyard.Plan{}
		}
		for other, plan := range a.Plans {
			if made.Default && plan.Default {
				plan.Default = false
				a.Plans[other] = plan
			}
		}
		kept := a.Plans[name] // what it charges is no part of the form
		kept.Text, kept.Limits, kept.Quota, kept.Default = made.Text, made.Limits, made.Quota, made.Default
		a.Plans[name] = kept
		return nil
	}, func(a lanyard.API, refused error) error {
		errs, err := wrong(refused, map[string]string{"plans": "name"}, "name", "text", "limits", "quota")
		if err != nil {
			return err
		}
		return p.form(w, r, p.planForm(r, d, a, was, name, made, errs))
	})
}

// removePlan is POST /admin/apis/{name}/plan/remove. One to which teams are subscribed stays.
func (p *rooms) removePlan(w http.ResponseWriter, r *http.Request, d *desk) error {
	was := r.PostForm.Get("was")
	return p.change(w, r, d, func(a *lanyard.API) error {
		if _, there := a.Plans[was]; !there {
			return fault.Missing("plan", was)
		}
		delete(a.Plans, was)
		return nil
	}, func(a lanyard.API, refused error) error {
		errs, err := wrong(refused, nil)
		if err != nil {
			return err
		}
		return p.form(w, r, p.planForm(r, d, a, was, was, a.Plans[was], errs))
	})
}
