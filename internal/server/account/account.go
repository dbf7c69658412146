package account

import (
	"net/http"
	"time"

	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/signin"
	"github.com/lanyard-auth/lanyard/internal/verify"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// Config is what the pages need. Every field is needed.
type Config struct {
	Page     *page.Kit
	Kit      *web.Kit
	Browser  *browser.Kit
	Gate     *signin.Gate
	Accounts *manage.Service // its Ended tells the apps of sessions that end here, its Wait may be nil
	Verifier *verify.Verifier
	Grants   grant.Store
	Now      func() time.Time
}

type rooms struct {
	Config
	set *page.Set
}

// route is one page or form. Whoever is not signed in is sent to home when they are.
type route struct {
	pattern, home string
	serve         func(http.ResponseWriter, *http.Request, *browser.Visit) error
}

// Register adds every page to mux.
func Register(mux *http.ServeMux, c Config) {
	p := &rooms{Config: c, set: pages(c.Page)}
	for _, r := range []route{
		{"GET /account", "/account", p.overview},
		{"GET /account/apps", "/account/apps", p.showApps},
		{"POST /account/apps/{id}/take-back", "/account/apps", p.takeBack},
		{"GET /account/tokens", "/account/tokens", p.showTokens},
		{"GET /account/tokens/new", "/account/tokens/new", p.showNewToken},
		{"POST /account/tokens", "/account/tokens/new", p.makeToken},
		{"POST /account/tokens/{id}/revoke", "/account/tokens", p.revokeToken},
		{"GET /account/sessions", "/account/sessions", p.showSessions},
		{"POST /account/sessions/end-all", "/account/sessions", p.endSessions},
		{"POST /account/sessions/{id}/end", "/account/sessions", p.endSession},
		{"GET /account/password", "/account/password", p.showPassword},
		{"POST /account/password", "/account/password", p.setPassword},
		{"GET /account/profile", "/account/profile", p.showProfile},
		{"POST /account/profile", "/account/profile", p.saveProfile},
	} {
		mux.Handle(r.pattern, p.handle(r))
	}
}

// handle is what every page passes: no form that another site sent, the browser that asks, and somebody signed in in it.
func (p *rooms) handle(to route) http.Handler {
	return p.Page.Handle(func(w http.ResponseWriter, r *http.Request) error {
		visit, err := p.Browser.Enter(w, r, to.home)
		if visit == nil {
			return err
		}
		return to.serve(w, r, visit)
	})
}

// room begins a page of the account. Its tab is the path of an entry of the navigation.
func (p *rooms) room(r *http.Request, visit *browser.Visit, tab, title string) room {
	return room{p.Page.NewRoom(r, title, "/account", browser.Person(visit.User), "Account", tab, tabs())}
}
