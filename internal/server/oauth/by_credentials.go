package oauth

import (
	"github.com/lanyard-auth/lanyard/internal/grant"
)

// byCredentials is an app on its own behalf (RFC 6749 section 4.4): no user, no refresh token, and only what the app
// registered.
func (s *Server) byCredentials(c *call) (*answer, error) {
	asked := c.params.list("scope")
	if err := actsItself(c, asked); err != nil {
		return nil, err
	}
	issue, err := s.ownIssue(c, asked)
	if err != nil {
		return nil, err
	}
	on, err := s.footing(c.ctx, c.caller.app, "", nil)
	if err != nil {
		return nil, err
	}
	access, err := s.access(c.ctx, &mint{footing: on, app: c.caller.app, mode: c.caller.mode, issue: issue, scopes: issue.Scopes, jkt: c.jkt})
	if err != nil {
		return nil, err
	}
	return answerWith(access, c.jkt), nil
}

// actsItself says why an app may not act on its own behalf with the scopes it asks for, or nil.
func actsItself(c *call, asked []string) error {
	if !c.caller.proved {
		return fail(unauthorizedClient, "acting for itself is for clients that prove who they are")
	}
	for _, scope := range asked {
		if isOpenID(scope) {
			return fail(invalidScope, "the scope %s is about a user, and there is none here", scope)
		}
	}
	if len(c.caller.app.OAuth.Scopes) == 0 {
		return fail(invalidScope, "this client registered no scopes, so there is nothing it may do by itself")
	}
	return nil
}

// ownIssue is what an app may have on its own behalf.
func (s *Server) ownIssue(c *call, asked []string) (*grant.Issue, error) {
	view, err := s.Verifier.Catalog(c.ctx)
	if err != nil {
		return nil, err
	}
	t, err := s.resolve(view, c.caller.app, asked, c.params.all("resource"))
	if err != nil {
		return nil, err
	}
	return &grant.Issue{Scopes: t.scopes, API: t.apiName(), Audience: t.audience}, nil
}
