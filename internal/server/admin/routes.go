// Package admin serves /admin: what whoever runs the server sees and does. Its APIs and plans, people and teams, the audit log,
// signing keys, nodes, the brand.
//
// Only admins get in; for everybody else there is nothing here. The acts are package manage's. What one team has stands in package
// developers, where an admin may sit down at every team's desk. One file a page; this one is the list of them.
package admin

import (
	"context"
	"embed"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/node"
	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

//go:embed templates/*.html
var templates embed.FS

// Config is what the pages need. Every field but Example is needed.
type Config struct {
	Page     *page.Kit
	Browser  *browser.Kit
	Manage   *manage.Service // its Wait may be nil
	Verifier *verify.Verifier
	Ring     *keyring.Ring
	Server   Server
	Settings config.Settings
	Ready    func(context.Context) error // why this node should get no requests
	Build    string                      // which program runs: "v1.2.0 go1.26 linux/amd64"
	Example  *lanyard.API                // an API that this server answers itself, for trying it; nil: there is none
	Now      func() time.Time
}

// Server is what the database knows of the server itself.
type Server interface {
	// Nodes lists the nodes seen within the given time, with the database's time now.
	Nodes(ctx context.Context, within time.Duration) ([]node.State, time.Time, error)
	// Waiting lists messages that wait for delivery, the next to be tried first.
	Waiting(ctx context.Context, kind string, limit int) ([]outbox.Waiting, error)
	// SchemaVersion is the newest schema this program knows, and the one the database has.
	SchemaVersion(ctx context.Context) (known, has int64, err error)
}

type rooms struct {
	Config
	set *page.Set
}

// desk is the admin who asks.
type desk struct {
	*browser.Visit
	Actor audit.Actor
}

// serve is one page or form.
type serve = func(http.ResponseWriter, *http.Request, *desk) error

// Register adds every page to mux.
func Register(mux *http.ServeMux, c Config) {
	p := &rooms{Config: c, set: c.Page.Templates(templates, "templates/*.html").Private()}
	for pattern, serve := range p.routes() {
		mux.Handle(pattern, p.handle(serve, c.Browser.Enter))
	}
	// A document may be larger than a form.
	mux.Handle("POST /setup/api", p.handle(p.setUpAPI, c.Browser.EnterUpload))
	mux.Handle("POST /admin/apis/import", p.handle(p.importAPI, c.Browser.EnterUpload))
}

// Patterns lists every route, for whoever walks them all.
func Patterns() []string {
	return append(slices.Sorted(maps.Keys((&rooms{}).routes())), "POST /admin/apis/import", "POST /setup/api")
}

// routes are the pages, by their patterns.
func (p *rooms) routes() map[string]serve {
	return map[string]serve{
		"GET /admin":     p.overview,
		"GET /setup/api": p.showSetup,

		"GET /admin/apis":                          p.apis,
		"POST /admin/apis":                         p.declareAPI,
		"GET /admin/apis/new":                      p.newAPI,
		"GET /admin/apis/import":                   p.showImport,
		"GET /admin/apis/{name}":                   p.api,
		"POST /admin/apis/{name}/remove":           p.removeAPI,
		"GET /admin/apis/{name}/edit":              p.editAPI,
		"POST /admin/apis/{name}/edit":             p.saveAPI,
		"GET /admin/apis/{name}/scope":             p.editScope,
		"POST /admin/apis/{name}/scope":            p.saveScope,
		"POST /admin/apis/{name}/scope/remove":     p.removeScope,
		"GET /admin/apis/{name}/operation":         p.editOperation,
		"POST /admin/apis/{name}/operation":        p.saveOperation,
		"POST /admin/apis/{name}/operation/remove": p.removeOperation,
		"GET /admin/apis/{name}/plan":              p.editPlan,
		"POST /admin/apis/{name}/plan":             p.savePlan,
		"POST /admin/apis/{name}/plan/remove":      p.removePlan,

		"GET /admin/people":                       p.people,
		"POST /admin/people":                      p.makePerson,
		"GET /admin/people/new":                   p.newPerson,
		"POST /admin/people/invite":               p.invite,
		"GET /admin/people/{user}":                p.person,
		"POST /admin/people/{user}/disable":       p.disablePerson,
		"POST /admin/people/{user}/enable":        p.enablePerson,
		"POST /admin/people/{user}/admin":         p.makeAdmin,
		"POST /admin/people/{user}/not-admin":     p.unmakeAdmin,
		"POST /admin/people/{user}/end-sessions":  p.endSessions,
		"POST /admin/people/{user}/revoke-tokens": p.revokeTokens,
		"GET /admin/people/{user}/limits":         p.personLimits,
		"POST /admin/people/{user}/limits":        p.savePersonLimits,

		"GET /admin/teams":                  p.teams,
		"POST /admin/teams":                 p.makeTeam,
		"GET /admin/teams/new":              p.newTeam,
		"GET /admin/teams/{team}":           p.team,
		"POST /admin/teams/{team}/suspend":  p.suspendTeam,
		"POST /admin/teams/{team}/lift":     p.liftTeam,
		"POST /admin/teams/{team}/plan":     p.subscribe,
		"GET /admin/teams/{team}/limits":    p.teamLimits,
		"POST /admin/teams/{team}/limits":   p.saveTeamLimits,
		"GET /admin/apps":                   p.apps,
		"GET /admin/grants":                 p.grants,
		"GET /admin/grants/{grant}":         p.grant,
		"POST /admin/grants/{grant}/revoke": p.revokeGrant,

		"GET /admin/audit":          p.audit,
		"GET /admin/audit/export":   p.exportAudit,
		"GET /admin/keys":           p.keys,
		"POST /admin/keys/rotate":   p.rotateKey,
		"POST /admin/keys/revoke":   p.revokeKey,
		"GET /admin/health":         p.health,
		"GET /admin/settings":       p.settings,
		"GET /admin/settings/brand": p.editBrand,
		// Shows the brand before it is saved, or saves it.
		"POST /admin/settings/brand": p.saveBrand,
	}
}

// handle is what every page passes: no form that another site sent, and an admin who is signed in.
func (p *rooms) handle(serve serve, enter func(http.ResponseWriter, *http.Request, string) (*browser.Visit, error)) http.Handler {
	return p.Page.Handle(func(w http.ResponseWriter, r *http.Request) error {
		visit, err := enter(w, r, "/admin")
		if visit == nil {
			return err
		}
		if !visit.User.Admin {
			return fault.New(fault.NotFound, "there is nothing here for you: these pages are for who runs this server")
		}
		return serve(w, r, &desk{visit, manage.Person(visit.User)})
	})
}

// tabs are the pages of the administration.
func tabs() []page.Tab {
	return []page.Tab{
		{Text: "Overview", URL: "/admin"},
		{Text: "APIs", URL: "/admin/apis"},
		{Text: "People", URL: "/admin/people"},
		{Text: "Teams", URL: "/admin/teams"},
		{Text: "Apps", URL: "/admin/apps"},
		{Text: "Badges", URL: "/admin/grants"},
		{Text: "Audit log", URL: "/admin/audit"},
		{Text: "Keys", URL: "/admin/keys"},
		{Text: "Health", URL: "/admin/health"},
		{Text: "Settings", URL: "/admin/settings"},
	}
}

// room begins a page. tab is the path of an entry of tabs.
func (p *rooms) room(r *http.Request, d *desk, tab, title string) page.Room {
	return p.Page.NewRoom(r, title, "/admin", browser.Person(d.User), "Administration", tab, tabs())
}
