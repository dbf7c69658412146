package manage

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

const day = 24 * time.Hour

// CreateKey makes a key of an app. The secret is in the answer and nowhere else. It needs lanyard.keys.write, and of each
// scope that the actor may grant it (grant.go).
func (s *Service) CreateKey(ctx context.Context, actor audit.Actor, appID string, in lanyard.KeyInput) (lanyard.NewKey, error) {
	reach, err := s.may(actor, keysWrite)
	if err != nil {
		return lanyard.NewKey{}, err
	}
	a, err := s.appWithin(ctx, reach, appID)
	if err != nil {
		return lanyard.NewKey{}, err
	}
	return s.createKey(ctx, actor, a, in)
}

func (s *Service) createKey(ctx context.Context, actor audit.Actor, a *app.App, in lanyard.KeyInput) (lanyard.NewKey, error) {
	g, err := s.granting(ctx, actor, a)
	if err != nil {
		return lanyard.NewKey{}, err
	}
	if in.Kind == string(secret.Client) {
		return lanyard.NewKey{}, fault.Field("kind", `must be "key" or "pub"; client secrets are made with POST /v1/apps/%s/secrets`, a.ID)
	}
	return s.keepNewKey(ctx, g, in)
}

// CheckKey says why CreateKey would refuse an input for an app of a team that is yet to be made; nil: it would not. It needs what
// CreateKey needs.
func (s *Service) CheckKey(ctx context.Context, actor audit.Actor, teamID string, in lanyard.KeyInput) error {
	reach, err := s.may(actor, keysWrite)
	if err != nil {
		return err
	}
	t, err := s.teamWithin(ctx, reach, teamID)
	if err != nil {
		return err
	}
	g, err := s.granting(ctx, actor, &app.App{Team: t.ID})
	if err != nil {
		return err
	}
	_, err = g.newKey(in, s.now())
	return err
}

// keepNewKey makes and keeps a key of any kind.
func (s *Service) keepNewKey(ctx context.Context, g *granting, in lanyard.KeyInput) (lanyard.NewKey, error) {
	now := s.now()
	k, err := g.newKey(in, now)
	if err != nil {
		return lanyard.NewKey{}, err
	}
	k.Prefix = s.Prefix(ctx)
	issued, version, err := s.issue(k)
	if err != nil {
		return lanyard.NewKey{}, err
	}
	version.Number, version.CreatedAt = 1, now
	k.Versions = []key.Version{version}
	ev := g.actor.New(now, "key.create", string(k.ID), k.Team, said(details{
		"app": string(k.App), "name": k.Name, "kind": string(k.Kind), "mode": string(k.Mode), "scopes": listText(k.Scopes),
		"apis": listText(k.APIs), "ip_allow": listText(networks(k)), "origins": listText(k.Restrictions.Origins), "expires_at": whenText(k.ExpiresAt), "quota": k.Quota.String(),
	}))
	if _, err := s.KeyStore.CreateKeys(ctx, []*key.Key{k}, ev); err != nil {
		return lanyard.NewKey{}, err
	}
	return lanyard.NewKey{ID: string(k.ID), Secret: issued.Reveal(), Key: wireKey(k, now)}, nil
}

// newKey makes a key of an input, without any secret yet.
func (g *granting) newKey(in lanyard.KeyInput, now time.Time) (*key.Key, error) {
	newID, err := id.NewFrom[id.Key](g.service.random())
	if err != nil {
		return nil, err
	}
	k := &key.Key{
		ID: newID, App: g.app.ID, Team: g.app.Team, Name: in.Name, Kind: secret.Kind(in.Kind), Mode: secret.Mode(in.Mode),
		CreatedAt: now, NotBefore: moment(in.NotBefore), ExpiresAt: moment(in.ExpiresAt),
	}
	if k.Kind == "" {
		k.Kind = secret.Key
	}
	if k.Mode == "" {
		k.Mode = secret.Live
	}
	if err := future("expires_at", in.ExpiresAt, now); err != nil {
		return nil, err
	}
	if err := g.narrow(k, &in.IPAllow, &in.Origins, &in.Operations, &in.APIs, &in.Scopes); err != nil {
		return nil, err
	}
	if err := fill(k, &in.Limits, in.Quota, &in.Metadata, &in.RotateEveryDays); err != nil {
		return nil, err
	}
	return k, k.Validate()
}

