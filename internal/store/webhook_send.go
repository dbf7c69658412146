package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/outbox"
)

// claimWebhooks is to deliveries what claimMails is to mails. Of one endpoint it takes its four oldest, and of one that does not
// answer none until its pause ends: so what waits for an endpoint holds up nobody else's.
const claimWebhooks = `UPDATE webhook_delivery SET next_at = $2 WHERE next_at > 0 AND next_at <= $1 AND (webhook_id, id) IN (
	SELECT d.webhook_id, d.id
	FROM (SELECT webhook_id, id, next_at, ROW_NUMBER() OVER (PARTITION BY webhook_id ORDER BY created_at, id) AS place FROM webhook_delivery WHERE next_at > 0 AND next_at <= $1) d
	JOIN webhook w ON w.id = d.webhook_id
	WHERE d.place <= 4 AND w.paused_until <= $1 ORDER BY d.place, d.next_at, d.webhook_id, d.id LIMIT $3)
	RETURNING webhook_id, id, kind, payload, state, attempts, tries, next_at, created_at`

// ClaimWebhooks implements notify.HookQueue: it takes deliveries that are due, every endpoint's oldest first, for one lease. Who says
// nothing of what became of one leaves it to whoever comes after the lease. Housekeeping.
func (s *Store) ClaimWebhooks(ctx context.Context, now time.Time, lease time.Duration, limit int) (due []outbox.Sending, err error) {
	err = s.step(ctx, "claim webhook deliveries", func(ctx context.Context, q querier) error {
		due = nil
		rows, err := q.QueryContext(ctx, claimWebhooks, micros(now), micros(now.Add(lease)), limit)
		if err != nil {
			return err
		}
		if err := scanAll(rows, func() error {
			d, err := scanDelivery(rows)
			if err == nil {
				due = append(due, outbox.Sending{Delivery: *d})
			}
			return err
		}); err != nil {
			return err
		}
		known := map[id.Webhook]*outbox.Endpoint{}
		for i := range due {
			e := known[due[i].Webhook]
			if e == nil {
				if e, err = scanWebhook(q.QueryRowContext(ctx, webhookSelect+` WHERE w.id = $1`, string(due[i].Webhook))); err != nil {
					return err
				}
				known[e.ID] = e
				// An act that saw it enabled may have queued something after it was not.
				if err := endWaiting(ctx, q, e); err != nil {
					return err
				}
			}
			due[i].To = *e
		}
		due = slices.DeleteFunc(due, func(d outbox.Sending) bool { return !d.To.Takes() })
		return nil
	})
	slices.SortFunc(due, func(x, y outbox.Sending) int {
		return cmp.Or(x.CreatedAt.Compare(y.CreatedAt), cmp.Compare(x.ID, y.ID))
	})
	return due, err
}

