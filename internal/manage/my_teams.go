package manage

import (
	"context"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/team"
)

// Membership is a team as one of its members sees it.
type Membership struct {
	Team lanyard.Team
	Role audit.Role
}

const (
	maxMemberships = 200 // of one person that are listed
	maxOwnTeams    = 20  // that a person starts by themselves
)

// MyTeams lists the teams that a person is in, by name.
func (s *Service) MyTeams(ctx context.Context, actor audit.Actor) ([]Membership, error) {
	if err := mayInPerson(actor); err != nil {
		return nil, err
	}
	return s.memberships(ctx, actor.User)
}

// TeamsOf lists the teams that somebody is in, by name. It needs lanyard.users.read for the whole server.
func (s *Service) TeamsOf(ctx context.Context, actor audit.Actor, userID string) ([]Membership, error) {
	if err := s.mayOnServer(actor, usersRead); err != nil {
		return nil, err
	}
	whose, err := s.existingUser(ctx, userID)
	if err != nil {
		return nil, err
	}
	return s.memberships(ctx, whose)
}

func (s *Service) memberships(ctx context.Context, whose id.User) ([]Membership, error) {
	found, err := s.TeamStore.Memberships(ctx, whose, maxMemberships)
	if err != nil {
		return nil, err
	}
	all := make([]Membership, 0, len(found))
	for i := range found {
		all = append(all, Membership{Team: wireTeam(&found[i].Team), Role: found[i].Role})
	}
	return all, nil
}

// StartTeam makes a team that a person owns. Everybody may start a few; an admin makes as many as they like with CreateTeam.
func (s *Service) StartTeam(ctx context.Context, actor audit.Actor, name string) (lanyard.Team, error) {
	name = strings.TrimSpace(name)
	mine, err := s.MyTeams(ctx, actor)
	if err != nil {
		return lanyard.Team{}, err
	}
	owned := 0
	for _, m := range mine {
		if m.Role == audit.RoleOwner {
			owned++
		}
	}
	if owned >= maxOwnTeams {
		return lanyard.Team{}, fault.New(fault.Conflict, "you own %d teams already; use one of them, or ask whoever runs this server for another", owned)
	}
	if err := checkTeamName(name); err != nil {
		return lanyard.Team{}, err
	}
	newID, err := id.NewFrom[id.Team](s.random())
	if err != nil {
		return lanyard.Team{}, err
	}
	t := &team.Team{ID: newID, Name: name, CreatedAt: s.now()}
	ev := actor.New(t.CreatedAt, "team.create", string(t.ID), t.ID, said(details{"name": t.Name, "owner": string(actor.User)}))
	if _, err := s.TeamStore.CreateTeam(ctx, t, actor.User, ev); err != nil {
		return lanyard.Team{}, err
	}
	return wireTeam(t), nil
}
