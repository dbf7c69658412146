package rest

import (
	"context"
	"net/http"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/manage"
)

const (
	grantsRead  = "lanyard.grants.read"
	grantsWrite = "lanyard.grants.write"
)

type secretInput struct {
	ID   string `path:"id" doc:"app_…"`
	Body *lanyard.SecretInput
}

type tokenInput struct {
	Body lanyard.PersonalTokenInput
}

type tokenPath struct {
	ID string `path:"id" doc:"key_…"`
}

type tokensQuery struct {
	UserID string `query:"user_id" doc:"Only this user's; absent: one's own, and for a key of the server everybody's"`
	Paging
}

type tokenEnd struct {
	ID     string `path:"id" doc:"key_…"`
	Reason string `query:"reason" maxLength:"200" doc:"Kept with the token"`
	Waiting
}

type grantsQuery struct {
	UserID string `query:"user_id" doc:"Only of this user"`
	AppID  string `query:"app_id" doc:"Only to this app"`
	Paging
}

type grantEnd struct {
	ID string `path:"id" doc:"grant_…"`
	Waiting
}

type sessionsQuery struct {
	UserID string `query:"user_id" doc:"Of this user; absent: one's own"`
	Paging
}

type sessionEnd struct {
	ID string `path:"id" doc:"sess_…"`
}

func (a *api) addSecrets() {
	s := a.Service
	add(a, route{
		id: "create-secret", method: http.MethodPost, path: "/v1/apps/{id}/secrets", tag: "keys", scopes: []string{keysWrite}, status: http.StatusCreated, once: true,
		summary: "Create a client secret of an app", description: "A key of kind cs, with a key's life. The secret is in this answer and in none after it.",
	}, func(ctx context.Context, actor audit.Actor, in *secretInput) (lanyard.NewKey, error) {
		return s.CreateSecret(ctx, actor, in.ID, given(in.Body))
	})
}

func (a *api) addTokens() {
	s := a.Service
	add(a, route{
		id: "create-token", method: http.MethodPost, path: "/v1/tokens", tag: "tokens", scopes: []string{keysWrite}, status: http.StatusCreated, once: true,
		summary: "Create a personal token", description: "Of the user who asks, for themself. The secret is in this answer and in none after it.",
	}, func(ctx context.Context, actor audit.Actor, in *tokenInput) (lanyard.NewPersonalToken, error) {
		return s.CreateToken(ctx, actor, in.Body)
	})
	add(a, route{
		id: "list-tokens", method: http.MethodGet, path: "/v1/tokens", tag: "tokens", scopes: []string{keysRead},
		summary: "List personal tokens", description: "Newest first.",
	}, func(ctx context.Context, actor audit.Actor, in *tokensQuery) (lanyard.Page[lanyard.PersonalToken], error) {
		return s.Tokens(ctx, actor, in.UserID, in.list())
	})
	add(a, route{
		id: "show-token", method: http.MethodGet, path: "/v1/tokens/{id}", tag: "tokens", scopes: []string{keysRead},
		summary: "Show a personal token", description: "Everything but its secret.",
	}, func(ctx context.Context, actor audit.Actor, in *tokenPath) (lanyard.PersonalToken, error) {
		return s.Token(ctx, actor, in.ID)
	})
	add(a, route{
		id: "revoke-token", method: http.MethodDelete, path: "/v1/tokens/{id}", tag: "tokens", scopes: []string{keysWrite},
		summary: "Take a personal token back", description: "For good. It stays in the list.",
	}, func(ctx context.Context, actor audit.Actor, in *tokenEnd) (lanyard.Applied, error) {
		return a.applied(ctx, in.Waiting, func() (id.Revision, error) { return s.RevokeToken(ctx, actor, in.ID, in.Reason) })
	})
}

func (a *api) addGrants() {
	s := a.Service
	add(a, route{
		id: "list-grants", method: http.MethodGet, path: "/v1/grants", tag: "grants", scopes: []string{grantsRead},
		summary: "List what users allow apps", description: "Newest first; without server reach one's own.",
	}, func(ctx context.Context, actor audit.Actor, in *grantsQuery) (lanyard.Page[lanyard.Grant], error) {
		return s.Grants(ctx, actor, manage.GrantsFilter{User: in.UserID, App: in.AppID}, in.list())
	})
	add(a, route{
		id: "revoke-grant", method: http.MethodDelete, path: "/v1/grants/{id}", tag: "grants", scopes: []string{grantsWrite},
		summary: "Take back what a user allowed an app", description: "With every token under it.",
	}, func(ctx context.Context, actor audit.Actor, in *grantEnd) (lanyard.Applied, error) {
		return a.applied(ctx, in.Waiting, func() (id.Revision, error) { return s.RevokeGrant(ctx, actor, in.ID) })
	})
}

func (a *api) addSessions() {
	s := a.Service
	add(a, route{
		id: "list-sessions", method: http.MethodGet, path: "/v1/sessions", tag: "users", scopes: []string{usersRead},
		summary: "List where a user is logged in", description: "Newest first.",
	}, func(ctx context.Context, actor audit.Actor, in *sessionsQuery) (lanyard.Page[lanyard.Session], error) {
		sessions, err := s.UserSessions(ctx, actor, in.UserID)
		if err != nil {
			return lanyard.Page[lanyard.Session]{}, err
		}
		return pageOf(sessions, in.Paging)
	})
	add(a, route{
		id: "end-session", method: http.MethodDelete, path: "/v1/sessions/{id}", tag: "users", scopes: []string{usersWrite},
		summary: "Log a user out of one browser",
	}, func(ctx context.Context, actor audit.Actor, in *sessionEnd) (lanyard.Ended, error) {
		return s.EndSession(ctx, actor, in.ID)
	})
	add(a, route{
		id: "end-user-sessions", method: http.MethodDelete, path: "/v1/users/{id}/sessions", tag: "users", scopes: []string{usersWrite},
		summary: "Log a user out everywhere", description: "Tokens that apps hold go on; revoke_tokens of the user ends those too.",
	}, func(ctx context.Context, actor audit.Actor, in *userPath) (lanyard.Ended, error) {
		return s.EndUserSessions(ctx, actor, in.ID)
	})
}
