package admin

import (
	"context"
	"net/http"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// apps is GET /admin/apps: by name and origin, or an id.
func (p *rooms) apps(w http.ResponseWriter, r *http.Request, d *desk) error {
	query := r.URL.Query()
	typed := strings.TrimSpace(query.Get("q"))
	view := listPage{
		Room: p.room(r, d, "/admin/apps", "Apps"), Heading: "Apps", Lead: "Every team’s. An app opens at its team’s desk.",
		Search: page.Search{URL: "/admin/apps", Label: "An app by its whole name", Query: typed, Selects: []page.Field{choice("origin", "How it came to be", query.Get("origin"), "", "", "However made", "dcr", "Registered itself", "cimd", "Known by its address")}},
		Table: page.Table{
			Caption: "Apps", Heads: []page.Head{{Text: "App"}, {Text: "Team"}, {Text: "Type"}, {Text: "Origin"}, {Text: "Made"}},
			Empty: page.Empty{Title: "No app yet", Text: "An app is what calls your APIs. Teams make them under Developers.", Link: page.Link{Text: "Open Developers", URL: "/developers"}},
		},
	}
	if _, err := id.Parse[id.App](typed); err == nil {
		a, err := p.Manage.App(r.Context(), d.Actor, typed)
		if err != nil {
			return err
		}
		return page.Redirect(w, r, deskOf(a))
	}
	found, err := p.Manage.SearchApps(r.Context(), d.Actor, manage.AppSearch{Name: typed, Origin: query.Get("origin")}, at(r))
	if err != nil {
		return err
	}
	known := p.names(d)
	for _, a := range found.Items {
		team, err := known.of(r.Context(), a.TeamID)
		if err != nil {
			return err
		}
		origin := map[string]string{"": "made here", "dcr": "registered itself", "cimd": "by its address"}[a.Origin]
		row := page.Row{URL: deskOf(a), Cells: []page.Cell{{Text: a.Name, Note: a.ID}, {Text: team}, {Text: a.Type}, {Text: origin}, {Text: page.Ago(p.Now(), a.CreatedAt)}}}
		if a.Disabled {
			row.Cells[2] = page.Cell{Text: "disabled", Pill: "bad"}
		}
		view.Table.Rows = append(view.Table.Rows, row)
	}
	return p.list(w, r, view, found.NextCursor)
}

// grants is GET /admin/grants: every badge that people handed out, by the person's mail address or id.
func (p *rooms) grants(w http.ResponseWriter, r *http.Request, d *desk) (err error) {
	typed := strings.TrimSpace(r.URL.Query().Get("q"))
	view := listPage{
		Room: p.room(r, d, "/admin/grants", "Badges"), Heading: "Badges handed out", Lead: "Which app may act for whom. The person sees the same on their account.",
		Search: page.Search{URL: "/admin/grants", Label: "Of whom, by their whole mail address", Query: typed},
	}
	if view.Done, err = p.told(r, d); err != nil {
		return err
	}
	filter, nobody := manage.GrantsFilter{}, false
	if _, err := id.Parse[id.User](typed); err == nil {
		filter.User = typed
	} else if typed != "" {
		people, err := p.Manage.Users(r.Context(), d.Actor, typed, manage.List{Limit: 1})
		if err != nil {
			return err
		}
		if nobody = len(people.Items) == 0; !nobody {
			filter.User = people.Items[0].ID
		}
	}
	var found lanyard.Page[lanyard.Grant]
	if !nobody {
		if found, err = p.Manage.Grants(r.Context(), d.Actor, filter, at(r)); err != nil {
			return err
		}
	}
	if view.Table, err = p.grantTable(r.Context(), d, found.Items); err != nil {
		return err
	}
	return p.list(w, r, view, found.NextCursor)
}

// grantTable lists badges with the names of who handed them out, and to which app.
func (p *rooms) grantTable(ctx context.Context, d *desk, found []lanyard.Grant) (page.Table, error) {
	made := page.Table{
		Caption: "Badges", Heads: []page.Head{{Text: "App"}, {Text: "Acts for"}, {Text: "May"}, {Text: "Last used"}},
		Empty: page.Empty{Title: "Nobody has handed out a badge", Text: "When somebody lets an app act for them, it stands here."},
	}
	known := p.names(d)
	for _, g := range found {
		name, err := known.of(ctx, g.AppID)
		if err != nil {
			return made, err
		}
		who, err := known.of(ctx, g.UserID)
		if err != nil {
			return made, err
		}
		used := "never"
		if g.LastUsedAt != nil {
			used = page.Ago(p.Now(), *g.LastUsedAt)
		}
		made.Rows = append(made.Rows, page.Row{URL: "/admin/grants/" + g.ID, Cells: []page.Cell{{Text: name}, {Text: who}, {Text: strings.Join(g.Scopes, ", ")}, {Text: used}}})
	}
	return made, nil
}

// grantPage is GET /admin/grants/{grant}: one badge.
type grantPage struct {
	page.Room
	Heading string
	Facts   []fact
	Ask     *page.Ask // nil: it is taken back
}

// grant is GET /admin/grants/{grant}.
func (p *rooms) grant(w http.ResponseWriter, r *http.Request, d *desk) error {
	named, err := id.Parse[id.Grant](r.PathValue("grant"))
	if err != nil {
		return fault.Missing("grant", r.PathValue("grant"))
	}
	g, err := p.Manage.GrantStore.GrantForDecision(r.Context(), named)
	if err != nil {
		return err
	}
	known := p.names(d)
	name, err := known.of(r.Context(), string(g.App))
	if err != nil {
		return err
	}
	who, err := known.of(r.Context(), string(g.User))
	if err != nil {
		return err
	}
	view := grantPage{Room: p.room(r, d, "/admin/grants", "The badge of "+name), Heading: "The badge of " + name}
	if view.Done, err = p.told(r, d); err != nil {
		return err
	}
	state := "works"
	if g.RevokedAt.IsZero() {
		view.Ask = &page.Ask{
			ID: "take-back", Text: "Take the badge back", Act: page.Act{URL: "/admin/grants/" + string(g.ID) + "/revoke", Text: "Take it back from " + name, Danger: true},
			Warn: name + " can do nothing more for " + who + " within a second: its access tokens and refresh tokens are refused. It may ask " + who + " again.",
		}
	} else {
		state = "taken back, " + page.Ago(p.Now(), g.RevokedAt)
	}
	view.Facts = []fact{{"App", name}, {"Acts for", who}, {"May", strings.Join(g.Scopes, ", ")}, {"State", state}, {"Allowed", moment(g.CreatedAt)}, {"ID", string(g.ID)}}
	return p.set.Render(w, r, http.StatusOK, "grant", view)
}

// revokeGrant is POST /admin/grants/{grant}/revoke.
func (p *rooms) revokeGrant(w http.ResponseWriter, r *http.Request, d *desk) error {
	grant := r.PathValue("grant")
	if _, err := p.Manage.RevokeGrant(r.Context(), d.Actor, grant); err != nil {
		return err
	}
	return page.Redirect(w, r, done("/admin/grants/"+grant, "grant.revoke", grant))
}
