package postpal

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whoever learns from PostPal reads it in one sitting.
func TestShort(t *testing.T) {
	text, err := os.ReadFile("postpal.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte("\n")); n >= 200 {
		t.Errorf("postpal.go has %d lines, want less than 200", n)
	}
	others, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range others {
		if name != "postpal.go" && !strings.HasSuffix(name, "_test.go") {
			t.Errorf("PostPal is in %s too, want it in one file", name)
		}
	}
}

// Nothing that comes back wrong signs anybody in, and each way of being wrong is said in words.
func TestCallbackRefuses(t *testing.T) {
	tests := []struct {
		name   string
		world  func(w *world)
		answer func(w *world, q url.Values)
		status int
		says   string
	}{
		{"wrong state", nil, func(_ *world, q url.Values) { q.Set("state", "x") }, 400, "did not begin in this browser"},
		{"no state", nil, func(_ *world, q url.Values) { q.Del("state") }, 400, "did not begin in this browser"},
		{"wrong iss", nil, func(_ *world, q url.Values) { q.Set("iss", "https://evil.example") }, 400, "did not come from Acme"},
		{"iss with a slash more", nil, func(w *world, q url.Values) { q.Set("iss", w.provider.URL+"/") }, 400, "did not come from Acme"},
		{"no iss though promised", nil, func(_ *world, q url.Values) { q.Del("iss") }, 400, "did not come from Acme"},
		{"denied", nil, func(_ *world, q url.Values) { q.Del("code"); q.Set("error", "access_denied") }, 400, "Acme let nobody in (access_denied), so PostPal got nothing."},
		{"error of another issuer", nil, func(_ *world, q url.Values) {
			q.Set("error", "access_denied")
			q.Set("iss", "https://evil.example")
		}, 400, "did not come from Acme"},
		{"another error", nil, func(_ *world, q url.Values) {
			q.Set("error", "<b>soon</b>")
		}, 400, "let nobody in (&lt;b&gt;soon&lt;/b&gt;)"},
		{"unknown code", nil, func(_ *world, q url.Values) { q.Set("code", "guessed") }, 400, "did not confirm the sign-in"},
		{"no code", nil, func(_ *world, q url.Values) { q.Del("code") }, 400, "did not confirm the sign-in"},
		{"wrong nonce", func(w *world) { w.nonce = "another" }, nil, 400, "did not confirm the sign-in"},
		{"ID token for another app", func(w *world) { w.audience = "app_other" }, nil, 400, "did not confirm the sign-in"},
		{"token endpoint down", func(w *world) { w.down = true }, nil, 400, "did not confirm the sign-in"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			if test.world != nil {
				w.change(func() { test.world(w) })
			}
			q := w.approve(w.begin())
			if test.answer != nil {
				test.answer(w, q)
			}
			res := w.get("/callback?" + q.Encode())
			if res.StatusCode != test.status {
				t.Errorf("GET /callback = %d, want %d", res.StatusCode, test.status)
			}
			w.mustHave(res, test.says, `role="alert"`, `id="sign-in"`, "!<b>soon")
			w.mustHave(w.get("/"), `id="sign-in"`, `!id="badge"`)
		})
	}
}

// A code that belongs to one browser does not sign in another, and none signs in twice.
func TestCallbackOnce(t *testing.T) {
	w := newWorld(t)
	q := w.approve(w.begin())
	own := w.browser
	w.browser = newBrowser(t)
	if res := w.get("/callback?" + q.Encode()); res.StatusCode != 400 {
		t.Errorf("callback in another browser = %d, want 400", res.StatusCode)
	}
	w.browser = own
	if res := w.get("/callback?" + q.Encode()); res.StatusCode != 303 {
		t.Errorf("callback = %d, want 303: what another browser tried does not spoil it", res.StatusCode)
	}
	if res := w.get("/callback?" + q.Encode()); res.StatusCode != 400 {
		t.Errorf("callback again = %d, want 400", res.StatusCode)
	}
	w.mustHave(w.get("/"), `id="badge"`)
}

func TestLoginAsks(t *testing.T) {
	w := newWorld(t)
	q := w.begin()
	for name, want := range map[string]string{
		"response_type": "code", "client_id": clientID, "redirect_uri": w.postal.URL + "/callback", "code_challenge_method": "S256",
		"scope": "openid profile.read messages.read posts.write",
	} {
		if got := q.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	again := w.begin()
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if len(q.Get(name)) < 26 || q.Get(name) == again.Get(name) {
			t.Errorf("%s = %q, then %q: want it random and new", name, q.Get(name), again.Get(name))
		}
	}
	if q.Has("client_secret") || q.Has("code_verifier") {
		t.Error("what is secret went through the browser")
	}
}

