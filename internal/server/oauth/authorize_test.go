package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// redirects are addresses that are not the callback, though some reader somewhere took them for it.
func redirects(tb testing.TB) []string {
	tb.Helper()
	return servertest.Corpus(tb, "testdata/redirects.txt")
}

// TestAuthorizeStays: as long as client or redirect URI are in doubt, a page names which, and nobody is sent anywhere, logged
// in or not (PROTOCOLS OAuth 1, 2; SECURITY-CASES 2-12).
func TestAuthorizeStays(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public"})
	stays := func(t *testing.T, what, path, names string) {
		t.Helper()
		p := w.browser.Get(path)
		if p.Status != http.StatusBadRequest || p.Away != nil || !strings.Contains(p.Text(), names) {
			t.Errorf("%s = %d, away %v, %.200q, want a page that stays and names %s", what, p.Status, p.Away, p.Text(), names)
		}
		if strings.Contains(p.Body, "evil.test") {
			t.Errorf("%s: the page repeats the address", what)
		}
	}
	for _, signedIn := range []bool{false, true} {
		if signedIn {
			c.code(nil)
		}
		for _, uri := range redirects(t) {
			stays(t, "redirect_uri "+uri, c.ask(url.Values{"redirect_uri": {uri}}), "redirect_uri")
		}
		stays(t, "no redirect_uri with openid", c.ask(url.Values{"redirect_uri": nil}), "redirect_uri")
		for _, id := range []string{"", "app_0000000000000000", "x", "https://evil.test", "app_0000000000000000' OR 1=1"} {
			stays(t, "client_id "+id, c.ask(url.Values{"client_id": {id}}), "client_id")
		}
		for _, name := range []string{"redirect_uri", "client_id", "state", "response_type", "scope"} {
			stays(t, "two of "+name, c.ask(nil)+"&"+name+"=x", name)
		}
	}
}

// TestAuthorizeRefuses: what is wrong beyond that is told to the app, with state and issuer; at once to who is logged in, by
// a click to anybody else (RFC 9700 section 4.11.2).
func TestAuthorizeRefuses(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public"})
	cases := map[string]struct {
		change url.Values
		code   string
	}{
		"no PKCE":                 {url.Values{"code_challenge": nil}, "invalid_request"},
		"plain":                   {url.Values{"code_challenge_method": {"plain"}}, "invalid_request"},
		"no method":               {url.Values{"code_challenge_method": nil}, "invalid_request"},
		"a short challenge":       {url.Values{"code_challenge": {"short"}}, "invalid_request"},
		"implicit":                {url.Values{"response_type": {"token"}}, "unsupported_response_type"},
		"hybrid":                  {url.Values{"response_type": {"code id_token"}}, "unsupported_response_type"},
		"no response type":        {url.Values{"response_type": nil}, "invalid_request"},
		"fragment":                {url.Values{"response_mode": {"fragment"}}, "invalid_request"},
		"an unknown scope":        {url.Values{"scope": {"openid no.such"}}, "invalid_scope"},
		"a scope of an admin":     {url.Values{"scope": {"mail.rule"}}, "invalid_scope"},
		"a scope of our own":      {url.Values{"scope": {"lanyard.admin"}}, "invalid_scope"},
		"two APIs":                {url.Values{"scope": {"profile.read files.read"}}, "invalid_target"},
		"an unknown resource":     {url.Values{"resource": {"https://elsewhere.test"}}, "invalid_target"},
		"two resources":           {url.Values{"resource": {"https://a.test", "https://b.test"}}, "invalid_target"},
		"an unknown prompt":       {url.Values{"prompt": {"perhaps"}}, "invalid_request"},
		"none and more":           {url.Values{"prompt": {"none login"}}, "invalid_request"},
		"a negative age":          {url.Values{"max_age": {"-1"}}, "invalid_request"},
		"claims that are none":    {url.Values{"claims": {"{"}}, "invalid_request"},
		"a hint that is none":     {url.Values{"id_token_hint": {"eyJhbGciOiJub25lIn0.e30."}}, "invalid_request"},
		"an object without keys":  {url.Values{"request": {"eyJhbGciOiJub25lIn0.e30."}}, "invalid_request_object"},
		"an unregistered address": {url.Values{"request_uri": {"https://rp.test/object"}}, "invalid_request_uri"},
		"both objects":            {url.Values{"request": {"x"}, "request_uri": {"https://rp.test/o"}}, "invalid_request"},
	}
	for name, tc := range cases {
		p := w.browser.Get(c.ask(tc.change))
		if p.Away != nil || p.Status != http.StatusBadRequest || !p.Has("back") {
			t.Errorf("%s, nobody logged in = %d, away %v, want a page with a way back", name, p.Status, p.Away)
		}
	}
	c.code(nil)
	for name, tc := range cases {
		p := w.browser.Get(c.ask(tc.change))
		if p.Away == nil {
			t.Errorf("%s, logged in = %d %.200q, want the app", name, p.Status, p.Text())
			continue
		}
		q := p.Away.Query()
		if q.Get("error") != tc.code || q.Get("state") != "st" || q.Get("iss") != w.node.URL || q.Has("code") || p.Status != http.StatusSeeOther {
			t.Errorf("%s = %v, want %s with state and iss, and no code", name, q, tc.code)
		}
	}
}

