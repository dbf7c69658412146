package store

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// AbsorbUsage implements usage.Store.
func (s *Store) AbsorbUsage(ctx context.Context, m usage.Marker, b *usage.Batch) (absorbed bool, err error) {
	one, err := s.AbsorbSegments(ctx, []usage.Counted{{Marker: m, Batch: b}})
	return err == nil && one[0], err
}

// AbsorbSegments implements usage.Store. The markers go first, so that a second absorption of the same segment waits for this
// one and then finds it; charges, last uses, quotas and rollups follow, each in the order of their keys, so that two nodes which
// absorb at once wait for each other and do not lock each other out.
func (s *Store) AbsorbSegments(ctx context.Context, segments []usage.Counted) (absorbed []bool, err error) {
	err = s.step(ctx, "absorb usage", func(ctx context.Context, q querier) error {
		var claimed []usage.Counted
		absorbed, claimed, err = s.claimMarkers(ctx, q, segments)
		if err != nil || len(claimed) == 0 {
			return err
		}
		counted, err := s.charge(ctx, q, claimed)
		if err != nil {
			return err
		}
		for i, rows := range counted {
			if err := fillSegment(ctx, q, claimed[i].Marker, rows); err != nil {
				return err
			}
		}
		rows := merge(counted)
		if err := s.keepUses(ctx, q, claimed); err != nil {
			return err
		}
		if err := s.countLeases(ctx, q, claimed[0].Node, rows); err != nil {
			return err
		}
		if err := s.addToRollups(ctx, q, rows); err != nil {
			return err
		}
		if err := markSpending(ctx, q, rows); err != nil {
			return err
		}
		if err := s.markHours(ctx, q, hoursOf(rows)); err != nil {
			return err
		}
		return s.markLate(ctx, q, rows) // last, since it must see a bill that was made while the rollups waited
	})
	if errors.Is(err, usage.ErrMarkerConflict) {
		return nil, usage.ErrMarkerConflict
	}
	return absorbed, err
}

