package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/outbox"
)

// tellOfAct queues the message about an act for the endpoints of its team, in the step that does the act.
func tellOfAct(ctx context.Context, q querier, ev audit.Event) error {
	kind, told := outbox.KindOf(ev.Action)
	if !told || ev.Team == "" {
		return nil
	}
	m, err := outbox.OfAct(ev, kind)
	if err != nil {
		return err
	}
	return tell(ctx, q, m)
}

// tell queues a message for every endpoint of its team that wants its kind.
func tell(ctx context.Context, q querier, m outbox.Message) error {
	rows, err := q.QueryContext(ctx, webhookSelect+` WHERE w.team_id = $1 AND w.disabled_at = 0 AND w.deleted_at = 0`, string(m.Team))
	if err != nil {
		return err
	}
	var to []*outbox.Endpoint
	if err := scanAll(rows, func() error {
		e, err := scanWebhook(rows)
		if err == nil && e.Wants(m.Kind) {
			to = append(to, e)
		}
		return err
	}); err != nil || len(to) == 0 {
		return err
	}
	payload, err := m.Payload()
	if err != nil {
		return err
	}
	for _, e := range to {
		if err := queueDelivery(ctx, q, &outbox.Delivery{ID: m.ID, Webhook: e.ID, Kind: m.Kind, Payload: payload, CreatedAt: m.CreatedAt}); err != nil {
			return err
		}
	}
	return nil
}

// queueDelivery queues a message, behind the pause of an endpoint that does not answer.
func queueDelivery(ctx context.Context, q querier, d *outbox.Delivery) error {
	_, err := q.ExecContext(ctx, `INSERT INTO webhook_delivery (webhook_id, id, kind, payload, state, attempts, tries, next_at, created_at)
		SELECT id, $2, $3, $4, $5, 0, 0, CASE WHEN paused_until > $6 THEN paused_until ELSE $6 END, $6 FROM webhook WHERE id = $1`,
		string(d.Webhook), string(d.ID), string(d.Kind), d.Payload, string(outbox.Waits), micros(d.CreatedAt))
	return err
}

const webhookSelect = `SELECT w.id, w.team_id, w.url, w.description, w.events, w.secrets, w.old_until, w.created_at, w.disabled_at, w.stopped, w.failing_since, w.deleted_at FROM webhook w`

func scanWebhook(row scanner) (*outbox.Endpoint, error) {
	var e outbox.Endpoint
	var events string
	var old, created, disabled, failing, deleted int64
	if err := row.Scan(&e.ID, &e.Team, &e.URL, &e.Description, &events, &e.Secrets, &old, &created, &disabled, &e.Stopped, &failing, &deleted); err != nil {
		return nil, err
	}
	e.OldUntil, e.CreatedAt, e.DisabledAt, e.FailingSince, e.DeletedAt = moment(old), moment(created), moment(disabled), moment(failing), moment(deleted)
	return &e, decode(events, &e.Events)
}

