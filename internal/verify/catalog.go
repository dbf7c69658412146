package verify

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

// CatalogView is every API as of one moment, Lanyard's own included. It is never changed once made.
type CatalogView struct {
	all        []*catalog.Compiled
	name       map[string]*catalog.Compiled
	identifier map[string]*catalog.Compiled // exact, and in the form of canonicalResource
	scope      map[string]*catalog.Compiled
	management *policy.API
}

// Catalog returns the APIs as they are now.
func (v *Verifier) Catalog(ctx context.Context) (view *CatalogView, err error) {
	if view, ok := v.catalog.peek(""); ok && v.Tail.Fresh(v.Now()) {
		return view, nil
	}
	err = v.fresh(ctx, func() (err error) {
		view, err = v.catalog.get(ctx, "", v.readCatalog)
		return err
	})
	if err != nil {
		return nil, err
	}
	return view, nil
}

func (v *Verifier) readCatalog(ctx context.Context) (*CatalogView, error) {
	state, err := v.Store.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	view := &CatalogView{
		name: map[string]*catalog.Compiled{}, identifier: map[string]*catalog.Compiled{}, scope: map[string]*catalog.Compiled{}, management: v.Management,
	}
	for _, name := range slices.Sorted(maps.Keys(state.APIs)) {
		api := state.APIs[name]
		api.Name = name
		compiled, err := catalog.Compile(api, v.Identifier(api))
		if err != nil {
			return nil, err
		}
		view.add(compiled)
	}
	own := v.Management
	view.add(&catalog.Compiled{Spec: lanyard.API{Name: own.Name, Title: "Lanyard", Identifier: own.Identifier, Takes: string(own.Takes), Metering: "none"}, Policy: own})
	view.index()
	return view, nil
}

func (c *CatalogView) add(api *catalog.Compiled) {
	c.all = append(c.all, api)
	c.name[api.Policy.Name] = api
	for _, s := range api.Policy.Scopes.All() {
		c.scope[s.Name] = api
	}
}

// index makes identifiers findable: as declared, and in their canonical form where only one API has it.
func (c *CatalogView) index() {
	forms := map[string]int{}
	for _, api := range c.all {
		forms[canonicalResource(api.Policy.Identifier)]++
	}
	for _, api := range c.all {
		if form := canonicalResource(api.Policy.Identifier); forms[form] == 1 {
			c.identifier[form] = api
		}
	}
	for _, api := range c.all {
		c.identifier[api.Policy.Identifier] = api
	}
}

// All returns the APIs by name, Lanyard's own last. The slice is not to be changed.
func (c *CatalogView) All() []*catalog.Compiled { return c.all }

// ByName returns the API of that name, or nil.
func (c *CatalogView) ByName(name string) *catalog.Compiled { return c.name[name] }

// ByScope returns the API that declares the scope, or nil.
func (c *CatalogView) ByScope(scope string) *catalog.Compiled { return c.scope[scope] }

// ByIdentifier returns the API that a resource parameter or an audience names, or nil. The case of scheme and host and a
// slash at the end do not count (RFC 8707 section 2).
func (c *CatalogView) ByIdentifier(resource string) *catalog.Compiled {
	if api := c.identifier[resource]; api != nil {
		return api
	}
	if strings.HasSuffix(resource, "//") { // one slash more does not count, two are another resource
		return nil
	}
	return c.identifier[canonicalResource(resource)]
}

// Management is Lanyard's own API.
func (c *CatalogView) Management() *policy.API { return c.management }
