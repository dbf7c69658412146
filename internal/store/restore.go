package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// restoreRows is how many rows of a backup are inserted together.
const restoreRows = 500

// Restore puts a backup in the place of what the database holds, in one step, while servers may run on it. Some things stay
// or come back on top, because a backup cannot make them undone:
//
//   - revocations made since, of keys and of single versions, of personal tokens, grants and chains of refresh tokens, and all
//     that nodes remember as revoked; epochs do not go back;
//   - webhooks that were disabled or deleted since, and their newest addresses, events and secrets; one that a database in use did
//     not know comes back disabled;
//   - the steps that chains took since, so that no refresh token works again that was used, and passwords set since;
//   - leaks that were found since and whose secret still works: what waits for its end goes on waiting;
//   - usage, which is a fact: what the database counted stays, and segments that only the backup knows are added;
//   - the audit log, the backup's lines and the database's, bills, what was told once, and what Stripe was told;
//   - keys of our own made since, so that what a running server has sealed meanwhile still opens.
//
// The log of changes goes on above both with one entry, restored, and nothing before it: every node drops its caches, and
// every other follower begins anew. Stored answers, sessions and whatever else is under way go, since what they are about may
// be gone: people log in again. Links stay as they are, used or not.
//
// A backup that is damaged, altered or cut off, or of another format, is a fault.Invalid. One of a newer schema, or one made
// under another master key than a database that is in use, is a fault.Conflict. Then nothing was changed.
func (s *Store) Restore(ctx context.Context, from io.Reader, at time.Time, ev audit.Event) (report Report, err error) {
	backup, err := spool(from)
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, backup.remove()) }()
	known, _, err := s.SchemaVersion(ctx)
	if err != nil {
		return Report{}, err
	}
	if backup.Schema > known {
		return Report{}, fault.New(fault.Conflict, "the backup has schema version %d, but this program knows only %d: restore it with the program that made it, or a newer one", backup.Schema, known)
	}
	err = s.step(ctx, "restore a backup", func(ctx context.Context, q querier) error {
		r := &restore{Store: s, q: q, backup: backup, at: at, names: map[Thing]string{}, report: Report{Backup: backup.Summary, Rows: map[string]int64{}}}
		if err := r.run(ctx, ev); err != nil {
			return err
		}
		report = r.report
		return nil
	})
	if err != nil {
		return Report{}, err
	}
	return report, nil
}

// lockOrder is what a restoration locks, in the order in which most steps come to the tables: so they wait for it or it for
// them, but seldom both, which PostgreSQL takes a second to notice.
var lockOrder = []string{
	"answer", "setting", "keyring", "leak", "scope", "subscription", "plan_version", "spend_alert", "meter_event", "meter_total", "api", "auth_code", "device", "pushed_request", "personal_token", "api_key",
	"app", "webhook", "team", "member", "users", "session", "session_app", "auth_request", "family", "grants", "password", "api_key_version",
	"usage_segment", "usage_charge", "api_key_use", "api_key_network", "api_key_query", "usage_rollup", "usage_total", "billing_account", "stripe_hour", "stripe_customer", "stripe_meter", "stripe_doubt", "stripe_event", "invoice", "outbox", "attempt",
	"revocation", "audit_event", "change_head", "change_entry",
}

// restore is one restoration under way.
type restore struct {
	*Store
	q      querier
	backup *spooledBackup
	at     time.Time
	report Report

	before    *standing
	names     map[Thing]string // of what stands or stood, by kind and id
	keepUsage bool             // the database has some
	keepMeter bool             // and events
}

