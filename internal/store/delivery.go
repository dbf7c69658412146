package store

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard/internal/factor"
)

// Post implements factor.LinkStore.
func (s *Store) Post(ctx context.Context, letter factor.Letter, now time.Time) error {
	return s.step(ctx, "post a letter", func(ctx context.Context, q querier) error { return post(ctx, q, letter, now) })
}

// post keeps a letter for delivery at once.
func post(ctx context.Context, q querier, letter factor.Letter, now time.Time) error {
	_, err := q.ExecContext(ctx, `INSERT INTO delivery (id, kind, sealed, attempts, next_at, last_error, created_at) VALUES ($1, $2, $3, 0, $4, '', $4)`,
		string(letter.ID), letter.Kind, letter.Sealed, micros(now))
	return err
}
