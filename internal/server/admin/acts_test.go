package admin_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/keyring"
)

func TestOverview(t *testing.T) {
	w := newWorld(t)
	wantOn(t, w.adminsees.Get("/admin"), "the overview", "calls today", "No call was refused this month", "WeatherDashboard", "short-lived", "runs", "ES256", "signs")
}

func TestDeclareAPI(t *testing.T) {
	w := newWorld(t)
	b := w.adminsees
	for name, want := range map[string]string{"Bad Name": "begins with a letter", "weather": "there is an API of this name", "new": "begins with a letter"} {
		p := b.Press(b.Get("/admin/apis/new"), "declare-api", map[string]string{"name": name, "takes": "key"})
		if p.Status != http.StatusBadRequest || !p.Has("name-error") {
			t.Errorf("an API called %q = %d, want 400 beside the name", name, p.Status)
		}
		wantOn(t, p, "an API called "+name, strings.ToUpper(want[:1])+want[1:])
	}
	p := b.Press(b.Get("/admin/apis/new"), "declare-api", map[string]string{"name": "notes", "title": "Notes", "takes": "token", "upstream": "http://localhost:9003"})
	wantOn(t, p, "the new API", "The API notes is changed.", "Notes", "a visitor badge", "ANY /{path...}", "http://localhost:9003")
	w.wantLine(t, "api.put", "notes")

	p = b.Press(b.Get("/admin/apis/notes/edit"), "save-api", map[string]string{"title": "My notes", "takes": "token", "metering": "exact", "format": "opaque", "lifetime": "forever"})
	if p.Status != http.StatusBadRequest || !p.Has("lifetime-error") || !strings.Contains(p.Body, "My notes") {
		t.Errorf("a lifetime of forever = %d, want 400 beside it, and the title kept", p.Status)
	}
	p = b.Press(b.Get("/admin/apis/notes/edit"), "save-api", map[string]string{"title": "My notes", "takes": "token", "metering": "exact", "format": "opaque", "lifetime": "30m"})
	wantOn(t, p, "the edited API", "My notes", "opaque, worth 30m")

	p = b.Press(b.Get("/admin/apis/notes/scope"), "save-scope", map[string]string{"name": "notes.read", "text": "read your notes", "grantable_by": "everyone", "+default": ""})
	wantOn(t, p, "the API with a scope", "notes.read", "read your notes", "ticked by default", "no operation asks for the scope notes.read")
	p = b.Press(b.Get("/admin/apis/notes/scope"), "save-scope", map[string]string{"name": "notes.read", "text": "read", "grantable_by": "everyone"})
	if p.Status != http.StatusBadRequest || !p.Has("name-error") {
		t.Errorf("a scope twice = %d, want 400 beside its name", p.Status)
	}
	p = b.Press(b.Get("/admin/apis/notes/operation"), "save-operation", map[string]string{"name": "GET /v1/notes", "takes": "", "cost": "2", "+scope-notes.read": ""})
	wantOn(t, p, "the API with an operation", "GET /v1/notes", "notes.read")
	p = b.Press(b.Get("/admin/apis/notes/operation"), "save-operation", map[string]string{"name": "GET notes", "takes": "", "cost": "1"})
	if p.Status != http.StatusBadRequest {
		t.Errorf("an operation without a path = %d, want 400", p.Status)
	}
	p = b.Press(b.Get("/admin/apis/notes/plan"), "save-plan", map[string]string{"name": "free", "limits": "60/minute", "+default": ""})
	wantOn(t, p, "the API with a plan", "free", "60/minute")
	if a, err := w.Node.Admin.API(t.Context(), "notes"); err != nil || *a.Operations["GET /v1/notes"].Cost != 2 || !a.Plans["free"].Default || a.Upstream != "http://localhost:9003" || a.Token.Format != "opaque" {
		t.Errorf("API = %+v, %v, want what the forms said", a, err)
	}
}

