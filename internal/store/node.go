package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/node"
)

// Nodes implements node.Store, the longest running first.
func (s *Store) Nodes(ctx context.Context, within time.Duration) (nodes []node.State, now time.Time, err error) {
	err = s.snapshot(ctx, "list nodes", func(q querier) error {
		var us int64
		if err := q.QueryRowContext(ctx, `SELECT `+s.engine.clock()).Scan(&us); err != nil {
			return err
		}
		now = moment(us)
		rows, err := q.QueryContext(ctx, `SELECT id, name, started_at, seen_at, applied FROM node WHERE seen_at > $1 ORDER BY started_at, id`, us-within.Microseconds())
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			var n node.State
			var started, seen int64
			if err := rows.Scan(&n.ID, &n.Name, &started, &seen, &n.Applied); err != nil {
				return err
			}
			n.StartedAt, n.SeenAt = moment(started), moment(seen)
			nodes = append(nodes, n)
			return nil
		})
	})
	return nodes, now, err
}

// ForgetNodes implements node.Store.
func (s *Store) ForgetNodes(ctx context.Context, unseen time.Duration) error {
	return s.step(ctx, "forget nodes", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `DELETE FROM node WHERE seen_at < `+s.engine.clock()+` - $1`, unseen.Microseconds())
		return err
	})
}

// claimTries bounds the claims of one call: each further one follows a DropAnswer at just that moment.
const claimTries = 5

// ClaimAnswer implements node.Store. The one conditional statement decides who makes the thing; whoever loses reads what
// stands there. It comes before the thing is made, so that two cannot make it.
func (s *Store) ClaimAnswer(ctx context.Context, a node.Answer) (there *node.Answer, err error) {
	err = s.step(ctx, "claim an answer", func(ctx context.Context, q querier) error {
		for range claimTries {
			there = nil
			result, err := q.ExecContext(ctx, `INSERT INTO answer (id, body, status, reply, target, at) VALUES ($1, $2, 0, NULL, '', $3) ON CONFLICT (id) DO NOTHING`,
				a.Key, a.Body[:], micros(a.At))
			if err != nil {
				return err
			}
			if won, err := result.RowsAffected(); err != nil || won == 1 {
				return err
			}
			there, err = oneAnswer(ctx, q, a.Key)
			if !errors.Is(err, sql.ErrNoRows) {
				return err
			}
		}
		return fault.New(fault.Unavailable, "the same request comes and goes too often; try again")
	})
	return there, err
}

func oneAnswer(ctx context.Context, q querier, key string) (*node.Answer, error) {
	a := node.Answer{Key: key}
	var body []byte
	var at int64
	if err := q.QueryRowContext(ctx, `SELECT body, status, reply, target, at FROM answer WHERE id = $1`, key).Scan(&body, &a.Status, &a.Reply, &a.Target, &at); err != nil {
		return nil, err
	}
	copy(a.Body[:], body)
	a.At = moment(at)
	return &a, nil
}

// StoreAnswer implements node.Store. Only an empty answer is filled in; else it is a conflict.
func (s *Store) StoreAnswer(ctx context.Context, a node.Answer) error {
	return s.step(ctx, "store an answer", func(ctx context.Context, q querier) error {
		result, err := q.ExecContext(ctx, `UPDATE answer SET status = $2, reply = $3, target = $4 WHERE id = $1 AND status = 0`, a.Key, a.Status, a.Reply, a.Target)
		return changedOne(result, err, fault.New(fault.Conflict, "this request was answered already, or never claimed"))
	})
}

// DropAnswer implements node.Store. An answer that was filled in stays.
func (s *Store) DropAnswer(ctx context.Context, key string) error {
	return s.step(ctx, "drop an answer", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `DELETE FROM answer WHERE id = $1 AND status = 0`, key)
		return err
	})
}

// ForgetReplies implements node.Store.
func (s *Store) ForgetReplies(ctx context.Context, before time.Time) error {
	return s.step(ctx, "forget replies", func(ctx context.Context, q querier) error {
		if _, err := q.ExecContext(ctx, `UPDATE answer SET reply = NULL WHERE at < $1 AND reply IS NOT NULL`, micros(before)); err != nil {
			return err
		}
		_, err := q.ExecContext(ctx, `DELETE FROM answer WHERE at < $1`, micros(before.Add(-node.AnswerLife)))
		return err
	})
}
