package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// CreateUser implements user.Store. Addresses are compared by user.EmailKey.
func (s *Store) CreateUser(ctx context.Context, u *user.User, ev audit.Event) (rev id.Revision, err error) {
	err = s.step(ctx, "create a user", func(ctx context.Context, q querier) error {
		result, err := q.ExecContext(ctx, `INSERT INTO users (id, email, email_key, name, admin, created_at, disabled_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (email_key) DO NOTHING`,
			string(u.ID), u.Email, user.EmailKey(u.Email), u.Name, flag(u.Admin), micros(u.CreatedAt), micros(u.DisabledAt))
		if err := changedOne(result, err, emailTaken()); err != nil {
			return err
		}
		rev, err = s.finish(ctx, q, ev, change{changes.User, string(u.ID)})
		return err
	})
	return rev, err
}

func emailTaken() error {
	return &fault.Error{Kind: fault.Conflict, Field: "email", Detail: "somebody has this mail address already"}
}

const userColumns = `id, email, email_key, name, admin, created_at, disabled_at`

func scanUser(row scanner) (*user.User, error) {
	var u user.User
	var admin, created, disabled int64
	if err := row.Scan(&u.ID, &u.Email, &u.EmailKey, &u.Name, &admin, &created, &disabled); err != nil {
		return nil, err
	}
	u.Admin, u.CreatedAt, u.DisabledAt = admin == 1, moment(created), moment(disabled)
	return &u, nil
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

// Users implements user.Store.
func (s *Store) Users(ctx context.Context, f user.Filter) (users []*user.User, err error) {
	err = s.read("list users", func(q querier) error {
		w := (&where{}).given("email_key = ?", user.EmailKey(f.Email)).after("created_at, id", f.Before, f.BeforeID)
		query := `SELECT ` + userColumns + ` FROM users` + w.String() + ` ORDER BY created_at DESC, id DESC LIMIT ` + w.arg(f.Limit)
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

// UpdateUser implements user.Store.
func (s *Store) UpdateUser(ctx context.Context, userID id.User, ev audit.Event, alter func(*user.User) error) (u *user.User, rev id.Revision, err error) {
	err = s.step(ctx, "change a user", func(ctx context.Context, q querier) error {
		if err := lockRow(ctx, q, "users", string(userID)); err != nil {
			return err
		}
		if u, err = oneUser(ctx, q, userID); err != nil {
			return err
		}
		if err := alter(u); err != nil {
			return err
		}
		u.EmailKey = user.EmailKey(u.Email)
		result, err := q.ExecContext(ctx, `UPDATE users SET email = $2, email_key = $3, name = $4, admin = $5, disabled_at = $6
			WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM users o WHERE o.email_key = $3 AND o.id <> $1)`,
			string(userID), u.Email, u.EmailKey, u.Name, flag(u.Admin), micros(u.DisabledAt))
		if err := changedOne(result, err, emailTaken()); err != nil {
			return err
		}
		rev, err = s.finish(ctx, q, ev, change{changes.User, string(userID)})
		return err
	})
	return u, rev, err
}
