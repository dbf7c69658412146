package oauth_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

const bye = "https://rp.test/bye"

// leave is a request of an app that its user be logged out.
func leave(q url.Values) string { return "/oauth/logout?" + q.Encode() }

// in reports whether somebody is logged in in the browser.
func (w *world) in(b *servertest.Browser) bool {
	w.tb.Helper()
	return !b.Get("/account").Has("sign-in")
}

// TestLogoutStays: who asks with something that is not exactly right sends nobody anywhere and ends nothing (OpenID Connect
// RP-Initiated Logout sections 2, 3 and 6; SECURITY-CASES A).
func TestLogoutStays(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public", OAuthSettings: lanyard.OAuthSettings{PostLogoutRedirectURIs: []string{bye}}})
	other := w.app(lanyard.AppInput{Name: "Other", Type: "public", OAuthSettings: lanyard.OAuthSettings{PostLogoutRedirectURIs: []string{"https://other.test/bye"}}})
	r, foreign := c.tokens(), other.tokens()
	hint := r.text("id_token")
	parts := strings.Split(hint, ".")
	cases := map[string]url.Values{
		"an address without an app":         {"post_logout_redirect_uri": {bye}},
		"an app nobody knows":               {"post_logout_redirect_uri": {bye}, "client_id": {"app_0000000000000000"}},
		"an app that is none":               {"post_logout_redirect_uri": {bye}, "client_id": {"x"}},
		"another app's address":             {"post_logout_redirect_uri": {bye}, "client_id": {other.id}},
		"the redirect URI of logins":        {"post_logout_redirect_uri": {callback}, "client_id": {c.id}},
		"another app's hint":                {"post_logout_redirect_uri": {bye}, "id_token_hint": {foreign.text("id_token")}},
		"another app's hint and the app":    {"post_logout_redirect_uri": {bye}, "id_token_hint": {foreign.text("id_token")}, "client_id": {c.id}},
		"garbage for a hint":                {"id_token_hint": {"x"}},
		"an access token for a hint":        {"id_token_hint": {r.text("access_token")}},
		"a hint without signature":          {"id_token_hint": {parts[0] + "." + parts[1] + "."}},
		"a hint by another key":             {"id_token_hint": {newSigner(t, jose.ES256, "one").sign(claimsOf(t, hint), nil)}},
		"an unsigned hint":                  {"id_token_hint": {unsigned(t, claimsOf(t, hint), "none")}},
		"two addresses":                     {"post_logout_redirect_uri": {bye, bye}, "client_id": {c.id}},
		"a state with a control character":  {"post_logout_redirect_uri": {bye}, "client_id": {c.id}, "state": {"a\x00b"}},
		"an address and an address of evil": {"post_logout_redirect_uri": {bye, "https://evil.test"}, "client_id": {c.id}},
	}
	for _, address := range []string{
		bye + "/", bye + "?x=1", bye + "#x", bye + "/../x", "https://rp.test/BYE", "https://RP.test/bye", "http://rp.test/bye", "https://rp.test:443/bye", "https://x@rp.test/bye", "https://rp.test/bye%2f",
		"https://rp.test.evil.test/bye", "https://rp.test", "//rp.test/bye", "/bye", "javascript:alert(1)", "https://evil.test", "*", bye + " ", " " + bye,
	} {
		cases["the address "+address] = url.Values{"post_logout_redirect_uri": {address}, "client_id": {c.id}, "id_token_hint": {hint}}
	}
	for name, q := range cases {
		p := w.browser.Get(leave(q))
		if p.Status != http.StatusBadRequest || p.Away != nil || p.Has("confirm-logout") || strings.Contains(p.Body, "evil.test") {
			t.Errorf("%s = %d, away %v, %.200s, want a page that stays", name, p.Status, p.Away, p.Text())
		}
	}
	if !w.in(w.browser) {
		t.Error("after all this Ada is logged out")
	}
	stranger := w.node.Browser(t)
	if p := stranger.Get(leave(cases["the address https://evil.test"])); p.Away != nil || p.Status != http.StatusBadRequest {
		t.Errorf("in a browser without a login = %d, away %v, want a page that stays", p.Status, p.Away)
	}
}

