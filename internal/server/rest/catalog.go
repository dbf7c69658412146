package rest

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
)

const (
	catalogRead  = "lanyard.catalog.read"
	catalogWrite = "lanyard.catalog.write"
)

type apiPath struct {
	Name string `path:"name" doc:"The API's name"`
}

type apiInput struct {
	Name   string `path:"name" doc:"The API's name"`
	DryRun bool   `query:"dry_run" doc:"Only say what would change"`
	Body   lanyard.API
}

type apiEnd struct {
	Name string `path:"name" doc:"The API's name"`
	Waiting
}

type plansQuery struct {
	Name string `path:"name" doc:"The API's name"`
	Paging
}

type catalogInput struct {
	DryRun bool `query:"dry_run" doc:"Only say what would change"`
	Body   lanyard.Catalog
}

func (a *api) addCatalog() {
	s := a.Service
	// Whoever makes apps or keys needs to see what there is to ask for, and who follows the changes what they are about; upstream addresses are for readers of the catalog.
	readers := []string{catalogRead, appsRead, keysRead, changesRead}
	add(a, route{
		id: "list-apis", method: http.MethodGet, path: "/v1/apis", tag: "catalog", scopes: readers,
		summary: "List the protected APIs", description: "By name.",
	}, func(ctx context.Context, actor audit.Actor, in *Paging) (lanyard.Page[lanyard.API], error) {
		apis, err := s.APIs(ctx, actor)
		if err != nil {
			return lanyard.Page[lanyard.API]{}, err
		}
		return pageOf(apis, *in)
	})
	add(a, route{
		id: "show-api", method: http.MethodGet, path: "/v1/apis/{name}", tag: "catalog", scopes: readers,
		summary: "Show an API",
	}, func(ctx context.Context, actor audit.Actor, in *apiPath) (lanyard.API, error) {
		return s.API(ctx, actor, in.Name)
	})
	add(a, route{
		id: "put-api", method: http.MethodPut, path: "/v1/apis/{name}", tag: "catalog", scopes: []string{catalogWrite},
		summary: "Declare an API", description: "What stood under its name before is replaced.",
	}, func(ctx context.Context, actor audit.Actor, in *apiInput) (lanyard.CatalogDiff, error) {
		return s.PutAPI(ctx, actor, in.Name, in.Body, in.DryRun)
	})
	add(a, route{
		id: "delete-api", method: http.MethodDelete, path: "/v1/apis/{name}", tag: "catalog", scopes: []string{catalogWrite},
		summary: "Remove an API", description: "Nothing passes its doors afterwards.",
	}, func(ctx context.Context, actor audit.Actor, in *apiEnd) (lanyard.Applied, error) {
		return a.applied(ctx, in.Waiting, func() (id.Revision, error) { return s.DeleteAPI(ctx, actor, in.Name) })
	})
	add(a, route{
		id: "list-plans", method: http.MethodGet, path: "/v1/apis/{name}/plans", tag: "catalog", scopes: readers,
		summary: "List an API's plans", description: "By name.",
	}, func(ctx context.Context, actor audit.Actor, in *plansQuery) (lanyard.Page[lanyard.NamedPlan], error) {
		plans, err := s.Plans(ctx, actor, in.Name)
		if err != nil {
			return lanyard.Page[lanyard.NamedPlan]{}, err
		}
		var named []lanyard.NamedPlan
		for _, name := range slices.Sorted(maps.Keys(plans)) {
			named = append(named, lanyard.NamedPlan{Name: name, Plan: plans[name]})
		}
		return pageOf(named, in.Paging)
	})
	add(a, route{
		id: "read-catalog", method: http.MethodGet, path: "/v1/catalog", tag: "catalog", scopes: []string{catalogRead},
		summary: "Read the whole catalog", description: "As lanyard.yaml declares it.",
	}, func(ctx context.Context, actor audit.Actor, _ *struct{}) (lanyard.Catalog, error) {
		return s.Catalog(ctx, actor)
	})
	add(a, route{
		id: "apply-catalog", method: http.MethodPut, path: "/v1/catalog", tag: "catalog", scopes: []string{catalogWrite},
		summary: "Apply a catalog", description: "APIs it does not name are left alone. Applying the same again changes nothing.",
	}, func(ctx context.Context, actor audit.Actor, in *catalogInput) (lanyard.CatalogDiff, error) {
		return s.ApplyCatalog(ctx, actor, in.Body, in.DryRun)
	})
}
