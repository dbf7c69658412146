package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
)

// KeyForDecision reads a key whatever became of it, deleted ones included: who presents one learns that it was revoked.
func (s *Store) KeyForDecision(ctx context.Context, keyID id.Key) (k *key.Key, err error) {
	err = s.snapshot(ctx, "read a key", func(q querier) error {
		k, err = scanKey(q.QueryRowContext(ctx, keySelect+`WHERE k.id = $1`, string(keyID)))
		if errors.Is(err, sql.ErrNoRows) {
			return fault.Missing("key", string(keyID))
		}
		if err != nil {
			return err
		}
		return loadVersions(ctx, q, k)
	})
	return k, err
}

// HasImports reports whether any credential was made elsewhere.
func (s *Store) HasImports(ctx context.Context) (has bool, err error) {
	err = s.read("look for imported keys", func(q querier) error {
		var one int
		err := q.QueryRowContext(ctx, `SELECT 1 FROM api_key_version WHERE imported = 1 LIMIT 1`).Scan(&one)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		has = err == nil
		return err
	})
	return has, err
}
