package developers_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// tries makes a call from the page.
func (d *desk) tries(fields map[string]string) *servertest.Page {
	d.t.Helper()
	if err := d.node.Tail.Sync(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	return d.browser.Press(d.browser.Get(d.path("/try?api=weather")), "try", fields)
}

// TestTryRefuses: what is no operation of the API is not called, a credential of nobody's or of another team's is not used, and none is
// written back.
func TestTryRefuses(t *testing.T) {
	d := newDesk(t)
	own := d.secret(d.get(nil))
	other, err := d.node.Admin.CreateTeam(t.Context(), lanyard.TeamInput{Name: "Fog"})
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := d.node.Admin.CreateApp(t.Context(), lanyard.AppInput{Name: "Foghorn", TeamID: other.ID})
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := d.node.Admin.CreateKey(t.Context(), theirs.ID, lanyard.KeyInput{Name: "horn", Scopes: []string{"forecast.read"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		fields map[string]string
		status int
		says   string
	}{
		"no credential":             {map[string]string{"credential": "", "operation": "GET /v1/forecast"}, 400, "Paste a key"},
		"no operation":              {map[string]string{"credential": own, "operation": "GET /admin"}, 400, "Choose an operation"},
		"another path":              {map[string]string{"credential": own, "operation": "GET /v1/forecast", "path": "/v1/alerts"}, 400, "another operation"},
		"out of the API":            {map[string]string{"credential": own, "operation": "GET /v1/forecast", "path": "/../../admin"}, 400, ""},
		"an address":                {map[string]string{"credential": own, "operation": "GET /v1/forecast", "path": "http://169.254.169.254/"}, 400, ""},
		"another host":              {map[string]string{"credential": own, "operation": "GET /v1/forecast", "path": "//evil.example/v1/forecast"}, 400, ""},
		"no query":                  {map[string]string{"credential": own, "operation": "GET /v1/forecast", "query": "a b"}, 400, "no query"},
		"the credential as a query": {map[string]string{"credential": own, "operation": "GET /v1/forecast", "query": "api_key=" + own}, 400, "Stands in the path"},
		"nobody's":                  {map[string]string{"credential": "lyd_key_live_nonsense", "operation": "GET /v1/forecast"}, 200, "Nothing was sent"},
		"two lines":                 {map[string]string{"credential": "a\r\nX-Evil: 1", "operation": "GET /v1/forecast"}, 200, "Nothing was sent"},
		"another team's":            {map[string]string{"credential": foreign.Secret, "operation": "GET /v1/forecast"}, 200, "not of Rain"},
	} {
		p := d.tries(c.fields)
		if p.Status != c.status || !strings.Contains(p.Text(), c.says) || p.Has("status") {
			t.Errorf("%s = %d %.700s, want %d, %q and no answer", name, p.Status, p.Text(), c.status, c.says)
		}
		if given := c.fields["credential"]; len(given) > 20 && strings.Contains(p.Body, given) {
			t.Errorf("%s: the page writes the credential back", name)
		}
		if strings.Contains(p.Body, foreign.ID) || strings.Contains(p.Body, "Foghorn") {
			t.Errorf("%s: the page tells of another team's key", name)
		}
		d.sound(p)
	}
	if p := d.browser.Get(d.path("/try?api=nope")); p.Status != http.StatusNotFound {
		t.Errorf("an API that is not there = %d, want 404", p.Status)
	}
	bill := d.person("bill@demo.test", "Bill")
	if _, err := d.node.Admin.PutMember(t.Context(), d.team.ID, bill.ID, lanyard.MemberInput{Role: "billing"}); err != nil {
		t.Fatal(err)
	}
	d.browser = d.node.Browser(t)
	d.signIn("bill@demo.test")
	if p := d.browser.Post(d.path("/try"), url.Values{"api": {"weather"}, "operation": {"GET /v1/forecast"}, "credential": {own}}, nil); p.Status != http.StatusForbidden {
		t.Errorf("a try by who only pays = %d, want 403", p.Status)
	}
}

// TestTryDecides: without a gateway before the API there is the decision alone, and nothing is counted.
func TestTryDecides(t *testing.T) {
	d := newDesk(t)
	made := d.get(nil)
	own := d.secret(made)
	p := d.sound(d.tries(map[string]string{"credential": own, "operation": "GET /v1/forecast"}))
	if !strings.Contains(p.Text(), "It may pass.") || !p.Has("not-sent") || p.Has("status") || strings.Contains(p.Body, own) {
		t.Errorf("a try with a good key: %.700s", p.Text())
	}
	if err := d.node.Manage.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p := d.browser.Get(d.path("/keys/" + keyID(d, made) + "/first-call")); strings.Contains(p.Text(), "arrived") {
		t.Error("a try without a call was counted")
	}
}

// TestTrySends: before the example stands a door, so the call is made, by the page or right after the key was; the secret is on neither.
func TestTrySends(t *testing.T) {
	d := newDesk(t)
	if _, err := d.node.Manage.DeleteAPI(t.Context(), audit.Command("test"), "weather"); err != nil {
		t.Fatal(err)
	}
	d.node.Manage.CreateUser(t.Context(), audit.Command("test"), lanyard.UserInput{Email: "root@demo.test", Password: password, Admin: true}) //nolint:errcheck // the sign-in says so
	root := d.node.Browser(t)
	root.Press(root.Get("/login?next=/admin"), "sign-in", map[string]string{"login": "root@demo.test", "password": password})
	if p := root.Press(root.Get("/setup/api"), "try-example", nil); p.URL.Path != "/setup/call" {
		t.Fatalf("the example is not declared: %d %.300s", p.Status, p.Text())
	}
	made := d.get(nil)
	own := d.secret(made)
	p := d.sound(d.browser.Press(made, "try-now", nil))
	if p.Status != http.StatusOK || !p.Has("status") || !strings.Contains(p.Text(), "It may pass.") || strings.Contains(p.Body, own) {
		t.Errorf("a try right after the key: %d %.700s", p.Status, p.Text())
	}
	p = d.sound(d.tries(map[string]string{"credential": own, "operation": "GET /v1/forecast", "query": "city=Lagos"}))
	if !strings.Contains(p.Text(), "200 OK") || !strings.Contains(p.Text(), "Lagos") || strings.Contains(p.Body, own) {
		t.Errorf("a forecast from the page: %.900s", p.Text())
	}
	if p := d.tries(map[string]string{"credential": own, "operation": "GET /v1/forecast", "query": "city=Atlantis"}); !strings.Contains(p.Text(), "400 Bad Request") {
		t.Errorf("the forecast for nowhere: %.900s, want the API's own refusal", p.Text())
	}
	if p := d.browser.Get(d.path("/keys/" + keyID(d, made) + "/first-call")); !strings.Contains(p.Text(), "arrived") {
		t.Error("a call from the page was not counted")
	}
	if _, err := d.node.Admin.RevokeKey(t.Context(), keyID(d, made), lanyard.RevokeInput{}, 0); err != nil {
		t.Fatal(err)
	}
	if p := d.tries(map[string]string{"credential": own, "operation": "GET /v1/forecast", "query": "city=Lagos"}); !strings.Contains(p.Text(), "401 Unauthorized") || !strings.Contains(p.Body, "/errors/revoked") {
		t.Errorf("a try with a revoked key: %.900s", p.Text())
	}
}
