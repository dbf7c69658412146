package admin

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

const (
	endsSoon      = 30 * 24 * time.Hour
	nodesSeen     = 5 * time.Minute
	warningsShown = 5
	late          = 2 * time.Second // a node that was not seen for that long decides nothing
)

// overviewPage is GET /admin. Its part "calls" is alive.
type overviewPage struct {
	page.Room
	Begin   *page.Empty // stands where no API is declared; nil: one is
	Numbers []page.Number
	Chart   page.Chart
	Denials page.Table
	Apps    page.Table
	Ending  page.Table
	Nodes   page.Table
	Keys    page.Table

	Warnings []page.Warning // the gravest of the newest keys
	More     bool           // there are others
}

// overview is GET /admin.
func (p *rooms) overview(w http.ResponseWriter, r *http.Request, d *desk) (err error) {
	view := overviewPage{Room: p.room(r, d, "/admin", "Overview")}
	ctx := r.Context()
	there, err := p.Manage.APIs(ctx, d.Actor)
	if err != nil {
		return err
	}
	if len(there) == 0 {
		view.Begin = &page.Empty{Title: "No API is declared yet", Text: "Describe yours, or try with an example. Then a first call is a minute away.", Link: page.Link{Text: "Set up an API", URL: "/setup/api"}}
	}
	month, err := p.usage(ctx, d, manage.UsageQuery{Granularity: "month", GroupBy: []string{"outcome"}})
	if err != nil {
		return err
	}
	if view.Chart, view.Numbers, err = p.calls(ctx, d, month); err != nil {
		return err
	}
	view.Denials = denials(month)
	if view.Apps, err = p.newest(ctx, d); err != nil {
		return err
	}
	if view.Ending, err = p.ending(ctx, d); err != nil {
		return err
	}
	found, more, err := p.Manage.GravestWarnings(ctx, d.Actor, manage.WarningsFilter{Gravity: string(advice.Warn)}, warningsShown)
	if err != nil {
		return err
	}
	view.More = more
	for _, one := range found {
		view.Warnings = append(view.Warnings, page.WarningOf(one, p.Manage.PublicURL))
	}
	if view.Nodes, err = p.nodeTable(ctx); err != nil {
		return err
	}
	view.Keys = p.signingTable()
	return p.set.Render(w, r, http.StatusOK, "overview", view)
}

// usage reads the rows of a query until now.
func (p *rooms) usage(ctx context.Context, d *desk, q manage.UsageQuery) ([]lanyard.UsageRow, error) {
	q.To = p.Now()
	return p.Manage.UsageSums(ctx, d.Actor, q)
}

// allowed reports whether an outcome is a call let through.
func allowed(outcome string) bool { return outcome == string(policy.Valid) }

func sums(rows []lanyard.UsageRow) (yes, no int64) {
	for _, row := range rows {
		if allowed(row.Outcome) {
			yes += row.Count
		} else {
			no += row.Count
		}
	}
	return yes, no
}

// calls draws the last 24 hours and counts today and this month.
func (p *rooms) calls(ctx context.Context, d *desk, month []lanyard.UsageRow) (page.Chart, []page.Number, error) {
	now := p.Now().UTC()
	first := now.Truncate(time.Hour).Add(-23 * time.Hour)
	rows, err := p.usage(ctx, d, manage.UsageQuery{From: first, Granularity: "hour", GroupBy: []string{"outcome"}})
	if err != nil {
		return page.Chart{}, nil, err
	}
	today, err := p.usage(ctx, d, manage.UsageQuery{From: now.Truncate(24 * time.Hour), Granularity: "day", GroupBy: []string{"outcome"}})
	if err != nil {
		return page.Chart{}, nil, err
	}
	chart := page.Chart{ID: "hours", Caption: "Calls an hour, the last 24 hours (UTC)", What: "Hour"}
	if len(rows) > 0 {
		chart.Bars = make([]page.Bar, 24)
		for i := range chart.Bars {
			chart.Bars[i].Label = first.Add(time.Duration(i) * time.Hour).Format("15:04")
		}
	}
	for _, row := range rows {
		i := int(row.Start.Sub(first) / time.Hour)
		if i < 0 || i >= len(chart.Bars) {
			continue
		}
		if allowed(row.Outcome) {
			chart.Bars[i].Allowed += row.Count
		} else {
			chart.Bars[i].Refused += row.Count
		}
	}
	yesToday, noToday := sums(today)
	yes, no := sums(month)
	refused := page.Number{Text: page.Count(no), What: "of them refused", Link: page.Link{Text: "of them refused", URL: "#denials"}}
	if no > 0 {
		refused.Tone = "warn"
	}
	numbers := []page.Number{{Text: page.Count(yesToday + noToday), What: "calls today"}, {Text: page.Count(yes + no), What: "calls this month"}, refused}
	return chart, numbers, nil
}

// denials lists why calls were refused, the most frequent reason first, with who can mend each.
func denials(rows []lanyard.UsageRow) page.Table {
	made := page.Table{
		Caption: "Refused this month, by reason", Heads: []page.Head{{Text: "Why"}, {Text: "Who can mend it"}, {Text: "Calls", Number: true}},
		Empty: page.Empty{Title: "No call was refused this month", Text: "When one is, it stands here with why, and with who can mend it."},
	}
	slices.SortStableFunc(rows, func(a, b lanyard.UsageRow) int { return cmp.Compare(b.Count, a.Count) })
	for _, row := range rows {
		if allowed(row.Outcome) {
			continue
		}
		said := advice.Denial(policy.Code(row.Outcome), advice.Case{})
		to := ""
		if _, written := advice.Pages()[row.Outcome]; written {
			to = "/errors/" + row.Outcome
		}
		made.Rows = append(made.Rows, page.Row{URL: to, Cells: []page.Cell{{Text: said.Title, Note: row.Outcome}, {Text: said.Who}, {Text: page.Count(row.Count)}}})
	}
	return made
}

