package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/session"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// rawGrant puts a live grant past the store.
func rawGrant(t *testing.T, db database, u id.User, a id.App, owner id.Team) id.Grant {
	t.Helper()
	grant := id.New[id.Grant]()
	must(t, second(db.raw(t).ExecContext(ctx, `INSERT INTO grants (id, user_id, app_id, team_id, scopes, document, epoch, created_at, updated_at, revoked_at)
		VALUES ($1, $2, $3, $4, '[]', '', 0, 1, 1, 0)`, string(grant), string(u), string(a), string(owner))))
	return grant
}

// rawFamily puts a live chain under a grant, past the store.
func rawFamily(t *testing.T, db database, grant id.Grant) id.Family {
	t.Helper()
	family := id.New[id.Family]()
	must(t, second(db.raw(t).ExecContext(ctx, `
		INSERT INTO family (id, app_id, user_id, grant_id, session_id, mode, issue, seed, counter, key_version, created_at, rotated_at, idle_at, expires_at, revoked_at)
		SELECT $1, app_id, user_id, id, '', 'live', '{}', $3, 1, 1, 1, 1, 2, 2, 0 FROM grants WHERE id = $2`, string(family), string(grant), []byte("seed"))))
	return family
}

// ended reports when a row of grants or family was revoked; 0: not.
func ended[K id.Kind](t *testing.T, db database, table string, row K) (at int64) {
	t.Helper()
	must(t, db.raw(t).QueryRowContext(ctx, `SELECT revoked_at FROM `+table+` WHERE id = $1`, string(row)).Scan(&at))
	return at
}

// revokedNow are those of the subjects that nodes remember as revoked.
func revokedNow(t *testing.T, st *store.Store, subjects ...string) (found []string) {
	t.Helper()
	revoked, err := st.RevocationsOf(ctx, subjects)
	must(t, err)
	for _, r := range revoked {
		if !r.Until.Equal(t0.Add(changes.RevocationLife)) {
			t.Errorf("%s is remembered until %s, want %s", r.Subject, r.Until, t0.Add(changes.RevocationLife))
		}
		found = append(found, r.Subject)
	}
	slices.Sort(found)
	return found
}

// An epoch never goes back: a token of an earlier one would work again.
func TestEpochNeverGoesBack(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		server := audit.ServerReach()
		must(t, third(w.UpdateUser(ctx, w.dev, event("raise"), func(u *user.User) error { u.Epoch = 2; return nil })))
		must(t, third(w.UpdateApp(ctx, server, w.ourApp, event("raise"), func(a *app.App) error { a.Epoch = 2; return nil })))
		for what, err := range map[string]error{
			"UpdateUser": third(w.UpdateUser(ctx, w.dev, event("lower"), func(u *user.User) error { u.Epoch = 1; return nil })),
			"UpdateApp":  third(w.UpdateApp(ctx, server, w.ourApp, event("lower"), func(a *app.App) error { a.Epoch = 1; return nil })),
		} {
			if err == nil || fault.KindOf(err) != "" {
				t.Errorf("%s that lowers the epoch = %v, want an error without a kind", what, err)
			}
		}
		u, err := w.User(ctx, w.dev)
		must(t, err)
		a, err := w.App(ctx, server, w.ourApp)
		must(t, err)
		if u.Epoch != 2 || a.Epoch != 2 || len(auditLines(t, w.Store, "lower")) > 0 {
			t.Errorf("epochs %d and %d after refusals, want 2 and no audit line", u.Epoch, a.Epoch)
		}
	})
}

