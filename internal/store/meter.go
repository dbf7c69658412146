package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// eventName is what an event is told apart by.
type eventName struct{ source, id string }

// RecordEvents implements billing.InvoiceStore. The unique key decides which events are new, in the order of the keys, so that two nodes that
// are given the same ones wait for each other.
func (s *Store) RecordEvents(ctx context.Context, events []billing.MeterEvent, now time.Time) (again []bool, err error) {
	sorted := make([]int, len(events))
	for i := range sorted {
		sorted[i] = i
	}
	slices.SortStableFunc(sorted, func(i, j int) int {
		return cmp.Or(cmp.Compare(events[i].Source, events[j].Source), cmp.Compare(events[i].ID, events[j].ID))
	})
	err = s.step(ctx, "count events", func(ctx context.Context, q querier) error {
		fresh := map[eventName]bool{}
		if err := s.insertRows(ctx, q, insert{
			into: `INSERT INTO meter_event (source, id, team_id, api, meter, at, units, received_at)`, rows: len(sorted),
			tail: `ON CONFLICT (source, id) DO NOTHING RETURNING source, id`,
			row: func(i int) []any {
				e := &events[sorted[i]]
				return []any{e.Source, e.ID, string(e.Team), e.API, string(e.Meter), micros(e.At), e.Units, micros(now)}
			},
			scan: func(row scanner) error {
				var name eventName
				err := row.Scan(&name.source, &name.id)
				fresh[name] = true
				return err
			},
		}); err != nil {
			return err
		}
		again = make([]bool, len(events))
		var counted []billing.MeterEvent
		for i := range events {
			name := eventName{events[i].Source, events[i].ID}
			if again[i] = !fresh[name]; !again[i] {
				counted = append(counted, events[i])
				delete(fresh, name) // the same twice in one call
			}
		}
		return s.addToMeters(ctx, q, counted)
	})
	if err != nil {
		return nil, err
	}
	return again, nil
}

// meterMinute is a row of the meters' totals.
type meterMinute struct {
	team  id.Team
	api   string
	meter billing.Meter
	start int64
	units int64
}

func (s *Store) addToMeters(ctx context.Context, q querier, events []billing.MeterEvent) error {
	sums := map[meterMinute]int64{}
	hours := map[countedHour]bool{}
	var late []usage.Row
	for i := range events {
		e := &events[i]
		minute := micros(e.At.Truncate(time.Minute))
		sums[meterMinute{team: e.Team, api: e.API, meter: e.Meter, start: minute}] += e.Units
		hours[countedHour{e.Team, e.API, minute - minute%hourMicros}] = true
		late = append(late, usage.Row{Team: e.Team, API: e.API, Minute: minute})
	}
	rows := make([]meterMinute, 0, len(sums))
	for key, units := range sums {
		key.units = units
		rows = append(rows, key)
	}
	slices.SortFunc(rows, func(x, y meterMinute) int {
		return cmp.Or(cmp.Compare(x.team, y.team), cmp.Compare(x.api, y.api), cmp.Compare(x.meter, y.meter), cmp.Compare(x.start, y.start))
	})
	if err := s.insertRows(ctx, q, insert{
		into: `INSERT INTO meter_total (team_id, api, meter, start, units)`, rows: len(rows),
		tail: `ON CONFLICT (team_id, api, meter, start) DO UPDATE SET units = meter_total.units + excluded.units`,
		row: func(i int) []any {
			return []any{string(rows[i].team), rows[i].api, string(rows[i].meter), rows[i].start, rows[i].units}
		},
	}); err != nil {
		return err
	}
	for i := range rows {
		if i > 0 && rows[i].team == rows[i-1].team && rows[i].api == rows[i-1].api {
			continue
		}
		if err := dueAt(ctx, q, rows[i].team, rows[i].api, moment(rows[i].start), moment(rows[i].start)); err != nil {
			return err
		}
		if err := lookAt(ctx, q, rows[i].team, rows[i].api); err != nil {
			return err
		}
	}
	if err := s.markHours(ctx, q, hours); err != nil {
		return err
	}
	slices.SortFunc(late, func(x, y usage.Row) int { return cmp.Compare(x.Minute, y.Minute) })
	return s.markLate(ctx, q, late)
}

// TrimEvents forgets which events were counted that were received before a time. It must leave those of billing.EventWindow.
func (s *Store) TrimEvents(ctx context.Context, before time.Time) error {
	return s.step(ctx, "forget old events", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, `DELETE FROM meter_event WHERE received_at < $1`, micros(before))
		return err
	})
}

// markLate has final bills compared with the count that rows, sorted by minute, belong to. There hardly ever are any, so that it costs one
// look into an index.
func (s *Store) markLate(ctx context.Context, q querier, rows []usage.Row) error {
	if len(rows) == 0 {
		return nil
	}
	type bill struct {
		id, team, api string
		start, end    int64
	}
	var final []bill
	found, err := q.QueryContext(ctx, `SELECT id, team_id, api, start_at, end_at FROM invoice WHERE final_at > 0 AND end_at > $1 AND start_at <= $2 AND sequence = 0 ORDER BY id`,
		rows[0].Minute, rows[len(rows)-1].Minute)
	if err != nil {
		return err
	}
	if err := scanAll(found, func() error {
		var b bill
		err := found.Scan(&b.id, &b.team, &b.api, &b.start, &b.end)
		final = append(final, b)
		return err
	}); err != nil {
		return err
	}
	minutes := map[[2]string][]int64{}
	if len(final) > 0 {
		for i := range rows {
			of := [2]string{string(rows[i].Team), rows[i].API}
			minutes[of] = append(minutes[of], rows[i].Minute)
		}
	}
	for _, b := range final {
		if !slices.ContainsFunc(minutes[[2]string{b.team, b.api}], func(at int64) bool { return b.start <= at && at < b.end }) {
			continue
		}
		if _, err := q.ExecContext(ctx, `UPDATE invoice SET check_at = $2 WHERE id = $1`, b.id, atOnce); err != nil {
			return err
		}
	}
	return nil
}