// newest lists the apps made last.
func (p *rooms) newest(ctx context.Context, d *desk) (page.Table, error) {
	made := page.Table{
		Caption: "Newest apps", Heads: []page.Head{{Text: "App"}, {Text: "Team"}, {Text: "Made"}},
		Empty: page.Empty{Title: "No app yet", Text: "An app is what calls your APIs. Teams make them under Developers.", Link: page.Link{Text: "Open Developers", URL: "/developers"}},
	}
	found, err := p.Manage.Apps(ctx, d.Actor, "", "", manage.List{Limit: 6})
	if err != nil {
		return made, err
	}
	called := p.names(d)
	for _, a := range found.Items {
		team, err := called.of(ctx, a.TeamID)
		if err != nil {
			return made, err
		}
		made.Rows = append(made.Rows, page.Row{URL: deskOf(a), Cells: []page.Cell{{Text: a.Name}, {Text: team}, {Text: page.Ago(p.Now(), a.CreatedAt)}}})
	}
	return made, nil
}

// ending lists the keys that end soon.
func (p *rooms) ending(ctx context.Context, d *desk) (page.Table, error) {
	made := page.Table{
		Caption: "Keys that end within 30 days", Heads: []page.Head{{Text: "Key"}, {Text: "App"}, {Text: "Ends"}},
		Empty: page.Empty{Title: "No key ends within 30 days", Text: "Keys with an end stand here a month before it."},
	}
	found, err := p.Manage.EndingKeys(ctx, d.Actor, endsSoon, 6)
	if err != nil {
		return made, err
	}
	called := p.names(d)
	for _, k := range found {
		name, err := called.of(ctx, k.AppID)
		if err != nil {
			return made, err
		}
		made.Rows = append(made.Rows, page.Row{URL: "/developers/" + k.TeamID, Cells: []page.Cell{{Text: k.Name, Note: k.ID}, {Text: name}, {Text: page.Ahead(p.Now(), *k.ExpiresAt), Note: date(*k.ExpiresAt)}}})
	}
	return made, nil
}

// nodeTable lists the servers that run, and how far behind the newest of them each is.
func (p *rooms) nodeTable(ctx context.Context) (page.Table, error) {
	made := page.Table{
		Caption: "Servers", Heads: []page.Head{{Text: "Server"}, {Text: "State"}, {Text: "Seen"}, {Text: "Changes behind", Number: true}},
		Empty: page.Empty{Title: "No server reports", Text: "Each one tells the database that it runs, four times a second. Look at its log."},
	}
	found, now, err := p.Server.Nodes(ctx, nodesSeen)
	if err != nil {
		return made, err
	}
	var head id.Revision
	for i := range found {
		head = max(head, found[i].Applied)
	}
	for i := range found {
		n := &found[i]
		state, seen := page.Cell{Text: "runs", Pill: "good"}, "just now"
		if lag := now.Sub(n.SeenAt); lag >= late {
			state, seen = page.Cell{Text: "silent", Pill: "bad", Note: "it refuses every call"}, lag.Round(time.Second).String()+" ago"
		}
		made.Rows = append(made.Rows, page.Row{Cells: []page.Cell{{Text: n.Name, Note: "since " + moment(n.StartedAt)}, state, {Text: seen}, {Text: page.Count(int64(head - n.Applied))}}})
	}
	return made, nil
}

// signingTable lists the keys that sign, with their age.
func (p *rooms) signingTable() page.Table {
	made := page.Table{Caption: "Signing keys", Heads: []page.Head{{Text: "Key"}, {Text: "Algorithm"}, {Text: "State"}, {Text: "Age"}}}
	for _, k := range p.signing() {
		made.Rows = append(made.Rows, page.Row{URL: "/admin/keys", Cells: []page.Cell{{Text: k.KeyID, Code: true}, {Text: k.Purpose.Algorithm()}, k.state, {Text: page.Roughly(p.Now().Sub(k.CreatedAt))}}})
	}
	return made
}

// signing is a key that signs, with where it stands in its life.
type signing struct {
	keyring.Info
	state      page.Cell
	from, till time.Time // when it signs; zero: it does not begin, or end, yet
}

// signing lists the keys that sign, the newest of each algorithm first.
func (p *rooms) signing() []signing {
	var out []signing
	now := p.Now()
	for _, k := range p.Ring.List() {
		if k.Purpose.Algorithm() == "" {
			continue
		}
		one := signing{Info: k, from: k.CreatedAt.Add(keyring.PublishAhead)}
		if last := len(out) - 1; last >= 0 && out[last].Purpose == k.Purpose {
			one.till = out[last].from
		}
		out = append(out, one)
	}
	for i := range out {
		first := i+1 == len(out) || out[i+1].Purpose != out[i].Purpose // the oldest of its algorithm signs at once
		switch {
		case !out[i].till.IsZero() && !now.Before(out[i].till):
			out[i].state = page.Cell{Text: "retiring", Pill: "warn"}
		case first || !now.Before(out[i].from):
			out[i].state = page.Cell{Text: "signs", Pill: "good"}
		default:
			out[i].state = page.Cell{Text: "published", Pill: "warn"}
		}
		if first {
			out[i].from = out[i].CreatedAt
		}
	}
	return out
}

// deskOf is where an app stands at its team's desk.
func deskOf(a lanyard.App) string {
	return "/developers/" + strings.Join([]string{a.TeamID, "apps", a.ID}, "/")
}
