package oauth

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/token"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// introspected is the answer of RFC 7662 section 2.2. A token that is over, unknown or none of the asker's business is
// inactive, and nothing else is said of it.
type introspected struct {
	Active    bool       `json:"active"`
	Scope     string     `json:"scope,omitempty"`
	ClientID  string     `json:"client_id,omitempty"`
	TokenType string     `json:"token_type,omitempty"`
	Exp       int64      `json:"exp,omitempty"`
	Iat       int64      `json:"iat,omitempty"`
	Sub       string     `json:"sub,omitempty"`
	Aud       string     `json:"aud,omitempty"`
	Iss       string     `json:"iss,omitempty"`
	Jti       string     `json:"jti,omitempty"`
	AuthTime  int64      `json:"auth_time,omitempty"`
	ACR       string     `json:"acr,omitempty"`
	AMR       []string   `json:"amr,omitempty"`
	Cnf       *cnf       `json:"cnf,omitempty"`
	Act       *token.Act `json:"act,omitempty"`
	Mode      string     `json:"mode,omitempty"`
	GrantID   string     `json:"grant_id,omitempty"`
}

type cnf struct {
	JKT string `json:"jkt,omitempty"`
	X5T string `json:"x5t#S256,omitempty"`
}

// introspector is who asks: an app about its own tokens, or a credential with lanyard.verify about tokens for its APIs.
type introspector struct {
	app  *app.App    // nil: by credential
	mode secret.Mode // of the app's secret: tokens of the other mode are not its business
	apis []string    // names; empty: every API
	name string      // for the aud of a signed answer
}

// introspect is POST /oauth/introspect.
func (s *Server) introspect(w http.ResponseWriter, r *http.Request) error {
	p, err := s.form(w, r)
	if err != nil {
		return err
	}
	who, err := s.introspector(r, p)
	if err != nil {
		return err
	}
	text := p.get("token")
	if text == "" {
		return fail(invalidRequest, "token is missing")
	}
	out, err := s.look(r, who, text)
	if err != nil {
		return err
	}
	if strings.Contains(r.Header.Get("Accept"), "application/token-introspection+jwt") {
		return s.signedIntrospection(w, r, who, out)
	}
	writeQuick(w, &out)
	return nil
}

// introspector authenticates who asks. Public apps cannot ask: anybody could in their name.
func (s *Server) introspector(r *http.Request, p params) (*introspector, error) {
	scheme, credential, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		c, err := s.authenticate(r, p)
		if err != nil {
			return nil, err
		}
		if !c.proved {
			return nil, c.refuse("introspection is for clients that prove who they are")
		}
		return &introspector{app: c.app, mode: c.mode, name: c.app.ClientID()}, nil
	}
	if len(r.Header.Values("Authorization")) > 1 || p.has("client_secret") || p.has("client_assertion") {
		return nil, fail(invalidRequest, "use one way to say who asks, not two")
	}
	actor, err := s.Verifier.Asker(r.Context(), credential, "", s.Kit.Client(r))
	if fault.Is(err, fault.Unauthenticated) {
		return nil, &failure{Code: invalidToken, Status: http.StatusUnauthorized, Bearer: "Bearer", Detail: detail(err)}
	}
	if err != nil {
		return nil, err
	}
	view, err := s.Verifier.Catalog(r.Context())
	if err != nil {
		return nil, err
	}
	if !view.Management().Scopes.Covers(actor.Scopes, "lanyard.verify", actor.Reach.Server()) {
		return nil, &failure{Code: insufficientScope, Status: http.StatusForbidden, Bearer: "Bearer", Detail: "this needs the scope lanyard.verify"}
	}
	return &introspector{apis: actor.APIs, name: actorName(actor)}, nil
}

func actorName(actor audit.Actor) string {
	if actor.App != "" {
		return string(actor.App)
	}
	return actor.Label
}

