// Package config reads the settings of CONTRACT: flags over environment over `.env` in the working directory over
// defaults. A secret can also come from a file, so that it stands in no process list and no shell history.
package config

import (
	"encoding"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/lanyard-auth/lanyard/internal/dotenv"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/leak"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Settings are what a server starts with.
type Settings struct {
	Listen            string         `env:"LANYARD_LISTEN" envDefault:"127.0.0.1:8420"`
	PublicURL         string         `env:"LANYARD_PUBLIC_URL"`
	DataDir           string         `env:"LANYARD_DATA_DIR" envDefault:"./data"`
	DatabaseURL       secret.Secret  // LANYARD_DATABASE_URL: it may hold a password
	RedisURL          secret.Secret  // LANYARD_REDIS_URL: it may hold a password; zero: limits are counted by each node
	MasterKey         secret.Secret  // LANYARD_MASTER_KEY
	MasterKeyPrevious secret.Secret  // LANYARD_MASTER_KEY_PREVIOUS
	KeyPrefix         string         `env:"LANYARD_KEY_PREFIX"`
	GatewayListen     string         `env:"LANYARD_GATEWAY_LISTEN"`  // empty: there is no gateway
	GatewayURL        string         `env:"LANYARD_GATEWAY_URL"`     // how callers reach it
	ExtAuthzListen    string         `env:"LANYARD_EXTAUTHZ_LISTEN"` // empty: Envoy cannot ask
	MetricsListen     string         `env:"LANYARD_METRICS_LISTEN"`
	TrustedProxies    []netip.Prefix `env:"LANYARD_TRUSTED_PROXIES"`
	Durability        string         `env:"LANYARD_DURABILITY"`
	MaxStaleness      time.Duration  `env:"LANYARD_MAX_STALENESS" envDefault:"750ms"`
	InvoiceGrace      time.Duration  `env:"LANYARD_INVOICE_GRACE" envDefault:"24h"` // between the end of a period and its final invoice
	StripeKey         secret.Secret  // LANYARD_STRIPE_KEY; zero: Stripe is told nothing
	StripeURL         string         `env:"LANYARD_STRIPE_URL" envDefault:"https://api.stripe.com"`
	TLSCertFile       string         `env:"LANYARD_TLS_CERT_FILE"`
	TLSKeyFile        string         `env:"LANYARD_TLS_KEY_FILE"`
	Log               string         `env:"LANYARD_LOG"`
	LogLevel          string         `env:"LANYARD_LOG_LEVEL" envDefault:"info"`
	SMTPURL           secret.Secret  // LANYARD_SMTP_URL: it may hold a password; zero: no mail is sent
	MailFrom          string         `env:"LANYARD_MAIL_FROM"`
	Signup            string         `env:"LANYARD_SIGNUP" envDefault:"closed"`
	DCR               string         `env:"LANYARD_DCR" envDefault:"closed"` // dynamic client registration
	OutboundAllow     []string       // LANYARD_OUTBOUND_ALLOW
	OutboundCAFile    string         `env:"LANYARD_OUTBOUND_CA_FILE"`
	LeakPolicy        string         `env:"LANYARD_LEAK_POLICY"`
	LeakRules         leak.Rules     // what LeakPolicy says
	LeakGitHubKeysURL string         `env:"LANYARD_LEAK_GITHUB_KEYS_URL" envDefault:"https://api.github.com/meta/public_keys/secret_scanning"` // "": GitHub may not report
	LeakGitLabKeysURL string         `env:"LANYARD_LEAK_GITLAB_KEYS_URL"`                                                                      // "": nor GitLab.com
	LeakGitLabToken   secret.Secret  // LANYARD_LEAK_GITLAB_TOKEN; zero: no other GitLab either
	AdminEmail        string         `env:"LANYARD_ADMIN_EMAIL"` // with AdminPassword, the admin that a first start makes
	AdminPassword     secret.Secret  // LANYARD_ADMIN_PASSWORD
}

// Who may come in: by signing up, and by dynamic client registration.
const (
	Closed = "closed" // nobody by themselves
	Invite = "invite" // Signup: who has an invitation
	Token  = "token"  // DCR: who has an initial access token
	Open   = "open"   // everybody
)

// Durabilities.
const (
	Disk     = "disk"     // survives kill -9
	Fsync    = "fsync"    // survives power loss
	Database = "database" // survives the loss of the node's disk
)

// unbuilt are settings of CONTRACT that this version does not act on. Ignoring one silently could open what it was meant
// to close, so a server refuses to start with it.
var unbuilt = []string{
	"OTEL_EXPORTER_OTLP_ENDPOINT",
}

var plain = []string{
	"LANYARD_LISTEN", "LANYARD_PUBLIC_URL", "LANYARD_GATEWAY_LISTEN", "LANYARD_GATEWAY_URL", "LANYARD_EXTAUTHZ_LISTEN", "LANYARD_DATA_DIR", "LANYARD_KEY_PREFIX", "LANYARD_METRICS_LISTEN", "LANYARD_TRUSTED_PROXIES", "LANYARD_DURABILITY",
	"LANYARD_MAX_STALENESS", "LANYARD_INVOICE_GRACE", "LANYARD_STRIPE_URL", "LANYARD_TLS_CERT_FILE", "LANYARD_TLS_KEY_FILE", "LANYARD_LOG", "LANYARD_LOG_LEVEL", "LANYARD_MAIL_FROM",
	"LANYARD_SIGNUP", "LANYARD_DCR", "LANYARD_OUTBOUND_CA_FILE", "LANYARD_ADMIN_EMAIL",
	"LANYARD_LEAK_POLICY", "LANYARD_LEAK_GITHUB_KEYS_URL", "LANYARD_LEAK_GITLAB_KEYS_URL",
}

// Source is where settings come from. The zero value is the process's own environment and working directory.
type Source struct {
	Getenv func(string) string
	Dir    string // of .env; empty: the working directory
}

// Environ returns a lookup over the environment and, below it, `.env`. An unreadable or malformed .env is an error: a
// setting that is silently missing is worse.
func (s Source) Environ() (func(string) string, error) {
	getenv := s.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	text, err := os.ReadFile(filepath.Join(s.Dir, ".env")) // #nosec G304 -- in the working directory
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Invalid, "the file .env in the working directory cannot be read: %s", pathless(err))
	}
	file, err := dotenv.Parse(string(text))
	if err != nil {
		return nil, fault.New(fault.Invalid, "the file .env in the working directory cannot be read: %s", detail(err))
	}
	values := file.Values()
	return func(name string) string {
		if value := getenv(name); value != "" {
			return value
		}
		return values[name]
	}, nil
}

