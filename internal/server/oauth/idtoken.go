package oauth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	strict "github.com/go-json-experiment/json"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// idTokenLife is how long an ID token may be taken for fresh.
const idTokenLife = time.Hour

// defaultAlg signs what nobody asked another algorithm for.
const defaultAlg = "ES256"

// idToken makes the ID token of a login (OpenID Connect Core section 2), or "" without the scope openid. What the scopes
// profile and email tell stands at userinfo; here stands what of it `claims` asked for here.
func (s *Server) idToken(ctx context.Context, a *app.App, userID id.User, session id.Session, issue *grant.Issue, access string) (string, error) {
	if !slices.Contains(issue.Scopes, scopeOpenID) {
		return "", nil
	}
	alg := cmp.Or(a.OAuth.IDTokenAlg, defaultAlg)
	subject, err := s.subject(a, userID)
	if err != nil {
		return "", err
	}
	now := s.Now()
	claims := map[string]any{
		"iss": s.Issuer, "sub": subject, "aud": a.ClientID(), "iat": now.Unix(), "exp": now.Add(idTokenLife).Unix(), "at_hash": halfHash(alg, access),
	}
	if issue.AuthTime != 0 {
		claims["auth_time"] = issue.AuthTime
	}
	if issue.Nonce != "" {
		claims["nonce"] = issue.Nonce
	}
	if issue.ACR != "" {
		claims["acr"] = issue.ACR
	}
	if len(issue.AMR) > 0 {
		claims["amr"] = issue.AMR
	}
	if session != "" {
		claims["sid"] = sid(session)
	}
	if wanted := readClaims(issue.Claims).IDToken; len(wanted) > 0 {
		u, err := s.Users.User(ctx, userID)
		if err != nil {
			return "", err
		}
		addWanted(claims, wanted, told(u, issue.Scopes))
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	return s.Minter.Sign(ctx, "JWT", alg, payload)
}

// sid is a session's name for apps, made of its alias: not the id that stands in its cookie, and the same when the user logs in
// again over it (OpenID Connect Back-Channel Logout section 2.1).
func sid(session id.Session) string {
	sum := sha256.Sum256([]byte("sid\x00" + session))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// halfHash is at_hash: the left half of the hash that goes with the algorithm.
func halfHash(alg, text string) string {
	if alg == "EdDSA" {
		sum := sha512.Sum512([]byte(text))
		return base64.RawURLEncoding.EncodeToString(sum[:32])
	}
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// wantedClaims is the parameter `claims` (OpenID Connect Core section 5.5).
type wantedClaims struct {
	IDToken  map[string]*wantedClaim `json:"id_token"`
	Userinfo map[string]*wantedClaim `json:"userinfo"`
}

type wantedClaim struct {
	Essential bool  `json:"essential"`
	Value     any   `json:"value"`
	Values    []any `json:"values"`
}

// parseClaims reads the parameter; nil is none.
func parseClaims(text string) (*wantedClaims, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // nothing is wanted
	}
	w := &wantedClaims{}
	if len(text) > 4096 || text[0] != '{' || strict.Unmarshal([]byte(text), w) != nil {
		return nil, fail(invalidRequest, "claims is no JSON object of the shape that OpenID Connect describes")
	}
	return w, nil
}

// readClaims reads it as it is kept.
func readClaims(raw json.RawMessage) wantedClaims {
	var w wantedClaims
	if len(raw) > 0 && strict.Unmarshal(raw, &w) != nil { // it was checked when it came
		return wantedClaims{}
	}
	return w
}

// asScopes adds to scopes those that tell what is wanted, as far as the app may ask for them: claims that it may not have are left
// out of the answer, and no error (OpenID Connect Core section 5.5).
func (w *wantedClaims) asScopes(a *app.App, scopes []string) []string {
	for _, scope := range []string{scopeProfile, scopeEmail} {
		wanted := slices.ContainsFunc(tells(scope), func(name string) bool {
			_, id := w.IDToken[name]
			_, info := w.Userinfo[name]
			return id || info
		})
		if wanted && !slices.Contains(scopes, scope) && mayAskOpenID(a, scope) == nil {
			scopes = append(slices.Clone(scopes), scope)
		}
	}
	return scopes
}

// admits reports whether one of the values is wanted, or none in particular.
func (w *wantedClaim) admits(values []string) bool {
	wanted := w.Values
	if w.Value != nil {
		wanted = append(slices.Clone(wanted), w.Value)
	}
	return len(wanted) == 0 || slices.ContainsFunc(wanted, func(v any) bool {
		text, _ := v.(string)
		return slices.Contains(values, text)
	})
}

// addWanted adds what was asked by name and is known. Nothing that is there already is overwritten.
func addWanted(claims map[string]any, wanted map[string]*wantedClaim, known map[string]any) {
	for name := range wanted {
		value, have := known[name]
		if _, there := claims[name]; have && !there {
			claims[name] = value
		}
	}
}

// tells are the claims of a scope, as far as anything of the kind is kept here (OpenID Connect Core section 5.4).
func tells(scope string) []string {
	switch scope {
	case scopeProfile:
		return []string{"name"}
	case scopeEmail:
		return []string{"email", "email_verified"}
	}
	return nil
}

// told is what scopes tell of a user, by claim.
func told(u *user.User, scopes []string) map[string]any {
	known := map[string]any{"email": u.Email, "email_verified": !u.VerifiedAt.IsZero()}
	if u.Name != "" {
		known["name"] = u.Name
	}
	claims := map[string]any{}
	for _, scope := range scopes {
		for _, name := range tells(scope) {
			if value, have := known[name]; have {
				claims[name] = value
			}
		}
	}
	return claims
}

// subject is the user's name for an app: the id, or for apps that asked for it a name that no other app gets (OpenID
// Connect Core section 8.1). The user's id has 95 random bits and is told to no pairwise app, so it needs no further salt.
func (s *Server) subject(a *app.App, userID id.User) (string, error) {
	if a.OAuth.SubjectType != "pairwise" {
		return string(userID), nil
	}
	sector, err := sectorOf(a)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{"pairwise", s.Issuer, sector, string(userID)}, "\x00")))
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

// sectorOf is whose users are the same: the host of the sector identifier, else of the redirect URIs. An app without any that
// is on the web shares its users' names with nobody: a scheme of its own, or this machine, is no sector.
func sectorOf(a *app.App) (string, error) {
	addresses := a.OAuth.RedirectURIs
	if a.OAuth.SectorURI != "" && len(addresses) > 0 {
		addresses = []string{a.OAuth.SectorURI}
	}
	sector := ""
	for _, address := range addresses {
		u, err := url.Parse(address)
		if err != nil || sector != "" && u.Host != sector {
			return "", fault.Field("sector_identifier_uri", "is needed: the redirect URIs have several hosts")
		}
		if u.Scheme != "https" {
			return string(a.ID), nil
		}
		sector = u.Host
	}
	return cmp.Or(sector, string(a.ID)), nil
}
