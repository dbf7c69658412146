package oauth_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// object are the claims of a request object that is right, with changes; nil takes one away.
func (c *client) object(now time.Time, change map[string]any) map[string]any {
	claims := map[string]any{
		"iss": c.id, "aud": c.w.node.URL, "exp": now.Add(time.Minute).Unix(), "client_id": c.id, "response_type": "code", "redirect_uri": callback,
		"scope": "openid profile.read", "state": "inside", "nonce": "no", "code_challenge": challenge(verifier), "code_challenge_method": "S256",
	}
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

// asking makes an app that signs its requests, whose user is logged in and has allowed it everything.
func (w *world) asking(settings lanyard.OAuthSettings) *client {
	w.tb.Helper()
	c := w.app(lanyard.AppInput{Type: "public", OAuthSettings: settings})
	c.code(nil)
	return c
}

// compact is a JWS of a header and of a payload as they are, signed by the key with ES256.
func (s *signer) compact(header, payload string) string {
	s.tb.Helper()
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + payload
	sum := sha256.Sum256([]byte(input))
	key, _ := s.key.(*ecdsa.PrivateKey)
	r, v, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		s.tb.Fatal(err)
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	v.FillBytes(signature[32:])
	return input + "." + base64.RawURLEncoding.EncodeToString(signature[:])
}

func encoded(tb testing.TB, claims any) string {
	tb.Helper()
	raw, err := json.Marshal(claims)
	if err != nil {
		tb.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// TestRequestObjectRefused: what the app did not sign for this server, now, as one JWS, is no request (RFC 9101 sections 4, 6
// and 10; SECURITY-CASES 156, 160). The app is told, with the state that stood outside.
func TestRequestObjectRefused(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	key, foreign := newSigner(t, jose.ES256, "one"), newSigner(t, jose.ES256, "one")
	c, other := w.asking(lanyard.OAuthSettings{JWKS: public(t, key)}), w.app(lanyard.AppInput{Name: "Other", Type: "public"})
	now := clock.Now()
	with := func(change map[string]any) string { return key.sign(c.object(now, change), nil) }
	header := func(change map[jose.HeaderKey]any) string { return key.sign(c.object(now, nil), change) }
	right := with(nil)
	parts := strings.Split(right, ".")
	body := encoded(t, c.object(now, nil))
	plain, err := json.Marshal(c.object(now, map[string]any{"aud": nil, "redirect_uri": nil}))
	if err != nil {
		t.Fatal(err)
	}
	mine := c.redeem(c.code(nil), nil)
	for name, object := range map[string]string{
		"garbage":                   "x",
		"two parts":                 parts[0] + "." + parts[1],
		"no signature":              parts[0] + "." + parts[1] + ".",
		"another's signature":       foreign.sign(c.object(now, nil), nil),
		"changed after it":          parts[0] + "." + encoded(t, c.object(now, map[string]any{"scope": "openid posts.write"})) + "." + parts[2],
		"another key in the header": foreign.sign(c.object(now, nil), map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: foreign.key.Public()}}),
		"a key set in the header":   foreign.sign(c.object(now, nil), map[jose.HeaderKey]any{"jku": "https://evil.test/jwks"}),
		"alg none":                  unsigned(t, c.object(now, nil), "none"),
		"alg NONE":                  unsigned(t, c.object(now, nil), "NONE"),
		"an HMAC by its public key": shared(t, key, c.object(now, nil)),
		"a kid that is not there":   (&signer{tb: t, alg: key.alg, kid: "two", key: key.key}).sign(c.object(now, nil), nil),
		"a critical member":         key.compact(`{"alg":"ES256","kid":"one","crit":["x"],"x":1}`, body),
		"b64 false":                 key.compact(`{"alg":"ES256","kid":"one","b64":false,"crit":["b64"]}`, string(plain)),
		"b64 false, encoded":        key.compact(`{"alg":"ES256","kid":"one","b64":false,"crit":["b64"]}`, body),
		"two signatures":            right + "." + parts[2],
		"JSON, flattened":           `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`,
		"JSON, general, twice":      `{"payload":"` + parts[1] + `","signatures":[{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"},{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"}]}`,
		"an encrypted one":          parts[0] + ".." + parts[1] + "." + parts[1] + "." + parts[2],
		"an empty encrypted one":    "....",
		"typ of an access token":    header(map[jose.HeaderKey]any{"typ": "at+jwt"}),
		"typ of a proof":            header(map[jose.HeaderKey]any{"typ": "dpop+jwt"}),
		"an assertion of the app":   key.sign(c.claims(now, nil), nil),
		"good as an assertion":      with(map[string]any{"sub": c.id}),
		"an ID token of ours":       mine.text("id_token"),
		"an access token of ours":   mine.text("access_token"),
		"another iss":               with(map[string]any{"iss": other.id}),
		"an iss that is no text":    with(map[string]any{"iss": 7}),
		"another aud":               with(map[string]any{"aud": "https://elsewhere.test"}),
		"the token endpoint as aud": with(map[string]any{"aud": w.node.URL + "/oauth/token"}),
		"another client_id":         with(map[string]any{"client_id": other.id}),
		"another response_type":     with(map[string]any{"response_type": "token"}),
		"expired":                   with(map[string]any{"exp": now.Unix()}),
		"exp as text":               with(map[string]any{"exp": "tomorrow"}),
		"not valid yet":             with(map[string]any{"nbf": now.Unix() + 62}),
		"a request in it":           with(map[string]any{"request": right}),
		"a request_uri in it":       with(map[string]any{"request_uri": "https://evil.test/x"}),
		"a fraction":                with(map[string]any{"max_age": 1.5}),
		"a list in a list":          with(map[string]any{"scope": [][]string{{"openid"}}}),
		"two of a name":             key.compact(`{"alg":"ES256","kid":"one"}`, base64.RawURLEncoding.EncodeToString([]byte(`{"client_id":"`+c.id+`","scope":"openid","scope":"openid posts.write"}`))),
		"claims that are none":      key.compact(`{"alg":"ES256","kid":"one"}`, base64.RawURLEncoding.EncodeToString([]byte(`["openid"]`))),
		"claims of null":            key.compact(`{"alg":"ES256","kid":"one"}`, base64.RawURLEncoding.EncodeToString([]byte(`null`))),
	} {
		got := c.login(url.Values{"request": {object}})
		if got.Get("error") != "invalid_request_object" || got.Get("state") != "st" || got.Get("iss") != w.node.URL || got.Has("code") {
			t.Errorf("%s = %v, want invalid_request_object", name, got)
		}
	}
	p := w.browser.Get(c.ask(url.Values{"request": {with(map[string]any{"login_hint": strings.Repeat("x", 12<<10)})}}))
	if p.Status != http.StatusBadRequest || p.Away != nil || !strings.Contains(p.Text(), "too long") {
		t.Errorf("an oversized one = %d, away %v, %.300s, want a page that says so", p.Status, p.Away, p.Text())
	}
	if got := c.login(url.Values{"request": {right}}); got.Get("code") == "" {
		t.Errorf("after all this, the right one = %v, want a code", got)
	}
}

// TestRequestObjectStays: an object that names a redirect URI of nobody's is shown here and sent nowhere (RFC 9700 section
// 4.11).
func TestRequestObjectStays(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	key := newSigner(t, jose.ES256, "one")
	c := w.asking(lanyard.OAuthSettings{JWKS: public(t, key)})
	for _, uri := range redirects(t) {
		object := key.sign(c.object(time.Now(), map[string]any{"redirect_uri": uri}), nil)
		for name, outside := range map[string][]string{"the right one outside": {callback}, "none outside": nil, "the same outside": {uri}} {
			p := w.browser.Get(c.ask(url.Values{"request": {object}, "redirect_uri": outside}))
			if p.Status != http.StatusBadRequest || p.Away != nil || strings.Contains(p.Body, "evil.test") {
				t.Errorf("redirect_uri %s inside, %s = %d, away %v, want a page that stays", uri, name, p.Status, p.Away)
			}
		}
	}
	p := w.browser.Get(c.ask(url.Values{"request": {"garbage"}, "redirect_uri": nil}))
	if p.Status != http.StatusBadRequest || p.Away != nil {
		t.Errorf("garbage and no redirect_uri = %d, away %v, want a page that stays", p.Status, p.Away)
	}
}

// TestRequestObjectCounts: what is inside counts, and what it leaves out may stand outside (OpenID Connect Core section
// 6.1); client_id and the object are all that is needed (RFC 9101 section 5).
func TestRequestObjectCounts(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	key := newSigner(t, jose.ES256, "one")
	c := w.asking(lanyard.OAuthSettings{JWKS: public(t, key), RedirectURIs: []string{callback, callback + "/2"}})
	now := clock.Now()
	go2 := func(change map[string]any, query url.Values) url.Values {
		t.Helper()
		query.Set("client_id", c.id)
		query.Set("request", key.sign(c.object(now, change), nil))
		p := w.browser.Get("/oauth/authorize?" + query.Encode())
		if p.Away == nil {
			t.Fatalf("with %v and %v outside the way ended at %s (%d): %.400s", change, query, p.URL, p.Status, p.Text())
		}
		got := p.Away.Query()
		got.Set("at", p.Away.Path)
		return got
	}
	got := go2(map[string]any{"redirect_uri": callback + "/2"}, url.Values{})
	if got.Get("code") == "" || got.Get("state") != "inside" || got.Get("at") != "/cb/2" {
		t.Errorf("the object alone = %v, want a code at its redirect URI", got)
	}
	differing := url.Values{
		"response_type": {"code"}, "redirect_uri": {callback}, "scope": {"openid posts.write"}, "state": {"outside"}, "nonce": {"outside"}, "code_challenge": {challenge("x")},
		"prompt": {"none"},
	}
	got = go2(map[string]any{"redirect_uri": callback + "/2"}, differing)
	if got.Get("state") != "inside" || got.Get("at") != "/cb/2" {
		t.Errorf("with others outside = %v, want what is inside", got)
	}
	r := c.redeem(got.Get("code"), url.Values{"redirect_uri": {callback + "/2"}})
	if r.status != 200 || r.text("scope") != "openid profile.read" || claimsOf(t, r.text("id_token"))["nonce"] != "no" {
		t.Errorf("redeem = %d %s, want the scopes, the nonce and the challenge inside", r.status, r.raw)
	}
	got = go2(map[string]any{"prompt": "none", "scope": "openid messages.read"}, url.Values{"prompt": {"login"}})
	if got.Get("error") != "consent_required" {
		t.Errorf("prompt none inside, login outside = %v, want consent_required", got)
	}
	got = go2(map[string]any{"state": nil, "nonce": nil}, url.Values{"state": {"outside"}, "nonce": {"outside"}})
	r = c.redeem(got.Get("code"), nil)
	if got.Get("state") != "outside" || claimsOf(t, r.text("id_token"))["nonce"] != "outside" {
		t.Errorf("what the object leaves out = %v, %s, want it from outside", got, r.raw)
	}
	for name, change := range map[string]map[string]any{
		"neither iss, aud nor exp":  {"iss": nil, "aud": nil, "exp": nil},
		"one of two in aud":         {"aud": []string{"https://elsewhere.test", w.node.URL}},
		"nbf within a minute":       {"nbf": now.Unix() + 59},
		"the last second":           {"exp": now.Unix() + 1},
		"a number, an object, bool": {"max_age": 3600, "claims": map[string]any{"id_token": map[string]any{"auth_time": nil}}, "x": true},
		"no client_id":              {"client_id": nil},
		"a list of one":             {"resource": []string{w.node.URL + "/apis/mail"}},
	} {
		if got := go2(change, url.Values{}); got.Get("code") == "" {
			t.Errorf("%s = %v, want a code", name, got)
		}
	}
}

// TestRequestObjectAlg: any algorithm that discovery names does, unless the app registered one.
func TestRequestObjectAlg(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	algs := []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA}
	var keys []*signer
	for _, alg := range algs {
		keys = append(keys, newSigner(t, alg, string(alg)))
	}
	free := w.asking(lanyard.OAuthSettings{JWKS: public(t, keys...)})
	bound := w.asking(lanyard.OAuthSettings{JWKS: public(t, keys...), RequestObjectSigningAlg: "PS256"})
	for _, key := range keys {
		for _, typ := range []string{"JWT", "oauth-authz-req+jwt", "OAUTH-authz-req+jwt"} {
			object := key.sign(free.object(time.Now(), nil), map[jose.HeaderKey]any{"typ": typ})
			if got := free.login(url.Values{"request": {object}}); got.Get("code") == "" {
				t.Errorf("%s, typ %s = %v, want a code", key.alg, typ, got)
			}
		}
		got := bound.login(url.Values{"request": {key.sign(bound.object(time.Now(), nil), nil)}})
		if (got.Get("code") != "") != (key.alg == jose.PS256) || !got.Has("code") && got.Get("error") != "invalid_request_object" {
			t.Errorf("%s, where PS256 is registered = %v", key.alg, got)
		}
	}
	none := w.asking(lanyard.OAuthSettings{})
	if got := none.login(url.Values{"request": {keys[0].sign(none.object(time.Now(), nil), nil)}}); got.Get("error") != "invalid_request_object" {
		t.Errorf("an app without keys = %v, want invalid_request_object", got)
	}
}