// TestFormPostNeedsTheWeb: no form can be sent to an app's own scheme, so form_post is refused before anybody logs in, and that
// is said by the query; so is whatever else is wrong.
func TestFormPostNeedsTheWeb(t *testing.T) {
	const native = "com.example.app:/done"
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public", OAuthSettings: lanyard.OAuthSettings{RedirectURIs: []string{native, callback, "http://[::1]/done"}}})
	change := func(name, value string) url.Values {
		return url.Values{"redirect_uri": {native}, "response_mode": {"form_post"}, name: {value}}
	}
	if p := w.browser.Get(c.ask(change("prompt", "login"))); p.Away != nil || p.Status != http.StatusBadRequest || !p.Has("back") {
		t.Errorf("nobody logged in = %d, away %v, want a page with a way back", p.Status, p.Away)
	}
	for _, what := range []string{"nobody logged in", "logged in"} {
		if what == "logged in" {
			c.code(nil)
		}
		p := w.browser.Get(c.ask(change("prompt", "none")))
		if p.Away == nil || p.Away.Scheme != "com.example.app" || p.Away.Query().Get("error") != "invalid_request" || p.Away.Query().Has("code") {
			t.Errorf("%s, prompt=none = %d, %v, want invalid_request at the app", what, p.Status, p.Away)
		}
	}
	if p := w.browser.Get(c.ask(change("scope", "no.such"))); p.Away == nil || p.Away.Query().Get("error") == "" {
		t.Errorf("with an unknown scope = %d, %v, want an error at the app", p.Status, p.Away)
	}
	form := url.Values{
		"client_id": {c.id}, "response_type": {"code"}, "redirect_uri": {native}, "response_mode": {"form_post"}, "scope": {"openid"},
		"code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"},
	}
	w.refused("pushed", w.post("/oauth/par", form, nil), 400, "invalid_request")
	if p := w.browser.Get(c.ask(url.Values{"redirect_uri": {"http://[::1]/done"}, "response_mode": {"form_post"}})); p.Status != http.StatusOK || p.Away != nil {
		t.Errorf("to a loopback address = %d, %v, want the answer's form or consent", p.Status, p.Away)
	}
}

// TestSilently: prompt=none shows no page, whatever is missing.
func TestSilently(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public"})
	silent := url.Values{"prompt": {"none"}}
	if got := w.browser.Get(c.ask(silent)).Away; got == nil || got.Query().Get("error") != "login_required" {
		t.Errorf("nobody is logged in: %v, want login_required", got)
	}
	w.signIn(w.browser.Get("/login"))
	if got := w.browser.Get(c.ask(silent)).Away; got == nil || got.Query().Get("error") != "consent_required" {
		t.Errorf("nothing was allowed: %v, want consent_required", got)
	}
	c.code(nil)
	if got := w.browser.Get(c.ask(silent)).Away; got == nil || got.Query().Get("code") == "" {
		t.Errorf("all was allowed: %v, want a code", got)
	}
	if p := w.browser.Get(c.ask(url.Values{"prompt": {"login"}})); !p.Has("sign-in") {
		t.Errorf("prompt=login shows %s, want the sign-in page", p.URL)
	}
	if p := w.browser.Get(c.ask(url.Values{"prompt": {"consent"}})); !p.Has("approve") {
		t.Errorf("prompt=consent shows %s, want the consent page", p.URL)
	}
	if p := w.browser.Get(c.ask(url.Values{"max_age": {"0"}})); !p.Has("sign-in") {
		t.Errorf("max_age=0 shows %s, want the sign-in page", p.URL)
	}
}

