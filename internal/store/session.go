package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/session"
)

const (
	touchEvery  = 5 * time.Minute
	maxSessions = 200 // of one user that are listed
)

// BeginSession implements session.Store. The user's row is locked first, so that a user who is disabled at the same moment
// has no session afterwards.
func (s *Store) BeginSession(ctx context.Context, se *session.Session, replaced id.Session, from, to []byte) error {
	amr, err := encode(se.AMR)
	if err != nil {
		return err
	}
	return s.step(ctx, "begin a session", func(ctx context.Context, q querier) error {
		if err := lockRow(ctx, q, "users", string(se.User)); err != nil {
			return err
		}
		if u, err := oneUser(ctx, q, se.User); err != nil && !fault.Is(err, fault.NotFound) {
			return err
		} else if err != nil || !u.DisabledAt.IsZero() {
			return fault.New(fault.Unauthenticated, "this account is not in use")
		}
		apps, err := replaceSession(ctx, q, se, replaced)
		if err != nil {
			return err
		}
		if _, err := q.ExecContext(ctx, `INSERT INTO session (`+sessionColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			string(se.ID), string(se.Alias), string(se.User), se.Digest, se.Pepper, micros(se.AuthAt), se.ACR, amr, se.Network, se.Agent,
			micros(se.CreatedAt), micros(se.SeenAt), micros(se.ExpiresAt)); err != nil {
			return err
		}
		for _, appID := range apps {
			if _, err := q.ExecContext(ctx, `INSERT INTO session_app (session_id, app_id) VALUES ($1, $2)`, string(se.ID), string(appID)); err != nil {
				return err
			}
		}
		if len(from) == 0 {
			return nil
		}
		_, err = q.ExecContext(ctx, `UPDATE auth_request SET browser = $2 WHERE browser = $1`, from, to)
		return err
	})
}

// replaceSession ends the session that the browser had and settles the alias of the new one. If it is the same user's, the
// new one goes on under its alias with its apps, which are returned; another user's apps are told that it is over.
func replaceSession(ctx context.Context, q querier, by *session.Session, replaced id.Session) ([]id.App, error) {
	by.Alias = by.ID
	if replaced == "" {
		return nil, nil
	}
	w := (&where{}).and("id = ?", string(replaced))
	over, err := lockSessions(ctx, q, w)
	if err != nil || len(over) == 0 {
		return nil, err
	}
	if over[0].User != by.User {
		if err := leaveNotices(ctx, q, over, by.CreatedAt); err != nil {
			return nil, err
		}
		over[0].Apps = nil
	} else {
		by.Alias = over[0].Alias
	}
	_, err = q.ExecContext(ctx, `DELETE FROM session`+w.String(), w.args...)
	return over[0].Apps, err
}

const sessionColumns = `id, alias, user_id, digest, pepper, auth_at, acr, amr, network, agent, created_at, seen_at, expires_at`

func scanSession(row scanner) (*session.Session, error) {
	var se session.Session
	var amr string
	var auth, created, seen, expires int64
	if err := row.Scan(&se.ID, &se.Alias, &se.User, &se.Digest, &se.Pepper, &auth, &se.ACR, &amr, &se.Network, &se.Agent, &created, &seen, &expires); err != nil {
		return nil, err
	}
	se.AuthAt, se.CreatedAt, se.SeenAt, se.ExpiresAt = moment(auth), moment(created), moment(seen), moment(expires)
	return &se, decode(amr, &se.AMR)
}

// Session implements session.Store.
func (s *Store) Session(ctx context.Context, sessionID id.Session) (se *session.Session, err error) {
	err = s.read("read a session", func(q querier) error {
		se, err = scanSession(q.QueryRowContext(ctx, `SELECT `+sessionColumns+` FROM session WHERE id = $1`, string(sessionID)))
		if errors.Is(err, sql.ErrNoRows) {
			return fault.Missing("session", string(sessionID))
		}
		return err
	})
	return se, err
}

// TouchSession implements session.Store. Most calls find it seen a moment ago, and then nothing is written.
func (s *Store) TouchSession(ctx context.Context, sessionID id.Session, now time.Time) error {
	stale := false
	if err := s.read("look when a session was seen", func(q querier) error {
		var one int
		err := q.QueryRowContext(ctx, `SELECT 1 FROM session WHERE id = $1 AND seen_at <= $2`, string(sessionID), micros(now.Add(-touchEvery))).Scan(&one)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		stale = err == nil
		return err
	}); err != nil || !stale {
		return err
	}
	return s.step(ctx, "note a sign of life", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `UPDATE session SET seen_at = $3 WHERE id = $1 AND seen_at <= $2`, string(sessionID), micros(now.Add(-touchEvery)), micros(now))
		return err
	})
}

