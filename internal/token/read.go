package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// IsJWT is a cheap look at whether a text may be a JWT: `{"` in base64url, and two dots.
func IsJWT(text string) bool { return strings.HasPrefix(text, "eyJ") && strings.Count(text, ".") == 2 }

// header is the protected header of our access tokens. Members beyond these are refused: we write none.
type header struct {
	Alg string `json:"alg"`
	Typ string `json:"typ"`
	Kid string `json:"kid"`
}

// wire are the claims as they stand in a JWT.
type wire struct {
	Iss      string   `json:"iss"`
	Sub      string   `json:"sub"`
	Aud      string   `json:"aud"`
	ClientID string   `json:"client_id"`
	Exp      int64    `json:"exp"`
	Iat      int64    `json:"iat"`
	Jti      string   `json:"jti"`
	Scope    string   `json:"scope"`
	AuthTime int64    `json:"auth_time"`
	ACR      string   `json:"acr"`
	AMR      []string `json:"amr"`
	Cnf      struct {
		JKT string `json:"jkt"`
		X5T string `json:"x5t#S256"`
	} `json:"cnf"`
	Act     *Act   `json:"act"`
	Mode    string `json:"mode"`
	GrantID string `json:"grant_id"`
	Fid     string `json:"fid"`
	App     string `json:"app"`
	Epoch   [3]int `json:"epoch"`
}

// OpenJWT reads an access token that JWT made: typ at+jwt, the algorithm of the key that it names, our issuer. Duplicate
// members, members in another case, null, padding, and bits that a decoder would ignore are refused (SECURITY-CASES 156,
// 160, 164). It does not look at the time: expired is the caller's to say, and only after the signature held. On an error,
// which is ErrForged or ErrUnknownKey, c is left empty.
func (m *Minter) OpenJWT(text string, c *Claims) error {
	*c = Claims{}
	if len(text) > maxJWT {
		return ErrForged
	}
	if strings.ContainsAny(text, "\r\n") { // the decoder skips them
		return ErrForged
	}
	head, rest, ok := strings.Cut(text, ".")
	body, tail, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 || strings.Contains(tail, ".") {
		return ErrForged
	}
	var h header
	if !decode(head, &h) || h.Typ != accessType || !isOurs(&h) {
		return ErrForged
	}
	alg, key, known := m.Keys.PublicKey(h.Kid, m.Now())
	if !known {
		return ErrUnknownKey
	}
	if alg != h.Alg {
		return ErrForged
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(tail)
	if err != nil || !verifies(alg, key, text[:len(head)+1+len(body)], signature) {
		return ErrForged
	}
	var w wire
	if !decode(body, &w) || w.Iss != m.Issuer {
		return ErrForged
	}
	if err := w.claims(c); err != nil {
		*c = Claims{}
		return err
	}
	return nil
}

// isOurs says whether algorithm and key id could be those of a key of ours. ErrUnknownKey makes callers read the keyring
// again, so what cannot be known to any node is forged.
func isOurs(h *header) bool {
	switch h.Alg {
	case "ES256", "RS256", "PS256", "EdDSA":
		return len(h.Kid) == base64.RawURLEncoding.EncodedLen(sha256.Size) // RFC 7638
	}
	return false
}

// decode reads a part, strictly.
func decode(part string, into any) bool {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return false
	}
	return json.Unmarshal(raw, into, json.RejectUnknownMembers(true)) == nil && !holdsNull(raw)
}

// holdsNull finds null, which would read as absent. raw is JSON, where outside strings only null has an n.
func holdsNull(raw []byte) bool {
	inString := false
	for i := 0; i < len(raw); i++ {
		switch {
		case inString && raw[i] == '\\':
			i++
		case raw[i] == '"':
			inString = !inString
		case !inString && raw[i] == 'n':
			return true
		}
	}
	return false
}

func verifies(alg string, key crypto.PublicKey, input string, signature []byte) bool {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		if len(signature) != 64 {
			return false
		}
		sum := sha256.Sum256([]byte(input))
		return ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
	case ed25519.PublicKey:
		return ed25519.Verify(key, []byte(input), signature)
	case *rsa.PublicKey:
		sum := sha256.Sum256([]byte(input))
		if alg == "PS256" {
			return rsa.VerifyPSS(key, crypto.SHA256, sum[:], signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
	}
	return false
}

// claims checks the shape of what a signature vouches for: signed or not, nothing malformed goes further.
func (w *wire) claims(c *Claims) error {
	appText := w.App
	if appText == "" {
		appText = w.ClientID
	}
	app, err := id.Parse[id.App](appText)
	if err != nil || len(w.Jti) != id.Length || !id.IsBase62(w.Jti) || w.Aud == "" || w.Sub == "" || w.Exp <= 0 || w.Iat <= 0 {
		return ErrForged
	}
	*c = Claims{
		ID: w.Jti, App: app, Subject: w.Sub, Audience: w.Aud, Mode: secret.Mode(w.Mode), IssuedAt: seconds(w.Iat), ExpiresAt: seconds(w.Exp), ACR: w.ACR, AMR: w.AMR,
		JKT: w.Cnf.JKT, X5T: w.Cnf.X5T, Act: w.Act, Epochs: Epochs{w.Epoch[0], w.Epoch[1], w.Epoch[2]},
	}
	if w.ClientID != appText {
		c.ClientID = w.ClientID
	}
	if w.AuthTime != 0 {
		c.AuthTime = seconds(w.AuthTime)
	}
	if !c.Mode.Known() {
		return ErrForged
	}
	if w.Scope != "" {
		c.Scopes = strings.Split(w.Scope, " ")
		for _, scope := range c.Scopes {
			if policy.ValidScope(scope) != nil {
				return ErrForged
			}
		}
	}
	if w.Fid != "" {
		if len(w.Fid) != id.Length || !id.IsBase62(w.Fid) {
			return ErrForged
		}
		c.Family = w.Fid
	}
	if w.GrantID != "" {
		if c.Grant, err = id.Parse[id.Grant](w.GrantID); err != nil {
			return ErrForged
		}
		if user, err := id.Parse[id.User](w.Sub); err == nil {
			c.User = user // else a pairwise name: the grant knows whose
		}
	}
	return nil
}

func seconds(n int64) time.Time { return time.Unix(n, 0).UTC() }