// The form of a plan leaves alone what the plan charges.
func TestEditedPlanKeepsPrices(t *testing.T) {
	w := newWorld(t)
	b := w.adminsees
	api := lanyard.API{Takes: "key", Plans: map[string]lanyard.Plan{"pro": {Fee: "9", Prices: []lanyard.Price{{Meter: "requests", PerUnit: "0.002", Currency: "USD"}}}}}
	if _, err := w.Manage.PutAPI(t.Context(), audit.Command("test"), "maps", api, false); err != nil {
		t.Fatal(err)
	}
	wantOn(t, b.Press(b.Get("/admin/apis/maps/plan?name=pro"), "save-plan", map[string]string{"limits": "9/second"}), "the edited plan", "9/second")
	if a, err := w.Node.Admin.API(t.Context(), "maps"); err != nil || a.Plans["pro"].Fee != "9" || len(a.Plans["pro"].Prices) != 1 || len(a.Plans["pro"].Limits) != 1 {
		t.Errorf("plan = %+v, %v, want the limit added and the prices left", a.Plans["pro"], err)
	}
}

// What removes something is shown first and asks once.
func TestRemovals(t *testing.T) {
	w := newWorld(t)
	b := w.adminsees
	p := b.Press(b.Get("/admin/apis/weather/scope?name=forecast.read"), "remove-scope", nil)
	wantOn(t, p, "a scope that is asked for", "Nothing was changed", "GET /v1/forecast asks for this scope")
	before := w.lines(t)
	p = b.Press(b.Get("/admin/apis/weather/operation?name=GET+/v1/forecast"), "remove-operation", nil)
	wantOn(t, p, "what a removal changes", "Nothing is written yet", "remove", "operations")
	if after := w.lines(t); after != before {
		t.Fatal("what was only shown left a line in the audit log")
	}
	wantOn(t, b.Press(p, "change-yes", nil), "the API after it", "The API weather is changed.", "No operation yet")
	p = b.Press(b.Get("/admin/apis/weather/scope?name=forecast.read"), "remove-scope", nil)
	wantOn(t, p, "what the removal of a scope changes", "keys that name it keep the name")
	wantOn(t, b.Press(p, "change-yes", nil), "the API without scopes", "No scope yet")
	p = b.Press(b.Get("/admin/apis/weather"), "remove-api-yes", nil)
	wantOn(t, p, "the APIs after it", "The API weather is gone.")
	w.wantLine(t, "api.delete", "weather")
}

const document = `openapi: 3.1.0
info: {title: Pets, version: "1"}
servers: [{url: "https://pets.example"}]
paths:
  /pets:
    get: {security: [{key: []}], responses: {}}
    post: {security: [{key: []}], responses: {}}
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: X-API-Key}
`

func TestImport(t *testing.T) {
	w := newWorld(t)
	b := w.adminsees
	for name, fields := range map[string]map[string]string{
		"no document": {"name": "pets"}, "no OpenAPI": {"name": "pets", "text": "hello"}, "a bad name": {"name": "Pets!", "text": document},
	} {
		if p := b.Press(b.Get("/admin/apis/import"), "read-openapi", fields); p.Status != http.StatusBadRequest {
			t.Errorf("import of %s = %d, want 400", name, p.Status)
		}
	}
	p := b.Press(b.Get("/admin/apis/import"), "read-openapi", map[string]string{"name": "pets", "text": document})
	wantOn(t, p, "what the file declares", "GET /pets", "POST /pets", "Nothing is written yet")
	if _, err := w.Node.Admin.API(t.Context(), "pets"); err == nil {
		t.Error("what was only shown is declared")
	}
	wantOn(t, b.Press(p, "declare-import", nil), "the API", "The API pets is changed.", "GET /pets", "https://pets.example")
	w.wantLine(t, "api.put", "pets")
}

// An API's page shows what lint says of it, and so does what a file declares what could not be taken over.
func TestAPIFindings(t *testing.T) {
	w := newWorld(t)
	b := w.adminsees
	p := b.Press(b.Get("/admin/apis/import"), "read-openapi", map[string]string{"name": "pets", "text": document + "    petKey: {type: mutualTLS}\n"})
	wantOn(t, p, "what the file declares", "What could not be taken over as it stands", "client certificates are no credentials here")
	p = b.Press(p, "declare-import", nil)
	wantOn(t, p, "the API", "Look at this:", "the API has operations that change things (POST /pets) and no scopes")
}

