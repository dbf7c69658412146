package rest

import (
	"context"
	"net/http"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
)

func (a *api) addAttempts() {
	add(a, route{
		id: "list-attempts", method: http.MethodGet, path: "/v1/attempts", tag: "logs", scopes: []string{auditRead},
		summary: "List who presented credentials that nobody issued", description: "By source and hour, newest first.",
	}, func(ctx context.Context, actor audit.Actor, in *Paging) (lanyard.Page[lanyard.Attempt], error) {
		return a.Service.Attempts(ctx, actor, in.list())
	})
}
