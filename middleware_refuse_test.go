package lanyard

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Refused without asking the server.
func TestRequireRefusesByItself(t *testing.T) {
	key := credential(t, secret.Key, "a")
	tests := []struct {
		name, method, target string
		headers              []string
		opts                 []Option
		status               int
		code, challenge      string
	}{
		{"no credential", "GET", "/v1/forecast", nil, nil, 401, "missing", `Bearer realm="weather"`},
		{"a header of another name", "GET", "/v1/forecast", []string{"X_api_key", key}, nil, 401, "missing", `Bearer realm="weather"`},
		{"health checks are nobody", "GET", "/healthz", []string{"User-Agent", "GoogleHC/1.0"}, nil, 401, "missing", `Bearer realm="weather"`},
		{"a preflight", "OPTIONS", "/v1/forecast", []string{"Origin", "https://a.example", "Access-Control-Request-Method", "GET"}, nil, 401, "missing", `Bearer realm="weather"`},
		{"no preflight", "OPTIONS", "/v1/forecast", []string{"Origin", "https://a.example"}, []Option{WithPreflight()}, 401, "missing", `Bearer realm="weather"`},
		{"a preflight by another method", "GET", "/v1/forecast", []string{"Origin", "https://a.example", "Access-Control-Request-Method", "GET"}, []Option{WithPreflight()}, 401, "missing", `Bearer realm="weather"`},
		{"null", "GET", "/v1/forecast", []string{"Authorization", "Bearer null"}, nil, 401, "malformed", `error="invalid_token"`},
		{"empty", "GET", "/v1/forecast", []string{"X-Api-Key", ""}, nil, 401, "malformed", `error="invalid_token"`},
		{"twice", "GET", "/v1/forecast", []string{"X-Api-Key", key, "X-Api-Key", key}, nil, 400, "malformed", `error="invalid_request"`},
		{"in the query", "GET", "/v1/forecast?api_key=" + key, nil, nil, 400, "malformed", `error="invalid_request"`},
		{"dots", "GET", "/v1/../admin", []string{"X-Api-Key", key}, nil, 400, "invalid_request", ""},
		{"encoded dots", "GET", "/v1/%2e%2e/admin", []string{"X-Api-Key", key}, nil, 400, "invalid_request", ""},
		{"encoded slash", "GET", "/v1%2fforecast", []string{"X-Api-Key", key}, nil, 400, "invalid_request", ""},
		{"two slashes", "GET", "/v1//forecast", []string{"X-Api-Key", key}, nil, 400, "invalid_request", ""},
		{"matrix parameter", "GET", "/v1/forecast;x/", []string{"X-Api-Key", key}, nil, 400, "invalid_request", ""},
		{"encoded twice", "GET", "/v1/%252e", []string{"X-Api-Key", key}, nil, 400, "invalid_request", ""},
		{"NUL", "GET", "/v1/forecast%00", []string{"X-Api-Key", key}, nil, 400, "invalid_request", ""},
		{"ambiguous, operation named", "GET", "/v1//forecast", []string{"X-Api-Key", key}, []Option{WithOperation("GET /v1/forecast")}, 400, "invalid_request", ""},
		{"ambiguous preflight", "OPTIONS", "/v1//x", []string{"Origin", "https://a.example", "Access-Control-Request-Method", "GET"}, []Option{WithPreflight()}, 400, "invalid_request", ""},
		{"beside the prefix", "GET", "/v1/forecast", []string{"X-Api-Key", key}, []Option{WithStripPrefix("/weather/")}, 403, "operation_unknown", ""},
		{"almost the prefix", "GET", "/weatherman/v1", []string{"X-Api-Key", key}, []Option{WithStripPrefix("/weather")}, 403, "operation_unknown", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h, d, s := guarded(t, test.opts...)
			res := ask(h, test.method, test.target, test.headers...)
			n, text := denialOf(t, res)
			if res.StatusCode != test.status || n.Code != test.code || !strings.HasSuffix(n.Type, "/errors/"+test.code) {
				t.Errorf("answer = %d %s (%s), want %d %s", res.StatusCode, n.Code, n.Type, test.status, test.code)
			}
			challenge := res.Header.Get("WWW-Authenticate")
			if !strings.Contains(challenge, test.challenge) || test.code == "missing" && challenge != test.challenge || test.challenge == "" && challenge != "" {
				t.Errorf("WWW-Authenticate = %s, want %s", challenge, test.challenge)
			}
			if strings.Contains(text, key) {
				t.Errorf("the answer %s holds the credential", text)
			}
			if d.asked != 0 || s.n != 0 {
				t.Errorf("asked %d times, let through %d times; want neither", d.asked, s.n)
			}
		})
	}
}

