package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/outbox"
)

// CreateKeys implements key.Store.
func (s *Store) CreateKeys(ctx context.Context, keys []*key.Key, ev audit.Event) (rev id.Revision, err error) {
	err = s.step(ctx, "create keys", func(ctx context.Context, q querier) error {
		altered := make([]change, 0, len(keys))
		for _, k := range keys {
			if err := insertKey(ctx, q, k); err != nil {
				return err
			}
			altered = append(altered, change{changes.Key, string(k.ID)})
		}
		if slices.ContainsFunc(keys, func(k *key.Key) bool {
			return slices.ContainsFunc(k.Versions, func(v key.Version) bool { return v.Imported })
		}) {
			altered = append(altered, change{changes.Import, ""})
		}
		rev, err = s.finish(ctx, q, ev, altered...)
		return err
	})
	return rev, err
}

func insertKey(ctx context.Context, q querier, k *key.Key) error {
	c, err := encodeKey(k)
	if err != nil {
		return err
	}
	// The app must still be there: a key made while its app is deleted would outlive it.
	result, err := q.ExecContext(ctx, `
		INSERT INTO api_key (id, app_id, team_id, name, kind, mode, prefix, scopes, restrictions, apis, limits, metadata, rotate_every, rotate_due_at,
			created_at, not_before, expires_at, quota, disabled_at, revoked_at, revoke_reason, deleted_at)
		SELECT $1, id, team_id, $3, $4, $5, $6, $7, $8, $9, $10, $11, CAST($12 AS BIGINT), CAST($13 AS BIGINT), CAST($14 AS BIGINT), CAST($15 AS BIGINT), CAST($16 AS BIGINT), CAST($17 AS TEXT), 0, 0, '', 0
		FROM app WHERE id = $2 AND deleted_at = 0`,
		string(k.ID), string(k.App), k.Name, string(k.Kind), string(k.Mode), k.Prefix, c.scopes, c.restrictions, c.apis, c.limits, c.metadata,
		k.RotateEvery.Microseconds(), micros(k.RotationDueAt()), micros(k.CreatedAt), micros(k.NotBefore), micros(k.ExpiresAt), k.Quota.String())
	if err := changedOne(result, err, fault.Missing("app", string(k.App))); err != nil {
		return err
	}
	for i := range k.Versions {
		if err := insertVersion(ctx, q, k.ID, &k.Versions[i]); err != nil {
			return err
		}
	}
	return nil
}

