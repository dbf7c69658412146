package rest

import (
	"context"
	"net/http"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/manage"
)

const (
	keysRead  = "lanyard.keys.read"
	keysWrite = "lanyard.keys.write"
)

type keyPath struct {
	ID string `path:"id" doc:"key_…"`
}

type keysQuery struct {
	AppID  string `query:"app_id" doc:"Only this app's"`
	TeamID string `query:"team_id" doc:"Only this team's"`
	Name   string `query:"name" maxLength:"200" doc:"Only of this name"`
	Kind   string `query:"kind" enum:"key,pub,cs" doc:"Only of this kind"`
	Paging
}

type keyInput struct {
	ID   string `path:"id" doc:"app_…"`
	Body lanyard.KeyInput
}

type keyPatch struct {
	ID   string `path:"id" doc:"key_…"`
	Body lanyard.KeyPatch
}

type importInput struct {
	Body lanyard.ImportInput
}

func (a *api) addKeys() {
	s := a.Service
	add(a, route{
		id: "create-key", method: http.MethodPost, path: "/v1/apps/{id}/keys", tag: "keys", scopes: []string{keysWrite}, status: http.StatusCreated, once: true,
		summary: "Create a key of an app", description: "The secret is in this answer and in none after it.",
	}, func(ctx context.Context, actor audit.Actor, in *keyInput) (lanyard.NewKey, error) {
		return s.CreateKey(ctx, actor, in.ID, in.Body)
	})
	add(a, route{
		id: "list-keys", method: http.MethodGet, path: "/v1/keys", tag: "keys", scopes: []string{keysRead},
		summary: "List keys", description: "Newest first.",
	}, func(ctx context.Context, actor audit.Actor, in *keysQuery) (lanyard.Page[lanyard.Key], error) {
		return s.Keys(ctx, actor, manage.KeysFilter{App: in.AppID, Team: in.TeamID, Name: in.Name, Kind: in.Kind}, in.list())
	})
	add(a, route{
		id: "show-key", method: http.MethodGet, path: "/v1/keys/{id}", tag: "keys", scopes: []string{keysRead},
		summary: "Show a key", description: "Everything but its secret.",
	}, func(ctx context.Context, actor audit.Actor, in *keyPath) (lanyard.Key, error) {
		return s.Key(ctx, actor, in.ID)
	})
	add(a, route{
		id: "update-key", method: http.MethodPatch, path: "/v1/keys/{id}", tag: "keys", scopes: []string{keysWrite},
		summary: "Change a key", description: "Changes the fields given and leaves the rest. A life can be shortened, never lengthened.",
	}, func(ctx context.Context, actor audit.Actor, in *keyPatch) (lanyard.Key, error) {
		return s.UpdateKey(ctx, actor, in.ID, in.Body)
	})
	add(a, route{
		id: "import-keys", method: http.MethodPost, path: "/v1/keys/import", tag: "keys", scopes: []string{keysWrite}, once: true,
		summary: "Take keys over from another system", description: "Answers one result per key, in the order sent. Needs a credential of the server's own team.",
	}, func(ctx context.Context, actor audit.Actor, in *importInput) (lanyard.Imported, error) {
		return s.ImportKeys(ctx, actor, in.Body)
	})
}
