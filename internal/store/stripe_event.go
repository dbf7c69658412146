package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/stripe"
)

const stripeColumns = `identifier, team_id, api, meter, start, sequence, customer, event, units, state, tries, next_at, unknown_at, created_at, sent_at, error`

func scanStripeEvent(row scanner) (*stripe.Event, error) {
	var e stripe.Event
	var start, next, unknown, created, sent int64
	err := row.Scan(&e.Identifier, &e.Team, &e.API, &e.Meter, &start, &e.Sequence, &e.Customer, &e.Name, &e.Units, &e.State, &e.Tries, &next, &unknown, &created, &sent, &e.Error)
	e.Start, e.NextAt, e.UnknownAt, e.CreatedAt, e.SentAt = moment(start), moment(next), moment(unknown), moment(created), moment(sent)
	return &e, err
}

func stripeEvents(ctx context.Context, q querier, tail string, args ...any) (events []*stripe.Event, err error) {
	rows, err := q.QueryContext(ctx, `SELECT `+stripeColumns+` FROM stripe_event`+tail, args...) // #nosec G202 -- constants
	if err != nil {
		return nil, err
	}
	return events, scanAll(rows, func() error {
		e, err := scanStripeEvent(rows)
		events = append(events, e)
		return err
	})
}

// EndWaiting implements stripe.Queue.
func (s *Store) EndWaiting(ctx context.Context, now, unsure, late time.Time) error {
	return s.step(ctx, "settle events that wait for too long", func(ctx context.Context, q querier) error {
		if _, err := q.ExecContext(ctx, `UPDATE stripe_event SET state = $3, next_at = 0 WHERE next_at > 0 AND next_at <= $1 AND unknown_at > 0 AND unknown_at <= $2`,
			micros(now), micros(unsure), string(stripe.Unsure)); err != nil {
			return err
		}
		_, err := q.ExecContext(ctx, `UPDATE stripe_event SET state = $3, next_at = 0 WHERE next_at > 0 AND next_at <= $1 AND unknown_at = 0 AND start <= $2`,
			micros(now), micros(late), string(stripe.TooLate))
		return err
	})
}

