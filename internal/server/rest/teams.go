package rest

import (
	"context"
	"net/http"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
)

const (
	usersRead  = "lanyard.users.read"
	usersWrite = "lanyard.users.write"
)

type teamPath struct {
	ID string `path:"id" doc:"team_…"`
}

type teamsQuery struct {
	Name string `query:"name" maxLength:"200" doc:"Only of this name"`
	Paging
}

type teamInput struct {
	Body lanyard.TeamInput
}

type teamPatch struct {
	ID   string `path:"id" doc:"team_…"`
	Body lanyard.TeamPatch
}

type membersQuery struct {
	ID string `path:"id" doc:"team_…"`
	Paging
}

type memberInput struct {
	ID     string `path:"id" doc:"team_…"`
	UserID string `path:"user" doc:"user_…"`
	Body   lanyard.MemberInput
}

type memberEnd struct {
	ID     string `path:"id" doc:"team_…"`
	UserID string `path:"user" doc:"user_…"`
	Waiting
}

type invitationInput struct {
	ID   string `path:"id" doc:"team_…"`
	Body lanyard.InvitationInput
}

type invitationEnd struct {
	ID         string `path:"id" doc:"team_…"`
	Invitation string `path:"invitation" doc:"inv_…"`
}

func (a *api) addInvitations() {
	s := a.Service
	add(a, route{
		id: "invite", method: http.MethodPost, path: "/v1/teams/{id}/invitations", tag: "teams", scopes: []string{usersWrite}, status: http.StatusCreated, once: true,
		summary:     "Invite somebody into a team",
		description: "A link is mailed to the address. It works once, for seven days, for who has that address, and takes the place of one that waits for it.",
	}, func(ctx context.Context, actor audit.Actor, in *invitationInput) (lanyard.Invitation, error) {
		return s.InviteToTeam(ctx, actor, in.ID, in.Body)
	})
	add(a, route{
		id: "list-invitations", method: http.MethodGet, path: "/v1/teams/{id}/invitations", tag: "teams", scopes: []string{usersRead},
		summary: "List a team's invitations", description: "Those that nobody took and nobody revoked, until a week after they expired; by address.",
	}, func(ctx context.Context, actor audit.Actor, in *membersQuery) (lanyard.Page[lanyard.Invitation], error) {
		all, err := s.Invitations(ctx, actor, in.ID)
		if err != nil {
			return lanyard.Page[lanyard.Invitation]{}, err
		}
		return pageOf(all, in.Paging)
	})
	add(a, route{
		id: "revoke-invitation", method: http.MethodDelete, path: "/v1/teams/{id}/invitations/{invitation}", tag: "teams", scopes: []string{usersWrite},
		summary: "Revoke an invitation", description: "Its link does not work any more.",
	}, func(ctx context.Context, actor audit.Actor, in *invitationEnd) (lanyard.Invitation, error) {
		return s.RevokeInvitation(ctx, actor, in.ID, in.Invitation)
	})
}

func (a *api) addTeams() {
	s := a.Service
	add(a, route{
		id: "create-team", method: http.MethodPost, path: "/v1/teams", tag: "teams", scopes: []string{usersWrite}, status: http.StatusCreated, once: true,
		summary: "Create a team",
	}, func(ctx context.Context, actor audit.Actor, in *teamInput) (lanyard.Team, error) {
		return s.CreateTeam(ctx, actor, in.Body)
	})
	add(a, route{
		id: "list-teams", method: http.MethodGet, path: "/v1/teams", tag: "teams", scopes: []string{usersRead},
		summary: "List teams", description: "Newest first.",
	}, func(ctx context.Context, actor audit.Actor, in *teamsQuery) (lanyard.Page[lanyard.Team], error) {
		return s.Teams(ctx, actor, in.Name, in.list())
	})
	add(a, route{
		id: "show-team", method: http.MethodGet, path: "/v1/teams/{id}", tag: "teams", scopes: []string{usersRead},
		summary: "Show a team",
	}, func(ctx context.Context, actor audit.Actor, in *teamPath) (lanyard.Team, error) {
		return s.Team(ctx, actor, in.ID)
	})
	add(a, route{
		id: "update-team", method: http.MethodPatch, path: "/v1/teams/{id}", tag: "teams", scopes: []string{usersWrite},
		summary: "Change a team", description: "Changes the fields given and leaves the rest. A suspended team's credentials are refused.",
	}, func(ctx context.Context, actor audit.Actor, in *teamPatch) (lanyard.Team, error) {
		return s.UpdateTeam(ctx, actor, in.ID, in.Body)
	})
	add(a, route{
		id: "list-members", method: http.MethodGet, path: "/v1/teams/{id}/members", tag: "teams", scopes: []string{usersRead},
		summary: "List a team's members",
	}, func(ctx context.Context, actor audit.Actor, in *membersQuery) (lanyard.Page[lanyard.Member], error) {
		members, err := s.Members(ctx, actor, in.ID)
		if err != nil {
			return lanyard.Page[lanyard.Member]{}, err
		}
		return pageOf(members, in.Paging)
	})
	add(a, route{
		id: "put-member", method: http.MethodPut, path: "/v1/teams/{id}/members/{user}", tag: "teams", scopes: []string{usersWrite},
		summary: "Add a member, or change their role",
	}, func(ctx context.Context, actor audit.Actor, in *memberInput) (lanyard.Member, error) {
		member := lanyard.Member{UserID: in.UserID, Role: in.Body.Role}
		_, err := s.SetMember(ctx, actor, in.ID, member)
		return member, err
	})
	add(a, route{
		id: "remove-member", method: http.MethodDelete, path: "/v1/teams/{id}/members/{user}", tag: "teams", scopes: []string{usersWrite},
		summary: "Remove a member",
	}, func(ctx context.Context, actor audit.Actor, in *memberEnd) (lanyard.Applied, error) {
		return a.applied(ctx, in.Waiting, func() (id.Revision, error) { return s.RemoveMember(ctx, actor, in.ID, in.UserID) })
	})
}
