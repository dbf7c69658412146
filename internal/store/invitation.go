package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

const invitationColumns = `id, team_id, email, email_key, role, digest, pepper, invited_by, created_at, expires_at, used_at, revoked_at`

// CreateInvitation implements factor.InvitationStore. The new one takes the row of the one before, so that of several made at
// once for an address exactly one works.
func (s *Store) CreateInvitation(ctx context.Context, reach audit.Reach, i *factor.Invitation, letter *factor.Letter, ev audit.Event) error {
	return s.step(ctx, "invite into a team", func(ctx context.Context, q querier) error {
		if _, err := oneTeam(ctx, q, reach, i.Team); err != nil {
			return err
		}
		if _, err := q.ExecContext(ctx, `
			INSERT INTO invitation (`+invitationColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0)
			ON CONFLICT (team_id, email_key) WHERE used_at = 0 AND revoked_at = 0 DO UPDATE SET id = excluded.id, email = excluded.email, role = excluded.role,
				digest = excluded.digest, pepper = excluded.pepper, invited_by = excluded.invited_by, created_at = excluded.created_at, expires_at = excluded.expires_at`,
			string(i.ID), string(i.Team), i.Email, i.EmailKey, string(i.Role), i.Digest, i.Pepper, i.By, micros(i.CreatedAt), micros(i.ExpiresAt)); err != nil {
			return err
		}
		if letter != nil {
			if err := post(ctx, q, *letter, i.CreatedAt); err != nil {
				return err
			}
		}
		ev.Team = i.Team
		_, err := s.finish(ctx, q, ev)
		return err
	})
}

func scanInvitation(row scanner) (*factor.Invitation, error) {
	var i factor.Invitation
	var created, expires, used, revoked int64
	if err := row.Scan(&i.ID, &i.Team, &i.Email, &i.EmailKey, &i.Role, &i.Digest, &i.Pepper, &i.By, &created, &expires, &used, &revoked); err != nil {
		return nil, err
	}
	i.CreatedAt, i.ExpiresAt, i.UsedAt, i.RevokedAt = moment(created), moment(expires), moment(used), moment(revoked)
	return &i, nil
}

// Invitation implements factor.InvitationStore.
func (s *Store) Invitation(ctx context.Context, invitation id.Invitation) (i *factor.Invitation, err error) {
	err = s.read("read an invitation", func(q querier) error {
		i, err = scanInvitation(q.QueryRowContext(ctx, `SELECT `+invitationColumns+` FROM invitation WHERE id = $1`, string(invitation)))
		if errors.Is(err, sql.ErrNoRows) {
			return fault.Missing("invitation", string(invitation))
		}
		return err
	})
	return i, err
}

// Invitations implements factor.InvitationStore.
func (s *Store) Invitations(ctx context.Context, reach audit.Reach, teamID id.Team, limit int) (all []*factor.Invitation, err error) {
	err = s.snapshot(ctx, "list invitations", func(q querier) error {
		if _, err := oneTeam(ctx, q, reach, teamID); err != nil {
			return err
		}
		rows, err := q.QueryContext(ctx, `SELECT `+invitationColumns+` FROM invitation
			WHERE team_id = $1 AND used_at = 0 AND revoked_at = 0 ORDER BY email_key LIMIT $2`, string(teamID), limit)
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			i, err := scanInvitation(rows)
			all = append(all, i)
			return err
		})
	})
	return all, err
}

// RevokeInvitation implements factor.InvitationStore.
func (s *Store) RevokeInvitation(ctx context.Context, reach audit.Reach, teamID id.Team, invitation id.Invitation, ev audit.Event) error {
	return s.step(ctx, "revoke an invitation", func(ctx context.Context, q querier) error {
		if _, err := oneTeam(ctx, q, reach, teamID); err != nil {
			return err
		}
		result, err := q.ExecContext(ctx, `UPDATE invitation SET revoked_at = $3 WHERE id = $1 AND team_id = $2 AND used_at = 0 AND revoked_at = 0`,
			string(invitation), string(teamID), micros(ev.At))
		if err := changedOne(result, err, fault.Missing("invitation", string(invitation))); err != nil {
			return err
		}
		ev.Team = teamID
		_, err = s.finish(ctx, q, ev)
		return err
	})
}

// TakeInvitation implements factor.InvitationStore. Consuming is one conditional statement: of several who press the button one
// changes the row. The team is locked before, as every change of its members does, so that none waits for the other in a ring.
func (s *Store) TakeInvitation(ctx context.Context, invitation id.Invitation, userID id.User, ev audit.Event) (rev id.Revision, took bool, err error) {
	err = s.step(ctx, "take an invitation", func(ctx context.Context, q querier) error {
		took = false
		var teamID id.Team
		var role audit.Role
		err := q.QueryRowContext(ctx, `SELECT team_id FROM invitation WHERE id = $1`, string(invitation)).Scan(&teamID)
		if err == nil {
			err = lockRow(ctx, q, "team", string(teamID))
		}
		if err == nil {
			err = q.QueryRowContext(ctx, `UPDATE invitation SET used_at = $2 WHERE id = $1 AND used_at = 0 AND revoked_at = 0 AND expires_at > $2 RETURNING role`,
				string(invitation), micros(ev.At)).Scan(&role)
		}
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		result, err := q.ExecContext(ctx, `
			INSERT INTO member (team_id, user_id, role) SELECT t.id, u.id, $3 FROM team t, users u WHERE t.id = $1 AND t.system = 0 AND u.id = $2
			ON CONFLICT (team_id, user_id) DO NOTHING`, string(teamID), string(userID), string(role))
		if err != nil {
			return err
		}
		joined, err := result.RowsAffected()
		if err != nil {
			return err
		}
		if joined == 0 { // they are a member already, or the team or the user is gone
			var there int
			if err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM member WHERE team_id = $1 AND user_id = $2`, string(teamID), string(userID)).Scan(&there); err != nil || there == 0 {
				return err
			}
		}
		ev.Team, took = teamID, true
		rev, err = s.finish(ctx, q, ev, change{changes.Team, string(teamID)}, change{changes.User, string(userID)})
		return err
	})
	return rev, took && err == nil, err
}

// forgetInvitations takes back what a member invited who is no owner any more: a second address of theirs would be a way back in.
func forgetInvitations(ctx context.Context, q querier, teamID id.Team, userID id.User, at time.Time) error {
	_, err := q.ExecContext(ctx, `
		UPDATE invitation SET revoked_at = $3 WHERE team_id = $1 AND used_at = 0 AND revoked_at = 0 AND invited_by = $2
		AND NOT EXISTS (SELECT 1 FROM member m WHERE m.team_id = $1 AND m.user_id = $2 AND m.role = 'owner')`, string(teamID), string(userID), micros(at))
	return err
}
