package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// change is one entity that a step altered.
type change struct {
	kind   changes.Kind
	entity string
}

// revoked says that the subject was revoked now, for the memory of every node.
func (s *Store) revoke(ctx context.Context, q querier, subject string, at time.Time) error {
	_, err := q.ExecContext(ctx, `
		INSERT INTO revocation (subject, at, until) VALUES ($1, $2, $3)
		ON CONFLICT (subject) DO UPDATE SET until = excluded.until`,
		subject, micros(at), micros(at.Add(changes.RevocationLife)))
	return err
}

// finish ends a step that somebody asked for: the audit line, then the entries in the log of changes as its very last
// statements. The head row is locked last and for the shortest time, and revision order is commit order.
func (s *Store) finish(ctx context.Context, q querier, ev audit.Event, altered ...change) (id.Revision, error) {
	if err := writeAudit(ctx, q, ev); err != nil {
		return 0, err
	}
	return s.append(ctx, q, ev.At, altered...)
}

func (s *Store) append(ctx context.Context, q querier, at time.Time, altered ...change) (id.Revision, error) {
	if len(altered) == 0 {
		return 0, nil
	}
	if err := s.engine.notify(ctx, q); err != nil {
		return 0, err
	}
	var head int64
	if err := q.QueryRowContext(ctx, `UPDATE change_head SET revision = revision + $1 WHERE id = 1 RETURNING revision`, len(altered)).Scan(&head); err != nil {
		return 0, err
	}
	first := head - int64(len(altered)) + 1
	err := s.insertRows(ctx, q, insert{into: `INSERT INTO change_entry (revision, tag, kind, entity, at)`, rows: len(altered), row: func(i int) []any {
		return []any{first + int64(i), tag(), string(altered[i].kind), altered[i].entity, micros(at)}
	}})
	return id.Revision(head), err
}

// tag is random and never 0, so that an entry is told from another that took its number after a restore.
func tag() int64 {
	var b [8]byte
	_, _ = rand.Read(b[:])                                // does not fail (crypto/rand)
	return int64(binary.LittleEndian.Uint64(b[:])>>1 | 1) // #nosec G115 -- shifted: 63 bits
}

// Poll implements changes.Store.
func (s *Store) Poll(ctx context.Context, b changes.Beat) (changes.Head, error) {
	var h changes.Head
	err := s.failed("poll the changes", s.engine.beat(ctx, func(ctx context.Context, q querier) error {
		var now int64
		err := q.QueryRowContext(ctx, `
			INSERT INTO node (id, name, started_at, seen_at, applied) VALUES ($1, $2, $3, `+s.engine.clock()+`, $4)
			ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, applied = excluded.applied
			RETURNING seen_at, (SELECT revision FROM change_head WHERE id = 1),
				COALESCE((SELECT tag FROM change_entry WHERE revision = CAST($4 AS BIGINT)), 0),
				(SELECT COUNT(*) + 1 FROM node n WHERE n.id <> CAST($1 AS TEXT) AND n.seen_at > `+s.engine.clock()+` - CAST($5 AS BIGINT))`,
			string(b.Node), b.Name, micros(b.StartedAt), int64(b.Applied), b.Within.Microseconds()).Scan(&now, &h.Revision, &h.Tag, &h.Nodes)
		h.Now = moment(now)
		return err
	}))
	return h, err
}

// LeaveNode implements changes.Store.
func (s *Store) LeaveNode(ctx context.Context, node id.Node) error {
	return s.step(ctx, "sign a node off", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `DELETE FROM node WHERE id = $1`, string(node))
		return err
	})
}

// ChangesSnapshot implements changes.Store.
func (s *Store) ChangesSnapshot(ctx context.Context) (changes.Snapshot, error) {
	var snap changes.Snapshot
	err := s.snapshot(ctx, "read the head of the changes", func(q querier) error {
		var now int64
		if err := q.QueryRowContext(ctx, `
			SELECT revision, COALESCE((SELECT tag FROM change_entry e WHERE e.revision = h.revision), 0), `+s.engine.clock()+`
			FROM change_head h WHERE id = 1`).Scan(&snap.Revision, &snap.Tag, &now); err != nil {
			return err
		}
		snap.Now = moment(now)
		var err error
		snap.Revocations, err = revocations(ctx, q, `SELECT subject, until FROM revocation WHERE until > $1`, now)
		return err
	})
	return snap, err
}

