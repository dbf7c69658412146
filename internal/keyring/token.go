package keyring

import (
	"encoding/binary"
	"fmt"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// SealToken appends the sealed form of an access token's content to dst: key version (4 bytes), nonce (24), ciphertext and
// tag, 44 bytes more than the content. aad is the token's readable head, which it is bound to.
func (r *Ring) SealToken(dst, aad, plaintext []byte) []byte {
	current := &r.live.Load().sealing[0]
	dst = binary.BigEndian.AppendUint32(dst, uint32(current.version)) // #nosec G115 -- unwrap held it to 1…maxVersion
	return seal(current.aead, dst, plaintext, aad)
}

// OpenToken appends the content of a sealed token to dst. An error holds none of it; ErrUnknownVersion is among its causes
// where another node may have added the key since: Reload.
func (r *Ring) OpenToken(dst, aad, sealed []byte) ([]byte, error) {
	if len(sealed) < versionSize+24+16 {
		return nil, errShort
	}
	version := binary.BigEndian.Uint32(sealed)
	for i := range r.live.Load().sealing {
		c := &r.live.Load().sealing[i]
		if int64(c.version) != int64(version) {
			continue
		}
		sealed = sealed[versionSize:]
		return c.aead.Open(dst, sealed[:24], sealed[24:], aad)
	}
	return nil, fmt.Errorf("open an access token: version %d: %w", version, ErrUnknownVersion)
}

// RefreshMAC is the MAC inside a refresh token, under the current key, and that key's version: 1 to 255.
func (r *Ring) RefreshMAC(message []byte) (version int, mac secret.RefreshMAC) {
	k := r.live.Load().refresh[0]
	return k.version, truncated(k, message)
}

// RefreshMACWith is the MAC under the version that a token or a row names; false where this node does not know it: Reload.
func (r *Ring) RefreshMACWith(version int, message []byte) (mac secret.RefreshMAC, known bool) {
	for _, k := range r.live.Load().refresh {
		if k.version == version {
			return truncated(k, message), true
		}
	}
	return mac, false
}

// truncated is HMAC-SHA-256 cut to 144 bits.
func truncated(k *pepper, message []byte) (mac secret.RefreshMAC) {
	digest := k.mac(string(message))
	copy(mac[:], digest[:])
	return mac
}
