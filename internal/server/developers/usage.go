package developers

import (
	"cmp"
	"maps"
	"net/http"
	"slices"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

// usagePage is GET /developers/{team}/usage.
type usagePage struct {
	page.Room
	Spans   []page.Tab
	By      []page.Tab
	Numbers []page.Number
	Chart   page.Chart
	Table   page.Table
	Pager   page.Pager
	Refused page.Table
	Plans   page.Table
	Limits  page.Table
	Live    string // how often the figures are read anew, in seconds
}

// dimensions are what usage can be told by.
var dimensions = []struct{ name, text, head string }{
	{"app", "by app", "App"}, {"key", "by key", "Key"}, {"operation", "by operation", "Operation"}, {"outcome", "by outcome", "Outcome"},
}

// showUsage is GET /developers/{team}/usage?span=&by=.
func (p *rooms) showUsage(w http.ResponseWriter, r *http.Request, d *desk) error {
	query := r.URL.Query()
	shown := spans[2]
	if i := slices.IndexFunc(spans, func(s span) bool { return s.name == query.Get("span") }); i >= 0 {
		shown = spans[i]
	}
	by := dimensions[0]
	for _, one := range dimensions {
		if one.name == query.Get("by") {
			by = one
		}
	}
	made := usagePage{Room: p.room(r, d, "usage", "Usage"), Live: "30"}
	if shown.name == "hour" {
		made.Live = "3"
	}
	for _, s := range spans {
		made.Spans = append(made.Spans, page.Tab{Text: s.text, URL: d.path("usage") + "?span=" + s.name + "&by=" + by.name, Here: s.name == shown.name})
	}
	for _, one := range dimensions {
		made.By = append(made.By, page.Tab{Text: one.text, URL: d.path("usage") + "?span=" + shown.name + "&by=" + one.name, Here: one.name == by.name})
	}
	rows, err := p.outcomes(r, d, shown, nil)
	if err != nil {
		return err
	}
	made.Chart, made.Refused = p.draw(shown, rows), refusals(rows)
	if made.Table, made.Pager, err = p.usageBy(r, d, shown, by.name, by.head); err != nil {
		return err
	}
	if made.Plans, err = p.planTable(r, d); err != nil {
		return err
	}
	if made.Limits, err = p.limitTable(r, d, nil, nil); err != nil {
		return err
	}
	allowed, refused := int64(0), int64(0)
	for _, bar := range made.Chart.Bars {
		allowed, refused = allowed+bar.Allowed, refused+bar.Refused
	}
	made.Numbers = []page.Number{{Text: page.Count(allowed), What: "allowed"}, {Text: page.Count(refused), What: "refused"}}
	if refused > 0 {
		made.Numbers[1].Tone = "warn"
	}
	return p.set.Render(w, r, http.StatusOK, "usage", made)
}

// usageBy is the table of a dimension.
func (p *rooms) usageBy(r *http.Request, d *desk, s span, dimension, head string) (page.Table, page.Pager, error) {
	l := page.NewList(d.path("usage"), r.URL.Query(), "", "-calls", "-units")
	made := page.Table{
		Caption: "Calls by " + dimension, Heads: []page.Head{{Text: head}, l.Head("Calls", "calls"), l.Head("Units", "units")},
		Empty: page.Empty{Title: "No call in this time", Text: "Calls show here a moment after they are made.", Link: page.Link{Text: "Get a key", URL: d.path("keys", "new")}},
	}
	made.Heads[1].Number, made.Heads[2].Number = true, true
	rows, err := p.ranked(r, d, s, dimension, manage.Ranking{ByUnits: l.Sort == "units", Least: !l.Down, Skip: l.Skipped(), Limit: perPage + 1})
	if err != nil {
		return made, page.Pager{}, err
	}
	rows, pages := page.Leaf(l, rows, perPage)
	names := make([]string, 0, len(rows))
	for _, counted := range rows {
		names = append(names, valueOf(counted, dimension))
	}
	called, err := p.called(r, d, dimension, names)
	if err != nil {
		return made, page.Pager{}, err
	}
	for i, name := range names {
		row := page.Row{Cells: []page.Cell{{Text: cmp.Or(name, "—")}, {Text: page.Count(rows[i].Count)}, {Text: page.Count(rows[i].Units)}}}
		if is := called[name]; is != "" {
			row.Cells[0], row.URL = page.Cell{Text: is, Note: name}, d.path(dimension+"s", name)
		}
		made.Rows = append(made.Rows, row)
	}
	return made, l.Pager(pages), nil
}

// called are the names of apps and keys that still are there, for who may see them.
func (p *rooms) called(r *http.Request, d *desk, dimension string, ids []string) (map[string]string, error) {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "" })
	switch {
	case !d.May(audit.RoleDeveloper):
		return nil, nil //nolint:nilnil // no names
	case dimension == "app":
		return p.Manage.AppNames(r.Context(), d.Actor, d.Team.ID, ids)
	case dimension == "key":
		return p.Manage.KeyNames(r.Context(), d.Actor, d.Team.ID, ids)
	}
	return nil, nil //nolint:nilnil // operations and outcomes are names
}

