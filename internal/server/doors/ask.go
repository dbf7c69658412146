package doors

import (
	"errors"
	"net/url"
	"strings"
)

// What a door in another package needs beside Rule, Admit and Target: one whose dialect brings libraries of its own (internal/server/extauthz).

// Drop gives back what an allowed call reserved that does not come to be.
func (d *Doors) Drop(r *Ruling) { d.Verifier.Drop(&r.Decision) }

// Problem is an answer that is not about credentials.
func (d *Doors) Problem(status int, code, title, detail string) *Answer {
	return d.problem(status, code, title, detail)
}

// Failed answers when something broke that never should: nobody can say whether the call may pass.
func (d *Doors) Failed() *Answer { return d.noDecision() }

// RoutingHeader says whether a header tells a program behind where a request came from or went, in whatever spelling: only a door says that.
func RoutingHeader(name string) bool { return routing(name) }

// Literal fails for a path, as it stands on the wire, whose part that led to the API is spelt in another way than the route: a proxy that finds
// its way by that text would take another one than was ruled on.
func (r *Ruling) Literal(path string) error {
	if r.at == nil || strings.HasPrefix(path, (&url.URL{Path: r.at.prefix}).EscapedPath()) {
		return nil
	}
	return errors.New("the path spells the part that leads to the API in another way than its route does")
}
