package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// CreateUser implements user.Store. Addresses are compared by user.EmailKey.
func (s *Store) CreateUser(ctx context.Context, u *user.User, ev audit.Event) (rev id.Revision, err error) {
	err = s.step(ctx, "create a user", func(ctx context.Context, q querier) error {
		if err := insertUser(ctx, q, u); err != nil {
			return err
		}
		rev, err = s.finish(ctx, q, ev, change{changes.User, string(u.ID)})
		return err
	})
	return rev, err
}

// Register implements manage.Accounts.
func (s *Store) Register(ctx context.Context, u *user.User, p factor.NewPassword, ev audit.Event) (rev id.Revision, err error) {
	err = s.step(ctx, "register a user", func(ctx context.Context, q querier) error {
		if p.Link != "" {
			if _, err := takeLink(ctx, q, p.Link, ev.At); err != nil {
				return err
			}
		}
		if err := insertUser(ctx, q, u); err != nil {
			return err
		}
		if err := keepPassword(ctx, q, p.Password); err != nil {
			return err
		}
		if err := writeAudit(ctx, q, ev); err != nil {
			return err
		}
		rev, err = s.finish(ctx, q, p.Event, change{changes.User, string(u.ID)})
		return err
	})
	return rev, err
}

func insertUser(ctx context.Context, q querier, u *user.User) error {
	limits, err := encode(u.Limits)
	if err != nil {
		return err
	}
	result, err := q.ExecContext(ctx, `
		INSERT INTO users (id, email, email_key, name, admin, created_at, disabled_at, verified_at, epoch, limits) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (email_key) DO NOTHING`,
		string(u.ID), u.Email, user.EmailKey(u.Email), u.Name, flag(u.Admin), micros(u.CreatedAt), micros(u.DisabledAt), micros(u.VerifiedAt), u.Epoch, limits)
	return changedOne(result, err, emailTaken())
}

func emailTaken() error {
	return &fault.Error{Kind: fault.Conflict, Field: "email", Detail: "somebody has this mail address already"}
}

const userColumns = `id, email, email_key, name, admin, created_at, disabled_at, verified_at, epoch, limits`

func scanUser(row scanner) (*user.User, error) {
	var u user.User
	var admin, created, disabled, verified int64
	var limits string
	if err := row.Scan(&u.ID, &u.Email, &u.EmailKey, &u.Name, &admin, &created, &disabled, &verified, &u.Epoch, &limits); err != nil {
		return nil, err
	}
	u.Admin, u.CreatedAt, u.DisabledAt, u.VerifiedAt = admin == 1, moment(created), moment(disabled), moment(verified)
	return &u, decode(limits, &u.Limits)
}

// User implements user.Store.
func (s *Store) User(ctx context.Context, userID id.User) (u *user.User, err error) {
	err = s.read("read a user", func(q querier) error {
		u, err = oneUser(ctx, q, userID)
		return err
	})
	return u, err
}

func oneUser(ctx context.Context, q querier, userID id.User) (*user.User, error) {
	u, err := scanUser(q.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE id = $1`, string(userID)))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.Missing("user", string(userID))
	}
	return u, err
}

// UserByEmail implements user.Store.
func (s *Store) UserByEmail(ctx context.Context, email string) (u *user.User, err error) {
	err = s.read("find a user by address", func(q querier) error {
		if !storable(email) {
			return fault.New(fault.NotFound, "nobody has this mail address")
		}
		u, err = scanUser(q.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE email_key = $1`, user.EmailKey(email)))
		if errors.Is(err, sql.ErrNoRows) {
			return fault.New(fault.NotFound, "nobody has this mail address")
		}
		return err
	})
	return u, err
}