// Refused by a decision.
func TestRequireDenies(t *testing.T) {
	key := credential(t, secret.Key, "a")
	tests := []struct {
		name, decision string
		status         int
		headers        map[string]string
		want           Denial
	}{
		{
			"revoked", `{"code":"revoked","message":"Somebody took this credential back.","http":{"status":401,"headers":{"WWW-Authenticate":"Bearer realm=\"weather\", error=\"invalid_token\""}}}`, 401,
			map[string]string{"WWW-Authenticate": `Bearer realm="weather", error="invalid_token"`},
			Denial{Problem: Problem{Type: "/errors/revoked", Code: "revoked", Title: "Revoked", Detail: "Somebody took this credential back."}},
		},
		{
			"no challenge came", `{"code":"expired","message":"x","http":{"status":401}}`, 401,
			map[string]string{"WWW-Authenticate": `Bearer realm="weather", error="invalid_token"`},
			Denial{Problem: Problem{Type: "/errors/expired", Code: "expired", Title: "Expired", Detail: "x"}},
		},
		{
			"scope", `{"code":"insufficient_scope","message":"This needs forecast.read.","missing_scopes":["forecast.read"],"denied_by":"key.scopes","http":{"status":403,"headers":{"WWW-Authenticate":"Bearer realm=\"weather\", error=\"insufficient_scope\""}}}`, 403,
			map[string]string{"WWW-Authenticate": `Bearer realm="weather", error="insufficient_scope"`},
			Denial{Problem: Problem{Type: "/errors/insufficient_scope", Code: "insufficient_scope", Title: "Not allowed to do this", Detail: "This needs forecast.read."}, MissingScopes: []string{"forecast.read"}, DeniedBy: "key.scopes"},
		},
		{
			"rate", `{"code":"rate_limited","message":"Too many.","denied_by":"burst","retry_after_ms":1500,"http":{"status":429,"headers":{"RateLimit":"\"burst\";r=0;t=2","X-RateLimit-Limit":"60"}}}`, 429,
			map[string]string{"Retry-After": "2", "RateLimit": `"burst";r=0;t=2`, "X-RateLimit-Limit": "60", "WWW-Authenticate": ""},
			Denial{Problem: Problem{Type: quotaType, Code: "rate_limited", Title: "Too fast", Detail: "Too many."}, DeniedBy: "burst", RetryAfterMS: 1500, ViolatedPolicies: []string{"burst"}},
		},
		{
			"a code from the future", `{"code":"moon_phase","message":"","http":{"status":403}}`, 403, nil,
			Denial{Problem: Problem{Type: "/errors/moon_phase", Code: "moon_phase", Title: "Refused", Detail: "The request was refused."}},
		},
		{
			"a server that repeats the credential", `{"code":"not_found","message":"Nobody knows ` + key + `.","http":{"status":401,"headers":{"WWW-Authenticate":"Bearer ` + key + `","X-Echo":"` + key + `"}}}`, 401, nil,
			Denial{Problem: Problem{Type: "/errors/not_found", Code: "not_found", Title: "Unknown credential", Detail: "Nobody knows [redacted]."}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h, d, s := guarded(t)
			d.answer(200, test.decision)
			res := ask(h, "GET", "/v1/forecast", "X-Api-Key", key)
			n, text := denialOf(t, res)
			test.want.Status = test.status
			if i := strings.Index(n.Type, "/errors/"); i >= 0 {
				n.Type = n.Type[i:]
			}
			if diff := cmp.Diff(test.want, n); diff != "" || res.StatusCode != test.status {
				t.Errorf("status %d, want %d; -want +got\n%s", res.StatusCode, test.status, diff)
			}
			for name, want := range test.headers {
				if got := res.Header.Get(name); got != want {
					t.Errorf("%s = %q, want %q", name, got, want)
				}
			}
			for name, values := range res.Header {
				text += name + strings.Join(values, " ")
			}
			if strings.Contains(text, key) {
				t.Errorf("the answer holds the credential: %s", text)
			}
			if s.n != 0 {
				t.Error("the handler was called")
			}
		})
	}
}

