package doors

import (
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

func proxies() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} }

// blind are doors without a verifier: whatever they refuse was refused before anybody was asked.
func blind() *Doors {
	return New(Config{Issuer: "https://auth.test", Proxies: proxies(), Log: slog.New(slog.DiscardHandler)})
}

// says is what a front says of a call to /v1/x, in its own headers.
func says(f front) http.Header {
	return http.Header{f.method: {"GET"}, f.uri: {"/v1/x?y=1"}, f.host: {"api.test"}, f.scheme: {"https"}, hopFor: {"192.0.2.7"}}
}

func asked(d *Doors, path, peer string, h http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header, r.RemoteAddr = h, peer
	mux, w := http.NewServeMux(), httptest.NewRecorder()
	mux.HandleFunc(ForwardAuthPattern, d.ForwardAuth())
	mux.HandleFunc(PreflightPattern, d.TraefikPreflight())
	mux.ServeHTTP(w, r)
	return w
}

func TestForwardAuthRefusesStrangers(t *testing.T) {
	for _, f := range fronts() {
		for _, peer := range []string{"192.0.2.7:1", "127.0.0.1:1", "[::1]:1", "@", ""} {
			if w := asked(blind(), "/forward-auth/"+f.name, peer, says(f)); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), `"ip_denied"`) {
				t.Errorf("%s from %q: status %d %s, want 403", f.name, peer, w.Code, w.Body)
			}
		}
	}
}

func TestForwardAuthRefusesWhatIsUnclear(t *testing.T) {
	for _, f := range fronts() {
		for name, change := range map[string]func(h http.Header){
			"no method":                      func(h http.Header) { h.Del(f.method) },
			"an empty method":                func(h http.Header) { h.Set(f.method, "") },
			"two methods":                    func(h http.Header) { h.Add(f.method, "POST") },
			"a method that is none":          func(h http.Header) { h.Set(f.method, "GET /x") },
			"a long method":                  func(h http.Header) { h.Set(f.method, strings.Repeat("A", 33)) },
			"no path":                        func(h http.Header) { h.Del(f.uri) },
			"two paths":                      func(h http.Header) { h.Add(f.uri, "/public") },
			"two paths, one of them empty":   func(h http.Header) { h[f.uri] = []string{"", "/public"} },
			"a long path":                    func(h http.Header) { h.Set(f.uri, "/"+strings.Repeat("a", 16<<10)) },
			"an address":                     func(h http.Header) { h.Set(f.uri, "http://api.test/v1/x") },
			"an asterisk":                    func(h http.Header) { h.Set(f.uri, "*") },
			"a space":                        func(h http.Header) { h.Set(f.uri, "/a b") },
			"an ambiguous path":              func(h http.Header) { h.Set(f.uri, "/public/../v1/x") },
			"no host":                        func(h http.Header) { h.Del(f.host) },
			"two hosts":                      func(h http.Header) { h.Add(f.host, "other.test") },
			"a list of hosts":                func(h http.Header) { h.Set(f.host, "api.test, other.test") },
			"no scheme":                      func(h http.Header) { h.Del(f.scheme) },
			"a scheme there is not":          func(h http.Header) { h.Set(f.scheme, "file") },
			"no address of the caller":       func(h http.Header) { h.Del(hopFor) },
			"an empty address of the caller": func(h http.Header) { h.Set(hopFor, " ") },
		} {
			h := says(f)
			change(h)
			f.refused(t, name, asked(blind(), "/forward-auth/"+f.name, "10.0.0.1:1", h), http.StatusBadRequest, "invalid_request")
		}
	}
}

// refused: a front that hands on nothing else gets 403 with everything in headers, the others the answer itself.
func (f front) refused(t *testing.T, name string, w *httptest.ResponseRecorder, status int, code string) {
	t.Helper()
	want, body := status, w.Body.String()
	if f.coarse {
		want = http.StatusForbidden
		if got := w.Header().Get(headerStatus); got != strconv.Itoa(status) {
			t.Errorf("%s, %s: X-Lanyard-Status %q, want %d", f.name, name, got, status)
		}
		body = w.Header().Get(headerProblem)
	}
	var p lanyard.Denial
	if err := json.Unmarshal([]byte(body), &p); err != nil || w.Code != want || p.Code != code || p.Status != status {
		t.Errorf("%s, %s: status %d %s, want %d and a problem %s", f.name, name, w.Code, body, want, code)
	}
	if w.Header().Get("Content-Length") == "" {
		t.Errorf("%s, %s: the answer does not say how long it is", f.name, name)
	}
}

