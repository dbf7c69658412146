package oauth_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// deviceApp makes an app for devices; a public one unless in says otherwise.
func (w *world) deviceApp(in lanyard.AppInput) *client {
	w.tb.Helper()
	if in.Type == "" {
		in.Type = "public"
	}
	in.GrantTypes, in.RedirectURIs = []string{deviceGrant, "refresh_token"}, []string{}
	return w.app(in)
}

// device is one that waits to be let in.
type device struct {
	c          *client
	code, user string
}

func (c *client) device(scope string) *device {
	c.w.tb.Helper()
	form, header := url.Values{"scope": {scope}}, http.Header(nil)
	if c.secret != "" {
		header = basicHeader(c.id, c.secret)
	} else {
		form.Set("client_id", c.id)
	}
	r := c.w.post("/oauth/device_authorization", form, header)
	if r.status != 200 || r.text("device_code") == "" || r.header.Get("Cache-Control") != "no-store" {
		c.w.tb.Fatalf("device authorization = %d %s", r.status, r.raw)
	}
	return &device{c, r.text("device_code"), r.text("user_code")}
}

func (d *device) poll(change url.Values) *reply {
	d.c.w.tb.Helper()
	form := url.Values{"grant_type": {deviceGrant}, "device_code": {d.code}}
	for name, values := range change {
		form[name] = values
	}
	return d.c.token(form)
}

// typed shows the page that asks whether the device may come in, to Ada in a browser.
func (d *device) typed(b *servertest.Browser) *servertest.Page {
	d.c.w.tb.Helper()
	p := b.Get("/device")
	if p.Has("sign-in") {
		p = b.Press(p, "sign-in", map[string]string{"login": "ada@demo.test", "password": password})
	}
	return b.Press(p, "go-on", map[string]string{"user_code": d.user})
}

// answer lets the device in ("approve") or not ("deny").
func (d *device) answer(button string) {
	d.c.w.tb.Helper()
	p := d.typed(d.c.w.browser)
	if !p.Has(button) || !strings.Contains(p.Text(), d.user) {
		d.c.w.tb.Fatalf("the code %s leads to %s (%d): %.500s", d.user, p.URL, p.Status, p.Text())
	}
	if p = d.c.w.browser.Press(p, button, nil); p.Status != 200 {
		d.c.w.tb.Fatalf("%s = %d: %.500s", button, p.Status, p.Text())
	}
}

// TestDeviceAuthorizationRefused: only who may use the grant, for what there is, gets a code (RFC 8628 section 3.1).
func TestDeviceAuthorizationRefused(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c, secretive, other := w.deviceApp(lanyard.AppInput{}), w.deviceApp(lanyard.AppInput{Name: "Secretive", Type: "confidential"}), w.app(lanyard.AppInput{Name: "Other", Type: "public"})
	for name, ask := range map[string]struct {
		form   url.Values
		status int
		code   string
	}{
		"nobody":              {url.Values{}, 401, "invalid_client"},
		"an unknown client":   {url.Values{"client_id": {"app_0000000000000000"}}, 401, "invalid_client"},
		"no secret":           {url.Values{"client_id": {secretive.id}}, 401, "invalid_client"},
		"without the grant":   {url.Values{"client_id": {other.id}, "scope": {"profile.read"}}, 400, "unauthorized_client"},
		"an unknown scope":    {url.Values{"client_id": {c.id}, "scope": {"profile.raed"}}, 400, "invalid_scope"},
		"an admin's scope":    {url.Values{"client_id": {c.id}, "scope": {"mail.rule"}}, 400, "invalid_scope"},
		"two APIs":            {url.Values{"client_id": {c.id}, "scope": {"profile.read files.read"}}, 400, "invalid_target"},
		"an unknown resource": {url.Values{"client_id": {c.id}, "scope": {"profile.read"}, "resource": {"https://elsewhere.test"}}, 400, "invalid_target"},
		"two scopes":          {url.Values{"client_id": {c.id}, "scope": {"profile.read", "posts.write"}}, 400, "invalid_request"},
	} {
		w.refused(name, w.post("/oauth/device_authorization", ask.form, nil), ask.status, ask.code)
	}
}

