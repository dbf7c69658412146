package oauth_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/server/oauth"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// introspect asks about a token as the client.
func (c *client) introspect(text string) *reply {
	c.w.tb.Helper()
	return c.w.post("/oauth/introspect", url.Values{"token": {text}}, basicHeader(c.id, c.secret))
}

func bearer(credential string) http.Header {
	return http.Header{"Authorization": {"Bearer " + credential}}
}

// inactive fails the test unless the answer says that much and nothing else (RFC 7662 section 2.2).
func (w *world) inactive(what string, r *reply) {
	w.tb.Helper()
	if r.status != 200 || r.raw != `{"active":false}` || r.header.Get("Cache-Control") != "no-store" {
		w.tb.Errorf("%s = %d %s (%s), want inactive and no more", what, r.status, r.raw, r.header.Get("Cache-Control"))
	}
}

func (w *world) active(what string, r *reply) {
	w.tb.Helper()
	if active, _ := r.body["active"].(bool); r.status != 200 || !active || r.header.Get("Cache-Control") != "no-store" {
		w.tb.Errorf("%s = %d %s (%s), want active", what, r.status, r.raw, r.header.Get("Cache-Control"))
	}
}

// judge is the credential of an API that asks about the tokens it is sent; none of apis is all of them.
func (w *world) judge(apis ...string) string {
	w.tb.Helper()
	c := w.machine(lanyard.AppInput{Name: "API"})
	k, err := w.node.Manage.CreateKey(w.tb.Context(), w.admin(), c.id, lanyard.KeyInput{Name: "judge", Scopes: []string{"lanyard.verify"}, APIs: apis})
	if err != nil {
		w.tb.Fatal(err)
	}
	return k.Secret
}

// TestIntrospectRefused: who does not prove who they are learns nothing (RFC 7662 section 2.1).
func TestIntrospectRefused(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c, public := w.machine(lanyard.AppInput{}), w.app(lanyard.AppInput{Name: "Public", Type: "public"})
	text := c.token(itself(nil)).text("access_token")
	plainKey, err := w.node.Manage.CreateKey(t.Context(), w.admin(), c.id, lanyard.KeyInput{Name: "plain"})
	if err != nil {
		t.Fatal(err)
	}
	right := basicHeader(c.id, c.secret)
	for name, ask := range map[string]struct {
		query  string
		form   url.Values
		header http.Header
		status int
		code   string
	}{
		"nobody":                   {form: url.Values{}, status: 401, code: "invalid_client"},
		"a name":                   {form: url.Values{"client_id": {c.id}}, status: 401, code: "invalid_client"},
		"a public client":          {form: url.Values{"client_id": {public.id}}, status: 401, code: "invalid_client"},
		"a forged secret":          {header: basicHeader(c.id, forged(t, c.secret)), status: 401, code: "invalid_client"},
		"garbage as bearer":        {header: bearer("garbage"), status: 401, code: "invalid_token"},
		"nothing as bearer":        {header: bearer(""), status: 401, code: "invalid_token"},
		"the token about itself":   {header: bearer(text), status: 401, code: "invalid_token"},
		"a key without the scope":  {header: bearer(plainKey.Secret), status: 403, code: "insufficient_scope"},
		"the client secret":        {header: bearer(c.secret), status: 401, code: "invalid_token"},
		"a bearer and a secret":    {form: url.Values{"client_id": {c.id}, "client_secret": {c.secret}}, header: bearer(w.node.AdminKey), status: 400, code: "invalid_request"},
		"two headers":              {header: http.Header{"Authorization": {"Bearer " + w.node.AdminKey, right.Get("Authorization")}}, status: 400, code: "invalid_request"},
		"two headers, Basic first": {header: http.Header{"Authorization": {right.Get("Authorization"), "Bearer " + w.node.AdminKey}}, status: 400, code: "invalid_request"},
		"no token":                 {form: url.Values{"token": {""}}, header: right, status: 400, code: "invalid_request"},
		"two tokens":               {form: url.Values{"token": {text, text}}, header: right, status: 400, code: "invalid_request"},
		"the token in the address": {query: "?token=" + text, header: right, status: 400, code: "invalid_request"},
	} {
		form := url.Values{"token": {text}}
		for key, values := range ask.form {
			form[key] = values
		}
		r := w.post("/oauth/introspect"+ask.query, form, ask.header)
		w.refused(name, r, ask.status, ask.code)
		if strings.HasPrefix(ask.header.Get("Authorization"), "Bearer") && ask.status > 400 && !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer realm=") {
			t.Errorf("%s: WWW-Authenticate = %q, want the scheme that was tried", name, r.header.Get("WWW-Authenticate"))
		}
	}
	if r := call(t, http.MethodGet, w.node.URL+"/oauth/introspect?token="+text, nil, right); r.status != http.StatusMethodNotAllowed {
		t.Errorf("GET = %d, want 405", r.status)
	}
}

