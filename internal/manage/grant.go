package manage

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// granting is everything that decides whether an actor may put scopes on the keys of one app. It is read before the act,
// so that what uses it is pure and can run inside a store's step.
type granting struct {
	service *Service
	actor   audit.Actor
	app     *app.App
	system  bool     // the app belongs to the built-in team
	owner   bool     // the actor is a user who owns the app's team
	held    []string // scopes of the team's key that acts
	apis    map[string]lanyard.API
	plans   map[string]string // the team's subscriptions by API
}

func (s *Service) granting(ctx context.Context, actor audit.Actor, a *app.App) (*granting, error) {
	g := &granting{service: s, actor: actor, app: a, plans: map[string]string{}}
	owner, err := s.TeamStore.Team(ctx, audit.ServerReach(), a.Team)
	if err != nil {
		return nil, err
	}
	g.system = owner.System
	state, err := s.CatalogStore.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	g.apis = state.APIs
	subscriptions, err := s.BillingStore.Subscriptions(ctx, audit.TeamReach(a.Team), a.Team)
	if err != nil {
		return nil, err
	}
	for _, sub := range subscriptions {
		g.plans[sub.API] = sub.PlanAt(s.now())
	}
	if user := actor.Reach.User(); user != "" {
		_, err := s.TeamStore.Team(ctx, actor.Reach.As(audit.RoleOwner), a.Team)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return nil, err
		}
		g.owner = err == nil
	}
	if actor.Key != "" {
		own, err := s.KeyStore.Key(ctx, audit.TeamReach(a.Team), actor.Key)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return nil, err
		}
		if err == nil {
			g.held = own.Scopes
		}
	}
	return g, nil
}

// prohibitsAll checks scopes that are asked for a key; field is their list's name. Those it has already are not asked
// again: who may rename a key need not be able to grant what stands on it.
func (g *granting) prohibitsAll(field string, scopes, already, apis []string) error {
	if err := checkCount(field, len(scopes), maxScopes); err != nil {
		return err
	}
	for i, scope := range scopes {
		if slices.Contains(already, scope) {
			continue
		}
		if err := g.prohibits(scope, apis); err != nil {
			return under(fmt.Sprintf("%s[%d]", field, i), err)
		}
	}
	return nil
}

// prohibits says why the actor may not give the scope to a key of the app, whose verify calls are narrowed to apis, or nil.
func (g *granting) prohibits(scope string, apis []string) error {
	if s := g.service.Management.Scopes.Get(scope); s != nil {
		return g.prohibitsManagement(s, apis)
	}
	for _, name := range slices.Sorted(maps.Keys(g.apis)) {
		if s, declared := g.apis[name].Scopes[scope]; declared {
			return g.prohibitsOf(g.apis[name], scope, s)
		}
	}
	return g.unknownScope(scope)
}

