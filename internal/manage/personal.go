package manage

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// CreateToken makes a personal token of the user who asks, for themself. The secret is in the answer and nowhere else. It
// needs lanyard.keys.write, and of each scope that the user may grant it now.
func (s *Service) CreateToken(ctx context.Context, actor audit.Actor, in lanyard.PersonalTokenInput) (lanyard.NewPersonalToken, error) {
	none := lanyard.NewPersonalToken{}
	if err := s.mayHaveTokens(actor); err != nil {
		return none, err
	}
	standing, err := s.UserStore.UserForDecision(ctx, actor.User)
	if err != nil {
		return none, err
	}
	if standing.Disabled {
		return none, fault.New(fault.Conflict, "the account is disabled and gets no tokens")
	}
	now := s.now()
	p, err := s.newPersonal(ctx, actor, standing, in, now)
	if err != nil {
		return none, err
	}
	issued, err := secret.New(p.Prefix, secret.Personal, p.Mode, id.Chars(p.ID), s.random())
	if err != nil {
		return none, fmt.Errorf("issue a secret for the personal token %s: %w", p.ID, err)
	}
	pepper, digest := s.MAC(issued.Reveal())
	p.Pepper, p.Digest = pepper, digest[:]
	ev := actor.New(now, "token.create", string(p.ID), "", said(details{
		"user": string(p.User), "name": p.Name, "mode": string(p.Mode), "scopes": listText(p.Scopes), "ip_allow": listText(prefixes(p.Restrictions.IPs)),
		"expires_at": whenText(p.ExpiresAt),
	}))
	if _, err := s.PersonalStore.CreatePersonal(ctx, p, ev); err != nil {
		return none, err
	}
	return lanyard.NewPersonalToken{ID: string(p.ID), Secret: issued.Reveal(), PersonalToken: wirePersonal(p, now)}, nil
}

// mayHaveTokens refuses whoever is no person.
func (s *Service) mayHaveTokens(actor audit.Actor) error {
	if !s.Management.Scopes.Covers(actor.Scopes, keysWrite, true) {
		return lacks(keysWrite, "which the credential does not hold")
	}
	if actor.User == "" {
		return lacks(keysWrite, "held by a user: a personal token belongs to the person who makes it; for an app, create a key")
	}
	return nil
}

func (s *Service) newPersonal(ctx context.Context, actor audit.Actor, standing user.Standing, in lanyard.PersonalTokenInput, now time.Time) (*key.Personal, error) {
	newID, err := id.NewFrom[id.Key](s.random())
	if err != nil {
		return nil, err
	}
	p := &key.Personal{
		ID: newID, User: actor.User, Name: in.Name, Mode: secret.Mode(in.Mode), Prefix: s.Prefix(ctx), Epoch: standing.Epoch,
		CreatedAt: now, ExpiresAt: moment(in.ExpiresAt),
	}
	if p.Mode == "" {
		p.Mode = secret.Live
	}
	if in.ExpiresAt == nil {
		p.ExpiresAt = now.Add(key.PersonalLife)
	}
	if err := s.prohibitsPersonal(ctx, actor, standing, in.Scopes); err != nil {
		return nil, err
	}
	p.Scopes = distinct(in.Scopes)
	if err := networksInto(&p.Restrictions, in.IPAllow); err != nil {
		return nil, err
	}
	return p, p.Validate()
}

// prohibitsPersonal says which of the scopes the user may not give a token of theirs, or nil.
func (s *Service) prohibitsPersonal(ctx context.Context, actor audit.Actor, standing user.Standing, scopes []string) error {
	if err := checkCount("scopes", len(scopes), maxScopes); err != nil {
		return err
	}
	state, err := s.CatalogStore.Catalog(ctx)
	if err != nil {
		return err
	}
	trusted, err := s.speaksForUser(ctx, actor)
	if err != nil {
		return err
	}
	g := &granting{service: s, apis: state.APIs}
	for i, scope := range scopes {
		field := fmt.Sprintf("scopes[%d]", i)
		grantor, server, known := policy.Grantor(""), false, false
		if ours := s.Management.Scopes.Get(scope); ours != nil {
			if !s.holds(actor, scope) || scope == verifyScope && len(actor.APIs) > 0 {
				return under(field, fault.New(fault.NotGrantable, "you cannot give %s to a personal token: you do not hold it yourself", scope))
			}
			grantor, server, known = ours.GrantableBy, ours.ServerReach, true
		} else {
			for _, api := range state.APIs {
				if declared, there := api.Scopes[scope]; there {
					grantor, known = policy.Grantor(declared.GrantableBy), true
				}
			}
			if known && !trusted {
				return under(field, fault.New(fault.NotGrantable, "you cannot give %s to a personal token through an app or another token: log in and make it there", scope))
			}
		}
		switch {
		case !known:
			return under(field, g.unknownScope(scope))
		case server && !standing.Admin || !grants(standing, grantor):
			return under(field, fault.New(fault.NotGrantable, "you cannot give %s to a personal token: only %s can", scope, whoGrants(server, grantor)))
		}
	}
	return nil
}

// speaksForUser reports whether what the actor asks is the user's own will: they are logged in, or use an app of the
// provider. Any other app, and a token they left somewhere, would come by rights that they never gave it.
func (s *Service) speaksForUser(ctx context.Context, actor audit.Actor) (bool, error) {
	if inPerson(actor) {
		return true, nil
	}
	if actor.App == "" || actor.Key != "" {
		return false, nil
	}
	a, err := s.AppStore.App(ctx, audit.ServerReach(), actor.App)
	if err != nil {
		return false, err
	}
	owner, err := s.TeamStore.Team(ctx, audit.ServerReach(), a.Team)
	if err != nil {
		return false, err
	}
	return a.OAuth.FirstParty || owner.System, nil
}

