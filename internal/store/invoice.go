package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

const invoiceColumns = `id, team_id, api, version_id, plan, plan_number, spec, period_start, period_end, start_at, end_at, sequence, number, used, lines, total, created_at, due_at, final_at`

func scanInvoice(row scanner) (*billing.Invoice, error) {
	var i billing.Invoice
	var spec, used, lines string
	var periodStart, periodEnd, start, end, created, due, final int64
	if err := row.Scan(&i.ID, &i.Team, &i.API, &i.Version.ID, &i.Version.Plan, &i.Version.Number, &spec, &periodStart, &periodEnd, &start, &end,
		&i.Sequence, &i.Number, &used, &lines, &i.Statement.Total, &created, &due, &final); err != nil {
		return nil, err
	}
	if err := readVersion(&i.Version, spec); err != nil {
		return nil, err
	}
	i.Whole, i.Held = billing.Period{Start: moment(periodStart), End: moment(periodEnd)}, billing.Period{Start: moment(start), End: moment(end)}
	i.CreatedAt, i.DueAt, i.FinalAt = moment(created), moment(due), moment(final)
	i.Statement.Currency = i.Version.Charges.Currency
	return &i, decodeTwo(used, &i.Used, lines, &i.Statement.Lines)
}

// Invoice implements billing.InvoiceStore.
func (s *Store) Invoice(ctx context.Context, reach audit.Reach, invoice id.Invoice) (i *billing.Invoice, err error) {
	err = s.snapshot(ctx, "read an invoice", func(q querier) error {
		if i, err = oneInvoice(ctx, q, reach, invoice); err != nil {
			return err
		}
		return settleDraft(ctx, q, i)
	})
	return i, err
}

func oneInvoice(ctx context.Context, q querier, reach audit.Reach, invoice id.Invoice) (*billing.Invoice, error) {
	w := within("team_id", reach).and("id = ?", string(invoice))
	i, err := scanInvoice(q.QueryRowContext(ctx, `SELECT `+invoiceColumns+` FROM invoice`+w.String(), w.args...))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.Missing("invoice", string(invoice))
	}
	return i, err
}

