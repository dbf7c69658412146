package manage

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/store"
)

// world is a service on a real database with two teams that must not see each other.
type world struct {
	billed int // months
	t      *testing.T
	store  *store.Store
	svc    *Service
	clock  *clock
	admin  audit.Actor
	a, b   side

	mu    sync.Mutex
	mails []mail
}

// side is one team with an app, its key, and who acts for it.
type side struct {
	team, app, key            string
	owner, developer, billing string // users
	email                     string // the owner's
	token, grant, session     string // the owner's
	invitation                string
	hook, message             string
	invoice                   string // a draft
	told                      string // an event that Stripe refused
	keyActor                  audit.Actor
}

// clock goes on a little with each look, so that no two audit lines share a moment.
type clock struct {
	mu  sync.Mutex
	at  time.Time
	per time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(c.per)
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

var begin = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// everyScope is what a credential can be given; most of it has no effect on most credentials.
func everyScope() []string {
	var names []string
	for _, s := range catalog.Management("https://lanyard.example").Scopes.All() {
		names = append(names, s.Name)
	}
	return names
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx := t.Context()
	st, err := store.Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "lanyard.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	master, err := keyring.GenerateMaster(1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Open(ctx, st, keyring.Masters{Current: master}, begin)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: st, clock: &clock{at: begin, per: time.Millisecond}, admin: audit.Command("test")}
	w.svc = &Service{
		AppStore: st, KeyStore: st, TeamStore: st, UserStore: st, CatalogStore: st, BillingStore: st, StripeStore: st, Usage: st, Log: st, Lists: st, Changes: st, Watch: st,
		MAC: ring.MAC,
		Lookups: func(credential string) (digests [][]byte) {
			for _, l := range ring.Lookups(credential) {
				digests = append(digests, l.Digest[:])
			}
			return digests
		},
		Prefix:     func(context.Context) string { return "acme" },
		Management: catalog.Management("https://lanyard.example"),
		Now:        w.clock.now,
		GrantStore: st, PersonalStore: st, SessionStore: st, LinkStore: st, InvitationStore: st, Passwords: st, Accounts: st, MACWith: ring.MACWith,
		Hash: w.hash, Prove: w.prove, CheckPassword: factor.Check, Letters: w.letter, Tries: ratelimit.NewMemory(begin),
		PublicURL: "https://lanyard.example", SignupMode: "open",
		WebhookStore: st, Outbox: st, KeyLeaks: st,
		SealSecrets: func(hook id.Webhook, text []byte) ([]byte, error) { return ring.Seal(hookPlace(hook), text) },
		OpenSecrets: func(hook id.Webhook, sealed []byte) ([]byte, error) { return ring.Unseal(hookPlace(hook), sealed) },
	}
	w.apply(testCatalog)
	w.a, w.b = w.newSide("a"), w.newSide("b")
	return w
}

func hookPlace(hook id.Webhook) keyring.Place {
	return keyring.Place{Table: "webhook", Column: "secrets", Row: string(hook)}
}

const testCatalog = `{"apis": {
	"weather": {"takes": "key", "upstream": "http://10.0.0.7:9001",
		"scopes": {
			"forecast.read": {"text": "read forecasts", "default": true},
			"alerts.write": {"text": "send alerts", "writes": true, "grantable_by": "team_owner", "includes": ["alerts.read"]},
			"alerts.read": {"text": "read alerts", "grantable_by": "team_owner"},
			"radar.steer": {"text": "steer the radar", "grantable_by": "admin"}},
		"operations": {"GET /v1/forecast": {"scopes": ["forecast.read"]}, "POST /v1/alerts": {"scopes": ["alerts.write"]}}},
	"mail": {"scopes": {"messages.read": {"text": "read your messages"}}, "operations": {"GET /v1/messages": {"scopes": ["messages.read"]}},
		"plans": {"pro": {"limits": ["600/minute"]}, "max": {}}},
	"news": {"scopes": {"news.read": {"text": "read the news"}}, "meters": {"storage": {"text": "gigabytes stored", "event": "com.acme.storage"}}, "stripe": {"storage": "acme_storage"},
		"plans": {"free": {"default": true, "fee": "9", "currency": "USD", "prices": [{"meter": "storage", "per_unit": "0.5"}]}, "paid": {}}}
}}`

func (w *world) apply(text string) lanyard.CatalogDiff {
	w.t.Helper()
	diff, err := w.svc.ApplyCatalog(w.t.Context(), w.admin, decodeCatalog(w.t, text), false)
	if err != nil {
		w.t.Fatalf("ApplyCatalog: %v", err)
	}
	return diff
}

func decodeCatalog(t *testing.T, text string) (c lanyard.Catalog) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) newSide(name string) side {
	w.t.Helper()
	var s side
	s.owner, s.developer, s.billing = w.newUser("owner-"+name), w.newUser("developer-"+name), w.newUser("billing-"+name)
	made, err := w.svc.CreateTeam(w.t.Context(), w.admin, lanyard.TeamInput{Name: "Team " + name, OwnerID: s.owner})
	if err != nil {
		w.t.Fatalf("CreateTeam: %v", err)
	}
	s.team = made.ID
	for user, role := range map[string]string{s.developer: "developer", s.billing: "billing"} {
		if _, err := w.svc.SetMember(w.t.Context(), w.admin, s.team, lanyard.Member{UserID: user, Role: role}); err != nil {
			w.t.Fatalf("SetMember: %v", err)
		}
	}
	s.app = w.newApp(s.team)
	s.key = w.newKey(s.app, lanyard.KeyInput{}).ID
	u, err := w.store.User(w.t.Context(), id.User(s.owner))
	if err != nil {
		w.t.Fatal(err)
	}
	s.email = u.Email
	w.personal(&s)
	w.invite(&s)
	w.hook(&s)
	w.bill(&s)
	w.tell(&s)
	acting := w.newKey(w.newApp(s.team), lanyard.KeyInput{})
	s.keyActor = keyActor(acting, s.team, everyScope()...)
	return s
}