func insertVersion(ctx context.Context, q querier, keyID id.Key, v *key.Version) error {
	result, err := q.ExecContext(ctx, `
		INSERT INTO api_key_version (key_id, version, digest, scheme, pepper, imported, created_at, ends_at, revoked_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (digest) DO NOTHING`,
		string(keyID), v.Number, v.Digest, string(v.Scheme), v.Pepper, flag(v.Imported), micros(v.CreatedAt), micros(v.EndsAt), micros(v.RevokedAt))
	taken := fault.New(fault.Conflict, "this credential is here already")
	err = changedOne(result, err, taken)
	if errors.Is(err, taken) {
		if err := q.QueryRowContext(ctx, `SELECT key_id FROM api_key_version WHERE digest = $1`, v.Digest).Scan(&taken.ID); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	return err
}

// keyColumnsJSON are the columns of a key that hold JSON.
type keyColumnsJSON struct{ scopes, restrictions, apis, limits, metadata string }

func encodeKey(k *key.Key) (c keyColumnsJSON, err error) {
	if c.scopes, c.restrictions, err = encodeTwo(k.Scopes, k.Restrictions); err != nil {
		return c, err
	}
	if c.apis, c.limits, err = encodeTwo(k.APIs, k.Limits); err != nil {
		return c, err
	}
	c.metadata, err = encode(k.Metadata)
	return c, err
}

const keySelect = `SELECT k.id, k.app_id, k.team_id, k.name, k.kind, k.mode, k.prefix, k.scopes, k.restrictions, k.apis, k.limits, k.quota, k.metadata, k.rotate_every,
	k.created_at, k.not_before, k.expires_at, k.disabled_at, k.revoked_at, k.revoke_reason, k.deleted_at,
	COALESCE(u.at, 0), COALESCE(u.network, ''), COALESCE(u.api, ''), COALESCE(u.operation, '')
	FROM api_key k LEFT JOIN api_key_use u ON u.key_id = k.id `

func scanKey(row scanner) (*key.Key, error) {
	var k key.Key
	var c keyColumnsJSON
	var quota string
	var rotate, created, notBefore, expires, disabled, revoked, deleted, used int64
	if err := row.Scan(&k.ID, &k.App, &k.Team, &k.Name, &k.Kind, &k.Mode, &k.Prefix, &c.scopes, &c.restrictions, &c.apis, &c.limits, &quota, &c.metadata, &rotate,
		&created, &notBefore, &expires, &disabled, &revoked, &k.RevokeReason, &deleted,
		&used, &k.LastUsed.Network, &k.LastUsed.API, &k.LastUsed.Operation); err != nil {
		return nil, err
	}
	k.RotateEvery = time.Duration(rotate) * time.Microsecond
	k.CreatedAt, k.NotBefore, k.ExpiresAt, k.DisabledAt = moment(created), moment(notBefore), moment(expires), moment(disabled)
	k.RevokedAt, k.DeletedAt, k.LastUsed.At = moment(revoked), moment(deleted), moment(used)
	if quota != "" {
		var err error
		if k.Quota, err = billing.ParseQuota(quota); err != nil {
			return nil, fmt.Errorf("read the quota of %s: %w", k.ID, err)
		}
	}
	return &k, errors.Join(decodeTwo(c.scopes, &k.Scopes, c.restrictions, &k.Restrictions), decodeTwo(c.apis, &k.APIs, c.limits, &k.Limits), decode(c.metadata, &k.Metadata))
}

// Key implements key.Store. A deleted key is not there, nor is one of a deleted app.
func (s *Store) Key(ctx context.Context, reach audit.Reach, keyID id.Key) (k *key.Key, err error) {
	err = s.snapshot(ctx, "read a key", func(q querier) error {
		k, err = oneKey(ctx, q, reach, keyID)
		return err
	})
	return k, err
}

// ofLivingApp leaves out the keys of deleted apps: they stopped with their app.
const ofLivingApp = `EXISTS (SELECT 1 FROM app a WHERE a.id = k.app_id AND a.deleted_at = 0)`

func oneKey(ctx context.Context, q querier, reach audit.Reach, keyID id.Key) (*key.Key, error) {
	w := within("k.team_id", reach).and("k.id = ? AND k.deleted_at = 0 AND "+ofLivingApp, string(keyID))
	k, err := scanKey(q.QueryRowContext(ctx, keySelect+w.String(), w.args...))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.Missing("key", string(keyID))
	}
	if err != nil {
		return nil, err
	}
	return k, loadVersions(ctx, q, k)
}

// KeyByDigest finds the key that one of the digests belongs to: how a credential made elsewhere, which holds no id, is
// recognised. It returns fault.NotFound when none does.
func (s *Store) KeyByDigest(ctx context.Context, digests [][]byte) (keyID id.Key, err error) {
	err = s.read("find a key", func(q querier) error {
		err := q.QueryRowContext(ctx, `SELECT key_id FROM api_key_version WHERE digest IN (`+placeholders(1, len(digests))+`) AND imported = 1`, anys(digests)...).Scan(&keyID)
		if errors.Is(err, sql.ErrNoRows) {
			return fault.New(fault.NotFound, "no key has this digest")
		}
		return err
	})
	return keyID, err
}

