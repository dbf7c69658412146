package extauthz_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestHTTPRefuses(t *testing.T) {
	w := newWorld(t, here)
	key := "x-api-key: " + w.key.Secret
	for _, test := range []struct {
		name, method, target string
		lines                []string
		want                 int
		code                 string
	}{
		{"no prefix", "GET", forecast, []string{key}, 404, "not_found"},
		{"a longer prefix", "GET", "/ext_authzx" + forecast, []string{key}, 400, "invalid_request"},
		{"no path", "GET", "/ext_authz", []string{key}, 400, "invalid_request"},
		{"no chain", "GET", "/ext_authz" + forecast, []string{key, "X-Forwarded-For: "}, 400, "invalid_request"},
		{"no scheme", "GET", "/ext_authz" + forecast, []string{key, "X-Forwarded-Proto: "}, 400, "invalid_request"},
		{"two schemes", "GET", "/ext_authz" + forecast, []string{key, "X-Forwarded-Proto: http"}, 400, "invalid_request"},
		{"no credential", "GET", "/ext_authz" + forecast, nil, 401, "missing"},
		{"a key twice", "GET", "/ext_authz" + forecast, []string{key, key}, 400, "malformed"},
		{"a key in the query", "GET", "/ext_authz" + forecast + "?api_key=" + w.key.Secret, nil, 400, "malformed"},
		{"a key in the query in other letters", "GET", "/ext_authz" + forecast + "?API%5fKey=" + w.key.Secret, []string{key}, 400, "malformed"},
		{"dots", "GET", "/ext_authz/public/.." + forecast, []string{key}, 400, "invalid_request"},
		{"an empty segment", "GET", "/ext_authz/" + forecast, []string{key}, 400, "invalid_request"},
		{"an encoded letter", "GET", "/ext_authz/weather/v1/%66orecast", []string{key}, 400, "invalid_request"},
		{"lower hex", "GET", "/ext_authz/weather/v1/files/caf%c3%a9", []string{key}, 400, "invalid_request"},
		{"another operation", "PUT", "/ext_authz" + forecast, []string{key}, 403, "operation_unknown"},
		{"no API", "GET", "/ext_authz/elsewhere", []string{key}, 404, "not_found"},
		{"the path of gRPC", "POST", "/envoy.service.auth.v3.Authorization/Check", []string{key, "Content-Type: application/grpc"}, 404, "not_found"},
	} {
		t.Run(test.name, func(t *testing.T) {
			res, body := w.ask(t, test.method, test.target, test.lines...)
			var said struct{ Code string }
			if err := json.Unmarshal([]byte(body), &said); err != nil || res.StatusCode != test.want || said.Code != test.code {
				t.Errorf("%s %s = %d %s, want %d %s", test.method, test.target, res.StatusCode, body, test.want, test.code)
			}
			for name := range res.Header {
				if strings.HasPrefix(name, "X-Lanyard-") {
					t.Errorf("a refusal has the header %s", name)
				}
			}
		})
	}
}

// TestNoCallIsGRPC: a call that http_service hands on is never taken for a question over gRPC, which is answered with 200 even to refuse.
func TestNoCallIsGRPC(t *testing.T) {
	w := newWorld(t, here)
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: &protocols}}
	t.Cleanup(client.CloseIdleConnections)
	const method = "/envoy.service.auth.v3.Authorization/Check"
	for _, target := range []string{"/ext_authz" + method, "/ext_authz" + forecast, forecast, method + "/", method + "?x=1", "/grpc.health.v1.Health/Check"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+w.address+target, bytes.NewReader(make([]byte, 5)))
		must(t, err)
		req.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "X-Forwarded-For": {caller}, "X-Forwarded-Proto": {"http"}}
		res, err := client.Do(req)
		must(t, err)
		_, err = io.Copy(io.Discard, res.Body)
		must(t, err)
		must(t, res.Body.Close())
		if res.ProtoMajor != 2 || res.StatusCode == http.StatusOK {
			t.Errorf("%s = %s %d: Envoy would let the call through", target, res.Proto, res.StatusCode)
		}
	}
}

func TestHTTPAllows(t *testing.T) {
	w := newWorld(t, here)
	res, body := w.ask(t, "GET", "/ext_authz"+forecast+"?x=1;y=%2e", "x-api-key: "+w.key.Secret, "X-Lanyard-User: spoofed", "X_lanyard_user: spoofed", "X-Original-Url: /admin",
		"Cookie: a=1; lanyard=secret", "Origin: https://app.example")
	if res.StatusCode != http.StatusOK || body != "" {
		t.Fatalf("a call with a key = %d %s, want 200", res.StatusCode, body)
	}
	for name, want := range map[string]string{
		"X-Lanyard-Credential": w.key.ID, "X-Lanyard-User": "", "Cookie": "a=1", "Access-Control-Allow-Origin": "https://app.example", "Cache-Control": "no-store",
	} {
		if got := res.Header[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	removed := strings.Split(res.Header.Get("X-Envoy-Auth-Headers-To-Remove"), ", ")
	for _, name := range []string{"x-api-key", "authorization", "x_lanyard_user", "x-original-url"} {
		if !slices.Contains(removed, name) {
			t.Errorf("removed are %q, want %s too", removed, name)
		}
	}
	if slices.Contains(removed, "x-lanyard-user") || slices.Contains(removed, "x-forwarded-for") {
		t.Errorf("removed are %q, which Lanyard or Envoy sets", removed)
	}
	for _, target := range []string{"/weather/v1/files/caf%C3%A9", "/weather/v1/files/a%20b"} {
		if res, body := w.ask(t, "GET", "/ext_authz"+target, "x-api-key: "+w.key.Secret); res.StatusCode != http.StatusOK {
			t.Errorf("%s = %d %s, want 200", target, res.StatusCode, body)
		}
	}
	res, _ = w.ask(t, "OPTIONS", "/ext_authz"+forecast, "Origin: https://app.example", "Access-Control-Request-Method: GET")
	if res.StatusCode != http.StatusNoContent || res.Header.Get("Access-Control-Allow-Methods") != "GET" {
		t.Errorf("a preflight = %d %v, want 204 with what is allowed", res.StatusCode, res.Header)
	}
}