func (r *restore) run(ctx context.Context, ev audit.Event) (err error) {
	if err := r.engine.lockOut(ctx, r.q, lockOrder); err != nil {
		return err
	}
	if r.before, err = r.look(ctx); err != nil {
		return err
	}
	if err := r.remember(ctx); err != nil {
		return err
	}
	if err := r.clear(ctx); err != nil {
		return err
	}
	if err := r.load(ctx); err != nil {
		return err
	}
	if err := r.derive(ctx); err != nil {
		return err
	}
	if err := r.doubt(ctx); err != nil {
		return err
	}
	if err := r.customersAsSet(ctx); err != nil {
		return err
	}
	if err := r.mergeKeyring(ctx); err != nil {
		return err
	}
	if err := r.revokeAgain(ctx); err != nil {
		return err
	}
	if err := r.recall(ctx); err != nil {
		return err
	}
	after, err := r.look(ctx)
	if err != nil {
		return err
	}
	r.compare(after)
	head := max(int64(r.backup.Revision), r.before.head)
	if _, err := r.q.ExecContext(ctx, `UPDATE change_head SET revision = $1 WHERE id = 1`, head); err != nil {
		return err
	}
	r.report.Revision, err = r.finish(ctx, r.q, ev, change{changes.Restored, ""})
	return err
}

// usageTables hold what was counted.
var usageTables = []string{"usage_segment", "usage_rollup", "usage_total", "usage_charge", "api_key_use", "api_key_network", "api_key_query", "attempt"}

// meterTables hold what events say.
var meterTables = []string{"meter_event", "meter_total"}

// keptOn are tables whose rows stay: what was done, billed and told cannot be undone. Those of the backup's go beside them.
var keptOn = []string{"audit_event", "change_head", "invoice", "outbox", "stripe_event", "stripe_hour", "stripe_doubt", "stripe_customer", "stripe_meter"}

