package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// skew is how far another's clock may be off (DESIGN section 8).
const skew = 60 * time.Second

// assertionLife is the longest life of a client's assertion that is accepted: its jti has to be remembered so long.
const assertionLife = time.Hour

// signatureAlgs are what clients may sign with. HMAC with the client's secret is not among them: secrets are kept as MACs,
// so they cannot be keys.
func signatureAlgs() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.ES256, jose.PS256, jose.RS256, jose.EdDSA, jose.ES384, jose.PS384, jose.RS384, jose.ES512, jose.PS512, jose.RS512}
}

func algNames() []string {
	var names []string
	for _, alg := range signatureAlgs() {
		names = append(names, string(alg))
	}
	return names
}

// byAssertion proves an app by a JWT it signed (RFC 7523 section 2.2, private_key_jwt).
func (s *Server) byAssertion(ctx context.Context, c *caller, sent presented) error {
	if sent.kind != assertionType {
		return c.refuse("client_assertion_type must be %s", assertionType)
	}
	token, err := jwt.ParseSigned(sent.assertion, signatureAlgs())
	if err != nil {
		return c.refuse("client_assertion is no JWT signed with an algorithm that is accepted here")
	}
	var claims jwt.Claims
	if err := token.UnsafeClaimsWithoutVerification(&claims); err != nil || claims.Issuer == "" {
		return c.refuse("client_assertion names no client")
	}
	if sent.clientID != "" && sent.clientID != claims.Issuer {
		return c.refuse("client_id and client_assertion name different clients")
	}
	a, err := s.Verifier.Client(ctx, claims.Issuer)
	if err != nil {
		return err
	}
	if a == nil || a.OAuth.AuthMethod != app.AuthPrivateKeyJWT {
		return c.refuse("this client has no key registered to authenticate with")
	}
	if alg := token.Headers[0].Algorithm; a.OAuth.AuthAlg != "" && a.OAuth.AuthAlg != alg {
		return c.refuse("this client registered another algorithm than %s", alg)
	}
	if err := s.verifySigned(ctx, a, token, &claims); err != nil {
		if fault.Is(err, fault.Unavailable) {
			return err
		}
		return c.refuse("the signature of client_assertion is not the client's")
	}
	now := s.Now()
	// The audience is the issuer and nothing else: an assertion for another server's token endpoint must not do here.
	switch {
	case claims.Subject != claims.Issuer:
		return c.refuse("client_assertion must have the same sub and iss")
	case len(claims.Audience) != 1 || !slices.Contains(s.audiences(), claims.Audience[0]):
		return c.refuse("client_assertion must have the issuer %s as its only aud", s.Issuer)
	case claims.Expiry == nil || !now.Before(claims.Expiry.Time()):
		return c.refuse("client_assertion has no exp, or has expired")
	case claims.Expiry.Time().After(now.Add(assertionLife)):
		return c.refuse("client_assertion lives too long: at most an hour")
	case claims.NotBefore != nil && claims.NotBefore.Time().After(now.Add(skew)), claims.IssuedAt != nil && claims.IssuedAt.Time().After(now.Add(skew)):
		return c.refuse("client_assertion is from the future: look at your clock")
	case claims.ID == "":
		return c.refuse("client_assertion has no jti")
	}
	first, err := s.Grants.Once(ctx, onceKey("assertion", string(a.ID), claims.ID), claims.Expiry.Time().Add(skew))
	if err != nil {
		return err
	}
	if !first {
		return c.refuse("client_assertion was used before: make a new one for each request")
	}
	c.app, c.proved = a, true
	return nil
}

// assertionIssuer is the client that an assertion names, which is not checked here; "" if it names none.
func assertionIssuer(text string) string {
	var claims jwt.Claims
	token, err := jwt.ParseSigned(text, signatureAlgs())
	if err != nil || token.UnsafeClaimsWithoutVerification(&claims) != nil {
		return ""
	}
	return claims.Issuer
}

// audiences are what a client may call this server in an assertion: the issuer alone, since an endpoint's address could be
// given out by another server as its own (PROTOCOLS OAuth 16).
func (s *Server) audiences() []string { return []string{s.Issuer} }

// onceKey names what may be presented once. What came from outside is hashed: it may be long.
func onceKey(kind, owner, value string) string {
	sum := sha256.Sum256([]byte(kind + "\x00" + owner + "\x00" + value))
	return kind + ":" + hex.EncodeToString(sum[:])
}

// verifySigned checks the signature of an app's JWT with the app's keys, and reads its claims. Keys that were fetched are
// fetched anew once when none fits: the app may have rotated them.
func (s *Server) verifySigned(ctx context.Context, a *app.App, token *jwt.JSONWebToken, into ...any) error {
	keys, fetched, err := s.keysOf(ctx, a, false)
	if err != nil {
		return err
	}
	err = tryKeys(keys, token, into)
	if err != nil && fetched {
		if keys, _, err = s.keysOf(ctx, a, true); err == nil {
			err = tryKeys(keys, token, into)
		}
	}
	return err
}

// tryKeys tries the keys that the header may mean: those with its kid, or all when it names none.
func tryKeys(keys *jose.JSONWebKeySet, token *jwt.JSONWebToken, into []any) error {
	kid, err := token.Headers[0].KeyID, error(fail(invalidClient, "none of the client's keys made this signature"))
	for i := range keys.Keys {
		key := &keys.Keys[i]
		if kid != "" && key.KeyID != "" && key.KeyID != kid || key.Use == "enc" {
			continue
		}
		if key.Algorithm != "" && key.Algorithm != token.Headers[0].Algorithm {
			continue
		}
		if tried := token.Claims(key.Key, into...); tried == nil {
			return nil
		}
	}
	return err
}
