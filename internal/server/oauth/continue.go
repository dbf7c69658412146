package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/signin"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// carryOn is GET /continue: every page of the way returns to it. Without a request it goes to a local path, or home.
func (s *Server) carryOn(w http.ResponseWriter, r *http.Request) error {
	visit, err := s.Browser.Visit(w, r)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	text := query.Get("request")
	if text == "" {
		http.Redirect(w, r, browser.Local(query.Get("return_to"), "/account"), http.StatusSeeOther)
		return nil
	}
	requestID, err := id.Parse[id.Request](text)
	if err != nil {
		return s.stay(w, r, errOver())
	}
	request, err := s.Requests.Request(r.Context(), requestID, visit.Browser, s.Now())
	if fault.Is(err, fault.NotFound) {
		return s.stay(w, r, errOver())
	}
	if err != nil {
		return err
	}
	a, err := s.Verifier.Client(r.Context(), string(request.App))
	if err != nil {
		return err
	}
	if a == nil {
		return s.stay(w, r, fail(invalidRequest, "client_id names no client that is in force"))
	}
	if !a.Redirects(request.Ask.RedirectURI) {
		return s.stay(w, r, fail(invalidRequest, "redirect_uri is not one that this client has registered any more"))
	}
	return s.step(w, r, visit, a, request)
}

func errOver() *failure {
	return fail(invalidRequest, "this login is over, was answered already, or was begun in another browser; go back to the app and begin again")
}

// step does what comes next: the next page, or the answer.
func (s *Server) step(w http.ResponseWriter, r *http.Request, visit *browser.Visit, a *app.App, request *grant.Request) error {
	state := &signin.State{Request: request, Session: visit.Session, Document: a.Document, FirstParty: a.OAuth.FirstParty, Now: s.Now()}
	if visit.SignedIn() {
		if err := s.knows(r.Context(), a, visit, state); err != nil {
			return err
		}
	}
	next, denied := signin.Next(state)
	to := wayBack{uri: request.Ask.RedirectURI, mode: request.Ask.ResponseMode, state: request.Ask.State, silent: request.Ask.Wants("none")}
	switch next {
	case signin.Login:
		return away(w, r, "/login", request.ID)
	case signin.Consent:
		return away(w, r, "/consent", request.ID)
	case signin.Deny:
		if _, err := s.Requests.DropRequest(r.Context(), request.ID, visit.Browser); err != nil {
			return err
		}
		return s.respond(w, r, to, url.Values{"error": {denied}, "error_description": {deniedText(denied, to.silent)}})
	case signin.Issue:
	}
	return s.issueCode(w, r, visit, a, request, state, to)
}

// knows fills in what depends on who is logged in.
func (s *Server) knows(ctx context.Context, a *app.App, visit *browser.Visit, state *signin.State) error {
	ask := &state.Request.Ask
	if err := s.settleHint(a, visit, state.Request); err != nil {
		return err
	}
	view, err := s.Verifier.Catalog(ctx)
	if err != nil {
		return err
	}
	state.API = scopesOf(view, &ask.Issue)
	if state.Asked, err = s.Verifier.Grantable(ctx, visit.User.ID, a, ask.Scopes); err != nil {
		return err
	}
	g, err := s.Grants.LiveGrant(ctx, visit.User.ID, a.ID)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err == nil {
		g.Refused = grant.Without(g.Refused, a.OAuth.RequiredScopes) // the app has come to need it: that is another question
		state.Grant = g
	}
	return err
}

// scopesOf are the scopes of the API that something is issued for; nil for OpenID scopes alone.
func scopesOf(view *verify.CatalogView, issue *grant.Issue) *policy.Scopes {
	if api := view.ByName(issue.API); api != nil {
		return api.Policy.Scopes
	}
	return nil
}

// settleHint turns a pairwise hint into the user it means, if that is the one who is logged in. Any other means nobody here,
// a user's id that the app learnt elsewhere included: it must not find out that way who is logged in.
func (s *Server) settleHint(a *app.App, visit *browser.Visit, request *grant.Request) error {
	if request.Ask.HintedUser == "" || a.OAuth.SubjectType != "pairwise" {
		return nil
	}
	subject, err := s.subject(a, visit.User.ID)
	if err != nil {
		return err
	}
	if string(request.Ask.HintedUser) == subject {
		request.Ask.HintedUser = visit.User.ID
	} else {
		request.Ask.HintedUser = "nobody"
	}
	return nil
}

