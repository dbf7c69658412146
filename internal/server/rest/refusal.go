package rest

import (
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// refusal carries an endpoint's failure through huma to transform. Its status is decided there.
type refusal struct{ error }

// GetStatus implements huma.StatusError.
func (*refusal) GetStatus() int { return http.StatusInternalServerError }

// ContentType implements huma.ContentTypeFilter.
func (*refusal) ContentType(string) string { return "application/problem+json" }

func (r *refusal) Unwrap() error { return r.error }

// transform turns failures into problem documents: those of endpoints, and what huma found wrong with an input. It stands
// in the place of huma.NewError, which is a variable of the whole process.
func (a *api) transform(ctx huma.Context, _ string, v any) (any, error) {
	var err error
	switch failure := v.(type) {
	case *refusal:
		err = failure.error
	case *huma.ErrorModel:
		err = invalid(failure)
	default:
		return v, nil
	}
	c := callOf(ctx.Context())
	p := a.Kit.Problem(c.w.Header(), c.r, err)
	p.RequestID = web.RequestID(c.r.Context())
	c.status = p.Status
	return p, nil
}

// invalid names the inputs that huma found fault with. Their values are left out: one may be a secret.
func invalid(model *huma.ErrorModel) error {
	out := &web.Invalid{}
	for _, e := range model.Errors {
		field, detail := strings.TrimPrefix(e.Location, "body"), e.Message
		for _, place := range []string{"query.", "path.", "header."} {
			field = strings.TrimPrefix(field, place)
		}
		field = strings.TrimPrefix(field, ".")
		// Said of the object; meant is the member.
		if name, ok := strings.CutPrefix(detail, "expected required property "); ok {
			name = strings.TrimSuffix(name, " to be present")
			field, detail = strings.TrimPrefix(field+"."+name, "."), "must be given"
		}
		if strings.HasPrefix(detail, "invalid date/time") {
			detail = "must be an RFC 3339 time such as 2026-11-23T10:00:00Z"
		}
		out.Fields = append(out.Fields, lanyard.ProblemField{Field: web.Field(field), Detail: detail})
	}
	return out
}