// A front does not set the headers of another: they are the caller's.
func TestForwardAuthReadsItsOwnHeaders(t *testing.T) {
	original, forwarded := fronts()[0], fronts()[3]
	for _, f := range fronts() {
		h := says(original)
		if f.method == original.method {
			h = says(forwarded)
		}
		f.refused(t, "the headers of another", asked(blind(), "/forward-auth/"+f.name, "10.0.0.1:1", h), http.StatusBadRequest, "invalid_request")
	}
}

func TestForwardAuthRefusesWhatCannotBeTakenOut(t *testing.T) {
	for _, f := range fronts() {
		for _, name := range []string{"X-Lanyard-Admin", "X_Lanyard_User", "X.Lanyard.User", "X-Lanyard_User", "X_api_key", "X_Http_Method_Override"} {
			h := says(f)
			h[name] = []string{"x"}
			if _, err := f.read(&http.Request{Header: h, RemoteAddr: "10.0.0.1:1"}, proxies()); (err != nil) != f.exact {
				t.Errorf("%s, %s: read = %v, want an error %v", f.name, name, err, f.exact)
			}
		}
		h := says(f)
		for _, name := range StrippedHeaders() {
			h[http.CanonicalHeaderKey(name)] = []string{"x"}
		}
		if _, err := f.read(&http.Request{Header: h, RemoteAddr: "10.0.0.1:1"}, proxies()); err != nil {
			t.Errorf("%s: read = %v with the headers that its configuration takes out", f.name, err)
		}
	}
}

func TestRead(t *testing.T) {
	for _, f := range fronts() {
		for scheme, want := range map[string]string{"https": "https", "http": "http", "wss": "https", "ws": "http"} {
			h := says(f)
			h.Set(f.scheme, scheme)
			h.Set(hopFor, "203.0.113.9, 192.0.2.7, 10.0.0.3")
			c, err := f.read(&http.Request{Header: h, RemoteAddr: "10.0.0.1:1"}, proxies())
			if err != nil || c.Method != "GET" || c.Path != "/v1/x" || c.Query != "y=1" || c.Host != "api.test" || c.IP != netip.MustParseAddr("192.0.2.7") ||
				c.Address != want+"://api.test/v1/x" || c.WholeQuery != f.wholeQuery {
				t.Errorf("%s: read = %+v, %v", f.name, c, err)
			}
		}
	}
}

func TestForwardAuthUnknownFront(t *testing.T) {
	if w := asked(blind(), "/forward-auth/apache", "10.0.0.1:1", says(fronts()[0])); w.Code != http.StatusNotFound {
		t.Errorf("status %d, want 404", w.Code)
	}
}

func TestTraefikPreflightRefuses(t *testing.T) {
	good := http.Header{
		replacedPath: {"/v1/x"}, "X-Forwarded-Host": {"api.test"}, "X-Forwarded-Proto": {"https"}, hopFor: {"192.0.2.7"}, "Origin": {"https://app.test"},
		"Access-Control-Request-Method": {"GET"},
	}
	for name, change := range map[string]func(h http.Header){
		"no question":          func(h http.Header) { h.Del("Access-Control-Request-Method") },
		"no origin":            func(h http.Header) { h.Del("Origin") },
		"no path":              func(h http.Header) { h.Del(replacedPath) },
		"a path of the caller": func(h http.Header) { h.Add(replacedPath, "/public") },
	} {
		h := maps.Clone(good)
		for n, v := range h {
			h[n] = append([]string(nil), v...)
		}
		change(h)
		r := httptest.NewRequest(http.MethodOptions, "/forward-auth/traefik/preflight", nil)
		r.Header, r.RemoteAddr = h, "10.0.0.1:1"
		w := httptest.NewRecorder()
		if blind().TraefikPreflight()(w, r); w.Code != http.StatusBadRequest {
			t.Errorf("%s: status %d, want 400", name, w.Code)
		}
	}
}

