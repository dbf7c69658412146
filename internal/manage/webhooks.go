package manage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

const (
	maxWebhooks    = 20 // of a team
	maxWebhookURL  = 500
	maxEvents      = 100
	maxFormer      = 3   // secrets of a webhook that sign beside the current one
	oldSecretSigns = day // how long they do, after a rotation
)

// CreateWebhook makes an address that a team is told of its events at. The signing secret is in the answer and nowhere else. It
// needs lanyard.apps.write.
func (s *Service) CreateWebhook(ctx context.Context, actor audit.Actor, in lanyard.WebhookInput) (lanyard.NewWebhook, error) {
	none := lanyard.NewWebhook{}
	reach, err := s.may(actor, appsWrite)
	if err != nil {
		return none, err
	}
	owner, err := s.teamFor(ctx, actor, reach, in.TeamID)
	if err != nil {
		return none, err
	}
	newID, err := id.NewFrom[id.Webhook](s.random())
	if err != nil {
		return none, err
	}
	e := &outbox.Endpoint{ID: newID, Team: owner, CreatedAt: s.now()}
	if err := s.describe(e, &in.URL, &in.Description, &in.Events); err != nil {
		return none, err
	}
	made, err := s.newWebhookSecret(e)
	if err != nil {
		return none, err
	}
	ev := actor.New(e.CreatedAt, "webhook.create", string(e.ID), owner, said(details{"url": e.URL, "events": kindsText(e.Events)}))
	if err := s.WebhookStore.CreateWebhook(ctx, e, maxWebhooks, ev); err != nil {
		return none, err
	}
	return lanyard.NewWebhook{ID: string(e.ID), Secret: made.Reveal(), Webhook: s.wireWebhook(e)}, nil
}

// describe gives an endpoint what a form or a body says of it; what is nil stays.
func (s *Service) describe(e *outbox.Endpoint, address, description *string, events *[]string) error {
	if address != nil {
		if err := s.checkWebhookURL(*address); err != nil {
			return err
		}
		e.URL = *address
	}
	if description != nil {
		if err := checkText("description", *description, maxDescription); err != nil {
			return err
		}
		e.Description = *description
	}
	if events == nil {
		return nil
	}
	if err := checkCount("events", len(*events), maxEvents); err != nil {
		return err
	}
	e.Events = nil
	for i, name := range *events {
		if !slices.ContainsFunc(outbox.Events(), func(known outbox.Event) bool { return string(known.Kind) == name }) {
			return fault.Field(fmt.Sprintf("events[%d]", i), "there is no event %.60q", secret.Redact(name))
		}
		if kind := outbox.Kind(name); !slices.Contains(e.Events, kind) {
			e.Events = append(e.Events, kind)
		}
	}
	return nil
}

// checkWebhookURL refuses what is never called. Where the name leads is looked at again each time it is called.
func (s *Service) checkWebhookURL(address string) error {
	if address == "" || len(address) > maxWebhookURL {
		return fault.Field("url", "must have 1 to %d characters", maxWebhookURL)
	}
	if err := checkText("url", address, maxWebhookURL); err != nil {
		return err
	}
	if s.CheckFetch == nil {
		return nil
	}
	return under("url", s.CheckFetch(address))
}

// newWebhookSecret gives an endpoint a new secret, beside the former that still sign.
func (s *Service) newWebhookSecret(e *outbox.Endpoint, former ...outbox.Former) (secret.Secret, error) {
	made, err := outbox.NewSecret(s.random())
	if err != nil {
		return secret.Secret{}, err
	}
	if e.Secrets, err = s.SealSecrets(e.ID, outbox.JoinSecrets(made, former...)); err != nil {
		return secret.Secret{}, fmt.Errorf("seal the signing secret of %s: %w", e.ID, err)
	}
	return made, nil
}