// Invoices implements billing.InvoiceStore.
func (s *Store) Invoices(ctx context.Context, reach audit.Reach, f billing.InvoiceFilter) (all []*billing.Invoice, err error) {
	err = s.snapshot(ctx, "list invoices", func(q querier) error {
		w := within("team_id", reach).given("team_id = ?", string(f.Team)).given("api = ?", f.API)
		switch f.State {
		case billing.Draft:
			w.and("final_at = 0")
		case billing.Final:
			w.and("final_at > 0")
		case billing.Open, "":
		}
		rows, err := q.QueryContext(ctx, `SELECT `+invoiceColumns+` FROM invoice`+w.after("created_at, id", f.Before, f.BeforeID).newest("", false, f.Limit), w.args...)
		if err != nil {
			return err
		}
		if err := scanAll(rows, func() error {
			i, err := scanInvoice(rows)
			all = append(all, i)
			return err
		}); err != nil {
			return err
		}
		for _, i := range all {
			if err := settleDraft(ctx, q, i); err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}

// settleDraft computes what a draft comes to by now. One that is too large to be computed has its Problem instead.
func settleDraft(ctx context.Context, q querier, i *billing.Invoice) error {
	if i.Final() {
		return nil
	}
	used, err := usedIn(ctx, q, i.Team, i.API, i.Stretch)
	if err != nil {
		return err
	}
	var before billing.Usage
	if i.Sequence > 0 {
		if before, err = billedBefore(ctx, q, i); err != nil {
			return err
		}
	}
	return i.Settle(used, before)
}

// billedBefore is what the bill that an adjustment follows, and the adjustments between, were made for.
func billedBefore(ctx context.Context, q querier, i *billing.Invoice) (used billing.Usage, err error) {
	var text string
	if err := q.QueryRowContext(ctx, `SELECT used FROM invoice WHERE team_id = $1 AND api = $2 AND start_at = $3 AND sequence = $4`,
		string(i.Team), i.API, micros(i.Held.Start), i.Sequence-1).Scan(&text); err != nil {
		return nil, err
	}
	return used, decode(text, &used)
}

// FinalizeInvoice implements billing.InvoiceStore.
func (s *Store) FinalizeInvoice(ctx context.Context, reach audit.Reach, invoice id.Invoice, now time.Time, why billing.Reason) (i *billing.Invoice, err error) {
	err = s.step(ctx, "make an invoice final", func(ctx context.Context, q querier) error {
		i, err = s.finalize(ctx, q, reach, invoice, now, why)
		return err
	})
	if err != nil {
		return nil, err
	}
	return i, nil
}

// recheck is how long after it became final a bill is compared with the count once more, whatever was noted meanwhile: what was being absorbed
// at that moment may not have seen that it is final.
const recheck = time.Hour

// finalize makes a draft final. One does so at a time, so that numbers have no gap.
func (s *Store) finalize(ctx context.Context, q querier, reach audit.Reach, invoice id.Invoice, now time.Time, why billing.Reason) (*billing.Invoice, error) {
	if err := lockCatalog(ctx, q); err != nil {
		return nil, err
	}
	i, err := oneInvoice(ctx, q, reach, invoice)
	if err != nil {
		return nil, err
	}
	if i.Final() {
		return nil, &fault.Error{Kind: fault.Conflict, Detail: fmt.Sprintf("invoice %s is final already", invoice), Err: errFinal}
	}
	if err := settleDraft(ctx, q, i); err != nil {
		return nil, err
	}
	if i.Problem != nil {
		return nil, &fault.Error{Kind: fault.Conflict, Detail: fmt.Sprintf("invoice %s cannot be made final: %s", invoice, i.Problem), Err: i.Problem}
	}
	if _, err := q.ExecContext(ctx, `UPDATE invoice SET check_at = $4 WHERE team_id = $1 AND api = $2 AND start_at = $3 AND sequence = 0`,
		string(i.Team), i.API, micros(i.Held.Start), micros(now.Add(recheck))); err != nil {
		return nil, err
	}
	if i.Sequence > 0 && len(i.Statement.Lines) == 0 {
		_, err := q.ExecContext(ctx, `DELETE FROM invoice WHERE id = $1`, string(invoice))
		return nil, err
	}
	if err := q.QueryRowContext(ctx, `SELECT number + 1 FROM invoice WHERE number > 0 ORDER BY number DESC LIMIT 1`).Scan(&i.Number); errors.Is(err, sql.ErrNoRows) {
		i.Number = 1
	} else if err != nil {
		return nil, err
	}
	i.FinalAt = now
	used, lines, err := encodeTwo(i.Used, i.Statement.Lines)
	if err != nil {
		return nil, err
	}
	if _, err := q.ExecContext(ctx, `UPDATE invoice SET number = $2, used = $3, lines = $4, total = $5, final_at = $6 WHERE id = $1`,
		string(invoice), i.Number, used, lines, int64(i.Statement.Total), micros(now)); err != nil {
		return nil, err
	}
	_, err = s.finish(ctx, q, why(i))
	return i, err
}

// FinalizeDue implements billing.InvoiceStore.
func (s *Store) FinalizeDue(ctx context.Context, now time.Time, limit int, why billing.Reason) (looked int, err error) {
	due, err := s.invoicesWhere(ctx, `final_at = 0 AND due_at <= $1 ORDER BY due_at`, now, limit)
	if err != nil {
		return 0, err
	}
	return eachDue(due, func(invoice id.Invoice) error {
		_, err := s.FinalizeInvoice(ctx, audit.ServerReach(), invoice, now, why)
		if errors.Is(err, errFinal) || fault.Is(err, fault.NotFound) {
			return nil // another node was first
		}
		return about(err, string(invoice))
	}, func(invoice id.Invoice) error {
		return s.putOff(ctx, `UPDATE invoice SET due_at = $2 WHERE id = $1`, invoice, now)
	})
}

// putOff has a step that failed be tried again later.
func (s *Store) putOff(ctx context.Context, statement string, invoice id.Invoice, now time.Time) error {
	return s.step(ctx, "put off an invoice", func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, statement, string(invoice), micros(now.Add(tryAgain)))
		return err
	})
}

// errFinal says that an invoice is final already.
var errFinal = errors.New("the invoice is final")

func (s *Store) invoicesWhere(ctx context.Context, condition string, now time.Time, limit int) (found []id.Invoice, err error) {
	err = s.read("look for invoices", func(q querier) error {
		text := `SELECT id FROM invoice WHERE ` + condition + ` LIMIT $2` // #nosec G202 -- constants
		rows, err := q.QueryContext(ctx, text, micros(now), limit)        //nolint:sqlclosecheck // scanAll closes them
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			var one id.Invoice
			err := rows.Scan(&one)
			found = append(found, one)
			return err
		})
	})
	return found, err
}

