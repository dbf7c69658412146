package storetest

import (
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
	"github.com/lanyard-auth/lanyard/internal/session"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/user"
)

var (
	_ grant.Store        = (*store.Store)(nil)
	_ grant.RequestStore = (*store.Store)(nil)
	_ grant.CodeStore    = (*store.Store)(nil)
	_ grant.FamilyStore  = (*store.Store)(nil)
	_ grant.DeviceStore  = (*store.Store)(nil)
)

func aGrant(u id.User, a id.App, scopes ...string) *grant.Grant {
	return &grant.Grant{ID: id.New[id.Grant](), User: u, App: a, Scopes: scopes, Document: "document", CreatedAt: t0}
}

// freshGrant is what a new user allowed an app of a new team.
func freshGrant(t *testing.T, st *store.Store) *grant.Grant {
	t.Helper()
	u, a := newUser(t, st, string(id.New[id.User]())+"@example.com"), newApp(t, st, newTeam(t, st))
	g, err := st.Allow(ctx, aGrant(u, a, "forecast.read"), event("grant.allow"))
	must(t, err)
	signIn(t, st, u)
	return g
}

// signIn begins the session that codes and answers of a user come from.
func signIn(t *testing.T, st *store.Store, u id.User) *session.Session {
	t.Helper()
	return begin(t, st, u, func(se *session.Session) { se.ID = sessionOf(u) })
}

func sessionOf(u id.User) id.Session { return id.Of[id.Session](id.Chars(u)) }

// outOfForce are the ways in which what hangs on a grant stops.
var outOfForce = map[string]func(t *testing.T, st *store.Store, g *grant.Grant){
	"user disabled": func(t *testing.T, st *store.Store, g *grant.Grant) {
		must(t, third(st.UpdateUser(ctx, g.User, event("disable"), func(u *user.User) error { u.DisabledAt = t0; return nil })))
	},
	"app disabled": func(t *testing.T, st *store.Store, g *grant.Grant) {
		must(t, third(st.UpdateApp(ctx, audit.ServerReach(), g.App, event("disable"), func(a *app.App) error { a.DisabledAt = t0; return nil })))
	},
	"app deleted": func(t *testing.T, st *store.Store, g *grant.Grant) {
		must(t, third(st.UpdateApp(ctx, audit.ServerReach(), g.App, event("delete"), func(a *app.App) error { a.DeletedAt = t0; return nil })))
	},
	"team suspended": func(t *testing.T, st *store.Store, g *grant.Grant) {
		must(t, third(st.UpdateTeam(ctx, audit.ServerReach(), g.Team, event("suspend"), func(tm *team.Team) error { tm.SuspendedAt = t0; return nil })))
	},
	"grant revoked": func(t *testing.T, st *store.Store, g *grant.Grant) {
		must(t, second(st.RevokeGrant(ctx, audit.ServerReach(), "", g.ID, event("grant.revoke"))))
	},
}

// Nobody allows for an account or an app that is gone or out of use, and a refusal leaves nothing.
func TestAllowRefusals(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		g := freshGrant(t, st)
		wantKind(t, "Allow of no app", second(st.Allow(ctx, aGrant(g.User, id.New[id.App](), "a"), event("refused"))), fault.NotFound)
		wantKind(t, "Allow by nobody", second(st.Allow(ctx, aGrant(id.New[id.User](), g.App, "a"), event("refused"))), fault.NotFound)
		taken := aGrant(newUser(t, st, "ada@example.com"), g.App, "a")
		taken.ID = g.ID
		wantKind(t, "Allow with an id that is taken", second(st.Allow(ctx, taken, event("refused"))), fault.Conflict)
		for name, kind := range map[string]fault.Kind{
			"user disabled": fault.Conflict, "app disabled": fault.Conflict, "app deleted": fault.NotFound, "team suspended": fault.Conflict,
		} {
			g := freshGrant(t, st)
			outOfForce[name](t, st, g)
			before := head(t, st)
			wantKind(t, "Allow with "+name, second(st.Allow(ctx, aGrant(g.User, g.App, "wider"), event("refused"))), kind)
			now, err := st.GrantForDecision(ctx, g.ID)
			if err != nil || !slices.Equal(now.Scopes, g.Scopes) {
				t.Errorf("%s: the grant is %+v, %v after a refusal, want it as it was", name, now, err)
			}
			if rev := head(t, st); rev != before {
				t.Errorf("%s: a refusal moved the head to %s", name, rev)
			}
		}
		if n := len(auditLines(t, st, "refused")); n != 0 {
			t.Errorf("%d audit lines of refusals", n)
		}
	})
}

