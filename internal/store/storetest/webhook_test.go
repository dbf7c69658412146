package storetest

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/store"
)

const manyHooks = 100

func newHook(tb testing.TB, st *store.Store, team id.Team, kinds ...outbox.Kind) *outbox.Endpoint {
	tb.Helper()
	e := &outbox.Endpoint{ID: id.New[id.Webhook](), Team: team, URL: "https://app.example/hooks", Events: kinds, Secrets: []byte("sealed"), CreatedAt: t0}
	must(tb, st.CreateWebhook(ctx, e, manyHooks, event("webhook.create")))
	return e
}

// queue queues a message of a kind of its own, and lifts a pause.
func queue(tb testing.TB, st *store.Store, hook *outbox.Endpoint, at time.Time) id.Message {
	tb.Helper()
	d := &outbox.Delivery{ID: id.New[id.Message](), Webhook: hook.ID, Payload: "{}", CreatedAt: at}
	d.Kind = outbox.Kind(d.ID)
	must(tb, st.SendWebhook(ctx, audit.ServerReach(), d, event("webhook.test")))
	return d.ID
}

// claimed is who would be sent what, as of a time.
func claimed(tb testing.TB, st *store.Store, at time.Time) []outbox.Sending {
	tb.Helper()
	due, err := st.ClaimWebhooks(ctx, at, time.Minute, 100)
	must(tb, err)
	return due
}

func TestWebhookRefusals(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		ours, theirs := newHook(t, w.Store, w.ours), newHook(t, w.Store, w.theirs)
		at := audit.TeamReach(w.ours)
		nothing := func(*outbox.Endpoint) error { return nil }
		for what, err := range map[string]error{
			"Webhook":             second(w.Webhook(ctx, at, theirs.ID)),
			"Webhook of nowhere":  second(w.Webhook(ctx, audit.Reach{}, ours.ID)),
			"UpdateWebhook":       second(w.UpdateWebhook(ctx, at, theirs.ID, event("x"), nothing)),
			"Deliveries":          second(w.Deliveries(ctx, at, theirs.ID, time.Time{}, "", 10)),
			"SendWebhook":         w.SendWebhook(ctx, at, &outbox.Delivery{ID: id.New[id.Message](), Webhook: theirs.ID}, event("x")),
			"SendAgain":           second(w.SendAgain(ctx, at, theirs.ID, id.New[id.Message](), event("x"))),
			"SendAgain of none":   second(w.SendAgain(ctx, at, ours.ID, id.New[id.Message](), event("x"))),
			"a developer of none": second(w.Webhook(ctx, audit.UserReach(w.billing).As(audit.RoleDeveloper), ours.ID)),
		} {
			wantKind(t, what+" out of reach", err, fault.NotFound)
		}
		if all, err := w.Webhooks(ctx, at, outbox.WebhookFilter{Limit: 10}); err != nil || len(all) != 1 || all[0].ID != ours.ID {
			t.Errorf("Webhooks of a team = %d, %v, want its own", len(all), err)
		}
		wantKind(t, "one too many", w.CreateWebhook(ctx, &outbox.Endpoint{ID: id.New[id.Webhook](), Team: w.ours, Secrets: []byte("x"), CreatedAt: t0}, 1, event("x")), fault.Conflict)
		if n := len(auditLines(t, w.Store, "x")); n != 0 {
			t.Errorf("refusals left %d audit lines", n)
		}
		must(t, w.SendWebhook(ctx, at, &outbox.Delivery{ID: id.New[id.Message](), Webhook: ours.ID, Kind: outbox.Ping, CreatedAt: t0}, event("webhook.test")))
		wantKind(t, "SendWebhook while one waits", w.SendWebhook(ctx, at, &outbox.Delivery{ID: id.New[id.Message](), Webhook: ours.ID, Kind: outbox.Ping, CreatedAt: t0}, event("x")), fault.Conflict)
		must(t, second(w.UpdateWebhook(ctx, at, ours.ID, event("webhook.update"), func(e *outbox.Endpoint) error { e.DisabledAt = t0; return nil })))
		wantKind(t, "SendWebhook to one disabled", w.SendWebhook(ctx, at, &outbox.Delivery{ID: id.New[id.Message](), Webhook: ours.ID}, event("x")), fault.Conflict)
		must(t, second(w.UpdateWebhook(ctx, at, ours.ID, event("webhook.delete"), func(e *outbox.Endpoint) error { e.DeletedAt = t0; return nil })))
		wantKind(t, "Webhook that was deleted", second(w.Webhook(ctx, audit.ServerReach(), ours.ID)), fault.NotFound)
	})
}

