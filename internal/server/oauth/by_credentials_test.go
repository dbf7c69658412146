package oauth_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// TestCredentialsRefused: an app by itself gets what it registered and no more, for one API that there is (RFC 6749 section
// 4.4; RFC 8707 section 2; PROTOCOLS OAuth 12, 17; SECURITY-CASES 52, 60).
func TestCredentialsRefused(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c, none := w.machine(lanyard.AppInput{}), w.machine(lanyard.AppInput{Name: "None", OAuthSettings: lanyard.OAuthSettings{Scopes: []string{}}})
	files := w.machine(lanyard.AppInput{Name: "Files", OAuthSettings: lanyard.OAuthSettings{Scopes: []string{"files.read"}}})
	without, public := w.app(lanyard.AppInput{Name: "Without"}), w.app(lanyard.AppInput{Name: "Public", Type: "public"})
	mail := w.node.URL + "/apis/mail"
	for name, ask := range map[string]struct {
		as     *client
		form   url.Values
		status int
		code   string
	}{
		"without the grant":              {without, url.Values{"scope": {"profile.read"}}, 400, "unauthorized_client"},
		"a public client":                {public, url.Values{"scope": {"profile.read"}}, 400, "unauthorized_client"},
		"no scopes registered":           {none, url.Values{"scope": {"profile.read"}}, 400, "invalid_scope"},
		"no scopes at all":               {none, url.Values{}, 400, "invalid_scope"},
		"a scope not registered":         {c, url.Values{"scope": {"posts.write"}}, 400, "invalid_scope"},
		"one of two not registered":      {c, url.Values{"scope": {"profile.read posts.write"}}, 400, "invalid_scope"},
		"an admin's scope":               {c, url.Values{"scope": {"mail.rule"}}, 400, "invalid_scope"},
		"a management scope":             {c, url.Values{"scope": {"lanyard.admin"}}, 400, "invalid_scope"},
		"an unknown scope":               {c, url.Values{"scope": {"profile.raed"}}, 400, "invalid_scope"},
		"another case":                   {c, url.Values{"scope": {"Profile.Read"}}, 400, "invalid_scope"},
		"openid":                         {c, url.Values{"scope": {"profile.read openid"}}, 400, "invalid_scope"},
		"offline_access":                 {c, url.Values{"scope": {"offline_access"}}, 400, "invalid_scope"},
		"two APIs":                       {c, url.Values{"scope": {"profile.read files.read"}}, 400, "invalid_target"},
		"no scope and two APIs":          {c, url.Values{}, 400, "invalid_scope"},
		"no scope and no default":        {files, url.Values{}, 400, "invalid_scope"},
		"an unknown resource":            {c, url.Values{"scope": {"profile.read"}, "resource": {"https://elsewhere.test"}}, 400, "invalid_target"},
		"the issuer as resource":         {c, url.Values{"scope": {"profile.read"}, "resource": {w.node.URL}}, 400, "invalid_scope"},
		"a name as resource":             {c, url.Values{"scope": {"profile.read"}, "resource": {"mail"}}, 400, "invalid_target"},
		"a path below":                   {c, url.Values{"scope": {"profile.read"}, "resource": {mail + "/v1"}}, 400, "invalid_target"},
		"a fragment":                     {c, url.Values{"scope": {"profile.read"}, "resource": {mail + "#x"}}, 400, "invalid_target"},
		"a query":                        {c, url.Values{"scope": {"profile.read"}, "resource": {mail + "?x"}}, 400, "invalid_target"},
		"another case of its path":       {c, url.Values{"scope": {"profile.read"}, "resource": {w.node.URL + "/apis/Mail"}}, 400, "invalid_target"},
		"two resources":                  {c, url.Values{"scope": {"profile.read"}, "resource": {mail, w.node.URL + "/apis/files"}}, 400, "invalid_target"},
		"another API's scope":            {c, url.Values{"scope": {"files.read"}, "resource": {mail}}, 400, "invalid_scope"},
		"one scope of another API":       {c, url.Values{"scope": {"profile.read files.read"}, "resource": {mail}}, 400, "invalid_scope"},
		"a resource without a default":   {c, url.Values{"resource": {w.node.URL + "/apis/files"}}, 400, "invalid_scope"},
		"a resource that is not its own": {files, url.Values{"resource": {mail}}, 400, "invalid_scope"},
	} {
		form := url.Values{"grant_type": {"client_credentials"}}
		for key, values := range ask.form {
			form[key] = values
		}
		w.refused(name, ask.as.token(form), ask.status, ask.code)
	}
	if _, err := w.node.Manage.CreateApp(t.Context(), w.admin(), lanyard.AppInput{
		Name: "x", Type: "public", TeamID: w.team.ID, OAuthSettings: lanyard.OAuthSettings{GrantTypes: []string{"client_credentials"}, Scopes: []string{"profile.read"}},
	}); err == nil {
		t.Error("a public app may register client_credentials")
	}
}

