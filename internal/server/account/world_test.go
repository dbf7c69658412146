package account

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/browser"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/keyring"
	"github.com/lanyard-auth/lanyard/internal/manage"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/quota"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/signin"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/user"
	"github.com/lanyard-auth/lanyard/internal/verify"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// world is the pages over a real database, with a clock that moves when told.
type world struct {
	t       *testing.T
	store   *store.Store
	svc     *manage.Service
	browser *browser.Kit
	url     string
	team    string
	waited  time.Duration // how long every node takes to know of a revocation
	quiet   bool          // no node says that it knows

	mu sync.Mutex
	at time.Time
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

const (
	publicURL   = "https://id.acme.example"
	oldPassword = "a correct horse of old"
	testCatalog = `{"apis": {
	"mail": {"takes": "token", "title": "Mail", "token": {"format": "jwt", "lifetime": "15m"}, "scopes": {
		"profile.read": {"text": "read your profile", "default": true}, "messages.read": {"text": "read your messages"},
		"posts.write": {"text": "post for you", "writes": true}, "mail.owners": {"text": "see the bill", "grantable_by": "team_owner"},
		"mail.rule": {"text": "rule the mail", "grantable_by": "admin"}}},
	"notes": {"takes": "token", "token": {"format": "opaque", "lifetime": "1h"}, "scopes": {"notes.read": {"text": "read your notes"}}}
}}`
)

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
	w := &world{t: t, store: st, at: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), waited: 38 * time.Millisecond}
	ring, err := keyring.Open(ctx, st, keyring.Masters{Current: master}, w.now())
	if err != nil {
		t.Fatal(err)
	}
	management := catalog.Management(publicURL)
	w.svc = &manage.Service{
		AppStore: st, KeyStore: st, TeamStore: st, UserStore: st, CatalogStore: st, BillingStore: st, StripeStore: st, Usage: st, Log: st, Changes: st, Watch: st,
		GrantStore: st, PersonalStore: st, SessionStore: st, LinkStore: st, KeyLeaks: st, Passwords: st, Accounts: st, MAC: ring.MAC, MACWith: ring.MACWith,
		Lookups: func(string) [][]byte { return nil }, Prefix: func(context.Context) string { return "acme" },
		Wait: w.wait, Hash: hash, Prove: w.prove, CheckPassword: factor.Check, Tries: ratelimit.NewMemory(w.now()),
		PublicURL: publicURL, Management: management, Now: w.now,
	}
	var declared lanyard.Catalog
	if err := json.Unmarshal([]byte(testCatalog), &declared); err != nil {
		t.Fatal(err)
	}
	if _, err := w.svc.ApplyCatalog(ctx, audit.Command("test"), declared, false); err != nil {
		t.Fatal(err)
	}
	tail := &changes.Tail{
		Store: st, Beat: changes.Beat{Node: id.New[id.Node](), Name: "test", StartedAt: w.now()}, Every: time.Hour, MaxStaleness: 750 * time.Millisecond,
		MaxSkew: 1e6 * time.Hour, Now: w.now, Log: slog.New(slog.DiscardHandler),
	}
	verifier := verify.New(verify.Config{
		Store: st, Ring: ring, Tail: tail, Limits: ratelimit.Local{Memory: ratelimit.NewMemory(w.now())}, Management: management,
		Quotas:     &quota.Keeper{Store: st, Node: id.New[id.Node](), Now: w.now, Log: slog.New(slog.DiscardHandler)},
		Identifier: func(a lanyard.API) string { return publicURL + "/apis/" + a.Name }, Now: w.now, Log: slog.New(slog.DiscardHandler),
	})
	if err := tail.Start(ctx); err != nil {
		t.Fatal(err)
	}
	kit := &web.Kit{PublicURL: publicURL, Now: w.now}
	w.browser = &browser.Kit{Web: kit, Sessions: st, Users: st, MAC: ring.MAC, MACWith: ring.MACWith, Now: w.now, Random: rand.Reader, Claims: st}
	mux := http.NewServeMux()
	Register(mux, Config{
		Page: page.New(page.Config{Web: kit, Brand: func(context.Context) (lanyard.Brand, error) { return lanyard.Brand{Name: "Acme"}, nil }}),
		Kit:  kit, Browser: w.browser, Gate: &signin.Gate{Users: st, Passwords: st, Limits: ratelimit.NewMemory(w.now()), Now: w.now},
		Accounts: w.svc, Verifier: verifier, Grants: st, Now: w.now,
	})
	mux.HandleFunc("POST /test/begin/{user}", func(rw http.ResponseWriter, r *http.Request) {
		visit, err := w.browser.Visit(rw, r)
		if err == nil {
			var u *user.User
			if u, err = st.User(r.Context(), id.User(r.PathValue("user"))); err == nil {
				err = w.browser.Begin(rw, r, visit, u, browser.ACRPassword, "pwd")
			}
		}
		if err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.url = server.URL
	owner := w.newUser("owner")
	team, err := w.svc.CreateTeam(ctx, audit.Command("test"), lanyard.TeamInput{Name: "Post", OwnerID: string(owner.ID)})
	if err != nil {
		t.Fatal(err)
	}
	w.team = team.ID
	return w
}

// wait lets the clock go on by what it takes.
func (w *world) wait(context.Context, id.Revision, time.Duration) (bool, error) {
	w.advance(w.waited)
	return !w.quiet, nil
}

// hash stands for the slow one of package factor, which has tests of its own.
func hash(_ context.Context, u id.User, password string) (factor.Password, error) {
	return factor.Password{User: u, Hash: "test$" + password}, nil
}

func (w *world) prove(ctx context.Context, u id.User, password string) (bool, error) {
	kept, err := w.store.Password(ctx, u)
	return err == nil && kept.Hash == "test$"+password, err
}

func (w *world) newUser(name string) *user.User {
	w.t.Helper()
	made, err := w.svc.CreateUser(w.t.Context(), audit.Command("test"), lanyard.UserInput{
		Email: name + "@demo.test", Name: strings.ToUpper(name[:1]) + name[1:], Password: oldPassword, Admin: name == "root",
	})
	if err != nil {
		w.t.Fatal(err)
	}
	u, err := w.store.User(w.t.Context(), id.User(made.ID))
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

// allow makes an app and a grant of the user for it, by which a token was issued just now.
func (w *world) allow(u *user.User, name string, scopes ...string) string {
	w.t.Helper()
	ctx := w.t.Context()
	a, err := w.svc.CreateApp(ctx, audit.Command("test"), lanyard.AppInput{
		Name: name, TeamID: w.team, Type: "public", OAuthSettings: lanyard.OAuthSettings{RedirectURIs: []string{"https://postpal.example/callback"}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	now, ev := w.now(), audit.Command("test").New(w.now(), "device.approve", "test", "", nil)
	d := &grant.Device{
		ID: id.New[id.Device](), Digest: []byte("device " + a.ID), UserDigest: []byte("user " + a.ID), Pepper: 1, App: id.App(a.ID), Issue: grant.Issue{Scopes: scopes},
		State: grant.DevicePending, Interval: grant.PollEvery, CreatedAt: now, ExpiresAt: now.Add(grant.DeviceLife),
	}
	g := &grant.Grant{ID: id.New[id.Grant](), User: u.ID, App: d.App, Team: id.Team(w.team), Scopes: scopes, CreatedAt: now, UpdatedAt: now}
	if err := w.store.CreateDevice(ctx, d); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.store.DeviceByCode(ctx, [][]byte{d.UserDigest}, []byte("browser"), now); err != nil {
		w.t.Fatal(err)
	}
	answer := grant.Answer{State: grant.DeviceApproved, User: u.ID, Grant: g, Issue: d.Issue}
	if won, err := w.store.AnswerDevice(ctx, d.ID, []byte("browser"), answer, now, ev); err != nil || !won {
		w.t.Fatalf("AnswerDevice = %v, %v", won, err)
	}
	if outcome, err := w.store.RedeemDevice(ctx, d.ID, id.New[id.Family](), nil, now); err != nil || outcome != grant.Won {
		w.t.Fatalf("RedeemDevice = %v, %v", outcome, err)
	}
	return string(g.ID)
}

// person is a browser in which somebody is signed in.
type person struct {
	w      *world
	client *http.Client
}

// stranger is a browser in which nobody is.
func (w *world) stranger() *person {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &person{w, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (w *world) signedIn(u *user.User) *person {
	w.t.Helper()
	p := w.stranger()
	if got := p.post("/test/begin/"+string(u.ID), nil); got.status != http.StatusOK {
		w.t.Fatalf("begin a session: %d %s", got.status, got.body)
	}
	return p
}

// answer is what a page answered.
type answer struct {
	status   int
	body     string
	location string
	header   http.Header
}

func (p *person) get(path string) answer { return p.do(http.MethodGet, path, nil, "same-origin") }

func (p *person) post(path string, form url.Values) answer {
	return p.do(http.MethodPost, path, form, "same-origin")
}

func (p *person) do(method, path string, form url.Values, site string) answer {
	p.w.t.Helper()
	req, err := http.NewRequestWithContext(p.w.t.Context(), method, p.w.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.w.t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", site)
	req.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := p.client.Do(req)
	if err != nil {
		p.w.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		p.w.t.Fatal(err)
	}
	return answer{res.StatusCode, string(body), res.Header.Get("Location"), res.Header}
}
