package developers

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// The third step of setting up a server: its admin gets a test key and makes the first call. It can be skipped, and come back to.

// setupPage is GET /setup/call: button make-test-key.
type setupPage struct {
	page.Frame
	Steps  page.Steps
	Name   string // of the API, as people call it
	Keys   bool   // a key opens something of it
	Others []page.Tab
	API    string
	Once   string
	Before bool // the form was sent already, and its secret is not shown again
}

// setupKeyPage follows POST /setup/call: the secret is shown here and never again.
type setupKeyPage struct {
	page.Frame
	Steps   page.Steps
	Name    string // of the API, as people call it
	Secret  page.Secret
	Curl    string
	Answers bool // the call is answered here; else it only asks for the decision
	First   firstCallPart
}

// setupAPI is the API that is to be called: the one that is named, else the first that a key opens. nil: none is declared.
func (p *rooms) setupAPI(r *http.Request, d *desk, named string) (*catalog.Compiled, *verify.CatalogView, error) {
	if !d.User.Admin {
		return nil, nil, fault.New(fault.NotFound, "there is nothing here for you: this page is for who runs this server")
	}
	if err := p.Sync(r.Context()); err != nil { // the step before has just declared an API
		return nil, nil, err
	}
	view, err := p.Verifier.Catalog(r.Context())
	if err != nil {
		return nil, nil, err
	}
	if named != "" {
		api := view.ByName(named)
		if api == nil || api.Policy == view.Management() {
			return nil, nil, fault.Missing("API", named)
		}
		return api, view, nil
	}
	var first *catalog.Compiled
	for _, api := range view.All() {
		if api.Policy == view.Management() {
			continue
		}
		if opensToKeys(api) {
			return api, view, nil
		}
		if first == nil {
			first = api
		}
	}
	return first, view, nil
}

func (p *rooms) setupFrame(r *http.Request, d *desk, title string) page.Frame {
	made := p.Page.Frame(r, title, "/admin")
	who := browser.Person(d.User)
	made.User, made.Live = &who, true
	return made
}

// showSetup is GET /setup/call.
func (p *rooms) showSetup(w http.ResponseWriter, r *http.Request, d *desk) error {
	api, view, err := p.setupAPI(r, d, r.URL.Query().Get("api"))
	if err != nil {
		return err
	}
	if api == nil {
		return page.Redirect(w, r, "/setup/api")
	}
	made := setupPage{
		Frame: p.setupFrame(r, d, "First call"), Steps: page.SetupSteps(2), Name: titleOf(api), Keys: opensToKeys(api), API: api.Policy.Name, Once: p.Browser.Mark(),
		Before: r.URL.Query().Get("done") == "before",
	}
	for _, other := range view.All() {
		if other.Policy != view.Management() {
			made.Others = append(made.Others, page.Tab{Text: titleOf(other), URL: setupPath(other.Policy.Name), Here: other == api})
		}
	}
	return p.set.Render(w, r, http.StatusOK, "setup", made)
}

// setUp is POST /setup/call: a test key, in a team and an app that are made where there is none.
func (p *rooms) setUp(w http.ResponseWriter, r *http.Request, d *desk) error {
	api, _, err := p.setupAPI(r, d, r.PostForm.Get("api"))
	if err != nil {
		return err
	}
	if api == nil || !opensToKeys(api) {
		return fault.New(fault.Conflict, "no key opens this API: it takes visitor badges, which a login makes")
	}
	if err := p.Browser.Once(r, d.Visit); err != nil {
		if fault.Is(err, fault.Conflict) {
			return page.Redirect(w, r, setupPath(api.Policy.Name)+"&done=before")
		}
		return err
	}
	in := lanyard.KeyInput{Name: "first call", Mode: string(secret.Test), Scopes: setupScopes(api)}
	here := p.answersHere(api)
	if !here {
		in.Scopes, in.APIs = append(in.Scopes, "lanyard.verify"), []string{api.Policy.Name}
	}
	made, err := p.setupKey(r, d, in)
	if err != nil {
		return err
	}
	view := setupKeyPage{
		Frame: p.setupFrame(r, d, "First call"), Steps: page.SetupSteps(2), Name: titleOf(api), Answers: here, Curl: verifying(p.PublicURL, api, &made.Key),
		Secret: page.Secret{ID: "secret", Label: "A test key of " + titleOf(api), Value: secret.Of(made.Secret)},
	}
	if method, path, _ := entrance(api, &made.Key); here && method != "" {
		view.Curl = callsOf(method, strings.TrimSuffix(api.Policy.Identifier, "/")+path, "KEY").Curl
	}
	view.Curl = "read -rs KEY && " + view.Curl // the shell asks for the key, so that its history does not keep it
	if view.First, err = p.firstCall(r, d, &made.Key); err != nil {
		p.Page.Log.WarnContext(r.Context(), "a key is shown without its calls", "key", made.ID, "error", err)
	}
	return p.set.Render(w, r, http.StatusOK, "setup-key", view)
}

func setupPath(api string) string {
	return "/setup/call?" + url.Values{"api": {api}}.Encode()
}

// answersHere reports whether this program answers the calls of an API.
func (p *rooms) answersHere(api *catalog.Compiled) bool {
	return strings.HasPrefix(api.Policy.Identifier, p.Gateway+"/")
}

// setupScopes are those that are ticked by default; where none is, what the operation asks for that is tried first.
func setupScopes(api *catalog.Compiled) []string {
	var ticked, all []string
	for _, s := range api.Policy.Scopes.All() {
		all = append(all, s.Name)
		if s.Default {
			ticked = append(ticked, s.Name)
		}
	}
	if len(ticked) == 0 {
		ticked = all
	}
	return ticked
}

// setupKey makes a key of an app for first calls, in a team that the admin owns.
func (p *rooms) setupKey(r *http.Request, d *desk, in lanyard.KeyInput) (lanyard.NewKey, error) {
	ctx := r.Context()
	own := slices.IndexFunc(d.Mine, func(m manage.Membership) bool { return m.Role == audit.RoleOwner })
	if own < 0 {
		made, err := p.Manage.StartTeam(ctx, d.Actor, browser.Person(d.User).Called()+"’s team")
		if err != nil {
			return lanyard.NewKey{}, err
		}
		d.Mine, own = append(d.Mine, manage.Membership{Team: made, Role: audit.RoleOwner}), len(d.Mine)
	}
	d.Team, d.Role = d.Mine[own].Team, d.Mine[own].Role
	d.Actor.Team = id.Team(d.Team.ID)
	apps, err := p.Manage.Apps(ctx, d.Actor, d.Team.ID, "First call", manage.List{Limit: 1})
	if err != nil {
		return lanyard.NewKey{}, err
	}
	if len(apps.Items) == 0 {
		made, err := p.Manage.CreateApp(ctx, d.Actor, lanyard.AppInput{Name: "First call", TeamID: d.Team.ID})
		if err != nil {
			return lanyard.NewKey{}, err
		}
		apps.Items = []lanyard.App{made}
	}
	return p.Manage.CreateKey(ctx, d.Actor, apps.Items[0].ID, in)
}
