package developers_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/page/pagetest"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

const password = "blue cabbage under 9 moons"

// desk is a server with a person in their browser, at their team's desk.
type desk struct {
	t       *testing.T
	node    *servertest.Node
	browser *servertest.Browser
	team    lanyard.Team
	user    lanyard.User
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	n := servertest.Start(t, servertest.Options{})
	n.Open(t)
	d := &desk{t: t, node: n, browser: n.Browser(t)}
	d.user = d.person("dev@demo.test", "Dara")
	team, err := n.Admin.CreateTeam(t.Context(), lanyard.TeamInput{Name: "Rain", OwnerID: d.user.ID})
	if err != nil {
		t.Fatal(err)
	}
	d.team = team
	d.signIn("dev@demo.test")
	return d
}

func (d *desk) person(email, name string) lanyard.User {
	d.t.Helper()
	made, err := d.node.Manage.CreateUser(d.t.Context(), audit.Command("test"), lanyard.UserInput{Email: email, Name: name, Password: password})
	if err != nil {
		d.t.Fatal(err)
	}
	return made
}

func (d *desk) signIn(email string) {
	d.t.Helper()
	p := d.browser.Press(d.browser.Get("/login?next=/developers"), "sign-in", map[string]string{"login": email, "password": password})
	if p.Status != http.StatusOK || !strings.HasPrefix(p.URL.Path, "/developers") {
		d.t.Fatalf("after the login: %s %d", p.URL, p.Status)
	}
}

func (d *desk) path(rest string) string { return "/developers/" + d.team.ID + rest }

// sound reads a page as a strict browser would.
func (d *desk) sound(p *servertest.Page) *servertest.Page {
	d.t.Helper()
	for _, fault := range pagetest.Faults(p.Body, "script") {
		d.t.Errorf("%s %s", p.URL, fault)
	}
	if got := p.Header.Get("Cache-Control"); got != "no-store" {
		d.t.Errorf("%s is kept: Cache-Control %q", p.URL, got)
	}
	return p
}

var secretText = regexp.MustCompile(`lyd_(?:key|pub)_(?:live|test)_[0-9A-Za-z]{54}`)

// secret is the one secret that a page shows.
func (d *desk) secret(p *servertest.Page) string {
	d.t.Helper()
	found := secretText.FindString(p.Body)
	if p.Status != http.StatusOK || found == "" {
		d.t.Fatalf("%s = %d without a secret: %.600s", p.URL, p.Status, p.Text())
	}
	return found
}

// code is what a decision says about a credential that asks for a forecast.
func (d *desk) code(credential string) string {
	d.t.Helper()
	return d.codeAt(credential, "/v1/forecast")
}

