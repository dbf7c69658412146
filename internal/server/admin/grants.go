package admin

import (
	"context"
	"net/http"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// apps is GET /admin/apps: by part of a name, or an id.
func (p *rooms) apps(w http.ResponseWriter, r *http.Request, d *desk) error {
	l := page.NewList("/admin/apps", r.URL.Query(), "Apps by name", "-created", "name")
	if _, err := id.Parse[id.App](l.Search.Query); err == nil {
		a, err := p.Manage.App(r.Context(), d.Actor, l.Search.Query)
		if err != nil {
			return err
		}
		return page.Redirect(w, r, deskOf(a))
	}
	l.Narrow("state", "State", "", "Any state", "works", "Works", "disabled", "Disabled")
	l.Narrow("type", "Type", "", "Any type", "confidential", "Confidential", "public", "Public")
	l.Narrow("origin", "How it came to be", "", "However made", "here", "Made here", "dcr", "Registered itself", "cimd", "Known by its address")
	found, err := p.Manage.FindApps(r.Context(), d.Actor, searchOf(l))
	if err != nil {
		return err
	}
	table := page.Table{
		Caption: "Apps", Heads: []page.Head{l.Head("App", "name"), {Text: "Team"}, {Text: "Type"}, {Text: "Origin"}, l.Head("Made", "created")},
		Empty: page.Empty{Title: "No app yet", Text: "An app is what calls your APIs. Teams make them under Developers.", Link: page.Link{Text: "Open Developers", URL: "/developers"}},
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
		table.Rows = append(table.Rows, row)
	}
	return p.set.Render(w, r, http.StatusOK, "list", listPage{
		Room: p.room(r, d, l.Path, "Apps"), Heading: "Apps", Lead: "Every team’s. An app opens at its team’s desk.", List: l.Show(table, pagesOf(found)),
	})
}

// grants is GET /admin/grants: every badge that people handed out, by part of the person's mail address or name, or of the app's name.
func (p *rooms) grants(w http.ResponseWriter, r *http.Request, d *desk) (err error) {
	l := page.NewList("/admin/grants", r.URL.Query(), "Badges by person or app", "-created")
	l.Narrow("state", "State", "", "Any state", "works", "Works", "revoked", "Taken back")
	view := listPage{Room: p.room(r, d, l.Path, "Badges"), Heading: "Badges handed out", Lead: "Which app may act for whom. The person sees the same on their account."}
	if view.Done, err = p.told(r, d); err != nil {
		return err
	}
	search := searchOf(l)
	if _, err := id.Parse[id.User](l.Search.Query); err == nil {
		search.Like, search.Where["user"] = "", l.Search.Query
	}
	found, err := p.Manage.FindGrants(r.Context(), d.Actor, search)
	if err != nil {
		return err
	}
	table, err := p.grantTable(r.Context(), d, found.Items)
	if err != nil {
		return err
	}
	table.Heads[4] = l.Head("Allowed", "created")
	view.List = l.Show(table, pagesOf(found))
	return p.set.Render(w, r, http.StatusOK, "list", view)
}

// grantTable lists badges with the names of who handed them out, and to which app.
func (p *rooms) grantTable(ctx context.Context, d *desk, found []lanyard.Grant) (page.Table, error) {
	made := page.Table{
		Caption: "Badges", Heads: []page.Head{{Text: "App"}, {Text: "Acts for"}, {Text: "May"}, {Text: "Last used"}, {Text: "Allowed"}},
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
		row := page.Row{URL: "/admin/grants/" + g.ID, Cells: []page.Cell{{Text: name}, {Text: who}, {Text: strings.Join(g.Scopes, ", ")}, {Text: used}, {Text: page.Ago(p.Now(), g.CreatedAt)}}}
		if g.RevokedAt != nil {
			row.Cells[3] = page.Cell{Text: "taken back", Pill: "plain"}
		}
		made.Rows = append(made.Rows, row)
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