// TestLogoutAsks: nothing ends before the user says so, with a hint or without (OpenID Connect RP-Initiated Logout section 2),
// and then the browser goes where the app said, with its state.
func TestLogoutAsks(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	const query = "https://rp.test/bye?a=b"
	c := w.app(lanyard.AppInput{OAuthSettings: lanyard.OAuthSettings{PostLogoutRedirectURIs: []string{bye, query}}})
	var refresh string
	for name, tc := range map[string]struct {
		q    func(hint string) url.Values
		away string
	}{
		"nothing":         {func(string) url.Values { return url.Values{} }, ""},
		"the app":         {func(string) url.Values { return url.Values{"client_id": {c.id}, "state": {"x"}} }, ""},
		"app and address": {func(string) url.Values { return url.Values{"client_id": {c.id}, "post_logout_redirect_uri": {bye}} }, bye},
		"a hint":          {func(hint string) url.Values { return url.Values{"id_token_hint": {hint}} }, ""},
		"a hint and address": {func(hint string) url.Values {
			return url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {bye}, "state": {"a&b=c"}}
		}, bye + "?state=a%26b%3Dc"},
		"an address with a query": {func(hint string) url.Values {
			return url.Values{"id_token_hint": {hint}, "client_id": {c.id}, "post_logout_redirect_uri": {query}, "state": {"x"}, "ui_locales": {"fr"}, "logout_hint": {"ada"}}
		}, query + "&state=x"},
	} {
		r := c.tokens()
		clock.Advance(2 * time.Hour) // a hint may be old
		w.sync()
		p := w.browser.Get(leave(tc.q(r.text("id_token"))))
		if !p.Has("confirm-logout") || !strings.Contains(p.Text(), "ada@demo.test") {
			t.Fatalf("%s = %s %.300s, want to be asked", name, p.URL, p.Text())
		}
		if !w.in(w.browser) {
			t.Errorf("%s: Ada is logged out before she said so", name)
		}
		p = w.browser.Press(p, "confirm-logout", nil)
		away := ""
		if p.Away != nil {
			away = p.Away.String()
		}
		if away != tc.away || w.in(w.browser) {
			t.Errorf("%s, confirmed = %d at %s, away %q, logged in: %v, want %q and nobody", name, p.Status, p.URL, away, w.in(w.browser), tc.away)
		}
		// With nobody logged in there is nothing to ask.
		p = w.browser.Get(leave(tc.q(r.text("id_token"))))
		if away = ""; p.Away != nil {
			away = p.Away.String()
		}
		if away != tc.away || p.Has("confirm-logout") {
			t.Errorf("%s, again = %d at %s, away %q, want %q", name, p.Status, p.URL, away, tc.away)
		}
		refresh = r.text("refresh_token")
	}
	if r := c.refresh(refresh); r.status != 200 {
		t.Errorf("a refresh after the logout = %d %s, want 200: apps keep what they were given, as the page says", r.status, r.raw)
	}
}

// TestLogoutForged: another site's form, another browser's address and a changed one end nothing and lead nowhere.
func TestLogoutForged(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public", OAuthSettings: lanyard.OAuthSettings{PostLogoutRedirectURIs: []string{bye}}})
	c.code(nil)
	foreign := http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.test"}}
	if p := w.browser.Post("/logout", url.Values{}, foreign); p.Status != http.StatusForbidden || !w.in(w.browser) {
		t.Errorf("another site's form = %d, logged in: %v, want 403 and Ada still", p.Status, w.in(w.browser))
	}
	q := url.Values{"client_id": {c.id}, "post_logout_redirect_uri": {bye}}
	// The app's own form comes from its site: it asks, like an address.
	p := w.browser.Post("/oauth/logout", q, foreign)
	if !p.Has("confirm-logout") || p.Away != nil || !w.in(w.browser) {
		t.Errorf("the app's form = %d at %s, want to be asked", p.Status, p.URL)
	}
	next := p.URL.Query().Get("next")
	if !strings.Contains(p.Text(), "PostPal ( rp.test ) says you want to sign out") {
		t.Errorf("the page does not say who asks: %s", p.Text())
	}
	if p := w.browser.Get("/oauth/logout?client_id=" + c.id); !p.Has("confirm-logout") || strings.Contains(p.Text(), "PostPal") {
		t.Errorf("a link that anybody can make is said to be the app's: %s", p.Text())
	}
	if csp := p.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' https:;") {
		t.Errorf("Content-Security-Policy = %s, want the way to the app open", csp)
	}
	for name, forged := range map[string]string{"changed": next[:len(next)-2] + "AA", "cut": next[:len(next)/2], "an address": bye, "encoded": "eyJ0byI6Imh0dHBzOi8vZXZpbC50ZXN0In0", "long": strings.Repeat("A", 4000)} {
		b := w.node.Browser(t)
		if p := b.Get("/logout?next=" + url.QueryEscape(forged)); p.Away != nil || p.Status >= 500 {
			t.Errorf("an address %s = %d, away %v, want to go nowhere", name, p.Status, p.Away)
		}
		if p := b.Post("/logout", url.Values{"after": {forged}}, nil); p.Away != nil || p.Status >= 500 {
			t.Errorf("a form %s = %d, away %v, want to go nowhere", name, p.Status, p.Away)
		}
	}
	victim := w.node.Browser(t)
	victim.Get("/login")
	if p := victim.Get("/logout?next=" + next); p.Away != nil {
		t.Errorf("another browser's address leads to %v, want nowhere", p.Away)
	}
}