// TestConsentCannotBeStretched: only what was asked can be ticked, nothing ticked is no, and only the browser that brought a
// request answers it (SECURITY-CASES 50, 54).
func TestConsentCannotBeStretched(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public"})
	p := w.signIn(w.browser.Get(c.ask(url.Values{"scope": {"profile.read posts.write"}})))
	request := p.URL.Query().Get("request")

	// The attacker's browser, in which somebody else is logged in, gets hold of the request's id.
	eve := w.node.Browser(t)
	w.user("eve@demo.test")
	eve.Press(eve.Get("/login"), "sign-in", map[string]string{"login": "eve@demo.test", "password": password})
	for _, path := range []string{"/continue", "/consent", "/login"} {
		if got := eve.Get(path + "?request=" + request); got.Away != nil || got.Status < 400 {
			t.Errorf("%s with a request of another browser = %d, %v, want an error", path, got.Status, got.Away)
		}
	}
	forged := url.Values{"request": {request}, "scope": {"profile.read", "messages.read", "mail.rule", "lanyard.admin"}, "decision": {"approve"}}
	if got := eve.Post("/consent", forged, nil); got.Away != nil || got.Status < 400 {
		t.Errorf("consent by another browser = %d, %v, want an error", got.Status, got.Away)
	}
	if got := w.browser.Post("/consent", forged, http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.test"}}); got.Status != http.StatusForbidden {
		t.Errorf("consent by another site's form = %d, want 403", got.Status)
	}
	p = w.browser.Post("/consent", forged, nil)
	if p.Away == nil || p.Away.Query().Get("code") == "" {
		t.Fatalf("consent = %d, %v, want a code", p.Status, p.Away)
	}
	if r := c.redeem(p.Away.Query().Get("code"), nil); r.text("scope") != "profile.read" {
		t.Errorf("scope = %q, want only what was asked and ticked", r.text("scope"))
	}
	// The same request is answered once.
	if again := w.browser.Get("/continue?request=" + request); again.Away != nil {
		t.Errorf("the same request leads to %v again", again.Away)
	}
	p = w.browser.Get(c.ask(url.Values{"scope": {"profile.read posts.write messages.read"}}))
	if p = w.browser.Press(p, "approve", map[string]string{"-scope-profile.read": "", "-scope-messages.read": ""}); p.Away == nil || p.Away.Query().Get("error") != "access_denied" {
		t.Errorf("with nothing ticked comes %v, want access_denied", p.Away)
	}
	p = w.browser.Get(c.ask(url.Values{"scope": {"profile.read posts.write messages.read"}}))
	if p = w.browser.Press(p, "deny", nil); p.Away == nil || p.Away.Query().Get("error") != "access_denied" {
		t.Errorf("after no comes %v, want access_denied", p.Away)
	}
}

// TestFormPost: the answer as a form that posts itself, escaped, led by a policy that admits one script and no page of our own.
func TestFormPost(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public"})
	c.code(nil)
	p := w.browser.Get(c.ask(url.Values{"response_mode": {"form_post"}, "state": {`"><script>alert(1)</script>`}}))
	policy := p.Header.Get("Content-Security-Policy")
	if p.Status != 200 || !strings.Contains(policy, "form-action https:;") || strings.Contains(policy, "unsafe") || strings.Contains(p.Body, "<script>alert") {
		t.Errorf("form_post = %d, policy %q:\n%s", p.Status, policy, p.Body)
	}
	for _, name := range []string{`name="code"`, `name="iss"`, `name="state"`} {
		if !strings.Contains(p.Body, name) {
			t.Errorf("the form has no %s", name)
		}
	}
}