// TestDeviceRefused: a device code is good for the client that has it alone, and what others try with it does not slow that
// one down (RFC 8628 section 3.4; SECURITY-CASES 52).
func TestDeviceRefused(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c, other, secretive := w.deviceApp(lanyard.AppInput{}), w.deviceApp(lanyard.AppInput{Name: "Other"}), w.deviceApp(lanyard.AppInput{Name: "Secretive", Type: "confidential"})
	d, kept := c.device("profile.read"), secretive.device("profile.read")
	d.answer("approve")
	kept.answer("approve")
	w.refused("another client", (&device{other, d.code, ""}).poll(nil), 400, "invalid_grant")
	w.refused("a confidential client's, by its name", w.post("/oauth/token", url.Values{"grant_type": {deviceGrant}, "device_code": {kept.code}, "client_id": {secretive.id}}, nil), 401, "invalid_client")
	w.refused("no code", (&device{c, "", ""}).poll(nil), 400, "invalid_request")
	for name, code := range map[string]string{
		"the user code": d.user, "garbage": "garbage", "another case": strings.ToUpper(d.code), "longer": d.code + "A", "shorter": d.code[:len(d.code)-1], "an access token": w.node.AdminKey,
		"another secret": d.code[:len(d.code)-8] + "AAAAAAAA",
	} {
		w.refused(name, (&device{c, code, ""}).poll(nil), 400, "invalid_grant")
	}
	// Asked for more, it gets what was ticked.
	if r := d.poll(url.Values{"scope": {"profile.read posts.write"}}); r.status != 200 || r.text("scope") != "profile.read" {
		t.Errorf("its own client after all that = %d %s, want its token", r.status, r.raw)
	} else if verdict := w.verify(r.text("access_token"), "POST", "/v1/posts"); verdict.Allowed {
		t.Error("what was not ticked is allowed")
	}
	if r := kept.poll(nil); r.status != 200 {
		t.Errorf("the confidential client = %d %s, want its token", r.status, r.raw)
	}
}

// TestDevicePolling: asked in time the answer is wait, too soon is wait longer by 5 seconds from then on, and what the user
// ticked comes once (RFC 8628 sections 3.3 to 3.5).
func TestDevicePolling(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c := w.deviceApp(lanyard.AppInput{})
	d := c.device("openid profile.read posts.write")
	for i, step := range []struct {
		wait time.Duration
		code string
	}{
		{0, "authorization_pending"},
		{5 * time.Second, "authorization_pending"},
		{5*time.Second - time.Microsecond, "slow_down"},  // now 10
		{10*time.Second - time.Microsecond, "slow_down"}, // now 15
		{15 * time.Second, "authorization_pending"},
		{0, "slow_down"}, // now 20
		{20 * time.Second, "authorization_pending"},
	} {
		clock.Advance(step.wait)
		w.sync()
		w.refused(fmt.Sprintf("poll %d", i), d.poll(nil), 400, step.code)
	}
	d.answer("approve")
	w.refused("approved, but asked too soon", d.poll(nil), 400, "slow_down")
	clock.Advance(25 * time.Second)
	w.sync()
	r := d.poll(nil)
	if r.status != 200 || r.text("scope") != "openid profile.read" || r.text("refresh_token") == "" || r.text("id_token") == "" {
		t.Fatalf("approved = %d %s, want tokens with what was ticked", r.status, r.raw)
	}
	w.good("its access token", r.text("access_token"))
	if verdict := w.verify(r.text("access_token"), "POST", "/v1/posts"); verdict.Allowed {
		t.Error("what was not ticked is allowed")
	}
	if next := c.refresh(r.text("refresh_token")); next.status != 200 || next.text("scope") != "openid profile.read" {
		t.Errorf("refresh = %d %s, want the same scopes", next.status, next.raw)
	}
	for range 2 {
		w.refused("used", d.poll(nil), 400, "expired_token")
	}
}

// TestDeviceNarrowed: a device that was allowed nothing of the API gets no token for it.
func TestDeviceNarrowed(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.deviceApp(lanyard.AppInput{})
	d := c.device("openid profile.read")
	w.browser.Press(d.typed(w.browser), "approve", map[string]string{"-scope-profile.read": ""})
	r := d.poll(nil)
	told := w.post("/oauth/introspect", url.Values{"token": {r.text("access_token")}}, bearer(w.node.AdminKey))
	if r.text("scope") != "openid" || told.text("aud") != w.node.URL {
		t.Errorf("with openid alone = %d %s, %s, want a token for the issuer", r.status, r.raw, told.raw)
	}
	if verdict := w.verify(r.text("access_token"), "", ""); verdict.Code != "audience_mismatch" {
		t.Errorf("at the API = %s, want audience_mismatch", verdict.Code)
	}
}

// TestDeviceEnds: a no ends it, and so do ten minutes, approved or not (RFC 8628 section 3.5).
func TestDeviceEnds(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c := w.deviceApp(lanyard.AppInput{})
	denied, waiting, approved := c.device("profile.read"), c.device("profile.read"), c.device("profile.read")
	denied.answer("deny")
	w.refused("denied", denied.poll(nil), 400, "access_denied")
	if p := denied.typed(w.browser); p.Has("approve") {
		t.Error("a denied device can be let in after all")
	}
	approved.answer("approve")
	clock.Advance(10*time.Minute - time.Microsecond)
	w.sync()
	w.refused("in the last moment", waiting.poll(nil), 400, "authorization_pending")
	clock.Advance(time.Microsecond)
	w.sync()
	w.refused("waiting, over", waiting.poll(nil), 400, "expired_token")
	w.refused("approved, over", approved.poll(nil), 400, "expired_token")
	if p := waiting.typed(w.browser); p.Has("approve") || p.Status != 404 {
		t.Errorf("a code that is over leads to %d: %.300s", p.Status, p.Text())
	}
}

