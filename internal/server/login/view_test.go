package login

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
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
			return lanyard.Brand{Name: "Acme", Color: "#0b7a5c", Support: "help@acme.example", Terms: "https://acme.example/terms", Privacy: "https://acme.example/privacy"}, nil
		},
	})
}

// words are what strangers choose.
type words struct {
	text, name, address, path, code, token, api string
}

var (
	friendly = words{"text", "PostPal", "https://postpal.example/about", "/logos/app_1", "WDJB-MJHT", "thetoken", "Mail"}
	// SECURITY-CASES rows 22 to 34: attribute breakout, scripts, addresses that run, and names without an end.
	hostile = words{
		`"'><script>alert(1)</script><img src=x onerror=alert(1)>`, strings.Repeat("W", 300) + `</bdi><script>alert(2)</script>`, `https://x/" onmouseover=alert(1) x="`,
		`//evil.test/logo.svg" onload="alert(1)`, `"><svg onload=alert(1)>`, `"><b>`, `"><script>`,
	}
	runs = words{"{{.}}", "\u202egnp.exe", "javascript:alert(1)", "javascript:alert(1)", "'-alert(1)-'", "'", "</h1>"}
)

// visit is a page with what must stand on it when friendly words fill it.
type visit struct {
	page string
	view any
	want []string
}

