package oauth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// signer is an app's private key.
type signer struct {
	tb  testing.TB
	alg jose.SignatureAlgorithm
	kid string
	key crypto.Signer
}

func newSigner(tb testing.TB, alg jose.SignatureAlgorithm, kid string) *signer {
	tb.Helper()
	s := &signer{tb: tb, alg: alg, kid: kid}
	var err error
	switch alg {
	case jose.ES256:
		s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.EdDSA:
		_, s.key, err = ed25519.GenerateKey(rand.Reader)
	default:
		s.key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// public is the set of the public keys of signers, as a client publishes it.
func public(tb testing.TB, signers ...*signer) json.RawMessage {
	tb.Helper()
	var set jose.JSONWebKeySet
	for _, s := range signers {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: s.key.Public(), KeyID: s.kid, Use: "sig"})
	}
	raw, err := json.Marshal(set)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// sign makes a JWT of claims with a header.
func (s *signer) sign(claims map[string]any, header map[jose.HeaderKey]any) string {
	s.tb.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		s.tb.Fatal(err)
	}
	made, err := jose.NewSigner(jose.SigningKey{Algorithm: s.alg, Key: jose.JSONWebKey{Key: s.key, KeyID: s.kid}}, &jose.SignerOptions{ExtraHeaders: header})
	if err != nil {
		s.tb.Fatal(err)
	}
	signed, err := made.Sign(payload)
	if err != nil {
		s.tb.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		s.tb.Fatal(err)
	}
	return text
}

// claims are those of an assertion that is right, with changes; nil takes one away.
func (c *client) claims(now time.Time, change map[string]any) map[string]any {
	claims := map[string]any{
		"iss": c.id, "sub": c.id, "aud": c.w.node.URL, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": string(id.New[id.Grant]()),
	}
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

// assert sends an assertion in place of a secret.
func (c *client) assert(text string, change url.Values) *reply {
	c.w.tb.Helper()
	form := itself(url.Values{"client_assertion": {text}, "client_assertion_type": {assertionType}})
	maps.Copy(form, change)
	return c.w.post("/oauth/token", form, nil)
}

// signing makes an app that proves itself by keys.
func (w *world) signing(name string, keys ...*signer) *client {
	w.tb.Helper()
	return w.machine(lanyard.AppInput{Name: name, OAuthSettings: lanyard.OAuthSettings{TokenEndpointAuthMethod: "private_key_jwt", JWKS: public(w.tb, keys...)}})
}

// TestAssertionRefused: an assertion that is not the client's own, for this server, in force and new proves nothing
// (PROTOCOLS OAuth 16; RFC 7523 section 3; SECURITY-CASES 156).
func TestAssertionRefused(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	key, foreign := newSigner(t, jose.ES256, "one"), newSigner(t, jose.ES256, "one")
	c, other, secretive := w.signing("Signer", key), w.signing("Other", foreign), w.machine(lanyard.AppInput{Name: "Secretive"})
	now := clock.Now()
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	for name, change := range map[string]map[string]any{
		"no aud":                    {"aud": nil},
		"an empty aud":              {"aud": []string{}},
		"another server's aud":      {"aud": "https://elsewhere.test"},
		"the token endpoint as aud": {"aud": w.node.URL + "/oauth/token"},
		"the issuer and a slash":    {"aud": w.node.URL + "/"},
		"two audiences":             {"aud": []string{w.node.URL, "https://elsewhere.test"}},
		"no exp":                    {"exp": nil},
		"exp of now":                {"exp": at(0)},
		"expired":                   {"exp": at(-time.Second)},
		"too long a life":           {"exp": at(time.Hour + time.Second)},
		"exp of year 9999":          {"exp": 253402300799},
		"exp as text":               {"exp": "tomorrow"},
		"not yet":                   {"nbf": at(61 * time.Second)},
		"from the future":           {"iat": at(61 * time.Second)},
		"no jti":                    {"jti": nil},
		"an empty jti":              {"jti": ""},
		"a number as jti":           {"jti": 7},
		"no sub":                    {"sub": nil},
		"another sub":               {"sub": other.id},
		"no iss":                    {"iss": nil},
		"another app's iss":         {"iss": other.id, "sub": other.id},
		"an iss without keys":       {"iss": secretive.id, "sub": secretive.id},
		"an unknown iss":            {"iss": "app_0000000000000000", "sub": "app_0000000000000000"},
		"the issuer as iss":         {"iss": w.node.URL, "sub": w.node.URL},
	} {
		w.refused(name, c.assert(key.sign(c.claims(now, change), nil), nil), 401, "invalid_client")
	}
	right := func() string { return key.sign(c.claims(now, nil), nil) }
	for name, text := range map[string]string{
		"another app's key": foreign.sign(c.claims(now, nil), nil),
		"nothing":           "x",
		"two parts":         strings.Join(strings.Split(right(), ".")[:2], "."),
		"no signature":      right()[:strings.LastIndexByte(right(), '.')+1],
		"no algorithm":      unsigned(t, c.claims(now, nil), "none"),
		"NONE":              unsigned(t, c.claims(now, nil), "NONE"),
		"HMAC with the key": shared(t, key, c.claims(now, nil)),
		"a crit of its own": key.sign(c.claims(now, nil), map[jose.HeaderKey]any{"crit": []string{"exp"}}),
		"JSON":              `{"payload":"e30","signatures":[{"protected":"e30","signature":"e30"}]}`,
		"JWE":               "e30.e30.e30.e30.e30",
		"its key with it":   foreign.sign(c.claims(now, nil), map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: foreign.key.Public()}}),
		"where its key is":  foreign.sign(c.claims(now, nil), map[jose.HeaderKey]any{"jku": "https://evil.test/jwks", "x5u": "https://evil.test/x5u"}),
	} {
		w.refused(name, c.assert(text, nil), 401, "invalid_client")
	}
	for name, change := range map[string]url.Values{
		"no type":           {"client_assertion_type": {""}},
		"SAML":              {"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}},
		"the grant's type":  {"client_assertion_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}},
		"another client_id": {"client_id": {other.id}},
	} {
		w.refused(name, c.assert(right(), change), 401, "invalid_client")
	}
	w.refused("two assertions", c.assert("", url.Values{"client_assertion": {right(), right()}}), 400, "invalid_request")
	if r := c.assert(right(), url.Values{"client_id": {c.id}}); r.status != 200 {
		t.Errorf("a right one = %d %s, want 200", r.status, r.raw)
	}
}

// unsigned is a JWT without a signature.
func unsigned(tb testing.TB, claims map[string]any, alg string) string {
	tb.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		tb.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"`+alg+`"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload) + "."
}

