package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// SaveRequest implements grant.RequestStore.
func (s *Store) SaveRequest(ctx context.Context, r *grant.Request) error {
	ask, progress, err := encodeTwo(&r.Ask, &r.Progress)
	if err != nil {
		return err
	}
	return s.step(ctx, "keep an authorization request", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `INSERT INTO auth_request (id, app_id, browser, ask, progress, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			string(r.ID), string(r.App), r.Browser, ask, progress, micros(r.CreatedAt), micros(r.ExpiresAt))
		return err
	})
}

// Request implements grant.RequestStore.
func (s *Store) Request(ctx context.Context, request id.Request, browser []byte, now time.Time) (*grant.Request, error) {
	var r grant.Request
	var ask, progress string
	err := s.read("read an authorization request", func(q querier) error {
		var created, expires int64
		err := q.QueryRowContext(ctx, `SELECT id, app_id, browser, ask, progress, created_at, expires_at FROM auth_request
			WHERE id = $1 AND browser = $2 AND expires_at > $3`, string(request), browser, micros(now)).
			Scan(&r.ID, &r.App, &r.Browser, &ask, &progress, &created, &expires)
		r.CreatedAt, r.ExpiresAt = moment(created), moment(expires)
		return requestFound(err, request)
	})
	if err != nil {
		return nil, err
	}
	return &r, decodeTwo(ask, &r.Ask, progress, &r.Progress)
}

func requestFound(err error, request id.Request) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fault.Missing("authorization request", string(request))
	}
	return err
}

// AdvanceRequest implements grant.RequestStore.
func (s *Store) AdvanceRequest(ctx context.Context, request id.Request, browser []byte, p grant.Progress, now time.Time) error {
	progress, err := encode(&p)
	if err != nil {
		return err
	}
	return s.step(ctx, "advance an authorization request", func(ctx context.Context, q querier) error {
		result, err := q.ExecContext(ctx, `UPDATE auth_request SET progress = $4 WHERE id = $1 AND browser = $2 AND expires_at > $3`,
			string(request), browser, micros(now), progress)
		return changedOne(result, err, requestFound(sql.ErrNoRows, request))
	})
}

// DropRequest implements grant.RequestStore. Of several answers one deletes the row.
func (s *Store) DropRequest(ctx context.Context, request id.Request, browser []byte) (dropped bool, err error) {
	err = s.step(ctx, "end an authorization request", func(ctx context.Context, q querier) error {
		dropped, err = decides(ctx, q, `DELETE FROM auth_request WHERE id = $1 AND browser = $2`, string(request), browser)
		return err
	})
	return dropped && err == nil, err
}

// decides runs the one conditional statement that decides something, and reports whether it changed its row.
func decides(ctx context.Context, q querier, statement string, args ...any) (bool, error) {
	result, err := q.ExecContext(ctx, statement, args...)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// PushRequest implements grant.RequestStore.
func (s *Store) PushRequest(ctx context.Context, p *grant.Pushed) error {
	return s.step(ctx, "keep a pushed request", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `INSERT INTO pushed_request (id, digest, pepper, app_id, params, expires_at, consumed_at) VALUES ($1, $2, $3, $4, $5, $6, 0)`,
			p.ID, p.Digest, p.Pepper, string(p.App), string(p.Params), micros(p.ExpiresAt))
		return err
	})
}

// Pushed implements grant.RequestStore.
func (s *Store) Pushed(ctx context.Context, ticket string) (*grant.Pushed, error) {
	var p grant.Pushed
	err := s.read("read a pushed request", func(q querier) error {
		if !storable(ticket) {
			return fault.Missing("pushed request", ticket)
		}
		var params string
		var expires int64
		err := q.QueryRowContext(ctx, `SELECT id, digest, pepper, app_id, params, expires_at FROM pushed_request WHERE id = $1`, ticket).
			Scan(&p.ID, &p.Digest, &p.Pepper, &p.App, &params, &expires)
		if errors.Is(err, sql.ErrNoRows) {
			return fault.Missing("pushed request", ticket)
		}
		p.Params, p.ExpiresAt = json.RawMessage(params), moment(expires)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &p, nil
}

// TakePushed implements grant.RequestStore. One conditional statement: of several that fetch it one changes the row.
func (s *Store) TakePushed(ctx context.Context, ticket string, now time.Time) (took bool, err error) {
	if !storable(ticket) {
		return false, nil
	}
	err = s.step(ctx, "take a pushed request", func(ctx context.Context, q querier) error {
		took, err = decides(ctx, q, `UPDATE pushed_request SET consumed_at = $2 WHERE id = $1 AND consumed_at = 0 AND expires_at > $2`, ticket, micros(now))
		return err
	})
	return took && err == nil, err
}
