package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/notify"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/token"
)

// DefaultPrefix begins the credentials of a provider who named none.
const DefaultPrefix = "lyd"

// Options are what tests and commands give beside the settings. The zero value is the real thing.
type Options struct {
	Log    *slog.Logger
	Now    func() time.Time
	Random io.Reader
	Sender notify.Sender // nil: by SMTP, where the settings name a server

	RedisTimeout time.Duration // of a call; 0: 5 ms
}

func (o *Options) complete() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the clock field's zero value is the real clock
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
}

// Core is an open database with its keys and the management acts: what a server is built on, and what commands on the
// database use without one.
type Core struct {
	Settings   config.Settings
	Store      *store.Store
	Ring       *keyring.Ring
	Manage     *manage.Service
	Management *policy.API
	SystemTeam id.Team
	SystemApp  id.App
	NewMaster  bool // the master key was made at this start
	opts       Options
	hasher     *factor.Hasher
	minter     *token.Minter
}

// Open opens the database of the settings and its keyring. For an empty SQLite database it makes a master key; a database
// that was made with another master key is refused.
func Open(ctx context.Context, settings config.Settings, opts Options) (_ *Core, err error) {
	opts.complete()
	st, err := store.Open(ctx, settings.DatabaseURL.Reveal(), opts.Log)
	if err != nil {
		return nil, err
	}
	c := &Core{Settings: settings, Store: st, opts: opts}
	defer func() {
		if err != nil {
			err = errors.Join(err, st.Close())
		}
	}()
	masters, err := c.masters(ctx)
	if err != nil {
		return nil, err
	}
	if c.Ring, err = keyring.Open(ctx, st, masters, opts.Now()); err != nil {
		return nil, err
	}
	if c.SystemTeam, c.SystemApp, err = st.SystemTeam(ctx, opts.Now()); err != nil {
		return nil, err
	}
	if err := st.VersionPlans(ctx, opts.Now()); err != nil {
		return nil, err
	}
	c.Management = catalog.Management(settings.PublicURL)
	c.Manage = &manage.Service{
		AppStore: st, KeyStore: st, TeamStore: st, UserStore: st, CatalogStore: st, BillingStore: st, StripeStore: st, Usage: st, Log: st, Lists: st, Changes: st, Watch: st,
		MAC: c.Ring.MAC, Lookups: c.lookups, Prefix: c.prefix, Management: c.Management, Now: opts.Now, Random: opts.Random,
		StripeOn: !settings.StripeKey.IsZero(), LeakRules: settings.LeakRules,
	}
	c.minter = &token.Minter{Keys: c.Ring, Issuer: settings.PublicURL, Now: opts.Now}
	c.accounts()
	return c, c.cli(ctx)
}

// Close closes the database.
func (c *Core) Close() error { return c.Store.Close() }

// Masters reads the master keys that the settings name, for commands that rotate them. It makes none.
func Masters(settings config.Settings) (keyring.Masters, error) {
	var m keyring.Masters
	var err error
	if settings.MasterKey.IsZero() {
		m.Current, err = keyring.ReadMasterFile(settings.MasterKeyFile())
	} else {
		m.Current, err = keyring.ParseMaster(settings.MasterKey.Reveal())
	}
	if err != nil || settings.MasterKeyPrevious.IsZero() {
		return m, err
	}
	previous, err := keyring.ParseMaster(settings.MasterKeyPrevious.Reveal())
	m.Previous = &previous
	return m, err
}

// masters reads the master keys, or makes the first one for an empty SQLite database of our own.
func (c *Core) masters(ctx context.Context) (keyring.Masters, error) {
	m, err := Masters(c.Settings)
	if !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	if c.Settings.Postgres() {
		return m, fault.New(fault.Invalid, "there is no master key: set LANYARD_MASTER_KEY, or LANYARD_MASTER_KEY_FILE, to the one this database was made with; for a new one run `lanyard master-key new`")
	}
	state, err := c.Store.Keyring(ctx)
	if err != nil {
		return m, err
	}
	if !state.Empty() {
		return m, fault.New(fault.Invalid, "the database exists, but its master key %s does not: put the key back, or name it in LANYARD_MASTER_KEY; without it the database opens nothing", c.Settings.MasterKeyFile())
	}
	if err := os.MkdirAll(c.Settings.DataDir, 0o700); err != nil {
		return m, fmt.Errorf("make the data directory: %w", err)
	}
	master, err := keyring.GenerateMaster(1, c.opts.Random)
	if err != nil {
		return m, err
	}
	err = keyring.WriteMasterFile(c.Settings.MasterKeyFile(), master)
	if errors.Is(err, fs.ErrExist) {
		return Masters(c.Settings) // another start was faster
	}
	c.NewMaster = err == nil
	m.Current = master
	return m, err
}

func (c *Core) lookups(credential string) [][]byte {
	var digests [][]byte
	for _, l := range c.Ring.Lookups(credential) {
		digests = append(digests, l.Digest[:])
	}
	return digests
}

// prefix is what new credentials begin with: the setting, else the brand's, else ours.
func (c *Core) prefix(ctx context.Context) string {
	if c.Settings.KeyPrefix != "" {
		return c.Settings.KeyPrefix
	}
	state, err := c.Store.Catalog(ctx)
	if err != nil {
		c.opts.Log.Warn("the brand cannot be read; using the default key prefix", "error", err)
		return DefaultPrefix
	}
	return cmp.Or(state.Brand.KeyPrefix, DefaultPrefix)
}