// TestCredentials: what comes is an access token for the app itself and one API, and nothing to refresh (RFC 6749 section
// 4.4.3; RFC 9068 section 2.2).
func TestCredentials(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c := w.machine(lanyard.AppInput{})
	test, err := w.node.Manage.CreateSecret(t.Context(), w.admin(), c.id, lanyard.SecretInput{Mode: "test"})
	if err != nil {
		t.Fatal(err)
	}
	mail := w.node.URL + "/apis/mail"
	for name, ask := range map[string]struct {
		form url.Values
		mode string
	}{
		"a scope":                  {url.Values{"scope": {"profile.read"}}, "live"},
		"a scope twice":            {url.Values{"scope": {"profile.read  profile.read"}}, "live"},
		"its resource":             {url.Values{"resource": {mail}}, "live"},
		"both":                     {url.Values{"scope": {"profile.read"}, "resource": {mail}}, "live"},
		"a slash behind":           {url.Values{"resource": {mail + "/"}}, "live"},
		"another case of its host": {url.Values{"resource": {"HTTP" + strings.TrimPrefix(mail, "http")}}, "live"},
		"in test mode":             {url.Values{"scope": {"profile.read"}}, "test"},
	} {
		as := c
		if ask.mode == "test" {
			as = &client{w: w, id: c.id, secret: test.Secret}
		}
		ask.form.Set("grant_type", "client_credentials")
		r := as.token(ask.form)
		text := r.text("access_token")
		delete(r.body, "access_token")
		if diff := cmp.Diff(map[string]any{"token_type": "Bearer", "expires_in": 900.0, "scope": "profile.read"}, r.body); r.status != 200 || diff != "" {
			t.Fatalf("%s = %d (-want +got):\n%s", name, r.status, diff)
		}
		head, claims := opened(t, w, text)
		if head["typ"] != "at+jwt" || claims["jti"] == nil {
			t.Errorf("%s: header %v, claims %v, want an access token with a name", name, head, claims)
		}
		delete(claims, "jti")
		now := float64(clock.Now().Unix())
		if diff := cmp.Diff(map[string]any{
			"iss": w.node.URL, "sub": c.id, "client_id": c.id, "aud": mail, "scope": "profile.read", "mode": ask.mode, "iat": now, "exp": now + 900,
		}, claims); diff != "" {
			t.Errorf("%s: claims (-want +got):\n%s", name, diff)
		}
		if d := w.verify(text, "GET", "/v1/me"); !d.Allowed || d.App.ID != c.id || d.User != nil || d.Credential.Mode != ask.mode {
			t.Errorf("%s: /v1/verify = %+v, want the app itself", name, d)
		}
		elsewhere, err := w.node.Admin.Verify(t.Context(), lanyard.VerifyRequest{Credential: text, API: "files"})
		if err != nil || elsewhere.Code != "audience_mismatch" {
			t.Errorf("%s at another API = %s, %v, want audience_mismatch", name, elsewhere.Code, err)
		}
	}
	opaque := c.token(url.Values{"grant_type": {"client_credentials"}, "scope": {"files.read"}})
	if opaque.status != 200 || !strings.HasPrefix(opaque.text("access_token"), "lyd_at_live_") || opaque.body["expires_in"] != 3600.0 {
		t.Errorf("an opaque one = %d %s", opaque.status, opaque.raw)
	}
	if d, err := w.node.Admin.Verify(t.Context(), lanyard.VerifyRequest{Credential: opaque.text("access_token"), API: "files", Method: "GET", Path: "/v1/files"}); err != nil || !d.Allowed {
		t.Errorf("an opaque one at its API = %s, %v, want valid", d.Code, err)
	}
}