// detail is what an error says without its kind.
func detail(err error) string {
	var failure *fault.Error
	if errors.As(err, &failure) {
		return failure.Detail
	}
	return err.Error()
}

// Load reads and checks the settings.
func Load(from Source) (Settings, error) {
	var s Settings
	getenv, err := from.Environ()
	if err != nil {
		return s, err
	}
	for _, name := range unbuilt {
		if getenv(name) != "" {
			return s, fault.New(fault.Invalid, "%s is set, but this version of Lanyard does not act on it yet; unset it", name)
		}
	}
	values := map[string]string{}
	for _, name := range plain {
		if v := getenv(name); v != "" {
			values[name] = v
		}
	}
	if err := env.ParseWithOptions(&s, env.Options{Environment: values}); err != nil {
		return s, fault.New(fault.Invalid, "a setting cannot be read: %s", strings.TrimPrefix(err.Error(), "env: "))
	}
	for name, into := range map[string]*secret.Secret{
		"LANYARD_DATABASE_URL": &s.DatabaseURL, "LANYARD_REDIS_URL": &s.RedisURL, "LANYARD_MASTER_KEY": &s.MasterKey, "LANYARD_MASTER_KEY_PREVIOUS": &s.MasterKeyPrevious,
		"LANYARD_SMTP_URL": &s.SMTPURL, "LANYARD_ADMIN_PASSWORD": &s.AdminPassword, "LANYARD_STRIPE_KEY": &s.StripeKey,
		"LANYARD_LEAK_GITLAB_TOKEN": &s.LeakGitLabToken,
	} {
		if *into, err = Secret(getenv, name); err != nil {
			return s, err
		}
	}
	for entry := range strings.SplitSeq(getenv("LANYARD_OUTBOUND_ALLOW"), ",") {
		if entry = strings.TrimSpace(entry); entry != "" {
			s.OutboundAllow = append(s.OutboundAllow, entry)
		}
	}
	return s, s.complete()
}

