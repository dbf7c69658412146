package developers

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// hookPage is GET /developers/{team}/webhooks/{hook}: what it is, and what became of each message.
type hookPage struct {
	page.Room
	Back    page.Link
	Address string
	What    string
	State   page.Cell
	Warn    *page.Alert
	Events  []string
	Test    *page.Act // of one that is enabled
	Acts    []page.Ask
	Edit    string
	Sent    []hookMessage
	Pager   page.Pager
	None    page.Empty
}

// hookMessage is one line of the log.
type hookMessage struct {
	ID, Kind, State, Tone, When string
	Next                        string // when it is tried again; empty: not by itself
	Payload                     string
	Tries                       []hookTry
	Again                       *page.Act
}

// hookTry is one attempt in words.
type hookTry struct{ When, Text, Answer string }

func hookDone(what string) *page.Alert {
	texts := map[string][2]string{
		"saved":    {"Saved.", "It holds from the next event on."},
		"tested":   {"A test event is on its way.", "What came of it stands below in a moment."},
		"again":    {"The message is on its way again.", "It has the same webhook-id: a receiver that remembers ids knows that it had it."},
		"disabled": {"The webhook is disabled.", "Its address is told nothing. What waited can be sent again later."},
		"enabled":  {"The webhook is enabled.", "Its address is told of what happens from now on."},
	}
	text, known := texts[what]
	if !known {
		return nil
	}
	return &page.Alert{Tone: "good", Title: text[0], Text: text[1]}
}

// hook reads a webhook of the desk's team; one of another team is not there, even if it is the asker's too.
func (p *rooms) hook(r *http.Request, d *desk) (lanyard.Webhook, error) {
	found, err := p.Manage.Webhook(r.Context(), d.Actor, r.PathValue("hook"))
	if err == nil && found.TeamID != d.Team.ID {
		err = fault.Missing("webhook", r.PathValue("hook"))
	}
	return found, err
}

// showHook is GET /developers/{team}/webhooks/{hook}.
func (p *rooms) showHook(w http.ResponseWriter, r *http.Request, d *desk) error {
	hook, err := p.hook(r, d)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	sent, err := p.Manage.WebhookDeliveries(r.Context(), d.Actor, hook.ID, manage.List{Limit: 20, Cursor: query.Get("cursor")})
	if err != nil {
		return err
	}
	here := d.path("webhooks", hook.ID)
	view := hookPage{
		Room: p.room(r, d, "webhooks", "Webhook"), Back: page.Link{Text: "All webhooks", URL: d.path("webhooks")}, Address: hook.URL, What: hook.Description, State: hookState(&hook),
		Events: hook.Events, Edit: d.path("webhooks", hook.ID, "edit"), Acts: p.hookActs(&hook, here), Warn: p.hookWarning(&hook),
		None: page.Empty{Title: "Nothing was sent yet", Text: "Whatever happens in the team from now on stands here, with what the address answered. A test event shows whether it arrives."},
	}
	if query.Get("cursor") != "" {
		view.Pager.First = here
	}
	if sent.NextCursor != "" {
		view.Pager.Next = here + "?" + url.Values{"cursor": {sent.NextCursor}}.Encode()
	}
	view.Done = hookDone(query.Get("done"))
	if !hook.Disabled {
		view.Test = &page.Act{ID: "test", URL: here + "/test", Text: "Send a test event"}
	}
	for i := range sent.Items {
		view.Sent = append(view.Sent, p.hookMessage(&hook, &sent.Items[i], here))
	}
	return p.set.Render(w, r, http.StatusOK, "webhook", view)
}

// hookWarning says what keeps messages from arriving, and who can mend it.
func (p *rooms) hookWarning(hook *lanyard.Webhook) *page.Alert {
	switch {
	case hook.DisabledReason == string(outbox.Gone):
		return &page.Alert{Tone: "bad", Title: "It is disabled.", Text: "Its address answered that it wants to hear no more (410). Enable it when that was a mistake, or delete it."}
	case hook.DisabledReason == string(outbox.Failing):
		return &page.Alert{Tone: "bad", Title: "It is disabled.", Text: "Nothing arrived for three days. Enable it once its address answers again; what was missed can be sent again below."}
	case hook.DisabledReason == string(outbox.Restored):
		return &page.Alert{Tone: "warn", Title: "It is disabled.", Text: "It came back with a backup after it was deleted. Enable it if its address is still yours, or delete it."}
	case hook.Disabled:
		return &page.Alert{Tone: "warn", Title: "It is disabled.", Text: "Its address is told nothing until somebody enables it."}
	case hook.FailingSince != nil:
		return &page.Alert{Tone: "warn", Title: "Messages do not arrive.", Text: "The first failed " + page.Ago(p.Now(), *hook.FailingSince) + ". Each is tried for about a day; what the address answers stands below."}
	}
	return nil
}

func (p *rooms) hookActs(hook *lanyard.Webhook, here string) []page.Ask {
	var acts []page.Ask
	if hook.Disabled {
		acts = append(acts, page.Ask{ID: "enable", Text: "Enable", Warn: "Its address is told of what happens from now on. What it missed stays in the log until you send it again.", Act: page.Act{URL: here + "/enable", Text: "Enable the webhook"}})
	} else {
		acts = append(acts, page.Ask{ID: "disable", Text: "Disable", Warn: "Its address is told nothing until you enable it again, and what is on its way to it is given up.", Act: page.Act{URL: here + "/disable", Text: "Disable the webhook"}})
	}
	return append(acts, page.Ask{
		ID: "rotate", Text: "Rotate the secret", Warn: "You get a new signing secret. For a day messages bear the signatures of both, so that your server can change over without missing one.",
		Act: page.Act{URL: here + "/rotate", Text: "Make a new secret", Hidden: []page.Hidden{{Name: "once", Value: p.Browser.Mark()}}},
	}, page.Ask{
		ID: "delete", Text: "Delete", Warn: "Its address is told nothing any more, its secret and its log are forgotten, and there is no way back.",
		Act: page.Act{URL: here + "/delete", Text: "Delete the webhook", Danger: true},
	})
}

