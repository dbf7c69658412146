package oauth

import (
	"context"
	"net/http"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/app"
)

// call is one request to the token endpoint, with what was found out before its grant type is looked at.
type call struct {
	ctx    context.Context
	params params
	caller *caller
	jkt    string // thumbprint of the key that the request proved to hold (RFC 9449); empty: none
}

// answer is what the token endpoint gives (RFC 6749 section 5.1).
type answer struct {
	AccessToken  string `json:"access_token"`
	IssuedType   string `json:"issued_token_type,omitempty"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Scope        string `json:"scope"`
}

// token is POST /oauth/token: a fixed way for every grant type, which differ in their own files only.
func (s *Server) token(w http.ResponseWriter, r *http.Request) error {
	p, err := s.form(w, r)
	if err != nil {
		return err
	}
	c, err := s.authenticate(r, p)
	if err != nil {
		return err
	}
	jkt, err := s.proof(r, s.Issuer+"/oauth/token")
	if err != nil {
		return err
	}
	if c.app.OAuth.RequireDPoP && jkt == "" {
		return fail(invalidProof, "this client registered that its tokens are bound to a key: send a DPoP proof")
	}
	grantType := p.get("grant_type")
	exchange, known := s.grants[grantType]
	switch {
	case grantType == "":
		return fail(invalidRequest, "grant_type is missing")
	case !known:
		return fail(unsupportedGrant, "there is no grant type %s here", short(grantType))
	case !c.app.MayUse(grantType):
		return fail(unauthorizedClient, "this client did not register the grant type %s", short(grantType))
	}
	out, err := exchange(&call{ctx: r.Context(), params: p, caller: c, jkt: jkt})
	if err != nil {
		return err
	}
	writeQuick(w, out)
	return nil
}

// answerWith puts an access token into words.
func answerWith(access minted, jkt string) *answer {
	out := &answer{AccessToken: access.text.Reveal(), TokenType: "Bearer", ExpiresIn: int64(access.life.Seconds()), Scope: strings.Join(access.scopes, " ")}
	if jkt != "" {
		out.TokenType = "DPoP"
	}
	return out
}

// issuesRefresh reports whether a redemption by this app comes with a refresh token.
func issuesRefresh(a *app.App) bool { return a.MayUse(app.RefreshToken) }
