package lanyard

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// ResourceMetadataConfig says who guards an API, so that programs find out where to ask for a badge (RFC 9728).
type ResourceMetadataConfig struct {
	Resource             string   // the API's identifier, as tokens name it in aud
	AuthorizationServers []string // issuers: where badges for it are handed out
	Scopes               []string // what can be asked for; may be empty
	Name                 string   // what people call the API; may be empty
	Documentation        string   // a page for developers; may be empty
}

// ResourceMetadata serves the metadata document of a protected resource, for everybody and from any origin. Mount it at
// /.well-known/oauth-protected-resource, with the path of the resource behind it where it has one, outside Require.
func ResourceMetadata(c ResourceMetadataConfig) http.Handler {
	body, err := json.Marshal(struct {
		Resource             string   `json:"resource"`
		AuthorizationServers []string `json:"authorization_servers"`
		Scopes               []string `json:"scopes_supported,omitempty"`
		Methods              []string `json:"bearer_methods_supported"`
		Name                 string   `json:"resource_name,omitempty"`
		Documentation        string   `json:"resource_documentation,omitempty"`
		DPoPAlgs             []string `json:"dpop_signing_alg_values_supported"`
	}{
		c.Resource, c.AuthorizationServers, c.Scopes, []string{"header"}, c.Name, c.Documentation, []string{"ES256", "RS256", "PS256", "EdDSA", "ES384"},
	})
	if err != nil {
		panic("lanyard: resource metadata cannot be written: " + err.Error()) // strings alone
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("X-Content-Type-Options", "nosniff")
		switch r.Method {
		case http.MethodOptions:
			h.Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
			h.Set("Access-Control-Allow-Headers", "MCP-Protocol-Version")
			w.WriteHeader(http.StatusNoContent)
			return
		case http.MethodGet, http.MethodHead:
		default:
			h.Set("Allow", "GET, HEAD, OPTIONS")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "public, max-age=300")
		h.Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body) // who does not read it has gone
	})
}

// WithResourceMetadata names the address of the API's metadata document in every challenge, so that programs without any
// setting find out where to get a badge (RFC 9728 section 5.1).
func WithResourceMetadata(address string) Option {
	return func(g *gate) { g.metadata = address }
}

// challenge adds the address of the metadata to a challenge.
func (g *gate) challenge(text string) string {
	if g.metadata == "" {
		return text
	}
	return text + `, resource_metadata=` + quoted(g.metadata)
}
