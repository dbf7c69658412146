package rest

import (
	"context"
	"mime"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/web"
)

const leaksRead = "lanyard.leaks.read"

type leakQuestion struct {
	Body lanyard.LeakQuestion
}

type leaksQuery struct {
	TeamID string `query:"team_id" doc:"Only this team's"`
	Paging
}

func (a *api) addLeaks() {
	s := a.Service
	add(a, route{
		id: "check-leaks", method: http.MethodPost, path: "/v1/leaks/check", tag: "leaks", scopes: []string{leaksRead},
		summary: "Say which credentials work", description: "By their public ids alone: live, dead, or unknown where they are out of reach.",
	}, func(ctx context.Context, actor audit.Actor, in *leakQuestion) (lanyard.LeakChecks, error) {
		all, err := s.CheckLeaks(ctx, actor, in.Body.IDs)
		return lanyard.LeakChecks{Items: all}, err
	})
	add(a, route{
		id: "list-leaks", method: http.MethodGet, path: "/v1/leaks", tag: "leaks", scopes: []string{leaksRead},
		summary: "List keys that were found where they do not belong", description: "Newest first, with what was done about each.",
	}, func(ctx context.Context, actor audit.Actor, in *leaksQuery) (lanyard.Page[lanyard.Leak], error) {
		return s.Leaks(ctx, actor, in.TeamID, in.list())
	})
	registry := a.huma.OpenAPI().Components.Schemas
	in := reflect.TypeFor[lanyard.LeakReport]()
	a.huma.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "report-leak", Method: http.MethodPost, Path: "/v1/leaks/report", Tags: []string{"leaks"}, Security: []map[string][]string{{}},
		Summary: "Report credentials that were found",
		Description: "For everybody, without a credential. Credentials of this server in the text are ended, or their owners told, as the policy for their kind says; " +
			"that is done when the answer leaves. It is the same whatever was found. At most 1 MiB, of which the first 100 credentials count; at most 60 reports an hour from a network (429).",
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/json": {Schema: registry.Schema(in, true, in.Name())},
			"text/plain":       {Schema: &huma.Schema{Type: huma.TypeString}},
		}},
		Responses: map[string]*huma.Response{"202": {Description: "It was looked through"}, "default": problemResponse()},
	})
}

// reportLeak is POST /v1/leaks/report. Nobody has to say who they are.
func (a *api) reportLeak(w http.ResponseWriter, r *http.Request) error {
	web.Guard(w.Header())
	text, place, err := a.readReport(w, r)
	if err != nil {
		return err
	}
	if err := a.Service.ReportLeak(r.Context(), a.Kit.Client(r), text, place); err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// readReport reads a report as JSON, or as the text itself.
func (a *api) readReport(w http.ResponseWriter, r *http.Request) (text, place string, err error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	plain := err == nil && media == "text/plain"
	if plain { // read as any other body is: no longer, no slower
		r = r.Clone(r.Context())
		r.Header.Set("Content-Type", "application/json")
	}
	body, err := a.Kit.ReadBody(w, r)
	if err != nil || plain {
		return string(body), "", err
	}
	var report lanyard.LeakReport
	if err := web.DecodeStrict(body, &report); err != nil {
		return "", "", err
	}
	return report.Text + "\n" + strings.Join(report.Credentials, "\n"), report.Place, nil
}