// The second time the grant is widened; after a revocation there is a new one.
func TestAllow(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		wantKind(t, "LiveGrant before", second(w.LiveGrant(ctx, w.dev, w.ourApp)), fault.NotFound)
		wantKind(t, "GrantForDecision of nothing", second(w.GrantForDecision(ctx, id.New[id.Grant]())), fault.NotFound)
		before := head(t, w.Store)
		first, err := w.Allow(ctx, aGrant(w.dev, w.ourApp, "b", "a", "b"), event("grant.allow"))
		must(t, err)
		want := &grant.Grant{
			ID: first.ID, User: w.dev, App: w.ourApp, Team: w.ours, Scopes: []string{"a", "b"}, Document: "document", CreatedAt: t0, UpdatedAt: t0,
		}
		if diff := cmp.Diff(want, first); diff != "" {
			t.Errorf("Allow: -want +got:\n%s", diff)
		}
		ev := event("grant.allow")
		ev.At = t0.Add(time.Hour)
		wider := aGrant(w.dev, w.ourApp, "c", "a")
		wider.CreatedAt = ev.At
		again, err := w.Allow(ctx, wider, ev)
		must(t, err)
		want.Scopes, want.UpdatedAt = []string{"a", "b", "c"}, ev.At
		if diff := cmp.Diff(want, again); diff != "" {
			t.Errorf("Allow of more: -want +got:\n%s", diff)
		}
		for what, read := range map[string]func() (*grant.Grant, error){
			"GrantForDecision": func() (*grant.Grant, error) { return w.GrantForDecision(ctx, first.ID) },
			"LiveGrant":        func() (*grant.Grant, error) { return w.LiveGrant(ctx, w.dev, w.ourApp) },
		} {
			got, err := read()
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s: %v, -want +got:\n%s", what, err, diff)
			}
		}
		if diff := cmp.Diff([]string{entry(changes.Grant, string(first.ID)), entry(changes.Grant, string(first.ID))}, since(t, w.Store, before)); diff != "" {
			t.Errorf("entries -want +got:\n%s", diff)
		}
		if lines := auditLines(t, w.Store, "grant.allow"); len(lines) != 2 || lines[0].Team != w.ours {
			t.Errorf("audit lines %+v, want two with the app's team", lines)
		}
		must(t, second(w.RevokeGrant(ctx, audit.UserReach(w.dev), w.dev, first.ID, event("grant.revoke"))))
		wantKind(t, "LiveGrant after", second(w.LiveGrant(ctx, w.dev, w.ourApp)), fault.NotFound)
		next, err := w.Allow(ctx, aGrant(w.dev, w.ourApp, "a"), event("grant.allow"))
		if err != nil || next.ID == first.ID || !slices.Equal(next.Scopes, []string{"a"}) {
			t.Errorf("Allow after a revocation = %+v, %v, want a new grant of what was allowed now", next, err)
		}
	})
}