// An act and its message are one step: neither is there without the other, and only who wants it is told.
func TestWebhookOfAct(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		all, some := newHook(t, w.Store, w.ours), newHook(t, w.Store, w.ours, "key.revoked")
		newHook(t, w.Store, w.ours, "app.created")
		newHook(t, w.Store, w.theirs)
		off := newHook(t, w.Store, w.ours)
		must(t, second(w.UpdateWebhook(ctx, audit.ServerReach(), off.ID, event("webhook.update"), func(e *outbox.Endpoint) error { e.DisabledAt = t0; return nil })))
		_, _, err := w.UpdateKey(ctx, audit.ServerReach(), w.ourKey, event("key.revoke"), func(*key.Key) error { return errRefused })
		if err == nil || len(claimed(t, w.Store, t0)) != 0 {
			t.Errorf("a refused act = %v, and it was told", err)
		}
		ev := event("key.revoke")
		must(t, third(w.UpdateKey(ctx, audit.ServerReach(), w.ourKey, ev, func(k *key.Key) error { return k.Revoke(t0, "", 0) })))
		due := claimed(t, w.Store, t0)
		var to []id.Webhook
		for _, d := range due {
			to = append(to, d.Webhook)
			if d.Kind != "key.revoked" || id.Chars(d.ID) != id.Chars(ev.ID) || d.To.Team != w.ours || !bytes.Equal(d.To.Secrets, []byte("sealed")) || d.State != outbox.Waits {
				t.Errorf("claimed %+v", d)
			}
		}
		slices.Sort(to)
		want := []id.Webhook{all.ID, some.ID}
		slices.Sort(want)
		if diff := cmp.Diff(want, to); diff != "" {
			t.Errorf("who is told, -want +got:\n%s", diff)
		}
	})
}

// A rotation that is due is told once.
func TestWebhookOfRotation(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		newHook(t, w.Store, w.ours, outbox.KeyRotationDue)
		k := aKey(w.ourApp, w.ours)
		k.RotateEvery = time.Hour
		must(t, second(w.CreateKeys(ctx, []*key.Key{k}, event("key.create"))))
		for range 2 {
			must(t, second(w.RotationsDue(ctx, t0.Add(time.Hour))))
		}
		if due := claimed(t, w.Store, t0.Add(time.Hour)); len(due) != 1 || due[0].Kind != outbox.KeyRotationDue || !bytes.Contains([]byte(due[0].Payload), []byte(k.ID)) {
			t.Errorf("claimed %+v, want one that names the key", due)
		}
	})
}

