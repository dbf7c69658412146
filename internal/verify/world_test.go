package verify_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/quota"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/token"
	"github.com/lanyard-auth/lanyard/internal/usage"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// world is a Verifier over a real SQLite database, with a clock that moves when told and a recorder that remembers.
type world struct {
	tb      testing.TB
	path    string
	st      *store.Store
	faulty  *faultyStore
	ring    *keyring.Ring
	masters keyring.Masters
	minter  *token.Minter
	tail    *changes.Tail
	v       *verify.Verifier
	rec     *recorder
	quotas  *quota.Keeper
	clock   *clock
	team    id.Team
	app     id.App
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// recorder is a usage.Recorder in memory.
type recorder struct {
	mu     sync.Mutex
	events []usage.Event
	added  []usage.Event
	fail   error
	before func() // called in Record, before it is durable
	quiet  bool
}

func (r *recorder) Record(ev *usage.Event) error {
	if r.before != nil {
		r.before()
	}
	if r.quiet {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return r.fail
	}
	if err := ev.Check(); err != nil {
		return err
	}
	r.events = append(r.events, *ev)
	return nil
}

func (r *recorder) Add(ev *usage.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.added = append(r.added, *ev)
}

// faultyStore is the real store, which can be cut off.
type faultyStore struct {
	*store.Store
	mu    sync.Mutex
	err   error
	reads int
	onKey func() // called after a key was read, before it is handed on
}

func (f *faultyStore) cut(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *faultyStore) broken() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	return f.err
}

func (f *faultyStore) Poll(ctx context.Context, b changes.Beat) (changes.Head, error) {
	if err := f.broken(); err != nil {
		return changes.Head{}, err
	}
	return f.Store.Poll(ctx, b)
}

