package developers_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page/pagetest"
	"github.com/lanyard-auth/lanyard/internal/server/developers"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

const hostile = `x"'><script>alert(1)</script><img src=x onerror=alert(1)>`

// belongings are a team with one of everything.
type belongings struct {
	team, app, key, invitation, user string
	hook, message                    string
	invoice                          string
}

// yard is a server with two teams of Alice's and one that she is not in.
type yard struct {
	t       *testing.T
	n       *servertest.Node
	users   map[string]string // ids by name
	a, b, c belongings
}

var operator = audit.Command("test")

func newYard(t *testing.T) *yard {
	t.Helper()
	n := servertest.Start(t, servertest.Options{Settings: func(s *config.Settings) { s.Signup = "invite" }})
	y := &yard{t: t, n: n, users: map[string]string{}}
	declared := lanyard.Catalog{APIs: map[string]lanyard.API{
		"mail": {Takes: "token", Title: hostile, Scopes: map[string]lanyard.Scope{"messages.read": {Text: hostile, Default: true}, "posts.write": {Text: "post for you", Writes: true}}},
		"weather": {Takes: "key", Scopes: map[string]lanyard.Scope{"forecast.read": {Text: "read forecasts"}}, Title: hostile, Plans: map[string]lanyard.Plan{
			"free": {Default: true, Text: hostile, Fee: "1", Currency: "USD"},
		}},
	}}
	if _, err := n.Manage.ApplyCatalog(t.Context(), operator, declared, false); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"alice", "dora", "bill", "eve"} {
		u, err := n.Manage.CreateUser(t.Context(), operator, lanyard.UserInput{Email: name + "@example.com", Name: name + ` <script>alert(2)</script>`, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		y.users[name] = u.ID
	}
	y.a, y.b, y.c = y.team("A "+hostile, "alice"), y.team("B", "alice"), y.team("C", "eve")
	for name, role := range map[string]string{"dora": "developer", "bill": "billing"} {
		y.member(y.a.team, name, role)
	}
	y.member(y.b.team, "eve", "developer")
	y.a.user, y.b.user, y.c.user = y.users["dora"], y.users["eve"], y.users["eve"]
	return y
}

func (y *yard) member(team, name, role string) {
	y.t.Helper()
	if _, err := y.n.Manage.SetMember(y.t.Context(), operator, team, lanyard.Member{UserID: y.users[name], Role: role}); err != nil {
		y.t.Fatal(err)
	}
}

// team makes a team with an app that keeps a secret, and an invitation into it.
func (y *yard) team(name, owner string) (made belongings) {
	y.t.Helper()
	ctx, m := y.t.Context(), y.n.Manage
	t, err := m.CreateTeam(ctx, operator, lanyard.TeamInput{Name: name, OwnerID: y.users[owner]})
	if err != nil {
		y.t.Fatal(err)
	}
	a, err := m.CreateApp(ctx, operator, lanyard.AppInput{
		Name: "App of " + name[:1] + " " + hostile, TeamID: t.ID, HomepageURL: "https://app.example/?a=1&b=%3Cscript%3E",
		OAuthSettings: lanyard.OAuthSettings{RedirectURIs: []string{"https://app.example/callback"}, Scopes: []string{"messages.read"}},
	})
	if err != nil {
		y.t.Fatal(err)
	}
	k, err := m.CreateSecret(ctx, operator, a.ID, lanyard.SecretInput{Name: hostile})
	if err != nil {
		y.t.Fatal(err)
	}
	i, err := m.InviteToTeam(ctx, operator, t.ID, lanyard.InvitationInput{Email: "new@example.com", Role: "developer"})
	if err != nil {
		y.t.Fatal(err)
	}
	hook, err := m.CreateWebhook(ctx, operator, lanyard.WebhookInput{TeamID: t.ID, URL: "https://app.example/hooks?a=1&b=%3Cscript%3E", Description: hostile})
	if err != nil {
		y.t.Fatal(err)
	}
	sent, err := m.TestWebhook(ctx, operator, hook.ID)
	if err != nil {
		y.t.Fatal(err)
	}
	now := time.Now()
	event := billing.MeterEvent{Source: "test", ID: t.ID, Team: id.Team(t.ID), API: "weather", Meter: "requests", At: now, Units: 1}
	if _, err := y.n.Store.RecordEvents(ctx, []billing.MeterEvent{event}, now); err != nil { // so that there is an account
		y.t.Fatal(err)
	}
	if _, err := y.n.Store.DraftInvoices(ctx, now.AddDate(0, 1, 5), time.Hour, 10); err != nil {
		y.t.Fatal(err)
	}
	bills, err := y.n.Store.Invoices(ctx, audit.TeamReach(id.Team(t.ID)), billing.InvoiceFilter{Limit: 1})
	if err != nil || len(bills) != 1 {
		y.t.Fatalf("the team has %d invoices, %v", len(bills), err)
	}
	return belongings{team: t.ID, app: a.ID, key: k.ID, invitation: i.ID, hook: hook.ID, message: sent.ID, invoice: string(bills[0].ID)}
}

// as is a browser in which somebody is signed in.
func (y *yard) as(name string) *servertest.Browser {
	y.t.Helper()
	b := y.n.Browser(y.t)
	if p := b.Press(b.Get("/login"), "sign-in", map[string]string{"login": name + "@example.com", "password": password}); p.URL.Path != "/account" {
		y.t.Fatalf("signing in as %s leads to %s (%d)", name, p.URL, p.Status)
	}
	return b
}

// lines counts what was written down about a team.
func (y *yard) lines(team string) int {
	y.t.Helper()
	n := 0
	for cursor, more := "", true; more; more = cursor != "" {
		page, err := y.n.Manage.Audit(y.t.Context(), operator, "", "", manage.List{Limit: 200, Cursor: cursor})
		if err != nil {
			y.t.Fatal(err)
		}
		for _, ev := range page.Items {
			if ev.TeamID == team {
				n++
			}
		}
		cursor = page.NextCursor
	}
	return n
}

// fill puts ids into a pattern; whatever else it names is x.
func fill(pattern, team string, of belongings) (method, path string) {
	method, path, _ = strings.Cut(pattern, " ")
	path = strings.NewReplacer("{team}", team, "{app}", of.app, "{key}", of.key, "{invitation}", of.invitation, "{user}", of.user, "{hook}", of.hook, "{message}", of.message, "{invoice}", of.invoice).Replace(path)
	return method, regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "x")
}

