package rest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// world is the API over a real service and a real database, with two teams that must not see each other. Who asks is what
// the table of bearers says.
type world struct {
	*testing.T
	store   *store.Store
	service *manage.Service
	handler http.Handler
	tail    *changes.Tail
	clock   *clock
	api     Config
	a, b    side

	mu      sync.Mutex
	bearers map[string]audit.Actor
}

// side is one team with what it owns.
type side struct{ team, user, app, key, hook string }

type clock struct {
	mu sync.Mutex
	at time.Time
}

// now goes on a little with each look, so that no two audit lines share a moment.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(time.Microsecond)
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

const testCatalog = `{"apis":{"weather":{"upstream":"http://10.0.0.7:9001",
	"scopes":{"forecast.read":{"text":"read forecasts","default":true}},
	"operations":{"GET /v1/forecast":{"scopes":["forecast.read"]}},
	"plans":{"free":{"default":true,"limits":["60/minute"]},"pro":{},"tiny":{}}}}}`

func newWorld(t *testing.T) *world {
	t.Helper()
	st, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "lanyard.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{T: t, store: st, clock: &clock{at: time.Now().UTC()}, bearers: map[string]audit.Actor{}}
	master, err := keyring.GenerateMaster(1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Open(t.Context(), st, keyring.Masters{Current: master}, w.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	w.tail = &changes.Tail{
		Store: st, Listener: deaf{}, Beat: changes.Beat{Node: id.New[id.Node](), Name: "test", StartedAt: w.clock.now()},
		MaxStaleness: time.Hour, MaxSkew: time.Hour, Now: w.clock.now,
	}
	if err := w.tail.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	management := catalog.Management("https://id.example")
	w.service = &manage.Service{
		AppStore: st, KeyStore: st, TeamStore: st, UserStore: st, CatalogStore: st, BillingStore: st, StripeStore: st, Usage: st, Log: st, Changes: st, Watch: st,
		MAC: ring.MAC, Lookups: func(credential string) (digests [][]byte) {
			for _, l := range ring.Lookups(credential) {
				digests = append(digests, l.Digest[:])
			}
			return digests
		},
		Prefix: func(context.Context) string { return "acme" }, Management: management, Now: w.clock.now, Wait: w.tail.Wait,
		GrantStore: st, PersonalStore: st, SessionStore: st, LinkStore: st, InvitationStore: st, Passwords: st, Accounts: st, MACWith: ring.MACWith, Tries: ratelimit.NewMemory(w.clock.now()),
		CheckPassword: factor.Check, Hash: func(_ context.Context, user id.User, _ string) (factor.Password, error) {
			return factor.Password{User: user, Hash: "made", Pepper: 1}, nil
		},
		WebhookStore: st, KeyLeaks: st,
		SealSecrets: func(hook id.Webhook, text []byte) ([]byte, error) {
			return ring.Seal(keyring.Place{Table: "webhook", Column: "secrets", Row: string(hook)}, text)
		},
		OpenSecrets: func(hook id.Webhook, sealed []byte) ([]byte, error) {
			return ring.Unseal(keyring.Place{Table: "webhook", Column: "secrets", Row: string(hook)}, sealed)
		},
	}
	place := func(row string) keyring.Place { return keyring.Place{Table: "answer", Column: "reply", Row: row} }
	kit := &web.Kit{PublicURL: "https://id.example"}
	said := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
	}
	w.api = Config{
		Kit: kit, Service: w.service, Authenticate: w.authenticate, Verify: said("verify"), VerifyBatch: said("batch"), Answers: st,
		Seal:   func(row string, reply []byte) ([]byte, error) { return ring.Seal(place(row), reply) },
		Unseal: func(row string, sealed []byte) ([]byte, error) { return ring.Unseal(place(row), sealed) },
		Next:   w.tail.Next, Age: func() time.Duration { return 42 * time.Millisecond }, Now: w.clock.now, Beat: 2 * time.Millisecond,
	}
	mux := http.NewServeMux()
	if _, err := Register(mux, w.api); err != nil {
		t.Fatal(err)
	}
	w.handler = kit.Wrap(kit.Mux(mux, kit.Refuse))
	w.bearers["admin"] = audit.Command("test")
	w.ok("PUT", "/v1/catalog", "admin", testCatalog, nil)
	w.a, w.b = w.newSide("a"), w.newSide("b")
	return w
}

// deaf listens to changes and has nothing to forget.
type deaf struct{}

func (deaf) Invalidate(changes.Kind, string, id.Revision) {}
func (deaf) Reset()                                       {}

func (w *world) authenticate(r *http.Request) (audit.Actor, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	actor, ok := w.bearers[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	if !ok {
		return audit.Actor{}, fault.New(fault.Unauthenticated, "send a credential")
	}
	return actor, nil
}

// bearer makes a credential out of thin air.
func (w *world) bearer(name string, actor audit.Actor) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if actor.Label == "" {
		actor.Label = name
	}
	w.bearers[name] = actor
	return name
}

func (w *world) revoke(bearer string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.bearers, bearer)
}

