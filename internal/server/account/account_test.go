package account

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/manage"
)

// forms are every way to change something, on things of whoever it is.
func forms(grant, token, session string) map[string]url.Values {
	return map[string]url.Values{
		"/account/apps/" + grant + "/take-back": nil,
		"/account/tokens":                       {"name": {"nas"}, "days": {"30"}, "scope": {"profile.read"}},
		"/account/tokens/" + token + "/revoke":  nil,
		"/account/sessions/end-all":             nil,
		"/account/sessions/" + session + "/end": nil,
		"/account/password":                     {"current_password": {oldPassword}, "password": {"blue cabbage under 9 moons"}},
		"/account/profile":                      {"name": {"Eve"}},
	}
}

// things are one of each that a person has.
func (w *world) things(t *testing.T) (p *person, grant, token, session string) {
	t.Helper()
	u := w.newUser("ada")
	p = w.signedIn(u)
	w.signedIn(u)
	grant = w.allow(u, "PostPal", "openid", "profile.read", "messages.read")
	made, err := w.svc.CreateToken(t.Context(), manage.Person(u), lanyard.PersonalTokenInput{Name: "nas", Scopes: []string{"profile.read"}})
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := w.store.Sessions(t.Context(), u.ID, w.now())
	if err != nil || len(sessions) != 2 {
		t.Fatalf("Sessions = %v, %v, want two", sessions, err)
	}
	session = string(sessions[0].ID)
	if visit := p.get("/account/sessions").body; !strings.Contains(visit, "/account/sessions/"+session+"/end") {
		session = string(sessions[1].ID)
	}
	return p, grant, made.ID, session
}

