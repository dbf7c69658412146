package oauth_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// everything is what an app of these tests asks for.
const everything = "openid profile email profile.read messages.read posts.write"

// grants are what Ada allows now, by app.
func (w *world) grants() map[string][]string {
	w.tb.Helper()
	list, err := w.node.Manage.Grants(w.tb.Context(), w.admin(), manage.GrantsFilter{User: w.ada.ID}, manage.List{})
	if err != nil {
		w.tb.Fatal(err)
	}
	out := map[string][]string{}
	for _, g := range list.Items {
		if g.RevokedAt == nil {
			out[g.AppID] = g.Scopes
		}
	}
	return out
}

// open is what an authorization request shows to somebody who is logged in.
func (c *client) open(scope string) *servertest.Page {
	c.w.tb.Helper()
	p := c.w.browser.Get(c.ask(url.Values{"scope": {scope}}))
	if p.Has("sign-in") {
		p = c.w.signIn(p)
	}
	return p
}

// answered is what the app gets of an answer: the scopes of its token, or the error.
func (c *client) answered(p *servertest.Page) (scopes []string, failed string) {
	c.w.tb.Helper()
	if p.Away == nil {
		c.w.tb.Fatalf("the way ended at %s (%d): %.400s", p.URL, p.Status, p.Text())
	}
	code := p.Away.Query().Get("code")
	if code == "" {
		return nil, p.Away.Query().Get("error")
	}
	r := c.redeem(code, nil)
	if r.status != http.StatusOK {
		c.w.tb.Fatalf("redeem = %d %s", r.status, r.raw)
	}
	return strings.Fields(r.text("scope")), ""
}

// TestConsentNarrows: what is not ticked is in no token and cannot be had by a refresh (DESIGN section 8; PROTOCOLS OAuth 10, 18).
// Who left something unticked is not asked at every sign-in: the same or less again asks nothing and gives what was allowed.
func TestConsentNarrows(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public"})
	p := c.open(everything)
	for scope, ticked := range map[string]bool{"openid": true, "profile": true, "email": true, "profile.read": true, "messages.read": true, "posts.write": false} {
		if !p.Has("scope-"+scope) || p.Ticked("scope-"+scope) != ticked {
			t.Errorf("the box of %s: there %v, ticked %v, want it ticked: %v", scope, p.Has("scope-"+scope), p.Ticked("scope-"+scope), ticked)
		}
	}
	p = w.browser.Press(p, "approve", map[string]string{"-scope-messages.read": "", "-scope-email": ""})
	code := p.Away.Query().Get("code")
	r := c.redeem(code, nil)
	if got := r.text("scope"); got != "openid profile profile.read" {
		t.Errorf("scope = %q, want what was ticked", got)
	}
	if info := w.userinfo(r.text("access_token")); info.text("name") != "Ada" || info.body["email"] != nil {
		t.Errorf("userinfo = %s, want the name and no address", info.raw)
	}
	if d := w.verify(r.text("access_token"), "POST", "/v1/posts"); d.Allowed || d.Code != "insufficient_scope" {
		t.Errorf("POST /v1/posts = %s, want insufficient_scope", d.Code)
	}
	wider := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r.text("refresh_token")}, "scope": {"profile.read messages.read"}}
	w.refused("a refresh for more", c.token(wider), 400, "invalid_scope")
	if got := w.grants()[c.id]; !slices.Equal(got, []string{"openid", "profile", "profile.read"}) {
		t.Errorf("the grant holds %v, want what was ticked", got)
	}
	for scope, want := range map[string]string{everything: "openid profile profile.read", "profile.read messages.read": "profile.read", "openid posts.write": "openid"} {
		for _, prompt := range []string{"", "none"} {
			got, failed := c.answered(w.browser.Get(c.ask(url.Values{"scope": {scope}, "prompt": {prompt}})))
			if !slices.Equal(got, strings.Fields(want)) {
				t.Errorf("%s again, prompt %q = %v %s, want no question and %s", scope, prompt, got, failed, want)
			}
		}
	}
	if got := c.login(url.Values{"scope": {"messages.read posts.write"}, "prompt": {"none"}}); got.Get("error") != "consent_required" {
		t.Errorf("silently nothing but what was not ticked = %v, want consent_required", got)
	}
	if p := c.open("openid files.read"); !p.Has("approve") {
		t.Errorf("something that nobody was asked about = %s, want to be asked", p.URL)
	}
	p = w.browser.Get(c.ask(url.Values{"scope": {everything}, "prompt": {"consent"}}))
	for scope, ticked := range map[string]bool{"profile": true, "email": false, "profile.read": true, "messages.read": false, "posts.write": false} {
		if p.Ticked("scope-"+scope) != ticked {
			t.Errorf("prompt=consent: the box of %s is ticked: %t, want the answer from before", scope, !ticked)
		}
	}
	// Allowed after all, and taken back: each time the refusal is forgotten.
	p = w.browser.Press(p, "approve", map[string]string{"+scope-posts.write": "", "+scope-messages.read": ""})
	if got, _ := c.answered(p); !slices.Contains(got, "posts.write") || !slices.Contains(got, "messages.read") || slices.Contains(got, "email") {
		t.Errorf("allowed after all = %v", got)
	}
	if got := c.login(url.Values{"scope": {"posts.write"}, "prompt": {"none"}}); got.Get("code") == "" {
		t.Errorf("silently what was allowed after all = %v, want a code", got)
	}
	w.takeBack()
	if p := c.open("openid email"); !p.Has("approve") || !p.Ticked("scope-email") {
		t.Errorf("after it was taken back = %s, want to be asked as if for the first time", p.URL)
	}
}

