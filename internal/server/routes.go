package server

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/server/doors"
	"github.com/lanyard-auth/lanyard/internal/server/portal"
	"github.com/lanyard-auth/lanyard/internal/server/rest"
)

// quiet are the routes whose successes are not logged: there are too many of them, and usage counts them.
var quiet = []string{"POST /v1/verify", "POST /v1/verify/batch", "GET /healthz", "GET /readyz", doors.ForwardAuthPattern}

// routes is every route of the main listener.
func (s *Server) routes() (http.Handler, error) {
	mux := http.NewServeMux()

	// Health.
	mux.HandleFunc("GET /healthz", s.kit.Handle(s.health))
	mux.HandleFunc("GET /readyz", s.kit.Handle(s.ready))

	// The JSON API: /v1/… and /openapi.yaml. Its list of operations stands in package rest, one file an endpoint group.
	decisions := &rest.Decisions{Kit: s.kit, Verifier: s.Verifier, Management: s.Management, Authenticate: s.authenticate}
	finders, err := s.finders()
	if err != nil {
		return nil, err
	}
	document, err := rest.Register(mux, rest.Config{
		Kit: s.kit, Service: s.Manage, Authenticate: s.authenticate, Holder: s.holder, Verify: s.kit.Handle(decisions.Verify), VerifyBatch: s.kit.Handle(decisions.Batch),
		Answers: s.Store, Seal: s.sealAnswer, Unseal: s.unsealAnswer, Next: s.Tail.Next, Now: s.opts.Now, Age: s.age, Finders: finders,
	})
	if err != nil {
		return nil, err
	}

	// What upstreams check assertions with; it stands at the gateway too.
	mux.HandleFunc(doors.KeysPath, s.doors.ServeKeys)

	s.pages = page.New(page.Config{Web: s.kit, Brand: s.brand, Log: s.log})
	// The authorization server: /oauth/…, /.well-known/…, /continue. The pages of the way in: /login, /consent, /device, /logout,
	// /signup, /forgot, /link, /invitation, /setup. A person's own: /account/….
	browsers, calls := s.browsers(), &Gateway{URL: s.Settings.GatewayURL, Handler: s.Gateway()}
	if s.gateway == nil {
		here := s.examples()
		mux.Handle(examplesPath+"/", http.StripPrefix(examplesPath, here.Handler))
		calls = &here
	}
	if err := s.badge(mux, s.pages, browsers, calls); err != nil {
		return nil, err
	}

	// Pages: /, /which, /errors/…, /reference, /assets/….
	portal.Register(mux, portal.Config{
		Page: s.pages, Brand: s.brand, APIs: s.apis, Document: document, PublicURL: s.Settings.PublicURL, Who: browsers.Recognise, Signup: s.Settings.Signup == config.Open, Log: s.log,
	})

	// Other proxies ask here whether a call may pass.
	mux.HandleFunc(doors.ForwardAuthPattern, s.doors.ForwardAuth())
	mux.HandleFunc(doors.PreflightPattern, s.doors.TraefikPreflight())

	everything := s.kit.Wrap(s.kit.Mux(mux, s.pages.Lost))
	hot := s.kit.Hot(decisions.Verify)
	return below(s.Settings.PublicURL, mux, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Every request of every API asks this one; it takes the shortest way.
		if r.Method == http.MethodPost && r.URL.Path == "/v1/verify" {
			hot.ServeHTTP(w, r)
			return
		}
		everything.ServeHTTP(w, r)
	})), nil
}

// below serves what mux has also below the path of the public URL, if it has one: clients put endpoints together that way,
// and some proxies cut the path off while others pass it on.
func below(publicURL string, mux *http.ServeMux, next http.Handler) http.Handler {
	u, err := url.Parse(publicURL)
	if err != nil || u.Path == "" {
		return next
	}
	cut := http.StripPrefix(u.Path, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, u.Path+"/") {
			if _, pattern := mux.Handler(r); pattern == "" { // a route may begin like the path
				cut.ServeHTTP(w, r)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// health says that the process lives.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) error {
	_, _ = w.Write([]byte("ok\n"))
	return nil
}

// ready says whether requests should come here: database, changes and clock are as they must be.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := s.Ready(ctx); err != nil {
		return err
	}
	_, _ = w.Write([]byte("ready\n"))
	return nil
}

// bearer takes the credential of a call to Lanyard's own API: one, and as Bearer (RFC 6750 section 2.1).
func bearer(r *http.Request) (string, error) {
	lines := r.Header["Authorization"]
	switch {
	case len(lines) == 0 && len(r.Header["X-Api-Key"]) == 0:
		return "", nil // missing: the decision says so
	case len(lines) > 1 || len(r.Header["X-Api-Key"]) > 0:
		return "", fault.New(fault.Unauthenticated, "send one credential, as Authorization: Bearer")
	}
	scheme, credential, ok := strings.Cut(lines[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || credential == "" || strings.ContainsAny(credential, " ,\t") {
		return "", fault.New(fault.Unauthenticated, "send one credential, as Authorization: Bearer")
	}
	return credential, nil
}

// holder finds out whose secret was sent, as Bearer or in x-api-key: whoever found a key ends it as it is used.
func (s *Server) holder(r *http.Request) (audit.Actor, error) {
	credentials, err := lanyard.FromRequest(r, lanyard.CredentialOptions{})
	if err != nil {
		return audit.Actor{}, fault.New(fault.Unauthenticated, "send the key that is to end, once, as Authorization: Bearer or x-api-key")
	}
	credential := credentials.APIKey
	if credential.IsZero() {
		credential = credentials.Token
	}
	return s.Verifier.Holder(r.Context(), credential.Reveal(), "", s.kit.Client(r))
}

func answerPlace(key string) keyring.Place {
	return keyring.Place{Table: "answer", Column: "reply", Row: key}
}

func (s *Server) sealAnswer(key string, reply []byte) ([]byte, error) {
	return s.Ring.Seal(answerPlace(key), reply)
}

func (s *Server) unsealAnswer(key string, sealed []byte) ([]byte, error) {
	return s.Ring.Unseal(answerPlace(key), sealed)
}

func (s *Server) brand(ctx context.Context) (lanyard.Brand, error) {
	return s.Store.Brand(ctx)
}

func (s *Server) apis(ctx context.Context) ([]lanyard.API, error) {
	state, err := s.Store.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]lanyard.API, 0, len(state.APIs))
	for _, name := range slices.Sorted(maps.Keys(state.APIs)) {
		list = append(list, state.APIs[name])
	}
	return list, nil
}

// age is how long ago this node knew to be up to date.
func (s *Server) age() time.Duration { return s.Tail.Age(s.opts.Now()) }