// ClaimEvents implements stripe.Queue. Of two nodes that chose the same event the second waits for the first, and then finds it leased.
func (s *Store) ClaimEvents(ctx context.Context, now time.Time, lease time.Duration, limit int) (claimed []stripe.Event, err error) {
	err = s.step(ctx, "claim events for Stripe", func(ctx context.Context, q querier) error {
		claimed = nil
		due, err := stripeEvents(ctx, q, ` WHERE next_at > 0 AND next_at <= $1 ORDER BY next_at, identifier LIMIT $2`, micros(now), limit)
		if err != nil {
			return err
		}
		until := now.Add(lease)
		for _, e := range due {
			mine, err := decides(ctx, q, `UPDATE stripe_event SET next_at = $3, tries = tries + 1, unknown_at = CASE WHEN unknown_at = 0 THEN CAST($4 AS BIGINT) ELSE unknown_at END
				WHERE identifier = $1 AND next_at = $2`, e.Identifier, micros(e.NextAt), micros(until), micros(now))
			if err != nil {
				return err
			}
			if mine {
				e.NextAt = moment(micros(until))
				e.Tries++
				claimed = append(claimed, *e)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// EventTried implements stripe.Queue.
func (s *Store) EventTried(ctx context.Context, claimed stripe.Event, o stripe.Outcome) error {
	return s.step(ctx, "note an attempt at Stripe", func(ctx context.Context, q querier) error {
		if o.State == stripe.Sent {
			_, err := q.ExecContext(ctx, `UPDATE stripe_event SET state = $2, next_at = 0, unknown_at = 0, sent_at = $3, error = '' WHERE identifier = $1 AND sent_at = 0`,
				claimed.Identifier, string(stripe.Sent), micros(o.At))
			return err
		}
		_, err := q.ExecContext(ctx, `UPDATE stripe_event SET state = $3, next_at = $4, unknown_at = $5, error = $6 WHERE identifier = $1 AND next_at = $2`,
			claimed.Identifier, micros(claimed.NextAt), string(o.State), micros(o.NextAt), micros(o.UnknownAt), plainText(o.Error))
		return err
	})
}

// ReleaseEvents implements stripe.Queue.
func (s *Store) ReleaseEvents(ctx context.Context, next time.Time, claimed ...stripe.Event) error {
	if len(claimed) == 0 {
		return nil
	}
	return s.step(ctx, "release events for Stripe", func(ctx context.Context, q querier) error {
		for i := range claimed {
			e := &claimed[i]
			if _, err := q.ExecContext(ctx, `UPDATE stripe_event SET next_at = $3, tries = tries - 1, unknown_at = $4 WHERE identifier = $1 AND next_at = $2`,
				e.Identifier, micros(e.NextAt), micros(next), micros(e.UnknownAt)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Progress implements stripe.Store.
func (s *Store) Progress(ctx context.Context, now time.Time) (p stripe.Progress, err error) {
	err = s.snapshot(ctx, "look how far the export is", func(q querier) error {
		p = stripe.Progress{Counts: map[stripe.State]int64{}}
		rows, err := q.QueryContext(ctx, `SELECT state, COUNT(*), MIN(start) FROM stripe_event WHERE state <> 'sent' GROUP BY state`)
		if err != nil {
			return err
		}
		if err := scanAll(rows, func() error {
			var state stripe.State
			var count, oldest int64
			err := rows.Scan(&state, &count, &oldest)
			if p.Counts[state] = count; state == stripe.Waiting {
				p.Oldest = moment(oldest)
			}
			return err
		}); err != nil {
			return err
		}
		var oldest int64
		if err := q.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(MIN(start), 0) FROM stripe_hour WHERE check_at <= $1`, micros(now)).Scan(&p.Unlooked, &oldest); err != nil {
			return err
		}
		if at := moment(oldest); p.Unlooked > 0 && (p.Oldest.IsZero() || at.Before(p.Oldest)) {
			p.Oldest = at
		}
		err = q.QueryRowContext(ctx, `SELECT error FROM stripe_event WHERE next_at > 0 AND error <> '' ORDER BY next_at LIMIT 1`).Scan(&p.LastError)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return p, err
}

// StripeEvents implements stripe.Store.
func (s *Store) StripeEvents(ctx context.Context, f stripe.Filter) (events []*stripe.Event, err error) {
	err = s.read("list events for Stripe", func(q querier) error {
		w := (&where{}).and("1 = 1").given("team_id = ?", string(f.Team)).given("state = ?", string(f.State))
		if f.State != "" && f.State != stripe.Sent {
			w.and("state <> 'sent'") // which the index of the few that are not says too
		}
		events, err = stripeEvents(ctx, q, w.after("created_at, identifier", f.Before, f.BeforeID).String()+` ORDER BY created_at DESC, identifier DESC LIMIT `+w.arg(f.Limit), w.args...)
		return err
	})
	return events, err
}

// StripeEvent implements stripe.Store.
func (s *Store) StripeEvent(ctx context.Context, identifier string) (e *stripe.Event, err error) {
	err = s.read("read an event for Stripe", func(q querier) error {
		e, err = oneStripeEvent(ctx, q, identifier)
		return err
	})
	return e, err
}

func oneStripeEvent(ctx context.Context, q querier, identifier string) (*stripe.Event, error) {
	e, err := scanStripeEvent(q.QueryRowContext(ctx, `SELECT `+stripeColumns+` FROM stripe_event WHERE identifier = $1`, identifier))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.Missing("event", identifier)
	}
	return e, err
}

// RetryEvents implements stripe.Store.
func (s *Store) RetryEvents(ctx context.Context, identifier string, now time.Time, limit int, why stripe.Reason) (n int, err error) {
	err = s.step(ctx, "send events to Stripe again", func(ctx context.Context, q querier) error {
		n = 0
		var again []*stripe.Event
		if identifier != "" {
			e, err := oneStripeEvent(ctx, q, identifier)
			if err != nil {
				return err
			}
			if e.State != stripe.Failed && e.State != stripe.Unsure {
				return fault.New(fault.Conflict, "the event is %s: only failed and unsure ones are sent again", e.State)
			}
			again = append(again, e)
		} else if again, err = stripeEvents(ctx, q, ` WHERE state = 'failed' AND state <> 'sent' ORDER BY created_at, identifier LIMIT $1`, limit); err != nil {
			return err
		}
		for _, e := range again {
			done, err := retry(ctx, q, e, now)
			if err != nil {
				return err
			}
			if !done {
				continue
			}
			if err := writeAudit(ctx, q, why(e)); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, err
}

// retry has one event sent again. What was refused is nowhere, so it goes where it would go now. What may have arrived stays as it is: Stripe
// compares identifiers alone, and the day for which it does begins with this try.
func retry(ctx context.Context, q querier, e *stripe.Event, now time.Time) (bool, error) {
	customer, event, unknown := e.Customer, e.Name, now
	if e.State == stripe.Failed {
		unknown = time.Time{}
		set, err := stripeCustomer(ctx, q, e.Team, end)
		if err != nil {
			return false, err
		}
		if set != "" {
			customer = set
		}
		meters, err := stripeMeters(ctx, q, e.API, end)
		if err != nil {
			return false, err
		}
		if meters[string(e.Meter)] != "" {
			event = meters[string(e.Meter)]
		}
	}
	return decides(ctx, q, `UPDATE stripe_event SET state = $3, customer = $4, event = $5, next_at = $6, unknown_at = $7, tries = 0 WHERE identifier = $1 AND state = $2`,
		e.Identifier, string(e.State), string(stripe.Waiting), customer, event, micros(now), micros(unknown))
}

// DismissEvent implements stripe.Store.
func (s *Store) DismissEvent(ctx context.Context, identifier string, why stripe.Reason) error {
	return s.step(ctx, "dismiss an event for Stripe", func(ctx context.Context, q querier) error {
		e, err := oneStripeEvent(ctx, q, identifier)
		if err != nil {
			return err
		}
		dismissed, err := decides(ctx, q, `UPDATE stripe_event SET state = $2 WHERE identifier = $1 AND state IN ($3, $4, $5)`,
			identifier, string(stripe.Dismissed), string(stripe.Failed), string(stripe.Unsure), string(stripe.TooLate))
		if err != nil {
			return err
		}
		if !dismissed {
			return fault.New(fault.Conflict, "the event is %s: only failed, unsure and late ones are dismissed", e.State)
		}
		return writeAudit(ctx, q, why(e))
	})
}