// clear empties the tables that the backup replaces, those that refer to others first.
func (r *restore) clear(ctx context.Context) error {
	for _, table := range slices.Concat(usageTables, meterTables) {
		var has int64
		if err := r.q.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM `+table+` LIMIT 1) AS any_row`).Scan(&has); err != nil { // #nosec G202 -- a constant
			return err
		}
		if slices.Contains(meterTables, table) {
			r.keepMeter = r.keepMeter || has > 0
		} else {
			r.keepUsage = r.keepUsage || has > 0
		}
	}
	r.report.UsageKept = r.keepUsage
	for _, table := range slices.Backward(slices.Concat(backedUp, perishable, derived)) {
		if slices.Contains(keptOn, table) {
			continue
		}
		if _, err := r.q.ExecContext(ctx, `DELETE FROM `+table+r.except(table)); err != nil { // #nosec G202 -- a constant
			return err
		}
	}
	return nil
}

func (r *restore) except(table string) string {
	if r.keepUsage && slices.Contains(usageTables, table) || r.keepMeter && slices.Contains(meterTables, table) {
		return ` WHERE 1 = 0`
	}
	return ""
}

// load inserts the rows of the backup, as it goes through them.
func (r *restore) load(ctx context.Context) error {
	var columns []string
	var table string
	var rows [][]any
	flush := func() error {
		err := r.insert(ctx, table, columns, rows)
		rows = rows[:0]
		return err
	}
	err := r.backup.each(func(t backupTable) error {
		if err := flush(); err != nil {
			return err
		}
		table, columns = t.Table, t.Columns
		return r.checkColumns(ctx, t)
	}, func(row []any) error {
		if rows = append(rows, row); len(rows) < restoreRows {
			return nil
		}
		return flush()
	})
	return errors.Join(err, flush())
}

// checkColumns sees to it that the names in the backup are names of the table: they become part of a statement.
func (r *restore) checkColumns(ctx context.Context, t backupTable) error {
	rows, err := r.q.QueryContext(ctx, `SELECT * FROM `+t.Table+` WHERE 1 = 0`) // #nosec G202 -- one of backedUp, as checkBackup saw
	if err != nil {
		return err
	}
	defer rows.Close()
	has, err := rows.Columns()
	if err := errors.Join(err, rows.Err()); err != nil {
		return err
	}
	for i, column := range t.Columns {
		if !slices.Contains(has, column) || slices.Contains(t.Columns[:i], column) {
			return damaged("table "+t.Table+" has an unknown column, or one twice", nil)
		}
	}
	return nil
}

// insert puts rows into a table, as far as the backup decides what stands there.
func (r *restore) insert(ctx context.Context, table string, columns []string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	tail := ""
	switch table {
	case "change_head", "change_entry":
		return nil
	case "audit_event":
		tail = `ON CONFLICT (id) DO NOTHING`
	case "invoice", "outbox", "stripe_hour", "stripe_doubt", "stripe_customer", "stripe_meter":
		tail = `ON CONFLICT DO NOTHING`
	case "stripe_event":
		tail = `ON CONFLICT DO NOTHING`
		doubtWaiting(columns, rows)
	case "usage_segment", "usage_rollup", "usage_charge", "api_key_use", "api_key_network", "api_key_query", "attempt":
		if r.keepUsage {
			return r.addUsage(ctx, table, columns, rows)
		}
	}
	if r.keepMeter && table == "meter_total" {
		return nil // events add to what stands
	}
	if r.keepMeter && table == "meter_event" {
		return r.addEvents(ctx, columns, rows)
	}
	r.report.Rows[table] += int64(len(rows))
	return r.insertRows(ctx, r.q, insert{
		into: `INSERT INTO ` + table + ` (` + strings.Join(columns, ", ") + `)`, tail: tail, rows: len(rows),
		row: func(i int) []any { return rows[i] },
	})
}

// addUsage adds to the usage that stays what only the backup knows: whole segments, with their rollups, and idempotency keys
// that were charged. Everything else of the backup's is derived from segments or older than what stands.
func (r *restore) addUsage(ctx context.Context, table string, columns []string, rows [][]any) error {
	into := `INSERT INTO ` + table + ` (` + strings.Join(columns, ", ") + `)`
	switch table {
	case "usage_segment":
		var unknown [][]byte
		counted := slices.Index(columns, "counted")
		if counted < 0 {
			return damaged("table usage_segment has no column counted", nil)
		}
		for _, row := range rows {
			result, err := r.q.ExecContext(ctx, into+` VALUES (`+placeholders(1, len(row))+`) ON CONFLICT (node, epoch, segment) DO NOTHING`, row...)
			if err != nil {
				return err
			}
			n, err := result.RowsAffected()
			if err != nil {
				return err
			}
			if blob, ok := row[counted].([]byte); ok && n == 1 {
				unknown = append(unknown, blob)
			}
		}
		for _, blob := range unknown {
			sums, err := usage.DecodeRows(blob)
			if err != nil {
				return damaged("an entry of the ledger makes no sense", err)
			}
			if err := r.addToRollups(ctx, r.q, sums); err != nil {
				return err
			}
			if err := r.markHours(ctx, r.q, hoursOf(sums)); err != nil {
				return err
			}
			if err := r.markLate(ctx, r.q, sums); err != nil {
				return err
			}
		}
		r.report.Rows[table] += int64(len(unknown))
	case "usage_charge":
		return r.insertRows(ctx, r.q, insert{
			into: into, tail: `ON CONFLICT (app_id, digest) DO NOTHING`, rows: len(rows), row: func(i int) []any { return rows[i] },
		})
	}
	return nil
}

// addEvents counts events that only the backup knows.
func (r *restore) addEvents(ctx context.Context, columns []string, rows [][]any) error {
	want := []string{"source", "id", "team_id", "api", "meter", "at", "units", "received_at"}
	if !slices.Equal(columns, want) {
		return damaged("table meter_event has other columns than "+strings.Join(want, ", "), nil)
	}
	var unknown []billing.MeterEvent
	for _, row := range rows {
		if received, _ := row[7].(int64); received < micros(r.at.Add(-billing.EventMemory)) {
			continue // it was counted here, and forgotten since
		}
		added, err := decides(ctx, r.q, `INSERT INTO meter_event (`+strings.Join(want, ", ")+`) VALUES (`+placeholders(1, len(row))+`) ON CONFLICT (source, id) DO NOTHING`, row...)
		if err != nil {
			return err
		}
		if !added {
			continue
		}
		team, _ := row[2].(string)
		api, _ := row[3].(string)
		meter, _ := row[4].(string)
		at, _ := row[5].(int64)
		units, _ := row[6].(int64)
		unknown = append(unknown, billing.MeterEvent{Team: id.Team(team), API: api, Meter: billing.Meter(meter), At: moment(at), Units: units})
	}
	r.report.Rows["meter_event"] += int64(len(unknown))
	return r.addToMeters(ctx, r.q, unknown)
}

// firstWatched is the first schema that keeps whose spending is watched.
const firstWatched = 16

// derive makes what an older backup does not have, and fills the derived tables. Usage that stays has its totals already.
func (r *restore) derive(ctx context.Context) error {
	state, err := loadCatalog(ctx, r.q)
	if err != nil {
		return err
	}
	// Before versions were kept, a subscription began within a minute.
	if _, err := r.q.ExecContext(ctx, `UPDATE subscription SET since = since - since % 60000000 WHERE since % 60000000 <> 0`); err != nil {
		return err
	}
	if err := r.versionPlans(ctx, r.q, slices.Sorted(maps.Keys(state.APIs)), state.APIs, r.at); err != nil {
		return err
	}
	// What was added to bills since the backup is compared; before it was kept whose are watched, whoever looks finds that out.
	watched := `UPDATE billing_account SET look_at = $1 WHERE watched = 1`
	if r.backup.Schema < firstWatched {
		watched = `UPDATE billing_account SET due_at = $1, look_at = $1`
	}
	if _, err := r.q.ExecContext(ctx, watched, atOnce); err != nil {
		return err
	}
	if r.keepUsage {
		return nil
	}
	for _, statement := range fillTotals {
		if _, err := r.q.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// mergeKeyring keeps the versions of our own keys that were made since. The backup's go before: its rows were made with them.
func (r *restore) mergeKeyring(ctx context.Context) error {
	next, err := loadKeyring(ctx, r.q)
	if err != nil {
		return err
	}
	was := r.before.keyring
	if was.Empty() {
		return nil
	}
	if next.Empty() {
		return r.writeKeyring(ctx, r.q, was)
	}
	if !bytes.Equal(next.Check, was.Check) {
		if !r.before.unused {
			return fault.New(fault.Conflict, "the backup was made under another master key (version %d) than this database is (version %d): restore it into an empty database and start that with the backup's master key",
				next.MasterVersion, was.MasterVersion)
		}
		was.Rows = nil
	}
	for _, row := range was.Rows {
		if !slices.ContainsFunc(next.Rows, func(o keyring.Row) bool { return o.Purpose == row.Purpose && o.Version == row.Version }) {
			next.Rows = append(next.Rows, row)
		}
	}
	slices.SortFunc(next.Rows, func(x, y keyring.Row) int {
		return cmp.Or(cmp.Compare(x.Purpose, y.Purpose), cmp.Compare(x.Version, y.Version))
	})
	for i := range next.Rows {
		next.Rows[i].State = keyring.Current
		if i+1 < len(next.Rows) && next.Rows[i+1].Purpose == next.Rows[i].Purpose {
			next.Rows[i].State = keyring.Retiring
		}
	}
	next.Revision = max(next.Revision, was.Revision) + 1
	return r.writeKeyring(ctx, r.q, next)
}

// revokeAgain applies the revocations that the database knew and the backup does not.
func (r *restore) revokeAgain(ctx context.Context) error {
	for _, v := range r.before.revocations {
		if v.until <= micros(r.at) {
			continue // over
		}
		if _, err := r.q.ExecContext(ctx, `INSERT INTO revocation (subject, at, until) VALUES ($1, $2, $3)
			ON CONFLICT (subject) DO UPDATE SET until = excluded.until WHERE excluded.until > revocation.until`, v.subject, v.at, v.until); err != nil {
			return err
		}
	}
	for _, k := range r.before.revokedKeys {
		result, err := r.q.ExecContext(ctx, `UPDATE api_key SET revoked_at = $2, revoke_reason = $3, deleted_at = $4 WHERE id = $1 AND revoked_at = 0`,
			string(k.key), k.at, k.reason, k.deletedAt)
		if err := r.carried(result, err, string(k.key)); err != nil {
			return err
		}
	}
	for _, v := range r.before.versions {
		if v.revokedAt == 0 {
			continue
		}
		// The time of its making too: another version of that number may have followed an earlier restoration.
		result, err := r.q.ExecContext(ctx, `UPDATE api_key_version SET revoked_at = $4 WHERE key_id = $1 AND version = $2 AND created_at = $3 AND revoked_at = 0`,
			string(v.key), v.number, v.createdAt, v.revokedAt)
		if err := r.carried(result, err, key.VersionSubject(v.key, v.number)); err != nil {
			return err
		}
	}
	return nil
}