// claimMarkers returns which segments were not counted yet, in the order given.
func (s *Store) claimMarkers(ctx context.Context, q querier, segments []usage.Counted) (which []bool, claimed []usage.Counted, err error) {
	which = make([]bool, len(segments))
	for i, one := range segments {
		if which[i], err = s.claimMarker(ctx, q, one.Marker); err != nil {
			return nil, nil, err
		}
		if which[i] {
			claimed = append(claimed, one)
		}
	}
	return which, claimed, nil
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

// charge returns the rows of each segment without repeats: charges less than usage.ChargeWindow away, by the time of the use,
// from the one that was paid for. It first makes or locks the row of every key, then decides, segment by segment, then writes
// the times that moved; so two absorptions of the same key decide one after the other.
func (s *Store) charge(ctx context.Context, q querier, segments []usage.Counted) (counted [][]usage.Row, err error) {
	seen := map[chargeKey]bool{}
	var keys []chargeKey
	for _, one := range segments {
		for i := range one.Charges {
			if k := (chargeKey{one.Charges[i].App, one.Charges[i].Digest}); !seen[k] {
				seen[k] = true
				keys = append(keys, k)
			}
		}
	}
	slices.SortFunc(keys, chargeKey.compare)
	paid, err := s.lockCharges(ctx, q, keys)
	if err != nil {
		return nil, err
	}
	moved := make(map[chargeKey]bool, len(keys))
	for _, one := range segments {
		counted = append(counted, one.Without(repeats(one.Charges, paid, moved)))
	}
	keys = slices.DeleteFunc(keys, func(k chargeKey) bool { return !moved[k] })
	return counted, s.insertRows(ctx, q, insert{
		into: `INSERT INTO usage_charge (app_id, digest, at)`, tail: `ON CONFLICT (app_id, digest) DO UPDATE SET at = excluded.at`, rows: len(keys),
		of: []string{"TEXT", "BYTEA", "BIGINT"}, row: func(i int) []any { return []any{string(keys[i].app), keys[i].digest[:], paid[keys[i]]} },
	})
}

// repeats returns which of the charges of a segment were paid for already, and moves the times at which the others are.
func repeats(charges []usage.Charge, paid map[chargeKey]int64, moved map[chargeKey]bool) (which []int) {
	for i := range charges { // by time
		k := chargeKey{charges[i].App, charges[i].Digest}
		if at := paid[k]; at != 0 && distance(at, charges[i].At) < usage.ChargeWindow {
			which = append(which, i)
			continue
		}
		// A use from before the last one paid for, of a segment that comes late, is charged and moves nothing.
		if charges[i].At > paid[k] {
			paid[k], moved[k] = charges[i].At, true
		}
	}
	return which
}

// lockCharges returns when each key was last paid for, 0 for never, and keeps other steps from them.
func (s *Store) lockCharges(ctx context.Context, q querier, keys []chargeKey) (paid map[chargeKey]int64, err error) {
	paid = make(map[chargeKey]int64, len(keys))
	return paid, s.insertRows(ctx, q, insert{
		into: `INSERT INTO usage_charge (app_id, digest, at)`, of: []string{"TEXT", "BYTEA", "BIGINT"}, rows: len(keys),
		tail: `ON CONFLICT (app_id, digest) DO UPDATE SET at = usage_charge.at RETURNING app_id, digest, at`,
		row:  func(i int) []any { return []any{string(keys[i].app), keys[i].digest[:], int64(0)} },
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

// keepUses keeps where each key was used.
func (s *Store) keepUses(ctx context.Context, q querier, segments []usage.Counted) error {
	batches := make([]*usage.Batch, len(segments))
	for i := range segments {
		batches[i] = segments[i].Batch
	}
	last, networks, inQuery := usage.Together(batches)
	if err := s.touchKeys(ctx, q, last); err != nil {
		return err
	}
	if err := s.touchNetworks(ctx, q, networks); err != nil {
		return err
	}
	return s.touchQueries(ctx, q, inQuery)
}

// touchKeys keeps where each key was used last. Segments may come out of order.
func (s *Store) touchKeys(ctx context.Context, q querier, uses []usage.LastUse) error {
	return s.insertRows(ctx, q, insert{
		into: `INSERT INTO api_key_use (key_id, at, network, api, operation)`, of: []string{"TEXT", "BIGINT", "TEXT", "TEXT", "TEXT"}, rows: len(uses),
		tail: `ON CONFLICT (key_id) DO UPDATE SET at = excluded.at, network = excluded.network, api = excluded.api, operation = excluded.operation
			WHERE excluded.at > api_key_use.at`,
		row: func(i int) []any {
			return []any{string(uses[i].Key), uses[i].At, uses[i].Network, uses[i].API, uses[i].Operation}
		},
	})
}

// networkPrecision is how exactly it is known when a network was last seen: in between nothing is written.
const networkPrecision = time.Hour

// touchNetworks keeps from which networks API keys are used that are secret. Of a key that has many already no more are kept: a key that
// everybody uses would fill the table.
func (s *Store) touchNetworks(ctx context.Context, q querier, uses []usage.NetworkUse) error {
	return s.insertRows(ctx, q, insert{
		into: `INSERT INTO api_key_network (key_id, network, first_at, last_at)`, of: []string{"TEXT", "TEXT", "BIGINT", "BIGINT"}, rows: len(uses),
		only: `NOT EXISTS (SELECT 1 FROM api_key_network o WHERE o.key_id = n.key_id AND o.network = n.network AND o.first_at <= n.first_at
				AND o.last_at >= n.last_at - ` + strconv.FormatInt(networkPrecision.Microseconds(), 10) + `)
			AND EXISTS (SELECT 1 FROM api_key k WHERE k.id = n.key_id AND k.kind = 'key')
			AND (SELECT COUNT(*) FROM api_key_network o WHERE o.key_id = n.key_id AND o.network <> n.network) < ` + strconv.Itoa(usage.MaxNetworks),
		tail: `ON CONFLICT (key_id, network) DO UPDATE SET
			first_at = CASE WHEN excluded.first_at < api_key_network.first_at THEN excluded.first_at ELSE api_key_network.first_at END,
			last_at = CASE WHEN excluded.last_at > api_key_network.last_at THEN excluded.last_at ELSE api_key_network.last_at END`,
		row: func(i int) []any {
			return []any{string(uses[i].Key), uses[i].Network, uses[i].First, uses[i].Last}
		},
	})
}

// touchQueries keeps when a key last stood in the address of a call, which few do.
func (s *Store) touchQueries(ctx context.Context, q querier, uses []usage.QueryUse) error {
	return s.insertRows(ctx, q, insert{
		into: `INSERT INTO api_key_query (key_id, at, api)`, of: []string{"TEXT", "BIGINT", "TEXT"}, rows: len(uses),
		tail: `ON CONFLICT (key_id) DO UPDATE SET at = excluded.at, api = excluded.api WHERE excluded.at > api_key_query.at`,
		row:  func(i int) []any { return []any{string(uses[i].Key), uses[i].At, uses[i].API} },
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
