package developers

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// billingPage is GET /developers/{team}/billing: the team's plan for each API with what is left of it and its open bill, and the invoices.
type billingPage struct {
	page.Room
	Plans    []planPanel
	None     page.Empty // where no API has plans
	Invoices page.Table
	Pager    page.Pager
}

// planPanel is one API.
type planPanel struct {
	API, Title string
	Plan       string // "": none
	Says       string // what it allows and what is left of it
	Next       string // the change that is to come, in words; "": none
	Keep       page.Act
	Period     string // that the open bill is of; "": nothing is to be paid
	Bill       page.Table
	Forecast   string
	Limit      string       // what the open bill may come to, in words; "": whatever is used
	Alerts     []page.Field // at which amounts the owners are told of it; none: nothing is to be paid
	To         string
	AlertsTo   string
	Fields     []page.Field
}

func billingDone(what string) *page.Alert {
	texts := map[string][2]string{
		"now":        {"The plan is changed.", "Its limits hold from the next call on."},
		"period_end": {"The plan changes when the period ends.", "Until then you can take that back."},
		"kept":       {"The plan stays as it is.", "No change is to come."},
		"alerts":     {"Saved.", "The owners are told by mail, once in a period for each amount."},
	}
	text, known := texts[what]
	if !known {
		return nil
	}
	return &page.Alert{Tone: "good", Title: text[0], Text: text[1]}
}

// showBilling is GET /developers/{team}/billing.
func (p *rooms) showBilling(w http.ResponseWriter, r *http.Request, d *desk) error {
	return p.billing(w, r, d, http.StatusOK, refusedAlerts{})
}

// refusedAlerts are amounts as they were typed, of the API that they are for, and why they cannot be.
type refusedAlerts struct{ api, typed, problem string }

func (p *rooms) billing(w http.ResponseWriter, r *http.Request, d *desk, status int, refused refusedAlerts) error {
	view := billingPage{
		Room: p.room(r, d, "billing", "Billing"),
		None: page.Empty{Title: "No plans", Text: "No API here has plans to choose from. Calls are counted all the same.", Link: page.Link{Text: "Usage", URL: d.path("usage")}},
	}
	view.Done = billingDone(r.URL.Query().Get("done"))
	plans, err := p.Manage.TeamPlans(r.Context(), d.Actor, d.Team.ID)
	if err != nil {
		return err
	}
	for i := range plans {
		made := planPanelOf(d, &plans[i])
		if refused.api == made.API && len(made.Alerts) > 0 {
			made.Alerts[0].Value, made.Alerts[0].Error = refused.typed, refused.problem
		}
		view.Plans = append(view.Plans, made)
	}
	cursor := r.URL.Query().Get("cursor")
	found, err := p.Manage.Invoices(r.Context(), d.Actor, manage.InvoicesFilter{Team: d.Team.ID}, manage.List{Limit: perPage, Cursor: cursor})
	if err != nil {
		return err
	}
	view.Invoices = invoiceTable(d, found.Items)
	if cursor != "" {
		view.Pager.First = d.path("billing")
	}
	if found.NextCursor != "" {
		view.Pager.Next = d.path("billing") + "?" + url.Values{"cursor": {found.NextCursor}}.Encode()
	}
	return p.set.Render(w, r, status, "billing", view)
}

func planPanelOf(d *desk, plan *manage.TeamPlan) planPanel {
	made := planPanel{API: plan.API, Title: plan.Title, Plan: plan.Plan, Says: planSays(plan), To: d.path("plan"), AlertsTo: d.path("alerts")}
	if next := plan.Next; next != nil {
		to := "the default plan"
		if next.Plan != "" {
			to = page.Upper(next.Plan)
		}
		made.Next = "Changes to " + to + " on " + moment(next.At) + "."
		made.Keep = page.Act{
			ID: "keep-" + plan.API, URL: made.To, Text: "Keep " + page.Upper(plan.Plan),
			Hidden: []page.Hidden{{Name: "api", Value: plan.API}, {Name: "plan-" + plan.API, Value: plan.Chosen}, {Name: "keep", Value: "yes"}},
		}
	}
	if bill := plan.Open; bill != nil {
		made.Period, made.Bill = stretchText(bill.Start, bill.End), billTable(bill)
		if bill.Forecast != nil {
			made.Forecast = "If use goes on as it did, it comes to " + bill.Forecast.Total + " " + bill.Currency + "."
		}
		if bill.SpendLimit != "" {
			made.Limit = "The plan’s spend limit is " + bill.SpendLimit + " " + bill.Currency + ": calls that would cost more are refused, and the owners are told at 80 % and when it is reached."
		}
		made.Alerts = []page.Field{{
			ID: "amounts-" + plan.API, Label: "Tell the owners when the bill passes", Value: strings.Join(plan.Alerts, ", "), Max: 300, Optional: true, Complete: "off",
			Hint: "Amounts in " + bill.Currency + ", like 50, 100. Each is told once in a period, by mail and to webhooks.",
		}}
	}
	choice := page.Field{ID: "plan-" + plan.API, Label: "Plan", Type: "select"}
	for _, name := range slices.Sorted(maps.Keys(plan.Plans)) {
		choice.Options = append(choice.Options, page.Option{Value: name, Text: planOption(name, plan.Plans[name]), Chosen: name == plan.Plan})
	}
	made.Fields = []page.Field{choice, {ID: "when-" + plan.API, Label: "When", Type: "select", Options: []page.Option{{Value: "now", Text: "Now"}, {Value: "period_end", Text: "When the period ends"}}}}
	if !plan.Ends.IsZero() {
		made.Fields[1].Options[1].Text += ", " + moment(plan.Ends)
	}
	return made
}