// TestIntrospectOwn: an app learns about its own tokens, whatever the hint says, and nothing about anything else (RFC 7662
// section 4; SECURITY-CASES 134).
func TestIntrospectOwn(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c, other, machine := w.app(lanyard.AppInput{}), w.app(lanyard.AppInput{Name: "Other"}), w.machine(lanyard.AppInput{})
	mail, files := c.tokens(), c.redeem(c.code(url.Values{"scope": {"openid files.read"}}), nil)
	own := machine.token(itself(nil)).text("access_token")
	now := clock.Now().Unix()
	audience := func(api string) string { return w.node.URL + "/apis/" + api }
	for name, want := range map[string]struct {
		as   *client
		text string
		says map[string]any
	}{
		"JWT": {c, mail.text("access_token"), map[string]any{
			"client_id": c.id, "sub": w.ada.ID, "scope": "openid profile.read posts.write", "aud": audience("mail"), "token_type": "Bearer", "exp": float64(now + 900), "iat": float64(now),
		}},
		"opaque": {c, files.text("access_token"), map[string]any{
			"client_id": c.id, "sub": w.ada.ID, "scope": "openid files.read", "aud": audience("files"), "token_type": "Bearer", "exp": float64(now + 3600), "iat": float64(now),
		}},
		"refresh": {c, mail.text("refresh_token"), map[string]any{"client_id": c.id, "sub": w.ada.ID, "scope": "openid profile.read posts.write", "exp": float64(now + 30*24*3600), "iat": float64(now)}},
		"machine": {machine, own, map[string]any{
			"client_id": machine.id, "sub": machine.id, "scope": "profile.read", "aud": audience("mail"), "token_type": "Bearer", "exp": float64(now + 900), "iat": float64(now),
		}},
	} {
		for _, hint := range []string{"", "access_token", "refresh_token", "no_such_type"} {
			r := w.post("/oauth/introspect", url.Values{"token": {want.text}, "token_type_hint": {hint}}, basicHeader(want.as.id, want.as.secret))
			w.active(name, r)
			for _, more := range []string{"jti", "acr", "amr", "auth_time", "grant_id"} { // of other tests
				delete(r.body, more)
			}
			want.says["active"], want.says["iss"], want.says["mode"] = true, w.node.URL, "live"
			if diff := cmp.Diff(want.says, r.body); diff != "" {
				t.Errorf("%s with hint %q (-want +got):\n%s", name, hint, diff)
			}
			w.inactive(name+", by another client", other.introspect(want.text))
		}
	}
	code := c.code(nil)
	key, err := w.node.Manage.CreateKey(t.Context(), w.admin(), c.id, lanyard.KeyInput{Name: "key", Scopes: []string{"files.read"}})
	if err != nil {
		t.Fatal(err)
	}
	jwt := mail.text("access_token")
	for name, text := range map[string]string{
		"an API key": key.Secret, "its client secret": c.secret, "a code": code, "an ID token": mail.text("id_token"), "a personal token": w.personal(), "garbage": "garbage",
		"blanks": "  ", "an empty JWT": "..", "no signature": jwt[:strings.LastIndexByte(jwt, '.')+1], "another signature": jwt[:len(jwt)-10] + "AAAAAAAAAA",
		"a blank behind": jwt + " ", "a forged refresh token": "lyd_rt_live_" + strings.Repeat("0", 54), "a cut one": files.text("access_token")[:60],
	} {
		w.inactive(name, c.introspect(text))
	}
	if r := w.post("/oauth/token", url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}, basicHeader(c.id, c.secret)); r.status != 200 {
		t.Errorf("the code after it was asked about = %d %s, want it still good", r.status, r.raw)
	}
}

