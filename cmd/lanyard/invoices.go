package main

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard"
)

func (p *program) invoices() *cobra.Command {
	return parent(&cobra.Command{
		Use:   "invoices",
		Short: "What teams have to pay",
		Long: "When a period ends its invoice is a draft, which takes in what arrives late, and then final: it never changes any more.\n" +
			"What arrives after that makes an adjustment, an invoice of its own.",
	}, p.invoicesPreview(), p.invoicesList(), p.invoicesShow(), p.invoicesExport(), p.invoicesFinalize())
}

// invoiceFlags say which invoices are meant.
type invoiceFlags struct{ team, api, state string }

func (f *invoiceFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.team, "team", "", "only of this team, by id or name")
	cmd.Flags().StringVar(&f.api, "api", "", "only for this API")
	cmd.Flags().StringVar(&f.state, "state", "", "only draft or final ones")
}

func (f *invoiceFlags) query(ctx context.Context, c *lanyard.Client) (q lanyard.InvoiceQuery, err error) {
	q = lanyard.InvoiceQuery{API: f.api, State: f.state, ListQuery: biggest()}
	if f.state != "" && f.state != "draft" && f.state != "final" {
		return q, usage("--state must be draft or final, not %.20q; `lanyard invoices preview` shows what is under way", f.state)
	}
	if f.team != "" {
		q.TeamID, err = findTeam(ctx, c, f.team)
	}
	return q, err
}

func (p *program) invoicesPreview() *cobra.Command {
	var in lanyard.InvoicePreview
	var team, when string
	cmd := &cobra.Command{
		Use:   "preview",
		Short: "Say what a team would have to pay",
		Long: "Shows the bill of the period under way as it stands now, for each API whose plan charges something, and what it will come to if use goes on\n" +
			"as it did. It is computed exactly like the final one.",
		Example: "  lanyard invoices preview --team Sunny\n  lanyard invoices preview --team Sunny --api weather --at 2026-10-15",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			if team != "" {
				if in.TeamID, err = findTeam(cmd.Context(), c, team); err != nil {
					return err
				}
			}
			if when != "" {
				if in.At, err = since("--at", when, p.now()); err != nil {
					return err
				}
			}
			found, err := c.PreviewInvoices(cmd.Context(), in)
			if team == "" && faultOf(err, "team_id") {
				return usage("--team is missing: your credential belongs to no team, so say whose bill; `lanyard teams list` shows which there are")
			}
			if err != nil {
				return err
			}
			if p.asJSON() {
				return p.json(found.Items)
			}
			if len(found.Items) == 0 {
				p.out.linef("Nothing to pay: no plan of this team charges anything.")
				return nil
			}
			for n := range found.Items {
				if n > 0 {
					p.out.linef("")
				}
				if err := p.showInvoice(&found.Items[n]); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&team, "team", "", "whose, by id or name (default: your credential's)")
	cmd.Flags().StringVar(&in.API, "api", "", "only for this API")
	cmd.Flags().StringVar(&when, "at", "", "of the period that this lies in: 2026-11-01, RFC 3339, or 7d ago (default: now)")
	return cmd
}

// showInvoice prints an invoice: what it is, its lines, and the total.
func (p *program) showInvoice(i *lanyard.Invoice) error {
	p.out.linef("%s: %s on %s, %s to %s, %s", cell(invoiceName(i)), cell(i.Plan), cell(i.API), when(i.Start), when(i.End), i.State)
	rows := make([][]string, 0, len(i.Lines)+1)
	for _, l := range i.Lines {
		rows = append(rows, []string{l.Text, l.Amount + " " + i.Currency})
	}
	rows = append(rows, []string{"Total", i.Total + " " + i.Currency})
	if err := p.table([]string{"LINE", "AMOUNT"}, rows); err != nil {
		return err
	}
	switch {
	case i.Forecast != nil:
		p.out.linef("If use goes on as it did, it will come to %s %s.", i.Forecast.Total, i.Currency)
	case i.State == "draft" && i.FinalAt != nil:
		p.out.linef("It becomes final %s.", when(*i.FinalAt))
	}
	return nil
}

func invoiceName(i *lanyard.Invoice) string {
	name := "Invoice"
	if i.Number > 0 {
		name += " " + strconv.FormatInt(i.Number, 10)
	}
	if i.Adjustment > 0 {
		name += " (adjustment " + strconv.Itoa(i.Adjustment) + ")"
	}
	return name
}

func (p *program) invoicesList() *cobra.Command {
	var f invoiceFlags
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List drafts and final invoices, newest first",
		Example: "  lanyard invoices list\n  lanyard invoices list --team Sunny --state final",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			q, err := f.query(cmd.Context(), c)
			if err != nil {
				return err
			}
			invoices, rows := []lanyard.Invoice{}, [][]string{}
			for i, err := range c.AllInvoices(cmd.Context(), q) {
				if err != nil {
					return err
				}
				number := ""
				if i.Number > 0 {
					number = strconv.FormatInt(i.Number, 10)
				}
				invoices = append(invoices, i)
				rows = append(rows, []string{number, i.ID, i.TeamID, i.API, i.Plan, i.Start.UTC().Format(time.DateOnly), i.End.UTC().Format(time.DateOnly), i.State, i.Total + " " + i.Currency})
			}
			if p.asJSON() {
				return p.json(invoices)
			}
			if len(rows) == 0 {
				p.out.linef("No invoices yet: one is written when the period of a plan ends that charges something.")
				return nil
			}
			return p.table([]string{"NUMBER", "ID", "TEAM", "API", "PLAN", "FROM", "TO", "STATE", "TOTAL"}, rows)
		},
	}
	f.flags(cmd)
	return cmd
}

