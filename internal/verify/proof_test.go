package verify_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

const mailURL = "https://api.test/mail/v1/messages"

// prover makes DPoP proofs as a client does.
type prover struct {
	tb  testing.TB
	key crypto.Signer
	alg jose.SignatureAlgorithm
	n   int
}

func newProver(tb testing.TB) *prover {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return &prover{tb: tb, key: key, alg: jose.ES256}
}

func (p *prover) thumbprint() string {
	p.tb.Helper()
	sum, err := (&jose.JSONWebKey{Key: p.key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		p.tb.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// claims of a proof for a request with a token; token "" leaves ath out.
func (p *prover) claims(method, address, token string, at time.Time) map[string]any {
	p.n++
	c := map[string]any{"jti": "proof-" + string(rune('a'+p.n%26)) + strings.Repeat("x", p.n), "htm": method, "htu": address, "iat": at.Unix()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		c["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return c
}

func (p *prover) sign(claims map[string]any) string {
	return p.signWith(claims, map[jose.HeaderKey]any{"typ": "dpop+jwt", "jwk": jose.JSONWebKey{Key: p.key.Public()}})
}

func (p *prover) signWith(claims map[string]any, headers map[jose.HeaderKey]any) string {
	p.tb.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: p.alg, Key: p.key}, &jose.SignerOptions{ExtraHeaders: headers})
	if err != nil {
		p.tb.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		p.tb.Fatal(err)
	}
	return p.compact(s, payload)
}

func (p *prover) compact(s jose.Signer, payload []byte) string {
	p.tb.Helper()
	jws, err := s.Sign(payload)
	if err != nil {
		p.tb.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		p.tb.Fatal(err)
	}
	return text
}

// raw signs an ES256 proof whose parts are written by hand.
func (p *prover) raw(header, payload string) string {
	p.tb.Helper()
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	sum := sha256.Sum256([]byte(input))
	key, _ := p.key.(*ecdsa.PrivateKey)
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		p.tb.Fatal(err)
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return input + "." + base64.RawURLEncoding.EncodeToString(signature[:])
}

func (p *prover) jwk() string {
	p.tb.Helper()
	text, err := (jose.JSONWebKey{Key: p.key.Public()}).MarshalJSON()
	if err != nil {
		p.tb.Fatal(err)
	}
	return string(text)
}

func TestParseProofRefuses(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	p := newProver(t)
	good := p.claims("GET", mailURL, "token", now)
	with := func(change func(map[string]any)) string {
		c := maps.Clone(good)
		change(c)
		return p.sign(c)
	}
	payload, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	private, err := (jose.JSONWebKey{Key: p.key}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip("this Go makes no weak keys") // GODEBUG rsa1024min
	}
	rs := &prover{tb: t, key: weak, alg: jose.RS256}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	hmacKey := []byte("0123456789abcdef0123456789abcdef")
	hmac, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: hmacKey}, (&jose.SignerOptions{}).WithType("dpop+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	valid := p.sign(good)
	for name, text := range map[string]string{
		"nothing":                    "",
		"garbage":                    "a.b.c",
		"two parts":                  valid[:strings.LastIndexByte(valid, '.')],
		"four parts":                 valid + ".x",
		"too long":                   strings.Repeat("a", 9000),
		"padded":                     valid + "=",
		"a line break":               strings.Replace(valid, ".", ".\n", 1),
		"JSON form":                  `{"payload":"e30","protected":"e30","signature":"e30"}`,
		"typ JWT":                    p.signWith(good, map[jose.HeaderKey]any{"typ": "JWT", "jwk": jose.JSONWebKey{Key: p.key.Public()}}),
		"typ in capitals":            p.signWith(good, map[jose.HeaderKey]any{"typ": "DPOP+JWT", "jwk": jose.JSONWebKey{Key: p.key.Public()}}),
		"no typ":                     p.signWith(good, map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: p.key.Public()}}),
		"no key":                     p.signWith(good, map[jose.HeaderKey]any{"typ": "dpop+jwt"}),
		"a private key":              p.raw(`{"typ":"dpop+jwt","alg":"ES256","jwk":`+string(private)+`}`, string(payload)),
		"a key with d":               p.raw(`{"typ":"dpop+jwt","alg":"ES256","jwk":`+strings.TrimSuffix(p.jwk(), "}")+`,"d":"AAAA"}}`, string(payload)),
		"a key with k":               p.raw(`{"typ":"dpop+jwt","alg":"ES256","jwk":`+strings.TrimSuffix(p.jwk(), "}")+`,"k":"AAAA"}}`, string(payload)),
		"two keys":                   p.raw(`{"typ":"dpop+jwt","alg":"ES256","jwk":`+p.jwk()+`,"jwk":`+newProver(t).jwk()+`}`, string(payload)),
		"a critical member":          p.raw(`{"typ":"dpop+jwt","alg":"ES256","crit":["x"],"x":1,"jwk":`+p.jwk()+`}`, string(payload)),
		"b64":                        p.raw(`{"typ":"dpop+jwt","alg":"ES256","b64":false,"crit":["b64"],"jwk":`+p.jwk()+`}`, string(payload)),
		"another's key":              p.raw(`{"typ":"dpop+jwt","alg":"ES256","jwk":`+newProver(t).jwk()+`}`, string(payload)),
		"alg none":                   p.raw(`{"typ":"dpop+jwt","alg":"none","jwk":`+p.jwk()+`}`, string(payload)),
		"alg of another curve":       p.raw(`{"typ":"dpop+jwt","alg":"ES384","jwk":`+p.jwk()+`}`, string(payload)),
		"alg of another kind":        p.raw(`{"typ":"dpop+jwt","alg":"RS256","jwk":`+p.jwk()+`}`, string(payload)),
		"HMAC":                       p.compact(hmac, payload),
		"ES512":                      (&prover{tb: t, key: p521, alg: jose.ES512}).sign(good),
		"a weak RSA key":             rs.sign(good),
		"signature changed":          valid[:len(valid)-3] + "AAA",
		"claims twice":               p.raw(`{"typ":"dpop+jwt","alg":"ES256","jwk":`+p.jwk()+`}`, strings.Replace(string(payload), "{", `{"htm":"POST",`, 1)),
		"claims in another case":     p.raw(`{"typ":"dpop+jwt","alg":"ES256","jwk":`+p.jwk()+`}`, strings.Replace(string(payload), `"htm"`, `"HTM"`, 1)),
		"claims that are none":       p.raw(`{"typ":"dpop+jwt","alg":"ES256","jwk":`+p.jwk()+`}`, `[]`),
		"no jti":                     with(func(c map[string]any) { delete(c, "jti") }),
		"empty jti":                  with(func(c map[string]any) { c["jti"] = "" }),
		"a long jti":                 with(func(c map[string]any) { c["jti"] = strings.Repeat("x", 300) }),
		"a jti that is no text":      with(func(c map[string]any) { c["jti"] = 7 }),
		"no htm":                     with(func(c map[string]any) { delete(c, "htm") }),
		"no htu":                     with(func(c map[string]any) { delete(c, "htu") }),
		"htu that is no address":     with(func(c map[string]any) { c["htu"] = "/mail" }),
		"no iat":                     with(func(c map[string]any) { delete(c, "iat") }),
		"iat as text":                with(func(c map[string]any) { c["iat"] = "now" }),
		"iat beyond time":            with(func(c map[string]any) { c["iat"] = 1e300 }),
		"older than a minute":        with(func(c map[string]any) { c["iat"] = now.Unix() - 61 }),
		"more than a minute to come": with(func(c map[string]any) { c["iat"] = now.Unix() + 61 }),
	} {
		if got, err := verify.ParseProof(text, now); err == nil {
			t.Errorf("%s: ParseProof = %+v, want an error", name, got)
		} else if text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error holds the proof", name)
		}
	}
	if got, err := verify.ParseProof(valid, now.Add(60*time.Second)); err != nil || got.Thumbprint != p.thumbprint() || got.Method != "GET" || got.URL != mailURL || got.ID != good["jti"] {
		t.Errorf("ParseProof(a good one, after 60 s) = %+v, %v, want what it says", got, err)
	}
	es384 := &prover{tb: t, key: p384, alg: jose.ES384}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	big, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []*prover{es384, {tb: t, key: ed, alg: jose.EdDSA}, {tb: t, key: big, alg: jose.RS256}, {tb: t, key: big, alg: jose.PS256}} {
		if got, err := verify.ParseProof(other.sign(good), now); err != nil || got.Thumbprint != other.thumbprint() {
			t.Errorf("ParseProof(%s) = %+v, %v, want it accepted", other.alg, got, err)
		}
	}
}

