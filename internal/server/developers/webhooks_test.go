package developers_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
)

var signingSecret = regexp.MustCompile(`whsec_[0-9A-Za-z+/=]{44}`)

// TestWebhookFormRefuses: what cannot be is said beside its field, what was typed stays, and nothing is made.
func TestWebhookFormRefuses(t *testing.T) {
	d := newDesk(t)
	for name, fields := range map[string]map[string]string{
		"no address":         {"url": ""},
		"plain http":         {"url": "http://app.example/hooks"},
		"an address inside":  {"url": "https://10.0.0.7/hooks"},
		"loopback":           {"url": "https://[::1]/hooks"},
		"a long description": {"url": "https://app.example/hooks", "description": strings.Repeat("x", 501)},
		"an unknown event":   {"url": "https://app.example/hooks", "event": "key.eaten"},
	} {
		p := d.sound(d.browser.Press(d.browser.Get(d.path("/webhooks/new")), "save-webhook", fields))
		if p.Status != http.StatusBadRequest || !strings.Contains(p.Body, `class="error"`) || signingSecret.MatchString(p.Text()) || !strings.Contains(p.Body, `value="`+fields["url"]+`"`) && fields["url"] != "" {
			t.Errorf("%s = %d %.300s, want the form with what is wrong", name, p.Status, p.Text())
		}
	}
	if all, err := d.node.Admin.Webhooks(t.Context(), lanyard.WebhookQuery{TeamID: d.team.ID}); err != nil || len(all.Items) != 0 {
		t.Errorf("after refusals there are %d webhooks, %v", len(all.Items), err)
	}
}

// TestWebhookPages: the secret is on the answer that makes it and never again; every act says what it did.
func TestWebhookPages(t *testing.T) {
	d := newDesk(t)
	if p := d.sound(d.browser.Get(d.path("/webhooks"))); !strings.Contains(p.Text(), "Nobody is told yet") {
		t.Errorf("the empty list says %.300s", p.Text())
	}
	form := d.sound(d.browser.Get(d.path("/webhooks/new")))
	made := d.sound(d.browser.Press(form, "save-webhook", map[string]string{"url": "https://app.example/hooks", "event": "key.revoked"}))
	first := signingSecret.FindString(made.Text())
	if made.Status != http.StatusOK || first == "" || !strings.Contains(made.Text(), "LANYARD_WEBHOOK_SECRET="+first) {
		t.Fatalf("the new webhook = %d %.400s, want its secret", made.Status, made.Text())
	}
	if again := d.browser.Press(form, "save-webhook", map[string]string{"url": "https://app.example/hooks"}); signingSecret.MatchString(again.Text()) || !strings.Contains(again.Text(), "sent already") {
		t.Errorf("the form sent again = %d %.300s", again.Status, again.Text())
	}
	all, err := d.node.Admin.Webhooks(t.Context(), lanyard.WebhookQuery{TeamID: d.team.ID})
	if err != nil || len(all.Items) != 1 || len(all.Items[0].Events) != 1 || all.Items[0].Events[0] != "key.revoked" {
		t.Fatalf("the team has %+v, %v, want one webhook for key.revoked", all.Items, err)
	}
	here := d.path("/webhooks/" + all.Items[0].ID)
	for _, path := range []string{d.path("/webhooks"), here, here + "/edit"} {
		if p := d.sound(d.browser.Get(path)); p.Status != http.StatusOK || signingSecret.MatchString(p.Text()) {
			t.Errorf("GET %s = %d, or a secret on it", path, p.Status)
		}
	}
	press := func(button, want string) {
		t.Helper()
		p := d.sound(d.browser.Press(d.browser.Get(here), button, nil))
		if p.Status != http.StatusOK || !strings.Contains(p.Text(), want) {
			t.Errorf("%s leads to %s %d %.400s, want %q", button, p.URL, p.Status, p.Text(), want)
		}
	}
	press("test", "A test event is on its way")
	if p := d.sound(d.browser.Get(here)); !strings.Contains(p.Text(), "webhook.test") {
		t.Errorf("the log lacks the test: %.600s", p.Text())
	}
	rotated := d.sound(d.browser.Press(d.browser.Get(here), "rotate-yes", nil))
	if second := signingSecret.FindString(rotated.Text()); second == "" || second == first {
		t.Errorf("rotating shows %d %.300s, want another secret", rotated.Status, rotated.Text())
	}
	press("disable-yes", "The webhook is disabled")
	press("enable-yes", "The webhook is enabled")
	edit := d.browser.Press(d.browser.Get(here+"/edit"), "save-webhook", map[string]string{"url": "https://app.example/other", "description": "pager"})
	if !strings.Contains(edit.Text(), "https://app.example/other") || !strings.Contains(edit.Text(), "Saved.") {
		t.Errorf("saving leads to %s %.300s", edit.URL, edit.Text())
	}
	press("delete-yes", "The webhook is deleted")
	if p := d.browser.Get(here); p.Status != http.StatusNotFound {
		t.Errorf("a deleted webhook = %d, want 404", p.Status)
	}
}