// takeBack takes back all that Ada allows.
func (w *world) takeBack() {
	w.tb.Helper()
	list, err := w.node.Manage.Grants(w.tb.Context(), w.admin(), manage.GrantsFilter{User: w.ada.ID}, manage.List{})
	if err != nil {
		w.tb.Fatal(err)
	}
	for _, g := range list.Items {
		if _, err := w.node.Manage.RevokeGrant(w.tb.Context(), w.admin(), g.ID); err != nil {
			w.tb.Fatal(err)
		}
	}
	w.sync()
}

// TestConsentIncludes: what includes something gives it, and the page says so; nothing that was left unticked is ever given
// (DESIGN section 8: "It will NOT be able to" is true).
func TestConsentIncludes(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public"})
	reads := func(token string) bool {
		t.Helper()
		d, err := w.node.Admin.Verify(t.Context(), lanyard.VerifyRequest{Credential: token, API: "notes", Method: "GET", Path: "/v1/notes"})
		if err != nil {
			t.Fatal(err)
		}
		return d.Allowed
	}
	p := c.open("openid notes.write")
	_, not, _ := strings.Cut(p.Text(), "NOT")
	if strings.Contains(not, "read your notes") || !strings.Contains(not, "burn your notes") || !strings.Contains(p.Text(), "comes with “read your notes”") || p.Has("scope-notes.read") {
		t.Fatalf("the page says %s, want that reading comes with writing, and burning alone among what it can NOT do", p.Text())
	}
	r := c.redeem(w.browser.Press(p, "approve", map[string]string{"+scope-notes.write": ""}).Away.Query().Get("code"), nil)
	if !reads(r.text("access_token")) {
		t.Error("what came with writing does not work")
	}
	if got := c.login(url.Values{"scope": {"openid notes.read"}, "prompt": {"none"}}); got.Get("code") == "" {
		t.Errorf("what was allowed by inclusion = %v, want no question", got)
	}
	// Unticked at last: whatever would give it goes too, and so does what was issued before.
	p = w.browser.Get(c.ask(url.Values{"scope": {"openid notes.read"}, "prompt": {"consent"}}))
	if !p.Ticked("scope-notes.read") {
		t.Error("what was allowed by inclusion is not ticked")
	}
	w.browser.Press(p, "approve", map[string]string{"-scope-notes.read": ""})
	w.sync()
	if got := w.grants()[c.id]; !slices.Equal(got, []string{"openid"}) || reads(r.text("access_token")) {
		t.Errorf("after reading was unticked the grant holds %v", got)
	}
	w.takeBack()
	// Both asked, and a form that ticks the one and not what it gives.
	p = c.open("openid notes.read notes.write notes.burn")
	if !p.Ticked("scope-notes.read") || !strings.Contains(p.Text(), "only together with “read your notes”") {
		t.Errorf("the page says %s, want a box for each", p.Text())
	}
	p = w.browser.Press(p, "approve", map[string]string{"-scope-notes.read": "", "+scope-notes.write": "", "+scope-notes.burn": ""})
	if got, failed := c.answered(p); !slices.Equal(got, []string{"openid", "notes.burn"}) {
		t.Errorf("writing without reading = %v %s, want neither", got, failed)
	}
	if got, _ := c.answered(c.open("openid notes.read notes.write notes.burn")); !slices.Equal(got, []string{"openid", "notes.burn"}) {
		t.Errorf("the same again = %v", got)
	}
	// What an app cannot do without brings what it includes.
	needs := w.app(lanyard.AppInput{Name: "Needs", Type: "public", OAuthSettings: lanyard.OAuthSettings{RequiredScopes: []string{"notes.write"}}})
	p = needs.open("notes.read notes.write")
	if got, _ := needs.answered(w.browser.Post("/consent", url.Values{"request": {p.URL.Query().Get("request")}, "decision": {"approve"}}, nil)); !slices.Equal(got, []string{"notes.read", "notes.write"}) {
		t.Errorf("with a required scope = %v, want it and what it includes", got)
	}
}

