package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
)

const (
	maxFamilies = 200         // of one grant that are listed
	keepEvery   = time.Minute // how often a sign of life is written
)

func insertFamily(ctx context.Context, q querier, f *grant.Family) error {
	issue, err := encode(&f.Issue)
	if err != nil {
		return err
	}
	_, err = q.ExecContext(ctx, `INSERT INTO family (`+familyColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $11, $13, $14, 0)`,
		string(f.ID), string(f.App), string(f.User), string(f.Grant), string(f.Session), string(f.Mode), issue, f.Seed, int64(f.Counter), f.KeyVersion,
		micros(f.CreatedAt), micros(f.RotatedAt), micros(f.IdleAt), micros(f.ExpiresAt))
	return err
}

const familyColumns = `id, app_id, user_id, grant_id, session_id, mode, issue, seed, counter, key_version, created_at, rotated_at, used_at, idle_at, expires_at, revoked_at`

// scanFamily reads a row of familyColumns, and what follows them into more.
func scanFamily(row scanner, more ...any) (*grant.Family, error) {
	var f grant.Family
	var issue string
	var created, rotated, used, idle, expires, revoked int64
	if err := row.Scan(append([]any{
		&f.ID, &f.App, &f.User, &f.Grant, &f.Session, &f.Mode, &issue, &f.Seed, &f.Counter, &f.KeyVersion,
		&created, &rotated, &used, &idle, &expires, &revoked,
	}, more...)...); err != nil {
		return nil, err
	}
	f.CreatedAt, f.RotatedAt, f.UsedAt = moment(created), moment(rotated), moment(used)
	f.IdleAt, f.ExpiresAt, f.RevokedAt = moment(idle), moment(expires), moment(revoked)
	return &f, decode(issue, &f.Issue)
}

// Family implements grant.FamilyStore.
func (s *Store) Family(ctx context.Context, family id.Family) (f *grant.Family, err error) {
	err = s.read("read a chain", func(q querier) error {
		f, err = scanFamily(q.QueryRowContext(ctx, `SELECT `+familyColumns+` FROM family WHERE id = $1`, string(family)))
		return familyFound(err, family)
	})
	return f, err
}

func familyFound(err error, family id.Family) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fault.Missing("chain of refresh tokens", string(family))
	}
	return err
}

// familyGood is the condition that the token at counter $2 of chain $1 is good at $3.
func familyGood() string {
	return `id = $1 AND counter = $2 AND revoked_at = 0 AND idle_at > $3 AND expires_at > $3 AND ` + inForce("family")
}

// RotateRefresh implements grant.FamilyStore. The conditional UPDATE comes first, since it alone decides: whoever presents the
// same token second waits for it and finds the counter ahead. Only then is it asked why nothing was changed. Most signs of
// life of a chain that keeps its token find that it was seen a moment ago, and then nothing is written.
func (s *Store) RotateRefresh(ctx context.Context, r grant.Rotation) (f *grant.Family, outcome grant.Outcome, err error) {
	if r.Keep {
		if f, err = s.seenLately(ctx, r); err != nil || f != nil {
			return f, grant.Won, err
		}
	}
	err = s.step(ctx, "rotate a refresh token", func(ctx context.Context, q querier) error {
		outcome = grant.Won
		if f, err = rotate(ctx, q, r); !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		var alive bool
		if f, err = scanFamily(q.QueryRowContext(ctx, `SELECT `+familyColumns+`, `+inForce("family")+` FROM family WHERE id = $1`, string(r.Family)), &alive); err != nil {
			return familyFound(err, r.Family)
		}
		switch outcome = notRotated(f, alive, r); outcome {
		case grant.Reused:
			return s.endReused(ctx, q, reuse{action: "family.reuse", family: f.ID, grant: f.Grant, at: r.Now})
		case grant.Ahead:
			return s.endReused(ctx, q, reuse{action: "family.ahead", family: f.ID, grant: f.Grant, at: r.Now})
		default:
			return nil
		}
	})
	if err != nil {
		return nil, "", err
	}
	return f, outcome, nil
}

// seenLately is the chain if its token is good and its use was noted a moment ago; else nil.
func (s *Store) seenLately(ctx context.Context, r grant.Rotation) (f *grant.Family, err error) {
	err = s.read("look when a chain was used", func(q querier) error {
		f, err = scanFamily(q.QueryRowContext(ctx, `SELECT `+familyColumns+` FROM family WHERE used_at > $4 AND `+familyGood(),
			string(r.Family), int64(r.Counter), micros(r.Now), micros(r.Now.Add(-keepEvery))))
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return f, err
}

// rotate runs the statement that decides; sql.ErrNoRows if it changed nothing. The last counter has no successor.
func rotate(ctx context.Context, q querier, r grant.Rotation) (*grant.Family, error) {
	args := []any{string(r.Family), int64(r.Counter), micros(r.Now), micros(r.Now.Add(grant.FamilyIdle))}
	step, last := ``, ``
	if !r.Keep {
		step, last = `counter = counter + 1, key_version = $5, rotated_at = $3, `, ` AND counter < 4294967295`
		args = append(args, r.KeyVersion)
	}
	return scanFamily(q.QueryRowContext(ctx, `UPDATE family SET `+step+`used_at = $3, idle_at = CASE WHEN expires_at < $4 THEN expires_at ELSE $4 END
		WHERE `+familyGood()+last+` RETURNING `+familyColumns, args...))
}

// notRotated says why the chain was not taken on. The successor is repeated to nobody whom it would be refused.
func notRotated(f *grant.Family, alive bool, r grant.Rotation) grant.Outcome {
	switch {
	case !f.RevokedAt.IsZero(), !r.Now.Before(f.IdleAt), !r.Now.Before(f.ExpiresAt):
		return grant.Dead
	case r.Counter > f.Counter:
		return grant.Ahead
	case r.Counter == f.Counter:
		return grant.Dead
	case r.Counter+1 < f.Counter, !r.Now.Before(f.RotatedAt.Add(grant.Grace)):
		return grant.Reused
	case !alive:
		return grant.Dead
	}
	return grant.Same
}

// RevokeFamily implements grant.FamilyStore.
func (s *Store) RevokeFamily(ctx context.Context, family id.Family, ev audit.Event) (rev id.Revision, err error) {
	err = s.step(ctx, "revoke a chain", func(ctx context.Context, q querier) error {
		ended, err := endFamily(ctx, q, family, ev.At)
		if err != nil {
			return err
		}
		if !ended {
			rev, err = headRevision(ctx, q)
			return err
		}
		rev, err = s.finish(ctx, q, ev, change{changes.Revocation, string(family)})
		return err
	})
	return rev, err
}

// endFamily ends a chain, with a row or without, and remembers it; false if that was done before. What is remembered is not
// prolonged: everything under the chain was issued before its first end.
func endFamily(ctx context.Context, q querier, family id.Family, at time.Time) (bool, error) {
	live, err := decides(ctx, q, `UPDATE family SET revoked_at = $2 WHERE id = $1 AND revoked_at = 0`, string(family), micros(at))
	if err != nil {
		return false, err
	}
	first, err := decides(ctx, q, `INSERT INTO revocation (subject, at, until) VALUES ($1, $2, $3) ON CONFLICT (subject) DO NOTHING`,
		string(family), micros(at), micros(at.Add(changes.RevocationLife)))
	return live || first, err
}

// Families implements grant.FamilyStore.
func (s *Store) Families(ctx context.Context, grantID id.Grant, now time.Time) (families []*grant.Family, err error) {
	err = s.read("list chains", func(q querier) error {
		rows, err := q.QueryContext(ctx, `SELECT `+familyColumns+` FROM family WHERE grant_id = $1 AND revoked_at = 0 AND idle_at > $2 AND expires_at > $2
			ORDER BY used_at DESC, id DESC LIMIT $3`, string(grantID), micros(now), maxFamilies)
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			f, err := scanFamily(rows)
			families = append(families, f)
			return err
		})
	})
	return families, err
}
