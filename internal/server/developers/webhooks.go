package developers

import (
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// hooksPage is GET /developers/{team}/webhooks: who is told what happens in the team.
type hooksPage struct {
	page.Room
	New   string
	Table page.Table
}

// showHooks is GET /developers/{team}/webhooks. A team has so few that they stand on one page.
func (p *rooms) showHooks(w http.ResponseWriter, r *http.Request, d *desk) error {
	found, err := p.Manage.Webhooks(r.Context(), d.Actor, d.Team.ID, manage.List{Limit: 200})
	if err != nil {
		return err
	}
	view := hooksPage{
		Room: p.room(r, d, "webhooks", "Webhooks"), New: d.path("webhooks", "new"),
		Table: page.Table{
			Caption: "Addresses that are told what happens in the team", Heads: []page.Head{{Text: "Address"}, {Text: "Is told of"}, {Text: "State"}, {Text: "Made"}},
			Empty: page.Empty{
				Title: "Nobody is told yet", Text: "A webhook tells your own server, the moment it happens, that a key was made or revoked, or that somebody joined the team.",
				Link: page.Link{Text: "Add a webhook", URL: d.path("webhooks", "new")},
			},
		},
	}
	for i := range found.Items {
		hook := &found.Items[i]
		view.Table.Rows = append(view.Table.Rows, page.Row{URL: d.path("webhooks", hook.ID), Cells: []page.Cell{
			{Text: hook.URL, Note: hook.Description}, {Text: toldOf(hook.Events)}, hookState(hook), {Text: page.Ago(p.Now(), hook.CreatedAt)},
		}})
	}
	switch r.URL.Query().Get("done") {
	case "deleted":
		view.Done = &page.Alert{Tone: "good", Title: "The webhook is deleted.", Text: "Its address is told nothing any more."}
	case "before":
		view.Done = &page.Alert{Tone: "warn", Title: "That form was sent already.", Text: "What it made stands below. A secret is shown once: if you did not copy it, rotate it."}
	}
	return p.set.Render(w, r, http.StatusOK, "webhooks", view)
}

// toldOf is what a webhook is told of, in few words.
func toldOf(events []string) string {
	switch len(events) {
	case 0:
		return "everything"
	case 1, 2:
		return strings.Join(events, ", ")
	}
	return page.Count(int64(len(events))) + " kinds of events"
}

func hookState(hook *lanyard.Webhook) page.Cell {
	switch {
	case hook.DisabledReason == string(outbox.Gone):
		return page.Cell{Text: "wants no more", Pill: "bad"}
	case hook.DisabledReason == string(outbox.Failing):
		return page.Cell{Text: "stopped", Pill: "bad"}
	case hook.Disabled:
		return page.Cell{Text: "disabled", Pill: "warn"}
	case hook.FailingSince != nil:
		return page.Cell{Text: "failing", Pill: "warn"}
	}
	return page.Cell{Text: "works", Pill: "good"}
}

// hookFormPage is GET and POST /developers/{team}/webhooks/new and …/{hook}/edit: fields url, description, event, button save-webhook.
type hookFormPage struct {
	page.Room
	Title  string
	To     string
	Back   page.Link
	Fields []page.Field
	Boxes  []page.Box
	Errors page.Errs
	Once   string // of a form that makes a secret
	Save   string
}

// hookForm shows the form with what was typed into it, or as the webhook is.
func (p *rooms) hookForm(w http.ResponseWriter, r *http.Request, d *desk, status int, title string, now lanyard.WebhookInput, wrong page.Errs) error {
	view := hookFormPage{
		Room: p.room(r, d, "webhooks", title), Title: title, Errors: wrong, To: r.URL.Path, Save: "Save",
		Fields: []page.Field{
			{ID: "url", Label: "Address", Value: now.URL, Mode: "url", Max: 500, Complete: "off", Error: wrong["url"], Hint: "Where your server listens, by https and from the internet: https://app.example/hooks"},
			{ID: "description", Label: "What it is for", Value: now.Description, Max: 500, Optional: true, Complete: "off", Error: wrong["description"]},
		},
		Back: page.Link{Text: "All webhooks", URL: d.path("webhooks")},
	}
	if r.PathValue("hook") == "" {
		view.Save, view.Once = "Add the webhook", p.Browser.Mark()
	} else {
		view.Back = page.Link{Text: "Back to the webhook", URL: d.path("webhooks", r.PathValue("hook"))}
	}
	for _, e := range outbox.Events() {
		view.Boxes = append(view.Boxes, page.Box{
			ID: "event-" + string(e.Kind), Name: "event", Value: string(e.Kind), Text: e.Text, Note: string(e.Kind), Ticked: slices.Contains(now.Events, string(e.Kind)),
		})
	}
	return p.set.Render(w, r, status, "webhook-form", view)
}

func typedHook(r *http.Request, d *desk) lanyard.WebhookInput {
	return lanyard.WebhookInput{TeamID: d.Team.ID, URL: strings.TrimSpace(r.PostForm.Get("url")), Description: r.PostForm.Get("description"), Events: r.PostForm["event"]}
}

// showNewHook is GET /developers/{team}/webhooks/new.
func (p *rooms) showNewHook(w http.ResponseWriter, r *http.Request, d *desk) error {
	if !d.May(audit.RoleDeveloper) {
		return fault.Missing("page", "webhooks/new")
	}
	return p.hookForm(w, r, d, http.StatusOK, "Add a webhook", lanyard.WebhookInput{}, nil)
}

// makeHook is POST /developers/{team}/webhooks/new. Its answer is the one that holds the signing secret.
func (p *rooms) makeHook(w http.ResponseWriter, r *http.Request, d *desk) error {
	typed := typedHook(r, d)
	if err := p.Browser.Once(r, d.Visit); err != nil {
		return p.hookSentBefore(w, r, d, err)
	}
	made, err := p.Manage.CreateWebhook(r.Context(), d.Actor, typed)
	if err != nil {
		return p.hookWrong(w, r, d, "Add a webhook", typed, err)
	}
	return p.showHookSecret(w, r, d, &made)
}

func (p *rooms) hookWrong(w http.ResponseWriter, r *http.Request, d *desk, title string, typed lanyard.WebhookInput, err error) error {
	wrong, err := page.Beside(err, map[string]string{"url": "url", "description": "description", "events": "event"})
	if err != nil {
		return err
	}
	return p.hookForm(w, r, d, http.StatusBadRequest, title, typed, wrong)
}

// hookSentBefore leads on from a form that was sent already. Any other fault comes back.
func (p *rooms) hookSentBefore(w http.ResponseWriter, r *http.Request, d *desk, err error) error {
	if !fault.Is(err, fault.Conflict) {
		return err
	}
	return page.Redirect(w, r, d.path("webhooks")+"?done=before")
}

// hookSecretPage shows a signing secret, once.
type hookSecretPage struct {
	page.Room
	Address string
	Secret  page.Secret
	Rotated bool
	Back    string
}

func (p *rooms) showHookSecret(w http.ResponseWriter, r *http.Request, d *desk, made *lanyard.NewWebhook) error {
	return p.set.Render(w, r, http.StatusOK, "webhook-secret", hookSecretPage{
		Room: p.room(r, d, "webhooks", "Here is the signing secret"), Address: made.URL, Rotated: made.OldSecretUntil != nil, Back: d.path("webhooks", made.ID),
		Secret: page.Secret{ID: "secret", Label: "The signing secret", Value: secret.Of(made.Secret), Env: "LANYARD_WEBHOOK_SECRET"},
	})
}