// What ends with a user who is disabled, or whose tokens are all taken back, and what does not.
func TestUserEpoch(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		disable := func(u *user.User) error { u.DisabledAt = t0; return nil }
		for name, c := range map[string]struct {
			change   func(*user.User) error
			epoch    int
			sessions bool // go on
			chains   bool // go on
		}{
			"another name": {func(u *user.User) error { u.Name = "Eve"; return nil }, 0, true, true},
			"an admin":     {func(u *user.User) error { u.Admin = true; return nil }, 0, true, true},
			"verified":     {func(u *user.User) error { u.VerifiedAt = t0; return nil }, 0, true, true},
			"disabled":     {disable, 1, false, true},
			"raised":       {func(u *user.User) error { u.Epoch++; return nil }, 1, false, false},
			"raised far":   {func(u *user.User) error { u.Epoch += 3; return nil }, 3, false, false},
			"both":         {func(u *user.User) error { u.Epoch++; return disable(u) }, 1, false, false},
		} {
			mine, other := newUser(t, w.Store, string(id.New[id.User]())+"@example.com"), newUser(t, w.Store, string(id.New[id.User]())+"@example.com")
			se, others := aSession(mine), aSession(other)
			must(t, w.BeginSession(ctx, se, "", nil, nil), w.BeginSession(ctx, others, "", nil, nil))
			join(t, w.Store, se, w.theirApp)
			grant := rawGrant(t, db, mine, w.ourApp, w.ours)
			chain, theirs := rawFamily(t, db, grant), rawFamily(t, db, rawGrant(t, db, other, w.ourApp, w.ours))
			before := head(t, w.Store)
			u, rev, err := w.UpdateUser(ctx, mine, event(name), c.change)
			must(t, err)
			want := []string{entry(changes.User, string(mine))}
			subject := user.EpochSubject(string(mine), 0)
			if c.epoch > 0 {
				want = append(want, entry(changes.Revocation, subject))
			}
			if diff := cmp.Diff(want, since(t, w.Store, before)); diff != "" || rev != before+id.Revision(len(want)) || u.Epoch != c.epoch {
				t.Errorf("%s: epoch %d, want %d; entries -want +got:\n%s", name, u.Epoch, c.epoch, diff)
			}
			if got := revokedNow(t, w.Store, subject); (len(got) == 1) != (c.epoch > 0) {
				t.Errorf("%s: remembered as revoked: %v", name, got)
			}
			if err := second(w.Session(ctx, se.ID)); (err == nil) != c.sessions {
				t.Errorf("%s: Session = %v, want it to go on: %t", name, err, c.sessions)
			}
			if c.sessions {
				wantNotices(t, name, w.Store)
			} else {
				wantNotices(t, name, w.Store, outbox.Logout{Session: se.ID, App: w.theirApp, User: mine})
			}
			if at := ended(t, db, "family", chain); (at == 0) != c.chains {
				t.Errorf("%s: the chain ended at %d, want it to go on: %t", name, at, c.chains)
			}
			if at := ended(t, db, "grants", grant); at != 0 {
				t.Errorf("%s: the grant ended at %d, want it to stay", name, at)
			}
			if err := second(w.Session(ctx, others.ID)); err != nil || ended(t, db, "family", theirs) != 0 {
				t.Errorf("%s: another user's session (%v) or chain ended", name, err)
			}
			again, err := w.User(ctx, mine)
			if diff := cmp.Diff(u, again); err != nil || diff != "" {
				t.Errorf("%s: User: %v, -answered +stored:\n%s", name, err, diff)
			}
		}
	})
}

// Who is disabled while logging in has no session afterwards, whichever came first (SECURITY-CASES G).
func TestDisableRacesLogin(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		nodes := []*store.Store{db.open(t), db.open(t)}
		for range rounds() {
			u := newUser(t, nodes[0], string(id.New[id.User]())+"@example.com")
			errs := race(8, func(i int) error {
				if i == 0 {
					return third(nodes[0].UpdateUser(ctx, u, event("disable"), func(u *user.User) error { u.DisabledAt = t0; return nil }))
				}
				return nodes[i%2].BeginSession(ctx, aSession(u), "", nil, nil)
			})
			must(t, errs[0])
			for _, err := range errs[1:] {
				if err != nil && !fault.Is(err, fault.Unauthenticated) {
					t.Errorf("BeginSession while disabled = %v, want it done or unauthenticated", err)
				}
			}
			if left, err := nodes[1].Sessions(ctx, u, t0); err != nil || len(left) > 0 {
				t.Errorf("Sessions of a disabled user = %d, %v, want none", len(left), err)
			}
		}
	})
}