// shared is a JWT whose HMAC key is what everybody knows: the public key.
func shared(tb testing.TB, s *signer, claims map[string]any) string {
	tb.Helper()
	der, err := x509.MarshalPKIXPublicKey(s.key.Public())
	if err != nil {
		tb.Fatal(err)
	}
	made, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: der}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		tb.Fatal(err)
	}
	signed, err := made.Sign(payload)
	if err != nil {
		tb.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// TestAssertionOnce: a jti is good once for its client, as long as its assertion lives, and a forged one does not use it up
// (RFC 7523 section 3).
func TestAssertionOnce(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	key, foreign := newSigner(t, jose.ES256, ""), newSigner(t, jose.ES256, "")
	c, other := w.signing("Signer", key), w.signing("Other", foreign)
	claims := func(c *client) map[string]any {
		return c.claims(clock.Now(), map[string]any{"jti": "one", "exp": clock.Now().Add(time.Hour).Unix()})
	}
	w.refused("a forged one first", c.assert(foreign.sign(claims(c), nil), nil), 401, "invalid_client")
	text := key.sign(claims(c), nil)
	if r := c.assert(text, nil); r.status != 200 {
		t.Fatalf("the first use = %d %s, want 200", r.status, r.raw)
	}
	w.refused("the same again", c.assert(text, nil), 401, "invalid_client")
	w.refused("its jti in another", c.assert(key.sign(c.claims(clock.Now(), map[string]any{"jti": "one"}), nil), nil), 401, "invalid_client")
	if r := other.assert(foreign.sign(claims(other), nil), nil); r.status != 200 {
		t.Errorf("another client's same jti = %d %s, want 200", r.status, r.raw)
	}
	clock.Advance(time.Hour - time.Second)
	w.sync()
	w.refused("the same in its last second", c.assert(text, nil), 401, "invalid_client")
	clock.Advance(time.Second)
	w.sync()
	w.refused("the same at its end", c.assert(text, nil), 401, "invalid_client")
}

// TestAssertionTaken: with each family of algorithms, by the key the header names or by whichever fits.
func TestAssertionTaken(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	for _, alg := range []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA} {
		key, spare := newSigner(t, alg, "key"), newSigner(t, jose.ES256, "spare")
		c := w.signing(string(alg), spare, key)
		for name, change := range map[string]map[string]any{"plain": nil, "aud as a list": {"aud": []string{w.node.URL}}, "unknown claims": {"x": 1}, "nbf in our past": {"nbf": 1}} {
			if r := c.assert(key.sign(c.claims(time.Now(), change), nil), nil); r.status != 200 {
				t.Errorf("%s, %s = %d %s, want 200", alg, name, r.status, r.raw)
			}
		}
		nameless := *key
		nameless.kid = ""
		if r := c.assert(nameless.sign(c.claims(time.Now(), nil), nil), nil); r.status != 200 {
			t.Errorf("%s without kid = %d %s, want 200", alg, r.status, r.raw)
		}
		misnamed := *key
		misnamed.kid = "spare"
		w.refused(string(alg)+" with another key's name", c.assert(misnamed.sign(c.claims(time.Now(), nil), nil), nil), 401, "invalid_client")
	}
}

