package store

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// AbsorbUsage implements usage.Store. The marker goes first, so that a second absorption of the same segment waits for this
// one and then finds it; charges, last uses, rollups and quotas follow, each in the order of their keys, so that two nodes which
// absorb at once wait for each other and do not lock each other out.
func (s *Store) AbsorbUsage(ctx context.Context, m usage.Marker, b *usage.Batch) (absorbed bool, err error) {
	err = s.step(ctx, "absorb usage", func(ctx context.Context, q querier) error {
		absorbed, err = s.claimMarker(ctx, q, m)
		if err != nil || !absorbed {
			return err
		}
		repeats, err := s.charge(ctx, q, b.Charges)
		if err != nil {
			return err
		}
		rows := b.Without(repeats)
		if err := fillSegment(ctx, q, m, rows); err != nil {
			return err
		}
		if err := s.touchKeys(ctx, q, b.LastUsed); err != nil {
			return err
		}
		if err := s.addToRollups(ctx, q, rows); err != nil {
			return err
		}
		if err := s.markLate(ctx, q, rows); err != nil {
			return err
		}
		return s.countLeases(ctx, q, m.Node, rows)
	})
	if errors.Is(err, usage.ErrMarkerConflict) {
		return false, usage.ErrMarkerConflict
	}
	return absorbed && err == nil, err
}

// claimMarker makes the ledger's row for a segment, still empty, or says that it stands there.
func (s *Store) claimMarker(ctx context.Context, q querier, m usage.Marker) (claimed bool, err error) {
	result, err := q.ExecContext(ctx, `
		INSERT INTO usage_segment (node, epoch, segment, sha256, count, units, first_at, last_at, counted, absorbed_at)
		VALUES ($1, $2, $3, $4, 0, 0, 0, 0, $5, `+s.engine.clock()+`) ON CONFLICT (node, epoch, segment) DO NOTHING`,
		string(m.Node), m.Epoch, int64(m.Segment), m.SHA256[:], []byte{}) // #nosec G115 -- counted from 1
	if err != nil {
		return false, err
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return n == 1, err
	}
	var sum []byte
	if err := q.QueryRowContext(ctx, `SELECT sha256 FROM usage_segment WHERE node = $1 AND epoch = $2 AND segment = $3`,
		string(m.Node), m.Epoch, int64(m.Segment)).Scan(&sum); err != nil { // #nosec G115 -- as above
		return false, err
	}
	if !bytes.Equal(sum, m.SHA256[:]) {
		return false, usage.ErrMarkerConflict
	}
	return false, nil
}

// fillSegment writes what was counted into the ledger.
func fillSegment(ctx context.Context, q querier, m usage.Marker, rows []usage.Row) error {
	var count, units, first, last int64
	for i := range rows {
		count, units = count+rows[i].Count, units+rows[i].Units
	}
	if len(rows) > 0 { // sorted by minute
		first, last = rows[0].Minute, rows[len(rows)-1].Minute
	}
	_, err := q.ExecContext(ctx, `UPDATE usage_segment SET count = $4, units = $5, first_at = $6, last_at = $7, counted = $8 WHERE node = $1 AND epoch = $2 AND segment = $3`,
		string(m.Node), m.Epoch, int64(m.Segment), count, units, first, last, usage.EncodeRows(rows)) // #nosec G115 -- counted from 1
	return err
}

// chargeKey names an idempotency key: each app has its own.
type chargeKey struct {
	app    id.App
	digest [16]byte
}

func (k chargeKey) compare(o chargeKey) int {
	if c := bytes.Compare([]byte(k.app), []byte(o.app)); c != 0 {
		return c
	}
	return bytes.Compare(k.digest[:], o.digest[:])
}

// charge returns which of the charges are repeats: less than usage.ChargeWindow away, by the time of the use, from the one
// that was paid for. It first makes or locks the row of every key, then decides, then writes the times that moved; so two
// absorptions of the same key decide one after the other.
func (s *Store) charge(ctx context.Context, q querier, charges []usage.Charge) (repeats []int, err error) {
	if len(charges) == 0 {
		return nil, nil
	}
	seen := make(map[chargeKey]bool, len(charges))
	var keys []chargeKey
	for i := range charges {
		if k := (chargeKey{charges[i].App, charges[i].Digest}); !seen[k] {
			seen[k] = true
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, chargeKey.compare)
	paid, err := s.lockCharges(ctx, q, keys)
	if err != nil {
		return nil, err
	}
	moved := make(map[chargeKey]bool, len(keys))
	for i := range charges { // by time
		k := chargeKey{charges[i].App, charges[i].Digest}
		if at := paid[k]; at != 0 && distance(at, charges[i].At) < usage.ChargeWindow {
			repeats = append(repeats, i)
			continue
		}
		// A use from before the last one paid for, of a segment that comes late, is charged and moves nothing.
		if charges[i].At > paid[k] {
			paid[k], moved[k] = charges[i].At, true
		}
	}
	keys = slices.DeleteFunc(keys, func(k chargeKey) bool { return !moved[k] })
	return repeats, s.insertRows(ctx, q, insert{
		into: `INSERT INTO usage_charge (app_id, digest, at)`, tail: `ON CONFLICT (app_id, digest) DO UPDATE SET at = excluded.at`, rows: len(keys),
		row: func(i int) []any { return []any{string(keys[i].app), keys[i].digest[:], paid[keys[i]]} },
	})
}

// lockCharges returns when each key was last paid for, 0 for never, and keeps other steps from them.
func (s *Store) lockCharges(ctx context.Context, q querier, keys []chargeKey) (paid map[chargeKey]int64, err error) {
	paid = make(map[chargeKey]int64, len(keys))
	return paid, s.insertRows(ctx, q, insert{
		into: `INSERT INTO usage_charge (app_id, digest, at)`, rows: len(keys),
		tail: `ON CONFLICT (app_id, digest) DO UPDATE SET at = usage_charge.at RETURNING app_id, digest, at`,
		row:  func(i int) []any { return []any{string(keys[i].app), keys[i].digest[:], 0} },
		scan: func(row scanner) error {
			var k chargeKey
			var digest []byte
			var at int64
			if err := row.Scan(&k.app, &digest, &at); err != nil {
				return err
			}
			copy(k.digest[:], digest)
			paid[k] = at
			return nil
		},
	})
}

func distance(a, b int64) time.Duration {
	return time.Duration(max(a-b, b-a)) * time.Microsecond
}

// touchKeys keeps where each key was used last. Segments may come out of order.
func (s *Store) touchKeys(ctx context.Context, q querier, uses []usage.LastUse) error {
	return s.insertRows(ctx, q, insert{
		into: `INSERT INTO api_key_use (key_id, at, network, api, operation)`, rows: len(uses),
		tail: `ON CONFLICT (key_id) DO UPDATE SET at = excluded.at, network = excluded.network, api = excluded.api, operation = excluded.operation
			WHERE excluded.at > api_key_use.at`,
		row: func(i int) []any {
			return []any{string(uses[i].Key), uses[i].At, uses[i].Network, uses[i].API, uses[i].Operation}
		},
	})
}

// TrimCharges forgets idempotency keys whose last charge lies before a time. It should leave as much as segments may come
// late, else a repeat in one that does is charged again.
func (s *Store) TrimCharges(ctx context.Context, before time.Time) error {
	return s.step(ctx, "trim the charges", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `DELETE FROM usage_charge WHERE at < $1`, micros(before))
		return err
	})
}
