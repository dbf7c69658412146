package verify

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/token"
)

// Opener proves access tokens. The errors are token.ErrForged and token.ErrUnknownKey.
type Opener interface {
	OpenOpaque(text string, into *token.Claims) error
	OpenJWT(text string, into *token.Claims) error
}

// resolveToken finds what an access token says once its seal or signature held, and its status now. The work of proving it
// is done once; a source that keeps failing is refused before it.
func (v *Verifier) resolveToken(ctx context.Context, text string, kind secret.Kind, req *Request, d *Decision, h *holder) (bool, error) {
	ring, err := v.ringNow(ctx)
	if err != nil {
		return false, err
	}
	digest := digestOf(text)
	e, known := v.tokens.GetIfPresent(digest)
	if !known || e.ring != ring {
		if kind == secret.Access {
			// Garbage costs no more than a look at its shape.
			if _, _, err := secret.ParseToken(text, nil); err != nil {
				d.refuse(policy.Malformed, "credential")
				return false, nil //nolint:nilerr // a refusal is a decision
			}
		}
		if v.guard.barred(req, d) {
			return false, nil
		}
		if e, err = v.open(ctx, text, kind, ring); err != nil {
			return false, err
		}
		if e == nil {
			d.refuse(policy.NotFound, "credential")
			return false, nil
		}
		if e.claims.ExpiresAt.After(d.At) {
			v.tokens.Set(digest, e)
		}
	}
	h.token, h.user = e, e.claims.User
	return true, v.identifyToken(ctx, h, d)
}

// digestOf is what a token is remembered by. One of usual length is hashed where it costs no garbage, and nothing of it stays.
func digestOf(text string) tokenDigest {
	var room [secret.MaxToken]byte
	return sha256.Sum256(append(room[:0], text...))
}

// open proves a token, or returns nil. One that names a key this node does not know is tried again after reading the
// keyring.
func (v *Verifier) open(ctx context.Context, text string, kind secret.Kind, ring int64) (*tokenEntry, error) {
	prove := v.Tokens.OpenOpaque
	if kind == KindJWT {
		prove = v.Tokens.OpenJWT
	}
	var c token.Claims
	err := prove(text, &c)
	if errors.Is(err, token.ErrUnknownKey) {
		again, readErr := v.readForUnknown(ctx)
		if readErr != nil {
			return nil, readErr
		}
		if again {
			err = prove(text, &c)
		}
	}
	switch {
	case errors.Is(err, token.ErrForged), errors.Is(err, token.ErrUnknownKey):
		return nil, nil
	case err != nil:
		return nil, fault.Down(err, "the token cannot be read")
	}
	if c.User == "" && c.Grant != "" {
		// A pairwise name does not say whose it is. Whose grant it is does not change.
		g, err := v.grant(ctx, c.Grant)
		if err != nil {
			return nil, err
		}
		c.User = g.User
	}
	return newTokenEntry(&c, kind, ring), nil
}

// identifyToken fills in who it is and says whether the token works now.
func (v *Verifier) identifyToken(ctx context.Context, h *holder, d *Decision) error {
	e := h.token
	c := &e.claims
	a, err := v.app(ctx, c.App)
	if err != nil {
		return err
	}
	h.app, h.team = a, a.team
	if a.team != "" {
		if h.owner, err = v.team(ctx, a.team); err != nil {
			return err
		}
	}
	d.Identified = true
	d.app = a
	d.Token, d.Kind, d.Mode, d.ExpiresAt = e.id, e.kind, c.Mode, c.ExpiresAt
	d.ends(c.ExpiresAt)
	d.App, d.AppName, d.AppMetadata, d.Team = c.App, a.name, a.metadata, a.team
	d.User, d.Grant, d.Subject, d.ACR, d.AMR, d.AuthTime = h.user, c.Grant, c.Subject, c.ACR, c.AMR, c.AuthTime
	d.Family = ""
	if c.Family != "" {
		d.Family = id.Family(e.family)
	}
	some := v.Tail.AnyRevoked()
	switch {
	case some && v.Tail.Revoked(e.self):
		d.refuse(policy.Revoked, "token")
	case some && e.family != "" && v.Tail.Revoked(e.family):
		d.refuse(policy.Revoked, "family")
	case d.At.Unix() >= e.expires:
		d.refuse(policy.Expired, "token")
	case a.gone:
		d.refuse(policy.Disabled, "app")
	case h.owner.suspended:
		d.refuse(policy.OwnerSuspended, "team")
	case c.Epochs.App < a.epoch, some && v.Tail.Revoked(e.appEpoch):
		d.refuse(policy.Revoked, "app")
	default:
		d.refuse(policy.Valid, "")
		return v.behind(ctx, h, d, some)
	}
	return nil
}

