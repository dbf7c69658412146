package catalog

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard"
)

// personal are words in a path that say whose data is behind it.
var personal = regexp.MustCompile(`(?i)/(me|my|self|profile|account|inbox|messages|mail|contacts|orders|users/\{[a-z_]+\})(/|$)`)

// Lint says what an author of an API may not have meant, one sentence a finding, in order: which operation takes the wrong kind of
// credential and why, what is open to whoever holds any, what is never asked. Nothing of it is a fault.
func Lint(a lanyard.API) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	asked := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(a.Operations)) {
		op := a.Operations[name]
		method, path, _ := strings.Cut(name, " ")
		kind := cmp.Or(op.Takes, a.Takes)
		switch {
		case personal.MatchString(path) && kind == "key":
			say("%s takes an API key, but its path names one person’s things: a key belongs to an app, so whoever holds one reaches everybody’s. Let it take a token.", name)
		case personal.MatchString(path) && kind == "either":
			say("%s also takes an API key, and its path names one person’s things: with a key there is no person. Let it take a token alone.", name)
		}
		if len(op.Scopes) == 0 && len(a.Scopes) > 0 && slices.Contains([]string{"POST", "PUT", "PATCH", "DELETE"}, method) {
			say("%s changes things and asks for no scope: every credential that is good for this API may do it.", name)
		}
		for _, scope := range op.Scopes {
			asked[scope] = true
			if method == "GET" && a.Scopes[scope].Writes {
				say("%s reads, but asks for %s, which writes: who only reads has to be given more than they need.", name, scope)
			}
		}
	}
	includes := map[string]bool{}
	for _, s := range a.Scopes {
		for _, name := range s.Includes {
			includes[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.Scopes)) {
		if !asked[name] && !includes[name] && len(a.Scopes[name].Includes) == 0 {
			say("no operation asks for the scope %s: whoever grants it grants nothing.", name)
		}
	}
	if slices.Contains(a.KeyIn, "query") {
		say("keys may stand in the address, and addresses end up in logs and histories.")
	}
	if u, err := url.Parse(a.Upstream); err == nil && u.Scheme == "http" && u.Hostname() != "localhost" && !strings.HasPrefix(u.Hostname(), "127.") && u.Hostname() != "::1" {
		say("the upstream %s is reached without TLS: whoever is on the way reads what passes.", a.Upstream)
	}
	return out
}
