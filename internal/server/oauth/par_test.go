package oauth_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

const pushedPrefix = "urn:ietf:params:oauth:request_uri:"

// pushes sends a request ahead, as the app; change is to one that is right.
func (c *client) pushes(change url.Values) *reply {
	c.w.tb.Helper()
	form, header := c.asked(change), http.Header{}
	if c.secret != "" {
		header = basicHeader(c.id, c.secret)
	}
	return c.w.post("/oauth/par", form, header)
}

// pushed is the request_uri of a request that is right.
func (c *client) pushed() string {
	c.w.tb.Helper()
	r := c.pushes(nil)
	if r.status != http.StatusCreated {
		c.w.tb.Fatalf("push = %d %s, want 201", r.status, r.raw)
	}
	return r.text("request_uri")
}

// by is the address of a pushed request, with more beside it.
func (c *client) by(uri string, more url.Values) string {
	q := url.Values{"client_id": {c.id}, "request_uri": {uri}}
	for name, values := range more {
		q[name] = values
	}
	return "/oauth/authorize?" + q.Encode()
}

// TestPushRefused: PROTOCOLS OAuth 7: a request is checked whole before anybody sees it, and only its own app pushes it (RFC
// 9126 section 2).
func TestPushRefused(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c, other := w.app(lanyard.AppInput{}), w.app(lanyard.AppInput{Name: "Other"})
	public := w.app(lanyard.AppInput{Name: "Public", Type: "public"})
	machine := w.machine(lanyard.AppInput{Name: "Machine"})
	for what, header := range map[string]http.Header{
		"no secret": nil, "a wrong secret": basicHeader(c.id, other.secret), "another's secret": basicHeader(other.id, other.secret), "half a header": {"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(c.id))}},
	} {
		r := w.post("/oauth/par", c.asked(nil), header)
		if r.text("error") != "invalid_client" && r.text("error") != "invalid_request" || r.status != 401 && r.status != 400 || r.text("request_uri") != "" {
			t.Errorf("%s = %d %s, want it refused", what, r.status, r.raw)
		}
	}
	w.refused("no secret", w.post("/oauth/par", c.asked(nil), nil), 401, "invalid_client")
	for what, tc := range map[string]struct {
		change url.Values
		code   string
	}{
		"another redirect URI":   {url.Values{"redirect_uri": {"https://evil.test/cb"}}, "invalid_request"},
		"no redirect URI":        {url.Values{"redirect_uri": nil}, "invalid_request"},
		"no PKCE":                {url.Values{"code_challenge": nil}, "invalid_request"},
		"plain":                  {url.Values{"code_challenge_method": {"plain"}}, "invalid_request"},
		"implicit":               {url.Values{"response_type": {"token"}}, "unsupported_response_type"},
		"fragment":               {url.Values{"response_mode": {"fragment"}}, "invalid_request"},
		"an unknown scope":       {url.Values{"scope": {"openid fly"}}, "invalid_scope"},
		"an unknown resource":    {url.Values{"resource": {"https://elsewhere.test"}}, "invalid_target"},
		"a pushed one in it":     {url.Values{"request_uri": {c.pushed()}}, "invalid_request"},
		"a request object of no": {url.Values{"request": {"x"}}, "invalid_request_object"},
		"two states":             {url.Values{"state": {"a", "b"}}, "invalid_request"},
		"two client ids":         {url.Values{"client_id": {c.id, other.id}}, "invalid_request"},
		"claims that are none":   {url.Values{"claims": {"{"}}, "invalid_request"},
		"an odd prompt":          {url.Values{"prompt": {"none login"}}, "invalid_request"},
	} {
		w.refused(what, c.pushes(tc.change), 400, tc.code)
	}
	w.refused("an app without the code flow", machine.pushes(nil), 400, "unauthorized_client")
	for what, r := range map[string]*reply{
		"in the address": w.post("/oauth/par?"+public.asked(nil).Encode(), url.Values{"client_id": {public.id}}, nil),
		"by GET":         call(t, http.MethodGet, w.node.URL+"/oauth/par?"+public.asked(nil).Encode(), nil, nil),
		"as JSON":        describe(t, w, http.MethodPost, "/oauth/par", object{"client_id": public.id}, ""),
	} {
		if r.status < 400 || r.status > 499 || r.text("request_uri") != "" {
			t.Errorf("%s = %d %s, want it refused", what, r.status, r.raw)
		}
	}
}

// TestPushed: PROTOCOLS OAuth 7, 8: what was pushed counts and nothing beside it, once, for a minute, for its own app; whoever
// else comes by its address learns nothing and harms nobody (RFC 9126 sections 2.2, 4 and 7.3).
func TestPushed(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c, other := w.app(lanyard.AppInput{}), w.app(lanyard.AppInput{Name: "Other", Type: "public"})
	c.code(nil) // signed in, and all is allowed
	stays := func(what, path string) {
		t.Helper()
		p := w.browser.Get(path)
		if p.Away != nil || p.Status != http.StatusBadRequest || !strings.Contains(p.Text(), "invalid_request") || strings.Contains(p.Body, "rp.test") || strings.Contains(p.Body, "evil") {
			t.Errorf("%s = %d to %v: %.200q, want a page that stays and tells nothing of the request", what, p.Status, p.Away, p.Text())
		}
	}
	first := c.pushes(nil)
	uri := first.text("request_uri")
	if first.body["expires_in"] != 60.0 || !strings.HasPrefix(uri, pushedPrefix) || len(uri) < len(pushedPrefix)+32 || first.header.Get("Cache-Control") != "no-store" {
		t.Errorf("push = %d %s, want an address that nobody guesses, for 60 s", first.status, first.raw)
	}
	ticket, another := strings.TrimPrefix(uri, pushedPrefix), strings.TrimPrefix(c.pushed(), pushedPrefix)
	id, secret := ticket[:16], ticket[16:]
	for what, path := range map[string]string{
		"another app":               other.by(uri, nil),
		"no app":                    "/oauth/authorize?" + url.Values{"request_uri": {uri}}.Encode(),
		"two apps":                  c.by(uri, nil) + "&client_id=" + other.id,
		"two addresses":             c.by(uri, nil) + "&request_uri=" + url.QueryEscape(pushedPrefix+another),
		"another's secret part":     c.by(pushedPrefix+id+another[16:], nil),
		"another's id":              c.by(pushedPrefix+another[:16]+secret, nil),
		"a changed character":       c.by(pushedPrefix+ticket[:len(ticket)-1]+swapped(ticket[len(ticket)-1]), nil),
		"cut short":                 c.by(uri[:len(uri)-1], nil),
		"longer":                    c.by(uri+"0", nil),
		"a blank behind":            c.by(uri+" ", nil),
		"the prefix alone":          c.by(pushedPrefix, nil),
		"the id alone":              c.by(pushedPrefix+id, nil),
		"in other letters":          c.by(pushedPrefix+strings.ToUpper(ticket), nil),
		"as a pattern":              c.by(pushedPrefix+strings.Repeat("%", len(ticket)), nil),
		"with a request beside it":  other.by(uri, other.asked(nil)),
		"another app, its redirect": other.by(uri, url.Values{"redirect_uri": {callback}}),
	} {
		stays(what, path)
	}
	// The secret is right to the last letter, and what stands beside it in the address counts for nothing.
	beside := url.Values{
		"redirect_uri": {"https://evil.test/cb"}, "scope": {"messages.read"}, "state": {"evil"}, "response_mode": {"form_post"}, "code_challenge": {challenge("another")}, "nonce": {"evil"}, "prompt": {"none"},
		"resource": {"https://evil.test"}, "response_type": {"token"},
	}
	p := w.browser.Get(c.by(uri, beside))
	if p.Away == nil || p.Away.Host != "rp.test" || p.Away.Query().Get("state") != "st" || p.Away.Query().Get("code") == "" {
		t.Fatalf("its own app = %d to %v: %.300q, want a code", p.Status, p.Away, p.Text())
	}
	r := c.redeem(p.Away.Query().Get("code"), nil)
	if r.text("scope") != "openid profile.read posts.write" || w.idToken(r)["nonce"] != "no" {
		t.Errorf("redeem = %d %s, want what was pushed", r.status, r.raw)
	}
	stays("a second time", c.by(uri, nil))
	stays("a second time, with the request in the address", c.by(uri, c.asked(nil)))
	if p := w.node.Browser(t).Get(c.by(uri, nil)); p.Status != http.StatusBadRequest || p.Away != nil {
		t.Errorf("a second time, in another browser = %d to %v, want a page that stays", p.Status, p.Away)
	}
	// The minute ends to the moment.
	last, late := c.pushed(), c.pushed()
	clock.Advance(time.Minute - time.Millisecond)
	if p := w.browser.Get(c.by(last, nil)); p.Away == nil || p.Away.Query().Get("code") == "" {
		t.Errorf("within its minute = %d to %v, want a code", p.Status, p.Away)
	}
	clock.Advance(time.Millisecond)
	stays("after its minute", c.by(late, nil))
}

// swapped is a character of the same kind that is another.
func swapped(b byte) string {
	if b == 'a' {
		return "b"
	}
	return "a"
}

// TestPushedGoesOn: the login that a pushed request began goes on after the minute, and no other begins with it: who follows
// the same link later, in whatever browser, sees nothing of it.
func TestPushedGoesOn(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c := w.app(lanyard.AppInput{Type: "public"})
	path := c.by(c.pushed(), nil)
	p := w.browser.Get(path)
	if !p.Has("sign-in") {
		t.Fatalf("a pushed request shows %d %s, want the sign-in page", p.Status, p.URL)
	}
	clock.Advance(2 * time.Minute)
	if again := w.browser.Get(path); again.Status != http.StatusBadRequest || again.Away != nil {
		t.Errorf("the same link again = %d to %v, want a page that stays", again.Status, again.Away)
	}
	if p = w.browser.Press(w.signIn(p), "approve", nil); p.Away == nil || p.Away.Query().Get("code") == "" {
		t.Errorf("the login ends with %d to %v, want a code", p.Status, p.Away)
	}
}

// TestPushedStale: what changed since the push counts: an app that was disabled, or whose redirect URI is gone, is not
// answered.
func TestPushedStale(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	yes := true
	for what, patch := range map[string]lanyard.AppPatch{
		"a redirect URI that is gone": {OAuthPatch: lanyard.OAuthPatch{RedirectURIs: &[]string{"https://rp.test/other"}}},
		"an app that is disabled":     {Disabled: &yes},
	} {
		c := w.app(lanyard.AppInput{Type: "public"})
		c.code(nil)
		uri := c.pushed()
		if _, err := w.node.Manage.UpdateApp(t.Context(), w.admin(), c.id, patch); err != nil {
			t.Fatal(err)
		}
		w.sync()
		if p := w.browser.Get(c.by(uri, nil)); p.Status != http.StatusBadRequest || p.Away != nil {
			t.Errorf("%s = %d to %v, want a page that stays", what, p.Status, p.Away)
		}
	}
}

// TestPushOnly: an app that registered require_pushed_authorization_requests is asked for in no other way (RFC 9126 section 6).
func TestPushOnly(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public", OAuthSettings: lanyard.OAuthSettings{RequirePushedRequests: true}})
	w.signIn(w.browser.Get("/login"))
	for what, path := range map[string]string{
		"in the address": c.ask(nil), "an object": c.ask(url.Values{"request": {"eyJhbGciOiJub25lIn0.e30."}}), "an address of an object": c.ask(url.Values{"request_uri": {"https://rp.test/object"}}),
		"a request_uri that looks pushed": c.ask(url.Values{"request_uri": {pushedPrefix + "x"}}), "an empty request_uri": c.ask(url.Values{"request_uri": {""}}), "silently": c.ask(url.Values{"prompt": {"none"}}),
	} {
		if p := w.browser.Get(path); p.Status != http.StatusBadRequest || p.Away != nil || p.Has("back") {
			t.Errorf("%s = %d to %v, want a page that stays", what, p.Status, p.Away)
		}
	}
	if p := w.browser.Press(w.browser.Get(c.by(c.pushed(), nil)), "approve", nil); p.Away == nil || p.Away.Query().Get("code") == "" {
		t.Errorf("pushed = %d to %v, want a code", p.Status, p.Away)
	}
}
