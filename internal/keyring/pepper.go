package keyring

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"hash"
	"sync"
)

// Lookup is a credential's digest under one pepper.
type Lookup struct {
	Version int
	Digest  [32]byte
}

// MAC returns the digest under which a credential is stored: HMAC-SHA-256 of its whole text under the current pepper,
// and the pepper's version. Without the pepper it cannot be recomputed.
func (r *Ring) MAC(credential string) (version int, digest [32]byte) {
	p := r.live.Load().peppers[0]
	return p.version, p.mac(credential)
}

// MACWith returns the digest under one version of the pepper, for what is derived from it and cannot be compared by
// Matches. A version this node does not know is not known: see KnowsPepper.
func (r *Ring) MACWith(version int, text string) (digest [32]byte, known bool) {
	p := r.live.Load().pepper(version)
	if p == nil {
		return digest, false
	}
	return p.mac(text), true
}

// Matches says whether digest is the credential's under that version of the pepper. The time it takes depends
// on the version and the credential's length only. A version this node does not know matches nothing: see KnowsPepper.
func (r *Ring) Matches(version int, digest [32]byte, credential string) bool {
	p := r.live.Load().pepper(version)
	if p == nil {
		return false
	}
	got := p.mac(credential)
	return subtle.ConstantTimeCompare(got[:], digest[:]) == 1
}

// KnowsPepper says whether Matches can answer for digests of that version. If not, another node added it since, and
// "no match" would be wrong: Reload.
func (r *Ring) KnowsPepper(version int) bool { return r.live.Load().pepper(version) != nil }

// CurrentPepper returns the version MAC uses. A digest of another version is replaced when its credential is next used.
func (r *Ring) CurrentPepper() int { return r.live.Load().peppers[0].version }

// Lookups returns the digest under every pepper, the current one first, for credentials that name no row of their own:
// imported ones of a foreign format are found by their digest.
func (r *Ring) Lookups(credential string) []Lookup {
	peppers := r.live.Load().peppers
	out := make([]Lookup, 0, len(peppers))
	for _, p := range peppers {
		out = append(out, Lookup{Version: p.version, Digest: p.mac(credential)})
	}
	return out
}

// pepper returns the pepper of a version, or nil. There are a few at most, the one wanted mostly the first.
func (k *keys) pepper(version int) *pepper {
	for _, p := range k.peppers {
		if p.version == version {
			return p
		}
	}
	return nil
}

// pepper computes digests under one version of an HMAC key, be it of credentials or of refresh tokens. Keyed states are
// pooled: setting one up costs more than a digest.
type pepper struct {
	version int
	states  sync.Pool // of *macState, reset
}

type macState struct {
	hmac    hash.Hash
	scratch [128]byte // longer than our own credentials, so one step; on the heap once, not at every call
}

func newPepper(version int, key []byte) *pepper {
	p := &pepper{version: version}
	p.states.New = func() any { return &macState{hmac: hmac.New(sha256.New, key)} }
	return p
}

func (p *pepper) mac(credential string) [32]byte { return digest(p, credential) }

// digest is the HMAC of a text, whichever way it is held.
func digest[T string | []byte](p *pepper, text T) (digest [32]byte) {
	s := p.states.Get().(*macState)
	for rest := text; len(rest) > 0; {
		n := copy(s.scratch[:], rest)
		s.hmac.Write(s.scratch[:n])
		rest = rest[n:]
	}
	copy(digest[:], s.hmac.Sum(s.scratch[:0]))
	// The pool must not keep a credential in memory after its request.
	clear(s.scratch[:])
	s.hmac.Reset()
	p.states.Put(s)
	return digest
}