// NewestChange is where the log ends: the revision and the tag of the newest entry.
func (s *Store) NewestChange(ctx context.Context) (e changes.Entry, err error) {
	err = s.read("read the head of the changes", func(q querier) error {
		return q.QueryRowContext(ctx, `
			SELECT revision, COALESCE((SELECT tag FROM change_entry e WHERE e.revision = h.revision), 0) FROM change_head h WHERE id = 1`).Scan(&e.Revision, &e.Tag)
	})
	return e, err
}

// ChangesAfter implements changes.Store.
func (s *Store) ChangesAfter(ctx context.Context, after id.Revision, limit int) (entries []changes.Entry, err error) {
	err = s.read("read changes", func(q querier) error {
		rows, err := q.QueryContext(ctx, `SELECT revision, tag, kind, entity, at FROM change_entry WHERE revision > $1 ORDER BY revision LIMIT $2`, int64(after), limit)
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			var e changes.Entry
			var at int64
			if err := rows.Scan(&e.Revision, &e.Tag, &e.Kind, &e.ID, &at); err != nil {
				return err
			}
			e.At = moment(at)
			entries = append(entries, e)
			return nil
		})
	})
	return entries, err
}

// RevocationsOf implements changes.Store.
func (s *Store) RevocationsOf(ctx context.Context, subjects []string) (found []changes.Revoked, err error) {
	err = s.read("read revocations", func(q querier) error {
		for len(subjects) > 0 {
			n := min(len(subjects), 500)
			part, err := revocations(ctx, q, `SELECT subject, until FROM revocation WHERE subject IN (`+placeholders(1, n)+`)`, anys(subjects[:n])...)
			if err != nil {
				return err
			}
			found, subjects = append(found, part...), subjects[n:]
		}
		return nil
	})
	return found, err
}

func revocations(ctx context.Context, q querier, query string, args ...any) (found []changes.Revoked, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	err = scanAll(rows, func() error {
		var r changes.Revoked
		var until int64
		if err := rows.Scan(&r.Subject, &until); err != nil {
			return err
		}
		r.Until = moment(until)
		found = append(found, r)
		return nil
	})
	return found, err
}

// Behind implements changes.Store.
func (s *Store) Behind(ctx context.Context, rev id.Revision, within time.Duration) (nodes []changes.NodeState, err error) {
	err = s.read("look for nodes behind", func(q querier) error {
		rows, err := q.QueryContext(ctx, `SELECT id, applied FROM node WHERE applied < $1 AND seen_at > `+s.engine.clock()+` - $2`, int64(rev), within.Microseconds())
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			var n changes.NodeState
			if err := rows.Scan(&n.ID, &n.Applied); err != nil {
				return err
			}
			nodes = append(nodes, n)
			return nil
		})
	})
	return nodes, err
}

// WatchChanges implements changes.Store.
func (s *Store) WatchChanges(ctx context.Context, hint func()) { s.engine.watch(ctx, hint) }

// TrimChanges implements changes.Store. The newest entry stays: nodes recognise the log by it.
func (s *Store) TrimChanges(ctx context.Context, before time.Time) error {
	return s.step(ctx, "trim the changes", func(ctx context.Context, q querier) error {
		if _, err := q.ExecContext(ctx, `DELETE FROM change_entry WHERE at < $1 AND revision < (SELECT revision FROM change_head WHERE id = 1)`, micros(before)); err != nil {
			return err
		}
		_, err := q.ExecContext(ctx, `DELETE FROM revocation WHERE until < $1`, micros(before))
		return err
	})
}

// scanAll runs scan for each row and closes the rows.
func scanAll(rows *sql.Rows, scan func() error) (err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(); err != nil {
			return err
		}
	}
	return rows.Err()
}

// placeholders is "$first, …" for n parameters.
func placeholders(first, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", first+i)
	}
	return b.String()
}

func anys[T any](in []T) []any {
	out := make([]any, len(in))
	for i, v := range in {
		out[i] = v
	}
	return out
}