// What ends with an app that is disabled or deleted, or whose tokens are all taken back, and what does not.
func TestAppEpoch(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		server := audit.ServerReach()
		remove := func(a *app.App) error { a.DeletedAt = t0; return nil }
		for name, c := range map[string]struct {
			first, change func(*app.App) error
			epoch         int // afterwards
			revoked       bool
			chains        bool // go on
			grants        bool // go on
		}{
			"another name":     {nil, func(a *app.App) error { a.Name = "other"; return nil }, 0, false, true, true},
			"disabled":         {nil, func(a *app.App) error { a.DisabledAt = t0; return nil }, 1, true, true, true},
			"enabled":          {func(a *app.App) error { a.DisabledAt = t0; return nil }, func(a *app.App) error { a.DisabledAt = time.Time{}; return nil }, 1, false, true, true},
			"raised":           {nil, func(a *app.App) error { a.Epoch++; return nil }, 1, true, false, true},
			"deleted":          {nil, remove, 1, true, false, false},
			"disabled deleted": {func(a *app.App) error { a.DisabledAt = t0; return nil }, remove, 1, false, false, false},
		} {
			appID := newApp(t, w.Store, w.ours)
			k := newKey(t, w.Store, appID, w.ours)
			grant, bystander := rawGrant(t, db, w.dev, appID, w.ours), rawGrant(t, db, newUser(t, w.Store, string(appID)+"@example.com"), w.theirApp, w.theirs)
			chain, theirs := rawFamily(t, db, grant), rawFamily(t, db, bystander)
			if c.first != nil {
				must(t, third(w.UpdateApp(ctx, server, appID, event(name), c.first)))
			}
			before := head(t, w.Store)
			a, _, err := w.UpdateApp(ctx, server, appID, event(name), c.change)
			must(t, err)
			want := []string{entry(changes.App, string(appID))}
			if c.revoked {
				want = append(want, entry(changes.Revocation, user.EpochSubject(string(appID), 0)))
			}
			if diff := cmp.Diff(want, since(t, w.Store, before)); diff != "" || a.Epoch != c.epoch {
				t.Errorf("%s: epoch %d, want %d; entries -want +got:\n%s", name, a.Epoch, c.epoch, diff)
			}
			if at := ended(t, db, "family", chain); (at == 0) != c.chains {
				t.Errorf("%s: the chain ended at %d, want it to go on: %t", name, at, c.chains)
			}
			if at := ended(t, db, "grants", grant); (at == 0) != c.grants {
				t.Errorf("%s: the grant ended at %d, want it to go on: %t", name, at, c.grants)
			}
			if ended(t, db, "grants", bystander) != 0 || ended(t, db, "family", theirs) != 0 {
				t.Errorf("%s: another app's grant or chain ended", name)
			}
			if k, err := w.KeyForDecision(ctx, k.ID); err != nil || !k.RevokedAt.IsZero() {
				t.Errorf("%s: the app's key = %+v, %v, want it untouched", name, k, err)
			}
		}
	})
}

// How a user stands is read whole: disabled, admin, epoch, and only the teams they own.
func TestUserForDecision(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		wantKind(t, "UserForDecision of nobody", second(w.UserForDecision(ctx, id.New[id.User]())), fault.NotFound)
		for _, u := range []id.User{w.dev, w.billing} {
			got, err := w.UserForDecision(ctx, u)
			if diff := cmp.Diff(user.Standing{}, got); err != nil || diff != "" {
				t.Errorf("UserForDecision of one who owns nothing: %v, -want +got:\n%s", err, diff)
			}
		}
		must(t, second(w.SetMember(ctx, audit.ServerReach(), w.theirs, team.Member{User: w.owner, Role: audit.RoleOwner}, event("m"))))
		must(t, third(w.UpdateUser(ctx, w.owner, event("u"), func(u *user.User) error { u.Admin, u.DisabledAt = true, t0; return nil })))
		got, err := w.UserForDecision(ctx, w.owner)
		want := user.Standing{Disabled: true, Admin: true, Epoch: 1, Owns: []id.Team{w.ours, w.theirs}}
		slices.Sort(want.Owns)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("UserForDecision: %v, -want +got:\n%s", err, diff)
		}
	})
}

