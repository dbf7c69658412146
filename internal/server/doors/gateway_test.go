package doors_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/config"
)

// Whatever has two readings, or leads nowhere, never reaches an upstream.
func TestGatewayRefusesPaths(t *testing.T) {
	w := newWorld(t, nil)
	for _, test := range []struct {
		target string
		status int
	}{
		{"/weather/v1/../v1/forecast", 400},
		{"/weather//v1/forecast", 400},
		{"/weather/v1/forecast/..", 400},
		{"/weather/./v1/forecast", 400},
		{"/weather/v1/%2e%2e/v1/forecast", 400},
		{"/weather/v1%2fforecast", 400},
		{"/weather/v1%2Fforecast", 400},
		{"/weather/v1/forecast;x=1", 400},
		{"/weather/..;/v1/forecast", 400},
		{"/weather/v1/forecast%00", 400},
		{"/weather/v1/forecast%0a", 400},
		{`/weather\v1\forecast`, 400},
		{"/weather/v1/%5cforecast", 400},
		{"/weather/v1/forecast%23", 400},
		{"/weather/v1/forecast%3fx", 400},
		{"/weather/v1/%252e%252e/x", 400},
		{"/weather/v1/%ff", 400},
		{"/weather/%", 400},
		{"/weather/v1/forecast#x", 400},
		{"*", 400},
		{"weather/v1/forecast", 400},
		{"/%77eather/v1/forecast", 200},
		{"/weather/v1/%66orecast", 200},
		{"/weatherx/v1/forecast", 404},
		{"/v1/forecast", 404},
		{"/", 404},
		{"/Weather/v1/forecast", 404},
		{"/weather/v1/Forecast", 403},
		{"/weather/v1/forecast/", 403},
		{"/private?x=/weather/v1/forecast", 404},
		{"/weather", 403},
		{"/weather/", 403},
		{"http://elsewhere/weather/v1/forecast", 200},
		{"/weather/v1/places/a%20b%3Fc", 400},
		{"/weather/v1/places/S%C3%A3o%20Paulo", 200},
	} {
		res, body := w.raw("GET " + test.target + " HTTP/1.1\r\nHost: api.test\r\nX-Api-Key: " + w.key.Secret + "\r\nConnection: close\r\n\r\n")
		if res == nil {
			res = &http.Response{StatusCode: 400}
		}
		seen := w.take()
		if res.StatusCode != test.status || (len(seen) > 0) != (test.status == 200) {
			t.Errorf("GET %s = %d, the upstream asked %d times, want %d:\n%s", test.target, res.StatusCode, len(seen), test.status, body)
		}
	}
}

func TestGatewayRefuses(t *testing.T) {
	w := newWorld(t, nil)
	poor, err := w.Admin.CreateKey(t.Context(), w.shop.App.ID, lanyard.KeyInput{Name: "poor"})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, method, path string
		header             http.Header
		status             int
		code, challenge    string
	}{
		{"no credential", "GET", "/weather/v1/forecast", http.Header{"X-Api-Key": nil}, 401, "missing", `Bearer realm="weather"`},
		{"a credential of nobody", "GET", "/weather/v1/forecast", http.Header{"X-Api-Key": {"lyd_key_live_nonsense"}}, 401, "malformed", `error="invalid_token"`},
		{"two keys", "GET", "/weather/v1/forecast", http.Header{"Authorization": {"Bearer " + w.key.Secret}}, 400, "malformed", `error="invalid_request"`},
		{"the same header twice", "GET", "/weather/v1/forecast", http.Header{"X-Api-Key": {w.key.Secret, w.key.Secret}}, 400, "malformed", `error="invalid_request"`},
		{"a key in the query", "GET", "/weather/v1/forecast?api_key=" + w.key.Secret, http.Header{"X-Api-Key": nil}, 400, "malformed", `error="invalid_request"`},
		{"without the scope", "GET", "/weather/v1/forecast", http.Header{"X-Api-Key": {poor.Secret}}, 403, "insufficient_scope", `scope="forecast.read"`},
		{"a method that is not declared", "DELETE", "/weather/v1/forecast", nil, 403, "operation_unknown", ""},
		{"an override of the method", "DELETE", "/weather/v1/forecast", http.Header{"X-Http-Method-Override": {"GET"}}, 403, "operation_unknown", ""},
		{"who says to be a health check", "GET", "/weather/v1/forecast", http.Header{"X-Api-Key": nil, "User-Agent": {"GoogleHC/1.0", "kube-probe/1.29"}}, 401, "missing", ""},
		{"TRACE", "TRACE", "/weather/v1/forecast", nil, 405, "invalid_request", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			res, body := w.call(test.method, test.path, test.header)
			var p lanyard.Denial
			if err := json.Unmarshal([]byte(body), &p); err != nil && res.Request.Method != http.MethodHead {
				t.Fatalf("the answer is no problem document: %v\n%s", err, body)
			}
			if res.StatusCode != test.status || p.Code != test.code || !strings.Contains(res.Header.Get("WWW-Authenticate"), test.challenge) ||
				res.Header.Get("Content-Type") != "application/problem+json" || res.Header.Get("X-Request-Id") == "" || p.Detail == "" {
				t.Errorf("%d %s, challenge %q\n%s\nwant %d %s, %q", res.StatusCode, p.Code, res.Header.Get("WWW-Authenticate"), body, test.status, test.code, test.challenge)
			}
			if seen := w.take(); len(seen) > 0 {
				t.Errorf("the upstream was asked %d times", len(seen))
			}
		})
	}
	if calls, _ := w.units(); calls != 0 {
		t.Errorf("%d calls were counted, want none", calls)
	}
	if text := w.log.text(); strings.Contains(text, w.key.Secret) || strings.Contains(text, poor.Secret) {
		t.Error("a secret stands in the log")
	}
}

