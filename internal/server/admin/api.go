package admin

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// apiPage is GET /admin/apis/{name}.
type apiPage struct {
	page.Room
	Heading    string
	API        lanyard.API
	Facts      []fact
	Doors      []factGroup // what the gateway and its like go by
	Findings   []page.Alert
	Scopes     page.Table
	Operations page.Listed
	Plans      page.Table
	Remove     page.Ask
}

// factGroup is facts under a heading.
type factGroup struct {
	ID, Title string
	Facts     []fact
	Empty     page.Empty // stands in their place where there are none
}

// Path is the API's page, or one below it.
func (v apiPage) Path(part string) string { return apiPath(v.API.Name) + part }

// api is GET /admin/apis/{name}.
func (p *rooms) api(w http.ResponseWriter, r *http.Request, d *desk) error {
	a, err := p.Manage.API(r.Context(), d.Actor, r.PathValue("name"))
	if err != nil {
		return err
	}
	view := apiPage{Room: p.room(r, d, "/admin/apis", titleOf(a)), Heading: titleOf(a), API: a, Facts: p.apiFacts(a), Doors: doorFacts(a), Scopes: scopeTable(a), Plans: planTable(a)}
	if view.Done, err = p.told(r, d); err != nil {
		return err
	}
	for _, f := range catalog.Lint(a) {
		view.Findings = append(view.Findings, page.Alert{Tone: "warn", Title: "Look at this:", Text: f.Text})
	}
	view.Operations = operationList(a, page.NewList(apiPath(a.Name), r.URL.Query(), "Operations by method, path or scope", "path", "-cost"))
	view.Remove = page.Ask{
		ID: "remove-api", Text: "Remove this API", Act: page.Act{URL: view.Path("/remove"), Text: "Remove " + a.Name, Danger: true},
		Warn: "Every call to " + titleOf(a) + " is refused within a second, whatever credential it brings. Keys and badges keep the names of its scopes, and would hold them again if an API declared them anew. What was counted stays.",
	}
	return p.set.Render(w, r, http.StatusOK, "api", view)
}

// apiFacts are how an API is called, what it takes and what its tokens are like.
func (p *rooms) apiFacts(a lanyard.API) []fact {
	out := []fact{
		{"Name", a.Name},
		{"Takes", takes(a.Takes)},
		{"Identifier", p.Settings.Identifier(a)},
		{"Keys stand in", strings.Join(a.KeyIn, " or ")},
	}
	if t := a.Token; t != nil {
		text := "opaque, worth " + t.Lifetime
		if t.Format == "jwt" {
			text = "JWT signed with " + cmp.Or(t.Algorithm, "ES256") + ", worth " + t.Lifetime
		}
		out = append(out, fact{"Its tokens", text})
	}
	if len(a.Limits) > 0 {
		out = append(out, fact{"Limits on all callers", strings.Join(a.Limits, ", ")})
	}
	if len(a.UserLimits) > 0 {
		out = append(out, fact{"Limits on each person", strings.Join(a.UserLimits, ", ")})
	}
	return out
}

// doorFacts are where the API stands, which scripts may call it, and what of it is counted. A line is an entry.
func doorFacts(a lanyard.API) []factGroup {
	where := factGroup{ID: "where", Title: "Where it stands", Empty: page.Empty{
		Title: "It stands nowhere yet", Text: "With a route it is found at the gateway and at proxies that ask Lanyard. Without one it asks Lanyard itself about each call.",
		Link: page.Link{Text: "Say where it stands", URL: apiPath(a.Name) + "/edit#stands"},
	}}
	if len(a.Routes) > 0 || len(upstreams(a)) > 0 || a.Health != nil || a.Timeout != "" {
		var routes []string
		for _, r := range a.Routes {
			text := r.Host + r.Prefix
			if r.StripPrefix {
				text += ", which the upstream does not see"
			}
			routes = append(routes, text)
		}
		health := "none"
		if a.Health != nil {
			health = "GET " + a.Health.Path + " below 400, every " + cmp.Or(a.Health.Every, "5s")
		}
		where.Facts = []fact{
			{"Routes", cmp.Or(strings.Join(routes, "\n"), "none: callers find it at no gateway")},
			{"Upstreams", cmp.Or(strings.Join(upstreams(a), "\n"), "none: the gateway cannot send its calls on")},
			{"Health check", health},
			{"Begins its answer within", cmp.Or(a.Timeout, "60s")},
		}
	}
	count := factGroup{ID: "counted", Title: "Counting", Facts: []fact{{"Metering", map[string]string{"exact": "every call is counted", "none": "calls are not counted"}[a.Metering]}}}
	if a.Metering != "none" {
		count.Facts = append(count.Facts, fact{"At the gateway", map[bool]string{false: "once a call goes to an upstream", true: "if the answer has a status below 400"}[a.Charge == "success"]})
	}
	if len(a.Meters) > 0 {
		count.Facts = append(count.Facts, fact{"Meters", metersText(a)})
	}
	if len(a.Stripe) > 0 {
		count.Facts = append(count.Facts, fact{"Told to Stripe", stripeText(a)})
	}
	return []factGroup{where, {ID: "scripts", Title: "Browsers", Facts: []fact{{"May call from", cmp.Or(strings.Join(originsOf(a), "\n"), "no other site")}}}, count}
}