func TestSignIn(t *testing.T) {
	w := newWorld(t)
	w.mustHave(w.get("/"), "Sign in with Acme", `id="sign-in"`, `!id="badge"`, "!badge.js")
	q := w.approve(w.begin())
	at, err := url.Parse(w.postal.URL)
	if err != nil {
		t.Fatal(err)
	}
	before := w.browser.Jar.Cookies(at)[0].Value
	res := w.get("/callback?" + q.Encode())
	cookies := res.Cookies()
	if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode || cookies[0].Value == before || len(cookies[0].Value) < 26 {
		t.Errorf("cookies %v, want one that is new, random, HttpOnly and Lax", cookies)
	}
	page := w.get("/")
	w.mustHave(page, "Hello, <bdi>Ada &lt;3</bdi>", "user_ada", "the app PostPal", `id="left"`, "If stolen:", "15 minutes at most",
		"<li>read your profile</li>", "<li>read your mail</li>", "<li>post for you</li>", "!May <b", `id="read-profile"`, `id="read-mail"`, `id="post"`, "!access-", "!refresh-")
	for name, part := range map[string]string{
		"Content-Security-Policy": "script-src 'self'", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
	} {
		if !strings.Contains(page.Header.Get(name), part) {
			t.Errorf("%s: %s, want %q in it", name, page.Header.Get(name), part)
		}
	}
	if csp := page.Header.Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") || !strings.HasSuffix(csp, "form-action 'self' "+w.provider.URL) {
		t.Errorf("Content-Security-Policy: %s", csp)
	}
}

// A provider that cannot be asked, or that is not who we asked for, is told of at the start.
func TestProviderRefuses(t *testing.T) {
	w := newWorld(t)
	for name, issuer := range map[string]string{"nothing there": w.api.URL, "another's name": strings.Replace(w.provider.URL, "127.0.0.1", "localhost", 1), "no address": "x"} {
		if pal, err := New(t.Context(), Config{Issuer: issuer, ClientID: clientID}); err == nil {
			t.Errorf("New with an issuer that is %s = %v, want an error", name, pal)
		}
	}
}

func TestLogout(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	res := w.do("POST", "/logout", nil)
	to, err := res.Location()
	if err != nil || res.StatusCode != 303 || !strings.HasPrefix(to.String(), w.provider.URL+"/logout?") {
		t.Fatalf("POST /logout = %d to %v", res.StatusCode, to)
	}
	q := to.Query()
	if q.Get("client_id") != clientID || q.Get("post_logout_redirect_uri") != w.postal.URL+"/" || strings.Count(q.Get("id_token_hint"), ".") != 2 {
		t.Errorf("POST /logout leads to %v", to)
	}
	w.mustHave(w.get("/"), `id="sign-in"`, `!id="badge"`)
	if res := w.do("POST", "/logout", nil); res.StatusCode != 303 {
		t.Errorf("logout of nobody = %d, want 303", res.StatusCode)
	}
}

// A cookie is worth nothing after a logout, and none is worth anything that was not given out.
func TestSessionsEnd(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	at, err := url.Parse(w.postal.URL)
	if err != nil {
		t.Fatal(err)
	}
	before := w.browser.Jar.Cookies(at)
	w.do("POST", "/logout", nil)
	for name, cookies := range map[string][]*http.Cookie{"of before": before, "made up": {{Name: "postpal", Value: "x"}}, "empty": {{Name: "postpal"}}} {
		w.browser = newBrowser(t)
		w.browser.Jar.SetCookies(at, cookies)
		if page := w.get("/"); !strings.Contains(page.text, `id="sign-in"`) || strings.Contains(page.text, `id="badge"`) {
			t.Errorf("with a cookie %s the page is %s", name, page.text)
		}
	}
}

// Served by https, the cookie goes by https alone.
func TestSecureCookie(t *testing.T) {
	w := newWorld(t)
	pal, err := New(t.Context(), Config{Issuer: w.provider.URL, ClientID: clientID, URL: "https://postpal.example"})
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	pal.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/login", nil))
	if c := rec.Result().Cookies(); len(c) != 1 || !c[0].Secure || !c[0].HttpOnly {
		t.Errorf("cookies = %v, want one that is secure", c)
	}
}
