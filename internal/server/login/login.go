package login

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
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
	Accounts *manage.Service
	Verifier *verify.Verifier
	Requests grant.RequestStore
	Devices  grant.DeviceStore
	Grants   grant.Store
	Logos    Fetcher // gets the logos of apps

	Signup string // closed, invite or open
	// Lookups are the digests under which a text may stand: one for each pepper.
	Lookups func(text string) [][]byte
	// Logout ends a browser's session, tells the apps that were signed in to, and returns the addresses of those that want to
	// be told by the browser itself. next is what the address of the page carried.
	Logout func(r *http.Request, visit *browser.Visit) (frames []string, err error)
	// Next reads where the browser goes after a logout, and which app asks for it; "" where either is not known.
	Next func(visit *browser.Visit, sealed string) (to string, asks id.App)
	Now  func() time.Time
}

type rooms struct {
	Config
	set   *page.Set
	logos *logos
}

// Register adds every page to mux.
func Register(mux *http.ServeMux, c Config) {
	p := &rooms{Config: c, set: pages(c.Page), logos: newLogos(c.Logos, c.Now)}
	mux.Handle("GET /logo/{app}", c.Page.Handle(p.logo))
	for pattern, serve := range map[string]func(http.ResponseWriter, *http.Request, *browser.Visit) error{
		"GET /login":           p.showLogin,
		"POST /login":          p.login,
		"GET /signup":          p.showSignup,
		"POST /signup":         p.signup,
		"GET /forgot":          p.showForgot,
		"POST /forgot":         p.forgot,
		"GET /link":            p.showLink,
		"POST /link":           p.useLink,
		"GET /invitation":      p.showInvitation,
		"POST /invitation":     p.useInvitation,
		"GET /setup":           p.showSetup,
		"POST /setup":          p.setup,
		"GET /consent":         p.showConsent,
		"POST /consent":        p.consent,
		"GET /device":          p.showDevice,
		"POST /device":         p.device,
		"POST /device/approve": p.answerDevice,
		"GET /logout":          p.showLogout,
		"POST /logout":         p.logout,
	} {
		mux.Handle(pattern, p.handle(serve))
	}
}

// handle is what every page passes: the browser that asks, and no form that another site sent.
func (p *rooms) handle(serve func(http.ResponseWriter, *http.Request, *browser.Visit) error) http.Handler {
	return p.Page.Handle(func(w http.ResponseWriter, r *http.Request) error {
		if err := browser.CheckOrigin(r); err != nil {
			return err
		}
		visit, err := p.Browser.Visit(w, r)
		if err != nil {
			return err
		}
		if r.Method == http.MethodPost {
			form, err := p.Kit.ReadForm(w, r)
			if err != nil {
				return err
			}
			for name, values := range form {
				if len(values) > 1 && name != "scope" { // boxes have one name
					return fault.Field(web.Field(name), "is given more than once")
				}
			}
			r.PostForm = form
		}
		return serve(w, r, visit)
	})
}

// frame begins a page that is for one person at one time.
func (p *rooms) frame(r *http.Request, visit *browser.Visit, title string) page.Frame {
	f := p.Page.Frame(r, title, "")
	f.Private = true
	if visit.SignedIn() {
		f.User = &page.Person{Name: visit.User.Name, Email: visit.User.Email}
	}
	return f
}

// under is the request that a page belongs to, with its app; both nil where it belongs to none.
type under struct {
	request *grant.Request
	app     *app.App
}

// frameUnder is frame for a page on the way of a request. Any of its forms may be the last one: consent may stand already, and
// then the browser goes from it to the app in one chain of redirects, each of which has to be among those that the page admits.
func (p *rooms) frameUnder(r *http.Request, visit *browser.Visit, u under, title string) page.Frame {
	f := p.frame(r, visit, title)
	if u.request != nil {
		f.FormAction = []string{u.request.Ask.RedirectURI}
	}
	return f
}

// errOver ends a way that leads nowhere any more.
func errOver() error {
	return fault.New(fault.NotFound, "this login is over, was answered already, or was begun in another browser; go back to the app and begin again")
}

// under reads the request that a form or an address carries on. One of another browser is as good as none (SECURITY-CASES
// 54).
func (p *rooms) under(r *http.Request, visit *browser.Visit, text string) (under, error) {
	if text == "" {
		return under{}, nil
	}
	requestID, err := id.Parse[id.Request](text)
	if err != nil {
		return under{}, errOver()
	}
	request, err := p.Requests.Request(r.Context(), requestID, visit.Browser, p.Now())
	if fault.Is(err, fault.NotFound) {
		return under{}, errOver()
	}
	if err != nil {
		return under{}, err
	}
	a, err := p.Verifier.Client(r.Context(), string(request.App))
	if err == nil && a == nil {
		err = errOver()
	}
	return under{request, a}, err
}

// way is what a page's forms carry on.
func (u under) way(r *http.Request) way {
	if u.request != nil {
		return way{Request: string(u.request.ID)}
	}
	next := r.URL.Query().Get("next")
	if r.Method == http.MethodPost {
		next = r.PostForm.Get("next")
	}
	return way{Next: browser.Local(next, "")}
}

// asker is the app as the pages show it; nil without one.
func (p *rooms) asker(r *http.Request, u under) (*asker, error) {
	if u.app == nil {
		return nil, nil //nolint:nilnil // nobody asks
	}
	made, err := p.askerOf(r.Context(), u.app)
	return &made, err
}

