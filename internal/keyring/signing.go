package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"time"
)

// rsaBits is the size of the RSA keys that are made, and the least that is opened (RFC 7518 section 3.3).
const rsaBits = 2048

// Signer makes JWS signatures with one key. It is safe for concurrent use and prints as its algorithm and key id.
type Signer struct {
	alg, kid string
	// A function, for the reason that Master has one: fmt does not see through it.
	sign func(dst, input []byte) ([]byte, error)
}

// KeyID returns the key's kid: the base64url SHA-256 thumbprint of its public key (RFC 7638).
func (s *Signer) KeyID() string { return s.kid }

// Algorithm returns the JWS algorithm: ES256, RS256, PS256 or EdDSA.
func (s *Signer) Algorithm() string { return s.alg }

// Sign appends the signature of a JWS signing input to dst, as the bytes that JWS encodes (RFC 7518 section 3): for ES256 r
// and s, 32 bytes each. Hashing is its business.
func (s *Signer) Sign(dst, input []byte) ([]byte, error) { return s.sign(dst, input) }

// Format prints algorithm and key id, whatever the verb.
func (s *Signer) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, s.alg+" signer "+s.kid) // fmt's own buffer does not fail
}

// signingKey is an open key that signs, and what may be known of it.
type signingKey struct {
	purpose   Purpose
	version   int
	createdAt time.Time
	signer    *Signer
	public    crypto.PublicKey
	jwk       []byte // one object of a JWK set, public members only
}

// generateSigning makes a key for an algorithm and returns its PKCS #8.
func generateSigning(alg string) ([]byte, error) {
	var key any
	var err error
	switch alg {
	case "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "RS256", "PS256":
		key, err = rsa.GenerateKey(rand.Reader, rsaBits)
	case "EdDSA":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		err = errors.New("unknown algorithm")
	}
	if err != nil {
		return nil, fmt.Errorf("generate a key for %.20s: %w", alg, err)
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

// parseSigning opens a row of a signing purpose. A key that is not of the purpose's algorithm is damage (fault.Unavailable).
func parseSigning(k openKey) (signingKey, error) {
	alg := k.Purpose.Algorithm()
	parsed, err := x509.ParsePKCS8PrivateKey(k.key)
	if err != nil { // its text is not passed on: it is about the bytes of a private key
		return signingKey{}, damaged(k.Row, "holds no private key")
	}
	out := signingKey{purpose: k.Purpose, version: k.Version, createdAt: k.CreatedAt, signer: &Signer{alg: alg}}
	switch key := parsed.(type) {
	case *ecdsa.PrivateKey:
		if alg != "ES256" || key.Curve != elliptic.P256() {
			return signingKey{}, damaged(k.Row, "holds a key of another kind")
		}
		out.public, out.signer.sign = &key.PublicKey, func(dst, input []byte) ([]byte, error) { return signES256(key, dst, input) }
	case *rsa.PrivateKey:
		if alg != "RS256" && alg != "PS256" || key.N.BitLen() < rsaBits {
			return signingKey{}, damaged(k.Row, "holds a key of another kind")
		}
		out.public, out.signer.sign = &key.PublicKey, func(dst, input []byte) ([]byte, error) { return signRSA(key, alg, dst, input) }
	case ed25519.PrivateKey:
		if alg != "EdDSA" {
			return signingKey{}, damaged(k.Row, "holds a key of another kind")
		}
		out.public, out.signer.sign = key.Public(), func(dst, input []byte) ([]byte, error) { return append(dst, ed25519.Sign(key, input)...), nil }
	default:
		return signingKey{}, damaged(k.Row, "holds a key of another kind")
	}
	out.signer.kid, out.jwk, err = describe(alg, out.public)
	return out, err
}

// signES256 turns the ASN.1 signature of the standard library into r and s of fixed width (RFC 7518 section 3.4).
func signES256(key *ecdsa.PrivateKey, dst, input []byte) ([]byte, error) {
	sum := sha256.Sum256(input)
	der, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		return nil, fmt.Errorf("sign with ES256: %w", err)
	}
	// SEQUENCE { INTEGER r, INTEGER s } in DER, less than 128 bytes, so that every length is one byte.
	rest := der[2:]
	for range 2 {
		n := int(rest[1])
		number := rest[2 : 2+n]
		rest = rest[2+n:]
		if n > 32 { // a zero in front keeps the number positive
			number = number[n-32:]
		}
		var fixed [32]byte
		copy(fixed[32-len(number):], number)
		dst = append(dst, fixed[:]...)
	}
	return dst, nil
}

func signRSA(key *rsa.PrivateKey, alg string, dst, input []byte) ([]byte, error) {
	sum := sha256.Sum256(input)
	var signature []byte
	var err error
	if alg == "PS256" {
		signature, err = rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	} else {
		signature, err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	}
	if err != nil {
		return nil, fmt.Errorf("sign with %s: %w", alg, err)
	}
	return append(dst, signature...), nil
}
