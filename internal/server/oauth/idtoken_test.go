package oauth_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// jwks is the key set as a client fetches it.
func (w *world) jwks() jose.JSONWebKeySet {
	w.tb.Helper()
	r := call(w.tb, http.MethodGet, w.node.URL+"/.well-known/jwks.json", nil, nil)
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(r.raw), &set); r.status != 200 || err != nil {
		w.tb.Fatalf("jwks = %d %s, %v", r.status, r.raw, err)
	}
	return set
}

// opened is what a JWT of ours says, once its signature held by the one key that its header names.
func (w *world) opened(text, typ string, alg jose.SignatureAlgorithm) map[string]any {
	w.tb.Helper()
	signed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{alg})
	if err != nil {
		w.tb.Fatalf("%.60q is no JWT signed with %s: %v", text, alg, err)
	}
	header := signed.Signatures[0].Protected
	keys := w.jwks()
	keys.Keys = keys.Key(header.KeyID)
	if len(keys.Keys) != 1 || keys.Keys[0].Use != "sig" || keys.Keys[0].Algorithm != string(alg) {
		w.tb.Fatalf("the JWT's kid %q names %d keys (%+v), want one for signing with %s", header.KeyID, len(keys.Keys), keys.Keys, alg)
	}
	payload, err := signed.Verify(keys.Keys[0].Key)
	if err != nil {
		w.tb.Fatalf("the JWT's signature does not hold: %v", err)
	}
	if got, _ := header.ExtraHeaders[jose.HeaderType].(string); got != typ {
		w.tb.Errorf("typ = %q, want %q", got, typ)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		w.tb.Fatal(err)
	}
	return claims
}

// idToken is what the ID token of an answer says.
func (w *world) idToken(r *reply) map[string]any {
	w.tb.Helper()
	if r.status != http.StatusOK {
		w.tb.Fatalf("there are no tokens: %d %s", r.status, r.raw)
	}
	return w.opened(r.text("id_token"), "JWT", jose.ES256)
}

// asks is a login that ends at the app, with its tokens.
func (c *client) asks(change url.Values) *reply {
	c.w.tb.Helper()
	return c.redeem(c.code(change), nil)
}

// TestIDTokenSays: the claims of an ID token, and no others (OpenID Connect Core section 2): one audience and so no azp; what
// profile and email tell stands at userinfo (section 5.4); sid is not what stands in the cookie.
func TestIDTokenSays(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c := w.app(lanyard.AppInput{Type: "public"})
	code := c.code(url.Values{"scope": {"openid profile email profile.read"}})
	signedIn := clock.Now().Unix()
	clock.Advance(30 * time.Second)
	r := c.redeem(code, nil)
	claims := w.idToken(r)
	now := clock.Now().Unix()
	sum := sha256.Sum256([]byte(r.text("access_token")))
	sid, _ := claims["sid"].(string)
	want := map[string]any{
		"iss": w.node.URL, "sub": w.ada.ID, "aud": c.id, "iat": float64(now), "exp": float64(now + 3600), "auth_time": float64(signedIn), "nonce": "no", "acr": "1",
		"amr": []any{"pwd"}, "sid": sid, "at_hash": base64.RawURLEncoding.EncodeToString(sum[:16]),
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("the ID token (-want +got):\n%s", diff)
	}
	for _, cookie := range w.browser.Cookies() {
		if sid == "" || strings.Contains(cookie.Value, sid) {
			t.Errorf("sid %q is empty or stands in the cookie", sid)
		}
	}
	if again := w.idToken(c.asks(url.Values{"scope": {"openid"}, "nonce": nil})); again["sid"] != sid || again["nonce"] != nil || again["auth_time"] != float64(signedIn) {
		t.Errorf("in the same session, without a nonce = %v, want sid %s, its time, and no nonce", again, sid)
	}
	elsewhere := w.node.Browser(t)
	w.browser = elsewhere
	if other := w.idToken(c.asks(nil)); other["sid"] == sid || other["sub"] != w.ada.ID {
		t.Errorf("in another session = %v, want another sid than %s", other, sid)
	}
	if plain := c.asks(url.Values{"scope": {"profile.read"}}); plain.status != 200 || plain.body["id_token"] != nil {
		t.Errorf("without openid = %d %s, want no ID token", plain.status, plain.raw)
	}
}