func (p *rooms) hookMessage(hook *lanyard.Webhook, sent *lanyard.WebhookDelivery, here string) hookMessage {
	m := hookMessage{ID: sent.ID, Kind: sent.Type, State: sent.State, Tone: "warn", When: page.Ago(p.Now(), sent.CreatedAt), Payload: sent.Payload}
	var pretty strings.Builder
	enc := json.NewEncoder(&pretty)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if enc.Encode(json.RawMessage(sent.Payload)) == nil {
		m.Payload = strings.TrimSpace(pretty.String())
	}
	switch outbox.State(sent.State) {
	case outbox.Delivered:
		m.Tone = "good"
	case outbox.Failed:
		m.Tone = "bad"
	case outbox.Waits:
		if sent.NextAttemptAt != nil && sent.NextAttemptAt.After(p.Now()) && len(sent.Attempts) > 0 {
			m.Next = page.Ahead(p.Now(), *sent.NextAttemptAt)
		}
	}
	for _, a := range sent.Attempts {
		text := a.Error
		if text == "" {
			text = "it arrived, and was answered " + strconv.Itoa(a.Status)
		}
		m.Tries = append(m.Tries, hookTry{When: a.At.UTC().Format("2 January, 15:04:05 UTC"), Text: text + " (" + strconv.FormatInt(a.DurationMS, 10) + " ms)", Answer: a.ResponseSample})
	}
	if !hook.Disabled && outbox.State(sent.State) != outbox.Waits {
		m.Again = &page.Act{URL: here + "/deliveries/" + sent.ID, Text: "Send again"}
	}
	return m
}

// showEditHook is GET /developers/{team}/webhooks/{hook}/edit.
func (p *rooms) showEditHook(w http.ResponseWriter, r *http.Request, d *desk) error {
	hook, err := p.hook(r, d)
	if err != nil {
		return err
	}
	return p.hookForm(w, r, d, http.StatusOK, "Change the webhook", lanyard.WebhookInput{URL: hook.URL, Description: hook.Description, Events: hook.Events}, nil)
}

// saveHook is POST /developers/{team}/webhooks/{hook}/edit.
func (p *rooms) saveHook(w http.ResponseWriter, r *http.Request, d *desk) error {
	hook, err := p.hook(r, d)
	if err != nil {
		return err
	}
	typed := typedHook(r, d)
	if _, err := p.Manage.UpdateWebhook(r.Context(), d.Actor, hook.ID, lanyard.WebhookPatch{URL: &typed.URL, Description: &typed.Description, Events: &typed.Events}); err != nil {
		return p.hookWrong(w, r, d, "Change the webhook", typed, err)
	}
	return page.Redirect(w, r, d.path("webhooks", hook.ID)+"?done=saved")
}

// hookAct is an act on a webhook, after which its page says what was done.
func (p *rooms) hookAct(done string, act func(*http.Request, *desk, string) error) func(http.ResponseWriter, *http.Request, *desk) error {
	return func(w http.ResponseWriter, r *http.Request, d *desk) error {
		hook, err := p.hook(r, d)
		if err != nil {
			return err
		}
		if err := act(r, d, hook.ID); err != nil {
			return err
		}
		return page.Redirect(w, r, d.path("webhooks", hook.ID)+"?done="+done)
	}
}

// switchHook is POST /developers/{team}/webhooks/{hook}/disable and …/enable.
func (p *rooms) switchHook(off bool) func(*http.Request, *desk, string) error {
	return func(r *http.Request, d *desk, hookID string) error {
		_, err := p.Manage.UpdateWebhook(r.Context(), d.Actor, hookID, lanyard.WebhookPatch{Disabled: &off})
		return err
	}
}

// testHook is POST /developers/{team}/webhooks/{hook}/test.
func (p *rooms) testHook(r *http.Request, d *desk, hookID string) error {
	_, err := p.Manage.TestWebhook(r.Context(), d.Actor, hookID)
	return err
}

// replayHook is POST /developers/{team}/webhooks/{hook}/deliveries/{message}.
func (p *rooms) replayHook(r *http.Request, d *desk, hookID string) error {
	_, err := p.Manage.ReplayWebhook(r.Context(), d.Actor, hookID, r.PathValue("message"))
	return err
}

// rotateHook is POST /developers/{team}/webhooks/{hook}/rotate. Its answer is the one that holds the new secret.
func (p *rooms) rotateHook(w http.ResponseWriter, r *http.Request, d *desk) error {
	hook, err := p.hook(r, d)
	if err != nil {
		return err
	}
	if err := p.Browser.Once(r, d.Visit); err != nil {
		return p.hookSentBefore(w, r, d, err)
	}
	made, err := p.Manage.RotateWebhookSecret(r.Context(), d.Actor, hook.ID)
	if err != nil {
		return err
	}
	return p.showHookSecret(w, r, d, &made)
}

// deleteHook is POST /developers/{team}/webhooks/{hook}/delete.
func (p *rooms) deleteHook(w http.ResponseWriter, r *http.Request, d *desk) error {
	hook, err := p.hook(r, d)
	if err != nil {
		return err
	}
	if _, err := p.Manage.DeleteWebhook(r.Context(), d.Actor, hook.ID); err != nil {
		return err
	}
	return page.Redirect(w, r, d.path("webhooks")+"?done=deleted")
}
