package store_test

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/pgtest"
	"github.com/lanyard-auth/lanyard/internal/server"
	"github.com/lanyard-auth/lanyard/internal/server/admin"
	"github.com/lanyard-auth/lanyard/internal/server/developers"
	"github.com/lanyard-auth/lanyard/internal/servertest"
	"github.com/lanyard-auth/lanyard/internal/store"
)

const password = "blue cabbage under 9 moons"

// Every page of the developers and of the administration is walked, by every link that leads on from it: to another order, narrower,
// further. Whatever it asks the database for is found by an index, and there is a limit to it.
func TestPagesUseIndexes(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			o := servertest.Options{Dir: t.TempDir()}
			dsn := filepath.Join(o.Dir, "lanyard.db")
			if engine == "postgres" {
				o.DatabaseURL = pgtest.Start(t)
				dsn = o.DatabaseURL
			}
			var planner *store.Planner
			o.Before = func(s *server.Server) { planner = store.Listen(t, s.Store, dsn) }
			n := servertest.Start(t, o)
			w := newWalk(t, n)
			w.from("admin@example.com", "/admin", "/developers/"+w.team, "/developers/"+w.team+"/keys/new?api=weather", "/setup/api", "/setup/call", "/developers/get-key")
			w.from("dev@example.com", "/developers/"+w.team, "/developers/"+w.team+"/keys/new?api=weather")
			w.complete()
			heard := planner.Heard()
			if len(heard) < 100 {
				t.Errorf("%d different queries were heard, want those of all pages", len(heard))
			}
			for _, text := range heard {
				checkPlan(t, engine, planner, text)
			}
		})
	}
}

// few are tables that do not grow with use: the catalog, our own keys, the nodes.
const few = `api|scope|setting|keyring|node|change_head`

var (
	wholeTable = regexp.MustCompile(`(?m)SCAN (\w+)( AS \w+)?( .*)?$|Seq Scan on (\w+)`)
	sorted     = regexp.MustCompile(`TEMP B-TREE FOR (LAST \d+ TERMS? OF )?ORDER BY|(?m)^.*\bSort\b`)
	search     = regexp.MustCompile(`SEARCH \w+ USING (?:COVERING )?INDEX (\w+) \(([^)]*)\)`)
	// By an address people are ordered already, as it is unique: of those that have the same, one, nothing is sorted.
	unique = regexp.MustCompile(`Incremental Sort.*\n\s*Sort Key: email_key( DESC)?, id( DESC)?\n\s*Presorted Key: email_key`)
	single = regexp.MustCompile(`^\s*SELECT (COUNT|EXISTS|MAX|1$|CAST\(unixepoch|CAST\(extract)`)
	// What is found by its owner or by a time, and is few by its nature: the catalog and the nodes; the teams of one person; the secrets of
	// the keys of a page; the plans of a team and the versions of an API's, a row for each change; what one session or one grant has; and sums over a time, which are made of
	// whatever was counted in it.
	small = regexp.MustCompile(`FROM (api|scope|keyring|node|setting|usage_rollup|usage_total)\b|FROM member m JOIN team t|FROM api_key_version WHERE key_id IN|FROM subscription WHERE team_id|FROM plan_version WHERE api`)
)

// checkPlan wants a query to read no growing table whole, to sort nothing but a handful, and to answer a bounded number of rows.
func checkPlan(t *testing.T, engine string, planner *store.Planner, text string) {
	t.Helper()
	if !strings.HasPrefix(strings.TrimSpace(text), "SELECT") {
		return // the steps are asked in TestListsUseIndexes
	}
	plan := planner.Plan(t, text)
	for _, m := range wholeTable.FindAllStringSubmatch(plan, -1) {
		table, byIndex := m[1]+m[4], strings.Contains(m[3], "INDEX")
		if byIndex && strings.Contains(text, "LIMIT") || table == "CONSTANT" || regexp.MustCompile(`^(`+few+`)$`).MatchString(table) {
			continue
		}
		t.Errorf("reads %s whole:\n%s\n%s", table, text, plan)
	}
	if sorted.MatchString(unique.ReplaceAllString(plan, "")) && !small.MatchString(text) {
		t.Errorf("sorts:\n%s\n%s", text, plan)
	}
	if !strings.Contains(text, "LIMIT") && !single.MatchString(text) && !small.MatchString(text) && engine == "sqlite" {
		m := search.FindStringSubmatch(plan)
		if m == nil || !planner.UniqueBy(t, m[1], strings.Count(m[2], "=?")) {
			t.Errorf("has no limit and no unique key:\n%s\n%s", text, plan)
		}
	}
}

