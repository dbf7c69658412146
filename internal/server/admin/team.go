package admin

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// teamPage is GET /admin/teams/{team}.
type teamPage struct {
	page.Room
	Heading string
	ID      string
	Facts   []fact
	Members page.Table
	Apps    page.Table
	Limits  page.Table
	Plans   []planChoice
	Asks    []page.Ask
}

// planChoice is which plan a team has for an API: field plan, button set-plan-<api>.
type planChoice struct {
	API, Title, Team string
	Field            page.Field
}

// team is GET /admin/teams/{team}.
func (p *rooms) team(w http.ResponseWriter, r *http.Request, d *desk) error {
	t, err := p.Manage.Team(r.Context(), d.Actor, r.PathValue("team"))
	if err != nil {
		return err
	}
	view := teamPage{Room: p.room(r, d, "/admin/teams", t.Name), Heading: t.Name, ID: t.ID, Facts: []fact{{"State", teamState(t).Text}, {"Since", moment(t.CreatedAt)}, {"ID", t.ID}}}
	if view.Done, err = p.told(r, d); err != nil {
		return err
	}
	if t.Suspended {
		view.Asks = []page.Ask{{ID: "lift", Text: "Lift the suspension", Warn: "Every credential of the team’s apps that has not ended works again, within a second.", Act: page.Act{URL: "/admin/teams/" + t.ID + "/lift", Text: "Lift the suspension of " + t.Name}}}
	} else {
		view.Asks = []page.Ask{{ID: "suspend", Text: "Suspend this team", Warn: "Every key, badge and client of its apps is refused with owner_suspended within a second, and what runs on them stops. Nothing is deleted, and you can lift it.", Act: page.Act{URL: "/admin/teams/" + t.ID + "/suspend", Text: "Suspend " + t.Name, Danger: true}}}
	}
	view.Limits = limitedTeam(t).table()
	if view.Members, err = p.members(r.Context(), d, t); err != nil {
		return err
	}
	apps, err := p.Manage.Apps(r.Context(), d.Actor, t.ID, "", manage.List{Limit: 20})
	if err != nil {
		return err
	}
	view.Apps = page.Table{Caption: "Apps", Heads: []page.Head{{Text: "App"}, {Text: "Type"}, {Text: "Made"}}, Empty: page.Empty{Title: "No app yet", Text: "The team makes its apps at its desk.", Link: page.Link{Text: "Open its desk", URL: "/developers/" + t.ID}}}
	for _, a := range apps.Items {
		view.Apps.Rows = append(view.Apps.Rows, page.Row{URL: deskOf(a), Cells: []page.Cell{{Text: a.Name, Note: a.ID}, {Text: a.Type}, {Text: page.Ago(p.Now(), a.CreatedAt)}}})
	}
	if view.Plans, err = p.plansOf(r.Context(), d, t); err != nil {
		return err
	}
	return p.set.Render(w, r, http.StatusOK, "team", view)
}

// members are those whose names come first; all of them stand at the team's desk.
func (p *rooms) members(ctx context.Context, d *desk, t lanyard.Team) (page.Table, error) {
	made := page.Table{Caption: "Members", Heads: []page.Head{{Text: "Member"}, {Text: "Role"}}, Empty: page.Empty{Title: "Nobody is in it", Text: "Take somebody in at the team’s desk.", Link: page.Link{Text: "Open its desk", URL: "/developers/" + t.ID}}}
	found, err := p.Manage.People(ctx, d.Actor, t.ID)
	for _, m := range found[:min(len(found), perPage)] {
		made.Rows = append(made.Rows, page.Row{URL: "/admin/people/" + string(m.User), Cells: []page.Cell{{Text: cmp.Or(m.Name, m.Email)}, {Text: string(m.Role)}}})
	}
	return made, err
}

// plansOf lists the APIs that have plans, with the team's of each.
func (p *rooms) plansOf(ctx context.Context, d *desk, t lanyard.Team) ([]planChoice, error) {
	apis, err := p.Manage.APIs(ctx, d.Actor)
	if err != nil {
		return nil, err
	}
	chosen, err := p.Manage.Subscriptions(ctx, d.Actor, t.ID)
	if err != nil {
		return nil, err
	}
	has := map[string]string{}
	for _, s := range chosen {
		has[s.API] = s.Plan
	}
	var out []planChoice
	for _, a := range apis {
		if len(a.Plans) == 0 {
			continue
		}
		byDefault := "No plan"
		options := []string{"", byDefault}
		for _, name := range slices.Sorted(maps.Keys(a.Plans)) {
			if a.Plans[name].Default {
				options[1] = "The default, which is " + name
			}
			options = append(options, name, name)
		}
		one := planChoice{API: a.Name, Title: titleOf(a), Team: t.ID, Field: choice("plan-"+a.Name, titleOf(a), has[a.Name], "", options...)}
		one.Field.Optional = true
		out = append(out, one)
	}
	return out, nil
}

// subscribe is POST /admin/teams/{team}/plan.
func (p *rooms) subscribe(w http.ResponseWriter, r *http.Request, d *desk) error {
	team, api := r.PathValue("team"), r.PostForm.Get("api")
	if _, err := p.Manage.Subscribe(r.Context(), d.Actor, team, api, lanyard.SubscriptionInput{Plan: r.PostForm.Get("plan-" + api)}); err != nil {
		return err
	}
	return page.Redirect(w, r, done("/admin/teams/"+team, "subscription.set", team))
}

// suspendTeam is POST /admin/teams/{team}/suspend.
func (p *rooms) suspendTeam(w http.ResponseWriter, r *http.Request, d *desk) error {
	return p.setSuspended(w, r, d, true)
}

// liftTeam is POST /admin/teams/{team}/lift.
func (p *rooms) liftTeam(w http.ResponseWriter, r *http.Request, d *desk) error {
	return p.setSuspended(w, r, d, false)
}

func (p *rooms) setSuspended(w http.ResponseWriter, r *http.Request, d *desk, suspended bool) error {
	team := r.PathValue("team")
	if _, err := p.Manage.UpdateTeam(r.Context(), d.Actor, team, lanyard.TeamPatch{Suspended: &suspended}); err != nil {
		return err
	}
	return page.Redirect(w, r, done("/admin/teams/"+team, "team.update", team))
}
