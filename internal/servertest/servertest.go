// Package servertest starts whole servers in a test: real databases, real HTTP on loopback, real time unless told
// otherwise. Several servers on one database are several nodes.
package servertest

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/notify"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/server"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// Options say how a test's server differs from the usual one. The zero value is SQLite in a directory of the test.
type Options struct {
	DatabaseURL string         // such as pgtest.Start's; "" is SQLite in Dir
	Dir         string         // data directory; "" is a new one
	Master      keyring.Master // the zero value: one is made
	Durability  string         // "" is the default of the database
	PublicURL   string         // the issuer; "" is where the node listens. Nodes of one deployment have one
	Gateway     bool           // a gateway listens too, at Node.GatewayURL
	RedisURL    secret.Secret  // such as that of redistest.New; zero: limits are counted in memory. Calls have a second each
	Now         func() time.Time
	Log         *slog.Logger
	Settings    func(*config.Settings) // last changes
	Before      func(*server.Server)   // called before it runs
}

// Node is one running server.
type Node struct {
	*server.Server
	URL      string
	Admin    *lanyard.Client // holds lanyard.admin
	AdminKey string
	Settings config.Settings
	Mails    *notify.Memory // what the node sent

	GatewayURL string
	http       *httptest.Server
	gateway    *httptest.Server
	stop       func() error
}

// Master makes a master key for nodes that share a database.
func Master(tb testing.TB) keyring.Master {
	tb.Helper()
	m, err := keyring.GenerateMaster(1, rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// Settings are what Start would give the server.
func Settings(tb testing.TB, o Options) config.Settings {
	tb.Helper()
	dir := o.Dir
	if dir == "" {
		dir = tb.TempDir()
	}
	values := map[string]string{
		"LANYARD_DATA_DIR": dir, "LANYARD_DATABASE_URL": o.DatabaseURL, "LANYARD_DURABILITY": o.Durability, "LANYARD_PUBLIC_URL": cmp.Or(o.PublicURL, "http://localhost:8420"),
	}
	if o.Master.Version != 0 {
		values["LANYARD_MASTER_KEY"] = o.Master.Reveal()
	}
	s, err := config.Load(config.Source{Dir: filepath.Join(dir, "none"), Getenv: func(name string) string { return values[name] }})
	if err != nil {
		tb.Fatal(err)
	}
	s.RedisURL = o.RedisURL
	if o.Settings != nil {
		o.Settings(&s)
	}
	return s
}

// Start runs a node until the test ends, or until Stop.
func Start(tb testing.TB, o Options) *Node {
	tb.Helper()
	n, err := TryStart(tb, o)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// TryStart is Start for tests that expect a refusal.
func TryStart(tb testing.TB, o Options) (*Node, error) {
	tb.Helper()
	if o.DatabaseURL != "" && o.Master.Version == 0 {
		o.Master = Master(tb)
	}
	n := &Node{Mails: &notify.Memory{}}
	// It listens first, so that the issuer is where it is to be found.
	n.http = httptest.NewUnstartedServer(nil)
	n.URL = "http://" + n.http.Listener.Addr().String()
	o.PublicURL = cmp.Or(o.PublicURL, n.URL)
	n.Settings = Settings(tb, o)
	if o.Gateway {
		n.gateway = httptest.NewUnstartedServer(nil)
		n.GatewayURL = "http://" + n.gateway.Listener.Addr().String()
		n.Settings.GatewayURL = n.GatewayURL
	}
	s, err := server.New(tb.Context(), n.Settings, server.Options{Now: o.Now, Log: o.Log, Sender: n.Mails, RedisTimeout: time.Second})
	if err != nil {
		return nil, errors.Join(err, n.http.Listener.Close())
	}
	if o.Before != nil {
		o.Before(s)
	}
	n.Server = s
	n.stop = s.Start(context.WithoutCancel(tb.Context()))
	n.http.Config.Handler = s.Handler()
	n.http.Start()
	if o.Gateway {
		n.gateway.Config = web.NewGatewayServer(s.Gateway(), slog.New(slog.DiscardHandler))
		n.gateway.Start()
	}
	tb.Cleanup(n.Stop)
	n.AdminKey = n.SystemKey(tb, "lanyard.admin")
	n.Admin = n.Client(tb, n.AdminKey)
	return n, nil
}

// SystemKey makes a management key of server reach.
func (n *Node) SystemKey(tb testing.TB, scopes ...string) string {
	tb.Helper()
	k, err := n.Manage.CreateSystemKey(tb.Context(), audit.Command("test"), "test", scopes)
	if err != nil {
		tb.Fatal(err)
	}
	return k.Secret
}

// Client calls the node with a credential.
func (n *Node) Client(tb testing.TB, credential string) *lanyard.Client {
	tb.Helper()
	c, err := lanyard.NewClient(n.URL, credential)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// Stop ends the node in order: requests, counting, database. Stopping twice is fine.
func (n *Node) Stop() {
	if n.stop == nil {
		return
	}
	if n.gateway != nil {
		n.gateway.CloseClientConnections()
		n.gateway.Close()
	}
	n.http.CloseClientConnections()
	n.http.Close()
	// A test that took the database away cannot expect the last words to reach it.
	_ = n.stop()
	n.stop = nil
}

// Shop is what most tests need: a team with an app, and the APIs weather (metered) and open (unmetered).
type Shop struct {
	Team lanyard.Team
	App  lanyard.App
}

// Catalog is the APIs of a Shop.
func Catalog() lanyard.Catalog {
	return lanyard.Catalog{APIs: map[string]lanyard.API{
		"weather": {
			Takes: "key", Scopes: map[string]lanyard.Scope{"forecast.read": {Text: "read forecasts", Default: true}},
			Operations: map[string]lanyard.Operation{"GET /v1/forecast": {Scopes: []string{"forecast.read"}}},
		},
		"open": {Takes: "either", Metering: "none", Scopes: map[string]lanyard.Scope{"news.read": {Text: "read news"}}},
	}}
}

// Open makes a Shop over the JSON API.
func (n *Node) Open(tb testing.TB) Shop {
	tb.Helper()
	ctx := tb.Context()
	if _, err := n.Admin.ApplyCatalog(ctx, Catalog(), false); err != nil {
		tb.Fatal(err)
	}
	team, err := n.Admin.CreateTeam(ctx, lanyard.TeamInput{Name: "Sunny"})
	if err != nil {
		tb.Fatal(err)
	}
	app, err := n.Admin.CreateApp(ctx, lanyard.AppInput{Name: "WeatherDashboard", TeamID: team.ID})
	if err != nil {
		tb.Fatal(err)
	}
	return Shop{Team: team, App: app}
}

// Key makes a key of the shop's app for forecasts and news.
func (n *Node) Key(tb testing.TB, shop Shop) lanyard.NewKey {
	tb.Helper()
	k, err := n.Admin.CreateKey(tb.Context(), shop.App.ID, lanyard.KeyInput{Name: "test", Scopes: []string{"forecast.read", "news.read"}})
	if err != nil {
		tb.Fatal(err)
	}
	return k
}