func TestPeople(t *testing.T) {
	w := newWorld(t)
	b := w.adminsees
	wantOn(t, b.Get("/admin/people?q=ada@example.com"), "the search", "Ada", "active")
	wantOn(t, b.Get("/admin/people?q="+w.ada.ID), "the person by id", "ada@example.com")
	wantOn(t, b.Get("/admin/people?q=nobody@example.com"), "the search for nobody", "Nothing matches", "Clear the search")
	p := b.Press(b.Get("/admin/people/new"), "make-person", map[string]string{"email": "ada@example.com"})
	if p.Status != http.StatusBadRequest || !p.Has("email-error") {
		t.Errorf("an address twice = %d, want 400 beside it", p.Status)
	}
	p = b.Press(b.Get("/admin/people/new"), "make-person", map[string]string{"email": "bob@example.com", "name": "Bob", "password": password})
	wantOn(t, p, "the new person", "The account is made.", "bob@example.com")
	p = b.Press(b.Get("/admin/people/new"), "invite", map[string]string{"invited": "eve@example.com"})
	wantOn(t, p, "an invitation", "An invitation is on its way.")
	path := "/admin/people/" + w.ada.ID
	for _, step := range []struct{ button, says, action string }{
		{"end-sessions-yes", "Every browser of theirs is signed out.", "session.end"},
		{"revoke-tokens-yes", "Every session and token of theirs is dead.", "user.update"},
		{"admin-yes", "They are an admin now.", "user.update"},
		{"not-admin-yes", "They are no admin any more.", "user.update"},
		{"disable-yes", "The account is disabled.", "user.update"},
		{"enable-yes", "The account works again.", "user.update"},
	} {
		wantOn(t, b.Press(b.Get(path), step.button, nil), step.button, step.says)
		w.wantLine(t, step.action, w.ada.ID)
	}
	if p := w.personssees.Get("/account"); p.URL.Path != "/login" {
		t.Errorf("whose sessions were ended is at %s, want the login", p.URL)
	}
	if p := b.Get("/admin/people/" + w.root.ID); p.Has("disable") || p.Has("not-admin") {
		t.Error("an admin may take their own way in away")
	}
}

func TestTeams(t *testing.T) {
	w := newWorld(t)
	b := w.adminsees
	if p := b.Press(b.Get("/admin/teams/new"), "make-team", map[string]string{"name": "Rain", "owner": "nobody@example.com"}); p.Status != http.StatusBadRequest || !p.Has("owner-error") {
		t.Errorf("a team of nobody = %d, want 400 beside the owner", p.Status)
	}
	p := b.Press(b.Get("/admin/teams/new"), "make-team", map[string]string{"name": "Rain", "owner": "ada@example.com"})
	wantOn(t, p, "the new team", "The team Rain is made.", "Ada", "owner")
	api := lanyard.API{Takes: "key", Plans: map[string]lanyard.Plan{"large": {Limits: []string{"9/second"}}}}
	if _, err := w.Manage.PutAPI(t.Context(), audit.Command("test"), "maps", api, false); err != nil {
		t.Fatal(err)
	}
	path := "/admin/teams/" + w.shop.Team.ID
	wantOn(t, b.Press(b.Get(path), "set-plan-maps", map[string]string{"plan-maps": "large"}), "the plan", "The plan for maps is large now.")
	wantOn(t, b.Press(b.Get(path), "suspend-yes", nil), "the suspension", "The team is suspended.")
	wantOn(t, b.Press(b.Get(path), "lift-yes", nil), "its end", "The suspension is lifted.")
	w.wantLine(t, "team.update", w.shop.Team.ID)
	wantOn(t, b.Get("/admin/teams?q=Sunny"), "the search", "Sunny")
	wantOn(t, b.Get("/admin/apps?q=WeatherDashboard"), "the apps", "WeatherDashboard", "Sunny")
	wantOn(t, b.Get("/admin/apps?origin=dcr"), "apps that registered themselves", "Nothing matches", "Clear the search")
}