// behind looks at the user and the grant that a token hangs on.
func (v *Verifier) behind(ctx context.Context, h *holder, d *Decision, some bool) error {
	e := h.token
	c := &e.claims
	if h.user != "" {
		var err error
		if h.standing, err = v.user(ctx, h.user); err != nil {
			return err
		}
		switch {
		case h.standing.Disabled:
			d.refuse(policy.Disabled, "user")
			return nil
		case c.Epochs.User < h.standing.Epoch, some && v.Tail.Revoked(e.userEpoch):
			d.refuse(policy.Revoked, "user")
			return nil
		}
	}
	if c.Grant == "" {
		return nil
	}
	g, err := v.grant(ctx, c.Grant)
	if err != nil {
		return err
	}
	if !g.RevokedAt.IsZero() || g.User != h.user || g.App != c.App || c.Epochs.Grant < g.Epoch ||
		some && (v.Tail.Revoked(string(c.Grant)) || v.Tail.Revoked(e.grantEpoch)) {
		d.refuse(policy.Revoked, "grant")
	}
	return nil
}

// resolvePersonal finds the personal token that the credential proves, and its status now. ok is false without one.
func (v *Verifier) resolvePersonal(ctx context.Context, credential, chars string, req *Request, d *Decision, h *holder) (ok bool, err error) {
	e, known := v.personals.peek(chars)
	if !known {
		if v.guard.barred(req, d) {
			return false, nil
		}
		e, err = v.personals.get(ctx, chars, func(ctx context.Context) (*personalEntry, error) {
			p, err := v.Store.PersonalForDecision(ctx, id.Of[id.Key](chars))
			if err != nil {
				return nil, err
			}
			return newPersonalEntry(p), nil
		})
		if fault.Is(err, fault.NotFound) {
			d.refuse(policy.NotFound, "credential")
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	if err := v.knowPepper(ctx, e.pepper); err != nil {
		return false, err
	}
	if !v.Ring.Matches(e.pepper, e.digest, credential) {
		d.refuse(policy.NotFound, "credential")
		return false, nil
	}
	if e.pepper != v.Ring.CurrentPepper() && e.upgrading.CompareAndSwap(false, true) {
		pepper, digest := v.Ring.MAC(credential)
		v.enqueue(upgradeJob{personal: e, pepper: pepper, digest: digest})
	}
	h.personal, h.user = e, e.user
	return true, v.identifyPersonal(ctx, h, d)
}

// identifyPersonal fills in whose it is and says whether the token works now.
func (v *Verifier) identifyPersonal(ctx context.Context, h *holder, d *Decision) (err error) {
	e := h.personal
	if h.standing, err = v.user(ctx, e.user); err != nil {
		return err
	}
	d.Identified = true
	d.Key, d.Kind, d.Mode, d.User, d.Subject = e.id, secret.Personal, e.mode, e.user, string(e.user)
	d.ExpiresAt = time.UnixMicro(e.expires).UTC()
	d.ends(d.ExpiresAt)
	code := e.statusAt(d.At)
	switch {
	case code != policy.Valid:
		d.refuse(code, "token")
	case v.Tail.AnyRevoked() && v.Tail.Revoked(string(e.id)):
		d.refuse(policy.Revoked, "token")
	case h.standing.Disabled:
		d.refuse(policy.Disabled, "user")
	case e.epoch < h.standing.Epoch, v.Tail.AnyRevoked() && v.Tail.Revoked(e.userEpoch):
		d.refuse(policy.Revoked, "user")
	default:
		d.refuse(policy.Valid, "")
	}
	return nil
}