// personal makes a personal token of Ada's.
func (w *world) personal() string {
	w.tb.Helper()
	ada := audit.Actor{Label: w.ada.ID, User: id.User(w.ada.ID), Reach: audit.UserReach(id.User(w.ada.ID)), Scopes: []string{"lanyard.keys.write"}}
	made, err := w.node.Manage.CreateToken(w.tb.Context(), ada, lanyard.PersonalTokenInput{Name: "nas", Scopes: []string{"profile.read"}})
	if err != nil {
		w.tb.Fatal(err)
	}
	return made.Secret
}

// TestIntrospectForAPI: an API learns about the tokens that are for it, whichever app has them, and not about others'.
func TestIntrospectForAPI(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{})
	mail, files, openid := c.tokens(), c.redeem(c.code(url.Values{"scope": {"openid files.read"}}), nil), c.redeem(c.code(url.Values{"scope": {"openid"}}), nil)
	forMail, forBoth, forAll, personal := w.judge("mail"), w.judge("mail", "files"), w.judge(), w.personal()
	w.sync()
	for name, want := range map[string]struct {
		text             string
		mail, both, some bool
	}{
		"a token for mail":       {mail.text("access_token"), true, true, true},
		"a token for files":      {files.text("access_token"), false, true, true},
		"a token for the issuer": {openid.text("access_token"), false, false, true},
		"a personal token":       {personal, false, false, true},
		"a refresh token":        {mail.text("refresh_token"), false, false, false},
		"an ID token":            {mail.text("id_token"), false, false, false},
		"its own key":            {forAll, false, false, false},
	} {
		for who, asked := range map[string]struct {
			credential string
			active     bool
		}{"mail": {forMail, want.mail}, "mail and files": {forBoth, want.both}, "all": {forAll, want.some}} {
			r := w.post("/oauth/introspect", url.Values{"token": {want.text}}, bearer(asked.credential))
			if asked.active {
				w.active(name+" to the judge of "+who, r)
			} else {
				w.inactive(name+" to the judge of "+who, r)
			}
		}
	}
}

// TestIntrospectOver: a token is inactive from the very second of its end (SECURITY-CASES 122).
func TestIntrospectOver(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c, all := w.app(lanyard.AppInput{}), w.judge()
	started := clock.Now().Truncate(time.Second)
	mail, files := c.tokens(), c.redeem(c.code(url.Values{"scope": {"files.read"}}), nil)
	ask := func(text string) []*reply {
		return []*reply{c.introspect(text), w.post("/oauth/introspect", url.Values{"token": {text}}, bearer(all))}
	}
	for _, end := range []struct {
		name, text string
		life       time.Duration
	}{
		{"JWT", mail.text("access_token"), 15 * time.Minute}, {"opaque", files.text("access_token"), time.Hour},
	} {
		clock.Advance(started.Add(end.life - time.Microsecond).Sub(clock.Now()))
		w.sync()
		for _, r := range ask(end.text) {
			w.active(end.name+" in its last moment", r)
		}
		clock.Advance(time.Microsecond)
		w.sync()
		for _, r := range ask(end.text) {
			w.inactive(end.name+" at its end", r)
		}
	}
	refresh := files.text("refresh_token")
	w.active("refresh token", c.introspect(refresh))
	clock.Advance(started.Add(30 * 24 * time.Hour).Sub(clock.Now()))
	w.sync()
	clock.Advance(time.Second)
	w.inactive("refresh token after 30 idle days", c.introspect(refresh))
}