// every lists every page in every state.
func every(frame page.Frame, s words) map[string]visit {
	titled := func(title string) page.Frame {
		f := frame
		f.Title = title
		return f
	}
	client := &asker{Name: s.name, By: "by " + s.text, Host: "localhost:8422", Logo: s.path, Home: s.address, Policy: s.address, Terms: s.address}
	plain := asker{Name: s.name, Host: s.text}
	on := way{Request: s.code, Next: s.text}
	token := secret.Of(s.token)
	wrong := errs{"name": s.text, "email": s.text, "password": s.text}
	allow := allowance{
		Client: *client, Account: s.text, API: s.api,
		Boxes:  []page.Box{ask{Name: "profile.read", Text: s.text, Required: true}.box(), ask{Name: "messages.read", Text: "read your messages"}.box(), ask{Name: "posts.write", Text: "post for you", Writes: true}.box()},
		MayNot: []string{"delete your messages", s.text}, Lasts: "15 minutes", Renews: true, Expires: "1 year", Document: s.code,
	}
	small := allowance{Client: plain, Account: s.text}
	changed := small
	changed.Changed = true
	to := frame
	to.FormAction = []string{s.address}
	out := frame
	out.Frames = []string{"https://rp.example/out?iss=a&sid=b", s.address}
	fields := []string{`id="login"`, `name="login"`, `id="password"`, `name="password"`, `id="sign-in"`}
	return map[string]visit{
		"login":        {"login", loginPage{Frame: titled("Sign in"), Signup: true}, append(fields, `href="/forgot"`, `href="/signup"`, "Sign in to Acme", `autocomplete="current-password"`)},
		"login-client": {"login", loginPage{Frame: titled("Sign in"), way: on, Client: client, Login: s.text, Signup: true, Others: []page.Act{{URL: "/login/github", Text: "Go on with " + s.text}}}, append(fields, `name="request" value="WDJB-MJHT"`, `value="text"`, "localhost:8422", `href="/forgot?request=WDJB-MJHT"`, `src="/logos/app_1"`, "It never sees your password")},
		"login-failed": {"login", loginPage{Frame: titled("Sign in"), Login: s.text, Failed: true, Again: true}, append(fields, "That did not match.", `role="alert"`)},
		"login-meant":  {"login", loginPage{Frame: titled("Sign in"), way: on, Client: client, Again: true, Meant: s.text}, append(fields, "text")},
		"login-wait":   {"login", loginPage{Frame: titled("Sign in"), Login: s.text, Wait: s.text}, append(fields, "Too many attempts.")},
		"signup":       {"signup", signupPage{Frame: titled("Make an account"), way: on, Client: client}, []string{`id="name"`, `id="email"`, `id="password"`, `id="sign-up"`, `minlength="8"`, `href="https://acme.example/terms"`}},
		"signup-wrong": {"signup", signupPage{Frame: titled("Make an account"), Name: s.text, Email: s.text, Errors: wrong}, []string{`id="password-error"`, `value="text"`}},
		"forgot":       {"forgot", forgotPage{Frame: titled("Choose a new password"), way: on, Email: s.text}, []string{`id="email"`, `id="send-link"`, `name="request"`}},
		"check-mail":   {"check-mail", checkMailPage{Frame: titled("Look into your mail"), way: on, Email: s.text, Lasts: "15 minutes", Back: "/forgot"}, []string{"If <b>text</b> belongs to an account", "15 minutes", `href="/forgot?request=WDJB-MJHT"`}},
		"link-confirm": {"link-confirm", linkConfirmPage{titled("Confirm your address"), "/links/confirm", token, s.text, "Confirm this address"}, []string{`method="post" action="/links/confirm"`, `name="token" value="thetoken"`, `id="confirm-link"`}},
		"reset":        {"reset", resetPage{Frame: titled("Choose a new password"), Action: "/links/reset", Token: token, Email: s.text}, []string{`id="password"`, `autocomplete="new-password"`, `id="set-password"`, `value="thetoken"`}},
		"reset-wrong":  {"reset", resetPage{Frame: titled("Choose a new password"), Action: "/links/reset", Token: token, Errors: wrong}, []string{`id="password-error"`}},
		"consent": {"consent", consentPage{Frame: to, way: on, allowance: allow, Goes: "localhost:8422"}, []string{
			`id="scope-profile.read" checked disabled>`, `<input type="hidden" name="scope" value="profile.read">`, `id="scope-messages.read" name="scope" value="messages.read" checked>`,
			`id="scope-posts.write" name="scope" value="posts.write">`, `<button class="btn" id="deny" name="decision" value="deny">`, `<button class="btn" id="approve" name="decision" value="approve">`,
			"It will be able to", `<b class="not">NOT</b>`, "delete your messages", "lasts 15 minutes and renews itself", "go on to <b>localhost:8422</b>", `src="/logos/app_1"`, "Privacy policy", "Terms",
			`<bdi>PostPal</bdi> would like a visitor badge for Mail`, `<span class="by">by text</span>`, `name="document" value="WDJB-MJHT"`,
		}},
		"consent-small":  {"consent", consentPage{Frame: to, allowance: changed}, []string{"know who you are, and nothing else", "has changed"}},
		"device":         {"device", devicePage{Frame: titled("Connect a device")}, []string{`id="user_code"`, `name="user_code"`, `id="go-on"`}},
		"device-wrong":   {"device", devicePage{titled("Connect a device"), s.code, s.text}, []string{`value="WDJB-MJHT"`, `id="user_code-error"`}},
		"device-approve": {"device-approve", deviceApprovePage{Frame: titled("Connect a device"), allowance: allow, Code: s.code}, []string{`id="approve"`, `id="deny"`, `<p class="code">WDJB-MJHT</p>`, "somebody sent it to you", `name="user_code" value="WDJB-MJHT"`}},
		"done": {"done", donePage{Frame: titled("Your device is connected"), Tone: "good", Text: s.text, Pass: &page.Pass{
			Badge: true, Kind: "Visitor badge · access token", Name: s.name, ID: s.code, Facts: []page.Fact{{Term: "Who is it?", Text: s.text}}, May: []string{s.text}, MayNot: []string{s.text},
			Stolen: s.text, Mend: page.Link{Text: s.text, URL: s.address}, Ring: page.NewRing("15:00", s.text, 1),
		}, Next: page.Link{Text: s.text, URL: s.address}}, []string{"If stolen:", `class="pass badge"`}},
		"done-denied":   {"done", donePage{Frame: titled("Nothing was handed out"), Tone: "bad", Text: s.text}, []string{"Nothing was handed out"}},
		"logout":        {"logout", logoutPage{Frame: titled("Sign out"), Account: s.text, Client: client, Hidden: []page.Hidden{{Name: "state", Value: s.text}}}, []string{`id="confirm-logout"`, `name="state" value="text"`}},
		"logout-nobody": {"logout", logoutPage{Frame: titled("Sign out")}, []string{`id="confirm-logout"`}},
		"signed-out":    {"signed-out", signedOutPage{Frame: out, Next: page.Link{Text: s.text, URL: s.address}}, []string{`<iframe src="https://rp.example/out?iss=a&amp;sid=b"`, "You are signed out", `href="/login"`}},
		"setup":         {"setup", setupPage{Frame: titled("Set up"), Action: "/setup", Token: token, Name: s.text, Email: s.text, Errors: wrong}, []string{`id="name"`, `id="email"`, `id="password"`, `id="create-admin"`, `value="thetoken"`}},
		"invitation": {"invitation", invitationPage{Frame: titled("Join"), Does: joins, Token: token, Team: s.text, Role: "developer", Email: s.text, By: s.name}, []string{
			`action="/invitation"`, `name="token" value="thetoken"`, `id="join">Join the team</button>`, "<b><bdi>PostPal</bdi></b> invites", "as a developer",
		}},
		"invitation-new":      {"invitation", invitationPage{Frame: titled("Join"), Does: registers, Token: token, Team: s.text, Role: "owner", Email: s.text, Name: s.text, Errors: wrong}, []string{`id="name"`, `id="password-error"`, `id="sign-up"`, `value="thetoken"`, "as an owner"}},
		"invitation-known":    {"invitation", invitationPage{Frame: titled("Join"), Does: signsIn, Team: s.text, Role: "billing", Email: s.text, Next: "/login?next=%2Finvitation"}, []string{`id="sign-in" href="/login?next=%2Finvitation"`, "looks after the bill"}},
		"invitation-mismatch": {"invitation", invitationPage{Frame: titled("Join"), Does: mismatch, Team: s.text, Role: "developer", Email: s.text, Account: s.text, Next: "/login"}, []string{"You are signed in as text.", "for text alone"}},
		"invitation-closed":   {"invitation", invitationPage{Frame: titled("Join"), Does: closed, Team: s.text, Role: "developer", Email: s.text}, []string{"does not let people make their own"}},
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
			if got := w.Header().Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control = %q, want no-store", got)
			}
			for _, want := range v.want {
				if !strings.Contains(body, want) {
					t.Errorf("the page lacks %s", want)
				}
			}
			for _, fault := range pagetest.Faults(body, "iframe") {
				t.Error(fault)
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
				w := render(t, k, set, v)
				body := w.Body.String()
				for _, bad := range []string{"<script", "<img src=x", "<svg onload", `" onmouseover`, `" onload`, "javascript:", "//evil.test", "<b>\"", "PostPal"} {
					if strings.Contains(body, bad) {
						t.Errorf("the page holds %q", bad)
					}
				}
				for _, fault := range pagetest.Faults(body, "iframe") {
					t.Error(fault)
				}
				if policy := w.Header().Get("Content-Security-Policy"); strings.Contains(policy, "script") || strings.Contains(policy, "onmouseover") || strings.Count(policy, "form-action") != 1 {
					t.Errorf("Content-Security-Policy = %q", policy)
				}
			})
		}
	}
}