// TestIDTokenRefreshed: at a refresh the ID token is about the same login and goes with the new access token (OpenID Connect
// Core section 12.2).
func TestIDTokenRefreshed(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c := w.app(lanyard.AppInput{Type: "public"})
	r := c.tokens()
	first := w.idToken(r)
	clock.Advance(time.Hour)
	w.sync()
	next := c.refresh(r.text("refresh_token"))
	second := w.idToken(next)
	sum := sha256.Sum256([]byte(next.text("access_token")))
	want := map[string]any{"iat": float64(clock.Now().Unix()), "exp": float64(clock.Now().Unix() + 3600), "at_hash": base64.RawURLEncoding.EncodeToString(sum[:16])}
	for _, same := range []string{"iss", "sub", "aud", "auth_time", "acr", "amr", "sid"} {
		want[same] = first[same]
	}
	if diff := cmp.Diff(want, second); diff != "" {
		t.Errorf("the ID token of a refresh (-want +got):\n%s", diff)
	}
	narrow := c.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {next.text("refresh_token")}, "scope": {"profile.read"}})
	if narrow.status != 200 || narrow.body["id_token"] != nil {
		t.Errorf("a refresh without openid = %d %s, want no ID token", narrow.status, narrow.raw)
	}
}

// TestIDTokenAlg: an app gets the algorithm it registered, and at_hash goes with it.
func TestIDTokenAlg(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	for _, alg := range []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA} {
		c := w.app(lanyard.AppInput{Type: "public", OAuthSettings: lanyard.OAuthSettings{IDTokenSignedResponseAlg: string(alg)}})
		r := c.tokens()
		short, long := sha256.Sum256([]byte(r.text("access_token"))), sha512.Sum512([]byte(r.text("access_token")))
		want := base64.RawURLEncoding.EncodeToString(short[:16])
		if alg == jose.EdDSA {
			want = base64.RawURLEncoding.EncodeToString(long[:32])
		}
		if claims := w.opened(r.text("id_token"), "JWT", alg); claims["at_hash"] != want || claims["sub"] != w.ada.ID {
			t.Errorf("%s: %v, want Ada's with at_hash %s", alg, claims, want)
		}
	}
	for _, alg := range []string{"none", "HS256", "ES512", "es256"} {
		in := lanyard.AppInput{Name: "Odd", TeamID: w.team.ID, OAuthSettings: lanyard.OAuthSettings{RedirectURIs: []string{callback}, IDTokenSignedResponseAlg: alg}}
		if a, err := w.node.Manage.CreateApp(t.Context(), w.admin(), in); err == nil {
			t.Errorf("an app with ID tokens by %s = %+v, want it refused", alg, a)
		}
	}
}

// TestMaxAge: a login that is too old is done again, and the ID token says when (OpenID Connect Core section 3.1.2.1).
func TestMaxAge(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c := w.app(lanyard.AppInput{Type: "public"})
	c.code(nil)
	for _, age := range []string{"-1", "x", "1.5", "99999999999999999999", "0x10"} {
		if got := c.login(url.Values{"max_age": {age}}); got.Get("error") != "invalid_request" {
			t.Errorf("max_age %s = %v, want invalid_request", age, got)
		}
	}
	clock.Advance(100 * time.Second)
	w.sync()
	if p := w.browser.Get(c.ask(url.Values{"max_age": {"99"}})); !p.Has("sign-in") {
		t.Errorf("a login of 100 s with max_age 99 = %s, want the sign-in page", p.URL)
	}
	if got := c.login(url.Values{"max_age": {"99"}, "prompt": {"none"}}); got.Get("error") != "login_required" {
		t.Errorf("silently = %v, want login_required", got)
	}
	if p := w.browser.Get(c.ask(url.Values{"max_age": {"101"}})); p.Away == nil {
		t.Errorf("a login of 100 s with max_age 101 = %s, want the app", p.URL)
	}
	for _, age := range []string{"99", "0"} {
		claims := w.idToken(c.asks(url.Values{"max_age": {age}}))
		if claims["auth_time"] != float64(clock.Now().Unix()) {
			t.Errorf("max_age %s: auth_time = %v, want %d: they signed in again", age, claims["auth_time"], clock.Now().Unix())
		}
		clock.Advance(100 * time.Second)
		w.sync()
	}
}

