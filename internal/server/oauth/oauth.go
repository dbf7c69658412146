// Package oauth is the authorization server: OAuth 2.1 and OpenID Connect, one file an endpoint and a grant type.
//
//	GET  /oauth/authorize   app and redirect URI first, then the rest → grant.Request saved → signin.Next
//	     /continue          where every page of the way returns to: the next page, or the answer for the app
//	POST /oauth/token       authenticate the app → the grant type's own file → mint
//
// The pages of the way (sign-in, consent, device) belong to package login; nothing here shows a form but the way back to an
// app. What is used once is consumed by package store after everything that can be checked without consuming it was
// checked. Access tokens are made by package token and are no rows.
package oauth

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/outbound"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/session"
	"github.com/lanyard-auth/lanyard/internal/signin"
	"github.com/lanyard-auth/lanyard/internal/token"
	"github.com/lanyard-auth/lanyard/internal/user"
	"github.com/lanyard-auth/lanyard/internal/verify"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// Config is what the authorization server is made of. Every field is needed unless it says otherwise.
type Config struct {
	Issuer   string // the public URL, without a slash at its end
	Kit      *web.Kit
	Page     *page.Kit
	Browser  *browser.Kit
	Verifier *verify.Verifier
	Ring     *keyring.Ring
	Minter   *token.Minter
	Outbound *outbound.Client
	Gate     *signin.Gate // how many clients that nobody here made may come in

	Apps     app.Store
	Keys     key.Store
	Users    user.Store
	Sessions session.Store
	Grants   grant.Store
	Requests grant.RequestStore
	Codes    grant.CodeStore
	Chains   grant.FamilyStore
	Devices  grant.DeviceStore
	Notices  Notices

	// Registration is who may register clients by themselves: closed, token or open.
	Registration string
	// Sync returns once this node decides by everything that was committed before the call.
	Sync func(context.Context) error
	// Prefix is that of new credentials.
	Prefix func() string
	Now    func() time.Time
	Random io.Reader
	Log    *slog.Logger
}

// Server answers. Make it with Register.
type Server struct {
	Config
	keys   keyCache
	pages  *page.Set
	grants map[string]func(*call) (*answer, error)
}

// Values of headers, shared by answers.
var (
	noCache   = []string{"no-cache"}
	jsonType  = []string{"application/json"}
	anyOrigin = []string{"*"}
	exposed   = []string{"WWW-Authenticate, Retry-After, DPoP-Nonce, X-Request-Id"}
)

// Register adds every endpoint to mux: /oauth/…, /continue and the discovery documents.
func Register(mux *http.ServeMux, c Config) *Server {
	s := &Server{Config: c, keys: keyCache{sets: map[string]cachedKeys{}}}
	s.pages = c.Page.Templates(templates, "templates/*.html")
	s.grants = map[string]func(*call) (*answer, error){
		app.AuthorizationCode: s.byCode,
		app.RefreshToken:      s.byRefresh,
		app.ClientCredentials: s.byCredentials,
		app.DeviceCode:        s.byDevice,
		app.TokenExchange:     s.byExchange,
		app.JWTBearer:         s.byBearer,
	}
	// People come here with a browser.
	people := func(serve func(http.ResponseWriter, *http.Request) error) http.Handler { return c.Page.Handle(serve) }
	mux.Handle("GET /oauth/authorize", people(s.authorize))
	mux.Handle("POST /oauth/authorize", people(s.asGet("/oauth/authorize")))
	mux.Handle("GET /continue", people(s.carryOn))
	mux.Handle("GET /oauth/logout", people(s.logout))
	mux.Handle("POST /oauth/logout", people(s.asGet("/oauth/logout")))

	// Programs come here, from any origin: nothing rides on a cookie.
	programs := func(pattern string, serve func(http.ResponseWriter, *http.Request) error) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.Handle(pattern, cors(method, s.handle(serve)))
		mux.Handle("OPTIONS "+path, cors(method, http.HandlerFunc(preflight)))
	}
	programs("POST /oauth/token", s.token)
	programs("POST /oauth/par", s.push)
	programs("POST /oauth/device_authorization", s.deviceAuthorization)
	programs("POST /oauth/introspect", s.introspect)
	programs("POST /oauth/revoke", s.revoke)
	programs("POST /oauth/register", s.register)
	mux.Handle("GET /oauth/register/{app}", s.handle(s.readRegistration))
	mux.Handle("PUT /oauth/register/{app}", s.handle(s.updateRegistration))
	mux.Handle("DELETE /oauth/register/{app}", s.handle(s.deleteRegistration))
	mux.Handle("GET /oauth/userinfo", cors("GET, POST", s.handle(s.userinfo)))
	mux.Handle("POST /oauth/userinfo", cors("GET, POST", s.handle(s.userinfo)))
	mux.Handle("OPTIONS /oauth/userinfo", cors("GET, POST", http.HandlerFunc(preflight)))
	programs("GET /.well-known/jwks.json", s.jwks)
	for _, path := range s.wellKnown() {
		programs("GET "+path, s.discovery)
	}
	return s
}

// cors lets scripts of any origin call (RFC 9700 section 2.6 keeps it from the authorization endpoint). There are no
// credentials of the browser's in it: cookies are not sent and not read.
func cors(methods string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Access-Control-Allow-Origin"] = anyOrigin
		h["Access-Control-Expose-Headers"] = exposed
		if r.Method == http.MethodOptions {
			h.Set("Access-Control-Allow-Methods", methods+", OPTIONS")
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP, MCP-Protocol-Version")
			h.Set("Access-Control-Max-Age", "7200")
		}
		next.ServeHTTP(w, r)
	})
}

func preflight(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