// An address finds its user however it is written, and nobody else (SECURITY-CASES 82).
func TestUserByEmail(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		ada := newUser(t, st, "Ada@Example.com")
		for _, address := range []string{"", "ada", "ada@example.org", "%", "ada@example.com\x00", "ada@example.com\xff"} {
			wantKind(t, fmt.Sprintf("UserByEmail(%q)", address), second(st.UserByEmail(ctx, address)), fault.NotFound)
		}
		for _, address := range []string{"ada@example.com", "ADA@EXAMPLE.COM", " ada@example.com "} {
			if u, err := st.UserByEmail(ctx, address); err != nil || u.ID != ada {
				t.Errorf("UserByEmail(%q) = %+v, %v, want %s", address, u, err, ada)
			}
		}
	})
}

func oauthApp(owner id.Team, address string) *app.App {
	a := anApp(owner)
	maxAge := 60
	a.Type, a.Origin, a.ClientURL = app.Public, app.ByAddress, address
	a.OAuth = app.OAuth{
		RedirectURIs: []string{"https://app.example/cb"}, GrantTypes: []string{app.AuthorizationCode}, AuthMethod: app.AuthNone,
		JWKS: []byte(`{"keys":[]}`), DefaultMaxAge: &maxAge,
	}
	a.Document, a.DocumentUntil = "digest", t0.Add(time.Hour)
	a.ManageDigest, a.ManagePepper = digest("manage"), 2
	return a
}

// What an app declares comes back; what is for good stays.
func TestAppOAuth(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		a := oauthApp(w.ours, "https://app.example/client.json")
		must(t, second(w.CreateApp(ctx, a, event("app.create"))))
		got, err := w.App(ctx, audit.ServerReach(), a.ID)
		if diff := cmp.Diff(a, got); err != nil || diff != "" {
			t.Errorf("App: %v, -want +got:\n%s", err, diff)
		}
		plain, err := w.App(ctx, audit.ServerReach(), w.ourApp)
		if err != nil || plain.ManageDigest != nil || plain.ClientURL != "" {
			t.Errorf("App without anything = %+v, %v, want the zero values", plain, err)
		}
		must(t, third(w.UpdateApp(ctx, audit.ServerReach(), a.ID, event("app.update"), func(a *app.App) error {
			a.Type, a.OAuth.AuthMethod, a.ManageDigest, a.Document, a.DocumentUntil = app.Confidential, app.AuthBasic, nil, "other", time.Time{}
			a.Origin, a.ClientURL, a.Team = app.MadeHere, "https://evil.example/", w.theirs
			return nil
		})))
		want := *a
		want.Type, want.OAuth.AuthMethod, want.ManageDigest, want.Document, want.DocumentUntil = app.Confidential, app.AuthBasic, nil, "other", time.Time{}
		got, err = w.App(ctx, audit.ServerReach(), a.ID)
		if diff := cmp.Diff(&want, got); err != nil || diff != "" {
			t.Errorf("App after an update: %v, -want +got:\n%s", err, diff)
		}
	})
}

