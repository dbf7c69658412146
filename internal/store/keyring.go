package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/keyring"
)

// keyringHead is the part of the keyring's state that is not about one key: the setting 'keyring'.
type keyringHead struct {
	Revision      int    `json:"revision"`
	MasterVersion int    `json:"master_version"`
	Check         []byte `json:"check"`
}

// Keyring implements keyring.Store.
func (s *Store) Keyring(ctx context.Context) (state keyring.State, err error) {
	err = s.snapshot(ctx, "read the keyring", func(q querier) error {
		state, err = loadKeyring(ctx, q)
		return err
	})
	return state, err
}

func loadKeyring(ctx context.Context, q querier) (state keyring.State, err error) {
	head, err := loadKeyringHead(ctx, q)
	if err != nil {
		return state, err
	}
	state = keyring.State{Revision: head.Revision, MasterVersion: head.MasterVersion, Check: head.Check}
	rows, err := q.QueryContext(ctx, `SELECT purpose, version, master_version, wrapped, state, created_at FROM keyring ORDER BY purpose, version`)
	if err != nil {
		return state, err
	}
	return state, scanAll(rows, func() error {
		var r keyring.Row
		var created int64
		if err := rows.Scan(&r.Purpose, &r.Version, &r.MasterVersion, &r.Wrapped, &r.State, &created); err != nil {
			return err
		}
		r.CreatedAt = moment(created)
		state.Rows = append(state.Rows, r)
		return nil
	})
}

func loadKeyringHead(ctx context.Context, q querier) (head keyringHead, err error) {
	var value string
	err = q.QueryRowContext(ctx, `SELECT value FROM setting WHERE name = 'keyring'`).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return head, nil
	}
	if err != nil {
		return head, err
	}
	return head, decode(value, &head)
}

// ReplaceKeyring implements keyring.Store. The row of the setting is taken first: of two that replace the same revision the
// second waits for the first, then finds another revision. Other nodes read their keys again at the entry; at the founding of
// a database there are none yet.
func (s *Store) ReplaceKeyring(ctx context.Context, next keyring.State) (won bool, err error) {
	err = s.step(ctx, "replace the keyring", func(ctx context.Context, q querier) error {
		won = false
		if _, err := q.ExecContext(ctx, `INSERT INTO setting (name, value, updated_at) VALUES ('keyring', '{}', 0)
			ON CONFLICT (name) DO UPDATE SET name = excluded.name`); err != nil {
			return err
		}
		head, err := loadKeyringHead(ctx, q)
		if err != nil {
			return err
		}
		if head.Revision != next.Revision-1 {
			return nil
		}
		won = true
		if err := s.writeKeyring(ctx, q, next); err != nil || head.Revision == 0 {
			return err
		}
		if next.Act != nil {
			if err := writeAudit(ctx, q, *next.Act); err != nil {
				return err
			}
		}
		var now int64
		if err := q.QueryRowContext(ctx, `SELECT `+s.engine.clock()).Scan(&now); err != nil {
			return err
		}
		_, err = s.append(ctx, q, moment(now), change{changes.Keyring, ""})
		return err
	})
	return won && err == nil, err
}

func (s *Store) writeKeyring(ctx context.Context, q querier, next keyring.State) error {
	head, err := encode(keyringHead{Revision: next.Revision, MasterVersion: next.MasterVersion, Check: next.Check})
	if err != nil {
		return err
	}
	if _, err := q.ExecContext(ctx, `INSERT INTO setting (name, value, updated_at) VALUES ('keyring', $1, `+s.engine.clock()+`)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at`, head); err != nil {
		return err
	}
	if _, err := q.ExecContext(ctx, `DELETE FROM keyring`); err != nil {
		return err
	}
	return s.insertRows(ctx, q, insert{
		into: `INSERT INTO keyring (purpose, version, master_version, wrapped, state, created_at)`, rows: len(next.Rows),
		row: func(i int) []any {
			r := &next.Rows[i]
			return []any{string(r.Purpose), r.Version, r.MasterVersion, r.Wrapped, string(r.State), micros(r.CreatedAt)}
		},
	})
}