// fields are those of a form that names what is another team's wherever it can.
func fields(of belongings) url.Values {
	return url.Values{
		"team": {of.team}, "team_id": {of.team}, "app": {of.app}, "app_id": {of.app}, "key": {of.key}, "user": {of.user}, "invitation": {of.invitation},
		"role": {"owner"}, "role-" + of.user: {"owner"}, "once": {strings.Repeat("m", 20)}, "kind": {"machine"}, "overlap": {"none"},
	}
}

func send(b *servertest.Browser, method, path string, form url.Values) *servertest.Page {
	if method == http.MethodPost {
		return b.Post(path, form, nil)
	}
	return b.Get(path)
}

// TestNothingOfAnotherTeam walks every route of the package with what is another team's, in the path and in the form: it is
// not there, and nothing is done to it. Who is in both teams finds it under its own alone.
func TestNothingOfAnotherTeam(t *testing.T) {
	y := newYard(t)
	alice := y.as("alice")
	before := y.lines(y.b.team) + y.lines(y.c.team)
	for _, pattern := range developers.Patterns() {
		if !strings.Contains(pattern, "{team}") {
			continue
		}
		method, path := fill(pattern, y.c.team, y.c)
		if p := send(alice, method, path, fields(y.c)); p.Status != http.StatusNotFound || strings.Contains(p.Body, "App of C") {
			t.Errorf("%s of a team that is not one's own = %d, want 404 without its names", pattern, p.Status)
		}
		if !regexp.MustCompile(`\{(app|key|invitation|user|hook)\}`).MatchString(pattern) {
			continue
		}
		method, path = fill(pattern, y.a.team, y.b)
		if p := send(alice, method, path, fields(y.b)); p.Status != http.StatusNotFound || strings.Contains(p.Body, "App of B") {
			t.Errorf("%s with what is team B's under team A = %d, want 404 without its names", pattern, p.Status)
		}
		if strings.Contains(pattern, "{app}") && strings.Contains(pattern, "{key}") {
			method, path = fill(pattern, y.a.team, belongings{app: y.a.app, key: y.b.key})
			if p := send(alice, method, path, fields(y.b)); p.Status != http.StatusNotFound {
				t.Errorf("%s with B's key under A's app = %d, want 404", pattern, p.Status)
			}
		}
	}
	if after := y.lines(y.b.team) + y.lines(y.c.team); after != before {
		t.Errorf("%d lines were written about what is not there", after-before)
	}
	if p := alice.Get("/developers/" + y.b.team + "/clients/" + y.b.app); p.Status != http.StatusOK {
		t.Errorf("the client under its own team = %d, want 200", p.Status)
	}
}

