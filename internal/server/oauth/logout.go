package oauth

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/keyring"
)

// logout is GET /oauth/logout (OpenID Connect RP-Initiated Logout): an app asks that the user be logged out here too. The page
// /logout asks the user; where to go afterwards is sealed into its address, so that nobody but this server chose it.
func (s *Server) logout(w http.ResponseWriter, r *http.Request) error {
	p, err := newParams(r.URL.Query())
	if err != nil {
		return s.stay(w, r, err)
	}
	a, err := s.logoutAsker(r, p)
	if err != nil {
		return s.stay(w, r, err)
	}
	to := p.get("post_logout_redirect_uri")
	switch {
	case to != "" && a == nil:
		return s.stay(w, r, fail(invalidRequest, "post_logout_redirect_uri needs client_id or id_token_hint beside it"))
	case to != "" && !a.LogsOutTo(to):
		return s.stay(w, r, fail(invalidRequest, "post_logout_redirect_uri is not one that this client_id registered"))
	}
	if to != "" && p.has("state") {
		to = withQuery(to, url.Values{"state": {p.get("state")}})
	}
	visit, err := s.Browser.Visit(w, r)
	if err != nil {
		return err
	}
	if !visit.SignedIn() && to != "" {
		http.Redirect(w, r, to, http.StatusSeeOther) // nothing to end
		return nil
	}
	next := LogoutNext{To: to}
	if a != nil && (to != "" || p.has("id_token_hint")) {
		next.App = a.ID
	}
	sealed, err := s.sealNext(visit.Browser, next)
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/logout?next="+sealed, http.StatusSeeOther)
	return nil
}

// LogoutNext is what becomes of a browser after a logout.
type LogoutNext struct {
	To  string `json:"to,omitempty"`
	App id.App `json:"app,omitempty"` // who asks, as far as the request shows it: it has an ID token, or the browser goes back there
}

// logoutAsker finds the app that asks, or nil.
func (s *Server) logoutAsker(r *http.Request, p params) (*app.App, error) {
	name := p.get("client_id")
	if hint := p.get("id_token_hint"); hint != "" {
		claims, err := s.readIDToken(hint)
		if err != nil {
			return nil, err
		}
		if name != "" && !slices.Contains(claims.Audience, name) {
			return nil, fail(invalidRequest, "id_token_hint was issued to another client_id")
		}
		if name == "" && len(claims.Audience) == 1 {
			name = claims.Audience[0]
		}
	}
	if name == "" {
		return nil, nil //nolint:nilnil // no app asks
	}
	if !clientID(name) {
		return nil, fail(invalidRequest, "client_id is no client's")
	}
	a, err := s.Verifier.Client(r.Context(), name)
	if err == nil && a == nil {
		err = fail(invalidRequest, "client_id names no client that is known here")
	}
	return a, err
}

func nextPlace(browser []byte) keyring.Place {
	return keyring.Place{Table: "logout", Column: "next", Row: base64.RawURLEncoding.EncodeToString(browser)}
}

func (s *Server) sealNext(browser []byte, next LogoutNext) (string, error) {
	body, err := json.Marshal(next)
	if err != nil {
		return "", err
	}
	sealed, err := s.Ring.Seal(nextPlace(browser), body)
	return base64.RawURLEncoding.EncodeToString(sealed), err
}

// OpenNext reads where a logout of this browser leads; the zero value where text is none of ours.
func (s *Server) OpenNext(browser []byte, text string) LogoutNext {
	var next LogoutNext
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return next
	}
	body, err := s.Ring.Unseal(nextPlace(browser), sealed)
	if err != nil || json.Unmarshal(body, &next) != nil {
		return LogoutNext{}
	}
	return next
}