func TestWebhookAttempts(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		hook, server := newHook(t, w.Store, w.ours), audit.ServerReach()
		d := &outbox.Delivery{ID: id.New[id.Message](), Webhook: hook.ID, Kind: outbox.Ping, Payload: "{}", CreatedAt: t0}
		must(t, w.SendWebhook(ctx, server, d, event("webhook.test")))
		deliveries := func() *outbox.Delivery {
			t.Helper()
			all, err := w.Deliveries(ctx, server, hook.ID, time.Time{}, "", 10)
			if err != nil || len(all) != 1 {
				t.Fatalf("Deliveries = %d, %v, want one", len(all), err)
			}
			return all[0]
		}
		one := claimed(t, w.Store, t0)
		if len(one) != 1 || len(claimed(t, w.Store, t0.Add(time.Minute-time.Microsecond))) != 0 {
			t.Errorf("claimed %d, want it, and nothing of it within the lease", len(one))
		}
		first := outbox.Attempt{At: t0, Took: 1500 * time.Microsecond, Status: 500, Error: "it answered 500", Answer: "oh\x00 no\xff"}
		must(t, w.WebhookTried(ctx, outbox.Outcome{ID: d.ID, Webhook: hook.ID, Attempt: first, State: outbox.Waits, NextAt: t0.Add(time.Hour), PauseUntil: t0.Add(2 * time.Hour)}))
		if e, err := w.Webhook(ctx, server, hook.ID); err != nil || !e.FailingSince.Equal(t0) {
			t.Errorf("the endpoint fails since %v, %v, want %v", e.FailingSince, err, t0)
		}
		if n := len(claimed(t, w.Store, t0.Add(2*time.Hour-time.Microsecond))); n != 0 {
			t.Errorf("%d claimed of an endpoint that is paused", n)
		}
		if n := len(claimed(t, w.Store, t0.Add(2*time.Hour))); n != 1 {
			t.Errorf("%d claimed after the pause, want 1", n)
		}
		must(t, w.WebhookTried(ctx, outbox.Outcome{ID: d.ID, Webhook: hook.ID, Attempt: outbox.Attempt{At: t0.Add(2 * time.Hour), Status: 204}, State: outbox.Delivered}))
		got := deliveries()
		first.Number, first.Answer = 1, "oh no"
		want := []outbox.Attempt{{Number: 2, At: t0.Add(2 * time.Hour), Status: 204}, first}
		if diff := cmp.Diff(want, got.History); diff != "" || got.State != outbox.Delivered || !got.NextAt.IsZero() || got.Attempts != 2 {
			t.Errorf("the delivery is %+v, -want +got:\n%s", got, diff)
		}
		if e, err := w.Webhook(ctx, server, hook.ID); err != nil || !e.FailingSince.IsZero() {
			t.Errorf("the endpoint fails since %v, %v, want no more", e.FailingSince, err)
		}

		again, err := w.SendAgain(ctx, server, hook.ID, d.ID, audit.Command("test").New(t0.Add(3*time.Hour), "webhook.replay", string(hook.ID), "", nil))
		if err != nil || again.State != outbox.Waits || again.Tries != 0 || len(again.History) != 2 {
			t.Errorf("SendAgain = %+v, %v, want it waiting from the start, with its attempts", again, err)
		}
		if due := claimed(t, w.Store, t0.Add(3*time.Hour)); len(due) != 1 || due[0].ID != d.ID {
			t.Errorf("claimed %+v, want the same message", due)
		}
		// Who tried it when the endpoint was disabled meanwhile does not bring it back.
		must(t, second(w.UpdateWebhook(ctx, server, hook.ID, event("webhook.update"), func(e *outbox.Endpoint) error { e.DisabledAt, e.Stopped = t0, outbox.ByHand; return nil })))
		must(t, w.WebhookTried(ctx, outbox.Outcome{ID: d.ID, Webhook: hook.ID, Attempt: outbox.Attempt{At: t0, Error: "no answer"}, State: outbox.Waits, NextAt: t0.Add(time.Hour)}))
		if got := deliveries(); got.State != outbox.Failed || !got.NextAt.IsZero() || got.Attempts != 3 {
			t.Errorf("after disabling: %+v, want it given up", got)
		}
		must(t, w.WebhookTried(ctx, outbox.Outcome{ID: id.New[id.Message](), Webhook: hook.ID, Attempt: outbox.Attempt{At: t0}, State: outbox.Waits}))

		must(t, w.TrimWebhooks(ctx, t0))
		if got := deliveries(); len(got.History) != 3 {
			t.Error("TrimWebhooks took what is not old")
		}
		must(t, w.TrimWebhooks(ctx, t0.Add(24*time.Hour)))
		if all, err := w.Deliveries(ctx, server, hook.ID, time.Time{}, "", 10); err != nil || len(all) != 0 {
			t.Errorf("after TrimWebhooks %d deliveries, %v", len(all), err)
		}
	})
}

// One that answers 410, or fails for days, is disabled by one of those who find out, with one mail.
func TestWebhookStops(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		nodes := []*store.Store{db.open(t), db.open(t)}
		w := newWorld(t, nodes[0])
		hook := newHook(t, w.Store, w.ours)
		const waiting = 8
		var sent []id.Message
		for range waiting {
			sent = append(sent, queue(t, w.Store, hook, t0))
		}
		claimed(t, w.Store, t0)
		for _, err := range race(4, func(i int) error {
			ev := event("webhook.disable")
			ev.Team = w.ours
			return nodes[i%2].WebhookTried(ctx, outbox.Outcome{
				ID: sent[i], Webhook: hook.ID, Attempt: outbox.Attempt{At: t0, Status: 410, Error: "it answered 410"}, State: outbox.Failed, Stop: outbox.Gone,
				Letters: []outbox.Mail{{ID: id.New[id.Message](), Sealed: []byte("letter")}}, Event: ev,
			})
		}) {
			must(t, err)
		}
		mails, err := w.ClaimMails(ctx, t0, time.Minute, 10)
		e, hookErr := w.Webhook(ctx, audit.ServerReach(), hook.ID)
		if err != nil || hookErr != nil || len(mails) != 1 || e.Stopped != outbox.Gone || !e.DisabledAt.Equal(t0) || len(auditLines(t, w.Store, "webhook.disable")) != 1 {
			t.Errorf("%d mails, %v; endpoint %+v, %v; want it disabled once", len(mails), err, e, hookErr)
		}
		if due := claimed(t, w.Store, t0.Add(time.Hour)); len(due) != 0 {
			t.Errorf("%d messages still wait for one that is gone", len(due))
		}
	})
}