// The upstream gets the path that was matched, who calls, and nothing that a caller could pretend.
func TestGatewayForwards(t *testing.T) {
	w := newWorld(t, func(a *lanyard.API) { a.KeyIn = []string{"header", "query"}; a.Upstream += "/base" })
	lies := http.Header{
		"X-Lanyard-User": {"user_me"}, "x-lanyard-team": {"team_me"}, "X_lanyard_app": {"app_me"}, "X.Lanyard.App": {"app_me"}, "X-Lanyard-Anything": {"x"}, "Connection": {"X-Lanyard-Credential, keep-alive"},
		"X-Forwarded-For": {"1.2.3.4"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"evil.test"}, "X-Forwarded-Prefix": {"/evil"}, "Forwarded": {"for=1.2.3.4"}, "X-Real-Ip": {"1.2.3.4"},
		"X-Original-Url": {"/admin"}, "X_forwarded_for": {"1.2.3.4"}, "Cookie": {"lanyard=session; theirs=1; __Host-lanyard=x"}, "X-Request-Id": {"mine"}, "Upgrade": {"h2c"}, "Trailer": {"X-Lanyard-User"},
	}
	res, body := w.call("GET", "/weather/v1/places/S%C3%A3o%20Paulo?a=1&b=%2F", lies)
	if res.StatusCode != 200 || body != "sunny" {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	if res.Header.Get("RateLimit") == "" || res.Header.Get("X-RateLimit-Limit") != "1000" {
		t.Errorf("the answer has no rate limit headers: %v", res.Header)
	}
	seen := w.take()
	if len(seen) != 1 {
		t.Fatalf("the upstream was asked %d times", len(seen))
	}
	got := seen[0]
	if got.RequestURI != "/base/v1/places/S%C3%A3o%20Paulo?a=1&b=%2F" || got.Host != strings.TrimPrefix(w.upstream.URL, "http://") {
		t.Errorf("the upstream was asked for %s at %s", got.RequestURI, got.Host)
	}
	assertion := got.Header.Get("X-Lanyard-Assertion")
	got.Header.Del("X-Lanyard-Assertion")
	if id := got.Header.Get("X-Request-Id"); id == "mine" || id == "" || id != res.Header.Get("X-Request-Id") {
		t.Errorf("the request id is %q, the answer's %q", id, res.Header.Get("X-Request-Id"))
	}
	for _, name := range []string{"X-Request-Id", "Accept-Encoding", "User-Agent"} { // whatever a client of HTTP sends
		got.Header.Del(name)
	}
	want := http.Header{
		"X-Lanyard-App": {w.shop.App.ID}, "X-Lanyard-Team": {w.shop.Team.ID}, "X-Lanyard-User": {""}, "X-Lanyard-Scopes": {"forecast.read"}, "X-Lanyard-Credential": {w.key.ID}, "X-Lanyard-Mode": {"live"},
		"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Host": {strings.TrimPrefix(w.GatewayURL, "http://")}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Prefix": {"/weather"}, "Cookie": {"theirs=1"},
	}
	if diff := cmp.Diff(want, got.Header); diff != "" {
		t.Errorf("the upstream got other headers, -want +got:\n%s", diff)
	}
	w.checkAssertion(assertion)

	res, _ = w.call("GET", "/weather/v1/forecast?city=Lagos&api_key="+w.key.Secret, http.Header{"X-Api-Key": nil})
	if seen := w.take(); res.StatusCode != 200 || len(seen) != 1 || seen[0].RequestURI != "/base/v1/forecast?city=Lagos" || !strings.Contains(res.Header.Get("Warning"), "stood in the URL") {
		t.Errorf("with the key in the query: %d, warning %q, the upstream saw %v", res.StatusCode, res.Header.Get("Warning"), seen)
	}
	if calls, units := w.units(); calls != 2 || units != 2 {
		t.Errorf("%d calls of %d units were counted, want 2", calls, units)
	}
	if text := w.log.text(); strings.Contains(text, w.key.Secret) || !strings.Contains(text, `msg=call`) {
		t.Error("a secret stands in the log, or no line of the call")
	}
}

// checkAssertion checks an assertion with what the gateway publishes, as an upstream would.
func (w *world) checkAssertion(text string) {
	w.t.Helper()
	res, err := http.Get(w.GatewayURL + "/.well-known/lanyard-assertion-jwks.json")
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var set jose.JSONWebKeySet
	if err := json.NewDecoder(res.Body).Decode(&set); err != nil || len(set.Keys) != 1 {
		w.t.Fatalf("the key set has %d keys, %v, want the one of assertions", len(set.Keys), err)
	}
	parsed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		w.t.Fatalf("the assertion %q: %v", text, err)
	}
	payload, err := parsed.Verify(set.Keys[0])
	if err != nil || parsed.Signatures[0].Header.ExtraHeaders["typ"] != "lanyard-assertion+jwt" {
		w.t.Fatalf("the assertion does not verify: %v, %v", err, parsed.Signatures[0].Header)
	}
	var said map[string]any
	if err := json.Unmarshal(payload, &said); err != nil {
		w.t.Fatal(err)
	}
	if said["iss"] != w.URL || said["aud"] != w.GatewayURL+"/weather" || said["sub"] != w.shop.App.ID || said["exp"].(float64)-said["iat"].(float64) != 60 || said["credential"] != w.key.ID {
		w.t.Errorf("the assertion says %s", payload)
	}
	// It is no access token, wherever one is taken.
	if d, err := w.Admin.Verify(w.t.Context(), lanyard.VerifyRequest{Credential: text, API: "open"}); err != nil || d.Allowed || d.Code == "valid" {
		w.t.Errorf("an assertion as a token: %+v, %v", d, err)
	}
}