// TestConsentAgain: the same or less asks nothing, more asks again with what was allowed before ticked, and prompt=consent asks
// in any case.
func TestConsentAgain(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public"})
	other := w.app(lanyard.AppInput{Name: "Other", Type: "public"})
	w.browser.Press(c.open("openid profile.read posts.write"), "approve", map[string]string{"+scope-posts.write": ""})
	for _, scope := range []string{"openid profile.read posts.write", "posts.write", "openid", "profile.read"} {
		got, failed := c.answered(c.open(scope))
		if !slices.Equal(got, strings.Fields(scope)) {
			t.Errorf("%s, allowed before = %v %s, want no question and what was asked", scope, got, failed)
		}
	}
	p := c.open("openid posts.write messages.read")
	if !p.Has("approve") || !p.Ticked("scope-posts.write") || !p.Ticked("scope-messages.read") {
		t.Fatalf("more = %s, want to be asked, with what was allowed before ticked", p.URL)
	}
	if got, failed := c.answered(w.browser.Press(p, "approve", nil)); !slices.Equal(got, []string{"openid", "posts.write", "messages.read"}) {
		t.Errorf("more, allowed = %v %s", got, failed)
	}
	if p := w.browser.Get(c.ask(url.Values{"scope": {"profile.read"}, "prompt": {"consent"}})); !p.Has("approve") {
		t.Errorf("prompt=consent = %s, want to be asked", p.URL)
	}
	if p := other.open("profile.read"); !p.Has("approve") {
		t.Errorf("another app = %s, want to be asked", p.URL)
	}
	grants, err := w.node.Manage.Grants(t.Context(), w.admin(), manage.GrantsFilter{User: w.ada.ID}, manage.List{})
	if err != nil || len(grants.Items) != 1 {
		t.Fatalf("Grants = %+v, %v, want one", grants, err)
	}
	if _, err := w.node.Manage.RevokeGrant(t.Context(), w.admin(), grants.Items[0].ID); err != nil {
		t.Fatal(err)
	}
	w.sync()
	p = c.open("posts.write")
	if !p.Has("approve") || p.Ticked("scope-posts.write") {
		t.Errorf("after it was taken back = %s, want to be asked, with nothing ticked that writes", p.URL)
	}
}