// lines is how many there are in the audit log: a refused act leaves none.
func (w *world) lines(t *testing.T) int {
	t.Helper()
	page, err := w.svc.Audit(t.Context(), audit.Command("test"), "", "", manage.List{Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	return len(page.Items)
}

func TestNotSignedIn(t *testing.T) {
	w := newWorld(t)
	_, grant, token, session := w.things(t)
	nobody := w.stranger()
	for _, path := range []string{"/account", "/account/apps", "/account/tokens", "/account/tokens/new", "/account/sessions", "/account/password", "/account/profile"} {
		if got := nobody.get(path + "?done=saved"); got.status != http.StatusSeeOther || got.location != "/login?next="+url.QueryEscape(path) || strings.Contains(got.body, "Ada") {
			t.Errorf("GET %s by nobody = %d to %q, want the login and back", path, got.status, got.location)
		}
	}
	before := w.lines(t)
	for path, form := range forms(grant, token, session) {
		if got := nobody.post(path, form); got.status != http.StatusSeeOther || !strings.HasPrefix(got.location, "/login?next=%2Faccount%2F") {
			t.Errorf("POST %s by nobody = %d to %q, want the login", path, got.status, got.location)
		}
	}
	if after := w.lines(t); after != before {
		t.Errorf("forms of nobody left %d lines in the audit log, want none", after-before)
	}
}

// A form that another site sent does nothing, whoever is signed in (SECURITY-CASES: cross-site requests).
func TestCrossSite(t *testing.T) {
	w := newWorld(t)
	ada, grant, token, session := w.things(t)
	before := w.lines(t)
	for path, form := range forms(grant, token, session) {
		if got := ada.do(http.MethodPost, path, form, "cross-site"); got.status != http.StatusForbidden {
			t.Errorf("POST %s from another site = %d, want 403", path, got.status)
		}
	}
	if after := w.lines(t); after != before {
		t.Errorf("forms of another site left %d lines in the audit log, want none", after-before)
	}
}

// What belongs to somebody else is not there, for an admin too.
func TestOthersThings(t *testing.T) {
	w := newWorld(t)
	_, grant, token, session := w.things(t)
	for _, name := range []string{"bob", "root"} {
		other := w.signedIn(w.newUser(name))
		before := w.lines(t)
		for _, path := range []string{
			"/account/apps/" + grant + "/take-back", "/account/tokens/" + token + "/revoke", "/account/sessions/" + session + "/end",
			"/account/apps/grant_0000000000000000/take-back", "/account/tokens/x/revoke", "/account/sessions/" + token + "/end",
		} {
			if got := other.post(path, nil); got.status != http.StatusNotFound {
				t.Errorf("POST %s by %s = %d, want 404", path, name, got.status)
			}
		}
		if after := w.lines(t); after != before {
			t.Errorf("%s left %d lines in the audit log, want none", name, after-before)
		}
		for _, path := range []string{"/account", "/account/apps", "/account/tokens", "/account/sessions"} {
			body := other.get(path).body
			for _, foreign := range []string{grant, token, session, "Ada", "PostPal"} {
				if strings.Contains(body, foreign) {
					t.Errorf("GET %s by %s shows %s", path, name, foreign)
				}
			}
		}
	}
}

// Nobody puts words on the page by a link.
func TestMadeUpLinks(t *testing.T) {
	w := newWorld(t)
	ada, grant, token, _ := w.things(t)
	u := w.newUser("bob")
	foreign := w.allow(u, "Foreign", "messages.read")
	if got := w.signedIn(u).post("/account/apps/"+foreign+"/take-back", nil); got.status != http.StatusSeeOther {
		t.Fatalf("take-back = %d", got.status)
	}
	for _, path := range []string{
		"/account/apps?done=taken-back&ms=38&app=" + grant, // it is not taken back
		"/account/apps?done=taken-back&ms=38&app=" + foreign,
		"/account/apps?done=taken-back&ms=38&app=<script>alert(1)</script>",
		"/account/apps?done=" + url.QueryEscape("Call 0800 EVIL") + "&app=" + foreign,
		"/account/tokens?done=revoked&token=" + token, // it is not revoked
		"/account/tokens?done=revoked&token=" + url.QueryEscape("Call 0800 EVIL"),
		"/account/sessions?done=" + url.QueryEscape("Call 0800 EVIL"),
		"/account/password?done=" + url.QueryEscape("Call 0800 EVIL"),
		"/account/profile?done=" + url.QueryEscape("Call 0800 EVIL"),
	} {
		got := ada.get(path)
		if got.status != http.StatusOK || strings.Contains(got.body, "EVIL") || strings.Contains(got.body, "<script>") || strings.Contains(got.body, "Foreign") || strings.Contains(got.body, `class="alert`) {
			t.Errorf("GET %s = %d with words of the link", path, got.status)
		}
	}
	if got := ada.post("/account/apps/"+grant+"/take-back", nil); got.status != http.StatusSeeOther {
		t.Fatalf("take-back = %d", got.status)
	}
	for _, ms := range []string{"-1", "0", "99999999", "0x10", "<b>", ""} {
		got := ada.get("/account/apps?done=taken-back&app=" + grant + "&ms=" + url.QueryEscape(ms))
		if !strings.Contains(got.body, "Not every server has confirmed it yet") || strings.Contains(got.body, "dead everywhere") {
			t.Errorf("taken back with ms=%s: want that nobody confirmed it", ms)
		}
	}
	w.advance(time.Hour)
	if got := ada.get("/account/apps?done=taken-back&ms=38&app=" + grant); strings.Contains(got.body, "is taken back") {
		t.Error("an old link says that the badge is taken back just now")
	}
}

func TestApps(t *testing.T) {
	w := newWorld(t)
	u := w.newUser("ada")
	ada := w.signedIn(u)
	if got := ada.get("/account/apps").body; !strings.Contains(got, "You have handed out no badge yet") {
		t.Error("the page of who allowed nothing lacks its words")
	}
	grant := w.allow(u, `<b>Post</b>Pal`, "openid", "profile.read", "messages.read")
	notes := w.allow(u, "Reader", "notes.read")
	w.advance(2 * time.Minute)
	body := ada.get("/account/apps").body
	for _, want := range []string{
		"&lt;b&gt;Post&lt;/b&gt;Pal", "Visitor badge · Mail", "know that it is you", "read your messages", `<b class="not">NOT</b>`, "post for you", "postpal.example",
		"1 July 2026, 2 minutes ago", "13:00", "works 15 more minutes", `id="take-back-` + grant + `"`, `id="take-back-` + notes + `"`, "works 1 more hour",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page of apps lacks %s", want)
		}
	}
	if overview := ada.get("/account").body; !strings.Contains(overview, "2 apps have") || strings.Contains(overview, "take-back-") {
		t.Error("the overview does not count two badges, or has buttons")
	}
	got := ada.post("/account/apps/"+grant+"/take-back", nil)
	if got.status != http.StatusSeeOther || got.location != "/account/apps?app="+grant+"&done=taken-back&ms=38" {
		t.Fatalf("take-back = %d to %s", got.status, got.location)
	}
	body = ada.get(got.location).body
	for _, want := range []string{"The badge of &lt;b&gt;Post&lt;/b&gt;Pal is taken back.", "dead everywhere in 38 milliseconds", "for up to 13 more minutes"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page after a take-back lacks %s", want)
		}
	}
	if strings.Contains(body, `id="take-back-`+grant+`"`) {
		t.Error("the badge taken back still has its button")
	}
	if kept, err := w.store.GrantForDecision(t.Context(), id.Grant(grant)); err != nil || kept.RevokedAt.IsZero() {
		t.Errorf("the grant = %+v, %v, want it revoked", kept, err)
	}
	w.quiet = true
	got = ada.post("/account/apps/"+notes+"/take-back", nil)
	body = ada.get(got.location).body
	if !strings.Contains(body, "Not every server has confirmed it yet") || strings.Contains(body, "checks its signature alone") {
		t.Errorf("a take-back that a node did not confirm leads to %s: want that it says so, and of an opaque token no more", got.location)
	}
}

