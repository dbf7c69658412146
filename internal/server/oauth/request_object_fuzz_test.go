package oauth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyard-auth/lanyard/internal/app"
)

// FuzzRequestObject: whatever an app signs, what comes out are parameters as a query could hold them, of this app, and no
// further object; and a header that says anything else than ES256 here is refused.
func FuzzRequestObject(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "one"}}})
	if err != nil {
		f.Fatal(err)
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	s := &Server{Config: Config{Issuer: "https://id.test", Now: func() time.Time { return now }}}
	a := &app.App{ID: "app_0000000000000000", OAuth: app.OAuth{JWKS: set}}
	const es256 = `{"alg":"ES256","kid":"one"}`
	for _, payload := range []string{
		`{"client_id":"app_0000000000000000","iss":"app_0000000000000000","aud":["https://id.test"],"exp":1795435201,"scope":"openid","state":"inside"}`,
		`{"max_age":3600,"claims":{"id_token":{"name":null}},"resource":["https://a.test","https://b.test"],"x":true}`,
		`{"scope":["openid","email"]}`, `{"request":"x"}`, `{"sub":"app_0000000000000000"}`, `{"exp":1e300}`, `{"aud":7}`, `{"":null}`, `{"state":"\u0000"}`, `[]`, `null`, `{`, "\xff",
	} {
		f.Add(es256, payload)
	}
	for _, header := range []string{`{"alg":"none"}`, `{"alg":"ES256","typ":"at+jwt"}`, `{"alg":"ES256","crit":["b64"],"b64":false}`, `{"alg":"ES256","zip":"DEF"}`, `{"alg":["ES256"]}`, `{"alg":"ES256","jwk":{}}`} {
		f.Add(header, `{"scope":"openid"}`)
	}
	f.Fuzz(func(t *testing.T, header, payload string) {
		input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
		sum := sha256.Sum256([]byte(input))
		x, y, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		var signature [64]byte
		x.FillBytes(signature[:32])
		y.FillBytes(signature[32:])
		outer := params{url.Values{"client_id": {string(a.ID)}, "state": {"outside"}, "request": {"x"}}}
		got, err := s.openObject(t.Context(), a, outer, input+"."+base64.RawURLEncoding.EncodeToString(signature[:]))
		if err != nil {
			return
		}
		var said map[string]any
		if json.Unmarshal([]byte(header), &said) != nil || said["alg"] != "ES256" || said["crit"] != nil {
			t.Errorf("the header %q is taken", header)
		}
		if got.get("client_id") != string(a.ID) || got.has("request") || got.has("request_uri") {
			t.Errorf("%q gives %v, want this client and no further object", payload, got.values)
		}
		for name, values := range got.values {
			for _, value := range values {
				if len(values) > 1 && !repeatable(name) || !utf8.ValidString(value) {
					t.Errorf("%q gives %s = %q, which no query may hold", payload, name, values)
				}
			}
		}
	})
}
