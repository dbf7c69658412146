package rest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// route is what an endpoint says about itself.
type route struct {
	id, method, path string
	tag, summary     string
	description      string
	scopes           []string // any of them opens it; none: whoever has a credential (package manage may ask for more)
	status           int      // of success; 0: 200
	once             bool     // takes an Idempotency-Key
	holder           bool     // holding the secret is enough
	body             reflect.Type
	responses        map[string]*huma.Response
}

// operation is the route as huma wants it.
func (rt route) operation() huma.Operation {
	op := huma.Operation{
		OperationID: rt.id, Method: rt.method, Path: rt.path, Summary: rt.summary, Description: rt.description, Tags: []string{rt.tag},
		DefaultStatus: rt.status, MaxBodyBytes: maxBody, Metadata: map[string]any{"route": rt}, Responses: rt.responses, Security: security(rt.scopes),
	}
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	op.Responses["default"] = problemResponse()
	if rt.once {
		op.Parameters = append(op.Parameters, onceParameter())
	}
	return op
}

// add registers an endpoint that answers a body of type B. do is called with who asks; what it fails with becomes a problem.
func add[I, B any](a *api, rt route, do func(ctx context.Context, actor audit.Actor, in *I) (B, error)) {
	type answer struct{ Body B }
	rt.body = bodyOf[I]()
	huma.Register(a.huma, rt.operation(), func(ctx context.Context, in *I) (*answer, error) {
		body, err := do(ctx, callOf(ctx).actor, in)
		if err != nil {
			return nil, &refusal{err}
		}
		return &answer{body}, nil
	})
}

// addStream registers an endpoint that writes its answer by itself.
func addStream[I any](a *api, rt route, do func(c *call, in *I) error) {
	type answer struct{ Body func(huma.Context) }
	rt.body = bodyOf[I]()
	huma.Register(a.huma, rt.operation(), func(ctx context.Context, in *I) (*answer, error) {
		c := callOf(ctx)
		return &answer{func(huma.Context) {
			if err := do(c, in); err != nil {
				a.Kit.Refuse(c.w, c.r, err)
			}
		}}, nil
	})
}

// bodyOf is the type of the field Body of an input, or nil.
func bodyOf[I any]() reflect.Type {
	field, ok := reflect.TypeFor[I]().FieldByName("Body")
	if !ok {
		return nil
	}
	if field.Type.Kind() == reflect.Pointer {
		return field.Type.Elem()
	}
	return field.Type
}

// adapter is huma.Adapter over http.ServeMux. Huma can register nothing past it, and it serves nothing to whom it does not
// know.
type adapter struct {
	*api
	mux *http.ServeMux
}

// Handle implements huma.Adapter.
func (a *adapter) Handle(op *huma.Operation, handler func(huma.Context)) {
	rt, ok := op.Metadata["route"].(route)
	if !ok {
		panic("rest: " + op.Method + " " + op.Path + " was not registered by add or addStream")
	}
	a.mux.HandleFunc(op.Method+" "+op.Path, a.Kit.Handle(func(w http.ResponseWriter, r *http.Request) error {
		return a.serve(w, r, op, rt, handler)
	}))
}

// ServeHTTP implements huma.Adapter.
func (a *adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// serve is the way of every request: who asks, may they, is it well formed, was it answered before. Only then does the
// endpoint hear of it.
func (a *api) serve(w http.ResponseWriter, r *http.Request, op *huma.Operation, rt route, handler func(huma.Context)) error {
	web.Guard(w.Header())
	actor, err := a.admit(r, rt)
	if err != nil {
		return err
	}
	if err := web.Query(r); err != nil {
		return err
	}
	body, err := a.readBody(w, r, op, rt)
	if err != nil {
		return err
	}
	run := func(w http.ResponseWriter) {
		c := &call{w: w, actor: actor, route: rt}
		c.r = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
		c.r.Body = io.NopCloser(bytes.NewReader(body))
		c.humaContext = humago.NewContext(op, c.r, w)
		handler(&c.humaCall)
	}
	if keys := r.Header.Values("Idempotency-Key"); rt.once && len(keys) > 0 {
		return a.once(w, r, actor, keys, body, run)
	}
	run(w)
	return nil
}

// admit finds out who asks and whether they hold a scope that opens the route at all. Whose things they may touch, and
// whether the scope counts for them, is package manage's to say at the act itself.
func (a *api) admit(r *http.Request, rt route) (audit.Actor, error) {
	authenticate := a.Authenticate
	if rt.holder {
		authenticate = a.Holder
	}
	actor, err := authenticate(r)
	if err != nil {
		return audit.Actor{}, err
	}
	opens := func(scope string) bool { return a.Service.Management.Scopes.Covers(actor.Scopes, scope, true) }
	if len(rt.scopes) > 0 && !slices.ContainsFunc(rt.scopes, opens) {
		return audit.Actor{}, fault.New(fault.InsufficientScope, "this needs the scope %s, which your credential does not hold", strings.Join(rt.scopes, " or "))
	}
	return actor, nil
}

func (a *api) readBody(w http.ResponseWriter, r *http.Request, op *huma.Operation, rt route) ([]byte, error) {
	body, err := a.Kit.ReadBody(w, r)
	switch {
	case err != nil:
		return nil, err
	case rt.body != nil && (len(body) > 0 || op.RequestBody.Required):
		return body, web.DecodeStrict(body, reflect.New(rt.body).Interface())
	case len(body) > 0:
		return nil, web.DecodeStrict(body, &struct{}{}) // {} is as good as nothing
	}
	return nil, nil
}

// call is one request on its way through an endpoint.
type call struct {
	humaCall
	r     *http.Request
	w     http.ResponseWriter
	actor audit.Actor
	route route
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// humaContext is huma.Context by a name that does not hide its method Context when it is embedded.
type humaContext huma.Context

// humaCall is the call as huma sees it.
type humaCall struct {
	humaContext
	status int // when set, the status of whatever huma answers
}

// SetStatus keeps to the status of the problem that transform found.
func (c *humaCall) SetStatus(status int) {
	if c.status != 0 {
		status = c.status
	}
	c.humaContext.SetStatus(status)
}

// Header hides Accept: there is one format.
func (c *humaCall) Header(name string) string {
	if strings.EqualFold(name, "Accept") {
		return ""
	}
	return c.humaContext.Header(name)
}

// SetReadDeadline does nothing: the body has been read, and a deadline would end a handler that waits.
func (*humaCall) SetReadDeadline(time.Time) error { return nil }