// narrow gives a key its scopes and what narrows them; what is nil stays. Scopes are checked first, then operations by the
// APIs they open.
func (g *granting) narrow(k *key.Key, ips, origins, operations, apis, scopes *[]string) error {
	if apis != nil {
		if err := g.unknownAPI(*apis); err != nil {
			return err
		}
		k.APIs = distinct(*apis)
	}
	if scopes != nil {
		if err := g.prohibitsAll("scopes", *scopes, k.Scopes, k.APIs); err != nil {
			return err
		}
		k.Scopes = distinct(*scopes)
	}
	if operations != nil {
		if err := g.unknownOperation(*operations, k.Scopes); err != nil {
			return err
		}
		k.Restrictions.Operations = distinct(*operations)
	}
	if ips != nil {
		if err := networksInto(&k.Restrictions, *ips); err != nil {
			return err
		}
	}
	if origins != nil {
		return originsInto(&k.Restrictions, *origins)
	}
	return nil
}

// fill gives a key what has nothing to do with rights; what is nil stays.
func fill(k *key.Key, limits *[]lanyard.Limit, quota *lanyard.Quota, metadata *lanyard.Metadata, rotateEveryDays *int) (err error) {
	if limits != nil {
		if k.Limits, err = limitsFrom(*limits); err != nil {
			return err
		}
	}
	if quota != nil {
		k.Quota = quotaFrom(*quota)
	}
	if metadata != nil {
		if k.Metadata, err = metadataFrom(*metadata); err != nil {
			return err
		}
	}
	if rotateEveryDays != nil {
		if *rotateEveryDays < 0 || *rotateEveryDays > 730 {
			return fault.Field("rotate_every_days", "must be between 0 and 730")
		}
		k.RotateEvery = time.Duration(*rotateEveryDays) * day
	}
	return nil
}

// issue makes a secret for the key under its id, with the digest that is kept of it.
func (s *Service) issue(k *key.Key) (secret.Secret, key.Version, error) {
	issued, err := secret.New(k.Prefix, k.Kind, k.Mode, id.Chars(k.ID), s.random())
	if err != nil {
		return secret.Secret{}, key.Version{}, fmt.Errorf("issue a secret for key %s: %w", k.ID, err)
	}
	pepper, digest := s.MAC(issued.Reveal())
	return issued, key.Version{Digest: digest[:], Scheme: key.SchemeMAC, Pepper: pepper}, nil
}

func (s *Service) keyWithin(ctx context.Context, reach audit.Reach, keyID string) (*key.Key, error) {
	parsed, err := parseID[id.Key]("key", keyID)
	if err != nil {
		return nil, err
	}
	return s.KeyStore.Key(ctx, reach, parsed)
}

// Key shows a key, without its secret. It needs lanyard.keys.read.
func (s *Service) Key(ctx context.Context, actor audit.Actor, keyID string) (lanyard.Key, error) {
	reach, err := s.may(actor, keysRead)
	if err != nil {
		return lanyard.Key{}, err
	}
	k, err := s.keyWithin(ctx, reach, keyID)
	if err != nil {
		return lanyard.Key{}, err
	}
	return wireKey(k, s.now()), nil
}

// KeysFilter narrows a list of keys; "" is any.
type KeysFilter struct {
	App  string
	Team string
	Name string
	Kind string // key, pub or cs
}

// Keys lists the keys within reach, newest first. It needs lanyard.keys.read.
func (s *Service) Keys(ctx context.Context, actor audit.Actor, f KeysFilter, list List) (lanyard.Page[lanyard.Key], error) {
	none := lanyard.Page[lanyard.Key]{}
	reach, err := s.may(actor, keysRead)
	if err != nil {
		return none, err
	}
	filter := key.Filter{Name: f.Name}
	if filter.Team, err = s.teamFilter(ctx, reach, f.Team); err != nil {
		return none, err
	}
	if f.App != "" {
		a, err := s.appWithin(ctx, reach, f.App)
		if err != nil {
			return none, err
		}
		filter.App = a.ID
	}
	if err := checkText("name", f.Name, maxFilter); err != nil {
		return none, err
	}
	switch kind := secret.Kind(f.Kind); kind {
	case "":
	case secret.Key, secret.Publishable, secret.Client:
		filter.Kinds = []secret.Kind{kind}
	default:
		return none, fault.Field("kind", "must be key, pub or cs")
	}
	now := s.now()
	return readPage(s, list, lister[*key.Key, lanyard.Key]{
		name: "keys", filters: []string{f.App, f.Team, f.Name, f.Kind},
		fetch: func(before time.Time, beforeID string, limit int) ([]*key.Key, error) {
			filter.Before, filter.BeforeID, filter.Limit = before, beforeID, limit
			return s.KeyStore.Keys(ctx, reach, filter)
		},
		place: func(k *key.Key) (time.Time, string) { return k.CreatedAt, string(k.ID) },
		wire:  func(k *key.Key) lanyard.Key { return wireKey(k, now) },
	})
}

