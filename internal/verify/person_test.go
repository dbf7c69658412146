package verify_test

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/token"
	"github.com/lanyard-auth/lanyard/internal/user"
)

const mailAudience = "https://auth.test/apis/mail"

// person is a user who allowed the world's app something.
type person struct {
	user  id.User
	grant *grant.Grant
}

func (w *world) person(email string) person {
	w.tb.Helper()
	ctx := context.Background()
	p := person{user: id.New[id.User]()}
	w.must(w.st.CreateUser(ctx, &user.User{ID: p.user, Email: email, Name: "Ada", CreatedAt: w.clock.Now(), VerifiedAt: w.clock.Now()}, w.event("user.create")))
	g, err := w.st.Allow(ctx, &grant.Grant{ID: id.New[id.Grant](), User: p.user, App: w.app, Scopes: []string{"messages.read"}, CreatedAt: w.clock.Now()}, w.event("grant.allow"))
	if err != nil {
		w.tb.Fatal(err)
	}
	p.grant = g
	w.sync()
	return p
}

func (w *world) alterUser(u id.User, change func(*user.User)) {
	w.tb.Helper()
	_, rev, err := w.st.UpdateUser(context.Background(), u, w.event("user.update"), func(u *user.User) error { change(u); return nil })
	w.must(rev, err)
	w.sync()
}

func (w *world) alterApp(a id.App, change func(*app.App)) {
	w.tb.Helper()
	_, rev, err := w.st.UpdateApp(context.Background(), audit.ServerReach(), a, w.event("app.update"), func(a *app.App) error { change(a); return nil })
	w.must(rev, err)
	w.sync()
}

func (w *world) suspend(at time.Time) {
	w.tb.Helper()
	_, rev, err := w.st.UpdateTeam(context.Background(), audit.ServerReach(), w.team, w.event("team.update"), func(t *team.Team) error { t.SuspendedAt = at; return nil })
	w.must(rev, err)
	w.sync()
}

// claims are those of a token that the person let the app have.
func (w *world) claims(p person, scopes ...string) token.Claims {
	now := w.clock.Now().UTC().Truncate(time.Second)
	c := token.Claims{
		ID: id.Chars(id.New[id.Token]()), App: w.app, User: p.user, Subject: string(p.user), Audience: mailAudience, Scopes: scopes, Mode: secret.Live,
		Family: id.Chars(id.New[id.Family]()), IssuedAt: now, ExpiresAt: now.Add(15 * time.Minute), AuthTime: now, ACR: "1", AMR: []string{"pwd"},
	}
	if p.grant != nil {
		c.Grant = p.grant.ID
	}
	if p.user == "" {
		c.Subject, c.Family, c.AuthTime = string(w.app), "", time.Time{}
	}
	return c
}

func (w *world) opaque(c token.Claims) string {
	w.tb.Helper()
	text, err := w.minter.Opaque(&c, "lyd")
	if err != nil {
		w.tb.Fatal(err)
	}
	return text.Reveal()
}

func (w *world) jwt(c token.Claims) string {
	w.tb.Helper()
	text, err := w.minter.JWT(context.Background(), &c, "ES256")
	if err != nil {
		w.tb.Fatal(err)
	}
	return text.Reveal()
}

// forms are a token's two forms.
func (w *world) forms(c token.Claims) map[string]string {
	return map[string]string{"opaque": w.opaque(c), "jwt": w.jwt(c)}
}

type patSpec struct {
	mode     secret.Mode
	scopes   []string
	epoch    int
	expires  time.Duration
	restrict policy.Restrictions
}

type madePersonal struct {
	row  *key.Personal
	text string
}

func (w *world) personal(p person, s patSpec) madePersonal {
	w.tb.Helper()
	m := w.buildPersonal(p, s)
	w.must(w.st.CreatePersonal(context.Background(), m.row, w.event("token.create")))
	w.sync()
	return m
}

func (w *world) buildPersonal(p person, s patSpec) madePersonal {
	w.tb.Helper()
	if s.mode == "" {
		s.mode = secret.Live
	}
	if s.expires == 0 {
		s.expires = time.Hour
	}
	tokenID := id.New[id.Key]()
	text, err := secret.New("lyd", secret.Personal, s.mode, id.Chars(tokenID), rand.Reader)
	if err != nil {
		w.tb.Fatal(err)
	}
	pepper, digest := w.ring.MAC(text.Reveal())
	return madePersonal{&key.Personal{
		ID: tokenID, User: p.user, Name: "script", Mode: s.mode, Prefix: "lyd", Scopes: s.scopes, Restrictions: s.restrict, Digest: digest[:], Pepper: pepper, Epoch: s.epoch,
		CreatedAt: w.clock.Now(), ExpiresAt: w.clock.Now().Add(s.expires),
	}, text.Reveal()}
}

// otherApp is an app of another team.
func (w *world) otherApp(origin app.Origin) (id.App, id.Team) {
	w.tb.Helper()
	ctx := context.Background()
	teamID, appID := id.New[id.Team](), id.New[id.App]()
	w.must(w.st.CreateTeam(ctx, &team.Team{ID: teamID, Name: "Rainy", CreatedAt: w.clock.Now()}, "", w.event("team.create")))
	w.must(w.st.CreateApp(ctx, &app.App{ID: appID, Team: teamID, Name: "Other", Type: app.Confidential, Origin: origin, CreatedAt: w.clock.Now()}, w.event("app.create")))
	w.sync()
	return appID, teamID
}
