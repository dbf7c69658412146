package developers

import (
	"cmp"
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// Config is what the pages need. Every field is needed.
type Config struct {
	Page     *page.Kit
	Browser  *browser.Kit
	Manage   *manage.Service // its Wait may be nil
	Verifier *verify.Verifier

	Sync      func(context.Context) error    // waits until this node has applied what is written
	PublicURL string                         // without a slash at its end
	Gateway   string                         // answers the calls of APIs whose identifier lies below it
	Calls     http.Handler                   // the same in this process; it sees paths below Gateway
	Client    func(*http.Request) netip.Addr // from where a request comes
	Now       func() time.Time
}

type rooms struct {
	Config
	set *page.Set
}

// desk is who asks, and at which team's.
type desk struct {
	*browser.Visit
	Actor audit.Actor
	Team  lanyard.Team
	Role  audit.Role // in the team; an admin is an owner everywhere
	Mine  []manage.Membership
}

// May reports whether the role lets its holder do what wants another one. It says what to show; manage decides.
func (d *desk) May(role audit.Role) bool {
	return d.Role == audit.RoleOwner || role == audit.RoleAny || d.Role == role
}

// path is that of a page of the desk's team: path("apps", app) is /developers/team_…/apps/app_….
func (d *desk) path(parts ...string) string {
	to := "/developers/" + d.Team.ID
	for _, part := range parts {
		to += "/" + url.PathEscape(part)
	}
	return to
}

// handle is what every page passes: no form that another site sent, somebody signed in, and one of their teams. A team that
// is not theirs is not there.
func (p *rooms) handle(serve func(http.ResponseWriter, *http.Request, *desk) error) http.Handler {
	return p.Page.Handle(func(w http.ResponseWriter, r *http.Request) error {
		visit, err := p.Browser.Enter(w, r, "/developers")
		if visit == nil {
			return err
		}
		d := &desk{Visit: visit, Actor: manage.Person(visit.User)}
		if d.Mine, err = p.Manage.MyTeams(r.Context(), d.Actor); err != nil {
			return err
		}
		if named := r.PathValue("team"); named != "" {
			if err := p.sitDown(r, d, named); err != nil {
				return err
			}
		}
		return serve(w, r, d)
	})
}

// sitDown finds the team that a page belongs to.
func (p *rooms) sitDown(r *http.Request, d *desk, named string) error {
	for _, m := range d.Mine {
		if m.Team.ID == named {
			d.Team, d.Role = m.Team, m.Role
			d.Actor.Team = id.Team(m.Team.ID)
			return nil
		}
	}
	if !d.User.Admin {
		return fault.Missing("team", named)
	}
	found, err := p.Manage.Team(r.Context(), d.Actor, named)
	if err != nil {
		return err
	}
	d.Team, d.Role = found, audit.RoleOwner
	d.Actor.Team = id.Team(found.ID)
	return nil
}

// room begins a page of a team's. tab is the page's part after the team: "apps".
func (p *rooms) room(r *http.Request, d *desk, tab, title string) page.Room {
	here := d.path()
	if tab != "" {
		here = d.path(tab)
	}
	return p.Page.NewRoom(r, title, "/developers", browser.Person(d.User), cmp.Or(d.Team.Name, "Developers"), here, tabs(d))
}

// listPage is a list of a team's that is searched and leafed through.
type listPage struct {
	page.Room
	Heading string
	Lead    string
	New     page.Link // how one comes to another; its zero value: not here
	List    page.Listed
}

const perPage = 50 // rows of a list

// searchOf is what a list of the desk's team asks for.
func searchOf(d *desk, l page.List) manage.Search {
	return manage.Search{Team: d.Team.ID, Like: l.Search.Query, Where: l.Where(), Sort: l.Sort, Down: l.Down, Limit: perPage, Cursor: l.Cursor}
}

// pagesOf are the pages beside a found one.
func pagesOf[T any](found manage.Found[T]) page.Pages {
	return page.Pages{Previous: found.Previous, Next: found.Next, Short: found.Short}
}

// app reads an app of the desk's team; one of another team is not there, even if it is the asker's too.
func (p *rooms) app(r *http.Request, d *desk, appID string) (lanyard.App, error) {
	found, err := p.Manage.App(r.Context(), d.Actor, appID)
	if err == nil && found.TeamID != d.Team.ID {
		err = fault.Missing("app", appID)
	}
	return found, err
}

// key reads a key of the desk's team, as app does.
func (p *rooms) key(r *http.Request, d *desk, keyID string) (lanyard.Key, error) {
	found, err := p.Manage.Key(r.Context(), d.Actor, keyID)
	if err == nil && found.TeamID != d.Team.ID {
		err = fault.Missing("key", keyID)
	}
	return found, err
}
