package doors

import (
	"net/http"
	"strings"

	"github.com/lanyard-auth/lanyard"
)

// KeysPath is where the JWK set of assertions stands.
const KeysPath = "/.well-known/lanyard-assertion-jwks.json"

// serveWellKnown answers what programs ask before they call, and reports whether it did: who hands out badges for an API (RFC 9728), and
// with what assertions are checked. It is open to everybody.
func (d *Doors) serveWellKnown(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case !strings.HasPrefix(r.URL.Path, "/.well-known/"):
		return false
	case r.URL.Path == KeysPath:
		d.ServeKeys(w, r)
		return true
	case r.URL.Path != WellKnown && !strings.HasPrefix(r.URL.Path, WellKnown+"/"):
		return false
	}
	host, ok := normalHost(r.Host)
	if !ok {
		return false
	}
	t, err := d.places(r.Context())
	if err != nil {
		var made Ruling
		d.undecided(&made, err)
		made.Answer.Write(w)
		return true
	}
	path := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, WellKnown), "/")
	var found, only *place
	for _, list := range [2][]*place{t.hosts[host], t.hosts[""]} {
		for _, at := range list { // the longest prefix first; programs ask for what they call, which may lie below it
			if found == nil && at.metadata != "" && at.covers(path) {
				found = at
			}
		}
	}
	for _, at := range t.all {
		if at.metadata == "" {
			continue
		}
		if only == nil {
			only = at
		} else if only.name != at.name {
			only = &place{}
		}
	}
	if found == nil && path == "" && only != nil && only.api != nil {
		found = only // older clients ask at the root alone
	}
	if found == nil {
		d.problem(http.StatusNotFound, "not_found", "No API here", "No API that takes access tokens stands at this address.").Write(w)
		return true
	}
	api := found.api
	c := lanyard.ResourceMetadataConfig{Resource: api.Policy.Identifier, AuthorizationServers: []string{d.Issuer}, Name: api.Spec.Title}
	for _, s := range api.Policy.Scopes.All() {
		c.Scopes = append(c.Scopes, s.Name)
	}
	lanyard.ResourceMetadata(c).ServeHTTP(w, r)
	return true
}

// ServeKeys serves the JWK set that upstreams check assertions with.
func (d *Doors) ServeKeys(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		d.problem(http.StatusMethodNotAllowed, "invalid_request", "Not a method for this", "The key set is only read.").Write(w)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/jwk-set+json")
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(d.Keys(d.Now())) // whoever does not listen any more needs no answer
}