// TestConsentWithdraws: who unticks what they allowed before allows it no longer: the app cannot have it silently afterwards.
func TestConsentWithdraws(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public"})
	w.browser.Press(c.open("openid profile.read posts.write"), "approve", map[string]string{"+scope-posts.write": ""})
	for name, ask := range map[string]url.Values{
		"more":           {"scope": {"openid profile.read posts.write messages.read"}},
		"prompt=consent": {"scope": {"profile.read posts.write"}, "prompt": {"consent"}},
	} {
		p := w.browser.Get(c.ask(ask))
		if got, failed := c.answered(w.browser.Press(p, "approve", map[string]string{"-scope-posts.write": ""})); slices.Contains(got, "posts.write") || failed != "" {
			t.Errorf("%s, unticked = %v %s, want it left out", name, got, failed)
		}
		if got := w.grants()[c.id]; slices.Contains(got, "posts.write") || !slices.Contains(got, "openid") || !slices.Contains(got, "profile.read") {
			t.Errorf("%s: the grant holds %v, want it without what was unticked and with the rest", name, got)
		}
		if got := c.login(url.Values{"scope": {"posts.write"}, "prompt": {"none"}}); got.Get("error") != "consent_required" {
			t.Errorf("%s: silently what was unticked = %v, want consent_required", name, got)
		}
		// Ticked anew, for the next round.
		w.browser.Press(c.open("posts.write"), "approve", map[string]string{"+scope-posts.write": ""})
	}
	// No is an answer to this request, and takes nothing back.
	p := w.browser.Get(c.ask(url.Values{"scope": {"posts.write"}, "prompt": {"consent"}}))
	if _, failed := c.answered(w.browser.Press(p, "deny", nil)); failed != "access_denied" {
		t.Errorf("no = %s, want access_denied", failed)
	}
	if got := w.grants()[c.id]; !slices.Contains(got, "posts.write") {
		t.Errorf("after a no the grant holds %v, want what it held", got)
	}
}

// TestConsentRequired: what an app is of no use without cannot be unticked: it goes along with a yes, and a no is a no.
func TestConsentRequired(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public", OAuthSettings: lanyard.OAuthSettings{RequiredScopes: []string{"posts.write"}}})
	const scope = "openid profile.read posts.write"
	p := c.open(scope)
	if !p.Ticked("scope-posts.write") || !strings.Contains(p.Text(), "needed") {
		t.Fatalf("the consent page = %s, want the required scope ticked and fixed", p.Text())
	}
	if _, failed := c.answered(w.browser.Press(p, "deny", nil)); failed != "access_denied" || len(w.grants()) != 0 {
		t.Errorf("no = %s, grants %v, want access_denied and none", failed, w.grants())
	}
	p = c.open(scope)
	request := p.URL.Query().Get("request")
	// A form without the box is as good as one with it.
	p = w.browser.Post("/consent", url.Values{"request": {request}, "decision": {"approve"}, "scope": {"profile.read"}}, nil)
	if got, _ := c.answered(p); !slices.Equal(got, strings.Fields(scope)) {
		t.Errorf("unticked by force = %v, want %s", got, scope)
	}
}