func (p *rooms) askerOf(ctx context.Context, a *app.App) (asker, error) {
	made := asker{Logo: p.logoPath(ctx, a), Name: a.Name, Home: a.HomepageURL, Policy: a.OAuth.PolicyURI, Terms: a.OAuth.TermsURI}
	var err error
	if made.By, err = p.registrant(ctx, a); err != nil {
		return made, err
	}
	known := []string{a.ClientURL, a.HomepageURL}
	if a.Origin == app.DCR {
		known = nil // a stranger's home page is whatever they call it (RFC 7591 section 5)
	}
	for _, address := range known {
		if host := hostOf(address); host != "" {
			made.Host = host
			break
		}
	}
	if made.Host == "" && len(a.OAuth.RedirectURIs) > 0 {
		made.Host = hostOf(a.OAuth.RedirectURIs[0])
	}
	return made, nil
}

// registrant says who stands behind an app, in words that follow its name (PROTOCOLS OAuth 18).
func (p *rooms) registrant(ctx context.Context, a *app.App) (string, error) {
	switch a.Origin {
	case app.DCR:
		return "registered itself", nil
	case app.ByAddress:
		return "says so itself at " + hostOf(a.ClientURL), nil
	case app.MadeHere:
	}
	name, err := p.Verifier.TeamName(ctx, a.Team)
	if err == nil && name == "" { // the built-in team
		return "by whoever runs this server", nil
	}
	return "by " + name, err
}

// hostOf is the host of an address, or for a native app's own scheme the scheme.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	if u.Host != "" {
		return u.Host
	}
	return u.Scheme
}

// goOn is where a page leads when its part is done.
func (p *rooms) goOn(w http.ResponseWriter, r *http.Request, carried way) error {
	to := "/continue"
	switch {
	case carried.Request != "":
		to += "?request=" + url.QueryEscape(carried.Request)
	case carried.Next != "":
		to += "?return_to=" + url.QueryEscape(carried.Next)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// showLogin is GET /login.
func (p *rooms) showLogin(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	u, err := p.under(r, visit, r.URL.Query().Get("request"))
	if err != nil {
		return err
	}
	view, err := p.loginView(r, visit, u)
	if err != nil {
		return err
	}
	if u.request != nil {
		view.Login = u.request.Ask.LoginHint
	}
	if view.Login == "" && view.Again && view.Meant == "" {
		view.Login = visit.User.Email
	}
	return p.set.Render(w, r, http.StatusOK, "login", view)
}

func (p *rooms) loginView(r *http.Request, visit *browser.Visit, u under) (loginPage, error) {
	client, err := p.asker(r, u)
	return loginPage{
		Frame: p.frameUnder(r, visit, u, "Sign in"), way: u.way(r), Client: client, Signup: p.Signup == "open", Again: u.request != nil && visit.SignedIn(), Meant: u.meant(visit),
	}, err
}

// meant says that an app means a certain account, without telling whoever is there which. Whose a pairwise subject is only the
// answer finds out.
func (u under) meant(visit *browser.Visit) string {
	switch {
	case u.request == nil || u.request.Ask.HintedUser == "":
		return ""
	case u.app.OAuth.SubjectType == "pairwise" || !visit.SignedIn():
		return "It means an account that it knows already. With any other you do not get in."
	case u.request.Ask.HintedUser == visit.User.ID:
		return ""
	}
	return "It means another account than the one you are signed in with."
}

// login is POST /login. The password's text, a name nobody has and an account that is locked are answered alike.
func (p *rooms) login(w http.ResponseWriter, r *http.Request, visit *browser.Visit) error {
	u, err := p.under(r, visit, r.PostForm.Get("request"))
	if err != nil {
		return err
	}
	email := r.PostForm.Get("login")
	person, err := p.Gate.Password(r.Context(), email, r.PostForm.Get("password"), p.Kit.Client(r))
	if err == nil {
		if err := p.Browser.Begin(w, r, visit, person, browser.ACRPassword, "pwd"); err != nil {
			return err
		}
		return p.goOn(w, r, u.way(r))
	}
	view, failed := p.loginView(r, visit, u)
	if failed != nil {
		return failed
	}
	view.Login = email
	var tried *signin.Tried
	status := http.StatusUnauthorized
	switch {
	case errors.As(err, &tried):
		view.Wait, status = wait(tried.RetryAfter()), http.StatusTooManyRequests
		w.Header().Set("Retry-After", web.RetryAfter(err))
	case fault.Is(err, fault.Unauthenticated), fault.Is(err, fault.Invalid):
		view.Failed = true
	default:
		return err
	}
	return p.set.Render(w, r, status, "login", view)
}

// wait is a time to wait in words.
func wait(d time.Duration) string {
	seconds := int(d.Round(time.Second) / time.Second)
	switch {
	case seconds <= 1:
		return "a second"
	case seconds < 120:
		return strconv.Itoa(seconds) + " seconds"
	}
	return strconv.Itoa((seconds+59)/60) + " minutes"
}

// fieldErrors puts a fault about an input beside its field; other errors come back.
func fieldErrors(err error, fields ...string) (errs, error) {
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Invalid {
		return nil, err
	}
	for _, name := range fields {
		if f.Field == name {
			return errs{name: page.Upper(strings.TrimSuffix(f.Detail, ".")) + "."}, nil
		}
	}
	return nil, err
}