// Webhook shows a webhook, without its secret. It needs lanyard.apps.read.
func (s *Service) Webhook(ctx context.Context, actor audit.Actor, hookID string) (lanyard.Webhook, error) {
	reach, err := s.may(actor, appsRead)
	if err != nil {
		return lanyard.Webhook{}, err
	}
	parsed, err := parseID[id.Webhook]("webhook", hookID)
	if err != nil {
		return lanyard.Webhook{}, err
	}
	e, err := s.WebhookStore.Webhook(ctx, reach, parsed)
	if err != nil {
		return lanyard.Webhook{}, err
	}
	return s.wireWebhook(e), nil
}

// Webhooks lists the webhooks within reach, newest first; teamID narrows the list unless "". It needs lanyard.apps.read.
func (s *Service) Webhooks(ctx context.Context, actor audit.Actor, teamID string, list List) (lanyard.Page[lanyard.Webhook], error) {
	none := lanyard.Page[lanyard.Webhook]{}
	reach, err := s.may(actor, appsRead)
	if err != nil {
		return none, err
	}
	filter := outbox.WebhookFilter{}
	if filter.Team, err = s.teamFilter(ctx, reach, teamID); err != nil {
		return none, err
	}
	return readPage(s, list, lister[*outbox.Endpoint, lanyard.Webhook]{
		name: "webhooks", filters: []string{teamID},
		fetch: func(before time.Time, beforeID string, limit int) ([]*outbox.Endpoint, error) {
			filter.Before, filter.BeforeID, filter.Limit = before, beforeID, limit
			return s.WebhookStore.Webhooks(ctx, reach, filter)
		},
		place: func(e *outbox.Endpoint) (time.Time, string) { return e.CreatedAt, string(e.ID) },
		wire:  s.wireWebhook,
	})
}

// UpdateWebhook changes what the patch names. It needs lanyard.apps.write.
func (s *Service) UpdateWebhook(ctx context.Context, actor audit.Actor, hookID string, patch lanyard.WebhookPatch) (lanyard.Webhook, error) {
	now := s.now()
	d := details{}
	if patch.URL != nil {
		d["url"] = *patch.URL
	}
	if patch.Events != nil {
		d["events"] = listText(*patch.Events)
	}
	if patch.Disabled != nil {
		d["disabled"] = boolText(*patch.Disabled)
	}
	e, err := s.alterWebhook(ctx, actor, hookID, "webhook.update", said(d), func(e *outbox.Endpoint) error {
		if err := s.describe(e, patch.URL, patch.Description, patch.Events); err != nil || patch.Disabled == nil {
			return err
		}
		switch {
		case !*patch.Disabled:
			e.DisabledAt, e.Stopped, e.FailingSince = time.Time{}, "", time.Time{}
		case e.DisabledAt.IsZero():
			e.DisabledAt, e.Stopped = now, outbox.ByHand
		}
		return nil
	})
	if err != nil {
		return lanyard.Webhook{}, err
	}
	return s.wireWebhook(e), nil
}

// DeleteWebhook forgets a webhook with its secret; what waits for it is given up. It needs lanyard.apps.write.
func (s *Service) DeleteWebhook(ctx context.Context, actor audit.Actor, hookID string) (lanyard.Webhook, error) {
	now := s.now()
	d := details{}
	e, err := s.alterWebhook(ctx, actor, hookID, "webhook.delete", d, func(e *outbox.Endpoint) error {
		d["url"] = e.URL
		e.DeletedAt, e.Secrets, e.OldUntil = now, []byte{}, time.Time{}
		return nil
	})
	if err != nil {
		return lanyard.Webhook{}, err
	}
	return s.wireWebhook(e), nil
}

