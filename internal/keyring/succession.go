package keyring

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// The life of a signing key. Nothing of it is stored: it follows from the times at which the keys of a purpose were made, so
// nodes agree without speaking to each other.
const (
	PublishAhead  = 24 * time.Hour      // a key stands in the JWK set this long before anything is signed with it
	KeepPublished = 25 * time.Hour      // and that long after its successor took over: no access token lives longer than 24 h
	RotateAfter   = 90 * 24 * time.Hour // RotateSigning makes a successor of keys of this age
)

// inUse says whether signing[i] may sign: it was published long enough, or there is no older one of its purpose to do it.
func inUse(signing []signingKey, i int, now time.Time) bool {
	oldest := i+1 == len(signing) || signing[i+1].purpose != signing[i].purpose
	return oldest || !now.Before(signing[i].createdAt.Add(PublishAhead))
}

// published says whether signatures of signing[i] are to be believed: until KeepPublished after its successor came into use.
func published(signing []signingKey, i int, now time.Time) bool {
	if i == 0 || signing[i-1].purpose != signing[i].purpose {
		return true
	}
	return now.Before(signing[i-1].createdAt.Add(PublishAhead + KeepPublished))
}

// signer returns the newest key of a purpose that is in use, or nil if there is none of the purpose.
func (k *keys) signer(purpose Purpose, now time.Time) *Signer {
	for i := range k.signing {
		if k.signing[i].purpose == purpose && inUse(k.signing, i, now) {
			return k.signing[i].signer
		}
	}
	return nil
}

// Signer returns what signs with an algorithm now: ES256, RS256, PS256 or EdDSA; any other is a fault.Invalid. The first
// caller for an algorithm waits until its key is made and stored, which for RSA takes a while. Other nodes have to Reload
// before they know that key.
func (r *Ring) Signer(ctx context.Context, alg string, now time.Time) (*Signer, error) {
	purpose := signs(alg)
	if purpose == "" {
		return nil, fault.Field("alg", "there is no algorithm %.20q here: choose ES256, RS256, PS256 or EdDSA", alg)
	}
	return r.signer(ctx, purpose, now)
}

// AssertionSigner returns what signs assertions now, with ES256. As with Signer, its first caller waits until the key is made.
func (r *Ring) AssertionSigner(ctx context.Context, now time.Time) (*Signer, error) {
	return r.signer(ctx, SignAssertion, now)
}

func (r *Ring) signer(ctx context.Context, purpose Purpose, now time.Time) (*Signer, error) {
	// Whoever loses a race looks again: the key may be there now.
	for {
		if s := r.live.Load().signer(purpose, now); s != nil {
			return s, nil
		}
		_, err := r.change(ctx, nil, func(rows []Row, master Master) ([]Row, error) {
			if r.live.Load().signer(purpose, now) != nil {
				return nil, nil
			}
			return withVersion(rows, master, purpose, now)
		})
		if err != nil {
			return nil, fmt.Errorf("make the first key for %s: %w", purpose, err)
		}
	}
}

// RotateSigning is the chore that keeps signing keys young: it makes a successor of every one that is the newest of its
// purpose and RotateAfter old, and drops those that are no longer published. If somebody else changes the keyring at the
// same moment it does nothing, and the next run does it.
func (r *Ring) RotateSigning(ctx context.Context, now time.Time) error {
	if !r.live.Load().due(now) {
		return nil
	}
	_, err := r.change(ctx, nil, func(rows []Row, master Master) (_ []Row, err error) {
		if !r.live.Load().due(now) { // another node was faster
			return nil, nil
		}
		live := r.live.Load().signing
		for i := range live {
			purpose := live[i].purpose
			if !published(live, i, now) {
				rows = slices.DeleteFunc(slices.Clone(rows), func(row Row) bool { return row.Purpose == purpose && row.Version == live[i].version })
			}
			if aged(live, i, now) {
				if rows, err = withVersion(rows, master, purpose, now); err != nil {
					return nil, err
				}
			}
		}
		return rows, nil
	})
	if err != nil {
		return fmt.Errorf("rotate signing keys: %w", err)
	}
	return nil
}

// due says whether RotateSigning has something to do.
func (k *keys) due(now time.Time) bool {
	for i := range k.signing {
		if aged(k.signing, i, now) || !published(k.signing, i, now) {
			return true
		}
	}
	return false
}

// aged says whether signing[i] is the newest of its purpose and wants a successor.
func aged(signing []signingKey, i int, now time.Time) bool {
	newest := i == 0 || signing[i-1].purpose != signing[i].purpose
	return newest && !now.Before(signing[i].createdAt.Add(RotateAfter))
}