// AdjustInvoices implements billing.InvoiceStore.
func (s *Store) AdjustInvoices(ctx context.Context, now time.Time, grace time.Duration, limit int) (looked int, err error) {
	due, err := s.invoicesWhere(ctx, `check_at > 0 AND check_at <= $1 ORDER BY check_at`, now, limit)
	if err != nil {
		return 0, err
	}
	return eachDue(due, func(invoice id.Invoice) error {
		err := s.step(ctx, "compare an invoice", func(ctx context.Context, q querier) error { return s.adjust(ctx, q, invoice, now, grace) })
		return about(err, string(invoice))
	}, func(invoice id.Invoice) error {
		return s.putOff(ctx, `UPDATE invoice SET check_at = $2 WHERE id = $1`, invoice, now)
	})
}

// adjust drafts an adjustment of a bill, unless it comes to what was counted, or there is a draft already, which will.
func (s *Store) adjust(ctx context.Context, q querier, invoice id.Invoice, now time.Time, grace time.Duration) error {
	checked, err := decides(ctx, q, `UPDATE invoice SET check_at = 0 WHERE id = $1 AND check_at > 0 AND check_at <= $2`, string(invoice), micros(now))
	if err != nil || !checked {
		return err
	}
	i, err := oneInvoice(ctx, q, audit.ServerReach(), invoice)
	if err != nil {
		return err
	}
	last, err := scanInvoice(q.QueryRowContext(ctx, `SELECT `+invoiceColumns+` FROM invoice WHERE team_id = $1 AND api = $2 AND start_at = $3 ORDER BY sequence DESC LIMIT 1`,
		string(i.Team), i.API, micros(i.Held.Start)))
	if err != nil || !last.Final() {
		return err
	}
	used, err := usedIn(ctx, q, i.Team, i.API, i.Stretch)
	if err != nil || maps.Equal(used, last.Used) {
		return err
	}
	next := *i
	next.Sequence = last.Sequence + 1
	if err := next.Settle(used, last.Used); err != nil {
		return err
	}
	if next.Problem != nil || len(next.Statement.Lines) == 0 {
		return next.Problem
	}
	return s.draft(ctx, q, &next, now, grace)
}

// draft writes a draft, unless there is one.
func (s *Store) draft(ctx context.Context, q querier, i *billing.Invoice, now time.Time, grace time.Duration) error {
	spec, err := encode(i.Version.Declaration())
	if err != nil {
		return err
	}
	_, err = q.ExecContext(ctx, `INSERT INTO invoice (`+invoiceColumns+`, check_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, '{}', '[]', 0, $13, $14, 0, 0) ON CONFLICT (team_id, api, start_at, sequence) DO NOTHING`,
		string(id.New[id.Invoice]()), string(i.Team), i.API, string(i.Version.ID), i.Version.Plan, i.Version.Number, spec,
		micros(i.Whole.Start), micros(i.Whole.End), micros(i.Held.Start), micros(i.Held.End), i.Sequence, micros(now), micros(now.Add(grace)))
	return err
}
