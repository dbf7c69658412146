package admin

import (
	"context"
	"net/http"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// limited is a team or a person whose limits are shown or changed.
type limited struct {
	tab, path, name string
	limits          []lanyard.Limit
	counts          string // which calls they count
	others          string // whose limits hold beside them
}

func limitedTeam(t lanyard.Team) limited {
	return limited{
		tab: "/admin/teams", path: "/admin/teams/" + t.ID, name: t.Name, limits: t.Limits,
		counts: "the calls of all its apps together, on every API", others: "its keys, apps and plans and of the APIs",
	}
}

func limitedPerson(u lanyard.User) limited {
	return limited{
		tab: "/admin/people", path: "/admin/people/" + u.ID, name: called(u), limits: u.Limits,
		counts: "all calls on their behalf together, through whatever app and on every API", others: "the apps and their teams and plans and of the APIs",
	}
}

// table lists the limits as they are.
func (l limited) table() page.Table {
	made := page.Table{Caption: "Limits of " + l.name, Heads: []page.Head{{Text: "Limit"}, {Text: "Lets through"}, {Text: "Name"}}, Empty: page.Empty{
		Title: "No limit of its own", Text: "Limits count " + l.counts + ". Without any, those of " + l.others + " hold alone.", Link: page.Link{Text: "Set a limit", URL: l.path + "/limits"},
	}}
	whose := "team-"
	if l.tab == "/admin/people" {
		whose, made.Empty.Title = "user-", "No limit of their own"
	}
	for _, one := range l.limits {
		made.Rows = append(made.Rows, page.Row{Cells: []page.Cell{{Text: manage.LimitText(one)}, {Text: page.Upper(manage.LimitWords(one))}, {Text: whose + one.Name, Code: true}}})
	}
	return made
}

// form changes them: field limits, button save-limits.
func (p *rooms) limitsForm(r *http.Request, d *desk, l limited, typed string, errs page.Errs) formPage {
	return formPage{
		Room: p.room(r, d, l.tab, "Limits of "+l.name), Heading: "Limits of " + l.name, Back: page.Link{Text: l.name, URL: l.path},
		Lead:   "They count " + l.counts + ", beside the limits of " + l.others + ". A call beyond one is refused with rate_limited until there is room again.",
		Action: l.path + "/limits", Button: "Save the limits", ID: "save-limits", Errors: errs,
		Fields: []page.Field{{
			ID: "limits", Label: "Limits", Type: "textarea", Value: typed, Optional: true, Code: true, Focus: true,
			Hint: "One a line: calls per second, minute, hour, day or a time, like 5/second, 60/minute or 100/90s. All of them hold, within a second. Empty: no limit.",
		}},
	}
}

// texts are the limits as the form has them.
func (l limited) texts() string {
	var out []string
	for _, one := range l.limits {
		out = append(out, manage.LimitText(one))
	}
	return strings.Join(out, "\n")
}

// saveLimits reads the form and saves what it says, or shows it again with what is wrong.
func (p *rooms) saveLimits(w http.ResponseWriter, r *http.Request, d *desk, l limited, action, target string, save func(context.Context, []lanyard.Limit) error) error {
	typed := r.PostForm.Get("limits")
	read, err := manage.EditLimits(l.limits, lines(typed))
	if err == nil {
		err = save(r.Context(), read)
	}
	if err != nil {
		errs, err := wrong(err, nil, "limits")
		if err != nil {
			return err
		}
		return p.form(w, r, p.limitsForm(r, d, l, typed, errs))
	}
	return page.Redirect(w, r, done(l.path, action, target))
}

// teamLimits is GET /admin/teams/{team}/limits.
func (p *rooms) teamLimits(w http.ResponseWriter, r *http.Request, d *desk) error {
	t, err := p.Manage.Team(r.Context(), d.Actor, r.PathValue("team"))
	if err != nil {
		return err
	}
	l := limitedTeam(t)
	return p.form(w, r, p.limitsForm(r, d, l, l.texts(), nil))
}

// saveTeamLimits is POST /admin/teams/{team}/limits.
func (p *rooms) saveTeamLimits(w http.ResponseWriter, r *http.Request, d *desk) error {
	t, err := p.Manage.Team(r.Context(), d.Actor, r.PathValue("team"))
	if err != nil {
		return err
	}
	return p.saveLimits(w, r, d, limitedTeam(t), "team.update", t.ID, func(ctx context.Context, limits []lanyard.Limit) error {
		_, err := p.Manage.UpdateTeam(ctx, d.Actor, t.ID, lanyard.TeamPatch{Limits: &limits})
		return err
	})
}

// personLimits is GET /admin/people/{user}/limits.
func (p *rooms) personLimits(w http.ResponseWriter, r *http.Request, d *desk) error {
	u, err := p.Manage.User(r.Context(), d.Actor, r.PathValue("user"))
	if err != nil {
		return err
	}
	l := limitedPerson(u)
	return p.form(w, r, p.limitsForm(r, d, l, l.texts(), nil))
}

// savePersonLimits is POST /admin/people/{user}/limits.
func (p *rooms) savePersonLimits(w http.ResponseWriter, r *http.Request, d *desk) error {
	u, err := p.Manage.User(r.Context(), d.Actor, r.PathValue("user"))
	if err != nil {
		return err
	}
	return p.saveLimits(w, r, d, limitedPerson(u), "user.update", u.ID, func(ctx context.Context, limits []lanyard.Limit) error {
		_, err := p.Manage.UpdateUser(ctx, d.Actor, u.ID, lanyard.UserPatch{Limits: &limits})
		return err
	})
}

// toldOfLimits says what the limits are now, and what they were, so that they can be set back.
func toldOfLimits(is map[string]string, whose string) page.Alert {
	made := page.Alert{Title: "The limits are changed.", Text: "They are " + is["limits"] + " now; calls beyond are refused with rate_limited, from within a second on."}
	if is["limits"] == "none" {
		made = page.Alert{Title: "The limits are gone.", Text: "Nothing limits " + whose + " by itself any more."}
	}
	if was := is["limits_before"]; was != "none" && was != is["limits"] {
		made.Text += " They were " + was + "."
	}
	return made
}
