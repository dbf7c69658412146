package rest

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/manage"
)

// InvoiceFilter says which invoices are meant. It is exported for huma, like Paging.
type InvoiceFilter struct {
	TeamID string `query:"team_id" doc:"Only this team's"`
	API    string `query:"api" doc:"Only for this API"`
	State  string `query:"state" enum:"draft,final" doc:"Only drafts, or final ones"`
}

func (f InvoiceFilter) filter() manage.InvoicesFilter {
	return manage.InvoicesFilter{Team: f.TeamID, API: f.API, State: f.State}
}

type invoicesQuery struct {
	InvoiceFilter
	Paging
}

type invoiceExport struct {
	InvoiceFilter
	Format string `query:"format" enum:"csv,jsonl" default:"csv" doc:"csv with a line for each line of an invoice, or one invoice as a JSON object a line"`
}

type invoiceID struct {
	ID string `path:"id" doc:"invoice_…"`
}

type previewInput struct {
	Body lanyard.InvoicePreview
}

func (a *api) addInvoices() {
	s := a.Service
	add(a, route{
		id: "list-invoices", method: http.MethodGet, path: "/v1/invoices", tag: "billing", scopes: []string{billingRead},
		summary: "List invoices", description: "Newest first: drafts, which come to what was counted by now, and final ones.",
	}, func(ctx context.Context, actor audit.Actor, in *invoicesQuery) (lanyard.Page[lanyard.Invoice], error) {
		return s.Invoices(ctx, actor, in.filter(), in.list())
	})
	add(a, route{
		id: "read-invoice", method: http.MethodGet, path: "/v1/invoices/{id}", tag: "billing", scopes: []string{billingRead},
		summary: "Read an invoice",
	}, func(ctx context.Context, actor audit.Actor, in *invoiceID) (lanyard.Invoice, error) {
		return s.Invoice(ctx, actor, in.ID)
	})
	add(a, route{
		id: "preview-invoices", method: http.MethodPost, path: "/v1/invoices/preview", tag: "billing", scopes: []string{billingRead},
		summary: "Say what a team would have to pay", description: "One invoice for each API whose plan charges something, computed like the final one, with a forecast.",
	}, func(ctx context.Context, actor audit.Actor, in *previewInput) (lanyard.Page[lanyard.Invoice], error) {
		all, err := s.PreviewInvoices(ctx, actor, in.Body)
		return lanyard.Page[lanyard.Invoice]{Items: all}, err
	})
	add(a, route{
		id: "finalize-invoice", method: http.MethodPost, path: "/v1/invoices/{id}/finalize", tag: "billing", scopes: []string{billingWrite},
		summary: "Make a draft final before its time", description: "What arrives after that makes an adjustment. Needs a credential of the server's own team.",
	}, func(ctx context.Context, actor audit.Actor, in *invoiceID) (lanyard.Invoice, error) {
		return s.FinalizeInvoice(ctx, actor, in.ID)
	})
	text := &huma.Schema{Type: huma.TypeString}
	addStream(a, route{
		id: "export-invoices", method: http.MethodGet, path: "/v1/invoices/export", tag: "billing", scopes: []string{billingRead},
		summary: "Export invoices", description: "Streamed, of any length. An export that breaks off ends with a broken connection, never with a whole answer.",
		responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{"text/csv": {Schema: text}, "application/jsonl": {Schema: text}}}},
	}, a.exportInvoices)
}

// exportInvoices writes all invoices.
func (a *api) exportInvoices(c *call, in *invoiceExport) error {
	out := bufio.NewWriterSize(c.w, 32<<10)
	var lines *csv.Writer
	return a.writePages(c, out, func(cursor string) (func() error, string, error) {
		page, err := a.Service.Invoices(c.r.Context(), c.actor, in.filter(), manage.List{Limit: exportPage, Cursor: cursor})
		if err != nil {
			return nil, "", err
		}
		switch {
		case cursor != "":
		case in.Format == "csv":
			lines = newInvoiceCSV(c.w.Header(), out)
		default:
			c.w.Header().Set("Content-Type", "application/jsonl")
		}
		return func() error { return writeInvoices(lines, out, page.Items) }, page.NextCursor, nil
	})
}

// writeInvoices writes a page as CSV, or without a writer of that as JSON lines.
func writeInvoices(lines *csv.Writer, out *bufio.Writer, invoices []lanyard.Invoice) error {
	for i := range invoices {
		var err error
		if lines != nil {
			err = writeInvoice(lines, &invoices[i])
		} else {
			err = json.NewEncoder(out).Encode(invoices[i])
		}
		if err != nil {
			return err
		}
	}
	if lines == nil {
		return nil
	}
	lines.Flush()
	return lines.Error()
}

func newInvoiceCSV(h http.Header, out *bufio.Writer) *csv.Writer {
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="invoices.csv"`)
	w := csv.NewWriter(out)
	_ = w.Write([]string{ // kept for Flush
		"invoice", "number", "state", "team", "api", "plan", "plan_version", "adjustment", "start", "end", "final_at",
		"line", "kind", "meter", "tier", "units", "quantity", "price", "amount", "currency",
	})
	return w
}

// writeInvoice writes a row for each line; of what came to nothing one without a line, so that it is not missing.
func writeInvoice(w *csv.Writer, i *lanyard.Invoice) error {
	lines := i.Lines
	if len(lines) == 0 {
		lines = []lanyard.InvoiceLine{{Amount: "0"}}
	}
	number := func(n int64) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	final := ""
	if i.FinalAt != nil {
		final = i.FinalAt.Format(time.RFC3339)
	}
	for _, l := range lines {
		if err := w.Write([]string{
			i.ID, number(i.Number), i.State, i.TeamID, i.API, i.Plan, strconv.Itoa(i.PlanVersion), number(int64(i.Adjustment)),
			i.Start.Format(time.RFC3339), i.End.Format(time.RFC3339), final,
			l.Text, l.Kind, l.Meter, number(int64(l.Tier)), number(l.Units), number(l.Quantity), l.Price, l.Amount, i.Currency,
		}); err != nil {
			return err
		}
	}
	return nil
}