// CreateWebhook implements outbox.WebhookStore. The team is locked, so that of several who make the last one exactly one does.
func (s *Store) CreateWebhook(ctx context.Context, e *outbox.Endpoint, most int, ev audit.Event) error {
	events, err := encode(e.Events)
	if err != nil {
		return err
	}
	return s.step(ctx, "create a webhook", func(ctx context.Context, q querier) error {
		if err := lockRow(ctx, q, "team", string(e.Team)); err != nil {
			return err
		}
		var there int
		if err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM webhook WHERE team_id = $1 AND deleted_at = 0`, string(e.Team)).Scan(&there); err != nil {
			return err
		}
		if there >= most {
			return fault.New(fault.Conflict, "the team has %d webhooks already: delete one that is not needed any more", there)
		}
		if _, err := q.ExecContext(ctx, `
			INSERT INTO webhook (id, team_id, url, description, events, secrets, old_until, created_at, disabled_at, stopped, failing_since, paused_until, deleted_at)
			VALUES ($1, $2, $3, $4, $5, $6, 0, $7, 0, '', 0, 0, 0)`,
			string(e.ID), string(e.Team), e.URL, e.Description, events, e.Secrets, micros(e.CreatedAt)); err != nil {
			return err
		}
		ev.Team = e.Team
		return writeAudit(ctx, q, ev)
	})
}

// Webhook implements outbox.WebhookStore.
func (s *Store) Webhook(ctx context.Context, reach audit.Reach, hook id.Webhook) (e *outbox.Endpoint, err error) {
	err = s.read("read a webhook", func(q querier) error {
		e, err = oneWebhook(ctx, q, reach, hook)
		return err
	})
	return e, err
}

func oneWebhook(ctx context.Context, q querier, reach audit.Reach, hook id.Webhook) (*outbox.Endpoint, error) {
	w := within("w.team_id", reach).and("w.id = ? AND w.deleted_at = 0", string(hook))
	e, err := scanWebhook(q.QueryRowContext(ctx, webhookSelect+w.String(), w.args...))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.Missing("webhook", string(hook))
	}
	return e, err
}

// Webhooks implements outbox.WebhookStore.
func (s *Store) Webhooks(ctx context.Context, reach audit.Reach, f outbox.WebhookFilter) (all []*outbox.Endpoint, err error) {
	err = s.read("list webhooks", func(q querier) error {
		w := within("w.team_id", reach).and("w.deleted_at = 0").given("w.team_id = ?", string(f.Team)).after("w.created_at, w.id", f.Before, f.BeforeID)
		rows, err := q.QueryContext(ctx, webhookSelect+w.String()+` ORDER BY w.created_at DESC, w.id DESC LIMIT `+w.arg(f.Limit), w.args...)
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			e, err := scanWebhook(rows)
			all = append(all, e)
			return err
		})
	})
	return all, err
}

// UpdateWebhook implements outbox.WebhookStore.
func (s *Store) UpdateWebhook(ctx context.Context, reach audit.Reach, hook id.Webhook, ev audit.Event, alter func(*outbox.Endpoint) error) (e *outbox.Endpoint, err error) {
	err = s.step(ctx, "change a webhook", func(ctx context.Context, q querier) error {
		if err := lockRow(ctx, q, "webhook", string(hook)); err != nil {
			return err
		}
		if e, err = oneWebhook(ctx, q, reach, hook); err != nil {
			return err
		}
		if err := alter(e); err != nil {
			return err
		}
		events, err := encode(e.Events)
		if err != nil {
			return err
		}
		// One that was just enabled is tried at once.
		if _, err := q.ExecContext(ctx, `UPDATE webhook SET url = $2, description = $3, events = $4, secrets = $5, old_until = $6, disabled_at = $7, stopped = $8, failing_since = CAST($9 AS BIGINT),
			paused_until = CASE WHEN CAST($9 AS BIGINT) = 0 THEN 0 ELSE paused_until END, deleted_at = $10 WHERE id = $1`,
			string(hook), e.URL, e.Description, events, e.Secrets, micros(e.OldUntil), micros(e.DisabledAt), string(e.Stopped), micros(e.FailingSince), micros(e.DeletedAt)); err != nil {
			return err
		}
		if err := endWaiting(ctx, q, e); err != nil {
			return err
		}
		ev.Team = e.Team
		return writeAudit(ctx, q, ev)
	})
	return e, err
}

// endWaiting ends what is on its way to an endpoint that takes nothing, and forgets what was sent to one that is deleted.
func endWaiting(ctx context.Context, q querier, e *outbox.Endpoint) error {
	switch {
	case !e.DeletedAt.IsZero():
		for _, statement := range []string{`DELETE FROM webhook_attempt WHERE webhook_id = $1`, `DELETE FROM webhook_delivery WHERE webhook_id = $1`} {
			if _, err := q.ExecContext(ctx, statement, string(e.ID)); err != nil {
				return err
			}
		}
	case !e.DisabledAt.IsZero():
		return giveUpWaiting(ctx, q, e.ID)
	}
	return nil
}

// giveUpWaiting ends what is on its way to an endpoint.
func giveUpWaiting(ctx context.Context, q querier, hook id.Webhook) error {
	_, err := q.ExecContext(ctx, `UPDATE webhook_delivery SET next_at = 0, state = $2 WHERE webhook_id = $1 AND next_at > 0`, string(hook), string(outbox.Failed))
	return err
}

// Deliveries implements outbox.WebhookStore.
func (s *Store) Deliveries(ctx context.Context, reach audit.Reach, hook id.Webhook, before time.Time, beforeID string, limit int) (all []*outbox.Delivery, err error) {
	err = s.snapshot(ctx, "list deliveries of a webhook", func(q querier) error {
		if _, err := oneWebhook(ctx, q, reach, hook); err != nil {
			return err
		}
		w := (&where{}).and("webhook_id = ?", string(hook)).after("created_at, id", before, beforeID)
		rows, err := q.QueryContext(ctx, deliverySelect+w.String()+` ORDER BY created_at DESC, id DESC LIMIT `+w.arg(limit), w.args...)
		if err != nil {
			return err
		}
		if err := scanAll(rows, func() error {
			d, err := scanDelivery(rows)
			all = append(all, d)
			return err
		}); err != nil {
			return err
		}
		return loadAttempts(ctx, q, hook, all)
	})
	return all, err
}

const deliverySelect = `SELECT webhook_id, id, kind, payload, state, attempts, tries, next_at, created_at FROM webhook_delivery`

func scanDelivery(row scanner) (*outbox.Delivery, error) {
	var d outbox.Delivery
	var next, created int64
	err := row.Scan(&d.Webhook, &d.ID, &d.Kind, &d.Payload, &d.State, &d.Attempts, &d.Tries, &next, &created)
	d.NextAt, d.CreatedAt = moment(next), moment(created)
	return &d, err
}

func loadAttempts(ctx context.Context, q querier, hook id.Webhook, of []*outbox.Delivery) error {
	if len(of) == 0 {
		return nil
	}
	byID, ids := map[id.Message]*outbox.Delivery{}, make([]string, len(of))
	for i, d := range of {
		byID[d.ID], ids[i] = d, string(d.ID)
	}
	w := (&where{}).and("webhook_id = ?", string(hook)).oneOf("delivery_id", ids)
	rows, err := q.QueryContext(ctx, `SELECT delivery_id, number, at, took, status, error, answer FROM webhook_attempt`+w.String()+` ORDER BY delivery_id, number DESC`, w.args...)
	if err != nil {
		return err
	}
	return scanAll(rows, func() error {
		var of id.Message
		var a outbox.Attempt
		var at, took int64
		if err := rows.Scan(&of, &a.Number, &at, &took, &a.Status, &a.Error, &a.Answer); err != nil {
			return err
		}
		a.At, a.Took = moment(at), time.Duration(took)*time.Microsecond
		byID[of].History = append(byID[of].History, a)
		return nil
	})
}

// SendWebhook implements outbox.WebhookStore.
func (s *Store) SendWebhook(ctx context.Context, reach audit.Reach, d *outbox.Delivery, ev audit.Event) error {
	return s.step(ctx, "send to a webhook", func(ctx context.Context, q querier) error {
		if err := enabledWebhook(ctx, q, reach, d.Webhook, &ev); err != nil {
			return err
		}
		var waits bool
		if err := q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM webhook_delivery WHERE webhook_id = $1 AND kind = $2 AND next_at > 0)`, string(d.Webhook), string(d.Kind)).Scan(&waits); err != nil {
			return err
		}
		if waits {
			return &fault.Error{Kind: fault.Conflict, ID: string(d.Webhook), Detail: "a message of this kind is on its way to the webhook: wait for what comes of it"}
		}
		if err := queueDelivery(ctx, q, d); err != nil {
			return err
		}
		return writeAudit(ctx, q, ev)
	})
}

