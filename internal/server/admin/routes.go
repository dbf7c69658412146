// Package admin serves /admin and the later steps of /setup: what whoever runs the server sees and does. Its APIs and plans, people
// and teams, the audit log, signing keys, nodes, the brand.
//
// Only admins get in; for everybody else there is nothing here. The acts are package manage's. What one team has stands in package
// developers, where an admin may sit down at every team's desk. One file a page; this one is the list of them.
package admin

import (
	"embed"
	"net/http"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

//go:embed templates/*.html
var templates embed.FS

// Config is what the pages need. Every field is needed.
type Config struct {
	Page     *page.Kit
	Browser  *browser.Kit
	Manage   *manage.Service // its Wait may be nil
	Verifier *verify.Verifier
	Now      func() time.Time
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

// Register adds every page to mux.
func Register(mux *http.ServeMux, c Config) {
	p := &rooms{Config: c, set: c.Page.Templates(templates, "templates/*.html").Private()}
	for pattern, serve := range map[string]func(http.ResponseWriter, *http.Request, *desk) error{
		"GET /admin": p.overview,
	} {
		mux.Handle(pattern, p.handle(serve))
	}
}

// handle is what every page passes: no form that another site sent, and an admin who is signed in.
func (p *rooms) handle(serve func(http.ResponseWriter, *http.Request, *desk) error) http.Handler {
	return p.Page.Handle(func(w http.ResponseWriter, r *http.Request) error {
		visit, err := p.Browser.Enter(w, r, "/admin")
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
	}
}

// room begins a page. tab is the path of an entry of tabs.
func (p *rooms) room(r *http.Request, d *desk, tab, title string) page.Room {
	return p.Page.NewRoom(r, title, "/admin", browser.Person(d.User), "Administration", tab, tabs())
}
