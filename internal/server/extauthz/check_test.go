package extauthz_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/lanyard-auth/lanyard"
)

// refused fails unless a call is stopped with this status and problem, and returns the answer's headers.
func refused(t *testing.T, res *authv3.CheckResponse, want int, code string) map[string]string {
	t.Helper()
	no := res.GetDeniedResponse()
	if no == nil || res.GetStatus().GetCode() == 0 {
		t.Fatalf("Check = %v, want a refusal", res)
	}
	h := headersOf(no.GetHeaders())
	if int(no.GetStatus().GetCode()) != want {
		t.Errorf("Check refuses with %d %s, want %d", no.GetStatus().GetCode(), no.GetBody(), want)
	}
	var said struct {
		Code   string
		Status int
	}
	if code == "" {
		return h
	}
	if err := json.Unmarshal([]byte(no.GetBody()), &said); err != nil || said.Code != code || said.Status != want || h["content-type"] != "application/problem+json" {
		t.Errorf("Check refuses with %s (%s), want a problem of code %s", no.GetBody(), h["content-type"], code)
	}
	return h
}

func TestCheckRefuses(t *testing.T) {
	w := newWorld(t, here)
	key := "x-api-key: " + w.key.Secret
	change := func(f func(a *authv3.AttributeContext)) *authv3.CheckRequest {
		req := question("GET", forecast, key)
		f(req.GetAttributes())
		return req
	}
	for _, test := range []struct {
		name string
		req  *authv3.CheckRequest
		want int
		code string
	}{
		{"nothing", &authv3.CheckRequest{}, 400, "invalid_request"},
		{"no HTTP", change(func(a *authv3.AttributeContext) { a.Request = nil }), 400, "invalid_request"},
		{"no source", change(func(a *authv3.AttributeContext) { a.Source = nil }), 400, "invalid_request"},
		{"a source without address", change(func(a *authv3.AttributeContext) { a.Source.Address = socket("") }), 400, "invalid_request"},
		{"a source that is a pipe", change(func(a *authv3.AttributeContext) {
			a.Source.Address = &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: "/x"}}}
		}), 400, "invalid_request"},
		{"no method", change(func(a *authv3.AttributeContext) { a.Request.Http.Method = "" }), 400, "invalid_request"},
		{"a method that is none", change(func(a *authv3.AttributeContext) { a.Request.Http.Method = "GET /" }), 400, "invalid_request"},
		{"CONNECT", change(func(a *authv3.AttributeContext) { a.Request.Http.Method = "CONNECT" }), 400, "invalid_request"},
		{"no path", change(func(a *authv3.AttributeContext) { a.Request.Http.Path = "" }), 400, "invalid_request"},
		{"a path that is none", change(func(a *authv3.AttributeContext) { a.Request.Http.Path = "*" }), 400, "invalid_request"},
		{"a query apart", change(func(a *authv3.AttributeContext) { a.Request.Http.Query = "x=1" }), 400, "invalid_request"},
		{"no host", change(func(a *authv3.AttributeContext) { a.Request.Http.Host = "" }), 400, "invalid_request"},
		{"a host that is none", change(func(a *authv3.AttributeContext) { a.Request.Http.Host = "a,b" }), 400, "invalid_request"},
		{"no scheme", change(func(a *authv3.AttributeContext) { a.Request.Http.Scheme = "" }), 400, "invalid_request"},
		{"headers twice", change(func(a *authv3.AttributeContext) { a.Request.Http.Headers = map[string]string{"a": "b"} }), 400, "invalid_request"},
		{"a value twice", change(func(a *authv3.AttributeContext) { a.Request.Http.HeaderMap.Headers[2].Value = "x" }), 400, "invalid_request"},
		{"a header with a line break", question("GET", forecast, key, "x-a: b\r\nx-c: d"), 400, "invalid_request"},
		{"a header without a name", question("GET", forecast, key, " : b"), 400, "invalid_request"},
		{"headers of 40 KiB", question("GET", forecast, key, "x-a: "+strings.Repeat("a", 40<<10)), 431, "invalid_request"},

		{"no credential", question("GET", forecast), 401, "missing"},
		{"a mistyped key", question("GET", forecast, key[:len(key)-1]+"~"), 401, "malformed"},
		{"a key twice", question("GET", forecast, key, key), 400, "malformed"},
		{"a key twice, joined", joined(question("GET", forecast, key, key)), 401, "malformed"},
		{"two credentials, joined", joined(question("GET", forecast, "authorization: Bearer "+w.key.Secret, "authorization: Bearer x")), 401, "malformed"},
		{"a key in two cases", change(func(a *authv3.AttributeContext) {
			a.Request.Http.HeaderMap, a.Request.Http.Headers = nil, map[string]string{"x-api-key": w.key.Secret, "X-Api-Key": w.key.Secret}
		}), 400, "malformed"},
		{"dots", question("GET", "/public/.."+forecast, key), 400, "invalid_request"},
		{"an encoded slash", question("GET", "/weather%2fv1/forecast", key), 400, "invalid_request"},
		{"a matrix parameter", question("GET", forecast+";x", key), 400, "invalid_request"},
		{"a route spelt otherwise", question("GET", "/%77eather/v1/forecast", key), 400, "invalid_request"},
		{"another operation", question("POST", forecast, key), 403, "operation_unknown"},
		{"an override", question("POST", forecast, key, "x-http-method-override: GET"), 403, "operation_unknown"},
		{"no API", question("GET", "/private?x="+forecast, key), 404, "not_found"},
	} {
		t.Run(test.name, func(t *testing.T) { refused(t, w.check(t, test.req), test.want, test.code) })
	}
	h := refused(t, w.check(t, question("GET", forecast, "origin: https://app.example")), 401, "missing")
	if !strings.HasPrefix(h["www-authenticate"], `Bearer realm="weather"`) || h["access-control-allow-origin"] != "https://app.example" {
		t.Errorf("a refusal has the headers %v, want a challenge and what lets a script read it", h)
	}
	if strings.Contains(w.log.String(), w.key.Secret) {
		t.Error("the log has the key")
	}
}