// keyActor is what an asker with that key looks like to the service.
func keyActor(k lanyard.NewKey, team string, scopes ...string) audit.Actor {
	return audit.Actor{
		Label: k.ID, Key: id.Key(k.ID), App: id.App(k.AppID), Team: id.Team(team), Reach: audit.TeamReach(id.Team(team)), Scopes: scopes,
	}
}

func userActor(user, team string, scopes ...string) audit.Actor {
	return audit.Actor{Label: user, User: id.User(user), Team: id.Team(team), Reach: audit.UserReach(id.User(user)), Scopes: scopes}
}

func (w *world) newUser(name string) string {
	w.t.Helper()
	u, err := w.svc.CreateUser(w.t.Context(), w.admin, lanyard.UserInput{Email: name + "@" + strings.ToLower(id.Chars(id.New[id.User]())) + ".example.test", Name: name})
	if err != nil {
		w.t.Fatalf("CreateUser: %v", err)
	}
	return u.ID
}

func (w *world) newApp(team string) string {
	w.t.Helper()
	a, err := w.svc.CreateApp(w.t.Context(), w.admin, lanyard.AppInput{Name: "app", TeamID: team})
	if err != nil {
		w.t.Fatalf("CreateApp: %v", err)
	}
	return a.ID
}

func (w *world) newKey(app string, in lanyard.KeyInput) lanyard.NewKey {
	w.t.Helper()
	if in.Name == "" {
		in.Name = "key"
	}
	k, err := w.svc.CreateKey(w.t.Context(), w.admin, app, in)
	if err != nil {
		w.t.Fatalf("CreateKey(%+v): %v", in, err)
	}
	return k
}

