package server

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/notify"
	"github.com/lanyard-auth/lanyard/internal/outbound"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/server/account"
	"github.com/lanyard-auth/lanyard/internal/server/admin"
	"github.com/lanyard-auth/lanyard/internal/server/developers"
	"github.com/lanyard-auth/lanyard/internal/server/login"
	"github.com/lanyard-auth/lanyard/internal/server/oauth"
	"github.com/lanyard-auth/lanyard/internal/signin"
)

// deliverEvery is how often letters and notices are looked for.
const deliverEvery = 2 * time.Second

// CLI is the client id of the command line: a public app of the built-in team that every database has.
const CLI id.App = "app_LanyardCLI000000"

// newHasher is what passwords are hashed with, on this node.
func (c *Core) newHasher() *factor.Hasher {
	return factor.New(c.Ring.MAC, c.Ring.MACWith, c.opts.Random, runtime.NumCPU())
}

// accounts fills in what the management acts need for people.
func (c *Core) accounts() {
	hasher := c.newHasher()
	m := c.Manage
	m.GrantStore, m.PersonalStore, m.SessionStore, m.LinkStore, m.Passwords, m.Accounts = c.Store, c.Store, c.Store, c.Store, c.Store, c.Store
	m.InvitationStore, m.WebhookStore, m.Outbox, m.KeyLeaks = c.Store, c.Store, c.Store, c.Store
	m.SealSecrets = func(hook id.Webhook, text []byte) ([]byte, error) { return c.Ring.Seal(hookPlace(hook), text) }
	m.OpenSecrets = func(hook id.Webhook, sealed []byte) ([]byte, error) { return c.Ring.Unseal(hookPlace(hook), sealed) }
	m.MACWith, m.CheckPassword = c.Ring.MACWith, factor.Check
	m.Tries = ratelimit.NewMemory(c.opts.Now())
	m.PublicURL, m.SignupMode = c.Settings.PublicURL, c.Settings.Signup
	m.Hash = func(ctx context.Context, user id.User, password string) (factor.Password, error) {
		hash, pepper, err := hasher.Hash(ctx, user, password)
		return factor.Password{User: user, Hash: hash, Pepper: pepper, ChangedAt: c.opts.Now().UTC().Truncate(time.Microsecond)}, err
	}
	m.Prove = func(ctx context.Context, user id.User, password string) (bool, error) {
		there, err := c.Store.Password(ctx, user)
		if fault.Is(err, fault.NotFound) {
			ok, _, err := hasher.Verify(ctx, nil, password)
			return ok, err
		}
		if err != nil {
			return false, err
		}
		ok, _, err := hasher.Verify(ctx, &there, password)
		return ok, err
	}
	m.Letters = c.letter
	c.hasher = hasher
}

// letter seals a mail for its place in the queue.
func (c *Core) letter(kind, to, name, link string, data map[string]string) (*factor.Letter, error) {
	body, err := notify.Encode(notify.Letter{Kind: notify.Kind(kind), To: to, Name: name, Link: link, Data: data})
	if err != nil {
		return nil, err
	}
	l := &factor.Letter{ID: id.New[id.Message](), Kind: "mail"}
	l.Sealed, err = c.Ring.Seal(letterPlace(l.ID), body)
	return l, err
}

func letterPlace(m id.Message) keyring.Place {
	return keyring.Place{Table: "delivery", Column: "sealed", Row: string(m)}
}

func hookPlace(hook id.Webhook) keyring.Place {
	return keyring.Place{Table: "webhook", Column: "secrets", Row: string(hook)}
}

