package manage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

// mayReadAPIs says whether the actor may read the catalog, and whether also where the APIs really are: who makes apps and
// keys needs to know what there is to call, and who follows the changes what they are about, but neither needs the upstream addresses.
func (s *Service) mayReadAPIs(actor audit.Actor) (upstreams bool, err error) {
	if _, err = s.may(actor, catalogRead); err == nil {
		return true, nil
	}
	if s.holds(actor, appsRead) || s.holds(actor, keysRead) || s.holds(actor, changesRead) {
		return false, nil
	}
	return false, err
}

func shownAPI(a lanyard.API, upstreams bool) lanyard.API {
	if !upstreams {
		a.Upstream, a.Upstreams, a.Health = "", nil, nil
	}
	return a
}

// API shows one API. It needs lanyard.catalog.read; with lanyard.apps.read, lanyard.keys.read or lanyard.changes.read its upstreams are left out.
func (s *Service) API(ctx context.Context, actor audit.Actor, name string) (lanyard.API, error) {
	upstreams, err := s.mayReadAPIs(actor)
	if err != nil {
		return lanyard.API{}, err
	}
	a, err := s.existingAPI(ctx, name)
	return shownAPI(a, upstreams), err
}

func (s *Service) existingAPI(ctx context.Context, name string) (lanyard.API, error) {
	if !catalog.ValidName(name) {
		return lanyard.API{}, fault.Missing("API", name)
	}
	return s.CatalogStore.API(ctx, name)
}

// APIs lists every API by name. It needs what API needs.
func (s *Service) APIs(ctx context.Context, actor audit.Actor) ([]lanyard.API, error) {
	upstreams, err := s.mayReadAPIs(actor)
	if err != nil {
		return nil, err
	}
	state, err := s.CatalogStore.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	apis := make([]lanyard.API, 0, len(state.APIs))
	for _, name := range slices.Sorted(maps.Keys(state.APIs)) {
		apis = append(apis, shownAPI(state.APIs[name], upstreams))
	}
	return apis, nil
}

// Plans shows an API's plans by name. It needs what API needs.
func (s *Service) Plans(ctx context.Context, actor audit.Actor, api string) (map[string]lanyard.Plan, error) {
	a, err := s.API(ctx, actor, api)
	if err != nil {
		return nil, err
	}
	if a.Plans == nil {
		return map[string]lanyard.Plan{}, nil
	}
	return a.Plans, nil
}

// Catalog shows the whole catalog as lanyard.yaml would declare it, with defaults written out. It needs
// lanyard.catalog.read.
func (s *Service) Catalog(ctx context.Context, actor audit.Actor) (lanyard.Catalog, error) {
	if err := s.mayOnServer(actor, catalogRead); err != nil {
		return lanyard.Catalog{}, err
	}
	state, err := s.CatalogStore.Catalog(ctx)
	if err != nil {
		return lanyard.Catalog{}, err
	}
	return lanyard.Catalog{Brand: &state.Brand, APIs: state.APIs}, nil
}

// ApplyCatalog brings the catalog to what is declared: each API named is replaced whole, others are left alone, and of the
// brand what is given is set. Applying the same again changes nothing. A dry run finds the same faults and differences and
// writes nothing. Faults name their place as in lanyard.yaml. It needs lanyard.catalog.write.
func (s *Service) ApplyCatalog(ctx context.Context, actor audit.Actor, in lanyard.Catalog, dryRun bool) (lanyard.CatalogDiff, error) {
	if err := s.mayOnServer(actor, catalogWrite); err != nil {
		return lanyard.CatalogDiff{}, err
	}
	return s.changeCatalog(ctx, actor, "catalog.apply", "catalog", dryRun, func(before catalog.State) (catalog.State, error) {
		return catalog.Merge(before, in)
	})
}

