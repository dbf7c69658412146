package manage

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/outbox"
)

func TestWebhookRefuses(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("x", maxDescription+1)
	w.svc.CheckFetch = func(address string) error {
		if !strings.HasPrefix(address, "https://") {
			return fault.New(fault.Invalid, "must be https")
		}
		return nil
	}
	for _, tt := range []struct {
		in    lanyard.WebhookInput
		field string
	}{
		{lanyard.WebhookInput{URL: "http://app.example"}, "url"},
		{lanyard.WebhookInput{URL: ""}, "url"},
		{lanyard.WebhookInput{URL: "https://app.example/" + strings.Repeat("a", maxWebhookURL)}, "url"},
		{lanyard.WebhookInput{URL: "https://app.example/\x00"}, "url"},
		{lanyard.WebhookInput{URL: "https://app.example", Description: long}, "description"},
		{lanyard.WebhookInput{URL: "https://app.example", Events: []string{"key.created", "key.eaten"}}, "events[1]"},
		{lanyard.WebhookInput{URL: "https://app.example", Events: []string{"webhook.test"}}, "events[0]"},
		{lanyard.WebhookInput{URL: "https://app.example", Events: make([]string, maxEvents+1)}, "events"},
	} {
		tt.in.TeamID = w.a.team
		_, err := w.svc.CreateWebhook(t.Context(), w.admin, tt.in)
		wantFault(t, "CreateWebhook of "+tt.field, err, fault.Invalid, tt.field)
		_, err = w.svc.UpdateWebhook(t.Context(), w.admin, w.a.hook, lanyard.WebhookPatch{URL: &tt.in.URL, Description: &tt.in.Description, Events: &tt.in.Events})
		wantFault(t, "UpdateWebhook of "+tt.field, err, fault.Invalid, tt.field)
	}
	for n := 1; n < maxWebhooks; n++ {
		if _, err := w.svc.CreateWebhook(t.Context(), w.admin, lanyard.WebhookInput{TeamID: w.a.team, URL: "https://app.example"}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.svc.CreateWebhook(t.Context(), w.admin, lanyard.WebhookInput{TeamID: w.a.team, URL: "https://app.example"})
	wantFault(t, "one webhook too many", err, fault.Conflict, "")
	if _, err := w.svc.TestWebhook(t.Context(), w.admin, w.a.hook); err != nil {
		t.Fatal(err)
	}
	_, err = w.svc.TestWebhook(t.Context(), w.admin, w.a.hook)
	wantFault(t, "TestWebhook while a test event waits", err, fault.Conflict, "")
	off := true
	if _, err := w.svc.UpdateWebhook(t.Context(), w.admin, w.a.hook, lanyard.WebhookPatch{Disabled: &off}); err != nil {
		t.Fatal(err)
	}
	_, err = w.svc.TestWebhook(t.Context(), w.admin, w.a.hook)
	wantFault(t, "TestWebhook of one disabled", err, fault.Conflict, "")
	_, err = w.svc.ReplayWebhook(t.Context(), w.admin, w.a.hook, w.a.message)
	wantFault(t, "ReplayWebhook of one disabled", err, fault.Conflict, "")
	// Another endpoint's message is not there.
	_, err = w.svc.ReplayWebhook(t.Context(), w.admin, w.b.hook, w.a.message)
	wantFault(t, "ReplayWebhook of another's message", err, fault.NotFound, "")
}

// The signing secret is in the answer that makes it, sealed in its row, and nowhere else.
func TestWebhookSecret(t *testing.T) {
	w := newWorld(t)
	made, err := w.svc.CreateWebhook(t.Context(), w.admin, lanyard.WebhookInput{TeamID: w.a.team, URL: "https://app.example/hooks", Description: "pager"})
	if err != nil || !strings.HasPrefix(made.Secret, "whsec_") {
		t.Fatalf("CreateWebhook = %v", err)
	}
	rotated, err := w.svc.RotateWebhookSecret(t.Context(), w.admin, made.ID)
	if err != nil || rotated.Secret == made.Secret || rotated.OldSecretUntil == nil {
		t.Fatalf("RotateWebhookSecret = %+v, %v", rotated.Webhook, err)
	}
	e, err := w.store.Webhook(t.Context(), w.admin.Reach, id.Webhook(made.ID))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := w.svc.OpenSecrets(e.ID, e.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	if current, former := outbox.SplitSecrets(opened, w.clock.now()); current.Reveal() != rotated.Secret || len(former) != 1 || former[0].Secret.Reveal() != made.Secret {
		t.Error("the row does not hold the new secret and the former")
	}
	if _, err := w.svc.OpenSecrets(id.Webhook(w.a.hook), e.Secrets); err == nil {
		t.Error("the secrets open in another's row")
	}
	for _, ev := range []string{w.lastEvent().Action, w.lastEvent().Details["url"]} {
		if strings.Contains(ev, "whsec") {
			t.Errorf("the audit log holds a secret: %s", ev)
		}
	}
	w.clock.advance(25 * time.Hour)
	if shown, err := w.svc.Webhook(t.Context(), w.admin, made.ID); err != nil || shown.OldSecretUntil != nil || shown.Description != "pager" {
		t.Errorf("Webhook after a day = %+v, %v, want the former secret gone", shown, err)
	}
}

// However often a secret is rotated, each former one signs until its day ends: a receiver that still has it misses nothing.
func TestWebhookRotations(t *testing.T) {
	w := newWorld(t)
	made, err := w.svc.CreateWebhook(t.Context(), w.admin, lanyard.WebhookInput{TeamID: w.a.team, URL: "https://app.example/hooks"})
	if err != nil {
		t.Fatal(err)
	}
	all := []string{made.Secret}
	signing := func() (texts []string) {
		t.Helper()
		e, err := w.store.Webhook(t.Context(), w.admin.Reach, id.Webhook(made.ID))
		if err != nil {
			t.Fatal(err)
		}
		opened, err := w.svc.OpenSecrets(e.ID, e.Secrets)
		if err != nil {
			t.Fatal(err)
		}
		current, former := outbox.SplitSecrets(opened, w.clock.now())
		texts = []string{current.Reveal()}
		for _, f := range former {
			texts = append(texts, f.Secret.Reveal())
		}
		return texts
	}
	for range maxFormer {
		rotated, err := w.svc.RotateWebhookSecret(t.Context(), w.admin, made.ID)
		if err != nil {
			t.Fatal(err)
		}
		if all = slices.Insert(all, 0, rotated.Secret); !slices.Equal(signing(), all) {
			t.Fatalf("%d secrets sign after %d rotations, want all of them, newest first", len(signing()), len(all)-1)
		}
		w.clock.advance(time.Hour)
	}
	_, err = w.svc.RotateWebhookSecret(t.Context(), w.admin, made.ID)
	wantFault(t, "one rotation too many", err, fault.Conflict, "")
	w.clock.advance(oldSecretSigns - maxFormer*time.Hour)
	if !slices.Equal(signing(), all[:maxFormer]) {
		t.Errorf("%d secrets sign when the first one's day has ended, want %d", len(signing()), maxFormer)
	}
	if _, err := w.svc.RotateWebhookSecret(t.Context(), w.admin, made.ID); err != nil {
		t.Errorf("RotateWebhookSecret after that = %v", err)
	}
}

// Owners whose accounts work are written to, and nobody else.
func TestWarnWebhook(t *testing.T) {
	w := newWorld(t)
	e, err := w.store.Webhook(t.Context(), w.admin.Reach, id.Webhook(w.a.hook))
	if err != nil {
		t.Fatal(err)
	}
	mails, err := w.svc.WarnWebhook(t.Context(), e, outbox.Gone)
	if err != nil || len(mails) != 1 {
		t.Fatalf("WarnWebhook = %d mails, %v, want one to the owner", len(mails), err)
	}
	if m := w.lastMail("webhook_disabled"); m.to != w.a.email || !strings.Contains(m.link, w.a.team+"/webhooks/"+w.a.hook) {
		t.Errorf("the mail goes to %s with %s", m.to, m.link)
	}
	off := true
	if _, err := w.svc.UpdateUser(t.Context(), w.admin, w.a.owner, lanyard.UserPatch{Disabled: &off}); err != nil {
		t.Fatal(err)
	}
	if mails, err := w.svc.WarnWebhook(t.Context(), e, outbox.Failing); err != nil || len(mails) != 0 {
		t.Errorf("WarnWebhook of a disabled owner = %d mails, %v, want none", len(mails), err)
	}
}

// webhookRows are the rows of the matrix about webhooks and leaks.
func webhookRows() map[string]row {
	described := "described"
	errOnly := func(_ any, err error) error { return err }
	return map[string]row{
		"CreateWebhook": {want: ofDevelopers, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.CreateWebhook(ctx, as, lanyard.WebhookInput{TeamID: of.team, URL: "https://app.example/hooks"}))
		}},
		"Webhook": {want: ofDevelopers, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.Webhook(ctx, as, of.hook))
		}},
		"Webhooks": {want: ofDevelopers, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.Webhooks(ctx, as, of.team, List{}))
		}},
		"UpdateWebhook": {want: ofDevelopers, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.UpdateWebhook(ctx, as, of.hook, lanyard.WebhookPatch{Description: &described}))
		}},
		"DeleteWebhook": {want: ofDevelopers, ids: true, renew: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.DeleteWebhook(ctx, as, of.hook))
		}},
		"RotateWebhookSecret": {want: ofDevelopers, ids: true, renew: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.RotateWebhookSecret(ctx, as, of.hook))
		}},
		"WebhookDeliveries": {want: ofDevelopers, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.WebhookDeliveries(ctx, as, of.hook, List{}))
		}},
		"ReplayWebhook": {want: ofDevelopers, ids: true, renew: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.ReplayWebhook(ctx, as, of.hook, of.message))
		}},
		"TestWebhook": {want: ofDevelopers, ids: true, renew: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.TestWebhook(ctx, as, of.hook))
		}},
		"Leaks": {want: ofDevelopers, ids: true, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.Leaks(ctx, as, of.team, List{}))
		}},
		"MyLeaks": {want: inPersonOnly, call: func(ctx context.Context, s *Service, as audit.Actor, _ side) error {
			return errOnly(s.MyLeaks(ctx, as))
		}},
		"CheckLeaks": {want: ofEveryone, call: func(ctx context.Context, s *Service, as audit.Actor, of side) error {
			return errOnly(s.CheckLeaks(ctx, as, []string{of.key}))
		}},
	}
}