// grants reports whether a user who stands so may grant what is grantable by that.
func grants(standing user.Standing, by policy.Grantor) bool {
	switch by {
	case "", policy.GrantableByEveryone:
		return true
	case policy.GrantableByTeamOwner:
		return standing.Admin || len(standing.Owns) > 0
	case policy.GrantableByAdmin:
	}
	return standing.Admin // also for a word nobody declared
}

func whoGrants(server bool, by policy.Grantor) string {
	if !server && by == policy.GrantableByTeamOwner {
		return "an owner of a team"
	}
	return "an admin"
}

// Token shows a personal token, without its secret. It needs lanyard.keys.read, for the whole server or for one's own.
func (s *Service) Token(ctx context.Context, actor audit.Actor, tokenID string) (lanyard.PersonalToken, error) {
	own, err := s.mayOwn(actor, keysRead)
	if err != nil {
		return lanyard.PersonalToken{}, err
	}
	parsed, err := parseID[id.Key]("personal token", tokenID)
	if err != nil {
		return lanyard.PersonalToken{}, err
	}
	p, err := s.PersonalStore.Personal(ctx, own, parsed)
	if err != nil {
		return lanyard.PersonalToken{}, err
	}
	return wirePersonal(p, s.now()), nil
}

// Tokens lists personal tokens, newest first: those of userID, or with "" a user's own and for others everybody's. It needs
// lanyard.keys.read, for the whole server or for one's own.
func (s *Service) Tokens(ctx context.Context, actor audit.Actor, userID string, list List) (lanyard.Page[lanyard.PersonalToken], error) {
	none := lanyard.Page[lanyard.PersonalToken]{}
	if _, err := s.mayOwn(actor, keysRead); err != nil {
		return none, err
	}
	filter := key.PersonalFilter{User: actor.User}
	if userID != "" {
		var err error
		if filter.User, err = s.personNamed(ctx, actor, keysRead, userID); err != nil {
			return none, err
		}
	}
	now := s.now()
	return readPage(s, list, lister[*key.Personal, lanyard.PersonalToken]{
		name: "tokens", filters: []string{string(filter.User)},
		fetch: func(before time.Time, beforeID string, limit int) ([]*key.Personal, error) {
			filter.Before, filter.BeforeID, filter.Limit = before, beforeID, limit
			return s.PersonalStore.Personals(ctx, filter)
		},
		place: func(p *key.Personal) (time.Time, string) { return p.CreatedAt, string(p.ID) },
		wire:  func(p *key.Personal) lanyard.PersonalToken { return wirePersonal(p, now) },
	})
}

// RevokeToken ends a personal token for good. Revoking again is no error. It needs lanyard.keys.write, for the whole server
// or for one's own.
func (s *Service) RevokeToken(ctx context.Context, actor audit.Actor, tokenID, reason string) (id.Revision, error) {
	own, err := s.mayOwn(actor, keysWrite)
	if err != nil {
		return 0, err
	}
	parsed, err := parseID[id.Key]("personal token", tokenID)
	if err != nil {
		return 0, err
	}
	if err := checkText("reason", reason, maxReason); err != nil {
		return 0, err
	}
	ev := actor.New(s.now(), "token.revoke", string(parsed), "", said(details{"reason": reason}))
	_, rev, err := s.PersonalStore.RevokePersonal(ctx, own, parsed, reason, ev)
	return rev, err
}

// warnAt lists how many days before the end users are told, the last warning first: a token that gets it needs no other.
func warnAt() []int { return []int{1, 7} }

const maxWarned = 100 // tokens of one look

// WarnPersonal sends a mail to every user who has a personal token that ends within seven days, and again within one, and
// returns how many. It is a chore: no actor, no rights.
func (s *Service) WarnPersonal(ctx context.Context) (int, error) {
	if s.Letters == nil {
		return 0, nil
	}
	sent := 0
	var failed error
	for _, days := range warnAt() {
		of := key.Expiring{Now: s.now(), Days: days, Limit: maxWarned}
		for {
			tokens, err := s.PersonalStore.ExpiringPersonal(ctx, of)
			if err != nil {
				return sent, errors.Join(failed, err)
			}
			for _, p := range tokens {
				switch warned, err := s.warn(ctx, p, days); {
				case err != nil:
					failed = errors.Join(failed, fmt.Errorf("warn of the end of %s: %w", p.ID, err))
				case warned:
					sent++
				}
				of.After, of.AfterID = p.ExpiresAt, p.ID
			}
			if len(tokens) < maxWarned {
				break
			}
		}
	}
	return sent, failed
}

// warn posts a warning, unless another node did.
func (s *Service) warn(ctx context.Context, p *key.Personal, days int) (bool, error) {
	u, err := s.UserStore.User(ctx, p.User)
	if err != nil {
		return false, err
	}
	letter, err := s.letterTo(u, "token_expiring", s.PublicURL+"/account/tokens", map[string]string{"token": p.Name, "days": strconv.Itoa(days)})
	if err != nil || letter == nil {
		return false, err
	}
	return s.Accounts.WarnPersonal(ctx, p.ID, days, *letter, s.now())
}

// letterTo writes a user a mail that carries no link of its own; nil: none is sent.
func (s *Service) letterTo(u *user.User, kind, address string, data map[string]string) (*factor.Letter, error) {
	if s.Letters == nil {
		return nil, nil //nolint:nilnil // nothing is sent
	}
	return s.Letters(kind, u.Email, u.Name, address, data)
}