// Limits of teams and people are shown where they stand, refused beside the field, and set back.
func TestLimits(t *testing.T) {
	w := newWorld(t)
	b := w.adminsees
	for path, of := range map[string]struct{ whose, action, target, gone string }{
		"/admin/teams/" + w.shop.Team.ID: {"team-", "team.update", w.shop.Team.ID, "Nothing limits the team’s calls by itself any more."},
		"/admin/people/" + w.ada.ID:      {"user-", "user.update", w.ada.ID, "Nothing limits calls on their behalf by itself any more."},
	} {
		p := b.Get(path)
		wantOn(t, p, path+" without limits", "Set a limit")
		before := w.lines(t)
		for typed, says := range map[string]string{
			"60":                   "is no limit",
			"60/minute\n60/decade": "is no limit",
			"0/minute":             "A limit allows 1 to",
			"60/minute\n70/60s":    "60/minute and 70/minute are for the same window: keep one of them.",
			"1/1s\n1/2s\n1/3s\n1/4s\n1/5s\n1/6s\n1/7s\n1/8s\n1/9s": "There can be at most 8 limits, not 9.",
		} {
			p := b.Press(b.Get(path+"/limits"), "save-limits", map[string]string{"limits": typed})
			if p.Status != http.StatusBadRequest || !p.Has("limits-error") {
				t.Errorf("%s with the limits %q = %d, want 400 beside them", path, typed, p.Status)
			}
			wantOn(t, p, "the form with "+typed, says)
		}
		if after := w.lines(t); after != before {
			t.Fatalf("refused limits left %d lines in the audit log", after-before)
		}
		p = b.Press(b.Get(path+"/limits"), "save-limits", map[string]string{"limits": " 5/second \n\n60/minute closed\n"})
		wantOn(t, p, "the limits", "The limits are changed.", "5/second", "60/minute closed", "60 calls at once, then 1 a second", of.whose+"per-second", "Change the limits")
		w.wantLine(t, of.action, of.target)
		p = b.Press(b.Get(path+"/limits"), "save-limits", map[string]string{"limits": ""})
		wantOn(t, p, "no limits", "The limits are gone.", of.gone, "They were 5/second, 60/minute closed.")
		p = b.Press(b.Get(path+"/limits"), "save-limits", map[string]string{"limits": "5/second\n60/minute closed"})
		wantOn(t, p, "the limits set back", "They are 5/second, 60/minute closed now")
	}
	if team, err := w.Node.Admin.Team(t.Context(), w.shop.Team.ID); err != nil || len(team.Limits) != 2 || team.Limits[1] != (lanyard.Limit{Name: "per-minute", Limit: 60, WindowSeconds: 60, WhenUnavailable: "closed"}) {
		t.Errorf("Team = %+v, %v, want what the form says", team, err)
	}
}

// Limits of an API's callers are part of its form.
func TestLimitsOfAPI(t *testing.T) {
	w := newWorld(t)
	b := w.adminsees
	p := b.Press(b.Get("/admin/apis/weather/edit"), "save-api", map[string]string{"limits": "1000/second", "user_limits": "sixty"})
	if p.Status != http.StatusBadRequest || !p.Has("user_limits-error") || p.Has("limits-error") {
		t.Errorf("a limit of sixty = %d, want 400 beside it alone", p.Status)
	}
	p = b.Press(b.Get("/admin/apis/weather/edit"), "save-api", map[string]string{"limits": "1000/second", "user_limits": "60/minute\n9000/day"})
	wantOn(t, p, "the API", "Limits on all callers", "1000/second", "Limits on each person", "60/minute, 9000/day")
}

// A link that somebody made up says nothing.
func TestMadeUpLinks(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{
		"/admin/people/" + w.ada.ID + "?done=user.update&of=" + w.ada.ID, "/admin/people?done=Call+0800+EVIL&of=x", "/admin/settings?done=catalog.apply&of=catalog",
		"/admin/keys?done=keyring.revoke&of=sign_es256", "/admin/apis?done=api.delete&of=%3Cb%3EEVIL",
	} {
		if p := w.adminsees.Get(path); p.Status != http.StatusOK || p.Has("told") || strings.Contains(p.Body, "EVIL") {
			t.Errorf("GET %s = %d and says what was not done", path, p.Status)
		}
	}
}