// What is unticked, and what was allowed to another document, is allowed no more: tokens from before end with the epoch that
// they carry, and the answer that takes nothing away ends none.
func TestAllowLess(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		for name, c := range map[string]struct {
			scopes, unticked []string
			document         string
			want             []string
			epoch            int
		}{
			"unticked":                  {scopes: []string{"a"}, unticked: []string{"b"}, document: "document", want: []string{"a"}, epoch: 1},
			"unticked, never allowed":   {scopes: []string{"a"}, unticked: []string{"c"}, document: "document", want: []string{"a", "b"}},
			"unticked and more":         {scopes: []string{"c"}, unticked: []string{"b"}, document: "document", want: []string{"a", "c"}, epoch: 1},
			"another document":          {scopes: []string{"a"}, document: "newer", want: []string{"a"}, epoch: 1},
			"another document, the lot": {scopes: []string{"a", "b"}, document: "newer", want: []string{"a", "b"}},
		} {
			w := newWorld(t, db.open(t))
			first, err := w.Allow(ctx, aGrant(w.dev, w.ourApp, "a", "b"), event("grant.allow"))
			must(t, err)
			before := head(t, w.Store)
			answer := aGrant(w.dev, w.ourApp, c.scopes...)
			answer.Unticked, answer.Document = c.unticked, c.document
			now, err := w.Allow(ctx, answer, event("grant.allow"))
			must(t, err)
			if now.ID != first.ID || !slices.Equal(now.Scopes, c.want) || now.Epoch != c.epoch || now.Document != c.document {
				t.Errorf("%s: Allow = %+v, want scopes %q and epoch %d", name, now, c.want, c.epoch)
			}
			stored, err := w.GrantForDecision(ctx, first.ID)
			if diff := cmp.Diff(now, stored); err != nil || diff != "" {
				t.Errorf("%s: GrantForDecision: %v, -answered +stored:\n%s", name, err, diff)
			}
			entries := []string{entry(changes.Grant, string(first.ID))}
			if c.epoch > 0 {
				entries = append(entries, entry(changes.Revocation, user.EpochSubject(string(first.ID), 0)))
			}
			if diff := cmp.Diff(entries, since(t, w.Store, before)); diff != "" {
				t.Errorf("%s: entries -want +got:\n%s", name, diff)
			}
		}
	})
}

// What was refused is remembered until it is allowed, taken back, or asked by another document.
func TestAllowRefused(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		say := func(what, document string, yes, no, allowed, refused []string) *grant.Grant {
			t.Helper()
			g := aGrant(w.dev, w.ourApp, yes...)
			g.Refused, g.Unticked, g.Document = no, no, document
			said, err := w.Allow(ctx, g, event("grant.allow"))
			must(t, err)
			kept, err := w.LiveGrant(ctx, w.dev, w.ourApp)
			must(t, err)
			for how, got := range map[string]*grant.Grant{"answered": said, "kept": kept} {
				if !slices.Equal(got.Scopes, allowed) || !slices.Equal(got.Refused, refused) {
					t.Errorf("%s, %s: %v without %v, want %v without %v", what, how, got.Scopes, got.Refused, allowed, refused)
				}
			}
			return kept
		}
		list := func(scopes ...string) []string { return scopes }
		say("at first", "one", list("a"), list("c", "b", "c"), list("a"), list("b", "c"))
		say("more", "one", list("d"), list("e"), list("a", "d"), list("b", "c", "e"))
		say("one of it after all", "one", list("b"), nil, list("a", "b", "d"), list("c", "e"))
		say("allowed before, and now refused", "one", list("a"), list("d"), list("a", "b"), list("c", "d", "e"))
		say("to another document", "two", list("a"), list("b"), list("a"), list("b"))
		g := say("at once", "two", list("b"), list("b"), list("a", "b"), nil)
		must(t, second(w.RevokeGrant(ctx, audit.UserReach(w.dev), w.dev, g.ID, event("grant.revoke"))))
		say("after it was taken back", "two", list("a"), nil, list("a"), nil)
	})
}

// What is unticked is taken out, what is allowed at the same time stays, and the rest is left alone.
func TestAllowUnticked(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		must(t, second(w.Allow(ctx, aGrant(w.dev, w.ourApp, "a", "b", "c"), event("grant.allow"))))
		less := aGrant(w.dev, w.ourApp, "d", "a")
		less.Unticked = []string{"b", "a", "x"}
		answered, err := w.Allow(ctx, less, event("grant.allow"))
		must(t, err)
		kept, err := w.LiveGrant(ctx, w.dev, w.ourApp)
		must(t, err)
		for what, got := range map[string]*grant.Grant{"Allow": answered, "LiveGrant": kept} {
			if !slices.Equal(got.Scopes, []string{"a", "c", "d"}) || got.Unticked != nil {
				t.Errorf("%s = %v without %v, want a, c and d", what, got.Scopes, got.Unticked)
			}
		}
	})
}

