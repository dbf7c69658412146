// Package rest is the JSON API, /v1. One file holds one group of endpoints; each says its path, its scope and which act of
// package manage it is, and nothing else: who asks is found out, bodies and queries are read strictly, and failures become
// problem documents in the one adapter that every endpoint passes through (adapter.go).
//
// The types on the wire are those of package lanyard. Huma turns them into the OpenAPI document and checks inputs against
// it; none of huma's package variables is touched.
package rest

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/node"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// Config is what the API is made of. Every field is needed unless it says otherwise.
type Config struct {
	Kit     *web.Kit
	Service *manage.Service

	// Authenticate says who asks, or why that is not known: a fault of kind Unauthenticated, TooMany or Unavailable.
	Authenticate func(*http.Request) (audit.Actor, error)
	// Holder is Authenticate for POST /v1/keys/revoke-self, where holding the secret is enough: whoever found a key may end
	// it from anywhere. nil: Authenticate, so that a key's own restrictions hold there too.
	Holder func(*http.Request) (audit.Actor, error)

	// Verify and VerifyBatch serve POST /v1/verify and /v1/verify/batch. They authenticate by themselves.
	Verify, VerifyBatch http.Handler

	// Answers keeps what was answered to requests with an Idempotency-Key; Seal and Unseal hide it in the row of that key.
	Answers node.Store
	Seal    func(row string, reply []byte) ([]byte, error)
	Unseal  func(row string, sealed []byte) ([]byte, error)

	// Finders are the services whose reports of leaks count.
	Finders Finders

	// Next returns a channel that is closed when this node applied another change (changes.Tail.Next), and Age how long ago
	// it knew to be up to date (changes.Tail.Age).
	Next func() <-chan struct{}
	Age  func() time.Duration

	Now  func() time.Time // nil: time.Now
	Beat time.Duration    // between the keep-alives of a stream; 0: 500 ms
}

// api is a Config at work.
type api struct {
	Config
	huma huma.API
}

// Register adds every route of the API to mux: those below /v1, and /openapi.yaml, whose document it returns. The document is written
// when it is first asked for: a start need not wait for it.
func Register(mux *http.ServeMux, c Config) (document func() ([]byte, error), err error) {
	if c.Kit == nil || c.Service == nil || c.Authenticate == nil || c.Verify == nil || c.VerifyBatch == nil ||
		c.Answers == nil || c.Seal == nil || c.Unseal == nil || c.Next == nil || c.Age == nil {
		return nil, errors.New("rest: a field of the configuration is missing")
	}
	if c.Now == nil {
		c.Now = time.Now //nolint:forbidigo // the clock field's zero value is the real clock
	}
	if c.Holder == nil {
		c.Holder = c.Authenticate
	}
	if c.Beat == 0 {
		c.Beat = 500 * time.Millisecond
	}
	a := &api{Config: c}
	a.routes(mux)
	document = sync.OnceValues(a.document)
	// What follows does not pass the adapter: the two ways to a decision authenticate by themselves, reports of leaks and the document are
	// for everybody or for services that show who they are in their own way, and events come in media types of their own.
	mux.Handle("POST /v1/verify", c.Verify)
	mux.Handle("POST /v1/verify/batch", c.VerifyBatch)
	mux.HandleFunc("POST /v1/leaks/report", c.Kit.Handle(a.reportLeak))
	mux.HandleFunc("POST /v1/leaks/github", c.Kit.Handle(a.reportByGitHub))
	mux.HandleFunc("POST /v1/leaks/gitlab", c.Kit.Handle(a.reportByGitLab))
	mux.HandleFunc("GET /v1/revocable_token_types", c.Kit.Handle(a.revocableTypes))
	mux.HandleFunc("POST /v1/revoke_tokens", c.Kit.Handle(a.revokeTokens))
	mux.HandleFunc("POST /v1/usage/events", c.Kit.Handle(a.recordEvents))
	mux.HandleFunc("GET /openapi.yaml", c.Kit.Handle(func(w http.ResponseWriter, _ *http.Request) error {
		text, err := document()
		if err != nil {
			return err
		}
		web.Guard(w.Header())
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(text) // who does not read it has gone
		return nil
	}))
	return document, nil
}

// routes makes the huma API and registers every endpoint with it.
func (a *api) routes(mux *http.ServeMux) {
	strict := huma.Format{
		Marshal: huma.DefaultJSONFormat.Marshal,
		// The adapter has read the body with web.DecodeStrict by then; this keeps huma's own reading as strict.
		Unmarshal: func(data []byte, v any) error { return json.Unmarshal(data, v, json.RejectUnknownMembers(true)) },
	}
	a.huma = huma.NewAPI(huma.Config{
		OpenAPI:                      a.frame(),
		Formats:                      map[string]huma.Format{"application/json": strict, "json": strict},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{a.transform},
	}, &adapter{api: a, mux: mux})
	a.addApps()
	a.addKeys()
	a.addKeyLife()
	a.addWarnings()
	a.addSecrets()
	a.addTokens()
	a.addGrants()
	a.addSessions()
	a.addTeams()
	a.addInvitations()
	a.addUsers()
	a.addCatalog()
	a.addBilling()
	a.addInvoices()
	a.addStripe()
	a.addEvents()
	a.addUsage()
	a.addWebhooks()
	a.addLeaks()
	a.addFinders()
	a.addAudit()
	a.addChanges()
	a.addAttempts()
	a.plainRoutes()
	a.finish()
}