// EndingKeys lists the keys that end within that time from now, the next to end first, at most limit. It needs lanyard.keys.read.
func (s *Service) EndingKeys(ctx context.Context, actor audit.Actor, within time.Duration, limit int) ([]lanyard.Key, error) {
	reach, err := s.may(actor, keysRead)
	if err != nil {
		return nil, err
	}
	now := s.now()
	found, err := s.KeyStore.Keys(ctx, reach, key.Filter{EndsAfter: now, EndsBefore: now.Add(within), Limit: limit})
	if err != nil {
		return nil, err
	}
	out := make([]lanyard.Key, 0, len(found))
	for _, k := range found {
		out = append(out, wireKey(k, now))
	}
	return out, nil
}

// UpdateKey changes what the patch names. An end can be set or brought forward, never put off or removed; scopes that
// stand on the key can stay, others must be grantable. It needs lanyard.keys.write.
func (s *Service) UpdateKey(ctx context.Context, actor audit.Actor, keyID string, patch lanyard.KeyPatch) (lanyard.Key, error) {
	reach, err := s.may(actor, keysWrite)
	if err != nil {
		return lanyard.Key{}, err
	}
	k, err := s.keyWithin(ctx, reach, keyID)
	if err != nil {
		return lanyard.Key{}, err
	}
	a, err := s.AppStore.App(ctx, reach, k.App)
	if err != nil {
		return lanyard.Key{}, err
	}
	g, err := s.granting(ctx, actor, a)
	if err != nil {
		return lanyard.Key{}, err
	}
	now := s.now()
	ev := actor.New(now, "key.update", string(k.ID), k.Team, keyPatchDetails(patch))
	updated, _, err := s.KeyStore.UpdateKey(ctx, reach, k.ID, ev, func(k *key.Key) error { return g.patch(k, patch, now) })
	if err != nil {
		return lanyard.Key{}, err
	}
	return wireKey(updated, now), nil
}

func (g *granting) patch(k *key.Key, patch lanyard.KeyPatch, now time.Time) error {
	if patch.IPAllow != nil || patch.Origins != nil || patch.Operations != nil || patch.APIs != nil {
		// Whoever may lift what narrows a key comes by its rights.
		if err := g.service.withholds(g.actor, k); err != nil {
			return err
		}
	}
	if patch.Name != nil {
		k.Name = *patch.Name
	}
	if err := shorten(k, patch.ExpiresAt, now); err != nil {
		return err
	}
	if err := g.narrow(k, patch.IPAllow, patch.Origins, patch.Operations, patch.APIs, patch.Scopes); err != nil {
		return err
	}
	if patch.APIs != nil && slices.Contains(k.Scopes, verifyScope) {
		if err := g.prohibits(verifyScope, k.APIs); err != nil {
			return under("apis", err)
		}
	}
	if err := fill(k, patch.Limits, patch.Quota, patch.Metadata, patch.RotateEveryDays); err != nil {
		return err
	}
	return k.Validate()
}

// shorten sets a key's end or brings it forward.
func shorten(k *key.Key, to *time.Time, now time.Time) error {
	if to == nil {
		return nil
	}
	if err := future("expires_at", to, now); err != nil {
		return err
	}
	end := moment(to)
	if !k.ExpiresAt.IsZero() && end.After(k.ExpiresAt) {
		err := fault.New(fault.Conflict, "key %s expires at %s, and an expiry cannot be put off: whoever was given the key was promised that end; create a new key", k.ID, whenText(k.ExpiresAt))
		err.Field, err.ID = "expires_at", string(k.ID)
		return err
	}
	k.ExpiresAt = end
	return nil
}

func keyPatchDetails(patch lanyard.KeyPatch) map[string]string {
	d := details{}
	if patch.Name != nil {
		d["name"] = *patch.Name
	}
	for name, list := range map[string]*[]string{
		"scopes": patch.Scopes, "ip_allow": patch.IPAllow, "origins": patch.Origins, "operations": patch.Operations, "apis": patch.APIs,
	} {
		if list != nil {
			d[name] = orNone(strings.Join(*list, " "))
		}
	}
	if patch.ExpiresAt != nil {
		d["expires_at"] = whenText(*patch.ExpiresAt)
	}
	if patch.Limits != nil {
		d["limits"] = LimitsText(*patch.Limits)
	}
	if patch.Quota != nil {
		d["quota"] = orNone(quotaFrom(*patch.Quota).String())
	}
	if patch.Metadata != nil {
		d["metadata"] = "changed"
	}
	if patch.RotateEveryDays != nil {
		d["rotate_every_days"] = fmt.Sprint(*patch.RotateEveryDays)
	}
	return said(d)
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}