// cli makes the app of the command line, if the database does not have it. It asks for whatever its user may do; what that
// is stands with the user.
func (c *Core) cli(ctx context.Context) error {
	if _, err := c.Store.App(ctx, audit.ServerReach(), CLI); !fault.Is(err, fault.NotFound) {
		return err
	}
	var scopes []string
	for _, s := range c.Management.Scopes.All() {
		scopes = append(scopes, s.Name)
	}
	a := &app.App{
		ID: CLI, Team: c.SystemTeam, Name: "Lanyard command line", Type: app.Public, CreatedAt: c.opts.Now().UTC().Truncate(time.Microsecond),
		OAuth: app.OAuth{
			GrantTypes: []string{app.DeviceCode, app.RefreshToken, app.AuthorizationCode}, AuthMethod: app.AuthNone, RedirectURIs: []string{"http://127.0.0.1/callback"}, Scopes: scopes,
		},
	}
	_, err := c.Store.CreateApp(ctx, a, audit.Command("start").New(a.CreatedAt, "app.create", string(CLI), c.SystemTeam, nil))
	if fault.Is(err, fault.Conflict) { // another node was faster
		return nil
	}
	return err
}

// browsers is how the pages know who asks.
func (s *Server) browsers() *browser.Kit {
	return &browser.Kit{
		Web: s.kit, Sessions: s.Store, Users: s.Store, MAC: s.Ring.MAC, MACWith: s.Ring.MACWith, Secure: strings.HasPrefix(s.Settings.PublicURL, "https://"),
		Now: s.opts.Now, Random: s.opts.Random, Claims: s.Store,
	}
}

// badge wires the visitor badge: the authorization server, the pages of the way in, the account.
func (s *Server) badge(mux *http.ServeMux, pages *page.Kit, browsers *browser.Kit, gateway *Gateway) error {
	fetcher, err := outbound.New(outbound.Options{Allow: s.Settings.OutboundAllow, CAFile: s.Settings.OutboundCAFile})
	if err != nil {
		return err
	}
	s.Manage.CheckFetch = fetcher.CheckURL
	gate := &signin.Gate{Users: s.Store, Passwords: s.Store, Hasher: s.hasher, Limits: ratelimit.NewMemory(s.opts.Now()), Now: s.opts.Now}
	s.oauth = oauth.Register(mux, oauth.Config{
		Issuer: s.Settings.PublicURL, Kit: s.kit, Page: pages, Browser: browsers, Verifier: s.Verifier, Ring: s.Ring, Minter: s.minter, Outbound: fetcher, Gate: gate,
		Apps: s.Store, Keys: s.Store, Users: s.Store, Sessions: s.Store, Grants: s.Store, Requests: s.Store, Codes: s.Store, Chains: s.Store, Devices: s.Store, Notices: s.Store,
		Registration: cmp.Or(s.Settings.DCR, "closed"), Sync: s.Tail.Sync, Prefix: s.cachedPrefix, Now: s.opts.Now, Random: s.opts.Random, Log: s.log,
	})
	login.Register(mux, login.Config{
		Page: pages, Kit: s.kit, Browser: browsers, Gate: gate, Accounts: s.Manage, Verifier: s.Verifier, Requests: s.Store, Devices: s.Store, Grants: s.Store, Logos: fetcher,
		Signup: cmp.Or(s.Settings.Signup, "closed"), Lookups: s.lookups, Logout: s.oauth.EndSession, Now: s.opts.Now,
		Next: func(v *browser.Visit, sealed string) (string, id.App) {
			next := s.oauth.OpenNext(v.Browser, sealed)
			return next.To, next.App
		},
	})
	account.Register(mux, account.Config{
		Page: pages, Kit: s.kit, Browser: browsers, Gate: gate, Accounts: s.Manage, Verifier: s.Verifier, Grants: s.Store, Now: s.opts.Now,
	})
	developers.Register(mux, developers.Config{
		Page: pages, Browser: browsers, Manage: s.Manage, Verifier: s.Verifier, Sync: s.Tail.Sync, PublicURL: s.Settings.PublicURL, Gateway: gateway.URL, Calls: gateway.Handler, Client: s.kit.Client, Now: s.opts.Now,
	})
	var example *lanyard.API
	if s.gateway == nil {
		weather := s.example()
		example = &weather
	}
	admin.Register(mux, admin.Config{
		Page: pages, Browser: browsers, Manage: s.Manage, Verifier: s.Verifier, Ring: s.Ring, Server: s.Store, Settings: s.Settings, Ready: s.Ready, Build: build(), Example: example, Now: s.opts.Now,
	})
	return nil
}

