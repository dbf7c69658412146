package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// linksKept is how long an ended link is remembered.
const linksKept = 7 * 24 * time.Hour

// CreateLink implements factor.LinkStore. The new link takes the row of the one before, so that of several made at once
// exactly one works.
func (s *Store) CreateLink(ctx context.Context, l *factor.Link, letter *factor.Letter) error {
	return s.step(ctx, "make a link", func(ctx context.Context, q querier) error {
		if _, err := q.ExecContext(ctx, `
			INSERT INTO link (`+linkColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0)
			ON CONFLICT (user_id, purpose, email) WHERE consumed_at = 0 DO UPDATE SET id = excluded.id, digest = excluded.digest, pepper = excluded.pepper,
				data = excluded.data, browser = excluded.browser, created_at = excluded.created_at, expires_at = excluded.expires_at`,
			string(l.ID), l.Digest, l.Pepper, string(l.Purpose), string(l.User), l.Email, string(l.Data), blob(l.Browser),
			micros(l.CreatedAt), micros(l.ExpiresAt)); err != nil {
			return err
		}
		if letter == nil {
			return nil
		}
		return post(ctx, q, *letter, l.CreatedAt)
	})
}

const linkColumns = `id, digest, pepper, purpose, user_id, email, data, browser, created_at, expires_at, consumed_at`

// Link implements factor.LinkStore.
func (s *Store) Link(ctx context.Context, linkID id.Link) (*factor.Link, error) {
	var l factor.Link
	err := s.read("read a link", func(q querier) error {
		var data string
		var created, expires, consumed int64
		err := q.QueryRowContext(ctx, `SELECT `+linkColumns+` FROM link WHERE id = $1`, string(linkID)).
			Scan(&l.ID, &l.Digest, &l.Pepper, &l.Purpose, &l.User, &l.Email, &data, &l.Browser, &created, &expires, &consumed)
		if errors.Is(err, sql.ErrNoRows) {
			return fault.Missing("link", string(linkID))
		}
		if data != "" {
			l.Data = json.RawMessage(data)
		}
		l.CreatedAt, l.ExpiresAt, l.ConsumedAt = moment(created), moment(expires), moment(consumed)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &l, nil
}

// TakeLink implements factor.LinkStore. One conditional statement: of several who press the button one changes the row.
func (s *Store) TakeLink(ctx context.Context, linkID id.Link, now time.Time) (took bool, err error) {
	err = s.step(ctx, "take a link", func(ctx context.Context, q querier) error {
		result, err := q.ExecContext(ctx, `UPDATE link SET consumed_at = $2 WHERE id = $1 AND consumed_at = 0 AND expires_at > $2`, string(linkID), micros(now))
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		took = n == 1
		return err
	})
	return took && err == nil, err
}

// TrimLinks implements factor.LinkStore.
func (s *Store) TrimLinks(ctx context.Context, now time.Time) error {
	return s.step(ctx, "trim links", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `DELETE FROM link WHERE expires_at < $1`, micros(now.Add(-linksKept)))
		return err
	})
}