// refusals lists why calls were refused, and who can mend that, from what outcomes counted.
func refusals(rows []lanyard.UsageRow) page.Table {
	made := page.Table{
		Caption: "Refused calls", Heads: []page.Head{{Text: "Why"}, {Text: "Who can mend it"}, {Text: "Calls", Number: true}},
		Empty: page.Empty{Title: "No call was refused", Text: "When one is, it stands here with who can mend it."},
	}
	total := map[string]lanyard.UsageRow{}
	for _, row := range rows {
		row.Count += total[row.Outcome].Count
		total[row.Outcome] = row
	}
	pages := advice.Pages()
	codes := slices.Sorted(maps.Keys(total))
	slices.SortStableFunc(codes, func(a, b string) int { return cmp.Compare(total[b].Count, total[a].Count) })
	for _, code := range codes {
		if code == string(policy.Valid) || code == "" {
			continue
		}
		made.Rows = append(made.Rows, page.Row{URL: "/errors/" + code, Cells: []page.Cell{{Text: code, Code: true}, {Text: pages[code].Who}, {Text: page.Count(total[code].Count)}}})
	}
	return made
}

// planTable says which plan the team has for each API, what is left of it, and what the period costs so far and will.
func (p *rooms) planTable(r *http.Request, d *desk) (page.Table, error) {
	made := page.Table{Caption: "Plans", Heads: []page.Head{{Text: "API"}, {Text: "Plan"}, {Text: "Limits"}, {Text: "Left", Number: true}}}
	plans, err := p.Manage.TeamPlans(r.Context(), d.Actor, d.Team.ID)
	if err != nil {
		return made, err
	}
	pays := slices.ContainsFunc(plans, func(plan manage.TeamPlan) bool { return plan.Open != nil })
	if pays {
		made.Heads = append(made.Heads, page.Head{Text: "Bill so far", Number: true})
	}
	for i := range plans {
		plan := &plans[i]
		left := page.Cell{Text: "no quota"}
		if q := plan.Quota; q != nil {
			left = page.Cell{Text: page.Count(q.Left) + " of " + page.Count(q.Limit), Note: "until " + moment(q.ResetsAt)}
		}
		name := page.Cell{Text: page.Upper(plan.Plan)}
		if plan.Plan == "" {
			name = page.Cell{Text: "none", Pill: "warn"}
		}
		row := page.Row{Cells: []page.Cell{{Text: plan.Title}, name, {Text: joined(plan.Spec.Limits)}, left}}
		if d.May(audit.RoleBilling) {
			row.URL = d.path("billing")
		}
		if pays {
			row.Cells = append(row.Cells, billCell(plan.Open))
		}
		made.Rows = append(made.Rows, row)
	}
	return made, nil
}

func billCell(open *lanyard.Invoice) page.Cell {
	if open == nil {
		return page.Cell{Text: "nothing"}
	}
	made := page.Cell{Text: open.Total + " " + open.Currency}
	if open.Forecast != nil {
		made.Note = "will be about " + open.Forecast.Total
	}
	return made
}

func joined(texts []string) string {
	out := ""
	for _, t := range texts {
		if t == "" {
			continue
		}
		if out != "" {
			out += ", "
		}
		out += t
	}
	if out == "" {
		return "none"
	}
	return out
}
