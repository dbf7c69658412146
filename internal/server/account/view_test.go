package account

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/page/pagetest"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/web"
)

func kit() *page.Kit {
	return page.New(page.Config{
		Web: &web.Kit{PublicURL: "https://id.acme.example"},
		Brand: func(context.Context) (lanyard.Brand, error) {
			return lanyard.Brand{Name: "Acme", Color: "#0b7a5c", Support: "help@acme.example", Terms: "https://acme.example/terms"}, nil
		},
	})
}

// words are what strangers choose.
type words struct{ text, name, id, address string }

var (
	friendly = words{"text", "PostPal", "grant_3Vw9bNq4TzK1mPx8", "https://postpal.example/"}
	hostile  = words{`"'><script>alert(1)</script><img src=x onerror=alert(1)>`, strings.Repeat("W", 300) + `</bdi><script>alert(2)</script>`, `"><svg onload=alert(1)>`, `https://x/" onmouseover=alert(1)`}
	runs     = words{"{{.}}", "\u202egnp.exe", "javascript:alert(1)", "javascript:alert(1)"}
)

// visit is a page with what must stand on it when friendly words fill it.
type visit struct {
	page string
	view any
	want []string
}

// badges are one that works, one that was taken back and one that holds little.
func badges(s words) []page.Pass {
	facts := []page.Fact{{Term: "Who is it?", Text: "Ada, through " + s.name}, {Term: "Since", Text: "3 November, 12 days ago"}, {Term: "Last used", Text: "2 minutes ago"}}
	works := badgeOf(s.id, page.Pass{
		Kind: "Visitor badge · Mail", Name: s.name, Facts: facts, May: []string{"read your profile", s.text}, MayNot: []string{"post for you", s.text},
		Stolen: "works 13 more minutes. " + s.text, Ring: page.NewRing("12:40", "12 minutes 40 seconds left", 0.84), Mend: page.Link{Text: s.text, URL: s.address},
	})
	gone := badgeOf(s.id+"2", page.Pass{Kind: "Visitor badge · Weather", Name: s.text, Gone: "revoked", Facts: facts[:2], Stolen: "worth nothing, it was revoked."})
	return []page.Pass{works, gone, badgeOf(s.id+"3", page.Pass{Kind: "Visitor badge", Name: "Reader", Facts: facts[1:], May: []string{"know who you are"}, Stolen: "works 4 more minutes.", Ring: page.NewRing("3:20", "3 minutes 20 seconds left", 0.2)})}
}