// Browsers that allow at once make one grant, and it covers what each of them allowed.
func TestAllowRace(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		nodes := []*store.Store{db.open(t), db.open(t)}
		w := newWorld(t, nodes[0])
		for range rounds() {
			u := newUser(t, w.Store, string(id.New[id.User]())+"@example.com")
			seen := map[id.Grant]bool{}
			var want []string
			for i := range racers {
				want = append(want, string(rune('a'+i)))
			}
			for _, g := range race(racers, func(i int) *grant.Grant {
				g, err := nodes[i%2].Allow(ctx, aGrant(u, w.ourApp, want[i]), event("grant.allow"))
				if err != nil {
					t.Errorf("Allow = %v", err)
					return &grant.Grant{}
				}
				return g
			}) {
				seen[g.ID] = true
			}
			g, err := w.LiveGrant(ctx, u, w.ourApp)
			if err != nil || len(seen) != 1 || !seen[g.ID] || !slices.Equal(g.Scopes, want) {
				t.Errorf("Allow at once answered %v and left %+v, %v, want one grant of all scopes", seen, g, err)
			}
		}
	})
}

// An app that is deleted while users allow it has no grant afterwards, whichever was first.
func TestDeleteRacesAllow(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		nodes := []*store.Store{db.open(t), db.open(t)}
		w := newWorld(t, nodes[0])
		for range rounds() {
			appID := newApp(t, w.Store, w.ours)
			users := []id.User{w.owner, w.dev, w.billing, w.foreign}
			errs := race(2*len(users)+1, func(i int) error {
				if i == len(users) {
					return third(nodes[0].UpdateApp(ctx, audit.ServerReach(), appID, event("delete"), func(a *app.App) error { a.DeletedAt = t0; return nil }))
				}
				return second(nodes[i%2].Allow(ctx, aGrant(users[i%len(users)], appID, "a"), event("grant.allow")))
			})
			must(t, errs[len(users)])
			for _, err := range errs {
				if err != nil && !fault.Is(err, fault.NotFound) {
					t.Errorf("Allow while the app is deleted = %v, want it done or not found", err)
				}
			}
			left, err := w.Grants(ctx, audit.ServerReach(), grant.Filter{App: appID, Live: true, Limit: 10})
			if err != nil || len(left) != 0 {
				t.Errorf("Grants of a deleted app = %v, %v, want none", grantIDs(left), err)
			}
		}
	})
}

// Who reaches which grants: users their own, a team those of its apps as far as the role goes, the server all.
func TestGrantsWithinReach(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		at := func(u id.User, a id.App, later time.Duration) *grant.Grant {
			g := aGrant(u, a, "a")
			g.CreatedAt = t0.Add(later * time.Second)
			g, err := w.Allow(ctx, g, event("grant.allow"))
			must(t, err)
			return g
		}
		mine, foreigners, theirs := at(w.dev, w.ourApp, 0), at(w.foreign, w.ourApp, 1), at(w.foreign, w.theirApp, 2)
		devs := at(w.dev, w.theirApp, 3)
		must(t, second(w.RevokeGrant(ctx, audit.ServerReach(), "", foreigners.ID, event("grant.revoke"))))
		as := func(u id.User, role audit.Role) audit.Reach { return audit.UserReach(u).As(role) }
		for name, c := range map[string]struct {
			reach  audit.Reach
			filter grant.Filter
			want   []*grant.Grant
		}{
			"nobody":                    {audit.Reach{}, grant.Filter{}, nil},
			"nobody, a user's":          {audit.Reach{}, grant.Filter{User: w.dev}, nil},
			"another's by the user":     {audit.UserReach(w.foreign).As(audit.RoleDeveloper), grant.Filter{User: w.billing}, nil},
			"another's in other teams":  {as(w.owner, audit.RoleDeveloper), grant.Filter{User: w.foreign, App: w.theirApp}, nil},
			"a role that does not do":   {as(w.billing, audit.RoleDeveloper), grant.Filter{}, nil},
			"server":                    {audit.ServerReach(), grant.Filter{}, []*grant.Grant{devs, theirs, foreigners, mine}},
			"server, live":              {audit.ServerReach(), grant.Filter{Live: true}, []*grant.Grant{devs, theirs, mine}},
			"server, one app":           {audit.ServerReach(), grant.Filter{App: w.ourApp}, []*grant.Grant{foreigners, mine}},
			"team":                      {audit.TeamReach(w.ours), grant.Filter{}, []*grant.Grant{foreigners, mine}},
			"role":                      {as(w.dev, audit.RoleDeveloper), grant.Filter{}, []*grant.Grant{foreigners, mine}},
			"one's own":                 {audit.UserReach(w.dev), grant.Filter{User: w.dev}, []*grant.Grant{devs, mine}},
			"one's own, whatever role":  {as(w.dev, audit.RoleBilling), grant.Filter{User: w.dev}, []*grant.Grant{devs, mine}},
			"another's in one's team":   {as(w.owner, audit.RoleDeveloper), grant.Filter{User: w.foreign}, []*grant.Grant{foreigners}},
			"the second page":           {audit.ServerReach(), grant.Filter{Before: theirs.CreatedAt, BeforeID: string(theirs.ID)}, []*grant.Grant{foreigners, mine}},
			"the first of one's own":    {audit.UserReach(w.dev), grant.Filter{User: w.dev, Limit: 1}, []*grant.Grant{devs}},
			"one's own after the first": {audit.UserReach(w.dev), grant.Filter{User: w.dev, Before: devs.CreatedAt, BeforeID: string(devs.ID)}, []*grant.Grant{mine}},
		} {
			if c.filter.Limit == 0 {
				c.filter.Limit = 50
			}
			got, err := w.Grants(ctx, c.reach, c.filter)
			if diff := cmp.Diff(grantIDs(c.want), grantIDs(got)); err != nil || diff != "" {
				t.Errorf("Grants(%s): %v, -want +got:\n%s", name, err, diff)
			}
		}
	})
}