// Whatever keeps a decision from being made is 503, and nothing passes.
func TestRequireFailsClosed(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		header http.Header
		after  string
		logged string
	}{
		{"server error", 500, `oops`, nil, "1", "cannot decide"},
		{"unavailable", 503, `{"code":"unavailable"}`, http.Header{"Retry-After": {"7"}}, "7", "cannot decide"},
		{"for very long", 503, ``, http.Header{"Retry-After": {"86400"}}, "60", "cannot decide"},
		{"our token is bad", 401, `{"code":"unauthenticated","detail":"It expired."}`, nil, "1", "refuses LANYARD_TOKEN"},
		{"our token has not the scope", 403, `{"code":"insufficient_scope"}`, nil, "1", "refuses LANYARD_TOKEN"},
		{"we ask too often", 429, `{}`, http.Header{"Retry-After": {"3"}}, "3", "limits how often"},
		{"no such API", 404, `{"code":"not_found","detail":"there is no API weather"}`, nil, "1", "refuses the question"},
		{"a bad question", 400, `{"code":"invalid_request"}`, nil, "1", "refuses the question"},
		{"no JSON", 200, `<html>allowed</html>`, nil, "1", "out of reach"},
		{"no decision", 200, `{}`, nil, "1", "out of reach"},
		{"half a yes", 200, `{"allowed":true}`, nil, "1", "out of reach"},
		{"yes and no", 200, `{"allowed":true,"code":"revoked","http":{"status":401}}`, nil, "1", "out of reach"},
		{"a redirect", 302, ``, http.Header{"Location": {"/v1/verify"}}, "1", "out of reach"},
		{"empty", 204, ``, nil, "1", "out of reach"},
		{"huge", 200, strings.Repeat(" ", maxAnswer+1) + allowed, nil, "1", "out of reach"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			h, d, s := guarded(t, WithLogger(slog.New(slog.NewJSONHandler(&log, nil))))
			d.header = test.header
			d.answer(test.status, test.body)
			key := credential(t, secret.Key, "a")
			for range 3 {
				res := ask(h, "GET", "/v1/forecast", "X-Api-Key", key)
				if n, text := denialOf(t, res); n.Code != "unavailable" || res.StatusCode != 503 || strings.Contains(text, "expired") {
					t.Errorf("answer = %d %s, want 503 unavailable and nothing about our own trouble", res.StatusCode, text)
				}
				if got := res.Header.Get("Retry-After"); got != test.after {
					t.Errorf("Retry-After = %q, want %q", got, test.after)
				}
			}
			if s.n != 0 {
				t.Error("the handler was called")
			}
			if lines := strings.Count(log.String(), "\n"); lines != 1 || !strings.Contains(log.String(), test.logged) {
				t.Errorf("log has %d lines, want 1 with %q:\n%s", lines, test.logged, &log)
			}
			if strings.Contains(log.String(), testToken) || strings.Contains(log.String(), key) {
				t.Errorf("a secret is in the log: %s", &log)
			}
			d.header = nil
			d.answer(200, allowed)
			if res := ask(h, "GET", "/v1/forecast", "X-Api-Key", key); res.StatusCode != 200 {
				t.Errorf("afterwards status %d, want 200", res.StatusCode)
			}
		})
	}
}

func TestRequireWithoutServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	gone, err := NewClient("http://"+listener.Addr().String(), testToken)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*Client{"nil": nil, "zero": {}, "gone": gone} {
		s := &seen{}
		h := Require(c, "weather", WithLogger(nil))(s)
		if res := ask(h, "GET", "/v1/forecast", "X-Api-Key", "k"); res.StatusCode != 503 || s.n != 0 {
			t.Errorf("%s client: status %d, let through %d; want 503 and none", name, res.StatusCode, s.n)
		}
	}
}

func TestRequireLogsChangesOnly(t *testing.T) {
	var log bytes.Buffer
	h, d, _ := guarded(t, WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	for _, step := range []struct {
		status int
		body   string
		lines  int
	}{
		{200, allowed, 0},
		{500, "", 1},
		{503, "", 1},
		{401, "{}", 2},
		{403, "{}", 2},
		{200, allowed, 3},
		{200, allowed, 3},
		{200, "{}", 4},
		{400, "{}", 5},
		{400, "{}", 5}, // does not count as another state
		{200, "{}", 5},
		{200, allowed, 6},
		{400, "{}", 6},
	} {
		d.answer(step.status, step.body)
		ask(h, "GET", "/", "X-Api-Key", "k")
		if got := strings.Count(log.String(), "\n"); got != step.lines {
			t.Errorf("after %d %.20s the log has %d lines, want %d:\n%s", step.status, step.body, got, step.lines, &log)
		}
	}

	// A caller who leaves says nothing about Lanyard.
	before := log.Len()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
	r.Header.Set("X-Api-Key", "k")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 503 || log.Len() != before {
		t.Errorf("cancelled: status %d, want 503 and nothing logged: %s", w.Code, log.String()[before:])
	}
}