func TestAudit(t *testing.T) {
	w := newWorld(t)
	b := w.adminsees
	wantOn(t, b.Get("/admin/audit?action=app.create&target="+w.shop.App.ID), "the log", "The app WeatherDashboard was made.", "app.create "+w.shop.App.ID)
	wantOn(t, b.Get("/admin/audit?actor=user_none"), "lines of nobody", "Nothing matches")
	if p := b.Get("/admin/audit?from=tomorrow"); p.Status != http.StatusBadRequest || !p.Has("from-error") {
		t.Errorf("from tomorrow = %d, want 400 beside it", p.Status)
	}
	csv := b.Get("/admin/audit/export?format=csv&action=app.create")
	if head, rest, _ := strings.Cut(csv.Body, "\n"); head != "at,actor,action,target,team_id,details,id" || !strings.Contains(rest, w.shop.App.ID) || strings.Contains(rest, "user.create") || !strings.HasPrefix(csv.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("export as CSV = %.300s", csv.Body)
	}
	for line := range strings.Lines(b.Get("/admin/audit/export?format=jsonl").Body) {
		var ev lanyard.AuditEvent
		if err := json.Unmarshal([]byte(line), &ev); err != nil || ev.ID == "" {
			t.Errorf("a line of the export %q: %v", line, err)
		}
	}
}

func TestKeys(t *testing.T) {
	w := newWorld(t)
	b := w.adminsees
	first := signing(w.Ring)[0]
	p := b.Get("/admin/keys")
	wantOn(t, p, "the keys", first.KeyID, "signs", "pepper", "at_rest")
	p = b.Press(p, "rotate-"+first.KeyID+"-yes", nil)
	wantOn(t, p, "a rotation", "A new key is published.", "published")
	w.wantLine(t, "keyring.rotate", "sign_es256")
	wantOn(t, b.Press(p, "revoke-"+first.KeyID+"-yes", nil), "a revocation", "The key is gone.")
	w.wantLine(t, "keyring.revoke", "sign_es256")
	if left := signing(w.Ring); len(left) != 1 || left[0].KeyID == first.KeyID {
		t.Errorf("signing keys = %v, want the new one alone", left)
	}
	if p := b.Post("/admin/keys/revoke", map[string][]string{"purpose": {"pepper"}, "version": {"1"}}, nil); p.Status != http.StatusNotFound {
		t.Errorf("revoke the pepper = %d, want 404", p.Status)
	}
}

func signing(ring *keyring.Ring) (out []keyring.Info) {
	for _, k := range ring.List() {
		if k.Purpose.Algorithm() != "" {
			out = append(out, k)
		}
	}
	return out
}

func TestHealthAndSettings(t *testing.T) {
	w := newWorld(t)
	b := w.adminsees
	wantOn(t, b.Get("/admin/health"), "health", "This server is ready.", "SQLite", "Nothing waits")
	p := b.Get("/admin/settings")
	wantOn(t, p, "settings", "LANYARD_SIGNUP", "invite", "Keys begin with")
	if key := w.Settings.MasterKey.Reveal(); key != "" && strings.Contains(p.Body, key) {
		t.Error("the settings show the master key")
	}
	p = b.Press(b.Get("/admin/settings/brand"), "preview-brand", map[string]string{"name": "Acme", "color": "reddish"})
	if p.Status != http.StatusBadRequest || !p.Has("color-error") || p.Has("save-brand") {
		t.Errorf("the colour reddish = %d, want 400 beside it and nothing to save", p.Status)
	}
	p = b.Press(b.Get("/admin/settings/brand"), "preview-brand", map[string]string{"name": "Acme", "color": "#cc2200"})
	wantOn(t, p, "the preview", "nobody else’s does", "Acme")
	if !strings.Contains(p.Body, "brand-cc2200") && !strings.Contains(p.Body, "cc2200") {
		t.Error("the preview does not wear the colour")
	}
	if p := b.Get("/"); strings.Contains(p.Body, "Acme") {
		t.Error("a brand that was only tried on is worn elsewhere")
	}
	wantOn(t, b.Press(p, "save-brand", nil), "the saved brand", "The brand is saved.", "#cc2200")
	p = b.Press(b.Press(b.Get("/admin/settings/brand"), "preview-brand", map[string]string{"color": ""}), "save-brand", nil)
	if strings.Contains(p.Body, "#cc2200") {
		t.Error("a colour that was emptied is still there")
	}
	w.wantLine(t, "catalog.apply", "catalog")
}