// TestFrontChannel: the page that says goodbye loads the addresses of the apps this session signed in to, with issuer and
// sid, and of no others (OpenID Connect Front-Channel Logout sections 2 and 3).
func TestFrontChannel(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	front := func(name, address string) *client {
		return w.app(lanyard.AppInput{Name: name, Type: "public", OAuthSettings: lanyard.OAuthSettings{
			FrontchannelLogoutURI: address, FrontchannelLogoutSessionRequired: true, PostLogoutRedirectURIs: []string{bye},
		}})
	}
	one, two, unused := front("One", "https://one.test/out?a=b"), front("Two", "https://two.test/out"), front("Unused", "https://unused.test/out")
	plain := w.app(lanyard.AppInput{Name: "Plain", Type: "public"})
	sid, _ := claimsOf(t, one.tokens().text("id_token"))["sid"].(string)
	two.tokens()
	plain.tokens()
	elsewhere := w.browser
	w.browser = w.node.Browser(t)
	unused.tokens() // in another session
	w.browser = elsewhere
	p := w.browser.Press(w.browser.Get(leave(url.Values{"client_id": {one.id}, "post_logout_redirect_uri": {bye}})), "confirm-logout", nil)
	if p.Status != 200 || p.Away != nil || strings.Count(p.Body, "<iframe") != 2 || strings.Contains(p.Body, "unused.test") || !strings.Contains(p.Body, `href="`+bye+`"`) {
		t.Fatalf("goodbye = %d, away %v: %.3000s, want two frames and the way back", p.Status, p.Away, p.Body)
	}
	for _, start := range []string{"https://one.test/out?a=b&", "https://two.test/out?"} {
		src := start + url.Values{"iss": {w.node.URL}, "sid": {sid}}.Encode()
		if !strings.Contains(p.Body, `<iframe src="`+html.EscapeString(src)+`"`) {
			t.Errorf("no frame loads %s: %.3000s", src, p.Body)
		}
	}
	csp := p.Header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "frame-src") || !strings.Contains(csp, "https://one.test") || !strings.Contains(csp, "https://two.test") || strings.Contains(csp, "/out") {
		t.Errorf("Content-Security-Policy = %s, want it to admit the frames' origins", csp)
	}
	if w.in(w.browser) {
		t.Error("Ada is still logged in")
	}
}