// every lists every page in every state.
func every(frame page.Frame, s words) map[string]visit {
	frame.User = &page.Person{Name: s.text, Email: "ada@demo.test"}
	frame.Here = "/account"
	in := func(tab, title string) room {
		r := room{page.Room{Frame: frame, Label: "Account", Tabs: tabs()}}
		r.Title = title
		for i := range r.Tabs {
			r.Tabs[i].Here = r.Tabs[i].URL == tab
		}
		return r
	}
	told := in("/account/profile", "Profile")
	told.Done = &page.Alert{Tone: "good", Title: "Saved.", Text: s.text, Link: page.Link{Text: s.text, URL: s.address}}
	wrong := page.Errs{"name": s.text, "email": s.text, "password": s.text, "current_password": s.text, "days": s.text, "ip_allow": s.text, "scope": s.text}
	shown := badges(s)
	small := []page.Pass{shown[0], shown[2]}
	for i := range small {
		small[i].Act = nil
	}
	boxes := []page.Box{page.ScopeBox("profile.read", "read your profile"), page.ScopeBox("posts.write", s.text)}
	boxes[0].Ticked = true
	tokens := []token{
		{ID: "pat_1", Name: s.text, May: "read your profile, read your messages", Last: "2 hours ago", Ends: "in 80 days"},
		{ID: s.id, Name: "nas", May: s.text, Last: "never", Ends: "in 3 days", Soon: true},
		{ID: "pat_3", Name: "old", May: "read your profile", Last: "3 weeks ago", Ends: "2 days ago", Gone: "expired"},
		{ID: "pat_4", Name: "lost", May: "read your profile", Last: "yesterday", Ends: "yesterday", Gone: "leaked", Leak: "found yesterday: " + s.text},
		{ID: "pat_5", Name: "found", May: "read your profile", Last: "yesterday", Ends: "in 20 hours", Found: true, Leak: "found 4 hours ago: https://git.example/a.py"},
	}
	sessions := []sessionRow{{ID: "1", Browser: "Firefox on Linux", From: "203.0.113.0/24", Since: "3 days ago", Last: "now", This: true}, {ID: s.id, Browser: s.text, From: s.text, Since: "12 days ago", Last: "yesterday"}}
	return map[string]visit{
		"overview": {"overview", overviewPage{in("/account", "Your account"), small, 2, []summary{{"Personal tokens", "4, the next ends in 3 days", "/account/tokens"}, {"Sessions", s.text, "/account/sessions"}}}, []string{
			"Hello, <bdi>text</bdi>", "2 apps have a badge of yours", `<a href="/account" aria-current="page">Overview</a>`, `href="/logout"`, `class="pass badge"`, "12:40",
		}},
		"overview-empty": {"overview", overviewPage{room: in("/account", "Your account")}, []string{"No app has a badge of yours", "You have handed out no badge yet"}},
		"apps": {"apps", appsPage{room: in("/account/apps", "Apps with access"), Badges: shown}, []string{
			`action="/account/apps/grant_3Vw9bNq4TzK1mPx8/take-back"`, `id="take-back-grant_3Vw9bNq4TzK1mPx8">Take the badge back</button>`, `<b class="not">NOT</b>`, `<p class="stamp">revoked</p>`, "Last used", "Since", "If stolen:",
		}},
		"apps-taken":     {"apps", appsPage{in("/account/apps", "Apps with access"), shown[1:], &taken{App: s.name, Milliseconds: 38, Everywhere: true}}, []string{"The badge of PostPal is taken back.", "It was dead everywhere in 38 milliseconds.", `role="status"`}},
		"apps-taking":    {"apps", appsPage{in("/account/apps", "Apps with access"), nil, &taken{App: s.name, Alone: 14}}, []string{"within a second", "14 more minutes", "You have handed out no badge yet"}},
		"sessions":       {"sessions", sessionsPage{in("/account/sessions", "Sessions"), sessions}, []string{`id="sign-out-everywhere"`, `action="/account/sessions/end-all"`, "this browser", `action="/account/sessions/grant_3Vw9bNq4TzK1mPx8/end"`}},
		"sessions-empty": {"sessions", sessionsPage{room: in("/account/sessions", "Sessions")}, []string{"signed in nowhere"}},
		"password":       {"password", passwordPage{room: in("/account/password", "Password")}, []string{`id="current_password"`, `id="password"`, `id="set-password"`}},
		"password-wrong": {"password", passwordPage{room: in("/account/password", "Password"), Errors: wrong}, []string{`id="current_password-error"`, `id="password-error"`}},
		"password-first": {"password", passwordPage{room: in("/account/password", "Password"), First: true}, []string{"Choose a password"}},
		"profile":        {"profile", profilePage{room: told, Name: s.text, Email: "ada@demo.test"}, []string{`id="name"`, "<b>ada@demo.test</b>", `id="save-profile"`, "Saved."}},
		"profile-wrong":  {"profile", profilePage{room: in("/account/profile", "Profile"), Errors: wrong}, []string{`id="name-error"`}},
		"tokens":         {"tokens", tokensPage{in("/account/tokens", "Personal tokens"), tokens}, []string{`action="/account/tokens/pat_1/revoke"`, `id="revoke-pat_1"`, "ends soon", "leaked", "found 4 hours ago: https://git.example/a.py", `href="/account/tokens/new"`}},
		"tokens-empty":   {"tokens", tokensPage{room: in("/account/tokens", "Personal tokens")}, []string{"No token yet", `href="/account/tokens/new"`}},
		"new-token":      {"new-token", newTokenPage{room: in("/account/tokens", "Make a token"), Boxes: boxes}, []string{`id="name"`, `id="days"`, `<option value="30" selected>`, `<option value="365">`, `id="ip_allow"`, `id="scope-profile.read" name="scope" value="profile.read" checked>`, `id="make-token"`}},
		"token-wrong":    {"new-token", newTokenPage{in("/account/tokens", "Make a token"), s.text, boxes, 90, s.text, wrong}, []string{`id="scope-error"`, `<option value="90" selected>`, `id="ip_allow-error"`, ">text</textarea>"}},
		"new-secret": {"new-secret", newSecretPage{in("/account/tokens", "Here is your token"), page.Secret{ID: "secret", Label: "Your personal token", Value: secret.Of("acme_pat_live_" + s.text), Env: "MAIL_TOKEN"}, page.Pass{
			Badge: true, Kind: "Your own badge · personal token", Name: "backup script", ID: "pat_1", May: []string{"read your messages"}, MayNot: []string{"post for you"}, Stolen: "works 30 more days unless you revoke it, from anywhere.", Bad: true,
			Mend: page.Link{Text: "Limit it to the addresses you work from", URL: "/account/tokens"}, Ring: page.NewRing("30 d", "30 days left", 1),
		}}, []string{"acme_pat_live_text", "MAIL_TOKEN=acme_pat_live_text", "shown once"}},
	}
}

