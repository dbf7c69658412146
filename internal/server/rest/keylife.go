package rest

import (
	"context"
	"net/http"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
)

type keyTurn struct {
	ID string `path:"id" doc:"key_…"`
	Waiting
}

type rotateInput struct {
	ID   string `path:"id" doc:"key_…"`
	Body *lanyard.RotateInput
}

type revokeInput struct {
	ID   string `path:"id" doc:"key_…"`
	Body *lanyard.RevokeInput
	Waiting
}

type revokeSelfInput struct {
	Body *lanyard.RevokeInput
	Waiting
}

// given is what a body that may be left out says.
func given[T any](body *T) T {
	if body == nil {
		var nothing T
		return nothing
	}
	return *body
}

func (a *api) addKeyLife() {
	s := a.Service
	add(a, route{
		id: "rotate-key", method: http.MethodPost, path: "/v1/keys/{id}/rotate", tag: "keys", scopes: []string{keysWrite}, once: true,
		summary:     "Give a key a new secret",
		description: "Id, limits and usage stay. The old secret works until the overlap ends, and never longer than the key. The new one is in this answer and in none after it.",
	}, func(ctx context.Context, actor audit.Actor, in *rotateInput) (lanyard.Rotated, error) {
		return s.RotateKey(ctx, actor, in.ID, given(in.Body))
	})
	add(a, route{
		id: "undo-rotation", method: http.MethodPost, path: "/v1/keys/{id}/rotate/undo", tag: "keys", scopes: []string{keysWrite},
		summary: "Take the newest secret back", description: "While the one before it still works.",
	}, func(ctx context.Context, actor audit.Actor, in *keyPath) (lanyard.Key, error) {
		return s.UndoRotation(ctx, actor, in.ID)
	})
	add(a, route{
		id: "revoke-key", method: http.MethodPost, path: "/v1/keys/{id}/revoke", tag: "keys", scopes: []string{keysWrite},
		summary: "Take a key back", description: "For good; or one version of it.",
	}, func(ctx context.Context, actor audit.Actor, in *revokeInput) (lanyard.Applied, error) {
		return a.applied(ctx, in.Waiting, func() (id.Revision, error) { return s.RevokeKey(ctx, actor, in.ID, given(in.Body)) })
	})
	add(a, route{
		id: "revoke-self", method: http.MethodPost, path: "/v1/keys/revoke-self", tag: "keys", holder: true,
		summary: "Take back the key this call is made with", description: "Needs no scope: whoever holds a secret may end it.",
	}, func(ctx context.Context, actor audit.Actor, in *revokeSelfInput) (lanyard.Applied, error) {
		return a.applied(ctx, in.Waiting, func() (id.Revision, error) { return s.RevokeSelf(ctx, actor, given(in.Body)) })
	})
	add(a, route{
		id: "disable-key", method: http.MethodPost, path: "/v1/keys/{id}/disable", tag: "keys", scopes: []string{keysWrite},
		summary: "Switch a key off", description: "Until it is enabled again.",
	}, func(ctx context.Context, actor audit.Actor, in *keyTurn) (lanyard.Applied, error) {
		return a.applied(ctx, in.Waiting, func() (id.Revision, error) { return s.DisableKey(ctx, actor, in.ID) })
	})
	add(a, route{
		id: "enable-key", method: http.MethodPost, path: "/v1/keys/{id}/enable", tag: "keys", scopes: []string{keysWrite},
		summary: "Switch a key on again", description: "A revoked one stays revoked.",
	}, func(ctx context.Context, actor audit.Actor, in *keyTurn) (lanyard.Applied, error) {
		return a.applied(ctx, in.Waiting, func() (id.Revision, error) { return s.EnableKey(ctx, actor, in.ID) })
	})
	add(a, route{
		id: "delete-key", method: http.MethodDelete, path: "/v1/keys/{id}", tag: "keys", scopes: []string{keysWrite},
		summary: "Revoke a key and hide it",
	}, func(ctx context.Context, actor audit.Actor, in *keyTurn) (lanyard.Applied, error) {
		return a.applied(ctx, in.Waiting, func() (id.Revision, error) { return s.DeleteKey(ctx, actor, in.ID) })
	})
}
