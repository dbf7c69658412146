package catalog

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

// checkUpstreams checks where the gateway forwards to, and how.
func checkUpstreams(a *lanyard.API) error {
	if a.Upstream != "" && len(a.Upstreams) > 0 {
		return fault.Field("upstreams", "goes in place of upstream, not beside it")
	}
	if a.Upstream != "" && !isUpstream(a.Upstream) {
		return fault.Field("upstream", "must be an http or https address without query, such as http://localhost:9001")
	}
	if len(a.Upstreams) > maxUpstreams {
		return fault.Field("upstreams", "is too large: at most %d", maxUpstreams)
	}
	for i, u := range a.Upstreams {
		field := fmt.Sprintf("upstreams[%d]", i)
		if len(u) > maxURI || !isUpstream(u) {
			return fault.Field(field, "must be an http or https address without query, such as http://localhost:9001")
		}
		if slices.Contains(a.Upstreams[:i], u) {
			return fault.Field(field, "stands there twice")
		}
	}
	if h := a.Health; h != nil {
		if _, err := policy.NormalPath(h.Path); err != nil || strings.ContainsRune(h.Path, '%') || len(h.Path) > 200 {
			return fault.Field("health.path", `must be a plain path such as "/healthz"`)
		}
		if err := checkDuration("health.every", h.Every, time.Second, 10*time.Minute); err != nil {
			return err
		}
	}
	if a.Charge != "" && a.Charge != "allow" && a.Charge != "success" {
		return fault.Field("charge", "must be allow or success, not %.40q", a.Charge)
	}
	return checkDuration("timeout", a.Timeout, 100*time.Millisecond, time.Hour)
}

const maxUpstreams = 20

// isUpstream says whether an address may be forwarded to. It has no query: keys for the upstream would stand there, and the catalog is
// shown. Its path is one that nothing behind reads in another way.
func isUpstream(text string) bool {
	u, err := url.Parse(text)
	if err != nil || !absoluteURI(text, "https", "http") || strings.ContainsAny(text, "?%") {
		return false
	}
	if u.Path == "" {
		return true
	}
	_, err = policy.NormalPath(u.Path)
	return err == nil
}

// checkDuration checks an optional length of time.
func checkDuration(field, text string, least, most time.Duration) error {
	if text == "" {
		return nil
	}
	if d, err := time.ParseDuration(text); err != nil || d < least || d > most {
		return fault.Field(field, "must be between %s and %s, such as 30s, not %.40q", least, most, text)
	}
	return nil
}