// UserForDecision implements user.Store. One statement: the user and their teams as of one moment.
func (s *Store) UserForDecision(ctx context.Context, userID id.User) (st user.Standing, err error) {
	err = s.read("read how a user stands", func(q querier) error {
		rows, err := q.QueryContext(ctx, `
			SELECT u.disabled_at, u.admin, u.epoch, u.limits, COALESCE(m.team_id, '') FROM users u
			LEFT JOIN member m ON m.user_id = u.id AND m.role = 'owner' WHERE u.id = $1`, string(userID))
		if err != nil {
			return err
		}
		found, limits := false, "null"
		if err := scanAll(rows, func() error {
			var disabled, admin int64
			var owns id.Team
			if err := rows.Scan(&disabled, &admin, &st.Epoch, &limits, &owns); err != nil {
				return err
			}
			found, st.Disabled, st.Admin = true, disabled > 0, admin == 1
			if owns != "" {
				st.Owns = append(st.Owns, owns)
			}
			return nil
		}); err != nil {
			return err
		}
		if !found {
			return fault.Missing("user", string(userID))
		}
		slices.Sort(st.Owns)
		return decode(limits, &st.Limits)
	})
	return st, err
}

// Users implements user.Store.
func (s *Store) Users(ctx context.Context, f user.Filter) (users []*user.User, err error) {
	err = s.read("list users", func(q querier) error {
		w := (&where{}).given("email_key = ?", user.EmailKey(f.Email)).oneOf("id", texts(f.IDs)).after("created_at, id", f.Before, f.BeforeID)
		query := `SELECT ` + userColumns + ` FROM users` + w.newest("", len(f.IDs) > 0, f.Limit)
		rows, err := q.QueryContext(ctx, query, w.args...)
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			u, err := scanUser(rows)
			users = append(users, u)
			return err
		})
	})
	return users, err
}

// UpdateUser implements user.Store. An epoch that the change raises also ends the chains of refresh tokens; those of a user
// who is disabled wait for a better day, since no step of them is taken meanwhile. Sessions end with either.
func (s *Store) UpdateUser(ctx context.Context, userID id.User, ev audit.Event, alter func(*user.User) error) (u *user.User, rev id.Revision, err error) {
	err = s.step(ctx, "change a user", func(ctx context.Context, q querier) error {
		u, rev, err = s.updateUser(ctx, q, userID, ev, alter)
		return err
	})
	return u, rev, err
}

func (s *Store) updateUser(ctx context.Context, q querier, userID id.User, ev audit.Event, alter func(*user.User) error) (u *user.User, rev id.Revision, err error) {
	if err := lockRow(ctx, q, "users", string(userID)); err != nil {
		return nil, 0, err
	}
	if u, err = oneUser(ctx, q, userID); err != nil {
		return nil, 0, err
	}
	was := *u
	if err := alter(u); err != nil {
		return nil, 0, err
	}
	e := epochs{column: "user_id", owner: string(userID), was: was.Epoch, is: &u.Epoch, off: was.DisabledAt.IsZero() && !u.DisabledAt.IsZero()}
	over, err := s.turnEpoch(ctx, q, e, ev.At)
	if err != nil {
		return nil, 0, err
	}
	if len(over) > 0 {
		if _, err := endSessions(ctx, q, (&where{}).and("user_id = ?", string(userID)), ev.At); err != nil {
			return nil, 0, err
		}
	}
	u.EmailKey = user.EmailKey(u.Email)
	limits, err := encode(u.Limits)
	if err != nil {
		return nil, 0, err
	}
	result, err := q.ExecContext(ctx, `UPDATE users SET email = $2, email_key = $3, name = $4, admin = $5, disabled_at = $6, verified_at = $7, epoch = $8, limits = $9
		WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM users o WHERE o.email_key = $3 AND o.id <> $1)`,
		string(userID), u.Email, u.EmailKey, u.Name, flag(u.Admin), micros(u.DisabledAt), micros(u.VerifiedAt), u.Epoch, limits)
	if err := changedOne(result, err, emailTaken()); err != nil {
		return nil, 0, err
	}
	rev, err = s.finish(ctx, q, ev, append([]change{{changes.User, string(userID)}}, over...)...)
	return u, rev, err
}
