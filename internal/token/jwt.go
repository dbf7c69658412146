package token

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// maxJWT bounds an access token that is a JWT, when it is made as when it is read: doors take no more.
const maxJWT = 8 << 10

// accessType is the header that no other token of ours has (RFC 9068 section 2.1).
const accessType = "at+jwt"

// buffers are scratch space for tokens being made and read.
type buffers struct{ payload, text []byte }

var pool = sync.Pool{New: func() any { return &buffers{make([]byte, 0, 1024), make([]byte, 0, 2048)} }} //nolint:gochecknoglobals // scratch memory without state

// done gives the space back, without what stood in it: the pool must not keep a token in memory after its request.
func (b *buffers) done() {
	clear(b.payload[:cap(b.payload)])
	clear(b.text[:cap(b.text)])
	pool.Put(b)
}

// JWT makes an access token that APIs can check by themselves (RFC 9068), signed by the algorithm named. One that no door would
// take is secret.ErrTooLong: too many scopes for one token.
func (m *Minter) JWT(ctx context.Context, c *Claims, alg string) (secret.Secret, error) {
	b := pool.Get().(*buffers)
	defer b.done()
	b.payload = m.appendClaims(b.payload[:0], c)
	text, err := m.sign(ctx, b, accessType, alg, b.payload)
	if err != nil {
		return secret.Secret{}, err
	}
	if len(text) > maxJWT {
		return secret.Secret{}, secret.ErrTooLong
	}
	return secret.Of(text), nil
}

// Sign makes any other JWT of ours: typ is "JWT" for ID tokens and signed userinfo, "logout+jwt", "token-introspection+jwt".
func (m *Minter) Sign(ctx context.Context, typ, alg string, payload []byte) (string, error) {
	b := pool.Get().(*buffers)
	defer b.done()
	return m.sign(ctx, b, typ, alg, payload)
}

// AssertionType is the media type of what doors tell upstreams about callers. It is no access token, and none is one.
const AssertionType = "lanyard-assertion+jwt"

// Assert signs what a door tells an upstream about a caller, with the keys that are for nothing else (keyring.SignAssertion).
func (m *Minter) Assert(ctx context.Context, payload []byte) (string, error) {
	key, err := m.Keys.AssertionSigner(ctx, m.Now())
	if err != nil {
		return "", err
	}
	b := pool.Get().(*buffers)
	defer b.done()
	return m.signWith(key, b, AssertionType, payload)
}

func (m *Minter) sign(ctx context.Context, b *buffers, typ, alg string, payload []byte) (string, error) {
	key, err := m.Keys.Signer(ctx, alg, m.Now())
	if err != nil {
		return "", err
	}
	return m.signWith(key, b, typ, payload)
}

func (m *Minter) signWith(key *keyring.Signer, b *buffers, typ string, payload []byte) (string, error) {
	b.text = appendHeader(b.text[:0], key, typ)
	b.text = base64.RawURLEncoding.AppendEncode(append(b.text, '.'), payload)
	var signature [512]byte
	made, err := key.Sign(signature[:0], b.text)
	if err != nil {
		return "", err
	}
	b.text = base64.RawURLEncoding.AppendEncode(append(b.text, '.'), made)
	return string(b.text), nil
}

// appendHeader writes the header of fixed members: names of ours, which need no escaping.
func appendHeader(out []byte, key *keyring.Signer, typ string) []byte {
	var header [160]byte
	h := append(header[:0], `{"alg":"`...)
	h = append(h, key.Algorithm()...)
	h = append(h, `","typ":"`...)
	h = append(h, typ...)
	h = append(h, `","kid":"`...)
	h = append(h, key.KeyID()...)
	h = append(h, `"}`...)
	return base64.RawURLEncoding.AppendEncode(out, h)
}

// appendClaims writes the claims of CONTRACT, and `epoch` where one was raised.
func (m *Minter) appendClaims(out []byte, c *Claims) []byte {
	out = append(out, `{"iss":`...)
	out = appendString(out, m.Issuer)
	out = appendMember(out, "sub", c.Subject)
	out = appendMember(out, "aud", c.Audience)
	client := c.ClientID
	if client == "" {
		client = string(c.App)
	}
	out = appendMember(out, "client_id", client)
	out = appendNumber(out, "exp", c.ExpiresAt)
	out = appendNumber(out, "iat", c.IssuedAt)
	out = appendMember(out, "jti", c.ID)
	out = append(out, `,"scope":"`...)
	for i, scope := range c.Scopes {
		if i > 0 {
			out = append(out, ' ')
		}
		out = appendEscaped(out, scope)
	}
	out = append(out, '"')
	if !c.AuthTime.IsZero() {
		out = appendNumber(out, "auth_time", c.AuthTime)
	}
	if c.ACR != "" {
		out = appendMember(out, "acr", c.ACR)
	}
	if len(c.AMR) > 0 {
		out = append(out, `,"amr":[`...)
		for i, method := range c.AMR {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendString(out, method)
		}
		out = append(out, ']')
	}
	out = appendConfirmation(out, c)
	out = appendAct(out, c.Act)
	out = appendMember(out, "mode", string(c.Mode))
	if c.Grant != "" {
		out = appendMember(out, "grant_id", string(c.Grant))
	}
	if c.Family != "" {
		out = appendMember(out, "fid", c.Family)
	}
	if client != string(c.App) {
		out = appendMember(out, "app", string(c.App))
	}
	if c.Epochs != (Epochs{}) {
		out = append(out, `,"epoch":[`...)
		out = strconv.AppendInt(out, int64(c.Epochs.User), 10)
		out = strconv.AppendInt(append(out, ','), int64(c.Epochs.App), 10)
		out = strconv.AppendInt(append(out, ','), int64(c.Epochs.Grant), 10)
		out = append(out, ']')
	}
	return append(out, '}')
}

// appendConfirmation writes what the token is bound to (RFC 7800).
func appendConfirmation(out []byte, c *Claims) []byte {
	switch {
	case c.JKT != "":
		out = append(out, `,"cnf":{"jkt":`...)
		return append(appendString(out, c.JKT), '}')
	case c.X5T != "":
		out = append(out, `,"cnf":{"x5t#S256":`...)
		return append(appendString(out, c.X5T), '}')
	}
	return out
}

func appendAct(out []byte, act *Act) []byte {
	if act == nil {
		return out
	}
	text, err := json.Marshal(act)
	if err != nil {
		return out // strings alone: does not fail
	}
	return append(append(out, `,"act":`...), text...)
}

func appendMember(out []byte, name, value string) []byte {
	out = append(out, ',', '"')
	out = append(out, name...)
	out = append(out, '"', ':')
	return appendString(out, value)
}

func appendNumber(out []byte, name string, at time.Time) []byte {
	out = append(out, ',', '"')
	out = append(out, name...)
	out = append(out, '"', ':')
	return strconv.AppendInt(out, at.Unix(), 10)
}

// appendString writes a JSON string.
func appendString(out []byte, text string) []byte {
	return append(appendEscaped(append(out, '"'), text), '"')
}

// appendEscaped writes what stands between a JSON string's quotes. In tokens it is mostly plain, and then copied as it is.
func appendEscaped(out []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, err := json.Marshal(text)
			if err != nil {
				return out // a string does not fail
			}
			return append(out, quoted[1:len(quoted)-1]...)
		}
	}
	return append(out, text...)
}
