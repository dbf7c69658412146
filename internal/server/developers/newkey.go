package developers

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// Three clicks lead to a key: Get a key, which API, Get key. Name, scopes and plan are filled in.

// chooseAPIPage is GET /developers/{team}/keys/new without an API.
type chooseAPIPage struct {
	page.Room
	APIs []apiChoice
}

// apiChoice is an API that one may get a credential for.
type apiChoice struct {
	Title, Text, URL string
	Badge            bool // it takes no key: a client is made instead
}

// NoAPIs stands where no API is declared.
func (chooseAPIPage) NoAPIs() page.Empty {
	return page.Empty{Title: "No API is declared yet", Text: "Whoever runs this server declares what there is to call. Come back when they have."}
}

// newKeyPage is GET and POST /developers/{team}/keys/new?api=: fields app, name, mode, plan, ip_allow, origins, days, boxes scope-<name>,
// button get-key.
type newKeyPage struct {
	page.Room
	Title, API, Action, Once string
	TakesBoth                bool
	App, Name, Mode          string
	Kind                     string
	Plan, Networks, Origins  string
	Days                     string
	Apps                     []lanyard.App
	Boxes                    []page.Box
	Plans                    []page.Option
	Errors                   page.Errs
}

// What a choice says that names nothing.
const (
	newApp = "new"
	never  = "never"
)

// Fields are what is asked of everybody.
func (p newKeyPage) Fields() []page.Field {
	fields := []page.Field{{ID: "name", Label: "What is it for?", Value: p.Name, Max: 100, Complete: "off", Error: p.Errors["name"], Focus: true, Hint: "The app that calls, as your team knows it: WeatherDashboard."}}
	if len(p.Apps) > 0 || p.Errors["app"] != "" {
		choose := page.Field{ID: "app", Label: "App", Type: "select", Error: p.Errors["app"], Options: []page.Option{{Value: newApp, Text: "A new app of that name", Chosen: p.App == newApp}}}
		for _, a := range p.Apps {
			choose.Options = append(choose.Options, page.Option{Value: a.ID, Text: a.Name, Chosen: a.ID == p.App})
		}
		fields = append(fields, choose)
	}
	if len(p.Plans) > 1 {
		fields = append(fields, page.Field{ID: "plan", Label: "Plan", Type: "select", Options: p.Plans, Error: p.Errors["plan"], Hint: "It is the whole team's for this API."})
	}
	return fields
}

// Narrowing are the fields that make a stolen key worth less.
func (p newKeyPage) Narrowing() []page.Field {
	choose := func(value string, options ...page.Option) []page.Option {
		for i := range options {
			options[i].Chosen = options[i].Value == value
		}
		return options
	}
	return []page.Field{
		{ID: "mode", Label: "Mode", Type: "select", Error: p.Errors["mode"], Options: choose(p.Mode, page.Option{Value: "live", Text: "Live"}, page.Option{Value: "test", Text: "Test: never billed"})},
		{ID: "kind", Label: "Where does it run?", Type: "select", Error: p.Errors["kind"], Options: choose(p.Kind,
			page.Option{Value: "key", Text: "On a server: the key is secret"}, page.Option{Value: "pub", Text: "In a browser or app: everybody can see it"})},
		{ID: "ip_allow", Label: "Only from these networks", Type: "textarea", Value: p.Networks, Optional: true, Code: true, Error: p.Errors["ip_allow"], Hint: "One a line, like 203.0.113.0/24."},
		{ID: "origins", Label: "Only on these websites", Type: "textarea", Value: p.Origins, Optional: true, Code: true, Error: p.Errors["origins"], Hint: "One a line, like https://app.example. For a key that a browser shows."},
		{ID: "days", Label: "Ends", Type: "select", Error: p.Errors["days"], Options: choose(p.Days,
			page.Option{Value: never, Text: "Never: until you rotate or revoke it"}, page.Option{Value: "30", Text: "In 30 days"}, page.Option{Value: "90", Text: "In 90 days"}, page.Option{Value: "365", Text: "In a year"})},
	}
}

// getKey is GET /developers/{team}/keys/new.
func (p *rooms) getKey(w http.ResponseWriter, r *http.Request, d *desk) error {
	view, err := p.Verifier.Catalog(r.Context())
	if err != nil {
		return err
	}
	name := r.URL.Query().Get("api")
	if name == "" {
		return p.set.Render(w, r, http.StatusOK, "choose-api", p.choices(r, d, view))
	}
	api := view.ByName(name)
	if api == nil || api.Policy == view.Management() {
		return fault.Missing("API", name)
	}
	form := newKeyPage{App: cmp.Or(r.URL.Query().Get("app"), newApp), Mode: "live", Kind: "key", Days: never}
	for _, s := range api.Policy.Scopes.All() {
		if s.Default {
			form.Boxes = append(form.Boxes, page.Box{Value: s.Name})
		}
	}
	return p.keyForm(w, r, d, http.StatusOK, api, form)
}