// TestIntrospectEnded: a token is inactive at once when what it hangs on ends: user, grant, app (PROTOCOLS OAuth 10).
func TestIntrospectEnded(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	all, yes := w.judge(), true
	for _, end := range []struct {
		name string
		act  func(c *client, grantID string) error
	}{
		{"the grant is taken back", func(_ *client, grantID string) error {
			_, err := w.node.Manage.RevokeGrant(t.Context(), w.admin(), grantID)
			return err
		}},
		{"the app is locked", func(c *client, _ string) error {
			_, err := w.node.Manage.UpdateApp(t.Context(), w.admin(), c.id, lanyard.AppPatch{Disabled: &yes})
			return err
		}},
		{"the app is deleted", func(c *client, _ string) error {
			_, err := w.node.Manage.DeleteApp(t.Context(), w.admin(), c.id)
			return err
		}},
		{"the user ends all tokens", func(*client, string) error {
			_, err := w.node.Manage.UpdateUser(t.Context(), w.admin(), w.ada.ID, lanyard.UserPatch{RevokeTokens: true})
			return err
		}},
		{"the user is locked", func(*client, string) error {
			_, err := w.node.Manage.UpdateUser(t.Context(), w.admin(), w.ada.ID, lanyard.UserPatch{Disabled: &yes})
			return err
		}},
	} {
		c := w.app(lanyard.AppInput{Name: end.name})
		r := c.tokens()
		before := w.post("/oauth/introspect", url.Values{"token": {r.text("access_token")}}, bearer(all))
		w.active("before "+end.name, before)
		w.active("refresh token before "+end.name, c.introspect(r.text("refresh_token")))
		if err := end.act(c, before.text("grant_id")); err != nil {
			t.Fatal(err)
		}
		w.sync()
		w.inactive(end.name, w.post("/oauth/introspect", url.Values{"token": {r.text("access_token")}}, bearer(all)))
		if strings.HasPrefix(end.name, "the app") {
			w.refused("its refresh token: "+end.name, c.introspect(r.text("refresh_token")), 401, "invalid_client")
		} else {
			w.inactive("its refresh token: "+end.name, c.introspect(r.text("refresh_token")))
		}
	}
}

// TestIntrospectGarbage: an API passes on what strangers send it. However much of that is garbage, it is told the truth about
// what is not.
func TestIntrospectGarbage(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.machine(lanyard.AppInput{})
	text := c.token(itself(nil)).text("access_token")
	for range 70 {
		w.inactive("an unknown JWT", c.introspect("e30.e30.e30"))
	}
	w.active("a token that was not seen before", c.introspect(text))
}

// TestIntrospectSigned: as a JWT when that is asked for (RFC 9701): for who asked, of a type of its own.
func TestIntrospectSigned(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.machine(lanyard.AppInput{})
	header := basicHeader(c.id, c.secret)
	header.Set("Accept", "application/token-introspection+jwt")
	for text, active := range map[string]bool{c.token(itself(nil)).text("access_token"): true, "garbage": false} {
		r := w.post("/oauth/introspect", url.Values{"token": {text}}, header)
		if r.status != 200 || r.header.Get("Content-Type") != "application/token-introspection+jwt" || r.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("signed = %d %v, want a JWT that nobody stores", r.status, r.header)
		}
		head, claims := opened(t, w, r.raw)
		told, _ := claims["token_introspection"].(map[string]any)
		if head["typ"] != "token-introspection+jwt" || claims["iss"] != w.node.URL || claims["aud"] != c.id || claims["iat"] == nil || told["active"] != active || len(told) > 1 != active {
			t.Errorf("signed = %v %v, want the answer for the client", head, claims)
		}
	}
}

// opened checks the signature of a JWT with the server's published keys.
func opened(t *testing.T, w *world, text string) (head, claims map[string]any) {
	t.Helper()
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(call(t, http.MethodGet, w.node.URL+"/.well-known/jwks.json", nil, nil).raw), &keys); err != nil {
		t.Fatal(err)
	}
	signed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := signed.Verify(keys)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(text[:strings.IndexByte(text, '.')])
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(json.Unmarshal(raw, &head), json.Unmarshal(payload, &claims)); err != nil {
		t.Fatal(err)
	}
	return head, claims
}

// TestWhatIsARefreshToken: a signature may spell what stands in a refresh token; an access token is looked at as one all the same. About
// one in 200,000 does, and was called inactive.
func TestWhatIsARefreshToken(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{})
	tokens := c.tokens()
	jwt := tokens.text("access_token")
	for text, want := range map[string]bool{
		tokens.text("refresh_token"): true, tokens.text("refresh_token") + "0": false, jwt: false, jwt[:len(jwt)-9] + "_rt_" + jwt[len(jwt)-5:]: false, "lyd_rt_live_": false, "": false,
	} {
		if got := oauth.IsRefresh(text); got != want {
			t.Errorf("IsRefresh(%.60q…) = %t, want %t", text, got, want)
		}
	}
}
