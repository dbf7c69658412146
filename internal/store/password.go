package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// SetPassword implements factor.Store. The user's row is locked before their sessions end, so that nobody logs in with the old
// password in between.
func (s *Store) SetPassword(ctx context.Context, p factor.NewPassword) (rev id.Revision, err error) {
	err = s.step(ctx, "set a password", func(ctx context.Context, q querier) error {
		if err := takeLinkOf(ctx, q, p); err != nil {
			return err
		}
		if err := lockRow(ctx, q, "users", string(p.User)); err != nil {
			return err
		}
		if u, err := oneUser(ctx, q, p.User); err != nil {
			return err
		} else if !u.DisabledAt.IsZero() {
			return fault.New(fault.Unauthenticated, "this account is not in use")
		}
		ended, err := endSessions(ctx, q, (&where{}).and("user_id = ?", string(p.User)).given("id <> ?", string(p.Keep)), p.ChangedAt)
		if err != nil {
			return err
		}
		if len(ended) > 0 {
			if err := writeAudit(ctx, q, p.Ended); err != nil {
				return err
			}
		}
		if err := keepPassword(ctx, q, p.Password); err != nil {
			return err
		}
		if p.Letter != nil {
			if err := post(ctx, q, *p.Letter, p.ChangedAt); err != nil {
				return err
			}
		}
		rev, err = s.finish(ctx, q, p.Event, change{changes.User, string(p.User)})
		return err
	})
	return rev, err
}

// takeLinkOf consumes the link by which a password is set, if there is one, and notes that the user's address is theirs.
func takeLinkOf(ctx context.Context, q querier, p factor.NewPassword) error {
	if p.Link == "" {
		return nil
	}
	whose, err := takeLink(ctx, q, p.Link, p.ChangedAt)
	if err != nil {
		return err
	}
	if whose != p.User {
		return fmt.Errorf("the link %s is not one of %s", p.Link, p.User)
	}
	_, err = q.ExecContext(ctx, `UPDATE users SET verified_at = $2 WHERE id = $1 AND verified_at = 0`, string(p.User), micros(p.ChangedAt))
	return err
}

func keepPassword(ctx context.Context, q querier, p factor.Password) error {
	_, err := q.ExecContext(ctx, `INSERT INTO password (user_id, hash, pepper, changed_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, pepper = excluded.pepper, changed_at = excluded.changed_at`,
		string(p.User), p.Hash, p.Pepper, micros(p.ChangedAt))
	return err
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
