package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/leak"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

func load(t *testing.T, values map[string]string, dotenv string) (Settings, error) {
	t.Helper()
	dir := t.TempDir()
	if dotenv != "" {
		if err := os.WriteFile(filepath.Join(dir, ".env"), []byte(dotenv), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Load(Source{Dir: dir, Getenv: func(name string) string { return values[name] }})
}

func TestLoadRefuses(t *testing.T) {
	for _, test := range []struct {
		name, value, says string
	}{
		{"LANYARD_LISTEN", "8420", "host:port"},
		{"LANYARD_EXTAUTHZ_LISTEN", "8422", "host:port"},
		{"LANYARD_EXTAUTHZ_LISTEN", "127.0.0.1:8420", "one of its own"},
		{"LANYARD_EXTAUTHZ_LISTEN", "127.0.0.1:8422", "LANYARD_TRUSTED_PROXIES"},
		{"LANYARD_INVOICE_GRACE", "10s", "between 1m and 720h"},
		{"LANYARD_GATEWAY_LISTEN", "8421", "host:port"},
		{"LANYARD_GATEWAY_LISTEN", "127.0.0.1:8420", "the same address"},
		{"LANYARD_GATEWAY_URL", "https://api.example", "without LANYARD_GATEWAY_LISTEN"},
		{"LANYARD_PUBLIC_URL", "http://auth.example", "https"},
		{"LANYARD_PUBLIC_URL", "https://auth.example/", "final slash"},
		{"LANYARD_PUBLIC_URL", "https://auth.example/$(reboot)", "such as"},
		{"LANYARD_PUBLIC_URL", "https://user:pw@auth.example", "such as"},
		{"LANYARD_PUBLIC_URL", "auth.example", "such as"},
		{"LANYARD_PUBLIC_URL", "http://10.0.0.1:8420", "https"},
		{"LANYARD_PUBLIC_URL", "http://localhost.example", "https"},
		{"LANYARD_PUBLIC_URL", "https://user@auth.example", "such as"},
		{"LANYARD_PUBLIC_URL", "https://@auth.example", "such as"},
		{"LANYARD_PUBLIC_URL", "https://auth.example?a=b", "such as"},
		{"LANYARD_PUBLIC_URL", "https://auth.example?", "such as"},
		{"LANYARD_PUBLIC_URL", "https://auth.example#a", "such as"},
		{"LANYARD_PUBLIC_URL", "https://auth.example#", "such as"},
		{"LANYARD_PUBLIC_URL", "https://auth.example/a b", "such as"},
		{"LANYARD_PUBLIC_URL", "https://auth.example/%2e", "such as"},
		{"LANYARD_PUBLIC_URL", "https://auth.example/..", "such as"},
		{"LANYARD_PUBLIC_URL", "https://auth.example//a", "such as"},
		{"LANYARD_PUBLIC_URL", "https://auth.example/a;b", "such as"},
		{"LANYARD_PUBLIC_URL", "https://auth.example/\u00e9", "such as"},
		{"LANYARD_PUBLIC_URL", "https://\u0430uth.example", "such as"},
		{"LANYARD_PUBLIC_URL", "https://Auth.example", "such as"},
		{"LANYARD_PUBLIC_URL", "HTTPS://auth.example/a\n", "such as"},
		{"LANYARD_PUBLIC_URL", "https://auth.example.", "such as"},
		{"LANYARD_PUBLIC_URL", "https://auth.example:", "such as"},
		{"LANYARD_PUBLIC_URL", "https://auth.example:443", "such as"},
		{"LANYARD_PUBLIC_URL", "https://auth.example:99999", "such as"},
		{"LANYARD_PUBLIC_URL", "https://[auth.example]", "such as"},
		{"LANYARD_PUBLIC_URL", "https:auth.example", "such as"},
		{"LANYARD_PUBLIC_URL", "javascript:alert", "such as"},
		{"LANYARD_STRIPE_KEY", "pk_live_hush", "begins sk_"},
		{"LANYARD_STRIPE_KEY", "sk_live_hush hush", "begins sk_"},
		{"LANYARD_STRIPE_KEY_FILE", "/nowhere/at/all", "cannot be read"},
		{"LANYARD_STRIPE_URL", "http://stripe.example", "https address"},
		{"LANYARD_STRIPE_URL", "https://user:pw@stripe.example", "https address"},
		{"LANYARD_STRIPE_URL", "https://stripe.example/v1", "https address"},
		{"LANYARD_STRIPE_URL", "stripe.example", "https address"},
		{"LANYARD_LEAK_POLICY", "key=ignore", "LANYARD_LEAK_POLICY says"},
		{"LANYARD_LEAK_POLICY", "rt=revoke", "none of key, pub, cs and pat"},
		{"LANYARD_LEAK_GITHUB_KEYS_URL", "http://api.github.example/keys", "https address"},
		{"LANYARD_LEAK_GITLAB_KEYS_URL", "https://user:pw@gitlab.example/keys", "https address"},
		{"LANYARD_LEAK_GITLAB_KEYS_URL", "gitlab.example", "https address"},
		{"LANYARD_LEAK_GITLAB_TOKEN", "hush", "at least 20 characters"},
		{"LANYARD_SIGNUP", "yes", "closed, invite or open"},
		{"LANYARD_DCR", "invite", "closed, token or open"},
		{"LANYARD_MAIL_FROM", "a@acme.example", "go together"},
		{"LANYARD_SMTP_URL", "smtp://ada:hush@mail.example", "go together"},
		{"LANYARD_ADMIN_EMAIL", "admin@acme.example", "go together"},
		{"LANYARD_ADMIN_PASSWORD", "hush", "go together"},
		{"LANYARD_OUTBOUND_ALLOW", "suite, *.example", "LANYARD_OUTBOUND_ALLOW"},
		{"LANYARD_DURABILITY", "maybe", "disk, fsync or database"},
		{"LANYARD_MAX_STALENESS", "1h", "between"},
		{"LANYARD_MAX_STALENESS", "10ms", "between"},
		{"LANYARD_MAX_STALENESS", "soon", "cannot be read"},
		{"LANYARD_TRUSTED_PROXIES", "10.0.0.0/99", "cannot be read"},
		{"LANYARD_TLS_CERT_FILE", "cert.pem", "go together"},
		{"LANYARD_LOG", "xml", "text or json"},
		{"LANYARD_KEY_PREFIX", "Acme!", "LANYARD_KEY_PREFIX"},
		{"LANYARD_MASTER_KEY_FILE", "/nowhere/at/all", "cannot be read"},
	} {
		_, err := load(t, map[string]string{test.name: test.value}, "")
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("Load with %s=%s error = %v, want invalid_request that says %q", test.name, test.value, err, test.says)
		}
		if err != nil && (strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "pw@")) {
			t.Errorf("Load with %s tells the secret: %v", test.name, err)
		}
	}
}