// TestProofFor: one address in two spellings is one address, and nothing else is.
func TestProofFor(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	p := newProver(t)
	for _, test := range []struct {
		htm, htu, method, address string
		want                      bool
	}{
		{"GET", mailURL, "POST", mailURL, false},
		{"get", mailURL, "GET", mailURL, false},
		{"GET", mailURL, "GET", mailURL + "/", false},
		{"GET", mailURL, "GET", "https://api.test/mail/v1/Messages", false},
		{"GET", mailURL, "GET", "https://api.test.evil/mail/v1/messages", false},
		{"GET", mailURL, "GET", "http://api.test/mail/v1/messages", false},
		{"GET", mailURL, "GET", "https://api.test:8443/mail/v1/messages", false},
		{"GET", mailURL, "GET", "", false},
		{"GET", "https://api.test/a%2Fb", "GET", "https://api.test/a/b", false},
		{"GET", mailURL, "GET", mailURL, true},
		{"GET", mailURL + "?page=2#x", "GET", mailURL + "?page=3", true},
		{"GET", "HTTPS://API.test:443/mail/v1/messages", "GET", mailURL, true},
		{"GET", "https://api.test", "GET", "https://api.test/", true},
		{"GET", "https://api.test/%7eada/%c3%bc", "GET", "https://api.test/~ada/%C3%BC", true},
		{"GET", "http://[2001:DB8::1]:80/x", "GET", "http://[2001:db8::1]/x", true},
	} {
		got, err := verify.ParseProof(p.sign(p.claims(test.htm, test.htu, "", now)), now)
		if err != nil {
			t.Fatalf("ParseProof(%s): %v", test.htu, err)
		}
		if err := got.For(test.method, test.address); (err == nil) != test.want {
			t.Errorf("proof for %s %s: For(%s %s) = %v, want it to be: %v", test.htm, test.htu, test.method, test.address, err, test.want)
		}
	}
	for _, htu := range []string{"https://ada@api.test/", "ftp://api.test/", "https:///x", "https://api.test/../x", "https://api.test/%2e%2e/x", "https://api.test/%zz", "https://" + strings.Repeat("a", 5000)} {
		if got, err := verify.ParseProof(p.sign(p.claims("GET", htu, "", now)), now); err == nil {
			t.Errorf("ParseProof(htu %.40s) = %+v, want an error", htu, got)
		}
	}
}