// TestCheckTooLarge: what is beyond every limit is not read, and Envoy answers with its status_on_error.
func TestCheckTooLarge(t *testing.T) {
	w := newWorld(t, here)
	_, err := w.envoy.Check(t.Context(), question("GET", forecast, "x-api-key: "+w.key.Secret, "x-a: "+strings.Repeat("a", 200<<10)))
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("Check of 200 KiB = %v, want ResourceExhausted", err)
	}
	refused(t, w.check(t, question("GET", forecast, "x-api-key: "+w.key.Secret, "x-a: "+strings.Repeat("a", 64<<10))), http.StatusRequestHeaderFieldsTooLarge, "invalid_request")
}

func TestStrangers(t *testing.T) {
	for _, trusted := range [][]string{nil, {"192.0.2.0/24"}} {
		w := newWorld(t, trusted...)
		if _, err := w.envoy.Check(t.Context(), question("GET", forecast, "x-api-key: "+w.key.Secret)); status.Code(err) != codes.PermissionDenied {
			t.Errorf("Check from a stranger = %v, want PermissionDenied", err)
		}
		if res, body := w.ask(t, "GET", "/ext_authz"+forecast, "x-api-key: "+w.key.Secret); res.StatusCode != http.StatusForbidden {
			t.Errorf("HTTP from a stranger = %d %s, want 403", res.StatusCode, body)
		}
	}
}

func TestCheckUndecided(t *testing.T) {
	w := newWorld(t, here)
	w.Node.Stop() // the listener for Envoy stays
	h := refused(t, w.check(t, question("GET", forecast, "x-api-key: "+w.key.Secret)), http.StatusServiceUnavailable, "unavailable")
	if h["retry-after"] != "1" {
		t.Errorf("Retry-After = %q, want 1", h["retry-after"])
	}
	if res, body := w.ask(t, "GET", "/ext_authz"+forecast, "x-api-key: "+w.key.Secret); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("HTTP without a database = %d %s, want 503", res.StatusCode, body)
	}
}

