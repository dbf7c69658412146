package lanyard

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Source is where in a request an API key stood.
type Source string

// The places of an API key. A token stands only after "Authorization: Bearer".
const (
	FromHeader Source = "x-api-key" // the header of that name
	FromBearer Source = "bearer"    // Authorization: Bearer
	FromBasic  Source = "basic"     // Authorization: Basic, as the user name, with an empty password
	FromQuery  Source = "query"     // the parameter api_key, where an API allows it
)

const (
	keyHeader = "X-Api-Key"
	keyParam  = "api_key"
	// maxCredential is how long one may be, in bytes. Ours have at most 1,200; imported keys and JWTs of others are no longer than this.
	maxCredential = 8 << 10
)

// Credentials is what a request carries: an API key, a token, both, or none. Printing it shows neither.
type Credentials struct {
	APIKey  Secret
	KeyFrom Source // "" without an API key
	Token   Secret // an access or personal token, or whatever else came as bearer
	Proof   string // with the scheme DPoP: the header DPoP, which shows that the caller holds the token's key (RFC 9449)
}

// None says that the request carries no credential.
func (c Credentials) None() bool { return c.APIKey.IsZero() && c.Token.IsZero() }

// Fill puts the credentials where a VerifyRequest has them: the token first, a key beside it as APIKey, and that a key stood in the query.
func (c Credentials) Fill(in *VerifyRequest) {
	if in.KeyIn = ""; c.KeyFrom == FromQuery {
		in.KeyIn = string(FromQuery)
	}
	if c.Token.IsZero() {
		in.Credential, in.APIKey = c.APIKey.Reveal(), ""
		return
	}
	in.Credential, in.APIKey = c.Token.Reveal(), c.APIKey.Reveal()
}

// Warning is a sentence for the answer to a request whose key stood where others can read it; else "".
func (c Credentials) Warning() string {
	if c.KeyFrom != FromQuery {
		return ""
	}
	return "The API key stood in the URL, where logs and histories keep it: send it in the x-api-key header instead"
}

// CredentialsError is a request whose credentials cannot be read in one way.
type CredentialsError struct {
	Status int    // 400 when the request contradicts itself (RFC 6750 section 3.1), 401 when what it has is no credential
	Code   string // malformed
	Detail string // a sentence for the caller, which says what to send; holds nothing of what was sent
}

func (e *CredentialsError) Error() string { return e.Detail }

// CredentialOptions say where FromRequest looks beyond the headers.
type CredentialOptions struct {
	Query bool // the API takes keys in the query too (key_in: [header, query])
}

// FromRequest takes the credentials out of a request's x-api-key and Authorization headers, and its query where opts allow it.
// It returns a *CredentialsError for whatever two programs could read in two ways, since one of them would be the wrong one:
// a header sent twice, two API keys, an empty value. No credential at all is no error. It does not say that a credential is
// any good: that is Verify's.
//
// An API key and a token may come together. Under Bearer stands an API key if it reads as one of Lanyard's (kind key or
// pub), else a token. Elsewhere stands only an API key, which may be of another make (imported).
func FromRequest(r *http.Request, opts CredentialOptions) (Credentials, error) {
	var found Credentials
	if err := found.readAuthorization(r.Header); err != nil {
		return Credentials{}, err
	}
	if err := found.readKeyHeader(r.Header); err != nil {
		return Credentials{}, err
	}
	if err := found.readQuery(r.URL, opts.Query); err != nil {
		return Credentials{}, err
	}
	return found, nil
}

func (c *Credentials) readAuthorization(h http.Header) error {
	value, ok, err := single(h, "Authorization")
	if !ok || err != nil {
		return err
	}
	scheme, rest, spaced := strings.Cut(value, " ")
	switch {
	case value == "":
		return noCredential("The Authorization header is empty. Send \"Authorization: Bearer\" and your credential, or leave the header out.")
	case strings.EqualFold(scheme, "Bearer"):
		text := strings.TrimLeft(rest, " ")
		if !spaced || text == "" {
			return noCredential("Nothing follows \"Bearer\" in the Authorization header: is the variable with your credential empty?")
		}
		if err := checkValue(text, "the Authorization header"); err != nil {
			return err
		}
		if parsed, err := secret.Parse(text); err == nil && (parsed.Kind == secret.Key || parsed.Kind == secret.Publishable) {
			return c.setKey(text, FromBearer)
		}
		c.Token = secret.Of(text)
		return nil
	case strings.EqualFold(scheme, "DPoP"):
		return c.readBound(h, strings.TrimLeft(rest, " "))
	case strings.EqualFold(scheme, "Basic"):
		return c.readBasic(strings.TrimLeft(rest, " "))
	}
	return noCredential("The Authorization header has a scheme that is not understood here. Send \"Authorization: Bearer\" and your credential.")
}

