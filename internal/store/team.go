package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/team"
)

// CreateTeam implements team.Store. The built-in team is SystemTeam's to make.
func (s *Store) CreateTeam(ctx context.Context, t *team.Team, owner id.User, ev audit.Event) (rev id.Revision, err error) {
	err = s.step(ctx, "create a team", func(ctx context.Context, q querier) error {
		limits, err := encode(t.Limits)
		if err != nil {
			return err
		}
		if _, err := q.ExecContext(ctx, `INSERT INTO team (id, name, system, created_at, suspended_at, limits, stripe_customer) VALUES ($1, $2, 0, $3, $4, $5, $6)`,
			string(t.ID), t.Name, micros(t.CreatedAt), micros(t.SuspendedAt), limits, t.StripeCustomer); err != nil {
			return err
		}
		if t.StripeCustomer != "" {
			if err := setCustomer(ctx, q, t.ID, t.StripeCustomer, ev.At); err != nil {
				return err
			}
		}
		altered := []change{{changes.Team, string(t.ID)}}
		if owner != "" {
			if err := putMember(ctx, q, t.ID, team.Member{User: owner, Role: audit.RoleOwner}); err != nil {
				return err
			}
			altered = append(altered, change{changes.User, string(owner)})
		}
		ev.Team = t.ID
		rev, err = s.finish(ctx, q, ev, altered...)
		return err
	})
	return rev, err
}

const teamColumns = `id, name, system, created_at, suspended_at, limits, stripe_customer, digest_off`

func scanTeam(row scanner) (*team.Team, error) {
	var t team.Team
	var system, created, suspended, quiet int64
	var limits string
	if err := row.Scan(&t.ID, &t.Name, &system, &created, &suspended, &limits, &t.StripeCustomer, &quiet); err != nil {
		return nil, err
	}
	t.System, t.CreatedAt, t.SuspendedAt, t.NoDigest = system == 1, moment(created), moment(suspended), quiet == 1
	return &t, decode(limits, &t.Limits)
}

// Team implements team.Store.
func (s *Store) Team(ctx context.Context, reach audit.Reach, teamID id.Team) (t *team.Team, err error) {
	err = s.read("read a team", func(q querier) error {
		t, err = oneTeam(ctx, q, reach, teamID)
		return err
	})
	return t, err
}

func oneTeam(ctx context.Context, q querier, reach audit.Reach, teamID id.Team) (*team.Team, error) {
	w := within("id", reach).and("id = ?", string(teamID))
	t, err := scanTeam(q.QueryRowContext(ctx, `SELECT `+teamColumns+` FROM team`+w.String(), w.args...))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.Missing("team", string(teamID))
	}
	return t, err
}

// Teams implements team.Store.
func (s *Store) Teams(ctx context.Context, reach audit.Reach, f team.Filter) (teams []*team.Team, err error) {
	err = s.read("list teams", func(q querier) error {
		w := within("id", reach).given("name = ?", f.Name).oneOf("id", texts(f.IDs)).after("created_at, id", f.Before, f.BeforeID)
		query := `SELECT ` + teamColumns + ` FROM team` + w.newest("", len(f.IDs) > 0, f.Limit)
		rows, err := q.QueryContext(ctx, query, w.args...)
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			t, err := scanTeam(rows)
			teams = append(teams, t)
			return err
		})
	})
	return teams, err
}

// UpdateTeam implements team.Store.
func (s *Store) UpdateTeam(ctx context.Context, reach audit.Reach, teamID id.Team, ev audit.Event, alter func(*team.Team) error) (t *team.Team, rev id.Revision, err error) {
	err = s.step(ctx, "change a team", func(ctx context.Context, q querier) error {
		if err := lockRow(ctx, q, "team", string(teamID)); err != nil {
			return err
		}
		if t, err = oneTeam(ctx, q, reach, teamID); err != nil {
			return err
		}
		customer := t.StripeCustomer
		if err := alter(t); err != nil {
			return err
		}
		if t.StripeCustomer != customer {
			if err := setCustomer(ctx, q, teamID, t.StripeCustomer, ev.At); err != nil {
				return err
			}
		}
		limits, err := encode(t.Limits)
		if err != nil {
			return err
		}
		if _, err := q.ExecContext(ctx, `UPDATE team SET name = $2, suspended_at = $3, limits = $4, stripe_customer = $5, digest_off = $6 WHERE id = $1`,
			string(teamID), t.Name, micros(t.SuspendedAt), limits, t.StripeCustomer, flag(t.NoDigest)); err != nil {
			return err
		}
		ev.Team = teamID
		rev, err = s.finish(ctx, q, ev, change{changes.Team, string(teamID)})
		return err
	})
	return t, rev, err
}

