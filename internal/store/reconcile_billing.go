package store

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

// ReconcileBilling implements billing.InvoiceStore.
func (s *Store) ReconcileBilling(ctx context.Context, from, to time.Time) (differences []billing.Difference, err error) {
	if !from.Before(to) {
		return nil, fault.Field("from", "must be before to")
	}
	err = s.snapshot(ctx, "reconcile bills", func(q querier) error {
		quotas, err := reconcileQuotas(ctx, q, from, to)
		if err != nil {
			return err
		}
		bills, err := reconcileBills(ctx, q, from, to)
		differences = append(quotas, bills...)
		return err
	})
	return differences, err
}

// reconcileQuotas finds pools of which something else is leased than nodes hold or have spent.
func reconcileQuotas(ctx context.Context, q querier, from, to time.Time) (differences []billing.Difference, err error) {
	rows, err := q.QueryContext(ctx, `SELECT p.subject, p.start_at, p.leased, CAST(p.before + COALESCE(SUM(l.granted), 0) AS BIGINT)
		FROM quota p LEFT JOIN quota_lease l ON l.subject = p.subject AND l.start_at = p.start_at WHERE p.end_at > $1 AND p.start_at < $2
		GROUP BY p.subject, p.start_at, p.leased, p.before HAVING p.leased <> p.before + COALESCE(SUM(l.granted), 0) ORDER BY p.subject, p.start_at`, micros(from), micros(to))
	if err != nil {
		return nil, err
	}
	return differences, scanAll(rows, func() error {
		d := billing.Difference{What: "quota"}
		var start int64
		err := rows.Scan(&d.Of, &start, &d.Shown, &d.Counted)
		d.Start = moment(start)
		differences = append(differences, d)
		return err
	})
}

// reconcileBills bills what is final anew: its lines, and with its adjustments what was used by now.
func reconcileBills(ctx context.Context, q querier, from, to time.Time) (differences []billing.Difference, err error) {
	rows, err := q.QueryContext(ctx, `SELECT `+invoiceColumns+` FROM invoice WHERE end_at > $1 AND start_at < $2 ORDER BY team_id, api, start_at, sequence`, micros(from), micros(to))
	if err != nil {
		return nil, err
	}
	var all []*billing.Invoice
	if err := scanAll(rows, func() error {
		i, err := scanInvoice(rows)
		all = append(all, i)
		return err
	}); err != nil {
		return nil, err
	}
	var before billing.Usage
	for n, i := range all {
		if !i.Final() {
			continue // it comes to what was counted, whenever it is looked at
		}
		again := *i
		if err := again.Settle(i.Used, before); err != nil {
			return nil, err
		}
		before = i.Used
		if again.Statement.Total != i.Statement.Total {
			differences = append(differences, billing.Difference{What: "invoice", Of: string(i.ID), Start: i.Held.Start, Counted: int64(again.Statement.Total), Shown: int64(i.Statement.Total)})
		}
		if n+1 < len(all) && all[n+1].Sequence > 0 {
			continue // what was used by now is the last adjustment's
		}
		used, err := usedIn(ctx, q, i.Team, i.API, i.Stretch)
		if err != nil {
			return nil, err
		}
		for _, price := range i.Version.Charges.Prices {
			if counted, shown := used[price.Meter], i.Used[price.Meter]; counted != shown {
				differences = append(differences, billing.Difference{What: "invoice", Of: string(i.ID), Meter: price.Meter, Start: i.Held.Start, Counted: counted, Shown: shown})
			}
		}
	}
	return differences, nil
}
