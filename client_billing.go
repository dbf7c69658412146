package lanyard

import (
	"context"
	"io"
	"iter"
	"net/http"
	"net/url"
)

// InvoiceQuery narrows a list of invoices; what is empty narrows nothing.
type InvoiceQuery struct {
	TeamID string
	API    string
	State  string // draft or final
	ListQuery
}

func (q InvoiceQuery) values() url.Values {
	v := q.ListQuery.values()
	set(v, "team_id", q.TeamID)
	set(v, "api", q.API)
	set(v, "state", q.State)
	return v
}

// Invoices returns a page of invoices, newest first.
func (c *Client) Invoices(ctx context.Context, q InvoiceQuery) (Page[Invoice], error) {
	return fetch[Page[Invoice]](ctx, c, call{op: "list invoices", method: http.MethodGet, at: []string{"invoices"}, query: q.values()})
}

// AllInvoices goes through all invoices.
func (c *Client) AllInvoices(ctx context.Context, q InvoiceQuery) iter.Seq2[Invoice, error] {
	return all(q.ListQuery, func(page ListQuery) (Page[Invoice], error) {
		q.ListQuery = page
		return c.Invoices(ctx, q)
	})
}

// Invoice returns an invoice.
func (c *Client) Invoice(ctx context.Context, id string) (Invoice, error) {
	return fetch[Invoice](ctx, c, call{op: "read an invoice", method: http.MethodGet, at: []string{"invoices", id}})
}

// PreviewInvoices says what a team would have to pay: one invoice for each API whose plan charges something.
func (c *Client) PreviewInvoices(ctx context.Context, in InvoicePreview) (Page[Invoice], error) {
	return fetch[Page[Invoice]](ctx, c, call{op: "preview invoices", method: http.MethodPost, at: []string{"invoices", "preview"}, in: in})
}

// FinalizeInvoice makes a draft final before its time.
func (c *Client) FinalizeInvoice(ctx context.Context, id string) (Invoice, error) {
	return fetch[Invoice](ctx, c, call{op: "make an invoice final", method: http.MethodPost, at: []string{"invoices", id, "finalize"}})
}

// ExportInvoices streams the lines of invoices as "csv", or invoices as "jsonl", of any length. Close it. A stream that breaks off early
// ends with an error, not with io.EOF.
func (c *Client) ExportInvoices(ctx context.Context, q InvoiceQuery, format string) (io.ReadCloser, error) {
	v := q.values()
	set(v, "format", format)
	return c.stream(ctx, call{op: "export invoices", method: http.MethodGet, at: []string{"invoices", "export"}, query: v})
}

// RecordEvents counts events on the meters they feed: all of them, or none and an error.
func (c *Client) RecordEvents(ctx context.Context, events []CloudEvent) (EventsCounted, error) {
	return fetch[EventsCounted](ctx, c, call{op: "record events", method: http.MethodPost, at: []string{"usage", "events"}, in: events})
}