// walk is a crawl through pages with something on them.
type walk struct {
	t       *testing.T
	n       *servertest.Node
	team    string
	visited map[string]bool // shapes of addresses, by who
	found   map[string]bool // patterns
	mux     *http.ServeMux
}

func newWalk(t *testing.T, n *servertest.Node) *walk {
	t.Helper()
	ctx, operator := t.Context(), audit.Command("test")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	shop := n.Open(t)
	api := servertest.Catalog().APIs["weather"]
	api.Plans = map[string]lanyard.Plan{"free": {Default: true, Limits: []string{"60/minute"}, Currency: "USD", Fee: "1"}, "large": {}}
	_, err := n.Manage.PutAPI(ctx, operator, "weather", api, false)
	must(err)
	w := &walk{t: t, n: n, team: shop.Team.ID, visited: map[string]bool{}, found: map[string]bool{}, mux: http.NewServeMux()}
	_, err = n.Manage.CreateUser(ctx, operator, lanyard.UserInput{Email: "admin@example.com", Name: "Root", Password: password, Admin: true})
	must(err)
	dev, err := n.Manage.CreateUser(ctx, operator, lanyard.UserInput{Email: "dev@example.com", Name: "Dara", Password: password})
	must(err)
	_, err = n.Manage.SetMember(ctx, operator, w.team, lanyard.Member{UserID: dev.ID, Role: "owner"})
	must(err)
	for i := range 60 { // more than a page
		a, err := n.Manage.CreateApp(ctx, operator, lanyard.AppInput{Name: fmt.Sprintf("App %d", i), TeamID: w.team, OAuthSettings: lanyard.OAuthSettings{RedirectURIs: []string{"https://app.example/callback"}}})
		must(err)
		ends := time.Now().Add(48 * time.Hour)
		k, err := n.Manage.CreateKey(ctx, operator, a.ID, lanyard.KeyInput{Name: fmt.Sprintf("Key %d", i), Scopes: []string{"forecast.read"}, ExpiresAt: &ends})
		must(err)
		u, err := n.Manage.CreateUser(ctx, operator, lanyard.UserInput{Email: fmt.Sprintf("p%d@example.com", i), Name: fmt.Sprintf("Person %d", i)})
		must(err)
		_, err = n.Manage.CreateTeam(ctx, operator, lanyard.TeamInput{Name: fmt.Sprintf("Team %d", i), OwnerID: dev.ID})
		must(err)
		now := time.Now()
		_, err = n.Store.Allow(ctx, &grant.Grant{ID: id.New[id.Grant](), User: id.User(u.ID), App: id.App(a.ID), Scopes: []string{"forecast.read"}, CreatedAt: now, UpdatedAt: now}, operator.New(now, "grant.allow", a.ID, id.Team(w.team), nil))
		must(err)
		if i < 3 {
			_, err = n.Admin.Verify(ctx, lanyard.VerifyRequest{Credential: k.Secret, API: "weather", Method: "GET", Path: "/v1/forecast"})
			must(err)
			_, err = n.Manage.CreateSecret(ctx, operator, a.ID, lanyard.SecretInput{Name: "secret"})
			must(err)
		}
	}
	_, err = n.Manage.CreateWebhook(ctx, operator, lanyard.WebhookInput{TeamID: w.team, URL: "https://hooks.example/in"})
	must(err)
	_, err = n.Manage.InviteToTeam(ctx, operator, w.team, lanyard.InvitationInput{Email: "new@example.com", Role: "developer"})
	must(err)
	event := billing.MeterEvent{Source: "test", ID: "1", Team: id.Team(w.team), API: "weather", Meter: "requests", At: time.Now(), Units: 1}
	_, err = n.Store.RecordEvents(ctx, []billing.MeterEvent{event}, time.Now()) // so that there is an account
	must(err)
	_, err = n.Store.DraftInvoices(ctx, time.Now().AddDate(0, 1, 5), time.Hour, 10)
	must(err)
	for _, pattern := range append(admin.Patterns(), developers.Patterns()...) {
		w.mux.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) {})
	}
	return w
}