// TestConsentFirstParty: the provider's own app asks nobody, but somebody has to be logged in, and it gets no more than they
// may grant.
func TestConsentFirstParty(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public", OAuthSettings: lanyard.OAuthSettings{FirstParty: true, Scopes: []string{"profile.read", "posts.write", "mail.rule"}}})
	if got := c.login(url.Values{"prompt": {"none"}}); got.Get("error") != "login_required" {
		t.Errorf("silently, with nobody logged in = %v, want login_required", got)
	}
	p := w.browser.Get(c.ask(nil))
	if !p.Has("sign-in") {
		t.Fatalf("with nobody logged in = %s, want the sign-in page", p.URL)
	}
	if got, failed := c.answered(w.signIn(p)); !slices.Equal(got, []string{"openid", "profile.read", "posts.write"}) {
		t.Errorf("after the sign-in = %v %s, want all that was asked, and no question", got, failed)
	}
	if got, failed := c.answered(c.open("profile.read mail.rule")); !slices.Equal(got, []string{"profile.read"}) {
		t.Errorf("with a scope that admins grant = %v %s, want it left out", got, failed)
	}
	if _, failed := c.answered(c.open("mail.rule")); failed != "access_denied" {
		t.Errorf("that scope alone = %s, want access_denied", failed)
	}
	if got := w.grants()[c.id]; !slices.Equal(got, []string{"openid", "posts.write", "profile.read"}) {
		t.Errorf("the grant holds %v: the user sees and takes back what such an app has, like any other's", got)
	}
}

// TestConsentByClick: only the button answers. Looking at pages, or a form with another word in it, gives the app nothing.
func TestConsentByClick(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public"})
	p := c.open("openid profile.read")
	request := p.URL.Query().Get("request")
	for _, path := range []string{"/consent?decision=approve&request=", "/consent?decision=deny&request=", "/continue?decision=approve&request=", "/continue?error=access_denied&request=", "/continue?request="} {
		if p := w.browser.Get(path + request); p.Away != nil || !p.Has("approve") {
			t.Errorf("GET %s = %s, away %v, want to be asked still", path, p.URL, p.Away)
		}
	}
	if len(w.grants()) != 0 {
		t.Errorf("grants = %v, want none", w.grants())
	}
	for _, decision := range []string{"", "yes", "APPROVE", "deny"} {
		p := c.open("openid profile.read")
		p = w.browser.Post("/consent", url.Values{"request": {p.URL.Query().Get("request")}, "decision": {decision}, "scope": {"openid", "profile.read"}}, nil)
		if _, failed := c.answered(p); failed != "access_denied" || len(w.grants()) != 0 {
			t.Errorf("decision %q = %s, grants %v, want access_denied and none", decision, failed, w.grants())
		}
	}
	p = w.browser.Press(w.browser.Get("/continue?request="+request), "deny", nil)
	q := p.Away.Query()
	if q.Get("error") != "access_denied" || q.Get("state") != "st" || q.Get("iss") != w.node.URL || q.Has("code") {
		t.Errorf("no = %v, want access_denied with state and iss", p.Away)
	}
	if p := c.open("openid profile.read"); !p.Has("approve") {
		t.Errorf("after a no = %s, want to be asked again", p.URL)
	}
}

