package doors_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/lanyard-auth/lanyard/internal/server/doors"
	"github.com/lanyard-auth/lanyard/internal/server/extauthz"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// standIn is not Envoy. It does to a call what Envoy's source does with docs/doors/envoy.yaml: it asks with Envoy's own messages, or as its
// http_service does, and applies the answer in Envoy's order: set, then remove.
type standIn struct {
	w    *world
	grpc authv3.AuthorizationClient // nil: the HTTP variant
	http string                     // where that asks
	dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// envoysOwn is the address that Lanyard knows the stand-in by: callers are not believed, and come from another.
const envoysOwn = "127.0.0.2"

// verdict is what an answer of either variant comes to.
type verdict struct {
	passes   bool
	status   int
	body     string
	response http.Header // for the caller
	set      http.Header
	remove   []string
}

// TestEnvoy holds both variants to the table of every front.
func TestEnvoy(t *testing.T) {
	for _, f := range []front{
		{name: "gRPC", start: func(t *testing.T, w *world) string { return startEnvoy(t, w, true) }},
		{name: "HTTP", wholeQuery: true, start: func(t *testing.T, w *world) string { return startEnvoy(t, w, false) }},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, envoysOwn+"/32")
			address := f.start(t, w)
			passed := map[string]int64{}
			for _, r := range table() {
				if r = r.at(f); f.wholeQuery && strings.Contains(r.target, "%66") { // a spelling that could only go on as it is
					r.status, r.code, r.sees = 400, "invalid_request", nil
				}
				t.Run(r.name, func(t *testing.T) { hold(t, w, address, r) })
				if r.sees != nil {
					passed[w.identities[r.sees.as]["Credential"]]++
				}
			}
			w.counted(t, passed)
		})
	}
}

func startEnvoy(t *testing.T, w *world, overGRPC bool) string {
	t.Helper()
	lanyard := httptest.NewUnstartedServer(nil)
	lanyard.Config = web.NewGatewayServer(w.node.ExtAuthz(), slog.New(slog.DiscardHandler))
	lanyard.Start()
	t.Cleanup(lanyard.Close)
	s := &standIn{w: w, http: lanyard.Listener.Addr().String(), dial: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(envoysOwn)}}).DialContext}
	if overGRPC {
		conn, err := grpc.NewClient("passthrough:///"+s.http, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) { return s.dial(ctx, "tcp", address) }))
		must(t, err)
		t.Cleanup(func() { must(t, conn.Close()) })
		s.grpc = authv3.NewAuthorizationClient(conn)
	}
	envoy := httptest.NewServer(s)
	t.Cleanup(envoy.Close)
	return envoy.Listener.Addr().String()
}

// ServeHTTP does what the connection manager does before its filters, then ext_authz, then the router.
func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ip, _, _ := net.SplitHostPort(r.RemoteAddr)
	for name := range r.Header { // hop by hop; its codec takes out what asks for HTTP/2
		if name == "Connection" || name == "Upgrade" || name == "Http2-Settings" || name == "Transfer-Encoding" || name == "Te" {
			delete(r.Header, name)
		}
	}
	r.Header["X-Forwarded-For"] = []string{strings.Join(append(slices.Clone(r.Header["X-Forwarded-For"]), ip), ",")}
	r.Header["X-Forwarded-Proto"] = []string{"http"}
	target := r.RequestURI
	if u, err := url.Parse(target); err == nil && u.Host != "" { // absolute form
		target = strings.TrimPrefix(target, u.Scheme+"://"+u.Host)
	}
	var v verdict
	var err error
	if s.grpc != nil {
		v, err = s.check(r, ip, target)
	} else {
		v, err = s.ask(r, target)
	}
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable) // status_on_error
		return
	}
	if !v.passes {
		for name, values := range v.response {
			w.Header()[name] = values
		}
		w.WriteHeader(v.status)
		_, _ = io.WriteString(w, v.body)
		return
	}
	s.route(w, r, target, v)
}

