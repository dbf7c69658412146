package store

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// trimApps is how many apps are looked for at once.
const trimApps = 100

// unused is the condition that nobody ever allowed the app a anything, is about to, or gave it keys. Without a grant it never had a
// token: apps that registered themselves get none on their own behalf.
const unused = ` a.origin <> '' AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.app_id = a.id)
	AND NOT EXISTS (SELECT 1 FROM auth_request r WHERE r.app_id = a.id) AND NOT EXISTS (SELECT 1 FROM pushed_request p WHERE p.app_id = a.id)
	AND NOT EXISTS (SELECT 1 FROM device d WHERE d.app_id = a.id) AND NOT EXISTS (SELECT 1 FROM api_key k WHERE k.app_id = a.id AND k.kind <> 'cs')`

// TrimApps implements app.Store. Apps that registered themselves are of one team, by whose index they are found in order.
func (s *Store) TrimApps(ctx context.Context, before, now time.Time) error {
	for found := trimApps; found == trimApps; {
		apps, err := s.unusedApps(ctx, before)
		if err != nil {
			return err
		}
		found = len(apps)
		for _, appID := range apps {
			if err := s.step(ctx, "forget an app that nobody uses", func(ctx context.Context, q querier) error {
				still, err := trimApp(ctx, q, appID, before)
				if err != nil || !still {
					return err
				}
				_, err = s.append(ctx, q, now, change{changes.App, string(appID)})
				return err
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// unusedApps finds apps to trim, the oldest first.
func (s *Store) unusedApps(ctx context.Context, before time.Time) (apps []id.App, err error) {
	err = s.read("look for apps that nobody uses", func(q querier) error {
		query := `SELECT a.id FROM app a WHERE a.team_id = (SELECT t.id FROM team t WHERE t.system = 2) AND a.created_at < $1 AND` + unused + `
			ORDER BY a.created_at, a.id LIMIT $2`
		rows, err := q.QueryContext(ctx, query, micros(before), trimApps) //nolint:sqlclosecheck // scanAll closes them
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			var appID id.App
			err := rows.Scan(&appID)
			apps = append(apps, appID)
			return err
		})
	})
	return apps, err
}

// trimApp deletes an app with its client secrets, unless somebody began to use it meanwhile: then false. The row is locked first: whoever is
// about to allow the app something waits, or was seen.
func trimApp(ctx context.Context, q querier, appID id.App, before time.Time) (bool, error) {
	if err := lockRow(ctx, q, "app", string(appID)); err != nil {
		return false, err
	}
	var still bool
	err := q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM app a WHERE a.id = $1 AND a.created_at < $2 AND`+unused+`)`, string(appID), micros(before)).Scan(&still)
	if err != nil || !still {
		return false, err
	}
	const keysOf = ` IN (SELECT k.id FROM api_key k WHERE k.app_id = $1)`
	for _, end := range []string{
		`DELETE FROM api_key_use WHERE key_id` + keysOf,
		`DELETE FROM api_key_network WHERE key_id` + keysOf,
		`DELETE FROM api_key_query WHERE key_id` + keysOf,
		`DELETE FROM api_key_version WHERE key_id` + keysOf,
		`DELETE FROM api_key WHERE app_id = $1`,
		`DELETE FROM app WHERE id = $1`,
	} {
		if _, err := q.ExecContext(ctx, end, string(appID)); err != nil {
			return false, err
		}
	}
	return true, nil
}
