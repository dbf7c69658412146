package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/lanyard-auth/lanyard/internal/audit"
)

// writeAudit writes a line of the log, and tells whoever wants to hear of it.
func writeAudit(ctx context.Context, q querier, ev audit.Event) error {
	details, err := json.Marshal(ev.Details)
	if err != nil {
		return fmt.Errorf("encode the audit line: %w", err)
	}
	_, err = q.ExecContext(ctx, `INSERT INTO audit_event (id, at, actor, action, target, team_id, details) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		string(ev.ID), micros(ev.At), ev.Actor, ev.Action, ev.Target, string(ev.Team), string(details))
	if err != nil {
		return err
	}
	return tellOfAct(ctx, q, ev)
}

// Audit lists the log, newest first.
func (s *Store) Audit(ctx context.Context, reach audit.Reach, f audit.Filter) (events []audit.Event, err error) {
	err = s.read("read the audit log", func(q querier) error {
		w := within("team_id", reach).given("action = ?", f.Action).given("target = ?", f.Target).given("actor = ?", f.Actor)
		if !f.From.IsZero() {
			w.and("at >= ?", micros(f.From))
		}
		if !f.To.IsZero() {
			w.and("at < ?", micros(f.To))
		}
		order := ` ORDER BY at DESC, id DESC LIMIT `
		if !f.Oldest {
			w.after("at, id", f.Before, f.BeforeID)
		} else if order = ` ORDER BY at, id LIMIT `; !f.Before.IsZero() {
			w.and("(at, id) > (?, ?)", micros(f.Before), f.BeforeID)
		}
		query := `SELECT id, at, actor, action, target, team_id, details FROM audit_event` + w.String() + order + w.arg(f.Limit)
		rows, err := q.QueryContext(ctx, query, w.args...)
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			var ev audit.Event
			var at int64
			var details string
			if err := rows.Scan(&ev.ID, &at, &ev.Actor, &ev.Action, &ev.Target, &ev.Team, &details); err != nil {
				return err
			}
			ev.At = moment(at)
			if err := json.Unmarshal([]byte(details), &ev.Details); err != nil {
				return fmt.Errorf("audit line %s: %w", ev.ID, err)
			}
			events = append(events, ev)
			return nil
		})
	})
	return events, err
}
