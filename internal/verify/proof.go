package verify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Proof is a DPoP proof as it came with a request: the header's text, and what the request was.
type Proof struct {
	Proof  string
	Method string
	URL    string // absolute; query and fragment do not count
}

// Possession is what a DPoP proof shows: whoever sent it holds a private key, and meant one request.
type Possession struct {
	Thumbprint string // of the key: RFC 7638, SHA-256, base64url
	ID         string // jti
	Method     string // htm
	URL        string // htu, in the form of normalURL
	IssuedAt   time.Time
	TokenHash  string // ath; "" where the proof goes with no token
}

const (
	maxProof   = 8 << 10          // characters
	maxProofID = 256              // characters
	proofSkew  = 60 * time.Second // how far off iat may be, either way (DESIGN section 8)
	// ProofLife is how long after its iat a proof has to be remembered: it can be shown no longer.
	ProofLife = proofSkew
)

// ProofAlgorithms lists what DPoP proofs may be signed with. No symmetric algorithm and not "none" (RFC 9449 section 4.2).
func ProofAlgorithms() []string { return []string{"ES256", "RS256", "PS256", "EdDSA", "ES384"} }

func proofAlgorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA, jose.ES384}
}

// What ParseProof and Possession refuse, each as a sentence for who made the proof. They hold none of it.
var (
	errProofShape  = errors.New("the DPoP proof is no JWT in compact form with the header typ dpop+jwt, an embedded public key (jwk), and an algorithm that is accepted here")
	errProofKey    = errors.New("the key in the DPoP proof does not suit its algorithm, holds private members, or is too weak")
	errProofSigned = errors.New("the signature of the DPoP proof is not by the key in it")
	errProofClaims = errors.New("the DPoP proof needs jti, htm, htu and iat")
	errProofTime   = errors.New("the DPoP proof is older than a minute or from the future: make a new one for each request, and look at your clock")
	errProofMethod = errors.New("the DPoP proof is for another method: htm must be the request's")
	errProofURL    = errors.New("the DPoP proof is for another address: htu must be the request's, without query and fragment")
	errProofOther  = errors.New("the DPoP proof is by another key than the one the token is bound to")
	errProofAgain  = errors.New("the DPoP proof was used before: make a new one for each request")
	errProofToken  = errors.New("the DPoP proof is for another token: ath must be the base64url of the SHA-256 of the token sent with it")
)

// proofHeader is the protected header of a proof. Others than these members say nothing here, save crit: it would want to
// be understood.
type proofHeader struct {
	Type     string                    `json:"typ"`
	Critical jsontext.Value            `json:"crit"`
	Encoded  jsontext.Value            `json:"b64"`
	Key      map[string]jsontext.Value `json:"jwk"`
}

type proofClaims struct {
	ID       *string  `json:"jti"`
	Method   *string  `json:"htm"`
	URL      *string  `json:"htu"`
	IssuedAt *float64 `json:"iat"`
	Token    string   `json:"ath"`
}

// ParseProof reads a DPoP proof and checks whatever can be checked without knowing the request: shape, algorithm, key,
// signature and age (RFC 9449 section 4.3, points 2 to 7 and 11). The caller compares the rest with For and Carries, and
// sees to it that an ID counts once. The errors are sentences for the sender.
func ParseProof(text string, now time.Time) (Possession, error) {
	// Decoders of base64 skip line breaks; a proof has none.
	if len(text) > maxProof || strings.Count(text, ".") != 2 || strings.ContainsAny(text, "\r\n") {
		return Possession{}, errProofShape
	}
	head, err := base64.RawURLEncoding.Strict().DecodeString(text[:strings.IndexByte(text, '.')])
	if err != nil {
		return Possession{}, errProofShape
	}
	var h proofHeader
	// This reader refuses names given twice, and tells names apart by case.
	if json.Unmarshal(head, &h) != nil || h.Type != "dpop+jwt" || h.Critical != nil || h.Encoded != nil || len(h.Key) == 0 {
		return Possession{}, errProofShape
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		if _, there := h.Key[private]; there {
			return Possession{}, errProofKey
		}
	}
	jws, err := jose.ParseSignedCompact(text, proofAlgorithms())
	if err != nil || len(jws.Signatures) != 1 || jws.Signatures[0].Protected.JSONWebKey == nil {
		return Possession{}, errProofShape
	}
	key := jws.Signatures[0].Protected.JSONWebKey
	if !suits(key.Key, jws.Signatures[0].Protected.Algorithm) {
		return Possession{}, errProofKey
	}
	payload, err := jws.Verify(key.Key)
	if err != nil {
		return Possession{}, errProofSigned
	}
	thumb, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return Possession{}, errProofKey
	}
	p, err := readProof(payload)
	if err != nil {
		return Possession{}, err
	}
	if age := now.Sub(p.IssuedAt); age > proofSkew || age < -proofSkew {
		return Possession{}, errProofTime
	}
	p.Thumbprint = base64.RawURLEncoding.EncodeToString(thumb)
	return p, nil
}

func readProof(payload []byte) (Possession, error) {
	var c proofClaims
	if json.Unmarshal(payload, &c) != nil || c.ID == nil || c.Method == nil || c.URL == nil || c.IssuedAt == nil {
		return Possession{}, errProofClaims
	}
	at := *c.IssuedAt
	if *c.ID == "" || len(*c.ID) > maxProofID || *c.Method == "" || at < 0 || at > math.MaxUint32 {
		return Possession{}, errProofClaims
	}
	address, ok := normalURL(*c.URL)
	if !ok {
		return Possession{}, errProofURL
	}
	return Possession{ID: *c.ID, Method: *c.Method, URL: address, IssuedAt: time.UnixMilli(int64(at * 1000)), TokenHash: c.Token}, nil
}

// suits reports whether a public key is of the algorithm's kind and strong enough.
func suits(key any, alg string) bool {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		return alg == "ES256" && key.Curve == elliptic.P256() || alg == "ES384" && key.Curve == elliptic.P384()
	case ed25519.PublicKey:
		return alg == "EdDSA" && len(key) == ed25519.PublicKeySize
	case *rsa.PublicKey:
		bits := key.N.BitLen()
		return (alg == "RS256" || alg == "PS256") && bits >= 2048 && bits <= 4096 && key.E >= 3 && key.E <= 1<<31-1
	}
	return false
}

// For says whether the proof is for this request (RFC 9449 section 4.3, points 8 and 9).
func (p *Possession) For(method, address string) error {
	if p.Method != method {
		return errProofMethod
	}
	if normal, ok := normalURL(address); !ok || normal != p.URL {
		return errProofURL
	}
	return nil
}

// Carries says whether the proof is for this token (RFC 9449 section 4.3, point 12).
func (p *Possession) Carries(token string) error {
	sum := sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(p.TokenHash)) != 1 {
		return errProofToken
	}
	return nil
}
