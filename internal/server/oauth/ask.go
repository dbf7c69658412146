package oauth

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// ask checks everything of an authorization request but app and redirect URI. What is only a wish and cannot be granted here is
// passed over: ui_locales, display, acr_values.
func (s *Server) ask(ctx context.Context, a *app.App, p params, to wayBack) (*grant.Ask, error) {
	if err := checkShape(p); err != nil {
		return nil, err
	}
	if p.get("response_mode") == "form_post" && to.mode != "form_post" {
		return nil, fail(invalidRequest, "response_mode form_post needs a redirect_uri on the web: no form can be sent to an app's own scheme")
	}
	view, err := s.Verifier.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	t, err := s.resolve(view, a, p.list("scope"), p.all("resource"))
	if err != nil {
		return nil, err
	}
	ask := &grant.Ask{
		Issue: grant.Issue{
			Scopes: t.scopes, API: t.apiName(), Audience: t.audience, Nonce: p.get("nonce"), JKT: p.get("dpop_jkt"),
			RedirectURI: to.uri, RedirectGiven: to.given, Challenge: p.get("code_challenge"),
		},
		ResponseMode: to.mode, State: to.state, Prompt: p.list("prompt"), LoginHint: clip(p.get("login_hint"), 254),
	}
	if ask.MaxAge, err = maxAge(a, p); err != nil {
		return nil, err
	}
	if err := s.wants(a, p, ask); err != nil {
		return nil, err
	}
	return ask, checkPrompt(ask.Prompt)
}

// checkShape checks what does not depend on the app.
func checkShape(p params) error {
	switch kind := p.get("response_type"); {
	case kind == "":
		return fail(invalidRequest, "response_type is missing")
	case kind != "code":
		return fail(unsupportedResponse, "response_type must be code: there is no other flow here")
	}
	switch mode := p.get("response_mode"); mode {
	case "", "query", "form_post":
	default:
		return fail(invalidRequest, "response_mode must be query or form_post")
	}
	switch method := p.get("code_challenge_method"); {
	case !p.has("code_challenge"):
		return fail(invalidRequest, "code_challenge is missing: PKCE with S256 is needed")
	case method != "S256":
		return fail(invalidRequest, "code_challenge_method must be S256")
	}
	if !isDigest(p.get("code_challenge")) {
		return fail(invalidRequest, "code_challenge must be the base64url of a SHA-256: 43 characters")
	}
	if p.has("dpop_jkt") && !isDigest(p.get("dpop_jkt")) {
		return fail(invalidRequest, "dpop_jkt must be the base64url of a SHA-256: 43 characters")
	}
	for _, name := range []string{"state", "nonce"} {
		if len(p.get(name)) > 2000 {
			return fail(invalidRequest, "%s is longer than 2000 characters", name)
		}
	}
	return nil
}

// isDigest reports whether text has the shape of a SHA-256 in base64url.
func isDigest(text string) bool {
	return len(text) == 43 && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

func maxAge(a *app.App, p params) (*int, error) {
	if !p.has("max_age") {
		return a.OAuth.DefaultMaxAge, nil
	}
	n, err := strconv.Atoi(p.get("max_age"))
	if err != nil || n < 0 {
		return nil, fail(invalidRequest, "max_age must be a number of seconds")
	}
	return &n, nil
}

// checkPrompt refuses what cannot be together, and what is not known here.
func checkPrompt(prompt []string) error {
	for _, p := range prompt {
		if !slices.Contains([]string{"none", "login", "consent", "select_account"}, p) {
			return fail(invalidRequest, "prompt %s is not known here", short(p))
		}
	}
	if len(prompt) > 1 && slices.Contains(prompt, "none") {
		return fail(invalidRequest, "prompt none stands alone")
	}
	return nil
}

// wants reads whom and what the app wants to know of: id_token_hint and claims. What claims names is asked of the user as
// the scope that tells it: they see it, and may untick it.
func (s *Server) wants(a *app.App, p params, ask *grant.Ask) (err error) {
	if hint := p.get("id_token_hint"); hint != "" {
		if ask.HintedUser, err = s.hinted(a, hint); err != nil {
			return err
		}
	}
	wanted, err := parseClaims(p.get("claims"))
	if err != nil || wanted == nil || !slices.Contains(ask.Scopes, scopeOpenID) {
		return err
	}
	ask.Scopes = wanted.asScopes(a, ask.Scopes)
	for _, sub := range []*wantedClaim{wanted.IDToken["sub"], wanted.Userinfo["sub"]} {
		if sub == nil || sub.Value == nil {
			continue
		}
		// Nobody else's tokens may come of it (OpenID Connect Core section 3.1.2.2).
		subject, _ := sub.Value.(string)
		u, err := s.hintedUser(a, subject)
		if err != nil {
			return err
		}
		if ask.HintedUser != "" && ask.HintedUser != u {
			return fail(invalidRequest, "id_token_hint and claims name different users")
		}
		ask.HintedUser = u
	}
	if acr := wanted.IDToken["acr"]; acr != nil && acr.Essential && !acr.admits(acrValues()) {
		return fail(unmetAuthentication, "the acr that claims asks for cannot be had here")
	}
	ask.Claims, err = json.Marshal(wanted)
	return err
}

// hinted reads whom an ID token of ours names. It may have expired: it is a hint. One that is not ours, or another app's,
// is refused.
func (s *Server) hinted(a *app.App, text string) (id.User, error) {
	claims, err := s.readIDToken(text)
	if err != nil {
		return "", err
	}
	if !slices.Contains(claims.Audience, a.ClientID()) {
		return "", fail(invalidRequest, "id_token_hint was issued to another client")
	}
	return s.hintedUser(a, claims.Subject)
}

// readIDToken checks the signature of an ID token of ours and reads it.
func (s *Server) readIDToken(text string) (jwt.Claims, error) {
	var claims jwt.Claims
	bad := fail(invalidRequest, "id_token_hint is no ID token that was issued here")
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA})
	if err != nil || len(token.Headers) != 1 {
		return claims, bad
	}
	header := token.Headers[0]
	// An access token is signed with the same keys, and says who it is for as well: it is none (SECURITY-CASES 56).
	if kind, _ := header.ExtraHeaders[jose.HeaderType].(string); !strings.EqualFold(kind, "JWT") {
		return claims, bad
	}
	alg, key, known := s.Ring.PublicKey(header.KeyID, s.Now())
	if !known || alg != header.Algorithm || token.Claims(key, &claims) != nil || claims.Issuer != s.Issuer {
		return claims, bad
	}
	if claims.Expiry == nil || claims.IssuedAt == nil { // signed userinfo has neither
		return claims, bad
	}
	return claims, nil
}

// hintedUser is whom a subject means to an app. A pairwise one cannot be turned back, so only the session's user can be
// compared with it later: it is kept as it is.
func (s *Server) hintedUser(a *app.App, subject string) (id.User, error) {
	if a.OAuth.SubjectType == "pairwise" {
		return id.User(subject), nil
	}
	u, err := id.Parse[id.User](subject)
	if err != nil {
		return "", fail(invalidRequest, "id_token_hint or the sub in claims names nobody")
	}
	return u, nil
}

func clip(text string, n int) string {
	if len(text) > n {
		return strings.ToValidUTF8(text[:n], "")
	}
	return text
}
