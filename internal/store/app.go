package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// CreateApp implements app.Store.
func (s *Store) CreateApp(ctx context.Context, a *app.App, ev audit.Event) (rev id.Revision, err error) {
	err = s.step(ctx, "create an app", func(ctx context.Context, q querier) error {
		limits, metadata, err := encodeTwo(a.Limits, a.Metadata)
		if err != nil {
			return err
		}
		result, err := q.ExecContext(ctx, `
			INSERT INTO app (id, team_id, name, type, description, homepage_url, limits, metadata, created_at, disabled_at, deleted_at)
			SELECT $1, id, $3, $4, $5, $6, $7, $8, CAST($9 AS BIGINT), 0, 0 FROM team WHERE id = $2`,
			string(a.ID), string(a.Team), a.Name, string(a.Type), a.Description, a.HomepageURL, limits, metadata, micros(a.CreatedAt))
		if err := changedOne(result, err, fault.Missing("team", string(a.Team))); err != nil {
			return err
		}
		rev, err = s.finish(ctx, q, ev, change{changes.App, string(a.ID)})
		return err
	})
	return rev, err
}

const appColumns = `id, team_id, name, type, description, homepage_url, limits, metadata, created_at, disabled_at, deleted_at`

func scanApp(row scanner) (*app.App, error) {
	var a app.App
	var limits, metadata string
	var created, disabled, deleted int64
	if err := row.Scan(&a.ID, &a.Team, &a.Name, &a.Type, &a.Description, &a.HomepageURL, &limits, &metadata, &created, &disabled, &deleted); err != nil {
		return nil, err
	}
	a.CreatedAt, a.DisabledAt, a.DeletedAt = moment(created), moment(disabled), moment(deleted)
	return &a, decodeTwo(limits, &a.Limits, metadata, &a.Metadata)
}

// App implements app.Store. A deleted app is not there.
func (s *Store) App(ctx context.Context, reach audit.Reach, appID id.App) (a *app.App, err error) {
	err = s.read("read an app", func(q querier) error {
		a, err = oneApp(ctx, q, reach, appID)
		return err
	})
	return a, err
}

func oneApp(ctx context.Context, q querier, reach audit.Reach, appID id.App) (*app.App, error) {
	w := within("team_id", reach).and("id = ? AND deleted_at = 0", string(appID))
	a, err := scanApp(q.QueryRowContext(ctx, `SELECT `+appColumns+` FROM app`+w.String(), w.args...))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.Missing("app", string(appID))
	}
	return a, err
}

// Apps implements app.Store.
func (s *Store) Apps(ctx context.Context, reach audit.Reach, f app.Filter) (apps []*app.App, err error) {
	err = s.read("list apps", func(q querier) error {
		w := within("team_id", reach).and("deleted_at = 0").given("team_id = ?", string(f.Team)).given("name = ?", f.Name).
			after("created_at, id", f.Before, f.BeforeID)
		query := `SELECT ` + appColumns + ` FROM app` + w.String() + ` ORDER BY created_at DESC, id DESC LIMIT ` + w.arg(f.Limit)
		rows, err := q.QueryContext(ctx, query, w.args...)
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			a, err := scanApp(rows)
			apps = append(apps, a)
			return err
		})
	})
	return apps, err
}

// UpdateApp implements app.Store.
func (s *Store) UpdateApp(ctx context.Context, reach audit.Reach, appID id.App, ev audit.Event, alter func(*app.App) error) (a *app.App, rev id.Revision, err error) {
	err = s.step(ctx, "change an app", func(ctx context.Context, q querier) error {
		if err := lockRow(ctx, q, "app", string(appID)); err != nil {
			return err
		}
		if a, err = oneApp(ctx, q, reach, appID); err != nil {
			return err
		}
		if err := alter(a); err != nil {
			return err
		}
		limits, metadata, err := encodeTwo(a.Limits, a.Metadata)
		if err != nil {
			return err
		}
		if _, err := q.ExecContext(ctx, `
			UPDATE app SET name = $2, description = $3, homepage_url = $4, limits = $5, metadata = $6, disabled_at = $7, deleted_at = $8 WHERE id = $1`,
			string(appID), a.Name, a.Description, a.HomepageURL, limits, metadata, micros(a.DisabledAt), micros(a.DeletedAt)); err != nil {
			return err
		}
		ev.Team = a.Team
		rev, err = s.finish(ctx, q, ev, change{changes.App, string(appID)})
		return err
	})
	return a, rev, err
}

// lockRow keeps other steps from changing a row until this one ends. On SQLite there is one writer anyway; on PostgreSQL an
// UPDATE that changes nothing takes the row lock, and whoever waited for it reads what was committed.
func lockRow(ctx context.Context, q querier, table, rowID string) error {
	_, err := q.ExecContext(ctx, `UPDATE `+table+` SET id = id WHERE id = $1`, rowID)
	return err
}

type scanner interface{ Scan(...any) error }

// changedOne wants exactly one row changed, or else returns the refusal.
func changedOne(result sql.Result, err, refusal error) error {
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		return refusal
	}
	return err
}

func encode(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode a column: %w", err)
	}
	return string(b), nil
}

func decode(text string, into any) error {
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("decode a column: %w", err)
	}
	return nil
}

func encodeTwo(a, b any) (string, string, error) {
	first, err := encode(a)
	if err != nil {
		return "", "", err
	}
	second, err := encode(b)
	return first, second, err
}

func decodeTwo(a string, intoA any, b string, intoB any) error {
	if err := decode(a, intoA); err != nil {
		return err
	}
	return decode(b, intoB)
}