func TestGatewayCORS(t *testing.T) {
	w := newWorld(t, func(a *lanyard.API) { a.CORS = &lanyard.CORS{Origins: []string{"https://app.example"}} })
	w.serve = func(rw http.ResponseWriter, _ *http.Request) { rw.Header().Set("Access-Control-Allow-Origin", "*") }
	ask := http.Header{"X-Api-Key": nil, "Access-Control-Request-Method": {"GET"}, "Access-Control-Request-Headers": {"x-api-key, bad header"}}
	for _, test := range []struct{ origin, want string }{{"https://app.example", "https://app.example"}, {"https://evil.example", ""}, {"null", ""}, {"https://app.example.evil.example", ""}} {
		ask["Origin"] = []string{test.origin}
		res, _ := w.call(http.MethodOptions, "/weather/v1/forecast", ask)
		if got := res.Header.Get("Access-Control-Allow-Origin"); res.StatusCode != 204 || got != test.want || len(w.take()) > 0 {
			t.Errorf("preflight from %s: %d, allowed %q, want %q and nothing forwarded", test.origin, res.StatusCode, got, test.want)
		}
		if want := map[bool]string{true: "x-api-key"}[test.want != ""]; res.Header.Get("Access-Control-Allow-Headers") != want {
			t.Errorf("preflight from %s allows the headers %q, want %q", test.origin, res.Header.Get("Access-Control-Allow-Headers"), want)
		}
		for status, header := range map[int]http.Header{200: {"Origin": {test.origin}}, 401: {"Origin": {test.origin}, "X-Api-Key": nil}} {
			res, _ := w.call("GET", "/weather/v1/forecast", header)
			if got := res.Header.Get("Access-Control-Allow-Origin"); res.StatusCode != status || got != test.want || !strings.Contains(strings.Join(res.Header["Vary"], ","), "Origin") {
				t.Errorf("a call from %s: %d, allowed %q, Vary %q; want %d, %q", test.origin, res.StatusCode, got, res.Header["Vary"], status, test.want)
			}
		}
		w.take()
	}
	if calls, _ := w.units(); calls != 4 {
		t.Errorf("%d calls were counted, want the 4 that were forwarded", calls)
	}
}