// joinSession notes that a session signed in to an app. The session's row is locked first: whoever ends it knows of the app,
// or it has ended. Without a session there is nothing to note.
func joinSession(ctx context.Context, q querier, alias id.Session, appID id.App) error {
	if alias == "" {
		return nil
	}
	var sessionID string
	err := q.QueryRowContext(ctx, `UPDATE session SET created_at = created_at WHERE alias = $1 RETURNING id`, string(alias)).Scan(&sessionID)
	if errors.Is(err, sql.ErrNoRows) {
		return fault.Missing("session", string(alias))
	}
	if err != nil {
		return err
	}
	_, err = q.ExecContext(ctx, `INSERT INTO session_app (session_id, app_id) VALUES ($1, $2) ON CONFLICT (session_id, app_id) DO NOTHING`, sessionID, string(appID))
	return err
}

// Sessions implements session.Store.
func (s *Store) Sessions(ctx context.Context, userID id.User, now time.Time) (sessions []*session.Session, err error) {
	err = s.read("list sessions", func(q querier) error {
		rows, err := q.QueryContext(ctx, `SELECT `+sessionColumns+` FROM session WHERE user_id = $1 AND expires_at > $2
			ORDER BY created_at DESC, id DESC LIMIT $3`, string(userID), micros(now), maxSessions)
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			se, err := scanSession(rows)
			sessions = append(sessions, se)
			return err
		})
	})
	return sessions, err
}

// EndSessions implements session.Store. Where none ended there is no audit line either.
func (s *Store) EndSessions(ctx context.Context, userID id.User, which, except id.Session, ev audit.Event) (ended []session.Ended, err error) {
	err = s.step(ctx, "end sessions", func(ctx context.Context, q querier) error {
		w := (&where{}).and("user_id = ?", string(userID)).given("id = ?", string(which))
		if which == "" {
			w.given("id <> ?", string(except))
		}
		if ended, err = endSessions(ctx, q, w, ev.At); err != nil || len(ended) == 0 {
			return err
		}
		return writeAudit(ctx, q, ev)
	})
	return ended, err
}

// endSessions ends the sessions that w chooses and leaves a notice to each of their apps.
func endSessions(ctx context.Context, q querier, w *where, at time.Time) ([]session.Ended, error) {
	ended, err := lockSessions(ctx, q, w)
	if err != nil || len(ended) == 0 {
		return nil, err
	}
	if err := leaveNotices(ctx, q, ended, at); err != nil {
		return nil, err
	}
	_, err = q.ExecContext(ctx, `DELETE FROM session`+w.String(), w.args...)
	return ended, err
}

// lockSessions are the sessions that w chooses, each with its apps. They are locked, so that no app joins before they end.
func lockSessions(ctx context.Context, q querier, w *where) (ended []session.Ended, err error) {
	if _, err := q.ExecContext(ctx, `UPDATE session SET created_at = created_at`+w.String(), w.args...); err != nil {
		return nil, err
	}
	rows, err := q.QueryContext(ctx, `SELECT id, alias, user_id, COALESCE(a.app_id, '') FROM session LEFT JOIN session_app a ON a.session_id = id`+
		w.String()+` ORDER BY id, a.app_id`, w.args...)
	if err != nil {
		return nil, err
	}
	err = scanAll(rows, func() error {
		var e session.Ended
		var appID id.App
		if err := rows.Scan(&e.Session, &e.Alias, &e.User, &appID); err != nil {
			return err
		}
		if len(ended) == 0 || ended[len(ended)-1].Session != e.Session {
			ended = append(ended, e)
		}
		if last := &ended[len(ended)-1]; appID != "" {
			last.Apps = append(last.Apps, appID)
		}
		return nil
	})
	return ended, err
}

// TrimSessions implements session.Store.
func (s *Store) TrimSessions(ctx context.Context, now time.Time) error {
	return s.step(ctx, "trim sessions", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `DELETE FROM session WHERE expires_at <= $1`, micros(now))
		return err
	})
}