// TestRequestObjectByReference: a registered address is read as it stands, at each request, through the guarded client; no
// other is (RFC 9101 sections 5.2 and 10.4; SECURITY-CASES 148, 150).
func TestRequestObjectByReference(t *testing.T) {
	var serves atomic.Pointer[http.HandlerFunc]
	var asked atomic.Int64
	there, allow := stranger(t, func(rw http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		(*serves.Load())(rw, r)
	})
	w := newWorld(t, servertest.Options{Settings: allow})
	key, foreign := newSigner(t, jose.ES256, "one"), newSigner(t, jose.ES256, "one")
	c := w.asking(lanyard.OAuthSettings{JWKS: public(t, key), RequestURIs: []string{there.URL + "/object#old-digest"}})
	fetch := func(address string, serve http.HandlerFunc) url.Values {
		t.Helper()
		serves.Store(&serve)
		return c.login(url.Values{"request_uri": {address}})
	}
	text := func(status int, body string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(status); _, _ = rw.Write([]byte(body)) }
	}
	right := key.sign(c.object(time.Now(), nil), nil)
	for _, address := range []string{
		there.URL + "/other", there.URL + "/object/", there.URL + "/object?x=1", there.URL + "/OBJECT", there.URL + "/%6fbject", strings.Replace(there.URL, "https", "http", 1) + "/object",
		strings.Replace(there.URL, "https://", "https://x@", 1) + "/object", "https://127.0.0.1/object", "https://169.254.169.254/latest/meta-data", "file:///etc/passwd", "x", "urn:x",
	} {
		asked.Store(0)
		if got := fetch(address, text(200, right)); got.Get("error") != "invalid_request_uri" || asked.Load() != 0 {
			t.Errorf("request_uri %s = %v after %d requests, want invalid_request_uri and none", address, got, asked.Load())
		}
	}
	address := there.URL + "/object"
	for name, serve := range map[string]http.HandlerFunc{
		"a redirect to another": func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, "/elsewhere", http.StatusFound) },
		"a redirect inside":     func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, w.node.URL, http.StatusFound) },
		"not found":             text(404, right),
		"not there":             text(500, right),
		"nothing new":           text(204, ""),
		"too much":              text(200, right+strings.Repeat(" ", 64<<10)),
	} {
		if got := fetch(address, serve); got.Get("error") != "invalid_request_uri" {
			t.Errorf("an address that answers %s = %v, want invalid_request_uri", name, got)
		}
	}
	for name, body := range map[string]string{"nothing": "", "a page": "<html>", "another's": foreign.sign(c.object(time.Now(), nil), nil), "an unsigned one": unsigned(t, c.object(time.Now(), nil), "none")} {
		if got := fetch(address, text(200, body)); got.Get("error") != "invalid_request_object" {
			t.Errorf("an address with %s = %v, want invalid_request_object", name, got)
		}
	}
	for name, address := range map[string]string{"as registered": address + "#old-digest", "without fragment": address, "with another": address + "#new-digest"} {
		asked.Store(0)
		if got := fetch(address, text(200, "\n"+right+"\n")); got.Get("code") == "" || got.Get("state") != "inside" || asked.Load() != 1 {
			t.Errorf("%s = %v after %d requests, want a code after one", name, got, asked.Load())
		}
	}
	if got := c.login(url.Values{"request_uri": {address}, "request": {right}}); got.Get("error") != "invalid_request" {
		t.Errorf("by value and by reference = %v, want invalid_request", got)
	}
	for _, address := range []string{"https://127.0.0.1:1/object", "http://" + strings.TrimPrefix(there.URL, "https://") + "1/object", "https://[::1]/object", "https://169.254.169.254/x", "ftp://evil.test/x"} {
		in := lanyard.AppInput{Name: "Inside", TeamID: w.team.ID, OAuthSettings: lanyard.OAuthSettings{RedirectURIs: []string{callback}, RequestURIs: []string{address}}}
		if a, err := w.node.Manage.CreateApp(t.Context(), w.admin(), in); err == nil {
			t.Errorf("an app with request_uri %s = %+v, want it refused", address, a)
		}
	}
}

