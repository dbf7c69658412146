package admin

import (
	"net/http"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// teams is GET /admin/teams: by part of a name, or an id.
func (p *rooms) teams(w http.ResponseWriter, r *http.Request, d *desk) (err error) {
	l := page.NewList("/admin/teams", r.URL.Query(), "Teams by name", "-created", "name")
	if _, err := id.Parse[id.Team](l.Search.Query); err == nil {
		return page.Redirect(w, r, l.Path+"/"+l.Search.Query)
	}
	l.Narrow("state", "State", "", "Any state", "active", "Active", "suspended", "Suspended")
	view := listPage{Room: p.room(r, d, l.Path, "Teams"), Heading: "Teams", New: page.Link{Text: "Make a team", URL: "/admin/teams/new"}}
	if view.Done, err = p.told(r, d); err != nil {
		return err
	}
	found, err := p.Manage.FindTeams(r.Context(), d.Actor, searchOf(l))
	if err != nil {
		return err
	}
	table := page.Table{
		Caption: "Teams", Heads: []page.Head{l.Head("Team", "name"), {Text: "State"}, l.Head("Since", "created")},
		Empty: page.Empty{Title: "No team yet", Text: "A team owns apps and their keys, and has plans.", Link: view.New},
	}
	for _, t := range found.Items {
		table.Rows = append(table.Rows, page.Row{URL: "/admin/teams/" + t.ID, Cells: []page.Cell{{Text: t.Name, Note: t.ID}, teamState(t), {Text: page.Ago(p.Now(), t.CreatedAt)}}})
	}
	view.List = l.Show(table, pagesOf(found))
	return p.set.Render(w, r, http.StatusOK, "list", view)
}

func teamState(t lanyard.Team) page.Cell {
	if t.Suspended {
		return page.Cell{Text: "suspended", Pill: "bad"}
	}
	return page.Cell{Text: "active", Pill: "good"}
}

// newTeam is GET /admin/teams/new.
func (p *rooms) newTeam(w http.ResponseWriter, r *http.Request, d *desk) error {
	return p.form(w, r, p.teamForm(r, d, "", "", nil))
}

// teamForm is the form of a new team: fields name, owner, button make-team.
func (p *rooms) teamForm(r *http.Request, d *desk, name, owner string, errs page.Errs) formPage {
	return formPage{
		Room: p.room(r, d, "/admin/teams", "Make a team"), Heading: "Make a team", Back: page.Link{Text: "Teams", URL: "/admin/teams"}, Action: "/admin/teams", Button: "Make the team", ID: "make-team", Errors: errs,
		Fields: []page.Field{
			{ID: "name", Label: "Name", Value: name, Max: 100, Complete: "off", Focus: true},
			{ID: "owner", Label: "Owner", Type: "email", Mode: "email", Value: owner, Max: 254, Optional: true, Complete: "off", Hint: "The mail address of somebody who has an account. They run the team and take others in."},
		},
	}
}

// makeTeam is POST /admin/teams.
func (p *rooms) makeTeam(w http.ResponseWriter, r *http.Request, d *desk) error {
	in, owner := lanyard.TeamInput{Name: r.PostForm.Get("name")}, strings.TrimSpace(r.PostForm.Get("owner"))
	refuse := func(refused error) error {
		errs, err := wrong(refused, nil, "name", "owner")
		if err != nil {
			return err
		}
		return p.form(w, r, p.teamForm(r, d, in.Name, owner, errs))
	}
	if owner != "" {
		found, err := p.Manage.Users(r.Context(), d.Actor, owner, manage.List{Limit: 1})
		if err != nil {
			return refuse(err)
		}
		if len(found.Items) == 0 {
			return refuse(fault.Field("owner", "nobody has an account with this address: add them under People first"))
		}
		in.OwnerID = found.Items[0].ID
	}
	made, err := p.Manage.CreateTeam(r.Context(), d.Actor, in)
	if err != nil {
		return refuse(err)
	}
	return page.Redirect(w, r, done("/admin/teams/"+made.ID, "team.create", made.ID))
}