// TestCredentialsNarrowed: a scope that the app no longer registers is not issued any more.
func TestCredentialsNarrowed(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.machine(lanyard.AppInput{OAuthSettings: lanyard.OAuthSettings{Scopes: []string{"profile.read", "messages.read"}}})
	ask := url.Values{"grant_type": {"client_credentials"}, "scope": {"messages.read"}}
	if r := c.token(ask); r.status != 200 {
		t.Fatalf("at first = %d %s", r.status, r.raw)
	}
	if _, err := w.node.Manage.UpdateApp(t.Context(), w.admin(), c.id, lanyard.AppPatch{OAuthPatch: lanyard.OAuthPatch{Scopes: &[]string{"profile.read"}}}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	w.refused("a scope taken away", c.token(ask), 400, "invalid_scope")
}

// TestCredentialsTooMany: scopes that do not fit into one opaque token are refused as scopes (DESIGN section 4).
func TestCredentialsTooMany(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	scopes := map[string]lanyard.Scope{}
	var names []string
	for i := range 40 {
		name := fmt.Sprintf("wide.%s%02d", strings.Repeat("x", 40), i)
		scopes[name] = lanyard.Scope{Text: "do thing " + fmt.Sprint(i)}
		names = append(names, name)
	}
	if _, err := w.node.Admin.ApplyCatalog(t.Context(), lanyard.Catalog{APIs: map[string]lanyard.API{"wide": {Takes: "token", Token: &lanyard.TokenRules{Format: "opaque"}, Scopes: scopes}}}, false); err != nil {
		t.Fatal(err)
	}
	w.sync()
	c := w.machine(lanyard.AppInput{OAuthSettings: lanyard.OAuthSettings{Scopes: names}})
	ask := func(names []string) *reply {
		t.Helper()
		return c.token(url.Values{"grant_type": {"client_credentials"}, "scope": {strings.Join(names, " ")}})
	}
	w.refused("forty long scopes", ask(names), 400, "invalid_scope")
	if r := ask(names[:5]); r.status != 200 || len(r.text("access_token")) > 1200 {
		t.Errorf("five of them = %d %s", r.status, r.raw)
	}
}

// TestCredentialsEnd: the app's own token ends at its second, and with the app (SECURITY-CASES 116, 122).
func TestCredentialsEnd(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c, locked := w.machine(lanyard.AppInput{}), w.machine(lanyard.AppInput{Name: "Locked"})
	started := clock.Now().Truncate(time.Second)
	own, lost := c.token(itself(nil)).text("access_token"), locked.token(itself(nil)).text("access_token")
	yes := true
	if _, err := w.node.Manage.UpdateApp(t.Context(), w.admin(), locked.id, lanyard.AppPatch{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	if d := w.verify(lost, "GET", "/v1/me"); d.Code != "disabled" {
		t.Errorf("a locked app's token = %s, want disabled", d.Code)
	}
	clock.Advance(started.Add(15*time.Minute - time.Microsecond).Sub(clock.Now()))
	w.sync()
	w.good("in its last moment", own)
	clock.Advance(time.Microsecond)
	w.sync()
	if d := w.verify(own, "GET", "/v1/me"); d.Code != "expired" {
		t.Errorf("at its end = %s, want expired", d.Code)
	}
}
