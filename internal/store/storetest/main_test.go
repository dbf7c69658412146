package storetest

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/pgtest"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/user"
)

var (
	ctx = context.Background()
	t0  = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
)

// engines runs test on both engines, each time with a database that is empty.
func engines(t *testing.T, test func(t *testing.T, db database)) {
	t.Helper()
	for _, db := range []struct {
		engine string
		fresh  func(testing.TB) database
	}{{"sqlite", sqlite}, {"postgres", postgres}} {
		t.Run(db.engine, func(t *testing.T) {
			t.Parallel()
			test(t, db.fresh(t))
		})
	}
}

// database is where one is.
type database struct {
	url         string // for Open
	driver, dsn string // for a look past the store
}

func sqlite(tb testing.TB) database {
	path := filepath.Join(tb.TempDir(), "lanyard.db")
	return database{url: "sqlite:" + path, driver: "sqlite", dsn: path}
}

func postgres(tb testing.TB) database {
	url := pgtest.Start(tb)
	return database{url: url, driver: "pgx", dsn: url}
}

// open opens the database; each call is another node.
func (db database) open(tb testing.TB) *store.Store {
	tb.Helper()
	st, err := store.Open(ctx, db.url, nil)
	if err != nil {
		tb.Fatalf("Open = %v", err)
	}
	tb.Cleanup(func() {
		if err := st.Close(); err != nil {
			tb.Errorf("Close = %v", err)
		}
	})
	return st
}

// raw is a connection past the store.
func (db database) raw(tb testing.TB) *sql.DB {
	tb.Helper()
	raw, err := sql.Open(db.driver, db.dsn)
	must(tb, err)
	tb.Cleanup(func() { must(tb, raw.Close()) })
	return raw
}

func event(action string) audit.Event { return audit.Command("test").New(t0, action, "thing", "", nil) }

// must ends the test on an error, wherever in an answer it stands.
func must(tb testing.TB, answer ...any) {
	tb.Helper()
	for _, a := range answer {
		if err, is := a.(error); is && err != nil {
			tb.Fatal(err)
		}
	}
}

func wantKind(t *testing.T, what string, err error, want fault.Kind) {
	t.Helper()
	if !fault.Is(err, want) {
		t.Errorf("%s = %v, want %s", what, err, want)
	}
}

// world is two teams with people and an app with a key each.
type world struct {
	*store.Store
	ours, theirs                 id.Team
	ourApp, theirApp             id.App
	ourKey, theirKey             id.Key
	owner, dev, billing, foreign id.User
}

func newWorld(tb testing.TB, st *store.Store) *world {
	tb.Helper()
	w := &world{Store: st, ours: id.New[id.Team](), theirs: id.New[id.Team]()}
	for _, u := range []*id.User{&w.owner, &w.dev, &w.billing, &w.foreign} {
		*u = newUser(tb, st, string(id.New[id.User]())+"@example.com")
	}
	must(tb, second(st.CreateTeam(ctx, &team.Team{ID: w.ours, Name: "ours", CreatedAt: t0}, w.owner, event("team.create"))))
	must(tb, second(st.CreateTeam(ctx, &team.Team{ID: w.theirs, Name: "theirs", CreatedAt: t0}, w.foreign, event("team.create"))))
	must(tb, second(st.SetMember(ctx, audit.ServerReach(), w.ours, team.Member{User: w.dev, Role: audit.RoleDeveloper}, event("member.set"))))
	must(tb, second(st.SetMember(ctx, audit.ServerReach(), w.ours, team.Member{User: w.billing, Role: audit.RoleBilling}, event("member.set"))))
	w.ourApp, w.theirApp = newApp(tb, st, w.ours), newApp(tb, st, w.theirs)
	w.ourKey, w.theirKey = newKey(tb, st, w.ourApp, w.ours).ID, newKey(tb, st, w.theirApp, w.theirs).ID
	return w
}

func second[T any](_ T, err error) error { return err }

