package main

import (
	"cmp"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard"
)

func (p *program) usage() *cobra.Command {
	return parent(&cobra.Command{
		Use:   "usage",
		Short: "What was counted",
		Long:  "Every acknowledged call is counted once: what was used, by whom, and whether the sums are right.",
	}, p.usageShow(), p.usageExport(), p.usageReconcile())
}

// usageFlags say which usage is meant.
type usageFlags struct {
	from, to             string
	api, key, mode, team string
}

func (u *usageFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&u.from, "from", "", "since when: 2026-11-01, RFC 3339, or 7d ago (default: the month's first day)")
	cmd.Flags().StringVar(&u.to, "to", "", "until when, not included (default: now)")
}

func (u *usageFlags) filters(cmd *cobra.Command) {
	cmd.Flags().StringVar(&u.api, "api", "", "only of this API")
	cmd.Flags().StringVar(&u.key, "key", "", "only of this key, by id")
	cmd.Flags().StringVar(&u.team, "team", "", "only of this team, by id")
	cmd.Flags().StringVar(&u.mode, "mode", "", "only live or test use")
}

// span is the stretch of time meant: this month unless flags say otherwise.
func (u *usageFlags) span(now time.Time) (from, to time.Time, err error) {
	now = now.UTC()
	from = time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	to = from.AddDate(0, 1, 0)
	if u.from != "" {
		if from, err = since("--from", u.from, now); err != nil {
			return from, to, err
		}
	}
	if u.to != "" {
		if to, err = since("--to", u.to, now); err != nil {
			return from, to, err
		}
	}
	if !from.Before(to) {
		return from, to, usage("--from must lie before --to")
	}
	return from, to, nil
}

func (u *usageFlags) query(now time.Time) (lanyard.UsageQuery, error) {
	from, to, err := u.span(now)
	return lanyard.UsageQuery{From: from, To: to, API: u.api, Key: u.key, Team: u.team, Mode: u.mode, ListQuery: biggest()}, err
}

// usageShown is `usage show` as JSON.
type usageShown struct {
	App      string             `json:"app,omitempty"`
	From     time.Time          `json:"from"`
	To       time.Time          `json:"to"`
	Requests int64              `json:"requests"` // allowed ones
	Units    int64              `json:"units"`
	Rows     []lanyard.UsageRow `json:"rows"`
}

func (p *program) usageShow() *cobra.Command {
	var u usageFlags
	cmd := &cobra.Command{
		Use:     "show [APP]",
		Short:   "Say how much an app used",
		Long:    "Says how many requests were allowed, then shows all by day, operation and outcome.",
		Example: "  lanyard usage show WeatherDashboard\n  lanyard usage show --from 7d --api weather",
		Args:    takesUpTo(0, "APP"),
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := u.query(p.now())
			if err != nil {
				return err
			}
			c, err := p.client()
			if err != nil {
				return err
			}
			who := "All apps together"
			if len(args) == 1 {
				app, err := findApp(cmd.Context(), c, args[0])
				if err != nil {
					return err
				}
				q.App, who = app.ID, cell(app.Name)
			}
			q.Granularity, q.GroupBy = "day", []string{"operation", "outcome"}
			shown := usageShown{App: q.App, From: q.From, To: q.To, Rows: []lanyard.UsageRow{}}
			for row, err := range c.AllUsage(cmd.Context(), q) {
				if err != nil {
					return err
				}
				shown.Rows = append(shown.Rows, row)
				if row.Outcome == "valid" {
					shown.Requests, shown.Units = shown.Requests+row.Count, shown.Units+row.Units
				}
			}
			if p.asJSON() {
				return p.json(shown)
			}
			return p.showUsage(who, u, shown)
		},
	}
	u.flags(cmd)
	u.filters(cmd)
	return cmd
}

func (p *program) showUsage(who string, u usageFlags, shown usageShown) error {
	period := "this month"
	if u.from != "" || u.to != "" {
		period = "from " + when(shown.From) + " to " + when(shown.To)
	}
	p.out.linef("%s used %s %s.", who, count(shown.Requests, "request"), period)
	if len(shown.Rows) == 0 {
		return nil
	}
	p.out.linef("")
	var rows [][]string
	for _, r := range shown.Rows {
		rows = append(rows, []string{r.Start.UTC().Format(time.DateOnly), r.Operation, r.Outcome, thousands(r.Count), thousands(r.Units)})
	}
	return p.table([]string{"DAY", "OPERATION", "OUTCOME", "CALLS", "UNITS"}, rows)
}