func deniedText(code string, silent bool) string {
	switch {
	case code == signin.AccessDenied:
		return "The user said no."
	case code == signin.LoginRequired && silent:
		return "Nobody is logged in, or another than is meant, and prompt=none forbids to ask."
	case code == signin.LoginRequired:
		return "Another user logged in than the one that id_token_hint or claims means."
	case code == signin.ConsentRequired:
		return "The user has not allowed this yet, and prompt=none forbids to ask."
	}
	return ""
}

func away(w http.ResponseWriter, r *http.Request, page string, request id.Request) error {
	http.Redirect(w, r, page+"?request="+string(request), http.StatusSeeOther)
	return nil
}

// issueCode writes down what the user allowed and answers with a code, once for each request.
func (s *Server) issueCode(w http.ResponseWriter, r *http.Request, visit *browser.Visit, a *app.App, request *grant.Request, state *signin.State, to wayBack) error {
	allowed, err := s.Verifier.Grantable(r.Context(), visit.User.ID, a, state.Allowed())
	if err != nil {
		return err
	}
	if len(allowed) == 0 {
		if _, err := s.Requests.DropRequest(r.Context(), request.ID, visit.Browser); err != nil {
			return err
		}
		return s.respond(w, r, to, url.Values{"error": {accessDenied}, "error_description": {"The user may grant none of the scopes asked."}})
	}
	g, err := s.allow(r.Context(), visit, a, answered{allowed, state.Refused(), state.API})
	if err != nil {
		return err
	}
	issue := request.Ask.Issue
	issue.Scopes, issue.AuthTime, issue.ACR, issue.AMR = allowed, visit.Session.AuthAt.Unix(), visit.Session.ACR, visit.Session.AMR
	if !slices.ContainsFunc(allowed, func(scope string) bool { return !isOpenID(scope) }) {
		issue.API, issue.Audience = "", s.Issuer // nothing of the API was ticked
	}
	codeID, err := id.NewFrom[id.Code](s.Random)
	if err != nil {
		return err
	}
	text, err := secret.New(s.Prefix(), secret.Code, secret.Live, id.Chars(codeID), s.Random)
	if err != nil {
		return err
	}
	now := s.Now().UTC().Truncate(time.Microsecond)
	pepper, digest := s.Ring.MAC(text.Reveal())
	won, err := s.Codes.IssueCode(r.Context(), request.ID, visit.Browser, &grant.Code{
		ID: codeID, Digest: digest[:], Pepper: pepper, App: a.ID, User: visit.User.ID, Grant: g.ID, Session: visit.Session.Alias, Issue: issue,
		CreatedAt: now, ExpiresAt: now.Add(grant.CodeLife),
	})
	if err != nil {
		return err
	}
	if !won {
		return s.stay(w, r, errOver())
	}
	return s.respond(w, r, to, url.Values{"code": {text.Reveal()}})
}

// answered is what a user said of the scopes of an API that an app asked for.
type answered struct {
	yes, no []string
	api     *policy.Scopes
}

// allow makes, widens or narrows the grant, unless it stands already as it is to be. What was refused takes with it whatever
// would give it after all.
func (s *Server) allow(ctx context.Context, visit *browser.Visit, a *app.App, said answered) (*grant.Grant, error) {
	now := s.Now().UTC().Truncate(time.Microsecond)
	there, err := s.Grants.LiveGrant(ctx, visit.User.ID, a.ID)
	switch {
	case fault.Is(err, fault.NotFound):
	case err != nil:
		return nil, err
	case there.Stands(said.yes, said.no, a.Document) && len(grant.Without(there.Scopes, said.api.Giving(said.no))) == len(there.Scopes):
		return there, nil
	}
	grantID, err := id.NewFrom[id.Grant](s.Random)
	if err != nil {
		return nil, err
	}
	g := &grant.Grant{ID: grantID, User: visit.User.ID, App: a.ID, Team: a.Team, Scopes: said.yes, Refused: said.no, Unticked: said.api.Giving(said.no), Document: a.Document, CreatedAt: now, UpdatedAt: now}
	actor := audit.Actor{Label: string(visit.User.ID), User: visit.User.ID}
	return s.Grants.Allow(ctx, g, actor.New(now, "grant.allow", string(grantID), a.Team, map[string]string{"app": string(a.ID)}))
}

// documentDigest names what a user saw of an app's metadata document.
func documentDigest(document []byte) string {
	sum := sha256.Sum256(document)
	return hex.EncodeToString(sum[:16])
}
