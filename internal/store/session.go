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
// has no session afterwards. If the same user logged in again, the apps of the session before are told when this one ends.
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
		if _, err := q.ExecContext(ctx, `INSERT INTO session (`+sessionColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
			string(se.ID), string(se.User), se.Digest, se.Pepper, micros(se.AuthAt), se.ACR, amr, se.Network, se.Agent,
			micros(se.CreatedAt), micros(se.SeenAt), micros(se.ExpiresAt)); err != nil {
			return err
		}
		if err := replaceSession(ctx, q, se, replaced); err != nil || len(from) == 0 {
			return err
		}
		_, err := q.ExecContext(ctx, `UPDATE auth_request SET browser = $2 WHERE browser = $1`, from, to)
		return err
	})
}

func replaceSession(ctx context.Context, q querier, by *session.Session, replaced id.Session) error {
	if replaced == "" {
		return nil
	}
	if err := lockRow(ctx, q, "session", string(replaced)); err != nil {
		return err
	}
	if _, err := q.ExecContext(ctx, `UPDATE session_app SET session_id = $2 WHERE session_id = $1 AND EXISTS (SELECT 1 FROM session o WHERE o.id = $1 AND o.user_id = $3)`,
		string(replaced), string(by.ID), string(by.User)); err != nil {
		return err
	}
	_, err := q.ExecContext(ctx, `DELETE FROM session WHERE id = $1`, string(replaced))
	return err
}

const sessionColumns = `id, user_id, digest, pepper, auth_at, acr, amr, network, agent, created_at, seen_at, expires_at`

func scanSession(row scanner) (*session.Session, error) {
	var se session.Session
	var amr string
	var auth, created, seen, expires int64
	if err := row.Scan(&se.ID, &se.User, &se.Digest, &se.Pepper, &auth, &se.ACR, &amr, &se.Network, &se.Agent, &created, &seen, &expires); err != nil {
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

// JoinSession implements session.Store. The session's row is locked first: whoever ends it knows of the app, or it has ended.
func (s *Store) JoinSession(ctx context.Context, sessionID id.Session, appID id.App) error {
	return s.step(ctx, "join an app to a session", func(ctx context.Context, q querier) error {
		result, err := q.ExecContext(ctx, `UPDATE session SET created_at = created_at WHERE id = $1`, string(sessionID))
		if err := changedOne(result, err, fault.Missing("session", string(sessionID))); err != nil {
			return err
		}
		result, err = q.ExecContext(ctx, `INSERT INTO session_app (session_id, app_id) SELECT $1, id FROM app WHERE id = $2
			ON CONFLICT (session_id, app_id) DO UPDATE SET app_id = excluded.app_id`, string(sessionID), string(appID))
		return changedOne(result, err, fault.Missing("app", string(appID)))
	})
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
		// Locked, so that no app joins between the look and the end.
		if _, err := q.ExecContext(ctx, `UPDATE session SET created_at = created_at`+w.String(), w.args...); err != nil {
			return err
		}
		if ended, err = endedSessions(ctx, q, userID, w); err != nil || len(ended) == 0 {
			return err
		}
		if _, err := q.ExecContext(ctx, `DELETE FROM session`+w.String(), w.args...); err != nil {
			return err
		}
		return writeAudit(ctx, q, ev)
	})
	return ended, err
}

// endedSessions are the sessions that w chooses, each with its apps.
func endedSessions(ctx context.Context, q querier, userID id.User, w *where) (ended []session.Ended, err error) {
	rows, err := q.QueryContext(ctx, `SELECT id, COALESCE(a.app_id, '') FROM session LEFT JOIN session_app a ON a.session_id = id`+
		w.String()+` ORDER BY id, a.app_id`, w.args...)
	if err != nil {
		return nil, err
	}
	err = scanAll(rows, func() error {
		var sessionID id.Session
		var appID id.App
		if err := rows.Scan(&sessionID, &appID); err != nil {
			return err
		}
		if len(ended) == 0 || ended[len(ended)-1].Session != sessionID {
			ended = append(ended, session.Ended{Session: sessionID, User: userID})
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