// hook gives a side a webhook with a message that arrived.
func (w *world) hook(s *side) {
	w.t.Helper()
	made, err := w.svc.CreateWebhook(w.t.Context(), w.admin, lanyard.WebhookInput{TeamID: s.team, URL: "https://app.example/hooks"})
	if err != nil {
		w.t.Fatalf("CreateWebhook: %v", err)
	}
	sent, err := w.svc.TestWebhook(w.t.Context(), w.admin, made.ID)
	if err != nil {
		w.t.Fatalf("TestWebhook: %v", err)
	}
	arrived := outbox.Outcome{ID: id.Message(sent.ID), Webhook: id.Webhook(made.ID), Attempt: outbox.Attempt{At: sent.CreatedAt, Status: 204}, State: outbox.Delivered}
	if err := w.store.WebhookTried(w.t.Context(), arrived); err != nil {
		w.t.Fatal(err)
	}
	s.hook, s.message = made.ID, sent.ID
}

// bill gives a side another draft: a month goes by for it.
func (w *world) bill(s *side) {
	w.t.Helper()
	ctx, team := w.t.Context(), id.Team(s.team)
	event := billing.MeterEvent{Source: "test", ID: s.team, Team: team, API: "news", Meter: "storage", At: begin, Units: 4}
	if _, err := w.store.RecordEvents(ctx, []billing.MeterEvent{event}, begin); err != nil {
		w.t.Fatal(err)
	}
	w.billed++
	if _, err := w.store.DraftInvoices(ctx, begin.AddDate(0, w.billed, 0), 24*time.Hour, 100); err != nil {
		w.t.Fatal(err)
	}
	drafts, err := w.store.Invoices(ctx, audit.TeamReach(team), billing.InvoiceFilter{Limit: 1})
	if err != nil || len(drafts) != 1 {
		w.t.Fatalf("Invoices = %d, %v, want a draft", len(drafts), err)
	}
	s.invoice = string(drafts[0].ID)
}

// subscribe gives a team a plan of the API mail.
func (w *world) subscribe(team, plan string) {
	w.t.Helper()
	if _, err := w.svc.Subscribe(w.t.Context(), w.admin, team, "mail", lanyard.SubscriptionInput{Plan: plan}); err != nil {
		w.t.Fatal(err)
	}
}

// trace is where the audit log and the log of changes stand.
type trace struct {
	event id.Event
	head  id.Revision
}

func (w *world) trace() trace {
	w.t.Helper()
	events, err := w.store.Audit(w.t.Context(), audit.ServerReach(), audit.Filter{Limit: 1})
	if err != nil {
		w.t.Fatal(err)
	}
	snap, err := w.store.ChangesSnapshot(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	at := trace{head: snap.Revision}
	if len(events) > 0 {
		at.event = events[0].ID
	}
	return at
}

// lastEvent is the newest line of the audit log.
func (w *world) lastEvent() audit.Event {
	w.t.Helper()
	events, err := w.store.Audit(w.t.Context(), audit.ServerReach(), audit.Filter{Limit: 1})
	if err != nil || len(events) != 1 {
		w.t.Fatalf("Audit: %v, %v", events, err)
	}
	return events[0]
}

// systemApp is the built-in app.
func (w *world) systemApp() (team, app string) {
	w.t.Helper()
	t, a, err := w.store.SystemTeam(w.t.Context(), begin)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(t), string(a)
}

// wantFault checks kind and field of a refusal; kind "" wants success.
func wantFault(t *testing.T, what string, err error, kind fault.Kind, field string) {
	t.Helper()
	if kind == "" {
		if err != nil {
			t.Errorf("%s = %v, want success", what, err)
		}
		return
	}
	f := faultOf(err)
	if f.Kind != kind || f.Field != field || f.Detail == "" {
		t.Errorf("%s = %v (kind %q, field %q), want %s about %q with a sentence", what, err, f.Kind, f.Field, kind, field)
	}
}