// Of one endpoint at most four are claimed at once, its oldest; everybody's first goes before anybody's second.
func TestWebhookFair(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		busy, quiet := newHook(t, w.Store, w.ours), newHook(t, w.Store, w.theirs)
		var oldest []id.Message
		for i := range 20 {
			oldest = append(oldest, queue(t, w.Store, busy, t0.Add(time.Duration(i)*time.Second)))
		}
		late := queue(t, w.Store, quiet, t0.Add(time.Minute))
		due, err := w.ClaimWebhooks(ctx, t0.Add(time.Minute), time.Minute, 2)
		must(t, err)
		if len(due) != 2 || due[0].ID != oldest[0] || due[1].ID != late {
			t.Errorf("of two claimed %+v, want the oldest of each endpoint", due)
		}
		if due := claimed(t, w.Store, t0.Add(time.Minute)); len(due) != 4 || due[0].ID != oldest[1] || due[3].ID != oldest[4] {
			t.Errorf("claimed %d, want the next four of the one endpoint", len(due))
		}
	})
}

// What waits for an endpoint that does not answer waits until its pause ends, and so does what is queued meanwhile.
func TestWebhookPause(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		hook, server, pause := newHook(t, w.Store, w.ours), audit.ServerReach(), t0.Add(10*time.Minute)
		tried, later := queue(t, w.Store, hook, t0), queue(t, w.Store, hook, t0)
		must(t, w.WebhookTried(ctx, outbox.Outcome{ID: tried, Webhook: hook.ID, Attempt: outbox.Attempt{At: t0}, State: outbox.Waits, NextAt: t0.Add(time.Hour), PauseUntil: pause}))
		must(t, third(w.UpdateKey(ctx, server, w.ourKey, event("key.disable"), func(k *key.Key) error { return k.Disable(t0) })))
		all, err := w.Deliveries(ctx, server, hook.ID, time.Time{}, "", 10)
		if err != nil || len(all) != 3 {
			t.Fatalf("Deliveries = %d, %v", len(all), err)
		}
		for _, d := range all {
			if want := map[bool]time.Time{true: t0.Add(time.Hour), false: pause}[d.ID == tried]; !d.NextAt.Equal(want) {
				t.Errorf("%s is due at %s, want %s", d.Kind, d.NextAt, want)
			}
		}
		// One that is slow pauses too, though something arrived.
		must(t, w.WebhookTried(ctx, outbox.Outcome{ID: later, Webhook: hook.ID, Attempt: outbox.Attempt{At: pause, Status: 200}, State: outbox.Delivered, PauseUntil: pause.Add(time.Minute)}))
		if e, err := w.Webhook(ctx, server, hook.ID); err != nil || !e.FailingSince.IsZero() || len(claimed(t, w.Store, pause)) != 0 || len(claimed(t, w.Store, pause.Add(time.Minute))) != 1 {
			t.Errorf("after a slow answer %+v, %v, want a pause", e, err)
		}
	})
}

// What an act queued that saw the endpoint enabled, and came to its end after it was not, is not sent. What is deleted is forgotten.
func TestWebhookOff(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		hook, server := newHook(t, w.Store, w.ours), audit.ServerReach()
		queue(t, w.Store, hook, t0)
		raw := db.raw(t)
		_, err := raw.ExecContext(ctx, `UPDATE webhook SET disabled_at = 1`)
		must(t, err)
		if due := claimed(t, w.Store, t0); len(due) != 0 {
			t.Errorf("%d are sent to one that is disabled", len(due))
		}
		all, err := w.Deliveries(ctx, server, hook.ID, time.Time{}, "", 10)
		if err != nil || len(all) != 1 || all[0].State != outbox.Failed || !all[0].NextAt.IsZero() {
			t.Errorf("Deliveries = %+v, %v, want it given up", all, err)
		}
		must(t, w.WebhookTried(ctx, outbox.Outcome{ID: all[0].ID, Webhook: hook.ID, Attempt: outbox.Attempt{At: t0}, State: outbox.Waits}))
		must(t, second(w.UpdateWebhook(ctx, server, hook.ID, event("webhook.delete"), func(e *outbox.Endpoint) error { e.DeletedAt = t0; return nil })))
		if left := texts(t, raw, `SELECT id FROM webhook_delivery UNION ALL SELECT delivery_id FROM webhook_attempt`); len(left) != 0 {
			t.Errorf("after the deletion %v is left", left)
		}
	})
}

