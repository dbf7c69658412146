package admin

import (
	"cmp"
	"context"
	"net/http"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// personPage is GET /admin/people/{user}.
type personPage struct {
	page.Room
	Heading  string
	ID       string
	Facts    []fact
	Teams    page.Table
	Limits   page.Table
	Grants   page.Table
	Sessions page.Table
	Tokens   page.Table
	Asks     []page.Ask
}

// person is GET /admin/people/{user}.
func (p *rooms) person(w http.ResponseWriter, r *http.Request, d *desk) error {
	u, err := p.Manage.User(r.Context(), d.Actor, r.PathValue("user"))
	if err != nil {
		return err
	}
	view := personPage{Room: p.room(r, d, "/admin/people", called(u)), Heading: called(u), Asks: personAsks(u, u.ID == string(d.User.ID))}
	if view.Done, err = p.told(r, d); err != nil {
		return err
	}
	state, admin := "active", "no"
	if u.Disabled {
		state = "disabled: cannot sign in, and nothing of theirs works"
	}
	if u.Admin {
		admin = "yes: every page here is open to them"
	}
	view.Facts = []fact{{"Mail", u.Email}, {"Name", cmp.Or(u.Name, "not said")}, {"State", state}, {"Admin", admin}, {"Since", moment(u.CreatedAt)}, {"ID", u.ID}}
	view.ID, view.Limits = u.ID, limitedPerson(u).table()
	for _, part := range []struct {
		into *page.Table
		make func(context.Context, *desk, lanyard.User) (page.Table, error)
	}{{&view.Teams, p.teamsOf}, {&view.Grants, p.grantsOf}, {&view.Sessions, p.sessionsOf}, {&view.Tokens, p.tokensOf}} {
		if *part.into, err = part.make(r.Context(), d, u); err != nil {
			return err
		}
	}
	return p.set.Render(w, r, http.StatusOK, "person", view)
}

// personAsks are the acts upon a person. Nobody takes their own way in away.
func personAsks(u lanyard.User, self bool) []page.Ask {
	act := func(id, what, text string, danger bool) page.Act {
		return page.Act{URL: "/admin/people/" + u.ID + "/" + id, Text: text + " " + what, Danger: danger}
	}
	name := called(u)
	out := []page.Ask{
		{ID: "end-sessions", Text: "Sign out everywhere", Warn: "Every browser that " + name + " is signed in with is signed out, and the apps they signed in to are told. Apps keep their badges.", Act: act("end-sessions", name, "Sign out", true)},
		{ID: "revoke-tokens", Text: "Revoke everything", Warn: "Every session, access token, refresh token and personal token of " + name + " is dead within a second. Their scripts stop; apps have to ask them for a new badge. There is no way back.", Act: act("revoke-tokens", "everything of "+name, "Revoke", true)},
	}
	if self {
		return out
	}
	if u.Admin {
		out = append(out, page.Ask{ID: "not-admin", Text: "Make no admin", Warn: name + " loses these pages at once, and what they reach beyond their own teams.", Act: act("not-admin", "the rights of "+name, "Take away", true)})
	} else {
		out = append(out, page.Ask{ID: "admin", Text: "Make an admin", Warn: name + " may then do everything here: read every team’s things, declare APIs, disable people, you among them.", Act: act("admin", "an admin of "+name, "Make", false)})
	}
	if u.Disabled {
		return append(out, page.Ask{ID: "enable", Text: "Enable", Warn: name + " can sign in again. Badges and tokens from before work again, as far as they have not ended.", Act: act("enable", name, "Enable", false)})
	}
	return append(out, page.Ask{ID: "disable", Text: "Disable", Warn: name + " is signed out everywhere and cannot sign in; their badges and personal tokens are refused. Keys of their teams’ apps go on working.", Act: act("disable", name, "Disable", true)})
}

func (p *rooms) teamsOf(ctx context.Context, d *desk, u lanyard.User) (page.Table, error) {
	made := page.Table{Caption: "Teams", Heads: []page.Head{{Text: "Team"}, {Text: "Role"}}, Empty: page.Empty{Title: "In no team", Text: "They start one under Developers, or an owner takes them into one."}}
	found, err := p.Manage.TeamsOf(ctx, d.Actor, u.ID)
	for _, m := range found {
		made.Rows = append(made.Rows, page.Row{URL: "/admin/teams/" + m.Team.ID, Cells: []page.Cell{{Text: m.Team.Name}, {Text: string(m.Role)}}})
	}
	return made, err
}

func (p *rooms) grantsOf(ctx context.Context, d *desk, u lanyard.User) (page.Table, error) {
	found, err := p.Manage.Grants(ctx, d.Actor, manage.GrantsFilter{User: u.ID}, manage.List{Limit: 20})
	if err != nil {
		return page.Table{}, err
	}
	made, err := p.grantTable(ctx, d, found.Items)
	made.Empty = page.Empty{Title: "No app acts for them", Text: "When they let one, its badge stands here."}
	return made, err
}

func (p *rooms) sessionsOf(ctx context.Context, d *desk, u lanyard.User) (page.Table, error) {
	made := page.Table{Caption: "Sessions", Heads: []page.Head{{Text: "Browser"}, {Text: "From"}, {Text: "Signed in"}, {Text: "Last used"}}, Empty: page.Empty{Title: "Signed in nowhere", Text: "When they sign in, the browser stands here."}}
	found, err := p.Manage.UserSessions(ctx, d.Actor, u.ID)
	for _, s := range found[:min(len(found), perPage)] {
		made.Rows = append(made.Rows, page.Row{Cells: []page.Cell{{Text: s.Agent}, {Text: s.Network, Code: true}, {Text: page.Ago(p.Now(), s.CreatedAt)}, {Text: page.Ago(p.Now(), s.SeenAt)}}})
	}
	return made, err
}

func (p *rooms) tokensOf(ctx context.Context, d *desk, u lanyard.User) (page.Table, error) {
	made := page.Table{Caption: "Personal tokens", Heads: []page.Head{{Text: "Token"}, {Text: "State"}, {Text: "Ends"}}, Empty: page.Empty{Title: "No personal token", Text: "They make them on their account, for scripts of their own."}}
	found, err := p.Manage.Tokens(ctx, d.Actor, u.ID, manage.List{Limit: 20})
	for _, t := range found.Items {
		state := page.Cell{Text: "works", Pill: "good"}
		if t.Status != "valid" {
			state = page.Cell{Text: t.Status, Pill: "plain"}
		}
		made.Rows = append(made.Rows, page.Row{Cells: []page.Cell{{Text: t.Name, Note: t.ID}, state, {Text: date(t.ExpiresAt)}}})
	}
	return made, err
}

// patch changes a person and returns to their page.
func (p *rooms) patch(w http.ResponseWriter, r *http.Request, d *desk, patch lanyard.UserPatch) error {
	user := r.PathValue("user")
	if _, err := p.Manage.UpdateUser(r.Context(), d.Actor, user, patch); err != nil {
		return err
	}
	return page.Redirect(w, r, done("/admin/people/"+user, "user.update", user))
}

// disablePerson is POST /admin/people/{user}/disable.
func (p *rooms) disablePerson(w http.ResponseWriter, r *http.Request, d *desk) error {
	return p.patch(w, r, d, lanyard.UserPatch{Disabled: new(true)})
}

// enablePerson is POST /admin/people/{user}/enable.
func (p *rooms) enablePerson(w http.ResponseWriter, r *http.Request, d *desk) error {
	return p.patch(w, r, d, lanyard.UserPatch{Disabled: new(false)})
}

// makeAdmin is POST /admin/people/{user}/admin.
func (p *rooms) makeAdmin(w http.ResponseWriter, r *http.Request, d *desk) error {
	return p.patch(w, r, d, lanyard.UserPatch{Admin: new(true)})
}

// unmakeAdmin is POST /admin/people/{user}/not-admin.
func (p *rooms) unmakeAdmin(w http.ResponseWriter, r *http.Request, d *desk) error {
	return p.patch(w, r, d, lanyard.UserPatch{Admin: new(false)})
}

// revokeTokens is POST /admin/people/{user}/revoke-tokens.
func (p *rooms) revokeTokens(w http.ResponseWriter, r *http.Request, d *desk) error {
	return p.patch(w, r, d, lanyard.UserPatch{RevokeTokens: true})
}

// endSessions is POST /admin/people/{user}/end-sessions.
func (p *rooms) endSessions(w http.ResponseWriter, r *http.Request, d *desk) error {
	user := r.PathValue("user")
	if _, err := p.Manage.EndUserSessions(r.Context(), d.Actor, user); err != nil {
		return err
	}
	return page.Redirect(w, r, done("/admin/people/"+user, "session.end", user))
}
