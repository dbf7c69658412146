package keyring

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// The life of a signing key. Its place in the succession follows from when it was made, so nothing about it is stored.
const (
	// PublishAhead is how long a key is published before it signs: whoever keeps the key set for a while has it by then.
	PublishAhead = 24 * time.Hour
	// KeepPublished is how long a key stays published once its successor signs: the longest life of an access token, and an hour.
	KeepPublished = 25 * time.Hour
	// RotateAfter is how old a signing key grows before RotateSigning makes the next.
	RotateAfter = 90 * 24 * time.Hour
)

const rsaBits = 2048

// signs reports whether keys of the purpose make signatures.
func (p Purpose) signs() bool { return p.algorithm() != "" }

// algorithm is the JWS algorithm of a signing purpose (RFC 7518 section 3.1, RFC 8037), or "".
func (p Purpose) algorithm() string {
	switch p {
	case SignES256:
		return "ES256"
	case SignRS256:
		return "RS256"
	case SignPS256:
		return "PS256"
	case SignEdDSA:
		return "EdDSA"
	default:
		return ""
	}
}

// signing is the purpose of an algorithm; false for one that is not made here.
func signing(alg string) (Purpose, bool) {
	for _, p := range Purposes() {
		if p.algorithm() == alg && alg != "" {
			return p, true
		}
	}
	return "", false
}

// generate makes the bytes of a key for the purpose.
func (p Purpose) generate() ([]byte, error) {
	if !p.signs() {
		key, err := newKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		return key[:], nil
	}
	var private any
	var err error
	switch p {
	case SignES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case SignEdDSA:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		private, err = rsa.GenerateKey(rand.Reader, rsaBits)
	}
	if err != nil {
		return nil, fmt.Errorf("generate a key for %s: %w", p, err)
	}
	return x509.MarshalPKCS8PrivateKey(private)
}

// Signer is a private key that signs by one algorithm. It is safe for concurrent use and prints as its key id.
type Signer struct {
	kid, alg string
	version  int
	made     time.Time
	public   crypto.PublicKey
	jwk      json.RawMessage
	private  func() crypto.Signer // a function, so that no printer reaches the key
}

// KeyID is the key's name in key sets and headers: its thumbprint (RFC 7638).
func (s *Signer) KeyID() string { return s.kid }

// Algorithm is the JWS algorithm.
func (s *Signer) Algorithm() string { return s.alg }

func (s *Signer) String() string { return "signing key " + s.kid }

// Sign appends the JWS signature of input to dst (RFC 7515 section 5.1). The hash is made here; ES256 is r and s, 32 bytes
// each.
func (s *Signer) Sign(dst, input []byte) ([]byte, error) {
	switch key := s.private().(type) {
	case *ecdsa.PrivateKey:
		sum := sha256.Sum256(input)
		r, v, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			return nil, err
		}
		dst = append(dst, make([]byte, 64)...)
		r.FillBytes(dst[len(dst)-64 : len(dst)-32])
		v.FillBytes(dst[len(dst)-32:])
		return dst, nil
	case ed25519.PrivateKey:
		return append(dst, ed25519.Sign(key, input)...), nil
	case *rsa.PrivateKey:
		sum := sha256.Sum256(input)
		var signature []byte
		var err error
		if s.alg == "PS256" {
			signature, err = rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		} else {
			signature, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		}
		return append(dst, signature...), err
	}
	return nil, fmt.Errorf("sign: no key of a known kind for %s", s.alg)
}

func newSigner(k openKey) (*Signer, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(k.key)
	if err != nil {
		return nil, err
	}
	private, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a %T does not sign", parsed)
	}
	s := &Signer{alg: k.Purpose.algorithm(), version: k.Version, made: k.CreatedAt, public: private.Public(), private: func() crypto.Signer { return private }}
	members, err := publicMembers(s.alg, s.public)
	if err != nil {
		return nil, err
	}
	// RFC 7638 section 3: the required members in the order of their names, without blanks. json.Marshal writes maps so.
	canonical, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(canonical)
	s.kid = base64.RawURLEncoding.EncodeToString(sum[:])
	members["kid"], members["use"], members["alg"] = s.kid, "sig", s.alg
	s.jwk, err = json.Marshal(members)
	return s, err
}

// publicMembers are the members of a JWK that make the key (RFC 7518 section 6, RFC 8037 section 2).
func publicMembers(alg string, public crypto.PublicKey) (map[string]string, error) {
	b64 := base64.RawURLEncoding.EncodeToString
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		point, err := key.Bytes() // 4, x, y
		if err != nil || alg != "ES256" || len(point) != 65 {
			return nil, fmt.Errorf("no key for %s", alg)
		}
		return map[string]string{"kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}, nil
	case ed25519.PublicKey:
		if alg == "EdDSA" {
			return map[string]string{"kty": "OKP", "crv": "Ed25519", "x": b64(key)}, nil
		}
	case *rsa.PublicKey:
		if alg == "RS256" || alg == "PS256" {
			return map[string]string{"kty": "RSA", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())}, nil
		}
	}
	return nil, fmt.Errorf("no key for %s", alg)
}

// ofAlgorithm are the keys of an algorithm, newest first.
func (k *keys) ofAlgorithm(alg string) []*Signer {
	var found []*Signer
	for _, s := range k.signing {
		if s.alg == alg {
			found = append(found, s)
		}
	}
	return found
}

// inUse is which of an algorithm's keys signs: the newest that has been published long enough, else the oldest.
func inUse(signers []*Signer, now time.Time) int {
	for i, s := range signers {
		if !now.Before(s.made.Add(PublishAhead)) {
			return i
		}
	}
	return len(signers) - 1
}

