package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// The scripts of e2e follow the commands; here stands what they cannot see well: which stream says what.
func TestOnServer(t *testing.T) {
	t.Chdir(t.TempDir())
	n := servertest.Start(t, servertest.Options{})
	shop := n.Open(t)
	env := map[string]string{"LANYARD_URL": n.URL, "LANYARD_TOKEN": n.AdminKey}

	t.Run("unauthenticated", func(t *testing.T) {
		got := command(t, map[string]string{"LANYARD_URL": n.URL, "LANYARD_TOKEN": credential}, "", "apps", "list")
		if got.code != exitFailed || !strings.Contains(got.stderr, "set LANYARD_TOKEN to a credential that works on this server") || strings.Contains(got.stderr, "BBBB") {
			t.Errorf("apps list with another server's token = %+v, want a sentence", got)
		}
	})
	t.Run("names", func(t *testing.T) {
		for range 2 {
			if _, err := n.Admin.CreateApp(t.Context(), lanyard.AppInput{Name: "twin", TeamID: shop.Team.ID}); err != nil {
				t.Fatal(err)
			}
		}
		for name, want := range map[string]string{
			"twin":                 `2 apps are called "twin"; say which by its id: app_`,
			"nobody":               `there is no app "nobody" within your reach; there is twin, twin, WeatherDashboard, `,
			"app_AAAAAAAAAAAAAAAA": "there is no app",
		} {
			if got := command(t, env, "", "apps", "show", name); got.code != exitFailed || !strings.Contains(got.stderr, want) {
				t.Errorf("apps show %s = %+v, want %q", name, got, want)
			}
		}
		if got := command(t, env, "", "apps", "show", shop.App.ID); got.code != exitDone || !strings.Contains(got.stdout, "WeatherDashboard") {
			t.Errorf("apps show by id = %+v", got)
		}
	})
	t.Run("secret alone", func(t *testing.T) {
		got := command(t, env, "", "keys", "create", "WeatherDashboard", "--name", "one", "--scope", "forecast.read", "--expires", "90d")
		if _, err := secret.Parse(strings.TrimSuffix(got.stdout, "\n")); got.code != exitDone || err != nil {
			t.Errorf("keys create into a pipe = %+v, want the secret alone on stdout", got)
		}
		if !strings.Contains(got.stderr, "If stolen: works 3 more months unless you rotate it, from anywhere.") && !strings.Contains(got.stderr, "If stolen: works 90 more days") {
			t.Errorf("keys create says %q, want what a thief would get", got.stderr)
		}
	})
	t.Run("secret as JSON", func(t *testing.T) {
		got := command(t, env, "", "keys", "create", "WeatherDashboard", "--name", "two", "--scope", "forecast.read", "--ip", "10.0.0.0/8", "-o", "json")
		var made lanyard.NewKey
		if err := json.Unmarshal([]byte(got.stdout), &made); err != nil || made.Secret == "" || !strings.Contains(got.stderr, "only from 10.0.0.0/8") {
			t.Errorf("keys create -o json = %+v, %v, want the key with its secret", got, err)
		}
		if got := command(t, env, made.Secret, "verify", "--api", "weather", "--operation", "GET /v1/forecast", "--ip", "192.0.2.1"); got.code != exitNo || !strings.HasPrefix(got.stdout, "denied: ip_denied\n") {
			t.Errorf("verify from elsewhere = %+v, want denied", got)
		}
		if got := command(t, env, made.Secret, "verify", "--api", "weather", "--operation", "GET /v1/forecast", "--ip", "10.1.1.1"); got.code != exitDone || !strings.HasPrefix(got.stdout, "allowed\n") {
			t.Errorf("verify = %+v, want allowed", got)
		}
		got = command(t, env, "", "keys", "rotate", "two", "--save", "KEY", "-o", "json")
		if got.code != exitDone || strings.Contains(got.stdout, "secret") || !strings.Contains(got.stdout, `"version": 2`) {
			t.Errorf("keys rotate --save -o json = %+v, want no secret in it", got)
		}
		if got := command(t, env, "", "inspect", "--from", "KEY"); got.code != exitDone || !strings.Contains(got.stdout, made.ID) {
			t.Errorf("inspect --from KEY = %+v, want %s", got, made.ID)
		}
	})
	t.Run("one request", func(t *testing.T) {
		if got := command(t, env, "", "usage", "show", "WeatherDashboard"); !strings.HasPrefix(got.stdout, "WeatherDashboard used 1 request this month.\n") {
			t.Errorf("usage show = %+v, want 1 request", got)
		}
	})
	t.Run("visitor badge", func(t *testing.T) {
		got := command(t, env, "", "apps", "create", "PostPal", "--team", shop.Team.ID, "--redirect-uri", "http://app.example/done")
		if got.code != exitUsage && got.code != exitFailed || !strings.Contains(got.stderr, "redirect") {
			t.Errorf("apps create with a bad redirect URI = %+v, want it refused", got)
		}
		got = command(t, env, "", "apps", "create", "PostPal", "--team", shop.Team.ID, "--redirect-uri", "https://app.example/done", "--grant", "authorization_code", "--grant", "device_code")
		if got.code != exitDone || !strings.Contains(got.stdout, "lanyard apps secrets create app_") {
			t.Errorf("apps create = %+v, want the next step", got)
		}
		if got = command(t, env, "", "apps", "show", "PostPal"); !strings.Contains(got.stdout, "urn:ietf:params:oauth:grant-type:device_code") || !strings.Contains(got.stdout, "client_secret_basic") {
			t.Errorf("apps show = %+v, want its grant types and how it proves itself", got)
		}
		if got = command(t, env, "", "apps", "update", "PostPal", "--redirect-uri", "", "--grant", ""); got.code != exitDone || strings.Contains(got.stdout, "app.example") {
			t.Errorf("apps update with empty lists = %+v, want both taken away", got)
		}
		got = command(t, env, "", "apps", "secrets", "create", "PostPal", "--save", "POSTPAL_SECRET", "-o", "json")
		if got.code != exitDone || strings.Contains(got.stdout, `"secret"`) || !strings.Contains(got.stdout, `"kind": "cs"`) {
			t.Errorf("apps secrets create --save = %+v, want no secret in it", got)
		}
		if got = command(t, env, "", "inspect", "--from", "POSTPAL_SECRET"); got.code != exitDone || !strings.Contains(got.stdout, "cs: a client secret") {
			t.Errorf("inspect = %+v, want a client secret", got)
		}
		if got = command(t, env, "", "apps", "secrets", "list", "PostPal"); !strings.Contains(got.stdout, "client secret") {
			t.Errorf("apps secrets list = %+v", got)
		}
		if got = command(t, env, "", "tokens", "create", "script"); got.code != exitFailed || !strings.Contains(got.stderr, "belongs to the person") {
			t.Errorf("tokens create with a management key = %+v, want a sentence", got)
		}
		if got = command(t, env, "", "tokens", "list", "-o", "json"); got.code != exitDone || got.stdout != "[]\n" {
			t.Errorf("tokens list = %+v, want none", got)
		}
		if got = command(t, env, "", "grants", "list", "--app", "PostPal", "-o", "json"); got.code != exitDone || got.stdout != "[]\n" {
			t.Errorf("grants list = %+v, want none", got)
		}
		if got = command(t, env, "", "grants", "revoke", "grant_AAAAAAAAAAAAAAAA"); got.code != exitFailed || !strings.Contains(got.stderr, "there is no grant") {
			t.Errorf("grants revoke of nothing = %+v", got)
		}
	})
	t.Run("limits", func(t *testing.T) {
		ada, err := n.Admin.CreateUser(t.Context(), lanyard.UserInput{Email: "ada@example.com"})
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct{ line, says, not string }{
			{"teams update Sunny --limit 5/second --limit 60/minute,9000/day", "5/second, 60/minute, 9000/day", ""},
			{"teams update Sunny --name Sunny", "5/second, 60/minute, 9000/day", ""},
			{"teams list", "5/second, 60/minute, 9000/day", ""},
			{"teams update Sunny --no-limits", "active", "limits"},
			{"teams update Sunny --suspend", "suspended", ""},
			{"teams update Sunny --lift", "active", ""},
			{"users update ada@example.com --limit 60/minute", "60/minute", ""},
			{"users show " + ada.ID, "60/minute", ""},
			{"users list", "60/minute", ""},
			{"users update ada@example.com --limit=", "ada@example.com", "limits"},
			{"apps update WeatherDashboard --limit 100/90s", "100/90s", ""},
			{"apps update WeatherDashboard --no-limits", "WeatherDashboard", "limits"},
		} {
			got := command(t, env, "", strings.Fields(step.line)...)
			if got.code != exitDone || !strings.Contains(got.stdout, step.says) || step.not != "" && strings.Contains(got.stdout, step.not) {
				t.Errorf("%s = %+v, want %q and not %q", step.line, got, step.says, step.not)
			}
		}
		named := []lanyard.Limit{{Name: "burst", Limit: 5, WindowSeconds: 1}}
		if _, err := n.Admin.UpdateTeam(t.Context(), shop.Team.ID, lanyard.TeamPatch{Limits: &named}); err != nil {
			t.Fatal(err)
		}
		if got := command(t, env, "", "teams", "update", "Sunny", "--limit", "5/second,60/minute"); !strings.Contains(got.stdout, "5/second (burst), 60/minute") {
			t.Errorf("teams update of a limit that has a name = %+v, want the name kept", got)
		}
		if got := command(t, env, "", "teams", "update", "Sunny", "--no-limits"); got.code != exitDone {
			t.Errorf("teams update --no-limits = %+v", got)
		}
		if got := command(t, env, "", "users", "update", "nobody@example.com", "--no-limits"); got.code != exitFailed || !strings.Contains(got.stderr, "nobody has an account") {
			t.Errorf("users update of nobody = %+v, want a sentence", got)
		}
	})
	t.Run("update", func(t *testing.T) {
		got := command(t, env, "", "keys", "update", "two", "--ip", "", "--limit", "60/minute", "--name", "three")
		if got.code != exitDone || strings.Contains(got.stdout, "10.0.0.0/8") || !strings.Contains(got.stdout, "60/minute") || !strings.Contains(got.stdout, "three") {
			t.Errorf("keys update = %+v, want no addresses, a limit and the new name", got)
		}
		if got := command(t, env, "", "apps", "update", "WeatherDashboard", "--disable"); !strings.Contains(got.stdout, "disabled") {
			t.Errorf("apps update --disable = %+v", got)
		}
		if got := command(t, env, "", "apps", "delete", "WeatherDashboard"); got.code != exitUsage || !strings.Contains(got.stderr, "--yes") {
			t.Errorf("apps delete without a terminal = %+v, want it to ask for --yes", got)
		}
		if got := command(t, env, "", "apps", "delete", "WeatherDashboard", "--yes"); got.code != exitDone {
			t.Errorf("apps delete --yes = %+v", got)
		}
	})
}

