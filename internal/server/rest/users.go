package rest

import (
	"context"
	"net/http"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
)

type userPath struct {
	ID string `path:"id" doc:"user_…"`
}

type usersQuery struct {
	Email string `query:"email" maxLength:"254" doc:"Only with this address"`
	Paging
}

type userInput struct {
	Body lanyard.UserInput
}

type userPatch struct {
	ID   string `path:"id" doc:"user_…"`
	Body lanyard.UserPatch
}

func (a *api) addUsers() {
	s := a.Service
	add(a, route{
		id: "create-user", method: http.MethodPost, path: "/v1/users", tag: "users", scopes: []string{usersWrite}, status: http.StatusCreated, once: true,
		summary: "Create a user", description: "A verified account.",
	}, func(ctx context.Context, actor audit.Actor, in *userInput) (lanyard.User, error) {
		return s.CreateUser(ctx, actor, in.Body)
	})
	add(a, route{
		id: "list-users", method: http.MethodGet, path: "/v1/users", tag: "users", scopes: []string{usersRead},
		summary: "List users", description: "Newest first.",
	}, func(ctx context.Context, actor audit.Actor, in *usersQuery) (lanyard.Page[lanyard.User], error) {
		return s.Users(ctx, actor, in.Email, in.list())
	})
	add(a, route{
		id: "show-user", method: http.MethodGet, path: "/v1/users/{id}", tag: "users", scopes: []string{usersRead},
		summary: "Show a user",
	}, func(ctx context.Context, actor audit.Actor, in *userPath) (lanyard.User, error) {
		return s.User(ctx, actor, in.ID)
	})
	add(a, route{
		id: "update-user", method: http.MethodPatch, path: "/v1/users/{id}", tag: "users", scopes: []string{usersWrite},
		summary: "Change a user", description: "Changes the fields given and leaves the rest.",
	}, func(ctx context.Context, actor audit.Actor, in *userPatch) (lanyard.User, error) {
		return s.UpdateUser(ctx, actor, in.ID, in.Body)
	})
}