// WebhookTried implements notify.HookQueue: it writes an attempt down with what follows from it. Housekeeping, but for an endpoint
// that is disabled by it.
func (s *Store) WebhookTried(ctx context.Context, o outbox.Outcome) error {
	return s.step(ctx, "note an attempt of a webhook", func(ctx context.Context, q querier) error {
		// The endpoint before its deliveries, as whoever changes it locks them: an attempt may end all that is on its way.
		if err := lockRow(ctx, q, "webhook", string(o.Webhook)); err != nil {
			return err
		}
		// Whoever was disabled meanwhile, or whose message somebody else brought, is not sent it again.
		err := q.QueryRowContext(ctx, `UPDATE webhook_delivery SET attempts = attempts + 1, tries = tries + 1,
			next_at = CASE WHEN state = $5 AND next_at > 0 THEN CAST($4 AS BIGINT) ELSE 0 END, state = CASE WHEN state = $5 OR $3 = $6 THEN $3 ELSE state END
			WHERE webhook_id = $1 AND id = $2 RETURNING attempts`,
			string(o.Webhook), string(o.ID), string(o.State), micros(o.NextAt), string(outbox.Waits), string(outbox.Delivered)).Scan(&o.Attempt.Number)
		if errors.Is(err, sql.ErrNoRows) {
			return nil // trimmed
		}
		if err != nil {
			return err
		}
		if _, err := q.ExecContext(ctx, `INSERT INTO webhook_attempt (webhook_id, delivery_id, number, at, took, status, error, answer) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			string(o.Webhook), string(o.ID), o.Attempt.Number, micros(o.Attempt.At), o.Attempt.Took.Microseconds(), o.Attempt.Status, plainText(o.Attempt.Error), plainText(o.Attempt.Answer)); err != nil {
			return err
		}
		// What else is due waits for the pause too: a claim does not come upon it again and again.
		if !o.PauseUntil.IsZero() {
			if _, err := q.ExecContext(ctx, `UPDATE webhook_delivery SET next_at = $2 WHERE webhook_id = $1 AND next_at > 0 AND next_at < $2`, string(o.Webhook), micros(o.PauseUntil)); err != nil {
				return err
			}
		}
		if o.State == outbox.Delivered {
			_, err := q.ExecContext(ctx, `UPDATE webhook SET failing_since = 0, paused_until = $2 WHERE id = $1 AND (failing_since > 0 OR paused_until > 0 OR paused_until < $2)`,
				string(o.Webhook), micros(o.PauseUntil))
			return err
		}
		if _, err := q.ExecContext(ctx, `UPDATE webhook SET failing_since = CASE WHEN failing_since = 0 THEN CAST($2 AS BIGINT) ELSE failing_since END, paused_until = $3 WHERE id = $1`,
			string(o.Webhook), micros(o.Attempt.At), micros(o.PauseUntil)); err != nil || o.Stop == "" {
			return err
		}
		return s.stopWebhook(ctx, q, o)
	})
}

// stopWebhook disables an endpoint. The conditional statement comes first: of several whose attempts lead to it one writes.
func (s *Store) stopWebhook(ctx context.Context, q querier, o outbox.Outcome) error {
	stopped, err := decides(ctx, q, `UPDATE webhook SET disabled_at = $2, stopped = $3 WHERE id = $1 AND disabled_at = 0 AND deleted_at = 0`,
		string(o.Webhook), micros(o.Attempt.At), string(o.Stop))
	if err != nil || !stopped {
		return err
	}
	if err := giveUpWaiting(ctx, q, o.Webhook); err != nil {
		return err
	}
	for _, letter := range o.Letters {
		if err := post(ctx, q, factor.Letter{ID: letter.ID, Kind: "mail", Sealed: letter.Sealed}, o.Attempt.At); err != nil {
			return err
		}
	}
	return writeAudit(ctx, q, o.Event)
}

// ReleaseWebhooks implements notify.HookQueue: it gives deliveries back that were claimed and not tried. Housekeeping.
func (s *Store) ReleaseWebhooks(ctx context.Context, next time.Time, all ...outbox.Sending) error {
	if len(all) == 0 {
		return nil
	}
	return s.step(ctx, "release webhook deliveries", func(ctx context.Context, q querier) error {
		for _, d := range all {
			if _, err := q.ExecContext(ctx, `UPDATE webhook_delivery SET next_at = $3 WHERE webhook_id = $1 AND id = $2 AND next_at > 0`,
				string(d.Webhook), string(d.ID), micros(next)); err != nil {
				return err
			}
		}
		return nil
	})
}

// TrimWebhooks forgets what was settled before a time, and endpoints that were deleted then.
func (s *Store) TrimWebhooks(ctx context.Context, before time.Time) error {
	return s.step(ctx, "forget old webhook deliveries", func(ctx context.Context, q querier) error {
		for _, statement := range []string{
			`DELETE FROM webhook_attempt WHERE at < $1`,
			`DELETE FROM webhook_delivery WHERE created_at < $1 AND (next_at = 0 OR NOT EXISTS (SELECT 1 FROM webhook w WHERE w.id = webhook_id AND w.deleted_at = 0))`,
			`DELETE FROM webhook WHERE deleted_at > 0 AND deleted_at < $1`,
		} {
			if _, err := q.ExecContext(ctx, statement, micros(before)); err != nil {
				return err
			}
		}
		return nil
	})
}
