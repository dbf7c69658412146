package rest

import (
	"context"
	"net/http"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/manage"
)

type warningsQuery struct {
	TeamID  string `query:"team_id" doc:"Only of this team's keys"`
	KeyID   string `query:"key_id" doc:"Only of this key"`
	Gravity string `query:"gravity" enum:"note,warn,grave" doc:"Only those, and graver ones"`
	Paging
}

func (a *api) addWarnings() {
	s := a.Service
	add(a, route{
		id: "list-warnings", method: http.MethodGet, path: "/v1/warnings", tag: "keys", scopes: []string{keysRead},
		summary: "List what somebody should know about keys",
		description: "Keys and client secrets that end soon or ended just now, wait for a rotation, are not used, were used from a new network, stood in an address or work from anywhere, each with what to do. " +
			"Newest key first, of each the gravest first; all of one key stand on one page, so a page can be a few longer than its limit.",
	}, func(ctx context.Context, actor audit.Actor, in *warningsQuery) (lanyard.Page[lanyard.Warning], error) {
		return s.Warnings(ctx, actor, manage.WarningsFilter{Team: in.TeamID, Key: in.KeyID, Gravity: in.Gravity}, in.list())
	})
}
