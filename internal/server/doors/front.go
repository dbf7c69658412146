package doors

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/web"
)

// front is another proxy that asks before it lets a call through, in its own dialect.
type front struct {
	name                      string
	method, uri, host, scheme string // the headers in which it describes a call, as net/http spells them
	// coarse: of an answer only whether it is 2xx, 401 or 403 reaches its configuration, and no body. What the client is to be told
	// stands in headers then, from which the shipped configuration puts the answer together again.
	coarse bool
	// exact: it can take headers out only by their exact names. Whatever else might be read as one of ours is refused for it.
	exact bool
	// wholeQuery: it cannot take a key out of the query (Call.WholeQuery).
	wholeQuery bool
	// decoded: it wants the path to forward percent-decoded, and keeps the query.
	decoded bool
	// cookies: it takes the caller's cookies from the answer, since it cannot take single ones out.
	cookies bool
}

// fronts are the proxies there are endpoints for. None reads the headers of another: what a proxy does not set itself comes from the
// caller.
func fronts() []front {
	original := front{method: "X-Original-Method", uri: "X-Original-Uri", host: "X-Original-Host", scheme: "X-Original-Scheme"}
	forwarded := front{method: "X-Forwarded-Method", uri: "X-Forwarded-Uri", host: "X-Forwarded-Host", scheme: "X-Forwarded-Proto"}
	nginx, haproxy, traefik, caddy := original, original, forwarded, forwarded
	nginx.name, nginx.coarse, nginx.exact = "nginx", true, true
	haproxy.name = "haproxy"
	traefik.name, traefik.exact, traefik.wholeQuery, traefik.cookies = "traefik", true, true, true
	caddy.name, caddy.wholeQuery, caddy.decoded = "caddy", true, true
	return []front{nginx, haproxy, traefik, caddy}
}

const (
	hopFor = "X-Forwarded-For"
	// Traefik tells in this header which path it replaced. It names the caller's preflight that way.
	replacedPath = "X-Replaced-Path"
	maxURI       = 16 << 10
	maxMethod    = 32
)

// read turns what the front says of a call into one. It fails on whatever is not said once, and clearly: a front whose configuration
// lost a line must let nobody in.
func (f *front) read(r *http.Request, proxies []netip.Prefix) (Call, error) {
	h := r.Header
	var c Call
	var scheme, uri string
	for _, field := range []struct {
		name string
		into *string
		most int
	}{{f.method, &c.Method, maxMethod}, {f.uri, &uri, maxURI}, {f.host, &c.Host, 300}, {f.scheme, &scheme, 5}} {
		value, err := once(h, field.name, field.most)
		if err != nil {
			return Call{}, err
		}
		*field.into = value
	}
	if !isToken(c.Method) {
		return Call{}, fmt.Errorf("the header %s holds no method", f.method)
	}
	if uri[0] != '/' || strings.ContainsAny(uri, " \t") {
		return Call{}, fmt.Errorf("the header %s holds no path", f.uri)
	}
	switch scheme {
	case "http", "https":
	case "ws", "wss": // as Traefik calls a WebSocket; a proof names the request that opens it
		scheme = strings.Replace(scheme, "ws", "http", 1)
	default:
		return Call{}, fmt.Errorf("the header %s holds neither http nor https", f.scheme)
	}
	// Without it the caller would have the front's own address, which restrictions may well allow.
	if len(h[hopFor]) == 0 || strings.TrimSpace(h[hopFor][0]) == "" {
		return Call{}, errors.New("the header " + hopFor + " is missing")
	}
	if f.exact {
		if name := unlisted(h); name != "" {
			return Call{}, fmt.Errorf("the header %.60q could be read as one that only Lanyard may set", name)
		}
	}
	c.Path, c.Query, _ = strings.Cut(uri, "?")
	c.WholeQuery = f.wholeQuery
	c.Header, c.IP, c.Address = h, web.ClientAddr(r, proxies), scheme+"://"+c.Host+c.Path
	return c, nil
}

// once returns the value of a header that is there once, not empty and no longer than most.
func once(h http.Header, name string, most int) (string, error) {
	values := h[name]
	switch {
	case len(values) == 0 || values[0] == "":
		return "", fmt.Errorf("the header %s is missing", name)
	case len(values) > 1:
		return "", fmt.Errorf("the header %s is there more than once", name)
	case len(values[0]) > most:
		return "", fmt.Errorf("the header %s is too long", name)
	}
	return values[0], nil
}

// StrippedHeaders are the headers that a front has to take out of a call before it forwards it, by the names that are known. The
// shipped configurations name every one.
func StrippedHeaders() []string {
	return append(IdentityHeaders(), "X-Lanyard", headerStatus, headerProblem, headerTarget, headerPath, "Authorization", "X-Api-Key", "Dpop",
		"X-Http-Method-Override", "X-Http-Method", "X-Method-Override")
}

// unlisted returns a header that must not reach an upstream and that is not among those a front takes out by name; "": there is none.
func unlisted(h http.Header) string {
	listed := StrippedHeaders()
next:
	for name := range h {
		alone := http.Header{name: {""}}
		if Strip(alone); len(alone) > 0 {
			continue
		}
		for _, known := range listed {
			if name == known {
				continue next
			}
		}
		return name
	}
	return ""
}