// TestLoadLeaks: GitHub may report unless it is switched off, nobody else before they are set.
func TestLoadLeaks(t *testing.T) {
	s, err := load(t, nil, "")
	if err != nil || s.LeakGitHubKeysURL != "https://api.github.com/meta/public_keys/secret_scanning" || s.LeakGitLabKeysURL != "" || !s.LeakGitLabToken.IsZero() || s.LeakRules.Of(secret.Key).Policy != leak.Revoke {
		t.Errorf("Load = %+v, %v, want GitHub alone, and that keys end", s, err)
	}
	s, err = load(t, map[string]string{"LANYARD_LEAK_GITHUB_KEYS_URL": "off", "LANYARD_LEAK_GITLAB_KEYS_URL": "http://127.0.0.1:9/keys", "LANYARD_LEAK_POLICY": "key=revoke_after:24h"}, "")
	if err != nil || s.LeakGitHubKeysURL != "" || s.LeakGitLabKeysURL != "http://127.0.0.1:9/keys" || s.LeakRules.Of(secret.Key) != (leak.Rule{Policy: leak.RevokeAfter, After: 24 * time.Hour}) {
		t.Errorf("Load = %+v, %v, want what was set", s, err)
	}
}

func TestLoadDefaults(t *testing.T) {
	s, err := load(t, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if s.Listen != "127.0.0.1:8420" || s.PublicURL != "http://localhost:8420" || s.Durability != Disk || s.MaxStaleness != 750*time.Millisecond ||
		s.DatabaseURL.Reveal() != "sqlite:data/lanyard.db" || s.Postgres() {
		t.Errorf("Load = %+v, want the defaults of CONTRACT", s)
	}
	if s, err = load(t, map[string]string{"LANYARD_DATABASE_URL": "postgres://lanyard:hush@db/lanyard"}, ""); err != nil || s.Durability != Database || !s.Postgres() {
		t.Errorf("Load with PostgreSQL = %+v, %v, want durability database", s, err)
	}
}

// TestPrecedence: the environment is over .env, and .env over defaults.
func TestPrecedence(t *testing.T) {
	s, err := load(t, map[string]string{"LANYARD_LISTEN": "127.0.0.1:1"}, "LANYARD_LISTEN=127.0.0.1:2\nLANYARD_KEY_PREFIX=acme\n")
	if err != nil || s.Listen != "127.0.0.1:1" || s.KeyPrefix != "acme" {
		t.Errorf("Load = %q, %q, %v, want the environment's address and .env's prefix", s.Listen, s.KeyPrefix, err)
	}
	if _, err := load(t, nil, "LANYARD_MASTER_KEY hush\n"); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("Load with a broken .env error = %v, want one that does not quote it", err)
	}
}