// SendAgain implements outbox.WebhookStore.
func (s *Store) SendAgain(ctx context.Context, reach audit.Reach, hook id.Webhook, message id.Message, ev audit.Event) (d *outbox.Delivery, err error) {
	err = s.step(ctx, "send to a webhook again", func(ctx context.Context, q querier) error {
		if err := enabledWebhook(ctx, q, reach, hook, &ev); err != nil {
			return err
		}
		d, err = scanDelivery(q.QueryRowContext(ctx, `UPDATE webhook_delivery SET next_at = $3, state = $4, tries = 0 WHERE webhook_id = $1 AND id = $2
			RETURNING webhook_id, id, kind, payload, state, attempts, tries, next_at, created_at`, string(hook), string(message), micros(ev.At), string(outbox.Waits)))
		if errors.Is(err, sql.ErrNoRows) {
			return fault.Missing("delivery", string(message))
		}
		if err != nil {
			return err
		}
		if err := loadAttempts(ctx, q, hook, []*outbox.Delivery{d}); err != nil {
			return err
		}
		return writeAudit(ctx, q, ev)
	})
	return d, err
}

// enabledWebhook finds an endpoint that takes messages, and lets it be tried at once.
func enabledWebhook(ctx context.Context, q querier, reach audit.Reach, hook id.Webhook, ev *audit.Event) error {
	if err := lockRow(ctx, q, "webhook", string(hook)); err != nil {
		return err
	}
	e, err := oneWebhook(ctx, q, reach, hook)
	if err != nil {
		return err
	}
	if !e.DisabledAt.IsZero() {
		return &fault.Error{Kind: fault.Conflict, ID: string(hook), Detail: "the webhook is disabled: enable it first"}
	}
	ev.Team = e.Team
	_, err = q.ExecContext(ctx, `UPDATE webhook SET paused_until = 0 WHERE id = $1`, string(hook))
	return err
}