// Admins are made on the database, with no server.
func TestAdminOnDatabase(t *testing.T) {
	t.Chdir(t.TempDir())
	if got := command(t, nil, "password1\n", "admin", "create", "--email", "ada@example.test"); got.code == exitDone || !strings.Contains(got.stderr, "too easy") {
		t.Errorf("admin create with a bad password = %+v, want it refused", got)
	}
	const password = "correct horse battery staple"
	got := command(t, nil, password+"\n", "admin", "create", "--email", "ada@example.test", "--name", "Ada")
	if got.code != exitDone || !strings.Contains(got.stdout, "Created the admin ada@example.test (user_") || strings.Contains(got.stdout+got.stderr, password) {
		t.Errorf("admin create = %+v", got)
	}
	if got = command(t, nil, password, "admin", "create", "--email", "ADA@example.test"); got.code == exitDone || !strings.Contains(got.stderr, "already") {
		t.Errorf("admin create again = %+v, want it refused", got)
	}
	if got = command(t, nil, "", "admin", "create", "--email", "nobody@example.test", "--keep-password"); got.code == exitDone || !strings.Contains(got.stderr, "nobody has this mail address") {
		t.Errorf("admin create --keep-password for nobody = %+v, want it refused", got)
	}
	if got = command(t, nil, "", "admin", "login-link", "--email", "nobody@example.test"); got.code == exitDone || !strings.Contains(got.stderr, "nobody has this mail address") {
		t.Errorf("admin login-link for nobody = %+v", got)
	}
	got = command(t, nil, "", "admin", "login-link", "--email", "ada@example.test")
	if got.code != exitDone || !strings.HasPrefix(got.stdout, "http://localhost:8420/link?t=") || strings.Count(got.stdout, "\n") != 1 {
		t.Errorf("admin login-link = %+v, want the link alone on stdout", got)
	}
}