// TestSecretsOnce sends every form of the package. Whichever answer shows a secret is stored nowhere; the form sent again shows none, and
// no page does afterwards.
func TestSecretsOnce(t *testing.T) {
	y := newYard(t)
	alice := y.as("alice")
	var shown []string
	ends := regexp.MustCompile(`/(delete|leave|remove|revoke|disable)$`)
	for i, pattern := range developers.Patterns() {
		method, path := fill(pattern, y.a.team, y.a)
		if method != http.MethodPost || ends.MatchString(path) {
			continue
		}
		form := url.Values{
			"once": {fmt.Sprintf("%020d", i)}, "name": {"Made"}, "kind": {"machine"}, "overlap": {"3600"}, "scope": {"messages.read"}, "url": {"https://hooks.example/in"},
		}
		if strings.HasSuffix(path, "/keys/new") {
			path += "?api=weather"
			form.Set("kind", "key")
			form.Set("mode", "live")
			form.Set("scope", "forecast.read")
		}
		p := alice.Post(path, form, nil)
		secret := secretIn(p)
		if secret == "" {
			continue
		}
		shown = append(shown, secret)
		if p.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s shows a secret with Cache-Control %q, want no-store", pattern, p.Header.Get("Cache-Control"))
		}
		if again := alice.Post(path, form, nil); secretIn(again) != "" || strings.Contains(again.Body, secret) {
			t.Errorf("%s sent again shows a secret", pattern)
		}
	}
	if len(shown) < 4 {
		t.Errorf("%d forms showed a secret, want those of keys and clients, new and rotated", len(shown))
	}
	for _, pattern := range developers.Patterns() {
		method, path := fill(pattern, y.a.team, y.a)
		if method != http.MethodGet {
			continue
		}
		p := alice.Get(path)
		for _, secret := range shown {
			if strings.Contains(p.Body, secret) {
				t.Errorf("%s shows a secret that was shown before", pattern)
			}
		}
	}
}

// TestFormsFromElsewhere: a form that another site sent does nothing, on any route, and who is not signed in is sent to do
// that.
func TestFormsFromElsewhere(t *testing.T) {
	y := newYard(t)
	alice, nobody := y.as("alice"), y.n.Browser(t)
	before := y.lines(y.a.team)
	for _, pattern := range developers.Patterns() {
		method, path := fill(pattern, y.a.team, y.a)
		if method == http.MethodPost {
			if p := alice.Post(path, fields(y.a), http.Header{"Sec-Fetch-Site": {"cross-site"}}); p.Status != http.StatusForbidden {
				t.Errorf("%s from another site = %d, want 403", pattern, p.Status)
			}
		}
		if p := send(nobody, method, path, fields(y.a)); p.URL.Path != "/login" {
			t.Errorf("%s of who is not signed in leads to %s (%d), want /login", pattern, p.URL, p.Status)
		}
	}
	if y.lines(y.a.team) != before {
		t.Error("refused forms did something")
	}
}

