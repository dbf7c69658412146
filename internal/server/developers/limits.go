package developers

import (
	"net/http"
	"slices"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// limitRows are the rows of a table of limits. whose is what their names begin with in answers, counts which calls they count.
func limitRows(limits []lanyard.Limit, whose, counts string) (rows []page.Row) {
	for _, l := range limits {
		rows = append(rows, page.Row{Cells: []page.Cell{{Text: manage.LimitText(l), Note: manage.LimitWords(l)}, {Text: counts}, {Text: whose + l.Name, Code: true}}})
	}
	return rows
}

// limitTable lists the limits that bind the team, or a key of one of its apps. With a key it leaves out the APIs that the key's scopes say
// nothing of, and what is counted for each person: a key acts for nobody.
func (p *rooms) limitTable(r *http.Request, d *desk, k *lanyard.Key, owner *lanyard.App) (page.Table, error) {
	made := page.Table{Caption: "Limits", Heads: []page.Head{{Text: "Limit"}, {Text: "Counts"}, {Text: "Name"}}, Empty: page.Empty{
		Title: "Nothing limits how fast you call", Text: "When a plan, your team or an API has a limit, it stands here with what it counts.",
	}}
	view, err := p.Verifier.Catalog(r.Context())
	if err != nil {
		return made, err
	}
	opens := func(*catalog.Compiled) bool { return true }
	if k != nil {
		made.Rows = append(limitRows(k.Limits, "", "the calls with this key"), limitRows(owner.Limits, "app-", "the calls of "+owner.Name+", with any credential")...)
		opens = func(api *catalog.Compiled) bool {
			return slices.ContainsFunc(k.Scopes, func(scope string) bool { return view.ByScope(scope) == api })
		}
	}
	made.Rows = append(made.Rows, limitRows(d.Team.Limits, "team-", "the calls of all your apps together, on every API")...)
	plans, err := p.Manage.TeamPlans(r.Context(), d.Actor, d.Team.ID)
	if err != nil {
		return made, err
	}
	for _, api := range view.All() {
		if !opens(api) {
			continue
		}
		name := titleOf(api)
		for i := range plans {
			if plan := &plans[i]; plan.API == api.Policy.Name {
				made.Rows = append(made.Rows, declaredRows(plan.Spec.Limits, "plan-", "your team’s calls of "+name+", by the plan "+page.Upper(plan.Plan))...)
			}
		}
		if k == nil {
			made.Rows = append(made.Rows, declaredRows(api.Spec.UserLimits, "api-user-", "the calls of "+name+" for one person, through whatever app")...)
		}
		made.Rows = append(made.Rows, declaredRows(api.Spec.Limits, "api-", "the calls of "+name+" by everybody, other teams too")...)
	}
	return made, nil
}

// declaredRows are those of limits that the catalog declares, which were found sound when they were.
func declaredRows(texts []string, whose, counts string) []page.Row {
	limits, _ := manage.EditLimits(nil, texts)
	return limitRows(limits, whose, counts)
}
