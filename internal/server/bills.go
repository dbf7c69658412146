package server

import (
	"context"
	"errors"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/manage"
)

const (
	billsAtOnce  = 100
	findAccounts = time.Hour
)

// bill writes drafts of what has ended, makes final what is due, and compares open and final bills to which something was added. Any node may do it at any
// time: what another does at once is left out.
func (s *Server) bill(ctx context.Context) error {
	now := s.opts.Now()
	if now.Sub(s.foundAccounts) >= findAccounts {
		if err := s.Store.FindAccounts(ctx); err != nil {
			return err
		}
		s.foundAccounts = now
	}
	why := func(i *billing.Invoice) audit.Event { return manage.InvoiceFinal(audit.Command("billing"), i) }
	var errs []error
	for _, step := range []func() (int, error){
		func() (int, error) { return s.Store.DraftInvoices(ctx, now, s.Settings.InvoiceGrace, billsAtOnce) },
		func() (int, error) { return s.Store.FinalizeDue(ctx, now, billsAtOnce, why) },
		func() (int, error) { return s.Store.TellSpending(ctx, now, billsAtOnce) },
		func() (int, error) { return s.Store.AdjustInvoices(ctx, now, s.Settings.InvoiceGrace, billsAtOnce) },
	} {
		for looked := billsAtOnce; looked == billsAtOnce; {
			var err error
			looked, err = step()
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