func scopeTable(a lanyard.API) page.Table {
	made := page.Table{
		Caption: "Scopes", Heads: []page.Head{{Text: "Scope"}, {Text: "Lets do"}, {Text: "Granted by"}, {Text: "Kind"}},
		Empty: page.Empty{Title: "No scope yet", Text: "A scope is a permission with a name, like forecast.read. Without one, whoever holds a credential may do everything.", Link: page.Link{Text: "Add a scope", URL: apiPath(a.Name) + "/scope"}},
	}
	for _, name := range slices.Sorted(maps.Keys(a.Scopes)) {
		s := a.Scopes[name]
		kind := page.Cell{Text: "reads"}
		if s.Writes {
			kind = page.Cell{Text: "writes", Pill: "warn"}
		}
		row := page.Row{URL: apiPath(a.Name) + "/scope?name=" + url.QueryEscape(name), Cells: []page.Cell{{Text: name}, {Text: s.Text}, {Text: grantable(s.GrantableBy)}, kind}}
		if s.Default {
			row.Cells[0].Note = "ticked by default"
		}
		made.Rows = append(made.Rows, row)
	}
	return made
}

// grantable says who may hand a scope out.
func grantable(by string) string {
	switch by {
	case "team_owner":
		return "owners of a team"
	case "admin":
		return "admins"
	}
	return "everyone"
}

// operationList lists the operations that a search finds.
func operationList(a lanyard.API, l page.List) page.Listed {
	made := page.Table{
		Caption: "Operations", Heads: []page.Head{l.Head("Operation", "path"), {Text: "Takes"}, {Text: "Asks for"}, l.Head("Cost", "cost")},
		Empty: page.Empty{Title: "No operation yet", Text: "Calls to what no operation names are refused.", Link: page.Link{Text: "Add an operation", URL: apiPath(a.Name) + "/operation"}},
	}
	made.Heads[3].Number = true
	var names []string
	for name, op := range a.Operations {
		if l.Search.Holds(name + " " + strings.Join(op.Scopes, " ")) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(x, y string) int {
		if l.Down {
			x, y = y, x
		}
		by := 0
		if l.Sort == "cost" {
			by = cmp.Compare(cost(a.Operations[x]), cost(a.Operations[y]))
		}
		return cmp.Or(by, cmp.Compare(pathOf(x), pathOf(y)), cmp.Compare(x, y))
	})
	names, pages := page.Cut(l, names, perPage)
	for _, name := range names {
		op := a.Operations[name]
		made.Rows = append(made.Rows, page.Row{URL: apiPath(a.Name) + "/operation?name=" + url.QueryEscape(name), Cells: []page.Cell{
			{Text: name, Code: true}, {Text: takes(cmp.Or(op.Takes, a.Takes))}, {Text: asks(op)}, {Text: page.Count(cost(op))},
		}})
	}
	return l.Show(made, pages)
}

// asks is what a call needs beside its credential.
func asks(op lanyard.Operation) string {
	text := cmp.Or(strings.Join(op.Scopes, ", "), "no scope")
	if op.MaxAge != "" {
		text += ", a sign-in within " + op.MaxAge
	}
	return text
}

func pathOf(operation string) string {
	_, path, _ := strings.Cut(operation, " ")
	return path
}

// cost is what one call counts for.
func cost(op lanyard.Operation) int64 {
	if op.Cost == nil {
		return 1
	}
	return *op.Cost
}