// A name that nobody has and a wrong password look the same: the view cannot tell them apart.
func TestFailedLoginSaysNothing(t *testing.T) {
	got := loginPage{Login: "ada@demo.test", Failed: true}.Alert()
	if got == nil || strings.Contains(got.Text, "ada") || !strings.Contains(got.Text, "mail address or the password") {
		t.Errorf("Alert = %+v, want one that names both", got)
	}
	if got := (loginPage{}).Alert(); got != nil {
		t.Errorf("Alert of a fresh page = %+v, want none", got)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	for _, v := range []any{resetPage{Token: secret.Of("thetoken")}, setupPage{Token: secret.Of("thetoken")}, linkConfirmPage{Token: secret.Of("thetoken")}} {
		if got := fmt.Sprintf("%+v %#v", v, v); strings.Contains(got, "thetoken") {
			t.Errorf("%T prints as %s", v, got)
		}
	}
}

// The required ones are fixed, what writes starts unticked, and what was allowed before stays.
func TestBoxes(t *testing.T) {
	for _, test := range []struct {
		ask           ask
		ticked, fixed bool
	}{
		{ask{Name: "a"}, true, false},
		{ask{Name: "a", Writes: true}, false, false},
		{ask{Name: "a", Writes: true, Held: true}, true, false},
		{ask{Name: "a", Refused: true}, false, false},
		{ask{Name: "a", Required: true}, true, true},
		{ask{Name: "a", Required: true, Writes: true}, true, true},
	} {
		if got := test.ask.box(); got.Ticked != test.ticked || got.Fixed != test.fixed || got.ID != "scope-a" || got.Name != "scope" || got.Value != "a" {
			t.Errorf("box of %+v = %+v, want ticked %v, fixed %v", test.ask, got, test.ticked, test.fixed)
		}
	}
}

// Both ways out of a consent weigh the same: neither is primary, and both look alike.
func TestConsentIsFair(t *testing.T) {
	k := kit()
	all := every(k.Frame(httptest.NewRequest(http.MethodGet, "/", nil), "A page", ""), friendly)
	for _, name := range []string{"consent", "consent-small", "device-approve"} {
		body := render(t, k, pages(k), all[name]).Body.String()
		if strings.Contains(body, "primary") || strings.Count(body, `<button class="btn" id=`) != 2 {
			t.Errorf("%s: one way out weighs more", name)
		}
	}
	if got := render(t, k, pages(k), all["consent"]).Header().Get("Content-Security-Policy"); !strings.Contains(got, "form-action 'self' https:;") {
		t.Errorf("consent: Content-Security-Policy = %q, want the way to the client open", got)
	}
	if got := render(t, k, pages(k), all["signed-out"]).Header().Get("Content-Security-Policy"); !slices.Contains(strings.Split(got, "; "), "frame-src https://rp.example https://postpal.example") {
		t.Errorf("signed-out: Content-Security-Policy = %q, want frames of those origins alone", got)
	}
}