func TestRefuseNeverLetsThrough(t *testing.T) {
	for _, f := range fronts() {
		for _, status := range []int{200, 204, 400, 401, 403, 404, 429, 503} {
			w := httptest.NewRecorder()
			f.refuse(w, &Answer{Status: status, Header: http.Header{"Www-Authenticate": {"Bearer", "DPoP"}}})
			told := w.Header().Get(headerStatus)
			if w.Code < 300 || f.coarse && (w.Code != 401 && w.Code != 403 || told == "") || !f.coarse && status >= 300 && w.Code != status {
				t.Errorf("%s: refuse(%d) = %d with X-Lanyard-Status %q", f.name, status, w.Code, told)
			}
			if got := w.Header()["Www-Authenticate"]; len(got) != 1 || got[0] != "Bearer, DPoP" {
				t.Errorf("%s: the challenges are %q, want one line", f.name, got)
			}
		}
	}
}

func TestDocumentIsPlain(t *testing.T) {
	n := lanyard.Denial{Problem: lanyard.Problem{Title: "Größe \u007f 🦊 <\r\n>", Detail: `"a"`}}
	text := document(n)
	for _, c := range text {
		if c < ' ' || c >= 0x7f {
			t.Fatalf("document = %q, which is no header", text)
		}
	}
	var back lanyard.Denial
	if err := json.Unmarshal(text, &back); err != nil || back.Title != n.Title || back.Detail != n.Detail {
		t.Errorf("document = %s, which reads as %+v, %v", text, back, err)
	}
}

func TestTarget(t *testing.T) {
	for _, test := range [][3]string{
		{"/v1/x", "", "/v1/x"},
		{"/v1/café b", "", "/v1/caf%C3%A9%20b"},
		{"/v1/x", "a=1&api_key=k&b=%2e", "/v1/x?a=1&b=%2e"},
		{"/v1/x", "API%5Fkey=k", "/v1/x"},
		{"/v1/x", "a=é#b c\x01", "/v1/x?a=%C3%A9%23b%20c%01"},
	} {
		if got := Target(test[0], test[1]); got != test[2] {
			t.Errorf("Target(%q, %q) = %q, want %q", test[0], test[1], got, test[2])
		}
	}
}

func FuzzForwardAuth(f *testing.F) {
	f.Add("GET", "/v1/x?y=1", "api.test:80", "https", "192.0.2.7", "X-Lanyard-User")
	f.Add("POST", "//a/%2e%2e/b;c?api_key=x", "[::1]:8", "ws", "1.1.1.1, 10.0.0.2", "X_Lanyard_User")
	f.Add("", "*", "a,b", "", "", "")
	f.Fuzz(func(t *testing.T, method, uri, host, scheme, hop, name string) {
		for _, front := range fronts() {
			h := http.Header{front.method: {method}, front.uri: {uri}, front.host: {host}, front.scheme: {scheme}, hopFor: {hop}}
			if name != "" && h[name] == nil {
				h[name] = []string{"x"}
			}
			c, err := front.read(&http.Request{Header: h, RemoteAddr: "10.0.0.1:1"}, proxies())
			if err != nil {
				if c.Method != "" || c.Path != "" {
					t.Fatalf("%s: read = %+v, %v, want nothing with an error", front.name, c, err)
				}
				continue
			}
			if !isToken(c.Method) || c.Path == "" || c.Path[0] != '/' || strings.Contains(c.Path, "?") || c.Host == "" || len(c.Path)+len(c.Query) > maxURI {
				t.Fatalf("%s: read = %+v", front.name, c)
			}
			path, err := policy.NormalPath(c.Path)
			if err != nil {
				continue
			}
			got := Target(path, c.Query)
			for i := range len(got) {
				if got[i] <= ' ' || got[i] >= 0x7f {
					t.Fatalf("Target(%q, %q) = %q, which is no target", path, c.Query, got)
				}
			}
			back, _, _ := strings.Cut(got, "?")
			if again, err := url.PathUnescape(back); err != nil || again != path || !utf8.ValidString(again) {
				t.Fatalf("Target(%q, %q) = %q, whose path is %q, %v", path, c.Query, got, again, err)
			}
		}
	})
}
