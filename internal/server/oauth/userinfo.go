package oauth

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/token"
	"github.com/lanyard-auth/lanyard/internal/verify"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// userinfo is GET and POST /oauth/userinfo (OpenID Connect Core section 5.3): what the scopes of an access token tell of its
// user. Any access token of ours with the scope openid does, whichever API it is for.
func (s *Server) userinfo(w http.ResponseWriter, r *http.Request) error {
	claims, err := s.bearerOf(w, r, "/oauth/userinfo")
	if err != nil {
		return err
	}
	scheme := "Bearer"
	if claims.JKT != "" {
		scheme = "DPoP"
	}
	if claims.User == "" || !slices.Contains(claims.Scopes, scopeOpenID) {
		return &failure{Code: insufficientScope, Status: http.StatusForbidden, Bearer: scheme, Detail: "this needs an access token of a user with the scope openid"}
	}
	a, err := s.Verifier.Client(r.Context(), string(claims.App))
	if err != nil {
		return err
	}
	if a == nil {
		return &failure{Code: invalidToken, Status: http.StatusUnauthorized, Bearer: scheme, Detail: "the token's client is not in force"}
	}
	u, err := s.Users.User(r.Context(), claims.User)
	if err != nil {
		return err
	}
	info := told(u, claims.Scopes) // with what `claims` asked for here: it was asked of the user as scopes
	info["sub"] = claims.Subject
	if a.OAuth.UserinfoAlg == "" {
		return writeJSON(w, http.StatusOK, info)
	}
	info["iss"], info["aud"] = s.Issuer, a.ClientID()
	payload, err := json.Marshal(info)
	if err != nil {
		return err
	}
	text, err := s.Minter.Sign(r.Context(), "JWT", a.OAuth.UserinfoAlg, payload)
	if err != nil {
		return err
	}
	h := w.Header()
	web.Guard(h)
	h.Set("Content-Type", "application/jwt")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write([]byte(text)) // who does not read it has gone
	return nil
}

// bearerOf authenticates a call to a resource of our own by an access token, as Bearer or bound to a key (RFC 6750, RFC
// 9449). Never from the query.
func (s *Server) bearerOf(w http.ResponseWriter, r *http.Request, path string) (*token.Claims, error) {
	refuse := func(scheme, code, detail string) error {
		return &failure{Code: code, Status: http.StatusUnauthorized, Bearer: scheme, Detail: detail}
	}
	scheme, text, err := s.presentedToken(w, r)
	if err != nil {
		return nil, err
	}
	if text == "" {
		return nil, refuse("Bearer", invalidRequest, "")
	}
	request := verify.Request{Credential: text, IP: s.Kit.Client(r)}
	if scheme == "DPoP" {
		proofs := r.Header.Values("DPoP")
		if len(proofs) != 1 {
			return nil, refuse("DPoP", invalidProof, "send one DPoP proof with the token")
		}
		request.DPoP = &verify.Proof{Proof: proofs[0], Method: r.Method, URL: s.Issuer + path}
	}
	state, err := s.Verifier.TokenFor(r.Context(), &request)
	if err != nil {
		return nil, err
	}
	if state.Code != policy.Valid || state.Personal != nil {
		code := invalidToken
		if state.BadProof() {
			code = invalidProof
		}
		if state.DPoP { // whichever scheme it came with
			scheme = "DPoP"
		}
		return nil, refuse(scheme, code, "the access token is not good here: "+strings.ReplaceAll(string(state.Code), "_", " "))
	}
	return &state.Claims, nil
}

// presentedToken finds the one token of a request.
func (s *Server) presentedToken(w http.ResponseWriter, r *http.Request) (scheme, text string, err error) {
	lines := r.Header.Values("Authorization")
	if len(lines) > 1 || r.URL.Query().Has("access_token") {
		return "", "", fail(invalidRequest, "send the access token once, in the Authorization header")
	}
	if len(lines) == 1 {
		name, rest, _ := strings.Cut(lines[0], " ")
		switch {
		case strings.EqualFold(name, "Bearer"):
			scheme = "Bearer"
		case strings.EqualFold(name, "DPoP"):
			scheme = "DPoP"
		default:
			return "", "", nil
		}
		text = rest
	}
	if r.Method == http.MethodPost && r.Header.Get("Content-Type") != "" {
		p, err := s.form(w, r)
		if err != nil {
			return "", "", err
		}
		if inBody := p.get("access_token"); inBody != "" {
			if text != "" {
				return "", "", fail(invalidRequest, "send the access token once")
			}
			return "Bearer", inBody, nil
		}
	}
	return scheme, text, nil
}