func (p *program) invoicesShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show ID",
		Short:   "Show an invoice with its lines",
		Example: "  lanyard invoices show invoice_8fK2mQz7Lr0Xc41Z",
		Args:    takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			i, err := c.Invoice(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if p.asJSON() {
				return p.json(i)
			}
			return p.showInvoice(&i)
		},
	}
}

func (p *program) invoicesExport() *cobra.Command {
	var f invoiceFlags
	var format, file string
	cmd := &cobra.Command{
		Use:     "export",
		Short:   "Write invoices as CSV or JSON lines",
		Long:    "CSV has a row for each line of an invoice, JSON lines an invoice each.",
		Example: "  lanyard invoices export --state final > invoices.csv\n  lanyard invoices export --format jsonl --file invoices.jsonl",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "csv" && format != "jsonl" {
				return usage("--format must be csv or jsonl, not %.20q", format)
			}
			c, err := p.client()
			if err != nil {
				return err
			}
			q, err := f.query(cmd.Context(), c)
			if err != nil {
				return err
			}
			q.ListQuery = lanyard.ListQuery{}
			body, err := c.ExportInvoices(cmd.Context(), q, format)
			if err != nil {
				return err
			}
			defer body.Close()
			return p.receive(body, file)
		},
	}
	f.flags(cmd)
	cmd.Flags().StringVar(&format, "format", "csv", "csv or jsonl")
	cmd.Flags().StringVar(&file, "file", "", "write to this file instead of stdout; it appears when it is whole")
	return cmd
}

func (p *program) invoicesFinalize() *cobra.Command {
	return &cobra.Command{
		Use:     "finalize ID",
		Short:   "Make a draft final before its time",
		Long:    "A final invoice has a number and never changes. What arrives after that makes an adjustment.",
		Example: "  lanyard invoices finalize invoice_8fK2mQz7Lr0Xc41Z",
		Args:    takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			i, err := c.FinalizeInvoice(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if p.asJSON() {
				return p.json(i)
			}
			p.out.linef("%s is final: %s %s for %s.", invoiceName(&i), i.Total, i.Currency, cmp.Or(cell(i.API), i.ID))
			return nil
		},
	}
}
