package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// inForce is the condition that the grant of a row, its user, and its app with its team may all be used now.
func inForce(table string) string {
	return `EXISTS (SELECT 1 FROM grants g
		JOIN users u ON u.id = g.user_id AND u.disabled_at = 0
		JOIN app a ON a.id = g.app_id AND a.disabled_at = 0 AND a.deleted_at = 0
		JOIN team t ON t.id = a.team_id AND t.suspended_at = 0
		WHERE g.id = ` + table + `.grant_id AND g.revoked_at = 0)`
}

// Allow implements grant.Store.
func (s *Store) Allow(ctx context.Context, g *grant.Grant, ev audit.Event) (allowed *grant.Grant, err error) {
	err = s.step(ctx, "allow an app", func(ctx context.Context, q querier) error {
		var altered []change
		if allowed, altered, err = s.allow(ctx, q, g, ev.At); err != nil {
			return err
		}
		ev.Team = allowed.Team
		_, err = s.finish(ctx, q, ev, altered...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return allowed, nil
}

// allow makes the live grant, or widens it and takes out of it what was unticked and what was said to another document than
// the present one. If that takes anything away, tokens from before end: the entries say so. The app's row is locked first: of
// two browsers that allow at once the second waits and unites with what it then finds, and an app that is deleted at the same
// moment has no grant afterwards. The unique index holds it to one live grant in any case. No upsert: SQLite would look in
// whole tables for what refers to the row.
func (s *Store) allow(ctx context.Context, q querier, g *grant.Grant, at time.Time) (*grant.Grant, []change, error) {
	if err := lockRow(ctx, q, "app", string(g.App)); err != nil {
		return nil, nil, err
	}
	teamID, err := mayAllow(ctx, q, g.User, g.App)
	if err != nil {
		return nil, nil, err
	}
	live := (&where{}).and("g.user_id = ? AND g.app_id = ? AND g.revoked_at = 0", string(g.User), string(g.App))
	there, err := oneGrant(ctx, q, live, string(g.App))
	if fault.Is(err, fault.NotFound) {
		allowed := *g
		allowed.Team, allowed.Scopes, allowed.Unticked, allowed.UpdatedAt = teamID, sorted(g.Scopes), nil, at
		allowed.Refused = sorted(grant.Without(g.Refused, allowed.Scopes))
		scopes, refused, err := encodeTwo(allowed.Scopes, allowed.Refused)
		if err != nil {
			return nil, nil, err
		}
		_, err = q.ExecContext(ctx, `
			INSERT INTO grants (id, user_id, app_id, team_id, scopes, refused, document, epoch, created_at, updated_at, revoked_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0)`,
			string(g.ID), string(g.User), string(g.App), string(teamID), scopes, refused, g.Document, g.Epoch, micros(g.CreatedAt), micros(at))
		return &allowed, []change{{changes.Grant, string(g.ID)}}, err
	}
	if err != nil {
		return nil, nil, err
	}
	return s.widen(ctx, q, there, g, at)
}

// widen is allow for a grant that is there.
func (s *Store) widen(ctx context.Context, q querier, there, g *grant.Grant, at time.Time) (*grant.Grant, []change, error) {
	var kept, refused []string
	if there.Document == g.Document {
		kept, refused = grant.Without(there.Scopes, g.Unticked), there.Refused
	}
	before, altered := *there, []change{{changes.Grant, string(there.ID)}}
	there.Scopes, there.Document, there.UpdatedAt = sorted(append(kept, g.Scopes...)), g.Document, at
	there.Refused = sorted(grant.Without(slices.Concat(refused, g.Refused), there.Scopes))
	if len(grant.Without(before.Scopes, there.Scopes)) > 0 {
		over := user.EpochSubject(string(there.ID), before.Epoch)
		if err := s.revoke(ctx, q, over, at); err != nil {
			return nil, nil, err
		}
		there.Epoch++
		altered = append(altered, change{changes.Revocation, over})
	}
	scopes, left, err := encodeTwo(there.Scopes, there.Refused)
	if err != nil {
		return nil, nil, err
	}
	_, err = q.ExecContext(ctx, `UPDATE grants SET scopes = $2, refused = $3, document = $4, epoch = $5, updated_at = $6 WHERE id = $1`,
		string(there.ID), scopes, left, there.Document, there.Epoch, micros(at))
	return there, altered, err
}

// sorted are scopes in order, each once.
func sorted(scopes []string) []string {
	scopes = slices.Clone(scopes)
	slices.Sort(scopes)
	return slices.Compact(scopes)
}

// mayAllow refuses a grant of a user or an app that is gone or out of use, and returns the app's team.
func mayAllow(ctx context.Context, q querier, userID id.User, appID id.App) (teamID id.Team, err error) {
	var off int64
	err = q.QueryRowContext(ctx, `SELECT a.team_id, a.disabled_at + t.suspended_at FROM app a JOIN team t ON t.id = a.team_id WHERE a.id = $1 AND a.deleted_at = 0`,
		string(appID)).Scan(&teamID, &off)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", fault.Missing("app", string(appID))
	case err != nil:
		return "", err
	case off > 0:
		return "", fault.New(fault.Conflict, "this app is not in use at present; ask whoever runs it")
	}
	u, err := oneUser(ctx, q, userID)
	if err == nil && !u.DisabledAt.IsZero() {
		err = fault.New(fault.Conflict, "this account is not in use; ask an administrator to enable it")
	}
	return teamID, err
}

const grantSelect = `SELECT g.id, g.user_id, g.app_id, g.team_id, g.scopes, g.refused, g.document, g.epoch, g.created_at, g.updated_at, g.revoked_at, g.used_at,
	COALESCE((SELECT MAX(f.used_at) FROM family f WHERE f.grant_id = g.id), 0) FROM grants g`

func scanGrant(row scanner) (*grant.Grant, error) {
	var g grant.Grant
	var scopes, refused string
	var created, updated, revoked, used, chained int64
	if err := row.Scan(&g.ID, &g.User, &g.App, &g.Team, &scopes, &refused, &g.Document, &g.Epoch, &created, &updated, &revoked, &used, &chained); err != nil {
		return nil, err
	}
	g.CreatedAt, g.UpdatedAt, g.RevokedAt, g.LastUsedAt = moment(created), moment(updated), moment(revoked), moment(max(used, chained))
	return &g, decodeTwo(scopes, &g.Scopes, refused, &g.Refused)
}

func oneGrant(ctx context.Context, q querier, w *where, name string) (*grant.Grant, error) {
	g, err := scanGrant(q.QueryRowContext(ctx, grantSelect+w.String(), w.args...))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.Missing("grant", name)
	}
	return g, err
}

// GrantForDecision implements grant.Store.
func (s *Store) GrantForDecision(ctx context.Context, grantID id.Grant) (g *grant.Grant, err error) {
	err = s.read("read a grant", func(q querier) error {
		g, err = oneGrant(ctx, q, (&where{}).and("g.id = ?", string(grantID)), string(grantID))
		return err
	})
	return g, err
}

// LiveGrant implements grant.Store.
func (s *Store) LiveGrant(ctx context.Context, userID id.User, appID id.App) (g *grant.Grant, err error) {
	err = s.read("find a grant", func(q querier) error {
		g, err = oneGrant(ctx, q, (&where{}).and("g.user_id = ? AND g.app_id = ? AND g.revoked_at = 0", string(userID), string(appID)), string(appID))
		return err
	})
	return g, err
}

// grantsWithin is the condition that a grant lies within a reach and, unless owner is "", is that user's. Users reach their
// own whatever teams they belong to.
func grantsWithin(reach audit.Reach, owner id.User) *where {
	if owner != "" && reach.User() == owner {
		return (&where{}).and("g.user_id = ?", string(owner))
	}
	return within("g.team_id", reach).given("g.user_id = ?", string(owner))
}

// Grants implements grant.Store.
func (s *Store) Grants(ctx context.Context, reach audit.Reach, f grant.Filter) (grants []*grant.Grant, err error) {
	err = s.read("list grants", func(q querier) error {
		w := grantsWithin(reach, f.User).given("g.app_id = ?", string(f.App)).oneOf("g.id", texts(f.IDs)).after("g.created_at, g.id", f.Before, f.BeforeID)
		if f.Live {
			w.and("g.revoked_at = 0")
		}
		rows, err := q.QueryContext(ctx, grantSelect+w.newest("g.", len(f.IDs) > 0, f.Limit), w.args...)
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			g, err := scanGrant(rows)
			grants = append(grants, g)
			return err
		})
	})
	return grants, err
}