// TestPrompt: what the app wants shown is shown, whoever is logged in and whatever was allowed; nothing is shown with none.
// TestSilently has the rest of none.
func TestPrompt(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c := w.app(lanyard.AppInput{Type: "public"})
	c.code(nil)
	for _, prompt := range []string{"none login", "consent none", "create", "LOGIN", "login,consent", "null"} {
		if got := c.login(url.Values{"prompt": {prompt}}); got.Get("error") != "invalid_request" {
			t.Errorf("prompt %s = %v, want invalid_request", prompt, got)
		}
	}
	clock.Advance(time.Minute)
	w.sync()
	for _, prompt := range []string{"login", "select_account", "login consent"} {
		p := w.browser.Get(c.ask(url.Values{"prompt": {prompt}}))
		if !p.Has("sign-in") {
			t.Fatalf("prompt %s = %s, want the sign-in page", prompt, p.URL)
		}
		if again := w.browser.Get("/continue?request=" + p.URL.Query().Get("request")); !again.Has("sign-in") {
			t.Errorf("prompt %s, going on without signing in = %s, want the sign-in page", prompt, again.URL)
		}
		p = w.signIn(p)
		if p.Has("approve") != strings.Contains(prompt, "consent") {
			t.Fatalf("prompt %s, after the sign-in = %s", prompt, p.URL)
		}
		if p.Has("approve") {
			p = w.browser.Press(p, "approve", nil)
		}
		if claims := w.idToken(c.redeem(p.Away.Query().Get("code"), nil)); claims["auth_time"] != float64(clock.Now().Unix()) {
			t.Errorf("prompt %s: auth_time = %v, want that of the second login, %d", prompt, claims["auth_time"], clock.Now().Unix())
		}
		clock.Advance(time.Minute)
		w.sync()
	}
}

// TestIDTokenHint: the login is that of the user the hint names, or none (OpenID Connect Core section 3.1.2.1); a hint that is
// no ID token for this app is refused (SECURITY-CASES 56).
func TestIDTokenHint(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	c, other := w.app(lanyard.AppInput{Type: "public"}), w.app(lanyard.AppInput{Name: "Other", Type: "public"})
	eve := w.user("eve@demo.test")
	mine, foreign := c.tokens(), other.tokens()
	ada := w.browser
	w.browser = w.node.Browser(t)
	w.browser.Press(w.browser.Get("/login"), "sign-in", map[string]string{"login": "eve@demo.test", "password": password})
	eves := c.tokens()
	w.browser = ada
	parts := strings.Split(mine.text("id_token"), ".")
	for name, hint := range map[string]string{
		"garbage": "x", "an access token": mine.text("access_token"), "another app's": foreign.text("id_token"), "without its signature": parts[0] + "." + parts[1] + ".",
		"with another's": parts[0] + "." + parts[1] + "." + strings.Split(eves.text("id_token"), ".")[2], "by another key": newSigner(t, jose.ES256, "one").sign(claimsOf(t, mine.text("id_token")), nil),
		"alg none": unsigned(t, claimsOf(t, mine.text("id_token")), "none"), "a refresh token": mine.text("refresh_token"),
	} {
		if got := c.login(url.Values{"id_token_hint": {hint}}); got.Get("error") != "invalid_request" {
			t.Errorf("a hint %s = %v, want invalid_request", name, got)
		}
	}
	clock.Advance(2 * time.Hour)
	w.sync()
	hers, his := url.Values{"id_token_hint": {mine.text("id_token")}, "prompt": {"none"}}, url.Values{"id_token_hint": {eves.text("id_token")}, "prompt": {"none"}}
	if got := c.login(hers); got.Get("code") == "" {
		t.Errorf("the hint of who is logged in, expired = %v, want a code", got)
	}
	if got := c.login(his); got.Get("error") != "login_required" {
		t.Errorf("silently with the hint of another user = %v, want login_required", got)
	}
	his.Del("prompt")
	clock.Advance(time.Second)
	p := w.browser.Get(c.ask(his))
	if !p.Has("sign-in") {
		t.Fatalf("with the hint of another user = %s, want the sign-in page", p.URL)
	}
	if !strings.Contains(p.Text(), "another account than the one you are signed in with") || strings.Contains(p.Body, "eve@demo.test") || strings.Contains(p.Body, `value="ada@demo.test"`) {
		t.Errorf("the sign-in page says %s, want that another account is meant, and not which", p.Text())
	}
	if p = w.signIn(p); p.Away == nil || p.Away.Query().Get("error") != "login_required" || p.Away.Query().Has("code") {
		t.Errorf("Ada signs in where Eve is meant = %s, away %v, want login_required: asking again would never end", p.URL, p.Away)
	}
	p = w.node.Browser(t).Get(c.ask(his))
	if !p.Has("sign-in") || !strings.Contains(p.Text(), "It means an account that it knows already") || strings.Contains(p.Body, "eve@demo.test") {
		t.Errorf("a stranger with the hint = %s", p.Text())
	}
	clock.Advance(time.Second)
	p = w.browser.Press(w.browser.Get(c.ask(his)), "sign-in", map[string]string{"login": "eve@demo.test", "password": password})
	if p.Away == nil || p.Away.Query().Get("code") == "" {
		t.Fatalf("Eve signs in = %s, want a code", p.URL)
	}
	if claims := w.idToken(c.redeem(p.Away.Query().Get("code"), nil)); claims["sub"] != eve.ID {
		t.Errorf("sub = %v, want Eve, %s", claims["sub"], eve.ID)
	}
}

