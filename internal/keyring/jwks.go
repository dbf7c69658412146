package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// JWKS returns the published keys of tokens as a JWK set (RFC 7517 section 5): by algorithm, the newest first, public members alone.
func (r *Ring) JWKS(now time.Time) []byte {
	return r.set(now, func(p Purpose) bool { return p != SignAssertion })
}

// AssertionJWKS is JWKS for the keys of assertions.
func (r *Ring) AssertionJWKS(now time.Time) []byte {
	return r.set(now, func(p Purpose) bool { return p == SignAssertion })
}

func (r *Ring) set(now time.Time, of func(Purpose) bool) []byte {
	signing := r.live.Load().signing
	out := append(make([]byte, 0, 512*len(signing)+16), `{"keys":[`...)
	first := true
	for i := range signing {
		if !of(signing[i].purpose) || !published(signing, i, now) {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(out, signing[i].jwk...)
	}
	return append(out, `]}`...)
}

// PublicKey returns the published key of tokens by its key id and the one algorithm it signs with. false: there is none, or another node
// added it since the last Reload.
func (r *Ring) PublicKey(kid string, now time.Time) (alg string, key crypto.PublicKey, ok bool) {
	signing := r.live.Load().signing
	for i := range signing {
		if signing[i].signer.kid == kid && signing[i].purpose != SignAssertion && published(signing, i, now) {
			return signing[i].signer.alg, signing[i].public, true
		}
	}
	return "", nil, false
}

// describe returns a public key's thumbprint (RFC 7638; RFC 8037 section 2 for Ed25519) and its JWK. The values of the
// members are base64url, so nothing in them needs escaping.
func describe(alg string, public crypto.PublicKey) (kid string, jwk []byte, err error) {
	var members string // those the thumbprint is over, in the order it demands
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		point, err := key.Bytes() // 4, x, y
		if err != nil || len(point) != 65 {
			return "", nil, errors.New("describe key: not a point of P-256")
		}
		members = fmt.Sprintf(`"crv":"P-256","kty":"EC","x":"%s","y":"%s"`, base64url(point[1:33]), base64url(point[33:]))
	case *rsa.PublicKey:
		members = fmt.Sprintf(`"e":"%s","kty":"RSA","n":"%s"`, base64url(big.NewInt(int64(key.E)).Bytes()), base64url(key.N.Bytes()))
	case ed25519.PublicKey:
		members = fmt.Sprintf(`"crv":"Ed25519","kty":"OKP","x":"%s"`, base64url(key))
	default:
		return "", nil, fmt.Errorf("describe key: there is no JWK for a %T", public)
	}
	sum := sha256.Sum256([]byte("{" + members + "}"))
	kid = base64url(sum[:])
	return kid, fmt.Appendf(nil, `{"alg":"%s","kid":"%s","use":"sig",%s}`, alg, kid, members), nil
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