func (f *faultyStore) KeyForDecision(ctx context.Context, k id.Key) (*key.Key, error) {
	if err := f.broken(); err != nil {
		return nil, err
	}
	found, err := f.Store.KeyForDecision(ctx, k)
	if f.onKey != nil {
		f.onKey()
	}
	return found, err
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	ctx := context.Background()
	path := filepath.Join(tb.TempDir(), "lanyard.db")
	st, err := store.Open(ctx, "sqlite:"+path, nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := st.Close(); err != nil {
			tb.Error(err)
		}
	})
	master, err := keyring.GenerateMaster(1, rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	w := &world{tb: tb, path: path, st: st, faulty: &faultyStore{Store: st}, clock: &clock{now: time.Now()}, rec: &recorder{}}
	_, w.rec.quiet = tb.(*testing.B)
	w.masters = keyring.Masters{Current: master}
	if w.ring, err = keyring.Open(ctx, st, w.masters, w.clock.Now()); err != nil {
		tb.Fatal(err)
	}
	w.tail = &changes.Tail{
		Store: w.faulty, Beat: changes.Beat{Node: id.New[id.Node](), Name: "test", StartedAt: w.clock.Now()}, Every: time.Hour, MaxStaleness: 750 * time.Millisecond,
		MaxSkew: time.Hour, Now: w.clock.Now, Log: slog.New(slog.DiscardHandler),
	}
	if tb, ok := tb.(*testing.B); ok {
		_ = tb
		w.tail.MaxStaleness = time.Hour
	}
	w.minter = &token.Minter{Keys: w.ring, Issuer: "https://auth.test", Now: w.clock.Now}
	w.quotas = &quota.Keeper{Store: w.faulty, Node: w.tail.Beat.Node, Now: w.clock.Now, Log: slog.New(slog.DiscardHandler)}
	w.v = verify.New(verify.Config{
		Store: w.faulty, Ring: w.ring, Tail: w.tail, Recorder: w.rec, Limits: ratelimit.Local{Memory: ratelimit.NewMemory(w.clock.Now())}, Quotas: w.quotas, Management: catalog.Management("https://auth.test"),
		Tokens:     w.minter,
		Identifier: func(a lanyard.API) string { return "https://auth.test/apis/" + a.Name }, Now: w.clock.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err := w.tail.Start(ctx); err != nil {
		tb.Fatal(err)
	}
	w.seed(ctx)
	return w
}

func (w *world) event(action string) audit.Event {
	return audit.Command("test").New(w.clock.Now(), action, "test", "", nil)
}

func (w *world) must(_ id.Revision, err error) {
	w.tb.Helper()
	if err != nil {
		w.tb.Fatal(err)
	}
}

// seed makes a team with an app, and the APIs weather (metered, with operations), open (unmetered), pro (subscribers only).
func (w *world) seed(ctx context.Context) {
	w.tb.Helper()
	w.team, w.app = id.New[id.Team](), id.New[id.App]()
	w.must(w.st.CreateTeam(ctx, &team.Team{ID: w.team, Name: "Sunny", CreatedAt: w.clock.Now()}, "", w.event("team.create")))
	w.must(w.st.CreateApp(ctx, &app.App{ID: w.app, Team: w.team, Name: "WeatherDashboard", Type: app.Confidential, CreatedAt: w.clock.Now()}, w.event("app.create")))
	two := int64(2)
	for name, spec := range map[string]lanyard.API{
		"weather": {
			Takes:  "key",
			Scopes: map[string]lanyard.Scope{"forecast.read": {Text: "read forecasts"}, "alerts.write": {Text: "send alerts", Writes: true}},
			Operations: map[string]lanyard.Operation{
				"GET /v1/forecast": {Scopes: []string{"forecast.read"}}, "GET /v1/history": {Scopes: []string{"forecast.read"}, Cost: &two}, "POST /v1/alerts": {Scopes: []string{"alerts.write"}},
			},
		},
		"open": {Takes: "either", Metering: "none", Scopes: map[string]lanyard.Scope{"news.read": {Text: "read news"}}},
		"mail": {
			Takes: "token",
			Scopes: map[string]lanyard.Scope{
				"messages.read": {Text: "read your messages"}, "posts.write": {Text: "post for you", Writes: true},
				"invoices.read": {Text: "see invoices", GrantableBy: "team_owner"}, "rules.write": {Text: "change the rules", GrantableBy: "admin"},
			},
			Operations: map[string]lanyard.Operation{
				"GET /v1/messages": {Scopes: []string{"messages.read"}}, "POST /v1/posts": {Scopes: []string{"posts.write"}}, "GET /v1/both": {Takes: "both"}, "GET /v1/key": {Takes: "key"},
			},
		},
		"desk": {Takes: "either", Scopes: map[string]lanyard.Scope{"desk.read": {Text: "see your desk"}, "desk.write": {Text: "change your desk", Includes: []string{"desk.read"}}}},
		"paid": {Takes: "either", Plans: map[string]lanyard.Plan{"gold": {}, "free": {Default: true, Limits: []string{"2/minute"}}}},
		"pro":  {Takes: "key", Plans: map[string]lanyard.Plan{"gold": {Limits: []string{"5/minute"}}}},
	} {
		normal, err := catalog.Normalise(name, spec)
		if err != nil {
			w.tb.Fatal(err)
		}
		w.must(w.st.UpdateCatalog(ctx, w.event("catalog.apply"), func(s *catalog.State) error {
			s.APIs[name] = normal
			return nil
		}))
	}
	w.sync()
}

func (w *world) sync() {
	w.tb.Helper()
	if err := w.tail.Sync(w.tb.Context()); err != nil {
		w.tb.Fatal(err)
	}
}

type keySpec struct {
	kind       secret.Kind
	mode       secret.Mode
	scopes     []string
	notBefore  time.Time
	expires    time.Time
	restrict   policy.Restrictions
	limits     []ratelimit.Limit
	quota      billing.Quota
	credential string // foreign: imported
}

type made struct {
	key        *key.Key
	credential string
}

func (w *world) key(s keySpec) made {
	w.tb.Helper()
	m := w.build(s)
	w.must(w.st.CreateKeys(context.Background(), []*key.Key{m.key}, w.event("key.create")))
	w.sync()
	return m
}

// keys makes many at once and returns their credentials.
func (w *world) keys(n int, s keySpec) []string {
	w.tb.Helper()
	credentials := make([]string, n)
	batch := make([]*key.Key, 0, 1000)
	for i := range n {
		m := w.build(s)
		credentials[i] = m.credential
		batch = append(batch, m.key)
		if len(batch) == cap(batch) || i == n-1 {
			w.must(w.st.CreateKeys(context.Background(), batch, w.event("key.create")))
			batch = batch[:0]
		}
	}
	w.sync()
	return credentials
}

func (w *world) build(s keySpec) made {
	w.tb.Helper()
	if s.kind == "" {
		s.kind = secret.Key
	}
	if s.mode == "" {
		s.mode = secret.Live
	}
	keyID := id.New[id.Key]()
	credential := s.credential
	if credential == "" {
		c, err := secret.New("lyd", s.kind, s.mode, id.Chars(keyID), rand.Reader)
		if err != nil {
			w.tb.Fatal(err)
		}
		credential = c.Reveal()
	}
	k := &key.Key{
		ID: keyID, App: w.app, Team: w.team, Name: "test", Kind: s.kind, Mode: s.mode, Prefix: "lyd", Scopes: s.scopes, Restrictions: s.restrict, Limits: s.limits, Quota: s.quota,
		CreatedAt: w.clock.Now(), NotBefore: s.notBefore, ExpiresAt: s.expires, Versions: []key.Version{w.version(1, credential, s)},
	}
	return made{k, credential}
}

func (w *world) version(n int, credential string, s keySpec) key.Version {
	v := key.Version{Number: n, CreatedAt: w.clock.Now(), Scheme: key.SchemeMAC, Imported: s.credential != ""}
	text := credential
	if v.Imported {
		v.Scheme, text = key.SchemeImported, key.ImportText(sha256.Sum256([]byte(credential)))
	}
	pepper, digest := w.ring.MAC(text)
	v.Digest, v.Pepper = digest[:], pepper
	return v
}

// alter changes a key as a management call would.
func (w *world) alter(k id.Key, change func(*key.Key) error) {
	w.tb.Helper()
	if _, _, err := w.st.UpdateKey(context.Background(), audit.ServerReach(), k, w.event("key.update"), change); err != nil {
		w.tb.Fatal(err)
	}
	w.sync()
}

// ask verifies and fails the test on an error.
func (w *world) ask(req verify.Request) verify.Decision {
	w.tb.Helper()
	var d verify.Decision
	if req.Cost == 0 {
		req.Cost = verify.DefaultCost
	}
	if err := w.v.Verify(context.Background(), &req, &d); err != nil {
		w.tb.Fatalf("Verify(%s) error = %v", req.API, err)
	}
	return d
}

// rewind does to the database what restoring an older file would: the key is as before its revocation, the log ends
// earlier and continues differently.
func (w *world) rewind(k id.Key) {
	w.tb.Helper()
	db, err := sql.Open("sqlite", "file:"+w.path)
	if err != nil {
		w.tb.Fatal(err)
	}
	for _, q := range []string{
		`UPDATE api_key SET revoked_at = 0, revoke_reason = '' WHERE id = '` + string(k) + `'`, `DELETE FROM revocation`,
		`DELETE FROM change_entry WHERE revision > (SELECT revision - 2 FROM change_head)`, `UPDATE change_head SET revision = revision - 2`,
	} {
		if _, err := db.Exec(q); err != nil {
			w.tb.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		w.tb.Fatal(err)
	}
}