// TestRequestObjectPushed: a pushed request may be an object (RFC 9126 section 3), and is checked before the user comes.
func TestRequestObjectPushed(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	key, foreign := newSigner(t, jose.ES256, "one"), newSigner(t, jose.ES256, "one")
	c := w.asking(lanyard.OAuthSettings{JWKS: public(t, key), RequestURIs: []string{"https://rp.test/object"}, RequirePushedRequests: false})
	push := func(form url.Values) *reply {
		t.Helper()
		form.Set("client_id", c.id)
		return w.post("/oauth/par", form, nil)
	}
	object := func(change map[string]any) url.Values {
		return url.Values{"request": {key.sign(c.object(time.Now(), change), nil)}}
	}
	w.refused("another's signature", push(url.Values{"request": {foreign.sign(c.object(time.Now(), nil), nil)}}), 400, "invalid_request_object")
	w.refused("alg none", push(url.Values{"request": {unsigned(t, c.object(time.Now(), nil), "none")}}), 400, "invalid_request_object")
	w.refused("expired", push(object(map[string]any{"exp": 1})), 400, "invalid_request_object")
	w.refused("an object in it", push(object(map[string]any{"request": "x"})), 400, "invalid_request_object")
	w.refused("an address in it", push(object(map[string]any{"request_uri": "https://rp.test/object"})), 400, "invalid_request_object")
	w.refused("an address pushed", push(url.Values{"request_uri": {"https://rp.test/object"}}), 400, "invalid_request")
	w.refused("another redirect URI", push(object(map[string]any{"redirect_uri": "https://evil.test"})), 400, "invalid_request")
	w.refused("a scope that is none", push(object(map[string]any{"scope": "openid fly"})), 400, "invalid_scope")
	w.refused("oversized", push(url.Values{"request": {strings.Repeat("x", 17<<10)}}), 400, "invalid_request")
	pushed := push(object(nil))
	if pushed.status != http.StatusCreated {
		t.Fatalf("push = %d %s, want 201", pushed.status, pushed.raw)
	}
	p := w.browser.Get("/oauth/authorize?" + url.Values{"client_id": {c.id}, "request_uri": {pushed.text("request_uri")}, "state": {"outside"}}.Encode())
	if p.Away == nil || p.Away.Query().Get("code") == "" || p.Away.Query().Get("state") != "inside" {
		t.Errorf("a pushed object led to %s %v, want a code and the state inside", p.URL, p.Away)
	}
}

