package keyring

import (
	"slices"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// Purpose says what a wrapped key is for. A key serves one purpose only.
type Purpose string

// The purposes of keys of 32 random bytes. Every database has a key of each from its first start.
const (
	Pepper  Purpose = "pepper"  // HMAC key of the digests of credentials
	Sealing Purpose = "sealing" // sealed opaque access tokens
	AtRest  Purpose = "at_rest" // sealed columns
	Refresh Purpose = "refresh" // HMAC key of the MACs in refresh tokens
)

// The purposes of keys that sign, one per algorithm of JWS (RFC 7518 section 3.1), so that no key ever works under two. Their
// rows hold a private key as PKCS #8. A database has one for ES256 from its first start, the others when somebody first
// needs them: making an RSA key takes long.
const (
	SignES256 Purpose = "sign_es256"
	SignRS256 Purpose = "sign_rs256"
	SignPS256 Purpose = "sign_ps256"
	SignEdDSA Purpose = "sign_eddsa"
)

// SignAssertion is the purpose of the keys that sign what doors tell upstreams about callers, with ES256. They are published apart from
// those of tokens, so that neither passes for the other. A database has one once a door needs it.
const SignAssertion Purpose = "sign_assertion"

// original are the purposes that even the first version of this program made; founding are all that a first start makes.
var (
	original = []Purpose{Pepper, Sealing, AtRest}
	founding = []Purpose{Pepper, Sealing, AtRest, Refresh, SignES256}
	purposes = []Purpose{Pepper, Sealing, AtRest, Refresh, SignES256, SignRS256, SignPS256, SignEdDSA, SignAssertion}
)

// Algorithm returns the JWS name of the algorithm that keys of the purpose sign with, or "" if they do not sign.
func (p Purpose) Algorithm() string {
	switch p {
	case SignES256, SignAssertion:
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

// signs returns the purpose of the keys that sign tokens with an algorithm, or "".
func signs(alg string) Purpose {
	for _, p := range purposes {
		if alg != "" && p.Algorithm() == alg && p != SignAssertion {
			return p
		}
	}
	return ""
}

// Loss says what goes with a key of the purpose, in words that follow "without it".
func (p Purpose) Loss() string {
	switch p {
	case Pepper:
		return "every key, password and code that was last used under it is refused for ever"
	case Sealing:
		return "every opaque access token sealed with it is refused"
	case AtRest:
		return "every secret kept sealed with it, such as that of a second factor, is lost for ever"
	case Refresh:
		return "every refresh token made with it is refused, so that those users have to log in again"
	default:
		return "every token signed with it is refused by whoever fetches the key set anew"
	}
}

// maxVersion bounds the versions of the purpose. Refresh tokens name theirs in one byte, sealed values in four.
func (p Purpose) maxVersion() int {
	if p == Refresh {
		return 1<<8 - 1
	}
	return maxVersion
}

// maxVersion is what four bytes hold, with a bit to spare for a signed integer.
const maxVersion = 1<<31 - 1

// known refuses a purpose that this version of the program does not know.
func (p Purpose) known() error {
	if !slices.Contains(purposes, p) {
		return fault.Field("purpose", "there are no keys for %.40q: choose one of %s", p, purposes)
	}
	return nil
}