// TestAssertionMethod: an app that registered a key cannot fall back to less, and keeps no secret.
func TestAssertionMethod(t *testing.T) {
	w := newWorld(t, servertest.Options{})
	key, method := newSigner(t, jose.ES256, ""), "private_key_jwt"
	c := w.machine(lanyard.AppInput{})
	keys := public(t, key)
	if _, err := w.node.Manage.UpdateApp(t.Context(), w.admin(), c.id, lanyard.AppPatch{OAuthPatch: lanyard.OAuthPatch{TokenEndpointAuthMethod: &method, JWKS: &keys}}); err != nil {
		t.Fatal(err)
	}
	w.sync()
	w.refused("the secret it had before", c.token(itself(nil)), 401, "invalid_client")
	w.refused("its name alone", w.post("/oauth/token", itself(url.Values{"client_id": {c.id}}), nil), 401, "invalid_client")
	if r := c.assert(key.sign(c.claims(time.Now(), nil), nil), nil); r.status != 200 {
		t.Errorf("an assertion = %d %s, want 200", r.status, r.raw)
	}
}

// TestAssertionKeysByAddress: keys at an address are fetched, remembered, and asked for anew when none fits, but not at
// every forged signature; an address that does not answer is a fault and no refusal.
func TestAssertionKeysByAddress(t *testing.T) {
	clock := newClock()
	w := newWorld(t, servertest.Options{Now: clock.Now})
	var fetched atomic.Int64
	var answer atomic.Pointer[func(http.ResponseWriter)]
	site := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		fetched.Add(1)
		(*answer.Load())(rw)
	}))
	defer site.Close()
	says := func(serve func(http.ResponseWriter)) { answer.Store(&serve) }
	publish := func(raw []byte) {
		says(func(rw http.ResponseWriter) { _, _ = rw.Write(raw) })
	}
	one, two := newSigner(t, jose.ES256, "one"), newSigner(t, jose.ES256, "two")
	c := w.machine(lanyard.AppInput{OAuthSettings: lanyard.OAuthSettings{TokenEndpointAuthMethod: "private_key_jwt", JWKSURI: site.URL + "/jwks"}})
	sign := func(s *signer) *reply {
		t.Helper()
		return c.assert(s.sign(c.claims(clock.Now(), nil), nil), nil)
	}
	says(func(rw http.ResponseWriter) { rw.WriteHeader(http.StatusNotFound) })
	w.refused("no key set there", sign(one), 401, "invalid_client")
	says(func(rw http.ResponseWriter) { rw.Header().Set("Location", "/other"); rw.WriteHeader(http.StatusFound) })
	w.refused("a redirect", sign(one), 503, "temporarily_unavailable")
	publish([]byte(`{"keys":"` + strings.Repeat("x", 64<<10) + `"}`))
	w.refused("too long a key set", sign(one), 503, "temporarily_unavailable")
	publish([]byte(`[]`))
	w.refused("no key set", sign(one), 401, "invalid_client")
	private, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: one.key, KeyID: "one"}}})
	if err != nil {
		t.Fatal(err)
	}
	publish(private)
	w.refused("a private key in public", sign(one), 401, "invalid_client")

	publish(public(t, one))
	fetched.Store(0)
	for range 3 {
		if r := sign(one); r.status != 200 {
			t.Fatalf("the published key = %d %s, want 200", r.status, r.raw)
		}
	}
	publish(public(t, two))
	for range 3 {
		w.refused("the next key, at once", sign(two), 401, "invalid_client")
	}
	if n := fetched.Load(); n != 1 {
		t.Errorf("the keys were fetched %d times in half a minute, want once", n)
	}
	clock.Advance(31 * time.Second)
	w.sync()
	if r := sign(two); r.status != 200 {
		t.Errorf("the next key half a minute later = %d %s, want 200", r.status, r.raw)
	}
	w.refused("the key that is gone", sign(one), 401, "invalid_client")
	clock.Advance(16 * time.Minute)
	w.sync()
	site.Close()
	w.refused("nobody answers", sign(two), 503, "temporarily_unavailable")
}
