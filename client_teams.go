package lanyard

import (
	"context"
	"iter"
	"net/http"
)

// TeamQuery asks for teams.
type TeamQuery struct {
	Name string // "": of any name
	ListQuery
}

// UserQuery asks for users.
type UserQuery struct {
	Email string // "": of any address
	ListQuery
}

// CreateTeam makes a team.
func (c *Client) CreateTeam(ctx context.Context, in TeamInput) (Team, error) {
	return fetch[Team](ctx, c, call{op: "create team", method: http.MethodPost, at: []string{"teams"}, in: in, create: true})
}

// Team returns one team.
func (c *Client) Team(ctx context.Context, id string) (Team, error) {
	return fetch[Team](ctx, c, call{op: "show team", method: http.MethodGet, at: []string{"teams", id}})
}

// Teams returns a page of teams, newest first.
func (c *Client) Teams(ctx context.Context, q TeamQuery) (Page[Team], error) {
	v := q.values()
	set(v, "name", q.Name)
	return fetch[Page[Team]](ctx, c, call{op: "list teams", method: http.MethodGet, at: []string{"teams"}, query: v})
}

// AllTeams goes through all teams, newest first.
func (c *Client) AllTeams(ctx context.Context, q TeamQuery) iter.Seq2[Team, error] {
	return all(q.ListQuery, func(page ListQuery) (Page[Team], error) {
		q.ListQuery = page
		return c.Teams(ctx, q)
	})
}

// UpdateTeam changes what in names and leaves the rest.
func (c *Client) UpdateTeam(ctx context.Context, id string, in TeamPatch) (Team, error) {
	return fetch[Team](ctx, c, call{op: "update team", method: http.MethodPatch, at: []string{"teams", id}, in: in})
}

// Members returns a page of a team's members.
func (c *Client) Members(ctx context.Context, teamID string, q ListQuery) (Page[Member], error) {
	return fetch[Page[Member]](ctx, c, call{op: "list members", method: http.MethodGet, at: []string{"teams", teamID, "members"}, query: q.values()})
}

// PutMember makes a user a member of a team, or changes their role.
func (c *Client) PutMember(ctx context.Context, teamID, userID string, in MemberInput) (Member, error) {
	return fetch[Member](ctx, c, call{op: "put member", method: http.MethodPut, at: []string{"teams", teamID, "members", userID}, in: in})
}

// RemoveMember takes a user out of a team.
func (c *Client) RemoveMember(ctx context.Context, teamID, userID string) error {
	return c.tell(ctx, call{op: "remove member", method: http.MethodDelete, at: []string{"teams", teamID, "members", userID}})
}

// Invite mails somebody a link by which they can join a team. It takes the place of one that waits for the same address.
func (c *Client) Invite(ctx context.Context, teamID string, in InvitationInput) (Invitation, error) {
	return fetch[Invitation](ctx, c, call{op: "invite", method: http.MethodPost, at: []string{"teams", teamID, "invitations"}, in: in, create: true})
}

// Invitations returns a page of a team's invitations that nobody took.
func (c *Client) Invitations(ctx context.Context, teamID string, q ListQuery) (Page[Invitation], error) {
	return fetch[Page[Invitation]](ctx, c, call{op: "list invitations", method: http.MethodGet, at: []string{"teams", teamID, "invitations"}, query: q.values()})
}

// RevokeInvitation takes an invitation back: its link does not work any more.
func (c *Client) RevokeInvitation(ctx context.Context, teamID, invitationID string) error {
	return c.tell(ctx, call{op: "revoke invitation", method: http.MethodDelete, at: []string{"teams", teamID, "invitations", invitationID}})
}

// CreateUser makes a verified account for a person.
func (c *Client) CreateUser(ctx context.Context, in UserInput) (User, error) {
	return fetch[User](ctx, c, call{op: "create user", method: http.MethodPost, at: []string{"users"}, in: in, create: true})
}

// User returns one user.
func (c *Client) User(ctx context.Context, id string) (User, error) {
	return fetch[User](ctx, c, call{op: "show user", method: http.MethodGet, at: []string{"users", id}})
}

// Users returns a page of users, newest first.
func (c *Client) Users(ctx context.Context, q UserQuery) (Page[User], error) {
	v := q.values()
	set(v, "email", q.Email)
	return fetch[Page[User]](ctx, c, call{op: "list users", method: http.MethodGet, at: []string{"users"}, query: v})
}

// AllUsers goes through all users, newest first.
func (c *Client) AllUsers(ctx context.Context, q UserQuery) iter.Seq2[User, error] {
	return all(q.ListQuery, func(page ListQuery) (Page[User], error) {
		q.ListQuery = page
		return c.Users(ctx, q)
	})
}

// UpdateUser changes what in names and leaves the rest.
func (c *Client) UpdateUser(ctx context.Context, id string, in UserPatch) (User, error) {
	return fetch[User](ctx, c, call{op: "update user", method: http.MethodPatch, at: []string{"users", id}, in: in})
}
