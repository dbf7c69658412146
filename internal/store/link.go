package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/user"
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

// takeLink consumes a link in the step of what it is for, and returns whose it is. One conditional statement: of several who
// press the button one changes the row. fault.NotFound: it was used before, or has expired.
func takeLink(ctx context.Context, q querier, linkID id.Link, now time.Time) (whose id.User, err error) {
	err = q.QueryRowContext(ctx, `UPDATE link SET consumed_at = $2 WHERE id = $1 AND consumed_at = 0 AND expires_at > $2 RETURNING user_id`, string(linkID), micros(now)).Scan(&whose)
	if errors.Is(err, sql.ErrNoRows) {
		return "", fault.Missing("link", string(linkID))
	}
	return whose, err
}

// UseLink implements manage.Accounts.
func (s *Store) UseLink(ctx context.Context, linkID id.Link, ev audit.Event, alter func(*user.User) error) (u *user.User, err error) {
	err = s.step(ctx, "use a link", func(ctx context.Context, q querier) error {
		whose, err := takeLink(ctx, q, linkID, ev.At)
		if err != nil {
			return err
		}
		u, _, err = s.updateUser(ctx, q, whose, ev, alter)
		return err
	})
	return u, err
}

// TrimLinks implements factor.LinkStore.
func (s *Store) TrimLinks(ctx context.Context, now time.Time) error {
	return s.step(ctx, "trim links", func(ctx context.Context, q querier) error {
		ended := micros(now.Add(-linksKept))
		if _, err := q.ExecContext(ctx, `DELETE FROM link WHERE expires_at < $1`, ended); err != nil {
			return err
		}
		_, err := q.ExecContext(ctx, `DELETE FROM invitation WHERE expires_at < $1`, ended)
		return err
	})
}
