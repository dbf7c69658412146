package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
)

func writeAudit(ctx context.Context, q querier, ev audit.Event) error {
	details, err := json.Marshal(ev.Details)
	if err != nil {
		return fmt.Errorf("encode the audit line: %w", err)
	}
	_, err = q.ExecContext(ctx, `INSERT INTO audit_event (id, at, actor, action, target, team_id, details) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		string(ev.ID), micros(ev.At), ev.Actor, ev.Action, ev.Target, string(ev.Team), string(details))
	return err
}

// Audit lists the log, newest first.
func (s *Store) Audit(ctx context.Context, reach audit.Reach, f audit.Filter) (events []audit.Event, err error) {
	err = s.read(ctx, "read the audit log", func(q querier) error {
		before, beforeID := pageStart(f.Before, f.BeforeID)
		rows, err := q.QueryContext(ctx, `
			SELECT id, at, actor, action, target, team_id, details FROM audit_event
			WHERE `+within("team_id")+` AND ($5 = '' OR action = $5) AND ($6 = '' OR target = $6) AND (at < $7 OR at = $7 AND id < $8)
			ORDER BY at DESC, id DESC LIMIT $9`,
			append(reachArgs(reach), f.Action, f.Target, before, beforeID, f.Limit)...)
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

// within is the condition that a row's team lies within a reach given as parameters $1 to $4 (reachArgs). The zero reach
// meets no row. A user's role is looked up as it is now, so that losing it bites at once.
func within(teamColumn string) string {
	return `(CAST($1 AS BIGINT) = 1 OR ` + teamColumn + ` = CAST($2 AS TEXT) OR ` + teamColumn + ` IN (
		SELECT m.team_id FROM member m WHERE m.user_id = CAST($3 AS TEXT) AND (m.role = 'owner' OR CAST($4 AS TEXT) = 'any' OR m.role = CAST($4 AS TEXT))))`
}

func reachArgs(r audit.Reach) []any {
	return []any{flag(r.Server()), string(r.Team()), string(r.User()), string(r.Role())}
}

// pageStart is where a list that goes backwards in time begins: after the last one seen, or at the newest.
func pageStart(before time.Time, beforeID string) (int64, string) {
	if before.IsZero() {
		return 1<<62 - 1, ""
	}
	return micros(before), beforeID
}
