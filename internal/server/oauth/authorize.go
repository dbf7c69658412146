package oauth

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// maxAsGet bounds a form that is turned into an address, in bytes.
const maxAsGet = 12 << 10

// asGet answers a form that may come from an app's site (OpenID Connect Core section 3.1.2.1, RP-Initiated Logout section 2):
// our cookie did not come with it, so the same request goes on as a GET, which brings it. A secret that stood in the body has
// no business here, and does not get into the address either.
func (s *Server) asGet(path string) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		values, err := s.Kit.ReadForm(w, r)
		if err != nil {
			return err
		}
		for _, name := range secretParams() {
			values.Del(name)
		}
		query := values.Encode()
		if len(query) > maxAsGet || r.URL.RawQuery != "" {
			return s.stay(w, r, fail(invalidRequest, "the form is too long for an address, or part of it stands in the address already; a long authorization request is pushed to /oauth/par"))
		}
		http.Redirect(w, r, path+"?"+query, http.StatusSeeOther)
		return nil
	}
}

// authorize is GET /oauth/authorize. App and redirect URI come first: as long as either is in doubt nothing is sent anywhere
// (RFC 9700 section 4.11). Errors after that go to the app, but to a person who is not logged in only by a click.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) error {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return s.stay(w, r, fail(invalidRequest, "the address is not well formed"))
	}
	p, err := newParams(values)
	if err != nil {
		return s.stay(w, r, err)
	}
	a, p, err := s.asker(r, p)
	if err != nil {
		return s.stay(w, r, err)
	}
	to, unsure := s.wayBack(a, p)
	if unsure != nil && !onlyInside(p) {
		return s.stay(w, r, unsure)
	}
	visit, err := s.Browser.Visit(w, r)
	if err != nil {
		return err
	}
	switch p, err = s.unwrap(r.Context(), a, p); {
	case err != nil && unsure != nil:
		return s.stay(w, r, err)
	case err != nil:
		return s.sendBack(w, r, visit, to, err)
	}
	if to, err = s.wayBack(a, p); err != nil {
		return s.stay(w, r, err) // a request object names another redirect URI, or none
	}
	ask, err := s.ask(r.Context(), a, p, to)
	if err != nil {
		to.silent = p.get("prompt") == "none"
		return s.sendBack(w, r, visit, to, err)
	}
	request, err := s.save(r.Context(), a, visit, ask)
	if err != nil {
		return err
	}
	return s.step(w, r, visit, a, request)
}

// onlyInside reports whether the redirect URI may stand in a request object alone (RFC 9101 section 5).
func onlyInside(p params) bool {
	return !p.has("redirect_uri") && (p.has("request") || p.has("request_uri"))
}

// asker finds the app that asks, and what it pushed (RFC 9126) in place of the parameters.
func (s *Server) asker(r *http.Request, p params) (*app.App, params, error) {
	ctx, name := r.Context(), p.get("client_id")
	if !clientID(name) {
		return nil, p, fail(invalidRequest, "client_id is missing or is no client's")
	}
	a, err := s.client(ctx, name, s.Kit.Client(r))
	if err != nil {
		return nil, p, err
	}
	if a == nil {
		return nil, p, fail(invalidRequest, "client_id names no client that is known here")
	}
	if strings.HasPrefix(p.get("request_uri"), pushedPrefix) {
		pushed, err := s.takePushed(ctx, a, p.get("request_uri"))
		return a, pushed, err
	}
	if a.OAuth.RequirePAR {
		return nil, p, fail(invalidRequest, "this client_id has to push its requests to /oauth/par first")
	}
	return a, p, nil
}

// wayBack is where the answer goes.
type wayBack struct {
	uri, mode, state string
	given            bool // the request named the redirect URI
	silent           bool // prompt=none: nobody is to see a page
}

// wayBack finds the redirect URI, by exact comparison with those registered.
func (s *Server) wayBack(a *app.App, p params) (wayBack, error) {
	to := wayBack{uri: p.get("redirect_uri"), mode: p.get("response_mode"), state: p.get("state")}
	to.given = to.uri != ""
	switch {
	case !a.MayUse(app.AuthorizationCode):
		return to, fail(unauthorizedClient, "this client_id did not register the authorization code grant")
	case to.uri == "" && len(a.OAuth.RedirectURIs) == 1 && !strings.Contains(p.get("scope"), scopeOpenID):
		to.uri = a.OAuth.RedirectURIs[0]
	case to.uri == "":
		return to, fail(invalidRequest, "redirect_uri is missing")
	case !a.Redirects(to.uri):
		return to, fail(invalidRequest, "redirect_uri is not one that this client registered")
	}
	if to.mode != "form_post" || !page.Posts(to.uri) {
		to.mode = "query" // the one that is also used to say that another is not known, or cannot be had
	}
	return to, nil
}

// save keeps the request, bound to this browser.
func (s *Server) save(ctx context.Context, a *app.App, visit *browser.Visit, ask *grant.Ask) (*grant.Request, error) {
	requestID, err := id.NewFrom[id.Request](s.Random)
	if err != nil {
		return nil, err
	}
	now := s.Now().UTC().Truncate(time.Microsecond)
	request := &grant.Request{ID: requestID, App: a.ID, Browser: visit.Browser, Ask: *ask, CreatedAt: now, ExpiresAt: now.Add(grant.RequestLife)}
	return request, s.Requests.SaveRequest(ctx, request)
}
