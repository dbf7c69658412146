package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// IssueCode implements grant.CodeStore. The request goes first: of several answers to it one deletes the row, and only that
// one leaves a code.
func (s *Store) IssueCode(ctx context.Context, request id.Request, browser []byte, c *grant.Code) (issued bool, err error) {
	issue, err := encode(&c.Issue)
	if err != nil {
		return false, err
	}
	err = s.step(ctx, "issue a code", func(ctx context.Context, q querier) error {
		issued, err = decides(ctx, q, `DELETE FROM auth_request WHERE id = $1 AND browser = $2 AND app_id = $3 AND expires_at > $4`,
			string(request), browser, string(c.App), micros(c.CreatedAt))
		if err != nil || !issued {
			return err
		}
		if err := joinSession(ctx, q, c.Session, c.App); err != nil {
			return err
		}
		_, err = q.ExecContext(ctx, `
			INSERT INTO auth_code (id, digest, pepper, app_id, user_id, grant_id, session_id, issue, created_at, expires_at, consumed_at, family_id)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, '')`,
			string(c.ID), c.Digest, c.Pepper, string(c.App), string(c.User), string(c.Grant), string(c.Session), issue, micros(c.CreatedAt), micros(c.ExpiresAt))
		return err
	})
	return issued && err == nil, err
}

// Code implements grant.CodeStore.
func (s *Store) Code(ctx context.Context, code id.Code) (*grant.Code, error) {
	var c grant.Code
	var issue string
	err := s.read("read a code", func(q querier) error {
		var created, expires, consumed int64
		err := q.QueryRowContext(ctx, `
			SELECT id, digest, pepper, app_id, user_id, grant_id, session_id, issue, created_at, expires_at, consumed_at, family_id FROM auth_code WHERE id = $1`, string(code)).
			Scan(&c.ID, &c.Digest, &c.Pepper, &c.App, &c.User, &c.Grant, &c.Session, &issue, &created, &expires, &consumed, &c.Family)
		if errors.Is(err, sql.ErrNoRows) {
			return fault.Missing("code", string(code))
		}
		c.CreatedAt, c.ExpiresAt, c.ConsumedAt = moment(created), moment(expires), moment(consumed)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &c, decode(issue, &c.Issue)
}

// RedeemCode implements grant.CodeStore.
func (s *Store) RedeemCode(ctx context.Context, code id.Code, family id.Family, f *grant.Family, now time.Time) (grant.Outcome, error) {
	return s.redeem(ctx, redemption{table: "auth_code", row: string(code), family: family, chain: f, now: now})
}

// redemption is an attempt at a code or a device code. Both tables name these columns alike.
type redemption struct {
	table  string // auth_code or device
	row    string
	only   string // a further condition on the row: "AND …"
	family id.Family
	chain  *grant.Family // nil: nothing to keep
	now    time.Time
}

// errEnded undoes a redemption whose grant was revoked while it was under way.
var errEnded = errors.New("the grant was revoked")

// redeem consumes the row, notes the family and keeps its chain. The conditional UPDATE comes first, since it alone decides:
// whoever comes second waits for it and finds the row consumed.
func (s *Store) redeem(ctx context.Context, r redemption) (outcome grant.Outcome, err error) {
	err = s.step(ctx, "redeem a code", func(ctx context.Context, q querier) error {
		var grantID id.Grant
		err := q.QueryRowContext(ctx, `UPDATE `+r.table+` SET consumed_at = $2, family_id = $3
			WHERE id = $1 AND consumed_at = 0 AND expires_at > $2 `+r.only+` AND `+inForce(r.table)+` RETURNING grant_id`,
			r.row, micros(r.now), string(r.family)).Scan(&grantID)
		if errors.Is(err, sql.ErrNoRows) {
			outcome, err = s.redeemedBefore(ctx, q, r)
			return err
		}
		if err != nil {
			return err
		}
		outcome = grant.Won
		return keepChain(ctx, q, r, grantID)
	})
	switch {
	case errors.Is(err, errEnded):
		return grant.Dead, nil
	case err != nil:
		return "", err
	}
	return outcome, nil
}

// keepChain notes the use on the grant and keeps the chain's row. The grant is touched first: from then on whoever revokes it
// waits and ends the chain too; whoever was faster is seen here, though the statement before may have been too early for it.
func keepChain(ctx context.Context, q querier, r redemption, grantID id.Grant) error {
	if r.chain != nil && (r.chain.ID != r.family || r.chain.Grant != grantID) {
		return fmt.Errorf("the chain %s under %s is not the one of this redemption", r.chain.ID, r.chain.Grant)
	}
	result, err := q.ExecContext(ctx, `UPDATE grants SET used_at = $2 WHERE id = $1 AND revoked_at = 0`, string(grantID), micros(r.now))
	if err := changedOne(result, err, errEnded); err != nil || r.chain == nil {
		return err
	}
	return insertFamily(ctx, q, r.chain)
}

// redeemedBefore says what became of an attempt that changed nothing. A late replay ends what the first redemption made.
func (s *Store) redeemedBefore(ctx context.Context, q querier, r redemption) (grant.Outcome, error) {
	var consumed int64
	var family id.Family
	var grantID id.Grant
	err := q.QueryRowContext(ctx, `SELECT consumed_at, family_id, grant_id FROM `+r.table+` WHERE id = $1`, r.row).Scan(&consumed, &family, &grantID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", fault.Missing("code", r.row)
	case err != nil:
		return "", err
	case consumed == 0:
		return grant.Dead, nil
	case r.now.Before(moment(consumed).Add(grant.Race)):
		return grant.Lost, nil
	}
	return grant.Reused, s.endReused(ctx, q, reuse{action: "family.reuse", family: family, grant: grantID, at: r.now})
}

// reuse is something that was used before and was presented again, so that somebody else may have it.
type reuse struct {
	action string // of the audit line
	family id.Family
	grant  id.Grant
	at     time.Time
}

// endReused ends the chain. Only the first who finds out writes: whoever has the old token cannot fill the log.
func (s *Store) endReused(ctx context.Context, q querier, r reuse) error {
	ended, err := endFamily(ctx, q, r.family, r.at)
	if err != nil || !ended {
		return err
	}
	var appID, teamID string
	if err := q.QueryRowContext(ctx, `SELECT app_id, team_id FROM grants WHERE id = $1`, string(r.grant)).Scan(&appID, &teamID); err != nil {
		return err
	}
	ev := audit.Actor{Label: "system"}.New(r.at, r.action, string(r.family), id.Team(teamID), map[string]string{"app": appID, "grant": string(r.grant)})
	_, err = s.finish(ctx, q, ev, change{changes.Revocation, string(r.family)})
	return err
}