// TestHints: login_hint stands in the field, as text; what is only a wish is tolerated (OpenID Connect Core section 3.1.2.1).
func TestHints(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public"})
	p := w.browser.Get(c.ask(url.Values{"login_hint": {"ada@demo.test"}}))
	if !strings.Contains(p.Body, `value="ada@demo.test"`) {
		t.Errorf("the sign-in page does not hold the hint: %.3000s", p.Body)
	}
	p = w.browser.Get(c.ask(url.Values{"login_hint": {`"><script>alert(1)</script>`}}))
	if strings.Contains(p.Body, "<script>alert") || !strings.Contains(p.Body, "&lt;script&gt;alert(1)") {
		t.Errorf("the sign-in page does not escape the hint: %.3000s", p.Body)
	}
	c.code(nil)
	for name, value := range map[string]string{
		"ui_locales": "fr-CA fr en", "claims_locales": "de", "display": "popup", "acr_values": "urn:mace:incommon:iap:silver 2", "login_hint": strings.Repeat("x", 5000), "unknown": "x",
		"registration": "{}", "id_token_hint": "", "request": "", "response_mode": "query",
	} {
		if got := c.login(url.Values{name: {value}}); got.Get("code") == "" {
			t.Errorf("%s = %.60s: %v, want a code", name, value, got)
		}
	}
}

// TestClaimsRefused: a parameter claims of another shape is refused (OpenID Connect Core section 5.5), as is one that wants
// another user or a login that cannot be had (sections 3.1.2.2, 5.5.1.1).
func TestClaimsRefused(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public"})
	eve := w.user("eve@demo.test")
	c.code(nil)
	for _, claims := range []string{
		"x", "null", "[]", `"name"`, "7", "{", `{"id_token":[]}`, `{"id_token":{"name":"x"}}`, `{"id_token":{"name":{"essential":"yes"}}}`, `{"id_token":{"acr":{"values":"1"}}}`,
		`{"x":"` + strings.Repeat("x", 5000) + `"}`, `{"id_token":{"sub":{"value":"nobody"}}}`, `{"userinfo":{"sub":{"value":7}}}`,
		`{"id_token":{},"id_token":{}}`, `{"id_token":{"name":null,"name":null}}`, `{"id_token":{"name":{"essential":true,"essential":false}}}`, `{"userinfo":{}} {}`,
	} {
		if got := c.login(url.Values{"claims": {claims}}); got.Get("error") != "invalid_request" {
			t.Errorf("claims %.60s = %v, want invalid_request", claims, got)
		}
	}
	if got := c.login(url.Values{"claims": {`{"ID_TOKEN":{"sub":{"value":"` + eve.ID + `"}},"Id_Token":{"acr":{"essential":true,"value":"2"}}}`}}); got.Get("code") == "" {
		t.Errorf("claims in other case = %v, want them unknown", got)
	}
	for _, acr := range []string{`{"essential":true,"values":["2","3"]}`, `{"essential":true,"value":"2"}`, `{"essential":true,"value":1}`} {
		if got := c.login(url.Values{"claims": {`{"id_token":{"acr":` + acr + `}}`}}); got.Get("error") != "unmet_authentication_requirements" {
			t.Errorf("acr %s = %v, want unmet_authentication_requirements", acr, got)
		}
	}
	for _, place := range []string{"id_token", "userinfo"} {
		claims := `{"` + place + `":{"sub":{"value":"` + eve.ID + `"}}}`
		if got := c.login(url.Values{"claims": {claims}, "prompt": {"none"}}); got.Get("error") != "login_required" {
			t.Errorf("silently for Eve in %s = %v, want login_required", place, got)
		}
		if p := w.browser.Get(c.ask(url.Values{"claims": {claims}})); !p.Has("sign-in") {
			t.Errorf("for Eve in %s = %s, want the sign-in page", place, p.URL)
		}
		hint := c.tokens().text("id_token")
		if got := c.login(url.Values{"claims": {claims}, "id_token_hint": {hint}}); got.Get("error") != "invalid_request" {
			t.Errorf("for Eve in %s with Ada's hint = %v, want invalid_request", place, got)
		}
	}
}