// readBound reads a token that is bound to a key, with the proof that goes with it: one, or there is nothing to rely on.
func (c *Credentials) readBound(h http.Header, text string) error {
	if text == "" {
		return noCredential("Nothing follows \"DPoP\" in the Authorization header: is the variable with your token empty?")
	}
	if err := checkValue(text, "the Authorization header"); err != nil {
		return err
	}
	proof, ok, err := single(h, "DPoP")
	if err != nil {
		return err
	}
	if !ok || proof == "" || len(proof) > maxProof {
		return noCredential("A token with the scheme DPoP needs a proof in the DPoP header, made for this request.")
	}
	c.Token, c.Proof = secret.Of(text), proof
	return nil
}

// maxProof is the longest DPoP proof that is passed on.
const maxProof = 8 << 10

// readBasic reads RFC 7617: base64 of user name, colon, password.
func (c *Credentials) readBasic(encoded string) error {
	text, err := base64.StdEncoding.Strict().DecodeString(encoded)
	user, password, colon := strings.Cut(string(text), ":")
	switch {
	case err != nil || !colon || strings.ContainsAny(encoded, "\r\n"):
		return noCredential("What follows \"Basic\" in the Authorization header is not base64 of a user name and a colon. Send the API key in the x-api-key header instead.")
	case user == "":
		return noCredential("The user name of Basic authentication is empty. Put the API key there, or send it in the x-api-key header.")
	case password != "":
		return noCredential("Basic authentication takes the API key as user name and no password. Leave the password empty, as in curl -u \"$API_KEY:\".")
	}
	if err := checkValue(user, "the user name of Basic authentication"); err != nil {
		return err
	}
	return c.setKey(user, FromBasic)
}

func (c *Credentials) readKeyHeader(h http.Header) error {
	value, ok, err := single(h, keyHeader)
	if !ok || err != nil {
		return err
	}
	if value == "" {
		return noCredential("The x-api-key header is empty: is the variable with your API key empty?")
	}
	if err := checkValue(value, "the x-api-key header"); err != nil {
		return err
	}
	return c.setKey(value, FromHeader)
}

func (c *Credentials) readQuery(u *url.URL, allowed bool) error {
	if u == nil || u.RawQuery == "" {
		return nil
	}
	count, value := 0, ""
	for pair := range strings.FieldsFuncSeq(u.RawQuery, isSeparator) {
		if name, text, _ := strings.Cut(pair, "="); isKeyParam(name) {
			count, value = count+1, text
		}
	}
	switch {
	case count == 0:
		return nil
	case !allowed:
		return twoReadings("This API takes no credential in the URL, where logs and histories keep it. Send it in the x-api-key header.")
	case count > 1 || strings.Contains(u.RawQuery, ";"):
		return twoReadings("The parameter api_key is there more than once, or a semicolon stands in the query. Send the API key in the x-api-key header.")
	}
	text, err := url.QueryUnescape(value)
	if err != nil {
		return noCredential("The parameter api_key is not percent-encoded as it should be. Send the API key in the x-api-key header.")
	}
	if text == "" {
		return noCredential("The parameter api_key is empty. Send the API key in the x-api-key header.")
	}
	if err := checkValue(text, "the parameter api_key"); err != nil {
		return err
	}
	return c.setKey(text, FromQuery)
}