func render(t *testing.T, k *page.Kit, set *page.Set, v visit) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	k.Handle(func(w http.ResponseWriter, r *http.Request) error {
		return set.Render(w, r, http.StatusOK, v.page, v.view)
	})(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%s = %d %s", v.page, w.Code, w.Body)
	}
	return w
}

func TestPages(t *testing.T) {
	k := kit()
	set := pages(k)
	frame := k.Frame(httptest.NewRequest(http.MethodGet, "/", nil), "A page", "")
	shown := map[string]bool{}
	for name, v := range every(frame, friendly) {
		t.Run(name, func(t *testing.T) {
			shown[v.page] = true
			w := render(t, k, set, v)
			body := w.Body.String()
			for _, want := range v.want {
				if !strings.Contains(body, want) {
					t.Errorf("the page lacks %s", want)
				}
			}
			for _, fault := range pagetest.Faults(body) {
				t.Error(fault)
			}
			if got := w.Header().Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control = %q, want no-store", got)
			}
			pagetest.Keep(t, k.Assets(), name, body)
		})
	}
	for _, name := range set.Names() {
		if !shown[name] {
			t.Errorf("no test shows the page %s", name)
		}
	}
}

// Whatever strangers chose, it stays text (SECURITY-CASES B, rows 22 to 34).
func TestHostileWordsStayText(t *testing.T) {
	k := kit()
	set := pages(k)
	frame := k.Frame(httptest.NewRequest(http.MethodGet, "/", nil), "A page", "")
	for kind, s := range map[string]words{"markup": hostile, "runs": runs} {
		for name, v := range every(frame, s) {
			t.Run(kind+"/"+name, func(t *testing.T) {
				body := render(t, k, set, v).Body.String()
				for _, bad := range []string{"<script", "<img src=x", "<svg onload", `" onmouseover`, `="javascript:`, "PostPal"} {
					if strings.Contains(body, bad) {
						t.Errorf("the page holds %q", bad)
					}
				}
				for _, fault := range pagetest.Faults(body) {
					t.Error(fault)
				}
			})
		}
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	v := newSecretPage{Secret: page.Secret{Value: secret.Of("acme_pat_live_x")}}
	if got := fmt.Sprintf("%+v %#v", v, v); strings.Contains(got, "acme_pat") {
		t.Errorf("%T prints as %s", v, got)
	}
}

// Only what works can be taken back, and nobody revokes the session they revoke from by its own row.
func TestButtonsAreForWhatWorks(t *testing.T) {
	if got := badgeOf("grant_1", page.Pass{Gone: "revoked"}); got.Act != nil || !got.Badge {
		t.Errorf("badgeOf one that is gone = %+v, want a badge without a button", got)
	}
	rows := tokensPage{Tokens: []token{{ID: "a"}, {ID: "b", Gone: "revoked"}, {ID: "c", Soon: true}}}.Table().Rows
	if rows[0].Act == nil || rows[1].Act != nil || rows[2].Act == nil || rows[1].Cells[4].Text != "revoked" {
		t.Errorf("Table of tokens = %+v, want buttons for those that work", rows)
	}
	rows = sessionsPage{Sessions: []sessionRow{{ID: "a", This: true}, {ID: "b"}}}.Table().Rows
	if rows[0].Act != nil || rows[1].Act == nil {
		t.Errorf("Table of sessions = %+v, want a button for the other", rows)
	}
}

func TestTakenSaysHowFast(t *testing.T) {
	for _, test := range []struct {
		taken      taken
		tone, want string
	}{
		{taken{App: "A", Milliseconds: 38, Everywhere: true}, "good", "It was dead everywhere in 38 milliseconds."},
		{taken{App: "A", Milliseconds: 1, Everywhere: true}, "good", "It was dead everywhere in 1 millisecond."},
		{taken{App: "A", Milliseconds: 900}, "warn", "Not every server has confirmed it yet; they all will within a second."},
		{taken{App: "A", Milliseconds: 38, Everywhere: true, Alone: 1}, "good", "It was dead everywhere in 38 milliseconds. Whoever checks its signature alone accepts it for up to 1 more minute."},
	} {
		if got := test.taken.Alert(); got.Tone != test.tone || got.Text != test.want {
			t.Errorf("Alert of %+v = %q %q, want %q %q", test.taken, got.Tone, got.Text, test.tone, test.want)
		}
	}
}