// planSays is what a plan allows, and what is left of it.
func planSays(plan *manage.TeamPlan) string {
	var says []string
	if len(plan.Spec.Limits) > 0 {
		says = append(says, "Up to "+joined(plan.Spec.Limits)+".")
	}
	if q := plan.Quota; q != nil {
		says = append(says, page.Count(q.Left)+" of "+page.Count(q.Limit)+" units left until "+moment(q.ResetsAt)+".")
	}
	return strings.Join(says, " ")
}

// planOption is a plan to choose, with what it costs and allows.
func planOption(name string, plan lanyard.Plan) string {
	var parts []string
	for _, part := range append([]string{plan.Text, priceText(plan)}, append(slices.Clone(plan.Limits), plan.Quota)...) {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return page.Upper(name)
	}
	return page.Upper(name) + ": " + strings.Join(parts, ", ")
}

// priceText is what a plan costs, in few words.
func priceText(plan lanyard.Plan) string {
	if plan.Currency == "" {
		return ""
	}
	fee, err := billing.ParseAmount(plan.Fee)
	if err != nil || fee == 0 {
		return "by use"
	}
	text := billing.Currency(plan.Currency).Format(fee) + " a " + plan.Period
	if len(plan.Prices) > 0 {
		text += " and by use"
	}
	return text
}

// billTable are the lines of an invoice, with the total last.
func billTable(i *lanyard.Invoice) page.Table {
	made := page.Table{Caption: "Lines of the bill", Heads: []page.Head{{Text: "Line"}, {Text: "Amount", Number: true}}}
	if i.Problem != "" {
		made.Rows = []page.Row{{Cells: []page.Cell{{Text: "It cannot be computed: " + i.Problem + "."}, {Text: "—"}}}}
		return made
	}
	for _, l := range i.Lines {
		made.Rows = append(made.Rows, page.Row{Cells: []page.Cell{{Text: page.Upper(l.Text)}, {Text: l.Amount + " " + i.Currency}}})
	}
	made.Rows = append(made.Rows, page.Row{Cells: []page.Cell{{Text: "Total"}, {Text: i.Total + " " + i.Currency}}})
	return made
}

func invoiceTable(d *desk, invoices []lanyard.Invoice) page.Table {
	made := page.Table{
		Caption: "Invoices", Heads: []page.Head{{Text: "Invoice"}, {Text: "For"}, {Text: "Period"}, {Text: "State"}, {Text: "Total", Number: true}},
		Empty: page.Empty{Title: "No invoice yet", Text: "One is written when the period of a plan ends that costs something. It stays a draft for a while, for what arrives late, and is final then."},
	}
	for i := range invoices {
		one := &invoices[i]
		made.Rows = append(made.Rows, page.Row{URL: d.path("billing", one.ID), Cells: []page.Cell{
			{Text: invoiceTitle(one)}, {Text: one.API, Note: page.Upper(one.Plan)}, {Text: stretchText(one.Start, one.End)}, invoiceState(one), {Text: one.Total + " " + one.Currency},
		}})
	}
	return made
}

func invoiceTitle(i *lanyard.Invoice) string {
	title := "Draft"
	if i.Number > 0 {
		title = "Invoice " + strconv.FormatInt(i.Number, 10)
	}
	if i.Adjustment > 0 {
		title += ", adjustment"
	}
	return title
}