// setKey refuses a second API key, an equal one too, and a token in the place of a key.
func (c *Credentials) setKey(text string, from Source) error {
	if c.KeyFrom != "" {
		return twoReadings(fmt.Sprintf("Two API keys came with one request (%s and %s). Send one of them.", c.KeyFrom, from))
	}
	if from != FromBearer && isToken(text) {
		return noCredential("A token stands where only API keys do. Send it as \"Authorization: Bearer\".")
	}
	c.APIKey, c.KeyFrom = secret.Of(text), from
	return nil
}

// single returns the one value of a header, however its name is cased. Two are an error.
func single(h http.Header, name string) (value string, ok bool, err error) {
	count := 0
	for n, values := range h {
		if len(n) == len(name) && strings.EqualFold(n, name) && len(values) > 0 {
			count += len(values)
			value = values[0]
		}
	}
	if count > 1 {
		return "", false, twoReadings("The " + strings.ToLower(name) + " header is there more than once. Send it once.")
	}
	return value, count == 1, nil
}

// checkValue refuses what no credential looks like: it would be mangled on its way, or is a program's word for nothing.
func checkValue(text, where string) error {
	switch {
	case len(text) > maxCredential:
		return noCredential("What stands in " + where + " is too long for a credential: was something pasted twice?")
	case !isVisible(text), strings.ContainsAny(text, `,"`):
		return noCredential("What stands in " + where + " holds a space, a comma, a quote or another character no credential has: copy it again, or send only one.")
	}
	switch strings.ToLower(text) {
	case "null", "nil", "none", "undefined", "nan", "true", "false":
		return noCredential("In " + where + " stands a program's word for nothing: the variable with your credential was not set.")
	}
	return nil
}

// isToken says whether a text is plainly no API key: another kind of ours, or a JWT.
func isToken(text string) bool {
	if parsed, err := secret.Parse(text); err == nil {
		return parsed.Kind != secret.Key && parsed.Kind != secret.Publishable
	}
	if strings.HasPrefix(text, "eyJ") && strings.Count(text, ".") >= 2 {
		return true
	}
	prefix, rest, _ := strings.Cut(text, "_")
	return secret.ValidPrefix(prefix) == nil && (strings.HasPrefix(rest, "at_live_") || strings.HasPrefix(rest, "at_test_"))
}

// StripQuery removes the parameter api_key, in every spelling of its name, and leaves the rest of the query as it is.
func StripQuery(u *url.URL) {
	if u == nil || u.RawQuery == "" {
		return
	}
	var kept strings.Builder
	for rest := u.RawQuery; rest != ""; {
		end := strings.IndexFunc(rest, isSeparator)
		pair, separator := rest, ""
		if end >= 0 {
			pair, separator = rest[:end], rest[end:end+1]
		}
		rest = rest[len(pair)+len(separator):]
		if name, _, _ := strings.Cut(pair, "="); isKeyParam(name) {
			continue
		}
		kept.WriteString(pair + separator)
	}
	if kept.Len() == len(u.RawQuery) {
		return
	}
	u.RawQuery = strings.TrimRightFunc(kept.String(), isSeparator)
}

// isSeparator: some programs divide a query at ";" too.
func isSeparator(r rune) bool { return r == '&' || r == ';' }

func isKeyParam(name string) bool {
	if decoded, err := url.QueryUnescape(name); err == nil {
		name = decoded
	}
	return strings.EqualFold(name, keyParam)
}

func noCredential(detail string) error {
	return &CredentialsError{http.StatusUnauthorized, string(policy.Malformed), detail}
}

func twoReadings(detail string) error {
	return &CredentialsError{http.StatusBadRequest, string(policy.Malformed), detail}
}

// Challenge returns the value of WWW-Authenticate (RFC 6750 section 3) for a request without a credential (refused nil), which
// names no error, or with one that FromRequest refused. realm is the name of the API.
func Challenge(realm string, refused error) string {
	text := "Bearer realm=" + quoted(realm)
	var e *CredentialsError
	if !errors.As(refused, &e) {
		return text
	}
	word := "invalid_token"
	if e.Status == http.StatusBadRequest {
		word = "invalid_request"
	}
	return text + ", error=" + quoted(word) + ", error_description=" + quoted(strings.ReplaceAll(e.Detail, `"`, "'"))
}

// quoted returns a quoted-string (RFC 9110 section 5.6.4) of what in s may stand in one.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c >= ' ' && c <= '~':
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
