package store

import (
	"context"

	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// memory is what a restoration remembers of tables with a row for every user or grant, which may be too many to carry
// around: copies that last as long as its step.
var memory = []struct{ table, of string }{
	{"was_user", `SELECT id AS was_id, epoch AS was_epoch FROM users`},
	{"was_app", `SELECT id AS was_id, epoch AS was_epoch FROM app`},
	{"was_password", `SELECT user_id AS was_id, hash AS was_hash, pepper AS was_pepper, changed_at AS was_changed FROM password`},
	{"was_personal", `SELECT id AS was_id, revoked_at AS was_revoked, revoke_reason AS was_reason FROM personal_token WHERE revoked_at > 0`},
	{"was_webhook", `SELECT id AS was_id, url AS was_url, events AS was_events, secrets AS was_secrets, old_until AS was_old, disabled_at AS was_disabled, stopped AS was_stopped, deleted_at AS was_deleted FROM webhook`},
	{"was_grant", `SELECT id AS was_id, epoch AS was_epoch, revoked_at AS was_revoked FROM grants`},
	{"was_leak", `SELECT l.id AS was_id, l.key_id AS was_key, l.version AS was_version, l.team_id AS was_team, l.user_id AS was_user, l.kind AS was_kind, l.name AS was_name, l.place AS was_place,
		l.source AS was_source, l.outcome AS was_outcome, l.found_at AS was_found, l.due_at AS was_due, COALESCE(v.created_at, 0) AS was_made
		FROM leak l LEFT JOIN api_key_version v ON v.key_id = l.key_id AND v.version = l.version WHERE l.outcome IN ('waiting', 'notified')`},
	{"was_family", `SELECT id AS was_id, counter AS was_counter, key_version AS was_version, rotated_at AS was_rotated, used_at AS was_used, idle_at AS was_idle, revoked_at AS was_revoked FROM family`},
}

// remember makes the copies.
func (r *restore) remember(ctx context.Context) error {
	for _, m := range memory {
		if _, err := r.q.ExecContext(ctx, `CREATE TEMPORARY TABLE `+m.table+` AS `+m.of); err != nil { // #nosec G202 -- constants
			return err
		}
	}
	return nil
}

// recall applies what the database knew of users' badges and the backup does not, and drops the copies.
func (r *restore) recall(ctx context.Context) error {
	for _, of := range []struct{ table, was string }{{"users", "was_user"}, {"app", "was_app"}, {"grants", "was_grant"}} {
		if err := r.recallEpochs(ctx, of.table, of.was); err != nil {
			return err
		}
	}
	for _, again := range []string{
		`UPDATE personal_token SET revoked_at = was_revoked, revoke_reason = was_reason FROM was_personal WHERE was_id = id AND revoked_at = 0 RETURNING id`,
		`UPDATE grants SET revoked_at = was_revoked FROM was_grant WHERE was_id = id AND was_revoked > 0 AND revoked_at = 0 RETURNING id`,
		`UPDATE family SET revoked_at = was_revoked FROM was_family WHERE was_id = id AND was_revoked > 0 AND revoked_at = 0 RETURNING id`,
	} {
		if err := r.recallRevoked(ctx, again); err != nil {
			return err
		}
	}
	if _, err := r.q.ExecContext(ctx, `UPDATE family SET counter = was_counter, key_version = was_version, rotated_at = was_rotated, used_at = was_used, idle_at = was_idle
		FROM was_family WHERE was_id = id AND (was_counter > counter OR was_counter = counter AND was_idle > idle_at)`); err != nil {
		return err
	}
	// A chain that the database had forgotten, though it knew the grant, had ended long enough ago.
	if _, err := r.q.ExecContext(ctx, `UPDATE family SET revoked_at = $1 WHERE revoked_at = 0 AND grant_id IN (SELECT was_id FROM was_grant)
		AND NOT EXISTS (SELECT 1 FROM was_family WHERE was_id = id)`, micros(r.at)); err != nil {
		return err
	}
	if _, err := r.q.ExecContext(ctx, `INSERT INTO password (user_id, hash, pepper, changed_at)
		SELECT was_id, was_hash, was_pepper, was_changed FROM was_password JOIN users ON id = was_id WHERE 1 = 1
		ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, pepper = excluded.pepper, changed_at = excluded.changed_at
		WHERE excluded.changed_at > password.changed_at`); err != nil {
		return err
	}
	if _, err := r.q.ExecContext(ctx, `UPDATE webhook SET url = was_url, events = was_events, secrets = was_secrets, old_until = was_old, disabled_at = was_disabled, stopped = was_stopped, deleted_at = was_deleted
		FROM was_webhook WHERE was_id = id`); err != nil {
		return err
	}
	if err := r.recallLeaks(ctx); err != nil {
		return err
	}
	if !r.before.unused {
		// One that a database in use did not know was deleted long ago: somebody says first that its address is still theirs.
		if _, err := r.q.ExecContext(ctx, `UPDATE webhook SET disabled_at = $1, stopped = $2 WHERE disabled_at = 0 AND NOT EXISTS (SELECT 1 FROM was_webhook WHERE was_id = id)`,
			micros(r.at), string(outbox.Restored)); err != nil {
			return err
		}
	}
	for _, m := range memory {
		if _, err := r.q.ExecContext(ctx, `DROP TABLE `+m.table); err != nil { // #nosec G202 -- a constant
			return err
		}
	}
	return nil
}

// recallLeaks keeps what was found since and still works, if the very secret is there: one that waits for its end goes on waiting. What was
// ended since is revoked again anyway.
func (r *restore) recallLeaks(ctx context.Context) error {
	for _, statement := range []string{
		`UPDATE leak SET outcome = was_outcome, due_at = was_due FROM was_leak WHERE was_key = key_id AND was_version = version AND was_outcome = 'waiting' AND outcome = 'notified'`,
		`INSERT INTO leak (id, key_id, version, team_id, user_id, kind, name, place, source, outcome, found_at, due_at)
			SELECT was_id, was_key, was_version, was_team, was_user, was_kind, was_name, was_place, was_source, was_outcome, was_found, was_due FROM was_leak
			WHERE NOT EXISTS (SELECT 1 FROM leak l WHERE l.key_id = was_key AND l.version = was_version)
				AND (EXISTS (SELECT 1 FROM api_key_version v WHERE v.key_id = was_key AND v.version = was_version AND v.created_at = was_made)
					OR EXISTS (SELECT 1 FROM personal_token p WHERE p.id = was_key))`,
	} {
		if _, err := r.q.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// recallEpochs raises the epochs that were raised since: tokens of the earlier ones are remembered as revoked, and new ones
// must not be of them.
func (r *restore) recallEpochs(ctx context.Context, table, was string) error {
	rows, err := r.q.QueryContext(ctx, `UPDATE `+table+` SET epoch = was_epoch FROM `+was+` WHERE was_id = id AND was_epoch > epoch RETURNING id, epoch`) // #nosec G202 -- constants
	if err != nil {
		return err
	}
	return scanAll(rows, func() error {
		var owner string
		var epoch int
		err := rows.Scan(&owner, &epoch)
		r.report.Revoked = append(r.report.Revoked, user.EpochSubject(owner, epoch-1))
		return err
	})
}

// recallRevoked runs a statement that revokes again and returns whose rows took it.
func (r *restore) recallRevoked(ctx context.Context, again string) error {
	rows, err := r.q.QueryContext(ctx, again)
	if err != nil {
		return err
	}
	return scanAll(rows, func() error {
		var subject string
		err := rows.Scan(&subject)
		r.report.Revoked = append(r.report.Revoked, subject)
		return err
	})
}