// codeAt is code for another path.
func (d *desk) codeAt(credential, path string) string {
	d.t.Helper()
	if err := d.node.Tail.Sync(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	said, err := d.node.Admin.Verify(d.t.Context(), lanyard.VerifyRequest{Credential: credential, API: "weather", Method: "GET", Path: path})
	if err != nil {
		d.t.Fatal(err)
	}
	return said.Code
}

// keyID is the key that a page's address names.
func keyID(d *desk, p *servertest.Page) string {
	d.t.Helper()
	m := regexp.MustCompile(`key_[0-9A-Za-z]{16}`).FindString(p.Body)
	if m == "" {
		d.t.Fatalf("%s names no key", p.URL)
	}
	return m
}

// get makes a key by the form, as somebody does who changes nothing but the name.
func (d *desk) get(fields map[string]string) *servertest.Page {
	d.t.Helper()
	form := d.browser.Get(d.path("/keys/new?api=weather"))
	all := map[string]string{"name": "Rooftop"}
	for name, value := range fields {
		all[name] = value
	}
	return d.browser.Press(form, "get-key", all)
}

// TestGetKeyRefuses: what cannot be is said beside its field, nothing is made, and what was typed stays.
func TestGetKeyRefuses(t *testing.T) {
	d := newDesk(t)
	for name, fields := range map[string]map[string]string{
		"no name":                  {"name": ""},
		"no scope":                 {"-scope-forecast.read": ""},
		"a network that is none":   {"ip_allow": "everywhere"},
		"publishable and open":     {"kind": "pub"},
		"an origin that is none":   {"kind": "pub", "origins": "app"},
		"an end that is none":      {"days": "soon"},
		"an app that is not there": {"app": "app_0000000000000000"},
		"a scope that is none":     {"scope": "weather.rule"},
	} {
		p := d.sound(d.get(fields))
		if p.Status != http.StatusBadRequest || secretText.MatchString(p.Body) || !strings.Contains(p.Body, `class="error"`) {
			t.Errorf("%s = %d %.300s, want the form with what is wrong", name, p.Status, p.Text())
		}
		if network := fields["ip_allow"]; network != "" && !strings.Contains(p.Body, network) {
			t.Errorf("%s: what was typed is gone", name)
		}
	}
	if apps, err := d.node.Admin.Apps(t.Context(), lanyard.AppQuery{TeamID: d.team.ID}); err != nil || len(apps.Items) != 0 {
		t.Errorf("after refusals there are %d apps, %v", len(apps.Items), err)
	}
	if p := d.browser.Get(d.path("/keys/new?api=lanyard")); p.Status != http.StatusNotFound {
		t.Errorf("a key for Lanyard's own API = %d, want 404", p.Status)
	}
}

// TestGetKey: three clicks lead to a key that works; its secret is on one answer and never again.
func TestGetKey(t *testing.T) {
	d := newDesk(t)
	if p := d.sound(d.browser.Get("/developers")); !p.Has("get-a-key") {
		t.Errorf("%s offers no key: %s", p.URL, p.Text())
	}
	if p := d.sound(d.browser.Get(d.path("/keys/new"))); !strings.Contains(p.Body, "keys/new?api=weather") {
		t.Errorf("%s offers no API: %s", p.URL, p.Text())
	}
	form := d.sound(d.browser.Get(d.path("/keys/new?api=weather")))
	if !form.Ticked("scope-forecast.read") {
		t.Error("the default scope is not ticked")
	}
	made := d.sound(d.browser.Press(form, "get-key", map[string]string{"name": "Rooftop"}))
	text := d.secret(made)
	if got := d.code(text); got != "valid" {
		t.Errorf("the key is %s, want valid", got)
	}
	for _, want := range []string{"WEATHER_API_KEY=" + text, "Waiting for your first call", "If stolen:", "Rooftop", "read forecasts"} {
		if !strings.Contains(made.Text(), want) {
			t.Errorf("the page of a new key lacks %q", want)
		}
	}
	again := d.browser.Press(form, "get-key", map[string]string{"name": "Rooftop"})
	if secretText.MatchString(again.Body) || !strings.Contains(again.Text(), "sent already") {
		t.Errorf("the form sent again = %d %.300s", again.Status, again.Text())
	}
	id := keyID(d, made)
	for _, path := range []string{"", "/apps", "/keys", "/keys/" + id, "/keys/" + id + "/edit", "/keys/" + id + "/first-call", "/usage", "/usage?span=hour&by=key"} {
		if p := d.sound(d.browser.Get(d.path(path))); p.Status != http.StatusOK || secretText.MatchString(p.Body) {
			t.Errorf("GET %s = %d, or a secret on it", path, p.Status)
		}
	}
	keys, err := d.node.Admin.Keys(t.Context(), lanyard.KeyQuery{})
	if err != nil {
		t.Fatal(err)
	}
	ours := 0
	for _, k := range keys.Items {
		if k.TeamID == d.team.ID {
			ours++
		}
	}
	if ours != 1 {
		t.Errorf("the team has %d keys, want 1", ours)
	}
}

// TestFirstCall: the page that waits turns green with the first call.
func TestFirstCall(t *testing.T) {
	d := newDesk(t)
	made := d.get(nil)
	here := d.path("/keys/" + keyID(d, made) + "/first-call")
	if p := d.browser.Get(here); !strings.Contains(p.Body, `data-live`) || strings.Contains(p.Text(), "arrived") {
		t.Errorf("before: %s", p.Text())
	}
	d.code(d.secret(made))
	p := d.sound(d.browser.Get(here))
	if strings.Contains(p.Body, "data-live") || !strings.Contains(p.Text(), "Your first call arrived: GET /v1/forecast.") {
		t.Errorf("after: %s", p.Text())
	}
	if p := d.browser.Get(d.path("/usage?by=operation")); !strings.Contains(p.Text(), "GET /v1/forecast 1 1") {
		t.Errorf("usage = %s", p.Text())
	}
}

// TestFirstCallRefused: a first call that no operation fits has none to name.
func TestFirstCallRefused(t *testing.T) {
	d := newDesk(t)
	made := d.get(nil)
	if code := d.codeAt(d.secret(made), "/v1/nothing"); code != "operation_unknown" {
		t.Fatalf("a call of no operation = %s", code)
	}
	p := d.sound(d.browser.Get(d.path("/keys/" + keyID(d, made) + "/first-call")))
	if !strings.Contains(p.Text(), "Your first call arrived: it was refused, operation_unknown.") {
		t.Errorf("the page says: %s", p.Text())
	}
}

// TestRotate: the new secret is shown once, both work, and undoing leaves the old one.
func TestRotate(t *testing.T) {
	d := newDesk(t)
	made := d.get(nil)
	before, here := d.secret(made), d.path("/keys/"+keyID(d, made))
	key := d.browser.Get(here)
	rotated := d.sound(d.browser.Press(key, "rotate-yes", map[string]string{"overlap": "3600"}))
	after := d.secret(rotated)
	if d.code(before) != "valid" || d.code(after) != "valid" || before == after {
		t.Errorf("in the overlap: %s, %s", d.code(before), d.code(after))
	}
	if again := d.browser.Press(key, "rotate-yes", map[string]string{"overlap": "3600"}); secretText.MatchString(again.Body) {
		t.Errorf("the form sent again shows a secret: %d", again.Status)
	}
	two := d.sound(d.browser.Get(here))
	if !strings.Contains(two.Text(), "Two secrets work") {
		t.Errorf("the key's page = %s", two.Text())
	}
	if undone := d.browser.Press(two, "undo", nil); !strings.Contains(undone.Text(), "The rotation is undone") {
		t.Errorf("undo = %d %s", undone.Status, undone.Text())
	}
	if d.code(before) != "valid" || d.code(after) == "valid" {
		t.Errorf("after undoing: %s, %s", d.code(before), d.code(after))
	}
}

// TestRevoke: a key is disabled, enabled, and revoked for good, with the milliseconds it took.
func TestRevoke(t *testing.T) {
	d := newDesk(t)
	made := d.get(nil)
	text, here := d.secret(made), d.path("/keys/"+keyID(d, made))
	if p := d.browser.Press(d.browser.Get(here), "disable-yes", nil); !strings.Contains(p.Text(), "The key is disabled") || d.code(text) != "disabled" {
		t.Errorf("disable = %s, %s", d.code(text), p.Text())
	}
	if p := d.browser.Press(d.browser.Get(here), "enable-yes", nil); !strings.Contains(p.Text(), "works again") || d.code(text) != "valid" {
		t.Errorf("enable = %s, %s", d.code(text), p.Text())
	}
	if p := d.browser.Get(here + "?done=revoked&ms=3"); p.Has("revoked") {
		t.Error("a link says of a key that works that it is revoked")
	}
	p := d.sound(d.browser.Press(d.browser.Get(here), "revoke-yes", map[string]string{"reason": "it was in a screenshot"}))
	if !strings.Contains(p.Text(), "millisecond") || d.code(text) != "revoked" || p.Has("rotate") || p.Has("enable") {
		t.Errorf("revoke = %s, %s", d.code(text), p.Text())
	}
	if p := d.browser.Get(here + "?done=revoked&ms=1e9"); strings.Contains(p.Text(), "millisecond") {
		t.Error("a link says how long it took")
	}
}

// TestEditKey: scopes and networks of a key change as ticked; what cannot be is said beside its field.
func TestEditKey(t *testing.T) {
	d := newDesk(t)
	made := d.get(nil)
	text, here := d.secret(made), d.path("/keys/"+keyID(d, made)+"/edit")
	if p := d.sound(d.browser.Press(d.browser.Get(here), "save", map[string]string{"ip_allow": "nowhere"})); p.Status != http.StatusBadRequest || !strings.Contains(p.Body, `id="ip_allow-error"`) {
		t.Errorf("a bad network = %d %s", p.Status, p.Text())
	}
	if p := d.browser.Press(d.browser.Get(here), "save", map[string]string{"ip_allow": "192.0.2.0/24"}); !strings.Contains(p.Text(), "192.0.2.0/24") || d.code(text) != "ip_denied" {
		t.Errorf("narrowed to a network: %s, %s", d.code(text), p.Text())
	}
	if p := d.browser.Press(d.browser.Get(here), "save", map[string]string{"ip_allow": "", "-scope-forecast.read": ""}); d.code(text) != "insufficient_scope" {
		t.Errorf("without its scope: %s, %s", d.code(text), p.Text())
	}
	if p := d.browser.Press(d.browser.Get(here), "save", map[string]string{"+scope-forecast.read": ""}); d.code(text) != "valid" {
		t.Errorf("with its scope again: %s, %s", d.code(text), p.Text())
	}
	for _, no := range []string{"many", "5/cycle", "0/day"} {
		if p := d.sound(d.browser.Press(d.browser.Get(here), "save", map[string]string{"quota": no})); p.Status != http.StatusBadRequest || !strings.Contains(p.Body, `id="quota-error"`) || !strings.Contains(p.Body, no) {
			t.Errorf("a quota of %q = %d %s", no, p.Status, p.Text())
		}
	}
	if p := d.browser.Press(d.browser.Get(here), "save", map[string]string{"quota": "1/month"}); !strings.Contains(p.Text(), "1 unit a month") || d.code(text) != "quota_exceeded" {
		t.Errorf("a quota that was used before: %s, %s", d.code(text), p.Text())
	}
	if p := d.browser.Press(d.browser.Get(here), "save", map[string]string{"quota": ""}); strings.Contains(p.Text(), "Use at most") || d.code(text) != "valid" {
		t.Errorf("without a quota again: %s, %s", d.code(text), p.Text())
	}
}

// TestApp: an app is renamed, disabled and deleted.
func TestApp(t *testing.T) {
	d := newDesk(t)
	text := d.secret(d.get(map[string]string{"name": `<b>"Rooftop`}))
	apps, err := d.node.Admin.Apps(t.Context(), lanyard.AppQuery{TeamID: d.team.ID})
	if err != nil || len(apps.Items) != 1 {
		t.Fatalf("apps = %v, %v", apps.Items, err)
	}
	here := d.path("/apps/" + apps.Items[0].ID)
	p := d.sound(d.browser.Get(here))
	if strings.Contains(p.Body, "<b>\"") || !strings.Contains(p.Text(), `<b>"Rooftop`) {
		t.Error("a name became markup")
	}
	if p := d.sound(d.browser.Press(p, "save", map[string]string{"name": "", "homepage_url": "javascript:alert(1)"})); p.Status != http.StatusBadRequest || !strings.Contains(p.Body, `class="error"`) {
		t.Errorf("a bad name = %d", p.Status)
	}
	if p := d.browser.Press(p, "save", map[string]string{"name": "Roof"}); !strings.Contains(p.Text(), "Saved.") || !strings.Contains(p.Text(), "Roof") {
		t.Errorf("save = %s", p.Text())
	}
	if p = d.browser.Press(d.browser.Get(here), "disable-yes", nil); d.code(text) != "disabled" {
		t.Errorf("disable = %s, %s", d.code(text), p.Text())
	}
	if p = d.browser.Press(d.browser.Get(here), "enable-yes", nil); d.code(text) != "valid" {
		t.Errorf("enable = %s, %s", d.code(text), p.Text())
	}
	if p = d.browser.Press(d.browser.Get(here), "delete-yes", nil); d.code(text) == "valid" || !strings.Contains(p.Text(), "The app is deleted") {
		t.Errorf("delete = %s, %s", d.code(text), p.Text())
	}
	if p := d.browser.Get(here); p.Status != http.StatusNotFound {
		t.Errorf("the app afterwards = %d, want 404", p.Status)
	}
}

// TestStartTeam: who is in no team starts one, and comes to its desk.
func TestStartTeam(t *testing.T) {
	d := newDesk(t)
	d.person("new@demo.test", "Nia")
	d.browser = d.node.Browser(t)
	d.signIn("new@demo.test")
	p := d.sound(d.browser.Get("/developers"))
	if p := d.sound(d.browser.Press(p, "start-team", map[string]string{"name": " "})); p.Status != http.StatusBadRequest {
		t.Errorf("a team without a name = %d", p.Status)
	}
	if p = d.sound(d.browser.Press(p, "start-team", nil)); !strings.Contains(p.Text(), "Nia’s team") || !p.Has("get-a-key") {
		t.Errorf("the new team = %s", p.Text())
	}
	if p := d.browser.Get(d.path("")); p.Status != http.StatusNotFound {
		t.Errorf("another's team = %d, want 404", p.Status)
	}
}

// TestRoles: who only looks after the bills sees usage, and no key.
func TestRoles(t *testing.T) {
	d := newDesk(t)
	made := d.get(nil)
	here := d.path("/keys/" + keyID(d, made))
	bill := d.person("bill@demo.test", "Bill")
	if _, err := d.node.Admin.PutMember(t.Context(), d.team.ID, bill.ID, lanyard.MemberInput{Role: "billing"}); err != nil {
		t.Fatal(err)
	}
	d.browser = d.node.Browser(t)
	d.signIn("bill@demo.test")
	if p := d.sound(d.browser.Get(d.path(""))); p.Status != http.StatusOK || p.Has("get-a-key") || strings.Contains(p.Text(), "Keys in use") {
		t.Errorf("overview = %d %s", p.Status, p.Text())
	}
	if p := d.sound(d.browser.Get(d.path("/usage"))); p.Status != http.StatusOK {
		t.Errorf("usage = %d", p.Status)
	}
	for _, path := range []string{here, here + "/edit"} {
		if p := d.browser.Get(path); p.Status != http.StatusNotFound {
			t.Errorf("GET %s = %d, want 404", path, p.Status)
		}
	}
	for _, act := range []string{"revoke", "disable", "rotate", "undo"} {
		if p := d.browser.Post(here+"/"+act, url.Values{"overlap": {"0"}}, nil); p.Status != http.StatusNotFound {
			t.Errorf("%s = %d, want 404", act, p.Status)
		}
	}
}