// TestHeadersDoNotLead: nothing a proxy or a stranger claims about hosts gets into an address (SECURITY-CASES 16, 20, 76).
func TestHeadersDoNotLead(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public"})
	claims := http.Header{"X-Forwarded-Host": {"evil.test"}, "X-Forwarded-Prefix": {"//evil.test"}, "X-Forwarded-Proto": {"javascript"}, "Forwarded": {"host=evil.test"}}
	for _, path := range []string{c.ask(nil), "/login", "/account", "/continue?return_to=//evil.test", "/continue?return_to=/%5Cevil.test", "/continue?return_to=https:evil.test", "//evil.test/", "/.//evil.test", "/device"} {
		r := call(t, http.MethodGet, w.node.URL+path, nil, claims)
		if at := r.header.Get("Location"); strings.Contains(at, "evil") || strings.HasPrefix(at, "//") || strings.Contains(r.raw, "evil.test/") {
			t.Errorf("GET %s leads to %q", path, at)
		}
	}
	for _, path := range []string{"/login", "/signup", "/consent", "/device", c.ask(url.Values{"client_id": {"x"}})} {
		r := call(t, http.MethodGet, w.node.URL+path, nil, nil)
		if r.status == http.StatusSeeOther {
			continue
		}
		if h := r.header; !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") || h.Get("X-Frame-Options") != "DENY" || h.Get("Referrer-Policy") != "no-referrer" || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("GET %s has headers %v", path, h)
		}
	}
}

// TestLogoutEnds: the cookie from before is worth nothing, and whoever logs in next sees nothing of the one before
// (SECURITY-CASES 118, 120).
func TestLogoutEnds(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public"})
	c.code(nil)
	before := w.browser.Cookies()
	p := w.browser.Press(w.browser.Get("/logout"), "confirm-logout", nil)
	if p.Status != 200 {
		t.Fatalf("logout = %d %.200s", p.Status, p.Text())
	}
	old := w.node.Browser(t)
	old.SetCookies(before)
	if p := old.Get("/account"); !p.Has("sign-in") {
		t.Errorf("with the cookie from before the account shows %s", p.URL)
	}
	w.user("eve@demo.test")
	w.browser.Press(w.browser.Get("/login"), "sign-in", map[string]string{"login": "eve@demo.test", "password": password})
	if p := w.browser.Get("/account/apps"); strings.Contains(p.Text(), "PostPal") {
		t.Error("the next user sees the apps of the one before")
	}
	if p := w.browser.Get(c.ask(nil)); !p.Has("approve") {
		t.Errorf("the next user's consent is not asked: %s", p.URL)
	}
}

// TestWrongPasswordTellsNothing: an unknown name, a wrong password and a disabled account look alike.
func TestWrongPasswordTellsNothing(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	eve := w.user("eve@demo.test")
	yes := true
	if _, err := w.node.Manage.UpdateUser(t.Context(), w.admin(), eve.ID, lanyard.UserPatch{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, who := range [][2]string{{"nobody@demo.test", password}, {"ada@demo.test", "wrong"}, {"eve@demo.test", password}} {
		p := w.browser.Press(w.browser.Get("/login"), "sign-in", map[string]string{"login": who[0], "password": who[1]})
		if p.Status != http.StatusUnauthorized || !p.Has("sign-in") {
			t.Errorf("%s = %d", who[0], p.Status)
		}
		texts = append(texts, strings.ReplaceAll(p.Body, who[0], "…"))
	}
	if texts[0] != texts[1] || texts[1] != texts[2] {
		t.Error("the three pages differ")
	}
	for range 12 {
		w.browser.Press(w.browser.Get("/login"), "sign-in", map[string]string{"login": "ADA@demo.test ", "password": "wrong"})
	}
	if p := w.browser.Press(w.browser.Get("/login"), "sign-in", map[string]string{"login": "ada@demo.test", "password": password}); p.Status != http.StatusTooManyRequests || p.Header.Get("Retry-After") == "" {
		t.Errorf("after many wrong passwords under other spellings = %d, want 429 with Retry-After", p.Status)
	}
}
