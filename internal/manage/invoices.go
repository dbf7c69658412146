package manage

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// maxAhead is how far ahead of now a preview can look.
const maxAhead = 400 * 24 * time.Hour

// InvoicesFilter narrows a list of invoices; "" is any.
type InvoicesFilter struct {
	Team, API string
	State     string // draft or final
}

// Invoices lists drafts and final invoices, newest first. Drafts come to what was counted by now. It needs lanyard.billing.read.
func (s *Service) Invoices(ctx context.Context, actor audit.Actor, f InvoicesFilter, list List) (lanyard.Page[lanyard.Invoice], error) {
	none := lanyard.Page[lanyard.Invoice]{}
	reach, err := s.may(actor, billingRead)
	if err != nil {
		return none, err
	}
	filter := billing.InvoiceFilter{API: f.API, State: billing.InvoiceState(f.State)}
	if filter.State != "" && filter.State != billing.Draft && filter.State != billing.Final {
		return none, fault.Field("state", "must be draft or final, not %.40q; what is under way is shown by a preview", f.State)
	}
	if filter.Team, err = s.teamFilter(ctx, reach, f.Team); err != nil {
		return none, err
	}
	if err := s.flush(ctx); err != nil {
		return none, err
	}
	return readPage(s, list, lister[*billing.Invoice, lanyard.Invoice]{
		name: "invoices", filters: []string{f.Team, f.API, f.State},
		fetch: func(before time.Time, beforeID string, limit int) ([]*billing.Invoice, error) {
			filter.Before, filter.BeforeID, filter.Limit = before, beforeID, limit
			return s.BillingStore.Invoices(ctx, reach, filter)
		},
		place: func(i *billing.Invoice) (time.Time, string) { return i.CreatedAt, string(i.ID) },
		wire:  wireInvoice,
	})
}

// Invoice shows one. It needs lanyard.billing.read.
func (s *Service) Invoice(ctx context.Context, actor audit.Actor, invoice string) (lanyard.Invoice, error) {
	reach, err := s.may(actor, billingRead)
	if err != nil {
		return lanyard.Invoice{}, err
	}
	parsed, err := parseID[id.Invoice]("invoice", invoice)
	if err != nil {
		return lanyard.Invoice{}, err
	}
	if err := s.flush(ctx); err != nil {
		return lanyard.Invoice{}, err
	}
	i, err := s.BillingStore.Invoice(ctx, reach, parsed)
	if err != nil {
		return lanyard.Invoice{}, err
	}
	return wireInvoice(i), nil
}

// FinalizeInvoice makes a draft final before its time: what arrives after that makes an adjustment. It needs lanyard.billing.write for the
// whole server, since it is the provider's bill.
func (s *Service) FinalizeInvoice(ctx context.Context, actor audit.Actor, invoice string) (lanyard.Invoice, error) {
	if err := s.mayOnServer(actor, billingWrite); err != nil {
		return lanyard.Invoice{}, err
	}
	parsed, err := parseID[id.Invoice]("invoice", invoice)
	if err != nil {
		return lanyard.Invoice{}, err
	}
	if err := s.flush(ctx); err != nil {
		return lanyard.Invoice{}, err
	}
	i, err := s.BillingStore.FinalizeInvoice(ctx, audit.ServerReach(), parsed, s.now(), func(i *billing.Invoice) audit.Event {
		return InvoiceFinal(actor, i)
	})
	if err != nil {
		return lanyard.Invoice{}, err
	}
	if i == nil {
		return lanyard.Invoice{}, fault.New(fault.NotFound, "the adjustment %s came to nothing by now and was dropped", invoice)
	}
	return wireInvoice(i), nil
}

// InvoiceFinal is what the audit log says of an invoice that became final, and what webhooks are told.
func InvoiceFinal(actor audit.Actor, i *billing.Invoice) audit.Event {
	d := details{"api": i.API, "plan": i.Version.Plan, "total": i.Statement.Currency.Format(i.Statement.Total), "start": i.Held.Start.Format(time.RFC3339), "end": i.Held.End.Format(time.RFC3339)}
	return actor.New(i.FinalAt, "invoice.finalize", string(i.ID), i.Team, said(d))
}