// Nodes that claim at once share the messages: nobody gets one twice, and none is left.
func TestWebhookRace(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		nodes := []*store.Store{db.open(t), db.open(t)}
		w := newWorld(t, nodes[0])
		hooks := []*outbox.Endpoint{newHook(t, w.Store, w.ours), newHook(t, w.Store, w.ours)}
		for round := range rounds() {
			const each = 30
			for i := range each {
				queue(t, w.Store, hooks[i%2], t0)
			}
			got := map[id.Message]int{}
			for _, mine := range race(racers, func(i int) (mine []outbox.Sending) {
				for range each {
					due, err := nodes[i%2].ClaimWebhooks(ctx, t0, time.Hour, 4)
					if fault.Is(err, fault.Unavailable) {
						continue // SQLite was locked for too long: a node asks again later
					}
					if err != nil || len(due) > 4 {
						t.Errorf("ClaimWebhooks = %d, %v, want at most 4", len(due), err)
					}
					mine = append(mine, due...)
				}
				return mine
			}) {
				for _, d := range mine {
					got[d.ID]++
				}
			}
			if len(got) != each {
				t.Errorf("round %d: %d messages claimed, want %d", round, len(got), each)
			}
			for message, n := range got {
				if n != 1 {
					t.Errorf("%s was claimed %d times", message, n)
				}
			}
		}
	})
}

// A restoration brings endpoints back, but none that was disabled or deleted since, and no secret that was rotated away.
func TestWebhookRestore(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		server := audit.ServerReach()
		stays, stopped, gone, forgotten := newHook(t, w.Store, w.ours), newHook(t, w.Store, w.ours), newHook(t, w.Store, w.ours), newHook(t, w.Store, w.ours)
		var backup bytes.Buffer
		must(t, second(w.Backup(ctx, &backup, t0)))
		newer := newHook(t, w.Store, w.ours)
		must(t, second(w.UpdateWebhook(ctx, server, stays.ID, event("webhook.rotate_secret"), func(e *outbox.Endpoint) error {
			e.URL, e.Events, e.Secrets = "https://moved.example/hooks", []outbox.Kind{"key.disabled"}, []byte("newer")
			return nil
		})))
		must(t, second(w.UpdateWebhook(ctx, server, stopped.ID, event("webhook.update"), func(e *outbox.Endpoint) error { e.DisabledAt, e.Stopped = t0, outbox.ByHand; return nil })))
		must(t, second(w.UpdateWebhook(ctx, server, gone.ID, event("webhook.delete"), func(e *outbox.Endpoint) error { e.DeletedAt = t0; return nil })))
		must(t, second(db.raw(t).ExecContext(ctx, `DELETE FROM webhook WHERE id = $1`, string(forgotten.ID))))
		must(t, third(w.UpdateKey(ctx, server, w.ourKey, event("key.disable"), func(k *key.Key) error { return k.Disable(t0) })))
		must(t, second(w.Restore(ctx, &backup, t0, event("server.restore"))))
		e, err := w.Webhook(ctx, server, stays.ID)
		if err != nil || string(e.Secrets) != "newer" || e.URL != "https://moved.example/hooks" || len(e.Events) != 1 || !e.DisabledAt.IsZero() {
			t.Errorf("Webhook = %+v, %v, want the newest address, events and secret", e, err)
		}
		if e, err := w.Webhook(ctx, server, forgotten.ID); err != nil || e.Stopped != outbox.Restored || !e.DisabledAt.Equal(t0) {
			t.Errorf("Webhook that was forgotten = %+v, %v, want it disabled", e, err)
		}
		if e, err := w.Webhook(ctx, server, stopped.ID); err != nil || e.Stopped != outbox.ByHand {
			t.Errorf("Webhook = %+v, %v, want it disabled", e, err)
		}
		for _, hook := range []id.Webhook{gone.ID, newer.ID} {
			wantKind(t, "Webhook after the restoration", second(w.Webhook(ctx, server, hook)), fault.NotFound)
		}
		if due := claimed(t, w.Store, t0); len(due) != 1 || due[0].Webhook != stays.ID {
			t.Errorf("after the restoration %+v is on its way, want what waited for endpoints that are there", due)
		}
	})
}
