package manage

import (
	"cmp"
	"context"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/stripe"
	"github.com/lanyard-auth/lanyard/internal/team"
)

// CreateTeam makes a team, with an owner if one is named. It needs lanyard.users.write for the whole server.
func (s *Service) CreateTeam(ctx context.Context, actor audit.Actor, in lanyard.TeamInput) (lanyard.Team, error) {
	if err := s.mayOnServer(actor, usersWrite); err != nil {
		return lanyard.Team{}, err
	}
	if err := checkTeamName(in.Name); err != nil {
		return lanyard.Team{}, err
	}
	var owner id.User
	if in.OwnerID != "" {
		var err error
		if owner, err = s.existingUser(ctx, in.OwnerID); err != nil {
			return lanyard.Team{}, err
		}
	}
	newID, err := id.NewFrom[id.Team](s.random())
	if err != nil {
		return lanyard.Team{}, err
	}
	if in.StripeCustomer != "" {
		if err := stripe.CheckCustomer("stripe_customer", in.StripeCustomer); err != nil {
			return lanyard.Team{}, err
		}
	}
	t := &team.Team{ID: newID, Name: in.Name, CreatedAt: s.now(), StripeCustomer: in.StripeCustomer}
	ev := actor.New(t.CreatedAt, "team.create", string(t.ID), t.ID, said(details{"name": t.Name, "owner": string(owner), "stripe_customer": t.StripeCustomer}))
	if _, err := s.TeamStore.CreateTeam(ctx, t, owner, ev); err != nil {
		return lanyard.Team{}, err
	}
	return wireTeam(t), nil
}

func checkTeamName(name string) error {
	if name == team.SystemName {
		return fault.Field("name", "%q is the name of the built-in team", name)
	}
	return fault.CheckName("name", name, 100)
}

// Team shows a team. It needs lanyard.users.read.
func (s *Service) Team(ctx context.Context, actor audit.Actor, teamID string) (lanyard.Team, error) {
	reach, err := s.may(actor, usersRead)
	if err != nil {
		return lanyard.Team{}, err
	}
	t, err := s.teamWithin(ctx, reach, teamID)
	if err != nil {
		return lanyard.Team{}, err
	}
	return wireTeam(t), nil
}

func (s *Service) teamWithin(ctx context.Context, reach audit.Reach, teamID string) (*team.Team, error) {
	parsed, err := parseID[id.Team]("team", teamID)
	if err != nil {
		return nil, err
	}
	return s.TeamStore.Team(ctx, reach, parsed)
}

// Teams lists the teams within reach, newest first. It needs lanyard.users.read.
func (s *Service) Teams(ctx context.Context, actor audit.Actor, name string, list List) (lanyard.Page[lanyard.Team], error) {
	reach, err := s.may(actor, usersRead)
	if err != nil {
		return lanyard.Page[lanyard.Team]{}, err
	}
	if err := checkText("name", name, maxFilter); err != nil {
		return lanyard.Page[lanyard.Team]{}, err
	}
	return readPage(s, list, lister[*team.Team, lanyard.Team]{
		name: "teams", filters: []string{name},
		fetch: func(before time.Time, beforeID string, limit int) ([]*team.Team, error) {
			return s.TeamStore.Teams(ctx, reach, team.Filter{Name: name, Before: before, BeforeID: beforeID, Limit: limit})
		},
		place: func(t *team.Team) (time.Time, string) { return t.CreatedAt, string(t.ID) },
		wire:  wireTeam,
	})
}

// UpdateTeam changes what the patch names. A suspended team's credentials are refused with owner_suspended. It needs
// lanyard.users.write; suspending, lifting a suspension, setting limits and saying which Stripe customer it is need it for the whole server.
func (s *Service) UpdateTeam(ctx context.Context, actor audit.Actor, teamID string, patch lanyard.TeamPatch) (lanyard.Team, error) {
	reach, err := s.may(actor, usersWrite)
	if err != nil {
		return lanyard.Team{}, err
	}
	if patch.Suspended != nil || patch.Limits != nil || patch.StripeCustomer != nil {
		if err := s.mayOnServer(actor, usersWrite); err != nil {
			return lanyard.Team{}, err
		}
	}
	parsed, err := parseID[id.Team]("team", teamID)
	if err != nil {
		return lanyard.Team{}, err
	}
	now := s.now()
	d := details{}
	if patch.Name != nil {
		d["name"] = *patch.Name
	}
	if patch.Suspended != nil {
		d["suspended"] = boolText(*patch.Suspended)
	}
	if patch.Limits != nil {
		d["limits"] = LimitsText(*patch.Limits)
	}
	if patch.WarningMail != nil {
		d["warning_mail"] = boolText(*patch.WarningMail)
	}
	if patch.StripeCustomer != nil {
		d["stripe_customer"] = cmp.Or(*patch.StripeCustomer, "none")
	}
	updated, _, err := s.TeamStore.UpdateTeam(ctx, reach, parsed, actor.New(now, "team.update", teamID, parsed, said(d)), func(t *team.Team) error {
		if patch.Limits != nil { // the step writes the event after it
			d["limits_before"] = LimitsText(wireLimits(t.Limits))
		}
		return patchTeam(t, patch, now)
	})
	if err != nil {
		return lanyard.Team{}, err
	}
	return wireTeam(updated), nil
}