// RotateWebhookSecret gives a webhook a new signing secret. For a day messages bear the signature of the former too.
// fault.Conflict: there are three former ones whose day has not ended. It needs lanyard.apps.write.
func (s *Service) RotateWebhookSecret(ctx context.Context, actor audit.Actor, hookID string) (lanyard.NewWebhook, error) {
	now := s.now()
	var made secret.Secret
	e, err := s.alterWebhook(ctx, actor, hookID, "webhook.rotate_secret", details{}, func(e *outbox.Endpoint) error {
		opened, err := s.OpenSecrets(e.ID, e.Secrets)
		if err != nil {
			return fault.Down(err, "this server has not read its newest keys yet; try again in a moment")
		}
		current, former := outbox.SplitSecrets(opened, now)
		if len(former) >= maxFormer {
			return &fault.Error{Kind: fault.Conflict, ID: hookID, Detail: fmt.Sprintf("the secret was rotated %d times within a day, and all the former ones still sign: rotate it after %s",
				len(former), former[len(former)-1].Until.UTC().Format(time.RFC3339))}
		}
		e.OldUntil = now.Add(oldSecretSigns)
		made, err = s.newWebhookSecret(e, slices.Insert(former, 0, outbox.Former{Secret: current, Until: e.OldUntil})...)
		return err
	})
	if err != nil {
		return lanyard.NewWebhook{}, err
	}
	return lanyard.NewWebhook{ID: string(e.ID), Secret: made.Reveal(), Webhook: s.wireWebhook(e)}, nil
}

// alterWebhook is the common course of the acts on a webhook. alter may add to the details: the event is written after it.
func (s *Service) alterWebhook(ctx context.Context, actor audit.Actor, hookID, action string, d details, alter func(*outbox.Endpoint) error) (*outbox.Endpoint, error) {
	reach, err := s.may(actor, appsWrite)
	if err != nil {
		return nil, err
	}
	parsed, err := parseID[id.Webhook]("webhook", hookID)
	if err != nil {
		return nil, err
	}
	return s.WebhookStore.UpdateWebhook(ctx, reach, parsed, actor.New(s.now(), action, string(parsed), "", d), alter)
}

// WebhookDeliveries lists what was to be told to a webhook, newest first, with every attempt. It needs lanyard.apps.read.
func (s *Service) WebhookDeliveries(ctx context.Context, actor audit.Actor, hookID string, list List) (lanyard.Page[lanyard.WebhookDelivery], error) {
	none := lanyard.Page[lanyard.WebhookDelivery]{}
	reach, err := s.may(actor, appsRead)
	if err != nil {
		return none, err
	}
	parsed, err := parseID[id.Webhook]("webhook", hookID)
	if err != nil {
		return none, err
	}
	return readPage(s, list, lister[*outbox.Delivery, lanyard.WebhookDelivery]{
		name: "deliveries", filters: []string{hookID},
		fetch: func(before time.Time, beforeID string, limit int) ([]*outbox.Delivery, error) {
			return s.WebhookStore.Deliveries(ctx, reach, parsed, before, beforeID, limit)
		},
		place: func(d *outbox.Delivery) (time.Time, string) { return d.CreatedAt, string(d.ID) },
		wire:  wireDelivery,
	})
}

// ReplayWebhook sends a message to a webhook again, under the same id. It needs lanyard.apps.write.
func (s *Service) ReplayWebhook(ctx context.Context, actor audit.Actor, hookID, messageID string) (lanyard.WebhookDelivery, error) {
	none := lanyard.WebhookDelivery{}
	reach, err := s.may(actor, appsWrite)
	if err != nil {
		return none, err
	}
	hook, err := parseID[id.Webhook]("webhook", hookID)
	if err != nil {
		return none, err
	}
	message, err := parseID[id.Message]("delivery", messageID)
	if err != nil {
		return none, err
	}
	d, err := s.WebhookStore.SendAgain(ctx, reach, hook, message, actor.New(s.now(), "webhook.replay", string(hook), "", details{"message": messageID}))
	if err != nil {
		return none, err
	}
	return wireDelivery(d), nil
}

// TestWebhook sends a webhook a message of the type webhook.test. It needs lanyard.apps.write.
func (s *Service) TestWebhook(ctx context.Context, actor audit.Actor, hookID string) (lanyard.WebhookDelivery, error) {
	none := lanyard.WebhookDelivery{}
	reach, err := s.may(actor, appsWrite)
	if err != nil {
		return none, err
	}
	hook, err := parseID[id.Webhook]("webhook", hookID)
	if err != nil {
		return none, err
	}
	e, err := s.WebhookStore.Webhook(ctx, reach, hook)
	if err != nil {
		return none, err
	}
	ev := actor.New(s.now(), "webhook.test", string(hook), e.Team, nil)
	m, err := outbox.OfAct(ev, outbox.Ping)
	if err != nil {
		return none, err
	}
	d := &outbox.Delivery{ID: m.ID, Webhook: hook, Kind: m.Kind, State: outbox.Waits, NextAt: ev.At, CreatedAt: ev.At}
	if d.Payload, err = m.Payload(); err != nil {
		return none, err
	}
	if err := s.WebhookStore.SendWebhook(ctx, reach, d, ev); err != nil {
		return none, err
	}
	return wireDelivery(d), nil
}