var shownSecret = regexp.MustCompile(`acme_pat_live_[0-9A-Za-z]+`)

func TestTokens(t *testing.T) {
	w := newWorld(t)
	ada := w.signedIn(w.newUser("ada"))
	form := ada.get("/account/tokens/new").body
	for _, want := range []string{`id="scope-profile.read"`, `id="scope-posts.write"`, `id="scope-lanyard.keys.write"`, `<option value="30" selected>`} {
		if !strings.Contains(form, want) {
			t.Errorf("the form lacks %s", want)
		}
	}
	for _, beyond := range []string{"mail.owners", "mail.rule", "lanyard.admin", "lanyard.users.write", "lanyard.verify", "lanyard.grants.write", " checked>"} {
		if strings.Contains(form, beyond) {
			t.Errorf("the form offers %s", beyond)
		}
	}
	good := url.Values{"name": {"nas"}, "days": {"7"}, "scope": {"profile.read"}, "ip_allow": {"203.0.113.0/24\n192.0.2.7"}}
	for _, test := range []struct {
		field, value string
		status       int
		error        string
	}{
		{"name", "", 400, "name-error"},
		{"days", "366", 400, "days-error"},
		{"days", "x", 400, "days-error"},
		{"scope", "", 400, "scope-error"},
		{"scope", "mail.rule", 403, "scope-error"},
		{"scope", "lanyard.admin", 403, "scope-error"},
		{"ip_allow", "everywhere", 400, "ip_allow-error"},
	} {
		bad := url.Values{}
		for name, values := range good {
			bad[name] = values
		}
		bad.Set(test.field, test.value)
		got := ada.post("/account/tokens", bad)
		if got.status != test.status || !strings.Contains(got.body, test.error) || shownSecret.MatchString(got.body) {
			t.Errorf("a token with %s %q = %d, want %d and %s", test.field, test.value, got.status, test.status, test.error)
		}
		if test.field != "scope" && !strings.Contains(got.body, `id="scope-profile.read" name="scope" value="profile.read" checked>`) {
			t.Errorf("a token with %s %q: the ticks are lost", test.field, test.value)
		}
	}
	got := ada.post("/account/tokens", good)
	found := shownSecret.FindString(got.body)
	if got.status != http.StatusOK || found == "" || got.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("make a token = %d, %q, %v", got.status, found, got.header)
	}
	for _, want := range []string{"MAIL_TOKEN=" + found, "read your profile", "post for you", "only from 203.0.113.0/24 or 192.0.2.7", "in 7 days"} {
		if !strings.Contains(got.body, want) {
			t.Errorf("the page of the secret lacks %s", want)
		}
	}
	list := ada.get("/account/tokens").body
	tokenID := regexp.MustCompile(`/account/tokens/(key_[0-9A-Za-z]+)/revoke`).FindStringSubmatch(list)
	if strings.Contains(list, found) || len(tokenID) != 2 || !strings.Contains(list, "ends soon") {
		t.Fatalf("the list shows the secret, or no button: %v", tokenID)
	}
	if got := ada.get("/account").body; !strings.Contains(got, "1, the next ends in 7 days") {
		t.Error("the overview does not count the token")
	}
	got = ada.post("/account/tokens/"+tokenID[1]+"/revoke", nil)
	if body := ada.get(got.location).body; got.status != http.StatusSeeOther || !strings.Contains(body, "The token nas is revoked.") || strings.Contains(body, "/"+tokenID[1]+"/revoke") {
		t.Errorf("revoke = %d to %s, want that it says so and has no button", got.status, got.location)
	}
	// Who owns a team, and who is an admin, may give more.
	owner, err := w.store.UserByEmail(t.Context(), "owner@demo.test")
	if err != nil {
		t.Fatal(err)
	}
	if form := w.signedIn(owner).get("/account/tokens/new").body; !strings.Contains(form, "scope-mail.owners") || strings.Contains(form, "scope-mail.rule") {
		t.Error("the owner of a team is not offered what owners grant, or more")
	}
	if form := w.signedIn(w.newUser("root")).get("/account/tokens/new").body; !strings.Contains(form, "scope-mail.rule") || !strings.Contains(form, "scope-lanyard.admin") {
		t.Error("an admin is not offered what admins grant")
	}
}

