package keyring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// SealedOverhead is by how many bytes a sealed token is longer than what it says: key version 4, nonce 24, tag 16.
const SealedOverhead = versionSize + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

// ErrSealed refuses bytes that no key of this server sealed for the additional data they came with.
var ErrSealed = errors.New("it was changed, cut short, or not sealed here")

// SealToken encrypts what an opaque access token says and appends key version (4 bytes, big endian), nonce (24) and
// XChaCha20-Poly1305 ciphertext with tag to dst, which must not overlap plaintext. aad has to be given again to open it.
func (r *Ring) SealToken(dst, aad, plaintext []byte) []byte {
	current := r.live.Load().sealing[0]
	dst = slices.Grow(dst, len(plaintext)+SealedOverhead)
	dst = binary.BigEndian.AppendUint32(dst, uint32(current.version)) // #nosec G115 -- unwrap held it to 1…maxVersion
	return seal(current.aead, dst, plaintext, aad)
}

// OpenToken appends to dst what SealToken sealed with the same aad. The error is ErrSealed, or wraps ErrUnknownVersion if
// the version is above all that this node knows: another node may have added it, and Reload tells.
func (r *Ring) OpenToken(dst, aad, sealed []byte) ([]byte, error) {
	if len(sealed) < SealedOverhead {
		return nil, ErrSealed
	}
	version := int64(binary.BigEndian.Uint32(sealed))
	known := r.live.Load().sealing
	for _, c := range known {
		if int64(c.version) != version {
			continue
		}
		plaintext, err := unseal(c.aead, dst, sealed[versionSize:], aad)
		if err != nil {
			return nil, ErrSealed
		}
		return plaintext, nil
	}
	if version < int64(known[0].version) || version > maxVersion { // dropped, or never made
		return nil, ErrSealed
	}
	return nil, fmt.Errorf("open token: version %d: %w", version, ErrUnknownVersion)
}

// RefreshMAC returns the MAC of a refresh token's message under the current key, and the key's version, which is at most
// 255: HMAC-SHA-256, of which a token has room for the first 144 bits.
func (r *Ring) RefreshMAC(message []byte) (version int, mac secret.RefreshMAC) {
	k := r.live.Load().refresh[0]
	return k.version, k.refreshMAC(message)
}

// RefreshMACWith is RefreshMAC with the key that a token names. not known: it was never made, was dropped, or another node
// added it since the last Reload.
func (r *Ring) RefreshMACWith(version int, message []byte) (mac secret.RefreshMAC, known bool) {
	for _, k := range r.live.Load().refresh {
		if k.version == version {
			return k.refreshMAC(message), true
		}
	}
	return secret.RefreshMAC{}, false
}

func (p *pepper) refreshMAC(message []byte) secret.RefreshMAC {
	sum := digest(p, message)
	return secret.RefreshMAC(sum[:])
}
