package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// SetPassword implements factor.Store. What else ends with an old password is the caller's to say.
func (s *Store) SetPassword(ctx context.Context, p factor.Password, ev audit.Event) (rev id.Revision, err error) {
	err = s.step(ctx, "set a password", func(ctx context.Context, q querier) error {
		result, err := q.ExecContext(ctx, `
			INSERT INTO password (user_id, hash, pepper, changed_at) SELECT id, $2, CAST($3 AS BIGINT), CAST($4 AS BIGINT) FROM users WHERE id = $1
			ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, pepper = excluded.pepper, changed_at = excluded.changed_at`,
			string(p.User), p.Hash, p.Pepper, micros(p.ChangedAt))
		if err := changedOne(result, err, fault.Missing("user", string(p.User))); err != nil {
			return err
		}
		rev, err = s.finish(ctx, q, ev, change{changes.User, string(p.User)})
		return err
	})
	return rev, err
}

// Password implements factor.Store.
func (s *Store) Password(ctx context.Context, userID id.User) (p factor.Password, err error) {
	err = s.read("read a password", func(q querier) error {
		var changed int64
		err := q.QueryRowContext(ctx, `SELECT user_id, hash, pepper, changed_at FROM password WHERE user_id = $1`, string(userID)).
			Scan(&p.User, &p.Hash, &p.Pepper, &changed)
		if errors.Is(err, sql.ErrNoRows) {
			return fault.New(fault.NotFound, "this user has no password")
		}
		p.ChangedAt = moment(changed)
		return err
	})
	return p, err
}

// UpgradePassword implements factor.Store. A password that was changed meanwhile stays. Housekeeping.
func (s *Store) UpgradePassword(ctx context.Context, p factor.Password, oldHash string) error {
	return s.step(ctx, "upgrade a password's hash", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `UPDATE password SET hash = $2, pepper = $3 WHERE user_id = $1 AND hash = $4`, string(p.User), p.Hash, p.Pepper, oldHash)
		return err
	})
}