// TestBackChannel: each app that a session signed in to is told by a token that can be taken for nothing else; one that hangs
// or fails holds up nobody and is told again (OpenID Connect Back-Channel Logout sections 2.4 to 2.8).
func TestBackChannel(t *testing.T) {
	type told struct {
		path, media string
		form        url.Values
	}
	heard := make(chan told, 20)
	quick := make(chan struct{})
	there, allow := stranger(t, func(rw http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		if r.URL.Path == "/slow" {
			select {
			case <-quick: // not before the other was told
			case <-r.Context().Done():
			}
			rw.WriteHeader(http.StatusInternalServerError)
		}
		heard <- told{r.URL.Path, r.Header.Get("Content-Type"), r.PostForm}
		if r.URL.Path == "/quick" {
			close(quick)
		}
	})
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now, Settings: allow})
	back := func(name, path, alg string) *client {
		return w.app(lanyard.AppInput{Name: name, OAuthSettings: lanyard.OAuthSettings{BackchannelLogoutURI: there.URL + path, BackchannelLogoutSessionRequired: true, IDTokenSignedResponseAlg: alg}})
	}
	next := func() told {
		t.Helper()
		if err := w.node.Deliver(t.Context()); err != nil {
			t.Error(err)
		}
		select {
		case got := <-heard:
			return got
		case <-time.After(10 * time.Second):
			t.Fatal("nobody was told")
			return told{}
		}
	}
	failing, fine := back("Failing", "/slow", ""), back("Fine", "/quick", "EdDSA")
	back("Unused", "/unused", "")
	failing.tokens()
	r := fine.redeem(fine.code(nil), nil)
	id := w.opened(r.text("id_token"), "JWT", jose.EdDSA)
	w.browser.Press(w.browser.Get("/logout"), "confirm-logout", nil)
	first, second := next(), next()
	if first.path != "/quick" || second.path != "/slow" {
		t.Fatalf("told were %s and %s, want /quick and, though it hangs, /slow", first.path, second.path)
	}
	token := first.form.Get("logout_token")
	if first.media != "application/x-www-form-urlencoded" || len(first.form) != 1 {
		t.Errorf("told was %v as %s, want a form with a logout_token", first.form, first.media)
	}
	claims := w.opened(token, "logout+jwt", jose.EdDSA)
	jti, _ := claims["jti"].(string)
	now := clock.Now().Unix()
	want := map[string]any{
		"iss": w.node.URL, "aud": fine.id, "sub": w.ada.ID, "sid": id["sid"], "iat": float64(now), "exp": float64(now + 120), "jti": jti,
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	if diff := cmp.Diff(want, claims); diff != "" || len(jti) < 16 {
		t.Errorf("the logout token (-want +got):\n%s", diff)
	}
	w.challenged("the logout token as an access token", w.userinfo(token), 401, "invalid_token")
	if p := w.browser.Get(leave(url.Values{"id_token_hint": {token}})); p.Status != http.StatusBadRequest {
		t.Errorf("the logout token as id_token_hint = %d, want 400", p.Status)
	}
	// The one that failed is told again, later each time, and given up after six times.
	old, _ := w.opened(second.form.Get("logout_token"), "logout+jwt", jose.ES256)["jti"].(string)
	for try, wait := range []time.Duration{10, 20, 40, 80, 160} {
		clock.Advance(wait*time.Second - time.Second)
		w.sync()
		if err := w.node.Deliver(t.Context()); err != nil || len(heard) != 0 {
			t.Errorf("a second before try %d: %d were told, %v, want nobody", try+2, len(heard), err)
		}
		clock.Advance(time.Second)
		w.sync()
		got := next()
		again := w.opened(got.form.Get("logout_token"), "logout+jwt", jose.ES256)
		if got.path != "/slow" || again["aud"] != failing.id || again["sub"] != w.ada.ID || again["jti"] == old || again["exp"] != float64(clock.Now().Unix()+120) {
			t.Errorf("try %d told %s %v, want the failing app, by a fresh token", try+2, got.path, again)
		}
	}
	clock.Advance(time.Hour)
	w.sync()
	if err := w.node.Deliver(t.Context()); err != nil || len(heard) != 0 {
		t.Errorf("after the last try: %d were told, %v, want nobody", len(heard), err)
	}
}

// TestBackChannelElsewhere: sessions that end elsewhere, by an admin or by the account page, are told of too; those that go on
// are not.
func TestBackChannelElsewhere(t *testing.T) {
	heard := make(chan string, 20)
	there, allow := stranger(t, func(_ http.ResponseWriter, r *http.Request) { heard <- r.FormValue("logout_token") })
	w := newWorld(t, servertest.Options{Settings: allow})
	c := w.app(lanyard.AppInput{Type: "public", OAuthSettings: lanyard.OAuthSettings{BackchannelLogoutURI: there.URL + "/out"}})
	login := func() (*servertest.Browser, any) {
		t.Helper()
		w.browser = w.node.Browser(t)
		return w.browser, w.idToken(c.tokens())["sid"]
	}
	sids := func(n int) map[any]bool {
		t.Helper()
		out := map[any]bool{}
		if err := w.node.Deliver(t.Context()); err != nil {
			t.Error(err)
		}
		for range n {
			select {
			case text := <-heard:
				out[w.opened(text, "logout+jwt", jose.ES256)["sid"]] = true
			case <-time.After(10 * time.Second):
				t.Fatalf("%v were told of, want %d", out, n)
			}
		}
		return out
	}
	_, first := login()
	sessions, err := w.node.Manage.UserSessions(t.Context(), w.admin(), w.ada.ID)
	if err != nil || len(sessions) != 1 {
		t.Fatalf("sessions = %+v, %v, want one", sessions, err)
	}
	keeps, second := login()
	if _, err := w.node.Manage.EndSession(t.Context(), w.admin(), sessions[0].ID); err != nil {
		t.Fatal(err)
	}
	if got := sids(1); !got[first] || !w.in(keeps) {
		t.Errorf("an admin ended %v: told was %v", first, got)
	}
	_, third := login()
	if _, err := w.node.Manage.EndUserSessions(t.Context(), audit.Command("test"), w.ada.ID); err != nil {
		t.Fatal(err)
	}
	if got := sids(2); !got[second] || !got[third] || len(heard) != 0 || w.in(keeps) {
		t.Errorf("an admin ended %v and %v: told was %v", second, third, got)
	}
}
