package manage

import (
	"context"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// GrantsFilter narrows a list of grants; "" is any.
type GrantsFilter struct {
	User string
	App  string
}

// Grants lists what users allow apps, newest first, live ones only. It needs lanyard.grants.read, for the whole server or
// for one's own.
func (s *Service) Grants(ctx context.Context, actor audit.Actor, f GrantsFilter, list List) (lanyard.Page[lanyard.Grant], error) {
	none := lanyard.Page[lanyard.Grant]{}
	own, err := s.mayOwn(actor, grantsRead)
	if err != nil {
		return none, err
	}
	reach, filter := audit.ServerReach(), grant.Filter{User: own, Live: true}
	if own != "" {
		reach = audit.UserReach(own)
	}
	if f.User != "" {
		if filter.User, err = s.personNamed(ctx, actor, grantsRead, f.User); err != nil {
			return none, err
		}
	}
	if f.App != "" {
		// A user may ask about any app: whether they allowed it something is theirs to know, and nothing else is said.
		if filter.App, err = parseID[id.App]("app", f.App); err != nil {
			return none, err
		}
		if own == "" {
			if _, err := s.AppStore.App(ctx, reach, filter.App); err != nil {
				return none, err
			}
		}
	}
	return readPage(s, list, lister[*grant.Grant, lanyard.Grant]{
		name: "grants", filters: []string{string(own), f.User, f.App},
		fetch: func(before time.Time, beforeID string, limit int) ([]*grant.Grant, error) {
			filter.Before, filter.BeforeID, filter.Limit = before, beforeID, limit
			return s.GrantStore.Grants(ctx, reach, filter)
		},
		place: func(g *grant.Grant) (time.Time, string) { return g.CreatedAt, string(g.ID) },
		wire:  wireGrant,
	})
}

// RevokeGrant takes back what a user allowed an app, with every token under it. It needs lanyard.grants.write, for the whole
// server or for one's own.
func (s *Service) RevokeGrant(ctx context.Context, actor audit.Actor, grantID string) (id.Revision, error) {
	own, err := s.mayOwn(actor, grantsWrite)
	if err != nil {
		return 0, err
	}
	return s.revokeGrant(ctx, actor, own, grantID)
}

// revokeGrant ends a grant of the owner, or with "" of anybody.
func (s *Service) revokeGrant(ctx context.Context, actor audit.Actor, own id.User, grantID string) (id.Revision, error) {
	parsed, err := parseID[id.Grant]("grant", grantID)
	if err != nil {
		return 0, err
	}
	reach := audit.ServerReach()
	if own != "" {
		reach = audit.UserReach(own)
	}
	return s.GrantStore.RevokeGrant(ctx, reach, own, parsed, actor.New(s.now(), "grant.revoke", string(parsed), "", nil))
}

// Allowed is what a user allowed one app, with the app.
type Allowed struct {
	Grant lanyard.Grant
	App   lanyard.App // without what only its owners see
}

// MyGrants lists what the person logged in allows apps, newest first: at most 200.
func (s *Service) MyGrants(ctx context.Context, actor audit.Actor) ([]Allowed, error) {
	if err := mayInPerson(actor); err != nil {
		return nil, err
	}
	grants, err := s.GrantStore.Grants(ctx, audit.UserReach(actor.User), grant.Filter{User: actor.User, Live: true, Limit: maxLimit})
	if err != nil {
		return nil, err
	}
	out := make([]Allowed, 0, len(grants))
	for _, g := range grants {
		a, err := s.AppStore.App(ctx, audit.ServerReach(), g.App)
		if fault.Is(err, fault.NotFound) {
			continue // deleted: nothing works under it
		}
		if err != nil {
			return nil, err
		}
		out = append(out, Allowed{Grant: wireGrant(g), App: lanyard.App{
			ID: string(a.ID), ClientID: a.ClientID(), Name: a.Name, Type: string(a.Type), HomepageURL: a.HomepageURL, Origin: string(a.Origin),
			OAuthSettings: lanyard.OAuthSettings{RedirectURIs: a.OAuth.RedirectURIs, LogoURI: a.OAuth.LogoURI, PolicyURI: a.OAuth.PolicyURI, TOSURI: a.OAuth.TermsURI},
		}})
	}
	return out, nil
}

// RevokeMyGrant takes back what the person logged in allowed an app. With Wait it comes out when every node knows.
func (s *Service) RevokeMyGrant(ctx context.Context, actor audit.Actor, grantID string) (id.Revision, error) {
	if err := mayInPerson(actor); err != nil {
		return 0, err
	}
	return s.revokeGrant(ctx, actor, actor.User, grantID)
}