// TestClaims: what is asked by name is told where it was asked for, if the user let it be told: it is asked of them like a
// scope. Nothing can be put into the mouth of the ID token.
func TestClaims(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	c := w.app(lanyard.AppInput{Type: "public"})
	userinfo := func(r *reply) map[string]any {
		t.Helper()
		return call(t, http.MethodGet, w.node.URL+"/oauth/userinfo", nil, http.Header{"Authorization": {"Bearer " + r.text("access_token")}}).body
	}
	both := url.Values{"scope": {"openid"}, "claims": {`{"id_token":{"name":{"essential":true},"nickname":null},"userinfo":{"email":null}}`}}
	p := w.signIn(w.browser.Get(c.ask(both)))
	if !p.Has("scope-profile") || !p.Has("scope-email") {
		t.Fatalf("the consent page does not ask for name and mail address: %s", p.Text())
	}
	p = w.browser.Press(p, "approve", map[string]string{"-scope-email": ""})
	r := c.redeem(p.Away.Query().Get("code"), nil)
	token, info := w.idToken(r), userinfo(r)
	if token["name"] != "Ada" || token["email"] != nil || token["nickname"] != nil || info["email"] != nil || r.text("scope") != "openid profile" {
		t.Errorf("with the address unticked: ID token %v, userinfo %v, scope %q, want the name alone", token, info, r.text("scope"))
	}
	silent := c.asks(url.Values{"scope": {"openid"}, "claims": {`{"userinfo":{"email":null}}`}, "prompt": {"none"}})
	if info := userinfo(silent); info["sub"] == nil || info["email"] != nil || silent.text("scope") != "openid" {
		t.Errorf("silently what was unticked = %v, scope %q, want it left out", info, silent.text("scope"))
	}
	both.Set("prompt", "consent")
	r = c.redeem(w.browser.Press(w.browser.Get(c.ask(both)), "approve", map[string]string{"+scope-email": ""}).Away.Query().Get("code"), nil)
	token, info = w.idToken(r), userinfo(r)
	if token["name"] != "Ada" || token["email"] != nil || info["email"] != "ada@demo.test" || info["email_verified"] != true {
		t.Errorf("with both ticked: ID token %v, userinfo %v, want the name here and the address there", token, info)
	}
	if next := w.idToken(c.refresh(r.text("refresh_token"))); next["name"] != "Ada" || next["email"] != nil {
		t.Errorf("after a refresh: ID token %v, want the same", next)
	}
	odd := `{"id_token":{"iss":{"value":"https://evil.test"},"aud":{"value":"x"},"exp":{"value":1},"nonce":{"value":"x"},"sub":{"value":"` + w.ada.ID + `"},"acr":{"essential":true,"values":["9","1"]},"auth_time":{"essential":true},"password":null}}`
	token = w.idToken(c.asks(url.Values{"scope": {"openid"}, "claims": {odd}}))
	if token["iss"] != w.node.URL || token["aud"] != c.id || token["nonce"] != "no" || token["sub"] != w.ada.ID || token["acr"] != "1" || token["auth_time"] == nil || token["password"] != nil {
		t.Errorf("values asked for: ID token %v, want what is true", token)
	}
	plain := c.asks(url.Values{"scope": {"profile.read"}, "claims": {`{"userinfo":{"email":null}}`}})
	if plain.status != 200 || plain.text("scope") != "profile.read" {
		t.Errorf("claims without openid = %d %s, want them to ask for nothing", plain.status, plain.raw)
	}
}
