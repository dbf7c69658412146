package verify_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/token"
	"github.com/lanyard-auth/lanyard/internal/user"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

func TestClient(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	const address = "https://client.test/app.json"
	_, otherTeam := w.otherApp("")
	register := func() id.App {
		a := &app.App{ID: id.New[id.App](), Team: otherTeam, Name: "By address", Type: app.Public, Origin: app.ByAddress, ClientURL: address, CreatedAt: w.clock.Now()}
		w.must(w.st.CreateApp(ctx, a, w.event("app.create")))
		w.sync()
		return a.ID
	}
	check := func(when, clientID string, want id.App) {
		t.Helper()
		for range 2 {
			a, err := w.v.Client(ctx, clientID)
			var got id.App
			if a != nil {
				got = a.ID
			}
			if err != nil || got != want {
				t.Errorf("%s: Client(%s) = %q, %v, want %q", when, clientID, got, err, want)
			}
		}
	}
	check("unknown", string(id.New[id.App]()), "")
	check("no id", "mallory", "")
	check("another kind of id", string(w.team), "")
	check("unknown address", address, "")
	first := register()
	check("registered", address, first)
	check("registered", string(first), first)
	check("in force", string(w.app), w.app)
	w.alterApp(first, func(a *app.App) { a.DeletedAt = w.clock.Now() })
	check("deleted", address, "")
	check("deleted", string(first), "")
	check("registered again", address, register())
	w.alterApp(w.app, func(a *app.App) { a.DisabledAt = w.clock.Now() })
	check("disabled", string(w.app), "")
	w.alterApp(w.app, func(a *app.App) { a.DisabledAt = time.Time{}; a.OAuth.GrantTypes = []string{app.ClientCredentials} })
	if a, err := w.v.Client(ctx, string(w.app)); err != nil || a == nil || !a.MayUse(app.ClientCredentials) {
		t.Errorf("changed: Client = %+v, %v, want the app as it is now", a, err)
	}
	w.suspend(w.clock.Now())
	check("of a suspended team", string(w.app), "")
}

func TestClientSecret(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	from := netip.MustParseAddr("198.51.100.1")
	good := w.key(keySpec{kind: secret.Client, mode: secret.Test})
	revoked, expired := w.key(keySpec{kind: secret.Client}), w.key(keySpec{kind: secret.Client, expires: w.clock.Now()})
	w.alter(revoked.key.ID, func(k *key.Key) error { return k.Revoke(w.clock.Now(), "", 0) })
	for _, test := range []struct {
		name, text string
		want       policy.Code
	}{
		{"none", "", policy.Missing},
		{"garbage", "garbage-that-is-long-enough-to-be-imported", policy.Malformed},
		{"an API key", w.key(keySpec{}).credential, policy.NotFound},
		{"unknown", w.build(keySpec{kind: secret.Client}).credential, policy.NotFound},
		{"revoked", revoked.credential, policy.Revoked},
		{"expired", expired.credential, policy.Expired},
	} {
		proof, code, err := w.v.ClientSecret(ctx, test.text, from)
		if err != nil || code != test.want || proof != (verify.ClientProof{}) {
			t.Errorf("%s: ClientSecret = %+v, %s, %v, want %s and no proof", test.name, proof, code, err, test.want)
		}
	}
	for range 2 {
		proof, code, err := w.v.ClientSecret(ctx, good.credential, from)
		if want := (verify.ClientProof{App: w.app, Key: good.key.ID, Mode: secret.Test}); err != nil || code != policy.Valid || proof != want {
			t.Errorf("ClientSecret = %+v, %s, %v, want %+v", proof, code, err, want)
		}
	}
	if d := w.ask(verify.Request{API: "weather", Credential: good.credential}); d.Code != policy.NotFound {
		t.Errorf("a client secret at an API = %s, want not_found", d.Code)
	}
	for range 80 {
		if _, _, err := w.v.ClientSecret(ctx, w.build(keySpec{kind: secret.Client}).credential, from); err != nil {
			t.Fatal(err)
		}
	}
	if _, code, err := w.v.ClientSecret(ctx, w.build(keySpec{kind: secret.Client}).credential, from); err != nil || code != policy.RateLimited {
		t.Errorf("ClientSecret after 80 guesses = %s, %v, want rate_limited", code, err)
	}
}