func grantIDs(grants []*grant.Grant) (ids []id.Grant) {
	for _, g := range grants {
		ids = append(ids, g.ID)
	}
	return ids
}

// Whoever does not reach a grant cannot end it, and does not learn of it.
func TestRevokeGrantRefusals(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		g, err := w.Allow(ctx, aGrant(w.dev, w.ourApp, "a"), event("grant.allow"))
		must(t, err)
		before := head(t, w.Store)
		for name, c := range map[string]struct {
			reach audit.Reach
			owner id.User
		}{
			"nobody":                   {audit.Reach{}, ""},
			"nobody, with the owner":   {audit.Reach{}, w.dev},
			"another user as theirs":   {audit.UserReach(w.foreign), w.foreign},
			"another user as yours":    {audit.UserReach(w.foreign), w.dev},
			"another team":             {audit.TeamReach(w.theirs), ""},
			"a role that does not do":  {audit.UserReach(w.billing).As(audit.RoleDeveloper), ""},
			"the team as another's":    {audit.TeamReach(w.ours), w.owner},
			"the server as another's":  {audit.ServerReach(), w.foreign},
			"a teammate as their own":  {audit.UserReach(w.owner), w.owner},
			"a user without the owner": {audit.UserReach(w.foreign), ""},
		} {
			wantKind(t, "RevokeGrant by "+name, second(w.RevokeGrant(ctx, c.reach, c.owner, g.ID, event("refused"))), fault.NotFound)
		}
		wantKind(t, "RevokeGrant of nothing", second(w.RevokeGrant(ctx, audit.ServerReach(), "", id.New[id.Grant](), event("refused"))), fault.NotFound)
		if head(t, w.Store) != before || len(auditLines(t, w.Store, "refused")) > 0 || ended(t, db, "grants", g.ID) != 0 {
			t.Error("a refusal left something")
		}
	})
}

