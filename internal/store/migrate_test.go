package store

import (
	"context"
	"database/sql"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/pgtest"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// A database that counted before there were totals loses no call, and has totals that say what the ledger says.
func TestMigrateUsage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lanyard.db")
	for _, db := range []struct {
		engine, url, driver, dsn string
		dialect                  goose.Dialect
	}{
		{"sqlite", "sqlite:" + path, "sqlite", path, goose.DialectSQLite3},
		{"postgres", pgtest.Start(t), "pgx", "", goose.DialectPostgres},
	} {
		t.Run(db.engine, func(t *testing.T) {
			if db.dsn == "" {
				db.dsn = db.url
			}
			raw, err := sql.Open(db.driver, db.dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			dir, err := fs.Sub(migrations, "migrations/"+db.engine)
			if err != nil {
				t.Fatal(err)
			}
			provider, err := goose.NewProvider(db.dialect, raw, dir)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := provider.UpTo(t.Context(), 10); err != nil {
				t.Fatal(err)
			}
			day := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
			rows := countOld(t, raw, day)
			st, err := Open(context.WithoutCancel(t.Context()), db.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			ledger, differences, err := st.ReconcileUsage(t.Context(), day, day.AddDate(0, 0, 1))
			if err != nil || ledger != 10 || len(differences) > 0 {
				t.Errorf("ReconcileUsage = %d, %v, %v; want 10 calls and no difference", ledger, differences, err)
			}
			for name, by := range map[string][]usage.Dimension{"totals": nil, "rollup": {usage.ByMode, usage.ByUser}} {
				sums, err := st.UsageSums(t.Context(), audit.ServerReach(), usage.Query{From: day, To: day.AddDate(0, 0, 1), Granularity: usage.Day, GroupBy: by})
				var count, units int64
				for _, s := range sums {
					count, units = count+s.Count, units+s.Units
				}
				if err != nil || count != 10 || units != 100 {
					t.Errorf("the %s say %d calls and %d units, %v; want 10 and 100 of %d rows", name, count, units, err, len(rows))
				}
			}
		})
	}
}

// countOld writes usage as it stood at version 10: two keys of a team, another team's, and a person's with no team.
func countOld(t *testing.T, raw *sql.DB, day time.Time) []usage.Row {
	t.Helper()
	minute := day.Add(time.Hour).UnixMicro()
	ours, app, person := id.New[id.Team](), id.New[id.App](), id.New[id.User]()
	rows := []usage.Row{
		{Minute: minute, User: person, API: "mail", Operation: "GET /", Outcome: "valid", Mode: secret.Live, Count: 1, Units: 10},
		{Minute: minute, Team: ours, App: app, Key: id.New[id.Key](), API: "mail", Operation: "GET /", Outcome: "valid", Mode: secret.Live, Count: 2, Units: 20},
		{Minute: minute, Team: ours, App: app, Key: id.New[id.Key](), API: "mail", Operation: "GET /", Outcome: "valid", Mode: secret.Live, Count: 3, Units: 30},
		{Minute: minute, Team: id.New[id.Team](), App: id.New[id.App](), Key: id.New[id.Key](), API: "mail", Operation: "GET /", Outcome: "expired", Mode: secret.Test, Count: 4, Units: 40},
	}
	slices.SortFunc(rows, compareRows)
	if _, err := raw.ExecContext(t.Context(), `INSERT INTO usage_segment (node, epoch, segment, sha256, count, units, first_at, last_at, counted, absorbed_at)
		VALUES ('node_1', 'e', 1, $1, 10, 100, $2, $2, $3, $2)`, []byte("x"), minute, usage.EncodeRows(rows)); err != nil {
		t.Fatal(err)
	}
	for _, grain := range grains() {
		for _, r := range rows {
			if _, err := raw.ExecContext(t.Context(), `INSERT INTO usage_rollup (grain, start, team_id, app_id, key_id, user_id, api, operation, outcome, mode, count, units)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, string(grain), grain.Start(moment(minute)).UnixMicro(), string(r.Team), string(r.App),
				string(r.Key), string(r.User), r.API, r.Operation, r.Outcome, string(r.Mode), r.Count, r.Units); err != nil {
				t.Fatal(err)
			}
		}
	}
	return rows
}