// TestToken: what introspection and exchange learn.
func TestToken(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	p := w.person("ada@example.com")
	c := w.claims(p, "messages.read")
	for form, text := range w.forms(c) {
		state, err := w.v.Token(ctx, text, netip.Addr{})
		if err != nil || state.Code != policy.Valid || state.App != w.app || state.Team != w.team || state.User != p.user || state.Personal != nil {
			t.Fatalf("%s: Token = %+v, %v, want valid", form, state, err)
		}
		if diff := cmp.Diff(c, state.Claims); diff != "" {
			t.Errorf("%s: Token says (-want +got)\n%s", form, diff)
		}
	}
	pat := w.personal(p, patSpec{scopes: []string{"messages.read"}})
	state, err := w.v.Token(ctx, pat.text, netip.Addr{})
	if err != nil || state.Code != policy.Valid || state.Personal == nil || state.Personal.ID != pat.row.ID || state.Personal.User != p.user || len(state.Personal.Digest) != 0 || state.Claims.ID != "" {
		t.Errorf("Token(personal) = %+v, %v, want the token without its digest", state, err)
	}
	for name, text := range map[string]string{"": "", "garbage": "garbage", "an API key": w.key(keySpec{}).credential, "unknown": w.buildPersonal(p, patSpec{}).text} {
		for range 100 { // whoever was authenticated otherwise is not counted
			state, err := w.v.Token(ctx, text, netip.Addr{})
			if err != nil || state.Code == policy.Valid || state.Code == policy.RateLimited || state.Claims.ID != "" || state.Personal != nil {
				t.Fatalf("%s: Token = %+v, %v, want it unknown", name, state, err)
			}
		}
	}
	c.JKT = "thumbprint"
	if state, err := w.v.Token(ctx, w.opaque(c), netip.Addr{}); err != nil || state.Code != policy.Valid {
		t.Errorf("Token(bound) = %+v, %v, want valid: who asks does not hold the key", state, err)
	}
}

func TestStandingAndGrant(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	p := w.person("ada@example.com")
	if s, err := w.v.Standing(ctx, id.New[id.User]()); err != nil || !s.Disabled {
		t.Errorf("Standing(nobody) = %+v, %v, want disabled", s, err)
	}
	if s, err := w.v.Standing(ctx, p.user); err != nil || s.Disabled || s.Admin {
		t.Errorf("Standing = %+v, %v, want an ordinary user", s, err)
	}
	w.alterUser(p.user, func(u *user.User) { u.Admin = true })
	if s, err := w.v.Standing(ctx, p.user); err != nil || !s.Admin {
		t.Errorf("Standing = %+v, %v, want an admin", s, err)
	}
	if g, err := w.v.Grant(ctx, id.New[id.Grant]()); err != nil || g.RevokedAt.IsZero() {
		t.Errorf("Grant(none) = %+v, %v, want it revoked", g, err)
	}
	if g, err := w.v.Grant(ctx, p.grant.ID); err != nil || g.User != p.user || !g.RevokedAt.IsZero() {
		t.Errorf("Grant = %+v, %v, want it live", g, err)
	}
	w.must(w.st.RevokeGrant(ctx, audit.ServerReach(), p.user, p.grant.ID, w.event("grant.revoke")))
	w.sync()
	if g, err := w.v.Grant(ctx, p.grant.ID); err != nil || g.RevokedAt.IsZero() {
		t.Errorf("Grant = %+v, %v, want it revoked", g, err)
	}
}

