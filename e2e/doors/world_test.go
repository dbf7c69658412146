package doors_test

import (
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// world is a Lanyard that trusts fronts on this machine, an upstream that records, and callers' credentials.
type world struct {
	node        *servertest.Node
	upstream    *httptest.Server
	credentials map[string]string
	identities  map[string]map[string]string // what the identity headers say of each, the assertion aside
	log         *lines
	tellsHost   bool // the front asks the upstream by the upstream's own name, and tells it the caller's in X-Forwarded-Host
	mu          sync.Mutex
	calls       []call
}

// call is what the upstream got.
type call struct {
	request *http.Request
	body    string
}

// newWorld has credentials of its own, so that what one front used up is there for the next. Its Lanyard trusts who is on this machine,
// unless others are named.
func newWorld(t *testing.T, trusted ...string) *world {
	t.Helper()
	w := &world{credentials: map[string]string{}, identities: map[string]map[string]string{}, log: &lines{}}
	proxy := netip.MustParsePrefix("127.0.0.0/8")
	if len(trusted) > 0 {
		proxy = netip.MustParsePrefix(trusted[0])
	}
	w.upstream = httptest.NewServer(http.HandlerFunc(w.record))
	t.Cleanup(w.upstream.Close)
	w.node = servertest.Start(t, servertest.Options{
		Gateway:  true,
		Settings: func(s *config.Settings) { s.TrustedProxies = []netip.Prefix{proxy} }, Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	w.fill(t)
	return w
}

// record answers like an API with thoughts of its own about CORS.
func (w *world) record(rw http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "" {
		w.echo(rw, r)
		return
	}
	body := make([]byte, 0, 64)
	for chunk := make([]byte, 64); ; {
		n, err := r.Body.Read(chunk)
		body = append(body, chunk[:n]...)
		if err != nil {
			break
		}
	}
	w.mu.Lock()
	w.calls = append(w.calls, call{r, string(body)})
	w.mu.Unlock()
	rw.Header().Set("Access-Control-Allow-Origin", "*")
	rw.Header().Set("X-Upstream", "yes")
	_, _ = rw.Write([]byte("the forecast"))
}

// echo opens what looks like a WebSocket from outside, and says what it is told.
func (w *world) echo(rw http.ResponseWriter, r *http.Request) {
	conn, buffered, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	w.mu.Lock()
	w.calls = append(w.calls, call{r, ""})
	w.mu.Unlock()
	_, _ = buffered.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
	_ = buffered.Flush()
	if line, err := buffered.ReadString('\n'); err == nil {
		_, _ = buffered.WriteString(line)
		_ = buffered.Flush()
	}
}

// lines is a log that can be written while it is read.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// silent: Lanyard's log says that it was asked, and holds no credential.
func (w *world) silent(t *testing.T) {
	t.Helper()
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	text := w.log.text.String()
	if !strings.Contains(text, "/forward-auth/") && !strings.Contains(text, "msg=call") {
		t.Error("Lanyard's log has no request of a front, so it proves nothing")
	}
	for name, credential := range w.credentials {
		if strings.Contains(text, credential) {
			t.Errorf("Lanyard's log has the credential %q", name)
		}
	}
}

// taken returns what the upstream got since it was last asked.
func (w *world) taken() []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	calls := w.calls
	w.calls = nil
	return calls
}

func catalog() lanyard.Catalog {
	return lanyard.Catalog{APIs: map[string]lanyard.API{
		"weather": {
			Takes: "key", KeyIn: []string{"header", "query"}, Routes: []lanyard.Route{{Prefix: "/weather", StripPrefix: true}}, CORS: &lanyard.CORS{Origins: []string{"https://app.example"}},
			Scopes: map[string]lanyard.Scope{"forecast.read": {Text: "read forecasts"}, "alerts.write": {Text: "raise an alarm", Writes: true}},
			Operations: map[string]lanyard.Operation{
				"GET /v1/forecast": {Scopes: []string{"forecast.read"}}, "POST /v1/alerts": {Scopes: []string{"alerts.write"}}, "GET /v1/files/{name...}": {Scopes: []string{"forecast.read"}},
			},
		},
		"mail": {
			Takes: "token", Routes: []lanyard.Route{{Prefix: "/mail"}}, Token: &lanyard.TokenRules{Format: "jwt"},
			Scopes: map[string]lanyard.Scope{"profile.read": {Text: "read your profile"}}, Operations: map[string]lanyard.Operation{
				"GET /mail/v1/me": {Scopes: []string{"profile.read"}}, "GET /mail/v1/vault": {Scopes: []string{"profile.read"}, MaxAge: "5m"},
			},
		},
		"notes": {
			Takes: "either", Metering: "none", Routes: []lanyard.Route{{Host: "notes.example.test", Prefix: "/"}}, Token: &lanyard.TokenRules{Format: "opaque"},
			Scopes: map[string]lanyard.Scope{"notes.read": {Text: "read your notes"}}, Operations: map[string]lanyard.Operation{"GET /v1/notes": {Scopes: []string{"notes.read"}}},
		},
	}}
}

func (w *world) fill(t *testing.T) {
	t.Helper()
	ctx, admin := t.Context(), w.node.Admin
	declared := catalog()
	for name, api := range declared.APIs {
		api.Upstream = w.upstream.URL // for the gateway; the others have it in their configurations
		declared.APIs[name] = api
	}
	_, err := admin.ApplyCatalog(ctx, declared, false)
	must(t, err)
	team, err := admin.CreateTeam(ctx, lanyard.TeamInput{Name: "Sunny"})
	must(t, err)
	app, err := admin.CreateApp(ctx, lanyard.AppInput{Name: "WeatherDashboard", TeamID: team.ID, OAuthSettings: lanyard.OAuthSettings{
		GrantTypes: []string{"client_credentials"}, Scopes: []string{"profile.read", "notes.read"},
	}})
	must(t, err)
	read := []string{"forecast.read"}
	ids := map[string]string{}
	for name, in := range map[string]lanyard.KeyInput{
		"live": {Scopes: read}, "test": {Scopes: read, Mode: "test"}, "pub": {Scopes: read, Kind: "pub", IPAllow: []string{"127.0.0.0/8"}},
		"pub-elsewhere": {Scopes: read, Kind: "pub", IPAllow: []string{"203.0.113.0/24"}}, "bare": {}, "writer": {Scopes: []string{"alerts.write"}}, "revoked": {Scopes: read},
		"disabled": {Scopes: read}, "expired": {Scopes: read}, "limited": {Scopes: read, Limits: []lanyard.Limit{{Name: "burst", Limit: 1, WindowSeconds: 86400}}},
		"quota": {Scopes: read, Quota: &lanyard.Quota{Units: 1}},
	} {
		in.Name = name
		if name == "expired" { // it was good once: nobody makes one that never was
			soon := time.Now().Add(4 * time.Second)
			in.ExpiresAt = &soon
		}
		made, err := admin.CreateKey(ctx, app.ID, in)
		must(t, err)
		ids[name], w.credentials[name] = made.ID, made.Secret
		w.identities[name] = map[string]string{"App": app.ID, "Team": team.ID, "Scopes": strings.Join(in.Scopes, " "), "Credential": made.ID, "Mode": made.Mode}
	}
	_, err = admin.RevokeKey(ctx, ids["revoked"], lanyard.RevokeInput{}, time.Second)
	must(t, err)
	_, err = admin.DisableKey(ctx, ids["disabled"])
	must(t, err)
	live := w.credentials["live"]
	w.credentials["basic"] = base64.StdEncoding.EncodeToString([]byte(live + ":"))
	w.credentials["mistyped"] = live[:len(live)-1] + "~"
	w.credentials["unknown"] = unknownKey(t)
	w.badges(t, app, team)
	for expired := false; !expired; {
		d, err := admin.Verify(ctx, lanyard.VerifyRequest{Credential: w.credentials["expired"], API: "weather", DryRun: true})
		must(t, err)
		expired = d.Code == "expired"
	}
}

// badges are the tokens: the app's own in both formats, and a person's.
func (w *world) badges(t *testing.T, app lanyard.App, team lanyard.Team) {
	t.Helper()
	ctx := t.Context()
	secret, err := w.node.Admin.CreateSecret(ctx, app.ID, lanyard.SecretInput{})
	must(t, err)
	for name, scope := range map[string]string{"jwt": "profile.read", "opaque": "notes.read"} {
		form := url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.node.URL+"/oauth/token", strings.NewReader(form.Encode()))
		must(t, err)
		req.SetBasicAuth(app.ID, secret.Secret)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := http.DefaultClient.Do(req)
		must(t, err)
		var got struct {
			Token string `json:"access_token"`
		}
		must(t, json.NewDecoder(res.Body).Decode(&got))
		must(t, res.Body.Close())
		w.credentials[name] = got.Token
		w.identities[name] = map[string]string{"App": app.ID, "Team": team.ID, "Scopes": scope, "Mode": "live"}
	}
	ada, err := w.node.Admin.CreateUser(ctx, lanyard.UserInput{Email: "ada@doors.test", Name: "Ada"})
	must(t, err)
	user := id.User(ada.ID)
	personal, err := w.node.Manage.CreateToken(ctx, audit.Actor{Label: ada.ID, User: user, Reach: audit.UserReach(user), Scopes: []string{"lanyard.keys.write"}},
		lanyard.PersonalTokenInput{Name: "script", Scopes: []string{"profile.read"}})
	must(t, err)
	w.credentials["pat"] = personal.Secret
	w.identities["pat"] = map[string]string{"User": ada.ID, "Scopes": "profile.read", "Credential": personal.ID, "Mode": "live"}
}

// unknownKey is well-formed and of nobody: another server made it.
func unknownKey(t *testing.T) string {
	t.Helper()
	other := servertest.Start(t, servertest.Options{})
	return other.Key(t, other.Open(t)).Secret
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
