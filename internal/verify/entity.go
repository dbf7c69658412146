package verify

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
	"unique"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// keyEntry is what a decision needs of a key, kept small: a million of them stay in memory. It is never changed once made.
type keyEntry struct {
	id           id.Key
	app          id.App
	team         id.Team
	kind         secret.Kind
	mode         secret.Mode
	revoked      bool
	disabled     bool
	notBefore    int64 // microseconds UTC; 0: at once
	expires      int64 // microseconds UTC; 0: never
	scopes       []string
	versions     []version
	restrictions *policy.Restrictions // nil: none
	limits       []ratelimit.Limit
	quota        *billing.Quota // nil: none
	apis         []string
}

// version is one secret of a key.
type version struct {
	digest    [32]byte
	ends      int64 // microseconds UTC; 0: current
	number    int32
	pepper    int32
	revoked   bool
	imported  bool        // key.SchemeImported
	upgrading atomic.Bool // its upgrade is under way
}

// interned returns one shared copy of a text that stands in many entries: ids of apps and teams, names of scopes.
func interned[S ~string](s S) S { return S(unique.Make(string(s)).Value()) }

func newKeyEntry(k *key.Key) *keyEntry {
	e := &keyEntry{
		id: k.ID, app: interned(k.App), team: interned(k.Team), kind: interned(k.Kind), mode: interned(k.Mode),
		revoked: !k.RevokedAt.IsZero() || !k.DeletedAt.IsZero(), disabled: !k.DisabledAt.IsZero(),
		limits: k.Limits, versions: make([]version, len(k.Versions)),
	}
	if !k.NotBefore.IsZero() {
		e.notBefore = k.NotBefore.UnixMicro()
	}
	if !k.ExpiresAt.IsZero() {
		e.expires = k.ExpiresAt.UnixMicro()
	}
	if len(k.Scopes) > 0 {
		e.scopes = make([]string, len(k.Scopes))
		for i, s := range k.Scopes {
			e.scopes[i] = interned(s)
		}
	}
	if len(k.APIs) > 0 {
		e.apis = k.APIs
	}
	if k.Quota.Units > 0 {
		own := k.Quota // alone: the key itself is not to be kept
		e.quota = &own
	}
	if !k.Restrictions.Empty() {
		r := k.Restrictions
		e.restrictions = &r
	}
	for i := range k.Versions {
		from, to := &k.Versions[i], &e.versions[i]
		copy(to.digest[:], from.Digest)
		to.number, to.pepper = int32(from.Number), int32(from.Pepper) //nolint:gosec // counted from 1 by hand-made acts
		to.revoked, to.imported = !from.RevokedAt.IsZero(), from.Scheme == key.SchemeImported
		if !from.EndsAt.IsZero() {
			to.ends = from.EndsAt.UnixMicro()
		}
	}
	return e
}

// statusAt is key.Key.StatusAt on the entry's fields, in the same order.
func (e *keyEntry) statusAt(now time.Time) policy.Code {
	us := now.UnixMicro()
	switch {
	case e.revoked:
		return policy.Revoked
	case e.expires != 0 && us >= e.expires:
		return policy.Expired
	case e.disabled:
		return policy.Disabled
	case us < e.notBefore:
		return policy.NotYetValid
	}
	return policy.Valid
}

func (e *keyEntry) expiresAt() time.Time {
	if e.expires == 0 {
		return time.Time{}
	}
	return time.UnixMicro(e.expires).UTC()
}

func (ver *version) statusAt(now time.Time) policy.Code {
	switch {
	case ver.revoked:
		return policy.Revoked
	case ver.ends != 0 && now.UnixMicro() >= ver.ends:
		return policy.Rotated
	}
	return policy.Valid
}

type appEntry struct {
	gone       bool // disabled or deleted
	registered bool // it registered itself: no scopes of Lanyard's own
	epoch      int
	team       id.Team // "" of a deleted app
	name       string
	metadata   []byte // JSON object; empty: none
	limits     []ratelimit.Limit
}

func newAppEntry(a *app.App, now time.Time) (*appEntry, error) {
	e := &appEntry{
		gone: a.StatusAt(now) != "", registered: a.Origin != app.MadeHere, epoch: a.Epoch, team: interned(a.Team), name: strings.Clone(a.Name), limits: limitsOf("app", a.Limits),
	}
	if len(a.Metadata) > 0 {
		b, err := json.Marshal(a.Metadata)
		if err != nil {
			return nil, fmt.Errorf("encode the metadata of %s: %w", a.ID, err)
		}
		e.metadata = b
	}
	return e, nil
}

type teamEntry struct {
	suspended bool
	name      string // "": the built-in team
	limits    []ratelimit.Limit
}

// limitsOf names limits after whose they are, so that no two of one decision have the same name. A key's keep theirs.
func limitsOf(whose string, limits []ratelimit.Limit) []ratelimit.Limit {
	var named []ratelimit.Limit
	for _, l := range limits {
		named = append(named, l.Of(whose))
	}
	return named
}
