package doors_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHAProxyStops: when the action breaks off, whatever the reason, HAProxy would go on with the call. The file stops it.
func TestHAProxyStops(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(shipped, "lanyard.lua"))
	must(t, err)
	for name, change := range map[string][2]string{
		"before it asks":         {"local function ask(txn)\n", "local function ask(txn)\n\terror('broken')\n"},
		"after Lanyard's yes":    {"\tlocal tell = {}\n\tfor _, name in ipairs(told) do\n", "\tcore.nothing()\n\tlocal tell = {}\n\tfor _, name in ipairs(told) do\n"},
		"without ever answering": {"local function ask(txn)\n", "local function ask(txn)\n\tif true then return end\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if bytes.Count(text, []byte(change[0])) != 1 {
				t.Fatalf("docs/doors/lanyard.lua does not have %q once", change[0])
			}
			dir, listen := t.TempDir(), port(t)
			script := filepath.Join(dir, "lanyard.lua")
			must(t, os.WriteFile(script, bytes.Replace(text, []byte(change[0]), []byte(change[1]), 1), 0o600))
			env := []string{"LISTEN=" + listen, "UPSTREAM=" + w.upstream.Listener.Addr().String(), "LANYARD_URL=" + w.node.URL, "LUA=" + script}
			run(t, dir, listen, env, "haproxy", "-f", absolute(t, "haproxy.cfg"))
			hold(t, w, listen, row{target: forecast, header: []string{"x-api-key: {live}"}, status: http.StatusServiceUnavailable})
		})
	}
}

// TestApart: two APIs stand behind one front, on programs of their own. The rules of each hold for its own paths, and who may call one does not get to the
// other, however they spell it.
func TestApart(t *testing.T) {
	for name, start := range map[string]func(t *testing.T, w *world, other string) string{"nginx": apartNginx, "caddy": apartCaddy} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			second := &world{}
			mail := httptest.NewServer(http.HandlerFunc(second.record))
			t.Cleanup(mail.Close)
			address := start(t, w, mail.Listener.Addr().String())
			key, token := []string{"x-api-key: {live}"}, []string{"Authorization: Bearer {pat}"}
			for _, r := range []row{
				{target: "/mail/v1/me", header: key, status: 403, code: "kind_not_accepted"},
				{target: forecast, header: token, status: 403, code: "kind_not_accepted"},
				{target: "/mail/v1/forecast", header: key, status: 403, code: "operation_unknown"},
				{target: "/weather/v1/me", header: token, status: 403, code: "operation_unknown"},
				{target: "/mail/weather/v1/forecast", header: key, status: 403, code: "operation_unknown"},
				{target: "/weather/mail/v1/me", header: token, status: 403, code: "operation_unknown"},
				{target: "/weather/../mail/v1/me", header: key, status: 400, code: "invalid_request"},
				{target: "/mail/../weather/v1/forecast", header: key, status: 400, code: "invalid_request"},
				{target: "/mail/%2e%2e/weather/v1/forecast", header: key, status: 400, code: "invalid_request"},
				{target: "/mail/..%2fweather/v1/forecast", header: key, status: 400, code: "invalid_request"},
				{target: "//weather/v1/forecast", header: key, status: 400, code: "invalid_request"},
				{target: "/v1/notes", host: "notes.example.test", header: []string{"Authorization: Bearer {opaque}"}, status: 404, code: "not_found"},
				{target: "/weather/v1/notes", host: "notes.example.test", header: []string{"Authorization: Bearer {opaque}"}, status: 404, code: "not_found"},
				{target: "/elsewhere", header: key, status: 404, code: "not_found"},
			} {
				hold(t, w, address, r)
				if calls := second.taken(); len(calls) > 0 {
					t.Errorf("%s: the other upstream was asked for %s", r.target, calls[0].request.RequestURI)
				}
			}
			// An encoded letter changes nothing: all three decode it before they choose.
			for _, target := range []string{"/%77eather/v1/forecast", "/weathe%72/v1/forecast"} {
				w.send(t, address, row{target: target, header: key})
				for _, got := range second.taken() {
					t.Errorf("%s: the other upstream was asked for %s", target, got.request.RequestURI)
				}
				w.taken()
			}
			hold(t, w, address, row{target: forecast, header: key, status: 200, sees: seen("live")})
			if calls := second.taken(); len(calls) != 0 {
				t.Errorf("the other upstream was asked for %s", calls[0].request.RequestURI)
			}
			res, body := w.send(t, address, row{target: "/mail/v1/me", header: token})
			calls := second.taken()
			if res.StatusCode != http.StatusOK || len(calls) != 1 || len(w.taken()) != 0 {
				t.Fatalf("%d %s; the other upstream was asked %d times, want once and the first never", res.StatusCode, body, len(calls))
			}
			w.compare(t, row{target: "/mail/v1/me", sees: &sight{path: "/mail/v1/me", as: "pat"}}, calls[0])
			w.counted(t, map[string]int64{w.identities["live"]["Credential"]: 3})
		})
	}
}

