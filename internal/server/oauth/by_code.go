package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"io"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// errCode is one answer for every code that does not do, so that nothing can be learnt by trying.
func errCode() *failure {
	return fail(invalidGrant, "the code is not one of this client's, was used, or is older than a minute: begin the login again")
}

// byCode redeems an authorization code (OAuth 2.1 section 4.1.3). Everything that a stranger could get wrong (client,
// redirect URI, verifier, key) is checked before the code is touched: a failed try harms nobody. Then one statement
// consumes it.
func (s *Server) byCode(c *call) (*answer, error) {
	code, err := s.code(c)
	if err != nil {
		return nil, err
	}
	issue := &code.Issue
	switch given := c.params.get("redirect_uri"); {
	case code.App != c.caller.app.ID:
		return nil, errCode()
	case given != "" && given != issue.RedirectURI, given == "" && issue.RedirectGiven:
		return nil, fail(invalidGrant, "redirect_uri is not the one that the code was asked with")
	}
	if err := checkVerifier(c.params.get("code_verifier"), issue.Challenge); err != nil {
		return nil, err
	}
	if issue.JKT != "" && issue.JKT != c.jkt {
		return nil, fail(invalidProof, "the code is bound to another key (dpop_jkt)")
	}
	if err := sameResource(issue, c.params.all("resource")); err != nil {
		return nil, err
	}
	g, err := s.Grants.GrantForDecision(c.ctx, code.Grant)
	if err != nil {
		return nil, err
	}
	on, err := s.footing(c.ctx, c.caller.app, code.User, g)
	if err != nil {
		return nil, err
	}
	chain, refresh, err := s.newChain(c, chainOf{user: code.User, grant: code.Grant, session: code.Session, issue: *issue})
	if err != nil {
		return nil, err
	}
	outcome, err := s.Codes.RedeemCode(c.ctx, code.ID, chain.ID, kept(chain, refresh), s.Now())
	if err != nil {
		return nil, err
	}
	if outcome != grant.Won {
		if outcome == grant.Reused {
			s.Log.WarnContext(c.ctx, "a code was presented again: what it led to is revoked", "app", code.App, "grant", code.Grant)
		}
		return nil, errCode()
	}
	return s.issueAll(c, on, chain, refresh)
}

// issueAll mints what a redemption by a user's grant gives: access token, refresh token, ID token.
func (s *Server) issueAll(c *call, on footing, chain *grant.Family, refresh secret.Secret) (*answer, error) {
	access, err := s.access(c.ctx, &mint{
		footing: on, app: c.caller.app, mode: c.caller.mode, user: chain.User, family: chain.ID, issue: &chain.Issue, scopes: chain.Issue.Scopes, jkt: c.jkt,
	})
	if err != nil {
		return nil, err
	}
	out := answerWith(access, c.jkt)
	out.RefreshToken = refresh.Reveal()
	told := chain.Issue
	told.Scopes = access.scopes
	out.IDToken, err = s.idToken(c.ctx, c.caller.app, chain.User, chain.Session, &told, access.text.Reveal())
	return out, err
}

// code finds the code that was sent. One that nobody issued is refused like one that is over.
func (s *Server) code(c *call) (*grant.Code, error) {
	text := c.params.get("code")
	if text == "" {
		return nil, fail(invalidRequest, "code is missing")
	}
	public, err := secret.Parse(text)
	if err != nil || public.Kind != secret.Code {
		return nil, errCode()
	}
	code, err := s.Codes.Code(c.ctx, id.Of[id.Code](public.ID))
	if fault.Is(err, fault.NotFound) {
		return nil, errCode()
	}
	if err != nil {
		return nil, err
	}
	if !s.matches(c.ctx, code.Pepper, code.Digest, text) {
		return nil, errCode()
	}
	return code, nil
}

// chainOf says under what a chain begins.
type chainOf struct {
	user    id.User
	grant   id.Grant
	session id.Session
	issue   grant.Issue
}

// newChain makes the row and the first refresh token of a chain. Apps without the grant type get the family's id alone. The
// chain is bound to the key that the request proved where nothing else binds the app: a public one (RFC 9449 section 5).
func (s *Server) newChain(c *call, of chainOf) (*grant.Family, secret.Secret, error) {
	family, err := id.NewFrom[id.Family](s.Random)
	if err != nil {
		return nil, secret.Secret{}, err
	}
	now := s.Now().UTC().Truncate(time.Microsecond)
	f := &grant.Family{
		ID: family, App: c.caller.app.ID, User: of.user, Grant: of.grant, Session: of.session, Mode: c.caller.mode, Issue: of.issue,
		CreatedAt: now, RotatedAt: now, IdleAt: now.Add(grant.FamilyIdle), ExpiresAt: now.Add(grant.FamilyLife),
	}
	f.Issue.JKT = ""
	if !c.caller.proved {
		f.Issue.JKT = c.jkt
	}
	f.Issue.RedirectURI, f.Issue.RedirectGiven, f.Issue.Challenge = "", false, ""
	f.Seed = make([]byte, 16)
	if _, err := io.ReadFull(s.Random, f.Seed); err != nil {
		return nil, secret.Secret{}, err
	}
	if !issuesRefresh(c.caller.app) {
		return f, secret.Secret{}, nil
	}
	text, version, err := s.refreshToken(f, 0)
	f.KeyVersion = version
	return f, text, err
}

// kept is the row of a chain. Where nothing is refreshed there is none: the tokens carry the family's id all the same, so that
// a replay can revoke them.
func kept(f *grant.Family, refresh secret.Secret) *grant.Family {
	if refresh.IsZero() {
		return nil
	}
	return f
}

// checkVerifier is PKCE with S256, the only method there is (RFC 7636 section 4.6).
func checkVerifier(verifier, challenge string) error {
	if verifier == "" {
		return fail(invalidGrant, "code_verifier is missing")
	}
	if len(verifier) < 43 || len(verifier) > 128 {
		return fail(invalidGrant, "code_verifier must have 43 to 128 characters")
	}
	for i := range len(verifier) {
		c := verifier[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' && c != '~' {
			return fail(invalidGrant, "code_verifier holds a character it must not")
		}
	}
	sum := sha256.Sum256([]byte(verifier))
	if subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) != 1 {
		return fail(invalidGrant, "code_verifier does not belong to the code_challenge")
	}
	return nil
}