// WarnWebhook writes to the owners of a webhook's team that it is disabled. Without a mail server nobody is written to.
func (s *Service) WarnWebhook(ctx context.Context, e *outbox.Endpoint, why outbox.Stop) ([]outbox.Mail, error) {
	return s.toOwners(ctx, e.Team, "webhook_disabled", "/webhooks/"+string(e.ID), details{"url": e.URL, "why": string(why)})
}

// maxOwners is how many of a team's people are looked through for those who are written to.
const maxOwners = 200

// toOwners writes a mail to every owner of a team whose account works, with a link to a page of the team's.
func (s *Service) toOwners(ctx context.Context, teamID id.Team, kind, where string, data map[string]string) ([]outbox.Mail, error) {
	return s.toRoles(ctx, teamID, kind, where, data, audit.RoleOwner)
}

// toRoles writes to everybody who has one of the roles.
func (s *Service) toRoles(ctx context.Context, teamID id.Team, kind, where string, data map[string]string, roles ...audit.Role) ([]outbox.Mail, error) {
	people, err := s.TeamStore.Colleagues(ctx, audit.ServerReach(), teamID, maxOwners)
	if err != nil {
		return nil, err
	}
	owned, err := s.TeamStore.Team(ctx, audit.ServerReach(), teamID)
	if err != nil {
		return nil, err
	}
	data["team"] = owned.Name
	var all []outbox.Mail
	for _, c := range people {
		if !slices.Contains(roles, c.Role) || c.Disabled || s.Letters == nil {
			continue
		}
		letter, err := s.Letters(kind, c.Email, c.Name, s.PublicURL+deskPath(teamID)+where, data)
		if err != nil {
			return nil, fmt.Errorf("write a mail of kind %s: %w", kind, err)
		}
		if letter != nil {
			all = append(all, outbox.Mail{ID: letter.ID, Sealed: letter.Sealed})
		}
	}
	return all, nil
}

func kindsText(kinds []outbox.Kind) string {
	texts := make([]string, len(kinds))
	for i, k := range kinds {
		texts[i] = string(k)
	}
	return listText(texts)
}

func (s *Service) wireWebhook(e *outbox.Endpoint) lanyard.Webhook {
	w := lanyard.Webhook{
		ID: string(e.ID), TeamID: string(e.Team), URL: e.URL, Description: e.Description, Events: []string{}, Disabled: !e.DisabledAt.IsZero(),
		DisabledReason: string(e.Stopped), DisabledAt: at(e.DisabledAt), FailingSince: at(e.FailingSince), CreatedAt: e.CreatedAt,
	}
	if e.OldUntil.After(s.now()) {
		w.OldSecretUntil = at(e.OldUntil)
	}
	for _, k := range e.Events {
		w.Events = append(w.Events, string(k))
	}
	return w
}

func wireDelivery(d *outbox.Delivery) lanyard.WebhookDelivery {
	w := lanyard.WebhookDelivery{
		ID: string(d.ID), WebhookID: string(d.Webhook), Type: string(d.Kind), State: string(d.State), CreatedAt: d.CreatedAt, NextAttemptAt: at(d.NextAt),
		Attempts: []lanyard.WebhookAttempt{}, Payload: d.Payload,
	}
	for _, a := range d.History {
		w.Attempts = append(w.Attempts, lanyard.WebhookAttempt{
			Number: a.Number, At: a.At, DurationMS: a.Took.Milliseconds(), Status: a.Status, Error: a.Error, ResponseSample: a.Answer,
		})
	}
	return w
}
