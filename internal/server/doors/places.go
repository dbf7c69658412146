package doors

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// table is where APIs stand, of one state of the catalog.
type table struct {
	of    *verify.CatalogView
	hosts map[string][]*place // by host, "" for all; the longest prefix first
	all   []*place
}

// place is one route of an API.
type place struct {
	api       *catalog.Compiled
	name      string // of the API
	prefix    string // without a slash at its end; "": everything
	strip     bool
	queryKeys bool
	metadata  string // address of its metadata document; "": the API takes no tokens
}

// WellKnown is where the metadata documents of APIs stand (RFC 9728 section 3).
const WellKnown = "/.well-known/oauth-protected-resource"

// places returns the table of the catalog as it is now.
func (d *Doors) places(ctx context.Context) (*table, error) {
	view, err := d.Verifier.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	if t := d.table.Load(); t != nil && t.of == view {
		return t, nil
	}
	t := &table{of: view, hosts: map[string][]*place{}}
	for _, api := range view.All() {
		for _, r := range api.Spec.Routes {
			at := &place{
				api: api, name: api.Policy.Name, prefix: strings.TrimSuffix(r.Prefix, "/"), strip: r.StripPrefix, queryKeys: slices.Contains(api.Spec.KeyIn, "query"),
			}
			if takesTokens(api) {
				at.metadata = metadataURL(d.GatewayURL, r)
			}
			t.hosts[r.Host] = append(t.hosts[r.Host], at)
			t.all = append(t.all, at)
		}
	}
	for _, list := range t.hosts {
		slices.SortFunc(list, func(x, y *place) int { return cmp.Compare(len(y.prefix), len(x.prefix)) })
	}
	d.table.Store(t)
	return t, nil
}

// metadataURL is where the document about a route's API stands: at the gateway, or at the route's own host with the gateway's scheme.
func metadataURL(gateway string, r lanyard.Route) string {
	if r.Host != "" {
		scheme, _, _ := strings.Cut(gateway, "://")
		gateway = scheme + "://" + r.Host
	}
	return gateway + WellKnown + strings.TrimSuffix(r.Prefix, "/")
}

// takesTokens says whether a token opens anything of the API.
func takesTokens(api *catalog.Compiled) bool {
	if api.Policy.Takes != policy.TakesKey {
		return true
	}
	for _, op := range api.Spec.Operations {
		if op.Takes != "" && policy.Takes(op.Takes) != policy.TakesKey {
			return true
		}
	}
	return false
}

// find returns where a path on a host leads; nil: nowhere. A route of the host goes before those of all hosts, a long prefix before a
// short one.
func (d *Doors) find(ctx context.Context, host, path string) (*place, error) {
	t, err := d.places(ctx)
	if err != nil {
		return nil, err
	}
	for _, list := range [2][]*place{t.hosts[host], t.hosts[""]} {
		for _, at := range list {
			if at.covers(path) {
				return at, nil
			}
		}
	}
	return nil, nil
}

// covers says whether a path lies below the place.
func (p *place) covers(path string) bool {
	rest, is := strings.CutPrefix(path, p.prefix)
	return is && (rest == "" || rest[0] == '/')
}

// forward is the path that the upstream is asked for.
func (p *place) forward(path string) string {
	if !p.strip {
		return path
	}
	return cmp.Or(path[len(p.prefix):], "/")
}
