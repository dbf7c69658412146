package verify

import (
	"crypto/sha256"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/token"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// KindJWT is how decisions call an access token that is a JWT; an opaque one is secret.Access.
const KindJWT secret.Kind = "jwt"

// tokenDigest is what an access token is remembered by.
type tokenDigest [sha256.Size]byte

// tokenEntry is an access token that was proven to be ours: what it says, and by what names it may have been revoked. It
// is never changed once made. Whether it still works is looked at every time.
type tokenEntry struct {
	claims  token.Claims
	id      id.Token
	kind    secret.Kind
	ring    int64 // generation of the keyring that proved it
	expires int64 // seconds

	// Names among the revocations, parts of one text.
	self, family, userEpoch, appEpoch, grantEpoch string
}

func newTokenEntry(c *token.Claims, kind secret.Kind, ring int64) *tokenEntry {
	e := &tokenEntry{claims: *c, id: id.Of[id.Token](c.ID), kind: kind, ring: ring, expires: c.ExpiresAt.Unix()}
	e.claims.App, e.claims.Audience, e.claims.Mode, e.claims.ACR = interned(c.App), interned(c.Audience), interned(c.Mode), interned(c.ACR)
	e.claims.Scopes = make([]string, len(c.Scopes))
	for i, s := range c.Scopes {
		e.claims.Scopes[i] = interned(s)
	}
	e.self = string(e.id)
	if c.Family != "" {
		e.family = string(id.Of[id.Family](c.Family))
	}
	if c.User != "" {
		e.userEpoch = user.EpochSubject(string(c.User), c.Epochs.User)
	}
	e.appEpoch = user.EpochSubject(string(c.App), c.Epochs.App)
	if c.Grant != "" {
		e.grantEpoch = user.EpochSubject(string(c.Grant), c.Epochs.Grant)
	}
	return e
}

// personalEntry is what a decision needs of a personal token. It is never changed once made.
type personalEntry struct {
	id           id.Key
	user         id.User
	mode         secret.Mode
	revoked      bool
	created      int64 // microseconds UTC
	expires      int64 // microseconds UTC
	epoch        int
	userEpoch    string // the user's epoch among the revocations
	pepper       int
	digest       [32]byte
	scopes       []string
	restrictions *policy.Restrictions // nil: none
	upgrading    atomic.Bool          // its upgrade is under way
}

func newPersonalEntry(p *key.Personal) *personalEntry {
	e := &personalEntry{
		id: p.ID, user: p.User, mode: interned(p.Mode), revoked: !p.RevokedAt.IsZero(), created: p.CreatedAt.UnixMicro(), expires: p.ExpiresAt.UnixMicro(),
		epoch: p.Epoch, userEpoch: user.EpochSubject(string(p.User), p.Epoch), pepper: p.Pepper, scopes: make([]string, len(p.Scopes)),
	}
	for i, s := range p.Scopes {
		e.scopes[i] = interned(s)
	}
	copy(e.digest[:], p.Digest)
	if !p.Restrictions.Empty() {
		r := p.Restrictions
		e.restrictions = &r
	}
	return e
}

// statusAt is key.Personal.StatusAt on the entry's fields.
func (e *personalEntry) statusAt(now time.Time) policy.Code {
	switch {
	case e.revoked:
		return policy.Revoked
	case now.UnixMicro() >= e.expires:
		return policy.Expired
	}
	return policy.Valid
}

// personal is the token as far as it may be shown to surfaces.
func (e *personalEntry) personal() *key.Personal {
	p := &key.Personal{
		ID: e.id, User: e.user, Mode: e.mode, Scopes: e.scopes, Epoch: e.epoch, CreatedAt: time.UnixMicro(e.created).UTC(), ExpiresAt: time.UnixMicro(e.expires).UTC(),
	}
	if e.restrictions != nil {
		p.Restrictions = *e.restrictions
	}
	return p
}

// newTokens makes room for tokens that were proven, none of which stays beyond its end.
func newTokens(size int, now func() time.Time) *otter.Cache[tokenDigest, *tokenEntry] {
	return otter.Must(&otter.Options[tokenDigest, *tokenEntry]{
		MaximumSize: size,
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[tokenDigest, *tokenEntry]) time.Duration {
			return e.Value.claims.ExpiresAt.Sub(now())
		}),
	})
}

// holder is one proven credential with what stands behind it: exactly one of key, token and personal is there.
type holder struct {
	key      *keyEntry
	token    *tokenEntry
	personal *personalEntry
	app      *appEntry // nil for a personal token
	team     id.Team   // the app's; "" for a personal token
	owner    teamEntry // that team
	user     id.User   // "": no person stands behind it
	standing user.Standing
}

// bear says what the credential brings to the rules of an API.
func (v *Verifier) bear(b *policy.Bearer, h *holder, api *policy.API) {
	b.Rights = policy.Rights{Server: h.team == v.system()}
	if h.app != nil {
		b.Rights.Registered = h.app.registered
	}
	if h.user != "" {
		b.Rights.Person, b.Rights.Admin, b.Rights.Server = true, h.standing.Admin, h.standing.Admin
		// A personal token is of no app, and at the management API reach narrows to the user's own teams: there any team does.
		b.Rights.Owner = len(h.standing.Owns) > 0
		if h.personal == nil && api != v.Management {
			b.Rights.Owner = h.owns(h.team)
		}
	}
	switch {
	case h.key != nil:
		b.Test, b.App, b.Scopes, b.Restrictions = h.key.mode == secret.Test, string(h.key.app), h.key.scopes, h.key.restrictions
	case h.token != nil:
		c := &h.token.claims
		b.Test, b.App, b.Scopes, b.Audience = c.Mode == secret.Test, string(c.App), c.Scopes, c.Audience
		if h.user != "" {
			b.SignedIn = c.AuthTime
		}
	case h.personal != nil:
		b.Test, b.Personal, b.Scopes, b.Restrictions = h.personal.mode == secret.Test, true, h.personal.scopes, h.personal.restrictions
	}
}

func (h *holder) owns(team id.Team) bool {
	for _, owned := range h.standing.Owns {
		if owned == team && team != "" {
			return true
		}
	}
	return false
}
