package storetest

import (
	"database/sql"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/team"
)

func TestOpenRefuses(t *testing.T) {
	for url, kind := range map[string]fault.Kind{
		"":                                   fault.Invalid,
		"mysql://user:hunter2@host/db":       fault.Invalid,
		"postgres://user:hunter2@host:x/db":  fault.Invalid,
		"postgres://user:hunter2@[::1]:1/db": fault.Unavailable,
		"sqlite:":                            "",
		"sqlite::memory:":                    "",
		"sqlite:" + t.TempDir():              "",
	} {
		st, err := store.Open(ctx, url, nil)
		if err == nil {
			t.Errorf("Open(%q) succeeded", url)
			must(t, st.Close())
			continue
		}
		if fault.KindOf(err) != kind || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Open(%q) = %v, want kind %q and no password", url, err, kind)
		}
	}
}

func TestNewerSchema(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		known, has, err := st.SchemaVersion(ctx)
		if err != nil || known != has || has < 1 {
			t.Errorf("SchemaVersion = %d, %d, %v, want the newest twice", known, has, err)
		}
		must(t, second(db.raw(t).ExecContext(ctx, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, $1)`, true)))
		again, err := store.Open(ctx, db.url, nil)
		if err == nil {
			must(t, again.Close())
		}
		wantKind(t, "Open of a newer schema", err, fault.Conflict)
		if err != nil && !strings.Contains(err.Error(), "9999") {
			t.Errorf("Open of a newer schema = %v, want it to name the version", err)
		}
	})
}

// Nodes that start together on an empty database all come up, and the schema is made once.
func TestOpenTogether(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		stores := race(4, func(int) *store.Store {
			st, err := store.Open(ctx, db.url, nil)
			if err != nil {
				t.Errorf("Open = %v", err)
			}
			return st
		})
		for _, st := range stores {
			if st == nil {
				continue
			}
			must(t, st.Ping(ctx))
			newTeam(t, st)
			must(t, st.Close())
		}
		st := db.open(t)
		teams, err := st.Teams(ctx, audit.ServerReach(), team.Filter{Limit: 10})
		if err != nil || len(teams) != len(stores) {
			t.Errorf("Teams = %d, %v, want one of each node", len(teams), err)
		}
	})
}

// Both engines have the same tables, columns, nullability, keys and indexes.
func TestSameSchema(t *testing.T) {
	lite, pg := sqlite(t), postgres(t)
	lite.open(t)
	pg.open(t)
	for what, queries := range map[string][2]string{
		"columns": {
			`SELECT m.name || '.' || p.name || ' ' || p.type || CASE WHEN p."notnull" = 1 THEN ' not null' ELSE '' END || CASE WHEN p.pk > 0 THEN ' key ' || p.pk ELSE '' END
				FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> 'goose_db_version'`,
			`SELECT c.table_name || '.' || c.column_name || ' ' || CASE c.data_type WHEN 'bigint' THEN 'INTEGER' WHEN 'bytea' THEN 'BLOB' ELSE upper(c.data_type) END
				|| CASE WHEN c.is_nullable = 'NO' THEN ' not null' ELSE '' END || COALESCE(' key ' || k.ordinal_position, '')
				FROM information_schema.columns c
				LEFT JOIN information_schema.table_constraints t ON t.table_schema = c.table_schema AND t.table_name = c.table_name AND t.constraint_type = 'PRIMARY KEY'
				LEFT JOIN information_schema.key_column_usage k ON k.constraint_name = t.constraint_name AND k.table_name = c.table_name AND k.column_name = c.column_name
				WHERE c.table_schema = 'public' AND c.table_name <> 'goose_db_version'`,
		},
		"references": {
			`SELECT m.name || '.' || f."from" || ' ' || f."table" || '.' || f."to" FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`,
			`SELECT k.table_name || '.' || k.column_name || ' ' || u.table_name || '.' || u.column_name
				FROM information_schema.referential_constraints r
				JOIN information_schema.key_column_usage k ON k.constraint_name = r.constraint_name
				JOIN information_schema.constraint_column_usage u ON u.constraint_name = r.constraint_name`,
		},
		"indexes": {
			`SELECT m.name || ' ' || m.tbl_name || ' ' || (SELECT group_concat(i.name, ',') FROM pragma_index_info(m.name) i) FROM sqlite_master m WHERE m.type = 'index' AND m.sql IS NOT NULL`,
			`SELECT i.relname || ' ' || t.relname || ' ' || (SELECT string_agg(a.attname, ',' ORDER BY array_position(x.indkey, a.attnum)) FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = ANY (x.indkey))
				FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
				WHERE t.relnamespace = 'public'::regnamespace AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = x.indexrelid)`,
		},
	} {
		a, b := texts(t, lite.raw(t), queries[0]), texts(t, pg.raw(t), queries[1])
		if diff := cmp.Diff(a, b); diff != "" || len(a) < 9 {
			t.Errorf("%s: %d, -sqlite +postgres:\n%s", what, len(a), diff)
		}
	}
}

// texts is the first column of an answer, sorted.
func texts(t *testing.T, db *sql.DB, query string) (out []string) {
	t.Helper()
	rows, err := db.QueryContext(ctx, query)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var text string
		must(t, rows.Scan(&text))
		out = append(out, text)
	}
	must(t, rows.Err())
	slices.Sort(out)
	return out
}
