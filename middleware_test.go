package lanyard

import (
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

const allowed = `{"allowed":true,"code":"valid","message":"ok","credential":{"id":"key_1","kind":"key","mode":"live"},"app":{"id":"app_1","name":"WeatherDashboard"},
	"team":{"id":"team_1"},"user":{"id":"user_1"},"scopes":["forecast.read"],"limits":[],"http":{"status":200,"headers":{"RateLimit":"\"burst\";r=50;t=30","Content-Length":"7"}},"revision":"r1"}`

// decider is a Lanyard that answers every question the same, and remembers the last one.
type decider struct {
	mu     sync.Mutex
	status int
	header http.Header
	body   string
	asked  int
	last   VerifyRequest
}

func (d *decider) answer(status int, body string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status, d.body = status, body
}

func (d *decider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	d.last = VerifyRequest{}
	if err := json.NewDecoder(r.Body).Decode(&d.last); err != nil || r.URL.Path != "/v1/verify" || r.Method != http.MethodPost {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	for name, values := range d.header {
		w.Header()[name] = values
	}
	w.WriteHeader(d.status)
	_, _ = io.WriteString(w, d.body)
}

// seen is what got through to the handler.
type seen struct {
	mu   sync.Mutex
	n    int
	last *http.Request
}

func (s *seen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n, s.last = s.n+1, r
	_, _ = io.WriteString(w, "sunny")
}

func guarded(t *testing.T, opts ...Option) (http.Handler, *decider, *seen) {
	t.Helper()
	d, s := &decider{status: 200, body: allowed}, &seen{}
	c := fake(t, d.ServeHTTP)
	return Require(c, "weather", append([]Option{WithLogger(slog.New(slog.DiscardHandler))}, opts...)...)(s), d, s
}

// ask sends a request through a handler. A header given twice is sent twice.
func ask(h http.Handler, method, target string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func denialOf(t *testing.T, res *http.Response) (Denial, string) {
	t.Helper()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var n Denial
	if err := json.Unmarshal(text, &n); err != nil {
		t.Fatalf("the answer %q is no problem document: %v", text, err)
	}
	if res.Header.Get("Content-Type") != "application/problem+json" || res.Header.Get("Cache-Control") != "no-store" || n.Status != res.StatusCode {
		t.Errorf("a refusal with status %d, headers %v and status %d in its body", res.StatusCode, res.Header, n.Status)
	}
	if n.Type == "" || n.Title == "" || n.Code == "" || n.Detail == "" {
		t.Errorf("the refusal %s leaves something out", text)
	}
	return n, string(text)
}

func TestRequireAsks(t *testing.T) {
	key, pat := credential(t, secret.Key, "a"), credential(t, secret.Personal, "b")
	proxies := WithTrustedProxies(netip.MustParsePrefix("192.0.2.0/24")) // httptest's RemoteAddr is 192.0.2.1
	long := "https://" + strings.Repeat("a", 600) + ".example"
	tests := []struct {
		name, method, target string
		headers              []string
		opts                 []Option
		want                 VerifyRequest
	}{
		{"plain", "GET", "/v1/forecast?city=Lagos", []string{"X-Api-Key", key}, nil, VerifyRequest{Credential: key, Method: "GET", Path: "/v1/forecast", IP: "192.0.2.1"}},
		{"the path in one form", "POST", "/v1/%66orecast%20x/", []string{"X-Api-Key", key}, nil, VerifyRequest{Credential: key, Method: "POST", Path: "/v1/forecast x/", IP: "192.0.2.1"}},
		{"the query is no path", "GET", "/private?x=/public", []string{"X-Api-Key", key}, nil, VerifyRequest{Credential: key, Method: "GET", Path: "/private", IP: "192.0.2.1"}},
		{"method override", "GET", "/v1", []string{"X-Api-Key", key, "X-Http-Method-Override", "DELETE"}, nil, VerifyRequest{Credential: key, Method: "GET", Path: "/v1", IP: "192.0.2.1"}},
		{"two credentials", "GET", "/", []string{"X-Api-Key", key, "Authorization", "Bearer " + pat}, nil, VerifyRequest{Credential: pat, APIKey: key, Method: "GET", Path: "/", IP: "192.0.2.1"}},
		{"untrusted forwarding", "GET", "/", []string{"X-Api-Key", key, "X-Forwarded-For", "127.0.0.1"}, nil, VerifyRequest{Credential: key, Method: "GET", Path: "/", IP: "192.0.2.1"}},
		{"trusted forwarding", "GET", "/", []string{"X-Api-Key", key, "X-Forwarded-For", "127.0.0.1, 198.51.100.7"}, []Option{proxies}, VerifyRequest{Credential: key, Method: "GET", Path: "/", IP: "198.51.100.7"}},
		{"forwarding garbage", "GET", "/", []string{"X-Api-Key", key, "X-Forwarded-For", "evil"}, []Option{proxies}, VerifyRequest{Credential: key, Method: "GET", Path: "/"}},
		{"origin", "GET", "/", []string{"X-Api-Key", key, "Origin", "https://a.example"}, nil, VerifyRequest{Credential: key, Method: "GET", Path: "/", IP: "192.0.2.1", Origin: "https://a.example"}},
		{"two origins", "GET", "/", []string{"X-Api-Key", key, "Origin", "https://a.example", "Origin", "https://b.example"}, nil, VerifyRequest{Credential: key, Method: "GET", Path: "/", IP: "192.0.2.1"}},
		{"an origin too long", "GET", "/", []string{"X-Api-Key", key, "Origin", long}, nil, VerifyRequest{Credential: key, Method: "GET", Path: "/", IP: "192.0.2.1"}},
		{"options", "GET", "/w/v1/x", []string{"X-Api-Key", key}, []Option{WithScopes("a", "b"), WithScopes("c"), WithStripPrefix("/w")}, VerifyRequest{Credential: key, Method: "GET", Path: "/v1/x", IP: "192.0.2.1", Scopes: []string{"a", "b", "c"}}},
		{"the prefix itself", "GET", "/w", []string{"X-Api-Key", key}, []Option{WithStripPrefix("/w/")}, VerifyRequest{Credential: key, Method: "GET", Path: "/", IP: "192.0.2.1"}},
		{"operation", "GET", "/any", []string{"X-Api-Key", key}, []Option{WithOperation("GET /v1/x")}, VerifyRequest{Credential: key, Operation: "GET /v1/x", IP: "192.0.2.1"}},
		{"a sign-in", "POST", "/v1", []string{"X-Api-Key", key}, []Option{WithMaxAge(5 * time.Minute)}, VerifyRequest{Credential: key, Method: "POST", Path: "/v1", IP: "192.0.2.1", MaxAge: 300}},
		{"a sign-in this very moment", "POST", "/v1", []string{"X-Api-Key", key}, []Option{WithMaxAge(0)}, VerifyRequest{Credential: key, Method: "POST", Path: "/v1", IP: "192.0.2.1", MaxAge: 1}},
		{"OPTIONS with a credential", "OPTIONS", "/", []string{"X-Api-Key", key}, nil, VerifyRequest{Credential: key, Method: "OPTIONS", Path: "/", IP: "192.0.2.1"}},
		{"HEAD", "HEAD", "/", []string{"X-Api-Key", key}, nil, VerifyRequest{Credential: key, Method: "HEAD", Path: "/", IP: "192.0.2.1"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h, d, s := guarded(t, test.opts...)
			if res := ask(h, test.method, test.target, test.headers...); res.StatusCode != 200 || s.n != 1 {
				t.Fatalf("status %d, let through %d; want 200 and once", res.StatusCode, s.n)
			}
			test.want.API = "weather"
			if diff := cmp.Diff(test.want, d.last); diff != "" {
				t.Errorf("asked: -want +got\n%s", diff)
			}
		})
	}
}

func TestRequireLetsThrough(t *testing.T) {
	key := credential(t, secret.Key, "a")
	h, _, s := guarded(t, WithQueryKeys())
	res := ask(h, "GET", "/v1/%66orecast?city=Lagos&api_key="+key, "X-Lanyard-App", "evil", "x_lanyard_user", "evil", "Connection", "x-lanyard-team, close",
		"X-Http-Method-Override", "DELETE", "Cookie", "a=1; __Host-lanyard=evil", "Accept", "text/plain", "X_API_KEY", "evil")
	body, err := io.ReadAll(res.Body)
	if err != nil || string(body) != "sunny" || res.StatusCode != 200 {
		t.Fatalf("answer = %d %q, %v", res.StatusCode, body, err)
	}
	if got := res.Header.Get("RateLimit"); got != `"burst";r=50;t=30` {
		t.Errorf("RateLimit = %q", got)
	}
	if res.Header.Get("Content-Length") != "" {
		t.Error("a decision set the Content-Length of the answer")
	}
	if got := res.Header.Get("Warning"); !strings.HasPrefix(got, `299 lanyard "`) || strings.Contains(got, key) {
		t.Errorf("Warning = %q, want one about the URL", got)
	}
	want := http.Header{"Accept": {"text/plain"}, "Connection": {"close"}, "Cookie": {"a=1"}}
	if diff := cmp.Diff(want, s.last.Header); diff != "" {
		t.Errorf("headers at the handler: -want +got\n%s", diff)
	}
	if got := s.last.URL.String() + " " + s.last.RequestURI + " " + s.last.URL.RawPath; got != "/v1/forecast?city=Lagos /v1/forecast?city=Lagos " {
		t.Errorf("URL at the handler = %q", got)
	}
	who, ok := IdentityFrom(s.last.Context())
	if !ok || who.App.ID != "app_1" || who.App.Name != "WeatherDashboard" || who.Team != "team_1" || who.User != "user_1" || who.Credential != "key_1" ||
		who.Mode != "live" || len(who.Scopes) != 1 || !who.Decision.Allowed {
		t.Errorf("IdentityFrom = %+v, %t", who, ok)
	}
	if who, ok := IdentityFrom(t.Context()); ok {
		t.Errorf("IdentityFrom of another context = %+v", who)
	}
}

// A decision says no more than it must; what is missing is empty, not a panic.
func TestRequireSparseDecision(t *testing.T) {
	h, d, s := guarded(t)
	d.answer(200, `{"allowed":true,"code":"valid","http":{"status":200}}`)
	if res := ask(h, "GET", "/", "X-Api-Key", "k"); res.StatusCode != 200 {
		t.Fatalf("status %d", res.StatusCode)
	}
	if who, ok := IdentityFrom(s.last.Context()); !ok || who.App.ID != "" || who.User != "" {
		t.Errorf("IdentityFrom = %+v, %t", who, ok)
	}
}

func TestRequireForgetsParsedForms(t *testing.T) {
	h, _, s := guarded(t, WithQueryKeys())
	early := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		h.ServeHTTP(w, r)
	})
	ask(early, "GET", "/?api_key=k&a=1")
	if got := s.last.Form.Encode(); got != "a=1" {
		t.Errorf("Form at the handler = %q, want a=1", got)
	}
}

func TestRequirePreflight(t *testing.T) {
	h, d, s := guarded(t, WithPreflight())
	res := ask(h, "OPTIONS", "/v1/forecast?api_key=k", "Origin", "https://a.example", "Access-Control-Request-Method", "GET", "X-Lanyard-App", "evil", "X-Api-Key", "k")
	if res.StatusCode != 200 || s.n != 1 || d.asked != 0 {
		t.Fatalf("status %d, let through %d, asked %d; want 200, once, never", res.StatusCode, s.n, d.asked)
	}
	if _, ok := IdentityFrom(s.last.Context()); ok || s.last.Header.Get("X-Lanyard-App") != "" || s.last.Header.Get("X-Api-Key") != "" || s.last.URL.RawQuery != "" {
		t.Errorf("a preflight came with an identity or a credential: %v %v", s.last.Header, s.last.URL)
	}
}

// Over a real connection: names in every spelling, a body, and trailers, which come after the decision.
func TestRequireOnTheWire(t *testing.T) {
	var got, trailer http.Header
	var body []byte
	d := &decider{status: 200, body: allowed}
	c := fake(t, d.ServeHTTP)
	h := Require(c, "weather")(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		got, trailer = r.Header.Clone(), r.Trailer
	}))
	server := httptest.NewServer(h)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /v1/x HTTP/1.1\r\nHost: a\r\nx-api-key: k\r\nx-lanyard-app: evil\r\nX_LANYARD_USER: evil\r\nx.lanyard.team: evil\r\nConnection: x-lanyard-app, close\r\n"+
		"Trailer: X-Lanyard-User, X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nrain\r\n0\r\nX-Lanyard-User: evil\r\nX-Sum: 1\r\nX-Lanyard-Team: evil\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 200") {
		t.Fatalf("answer = %q, %v", text, err)
	}
	if diff := cmp.Diff(http.Header{"Connection": {"close"}}, got); diff != "" || string(body) != "rain" || trailer != nil {
		t.Errorf("body %q, trailer %v, headers -want +got\n%s", body, trailer, diff)
	}
}

