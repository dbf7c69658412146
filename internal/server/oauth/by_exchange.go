package oauth

import (
	"net/netip"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/token"
)

const accessTokenType = "urn:ietf:params:oauth:token-type:access_token"

// maxActors bounds a chain of actors.
const maxActors = 4

// byExchange gives an app a narrower token for one that was sent to it (RFC 8693): never more scopes, another audience or a
// longer life, and with the exchanging app as the actor. Tokens of another team's apps are refused: whoever came by one
// must not make it last.
func (s *Server) byExchange(c *call) (*answer, error) {
	if !c.caller.proved {
		return nil, fail(unauthorizedClient, "token exchange is for clients that prove who they are")
	}
	p := c.params
	switch {
	case p.get("subject_token") == "" || p.get("subject_token_type") == "":
		return nil, fail(invalidRequest, "subject_token and subject_token_type are needed")
	case p.get("subject_token_type") != accessTokenType:
		return nil, fail(invalidRequest, "only access tokens can be exchanged")
	case p.has("actor_token"):
		return nil, fail(invalidRequest, "the actor is the client itself: send no actor_token")
	case p.has("requested_token_type") && p.get("requested_token_type") != accessTokenType:
		return nil, fail(invalidRequest, "only access tokens are issued in exchange")
	}
	subject, owner, err := s.exchangeable(c, p.get("subject_token"))
	if err != nil {
		return nil, err
	}
	issue := &grant.Issue{Scopes: subject.Scopes, Audience: subject.Audience, ACR: subject.ACR, AMR: subject.AMR}
	if !subject.AuthTime.IsZero() {
		issue.AuthTime = subject.AuthTime.Unix()
	}
	if err := sameResource(issue, append(p.all("resource"), p.all("audience")...)); err != nil {
		return nil, err
	}
	scopes, err := narrowed(subject.Scopes, p.list("scope"))
	if err != nil {
		return nil, err
	}
	view, err := s.Verifier.Catalog(c.ctx)
	if err != nil {
		return nil, err
	}
	if api := view.ByIdentifier(subject.Audience); api != nil {
		issue.API = api.Policy.Name
	}
	m := &mint{
		// What ends the subject ends this too, from before it was made.
		footing: footing{epochs: subject.Epochs}, app: owner, mode: subject.Mode, user: subject.User, issue: issue, scopes: scopes, jkt: c.jkt, until: subject.ExpiresAt,
		act: &token.Act{Sub: c.caller.app.ClientID(), Act: subject.Act},
	}
	if subject.Family != "" {
		m.family = id.Of[id.Family](subject.Family)
	}
	if subject.Grant != "" {
		if m.grant, err = s.Verifier.Grant(c.ctx, subject.Grant); err != nil {
			return nil, err
		}
	}
	access, err := s.access(c.ctx, m)
	if err != nil {
		return nil, err
	}
	out := answerWith(access, c.jkt)
	out.IssuedType = accessTokenType
	return out, nil
}

// exchangeable reads a subject token that is in force and may be exchanged by the caller.
func (s *Server) exchangeable(c *call, text string) (*token.Claims, *app.App, error) {
	refused := fail(invalidGrant, "subject_token is no access token in force of an app of this client's team")
	state, err := s.Verifier.Token(c.ctx, text, netip.Addr{})
	if err != nil {
		return nil, nil, err
	}
	if state.Code != policy.Valid || state.Personal != nil {
		return nil, nil, refused
	}
	owner, err := s.Verifier.Client(c.ctx, string(state.Claims.App))
	if err != nil {
		return nil, nil, err
	}
	if owner == nil || owner.Team != c.caller.app.Team {
		return nil, nil, refused
	}
	if state.Claims.JKT != "" && state.Claims.JKT != c.jkt {
		return nil, nil, fail(invalidProof, "subject_token is bound to another key")
	}
	depth := 0
	for act := state.Claims.Act; act != nil; act = act.Act {
		depth++
	}
	if depth >= maxActors {
		return nil, nil, fail(invalidRequest, "subject_token was exchanged too often already")
	}
	if state.Claims.Mode == secret.Test != (c.caller.mode == secret.Test) {
		return nil, nil, fail(invalidGrant, "subject_token is of the other mode")
	}
	return &state.Claims, owner, nil
}
