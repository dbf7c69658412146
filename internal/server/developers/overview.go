package developers

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// startPage is GET /developers for who is in no team: field name, button start-team.
type startPage struct {
	page.Room
	Name   string
	Get    bool   // a key is what they came for
	API    string // of the key; empty: one that is chosen then
	Errors page.Errs
}

// Fields are the page's fields.
func (p startPage) Fields() []page.Field {
	return []page.Field{{ID: "name", Label: "Name", Value: p.Name, Max: 100, Complete: "off", Error: p.Errors["name"], Hint: "Yours, your company's or your project's. A team owns apps and their keys; you can invite others later."}}
}

// enter is GET /developers: the first of one's teams, or how to start one.
func (p *rooms) enter(w http.ResponseWriter, r *http.Request, d *desk) error {
	if len(d.Mine) == 0 {
		return p.set.Render(w, r, http.StatusOK, "start", startPage{Room: p.room(r, d, "", "Start a team"), Name: browser.Person(d.User).Called() + "’s team"})
	}
	return page.Redirect(w, r, "/developers/"+d.Mine[0].Team.ID)
}

// goForKey is GET /developers/get-key: the way from a page that knows of no team to a key, of the API that the query names or of one to
// be chosen.
func (p *rooms) goForKey(w http.ResponseWriter, r *http.Request, d *desk) error {
	api := r.URL.Query().Get("api")
	if len(d.Mine) == 0 {
		return p.set.Render(w, r, http.StatusOK, "start", startPage{Room: p.room(r, d, "", "Start a team"), Name: browser.Person(d.User).Called() + "’s team", Get: true, API: api})
	}
	for _, m := range d.Mine {
		if m.Role == audit.RoleOwner || m.Role == audit.RoleDeveloper {
			return page.Redirect(w, r, "/developers/"+m.Team.ID+newKeyPath(api))
		}
	}
	return page.Redirect(w, r, "/developers/"+d.Mine[0].Team.ID)
}

// newKeyPath is that of the form that makes a key for an API, below a team's.
func newKeyPath(api string) string {
	if api == "" {
		return "/keys/new"
	}
	return "/keys/new?" + url.Values{"api": {api}}.Encode()
}

// start is POST /developers: a team of one's own.
func (p *rooms) start(w http.ResponseWriter, r *http.Request, d *desk) error {
	name, get, api := r.PostForm.Get("name"), r.PostForm.Has("get"), r.PostForm.Get("api")
	made, err := p.Manage.StartTeam(r.Context(), d.Actor, name)
	if err != nil {
		wrong, err := page.Beside(err, map[string]string{"name": "name"})
		if err != nil {
			return err
		}
		return p.set.Render(w, r, http.StatusBadRequest, "start", startPage{Room: p.room(r, d, "", "Start a team"), Name: name, Get: get, API: api, Errors: wrong})
	}
	if get {
		return page.Redirect(w, r, "/developers/"+made.ID+newKeyPath(api))
	}
	return page.Redirect(w, r, "/developers/"+made.ID)
}

// overviewPage is GET /developers/{team}.
type overviewPage struct {
	page.Room
	Team    string
	New     string // where one gets a key; empty: the role gets none
	Numbers []page.Number
	Chart   page.Chart
	Passes  []page.Pass
	More    page.Link

	Warnings []page.Warning // the gravest; none: nothing that has to be looked at
	Others   []page.Tab     // one's teams, if there are several
}

// AllWarnings is where all of them stand.
func (p overviewPage) AllWarnings() string {
	return strings.TrimSuffix(p.New, "/keys/new") + "/warnings"
}

// NoKeys stands where no key works.
func (p overviewPage) NoKeys() page.Empty {
	return page.Empty{Title: "No key yet", Text: "A key is your app’s ID card: it says which app is calling. You get one in three clicks.", Link: page.Link{Text: "Get a key", URL: p.New}}
}

const newest = 3 // cards on the overview

// overview is GET /developers/{team}.
func (p *rooms) overview(w http.ResponseWriter, r *http.Request, d *desk) error {
	made := overviewPage{Room: p.room(r, d, "", d.Team.Name), Team: d.Team.Name}
	if len(d.Mine) > 1 {
		for _, m := range d.Mine {
			made.Others = append(made.Others, page.Tab{Text: m.Team.Name, URL: "/developers/" + m.Team.ID, Here: m.Team.ID == d.Team.ID})
		}
	}
	var err error
	if made.Chart, err = p.chart(r, d, spans[2], nil); err != nil {
		return err
	}
	month, err := p.sums(r, d, span{grain: spans[3].grain, bars: 1}, "outcome")
	if err != nil {
		return err
	}
	allowed, refused := int64(0), int64(0)
	for outcome, row := range month {
		if outcome == string(policy.Valid) {
			allowed += row.Count
		} else {
			refused += row.Count
		}
	}
	made.Numbers = []page.Number{{Text: page.Count(allowed), What: "requests this month", Link: page.Link{Text: "usage", URL: d.path("usage")}}, {Text: page.Count(refused), What: "refused"}}
	if refused > 0 {
		made.Numbers[1].Tone = "warn"
	}
	if d.May(audit.RoleDeveloper) {
		made.New = d.path("keys", "new")
		if made.Warnings, _, err = p.warnings(r, d, manage.WarningsFilter{Team: d.Team.ID, Gravity: string(advice.Warn)}, warningsAhead); err != nil {
			return err
		}
		if err := p.newestKeys(r, d, &made); err != nil {
			return err
		}
	}
	return p.set.Render(w, r, http.StatusOK, "overview", made)
}

// newestKeys puts the keys that were made last, and work, on the overview.
func (p *rooms) newestKeys(r *http.Request, d *desk, made *overviewPage) error {
	found, err := p.Manage.Keys(r.Context(), d.Actor, manage.KeysFilter{Team: d.Team.ID}, manage.List{Limit: 25})
	if err != nil {
		return err
	}
	view, err := p.Verifier.Catalog(r.Context())
	if err != nil {
		return err
	}
	var shown []lanyard.Key
	for i := range found.Items {
		if k := &found.Items[i]; gone(k) == "" && k.Kind != string(secret.Client) && len(shown) < newest {
			shown = append(shown, *k)
		}
	}
	names, err := p.appNames(r, d, shown)
	if err != nil {
		return err
	}
	for i := range shown {
		k := &shown[i]
		pass := card(k, names[k.AppID], d.Team.Name, view, p.Now(), d.path("keys", k.ID, "edit"))
		made.Passes = append(made.Passes, pass)
	}
	if len(found.Items) > len(shown) {
		made.More = page.Link{Text: "All keys", URL: d.path("keys")}
	}
	return nil
}
