package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/outbox"
)

// Post implements factor.LinkStore.
func (s *Store) Post(ctx context.Context, letter factor.Letter, now time.Time) error {
	return s.step(ctx, "post a letter", func(ctx context.Context, q querier) error { return post(ctx, q, letter, now) })
}

// post keeps a letter for delivery at once.
func post(ctx context.Context, q querier, letter factor.Letter, now time.Time) error {
	_, err := q.ExecContext(ctx, `INSERT INTO delivery (id, kind, sealed, attempts, next_at, last_error, created_at) VALUES ($1, $2, $3, 0, $4, '', $4)`,
		string(letter.ID), letter.Kind, letter.Sealed, micros(now))
	return err
}

// claimDeliveries takes messages out of the others' reach until the lease ends. What makes a message due stands in it twice:
// of two nodes that chose the same ones the second waits for the first, and then finds them leased.
const claimDeliveries = `UPDATE delivery SET next_at = $3 WHERE next_at <= $2 AND id IN (
	SELECT d.id FROM delivery d WHERE d.kind = $1 AND d.next_at <= $2 ORDER BY d.next_at, d.id LIMIT $4)
	RETURNING id, sealed, attempts, created_at`

// ClaimDeliveries takes messages of a kind that are due, oldest first, for one lease. Who neither says that one was sent nor
// that it failed leaves it to whoever comes after the lease. Housekeeping.
func (s *Store) ClaimDeliveries(ctx context.Context, kind string, now time.Time, lease time.Duration, limit int) (mails []outbox.Mail, err error) {
	err = s.step(ctx, "claim deliveries", func(ctx context.Context, q querier) error {
		mails = nil
		rows, err := q.QueryContext(ctx, claimDeliveries, kind, micros(now), micros(now.Add(lease)), limit)
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			var m outbox.Mail
			var created int64
			if err := rows.Scan(&m.ID, &m.Sealed, &m.Attempts, &created); err != nil {
				return err
			}
			m.CreatedAt = moment(created)
			mails = append(mails, m)
			return nil
		})
	})
	slices.SortFunc(mails, func(x, y outbox.Mail) int {
		return cmp.Or(x.CreatedAt.Compare(y.CreatedAt), cmp.Compare(x.ID, y.ID))
	})
	return mails, err
}

// ClaimMails implements notify.Queue.
func (s *Store) ClaimMails(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]outbox.Mail, error) {
	return s.ClaimDeliveries(ctx, "mail", now, lease, limit)
}

// ClaimLogouts is ClaimMails for logout messages.
func (s *Store) ClaimLogouts(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]outbox.Mail, error) {
	return s.ClaimDeliveries(ctx, "logout", now, lease, limit)
}

// MailSent implements notify.Queue, for messages of every kind.
func (s *Store) MailSent(ctx context.Context, message id.Message) error {
	return s.step(ctx, "forget a delivered message", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `DELETE FROM delivery WHERE id = $1`, string(message))
		return err
	})
}

// MailFailed implements notify.Queue, for messages of every kind. A message that is no more is no error: another node's
// attempt succeeded.
func (s *Store) MailFailed(ctx context.Context, message id.Message, next time.Time, lastError string) error {
	// What a foreign server answered may be no text at all.
	lastError = strings.ToValidUTF8(strings.ReplaceAll(lastError, "\x00", ""), "")
	return s.step(ctx, "note a failed delivery", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `UPDATE delivery SET next_at = $2, last_error = $3, attempts = attempts + 1 WHERE id = $1`, string(message), micros(next), lastError)
		return err
	})
}
