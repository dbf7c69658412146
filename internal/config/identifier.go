package config

import (
	"cmp"
	"strings"

	"github.com/lanyard-auth/lanyard"
)

// Identifier is the audience of an API: what it declares, else where it stands at the gateway, else an address of ours.
func (s *Settings) Identifier(api lanyard.API) string {
	switch {
	case api.Identifier != "":
		return api.Identifier
	case s.GatewayURL != "" && len(api.Routes) > 0:
		r := api.Routes[0]
		scheme, host, _ := strings.Cut(s.GatewayURL, "://")
		return scheme + "://" + cmp.Or(r.Host, host) + strings.TrimSuffix(r.Prefix, "/")
	}
	return s.PublicURL + "/apis/" + api.Name
}