// From a proxy that is trusted the address of the caller is believed, and handed on.
func TestGatewayBehindAProxy(t *testing.T) {
	for _, trusted := range []string{"", "127.0.0.0/8"} {
		w := newWorld(t, nil, func(s *config.Settings) {
			if trusted != "" {
				s.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(trusted)}
			}
		})
		_, _ = w.call("GET", "/weather/v1/forecast", http.Header{"X-Forwarded-For": {"9.9.9.9"}, "X-Forwarded-Proto": {"https"}})
		h := w.take()[0].Header
		got := h.Get("X-Forwarded-For") + " " + h.Get("X-Forwarded-Proto")
		if want := map[string]string{"": "127.0.0.1 http", "127.0.0.0/8": "9.9.9.9, 127.0.0.1 https"}[trusted]; got != want {
			t.Errorf("trusting %q the upstream is told %q, want %q", trusted, got, want)
		}
	}
}

func TestGatewayMetadata(t *testing.T) {
	w := newWorld(t, func(a *lanyard.API) { a.Takes = "either" })
	res, _ := w.call("GET", "/weather/v1/forecast", http.Header{"X-Api-Key": nil})
	_, address, _ := strings.Cut(res.Header.Get("WWW-Authenticate"), `resource_metadata="`)
	address = strings.TrimSuffix(address, `"`)
	if address != w.GatewayURL+"/.well-known/oauth-protected-resource/weather" {
		t.Fatalf("the challenge points to %q", address)
	}
	for _, at := range []string{strings.TrimPrefix(address, w.GatewayURL), "/.well-known/oauth-protected-resource/weather/v1/forecast", "/.well-known/oauth-protected-resource"} {
		res, body := w.call("GET", at, http.Header{"X-Api-Key": nil})
		var said struct {
			Resource string   `json:"resource"`
			Servers  []string `json:"authorization_servers"`
			Scopes   []string `json:"scopes_supported"`
		}
		if err := json.Unmarshal([]byte(body), &said); err != nil || res.StatusCode != 200 || said.Resource != w.GatewayURL+"/weather" || said.Servers[0] != w.URL || said.Scopes[0] != "forecast.read" {
			t.Errorf("GET %s = %d %s", at, res.StatusCode, body)
		}
	}
	if res, _ := w.call("GET", "/.well-known/oauth-protected-resource/nothing", nil); res.StatusCode != 404 {
		t.Errorf("metadata of nothing: %d", res.StatusCode)
	}
	w.declare(nil) // keys alone
	if res, _ := w.call("GET", "/weather/v1/forecast", http.Header{"X-Api-Key": nil}); strings.Contains(res.Header.Get("WWW-Authenticate"), "resource_metadata") {
		t.Error("an API that takes keys alone points to who hands out tokens")
	}
}

// HTTP/2 without TLS, as a proxy in front speaks it: the same ruling.
func TestGatewayHTTP2(t *testing.T) {
	w := newWorld(t, nil)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Transport{Protocols: protocols}
	defer client.CloseIdleConnections()
	for _, test := range []struct {
		key    string
		status int
	}{{w.key.Secret, 200}, {"", 401}} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", w.GatewayURL+"/weather/v1/forecast", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header["X-Api-Key"] = []string{test.key}
		if test.key == "" {
			req.Header.Del("X-Api-Key")
		}
		res, err := client.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != test.status || res.ProtoMajor != 2 {
			t.Errorf("%s %d, want HTTP/2 %d", res.Proto, res.StatusCode, test.status)
		}
	}
}

// What comes after the decision as a trailer does not reach the upstream; what the upstream sends after its answer reaches the caller.
func TestGatewayTrailers(t *testing.T) {
	w := newWorld(t, nil)
	w.serve = func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(rw, "sunny")
		rw.Header().Set("X-Sum", "42")
	}
	res, body := w.raw("POST /weather/v1/forecast HTTP/1.1\r\nHost: api.test\r\nX-Api-Key: " + w.key.Secret +
		"\r\nTransfer-Encoding: chunked\r\nTrailer: X-Lanyard-User\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\nX-Lanyard-User: user_me\r\n\r\n")
	if res == nil || res.StatusCode != 200 || body != "sunny" || res.Trailer.Get("X-Sum") != "42" {
		t.Fatalf("%+v %s", res, body)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.seen) != 1 || w.bodies[0] != "hello" || len(w.seen[0].Trailer) > 0 || w.seen[0].Header.Get("X-Lanyard-User") != "" {
		t.Errorf("the upstream saw %v %q, trailers %v", w.seen[0].Header, w.bodies, w.seen[0].Trailer)
	}
}

// line reads a line of a stream.
func line(r *bufio.Reader) (string, error) {
	text, err := r.ReadString('\n')
	return strings.TrimSpace(text), err
}