func patchTeam(t *team.Team, patch lanyard.TeamPatch, now time.Time) error {
	if t.System {
		return builtIn()
	}
	if patch.Name != nil {
		if err := checkTeamName(*patch.Name); err != nil {
			return err
		}
		t.Name = *patch.Name
	}
	if patch.WarningMail != nil {
		t.NoDigest = !*patch.WarningMail
	}
	if patch.Limits != nil {
		limits, err := limitsFrom(*patch.Limits)
		if err != nil {
			return err
		}
		t.Limits = limits
	}
	if patch.StripeCustomer != nil {
		if *patch.StripeCustomer != "" {
			if err := stripe.CheckCustomer("stripe_customer", *patch.StripeCustomer); err != nil {
				return err
			}
		}
		t.StripeCustomer = *patch.StripeCustomer
	}
	if patch.Suspended != nil {
		switch {
		case !*patch.Suspended:
			t.SuspendedAt = time.Time{}
		case t.SuspendedAt.IsZero():
			t.SuspendedAt = now
		}
	}
	return nil
}

// builtIn refuses acts on the team system. A member of it could rotate the server's management keys and so come by them.
func builtIn() error {
	return fault.New(fault.Conflict, "the team system is built in: it has no members, and its name and state do not change")
}

// Members lists who is in a team. It needs lanyard.users.read.
func (s *Service) Members(ctx context.Context, actor audit.Actor, teamID string) ([]lanyard.Member, error) {
	reach, err := s.may(actor, usersRead)
	if err != nil {
		return nil, err
	}
	t, err := s.teamWithin(ctx, reach, teamID)
	if err != nil {
		return nil, err
	}
	members, err := s.TeamStore.Members(ctx, reach, t.ID)
	if err != nil {
		return nil, err
	}
	out := make([]lanyard.Member, 0, len(members))
	for _, m := range members {
		out = append(out, lanyard.Member{UserID: string(m.User), Role: string(m.Role)})
	}
	return out, nil
}

// SetMember takes a user into a team, or changes their role. The last owner stays one. It needs lanyard.users.write.
func (s *Service) SetMember(ctx context.Context, actor audit.Actor, teamID string, in lanyard.Member) (id.Revision, error) {
	reach, err := s.may(actor, usersWrite)
	if err != nil {
		return 0, err
	}
	t, err := s.teamWithin(ctx, reach, teamID)
	if err != nil {
		return 0, err
	}
	if t.System {
		return 0, builtIn()
	}
	role := audit.Role(in.Role)
	if !role.Valid() {
		return 0, fault.Field("role", "must be owner, developer or billing, not %.40q", in.Role)
	}
	member, err := s.existingUser(ctx, in.UserID)
	if err != nil {
		return 0, err
	}
	ev := actor.New(s.now(), "member.set", string(member), t.ID, said(details{"team": string(t.ID), "role": in.Role}))
	return s.TeamStore.SetMember(ctx, reach, t.ID, team.Member{User: member, Role: role}, ev)
}

// RemoveMember takes a user out of a team. The last owner stays. It needs lanyard.users.write.
func (s *Service) RemoveMember(ctx context.Context, actor audit.Actor, teamID, userID string) (id.Revision, error) {
	reach, err := s.may(actor, usersWrite)
	if err != nil {
		return 0, err
	}
	t, err := s.teamWithin(ctx, reach, teamID)
	if err != nil {
		return 0, err
	}
	member, err := parseID[id.User]("user", userID)
	if err != nil {
		return 0, err
	}
	ev := actor.New(s.now(), "member.remove", string(member), t.ID, said(details{"team": string(t.ID)}))
	return s.TeamStore.RemoveMember(ctx, reach, t.ID, member, ev)
}
