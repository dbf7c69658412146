package doors

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/lanyard-auth/lanyard"
)

// What doors of other packages need: those whose dialect brings libraries of its own (internal/server/extauthz).

// Admit says who calls, in h, and counts the call, in that order: what cannot be told to the upstream is not charged. The call must have been
// decided with Hold. If the ruling has an answer after that, the call may not pass and h says nothing.
func (d *Doors) Admit(ctx context.Context, r *Ruling, h http.Header) {
	err := ctx.Err() // whoever asked has gone, so nobody lets the call through
	if err == nil {
		err = d.Identify(ctx, r, h)
	}
	if err != nil {
		d.Drop(r)
		d.undecided(r, err)
		return
	}
	if err := d.Verifier.Settle(ctx, &r.Request, &r.Decision); err != nil {
		for _, name := range IdentityHeaders() {
			delete(h, name)
		}
		d.undecided(r, err)
	}
}

// Drop gives back what an allowed call reserved that does not come to be.
func (d *Doors) Drop(r *Ruling) { d.Verifier.Drop(&r.Decision) }

// Stranger answers who is no trusted proxy. They could make up any caller's address and any call.
func (d *Doors) Stranger() *Answer {
	return d.problem(http.StatusForbidden, "ip_denied", "Not a trusted proxy",
		"Here only the proxies ask that the server trusts, and you ask from another address. LANYARD_TRUSTED_PROXIES names them.")
}

// Unclear answers a proxy that does not say clearly what it was asked for.
func (d *Doors) Unclear(err error) *Answer {
	return d.problem(http.StatusBadRequest, "invalid_request", "The call is not described clearly", "Nothing was decided, since "+err.Error()+".")
}

// Problem is an answer that is not about credentials.
func (d *Doors) Problem(status int, code, title, detail string) *Answer {
	return d.problem(status, code, title, detail)
}

// Failed answers when something broke that never should.
func (d *Doors) Failed() *Answer { return d.noDecision() }

// Literal fails for a path whose part that led to the API is spelt in another way than the route: a proxy that finds its way by the path as it
// stands on the wire would take another one than was ruled on.
func (r *Ruling) Literal(path string) error {
	if r.at == nil {
		return nil
	}
	if prefix := escaped(r.at.prefix); len(path) < len(prefix) || path[:len(prefix)] != prefix {
		return errors.New("the path spells the part that leads to the API in another way than its route does")
	}
	return nil
}

// RoutingHeader says whether a header tells a program behind where a request came from or went, in whatever spelling: only a door says that.
func RoutingHeader(name string) bool { return routing(name) }

// Target is what an upstream is asked for, as a request target of ASCII: a path in normal form, and a query without what is or could be a key.
func Target(path, query string) string {
	text := escaped(path)
	if query = withoutKey(query); query == "" {
		return text
	}
	return text + "?" + query
}

func escaped(path string) string { return (&url.URL{Path: path}).EscapedPath() }

// withoutKey is a query without API keys. What no target may hold is encoded; Rule lets most of it not come this far.
func withoutKey(query string) string {
	u := url.URL{RawQuery: query}
	lanyard.StripQuery(&u)
	plain := make([]byte, 0, len(u.RawQuery))
	for i := range len(u.RawQuery) {
		if c := u.RawQuery[i]; c <= ' ' || c >= 0x7f || c == '#' {
			plain = fmt.Appendf(plain, "%%%02X", c)
		} else {
			plain = append(plain, c)
		}
	}
	return string(plain)
}