func TestCatalog(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	set := func(name, identifier string) {
		t.Helper()
		normal, err := catalog.Normalise(name, lanyard.API{Identifier: identifier, Scopes: map[string]lanyard.Scope{name + ".read": {Text: "read it"}}})
		if err != nil {
			t.Fatal(err)
		}
		w.must(w.st.UpdateCatalog(ctx, w.event("catalog.apply"), func(s *catalog.State) error { s.APIs[name] = normal; return nil }))
		w.sync()
	}
	set("one", "https://API.one.test/v1/")
	set("two", "https://two.test/x")
	set("three", "https://two.test/x/")
	view, err := w.v.Catalog(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, api := range view.All() {
		names = append(names, api.Policy.Name)
	}
	if want := []string{"desk", "mail", "one", "open", "paid", "pro", "three", "two", "weather", "lanyard"}; !slices.Equal(names, want) {
		t.Errorf("All = %q, want %q", names, want)
	}
	for resource, want := range map[string]string{
		mailAudience: "mail", mailAudience + "/": "mail", "HTTPS://AUTH.test/apis/mail": "mail", "https://auth.test": "lanyard", "https://api.one.test/v1": "one",
		"https://two.test/x": "two", "https://two.test/x/": "three", // each by its exact text
		"https://TWO.test/x": "two", "https://TWO.test/x//": "", "https://auth.test/APIS/mail": "", mailAudience + "//": "", mailAudience + "?x": "", "": "", "mail": "",
	} {
		got := ""
		if api := view.ByIdentifier(resource); api != nil {
			got = api.Policy.Name
		}
		if got != want {
			t.Errorf("ByIdentifier(%q) = %q, want %q", resource, got, want)
		}
	}
	if api := view.ByScope("messages.read"); api == nil || api.Policy.Name != "mail" || view.ByScope("lanyard.keys.read").Policy != view.Management() || view.ByScope("x") != nil {
		t.Errorf("ByScope(messages.read) = %+v, want mail", api)
	}
	if view.ByName("mail") == nil || view.ByName("x") != nil {
		t.Error("ByName does not find what is there, or finds what is not")
	}
	if again, err := w.v.Catalog(ctx); err != nil || again != view {
		t.Errorf("Catalog again = %p, %v, want the same", again, err)
	}
	set("four", "https://four.test")
	if next, err := w.v.Catalog(ctx); err != nil || next.ByName("four") == nil {
		t.Errorf("Catalog after a change = %v, want it there", err)
	}
}

// TestCachedWithoutDatabase: what issues tokens asks nothing of the database once it was asked.
func TestCachedWithoutDatabase(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	p := w.person("ada@example.com")
	cs := w.key(keySpec{kind: secret.Client})
	tok := w.opaque(w.claims(p, "messages.read"))
	all := func() error {
		_, err1 := w.v.Client(ctx, string(w.app))
		_, _, err2 := w.v.ClientSecret(ctx, cs.credential, netip.Addr{})
		_, err3 := w.v.Standing(ctx, p.user)
		_, err4 := w.v.Grant(ctx, p.grant.ID)
		_, err5 := w.v.Catalog(ctx)
		_, err6 := w.v.Token(ctx, tok, netip.Addr{})
		return errors.Join(err1, err2, err3, err4, err5, err6)
	}
	if err := all(); err != nil {
		t.Fatal(err)
	}
	if err := w.st.Close(); err != nil {
		t.Fatal(err)
	}
	if err := all(); err != nil {
		t.Errorf("with the database closed: %v, want answers from memory", err)
	}
}

// TestAskerByToken: management calls by people and by apps for themselves.
func TestAskerByToken(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	p := w.person("ada@example.com")
	local := netip.MustParseAddr("127.0.0.1")
	scopes := []string{"lanyard.keys.write", "lanyard.billing.read", "lanyard.users.read", "messages.read"}
	own := func(p person) token.Claims {
		c := w.claims(p, scopes...)
		c.Audience = "https://auth.test"
		return c
	}
	bound := own(p)
	bound.JKT = "thumbprint"
	for name, text := range map[string]string{
		"a token for another API": w.opaque(w.claims(p, scopes...)), "a bound token": w.opaque(bound), "an ID token": idToken(t, w), "an unknown personal token": w.buildPersonal(p, patSpec{}).text,
	} {
		if actor, err := w.v.Asker(ctx, text, "", local); !fault.Is(err, fault.Unauthenticated) || actor.User != "" {
			t.Errorf("%s: Asker = %+v, %v, want unauthenticated", name, actor, err)
		}
	}
	user1 := audit.Actor{Label: string(p.user), App: w.app, User: p.user, Reach: audit.UserReach(p.user), Scopes: []string{"lanyard.keys.write"}}
	check := func(when, text string, want audit.Actor) {
		t.Helper()
		got, err := w.v.Asker(ctx, text, "", local)
		if err != nil {
			t.Fatalf("%s: Asker = %v", when, err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(audit.Reach{})); diff != "" {
			t.Errorf("%s: Asker = (-want +got)\n%s", when, diff)
		}
	}
	forms := w.forms(own(p))
	pat := w.personal(p, patSpec{scopes: scopes})
	byPAT := user1
	byPAT.App, byPAT.Key = "", pat.row.ID
	check("opaque", forms["opaque"], user1)
	check("jwt", forms["jwt"], user1)
	check("personal", pat.text, byPAT)
	_, theirs := w.otherApp("")
	w.must(w.st.SetMember(ctx, audit.ServerReach(), theirs, memberOf(p.user), w.event("member.set")))
	w.sync()
	user1.Scopes, byPAT.Scopes = []string{"lanyard.keys.write", "lanyard.billing.read"}, []string{"lanyard.keys.write", "lanyard.billing.read"}
	check("an owner", forms["opaque"], user1)
	check("an owner, personal", pat.text, byPAT)
	w.alterUser(p.user, func(u *user.User) { u.Admin = true })
	user1.Scopes, user1.Reach = scopes[:3], audit.ServerReach()
	check("an admin", forms["jwt"], user1)
	w.alterUser(p.user, func(u *user.User) { u.Admin = false })

	app1 := audit.Actor{Label: string(w.app), App: w.app, Team: w.team, Reach: audit.TeamReach(w.team), Scopes: []string{"lanyard.keys.write", "lanyard.billing.read"}}
	self := w.opaque(own(person{}))
	check("an app for itself", self, app1)
	w.v.SetSystemTeam(w.team)
	app1.Team, app1.Reach, app1.Scopes = "", audit.ServerReach(), scopes[:3]
	check("an app of the system team", self, app1)

	for _, origin := range []app.Origin{app.DCR, app.ByAddress} {
		registered, team := w.otherApp(origin)
		w.v.SetSystemTeam(team)
		c := own(person{})
		c.App, c.Subject = registered, string(registered)
		actor, err := w.v.Asker(ctx, w.opaque(c), "", local)
		if err != nil || len(actor.Scopes) != 0 {
			t.Errorf("an app of origin %s: Asker = %q, %v, want no scope of Lanyard's own", origin, actor.Scopes, err)
		}
		m := w.build(keySpec{scopes: scopes})
		m.key.App, m.key.Team = registered, team
		w.must(w.st.CreateKeys(ctx, []*key.Key{m.key}, w.event("key.create")))
		w.sync()
		if actor, err := w.v.Asker(ctx, m.credential, "", local); err != nil || len(actor.Scopes) != 0 {
			t.Errorf("a key of an app of origin %s: Asker = %q, %v, want no scope of Lanyard's own", origin, actor.Scopes, err)
		}
	}
}

// TestHolderOfToken: whoever holds a token may end it, in every state of it, and nothing else.
func TestHolderOfToken(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	p := w.person("ada@example.com")
	c := w.claims(p, "lanyard.keys.write")
	pat := w.personal(p, patSpec{scopes: []string{"lanyard.keys.write"}})
	w.alterUser(p.user, func(u *user.User) { u.DisabledAt = w.clock.Now() })
	actor, err := w.v.Holder(ctx, w.opaque(c), "", netip.Addr{})
	if err != nil || actor.Label != "tok_"+c.ID || actor.Key != "" || len(actor.Scopes) != 0 {
		t.Errorf("Holder(token) = %+v, %v, want it named and without scopes", actor, err)
	}
	if actor, err = w.v.Holder(ctx, pat.text, "", netip.Addr{}); err != nil || actor.Key != pat.row.ID || len(actor.Scopes) != 0 {
		t.Errorf("Holder(personal) = %+v, %v, want it named and without scopes", actor, err)
	}
	if _, err = w.v.Holder(ctx, newWorld(t).opaque(c), "", netip.Addr{}); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("Holder(forged) = %v, want unauthenticated", err)
	}
}

func memberOf(u id.User) team.Member { return team.Member{User: u, Role: audit.RoleOwner} }