// TestConsentStale: a form that is answered, over, another site's, or was shown to somebody else allows nothing (PROTOCOLS OAuth
// 7; SECURITY-CASES 50, 54). TestConsentCannotBeStretched has other browsers.
func TestConsentStale(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c := w.app(lanyard.AppInput{Type: "public"})
	w.user("eve@demo.test")
	stays := func(what string, p *servertest.Page) {
		t.Helper()
		if p.Away != nil || p.Status < 400 || p.Has("approve") {
			t.Errorf("%s = %d at %s, away %v, want an error page", what, p.Status, p.URL, p.Away)
		}
	}
	shown := c.open("openid profile.read")
	form := url.Values{"request": {shown.URL.Query().Get("request")}, "decision": {"approve"}, "scope": {"profile.read"}}
	for name, header := range map[string]http.Header{
		"by Fetch metadata": {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.test"}}, "by a subdomain": {"Sec-Fetch-Site": {"same-site"}, "Origin": {"https://evil.rp.test"}},
		"by origin": {"Sec-Fetch-Site": nil, "Origin": {"https://evil.test"}}, "from a sandbox": {"Sec-Fetch-Site": nil, "Origin": {"null"}},
	} {
		if p := w.browser.Post("/consent", form, header); p.Status != http.StatusForbidden || p.Away != nil {
			t.Errorf("another site's form, told %s = %d, away %v, want 403", name, p.Status, p.Away)
		}
	}
	for name, request := range map[string]string{"none": "", "garbage": "x", "nobody's": "req_0000000000000000", "an injection": form.Get("request") + "' OR 1=1 --"} {
		stays("a form for a request that is "+name, w.browser.Post("/consent", url.Values{"request": {request}, "decision": {"approve"}, "scope": {"profile.read"}}, nil))
	}
	// Eve logs in on the same computer while the page that asks Ada is open.
	w.browser.Press(w.browser.Get("/login"), "sign-in", map[string]string{"login": "eve@demo.test", "password": password})
	p := w.browser.Press(shown, "approve", nil)
	if p.Away != nil || !p.Has("approve") || !strings.Contains(p.Text(), "eve@demo.test") {
		t.Errorf("Ada's form, sent by Eve = %s, away %v, want Eve to be asked herself", p.URL, p.Away)
	}
	w.signIn(w.browser.Get("/login"))
	if len(w.grants()) != 0 {
		t.Errorf("grants = %v, want none", w.grants())
	}
	p = c.open("openid profile.read")
	if got, _ := c.answered(w.browser.Press(p, "approve", nil)); !slices.Equal(got, []string{"openid", "profile.read"}) {
		t.Fatalf("a yes = %v", got)
	}
	stays("the same form again", w.browser.Press(p, "approve", nil))
	p = c.open("openid profile.read messages.read")
	clock.Advance(31 * time.Minute)
	w.sync()
	stays("a form after half an hour", w.browser.Press(p, "approve", nil))
	stays("its page", w.browser.Get("/consent?request="+p.URL.Query().Get("request")))
	if got := w.grants()[c.id]; slices.Contains(got, "messages.read") {
		t.Errorf("the grant holds %v", got)
	}
}

// TestConsentSpeaks: who asks, from where, for what, for how long, and where the way goes on, all of it as text (DESIGN section
// 8; SECURITY-CASES 22, 34).
func TestConsentSpeaks(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{
		Name: `<b onmouseover="alert(1)">Pal</b>`, Type: "public", HomepageURL: "https://pal.test",
		OAuthSettings: lanyard.OAuthSettings{PolicyURI: "https://pal.test/policy", TOSURI: "https://pal.test/terms"},
	})
	p := c.open("openid profile.read")
	text := p.Text()
	for _, want := range []string{`<b onmouseover="alert(1)">Pal</b>`, "pal.test", "rp.test", "ada@demo.test", "by Sunny", "know that it is you", "read your profile", "NOT", "post for you", "read your messages", "15 minutes"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q: %s", want, text)
		}
	}
	if strings.Contains(p.Body, "<b onmouseover") || !strings.Contains(p.Body, `href="https://pal.test/policy"`) || !strings.Contains(p.Body, `href="https://pal.test/terms"`) {
		t.Errorf("the page does not escape the name, or has no links to policy and terms: %.3000s", p.Body)
	}
	h := p.Header
	csp := h.Get("Content-Security-Policy")
	if !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "form-action 'self' https:;") || strings.Contains(csp, "unsafe") || h.Get("X-Frame-Options") != "DENY" ||
		h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("headers = %v, want no frames, no store, no referrer, and the way to the app open", h)
	}
}

