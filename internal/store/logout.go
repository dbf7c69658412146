package store

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/session"
)

// leaveNotices writes down, in the step that ends sessions, which apps have to be told. Whether an app wants to hear of it
// comes out when it is told.
func leaveNotices(ctx context.Context, q querier, ended []session.Ended, at time.Time) error {
	for _, e := range ended {
		for _, appID := range e.Apps {
			if _, err := q.ExecContext(ctx, `INSERT INTO logout_notice (alias, app_id, user_id, attempts, next_at, last_error, created_at) VALUES ($1, $2, $3, 0, $4, '', $4)
				ON CONFLICT (alias, app_id) DO NOTHING`, string(e.Alias), string(appID), string(e.User), micros(at)); err != nil {
				return err
			}
		}
	}
	return nil
}

// claimLogouts is to notices what claimMails is to mails.
const claimLogouts = `UPDATE logout_notice SET next_at = $2 WHERE next_at <= $1 AND (alias, app_id) IN (
	SELECT n.alias, n.app_id FROM logout_notice n WHERE n.next_at <= $1 ORDER BY n.next_at, n.alias, n.app_id LIMIT $3)
	RETURNING alias, app_id, user_id, attempts`

// ClaimLogouts takes notices that are due, for one lease. Who neither says that the app was told nor that it could not be
// leaves it to whoever comes after the lease. Housekeeping.
func (s *Store) ClaimLogouts(ctx context.Context, now time.Time, lease time.Duration, limit int) (notices []outbox.Logout, err error) {
	err = s.step(ctx, "claim logout notices", func(ctx context.Context, q querier) error {
		notices = nil
		rows, err := q.QueryContext(ctx, claimLogouts, micros(now), micros(now.Add(lease)), limit)
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			var n outbox.Logout
			err := rows.Scan(&n.Session, &n.App, &n.User, &n.Attempts)
			notices = append(notices, n)
			return err
		})
	})
	return notices, err
}

// LogoutTold forgets a notice.
func (s *Store) LogoutTold(ctx context.Context, n outbox.Logout) error {
	return s.step(ctx, "forget a logout notice", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `DELETE FROM logout_notice WHERE alias = $1 AND app_id = $2`, string(n.Session), string(n.App))
		return err
	})
}

// LogoutFailed keeps a notice for later. One that is no more is no error: another node's attempt succeeded.
func (s *Store) LogoutFailed(ctx context.Context, n outbox.Logout, next time.Time, lastError string) error {
	return s.step(ctx, "note a failed logout notice", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `UPDATE logout_notice SET next_at = $3, last_error = $4, attempts = attempts + 1 WHERE alias = $1 AND app_id = $2`,
			string(n.Session), string(n.App), micros(next), plainText(lastError))
		return err
	})
}