// RevokeGrant implements grant.Store. The grant's row is locked first: whoever redeems a code under it at the same moment has
// made the chain that is ended here, or finds the grant revoked.
func (s *Store) RevokeGrant(ctx context.Context, reach audit.Reach, owner id.User, grantID id.Grant, ev audit.Event) (rev id.Revision, err error) {
	err = s.step(ctx, "revoke a grant", func(ctx context.Context, q querier) error {
		if err := lockRow(ctx, q, "grants", string(grantID)); err != nil {
			return err
		}
		g, err := oneGrant(ctx, q, grantsWithin(reach, owner).and("g.id = ?", string(grantID)), string(grantID))
		if err != nil {
			return err
		}
		if !g.RevokedAt.IsZero() {
			rev, err = headRevision(ctx, q)
			return err
		}
		for _, end := range []string{
			`UPDATE grants SET revoked_at = $2, updated_at = $2 WHERE id = $1`,
			`UPDATE family SET revoked_at = $2 WHERE grant_id = $1 AND revoked_at = 0`,
		} {
			if _, err := q.ExecContext(ctx, end, string(grantID), micros(ev.At)); err != nil {
				return err
			}
		}
		if err := s.revoke(ctx, q, string(grantID), ev.At); err != nil {
			return err
		}
		ev.Team = g.Team
		rev, err = s.finish(ctx, q, ev, change{changes.Grant, string(grantID)}, change{changes.Revocation, string(grantID)})
		return err
	})
	return rev, err
}

// headRevision is the revision of now: who waits for it waits for what was revoked before, too.
func headRevision(ctx context.Context, q querier) (rev id.Revision, err error) {
	err = q.QueryRowContext(ctx, `SELECT revision FROM change_head WHERE id = 1`).Scan(&rev)
	return rev, err
}

// RevokeToken implements grant.Store.
func (s *Store) RevokeToken(ctx context.Context, token id.Token, until time.Time, ev audit.Event) (rev id.Revision, err error) {
	err = s.step(ctx, "revoke a token", func(ctx context.Context, q querier) error {
		result, err := q.ExecContext(ctx, `
			INSERT INTO revocation (subject, at, until) VALUES ($1, $2, $3)
			ON CONFLICT (subject) DO UPDATE SET until = excluded.until WHERE revocation.until < excluded.until`,
			string(token), micros(ev.At), micros(until))
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			rev, err = headRevision(ctx, q)
			return err
		}
		rev, err = s.finish(ctx, q, ev, change{changes.Revocation, string(token)})
		return err
	})
	return rev, err
}