// TestDeviceStops: with the user, what they allowed, or the app, polling ends at once (PROTOCOLS OAuth 10), as does a code.
func TestDeviceStops(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	yes, no := true, false
	user := func(patch lanyard.UserPatch) error {
		_, err := w.node.Manage.UpdateUser(t.Context(), w.admin(), w.ada.ID, patch)
		return err
	}
	for _, end := range []struct {
		name string
		act  func(c *client) error
		undo lanyard.UserPatch
		app  bool // is out of force, and told so; else device and code are over
	}{
		{name: "the grant is taken back", act: func(c *client) error {
			grants, err := w.node.Manage.Grants(t.Context(), w.admin(), manage.GrantsFilter{App: c.id}, manage.List{Limit: 1})
			if err == nil {
				_, err = w.node.Manage.RevokeGrant(t.Context(), w.admin(), grants.Items[0].ID)
			}
			return err
		}},
		{name: "the user ends all tokens", act: func(*client) error { return user(lanyard.UserPatch{RevokeTokens: true}) }},
		{name: "the user is locked", act: func(*client) error { return user(lanyard.UserPatch{Disabled: &yes}) }, undo: lanyard.UserPatch{Disabled: &no}},
		{name: "the app is locked", act: func(c *client) error {
			_, err := w.node.Manage.UpdateApp(t.Context(), w.admin(), c.id, lanyard.AppPatch{Disabled: &yes})
			return err
		}, app: true},
		{name: "the app is deleted", act: func(c *client) error {
			_, err := w.node.Manage.DeleteApp(t.Context(), w.admin(), c.id)
			return err
		}, app: true},
		{name: "its team is suspended", act: func(*client) error {
			_, err := w.node.Manage.UpdateTeam(t.Context(), w.admin(), w.team.ID, lanyard.TeamPatch{Suspended: &yes})
			return err
		}, app: true},
	} {
		c := w.app(lanyard.AppInput{Name: end.name, Type: "public", OAuthSettings: lanyard.OAuthSettings{GrantTypes: []string{deviceGrant, "authorization_code", "refresh_token"}}})
		d := c.device("profile.read")
		d.answer("approve")
		code := c.code(nil)
		if err := end.act(c); err != nil {
			t.Fatal(err)
		}
		w.sync()
		if end.app {
			w.refused(end.name+", device", d.poll(nil), 401, "invalid_client")
			w.refused(end.name+", code", c.redeem(code, nil), 401, "invalid_client")
			continue
		}
		w.refused(end.name+", device", d.poll(nil), 400, "expired_token")
		w.refused(end.name+", code", c.redeem(code, nil), 400, "invalid_grant")
		if err := user(end.undo); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDeviceGuesses: wrong codes are limited, for one account and for one network, and right ones are not (RFC 8628 section
// 5.1; PROTOCOLS OAuth 19).
func TestDeviceGuesses(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c := w.deviceApp(lanyard.AppInput{})
	for range 12 {
		c.device("profile.read").answer("approve")
	}
	guess := func(b *servertest.Browser, path, code string) *servertest.Page {
		t.Helper()
		return b.Post(path, url.Values{"user_code": {code}, "decision": {"approve"}, "scope": {"profile.read"}}, nil)
	}
	for i := range 10 {
		path := []string{"/device", "/device/approve"}[i%2]
		if p := guess(w.browser, path, []string{"BBBB-BBBB", "nonsense"}[i/2%2]); p.Status != 404 {
			t.Fatalf("wrong code %d at %s = %d: %.300s, want 404", i, path, p.Status, p.Text())
		}
	}
	d := c.device("profile.read")
	for _, path := range []string{"/device", "/device/approve"} {
		for _, code := range []string{"BBBB-BBBB", d.user} {
			if p := guess(w.browser, path, code); p.Status != http.StatusTooManyRequests || p.Header.Get("Retry-After") == "" {
				t.Errorf("%s after ten wrong codes at %s = %d, want 429 with Retry-After", code, path, p.Status)
			}
		}
	}
	w.refused("the device that could have been guessed", d.poll(nil), 400, "authorization_pending")

	clock.Advance(time.Minute) // a tenth of the window is room for one
	w.sync()
	d.answer("approve")
	d = c.device("profile.read")
	d.answer("approve")
	clock.Advance(5 * time.Second)
	w.sync()
	if r := d.poll(nil); r.status != 200 {
		t.Errorf("the honest user a minute later = %d %s, want a token", r.status, r.raw)
	}
}

// TestDeviceGuessesOfMany: many accounts in one network share a limit, so that more accounts do not mean more guesses.
func TestDeviceGuessesOfMany(t *testing.T) {
	w := newWorld(t, servertest.Options{Settings: func(s *config.Settings) {
		s.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}})
	wrong := func(b *servertest.Browser, from string) int {
		t.Helper()
		return b.Post("/device", url.Values{"user_code": {"BBBB-BBBB"}}, http.Header{"X-Forwarded-For": {from}}).Status
	}
	signedIn := func(i int) *servertest.Browser {
		t.Helper()
		email := fmt.Sprintf("user%d@demo.test", i)
		w.user(email)
		b := w.node.Browser(t)
		b.Press(b.Get("/device"), "sign-in", map[string]string{"login": email, "password": password})
		return b
	}
	for i := range 6 {
		b := signedIn(i)
		for range 10 {
			if got := wrong(b, "203.0.113.7"); got != 404 {
				t.Fatalf("a wrong code of account %d = %d, want 404", i, got)
			}
		}
	}
	seventh := signedIn(6)
	if got := wrong(seventh, "203.0.113.7"); got != http.StatusTooManyRequests {
		t.Errorf("a wrong code of a seventh account = %d, want 429", got)
	}
	if got := wrong(seventh, "203.0.113.8"); got != 404 {
		t.Errorf("the same account from elsewhere = %d, want 404", got)
	}
}

// TestDevicePage: a code in the address is filled in and not taken, only the browser that saw it first may answer, and what
// a form says beyond what was asked, or what its sender may grant, is not allowed (RFC 8628 section 5.4; PROTOCOLS OAuth 19).
func TestDevicePage(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c := w.deviceApp(lanyard.AppInput{OAuthSettings: lanyard.OAuthSettings{Scopes: []string{"profile.read", "messages.read", "mail.rule"}}})
	d := c.device("profile.read mail.rule")
	strange := w.node.Browser(t)
	if p := strange.Get("/device?user_code=" + d.user); !p.Has("sign-in") {
		t.Errorf("a stranger with the code sees %s, want the login", p.URL)
	}
	if p := strange.Post("/device/approve", url.Values{"user_code": {d.user}, "decision": {"approve"}, "scope": {"profile.read"}}, nil); !p.Has("sign-in") {
		t.Errorf("a stranger's answer leads to %s, want the login", p.URL)
	}
	p := d.typed(w.browser)
	if !p.Has("scope-profile.read") || p.Has("scope-mail.rule") || p.Header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("the page = %.500s, want a box for what Ada may grant, in no frame", p.Text())
	}
	if q := w.browser.Get("/device?user_code=" + d.user); q.Has("approve") || !strings.Contains(q.Body, d.user) {
		t.Errorf("a code in the address = %.300s, want it filled in and a button", q.Text())
	}
	second := w.node.Browser(t)
	if q := d.typed(second); q.Has("approve") || q.Status != 404 {
		t.Errorf("a second browser = %d: %.300s, want no such code", q.Status, q.Text())
	}
	if q := second.Post("/device/approve", url.Values{"user_code": {d.user}, "decision": {"approve"}, "scope": {"profile.read"}}, nil); q.Status != 404 {
		t.Errorf("a second browser's answer = %d, want 404", q.Status)
	}
	w.refused("after all that", d.poll(nil), 400, "authorization_pending")
	if q := w.browser.Post("/device/approve", url.Values{"user_code": {d.user}, "decision": {"approve"}, "scope": {"profile.read", "messages.read", "mail.rule"}}, nil); q.Status != 200 {
		t.Fatalf("the answer = %d: %.300s", q.Status, q.Text())
	}
	if q := w.browser.Post("/device/approve", url.Values{"user_code": {d.user}, "decision": {"deny"}}, nil); q.Status == 200 {
		t.Error("a second answer counts")
	}
	clock.Advance(5 * time.Second)
	w.sync()
	if r := d.poll(nil); r.status != 200 || r.text("scope") != "profile.read" {
		t.Errorf("what came of it = %d %s, want a token to read the profile", r.status, r.raw)
	}
	other := c.device("profile.read mail.rule")
	other.typed(w.browser)
	w.browser.Post("/device/approve", url.Values{"user_code": {other.user}, "decision": {"approve"}, "scope": {"messages.read", "mail.rule"}}, nil)
	w.refused("nothing of what was asked was ticked", other.poll(nil), 400, "access_denied")
}
