package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// CreateApp implements app.Store. A document's address that another app has is a conflict: who lost the race of two first
// uses reads what the other made (AppByAddress).
func (s *Store) CreateApp(ctx context.Context, a *app.App, ev audit.Event) (rev id.Revision, err error) {
	err = s.step(ctx, "create an app", func(ctx context.Context, q querier) error {
		c, err := encodeApp(a)
		if err != nil {
			return err
		}
		if _, err := oneTeam(ctx, q, audit.ServerReach(), a.Team); err != nil {
			return err
		}
		if _, err := q.ExecContext(ctx, `INSERT INTO app (`+appColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, $10, $11, $12, $13, $14, $15, $16, $17)`,
			string(a.ID), string(a.Team), a.Name, string(a.Type), a.Description, a.HomepageURL, c.limits, c.metadata, micros(a.CreatedAt),
			a.Epoch, string(a.Origin), a.ClientURL, c.oauth, a.Document, micros(a.DocumentUntil), blob(a.ManageDigest), a.ManagePepper); err != nil {
			return err
		}
		rev, err = s.finish(ctx, q, ev, change{changes.App, string(a.ID)})
		return err
	})
	return rev, err
}

const appColumns = `id, team_id, name, type, description, homepage_url, limits, metadata, created_at, disabled_at, deleted_at,
	epoch, origin, client_url, oauth, document, document_until, manage_digest, manage_pepper`

// appColumnsJSON are the columns of an app that hold JSON.
type appColumnsJSON struct{ limits, metadata, oauth string }

func encodeApp(a *app.App) (c appColumnsJSON, err error) {
	if c.limits, c.metadata, err = encodeTwo(a.Limits, a.Metadata); err != nil {
		return c, err
	}
	c.oauth, err = encode(a.OAuth)
	return c, err
}

func scanApp(row scanner) (*app.App, error) {
	var a app.App
	var c appColumnsJSON
	var created, disabled, deleted, until int64
	if err := row.Scan(&a.ID, &a.Team, &a.Name, &a.Type, &a.Description, &a.HomepageURL, &c.limits, &c.metadata, &created, &disabled, &deleted,
		&a.Epoch, &a.Origin, &a.ClientURL, &c.oauth, &a.Document, &until, &a.ManageDigest, &a.ManagePepper); err != nil {
		return nil, err
	}
	a.CreatedAt, a.DisabledAt, a.DeletedAt, a.DocumentUntil = moment(created), moment(disabled), moment(deleted), moment(until)
	return &a, errors.Join(decodeTwo(c.limits, &a.Limits, c.metadata, &a.Metadata), decode(c.oauth, &a.OAuth))
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
			given("origin = ?", string(f.Origin)).oneOf("id", texts(f.IDs)).after("created_at, id", f.Before, f.BeforeID)
		query := `SELECT ` + appColumns + ` FROM app` + w.newest("", len(f.IDs) > 0, f.Limit)
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

// AppByAddress implements app.Store. The address of a deleted app is free again.
func (s *Store) AppByAddress(ctx context.Context, address string) (a *app.App, err error) {
	err = s.read("find an app by its document", func(q querier) error {
		if !storable(address) {
			return fault.New(fault.NotFound, "no app has this address")
		}
		a, err = scanApp(q.QueryRowContext(ctx, `SELECT `+appColumns+` FROM app WHERE client_url = $1 AND client_url <> '' AND deleted_at = 0`, address))
		if errors.Is(err, sql.ErrNoRows) {
			return fault.New(fault.NotFound, "no app has this address")
		}
		return err
	})
	return a, err
}

// UpdateApp implements app.Store. Team, origin and address are for good. A deleted app loses its grants and chains with it;
// the chains of one that is disabled wait, since no step of them is taken meanwhile.
func (s *Store) UpdateApp(ctx context.Context, reach audit.Reach, appID id.App, ev audit.Event, alter func(*app.App) error) (a *app.App, rev id.Revision, err error) {
	err = s.step(ctx, "change an app", func(ctx context.Context, q querier) error {
		if err := lockRow(ctx, q, "app", string(appID)); err != nil {
			return err
		}
		if a, err = oneApp(ctx, q, reach, appID); err != nil {
			return err
		}
		was := *a
		if err := alter(a); err != nil {
			return err
		}
		e := epochs{column: "app_id", owner: string(appID), was: was.Epoch, is: &a.Epoch, off: was.StatusAt(ev.At) == "" && a.StatusAt(ev.At) != ""}
		over, err := s.turnEpoch(ctx, q, e, ev.At)
		if err != nil {
			return err
		}
		if !a.DeletedAt.IsZero() {
			if err := endGrants(ctx, q, appID, ev.At); err != nil {
				return err
			}
		}
		if err := writeApp(ctx, q, a); err != nil {
			return err
		}
		ev.Team = a.Team
		rev, err = s.finish(ctx, q, ev, append([]change{{changes.App, string(appID)}}, over...)...)
		return err
	})
	return a, rev, err
}

// endGrants ends what users allowed an app. The app's own entry tells the nodes: there is none for each grant.
func endGrants(ctx context.Context, q querier, appID id.App, at time.Time) error {
	if err := endChains(ctx, q, "app_id", string(appID), at); err != nil {
		return err
	}
	_, err := q.ExecContext(ctx, `UPDATE grants SET revoked_at = $2, updated_at = $2 WHERE app_id = $1 AND revoked_at = 0`, string(appID), micros(at))
	return err
}

func writeApp(ctx context.Context, q querier, a *app.App) error {
	c, err := encodeApp(a)
	if err != nil {
		return err
	}
	_, err = q.ExecContext(ctx, `
		UPDATE app SET name = $2, type = $3, description = $4, homepage_url = $5, limits = $6, metadata = $7, disabled_at = $8, deleted_at = $9,
			epoch = $10, oauth = $11, document = $12, document_until = $13, manage_digest = $14, manage_pepper = $15 WHERE id = $1`,
		string(a.ID), a.Name, string(a.Type), a.Description, a.HomepageURL, c.limits, c.metadata, micros(a.DisabledAt), micros(a.DeletedAt),
		a.Epoch, c.oauth, a.Document, micros(a.DocumentUntil), blob(a.ManageDigest), a.ManagePepper)
	return err
}

// lockRow keeps other steps from changing a row until this one ends. On SQLite there is one writer anyway; on PostgreSQL an
// UPDATE that changes nothing takes the row lock, and whoever waited for it reads what was committed. It names no column that
// others refer to: SQLite would look for them in whole tables.
func lockRow(ctx context.Context, q querier, table, rowID string) error {
	_, err := q.ExecContext(ctx, `UPDATE `+table+` SET created_at = created_at WHERE id = $1`, rowID)
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
