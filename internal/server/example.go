package server

import (
	"net/http"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/examples/weather"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/server/rest"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// Gateway answers the calls of APIs: of those whose identifier lies below URL.
type Gateway struct {
	URL     string       // without a slash at its end
	Handler http.Handler // sees paths below URL
}

// Where the example API stands on the main listener (docs/decisions/0014).
const (
	examplesPath = "/examples"
	exampleName  = "weather"
)

// example is the declaration of an API that this server answers itself, for trying it.
func (s *Server) example() lanyard.API {
	return lanyard.API{
		Name: exampleName, Title: "Weather", Identifier: s.Settings.PublicURL + examplesPath + "/" + exampleName, Takes: "key",
		Routes:     []lanyard.Route{{Prefix: "/" + exampleName, StripPrefix: true}},
		Scopes:     map[string]lanyard.Scope{"forecast.read": {Text: "read forecasts", Default: true}},
		Operations: map[string]lanyard.Operation{"GET /v1/forecast": {Scopes: []string{"forecast.read"}}, "GET /v1/alerts": {Scopes: []string{"forecast.read"}}},
		Plans:      map[string]lanyard.Plan{"free": {Default: true, Limits: []string{"60/minute"}}},
	}
}

// examples answers the calls of the example API, behind the middleware that guards every API. It is there while an admin has declared
// it; for everybody else there is nothing.
func (s *Server) examples() Gateway {
	decisions := rest.Decisions{Kit: s.kit, Verifier: s.Verifier, Management: s.Management, Authenticate: func(*http.Request) (audit.Actor, error) {
		return audit.Command("example"), nil // the middleware is ours, in this process
	}}
	client := &lanyard.Client{URL: s.Settings.PublicURL, Token: lanyard.NewSecret("in-process"), HTTP: &http.Client{Transport: web.InProcess{Handler: s.kit.Handle(decisions.Verify)}}}
	guard := lanyard.Require(client, exampleName, lanyard.WithLogger(s.log), lanyard.WithTrustedProxies(s.Settings.TrustedProxies...), lanyard.WithPublicURL(s.Settings.PublicURL))
	guarded := http.StripPrefix("/"+exampleName, guard(weather.HandlerAt(s.opts.Now)))
	mux := http.NewServeMux()
	mux.HandleFunc("/"+exampleName+"/", s.kit.Handle(func(w http.ResponseWriter, r *http.Request) error {
		view, err := s.Verifier.Catalog(r.Context())
		if err != nil {
			return err
		}
		if api := view.ByName(exampleName); api == nil || api.Policy.Identifier != s.example().Identifier {
			return fault.New(fault.NotFound, "there is nothing here")
		}
		guarded.ServeHTTP(w, r)
		return nil
	}))
	return Gateway{URL: s.Settings.PublicURL + examplesPath, Handler: mux}
}