func invoiceState(i *lanyard.Invoice) page.Cell {
	if i.State == "final" {
		return page.Cell{Text: "final", Pill: "good"}
	}
	return page.Cell{Text: i.State, Pill: "warn"}
}

// moment is a day, with its time where that is not midnight.
func moment(t time.Time) string {
	t = t.UTC()
	if t.Hour() == 0 && t.Minute() == 0 {
		return t.Format("2 January 2006")
	}
	return t.Format("2 January 2006, 15:04 UTC")
}

// stretchText is a time from its first to its last day, where it begins and ends with one.
func stretchText(start, end time.Time) string {
	if last := end.UTC().Add(-time.Nanosecond); end.UTC().Hour() == 0 && end.UTC().Minute() == 0 {
		return moment(start) + " to " + last.Format("2 January 2006")
	}
	return moment(start) + " to " + moment(end)
}

// changePlan is POST /developers/{team}/plan: api, plan-<api>, when-<api>, or keep to take a change back that is to come.
func (p *rooms) changePlan(w http.ResponseWriter, r *http.Request, d *desk) error {
	api := r.PostForm.Get("api")
	in := lanyard.SubscriptionInput{Plan: r.PostForm.Get("plan-" + api), When: r.PostForm.Get("when-" + api)}
	done := cmp.Or(in.When, "now")
	if r.PostForm.Get("keep") != "" {
		in.When, done = "period_end", "kept" // to what it is by then: nothing changes
	}
	if _, err := p.Manage.Subscribe(r.Context(), d.Actor, d.Team.ID, api, in); err != nil {
		return err
	}
	return page.Redirect(w, r, d.path("billing")+"?done="+url.QueryEscape(done))
}

// setAlerts is POST /developers/{team}/alerts: api, amounts-<api>, button alerts-<api>.
func (p *rooms) setAlerts(w http.ResponseWriter, r *http.Request, d *desk) error {
	api := r.PostForm.Get("api")
	typed := r.PostForm.Get("amounts-" + api)
	_, err := p.Manage.SetSpendAlerts(r.Context(), d.Actor, d.Team.ID, api, lanyard.SpendAlerts{Amounts: lines(typed)})
	if err != nil {
		errs, err := page.Beside(err, map[string]string{"amounts": "amounts"})
		if err != nil {
			return err
		}
		return p.billing(w, r, d, http.StatusBadRequest, refusedAlerts{api, typed, errs["amounts"]})
	}
	return page.Redirect(w, r, d.path("billing")+"?done=alerts")
}

// invoicePage is GET /developers/{team}/billing/{invoice}: an invoice to read and to print.
type invoicePage struct {
	page.Room
	Back  page.Link
	Title string
	State page.Cell
	Team  string
	Lead  string
	Facts []page.Fact
	Table page.Table
	Note  string
}

// showInvoice is GET /developers/{team}/billing/{invoice}.
func (p *rooms) showInvoice(w http.ResponseWriter, r *http.Request, d *desk) error {
	i, err := p.Manage.Invoice(r.Context(), d.Actor, r.PathValue("invoice"))
	if err == nil && i.TeamID != d.Team.ID {
		err = fault.Missing("invoice", i.ID)
	}
	if err != nil {
		return err
	}
	view := invoicePage{
		Room: p.room(r, d, "billing", invoiceTitle(&i)), Back: page.Link{Text: "Billing", URL: d.path("billing")}, Title: invoiceTitle(&i), State: invoiceState(&i), Team: d.Team.Name,
		Table: billTable(&i),
		Facts: []page.Fact{
			{Term: "For", Text: d.Team.Name},
			{Term: "API", Text: i.API},
			{Term: "Plan", Text: page.Upper(i.Plan) + ", version " + strconv.Itoa(i.PlanVersion)},
			{Term: "Period", Text: stretchText(i.Start, i.End)},
		},
	}
	for _, meter := range slices.Sorted(maps.Keys(i.Used)) {
		view.Facts = append(view.Facts, page.Fact{Term: page.Upper(meter), Text: page.Count(i.Used[meter])})
	}
	switch {
	case i.State == "final":
		view.Facts = append(view.Facts, page.Fact{Term: "Final since", Text: moment(*i.FinalAt)})
		view.Note = "This invoice never changes. What arrives later makes an adjustment, an invoice of its own."
	case i.FinalAt != nil:
		view.Note = "This is a draft: it takes in what arrives late, and becomes final on " + moment(*i.FinalAt) + "."
	}
	if i.Adjustment > 0 {
		view.Lead = "It adds to the invoice of this period what arrived after that was final."
	}
	return p.set.Render(w, r, http.StatusOK, "invoice", view)
}