// apartNginx is docs/doors/nginx.conf with a location for each API, which names it alone and leads to its own upstream.
func apartNginx(t *testing.T, w *world, other string) string {
	t.Helper()
	dir, listen := t.TempDir(), port(t)
	file, err := os.ReadFile(filepath.Join(shipped, "nginx.conf"))
	must(t, err)
	text := string(file)
	replace := func(from, to string) {
		t.Helper()
		if strings.Count(text, from) != 1 {
			t.Fatalf("docs/doors/nginx.conf does not have %q once", from)
		}
		text = strings.Replace(text, from, to, 1)
	}
	replace("listen 8080;", "listen "+listen+";")
	replace("server 127.0.0.1:8420;", "server "+strings.TrimPrefix(w.node.URL, "http://")+";")
	replace("server 127.0.0.1:9001;", "server "+w.upstream.Listener.Addr().String()+";")
	replace("upstream api {", "upstream mail {\n\tserver "+other+";\n}\n\nupstream api {")
	// The location and the question, once more for the second API.
	copied := func(from, to string) string {
		begin := strings.Index(text, from)
		end := strings.Index(text[begin:], to)
		return text[begin : begin+end+len(to)]
	}
	location, question := copied("\tlocation / {\n", "\n\t}\n"), copied("\tlocation = /_lanyard {\n", "\n\t}\n")
	const all = "?api=weather&api=mail&api=notes"
	second := strings.NewReplacer("location / {", "location /mail/ {", "/_lanyard;", "/_lanyard_mail;", "http://api$", "http://mail$").Replace(location) +
		strings.NewReplacer("/_lanyard {", "/_lanyard_mail {", all, "?api=mail").Replace(question)
	replace(all, "?api=weather")
	replace(location, location+second)
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;\n"
	}
	must(t, os.WriteFile(filepath.Join(dir, "lanyard.conf"), []byte(text), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "nginx.conf"), fmt.Appendf(nil, around, dir, user), 0o600))
	run(t, dir, listen, nil, "nginx", "-c", filepath.Join(dir, "nginx.conf"), "-e", "stderr")
	return listen
}

// apartCaddy is docs/doors/Caddyfile with its route once for each API, which names it alone and leads to its own upstream.
func apartCaddy(t *testing.T, w *world, other string) string {
	t.Helper()
	dir, listen := t.TempDir(), port(t)
	file, err := os.ReadFile(filepath.Join(shipped, "Caddyfile"))
	must(t, err)
	text := string(file)
	begin, end := strings.Index(text, "\troute {\n"), strings.Index(text, "\n\t}\n\n\t# Without an answer")
	const all = "?api=weather&api=mail&api=notes"
	if begin < 0 || end < begin || strings.Count(text, all) != 1 {
		t.Fatal("docs/doors/Caddyfile has no route that can be taken twice")
	}
	route := text[begin+len("\troute {\n") : end]
	one := func(matcher, api, upstream string) string {
		return "\thandle " + matcher + " {\n\troute {\n" + strings.NewReplacer(all, "?api="+api, "{$UPSTREAM:127.0.0.1:9001}", upstream).Replace(route) + "\n\t}\n\t}\n"
	}
	text = text[:begin] + one("/mail/*", "mail", other) + one("", "weather", w.upstream.Listener.Addr().String()) + text[end+len("\n\t}\n"):]
	must(t, os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(text), 0o600))
	_, number, _ := strings.Cut(listen, ":")
	env := []string{"SITE=http://:" + number, "LANYARD=" + strings.TrimPrefix(w.node.URL, "http://"), "HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}
	run(t, dir, listen, env, "caddy", "run", "--config", filepath.Join(dir, "Caddyfile"), "--adapter", "caddyfile")
	return listen
}