// choices are the APIs, each with what one gets for it.
func (p *rooms) choices(r *http.Request, d *desk, view *verify.CatalogView) chooseAPIPage {
	made := chooseAPIPage{Room: p.room(r, d, "keys", "Get a key")}
	for _, api := range view.All() {
		if api.Policy == view.Management() {
			continue
		}
		choice := apiChoice{Title: titleOf(api), Text: "an ID card: the app calls for itself", URL: d.path("keys", "new") + "?api=" + url.QueryEscape(api.Policy.Name)}
		if app := r.URL.Query().Get("app"); app != "" {
			choice.URL += "&app=" + url.QueryEscape(app)
		}
		if !opensToKeys(api) {
			choice.Badge, choice.Text, choice.URL = true, "a visitor badge: the app calls for a person, who allows it", d.path("clients", "new")
		}
		made.APIs = append(made.APIs, choice)
	}
	return made
}

// opensToKeys reports whether a key alone opens anything of an API.
func opensToKeys(api *catalog.Compiled) bool {
	if takesKey(api.Spec.Takes, "") {
		return true
	}
	for _, op := range api.Spec.Operations {
		if op.Takes != "" && takesKey("", op.Takes) {
			return true
		}
	}
	return false
}

// keyForm shows the form. Of form.Boxes only the values count: they are what is ticked.
func (p *rooms) keyForm(w http.ResponseWriter, r *http.Request, d *desk, status int, api *catalog.Compiled, form newKeyPage) error {
	form.Room, form.Title, form.API = p.room(r, d, "keys", "Get a key"), titleOf(api), api.Policy.Name
	form.Action, form.Once = d.path("keys", "new")+"?api="+url.QueryEscape(api.Policy.Name), p.Browser.Mark()
	form.TakesBoth = api.Spec.Takes == "both"
	apps, err := p.Manage.Apps(r.Context(), d.Actor, d.Team.ID, "", manage.List{Limit: maxChoices})
	if err != nil {
		return err
	}
	for _, a := range apps.Items {
		if !a.Disabled {
			form.Apps = append(form.Apps, a)
		}
	}
	var ticked []string
	for _, box := range form.Boxes {
		ticked = append(ticked, box.Value)
	}
	form.Boxes = scopeBoxes(api, ticked, d)
	if form.Plans, err = p.plans(r, d, api, form.Plan); err != nil {
		return err
	}
	return p.set.Render(w, r, status, "new-key", form)
}

// maxChoices is how many things a form offers to choose from.
const maxChoices = 200

// scopeBoxes are an API's scopes to tick, as far as the asker may put them on a key; manage decides.
func scopeBoxes(api *catalog.Compiled, ticked []string, d *desk) []page.Box {
	rights := policy.Rights{Person: true, Server: d.User.Admin, Admin: d.User.Admin, Owner: d.Role == audit.RoleOwner}
	var boxes []page.Box
	for _, s := range api.Policy.Scopes.All() {
		if !api.Policy.Scopes.CoversFor([]string{s.Name}, s.Name, rights) {
			continue
		}
		box := page.ScopeBox(s.Name, s.Text)
		box.Ticked = slices.Contains(ticked, s.Name)
		if s.Writes {
			box.Note = "changes things"
		}
		boxes = append(boxes, box)
	}
	return boxes
}

// plans are an API's plans to choose from, the team's own chosen; none where it is not for the asker's role to change.
func (p *rooms) plans(r *http.Request, d *desk, api *catalog.Compiled, chosen string) ([]page.Option, error) {
	if len(api.Spec.Plans) == 0 || !d.May(audit.RoleBilling) {
		return nil, nil
	}
	if chosen == "" {
		subscribed, err := p.Manage.Subscriptions(r.Context(), d.Actor, d.Team.ID)
		if err != nil {
			return nil, err
		}
		chosen = api.Policy.DefaultPlan
		for _, sub := range subscribed {
			if sub.API == api.Policy.Name && sub.Plan != "" {
				chosen = sub.Plan
			}
		}
	}
	var options []page.Option
	for _, name := range slices.Sorted(maps.Keys(api.Spec.Plans)) {
		plan := api.Spec.Plans[name]
		text := page.Upper(name)
		if rest := slices.DeleteFunc(append([]string{plan.Text}, append(slices.Clone(plan.Limits), plan.Quota)...), func(s string) bool { return s == "" }); len(rest) > 0 {
			text += ": " + strings.Join(rest, ", ")
		}
		options = append(options, page.Option{Value: name, Text: text, Chosen: name == chosen})
	}
	return options, nil
}

