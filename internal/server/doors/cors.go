package doors

import (
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

const (
	allowOrigin = "Access-Control-Allow-Origin"
	corsPrefix  = "Access-Control-"
	// maxAge is how long browsers remember an answer, in seconds: as long as Chromium does at most.
	maxAge = "7200"
	// exposed are the headers of ours that scripts may read.
	exposed = "RateLimit, RateLimit-Policy, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, WWW-Authenticate, Warning, X-Request-Id"
)

// corsOf adds the headers that let a script of the call's origin read the answer, and reports whether it may. They belong to refusals as well:
// a script that cannot read one cannot mend it.
func corsOf(api *catalog.Compiled, h, into http.Header) bool {
	if api.Spec.CORS == nil || len(api.Spec.CORS.Origins) == 0 {
		return false
	}
	into.Add("Vary", "Origin")
	origins := h["Origin"]
	if len(origins) != 1 {
		return false
	}
	origin, err := policy.ParseOrigin(origins[0])
	if err != nil || !slices.Contains(api.Spec.CORS.Origins, origin) {
		return false
	}
	into.Set(allowOrigin, origins[0])
	into.Set("Access-Control-Expose-Headers", exposed)
	return true
}

// isPreflight: Fetch standard, "CORS-preflight request".
func isPreflight(method string, h http.Header) bool {
	return method == http.MethodOptions && len(h["Origin"]) > 0 && len(h["Access-Control-Request-Method"]) > 0
}

// preflight answers a browser that asks before it calls. It carries no credential, so nothing is decided, counted or forwarded: what was
// allowed here is still asked for when the call comes.
func preflight(allowed bool, h, headers http.Header) *Answer {
	a := &Answer{Status: http.StatusNoContent, Header: headers, Code: preflightCode}
	headers.Add("Vary", "Access-Control-Request-Method")
	headers.Add("Vary", "Access-Control-Request-Headers")
	if !allowed {
		return a // without the headers a browser does not call
	}
	headers.Del("Access-Control-Expose-Headers")
	headers.Set("Access-Control-Max-Age", maxAge)
	if method := h["Access-Control-Request-Method"]; len(method) == 1 && isToken(method[0]) {
		headers.Set("Access-Control-Allow-Methods", method[0])
	}
	if wanted := strings.Join(h["Access-Control-Request-Headers"], ","); wanted != "" && len(wanted) < 4<<10 {
		var names []string
		for name := range strings.SplitSeq(wanted, ",") {
			if name = strings.TrimSpace(name); isToken(name) {
				names = append(names, name)
			}
		}
		headers.Set("Access-Control-Allow-Headers", strings.Join(names, ", "))
	}
	return a
}

// isToken: RFC 9110 section 5.6.2.
func isToken(text string) bool {
	for i := range len(text) {
		c := text[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return text != ""
}