// However many requests come one after the other, and whatever the answers are, one connection to Lanyard does.
func TestRequireReusesItsConnection(t *testing.T) {
	var conns atomic.Int32
	answers := []struct {
		status int
		body   string
	}{
		{200, allowed},
		{200, `{"code":"revoked","message":"x","http":{"status":401}}`},
		{401, `{"code":"unauthenticated"}`},
		{503, `<html>` + strings.Repeat("x", 100<<10)},
		{200, `not JSON ` + strings.Repeat("x", 100<<10)},
	}
	n := 0
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(answers[n%len(answers)].status)
		_, _ = io.WriteString(w, answers[n%len(answers)].body)
		n++
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c, err := NewClient(server.URL, testToken)
	if err != nil {
		t.Fatal(err)
	}
	defer c.HTTP.CloseIdleConnections()
	h := Require(c, "weather", WithLogger(nil))(&seen{})
	for range 50 {
		ask(h, "GET", "/", "X-Api-Key", "k")
	}
	if got := conns.Load(); got != 1 || n != 50 {
		t.Errorf("%d questions took %d connections, want 50 and 1", n, got)
	}
}

// No bytes of a request make it panic or pass what was not allowed.
func FuzzRequire(f *testing.F) {
	f.Add("GET", "/v1/forecast", "a=1&api_key=x", "X-Lanyard-App", "evil", "10.0.0.1")
	f.Add("OPTIONS", "*", ";", "Connection", "x-lanyard-app", "[::1]:5")
	f.Add("", "//\x00%2e", "%", "Cookie", "lanyard=;;=", "@")
	c := &Client{URL: "https://auth.example", Token: NewSecret("t"), HTTP: &http.Client{Transport: canned(allowed)}}
	f.Fuzz(func(t *testing.T, method, path, query, name, value, remote string) {
		s := &seen{}
		r := httptest.NewRequest("GET", "/", nil)
		r.Method, r.URL.Path, r.URL.RawQuery, r.RemoteAddr = method, path, query, remote
		r.Header[name] = []string{value}
		r.Header["X-Forwarded-For"] = []string{value, remote}
		w := httptest.NewRecorder()
		Require(c, "weather", WithQueryKeys(), WithLogger(nil), WithTrustedProxies(netip.MustParsePrefix("0.0.0.0/0")))(s).ServeHTTP(w, r)
		if (w.Code == 200) != (s.n == 1) {
			t.Fatalf("status %d, let through %d times", w.Code, s.n)
		}
		if s.n == 0 {
			return
		}
		if _, ok := IdentityFrom(s.last.Context()); !ok {
			t.Fatal("let through without an identity")
		}
		for name := range s.last.Header {
			if isOurs(name) {
				t.Fatalf("the header %q came through", name)
			}
		}
	})
}

// canned answers every request with the same text.
type canned string

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(c))), Request: r}, nil
}

func TestRequireInParallel(t *testing.T) {
	var n atomic.Int32
	c := fake(t, func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%3 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, allowed)
	})
	s := &seen{}
	h := Require(c, "weather", WithLogger(slog.New(slog.DiscardHandler)), WithScopes("a"))(s)
	var refused atomic.Int32
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for range 15 {
				switch res := ask(h, "GET", "/", "X-Api-Key", "k"); res.StatusCode {
				case 200:
				case 503:
					refused.Add(1)
				default:
					t.Errorf("status %d", res.StatusCode)
				}
			}
		})
	}
	group.Wait()
	if n.Load() != 240 || refused.Load() != 80 || s.n != 160 {
		t.Errorf("asked %d, refused %d, let through %d; want 240, 80, 160", n.Load(), refused.Load(), s.n)
	}
}
