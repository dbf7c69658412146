package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/manage"
)

// Password is everybody's in the demo. It is printed on the screen and good for nothing else.
const Password = "visitor-badge-of-cardboard"

// upstreams are where the example APIs listen.
type upstreams struct{ weather, mail string }

// catalog is lanyard.yaml of CONTRACT, for APIs that stand at a gateway. They are known by their addresses there, so that programs
// which discover who guards it find the same name everywhere (RFC 9728).
func catalog(gateway string, at upstreams, tokenLifetime string) lanyard.Catalog {
	return lanyard.Catalog{
		Brand: &lanyard.Brand{Name: "Acme", Color: "#0a7", Support: "help@acme.example"},
		APIs: map[string]lanyard.API{
			"weather": {
				Title: "Weather", Identifier: gateway + "/weather", Takes: "key", Metering: "exact", Upstream: at.weather,
				Routes: []lanyard.Route{{Prefix: "/weather", StripPrefix: true}},
				Scopes: map[string]lanyard.Scope{"forecast.read": {Text: "read forecasts", Default: true}},
				Operations: map[string]lanyard.Operation{
					"GET /v1/forecast": {Scopes: []string{"forecast.read"}}, "GET /v1/alerts": {Scopes: []string{"forecast.read"}},
				},
				Plans: map[string]lanyard.Plan{
					"free": {Default: true, Limits: []string{"60/minute"}, Quota: "1000/month"}, "pro": {
						Limits: []string{"600/minute"}, Currency: "USD", Fee: "9.90", Period: "month",
						Prices: []lanyard.Price{{Meter: "requests", Included: 1000, PerUnit: "0.002"}},
					},
				},
			},
			"mail": {
				Title: "Mail", Identifier: gateway + "/mail", Takes: "token", Token: &lanyard.TokenRules{Format: "jwt", Lifetime: tokenLifetime},
				Upstream: at.mail, Routes: []lanyard.Route{{Prefix: "/mail", StripPrefix: true}},
				Scopes: map[string]lanyard.Scope{
					"profile.read":  {Text: "read your profile", Default: true},
					"messages.read": {Text: "read your messages"},
					"posts.write":   {Text: "post for you", Writes: true},
				},
				Operations: map[string]lanyard.Operation{
					"GET /v1/me": {Scopes: []string{"profile.read"}}, "GET /v1/messages": {Scopes: []string{"messages.read"}}, "POST /v1/posts": {Scopes: []string{"posts.write"}},
				},
			},
		},
	}
}

// planter makes what is not there yet, as a command on the database.
type planter struct {
	*manage.Service
	actor audit.Actor
}