// TestConsentDocument: an app that changed what it says about itself is asked about anew, and what was allowed to the other
// document and not asked now is not allowed to this one (PROTOCOLS MCP "CIMD").
func TestConsentDocument(t *testing.T) {
	var says atomic.Pointer[string]
	var address string
	there, allow := stranger(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write([]byte(`{"client_id":"` + address + `","client_name":"` + *says.Load() + `","redirect_uris":["` + callback + `"]}`))
	})
	address = there.URL + "/client"
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now, Settings: allow})
	c := &client{w: w, id: address}
	first, second := "Pal", "Pal, your bank"
	says.Store(&first)
	p := c.open("openid profile.read posts.write")
	if host := strings.TrimPrefix(there.URL, "https://"); !strings.Contains(p.Text(), "says so itself at "+host) {
		t.Errorf("the page does not say that the app speaks for itself at %s: %s", host, p.Text())
	}
	w.browser.Press(p, "approve", map[string]string{"+scope-posts.write": ""})
	if p := c.open("openid profile.read"); p.Away == nil {
		t.Fatalf("the same document = %s, want no question", p.URL)
	}
	says.Store(&second)
	clock.Advance(25 * time.Hour) // no document is kept longer
	w.sync()
	p = c.open("openid profile.read")
	if !p.Has("approve") || !strings.Contains(p.Text(), "This app has changed") || !strings.Contains(p.Text(), second) {
		t.Fatalf("another document = %s %.500s, want to be asked and told", p.URL, p.Text())
	}
	if got, failed := c.answered(w.browser.Press(p, "approve", nil)); !slices.Equal(got, []string{"openid", "profile.read"}) {
		t.Errorf("allowed = %v %s", got, failed)
	}
	if got := c.login(url.Values{"scope": {"posts.write"}, "prompt": {"none"}}); got.Get("error") != "consent_required" {
		t.Errorf("silently what was allowed to the other document = %v, want consent_required", got)
	}
}

// TestConsentShownDocument: a yes is to the document that was shown. One to another is none, at consent and where a device is let
// in: the present one is shown, and nothing is allowed until it was seen.
func TestConsentShownDocument(t *testing.T) {
	var says atomic.Pointer[string]
	var address string
	there, allow := stranger(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write([]byte(`{"client_id":"` + address + `","client_name":"` + *says.Load() + `","redirect_uris":["` + callback + `"],"grant_types":["authorization_code","` + deviceGrant + `"]}`))
	})
	address = there.URL + "/client"
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now, Settings: allow})
	c := &client{w: w, id: address}
	say := func(name string) {
		t.Helper()
		says.Store(&name)
		clock.Advance(6 * time.Minute) // an answer that says nothing of its age counts for five
		w.sync()
		w.node.Browser(t).Get(c.ask(nil)) // somebody else's request reads it
		w.sync()
	}
	first := "Pal"
	says.Store(&first)
	shown := c.open("openid profile.read")
	say("Your bank")
	p := w.browser.Press(shown, "approve", nil)
	if p.Away != nil || p.Status != http.StatusConflict || !p.Has("approve") || !strings.Contains(p.Text(), "This app has changed") || !strings.Contains(p.Text(), "Your bank") || len(w.grants()) != 0 {
		t.Fatalf("a yes to Pal = %d at %s, grants %v, want to be asked about Your bank", p.Status, p.URL, w.grants())
	}
	if got, failed := c.answered(w.browser.Press(p, "approve", nil)); !slices.Equal(got, []string{"openid", "profile.read"}) {
		t.Errorf("a yes to Your bank = %v %s", got, failed)
	}
	// It changes between the yes and the answer to the app.
	p = c.open("openid profile.read posts.write")
	form := url.Values{"request": {p.URL.Query().Get("request")}, "decision": {"approve"}, "scope": {"posts.write"}, "document": {"another"}}
	if p := w.browser.Post("/consent", form, nil); p.Status != http.StatusConflict || p.Away != nil {
		t.Errorf("a yes to a made-up document = %d, away %v", p.Status, p.Away)
	}
	w.takeBack()
	d := c.device("profile.read")
	waiting := d.typed(w.browser)
	say("Pal again")
	p = w.browser.Press(waiting, "approve", nil)
	if p.Status != http.StatusConflict || !p.Has("approve") || !strings.Contains(p.Text(), "Pal again") || len(w.grants()) != 0 {
		t.Fatalf("a device let in by Your bank = %d %.300s, want to be asked about Pal again", p.Status, p.Text())
	}
	if p = w.browser.Press(p, "approve", nil); p.Status != http.StatusOK || len(w.grants()) != 1 {
		t.Errorf("let in by Pal again = %d, grants %v", p.Status, w.grants())
	}
}