// A revoked grant takes its chains along, and is remembered apart; the chains of others go on.
func TestRevokeGrant(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		g, other := freshGrant(t, st), freshGrant(t, st)
		chains := []*grant.Family{redeemed(t, st, g), redeemed(t, st, g)}
		theirs := redeemed(t, st, other)
		earlier := redeemed(t, st, g)
		must(t, second(st.RevokeFamily(ctx, earlier.ID, event("family.revoke"))))
		ev := event("grant.revoke")
		ev.At = t0.Add(time.Minute)
		before := head(t, st)
		rev, err := st.RevokeGrant(ctx, audit.TeamReach(g.Team), "", g.ID, ev)
		must(t, err)
		want := []string{entry(changes.Grant, string(g.ID)), entry(changes.Revocation, string(g.ID))}
		if diff := cmp.Diff(want, since(t, st, before)); diff != "" || rev != head(t, st) {
			t.Errorf("revision %s of %s, entries -want +got:\n%s", rev, head(t, st), diff)
		}
		revoked, err := st.RevocationsOf(ctx, []string{string(g.ID)})
		if diff := cmp.Diff([]changes.Revoked{{Subject: string(g.ID), Until: ev.At.Add(changes.RevocationLife)}}, revoked); err != nil || diff != "" {
			t.Errorf("RevocationsOf: %v, -want +got:\n%s", err, diff)
		}
		for _, f := range chains {
			if at := ended(t, db, "family", f.ID); at != ev.At.UnixMicro() {
				t.Errorf("a chain ended at %d, want %d", at, ev.At.UnixMicro())
			}
		}
		if at := ended(t, db, "family", earlier.ID); at != t0.UnixMicro() {
			t.Errorf("a chain that had ended before ended at %d, want %d", at, t0.UnixMicro())
		}
		if ended(t, db, "family", theirs.ID) != 0 || ended(t, db, "grants", other.ID) != 0 {
			t.Error("another grant or its chain ended")
		}
		if left, err := st.Families(ctx, g.ID, t0); err != nil || len(left) > 0 {
			t.Errorf("Families = %d, %v, want none", len(left), err)
		}
		again, err := st.RevokeGrant(ctx, audit.ServerReach(), "", g.ID, event("grant.revoke"))
		if lines := auditLines(t, st, "grant.revoke"); err != nil || again != rev || len(lines) != 1 || lines[0].Team != g.Team {
			t.Errorf("RevokeGrant again = %s, %v with lines %+v, want %s and one line", again, err, lines, rev)
		}
		now, err := st.GrantForDecision(ctx, g.ID)
		if err != nil || !now.RevokedAt.Equal(ev.At) {
			t.Errorf("GrantForDecision = %+v, %v, want it revoked", now, err)
		}
	})
}

// A token's id is remembered until its end; a longer end counts, a shorter one does not.
func TestRevokeToken(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		token := id.New[id.Token]()
		before := head(t, st)
		for _, c := range []struct {
			until, want time.Time
			entries     int
		}{
			{t0.Add(time.Hour), t0.Add(time.Hour), 1},
			{t0.Add(time.Hour), t0.Add(time.Hour), 1},
			{t0.Add(time.Minute), t0.Add(time.Hour), 1},
			{t0.Add(2 * time.Hour), t0.Add(2 * time.Hour), 2},
		} {
			rev, err := st.RevokeToken(ctx, token, c.until, event("token.revoke"))
			got, readErr := st.RevocationsOf(ctx, []string{string(token)})
			must(t, err, readErr)
			if len(got) != 1 || !got[0].Until.Equal(c.want) || rev != before+id.Revision(c.entries) || len(auditLines(t, st, "token.revoke")) != c.entries {
				t.Errorf("RevokeToken until %s = %s, %+v, want it until %s and %d entries", c.until, rev, got, c.want, c.entries)
			}
		}
		if diff := cmp.Diff([]string{entry(changes.Revocation, string(token)), entry(changes.Revocation, string(token))}, since(t, st, before)); diff != "" {
			t.Errorf("entries -want +got:\n%s", diff)
		}
	})
}

// When a token was last issued is known while its chain is there and after, with a chain or without.
func TestGrantLastUsed(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		g := freshGrant(t, st)
		used := func(want time.Time) {
			t.Helper()
			listed, err := st.Grants(ctx, audit.ServerReach(), grant.Filter{App: g.App, Limit: 2})
			must(t, err)
			if len(listed) != 1 || !listed[0].LastUsedAt.Equal(want) {
				t.Errorf("Grants = %+v, want it used at %s", listed, want)
			}
		}
		used(time.Time{})
		at := t0.Add(time.Second)
		must(t, second(st.RedeemCode(ctx, issued(t, st, g).ID, id.New[id.Family](), nil, at)))
		used(at)
		f := redeemed(t, st, g)
		at = t0.Add(time.Hour)
		must(t, third(st.RotateRefresh(ctx, grant.Rotation{Family: f.ID, Counter: 0, KeyVersion: 1, Now: at})))
		used(at)
		at = t0.Add(2 * time.Hour)
		must(t, third(st.RotateRefresh(ctx, grant.Rotation{Family: f.ID, Counter: 1, Keep: true, Now: at})))
		used(at)
		must(t, st.TrimGrants(ctx, t0.Add(90*24*time.Hour)))
		wantKind(t, "Family after it was idle for long", second(st.Family(ctx, f.ID)), fault.NotFound)
		used(at)
	})
}
