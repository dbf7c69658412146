package store

import (
	"context"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/team"
)

// Members implements team.Store, ordered by user.
func (s *Store) Members(ctx context.Context, reach audit.Reach, teamID id.Team) (members []team.Member, err error) {
	err = s.snapshot(ctx, "list members", func(q querier) error {
		if _, err := oneTeam(ctx, q, reach, teamID); err != nil {
			return err
		}
		rows, err := q.QueryContext(ctx, `SELECT user_id, role FROM member WHERE team_id = $1 ORDER BY user_id`, string(teamID))
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			var m team.Member
			err := rows.Scan(&m.User, &m.Role)
			members = append(members, m)
			return err
		})
	})
	return members, err
}

// Colleagues implements team.Store.
func (s *Store) Colleagues(ctx context.Context, reach audit.Reach, teamID id.Team, limit int) (all []team.Colleague, err error) {
	err = s.snapshot(ctx, "list a team's people", func(q querier) error {
		if _, err := oneTeam(ctx, q, reach, teamID); err != nil {
			return err
		}
		rows, err := q.QueryContext(ctx, `
			SELECT m.user_id, m.role, u.name, u.email, u.disabled_at FROM member m JOIN users u ON u.id = m.user_id
			WHERE m.team_id = $1 ORDER BY m.user_id LIMIT $2`, string(teamID), limit)
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			var c team.Colleague
			var disabled int64
			err := rows.Scan(&c.User, &c.Role, &c.Name, &c.Email, &disabled)
			c.Disabled = disabled > 0
			all = append(all, c)
			return err
		})
	})
	return all, err
}

// Memberships implements team.Store.
func (s *Store) Memberships(ctx context.Context, userID id.User, limit int) (all []team.Membership, err error) {
	err = s.read("list a user's teams", func(q querier) error {
		rows, err := q.QueryContext(ctx, `
			SELECT t.id, t.name, t.system, t.created_at, t.suspended_at, t.limits, t.digest_off, m.role FROM member m JOIN team t ON t.id = m.team_id
			WHERE m.user_id = $1 ORDER BY t.name, t.id LIMIT $2`, string(userID), limit)
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			var m team.Membership
			var system, created, suspended, quiet int64
			var limits string
			if err := rows.Scan(&m.Team.ID, &m.Team.Name, &system, &created, &suspended, &limits, &quiet, &m.Role); err != nil {
				return err
			}
			m.Team.System, m.Team.CreatedAt, m.Team.SuspendedAt, m.Team.NoDigest = system == 1, moment(created), moment(suspended), quiet == 1
			err := decode(limits, &m.Team.Limits)
			all = append(all, m)
			return err
		})
	})
	return all, err
}

// SetMember implements team.Store. What a member may do belongs to the user as much as to the team: both get an entry.
func (s *Store) SetMember(ctx context.Context, reach audit.Reach, teamID id.Team, m team.Member, ev audit.Event) (rev id.Revision, err error) {
	if !m.Role.Valid() {
		return 0, fault.Field("role", "must be owner, developer or billing, not %.40q", m.Role)
	}
	err = s.step(ctx, "set a member", func(ctx context.Context, q querier) error {
		rev, err = s.changeMembers(ctx, q, reach, teamID, m.User, ev, func() error {
			return putMember(ctx, q, teamID, m)
		})
		return err
	})
	return rev, err
}

// RemoveMember implements team.Store.
func (s *Store) RemoveMember(ctx context.Context, reach audit.Reach, teamID id.Team, userID id.User, ev audit.Event) (rev id.Revision, err error) {
	err = s.step(ctx, "remove a member", func(ctx context.Context, q querier) error {
		rev, err = s.changeMembers(ctx, q, reach, teamID, userID, ev, func() error {
			result, err := q.ExecContext(ctx, `DELETE FROM member WHERE team_id = $1 AND user_id = $2`, string(teamID), string(userID))
			return changedOne(result, err, fault.Missing("member", string(userID)))
		})
		return err
	})
	return rev, err
}

// changeMembers applies alter while nobody else changes the team, and refuses what takes its last owner.
func (s *Store) changeMembers(ctx context.Context, q querier, reach audit.Reach, teamID id.Team, userID id.User, ev audit.Event, alter func() error) (id.Revision, error) {
	if err := lockRow(ctx, q, "team", string(teamID)); err != nil {
		return 0, err
	}
	if _, err := oneTeam(ctx, q, reach, teamID); err != nil {
		return 0, err
	}
	before, err := owners(ctx, q, teamID)
	if err != nil {
		return 0, err
	}
	if err := alter(); err != nil {
		return 0, err
	}
	after, err := owners(ctx, q, teamID)
	if err != nil {
		return 0, err
	}
	if before > 0 && after == 0 {
		return 0, team.ErrLastOwner()
	}
	if err := forgetInvitations(ctx, q, teamID, userID, ev.At); err != nil {
		return 0, err
	}
	ev.Team = teamID
	return s.finish(ctx, q, ev, change{changes.Team, string(teamID)}, change{changes.User, string(userID)})
}

func owners(ctx context.Context, q querier, teamID id.Team) (n int, err error) {
	err = q.QueryRowContext(ctx, `SELECT COUNT(*) FROM member WHERE team_id = $1 AND role = 'owner'`, string(teamID)).Scan(&n)
	return n, err
}

func putMember(ctx context.Context, q querier, teamID id.Team, m team.Member) error {
	result, err := q.ExecContext(ctx, `
		INSERT INTO member (team_id, user_id, role) SELECT $1, id, $3 FROM users WHERE id = $2
		ON CONFLICT (team_id, user_id) DO UPDATE SET role = excluded.role`,
		string(teamID), string(m.User), string(m.Role))
	return changedOne(result, err, fault.Missing("user", string(m.User)))
}
