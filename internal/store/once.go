package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// Once implements grant.Store. The note is a digest, so that a long text is as good as a short one. Of several that present
// the same at once the primary key lets one in.
func (s *Store) Once(ctx context.Context, what string, until time.Time) (first bool, err error) {
	sum := sha256.Sum256([]byte(what))
	err = s.step(ctx, "note what is used once", func(ctx context.Context, q querier) error {
		first, err = decides(ctx, q, `INSERT INTO seen_once (id, until) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`, hex.EncodeToString(sum[:]), micros(until))
		return err
	})
	return first && err == nil, err
}

// trimAtOnce is how many rows a step of trimming takes at most, so that nobody waits long behind one.
const trimAtOnce = 1000

// trimmed are the tables of which rows go a while after a time that stands in a column.
var trimmed = []struct {
	table, column string
	after         time.Duration
}{
	{"auth_request", "expires_at", 0},
	{"pushed_request", "expires_at", 0},
	{"auth_code", "expires_at", 25 * time.Hour}, // a replay is answered while tokens of the first use may live
	{"device", "expires_at", time.Hour},
	{"seen_once", "until", time.Minute}, // clocks differ
}

func trimStatement(table, column string) string {
	return `DELETE FROM ` + table + ` WHERE id IN (SELECT o.id FROM ` + table + ` o WHERE o.` + column + ` <= $1 ORDER BY o.` + column + ` LIMIT ` + strconv.Itoa(trimAtOnce) + `)`
}

// chainsKept is how long a chain stays after it ended, and after its revocation is forgotten.
const chainsKept = 24 * time.Hour

// TrimGrants implements grant.Store. Whatever is stopped in between, the next call goes on with.
func (s *Store) TrimGrants(ctx context.Context, now time.Time) error {
	for _, t := range trimmed {
		if err := s.trim(ctx, "trim "+t.table, func(ctx context.Context, q querier) (int, error) {
			result, err := q.ExecContext(ctx, trimStatement(t.table, t.column), micros(now.Add(-t.after)))
			if err != nil {
				return 0, err
			}
			n, err := result.RowsAffected()
			return int(n), err
		}); err != nil {
			return err
		}
	}
	if err := s.trim(ctx, "trim idle chains", func(ctx context.Context, q querier) (int, error) {
		return trimFamilies(ctx, q, trimIdle, now.Add(-chainsKept))
	}); err != nil {
		return err
	}
	return s.trim(ctx, "trim revoked chains", func(ctx context.Context, q querier) (int, error) {
		return trimFamilies(ctx, q, trimRevoked, now.Add(-changes.RevocationLife-chainsKept))
	})
}

// trim runs steps until one finds less than it may take.
func (s *Store) trim(ctx context.Context, op string, some func(context.Context, querier) (int, error)) error {
	for n := trimAtOnce; n == trimAtOnce; {
		if err := s.step(ctx, op, func(ctx context.Context, q querier) (err error) {
			n, err = some(ctx, q)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// A chain is idle at the latest when it expires.
const (
	trimIdle = `DELETE FROM family WHERE id IN (SELECT f.id FROM family f WHERE f.idle_at <= $1 ORDER BY f.idle_at LIMIT 1000) RETURNING grant_id, used_at`

	trimRevoked = `DELETE FROM family WHERE id IN (SELECT f.id FROM family f WHERE f.revoked_at > 0 AND f.revoked_at <= $1 ORDER BY f.revoked_at LIMIT 1000)
		RETURNING grant_id, used_at`
)

// trimFamilies deletes chains and leaves with their grants when they were last used.
func trimFamilies(ctx context.Context, q querier, statement string, before time.Time) (n int, err error) {
	rows, err := q.QueryContext(ctx, statement, micros(before)) //nolint:sqlclosecheck // scanAll closes them
	if err != nil {
		return 0, err
	}
	used := map[id.Grant]int64{}
	if err := scanAll(rows, func() error {
		var grantID id.Grant
		var at int64
		err := rows.Scan(&grantID, &at)
		used[grantID] = max(used[grantID], at)
		n++
		return err
	}); err != nil {
		return 0, err
	}
	for _, grantID := range slices.Sorted(maps.Keys(used)) { // in order, so that two nodes do not lock each other out
		if _, err := q.ExecContext(ctx, `UPDATE grants SET used_at = $2 WHERE id = $1 AND used_at < $2`, string(grantID), used[grantID]); err != nil {
			return 0, err
		}
	}
	return n, nil
}
