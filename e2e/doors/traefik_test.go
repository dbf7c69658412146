package doors_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// documented is not Traefik. It does to a call what Traefik's documentation says that ForwardAuth, Headers, ReplacePath and StripPrefix do,
// with the lists of docs/doors/traefik.yaml: it shows that Lanyard understands what is documented and that the lists are whole.
func documented() front {
	return front{name: "what Traefik documents", start: startDocumented, byName: true, exact: true, mute: true, wholeQuery: true}
}

// traefik is what is read of docs/doors/traefik.yaml.
type traefik struct {
	HTTP struct {
		Routers     map[string]struct{ Middlewares []string }
		Middlewares map[string]struct {
			ForwardAuth *struct {
				Address             string
				AuthResponseHeaders []string `yaml:"authResponseHeaders"`
			} `yaml:"forwardAuth"`
			Headers *struct {
				CustomRequestHeaders map[string]string `yaml:"customRequestHeaders"`
			}
			ReplacePath *struct{ Path string } `yaml:"replacePath"`
		}
	}
}

func startDocumented(t *testing.T, w *world) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(shipped, "traefik.yaml"))
	must(t, err)
	var c traefik
	must(t, yaml.Unmarshal(text, &c))
	api, err := url.Parse(w.upstream.URL)
	must(t, err)
	lanyard, err := url.Parse(w.node.URL)
	must(t, err)
	to := func(u *url.URL) http.Handler {
		return &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = u.Scheme, u.Host
			p.Out.Host, p.Out.URL.RawQuery = p.In.Host, p.In.URL.RawQuery
			for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto"} {
				p.Out.Header[name] = p.In.Header[name]
			}
			host, _, _ := strings.Cut(p.In.RemoteAddr, ":")
			p.Out.Header.Set("X-Forwarded-For", host)
		}}
	}
	chain := func(router string, last http.Handler) http.Handler {
		names := slices.Clone(c.HTTP.Routers[router].Middlewares)
		if len(names) == 0 {
			t.Fatalf("docs/doors/traefik.yaml has no middlewares for the router %q", router)
		}
		slices.Reverse(names)
		for _, name := range names {
			switch m := c.HTTP.Middlewares[name]; {
			case m.ForwardAuth != nil:
				last = forwardAuth(strings.Replace(m.ForwardAuth.Address, "http://127.0.0.1:8420", w.node.URL, 1), m.ForwardAuth.AuthResponseHeaders, last)
			case m.Headers != nil:
				last = without(slices.Collect(maps.Keys(m.Headers.CustomRequestHeaders)), last)
			case m.ReplacePath != nil:
				last = replacePath(m.ReplacePath.Path, last)
			default:
				t.Fatalf("docs/doors/traefik.yaml has no middleware %q that is known here", name)
			}
		}
		return last
	}
	calls, preflights := chain("api", stripPrefix("/weather", to(api))), chain("preflight", to(lanyard))
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		for name := range r.Header { // as an entry point does that trusts nobody
			if strings.HasPrefix(name, "X-Forwarded-") || name == "X-Real-Ip" {
				delete(r.Header, name)
			}
		}
		r.Header.Set("X-Forwarded-Host", r.Host)
		r.Header.Set("X-Forwarded-Proto", "http")
		if r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != "" {
			preflights.ServeHTTP(rw, r)
			return
		}
		calls.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func forwardAuth(address string, copied []string, next http.Handler) http.Handler {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		ask, err := http.NewRequestWithContext(r.Context(), http.MethodGet, address, nil)
		if err != nil {
			http.Error(rw, "", http.StatusInternalServerError)
			return
		}
		ask.Header = r.Header.Clone()
		for _, name := range append(strings.Split(ask.Header.Get("Connection"), ","), "Connection", "Keep-Alive", "Te", "Trailers", "Transfer-Encoding", "Upgrade") {
			ask.Header.Del(strings.TrimSpace(name))
		}
		host, _, _ := strings.Cut(r.RemoteAddr, ":")
		ask.Header.Set("X-Forwarded-For", host)
		ask.Header.Set("X-Forwarded-Method", r.Method)
		ask.Header.Set("X-Forwarded-Proto", "http")
		ask.Header.Set("X-Forwarded-Host", r.Host)
		ask.Header.Set("X-Forwarded-Uri", r.URL.RequestURI())
		res, err := client.Do(ask)
		if err != nil {
			http.Error(rw, "", http.StatusInternalServerError)
			return
		}
		defer res.Body.Close()
		if res.StatusCode < 200 || res.StatusCode >= 300 {
			maps.Copy(rw.Header(), res.Header)
			rw.WriteHeader(res.StatusCode)
			_, _ = io.Copy(rw, res.Body)
			return
		}
		for _, name := range copied {
			r.Header.Del(name)
			if values := res.Header.Values(name); len(values) > 0 {
				r.Header[http.CanonicalHeaderKey(name)] = values
			}
		}
		next.ServeHTTP(rw, r)
	})
}

func without(names []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		for _, name := range names {
			r.Header.Del(name)
		}
		next.ServeHTTP(rw, r)
	})
}

func replacePath(path string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.Header.Add("X-Replaced-Path", r.URL.EscapedPath())
		r.URL.Path, r.URL.RawPath = path, ""
		next.ServeHTTP(rw, r)
	})
}

func stripPrefix(prefix string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.URL.Path, r.URL.RawPath = strings.TrimPrefix(r.URL.Path, prefix), strings.TrimPrefix(r.URL.RawPath, prefix)
		next.ServeHTTP(rw, r)
	})
}
