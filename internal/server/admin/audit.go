package admin

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// auditPage is GET /admin/audit: fields action, target, actor, from, to.
type auditPage struct {
	page.Room
	Fields   []page.Field
	Narrowed bool
	Table    page.Table
	Pager    page.Pager
	Hidden   []page.Hidden
	Exports  []page.Link
}

// audit is GET /admin/audit.
func (p *rooms) audit(w http.ResponseWriter, r *http.Request, d *desk) error {
	query := r.URL.Query()
	l := page.NewList("/admin/audit", query, "", "-at")
	view := auditPage{Room: p.room(r, d, l.Path, "Audit log"), Hidden: l.Search.Hidden}
	search, err := auditSearch(query)
	errs := page.Errs{}
	if err != nil {
		if errs, err = wrong(err, nil, "from", "to"); err != nil {
			return err
		}
	}
	view.Fields = auditFields(query, errs)
	for _, f := range view.Fields {
		view.Narrowed = view.Narrowed || f.Value != ""
	}
	view.Table = page.Table{
		Caption: "Audit log", Heads: []page.Head{{Text: "What"}, {Text: "Who"}, l.Head("When", "at")},
		Empty: page.Empty{Title: "Nothing matches", Text: "Every change by a person, a key or a command leaves a line here, in the step that makes it.", Link: page.Link{Text: "Clear the search", URL: l.Path}},
	}
	if len(errs) > 0 {
		return p.set.Render(w, r, http.StatusBadRequest, "audit", view)
	}
	found, err := p.Manage.SearchAudit(r.Context(), d.Actor, search, manage.List{Limit: perPage, Cursor: l.Cursor, Oldest: !l.Down})
	if err != nil {
		return err
	}
	known := p.names(d)
	for _, ev := range found.Items {
		row, err := p.auditRow(r.Context(), known, ev)
		if err != nil {
			return err
		}
		view.Table.Rows = append(view.Table.Rows, row)
	}
	view.Pager = l.Pager(page.Pages{Next: found.NextCursor})
	query.Del("cursor")
	for _, format := range []struct{ name, text string }{{"csv", "Export as CSV"}, {"jsonl", "Export as JSON lines"}} {
		query.Set("format", format.name)
		view.Exports = append(view.Exports, page.Link{Text: format.text, URL: "/admin/audit/export?" + query.Encode()})
	}
	return p.set.Render(w, r, http.StatusOK, "audit", view)
}

func auditFields(query url.Values, errs page.Errs) []page.Field {
	made := []page.Field{
		{ID: "action", Label: "Act", Hint: "Such as key.revoke"},
		{ID: "target", Label: "Upon", Hint: "An id or a name"},
		{ID: "actor", Label: "By", Hint: "user_…, key_… or a command"},
		{ID: "from", Label: "From", Type: "date", Hint: "The day it begins (UTC)"},
		{ID: "to", Label: "Until", Type: "date", Hint: "The last day (UTC)"},
	}
	for i := range made {
		f := &made[i]
		f.Value, f.Optional, f.Complete, f.Error, f.Max = query.Get(f.ID), true, "off", errs[f.ID], 200
	}
	return made
}

// auditSearch reads what the address asks for.
func auditSearch(query url.Values) (manage.AuditSearch, error) {
	out := manage.AuditSearch{Action: strings.TrimSpace(query.Get("action")), Target: strings.TrimSpace(query.Get("target")), Actor: strings.TrimSpace(query.Get("actor"))}
	for name, into := range map[string]*time.Time{"from": &out.From, "to": &out.To} {
		text := query.Get(name)
		if text == "" {
			continue
		}
		day, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return out, fault.Field(name, "is a day, like 2026-12-31")
		}
		*into = day
	}
	if !out.To.IsZero() {
		out.To = out.To.AddDate(0, 0, 1)
	}
	return out, nil
}

// auditRow says in a sentence what a line means, with the line itself beside it.
func (p *rooms) auditRow(ctx context.Context, known *names, ev lanyard.AuditEvent) (page.Row, error) {
	who, err := known.of(ctx, ev.Actor)
	if err != nil {
		return page.Row{}, err
	}
	upon, err := known.of(ctx, ev.Target)
	if err != nil {
		return page.Row{}, err
	}
	what := sentence(ev.Action, upon)
	row := page.Row{Cells: []page.Cell{{Text: what, Note: kept(ev)}, {Text: who}, {Text: page.Ago(p.Now(), ev.At), Note: moment(ev.At)}}}
	if who != ev.Actor {
		row.Cells[1].Note = ev.Actor
	}
	return row, nil
}

// kept is a line as the log keeps it, as far as there is room; an export has all of it.
func kept(ev lanyard.AuditEvent) string {
	const room = 240
	parts := []string{ev.Action + " " + ev.Target}
	for _, name := range slices.Sorted(maps.Keys(ev.Details)) {
		parts = append(parts, name+": "+ev.Details[name])
	}
	text := []rune(strings.Join(parts, " · "))
	if len(text) > room {
		text = append(text[:room], '…')
	}
	return string(text)
}

// verbs are the acts of audit lines as they are told.
var verbs = map[string]string{ // #nosec G101 -- words of sentences, not secrets
	"alerts": "given other amounts to be told of",
	"create": "made", "update": "changed", "delete": "deleted", "put": "declared", "apply": "applied", "revoke": "revoked", "finalize": "made final", "rotate": "rotated", "undo_rotation": "given its old secret back",
	"disable": "disabled", "enable": "enabled", "import": "imported", "set": "set", "remove": "removed", "end": "ended", "set_password": "given a new password", "verify": "shown to own the mail address",
	"login_by_link": "signed in by a link", "leak": "found in the open", "join": "taken in", "leave": "taken out at their own wish", "reuse": "ended: a used token came back", "ahead": "ended: a token came that was never given out",
	"document": "described anew", "restore": "restored", "use": "used", "rotate_secret": "given a new secret", "replay": "told again", "retry": "sent again", "dismiss": "dismissed", "test": "tried", "answer": "answered",
	"end_others": "ended in other browsers", "end_all": "ended in every browser", "allow": "allowed", "approve": "approved", "deny": "refused", "register": "registered",
}

// sentence tells an act: "The key production was revoked."
func sentence(action, target string) string {
	noun, verb, _ := strings.Cut(action, ".")
	told, known := verbs[verb]
	if !known {
		told = strings.ReplaceAll(verb, "_", " ")
	}
	noun = strings.ReplaceAll(noun, "_", " ")
	if noun == "api" {
		noun = "API"
	}
	if target == noun {
		return "The " + noun + " was " + told + "."
	}
	return "The " + noun + " " + cmp.Or(target, "of the server") + " was " + told + "."
}
