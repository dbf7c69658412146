package developers

import (
	"net/http"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// showApps is GET /developers/{team}/apps.
func (p *rooms) showApps(w http.ResponseWriter, r *http.Request, d *desk) error {
	l := page.NewList(d.path("apps"), r.URL.Query(), "Apps by name", "-created", "name")
	l.Narrow("state", "State", "", "Any state", "works", "Works", "disabled", "Disabled")
	found, err := p.Manage.FindApps(r.Context(), d.Actor, searchOf(d, l))
	if err != nil {
		return err
	}
	ids := make([]string, len(found.Items))
	for i := range found.Items {
		ids[i] = found.Items[i].ID
	}
	used := map[string]lanyard.UsageRow{}
	if len(ids) > 0 {
		if used, err = p.sums(r, d, span{grain: usage.Month, bars: 1}, "app", ids...); err != nil {
			return err
		}
	}
	made := listPage{Room: p.room(r, d, "apps", "Apps"), Heading: "Apps", New: page.Link{Text: "Get a key", URL: d.path("keys", "new")}}
	table := page.Table{
		Caption: "Apps of " + d.Team.Name, Heads: []page.Head{l.Head("App", "name"), {Text: "What it is"}, l.Head("Made", "created"), {Text: "Calls this month", Number: true}},
		Empty: page.Empty{Title: "No app yet", Text: "An app is what calls: a program, a site, a script. It comes with its first key.", Link: made.New},
	}
	for i := range found.Items {
		a := &found.Items[i]
		row := page.Row{URL: d.path("apps", a.ID), Cells: []page.Cell{{Text: a.Name, Note: a.ID}, {Text: a.Description}, {Text: page.Ago(p.Now(), a.CreatedAt)}, {Text: page.Count(used[a.ID].Count)}}}
		if a.Disabled {
			row.Cells[1] = page.Cell{Text: "disabled", Pill: "warn"}
		}
		table.Rows = append(table.Rows, row)
	}
	made.List = l.Show(table, pagesOf(found))
	if r.URL.Query().Get("done") == "deleted" {
		made.Done = &page.Alert{Tone: "good", Title: "The app is deleted.", Text: "Its keys and badges are refused everywhere within a second."}
	}
	return p.set.Render(w, r, http.StatusOK, "list", made)
}

// appPage is GET and POST /developers/{team}/apps/{app}: fields name, description, homepage_url, button save.
type appPage struct {
	page.Room
	Name    string
	ID      string
	State   page.Cell
	Passes  []page.Pass
	Keys    page.Table
	All     string // where all its keys are listed
	New     string // where it gets another key
	Client  string // where it is an OAuth client
	Action  string
	Acts    []page.Ask
	Fields  []page.Field
	Numbers []page.Number
}

// showApp is GET /developers/{team}/apps/{app}.
func (p *rooms) showApp(w http.ResponseWriter, r *http.Request, d *desk) error {
	a, err := p.app(r, d, r.PathValue("app"))
	if err != nil {
		return err
	}
	return p.appPage(w, r, d, http.StatusOK, &a, nil)
}

func (p *rooms) appPage(w http.ResponseWriter, r *http.Request, d *desk, status int, a *lanyard.App, wrong page.Errs) error {
	found, err := p.Manage.Keys(r.Context(), d.Actor, manage.KeysFilter{App: a.ID}, manage.List{Limit: 20})
	if err != nil {
		return err
	}
	view, err := p.Verifier.Catalog(r.Context())
	if err != nil {
		return err
	}
	here := d.path("apps", a.ID)
	made := appPage{
		Room: p.room(r, d, "apps", a.Name), Name: a.Name, ID: a.ID, New: d.path("keys", "new") + "?app=" + a.ID, All: d.path("keys") + "?app=" + a.ID, Client: d.path("clients", a.ID), Action: here,
		Keys: page.Table{Caption: "Keys of " + a.Name, Heads: []page.Head{{Text: "Key"}, {Text: "Made"}, {Text: "Last used"}, {Text: "State"}}},
		Fields: []page.Field{
			{ID: "name", Label: "Name", Value: a.Name, Max: 100, Complete: "off", Error: wrong["name"]},
			{ID: "description", Label: "What it is", Value: a.Description, Max: 500, Optional: true, Complete: "off", Error: wrong["description"]},
			{ID: "homepage_url", Label: "Home page", Type: "url", Value: a.HomepageURL, Max: 500, Optional: true, Error: wrong["homepage_url"]},
		},
	}
	for i := range found.Items {
		k := &found.Items[i]
		if gone(k) == "" && len(made.Passes) < 4 {
			pass := card(k, a.Name, d.Team.Name, view, p.Now(), d.path("keys", k.ID, "edit"))
			made.Passes = append(made.Passes, pass)
		}
		made.Keys.Rows = append(made.Keys.Rows, page.Row{URL: d.path("keys", k.ID), Cells: []page.Cell{{Text: k.Name, Note: k.Hint}, {Text: page.Ago(p.Now(), k.CreatedAt)}, {Text: lastUse(k, p.Now())}, state(k, p.Now())}})
	}
	made.Keys.Empty = page.Empty{Title: "This app has no key", Text: "With a key it calls for itself; as a client it calls for people who allow it.", Link: page.Link{Text: "Get a key", URL: made.New}}
	made.State = page.Cell{Text: "works", Pill: "good"}
	toggle := page.Ask{ID: "disable", Text: "Disable", Warn: "All its keys and badges are refused until you enable it again. Nothing is lost.", Act: page.Act{URL: here + "/disable", Text: "Disable the app"}}
	if a.Disabled {
		made.State = page.Cell{Text: "disabled", Pill: "warn"}
		toggle = page.Ask{ID: "enable", Text: "Enable", Warn: "Its keys work again at once. Badges from before stay dead: people sign in again.", Act: page.Act{URL: here + "/enable", Text: "Enable the app"}}
	}
	made.Acts = []page.Ask{toggle, {
		ID: "delete", Text: "Delete", Warn: "All its keys are revoked and all badges that people gave it end. Its usage stays on the books. There is no way back.",
		Act: page.Act{URL: here + "/delete", Text: "Delete the app", Danger: true},
	}}
	switch done := r.URL.Query().Get("done"); {
	case done == "saved":
		made.Done = &page.Alert{Tone: "good", Title: "Saved."}
	case done == "disabled" && a.Disabled:
		made.Done = &page.Alert{Tone: "warn", Title: "The app is disabled.", Text: "Every call of it is refused until you enable it."}
	case done == "enabled" && !a.Disabled:
		made.Done = &page.Alert{Tone: "good", Title: "The app works again."}
	}
	return p.set.Render(w, r, status, "app", made)
}

// saveApp is POST /developers/{team}/apps/{app}.
func (p *rooms) saveApp(w http.ResponseWriter, r *http.Request, d *desk) error {
	a, err := p.app(r, d, r.PathValue("app"))
	if err != nil {
		return err
	}
	form := r.PostForm
	name, description, home := form.Get("name"), form.Get("description"), form.Get("homepage_url")
	_, err = p.Manage.UpdateApp(r.Context(), d.Actor, a.ID, lanyard.AppPatch{Name: &name, Description: &description, HomepageURL: &home})
	if err != nil {
		wrong, err := page.Beside(err, map[string]string{"name": "name", "description": "description", "homepage_url": "homepage_url"})
		if err != nil {
			return err
		}
		a.Name, a.Description, a.HomepageURL = name, description, home
		return p.appPage(w, r, d, http.StatusBadRequest, &a, wrong)
	}
	return page.Redirect(w, r, d.path("apps", a.ID)+"?done=saved")
}

// switchApp is POST /developers/{team}/apps/{app}/disable and /enable.
func (p *rooms) switchApp(disabled bool, done string) func(http.ResponseWriter, *http.Request, *desk) error {
	return func(w http.ResponseWriter, r *http.Request, d *desk) error {
		a, err := p.app(r, d, r.PathValue("app"))
		if err != nil {
			return err
		}
		if _, err := p.Manage.UpdateApp(r.Context(), d.Actor, a.ID, lanyard.AppPatch{Disabled: &disabled}); err != nil {
			return err
		}
		return page.Redirect(w, r, d.path("apps", a.ID)+"?done="+done)
	}
}

// deleteApp is POST /developers/{team}/apps/{app}/delete.
func (p *rooms) deleteApp(w http.ResponseWriter, r *http.Request, d *desk) error {
	a, err := p.app(r, d, r.PathValue("app"))
	if err != nil {
		return err
	}
	if _, err := p.Manage.DeleteApp(r.Context(), d.Actor, a.ID); err != nil {
		return err
	}
	return page.Redirect(w, r, d.path("apps")+"?done=deleted")
}