// TestVerifyDPoP: a bound token is good only with a fresh proof by its key, for this request and this token
// (SECURITY-CASES 58).
func TestVerifyDPoP(t *testing.T) {
	w := newWorld(t)
	p := w.person("ada@example.com")
	mine, other := newProver(t), newProver(t)
	c := w.claims(p, "messages.read")
	unbound := w.opaque(c)
	c.JKT = mine.thumbprint()
	for form, tok := range w.forms(c) {
		now := w.clock.Now()
		proof := func(pr *prover, method, address, token string) *verify.Proof {
			return &verify.Proof{Proof: pr.sign(pr.claims(method, address, token, now)), Method: "GET", URL: mailURL}
		}
		used := proof(mine, "GET", mailURL, tok)
		if d := w.ask(verify.Request{API: "mail", Credential: tok, DPoP: used}); !d.Allowed() || !d.DPoP {
			t.Fatalf("%s with its proof: Verify = %s by %s: %s, want valid", form, d.Code, d.DeniedBy, d.Message)
		}
		old := mine.claims("GET", mailURL, tok, now.Add(-61*time.Second))
		for _, test := range []struct {
			name  string
			token string
			proof *verify.Proof
			by    string
		}{
			{"as bearer", tok, nil, "scheme"},
			{"the proof again", tok, used, "proof"},
			{"another's proof", tok, proof(other, "GET", mailURL, tok), "proof"},
			{"a proof for another token", tok, proof(mine, "GET", mailURL, unbound), "proof"},
			{"a proof for no token", tok, proof(mine, "GET", mailURL, ""), "proof"},
			{"a proof for another method", tok, proof(mine, "POST", mailURL, tok), "proof"},
			{"a proof for another address", tok, proof(mine, "GET", mailURL+"/7", tok), "proof"},
			{"an old proof", tok, &verify.Proof{Proof: mine.sign(old), Method: "GET", URL: mailURL}, "proof"},
			{"no proof in the proof", tok, &verify.Proof{Method: "GET", URL: mailURL}, "proof"},
			{"an unbound token with a proof", unbound, proof(mine, "GET", mailURL, unbound), "scheme"},
			{"a key with a proof", w.key(keySpec{}).credential, proof(mine, "GET", mailURL, ""), "scheme"},
		} {
			d := w.ask(verify.Request{API: "mail", Credential: test.token, DPoP: test.proof})
			if d.Code != policy.SenderMismatch || d.DeniedBy != test.by || !d.DPoP || d.Message == "" {
				t.Errorf("%s, %s: Verify = %s by %q (%s), want sender_mismatch by %s", form, test.name, d.Code, d.DeniedBy, d.Message, test.by)
			}
			state, err := w.v.TokenFor(context.Background(), &verify.Request{Credential: test.token, DPoP: test.proof})
			if err != nil || state.Code == policy.Valid {
				t.Errorf("%s, %s: TokenFor = %+v, %v, want it refused", form, test.name, state, err)
			}
		}
		again := proof(mine, "GET", mailURL, tok)
		for range 2 {
			if d := w.ask(verify.Request{API: "mail", Credential: tok, DPoP: again, DryRun: true}); !d.Allowed() {
				t.Errorf("%s, a dry run: Verify = %s, want valid: it uses no proof up", form, d.Code)
			}
		}
		if state, err := w.v.TokenFor(context.Background(), &verify.Request{Credential: tok, DPoP: again}); err != nil || state.Code != policy.Valid {
			t.Errorf("%s with its proof: TokenFor = %+v, %v, want valid", form, state, err)
		}
	}
	// A proof is looked at once a request, also when the request has to be decided twice.
	w.rec.before = func() { w.rec.before = nil; w.clock.Advance(time.Second) }
	now := w.clock.Now()
	tok := w.opaque(c)
	d := w.ask(verify.Request{API: "mail", Credential: tok, DPoP: &verify.Proof{Proof: mine.sign(mine.claims("GET", mailURL, tok, now)), Method: "GET", URL: mailURL}})
	if !d.Allowed() {
		t.Errorf("decided twice: Verify = %s by %s: %s, want valid", d.Code, d.DeniedBy, d.Message)
	}
	// After its time a proof's id is forgotten, and so is the proof.
	first := mine.claims("GET", mailURL, tok, w.clock.Now())
	if d := w.ask(verify.Request{API: "mail", Credential: tok, DPoP: &verify.Proof{Proof: mine.sign(first), Method: "GET", URL: mailURL}}); !d.Allowed() {
		t.Fatalf("Verify = %s: %s, want valid", d.Code, d.Message)
	}
	for _, step := range []time.Duration{time.Second, 58 * time.Second, time.Second, time.Second, time.Minute} {
		w.clock.Advance(step)
		w.sync()
		if d := w.ask(verify.Request{API: "mail", Credential: tok, DPoP: &verify.Proof{Proof: mine.sign(first), Method: "GET", URL: mailURL}}); d.Code != policy.SenderMismatch {
			t.Errorf("the proof again, %s later: Verify = %s, want sender_mismatch", step, d.Code)
		}
	}
	if d := w.ask(verify.Request{API: "mail", Credential: tok, Mode: string(secret.Test)}); d.Code != policy.SenderMismatch {
		t.Errorf("a bound token as bearer and in the wrong mode = %s, want sender_mismatch: nothing more is told", d.Code)
	}
}

// FuzzParseProof: no text of an attacker makes a proof, or a panic.
func FuzzParseProof(f *testing.F) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	p := newProver(f)
	thumb := p.thumbprint()
	f.Add(p.sign(p.claims("GET", mailURL, "token", now)))
	f.Add(p.raw(`{"typ":"dpop+jwt","alg":"ES256","jwk":`+p.jwk()+`}`, `{"jti":"a","htm":"GET","htu":"https://a/%zz","iat":1.5}`))
	f.Add(p.raw(`{"typ":"dpop+jwt","alg":"EdDSA","jwk":{"kty":"OKP","crv":"Ed25519","x":""}}`, `{}`))
	f.Add("eyJ0eXAiOiJkcG9wK2p3dCJ9..")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := verify.ParseProof(text, now)
		if err != nil {
			return
		}
		if got.ID == "" || got.Method == "" || got.URL == "" || len(got.Thumbprint) != len(thumb) || got.IssuedAt.Sub(now).Abs() > time.Minute {
			t.Errorf("ParseProof(%q) = %+v, want every part", text, got)
		}
		if err := got.For(got.Method, got.URL); err != nil {
			t.Errorf("a proof for %s is not for itself: %v", got.URL, err)
		}
	})
}