// look finds out what a token is, as far as it concerns who asks.
func (s *Server) look(r *http.Request, who *introspector, text string) (introspected, error) {
	if who.app != nil && isRefresh(text) {
		return s.lookRefresh(r, who, text)
	}
	// Who asks has proved who they are and passes on what others sent: that is not held against them.
	state, err := s.Verifier.Token(r.Context(), text, netip.Addr{})
	if err != nil {
		return introspected{}, err
	}
	if state.Code != policy.Valid {
		return introspected{}, nil
	}
	if state.Personal != nil {
		return s.lookPersonal(who, state.Personal.Scopes, string(state.Personal.User), state.Personal.ExpiresAt.Unix(), state.Personal.CreatedAt.Unix(), string(state.Personal.Mode)), nil
	}
	c := &state.Claims
	concerned, err := s.concerns(r, who, c.App, c.Audience)
	if err != nil || !concerned || who.app != nil && c.Mode != who.mode {
		return introspected{}, err
	}
	out := introspected{
		Active: true, Scope: strings.Join(c.Scopes, " "), ClientID: c.ClientID, TokenType: "Bearer", Exp: c.ExpiresAt.Unix(), Iat: c.IssuedAt.Unix(), Sub: c.Subject,
		Aud: c.Audience, Iss: s.Issuer, Jti: c.ID, ACR: c.ACR, AMR: c.AMR, Act: c.Act, Mode: string(c.Mode), GrantID: string(c.Grant),
	}
	if out.ClientID == "" {
		out.ClientID = string(c.App)
	}
	if !c.AuthTime.IsZero() {
		out.AuthTime = c.AuthTime.Unix()
	}
	if c.JKT != "" || c.X5T != "" {
		out.Cnf = &cnf{JKT: c.JKT, X5T: c.X5T}
		if c.JKT != "" {
			out.TokenType = "DPoP"
		}
	}
	return out, nil
}

// isRefresh reports whether a text is a whole refresh token. A JWT may hold anything that base64url can write, `_rt_` too.
func isRefresh(text string) bool {
	c, err := secret.Parse(text)
	return err == nil && c.Kind == secret.Refresh
}

// concerns reports whether a token is the asker's business: issued to it, or for an API it decides for.
func (s *Server) concerns(r *http.Request, who *introspector, owner id.App, audience string) (bool, error) {
	if who.app != nil {
		return who.app.ID == owner, nil
	}
	if len(who.apis) == 0 {
		return true, nil
	}
	view, err := s.Verifier.Catalog(r.Context())
	if err != nil {
		return false, err
	}
	api := view.ByIdentifier(audience)
	return api != nil && slices.Contains(who.apis, api.Policy.Name), nil
}

// lookPersonal describes a personal token. It is no app's, so only who decides for every API learns of it.
func (s *Server) lookPersonal(who *introspector, scopes []string, sub string, exp, iat int64, mode string) introspected {
	if who.app != nil || len(who.apis) > 0 && !slices.Contains(who.apis, catalog.ManagementName) {
		return introspected{}
	}
	return introspected{Active: true, Scope: strings.Join(scopes, " "), TokenType: "Bearer", Exp: exp, Iat: iat, Sub: sub, Iss: s.Issuer, Mode: mode}
}

// lookRefresh describes a refresh token of the asker's own.
func (s *Server) lookRefresh(r *http.Request, who *introspector, text string) (introspected, error) {
	f, counter, err := s.chain(r.Context(), text)
	if err != nil || f == nil || f.App != who.app.ID || f.Mode != who.mode {
		return introspected{}, err
	}
	now := s.Now()
	if counter != f.Counter || !f.RevokedAt.IsZero() || !now.Before(f.IdleAt) || !now.Before(f.ExpiresAt) {
		return introspected{}, nil
	}
	alive, err := s.alive(r, f)
	if err != nil || !alive {
		return introspected{}, err
	}
	sub, err := s.subject(who.app, f.User)
	if err != nil {
		return introspected{}, err
	}
	return introspected{
		Active: true, Scope: strings.Join(f.Issue.Scopes, " "), ClientID: who.app.ClientID(), Exp: f.IdleAt.Unix(), Iat: f.RotatedAt.Unix(), Sub: sub, Iss: s.Issuer,
		Mode: string(f.Mode), GrantID: string(f.Grant),
	}, nil
}

// alive reports whether what a chain hangs on is in force.
func (s *Server) alive(r *http.Request, f *grant.Family) (bool, error) {
	standing, err := s.Verifier.Standing(r.Context(), f.User)
	if err != nil || standing.Disabled {
		return false, err
	}
	g, err := s.Verifier.Grant(r.Context(), f.Grant)
	return err == nil && g.RevokedAt.IsZero(), err
}

// signedIntrospection answers as a JWT (RFC 9701).
func (s *Server) signedIntrospection(w http.ResponseWriter, r *http.Request, who *introspector, out introspected) error {
	alg := defaultAlg
	if who.app != nil && who.app.OAuth.IntrospectAlg != "" {
		alg = who.app.OAuth.IntrospectAlg
	}
	payload, err := json.Marshal(map[string]any{"iss": s.Issuer, "aud": who.name, "iat": s.Now().Unix(), "token_introspection": out})
	if err != nil {
		return err
	}
	text, err := s.Minter.Sign(r.Context(), "token-introspection+jwt", alg, payload)
	if err != nil {
		return err
	}
	h := w.Header()
	web.Guard(h)
	h.Set("Content-Type", "application/token-introspection+jwt")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write([]byte(text)) // #nosec G705 -- a JWT, with its own type; who does not read it has gone
	return nil
}
