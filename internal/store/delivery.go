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

// claimMails takes messages out of the others' reach until the lease ends. What makes a message due stands in it twice:
// of two nodes that chose the same ones the second waits for the first, and then finds them leased.
const claimMails = `UPDATE delivery SET next_at = $2 WHERE next_at <= $1 AND id IN (
	SELECT d.id FROM delivery d WHERE d.kind = 'mail' AND d.next_at <= $1 ORDER BY d.next_at, d.id LIMIT $3)
	RETURNING id, sealed, attempts, created_at`

// ClaimMails implements notify.Queue: it takes mails that are due, oldest first, for one lease. Who neither says that one was sent nor
// that it failed leaves it to whoever comes after the lease. Housekeeping.
func (s *Store) ClaimMails(ctx context.Context, now time.Time, lease time.Duration, limit int) (mails []outbox.Mail, err error) {
	err = s.step(ctx, "claim deliveries", func(ctx context.Context, q querier) error {
		mails = nil
		rows, err := q.QueryContext(ctx, claimMails, micros(now), micros(now.Add(lease)), limit)
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

// What waits, the next to be tried first.
const (
	waitingMails   = `SELECT id, attempts, next_at, last_error, created_at FROM delivery WHERE kind = 'mail' ORDER BY next_at, id LIMIT $1`
	waitingLogouts = `SELECT app_id, attempts, next_at, last_error, created_at FROM logout_notice ORDER BY next_at, alias, app_id LIMIT $1`
)

// Waiting lists mails, or with kind "logout" the apps that are to be told of ended sessions, the next to be tried first. What mails say
// stays sealed.
func (s *Store) Waiting(ctx context.Context, kind string, limit int) (waiting []outbox.Waiting, err error) {
	query := waitingMails
	if kind == "logout" {
		query = waitingLogouts
	}
	err = s.read("list deliveries", func(q querier) error {
		rows, err := q.QueryContext(ctx, query, limit)
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			var m outbox.Waiting
			var next, created int64
			if err := rows.Scan(&m.ID, &m.Attempts, &next, &m.LastError, &created); err != nil {
				return err
			}
			m.NextAt, m.CreatedAt = moment(next), moment(created)
			waiting = append(waiting, m)
			return nil
		})
	})
	return waiting, err
}

// MailSent implements notify.Queue.
func (s *Store) MailSent(ctx context.Context, message id.Message) error {
	return s.step(ctx, "forget a delivered message", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `DELETE FROM delivery WHERE id = $1`, string(message))
		return err
	})
}

// MailFailed implements notify.Queue. A message that is no more is no error: another node's
// attempt succeeded.
func (s *Store) MailFailed(ctx context.Context, message id.Message, next time.Time, lastError string) error {
	return s.step(ctx, "note a failed delivery", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `UPDATE delivery SET next_at = $2, last_error = $3, attempts = attempts + 1 WHERE id = $1`, string(message), micros(next), plainText(lastError))
		return err
	})
}

// plainText is what can be stored of what a foreign server answered, which may be no text at all.
func plainText(answer string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(answer, "\x00", ""), "")
}