// SetBrand replaces the whole brand: what is empty is as on a server without one. Faults name their field below brand. It needs
// lanyard.catalog.write.
func (s *Service) SetBrand(ctx context.Context, actor audit.Actor, brand lanyard.Brand, dryRun bool) (lanyard.CatalogDiff, error) {
	if err := s.mayOnServer(actor, catalogWrite); err != nil {
		return lanyard.CatalogDiff{}, err
	}
	return s.changeCatalog(ctx, actor, "catalog.apply", "catalog", dryRun, func(before catalog.State) (catalog.State, error) {
		before.Brand = lanyard.Brand{}
		return catalog.Merge(before, lanyard.Catalog{Brand: &brand})
	})
}

// PutAPI replaces one API, or makes it. Faults name their place in the API. It needs lanyard.catalog.write.
func (s *Service) PutAPI(ctx context.Context, actor audit.Actor, name string, a lanyard.API, dryRun bool) (lanyard.CatalogDiff, error) {
	if err := s.mayOnServer(actor, catalogWrite); err != nil {
		return lanyard.CatalogDiff{}, err
	}
	diff, err := s.changeCatalog(ctx, actor, "api.put", name, dryRun, func(before catalog.State) (catalog.State, error) {
		return catalog.Merge(before, lanyard.Catalog{APIs: map[string]lanyard.API{name: a}})
	})
	return diff, below("apis."+name, err)
}

// DeleteAPI takes an API away. One to which teams are subscribed stays. It needs lanyard.catalog.write.
func (s *Service) DeleteAPI(ctx context.Context, actor audit.Actor, name string) (id.Revision, error) {
	if err := s.mayOnServer(actor, catalogWrite); err != nil {
		return 0, err
	}
	return s.CatalogStore.UpdateCatalog(ctx, actor.New(s.now(), "api.delete", name, "", nil), func(state *catalog.State) error {
		if _, there := state.APIs[name]; !there {
			return fault.Missing("API", name)
		}
		after := *state
		after.APIs = maps.Clone(state.APIs)
		delete(after.APIs, name)
		if err := catalog.CheckRemovals(*state, after); err != nil {
			return err
		}
		*state = after
		return nil
	})
}

// changeCatalog computes the catalog that is to be, in the store's step or dry, and reports the difference.
func (s *Service) changeCatalog(ctx context.Context, actor audit.Actor, action, target string, dryRun bool, change func(catalog.State) (catalog.State, error)) (lanyard.CatalogDiff, error) {
	answer := lanyard.CatalogDiff{DryRun: dryRun}
	said := map[string]string{} // filled in by the step, which writes the event after it
	step := func(state *catalog.State) error {
		after, err := change(*state)
		if err != nil {
			return err
		}
		if err := catalog.CheckRemovals(*state, after); err != nil {
			return err
		}
		answer.Changes = catalog.Diff(*state, after)
		answer.Warnings = catalog.Warnings(*state, after)
		said["changes"] = pathsText(answer.Changes)
		*state = after
		return nil
	}
	shown := errors.New("only shown")
	rev, err := s.CatalogStore.UpdateCatalog(ctx, actor.New(s.now(), action, target, "", said), func(state *catalog.State) error {
		if err := step(state); err != nil || !dryRun {
			return err
		}
		return shown // so that nothing is written
	})
	if errors.Is(err, shown) {
		return answer, nil
	}
	if err != nil {
		return lanyard.CatalogDiff{}, err
	}
	if rev != 0 {
		answer.Revision = rev.String()
	}
	return answer, nil
}

// pathsText says in an audit line what changed: how many, and the first few places.
func pathsText(all []lanyard.CatalogChange) string {
	const most = 20
	var paths []string
	for _, c := range all[:min(most, len(all))] {
		paths = append(paths, c.Action+" "+c.Path)
	}
	if len(all) > most {
		paths = append(paths, fmt.Sprintf("and %d more", len(all)-most))
	}
	return strings.Join(paths, ", ")
}