func (g *granting) unknownScope(scope string) error {
	text := fmt.Sprintf("there is no scope %.80q", secret.Redact(scope))
	if near := nearest(scope, g.known()); len(near) > 0 {
		text += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return fault.New(fault.Invalid, "%s", text)
}

// prohibitsManagement: nobody grants what they do not hold, and what reaches the whole server stays in the team system.
func (g *granting) prohibitsManagement(s *policy.Scope, apis []string) error {
	server := g.actor.Reach.Server()
	switch {
	case !g.service.holds(g.actor, s.Name):
		return refuse(s.Name, "you do not hold it yourself")
	case g.app.Origin != app.MadeHere:
		return refuse(s.Name, "the app registered itself, and such apps manage nothing")
	case s.ServerReach && !g.system:
		return refuse(s.Name, "it reaches the whole server and works only for apps of the team system (`lanyard admin key create`)")
	case s.Name == verifyScope && !server:
		return refuse(s.Name, "only an admin can let an app ask for decisions")
	case s.Name == verifyScope && !narrower(apis, g.actor.APIs):
		return refuse(s.Name, "you hold it only for "+strings.Join(g.actor.APIs, ", ")+": narrow the key by apis")
	case s.GrantableBy == policy.GrantableByTeamOwner && !server && g.actor.Reach.User() != "" && !g.owner:
		return refuse(s.Name, "only an owner of the team can")
	}
	return nil
}

// prohibitsOf: the team must be able to call the API at all, and grantable_by must admit the actor. A key of the team
// stands in for its owner only with a scope that it holds itself.
func (g *granting) prohibitsOf(api lanyard.API, name string, s lanyard.Scope) error {
	server := g.actor.Reach.Server()
	switch policy.Grantor(s.GrantableBy) {
	case policy.GrantableByEveryone:
	case policy.GrantableByTeamOwner:
		if !server && !g.owner && !covers(api, g.held, name) {
			return refuse(name, "only an owner of the team can, or a key that holds it")
		}
	default:
		if !server {
			return refuse(name, "only an admin can")
		}
	}
	if g.plans[api.Name] == "" && len(api.Plans) > 0 && !hasDefault(api) {
		return refuse(name, fmt.Sprintf("the team is not subscribed to the API %s: choose one of its plans first (%s)", api.Name, strings.Join(slices.Sorted(maps.Keys(api.Plans)), ", ")))
	}
	return nil
}

func refuse(scope, why string) error {
	return fault.New(fault.NotGrantable, "you cannot give %s to this app's keys: %s", scope, why)
}

// narrower says whether a list of APIs lies within another, where none means every API.
func narrower(apis, within []string) bool {
	if len(within) == 0 {
		return true
	}
	outside := func(name string) bool { return !slices.Contains(within, name) }
	return len(apis) > 0 && !slices.ContainsFunc(apis, outside)
}

func hasDefault(api lanyard.API) bool {
	for _, plan := range api.Plans {
		if plan.Default {
			return true
		}
	}
	return false
}

// covers says whether held scopes give a scope of the API. A declaration that does not compile gives nothing.
func covers(api lanyard.API, held []string, scope string) bool {
	compiled, err := catalog.Compile(api, "")
	return err == nil && compiled.Policy.Scopes.Covers(held, scope, false)
}

func (g *granting) known() []string {
	var names []string
	for _, s := range g.service.Management.Scopes.All() {
		names = append(names, s.Name)
	}
	for _, api := range g.apis {
		names = slices.AppendSeq(names, maps.Keys(api.Scopes))
	}
	return names
}

// unknownOperation wants each operation declared by an API that one of the scopes opens; by any API when there is no such
// scope.
func (g *granting) unknownOperation(operations, scopes []string) error {
	if err := checkCount("operations", len(operations), maxOperations); err != nil {
		return err
	}
	declared := map[string]bool{}
	var opened []string
	for _, name := range slices.Sorted(maps.Keys(g.apis)) {
		for scope := range g.apis[name].Scopes {
			if slices.Contains(scopes, scope) {
				opened = append(opened, name)
				break
			}
		}
	}
	for name, api := range g.apis {
		if len(opened) == 0 || slices.Contains(opened, name) {
			for operation := range api.Operations {
				declared[operation] = true
			}
		}
	}
	for i, operation := range operations {
		if !declared[operation] {
			where := "no API declares it"
			if len(opened) > 0 {
				where = "of the APIs that its scopes open (" + strings.Join(opened, ", ") + ") none declares it"
			}
			return fault.Field(fmt.Sprintf("operations[%d]", i), "there is no operation %.100q: %s", operation, where)
		}
	}
	return nil
}

func (g *granting) unknownAPI(names []string) error {
	for i, name := range names {
		if _, there := g.apis[name]; !there {
			return fault.Field(fmt.Sprintf("apis[%d]", i), "there is no API %.80q", name)
		}
	}
	return checkCount("apis", len(names), maxAPIs)
}

// withholds says why the actor may not come by what the key can do, or nil: a rotation hands out a secret, enabling and
// widening hand out rights, and management rights are handed on only by who holds them.
func (s *Service) withholds(actor audit.Actor, k *key.Key) error {
	for _, scope := range k.Scopes {
		if s.Management.Scopes.Get(scope) == nil {
			continue
		}
		if !s.holds(actor, scope) || scope == verifyScope && !narrower(k.APIs, actor.APIs) {
			err := fault.New(fault.NotGrantable, "key %s holds %s, which you do not: you can restrict, disable or revoke it, but not pass its rights on", k.ID, scope)
			err.ID = string(k.ID)
			return err
		}
	}
	return nil
}