// sound wants a page to be whole, stored nowhere, and without what strangers wrote running.
func sound(t *testing.T, what string, p *servertest.Page) {
	t.Helper()
	if p.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: Cache-Control = %q, want no-store", what, p.Header.Get("Cache-Control"))
	}
	for _, fault := range pagetest.Faults(p.Body, "script") {
		t.Errorf("%s: %s", what, fault)
	}
	for _, bad := range []string{"<script>alert", "<img src=x", "{{", "<no value>"} {
		if strings.Contains(p.Body, bad) {
			t.Errorf("%s holds %q", what, bad)
		}
	}
}

// TestTeamPages: every page of a team stands, whatever its people and apps are called, and shows each role what is its own.
func TestTeamPages(t *testing.T) {
	y := newYard(t)
	for _, name := range []string{"alice", "dora", "bill"} {
		b := y.as(name)
		for path, opens := range map[string]string{
			"/members": "alice dora bill", "/activity": "alice dora bill", "/activity?action=key.create": "alice dora bill", "/activity?action=nothing": "alice dora bill",
			"/warnings": "alice dora", "/leaks": "alice dora", "/webhooks": "alice dora", "/webhooks/new": "alice dora", "/webhooks/" + y.a.hook: "alice dora", "/webhooks/" + y.a.hook + "/edit": "alice dora",
			"/clients": "alice dora", "/clients?q=nothing": "alice dora", "/clients/new": "alice dora", "/clients/" + y.a.app: "alice dora", "/clients/" + y.a.app + "/edit": "alice dora",
		} {
			p := b.Get("/developers/" + y.a.team + path)
			want := http.StatusNotFound
			if slices.Contains(strings.Fields(opens), name) {
				want = http.StatusOK
				sound(t, path+" as "+name, p)
			}
			if p.Status != want && !strings.HasPrefix(path, "/clients/new") {
				t.Errorf("%s as %s = %d, want %d", path, name, p.Status, want)
			}
		}
		if p := b.Get("/developers/" + y.a.team + "/members"); p.Has("send-invitation") != (name == "alice") || p.Has("rename-team") != (name == "alice") || p.Has("leave") == (name == "alice") {
			t.Errorf("the members page shows %s what is another role's: %.300s", name, p.Text())
		}
	}
}