// PreviewInvoices says what a team has to pay for the period under way, or another that has an end: one open invoice for each API whose
// plan charges something. It is what the invoice will say that is written when the period ends, if nothing more is used. It needs
// lanyard.billing.read.
func (s *Service) PreviewInvoices(ctx context.Context, actor audit.Actor, in lanyard.InvoicePreview) ([]lanyard.Invoice, error) {
	reach, err := s.may(actor, billingRead)
	if err != nil {
		return nil, err
	}
	teamID, err := s.teamFor(ctx, actor, reach, in.TeamID)
	if err != nil {
		return nil, err
	}
	now := s.now()
	when := in.At
	if when.IsZero() {
		when = now
	}
	if when.After(now.Add(maxAhead)) {
		return nil, fault.Field("at", "lies more than a year ahead")
	}
	apis := []string{in.API}
	if in.API == "" {
		state, err := s.CatalogStore.Catalog(ctx)
		if err != nil {
			return nil, err
		}
		apis = slices.Sorted(maps.Keys(state.APIs))
	} else if _, err := s.existingAPI(ctx, in.API); err != nil {
		return nil, err
	}
	if err := s.flush(ctx); err != nil {
		return nil, err
	}
	invoices := []lanyard.Invoice{}
	for _, api := range apis {
		one, err := s.preview(ctx, teamID, api, when, now)
		if err != nil {
			return nil, err
		}
		if one != nil {
			invoices = append(invoices, *one)
		}
	}
	return invoices, nil
}

// preview is the open invoice of one API at a time; nil: there is nothing to pay.
func (s *Service) preview(ctx context.Context, teamID id.Team, api string, when, now time.Time) (*lanyard.Invoice, error) {
	h, err := s.BillingStore.History(ctx, teamID, api)
	if err != nil {
		return nil, err
	}
	stretch, found := h.At(when)
	if !found || !stretch.Version.Charged() {
		return nil, nil
	}
	used, err := s.BillingStore.Used(ctx, teamID, api, stretch)
	if err != nil {
		return nil, err
	}
	i := billing.Invoice{Team: teamID, API: api, Stretch: stretch}
	if err := i.Settle(used, nil); err != nil {
		return nil, err
	}
	out := wireInvoice(&i)
	out.State, out.CreatedAt, out.FinalAt = string(billing.Open), nil, nil
	if stretch.Held.Contains(now) {
		if will, statement, ok := stretch.Foreseen(used, now); ok {
			out.Forecast = &lanyard.Forecast{Used: wireUsed(will), Total: statement.Currency.Text(statement.Total)}
		}
	}
	return &out, nil
}

func wireUsed(used billing.Usage) map[string]int64 {
	out := make(map[string]int64, len(used))
	for meter, units := range used {
		out[string(meter)] = units
	}
	return out
}

func wireInvoice(i *billing.Invoice) lanyard.Invoice {
	c := i.Statement.Currency
	out := lanyard.Invoice{
		ID: string(i.ID), Number: i.Number, State: string(billing.Draft), TeamID: string(i.Team), API: i.API, Plan: i.Version.Plan, PlanVersion: i.Version.Number,
		Adjustment: i.Sequence, Start: i.Held.Start, End: i.Held.End, PeriodStart: i.Whole.Start, PeriodEnd: i.Whole.End, Used: wireUsed(i.Used),
		Lines: []lanyard.InvoiceLine{}, Currency: string(c), Total: c.Text(i.Statement.Total), CreatedAt: at(i.CreatedAt), FinalAt: at(i.DueAt),
	}
	if i.Problem != nil {
		out.Problem = i.Problem.Error()
	}
	if i.Final() {
		out.State, out.FinalAt = string(billing.Final), at(i.FinalAt)
	}
	if limit := i.Version.Charges.SpendLimit; limit > 0 {
		out.SpendLimit = c.Text(limit)
	}
	for _, l := range i.Statement.Lines {
		line := lanyard.InvoiceLine{Text: l.Text(c), Kind: string(l.Kind), Meter: string(l.Meter), Tier: l.Tier, Units: l.Units, Quantity: l.Quantity, Amount: c.Text(l.Amount)}
		if l.Quantity != 0 {
			line.Price = c.Text(l.Price)
		}
		out.Lines = append(out.Lines, line)
	}
	return out
}
