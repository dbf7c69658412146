package oauth

import (
	"slices"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// byBearer takes a JWT that the app signed in place of a user who is away (RFC 7523 section 2.1): for the app itself, or for
// a user who allowed the app before, within what was allowed.
func (s *Server) byBearer(c *call) (*answer, error) {
	text := c.params.get("assertion")
	if text == "" {
		return nil, fail(invalidRequest, "assertion is missing")
	}
	signed, err := jwt.ParseSigned(text, signatureAlgs())
	if err != nil {
		return nil, fail(invalidGrant, "assertion is no JWT signed with an algorithm that is accepted here")
	}
	var claims jwt.Claims
	if err := s.verifySigned(c.ctx, c.caller.app, signed, &claims); err != nil {
		if fault.Is(err, fault.Unavailable) {
			return nil, err
		}
		return nil, fail(invalidGrant, "the signature of assertion is not the client's")
	}
	now := s.Now()
	switch {
	case claims.Issuer != c.caller.app.ClientID():
		return nil, fail(invalidGrant, "assertion must have the client as iss")
	case len(claims.Audience) != 1 || !slices.Contains(s.audiences(), claims.Audience[0]):
		return nil, fail(invalidGrant, "assertion must have the issuer %s as its only aud", s.Issuer)
	case claims.Expiry == nil || !now.Before(claims.Expiry.Time()):
		return nil, fail(invalidGrant, "assertion has no exp, or has expired")
	case claims.Expiry.Time().After(now.Add(assertionLife)):
		return nil, fail(invalidGrant, "assertion lives too long: at most an hour")
	case claims.NotBefore != nil && claims.NotBefore.Time().After(now.Add(skew)), claims.IssuedAt != nil && claims.IssuedAt.Time().After(now.Add(skew)):
		return nil, fail(invalidGrant, "assertion is from the future: look at your clock")
	case claims.ID == "":
		return nil, fail(invalidGrant, "assertion has no jti")
	}
	m, err := s.bearerMint(c, claims.Subject)
	if err != nil {
		return nil, err
	}
	first, err := s.Grants.Once(c.ctx, onceKey("bearer", string(c.caller.app.ID), claims.ID), claims.Expiry.Time().Add(skew))
	if err != nil {
		return nil, err
	}
	if !first {
		return nil, fail(invalidGrant, "assertion was used before: make a new one for each request")
	}
	access, err := s.access(c.ctx, m)
	if err != nil {
		return nil, err
	}
	return answerWith(access, c.jkt), nil
}

// bearerMint says for whom an assertion speaks.
func (s *Server) bearerMint(c *call, subject string) (*mint, error) {
	a := c.caller.app
	asked := c.params.list("scope")
	if subject == a.ClientID() {
		if err := actsItself(c, asked); err != nil {
			return nil, err
		}
	}
	issue, err := s.ownIssue(c, asked)
	if err != nil {
		return nil, err
	}
	m := &mint{app: a, mode: c.caller.mode, issue: issue, scopes: issue.Scopes, jkt: c.jkt}
	if subject == a.ClientID() {
		m.footing, err = s.footing(c.ctx, a, "", nil)
		return m, err
	}
	userID, err := id.Parse[id.User](subject)
	if err != nil {
		return nil, fail(invalidGrant, "sub is neither the client nor a user")
	}
	g, err := s.Grants.LiveGrant(c.ctx, userID, a.ID)
	if fault.Is(err, fault.NotFound) {
		return nil, fail(invalidGrant, "this user has not allowed this client anything")
	}
	if err != nil {
		return nil, err
	}
	if _, err := narrowed(g.Scopes, issue.Scopes); err != nil {
		return nil, err
	}
	m.user = userID
	m.footing, err = s.footing(c.ctx, a, userID, g)
	return m, err
}
