package lanyard

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Secret holds a credential and prints "[redacted]" under every verb, in JSON and in logs. Reveal is the one way out.
type Secret = secret.Secret

// NewSecret hides a text.
func NewSecret(text string) Secret { return secret.Of(text) }

// DefaultTimeout is how long a call may take when Client.Timeout is zero.
const DefaultTimeout = 10 * time.Second

// Client calls one Lanyard server. Make it with NewClient or FromEnv; its fields may be changed before the first call and
// not after it. Printing a Client does not show its token.
type Client struct {
	URL       string        // where the server is: https, or http on a loopback address; may have a path
	Token     Secret        // the credential of the one who asks
	HTTP      *http.Client  // nil: http.DefaultClient. Its CheckRedirect is not asked: no redirect is followed
	UserAgent string        // "": lanyard-go
	Timeout   time.Duration // of one attempt at a call, until the answer is read; 0: DefaultTimeout
}

// NewClient returns a client with a transport for many parallel calls. It makes no call. The error says in a sentence
// what is wrong with the address or the token, and shows neither a token nor a password.
func NewClient(address, token string) (*Client, error) {
	base, err := baseURL(address)
	if err != nil {
		return nil, err
	}
	if err := checkToken(token); err != nil {
		return nil, err
	}
	return &Client{URL: base, Token: secret.Of(token), HTTP: &http.Client{Transport: transport()}}, nil
}

// transport is the default one with room for many calls at once. Idle connections go before those of usual servers and
// proxies do (60 s and more): a call that charges is not repeated, so it should not meet a connection that just closed.
func transport() http.RoundTripper {
	base, ok := http.DefaultTransport.(*http.Transport)
	if !ok { // somebody put their own there, for tracing perhaps: theirs it is
		return http.DefaultTransport
	}
	t := base.Clone()
	t.MaxIdleConns = 0 // no limit but the one for each host: there is one
	t.MaxIdleConnsPerHost = 256
	t.IdleConnTimeout = 30 * time.Second
	t.TLSHandshakeTimeout = 5 * time.Second
	t.MaxResponseHeaderBytes = 64 << 10
	t.DisableCompression = true // answers are small; and one that unpacks to a large one cannot come
	return t
}

// baseURL returns the address without a slash at its end. Credentials travel there, so it is https unless nobody can listen.
func baseURL(text string) (string, error) {
	if text == "" {
		return "", errors.New("the address of the Lanyard server is missing: set LANYARD_URL, such as https://auth.example.com")
	}
	// The error of url.Parse quotes the address, which may hold a password.
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Opaque != "" || u.Hostname() == "" {
		return "", errors.New("the address of the Lanyard server cannot be read: LANYARD_URL looks like https://auth.example.com")
	}
	switch {
	case u.User != nil:
		return "", errors.New("the address of the Lanyard server has a user name in it: leave it out, LANYARD_TOKEN says who you are")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return "", errors.New(`the address of the Lanyard server must end before any "?" or "#"`)
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return u.Scheme + "://" + u.Host + strings.TrimRight(u.EscapedPath(), "/"), nil
	case u.Scheme == "http":
		return "", fmt.Errorf("http://%s would send credentials in the clear: use https, or a loopback address such as http://127.0.0.1:8420", u.Host)
	}
	return "", fmt.Errorf("the address of the Lanyard server begins with %.20q: want https, or http on a loopback address", u.Scheme)
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

func checkToken(token string) error {
	if token == "" {
		return errors.New("the token for the Lanyard server is missing: set LANYARD_TOKEN, or LANYARD_TOKEN_FILE to a file that holds it")
	}
	if !isVisible(token) {
		return errors.New("the token for the Lanyard server holds a space, a line break or another character no credential has: copy it again")
	}
	return nil
}

// isVisible says whether s is all printable ASCII without spaces, as a credential in a header is.
func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