// TestSecret: three forms, one at a time, never shown.
func TestSecret(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "LANYARD_TOKEN")
	if err := os.WriteFile(file, []byte("hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		values map[string]string
		want   string
		fails  bool
	}{
		{"none", nil, "", false},
		{"plain", map[string]string{"LANYARD_TOKEN": "hush"}, "hush", false},
		{"file", map[string]string{"LANYARD_TOKEN_FILE": file}, "hush", false},
		{"credentials directory", map[string]string{"CREDENTIALS_DIRECTORY": dir}, "hush", false},
		{"credentials directory without it", map[string]string{"CREDENTIALS_DIRECTORY": t.TempDir()}, "", false},
		{"plain and file", map[string]string{"LANYARD_TOKEN": "hush", "LANYARD_TOKEN_FILE": file}, "", true},
		{"file and directory", map[string]string{"CREDENTIALS_DIRECTORY": dir, "LANYARD_TOKEN_FILE": file}, "", true},
		{"no such file", map[string]string{"LANYARD_TOKEN_FILE": file + ".gone"}, "", true},
		{"empty file", map[string]string{"LANYARD_TOKEN_FILE": empty}, "", true},
	} {
		got, err := Secret(func(name string) string { return test.values[name] }, "LANYARD_TOKEN")
		if (err != nil) != test.fails || reveal(got) != test.want {
			t.Errorf("%s: Secret = %q, %v, want %q, failing %v", test.name, reveal(got), err, test.want, test.fails)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: the error tells the secret: %v", test.name, err)
		}
	}
}

func reveal(s secret.Secret) string {
	if s.IsZero() {
		return ""
	}
	return s.Reveal()
}

// How callers reach the gateway is scheme and host; what an API is called by follows from it.
func TestGateway(t *testing.T) {
	load := func(address string) (Settings, error) {
		return Load(Source{Dir: t.TempDir(), Getenv: func(name string) string {
			return map[string]string{"LANYARD_GATEWAY_LISTEN": "127.0.0.1:8421", "LANYARD_GATEWAY_URL": address}[name]
		}})
	}
	for _, address := range []string{"api.example", "https://api.example/", "https://api.example/v1", "https://user@api.example", "https://api.example?x", "https://api.example#", "ftp://api.example"} {
		if s, err := load(address); !fault.Is(err, fault.Invalid) {
			t.Errorf("LANYARD_GATEWAY_URL=%s gives %q, %v, want a refusal", address, s.GatewayURL, err)
		}
	}
	weather := lanyard.API{Name: "weather", Routes: []lanyard.Route{{Prefix: "/weather/"}}}
	named := lanyard.API{Name: "weather", Routes: []lanyard.Route{{Host: "weather.example", Prefix: "/"}}}
	for _, test := range []struct {
		address string
		api     lanyard.API
		want    string
	}{
		{"", weather, "http://localhost:8421/weather"},
		{"https://api.example", weather, "https://api.example/weather"},
		{"https://api.example", named, "https://weather.example"},
		{"https://api.example", lanyard.API{Name: "mail"}, "http://localhost:8420/apis/mail"},
		{"https://api.example", lanyard.API{Identifier: "urn:mail"}, "urn:mail"},
	} {
		s, err := load(test.address)
		if got := s.Identifier(test.api); err != nil || got != test.want {
			t.Errorf("at %q Identifier = %q, %v, want %q", test.address, got, err, test.want)
		}
	}
}