// published is how many of an algorithm's keys, newest first, are to be found in the key set.
func published(signers []*Signer, now time.Time) int {
	for i := inUse(signers, now) + 1; i < len(signers); i++ {
		if !now.Before(signers[i-1].made.Add(PublishAhead + KeepPublished)) {
			return i
		}
	}
	return len(signers)
}

// Signer returns the key that signs by an algorithm now. Where there is none of the algorithm yet, it is made.
func (r *Ring) Signer(ctx context.Context, alg string, now time.Time) (*Signer, error) {
	purpose, known := signing(alg)
	if !known {
		return nil, fault.New(fault.Invalid, "nothing is signed with %.20q here", alg)
	}
	// Not through ofAlgorithm: every token comes this way.
	var current *Signer
	for _, s := range r.live.Load().signing {
		if s.alg != alg {
			continue
		}
		current = s
		if !now.Before(s.made.Add(PublishAhead)) {
			break
		}
	}
	if current != nil {
		return current, nil
	}
	if _, err := r.AddVersion(ctx, purpose, now); err != nil && !fault.Is(err, fault.Conflict) {
		return nil, err
	}
	if err := r.Reload(ctx); err != nil { // somebody else may have been faster
		return nil, err
	}
	made := r.live.Load().ofAlgorithm(alg)
	if len(made) == 0 {
		return nil, fault.New(fault.Unavailable, "a key for %s is just being made; try again", alg)
	}
	return made[inUse(made, now)], nil
}

// PublicKey finds a published key by its id.
func (r *Ring) PublicKey(kid string, now time.Time) (alg string, key crypto.PublicKey, ok bool) {
	live := r.live.Load()
	for _, s := range live.signing {
		if s.kid != kid {
			continue
		}
		same := live.ofAlgorithm(s.alg)
		if slices.Index(same, s) >= published(same, now) {
			return "", nil, false
		}
		return s.alg, s.public, true
	}
	return "", nil, false
}

// JWKS is the key set that everybody may read (RFC 7517 section 5).
func (r *Ring) JWKS(now time.Time) []byte {
	live := r.live.Load()
	parts := [][]byte{}
	for _, p := range Purposes() {
		if !p.signs() {
			continue
		}
		same := live.ofAlgorithm(p.algorithm())
		for _, s := range same[:published(same, now)] {
			parts = append(parts, s.jwk)
		}
	}
	return slices.Concat([]byte(`{"keys":[`), bytes.Join(parts, []byte(",")), []byte(`]}`))
}

// RotateSigning makes the next key of every algorithm whose newest has grown old, and drops those that are published no
// longer. It is done every so often, on every node: one wins, the others find it done.
func (r *Ring) RotateSigning(ctx context.Context, now time.Time) error {
	live := r.live.Load()
	for _, p := range Purposes() {
		same := live.ofAlgorithm(p.algorithm())
		if !p.signs() || len(same) == 0 {
			continue
		}
		if now.Sub(same[0].made) >= RotateAfter {
			if _, err := r.AddVersion(ctx, p, now); err != nil && !fault.Is(err, fault.Conflict) {
				return err
			}
			continue
		}
		for _, over := range same[published(same, now):] {
			if err := r.drop(ctx, p, over.version, now); err != nil && !fault.Is(err, fault.Conflict) {
				return err
			}
		}
	}
	return nil
}

// Drop removes one version for good. A signing key goes at once, and what it signed is good no longer; if it was the only
// one of its algorithm another is made in the same step. Of other purposes only a version that is no longer current goes:
// what was made with it opens no more.
func (r *Ring) Drop(ctx context.Context, purpose Purpose, version int, now time.Time) error {
	if !slices.Contains(Purposes(), purpose) {
		return fault.Field("purpose", "there are no keys for %.40q: choose one of %s", purpose, Purposes())
	}
	return r.drop(ctx, purpose, version, now)
}

func (r *Ring) drop(ctx context.Context, purpose Purpose, version int, now time.Time) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	state, err := r.stored(ctx)
	if err != nil {
		return err
	}
	if err := r.use(state); err != nil {
		return err
	}
	at, newest := -1, 0
	for i, row := range state.Rows {
		if row.Purpose == purpose {
			newest = max(newest, row.Version)
			if row.Version == version {
				at = i
			}
		}
	}
	switch {
	case at < 0:
		return fault.New(fault.NotFound, "there is no version %d of %s: look at `lanyard keyring list`", version, purpose)
	case version == newest && !purpose.signs():
		return fault.New(fault.Conflict, "version %d is what %s uses now: run `lanyard keyring rotate %s` first", version, purpose, purpose)
	}
	state.Rows = slices.Delete(slices.Clone(state.Rows), at, at+1)
	if state.Rows, err = r.succeed(state, purpose, now); err != nil {
		return err
	}
	if err := replace(ctx, r.store, state); err != nil {
		return fmt.Errorf("drop version %d of %s: %w", version, purpose, err)
	}
	state.Revision++
	return r.use(state)
}

// succeed sees to it that a purpose still has a current version after one was taken out.
func (r *Ring) succeed(state State, purpose Purpose, now time.Time) ([]Row, error) {
	newest := -1
	for i, row := range state.Rows {
		if row.Purpose == purpose && (newest < 0 || row.Version > state.Rows[newest].Version) {
			newest = i
		}
	}
	if newest >= 0 {
		state.Rows[newest].State = Current
		return state.Rows, nil
	}
	master, err := r.masters.opens(state)
	if err != nil {
		return nil, err
	}
	return withVersion(state.Rows, master, purpose, now)
}
