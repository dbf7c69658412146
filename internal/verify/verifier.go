package verify

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/usage"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// Store is what decisions read.
type Store interface {
	Credentials
	Owners
	API(ctx context.Context, name string) (lanyard.API, error)
	Catalog(ctx context.Context) (catalog.State, error)
	History(ctx context.Context, team id.Team, api string) (billing.History, error)
	AddAttempts(ctx context.Context, attempts []usage.Attempt) error
}

// Credentials are the rows of static credentials.
type Credentials interface {
	// KeyForDecision reads a key whatever became of it, deleted ones included.
	KeyForDecision(ctx context.Context, key id.Key) (*key.Key, error)
	// KeyByDigest finds the imported key that one of the digests belongs to.
	KeyByDigest(ctx context.Context, digests [][]byte) (id.Key, error)
	// HasImports reports whether any credential was made elsewhere.
	HasImports(ctx context.Context) (bool, error)
	UpgradeDigest(ctx context.Context, key id.Key, version int, old []byte, now key.Version) error
	PersonalForDecision(ctx context.Context, token id.Key) (*key.Personal, error)
	UpgradePersonal(ctx context.Context, token id.Key, old []byte, pepper int, digest []byte) error
}

// Owners are what credentials hang on.
type Owners interface {
	App(ctx context.Context, reach audit.Reach, app id.App) (*app.App, error)
	AppByAddress(ctx context.Context, address string) (*app.App, error)
	Team(ctx context.Context, reach audit.Reach, team id.Team) (*team.Team, error)
	UserForDecision(ctx context.Context, user id.User) (user.Standing, error)
	GrantForDecision(ctx context.Context, grant id.Grant) (*grant.Grant, error)
}

// Limits count how fast somebody calls: ratelimit.Local on one node, ratelimit.Shared on several. All of one call's requests are
// checked before any is spent.
type Limits interface {
	// Check answers as Spend would and spends nothing. into is appended to.
	Check(ctx context.Context, now time.Time, reqs []ratelimit.Request, into []ratelimit.Status) ratelimit.Outcome
	Spend(ctx context.Context, now time.Time, reqs []ratelimit.Request, into []ratelimit.Status) ratelimit.Outcome
	// Release gives back what an allowed Spend took.
	Release(ctx context.Context, spent ratelimit.Receipt, reqs []ratelimit.Request)
}

// Config is what a Verifier is made of.
type Config struct {
	Store      Store
	Ring       Ring
	Tokens     Opener
	Tail       *changes.Tail // its Listener is set to the Verifier
	Recorder   usage.Recorder
	Limits     Limits
	Quotas     Quotas
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
	keys      *cache[*keyEntry]
	personals *cache[*personalEntry]
	apps      *cache[*appEntry]
	clients   *cache[*app.App] // whole; nil: not there
	addresses *cache[id.App]   // address of a client id metadata document → its app
	teams     *cache[teamEntry]
	users     *cache[user.Standing]
	grants    *cache[*grant.Grant]
	plans     *cache[*choice]
	apis      *cache[*catalog.Compiled]
	catalog   *cache[*CatalogView]
	aliases   *cache[string] // SHA-256 of a foreign credential → characters of its key's id
	imports   *cache[bool]
	tokens    *otter.Cache[tokenDigest, *tokenEntry]
	ring      ringWatch
	proofs    *replays
	guard     *guard
	charges   *charges
	watches   *watches
	upgrades  chan upgradeJob
	sysTeam   atomic.Pointer[id.Team]
	decided   map[policy.Code]*atomic.Int64 // never changed after New
}

// New returns a Verifier and makes it the tail's listener.
func New(c Config) *Verifier {
	if c.CacheSize == 0 {
		c.CacheSize = 1_000_000
	}
	if c.Timeout == 0 {
		c.Timeout = 2 * time.Second
	}
	v := &Verifier{Config: c, upgrades: make(chan upgradeJob, 256), proofs: newReplays()}
	v.ring.soon = make(chan struct{}, 1)
	applied := c.Tail.Applied
	half, few := c.CacheSize/2, c.CacheSize/10
	v.keys = newCache[*keyEntry](c.CacheSize, c.Timeout, c.Now, applied)
	v.personals = newCache[*personalEntry](half, c.Timeout, c.Now, applied)
	v.apps = newCache[*appEntry](half, c.Timeout, c.Now, applied)
	v.clients = newCache[*app.App](few, c.Timeout, c.Now, applied)
	v.addresses = newCache[id.App](few, c.Timeout, c.Now, applied)
	v.teams = newCache[teamEntry](half, c.Timeout, c.Now, applied)
	v.users = newCache[user.Standing](half, c.Timeout, c.Now, applied)
	v.grants = newCache[*grant.Grant](half, c.Timeout, c.Now, applied)
	v.plans = newCache[*choice](half, c.Timeout, c.Now, applied)
	v.apis = newCache[*catalog.Compiled](10_000, c.Timeout, c.Now, applied)
	v.catalog = newCache[*CatalogView](1, c.Timeout, c.Now, applied)
	v.aliases = newCache[string](c.CacheSize, c.Timeout, c.Now, applied)
	v.imports = newCache[bool](1, c.Timeout, c.Now, applied)
	v.tokens = newTokens(max(c.CacheSize/4, 1), c.Now)
	v.guard = newGuard(c.Now())
	v.charges = newCharges()
	v.watches = newWatches()
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
	defer func() { v.watches.touch(kind, entity, v.confirmed()) }()
	switch kind {
	case changes.Key: // personal tokens too: they share the space of ids
		v.keys.invalidate(id.Chars(id.Key(entity)), rev)
		v.personals.invalidate(id.Chars(id.Key(entity)), rev)
	case changes.App:
		v.apps.invalidate(entity, rev)
		v.clients.invalidate(entity, rev)
	case changes.Team:
		v.teams.invalidate(entity, rev)
	case changes.User:
		v.users.invalidate(entity, rev)
	case changes.Grant:
		v.grants.invalidate(entity, rev)
	case changes.API:
		v.apis.invalidate(entity, rev)
		v.catalog.invalidate("", rev)
		v.plans.reset() // an API that goes takes its subscriptions along
	case changes.Subscription:
		v.plans.invalidate(entity, rev)
	case changes.Import:
		v.imports.invalidate("", rev)
	case changes.Keyring:
		v.ringChanged()
	case changes.Restored:
		v.Reset()
	case changes.Brand, changes.Revocation: // nothing of theirs is kept here
	}
}

// Reset implements changes.Listener.
func (v *Verifier) Reset() {
	defer func() { v.watches.touch(changes.Restored, "", v.confirmed()) }()
	v.keys.reset()
	v.personals.reset()
	v.apps.reset()
	v.clients.reset()
	v.addresses.reset()
	v.teams.reset()
	v.users.reset()
	v.grants.reset()
	v.plans.reset()
	v.apis.reset()
	v.catalog.reset()
	v.aliases.reset()
	v.imports.reset()
	v.ringChanged()
}

// sync asks the database for what is new, and waits no longer than a look-up may take.
func (v *Verifier) sync(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, v.Timeout)
	defer cancel()
	return v.Tail.Sync(ctx)
}

// fresh runs read, and once more on fresh knowledge if what it read may be out of date.
func (v *Verifier) fresh(ctx context.Context, read func() error) error {
	for try := 0; ; try++ {
		if err := read(); err != nil {
			return err
		}
		if v.Tail.Fresh(v.Now()) {
			return nil
		}
		if try == 1 {
			return errStale()
		}
		if err := v.sync(ctx); err != nil {
			return err
		}
	}
}