// complete fills in what depends on other settings and refuses what cannot be.
func (s *Settings) complete() error {
	_, port, err := net.SplitHostPort(s.Listen)
	if err != nil {
		return fault.New(fault.Invalid, "LANYARD_LISTEN must read host:port, such as 127.0.0.1:8420, not %q", s.Listen)
	}
	if s.PublicURL == "" {
		s.PublicURL = strings.TrimSuffix("http://localhost:"+port, ":80")
	}
	if err := checkPublicURL(s.PublicURL); err != nil {
		return err
	}
	if err := s.completeGateway(); err != nil {
		return err
	}
	if err := s.checkExtAuthz(); err != nil {
		return err
	}
	if s.DatabaseURL.IsZero() {
		s.DatabaseURL = secret.Of("sqlite:" + filepath.Join(s.DataDir, "lanyard.db"))
	}
	if s.Durability == "" {
		s.Durability = Disk
		if s.Postgres() {
			s.Durability = Database
		}
	}
	switch {
	case s.Durability != Disk && s.Durability != Fsync && s.Durability != Database:
		return fault.New(fault.Invalid, "LANYARD_DURABILITY must be disk, fsync or database, not %.20q", s.Durability)
	case s.MaxStaleness < 300*time.Millisecond || s.MaxStaleness > 10*time.Second:
		return fault.New(fault.Invalid, "LANYARD_MAX_STALENESS must be between 300ms and 10s; a node looks for changes every 250ms")
	case s.InvoiceGrace < time.Minute || s.InvoiceGrace > 30*24*time.Hour:
		return fault.New(fault.Invalid, "LANYARD_INVOICE_GRACE must be between 1m and 720h; what arrives within it still goes into the bill")
	case (s.TLSCertFile == "") != (s.TLSKeyFile == ""):
		return fault.New(fault.Invalid, "LANYARD_TLS_CERT_FILE and LANYARD_TLS_KEY_FILE go together; one of them is missing")
	case s.Log != "" && s.Log != "text" && s.Log != "json":
		return fault.New(fault.Invalid, "LANYARD_LOG must be text or json, not %.20q", s.Log)
	}
	if s.KeyPrefix != "" {
		if err := secret.ValidPrefix(s.KeyPrefix); err != nil {
			return fault.New(fault.Invalid, "LANYARD_KEY_PREFIX: %s", err)
		}
	}
	if err := s.checkStripe(); err != nil {
		return err
	}
	if err := s.completeLeaks(); err != nil {
		return err
	}
	return s.checkPeople()
}

