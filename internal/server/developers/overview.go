package developers

import (
	"net/http"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// startPage is GET /developers for who is in no team: field name, button start-team.
type startPage struct {
	page.Room
	Name   string
	Errors page.Errs
}

// Fields are the page's fields.
func (p startPage) Fields() []page.Field {
	return []page.Field{{ID: "name", Label: "Name", Value: p.Name, Max: 100, Complete: "off", Error: p.Errors["name"], Hint: "Yours, your company's or your project's. A team owns apps and their keys; you can invite others later."}}
}

// enter is GET /developers: the first of one's teams, or how to start one.
func (p *rooms) enter(w http.ResponseWriter, r *http.Request, d *desk) error {
	if len(d.Mine) == 0 {
		return p.set.Render(w, r, http.StatusOK, "start", startPage{Room: p.room(r, d, "", "Start a team"), Name: browser.Person(d.User).Called() + "’s team"})
	}
	return page.Redirect(w, r, "/developers/"+d.Mine[0].Team.ID)
}

// start is POST /developers: a team of one's own.
func (p *rooms) start(w http.ResponseWriter, r *http.Request, d *desk) error {
	name := r.PostForm.Get("name")
	made, err := p.Manage.StartTeam(r.Context(), d.Actor, name)
	if err != nil {
		wrong, err := page.Beside(err, map[string]string{"name": "name"})
		if err != nil {
			return err
		}
		return p.set.Render(w, r, http.StatusBadRequest, "start", startPage{Room: p.room(r, d, "", "Start a team"), Name: name, Errors: wrong})
	}
	return page.Redirect(w, r, "/developers/"+made.ID)
}

// overviewPage is GET /developers/{team}.
type overviewPage struct {
	page.Room
	Team string
	Apps page.Table
}

// overview is GET /developers/{team}.
func (p *rooms) overview(w http.ResponseWriter, r *http.Request, d *desk) error {
	view := overviewPage{Room: p.room(r, d, "", d.Team.Name), Team: d.Team.Name, Apps: page.Table{
		Caption: "Apps", Heads: []page.Head{{Text: "App"}, {Text: "Type"}, {Text: "Made"}},
		Empty: page.Empty{Title: "No app yet", Text: "An app is what calls: a program, a site, a script. Its keys and clients stand under it."},
	}}
	if d.May(audit.RoleDeveloper) {
		found, err := p.Manage.Apps(r.Context(), d.Actor, d.Team.ID, "", manage.List{Limit: 50})
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		for _, a := range found.Items {
			view.Apps.Rows = append(view.Apps.Rows, page.Row{Cells: []page.Cell{{Text: a.Name, Note: a.ID}, {Text: a.Type}, {Text: page.Ago(p.Now(), a.CreatedAt)}}})
		}
	}
	return p.set.Render(w, r, http.StatusOK, "overview", view)
}
