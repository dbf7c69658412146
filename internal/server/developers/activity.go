package developers

import (
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// deed is what an action of the audit log is in words: "made the app", with what it was done to after it.
type deed struct{ Action, Text string }

// deeds are the actions that happen in teams, in the order in which they can be chosen.
func deeds() []deed {
	return []deed{
		{"app.create", "made the app"},
		{"app.update", "changed the app"},
		{"app.delete", "deleted the app"},
		{"key.create", "made the key"},
		{"key.rotate", "rotated the key"},
		{"key.undo_rotation", "took back the rotation of the key"},
		{"key.update", "changed the key"},
		{"key.disable", "disabled the key"},
		{"key.enable", "enabled the key"},
		{"key.revoke", "revoked the key"},
		{"key.leak", "found in the open the key"},
		{"key.delete", "deleted the key"},
		{"key.import", "took over the key"},
		{"team.create", "started the team"},
		{"team.update", "changed the team"},
		{"invitation.create", "invited"},
		{"invitation.revoke", "took back the invitation of"},
		{"member.join", "joined the team"},
		{"member.set", "set the role of"},
		{"member.remove", "removed"},
		{"member.leave", "left the team"},
		{"webhook.create", "added the webhook"},
		{"webhook.update", "changed the webhook"},
		{"webhook.rotate_secret", "rotated the secret of the webhook"},
		{"webhook.test", "sent a test event to the webhook"},
		{"webhook.replay", "sent a message again to the webhook"},
		{"webhook.disable", "disabled the webhook"},
		{"webhook.delete", "deleted the webhook"},
		{"subscription.set", "chose a plan of"},
		{"subscription.alerts", "chose when to be told of the bill of"},
		{"invoice.finalize", "made final the invoice"},
		{"grant.allow", "gave a badge to the app"},
		{"grant.revoke", "took a badge back"},
		{"family.revoke", "ended a chain of refresh tokens"},
	}
}

// showActivity is GET /developers/{team}/activity: who did what, as sentences.
func (p *rooms) showActivity(w http.ResponseWriter, r *http.Request, d *desk) error {
	l := page.NewList(d.path("activity"), r.URL.Query(), "", "-at")
	options := []string{"", "Everything"}
	for _, one := range deeds() {
		options = append(options, one.Action, page.Upper(one.Text))
	}
	action := l.Narrow("action", "What was done", options...)
	found, err := p.Manage.Activity(r.Context(), d.Actor, d.Team.ID, action, manage.List{Limit: perPage, Cursor: l.Cursor, Oldest: !l.Down})
	if err != nil {
		return err
	}
	names, err := p.activityNames(r, d)
	if err != nil {
		return err
	}
	table := page.Table{
		Caption: "What was done in the team", Heads: []page.Head{{Text: "What"}, {Text: "Who"}, l.Head("When", "at")},
		Empty: page.Empty{Title: "Nothing yet", Text: "Whatever somebody does in the team stands here: keys made and revoked, people who come and go."},
	}
	for i := range found.Items {
		table.Rows = append(table.Rows, p.activityRow(&found.Items[i], names))
	}
	return p.set.Render(w, r, http.StatusOK, "list", listPage{Room: p.room(r, d, "activity", "Activity"), Heading: "Activity", List: l.Show(table, page.Pages{Next: found.NextCursor})})
}

// activityNames are what people and apps of the team are called, by id: of apps the newest, for who may see them.
func (p *rooms) activityNames(r *http.Request, d *desk) (map[string]string, error) {
	names := map[string]string{d.Team.ID: d.Team.Name}
	people, err := p.Manage.People(r.Context(), d.Actor, d.Team.ID)
	if err != nil {
		return nil, err
	}
	for i := range people {
		names[string(people[i].User)] = called(&people[i])
	}
	if !d.May(audit.RoleDeveloper) {
		return names, nil
	}
	apps, err := p.Manage.Apps(r.Context(), d.Actor, d.Team.ID, "", manage.List{Limit: 200})
	if err != nil {
		return nil, err
	}
	for _, a := range apps.Items {
		names[a.ID] = a.Name
	}
	return names, nil
}

// activityRow is a line of the log as a sentence. Details are named where they say more than the sentence.
func (p *rooms) activityRow(ev *lanyard.AuditEvent, names map[string]string) page.Row {
	text := ev.Action
	if at := slices.IndexFunc(deeds(), func(d deed) bool { return d.Action == ev.Action }); at >= 0 {
		text = deeds()[at].Text
	}
	whom := names[ev.Target]
	if given := ev.Details["name"]; given != "" {
		whom = given
	}
	switch {
	case ev.Target == ev.Actor || strings.HasPrefix(ev.Action, "member.join") || strings.HasPrefix(ev.Action, "member.leave"):
		whom = ""
	case ev.Details["email"] != "":
		whom = ev.Details["email"]
	case whom == "":
		whom = ev.Target
	}
	if whom != "" {
		text += " " + whom
	}
	var notes []string
	for _, name := range []string{"role", "plan", "api", "amounts", "scopes", "reason", "place", "disabled", "suspended", "redirect_uris"} {
		if value := ev.Details[name]; value != "" {
			notes = append(notes, strings.ReplaceAll(name, "_", " ")+": "+value)
		}
	}
	return page.Row{Cells: []page.Cell{
		{Text: page.Upper(text), Note: strings.Join(notes, " · ")},
		{Text: whoDid(ev.Actor, names)},
		{Text: page.Ago(p.Now(), ev.At), Note: ev.At.UTC().Format("2 January 2006, 15:04 UTC")},
	}}
}

// whoDid is an actor of the audit log in words.
func whoDid(actor string, names map[string]string) string {
	kind, _, _ := strings.Cut(actor, "_")
	switch name := names[actor]; {
	case name != "":
		return name
	case kind == "user":
		return "somebody who is not in the team"
	case kind == "key":
		return "a program, with " + actor
	case actor == "leak report":
		return "somebody who reported a leak"
	case strings.HasPrefix(actor, "command "):
		return "whoever runs this server"
	}
	return actor
}
