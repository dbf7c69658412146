package admin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page/pagetest"
	"github.com/lanyard-auth/lanyard/internal/server/admin"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

const password = "blue cabbage under 9 moons"

// world is a server with an admin, a person, a shop with a key that ends soon, and a browser of the admin's.
type world struct {
	*servertest.Node
	shop        servertest.Shop
	root, ada   lanyard.User
	adminsees   *servertest.Browser
	personssees *servertest.Browser
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Node: servertest.Start(t, servertest.Options{Settings: func(s *config.Settings) { s.Signup = "invite" }})}
	w.shop = w.Open(t)
	w.root, w.ada = w.person(t, "root", true), w.person(t, "ada", false)
	ends := time.Now().Add(48 * time.Hour)
	if _, err := w.Node.Admin.CreateKey(t.Context(), w.shop.App.ID, lanyard.KeyInput{Name: "short-lived", Scopes: []string{"forecast.read"}, ExpiresAt: &ends}); err != nil {
		t.Fatal(err)
	}
	w.adminsees, w.personssees = w.signIn(t, w.root), w.signIn(t, w.ada)
	return w
}

func (w *world) person(t *testing.T, name string, isAdmin bool) lanyard.User {
	t.Helper()
	u, err := w.Manage.CreateUser(t.Context(), audit.Command("test"), lanyard.UserInput{Email: name + "@example.com", Name: strings.ToUpper(name[:1]) + name[1:], Password: password, Admin: isAdmin})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (w *world) signIn(t *testing.T, u lanyard.User) *servertest.Browser {
	t.Helper()
	b := w.Browser(t)
	if p := b.Press(b.Get("/login"), "sign-in", map[string]string{"login": u.Email, "password": password}); p.Status != http.StatusOK {
		t.Fatalf("%s cannot sign in: %d at %s", u.Email, p.Status, p.URL)
	}
	return b
}

// lines counts the audit log: a refused act leaves none.
func (w *world) lines(t *testing.T) int {
	t.Helper()
	found, err := w.Manage.Audit(t.Context(), audit.Command("test"), "", "", manage.List{Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	return len(found.Items)
}

// paths fills in the routes' wildcards with things that are there.
func (w *world) paths(method string) []string {
	var out []string
	for _, pattern := range admin.Patterns() {
		if path, is := strings.CutPrefix(pattern, method+" "); is {
			out = append(out, strings.NewReplacer("{name}", "weather", "{user}", w.ada.ID, "{team}", w.shop.Team.ID, "{grant}", "grant_0000000000000000").Replace(path))
		}
	}
	return out
}

// Whoever is no admin finds nothing, whoever is not signed in signs in, and a form that another site sent does nothing.
func TestRefused(t *testing.T) {
	w := newWorld(t)
	before := w.lines(t)
	for _, path := range w.paths("GET") {
		if p := w.personssees.Get(path); p.Status != http.StatusNotFound || strings.Contains(p.Body, "Administration") {
			t.Errorf("GET %s by a person = %d, want 404", path, p.Status)
		}
		if p := w.Browser(t).Get(path); p.URL.Path != "/login" || p.Status != http.StatusOK {
			t.Errorf("GET %s by nobody = %d at %s, want the login", path, p.Status, p.URL)
		}
	}
	posts := w.paths("POST")
	if len(posts) < 20 {
		t.Errorf("%d forms, want those of every page", len(posts))
	}
	for _, path := range posts {
		form := url.Values{"name": {"evil"}, "takes": {"key"}, "act": {"save"}, "email": {"eve@example.com"}, "purpose": {"sign_es256"}, "version": {"1"}, "sure": {"yes"}}
		if p := w.personssees.Post(path, form, nil); p.Status != http.StatusNotFound {
			t.Errorf("POST %s by a person = %d, want 404", path, p.Status)
		}
		if p := w.Browser(t).Post(path, form, nil); p.URL.Path != "/login" {
			t.Errorf("POST %s by nobody = %d at %s, want the login", path, p.Status, p.URL)
		}
		if p := w.adminsees.Post(path, form, http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}}); p.Status != http.StatusForbidden {
			t.Errorf("POST %s from another site = %d, want 403", path, p.Status)
		}
	}
	if after := w.lines(t); after != before {
		t.Errorf("refused forms left %d lines in the audit log, want none", after-before)
	}
}

// Every page is sound, also where strangers chose its words, and those stay text.
func TestPages(t *testing.T) {
	w := newWorld(t)
	const hostile = `"'><script>alert(1)</script>`
	if _, err := w.Manage.CreateUser(t.Context(), audit.Command("test"), lanyard.UserInput{Email: "eve@example.com", Name: hostile, Password: password}); err != nil {
		t.Fatal(err)
	}
	team, err := w.Manage.CreateTeam(t.Context(), audit.Command("test"), lanyard.TeamInput{Name: hostile, OwnerID: w.ada.ID})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Manage.CreateApp(t.Context(), audit.Command("test"), lanyard.AppInput{Name: hostile, TeamID: team.ID}); err != nil {
		t.Fatal(err)
	}
	api := servertest.Catalog().APIs["weather"]
	api.Title, api.Plans = hostile, map[string]lanyard.Plan{"free": {Default: true, Text: hostile, Limits: []string{"60/minute"}}, "large": {}}
	if _, err := w.Manage.PutAPI(t.Context(), audit.Command("test"), "weather", api, false); err != nil {
		t.Fatal(err)
	}
	paths := append(w.paths("GET"), "/admin/teams/"+team.ID, "/admin/apis?q=nothing", "/admin/people?q=nobody@example.com", "/admin/apps?origin=dcr", "/admin/grants?q=ada@example.com",
		"/admin/apis/weather/scope?name=forecast.read", "/admin/apis/weather/operation?name=GET+/v1/forecast", "/admin/apis/weather/plan?name=free",
		"/admin/audit?action=app.create&from=2020-01-01&to=2099-01-01", "/admin/apis?q="+url.QueryEscape(hostile), "/admin/audit?actor="+url.QueryEscape(hostile), "/admin/people/"+w.root.ID)
	for _, path := range paths {
		p := w.adminsees.Get(path)
		switch {
		case strings.HasPrefix(path, "/admin/grants/"):
			if p.Status != http.StatusNotFound {
				t.Errorf("GET %s = %d, want 404", path, p.Status)
			}
			continue
		case path == "/admin/audit/export":
			if p.Status != http.StatusBadRequest {
				t.Errorf("GET %s without a format = %d, want 400", path, p.Status)
			}
			continue
		}
		if p.Status != http.StatusOK || p.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("GET %s = %d, %s, want 200, no-store", path, p.Status, p.Header.Get("Cache-Control"))
		}
		if strings.Contains(p.Body, "<script>") {
			t.Errorf("GET %s holds words as markup", path)
		}
		for _, fault := range pagetest.Faults(p.Body, "script") {
			t.Errorf("GET %s %s", path, fault)
		}
	}
}

// wantOn fails unless a page says all of the words.
func wantOn(t *testing.T, p *servertest.Page, what string, words ...string) {
	t.Helper()
	text := strings.Join(strings.Fields(p.Text()), " ")
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%s (%d at %s) does not say %q:\n%.1500s", what, p.Status, p.URL, word, text)
		}
	}
}

// wantLine fails unless the admin left a line of an act upon a target.
func (w *world) wantLine(t *testing.T, action, target string) {
	t.Helper()
	found, err := w.Manage.SearchAudit(t.Context(), audit.Command("test"), manage.AuditSearch{Action: action, Target: target, Actor: w.root.ID}, manage.List{})
	if err != nil || len(found.Items) == 0 {
		t.Errorf("no audit line %s upon %s by the admin: %v", action, target, err)
	}
}