// SystemTeam implements team.Store. The unique index on the built-in team decides the race of two first calls: who loses
// waits for the other and finds what it made. Housekeeping: no audit line.
func (s *Store) SystemTeam(ctx context.Context, at time.Time) (teamID id.Team, appID id.App, err error) {
	err = s.read("look for the system team", func(q querier) error {
		teamID, appID, err = systemTeam(ctx, q)
		return err
	})
	if err != nil || teamID != "" {
		return teamID, appID, err
	}
	err = s.step(ctx, "make the system team", func(ctx context.Context, q querier) error {
		newTeam, newApp := id.New[id.Team](), id.New[id.App]()
		result, err := q.ExecContext(ctx, `INSERT INTO team (id, name, system, created_at, suspended_at) VALUES ($1, $2, 1, $3, 0) ON CONFLICT DO NOTHING`,
			string(newTeam), team.SystemName, micros(at))
		if err != nil {
			return err
		}
		made, err := result.RowsAffected()
		if err != nil {
			return err
		}
		if made == 0 {
			teamID, appID, err = systemTeam(ctx, q)
			return err
		}
		if _, err := q.ExecContext(ctx, `
			INSERT INTO app (id, team_id, name, type, description, homepage_url, limits, metadata, created_at, disabled_at, deleted_at)
			VALUES ($1, $2, $3, $4, '', '', 'null', 'null', $5, 0, 0)`,
			string(newApp), string(newTeam), team.SystemName, string(app.Confidential), micros(at)); err != nil {
			return err
		}
		teamID, appID = newTeam, newApp
		_, err = s.append(ctx, q, at, change{changes.Team, string(newTeam)}, change{changes.App, string(newApp)})
		return err
	})
	return teamID, appID, err
}

// systemTeam finds the built-in team and its first app named like it, or nothing.
func systemTeam(ctx context.Context, q querier) (teamID id.Team, appID id.App, err error) {
	err = q.QueryRowContext(ctx, `SELECT t.id, a.id FROM team t JOIN app a ON a.team_id = t.id
		WHERE t.system = 1 AND a.name = $1 AND a.deleted_at = 0 ORDER BY a.created_at, a.id LIMIT 1`, team.SystemName).Scan(&teamID, &appID)
	if errors.Is(err, sql.ErrNoRows) {
		return "", "", nil
	}
	return teamID, appID, err
}

// registeredName is what the team of apps that registered themselves is called.
const registeredName = "Registered clients"

// RegisteredTeam implements app.Store. The unique index decides the race of two first calls, as in SystemTeam. Housekeeping:
// no audit line.
func (s *Store) RegisteredTeam(ctx context.Context, at time.Time) (teamID id.Team, err error) {
	err = s.read("look for the team of registered clients", func(q querier) error {
		teamID, err = registeredTeam(ctx, q)
		return err
	})
	if err != nil || teamID != "" {
		return teamID, err
	}
	err = s.step(ctx, "make the team of registered clients", func(ctx context.Context, q querier) error {
		made := id.New[id.Team]()
		result, err := q.ExecContext(ctx, `INSERT INTO team (id, name, system, created_at, suspended_at) VALUES ($1, $2, 2, $3, 0) ON CONFLICT DO NOTHING`,
			string(made), registeredName, micros(at))
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return err
		}
		if n == 0 {
			teamID, err = registeredTeam(ctx, q)
			return err
		}
		teamID = made
		_, err = s.append(ctx, q, at, change{changes.Team, string(made)})
		return err
	})
	return teamID, err
}

// registeredTeam finds the team of registered clients, or nothing.
func registeredTeam(ctx context.Context, q querier) (teamID id.Team, err error) {
	err = q.QueryRowContext(ctx, `SELECT id FROM team WHERE system = 2`).Scan(&teamID)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return teamID, err
}