// TestMembers: an owner changes roles, removes, renames and invites; others do none of it, and the last owner stays.
func TestMembers(t *testing.T) {
	y := newYard(t)
	alice, dora := y.as("alice"), y.as("dora")
	at := "/developers/" + y.a.team
	bill := y.users["bill"]
	before := y.lines(y.a.team)
	for path, form := range map[string]url.Values{
		"/members/" + bill + "/role": {"role-" + bill: {"owner"}}, "/members/" + bill + "/remove": {}, "/name": {"name": {"Mine"}},
		"/invitations": {"email": {"eve@example.com"}, "role": {"owner"}}, "/invitations/" + y.a.invitation + "/again": {}, "/invitations/" + y.a.invitation + "/revoke": {},
	} {
		if p := dora.Post(at+path, form, nil); p.Status != http.StatusNotFound {
			t.Errorf("POST %s by a developer = %d, want 404", path, p.Status)
		}
	}
	if p := alice.Post(at+"/members/"+y.users["eve"]+"/role", url.Values{"role-" + y.users["eve"]: {"owner"}}, nil); p.Status != http.StatusNotFound {
		t.Errorf("setting the role of who is not in the team = %d, want 404", p.Status)
	}
	if p := alice.Post(at+"/leave", url.Values{}, nil); p.Status != http.StatusConflict {
		t.Errorf("the last owner leaves = %d, want 409", p.Status)
	}
	if y.lines(y.a.team) != before {
		t.Error("refused acts left lines")
	}

	p := alice.Press(alice.Get(at+"/members"), "send-invitation", map[string]string{"email": "nobody", "role": "owner"})
	if p.Status != http.StatusBadRequest || !p.Has("email-error") || !strings.Contains(p.Body, `value="nobody"`) {
		t.Errorf("inviting what is no address = %d, want it beside the field", p.Status)
	}
	p = alice.Press(alice.Get(at+"/members"), "send-invitation", map[string]string{"email": "dora@example.com", "role": "owner"})
	if p.Status != http.StatusBadRequest || !p.Has("email-error") {
		t.Errorf("inviting a member = %d, want it beside the field", p.Status)
	}
	p = alice.Press(alice.Get(at+"/members"), "send-invitation", map[string]string{"email": "ada@example.com", "role": "billing"})
	if p.Status != http.StatusOK || !strings.Contains(p.Text(), "ada@example.com") || !strings.Contains(p.Text(), "on its way") {
		t.Errorf("inviting = %d %.300s", p.Status, p.Text())
	}
	p = alice.Press(p, "revoke-"+y.a.invitation+"-yes", nil)
	if p.Status != http.StatusOK || strings.Contains(p.Text(), "new@example.com") {
		t.Errorf("taking an invitation back = %d %.300s", p.Status, p.Text())
	}
	for range 2 { // the same again is no mistake
		p = alice.Post(at+"/members/"+bill+"/role", url.Values{"role-" + bill: {"developer"}}, nil)
	}
	if p.Status != http.StatusOK || !strings.Contains(p.Text(), "The role is changed.") {
		t.Errorf("setting a role = %d %.300s", p.Status, p.Text())
	}
	p = alice.Press(p, "remove-"+bill+"-yes", nil)
	if p.Status != http.StatusOK || strings.Contains(p.Body, "bill@example.com") {
		t.Errorf("removing = %d %.300s", p.Status, p.Text())
	}
	if p := y.as("bill").Get(at + "/members"); p.Status != http.StatusNotFound {
		t.Errorf("the team for who was removed = %d, want 404", p.Status)
	}
	p = alice.Press(p, "rename-team", map[string]string{"name": "system"})
	if p.Status != http.StatusBadRequest || !p.Has("name-error") {
		t.Errorf("renaming the team to system = %d, want it beside the field", p.Status)
	}
	if p = alice.Press(p, "rename-team", map[string]string{"name": "Cloudy"}); p.Status != http.StatusOK || !strings.Contains(p.Body, `value="Cloudy"`) {
		t.Errorf("renaming = %d", p.Status)
	}
	if p = dora.Press(dora.Get(at+"/members"), "leave-yes", nil); p.URL.Path != "/developers" || p.Status != http.StatusOK {
		t.Errorf("leaving leads to %s (%d)", p.URL, p.Status)
	}
}

// secretIn is the secret that a page shows, or "".
func secretIn(p *servertest.Page) string {
	found := regexp.MustCompile(`data-copy="the secret">([^<]+)<`).FindStringSubmatch(p.Body)
	if found == nil {
		return ""
	}
	return found[1]
}