// Every box that is offered can be given: the form and the act agree.
func TestEveryBoxCanBeGiven(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"ada", "root"} {
		p := w.signedIn(w.newUser(name))
		for _, box := range regexp.MustCompile(`name="scope" value="([^"]+)"`).FindAllStringSubmatch(p.get("/account/tokens/new").body, -1) {
			if got := p.post("/account/tokens", url.Values{"name": {"t"}, "days": {"7"}, "scope": {box[1]}}); got.status != http.StatusOK {
				t.Errorf("%s is offered %s, and making the token is %d", name, box[1], got.status)
			}
		}
	}
}

func TestSessions(t *testing.T) {
	w := newWorld(t)
	u := w.newUser("ada")
	here, there := w.signedIn(u), w.signedIn(u)
	body := here.get("/account/sessions").body
	ids := regexp.MustCompile(`/account/sessions/([^/"]+)/end"`).FindAllStringSubmatch(body, -1)
	if len(ids) != 1 || !strings.Contains(body, "Firefox on Linux") || !strings.Contains(body, "this browser") {
		t.Fatalf("the page offers to end %v, want the other session alone", ids)
	}
	got := here.post("/account/sessions/"+ids[0][1]+"/end", nil)
	if got.status != http.StatusSeeOther || !strings.Contains(here.get(got.location).body, "That browser is signed out.") {
		t.Errorf("end = %d to %s", got.status, got.location)
	}
	if got := there.get("/account"); got.status != http.StatusSeeOther {
		t.Errorf("the page in a browser that was signed out = %d, want the login", got.status)
	}
	if got := here.post("/account/sessions/end-all", nil); got.status != http.StatusSeeOther || got.location != "/logout" || !strings.Contains(got.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("end all = %d to %s with %q", got.status, got.location, got.header.Get("Set-Cookie"))
	}
	if got := here.get("/account"); got.status != http.StatusSeeOther {
		t.Errorf("after ending all: %d, want the login", got.status)
	}
}

func TestPassword(t *testing.T) {
	w := newWorld(t)
	u := w.newUser("ada")
	here, there := w.signedIn(u), w.signedIn(u)
	w.advance(time.Hour)
	if got := here.get("/account/password?done=changed").body; strings.Contains(got, "is set.") {
		t.Error("a made-up link says that the password was changed")
	}
	for _, test := range []struct {
		old, fresh string
		error      string
	}{
		{"wrong", "blue cabbage under 9 moons", "current_password-error"},
		{"", "blue cabbage under 9 moons", "current_password-error"},
		{oldPassword, "short", "password-error"},
		{oldPassword, "password123", "too easy to guess"},
		{oldPassword, "ada@demo.test", "password-error"},
	} {
		got := here.post("/account/password", url.Values{"current_password": {test.old}, "password": {test.fresh}})
		if got.status != http.StatusBadRequest || !strings.Contains(got.body, test.error) || strings.Contains(got.body, "cabbage") {
			t.Errorf("password %q in the place of %q = %d, want 400 and %s", test.fresh, test.old, got.status, test.error)
		}
	}
	if got := there.get("/account"); got.status != http.StatusOK {
		t.Errorf("a refused change signed the other browser out: %d", got.status)
	}
	got := here.post("/account/password", url.Values{"current_password": {oldPassword}, "password": {"blue cabbage under 9 moons"}})
	if got.status != http.StatusSeeOther || !strings.Contains(here.get(got.location).body, "Your new password is set.") {
		t.Errorf("change = %d to %s", got.status, got.location)
	}
	if got := there.get("/account"); got.status != http.StatusSeeOther {
		t.Errorf("the other browser after a change = %d, want the login", got.status)
	}
	for range 12 {
		got = here.post("/account/password", url.Values{"current_password": {"guess"}, "password": {"blue cabbage under 7 moons"}})
	}
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "oo many") {
		t.Errorf("the twelfth guess = %d, want 429 with a time to wait", got.status)
	}
}

func TestProfile(t *testing.T) {
	w := newWorld(t)
	ada := w.signedIn(w.newUser("ada"))
	if got := ada.post("/account/profile", url.Values{"name": {strings.Repeat("W", 101)}}); got.status != http.StatusBadRequest || !strings.Contains(got.body, "name-error") {
		t.Errorf("a name of 101 letters = %d, want 400 beside the field", got.status)
	}
	got := ada.post("/account/profile", url.Values{"name": {"Ada Lovelace"}, "email": {"eve@demo.test"}})
	body := ada.get(got.location).body
	if got.status != http.StatusSeeOther || !strings.Contains(body, "Saved.") || !strings.Contains(body, "Ada Lovelace") || strings.Contains(body, "eve@") {
		t.Errorf("save = %d to %s", got.status, got.location)
	}
}