// makeKey is POST /developers/{team}/keys/new. Its answer is the one that holds the secret.
func (p *rooms) makeKey(w http.ResponseWriter, r *http.Request, d *desk) error {
	view, err := p.Verifier.Catalog(r.Context())
	if err != nil {
		return err
	}
	api := view.ByName(r.URL.Query().Get("api"))
	if api == nil || api.Policy == view.Management() {
		return fault.Missing("API", r.URL.Query().Get("api"))
	}
	form := r.PostForm
	typed := newKeyPage{
		App: form.Get("app"), Name: form.Get("name"), Mode: form.Get("mode"), Kind: form.Get("kind"), Plan: form.Get("plan"),
		Networks: form.Get("ip_allow"), Origins: form.Get("origins"), Days: form.Get("days"),
	}
	for _, name := range form["scope"] {
		typed.Boxes = append(typed.Boxes, page.Box{Value: name})
	}
	in := lanyard.KeyInput{Name: typed.Name, Kind: typed.Kind, Mode: typed.Mode, Scopes: form["scope"], IPAllow: lines(typed.Networks), Origins: lines(typed.Origins)}
	again := func(err error) error {
		if typed.Errors, err = page.Beside(err, map[string]string{
			"name": "name", "app": "app", "mode": "mode", "kind": "kind", "scopes": "scope", "ip_allow": "ip_allow", "origins": "origins", "expires_at": "days", "plan": "plan",
		}); err != nil {
			return err
		}
		return p.keyForm(w, r, d, http.StatusBadRequest, api, typed)
	}
	if in.ExpiresAt, err = ends(typed.Days, p.Now()); err != nil {
		return again(err)
	}
	if len(in.Scopes) == 0 && len(api.Policy.Scopes.All()) > 0 {
		return again(fault.Field("scopes", "tick what it may do: without anything it opens nothing"))
	}
	owner, err := p.appFor(r, d, typed)
	if err != nil {
		return again(err)
	}
	if err := p.Manage.CheckKey(r.Context(), d.Actor, d.Team.ID, in); err != nil {
		return again(err)
	}
	if err := p.Browser.Once(r, d.Visit); err != nil {
		return p.sentBefore(w, r, d, err)
	}
	made, owner, err := p.keep(r, d, api, owner, typed, in)
	if err != nil {
		return again(err)
	}
	return p.showSecret(w, r, d, &made.Key, owner.Name, secret.Of(made.Secret), "Here is your key")
}

// appFor is the app a key is made for: one of the team's, or one that is yet to be made.
func (p *rooms) appFor(r *http.Request, d *desk, typed newKeyPage) (lanyard.App, error) {
	if typed.App == newApp || typed.App == "" {
		return lanyard.App{Name: typed.Name}, nil
	}
	found, err := p.app(r, d, typed.App)
	if fault.Is(err, fault.NotFound) {
		err = fault.Field("app", "is not there any more: choose another")
	}
	return found, err
}

// keep makes what is yet missing: the app, the subscription, and the key.
func (p *rooms) keep(r *http.Request, d *desk, api *catalog.Compiled, owner lanyard.App, typed newKeyPage, in lanyard.KeyInput) (lanyard.NewKey, lanyard.App, error) {
	var err error
	if owner.ID == "" {
		if owner, err = p.Manage.CreateApp(r.Context(), d.Actor, lanyard.AppInput{Name: typed.Name, TeamID: d.Team.ID}); err != nil {
			return lanyard.NewKey{}, owner, err
		}
		in.Name = "production"
		if in.Mode == string(secret.Test) {
			in.Name = "test"
		}
	}
	if typed.Plan != "" && d.May(audit.RoleBilling) {
		if _, err := p.Manage.Subscribe(r.Context(), d.Actor, d.Team.ID, api.Policy.Name, lanyard.SubscriptionInput{Plan: typed.Plan}); err != nil {
			return lanyard.NewKey{}, owner, err
		}
	}
	made, err := p.Manage.CreateKey(r.Context(), d.Actor, owner.ID, in)
	return made, owner, err
}

// sentBefore leads on from a form that was sent already: what it made stands in the list. Any other fault comes back.
func (p *rooms) sentBefore(w http.ResponseWriter, r *http.Request, d *desk, err error) error {
	if !fault.Is(err, fault.Conflict) {
		return err
	}
	return page.Redirect(w, r, d.path("keys")+"?done=before")
}
