package postpal

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

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
		{"wrong iss though not promised", func(w *world) { w.silent = true }, func(_ *world, q url.Values) { q.Set("iss", "https://evil.example") }, 400, "did not come from Acme"},
		{"denied", nil, func(_ *world, q url.Values) { q.Del("code"); q.Set("error", "access_denied") }, 403, "You said no, so PostPal got nothing."},
		{"error of another issuer", nil, func(_ *world, q url.Values) {
			q.Set("error", "access_denied")
			q.Set("iss", "https://evil.example")
		}, 400, "did not come from Acme"},
		{"another error", nil, func(_ *world, q url.Values) {
			q.Set("error", "temporarily_unavailable")
			q.Set("error_description", "Come back <b>soon</b>.")
		}, 502, "Acme did not sign you in (temporarily_unavailable). Come back &lt;b&gt;soon&lt;/b&gt;."},
		{"unknown code", nil, func(_ *world, q url.Values) { q.Set("code", "guessed") }, 502, "did not confirm the sign-in"},
		{"no code", nil, func(_ *world, q url.Values) { q.Del("code") }, 502, "did not confirm the sign-in"},
		{"wrong nonce", func(w *world) { w.nonce = "another" }, nil, 502, "did not confirm the sign-in"},
		{"ID token for another app", func(w *world) { w.audience = "app_other" }, nil, 502, "did not confirm the sign-in"},
		{"token endpoint down", func(w *world) { w.down = true }, nil, 502, "did not confirm the sign-in"},
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
	w.mustHave(page, "Hello, <bdi>Ada &lt;3</bdi>", "user_ada", "the app PostPal", ">15:00<", "If stolen:", "15 minutes at most",
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

// The answer of a provider that knows nothing of RFC 9207 has no iss.
func TestSignInWithoutIss(t *testing.T) {
	w := newWorld(t)
	w.silent = true
	q := w.approve(w.begin())
	q.Del("iss")
	if res := w.get("/callback?" + q.Encode()); res.StatusCode != 303 {
		t.Errorf("callback = %d %s", res.StatusCode, res.text)
	}
}

// PostPal may be there before the provider is.
func TestProviderLater(t *testing.T) {
	there := false
	w := newWorld(t)
	old := w.provider.Config.Handler
	w.provider.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !there {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		old.ServeHTTP(rw, r)
	})
	w.mustHave(w.get("/"), "Sign in with Acme")
	if res := w.get("/login"); res.StatusCode != 502 || !strings.Contains(res.text, "Acme cannot be reached") {
		t.Errorf("GET /login = %d %s", res.StatusCode, res.text)
	}
	there = true
	w.signIn()
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
	if q.Get("from") != "app" || q.Get("client_id") != clientID || q.Get("post_logout_redirect_uri") != w.postal.URL+"/" || strings.Count(q.Get("id_token_hint"), ".") != 2 {
		t.Errorf("POST /logout leads to %v", to)
	}
	w.mustHave(w.get("/"), `id="sign-in"`, `!id="badge"`)
	if res := w.do("POST", "/logout", nil); res.Header.Get("Location") != "/" {
		t.Errorf("logout of nobody leads to %s", res.Header.Get("Location"))
	}
}

func TestSessionsEnd(t *testing.T) {
	all := newSessions(false)
	first := &http.Request{Header: http.Header{}}
	for i := range maxSessions + 5 {
		rec := httptest.NewRecorder()
		all.start(rec, &http.Request{Header: http.Header{}}, &session{})
		if i == 0 {
			first.Header.Set("Cookie", strings.Split(rec.Header().Get("Set-Cookie"), ";")[0])
			if all.of(first) == nil {
				t.Fatal("a session that began is not found")
			}
		}
	}
	if all.of(first) != nil || len(all.byID) != maxSessions || len(all.order) != maxSessions {
		t.Errorf("%d sessions, the first among them: %v; want %d without it", len(all.byID), all.of(first) != nil, maxSessions)
	}
	if c := newSessions(true).cookie; !c.Secure || !strings.HasPrefix(c.Name, "__Host-") {
		t.Errorf("the cookie of https is %v", c)
	}
}

func TestFromEnv(t *testing.T) {
	full := map[string]string{
		"POSTPAL_CLIENT_ID": "app_1", "POSTPAL_ISSUER": "https://auth.example", "POSTPAL_API": "https://api.example/mail", "POSTPAL_URL": "http://localhost:8422",
	}
	for _, missing := range []string{"POSTPAL_CLIENT_ID", "POSTPAL_ISSUER", "POSTPAL_API", "POSTPAL_URL"} {
		_, err := FromEnv(func(name string) string {
			if name == missing {
				return ""
			}
			return full[name]
		})
		if err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("FromEnv without %s = %v, want it named", missing, err)
		}
	}
	for _, bad := range []string{"localhost:8422", "ftp://x.example", "https://", "://"} {
		if _, err := FromEnv(func(name string) string {
			if name == "POSTPAL_URL" {
				return bad
			}
			return full[name]
		}); err == nil {
			t.Errorf("FromEnv with POSTPAL_URL=%s = nil, want an error", bad)
		}
	}
	c, err := FromEnv(func(name string) string { return full[name] })
	if err != nil || c.ClientID != "app_1" || c.Issuer != "https://auth.example" || c.API != "https://api.example/mail" || c.URL != "http://localhost:8422" {
		t.Errorf("FromEnv = %+v, %v", c, err)
	}
}

func TestDefaults(t *testing.T) {
	w := newWorld(t)
	pal := New(Config{Issuer: "https://auth.example", URL: "https://postpal.example"})
	rec := httptest.NewRecorder()
	r, err := http.NewRequest("GET", "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	pal.ServeHTTP(rec, r)
	if rec.Code != 200 || !strings.Contains(rec.Body.String(), "Sign in with auth.example") {
		t.Errorf("the page = %d %s", rec.Code, rec.Body)
	}
	for _, file := range []string{"badge.js", "postpal.css", "icon.svg"} {
		if res := w.get("/static/" + file); res.StatusCode != 200 || res.text == "" {
			t.Errorf("GET /static/%s = %d", file, res.StatusCode)
		}
	}
}
