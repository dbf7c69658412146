package oauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	strict "github.com/go-json-experiment/json"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/outbound"
)

const (
	maxJWKS      = 64 << 10
	maxKeys      = 50
	keysFresh    = 15 * time.Minute
	keysAgain    = 30 * time.Second // not sooner, however many signatures fail
	keptKeySets  = 1000
	minRSAModule = 2048
)

// keyCache remembers the key sets of apps that publish them at an address.
type keyCache struct {
	mu   sync.Mutex
	sets map[string]cachedKeys // by address
}

type cachedKeys struct {
	set *jose.JSONWebKeySet
	at  time.Time
}

// keysOf returns the app's public keys: registered by value, or fetched from its jwks_uri. again asks for them anew.
func (s *Server) keysOf(ctx context.Context, a *app.App, again bool) (set *jose.JSONWebKeySet, fetched bool, err error) {
	if len(a.OAuth.JWKS) > 0 {
		set, err = parseJWKS(a.OAuth.JWKS)
		return set, false, err
	}
	if a.OAuth.JWKSURI == "" {
		return nil, false, fail(invalidClient, "this client registered no keys")
	}
	s.keys.mu.Lock()
	there, known := s.keys.sets[a.OAuth.JWKSURI]
	s.keys.mu.Unlock()
	age := s.Now().Sub(there.at)
	if known && (age < keysAgain || !again && age < keysFresh) {
		return there.set, true, nil
	}
	answer, err := s.Outbound.Get(ctx, a.OAuth.JWKSURI, outbound.GetOptions{Accept: "application/jwk-set+json, application/json", MaxBytes: maxJWKS})
	if err != nil {
		// The reason is for who runs this server: it would tell of names that we can see and the app cannot.
		s.Log.InfoContext(ctx, "the keys of a client could not be read", "app", a.ID, "address", a.OAuth.JWKSURI, "error", err)
		return nil, false, fault.Down(err, "the keys of this client could not be read")
	}
	if answer.Status != 200 {
		return nil, false, fail(invalidClient, "the client's jwks_uri answered %d", answer.Status)
	}
	if set, err = parseJWKS(answer.Body); err != nil {
		return nil, false, err
	}
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	if len(s.keys.sets) >= keptKeySets {
		clear(s.keys.sets)
	}
	s.keys.sets[a.OAuth.JWKSURI] = cachedKeys{set, s.Now()}
	return set, true, nil
}

// parseJWKS reads a set of public keys that are fit for signatures. Private ones are refused: whoever sent them has to be
// told. Keys of kinds that are not known here are left out (RFC 7517 section 5).
func parseJWKS(raw []byte) (*jose.JSONWebKeySet, error) {
	var loose struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := strict.Unmarshal(raw, &loose); err != nil || len(loose.Keys) > maxKeys {
		return nil, fail(invalidMetadata, "the key set is no JWKS of at most %d keys", maxKeys)
	}
	set := &jose.JSONWebKeySet{}
	for _, one := range loose.Keys {
		var secret struct { // whatever else is wrong with the key
			D json.RawMessage `json:"d"`
			K json.RawMessage `json:"k"`
			P json.RawMessage `json:"p"`
		}
		if err := strict.Unmarshal(one, &secret); err != nil {
			return nil, fail(invalidMetadata, "the key set holds what is no key")
		}
		var key jose.JSONWebKey
		err := key.UnmarshalJSON(one)
		if len(secret.D)+len(secret.K)+len(secret.P) > 0 || err == nil && !key.IsPublic() {
			return nil, fail(invalidMetadata, "the key set holds a private or symmetric key: publish public keys only, and replace that one")
		}
		if err != nil {
			continue
		}
		if key.Valid() && strong(key.Key) {
			set.Keys = append(set.Keys, key)
		}
	}
	return set, nil
}

// strong reports whether a public key is of a kind and size that signatures can rest on.
func strong(key any) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= minRSAModule && key.N.BitLen() <= 8192 && key.E >= 3
	case *ecdsa.PublicKey:
		return true
	case ed25519.PublicKey:
		return len(key) == ed25519.PublicKeySize
	}
	return false
}