// build says which program runs.
func build() string {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	return "lanyard " + version + ", " + runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH
}

// Deliver sends the letters, notices and webhooks that are due. When it returns, what this node sends is settled.
func (s *Server) Deliver(ctx context.Context) error {
	return errors.Join(s.deliverLetters(ctx), s.deliverHooks(ctx))
}

func (s *Server) deliverLetters(ctx context.Context) error {
	s.delivering.Lock()
	defer s.delivering.Unlock()
	return errors.Join(s.mails.Once(ctx), s.oauth.Deliver(ctx))
}

// deliverHooks has a turn of its own: webhooks may take long to answer, and no letter waits for them.
func (s *Server) deliverHooks(ctx context.Context) error {
	s.telling.Lock()
	defer s.telling.Unlock()
	return s.hooks.Once(ctx)
}

// deliver sends what waits to be sent, until ctx ends.
func (s *Server) deliver(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { s.every(ctx, deliverEvery, "letters", s.deliverLetters) })
	all.Go(func() { s.every(ctx, deliverEvery, "webhooks", s.deliverHooks) })
	all.Go(func() { s.every(ctx, endEvery, "ends of what leaked", s.endLeaked) })
	if s.stripe != nil {
		all.Go(func() { s.every(ctx, exportEvery, "events for Stripe", s.exportStripe) })
	}
	all.Wait()
}

// every sends again and again, until ctx ends.
func (s *Server) every(ctx context.Context, period time.Duration, what string, send func(context.Context) error) {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		if err := send(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("something could not be delivered; it is tried again", "what", what, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// newMails is who sends mails: SMTP where it is set, or what a test or the demo gives.
func (s *Server) newMails() (*notify.Runner, error) {
	sender := s.opts.Sender
	if sender == nil {
		sender = notify.Nowhere{}
		if !s.Settings.SMTPURL.IsZero() {
			smtp, err := notify.NewSMTP(s.Settings.SMTPURL, s.Settings.MailFrom)
			if err != nil {
				return nil, err
			}
			sender = smtp
		}
	}
	return &notify.Runner{
		Queue: s.Store, Sender: sender, Brand: s.brand, Now: s.opts.Now, Log: s.log,
		Open: func(m id.Message, sealed []byte) ([]byte, error) { return s.Ring.Unseal(letterPlace(m), sealed) },
	}, nil
}

// newHooks is who tells webhooks. It fetches by itself, so that slow ones take no turn from logins.
func (s *Server) newHooks() (*notify.Hooks, error) {
	client, err := outbound.New(outbound.Options{Allow: s.Settings.OutboundAllow, CAFile: s.Settings.OutboundCAFile, Timeout: notify.HookTimeout})
	if err != nil {
		return nil, err
	}
	return &notify.Hooks{Queue: s.Store, Open: s.Manage.OpenSecrets, Tell: client.Tell, Warn: s.Manage.WarnWebhook, Now: s.opts.Now, Log: s.log}, nil
}

// prefixFor is how long a prefix read is taken for the current one.
const prefixFor = 5 * time.Second

// readPrefix is a prefix as it stood at a time.
type readPrefix struct {
	text string
	at   time.Time
}

// cachedPrefix is what new credentials begin with, read every few seconds: tokens are made too often to ask each time.
func (s *Server) cachedPrefix() string {
	now := s.opts.Now()
	if last := s.lastPrefix.Load(); last != nil && now.Sub(last.at) < prefixFor {
		return last.text
	}
	next := &readPrefix{s.prefix(context.Background()), now}
	s.lastPrefix.Store(next)
	return next.text
}
