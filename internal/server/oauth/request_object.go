package oauth

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/outbound"
)

// maxObject bounds a request object.
const maxObject = 16 << 10

// unwrap takes the parameters out of a request object, by value or by reference (RFC 9101). It has to be signed by the app;
// what it says counts, and nothing beside it but what it leaves out in OpenID Connect's older dialect.
func (s *Server) unwrap(ctx context.Context, a *app.App, p params) (params, error) {
	object, address := p.get("request"), p.get("request_uri")
	switch {
	case object == "" && address == "":
		return p, nil
	case object != "" && address != "":
		return p, fail(invalidRequest, "send request or request_uri, not both")
	case address != "":
		var err error
		if object, err = s.fetchObject(ctx, a, address); err != nil {
			return p, err
		}
	}
	return s.openObject(ctx, a, p, object)
}

// fetchObject reads a request object from an address that the app registered.
func (s *Server) fetchObject(ctx context.Context, a *app.App, address string) (string, error) {
	plain, _, _ := strings.Cut(address, "#")
	registered := slices.ContainsFunc(a.OAuth.RequestURIs, func(uri string) bool {
		known, _, _ := strings.Cut(uri, "#")
		return known == plain
	})
	if !registered {
		return "", fail(invalidRequestURI, "request_uri is not one that this client registered")
	}
	answer, err := s.Outbound.Get(ctx, plain, outbound.GetOptions{Accept: "application/oauth-authz-req+jwt, application/jwt", MaxBytes: maxObject})
	if err != nil || answer.Status != 200 {
		return "", fail(invalidRequestURI, "request_uri could not be read")
	}
	return strings.TrimSpace(string(answer.Body)), nil
}

func (s *Server) openObject(ctx context.Context, a *app.App, outer params, object string) (params, error) {
	bad := func(format string, args ...any) (params, error) {
		return outer, fail(invalidRequestObject, format, args...)
	}
	if len(object) > maxObject {
		return bad("the request object is too long")
	}
	// An encrypted one (five parts) is refused here too: no key of ours is published for it, and nothing is inflated.
	token, err := jwt.ParseSigned(object, signatureAlgs())
	if err != nil {
		return bad("the request object is no JWT signed with an algorithm that is accepted here")
	}
	if kind, given := token.Headers[0].ExtraHeaders[jose.HeaderType]; given && !objectType(kind) {
		return bad("the request object has the type of another JWT: typ must be oauth-authz-req+jwt or absent")
	}
	if a.OAuth.RequestAlg != "" && a.OAuth.RequestAlg != token.Headers[0].Algorithm {
		return bad("this client registered the algorithm %s for request objects", short(a.OAuth.RequestAlg))
	}
	var claims map[string]json.RawMessage
	var standard jwt.Claims
	if err := s.verifySigned(ctx, a, token, &claims, &standard); err != nil {
		if fault.Is(err, fault.Unavailable) {
			return outer, err
		}
		return bad("the signature of the request object is not the client's")
	}
	now := s.Now()
	switch {
	case claims == nil:
		return bad("the request object holds no parameters")
	case standard.Subject == a.ClientID():
		// It passes through browsers: as an assertion it would prove the app to whoever found it (RFC 9101 section 10.8).
		return bad("the request object has the client as its sub, which makes it an assertion: leave sub out")
	case standard.Expiry != nil && !now.Before(standard.Expiry.Time()):
		return bad("the request object has expired")
	case standard.NotBefore != nil && standard.NotBefore.Time().After(now.Add(skew)):
		return bad("the request object is not valid yet")
	case standard.Issuer != "" && standard.Issuer != a.ClientID():
		return bad("the request object has another iss than the client")
	case len(standard.Audience) > 0 && !standard.Audience.Contains(s.Issuer):
		return bad("the request object is not for this server")
	}
	inner := url.Values{}
	for name, raw := range claims {
		if slices.Contains([]string{"iss", "aud", "exp", "nbf", "iat", "jti", "sub"}, name) {
			continue
		}
		value, ok := objectValue(raw)
		if !ok {
			return bad("the request object's member %s has a shape that no parameter has", short(name))
		}
		inner[name] = value
	}
	for _, name := range []string{"request", "request_uri"} {
		if inner.Has(name) {
			return bad("a request object holds no %s", name)
		}
	}
	if id := inner.Get("client_id"); id != "" && id != a.ClientID() {
		return bad("the request object has another client_id")
	}
	if kind := inner.Get("response_type"); kind != "" && outer.has("response_type") && kind != outer.get("response_type") {
		return bad("the request object has another response_type")
	}
	// OpenID Connect Core section 6.1 lets parameters stand outside; those inside take precedence.
	for name, value := range outer.values {
		if !inner.Has(name) && name != "request" && name != "request_uri" {
			inner[name] = value
		}
	}
	return newParams(inner)
}

// objectType reports whether a typ is that of a request object (RFC 9101 section 10.8), or says no more than that it is a JWT.
func objectType(kind any) bool {
	text, _ := kind.(string)
	return strings.EqualFold(text, "oauth-authz-req+jwt") || strings.EqualFold(text, "JWT")
}

// objectValue is a member of a request object as a parameter.
func objectValue(raw json.RawMessage) ([]string, bool) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return []string{text}, true
	}
	var number json.Number
	if json.Unmarshal(raw, &number) == nil {
		if n, err := strconv.ParseInt(number.String(), 10, 64); err == nil {
			return []string{strconv.FormatInt(n, 10)}, true
		}
		return nil, false
	}
	var list []string
	if json.Unmarshal(raw, &list) == nil && len(list) > 0 {
		return list, true
	}
	if len(raw) > 0 && raw[0] == '{' { // claims
		return []string{string(raw)}, true
	}
	return nil, string(raw) == "true" || string(raw) == "false"
}