// TestClients: a client of each kind is made, changed and deleted; what it asks for is checked.
func TestClients(t *testing.T) {
	y := newYard(t)
	alice := y.as("alice")
	at := "/developers/" + y.a.team + "/clients"
	for what, c := range map[string]struct {
		fields map[string]string
		wrong  string
	}{
		"no name":           {map[string]string{"+kind-machine": ""}, "name-error"},
		"no kind":           {map[string]string{"name": "x"}, "kind-error"},
		"nowhere to go":     {map[string]string{"name": "x", "+kind-web": ""}, "redirect_uris-error"},
		"no redirect URI":   {map[string]string{"name": "x", "+kind-web": "", "redirect_uris": "http://evil.example/cb"}, "redirect_uris-error"},
		"a scope of nobody": {map[string]string{"name": "x", "+kind-machine": "", "scope": "lanyard.admin"}, "scope-error"},
	} {
		p := alice.Press(alice.Get(at+"/new"), "make-client", c.fields)
		if p.Status != http.StatusBadRequest && p.Status != http.StatusForbidden || !p.Has(c.wrong) {
			t.Errorf("a client with %s = %d, want it refused beside %s: %.300s", what, p.Status, c.wrong, p.Text())
		}
		sound(t, what, p)
	}
	for kind, says := range map[string]string{"web": "client secret", "app": "PKCE alone", "device": "PKCE alone", "machine": "client secret"} {
		p := alice.Press(alice.Get(at+"/new"), "make-client", map[string]string{
			"name": "My " + kind, "+kind-" + kind: "", "redirect_uris": "https://one.example/cb\n http://127.0.0.1/cb", "+scope-messages.read": "",
		})
		if p.Status != http.StatusOK || !strings.Contains(p.Text(), "The client is made.") || !strings.Contains(p.Text(), says) || p.Has("make-secret") != (kind == "web" || kind == "machine") {
			t.Fatalf("a client of kind %s = %d %.600s", kind, p.Status, p.Text())
		}
		sound(t, kind, p)
	}
	list := alice.Get(at)
	for _, kind := range []string{"A website with a server", "An app in a browser", "A device without a browser", "A machine on its own"} {
		if !strings.Contains(list.Text(), kind) {
			t.Errorf("the list of clients lacks %q", kind)
		}
	}

	edit := at + "/" + y.a.app + "/edit"
	p := alice.Press(alice.Get(edit), "save-client", map[string]string{"redirect_uris": "https://app.example/new", "post_logout_redirect_uris": "javascript:alert(1)"})
	if p.Status != http.StatusBadRequest || !p.Has("post_logout_redirect_uris-error") || !strings.Contains(p.Body, "https://app.example/new") {
		t.Errorf("saving a bad address = %d, want it beside its field and the rest kept", p.Status)
	}
	sound(t, "edit", p)
	p = alice.Press(alice.Get(edit), "save-client", map[string]string{
		"name": "Renamed", "redirect_uris": "https://app.example/new", "post_logout_redirect_uris": "https://app.example/bye", "-scope-messages.read": "", "+scope-posts.write": "",
		"refresh_rotation": "always", "+dpop": "", "+grant-client_credentials": "",
	})
	for _, want := range []string{"Saved.", "Renamed", "https://app.example/new", "https://app.example/bye", "Post for you (posts.write)", "exchanged at each use", "required: a stolen badge", "It acts for itself"} {
		if !strings.Contains(p.Text(), want) {
			t.Errorf("the client after saving lacks %q: %.900s", want, p.Text())
		}
	}
	if strings.Contains(p.Text(), "messages.read") {
		t.Error("a scope that was unticked is still there")
	}
	if p = alice.Press(p, "delete-yes", nil); p.URL.Path != at || p.Status != http.StatusOK || strings.Contains(p.Text(), "Renamed") {
		t.Errorf("deleting leads to %s (%d): %.300s", p.URL, p.Status, p.Text())
	}
}

