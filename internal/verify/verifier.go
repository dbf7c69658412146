package verify

import (
	"context"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// Store is what decisions read.
type Store interface {
	// KeyForDecision reads a key whatever became of it, deleted ones included.
	KeyForDecision(ctx context.Context, key id.Key) (*key.Key, error)
	// KeyByDigest finds the imported key that one of the digests belongs to.
	KeyByDigest(ctx context.Context, digests [][]byte) (id.Key, error)
	// HasImports reports whether any credential was made elsewhere.
	HasImports(ctx context.Context) (bool, error)
	UpgradeDigest(ctx context.Context, key id.Key, version int, old []byte, now key.Version) error
	App(ctx context.Context, reach audit.Reach, app id.App) (*app.App, error)
	Team(ctx context.Context, reach audit.Reach, team id.Team) (*team.Team, error)
	API(ctx context.Context, name string) (lanyard.API, error)
	Subscription(ctx context.Context, team id.Team, api string) (billing.Subscription, error)
	AddAttempts(ctx context.Context, attempts []usage.Attempt) error
}

// Config is what a Verifier is made of.
type Config struct {
	Store      Store
	Ring       Ring
	Tail       *changes.Tail // its Listener is set to the Verifier
	Recorder   usage.Recorder
	Limits     *ratelimit.Memory
	Management *policy.API                  // the API `lanyard`
	Identifier func(api lanyard.API) string // the audience of an API that declares none
	CacheSize  int                          // entries of the largest cache; 0 means 1,000,000
	Timeout    time.Duration                // of a look-up; 0 means 2 s
	Now        func() time.Time
	Log        *slog.Logger
}

// Verifier makes decisions. It is safe for concurrent use.
type Verifier struct {
	Config
	keys     *cache[*keyEntry]
	apps     *cache[*appEntry]
	teams    *cache[teamEntry]
	plans    *cache[string]
	apis     *cache[*catalog.Compiled]
	aliases  *cache[string] // SHA-256 of a foreign credential → characters of its key's id
	imports  *cache[bool]
	guard    *guard
	charges  *charges
	upgrades chan upgradeJob
	sysTeam  atomic.Pointer[id.Team]
	decided  map[policy.Code]*atomic.Int64 // never changed after New
}

// New returns a Verifier and makes it the tail's listener.
func New(c Config) *Verifier {
	if c.CacheSize == 0 {
		c.CacheSize = 1_000_000
	}
	if c.Timeout == 0 {
		c.Timeout = 2 * time.Second
	}
	v := &Verifier{Config: c, upgrades: make(chan upgradeJob, 256)}
	applied := c.Tail.Applied
	v.keys = newCache[*keyEntry](c.CacheSize, c.Timeout, c.Now, applied)
	v.apps = newCache[*appEntry](c.CacheSize/2, c.Timeout, c.Now, applied)
	v.teams = newCache[teamEntry](c.CacheSize/2, c.Timeout, c.Now, applied)
	v.plans = newCache[string](c.CacheSize/2, c.Timeout, c.Now, applied)
	v.apis = newCache[*catalog.Compiled](10_000, c.Timeout, c.Now, applied)
	v.aliases = newCache[string](c.CacheSize, c.Timeout, c.Now, applied)
	v.imports = newCache[bool](1, c.Timeout, c.Now, applied)
	v.guard = newGuard(c.Now())
	v.charges = newCharges()
	v.decided = make(map[policy.Code]*atomic.Int64, len(policy.Codes()))
	for _, code := range policy.Codes() {
		v.decided[code] = &atomic.Int64{}
	}
	c.Tail.Listener = v
	return v
}

// SetSystemTeam says which team's credentials act for the server.
func (v *Verifier) SetSystemTeam(t id.Team) { v.sysTeam.Store(&t) }

func (v *Verifier) system() id.Team {
	if t := v.sysTeam.Load(); t != nil && *t != "" {
		return *t
	}
	return "none" // no id reads so: without a system team nobody acts for the server
}

// Decided is how many decisions ended with the code since the start.
func (v *Verifier) Decided(code policy.Code) int64 {
	if n := v.decided[code]; n != nil {
		return n.Load()
	}
	return 0
}

// Invalidate implements changes.Listener.
func (v *Verifier) Invalidate(kind changes.Kind, entity string, rev id.Revision) {
	switch kind {
	case changes.Key:
		v.keys.invalidate(id.Chars(id.Key(entity)), rev)
	case changes.App:
		v.apps.invalidate(entity, rev)
	case changes.Team:
		v.teams.invalidate(entity, rev)
	case changes.API:
		v.apis.invalidate(entity, rev)
		v.plans.reset() // an API that goes takes its subscriptions along
	case changes.Subscription:
		v.plans.invalidate(entity, rev)
	case changes.Import:
		v.imports.invalidate("", rev)
	case changes.Restored:
		v.Reset()
	case changes.User, changes.Brand, changes.Keyring, changes.Revocation: // nothing of theirs is kept here
	}
}

// Reset implements changes.Listener.
func (v *Verifier) Reset() {
	v.keys.reset()
	v.apps.reset()
	v.teams.reset()
	v.plans.reset()
	v.apis.reset()
	v.aliases.reset()
	v.imports.reset()
}

// sync asks the database for what is new, and waits no longer than a look-up may take.
func (v *Verifier) sync(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, v.Timeout)
	defer cancel()
	return v.Tail.Sync(ctx)
}

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

func (v *Verifier) team(ctx context.Context, teamID id.Team) (teamEntry, error) {
	if e, ok := v.teams.peek(string(teamID)); ok {
		return e, nil
	}
	return v.teams.get(ctx, string(teamID), func(ctx context.Context) (teamEntry, error) {
		t, err := v.Store.Team(ctx, audit.ServerReach(), teamID)
		if err != nil {
			return teamEntry{}, err
		}
		return teamEntry{suspended: !t.SuspendedAt.IsZero()}, nil
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
	name    string
	subject string // whom its limits count: the team on this API
	limits  []ratelimit.Limit
}

func (v *Verifier) plan(ctx context.Context, teamID id.Team, api *catalog.Compiled) (planEntry, error) {
	if len(api.Policy.Plans) == 0 {
		return planEntry{}, nil
	}
	entity := string(teamID) + "/" + api.Policy.Name
	name, ok := v.plans.peek(entity)
	if !ok {
		var err error
		if name, err = v.plans.get(ctx, entity, func(ctx context.Context) (string, error) {
			s, err := v.Store.Subscription(ctx, teamID, api.Policy.Name)
			return s.Plan, err
		}); err != nil {
			return planEntry{}, err
		}
	}
	if name == "" {
		name = api.Policy.DefaultPlan
	}
	return planEntry{name: name, subject: entity, limits: api.PlanLimits[name]}, nil
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