func (s *standIn) route(w http.ResponseWriter, r *http.Request, target string, v verdict) {
	h := r.Header.Clone()
	for name, values := range v.set {
		if name == ":path" {
			target = values[0]
			continue
		}
		h[http.CanonicalHeaderKey(name)] = values
	}
	for _, name := range v.remove {
		for there := range h {
			if strings.EqualFold(there, name) {
				delete(h, there)
			}
		}
	}
	if s.grpc == nil {
		target = strings.TrimPrefix(target, "/weather") // the route's rewrite
	}
	api, err := url.Parse(s.w.upstream.URL)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		out := p.Out
		path, query, _ := strings.Cut(target, "?")
		out.Header, out.Trailer = h, nil
		out.URL = &url.URL{Scheme: "http", Host: api.Host, Opaque: path, RawQuery: query}
	}, ModifyResponse: func(res *http.Response) error {
		for name := range res.Header {
			if strings.HasPrefix(name, "Access-Control-") { // response_headers_to_remove
				delete(res.Header, name)
			}
		}
		for name, values := range v.response {
			res.Header[name] = values
		}
		return nil
	}}).ServeHTTP(w, r)
}

func (s *standIn) check(r *http.Request, ip, target string) (verdict, error) {
	raw := &corev3.HeaderMap{}
	for name, values := range r.Header {
		for _, value := range values {
			raw.Headers = append(raw.Headers, &corev3.HeaderValue{Key: strings.ToLower(name), RawValue: []byte(value)})
		}
	}
	res, err := s.grpc.Check(r.Context(), &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: ip}}}},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: r.Method, Path: target, Host: r.Host, Scheme: "http", HeaderMap: raw,
		}},
	}})
	if err != nil {
		return verdict{}, err
	}
	mutate := func(options []*corev3.HeaderValueOption) http.Header {
		h := http.Header{}
		for _, o := range options {
			name := o.GetHeader().GetKey()
			if name[0] != ':' {
				name = http.CanonicalHeaderKey(name)
			}
			h[name] = []string{o.GetHeader().GetValue()}
		}
		return h
	}
	if no := res.GetDeniedResponse(); no != nil || res.GetStatus().GetCode() != 0 {
		return verdict{status: int(no.GetStatus().GetCode()), body: no.GetBody(), response: mutate(no.GetHeaders())}, nil
	}
	ok := res.GetOkResponse()
	return verdict{passes: true, set: mutate(ok.GetHeaders()), remove: ok.GetHeadersToRemove(), response: mutate(ok.GetResponseHeadersToAdd())}, nil
}

func (s *standIn) ask(r *http.Request, target string) (verdict, error) {
	req, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+s.http, nil)
	if err != nil {
		return verdict{}, err
	}
	req.URL.Opaque, req.Host, req.Header = extauthz.Prefix+target, r.Host, r.Header.Clone()
	req.Header["X-Forwarded-For"] = []string{r.Header.Get("X-Forwarded-For") + "," + envoysOwn}
	delete(req.Header, "Content-Length")
	delete(req.Header, "Trailer")
	res, err := (&http.Transport{DialContext: s.dial, DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return verdict{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 500 {
		return verdict{}, io.ErrUnexpectedEOF
	}
	if res.StatusCode != http.StatusOK {
		return verdict{status: res.StatusCode, body: string(body), response: res.Header}, nil
	}
	v := verdict{passes: true, set: http.Header{}, response: http.Header{}, remove: strings.Split(res.Header.Get("X-Envoy-Auth-Headers-To-Remove"), ", ")}
	for name, values := range res.Header {
		lower := strings.ToLower(name)
		switch {
		case slices.Contains(doors.IdentityHeaders(), name), name == "Cookie":
			v.set[name] = values
		case strings.HasPrefix(lower, "ratelimit"), strings.HasPrefix(lower, "x-ratelimit"), strings.HasPrefix(lower, "access-control-"), lower == "vary", lower == "warning":
			v.response[name] = values
		}
	}
	return v, nil
}