func planTable(a lanyard.API) page.Table {
	made := page.Table{
		Caption: "Plans", Heads: []page.Head{{Text: "Plan"}, {Text: "Limits"}, {Text: "Quota"}},
		Empty: page.Empty{Title: "No plan yet", Text: "A plan limits how much a team may call. Without one nothing is limited.", Link: page.Link{Text: "Add a plan", URL: apiPath(a.Name) + "/plan"}},
	}
	for _, name := range slices.Sorted(maps.Keys(a.Plans)) {
		plan := a.Plans[name]
		row := page.Row{URL: apiPath(a.Name) + "/plan?name=" + url.QueryEscape(name), Cells: []page.Cell{{Text: name, Note: plan.Text}, {Text: cmp.Or(strings.Join(plan.Limits, ", "), "none")}, {Text: cmp.Or(plan.Quota, "none")}}}
		if plan.Default {
			row.Cells[0].Note = strings.TrimSpace("of every team that chose none. " + plan.Text)
		}
		made.Rows = append(made.Rows, row)
	}
	return made
}

// removeAPI is POST /admin/apis/{name}/remove.
func (p *rooms) removeAPI(w http.ResponseWriter, r *http.Request, d *desk) error {
	name := r.PathValue("name")
	if _, err := p.Manage.DeleteAPI(r.Context(), d.Actor, name); err != nil {
		return err
	}
	return page.Redirect(w, r, done("/admin/apis", "api.delete", name))
}

// changePage is what a change of an API would do, before it is done.
type changePage struct {
	page.Room
	Heading  string
	Back     page.Link
	Table    page.Table
	Warnings []page.Alert
	Act      page.Act
}

// change brings an API to what alter makes of it: read whole, changed, written back. A change that removes something is shown first, as a
// dry run finds it, and asks once. What is refused is shown by again, which is the form anew.
func (p *rooms) change(w http.ResponseWriter, r *http.Request, d *desk, alter func(*lanyard.API) error, again func(lanyard.API, error) error) error {
	name := r.PathValue("name")
	before, err := p.Manage.API(r.Context(), d.Actor, name)
	if err != nil {
		return err
	}
	a := before
	a.Scopes, a.Operations, a.Plans = maps.Clone(a.Scopes), maps.Clone(a.Operations), maps.Clone(a.Plans)
	if err := alter(&a); err != nil {
		return again(before, err)
	}
	diff, err := p.Manage.PutAPI(r.Context(), d.Actor, name, a, true)
	if err != nil {
		return again(before, err)
	}
	removes := slices.ContainsFunc(diff.Changes, func(c lanyard.CatalogChange) bool { return c.Action == "remove" })
	if removes && r.PostForm.Get("sure") != "yes" {
		return p.showChange(w, r, d, before, diff)
	}
	if len(diff.Changes) == 0 {
		return page.Redirect(w, r, apiPath(name))
	}
	if _, err := p.Manage.PutAPI(r.Context(), d.Actor, name, a, false); err != nil {
		return again(before, err)
	}
	return page.Redirect(w, r, done(apiPath(name), "api.put", name))
}

// showChange shows what a change would do and offers to do it: button change-yes.
func (p *rooms) showChange(w http.ResponseWriter, r *http.Request, d *desk, a lanyard.API, diff lanyard.CatalogDiff) error {
	view := changePage{
		Room: p.room(r, d, "/admin/apis", "What this changes"), Heading: "What this changes in " + titleOf(a), Back: page.Link{Text: titleOf(a), URL: apiPath(a.Name)},
		Act: page.Act{ID: "change-yes", URL: r.URL.Path, Text: "Make " + page.CountOf(int64(len(diff.Changes)), "change"), Danger: true, Hidden: append(again(r.PostForm), page.Hidden{Name: "sure", Value: "yes"})},
	}
	for _, text := range diff.Warnings {
		view.Warnings = append(view.Warnings, page.Alert{Tone: "warn", Title: "Mind:", Text: text + "."})
	}
	view.Table = changeTable(diff.Changes)
	return p.set.Render(w, r, http.StatusOK, "api-change", view)
}

// changeTable lists differences of the catalog.
func changeTable(changes []lanyard.CatalogChange) page.Table {
	made := page.Table{Caption: "Changes", Heads: []page.Head{{Text: "What"}, {Text: "Where"}, {Text: "Before"}, {Text: "After"}}, Empty: page.Empty{Title: "Nothing changes", Text: "The declaration says this already."}}
	const most = 200
	for i, c := range changes {
		if i == most {
			made.Rows = append(made.Rows, page.Row{Cells: []page.Cell{{Text: "…"}, {Text: strconv.Itoa(len(changes)-most) + " more"}, {}, {}}})
			break
		}
		tone := map[string]string{"add": "good", "change": "warn", "remove": "bad"}[c.Action]
		made.Rows = append(made.Rows, page.Row{Cells: []page.Cell{{Text: c.Action, Pill: tone}, {Text: c.Path, Code: true}, {Text: c.Before}, {Text: c.After}}})
	}
	return made
}
