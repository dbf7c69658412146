package rest

import (
	"context"
	"net/http"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
)

const auditRead = "lanyard.audit.read"

type auditQuery struct {
	Action string `query:"action" maxLength:"200" doc:"Only this act, such as key.revoke"`
	Target string `query:"target" maxLength:"200" doc:"Only acts upon this id or name"`
	Paging
}

func (a *api) addAudit() {
	add(a, route{
		id: "read-audit", method: http.MethodGet, path: "/v1/audit", tag: "logs", scopes: []string{auditRead},
		summary: "Read the audit log", description: "Newest first.",
	}, func(ctx context.Context, actor audit.Actor, in *auditQuery) (lanyard.Page[lanyard.AuditEvent], error) {
		return a.Service.Audit(ctx, actor, in.Action, in.Target, in.list())
	})
}