// TestRequestObjectBomb: an encrypted object that would inflate to a great size is refused as it stands, whatever key it is
// for (SECURITY-CASES 158).
func TestRequestObjectBomb(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	key := newSigner(t, jose.ES256, "one")
	c := w.asking(lanyard.OAuthSettings{JWKS: public(t, key)})
	var ours jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(call(t, http.MethodGet, w.node.URL+"/.well-known/jwks.json", nil, nil).raw), &ours); err != nil {
		t.Fatal(err)
	}
	at := ours.Keys[0]
	for _, k := range ours.Keys {
		if _, curve := k.Key.(*ecdsa.PublicKey); curve {
			at = k
		}
	}
	const size = 8 << 20
	made, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.ECDH_ES, Key: at.Key, KeyID: at.KeyID}, (&jose.EncrypterOptions{Compression: jose.DEFLATE}).WithContentType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := made.Encrypt(bytes.Repeat([]byte("x"), size))
	if err != nil {
		t.Fatal(err)
	}
	bomb, err := sealed.CompactSerialize()
	if err != nil || len(bomb) >= 16<<10 {
		t.Fatalf("the bomb has %d bytes (%v), want it to be let in", len(bomb), err)
	}
	form := url.Values{"client_id": {c.id}, "request": {bomb}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w.refused("a bomb", w.post("/oauth/par", form, nil), 400, "invalid_request_object")
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > size/2 {
		t.Errorf("refusing %d bytes took %d, want them not inflated", len(bomb), used)
	}
}

// claimsOf reads what a JWT says, without looking at its signature.
func claimsOf(tb testing.TB, text string) map[string]any {
	tb.Helper()
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		tb.Fatalf("%q is no JWT", text)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims map[string]any
	if err != nil || json.Unmarshal(raw, &claims) != nil {
		tb.Fatalf("%q is no JWT: %v", text, err)
	}
	return claims
}