func loadVersions(ctx context.Context, q querier, keys ...*key.Key) error {
	byID := make(map[id.Key]*key.Key, len(keys))
	args := make([]any, len(keys))
	for i, k := range keys {
		byID[k.ID], args[i] = k, string(k.ID)
	}
	if len(keys) == 0 {
		return nil
	}
	rows, err := q.QueryContext(ctx, `SELECT key_id, version, digest, scheme, pepper, imported, created_at, ends_at, revoked_at
		FROM api_key_version WHERE key_id IN (`+placeholders(1, len(keys))+`) ORDER BY key_id, version`, args...)
	if err != nil {
		return err
	}
	return scanAll(rows, func() error {
		var keyID id.Key
		var v key.Version
		var imported, created, ends, revoked int64
		if err := rows.Scan(&keyID, &v.Number, &v.Digest, &v.Scheme, &v.Pepper, &imported, &created, &ends, &revoked); err != nil {
			return err
		}
		v.Imported, v.CreatedAt, v.EndsAt, v.RevokedAt = imported == 1, moment(created), moment(ends), moment(revoked)
		byID[keyID].Versions = append(byID[keyID].Versions, v)
		return nil
	})
}

// Keys implements key.Store.
func (s *Store) Keys(ctx context.Context, reach audit.Reach, f key.Filter) (keys []*key.Key, err error) {
	err = s.snapshot(ctx, "list keys", func(q querier) error {
		w := within("k.team_id", reach).and("k.deleted_at = 0 AND "+ofLivingApp).given("k.app_id = ?", string(f.App)).given("k.team_id = ?", string(f.Team)).
			given("k.name = ?", f.Name).oneOf("k.kind", texts(f.Kinds)).oneOf("k.id", texts(f.IDs)).after("k.created_at, k.id", f.Before, f.BeforeID)
		var query string
		if f.EndsBefore.IsZero() {
			query = keySelect + w.newest("k.", len(f.IDs) > 0, f.Limit)
		} else {
			w.and("k.revoked_at = 0 AND k.expires_at > ? AND k.expires_at < ?", micros(f.EndsAfter), micros(f.EndsBefore))
			query = keySelect + w.String() + ` ORDER BY k.expires_at, k.id LIMIT ` + w.arg(f.Limit)
		}
		rows, err := q.QueryContext(ctx, query, w.args...)
		if err != nil {
			return err
		}
		if err := scanAll(rows, func() error {
			k, err := scanKey(rows)
			keys = append(keys, k)
			return err
		}); err != nil {
			return err
		}
		return loadVersions(ctx, q, keys...)
	})
	return keys, err
}

// UpdateKey implements key.Store. A revocation, of the key or of one version, also goes into the nodes' memory.
func (s *Store) UpdateKey(ctx context.Context, reach audit.Reach, keyID id.Key, ev audit.Event, alter func(*key.Key) error) (k *key.Key, rev id.Revision, err error) {
	err = s.step(ctx, "change a key", func(ctx context.Context, q querier) error {
		if err := lockRow(ctx, q, "api_key", string(keyID)); err != nil {
			return err
		}
		if k, err = oneKey(ctx, q, reach, keyID); err != nil {
			return err
		}
		before := revokedSubjects(k)
		if err := alter(k); err != nil {
			return err
		}
		rev, err = s.keepKey(ctx, q, k, before, ev)
		return err
	})
	return k, rev, err
}

// keepKey ends a step that changed a key. before is what was revoked of it until then.
func (s *Store) keepKey(ctx context.Context, q querier, k *key.Key, before map[string]bool, ev audit.Event) (id.Revision, error) {
	if err := writeKey(ctx, q, k); err != nil {
		return 0, err
	}
	altered := []change{{changes.Key, string(k.ID)}}
	for subject := range revokedSubjects(k) {
		if before[subject] {
			continue
		}
		if err := s.revoke(ctx, q, subject, ev.At); err != nil {
			return 0, err
		}
		altered = append(altered, change{changes.Revocation, subject})
	}
	ev.Team = k.Team
	return s.finish(ctx, q, ev, altered...)
}