// seed fills the demo. Secrets are shown once, so on a directory that was kept the
// keys get new ones.
func seed(ctx context.Context, service *manage.Service, places *Places, at upstreams, tokenLifetime string) error {
	p := planter{service, audit.Command("demo")}
	if _, err := p.ApplyCatalog(ctx, p.actor, catalog(places.Gateway, at, tokenLifetime), false); err != nil {
		return err
	}
	if _, err := p.user(ctx, lanyard.UserInput{Email: "admin@demo.test", Name: "Amina", Admin: true, Password: Password}); err != nil {
		return err
	}
	if _, err := p.user(ctx, lanyard.UserInput{Email: "ada@demo.test", Name: "Ada", Password: Password}); err != nil {
		return err
	}
	dev, err := p.user(ctx, lanyard.UserInput{Email: "dev@demo.test", Name: "Dara", Password: Password})
	if err != nil {
		return err
	}
	sunny, err := p.team(ctx, "Sunny", dev.ID)
	if err != nil {
		return err
	}
	dashboard := lanyard.AppInput{Name: "WeatherDashboard", TeamID: sunny.ID, Description: "Weather on the office wall"}
	production := lanyard.KeyInput{Name: "production", Scopes: []string{"forecast.read"}}
	if places.Key, places.KeyID, err = p.appKey(ctx, dashboard, production); err != nil {
		return err
	}
	report := lanyard.AppInput{Name: "nightly-report", TeamID: sunny.ID, Description: "Mails the forecast every morning"}
	cron := lanyard.KeyInput{Name: "cron", Scopes: []string{"forecast.read"}, IPAllow: []string{"127.0.0.0/8"}}
	if places.ReportKey, _, err = p.appKey(ctx, report, cron); err != nil {
		return err
	}
	if err := p.forgotten(ctx, report); err != nil {
		return err
	}
	if places.PostPalClient, err = p.postPal(ctx, sunny.ID, places.PostPal); err != nil {
		return err
	}
	if err := p.company(ctx, sunny.ID); err != nil {
		return err
	}
	admin, err := p.systemKey(ctx, "demo admin", "lanyard.admin")
	if err != nil {
		return err
	}
	places.KeyHeader = filepath.Join(places.Dir, "weather-key.header")
	if err := os.WriteFile(places.KeyHeader, []byte("X-API-Key: "+places.Key+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the key: %w", err)
	}
	places.TokenFile = filepath.Join(places.Dir, "admin.token")
	if err := os.WriteFile(places.TokenFile, []byte(admin+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the admin token: %w", err)
	}
	return nil
}

// forgotten gives an app a key that was made a while ago and never used, so that there is something to warn of.
func (p planter) forgotten(ctx context.Context, app lanyard.AppInput) error {
	apps, err := p.Apps(ctx, p.actor, app.TeamID, app.Name, manage.List{Limit: 1})
	if err != nil || len(apps.Items) == 0 {
		return err
	}
	there, err := p.Keys(ctx, p.actor, manage.KeysFilter{App: apps.Items[0].ID, Name: "laptop"}, manage.List{Limit: 1})
	if err != nil || len(there.Items) > 0 {
		return err
	}
	earlier := *p.Service
	earlier.Now = func() time.Time { return p.now().AddDate(0, 0, -40) }
	_, err = earlier.CreateKey(ctx, p.actor, apps.Items[0].ID, lanyard.KeyInput{Name: "laptop", Scopes: []string{"forecast.read"}, RotateEveryDays: 30})
	return err
}

// now is the time as the server has it.
func (p planter) now() time.Time {
	if p.Now == nil {
		return time.Now() //nolint:forbidigo // the clock field's zero value is the real clock
	}
	return p.Service.Now()
}

// company gives a team what its pages show: a colleague, an invitation that waits, and a client that keeps a secret.
func (p planter) company(ctx context.Context, team string) error {
	lin, err := p.user(ctx, lanyard.UserInput{Email: "lin@demo.test", Name: "Lin", Password: Password})
	if err != nil {
		return err
	}
	members, err := p.Members(ctx, p.actor, team)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(members, func(m lanyard.Member) bool { return m.UserID == lin.ID }) {
		if _, err := p.SetMember(ctx, p.actor, team, lanyard.Member{UserID: lin.ID, Role: "developer"}); err != nil {
			return err
		}
	}
	waiting, err := p.Invitations(ctx, p.actor, team)
	if err != nil {
		return err
	}
	if len(waiting) == 0 {
		if _, err := p.InviteToTeam(ctx, p.actor, team, lanyard.InvitationInput{Email: "grace@demo.test", Role: "billing"}); err != nil {
			return err
		}
	}
	there, err := p.Apps(ctx, p.actor, team, "Sunny website", manage.List{Limit: 1})
	if err != nil || len(there.Items) > 0 {
		return err
	}
	site, err := p.CreateApp(ctx, p.actor, lanyard.AppInput{
		Name: "Sunny website", TeamID: team, Description: "Shows people their mail beside the weather", HomepageURL: "https://sunny.example",
		OAuthSettings: lanyard.OAuthSettings{
			RedirectURIs: []string{"https://sunny.example/callback", "http://127.0.0.1/callback"}, PostLogoutRedirectURIs: []string{"https://sunny.example/"},
			Scopes: []string{"profile.read", "messages.read"},
		},
	})
	if err != nil {
		return err
	}
	_, err = p.CreateSecret(ctx, p.actor, site.ID, lanyard.SecretInput{Name: "production"})
	return err
}

func (p planter) user(ctx context.Context, in lanyard.UserInput) (lanyard.User, error) {
	there, err := p.Users(ctx, p.actor, in.Email, manage.List{Limit: 1})
	if err != nil {
		return lanyard.User{}, err
	}
	if len(there.Items) > 0 {
		return there.Items[0], nil
	}
	return p.CreateUser(ctx, p.actor, in)
}

func (p planter) team(ctx context.Context, name, owner string) (lanyard.Team, error) {
	there, err := p.Teams(ctx, p.actor, name, manage.List{Limit: 1})
	if err != nil {
		return lanyard.Team{}, err
	}
	if len(there.Items) > 0 {
		return there.Items[0], nil
	}
	return p.CreateTeam(ctx, p.actor, lanyard.TeamInput{Name: name, OwnerID: owner})
}

// postPal makes the client of PostPal, or tells it where PostPal stands today.
func (p planter) postPal(ctx context.Context, team, address string) (clientID string, err error) {
	back, out := []string{address + "/callback"}, []string{address + "/"}
	scopes := []string{"profile.read", "messages.read", "posts.write"}
	there, err := p.Apps(ctx, p.actor, team, "PostPal", manage.List{Limit: 1})
	if err != nil {
		return "", err
	}
	if len(there.Items) > 0 {
		_, err := p.UpdateApp(ctx, p.actor, there.Items[0].ID, lanyard.AppPatch{OAuthPatch: lanyard.OAuthPatch{RedirectURIs: &back, PostLogoutRedirectURIs: &out}})
		return there.Items[0].ClientID, err
	}
	made, err := p.CreateApp(ctx, p.actor, lanyard.AppInput{
		Name: "PostPal", TeamID: team, Type: "public", Description: "Posts for you, if you let it", HomepageURL: address,
		OAuthSettings: lanyard.OAuthSettings{RedirectURIs: back, PostLogoutRedirectURIs: out, Scopes: scopes},
	})
	return made.ClientID, err
}

// appKey returns the secret and the id of a key of the app.
func (p planter) appKey(ctx context.Context, app lanyard.AppInput, key lanyard.KeyInput) (secret, keyID string, err error) {
	there, err := p.Apps(ctx, p.actor, app.TeamID, app.Name, manage.List{Limit: 1})
	if err != nil {
		return "", "", err
	}
	if len(there.Items) > 0 {
		return p.key(ctx, there.Items[0], key)
	}
	made, err := p.CreateApp(ctx, p.actor, app)
	if err != nil {
		return "", "", err
	}
	return p.key(ctx, made, key)
}

// key gives the app's working key of that name a new secret, or makes one.
func (p planter) key(ctx context.Context, app lanyard.App, in lanyard.KeyInput) (secret, keyID string, err error) {
	there, err := p.Keys(ctx, p.actor, manage.KeysFilter{App: app.ID, Name: in.Name}, manage.List{})
	if err != nil {
		return "", "", err
	}
	for _, k := range there.Items {
		if k.Status == "valid" {
			rotated, err := p.RotateKey(ctx, p.actor, k.ID, lanyard.RotateInput{OverlapSeconds: new(int64)})
			return rotated.Secret, k.ID, err
		}
	}
	made, err := p.CreateKey(ctx, p.actor, app.ID, in)
	return made.Secret, made.ID, err
}

func (p planter) systemKey(ctx context.Context, name, scope string) (secret string, err error) {
	there, err := p.Keys(ctx, p.actor, manage.KeysFilter{Name: name}, manage.List{})
	if err != nil {
		return "", err
	}
	for _, k := range there.Items {
		if k.Status == "valid" && len(k.Scopes) == 1 && k.Scopes[0] == scope {
			rotated, err := p.RotateKey(ctx, p.actor, k.ID, lanyard.RotateInput{OverlapSeconds: new(int64)})
			return rotated.Secret, err
		}
	}
	made, err := p.CreateSystemKey(ctx, p.actor, name, []string{scope})
	return made.Secret, err
}
