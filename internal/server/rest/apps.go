package rest

import (
	"context"
	"net/http"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
)

const (
	appsRead  = "lanyard.apps.read"
	appsWrite = "lanyard.apps.write"
)

type appPath struct {
	ID string `path:"id" doc:"app_…"`
}

type appsQuery struct {
	TeamID string `query:"team_id" doc:"Only this team's"`
	Name   string `query:"name" maxLength:"200" doc:"Only of this name"`
	Paging
}

type appInput struct {
	Body lanyard.AppInput
}

type appPatch struct {
	ID   string `path:"id" doc:"app_…"`
	Body lanyard.AppPatch
}

type appEnd struct {
	ID string `path:"id" doc:"app_…"`
	Waiting
}

func (a *api) addApps() {
	s := a.Service
	add(a, route{
		id: "create-app", method: http.MethodPost, path: "/v1/apps", tag: "apps", scopes: []string{appsWrite}, status: http.StatusCreated, once: true,
		summary: "Create an app",
	}, func(ctx context.Context, actor audit.Actor, in *appInput) (lanyard.App, error) {
		return s.CreateApp(ctx, actor, in.Body)
	})
	add(a, route{
		id: "list-apps", method: http.MethodGet, path: "/v1/apps", tag: "apps", scopes: []string{appsRead},
		summary: "List apps", description: "Newest first.",
	}, func(ctx context.Context, actor audit.Actor, in *appsQuery) (lanyard.Page[lanyard.App], error) {
		return s.Apps(ctx, actor, in.TeamID, in.Name, in.list())
	})
	add(a, route{
		id: "show-app", method: http.MethodGet, path: "/v1/apps/{id}", tag: "apps", scopes: []string{appsRead},
		summary: "Show an app",
	}, func(ctx context.Context, actor audit.Actor, in *appPath) (lanyard.App, error) {
		return s.App(ctx, actor, in.ID)
	})
	add(a, route{
		id: "update-app", method: http.MethodPatch, path: "/v1/apps/{id}", tag: "apps", scopes: []string{appsWrite},
		summary: "Change an app", description: "Changes the fields given and leaves the rest. A disabled app's credentials are refused until it is enabled.",
	}, func(ctx context.Context, actor audit.Actor, in *appPatch) (lanyard.App, error) {
		return s.UpdateApp(ctx, actor, in.ID, in.Body)
	})
	add(a, route{
		id: "delete-app", method: http.MethodDelete, path: "/v1/apps/{id}", tag: "apps", scopes: []string{appsWrite},
		summary: "Delete an app", description: "All its credentials are revoked, for good.",
	}, func(ctx context.Context, actor audit.Actor, in *appEnd) (lanyard.Applied, error) {
		return a.applied(ctx, in.Waiting, func() (id.Revision, error) { return s.DeleteApp(ctx, actor, in.ID) })
	})
}