// revokedSubjects are what nodes remember as revoked of a key: itself, or "key_…#2" for a version.
func revokedSubjects(k *key.Key) map[string]bool {
	subjects := map[string]bool{}
	if !k.RevokedAt.IsZero() {
		subjects[string(k.ID)] = true
	}
	for i := range k.Versions {
		if v := &k.Versions[i]; !v.RevokedAt.IsZero() {
			subjects[key.VersionSubject(k.ID, v.Number)] = true
		}
	}
	return subjects
}

func writeKey(ctx context.Context, q querier, k *key.Key) error {
	c, err := encodeKey(k)
	if err != nil {
		return err
	}
	if _, err := q.ExecContext(ctx, `
		UPDATE api_key SET name = $2, prefix = $3, scopes = $4, restrictions = $5, apis = $6, limits = $7, metadata = $8, rotate_every = $9, rotate_due_at = $10,
			not_before = $11, expires_at = $12, disabled_at = $13, revoked_at = $14, revoke_reason = $15, deleted_at = $16, quota = $17 WHERE id = $1`,
		string(k.ID), k.Name, k.Prefix, c.scopes, c.restrictions, c.apis, c.limits, c.metadata, k.RotateEvery.Microseconds(), micros(k.RotationDueAt()),
		micros(k.NotBefore), micros(k.ExpiresAt), micros(k.DisabledAt), micros(k.RevokedAt), k.RevokeReason, micros(k.DeletedAt), k.Quota.String()); err != nil {
		return err
	}
	for i := range k.Versions {
		v := &k.Versions[i]
		result, err := q.ExecContext(ctx, `UPDATE api_key_version SET ends_at = $3, revoked_at = $4 WHERE key_id = $1 AND version = $2`,
			string(k.ID), v.Number, micros(v.EndsAt), micros(v.RevokedAt))
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			if err := insertVersion(ctx, q, k.ID, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// DigestTaken implements key.Store.
func (s *Store) DigestTaken(ctx context.Context, digests [][]byte) (map[int]id.Key, error) {
	taken := map[int]id.Key{}
	at := make(map[string][]int, len(digests)) // one may stand there twice
	for i, d := range digests {
		at[string(d)] = append(at[string(d)], i)
	}
	err := s.read("look for digests", func(q querier) error {
		for rest := digests; len(rest) > 0; {
			n := min(len(rest), 500)
			rows, err := q.QueryContext(ctx, `SELECT digest, key_id FROM api_key_version WHERE digest IN (`+placeholders(1, n)+`)`, anys(rest[:n])...) //nolint:sqlclosecheck // scanAll closes them
			if err != nil {
				return err
			}
			rest = rest[n:]
			if err := scanAll(rows, func() error {
				var digest []byte
				var keyID id.Key
				if err := rows.Scan(&digest, &keyID); err != nil {
					return err
				}
				for _, i := range at[string(digest)] {
					taken[i] = keyID
				}
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	})
	return taken, err
}

// UpgradeDigest implements key.Store.
func (s *Store) UpgradeDigest(ctx context.Context, keyID id.Key, version int, old []byte, now key.Version) error {
	if bytes.Equal(old, now.Digest) {
		return nil
	}
	return s.step(ctx, "upgrade a digest", func(ctx context.Context, q querier) error {
		// The same credential may have been imported twice, as a hash and as it is: then the other has the new digest.
		_, err := q.ExecContext(ctx, `UPDATE api_key_version SET digest = $4, scheme = $5, pepper = $6 WHERE key_id = $1 AND version = $2 AND digest = $3
			AND NOT EXISTS (SELECT 1 FROM api_key_version o WHERE o.digest = $4)`,
			string(keyID), version, old, now.Digest, string(now.Scheme), now.Pepper)
		return err
	})
}

// rotationsAtOnce bounds what one step tells of; the next call tells of the rest.
const rotationsAtOnce = 500

// RotationsDue implements key.Store. The message's subject is key and version, and a subject is told once. Keys that were
// revoked since they got their date lose it, and nobody is told.
func (s *Store) RotationsDue(ctx context.Context, now time.Time) (told int, err error) {
	err = s.step(ctx, "tell of rotations due", func(ctx context.Context, q querier) error {
		told = 0
		due, keys, err := rotationsDue(ctx, q, now)
		if err != nil || len(keys) == 0 {
			return err
		}
		for _, m := range due {
			result, err := q.ExecContext(ctx, `INSERT INTO outbox (id, kind, subject, team_id, body, created_at) VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT (kind, subject) DO NOTHING`, string(m.ID), string(m.Kind), m.Subject, string(m.Team), m.Body, micros(m.CreatedAt))
			if err != nil {
				return err
			}
			n, err := result.RowsAffected()
			if err != nil {
				return err
			}
			if told += int(n); n == 0 {
				continue
			}
			if err := tell(ctx, q, m); err != nil {
				return err
			}
		}
		w := (&where{}).and("rotate_due_at > 0 AND rotate_due_at <= ?", micros(now)).oneOf("id", keys)
		_, err = q.ExecContext(ctx, `UPDATE api_key SET rotate_due_at = 0`+w.String(), w.args...)
		return err
	})
	return told, err
}

// rotationsDue are the messages of keys whose time has come, and the ids of all keys that were looked at for them.
func rotationsDue(ctx context.Context, q querier, now time.Time) (due []outbox.Message, keys []string, err error) {
	rows, err := q.QueryContext(ctx, `
		SELECT k.id, k.app_id, k.team_id, k.name, k.kind, k.rotate_due_at, k.revoked_at + k.deleted_at,
			(SELECT MAX(v.version) FROM api_key_version v WHERE v.key_id = k.id AND v.revoked_at = 0)
		FROM api_key k WHERE k.rotate_due_at > 0 AND k.rotate_due_at <= $1 ORDER BY k.rotate_due_at LIMIT $2`, micros(now), rotationsAtOnce)
	if err != nil {
		return nil, nil, err
	}
	err = scanAll(rows, func() error {
		var keyID, appID, name, kind string
		var teamID id.Team
		var dueAt, ended int64
		var version sql.NullInt64
		if err := rows.Scan(&keyID, &appID, &teamID, &name, &kind, &dueAt, &ended, &version); err != nil {
			return err
		}
		if keys = append(keys, keyID); ended > 0 {
			return nil
		}
		body, err := encode(map[string]any{
			"id": keyID, "team_id": string(teamID), "key_id": keyID, "app_id": appID, "name": name, "kind": kind, "version": version.Int64, "due_at": moment(dueAt).Format(time.RFC3339),
		})
		due = append(due, outbox.Message{
			ID: id.New[id.Message](), Kind: outbox.KeyRotationDue, Subject: fmt.Sprintf("%s#%d", keyID, version.Int64), Team: teamID, Body: body, CreatedAt: now,
		})
		return err
	})
	return due, keys, err
}

// Outbox implements outbox.Store.
func (s *Store) Outbox(ctx context.Context, limit int) (messages []outbox.Message, err error) {
	err = s.read("read the outbox", func(q querier) error {
		messages, err = outboxWhere(ctx, q, `ORDER BY created_at, id LIMIT $1`, limit)
		return err
	})
	return messages, err
}

func outboxWhere(ctx context.Context, q querier, which string, limit int) (messages []outbox.Message, err error) {
	rows, err := q.QueryContext(ctx, `SELECT id, kind, subject, team_id, body, created_at FROM outbox `+which, limit) // #nosec G202 -- constants
	if err != nil {
		return nil, err
	}
	return messages, scanAll(rows, func() error {
		var m outbox.Message
		var created int64
		err := rows.Scan(&m.ID, &m.Kind, &m.Subject, &m.Team, &m.Body, &created)
		m.CreatedAt = moment(created)
		messages = append(messages, m)
		return err
	})
}
