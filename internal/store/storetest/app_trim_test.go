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
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/store"
)

// newcomer makes an app that registered itself, with a client secret.
func newcomer(t *testing.T, st *store.Store, origin app.Origin, at time.Time) *app.App {
	t.Helper()
	owner, err := st.RegisteredTeam(ctx, t0)
	must(t, err)
	a := anApp(owner)
	a.Origin, a.CreatedAt = origin, at
	if origin == app.ByAddress {
		a.ClientURL = "https://client.test/" + string(a.ID)
	}
	must(t, second(st.CreateApp(ctx, a, event("app.register"))))
	newSecret(t, st, a, secret.Client)
	return a
}

func newSecret(t *testing.T, st *store.Store, a *app.App, kind secret.Kind) {
	t.Helper()
	k := aKey(a.ID, a.Team)
	k.Kind = kind
	must(t, second(st.CreateKeys(ctx, []*key.Key{k}, event("key.create"))))
}

// appRows is the number of rows of apps and of what is theirs.
func appRows(t *testing.T, db database) map[string]int {
	t.Helper()
	counts, raw := map[string]int{}, db.raw(t)
	for _, table := range []string{"app", "api_key", "api_key_version", "api_key_use", "api_key_network", "api_key_query"} {
		var n int
		must(t, raw.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+table).Scan(&n))
		counts[table] = n
	}
	return counts
}

// TestTrimApps: what came by itself and was never allowed anything goes with all that is its own, after its time; whatever was
// used, is about to be, or was made here stays.
func TestTrimApps(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		w := newWorld(t, st)
		before := t0.Add(time.Hour)
		kept := map[string]id.App{"made here": newApp(t, st, w.ours), "too young": newcomer(t, st, app.DCR, before).ID}
		for name, use := range map[string]func(a *app.App){
			"allowed": func(a *app.App) {
				must(t, second(st.Allow(ctx, aGrant(newUser(t, st, "bob@demo.test"), a.ID, "a"), event("grant.allow"))))
			},
			"allowed, and not any more": func(a *app.App) {
				g, err := st.Allow(ctx, aGrant(newUser(t, st, "eve@demo.test"), a.ID, "a"), event("grant.allow"))
				must(t, err)
				must(t, second(st.RevokeGrant(ctx, audit.ServerReach(), "", g.ID, event("grant.revoke"))))
			},
			"asked":       func(a *app.App) { newRequest(t, st, a.ID) },
			"pushed":      func(a *app.App) { newPushed(t, st, a.ID) },
			"a device":    func(a *app.App) { newDevice(t, st, a.ID, false) },
			"given a key": func(a *app.App) { newSecret(t, st, a, secret.Key) },
		} {
			a := newcomer(t, st, app.DCR, t0)
			use(a)
			kept[name] = a.ID
		}
		counts := appRows(t, db)
		registered, known := newcomer(t, st, app.DCR, t0), newcomer(t, st, app.ByAddress, t0)
		over := newcomer(t, st, app.DCR, t0)
		must(t, third(st.UpdateApp(ctx, audit.ServerReach(), over.ID, event("app.delete"), func(a *app.App) error { a.DeletedAt = t0; return nil })))

		from := head(t, st)
		must(t, st.TrimApps(ctx, t0, before))
		if got := since(t, st, from); len(got) != 0 {
			t.Errorf("before their time TrimApps left entries %v, want none", got)
		}
		must(t, st.TrimApps(ctx, before, before))
		for name, appID := range kept {
			if _, err := st.App(ctx, audit.ServerReach(), appID); err != nil {
				t.Errorf("%s: %v, want it kept", name, err)
			}
		}
		for _, a := range []*app.App{registered, known, over} {
			wantKind(t, "App of one that went", second(st.App(ctx, audit.ServerReach(), a.ID)), fault.NotFound)
		}
		wantKind(t, "AppByAddress of one that went", second(st.AppByAddress(ctx, known.ClientURL)), fault.NotFound)
		if diff := cmp.Diff(counts, appRows(t, db)); diff != "" {
			t.Errorf("rows after they went (-before they came +after):\n%s", diff)
		}
		want := []string{entry(changes.App, string(registered.ID)), entry(changes.App, string(known.ID)), entry(changes.App, string(over.ID))}
		got := since(t, st, from)
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("entries of TrimApps (-want +got):\n%s", diff)
		}
		if lines, want := auditLines(t, st, "app.register"), len(kept)+2; len(lines) != want {
			t.Errorf("%d lines tell of who came, want %d", len(lines), want)
		}
	})
}