// completeGateway fills in how callers reach the gateway.
func (s *Settings) completeGateway() error {
	if s.GatewayListen == "" {
		if s.GatewayURL != "" {
			return fault.New(fault.Invalid, "LANYARD_GATEWAY_URL is set, but there is no gateway without LANYARD_GATEWAY_LISTEN, such as 127.0.0.1:8421")
		}
		return nil
	}
	_, port, err := net.SplitHostPort(s.GatewayListen)
	if err != nil {
		return fault.New(fault.Invalid, "LANYARD_GATEWAY_LISTEN must read host:port, such as 127.0.0.1:8421, not %q", s.GatewayListen)
	}
	if s.GatewayListen == s.Listen {
		return fault.New(fault.Invalid, "LANYARD_GATEWAY_LISTEN and LANYARD_LISTEN are the same address; the gateway needs one of its own")
	}
	if s.GatewayURL == "" {
		scheme := "http"
		if s.TLSCertFile != "" {
			scheme = "https"
		}
		s.GatewayURL = scheme + "://localhost:" + port
	}
	u, err := url.Parse(s.GatewayURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || strings.HasSuffix(s.GatewayURL, "#") || strings.HasSuffix(s.GatewayURL, "?") {
		return fault.New(fault.Invalid, "LANYARD_GATEWAY_URL must be scheme and host alone, such as https://api.example.com, not %.100q", s.GatewayURL)
	}
	return nil
}

// checkExtAuthz refuses a listener at which nobody could ask.
func (s *Settings) checkExtAuthz() error {
	if s.ExtAuthzListen == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(s.ExtAuthzListen); err != nil {
		return fault.New(fault.Invalid, "LANYARD_EXTAUTHZ_LISTEN must read host:port, such as 127.0.0.1:8422, not %q", s.ExtAuthzListen)
	}
	if s.ExtAuthzListen == s.Listen || s.ExtAuthzListen == s.GatewayListen {
		return fault.New(fault.Invalid, "LANYARD_EXTAUTHZ_LISTEN is the address of another listener; it needs one of its own")
	}
	if len(s.TrustedProxies) == 0 {
		return fault.New(fault.Invalid, "LANYARD_EXTAUTHZ_LISTEN is set, but nobody may ask there: name the addresses that Envoy connects from in LANYARD_TRUSTED_PROXIES")
	}
	return nil
}

// Postgres reports whether the database is PostgreSQL.
func (s *Settings) Postgres() bool { return strings.HasPrefix(s.DatabaseURL.Reveal(), "postgres") }

// MasterKeyFile is where the master key of an own SQLite database lies.
func (s *Settings) MasterKeyFile() string { return filepath.Join(s.DataDir, "master.key") }

// SpoolDir is where uses wait to be counted.
func (s *Settings) SpoolDir() string { return filepath.Join(s.DataDir, "spool") }

// Secret reads a secret setting from $CREDENTIALS_DIRECTORY/NAME, the file that NAME_FILE names, or NAME itself. Two forms
// at once are an error, since one of them would be ignored; none is the zero Secret.
func Secret(getenv func(string) string, name string) (secret.Secret, error) {
	var found secret.Secret
	var from []string
	take := func(source, text string) {
		from, found = append(from, source), secret.Of(text)
	}
	if dir := getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		text, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // systemd names this directory
		switch {
		case err == nil:
			take("$CREDENTIALS_DIRECTORY/"+name, strings.TrimSpace(string(text)))
		case !errors.Is(err, fs.ErrNotExist):
			return found, fault.New(fault.Invalid, "the credential %s cannot be read: %s", name, pathless(err))
		}
	}
	if path := getenv(name + "_FILE"); path != "" {
		text, err := os.ReadFile(path) //nolint:gosec // the operator names this file
		if err != nil {
			return found, fault.New(fault.Invalid, "the file named by %s_FILE cannot be read: %s", name, pathless(err))
		}
		take(name+"_FILE", strings.TrimSpace(string(text)))
	}
	if text := getenv(name); text != "" {
		take(name, text)
	}
	if len(from) > 1 {
		return secret.Secret{}, fault.New(fault.Invalid, "%s is given twice, as %s; keep one", name, strings.Join(from, " and as "))
	}
	if len(from) == 1 && found.IsZero() {
		return secret.Secret{}, fault.New(fault.Invalid, "%s is empty", from[0])
	}
	return found, nil
}

func pathless(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return fmt.Sprint(err)
}

var _ encoding.TextUnmarshaler = (*netip.Prefix)(nil) // how env reads LANYARD_TRUSTED_PROXIES
