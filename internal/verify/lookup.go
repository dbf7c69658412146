package verify

import (
	"cmp"
	"context"
	"net/netip"
	"time"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/user"
)

func (v *Verifier) app(ctx context.Context, appID id.App) (*appEntry, error) {
	if e, ok := v.apps.peek(string(appID)); ok {
		return e, nil
	}
	return v.apps.get(ctx, string(appID), func(ctx context.Context) (*appEntry, error) {
		a, err := v.Store.App(ctx, audit.ServerReach(), appID)
		if fault.Is(err, fault.NotFound) {
			return &appEntry{gone: true}, nil // deleted
		}
		if err != nil {
			return nil, err
		}
		return newAppEntry(a, v.Now())
	})
}

// client is an app in full; nil for one that is not there.
func (v *Verifier) client(ctx context.Context, appID id.App) (*app.App, error) {
	if a, ok := v.clients.peek(string(appID)); ok {
		return a, nil
	}
	return v.clients.get(ctx, string(appID), func(ctx context.Context) (*app.App, error) {
		a, err := v.Store.App(ctx, audit.ServerReach(), appID)
		if fault.Is(err, fault.NotFound) {
			return nil, nil
		}
		return a, err
	})
}

func (v *Verifier) team(ctx context.Context, teamID id.Team) (teamEntry, error) {
	if e, ok := v.teams.peek(string(teamID)); ok {
		return e, nil
	}
	return v.teams.get(ctx, string(teamID), func(ctx context.Context) (teamEntry, error) {
		t, err := v.Store.Team(ctx, audit.ServerReach(), teamID)
		if err != nil {
			return teamEntry{}, err
		}
		e := teamEntry{suspended: !t.SuspendedAt.IsZero(), name: t.Name, limits: limitsOf("team", t.Limits)}
		if t.System {
			e.name = ""
		}
		return e, nil
	})
}

// user is how a user stands. One who is not there is disabled.
func (v *Verifier) user(ctx context.Context, userID id.User) (user.Standing, error) {
	if e, ok := v.users.peek(string(userID)); ok {
		return e, nil
	}
	return v.users.get(ctx, string(userID), func(ctx context.Context) (user.Standing, error) {
		standing, err := v.Store.UserForDecision(ctx, userID)
		if fault.Is(err, fault.NotFound) {
			return user.Standing{Disabled: true}, nil
		}
		standing.Limits = limitsOf("user", standing.Limits)
		return standing, err
	})
}

// grant is a grant whatever became of it. One that is not there counts as revoked.
func (v *Verifier) grant(ctx context.Context, grantID id.Grant) (*grant.Grant, error) {
	if g, ok := v.grants.peek(string(grantID)); ok {
		return g, nil
	}
	return v.grants.get(ctx, string(grantID), func(ctx context.Context) (*grant.Grant, error) {
		g, err := v.Store.GrantForDecision(ctx, grantID)
		if fault.Is(err, fault.NotFound) {
			return &grant.Grant{ID: grantID, RevokedAt: v.Now()}, nil
		}
		return g, err
	})
}

func (v *Verifier) api(ctx context.Context, name string) (*catalog.Compiled, error) {
	if a, ok := v.apis.peek(name); ok {
		return a, nil
	}
	return v.apis.get(ctx, name, func(ctx context.Context) (*catalog.Compiled, error) {
		a, err := v.Store.API(ctx, name)
		if fault.Is(err, fault.NotFound) {
			return nil, fault.Missing("API", name)
		}
		if err != nil {
			return nil, err
		}
		return catalog.Compile(a, v.Identifier(a))
	})
}

// planEntry is the plan in force for a team on an API.
type planEntry struct {
	ends    time.Time // when another plan takes its place; zero: that was not decided
	name    string
	subject string // whom its limits count: the team on this API, or the user behind a personal token
	limits  []ratelimit.Limit
	owner   string // the team or the user
	quota   billing.Quota
	since   time.Time // when the team chose it
	bound   *bound    // of what it may spend; nil: none
}

// choice is which plan a team has for an API, and what its bills are bounded by until a time.
type choice struct {
	billing.Subscription
	bounds []bound
	until  time.Time
}

// bound is a stretch of a plan with a spend limit, and the meters of calls that cost something in it.
type bound struct {
	billing.Period
	meters []billing.Meter
}

// foreseen is how far ahead a choice knows of bounds.
const foreseen = 72 * time.Hour

func newChoice(h billing.History, now time.Time) *choice {
	c := &choice{Subscription: h.Subscription, until: now.Add(foreseen)}
	for _, stretch := range h.Stretches(now, c.until) {
		charges := stretch.Version.Charges
		b := bound{Period: stretch.Held}
		for _, p := range charges.Prices {
			if p.Meter == billing.Requests || p.Meter == billing.Units {
				b.meters = append(b.meters, p.Meter)
			}
		}
		if charges.SpendLimit > 0 && len(b.meters) > 0 {
			c.bounds = append(c.bounds, b)
		}
	}
	return c
}

func (c *choice) boundAt(t time.Time) *bound {
	for i := range c.bounds {
		if c.bounds[i].Contains(t) {
			return &c.bounds[i]
		}
	}
	return nil
}

func (v *Verifier) plan(ctx context.Context, h *holder, api *catalog.Compiled, now time.Time) (planEntry, error) {
	if len(api.Policy.Plans) == 0 {
		return planEntry{}, nil
	}
	owner := string(h.team)
	if h.personal != nil {
		owner = string(h.user)
	}
	entity := owner + "/" + api.Policy.Name
	chosen := &choice{}
	if h.personal == nil { // only teams subscribe
		var ok bool
		chosen, ok = v.plans.peek(entity)
		if ok && !now.Before(chosen.until) {
			v.plans.drop(entity)
			ok = false
		}
		if !ok {
			var err error
			if chosen, err = v.plans.get(ctx, entity, func(ctx context.Context) (*choice, error) {
				h, err := v.Store.History(ctx, h.team, api.Policy.Name)
				return newChoice(h, now), err
			}); err != nil {
				return planEntry{}, err
			}
		}
	}
	name := cmp.Or(chosen.PlanAt(now), api.Policy.DefaultPlan)
	next, _ := chosen.Next(now)
	return planEntry{ends: next.At, name: name, subject: entity, limits: api.PlanLimits[name], owner: owner, quota: api.PlanQuotas[name], since: chosen.Anchor(now), bound: chosen.boundAt(now)}, nil
}

// network is the neighbourhood of an address that "last used" shows: /24 for IPv4, /48 for IPv6.
func network(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	ip = ip.Unmap()
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	p, err := ip.WithZone("").Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}