func TestCheckAllows(t *testing.T) {
	w := newWorld(t, here)
	key := "x-api-key: " + w.key.Secret
	for name, test := range map[string]struct {
		req  *authv3.CheckRequest
		path string
	}{
		"raw":                  {question("GET", forecast, key), "/v1/forecast"},
		"joined":               {joined(question("GET", forecast, key)), "/v1/forecast"},
		"an encoded letter":    {question("GET", "/weather/v1/%66orecast", key), "/v1/forecast"},
		"letters of others":    {question("GET", "/weather/v1/files/caf%c3%a9", key), "/v1/files/caf%C3%A9"},
		"a query":              {question("GET", forecast+"?x=/public/../a//b;c&y=%2e%2e%2f", key), "/v1/forecast?x=/public/../a//b;c&y=%2e%2e%2f"},
		"a key in the query":   {question("GET", forecast+"?city=Lagos&API%5fKey="+w.key.Secret+"&x=1"), "/v1/forecast?city=Lagos&x=1"},
		"a query beyond ASCII": {question("GET", forecast+"?x=caf\xc3\xa9", key), "/v1/forecast?x=caf%C3%A9"},
	} {
		t.Run(name, func(t *testing.T) {
			res := w.check(t, test.req)
			ok := res.GetOkResponse()
			if ok == nil || res.GetStatus().GetCode() != 0 {
				t.Fatalf("Check = %v, want the call to pass", res)
			}
			got := headersOf(ok.GetHeaders())
			if got[":path"] != test.path || got["x-lanyard-credential"] != w.key.ID || strings.Count(got["x-lanyard-assertion"], ".") != 2 {
				t.Errorf("Check sets %v, want :path %s and the key %s", got, test.path, w.key.ID)
			}
			for _, name := range []string{"app", "team", "user", "scopes", "credential", "mode", "assertion"} {
				if _, set := got["x-lanyard-"+name]; !set {
					t.Errorf("Check sets no x-lanyard-%s, so the caller's own would stay", name)
				}
			}
			for _, o := range ok.GetHeaders() {
				if !o.GetKeepEmptyValue() || o.GetAppendAction() != corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD {
					t.Errorf("%v does not take the place of the caller's own", o)
				}
				if slices.Contains(ok.GetHeadersToRemove(), o.GetHeader().GetKey()) {
					t.Errorf("%s is set and removed, so it is not there", o.GetHeader().GetKey())
				}
			}
			for _, name := range []string{"authorization", "x-api-key", "dpop", "x-http-method-override"} {
				if !slices.Contains(ok.GetHeadersToRemove(), name) {
					t.Errorf("%s is not removed", name)
				}
			}
			if strings.Contains(res.String(), w.key.Secret) {
				t.Error("the answer holds the key")
			}
		})
	}
}

// TestCheckCleans: nothing that only a door may say reaches the upstream, in whatever spelling it came.
func TestCheckCleans(t *testing.T) {
	w := newWorld(t, here)
	req := func() *authv3.CheckRequest {
		return question("GET", forecast, "x-api-key: "+w.key.Secret, "x-lanyard-user: spoofed", "x_lanyard_user: spoofed", "x.lanyard.app: spoofed", "x-lanyard-admin: spoofed",
			"x-method-override: POST", "x_http_method_override: POST", "forwarded: for=x", "x-real-ip: 1.2.3.4", "x-original-url: /admin", "x-rewrite-url: /admin", "x-forwarded-host: evil",
			"x-forwarded-prefix: /evil", "x-forwarded-proto: https", "x-request-id: 1", "cookie: a=1; lanyard=secret", "cookie: __Host-lanyard=secret; b=2", "accept: */*")
	}
	want := []string{
		"authorization", "x-api-key", "dpop", "x-http-method-override", "x-http-method", "x-method-override", "forwarded", "x-real-ip",
		"x-forwarded-host", "x-forwarded-prefix", "x-lanyard-admin", "x-original-url", "x-rewrite-url", "x.lanyard.app", "x_http_method_override", "x_lanyard_user",
	}
	for name, question := range map[string]*authv3.CheckRequest{"raw": req(), "joined": joined(req())} {
		ok := w.check(t, question).GetOkResponse()
		if got := ok.GetHeadersToRemove(); !slices.Equal(got, want) {
			t.Errorf("%s: removed are %q, want %q", name, got, want)
		}
		got := headersOf(ok.GetHeaders())
		if got["x-lanyard-user"] != "" || got["cookie"] != "a=1; b=2" {
			t.Errorf("%s: set are x-lanyard-user %q and cookie %q, want none and a=1; b=2", name, got["x-lanyard-user"], got["cookie"])
		}
	}
	ok := w.check(t, question("GET", forecast, "x-api-key: "+w.key.Secret, "cookie: lanyard=secret")).GetOkResponse()
	if _, set := headersOf(ok.GetHeaders())["cookie"]; set || !slices.Contains(ok.GetHeadersToRemove(), "cookie") {
		t.Errorf("a cookie header with Lanyard's alone is not removed: %v", ok)
	}
	ok = w.check(t, question("GET", forecast, "x-api-key: "+w.key.Secret, "cookie: lanyard=secret; a=\xff")).GetOkResponse()
	if !slices.Contains(ok.GetHeadersToRemove(), "cookie") {
		t.Errorf("a cookie header that no message can hold is not removed: %v", ok)
	}
}

