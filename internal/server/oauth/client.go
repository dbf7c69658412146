package oauth

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// caller is an app at one of the endpoints that apps call.
type caller struct {
	app    *app.App
	mode   secret.Mode
	proved bool // by a secret or an assertion; otherwise it only gave its name, as public apps do
	basic  bool // it tried HTTP Basic, so a refusal names that scheme
}

func (c *caller) refuse(format string, args ...any) *failure {
	f := fail(invalidClient, format, args...)
	f.Status, f.Basic = http.StatusUnauthorized, c.basic
	return f
}

// presented is what an app sent to say who it is.
type presented struct {
	clientID, secret, assertion string
	kind                        string // of the assertion
	basic                       bool
}

// authenticate finds out which app calls, by one method (RFC 6749 section 2.3). An app that registered a secret or a key
// proves it; a public one only names itself.
func (s *Server) authenticate(r *http.Request, p params) (*caller, error) {
	sent, err := present(r, p)
	if err != nil {
		return nil, err
	}
	c := &caller{basic: sent.basic, mode: secret.Live}
	switch {
	case sent.assertion != "":
		return c, s.byAssertion(r.Context(), c, sent)
	case sent.secret != "":
		return c, s.bySecret(r, c, sent)
	case sent.clientID == "":
		return nil, c.refuse("say which app calls: client_id, with its secret or key unless it is a public app")
	}
	a, err := s.Verifier.Client(r.Context(), sent.clientID)
	switch {
	case err != nil:
		return nil, err
	case a == nil:
		return nil, c.refuse("there is no such client")
	case a.OAuth.AuthMethod != app.AuthNone && a.Type != app.Public:
		return nil, c.refuse("this client has to prove that it is itself, by its secret or its key")
	}
	c.app = a
	return c, nil
}

// introduce authenticates an app that begins something here. Its metadata document may be new to us, and is read first. An app
// that proves itself by a JWT may name itself in that alone.
func (s *Server) introduce(r *http.Request, p params) (*caller, error) {
	name := p.get("client_id")
	if name == "" && p.has("client_assertion") {
		name = assertionIssuer(p.get("client_assertion"))
	}
	if strings.HasPrefix(name, "https://") {
		if _, err := s.client(r.Context(), name, s.Kit.Client(r)); err != nil {
			return nil, err
		}
	}
	return s.authenticate(r, p)
}

// present reads what was sent and refuses two methods at once.
func present(r *http.Request, p params) (presented, error) {
	sent := presented{clientID: p.get("client_id"), secret: p.get("client_secret"), assertion: p.get("client_assertion"), kind: p.get("client_assertion_type")}
	lines := r.Header.Values("Authorization")
	if len(lines) > 1 {
		return sent, fail(invalidRequest, "send one Authorization header")
	}
	if len(lines) == 1 {
		scheme, rest, _ := strings.Cut(lines[0], " ")
		if strings.EqualFold(scheme, "Basic") {
			sent.basic = true
			c := &caller{basic: true}
			name, password, ok := basic(rest)
			switch {
			case !ok:
				return sent, c.refuse("the Basic credentials are not well formed")
			case sent.secret != "" || sent.assertion != "":
				return sent, fail(invalidRequest, "use one way to authenticate the client, not two")
			case sent.clientID != "" && sent.clientID != name:
				return sent, fail(invalidRequest, "client_id names another client than the Authorization header")
			}
			sent.clientID, sent.secret = name, password
		}
	}
	if sent.secret != "" && sent.assertion != "" {
		return sent, fail(invalidRequest, "use one way to authenticate the client, not two")
	}
	return sent, nil
}

// basic reads HTTP Basic credentials, whose parts are form-encoded (RFC 6749 section 2.3.1).
func basic(text string) (name, password string, ok bool) {
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return "", "", false
	}
	name, password, ok = strings.Cut(string(raw), ":")
	if !ok {
		return "", "", false
	}
	// Many programs do not encode; ids and secrets of ours hold nothing that encoding would change, addresses may.
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	if plain, err := url.QueryUnescape(password); err == nil {
		password = plain
	}
	return name, password, name != "" && password != ""
}

// bySecret proves an app by its client secret. Basic and the form are one method in two places: either is taken.
func (s *Server) bySecret(r *http.Request, c *caller, sent presented) error {
	proof, code, err := s.Verifier.ClientSecret(r.Context(), sent.secret, s.Kit.Client(r))
	if err != nil {
		return err
	}
	if code == policy.RateLimited {
		f := c.refuse("too many unknown credentials came from your address; wait a minute")
		f.Status = http.StatusTooManyRequests
		return f
	}
	if code != policy.Valid {
		return c.refuse("the client's secret is not right, or no longer good")
	}
	a, err := s.Verifier.Client(r.Context(), string(proof.App))
	if err != nil {
		return err
	}
	switch {
	case a == nil:
		return c.refuse("there is no such client")
	case sent.clientID != "" && sent.clientID != a.ClientID():
		return c.refuse("the client's secret is not right, or no longer good")
	case a.OAuth.AuthMethod == app.AuthPrivateKeyJWT || a.OAuth.AuthMethod == app.AuthNone:
		return c.refuse("this client registered %s: a secret is not accepted for it", a.OAuth.AuthMethod)
	}
	c.app, c.mode, c.proved = a, proof.Mode, true
	return nil
}

// clientOf reads the client that a request to the authorization endpoint names.
func clientID(text string) bool {
	if _, err := id.Parse[id.App](text); err == nil {
		return true
	}
	return strings.HasPrefix(text, "https://")
}