var (
	href  = regexp.MustCompile(`(?:href|action|data-from)="(/(?:admin|developers|setup)[^"]*)"`)
	ids   = regexp.MustCompile(`([a-z]+)_[0-9A-Za-z]{16}`)
	other = regexp.MustCompile(`cursor=[^&]*|name=[^&]*|of=[^&]*`)
)

// from walks on from pages as somebody who is signed in: one page of each kind in each order and choice.
func (w *walk) from(email string, paths ...string) {
	w.t.Helper()
	b := w.n.Browser(w.t)
	if p := b.Press(b.Get("/login"), "sign-in", map[string]string{"login": email, "password": password}); p.Status != http.StatusOK {
		w.t.Fatalf("signing in as %s = %d", email, p.Status)
	}
	for len(paths) > 0 {
		path := paths[0]
		paths = paths[1:]
		shape := email + other.ReplaceAllString(ids.ReplaceAllString(path, "$1"), "x")
		if w.visited[shape] || strings.Count(path, "=") > 3 || strings.Contains(path, "export") && !strings.Contains(path, "format=csv") {
			continue
		}
		w.visited[shape] = true
		request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, path, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		_, pattern := w.mux.Handler(request)
		if !strings.HasPrefix(pattern, "GET ") {
			continue // a form's
		}
		p := b.Get(path)
		if p.Status != http.StatusOK {
			w.t.Errorf("GET %s as %s = %d", path, email, p.Status)
		}
		w.found[pattern] = true
		for _, m := range href.FindAllStringSubmatch(p.Body, -1) {
			paths = append(paths, html.UnescapeString(m[1]))
		}
		paths = append(paths, searches(p.Body)...)
	}
}

var (
	searchForm = regexp.MustCompile(`(?s)<form class="(?:search|panel narrowing)" method="get" action="([^"]*)".*?</form>`)
	selects    = regexp.MustCompile(`(?s)<select id="([^"]*)".*?</select>`)
	values     = regexp.MustCompile(`<option value="([^"]+)"`)
)

// searches are the addresses that the search forms of a page lead to: for something, and for each choice.
func searches(body string) (out []string) {
	for _, form := range searchForm.FindAllStringSubmatch(body, -1) {
		to := html.UnescapeString(form[1])
		out = append(out, to+"?q=e", to+"?q=e&sort=name&order=asc", to+"?action=app.create", to+"?target=x&actor=y", to+"?from=2026-01-01&to=2099-01-01")
		for _, s := range selects.FindAllStringSubmatch(form[0], -1) {
			for _, v := range values.FindAllStringSubmatch(s[0], -1) {
				out = append(out, to+"?"+url.Values{s[1]: {html.UnescapeString(v[1])}}.Encode())
			}
		}
	}
	return out
}

// complete wants every page to have been seen.
func (w *walk) complete() {
	w.t.Helper()
	for _, pattern := range slices.Concat(admin.Patterns(), developers.Patterns()) {
		if strings.HasPrefix(pattern, "GET ") && !w.found[pattern] {
			w.t.Errorf("no link leads to %s", pattern)
		}
	}
}