// Two first uses of one document end in one app; a deleted app's address is free again.
func TestAppByAddress(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		nodes := []*store.Store{db.open(t), db.open(t)}
		w := newWorld(t, nodes[0])
		for _, address := range []string{"", "https://app.example/\x00", "\xff"} {
			wantKind(t, fmt.Sprintf("AppByAddress(%q)", address), second(w.AppByAddress(ctx, address)), fault.NotFound)
		}
		for round := range rounds() {
			address := fmt.Sprintf("https://app.example/%d", round)
			wantKind(t, "AppByAddress before", second(w.AppByAddress(ctx, address)), fault.NotFound)
			winners(t, "CreateApp of one document", nodes, func(st *store.Store, _ int) (bool, error) {
				return true, second(st.CreateApp(ctx, oauthApp(w.ours, address), event("app.create")))
			}, fault.Conflict)
			a, err := nodes[1].AppByAddress(ctx, address)
			if err != nil || a.ClientURL != address {
				t.Errorf("AppByAddress = %+v, %v, want the one that was made", a, err)
				continue
			}
			must(t, third(w.UpdateApp(ctx, audit.ServerReach(), a.ID, event("app.delete"), func(a *app.App) error { a.DeletedAt = t0; return nil })))
			wantKind(t, "AppByAddress of a deleted app", second(w.AppByAddress(ctx, address)), fault.NotFound)
			must(t, second(w.CreateApp(ctx, oauthApp(w.ours, address), event("app.create"))))
		}
	})
}

// One team of registered clients whoever asks first, and never the one that acts for the server.
func TestRegisteredTeam(t *testing.T) {
	for range max(1, rounds()/2) { // each on a database of its own
		engines(t, func(t *testing.T, db database) {
			nodes := []*store.Store{db.open(t), db.open(t)}
			before := head(t, nodes[0])
			seen := map[id.Team]bool{}
			for _, made := range race(racers, func(i int) id.Team {
				teamID, err := nodes[i%2].RegisteredTeam(ctx, t0)
				if err != nil {
					t.Errorf("RegisteredTeam = %v", err)
				}
				return teamID
			}) {
				seen[made] = true
			}
			teams, err := nodes[0].Teams(ctx, audit.ServerReach(), team.Filter{Limit: 10})
			if err != nil || len(seen) != 1 || len(teams) != 1 || !seen[teams[0].ID] || teams[0].System || teams[0].Name != "Registered clients" {
				t.Errorf("RegisteredTeam answered %v and made %+v, %v, want one that is not the system's", seen, teams, err)
			}
			if got := since(t, nodes[0], before); len(got) != 1 {
				t.Errorf("RegisteredTeam left entries %v, want one", got)
			}
			system, _, err := nodes[1].SystemTeam(ctx, t0)
			if err != nil || seen[system] {
				t.Errorf("SystemTeam = %s, %v, want another than that of registered clients", system, err)
			}
		})
	}
}

// aSession is a session of a user, begun at t0.
func aSession(u id.User) *session.Session {
	sessionID := id.New[id.Session]()
	return &session.Session{
		ID: sessionID, Alias: sessionID, User: u, Digest: digest(string(sessionID)), Pepper: 1, AuthAt: t0, ACR: "1", AMR: []string{"pwd"},
		Network: "203.0.113.0/24", Agent: "Firefox", CreatedAt: t0, SeenAt: t0, ExpiresAt: t0.Add(session.Life),
	}
}

// Whoever takes all tokens back takes back, too, what would become tokens: codes and approved devices that wait.
func TestEpochEndsCodes(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		for name, raise := range map[string]func(g *grant.Grant) error{
			"user": func(g *grant.Grant) error {
				return third(st.UpdateUser(ctx, g.User, event("raise"), func(u *user.User) error { u.Epoch++; return nil }))
			},
			"app": func(g *grant.Grant) error {
				return third(st.UpdateApp(ctx, audit.ServerReach(), g.App, event("raise"), func(a *app.App) error { a.Epoch++; return nil }))
			},
		} {
			g, other := freshGrant(t, st), freshGrant(t, st)
			code, device, theirs := issued(t, st, g), approved(t, st, g), issued(t, st, other)
			must(t, raise(g))
			f := aFamily(g)
			wantOutcome(t, name+": RedeemCode", grant.Dead)(st.RedeemCode(ctx, code.ID, f.ID, f, t0))
			wantOutcome(t, name+": RedeemDevice", grant.Dead)(st.RedeemDevice(ctx, device.ID, f.ID, f, t0))
			f = aFamily(other)
			wantOutcome(t, name+": RedeemCode of others", grant.Won)(st.RedeemCode(ctx, theirs.ID, f.ID, f, t0))
		}
	})
}