// newSide makes a team and what it owns. A bearer of the side's name reaches the team, with every scope there is.
func (w *world) newSide(name string) side {
	w.Helper()
	var s side
	var made struct{ ID string }
	w.ok("POST", "/v1/users", "admin", `{"email":"`+name+`@example.test"}`, &made)
	s.user = made.ID
	w.ok("POST", "/v1/teams", "admin", `{"name":"Team `+name+`","owner_id":"`+s.user+`"}`, &made)
	s.team = made.ID
	w.ok("POST", "/v1/apps", "admin", `{"name":"app","team_id":"`+s.team+`"}`, &made)
	s.app = made.ID
	w.ok("POST", "/v1/apps/"+s.app+"/keys", "admin", `{"name":"key"}`, &made)
	s.key = made.ID
	w.ok("POST", "/v1/webhooks", "admin", `{"url":"https://app.example/hooks","team_id":"`+s.team+`"}`, &made)
	s.hook = made.ID
	w.bearer(name, audit.Actor{App: id.App(s.app), Team: id.Team(s.team), Reach: audit.TeamReach(id.Team(s.team)), Scopes: everyScope("")})
	return s
}

// everyScope lists the management scopes, save those that give the one named.
func everyScope(but ...string) (names []string) {
	scopes := catalog.Management("https://id.example").Scopes
	for _, s := range scopes.All() {
		gives := false
		for _, b := range but {
			gives = gives || b != "" && scopes.Covers([]string{s.Name}, b, true)
		}
		if !gives {
			names = append(names, s.Name)
		}
	}
	return names
}

// do sends a request. headers are names and values in turn.
func (w *world) do(method, path, bearer, body string, headers ...string) *httptest.ResponseRecorder {
	w.Helper()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(w.Context(), method, path, content)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res := httptest.NewRecorder()
	w.handler.ServeHTTP(res, r)
	return res
}

// ok is do for requests that must succeed. into may be nil.
func (w *world) ok(method, path, bearer, body string, into any) *httptest.ResponseRecorder {
	w.Helper()
	res := w.do(method, path, bearer, body)
	if res.Code >= 300 {
		w.Fatalf("%s %s %s = %d %s", method, path, body, res.Code, res.Body)
	}
	if into != nil {
		if err := json.Unmarshal(res.Body.Bytes(), into); err != nil {
			w.Fatalf("%s %s answers %q: %v", method, path, res.Body, err)
		}
	}
	return res
}

// refused reads the problem that an answer must be.
func (w *world) refused(what string, res *httptest.ResponseRecorder, status int, code string) lanyard.Problem {
	w.Helper()
	var p lanyard.Problem
	if err := json.Unmarshal(res.Body.Bytes(), &p); err != nil || res.Header().Get("Content-Type") != "application/problem+json" {
		w.Errorf("%s = %d %s %q, want a problem", what, res.Code, res.Header().Get("Content-Type"), res.Body)
		return p
	}
	if res.Code != status || p.Status != status || p.Code != code || p.Type != "https://id.example/errors/"+code || p.Title == "" || p.RequestID == "" ||
		p.RequestID != res.Header().Get("X-Request-Id") || res.Header().Get("Cache-Control") != "no-store" {
		w.Errorf("%s = %d %+v, want %d %s", what, res.Code, p, status, code)
	}
	return p
}

// traces is how much was written down: lines of audit and entries of the log of changes.
func (w *world) traces() (lines, entries int) {
	w.Helper()
	events, err := w.store.Audit(w.Context(), audit.ServerReach(), audit.Filter{Limit: 100000})
	if err != nil {
		w.Fatal(err)
	}
	log, err := w.store.ChangesAfter(w.Context(), 0, 100000)
	if err != nil {
		w.Fatal(err)
	}
	return len(events), len(log)
}