func (p *program) usageExport() *cobra.Command {
	var u usageFlags
	var app, format, granularity, file string
	var groupBy []string
	cmd := &cobra.Command{
		Use:     "export",
		Short:   "Write usage as CSV or JSON lines",
		Example: "  lanyard usage export --from 2026-11-01 --to 2026-12-01 --group-by app,api > november.csv\n  lanyard usage export --format jsonl --granularity hour --file usage.jsonl",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := u.query(p.now())
			if err != nil {
				return err
			}
			if format != "csv" && format != "jsonl" && format != "cloudevents" {
				return usage("--format must be csv, jsonl or cloudevents, not %.20q", format)
			}
			c, err := p.client()
			if err != nil {
				return err
			}
			if app != "" {
				found, err := findApp(cmd.Context(), c, app)
				if err != nil {
					return err
				}
				q.App = found.ID
			}
			q.Granularity, q.GroupBy, q.ListQuery = granularity, groupBy, lanyard.ListQuery{}
			body, err := c.ExportUsage(cmd.Context(), q, format)
			if err != nil {
				return err
			}
			defer body.Close()
			return p.receive(body, file)
		},
	}
	u.flags(cmd)
	u.filters(cmd)
	cmd.Flags().StringVar(&app, "app", "", "only of this app, by id or name")
	cmd.Flags().StringVar(&format, "format", "csv", "csv, jsonl or cloudevents (one a line)")
	cmd.Flags().StringVar(&granularity, "granularity", "day", "minute, hour, day or month")
	cmd.Flags().StringSliceVar(&groupBy, "group-by", []string{"app", "api", "operation", "outcome"}, "of team, app, key, api, operation, outcome, mode")
	cmd.Flags().StringVar(&file, "file", "", "write to this file instead of stdout; it appears when it is whole")
	return cmd
}

// receive copies a stream to stdout, or to a file that appears only when all of it has come.
func (p *program) receive(from io.Reader, file string) error {
	counted := &counter{p: p, r: from}
	if file == "" {
		_, err := io.Copy(p.out, counted)
		p.progress("")
		return err
	}
	err := wholeFile{path: file, mode: 0o600, replace: true}.write(func(w io.Writer) error {
		_, err := io.Copy(w, counted)
		return err
	})
	p.progress("")
	if err == nil {
		p.out.linef("Wrote %s to %s.", count(counted.n, "byte"), file)
	}
	return err
}

// counter shows how much has come.
type counter struct {
	p    *program
	r    io.Reader
	n    int64
	seen int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	if c.n-c.seen >= 1<<20 && !c.p.shown {
		c.seen = c.n
		c.p.progress(thousands(c.n>>20) + " MB")
	}
	return n, err
}

func (p *program) usageReconcile() *cobra.Command {
	var u usageFlags
	cmd := &cobra.Command{
		Use:     "reconcile",
		Short:   "Count everything again and print the difference",
		Long:    "Counts the ledger anew and compares every sum with it, and quotas and final invoices too. The difference is 0, or the exit status 1.",
		Example: "  lanyard usage reconcile\n  lanyard usage reconcile --from 2026-10-01 --to 2026-11-01",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, to, err := u.span(p.now())
			if err != nil {
				return err
			}
			c, err := p.client()
			if err != nil {
				return err
			}
			p.progress("Counting…")
			found, err := c.Reconcile(cmd.Context(), from, to)
			p.progress("")
			if err != nil {
				return err
			}
			if err := p.showReconciliation(found); err != nil {
				return err
			}
			if len(found.Differences)+len(found.Billing) > 0 {
				return errNo
			}
			return nil
		},
	}
	u.flags(cmd)
	return cmd
}

func (p *program) showReconciliation(found lanyard.Reconciliation) error {
	if p.asJSON() {
		return p.json(found)
	}
	p.out.linef("Counted %s again; difference: %d.", count(found.LedgerCount, "call"), len(found.Differences)+len(found.Billing))
	if err := p.showBilling(found.Billing); err != nil || len(found.Differences) == 0 {
		return err
	}
	var rows [][]string
	for _, d := range found.Differences {
		rows = append(rows, []string{
			d.Granularity, when(d.Start), cmp.Or(d.App, d.User, d.Team, "every team"), d.API, strings.TrimSpace(d.Operation + " " + d.Outcome), thousands(d.LedgerCount), thousands(d.RollupCount),
		})
	}
	return p.table([]string{"SUM", "START", "OF", "API", "OPERATION", "LEDGER", "SHOWN"}, rows)
}

func (p *program) showBilling(differences []lanyard.BillingDifference) error {
	if len(differences) == 0 {
		return nil
	}
	var rows [][]string
	for _, d := range differences {
		rows = append(rows, []string{d.What, d.Of, cmp.Or(d.Meter, "total"), when(d.Start), thousands(d.Counted), thousands(d.Shown)})
	}
	return p.table([]string{"WHAT", "OF", "METER", "START", "COUNTED", "SHOWN"}, rows)
}