func newUser(tb testing.TB, st *store.Store, email string) id.User {
	tb.Helper()
	u := &user.User{ID: id.New[id.User](), Email: email, Name: "Ada", CreatedAt: t0}
	must(tb, second(st.CreateUser(ctx, u, event("user.create"))))
	return u.ID
}

func newTeam(tb testing.TB, st *store.Store) id.Team {
	tb.Helper()
	t := &team.Team{ID: id.New[id.Team](), Name: "team", CreatedAt: t0}
	must(tb, second(st.CreateTeam(ctx, t, "", event("team.create"))))
	return t.ID
}

func anApp(owner id.Team) *app.App {
	return &app.App{ID: id.New[id.App](), Team: owner, Name: "WeatherDashboard", Type: app.Confidential, CreatedAt: t0}
}

func newApp(tb testing.TB, st *store.Store, owner id.Team) id.App {
	tb.Helper()
	a := anApp(owner)
	must(tb, second(st.CreateApp(ctx, a, event("app.create"))))
	return a.ID
}

func aKey(appID id.App, owner id.Team) *key.Key {
	k := &key.Key{
		ID: id.New[id.Key](), App: appID, Team: owner, Name: "production", Kind: secret.Key, Mode: secret.Live, Prefix: "lyd",
		Scopes: []string{"forecast.read"}, CreatedAt: t0,
	}
	k.Versions = []key.Version{{Number: 1, Digest: digest("first " + string(k.ID)), Scheme: key.SchemeMAC, Pepper: 1, CreatedAt: t0}}
	return k
}

func newKey(tb testing.TB, st *store.Store, appID id.App, owner id.Team) *key.Key {
	tb.Helper()
	k := aKey(appID, owner)
	must(tb, second(st.CreateKeys(ctx, []*key.Key{k}, event("key.create"))))
	return k
}

// digest is 32 bytes that stand for a text.
func digest(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// weather is an API with two plans, and other scopes if there are several of it.
func weather(name string) lanyard.API {
	return lanyard.API{
		Name: name, Takes: "key", Metering: "exact",
		Scopes: map[string]lanyard.Scope{name + ".read": {Text: "read forecasts", Default: true}},
		Plans:  map[string]lanyard.Plan{"free": {Default: true, Quota: "1000/month"}, "pro": {}},
	}
}

func putAPIs(tb testing.TB, st *store.Store, apis ...lanyard.API) {
	tb.Helper()
	must(tb, second(st.UpdateCatalog(ctx, event("catalog.apply"), func(s *catalog.State) error {
		for _, a := range apis {
			s.APIs[a.Name] = a
		}
		return nil
	})))
}

// head is the newest revision.
func head(tb testing.TB, st *store.Store) id.Revision {
	tb.Helper()
	snap, err := st.ChangesSnapshot(ctx)
	must(tb, err)
	return snap.Revision
}

// since lists the entries after a revision as "kind id".
func since(tb testing.TB, st *store.Store, rev id.Revision) (entries []string) {
	tb.Helper()
	found, err := st.ChangesAfter(ctx, rev, 1000)
	must(tb, err)
	for _, e := range found {
		if e.Revision != rev+1 || e.Tag == 0 || e.At.IsZero() {
			tb.Errorf("ChangesAfter(%d) holds %+v, want the revisions without a gap, each with a tag and a time", rev, e)
		}
		rev = e.Revision
		entries = append(entries, string(e.Kind)+" "+e.ID)
	}
	return entries
}

func auditLines(tb testing.TB, st *store.Store, action string) []audit.Event {
	tb.Helper()
	events, err := st.Audit(ctx, audit.ServerReach(), audit.Filter{Action: action, Limit: 1000})
	must(tb, err)
	return events
}

var errRefused = errors.New("refused by the change function")

// race runs do n times at once and returns the answers.
func race[T any](n int, do func(i int) T) []T {
	answers := make([]T, n)
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			answers[i] = do(i)
		})
	}
	done.Wait()
	return answers
}

func entry(kind changes.Kind, entity string) string { return string(kind) + " " + entity }