// TestClientSecrets: a secret stands on one response; sending the form again makes nothing and shows nothing.
func TestClientSecrets(t *testing.T) {
	y := newYard(t)
	alice := y.as("alice")
	at := "/developers/" + y.a.team + "/clients/" + y.a.app
	page := alice.Get(at)
	secrets := func() int {
		t.Helper()
		found, err := y.n.Manage.Keys(t.Context(), operator, manage.KeysFilter{App: y.a.app, Kind: "cs"}, manage.List{})
		if err != nil {
			t.Fatal(err)
		}
		return len(found.Items)
	}
	had := secrets()
	if p := alice.Post(at+"/secrets", nil, nil); p.Status != http.StatusBadRequest || secrets() != had {
		t.Errorf("a form without its mark = %d, want 400 and nothing made", p.Status)
	}
	shown := alice.Press(page, "make-secret", nil)
	text := secretIn(shown)
	if shown.Status != http.StatusOK || text == "" || shown.Header.Get("Cache-Control") != "no-store" || !strings.Contains(shown.Body, "_CLIENT_SECRET="+text) || !strings.Contains(shown.Body, "_CLIENT_ID="+y.a.app) {
		t.Fatalf("making a secret = %d %.600s", shown.Status, shown.Text())
	}
	for _, fault := range pagetest.Faults(shown.Body, "script") {
		t.Error(fault)
	}
	if again := alice.Press(page, "make-secret", nil); again.Status != http.StatusConflict || secretIn(again) != "" || secrets() != had+1 {
		t.Errorf("the form sent again = %d with %d secrets, want 409 and one more than %d", again.Status, secrets(), had)
	}
	for _, path := range []string{at, at + "/edit", "/developers/" + y.a.team + "/activity"} {
		if strings.Contains(alice.Get(path).Body, text) {
			t.Errorf("%s shows the secret again", path)
		}
	}

	if p := alice.Get("/developers/" + y.a.team + "/keys/" + y.a.key); p.URL.Path != at {
		t.Errorf("a client's secret stands at %s (%d), want it with its client", p.URL, p.Status)
	}
	page = alice.Get(at)
	rotated := alice.Press(page, "rotate-"+y.a.key, map[string]string{"overlap": "day"})
	if next := secretIn(rotated); next == "" || next == text || !strings.Contains(rotated.Text(), "24 hours") {
		t.Errorf("rotating = %d %.400s", rotated.Status, rotated.Text())
	}
	if again := alice.Press(page, "rotate-"+y.a.key, nil); again.Status != http.StatusConflict || secretIn(again) != "" {
		t.Errorf("rotating by the same form again = %d, want 409", again.Status)
	}
	page = alice.Get(at)
	if !strings.Contains(page.Text(), "the one before works") {
		t.Errorf("the page does not say that two secrets work: %.900s", page.Text())
	}
	if p := alice.Press(page, "rotate-"+y.a.key, map[string]string{"overlap": "none"}); secretIn(p) == "" || strings.Contains(p.Text(), "24 hours") {
		t.Errorf("rotating without overlap = %d %.300s", p.Status, p.Text())
	}
	if p := alice.Press(alice.Get(at), "revoke-"+y.a.key+"-yes", nil); p.Status != http.StatusOK || p.Has("rotate-"+y.a.key) || !strings.Contains(p.Text(), "The secret is revoked.") {
		t.Errorf("revoking = %d %.300s", p.Status, p.Text())
	}
}

// TestActivitySentences: who did what stands there in words, by name where they are of the team.
func TestActivitySentences(t *testing.T) {
	y := newYard(t)
	alice := y.as("alice")
	at := "/developers/" + y.a.team
	alice.Press(alice.Get(at+"/members"), "send-invitation", map[string]string{"email": "ada@example.com", "role": "billing"})
	text := alice.Get(at + "/activity").Text()
	for _, want := range []string{"Invited ada@example.com role: billing alice", "Set the role of dora", "whoever runs this server", "Made the app App", "Made the key"} {
		if !strings.Contains(text, want) {
			t.Errorf("the activity lacks %q: %.1500s", want, text)
		}
	}
	if text := alice.Get(at + "/activity?action=invitation.create").Text(); !strings.Contains(text, "Invited ada@example.com") || strings.Contains(text, "Made the app App") {
		t.Errorf("the activity of invitations = %.600s", text)
	}
	for range 60 {
		if _, err := y.n.Manage.UpdateTeam(t.Context(), operator, y.a.team, lanyard.TeamPatch{}); err != nil {
			t.Fatal(err)
		}
	}
	p := alice.Get(at + "/activity")
	older := regexp.MustCompile(`href="([^"]*cursor=[^"]*)"`).FindStringSubmatch(p.Body)
	if older == nil {
		t.Fatalf("the first page of 60 leads nowhere")
	}
	if p := alice.Get(strings.ReplaceAll(older[1], "&amp;", "&")); p.Status != http.StatusOK || !strings.Contains(p.Text(), "Invited ada@example.com") || !strings.Contains(p.Text(), "First page") {
		t.Errorf("the second page = %d %.600s", p.Status, p.Text())
	}
}