// TestAddress: the caller is the last address that is no trusted proxy's; what is left of it is the caller's own claim.
func TestAddress(t *testing.T) {
	w := newWorld(t, here, "198.51.100.0/24")
	shop := w.key.AppID
	bound, err := w.Admin.CreateKey(t.Context(), shop, lanyard.KeyInput{Name: "bound", Scopes: []string{"forecast.read"}, IPAllow: []string{caller + "/32"}})
	must(t, err)
	for _, test := range []struct {
		name, source, chain string
		passes              bool
	}{
		{"the caller", caller, caller, true},
		{"without a chain", caller, "", true},
		{"behind a proxy", "198.51.100.1", "192.0.2.1, " + caller + ", 198.51.100.1", true},
		{"another", "192.0.2.1", "192.0.2.1", false},
		{"another that claims", "192.0.2.1", caller, false},
		{"another behind a proxy that claims", "198.51.100.1", caller + ", 192.0.2.1, 198.51.100.1", false},
	} {
		req := question("GET", forecast, "x-api-key: "+bound.Secret)
		req.Attributes.Source.Address = socket(test.source)
		req.Attributes.Request.Http.HeaderMap.Headers[1].RawValue = []byte(test.chain)
		res := w.check(t, req)
		if got := res.GetOkResponse() != nil; got != test.passes {
			t.Errorf("%s: passes %v, want %v: %v", test.name, got, test.passes, res)
		}
	}
}

func TestCheckCORS(t *testing.T) {
	w := newWorld(t, here)
	ask := []string{"origin: https://app.example", "access-control-request-method: GET", "access-control-request-headers: x-api-key"}
	h := refused(t, w.check(t, question("OPTIONS", forecast, ask...)), http.StatusNoContent, "")
	if h["access-control-allow-origin"] != "https://app.example" || h["access-control-allow-methods"] != "GET" || h["access-control-allow-headers"] != "x-api-key" {
		t.Errorf("a preflight is answered with %v", h)
	}
	ok := w.check(t, question("GET", forecast, "origin: https://app.example", "x-api-key: "+w.key.Secret)).GetOkResponse()
	if got := headersOf(ok.GetResponseHeadersToAdd()); got["access-control-allow-origin"] != "https://app.example" {
		t.Errorf("the answer of the upstream gets %v, want what lets a script read it", got)
	}
	for _, o := range ok.GetResponseHeadersToAdd() {
		want := corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
		if o.GetHeader().GetKey() == "vary" {
			want = corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD
		}
		if o.GetAppendAction() != want {
			t.Errorf("%v, want %v", o, want)
		}
	}
}

// TestLimit: what passed is counted once, refusals are not, and the caller reads what is left.
func TestLimit(t *testing.T) {
	w := newWorld(t, here)
	k, err := w.Admin.CreateKey(t.Context(), w.key.AppID, lanyard.KeyInput{
		Name: "limited", Scopes: []string{"forecast.read"}, Limits: []lanyard.Limit{{Name: "burst", Limit: 20, WindowSeconds: 86400}},
	})
	must(t, err)
	const calls = 50
	answers := make([]*authv3.CheckResponse, calls)
	failures := make([]error, calls)
	var all sync.WaitGroup
	for i := range calls {
		all.Go(func() {
			answers[i], failures[i] = w.envoy.Check(t.Context(), question("GET", forecast+"?n="+strconv.Itoa(i), "x-api-key: "+k.Secret))
		})
	}
	all.Wait()
	must(t, errors.Join(failures...))
	passed := 0
	for i, res := range answers {
		if ok := res.GetOkResponse(); ok != nil {
			passed++
			if got := headersOf(ok.GetHeaders())[":path"]; got != "/v1/forecast?n="+strconv.Itoa(i) {
				t.Errorf("call %d is sent to %s", i, got)
			}
			if headersOf(ok.GetResponseHeadersToAdd())["ratelimit"] == "" {
				t.Errorf("the answer of the upstream gets %v, want RateLimit", ok.GetResponseHeadersToAdd())
			}
			continue
		}
		if h := refused(t, res, http.StatusTooManyRequests, "rate_limited"); h["retry-after"] == "" || h["ratelimit"] == "" {
			t.Errorf("a refusal has %v, want Retry-After and RateLimit", h)
		}
	}
	rows, err := w.Admin.Usage(t.Context(), lanyard.UsageQuery{Granularity: "month", GroupBy: []string{"key", "outcome"}})
	must(t, err)
	counted := int64(0)
	for _, row := range rows.Items {
		if row.Key == k.ID && row.Outcome == "valid" {
			counted += row.Count
		}
	}
	if passed != 20 || counted != 20 {
		t.Errorf("%d of %d calls passed and %d were counted, want 20", passed, calls, counted)
	}
}

func TestRevoked(t *testing.T) {
	w := newWorld(t, here)
	if w.check(t, question("GET", forecast, "x-api-key: "+w.key.Secret)).GetOkResponse() == nil {
		t.Fatal("the key does not pass")
	}
	_, err := w.Admin.RevokeKey(t.Context(), w.key.ID, lanyard.RevokeInput{}, 5e9)
	must(t, err)
	refused(t, w.check(t, question("GET", forecast, "x-api-key: "+w.key.Secret)), http.StatusUnauthorized, "revoked")
}
