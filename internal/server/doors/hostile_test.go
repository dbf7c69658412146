package doors_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/config"
)

// answerTo sends bytes, maybe closes its half, and reads one answer; nil: the connection ended without one.
func (w *world) answerTo(text string, half bool) *http.Response {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.GatewayURL, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(deadline))
	if _, err := io.WriteString(conn, text); err != nil {
		w.t.Fatal(err)
	}
	if tcp, is := conn.(*net.TCPConn); half && is {
		_ = tcp.CloseWrite()
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			w.t.Error("there was no answer")
		}
		return nil
	}
	return res
}

// Who promises a body and does not send it gets an answer all the same, and holds nothing up.
func TestStalledBodies(t *testing.T) {
	w := newWorld(t, func(a *lanyard.API) { a.Timeout = "100ms" })
	w.serve = func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusTeapot) }
	head := "POST /weather/v1/forecast HTTP/1.1\r\nHost: api.test\r\nContent-Length: 100\r\n"
	for _, test := range []struct {
		name, more string
		status     int
	}{{"without a key", "", 401}, {"with one", "X-Api-Key: " + w.key.Secret + "\r\n", 504}} {
		if res := w.answerTo(head+test.more+"\r\nhello", false); res == nil || res.StatusCode != test.status {
			t.Errorf("%s: %+v, want %d", test.name, res, test.status)
		}
	}
	if n := w.Verifier.Watched(); n != 0 {
		t.Errorf("%d calls are still watched", n)
	}
	// Revoked while its body is awaited.
	w.declare(nil)
	done := make(chan *http.Response)
	go func() { done <- w.answerTo(head+"X-Api-Key: "+w.key.Secret+"\r\n\r\nhello", false) }()
	for end := time.Now().Add(deadline); w.Verifier.Watched() == 0; {
		if time.Now().After(end) {
			t.Fatal("the call did not begin")
		}
	}
	w.revoke()
	if res := <-done; res == nil || res.StatusCode != 401 {
		t.Errorf("revoked meanwhile: %+v, want 401", res)
	}
}

// Who closes their half of the connection is not told that a call was done which was not.
func TestHalfClosed(t *testing.T) {
	w := newWorld(t, nil)
	hang := make(chan struct{})
	w.serve = func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-hang:
		}
	}
	defer close(hang)
	if res := w.answerTo("GET /weather/v1/forecast HTTP/1.1\r\nHost: api.test\r\nX-Api-Key: "+w.key.Secret+"\r\n\r\n", true); res != nil && res.StatusCode == 200 {
		t.Errorf("%+v, want no answer that says all is well", res)
	}
}

// What an upstream says about what is the gateway's, or before its answer, is not handed on.
func TestGatewayCleansAnswers(t *testing.T) {
	w := newWorld(t, nil)
	w.serve = func(rw http.ResponseWriter, _ *http.Request) {
		h := rw.Header()
		h.Set("X-Lanyard-User", "early")
		rw.WriteHeader(http.StatusEarlyHints)
		h.Set("X-Lanyard-User", "user_me")
		h.Set("X-Request-Id", "theirs")
		h.Set("Clear-Site-Data", `"cookies"`)
		h.Add("Set-Cookie", "lanyard=mine; Path=/")
		h.Add("Set-Cookie", "=lanyard=mine")
		h.Add("Set-Cookie", "theirs=1")
		h.Add("Vary", "Accept")
		h.Set("RateLimit", "theirs")
		h.Set("Trailer", "X-Lanyard-User, X-Sum")
		_, _ = io.WriteString(rw, "sunny")
		h.Set("X-Lanyard-User", "late")
		h.Set("X-Sum", "42")
	}
	res, body := w.call("GET", "/weather", http.Header{})
	if res.StatusCode != 403 {
		t.Errorf("the prefix alone: %d %s", res.StatusCode, body)
	}
	res, _ = w.call("GET", "/weather/v1/forecast", nil)
	h := res.Header
	if h.Get("X-Lanyard-User") != "" || h.Get("Clear-Site-Data") != "" || strings.Join(h["Set-Cookie"], ";") != "theirs=1" || strings.Contains(h.Get("RateLimit"), "theirs") ||
		len(h["X-Request-Id"]) != 1 || h.Get("X-Request-Id") == "theirs" || h.Get("Vary") != "Accept" || h.Get("Cache-Control") != "private" {
		t.Errorf("the caller gets %v", h)
	}
	if res.Trailer.Get("X-Lanyard-User") != "" || res.Trailer.Get("X-Sum") != "42" {
		t.Errorf("the caller gets the trailers %v", res.Trailer)
	}
}

// A query that an upstream could read as another request is none.
func TestGatewayRefusesQueries(t *testing.T) {
	w := newWorld(t, nil)
	for _, query := range []string{"a#b", "a=\x7f"} {
		res := w.answerTo("GET /weather/v1/forecast?"+query+" HTTP/1.1\r\nHost: api.test\r\nX-Api-Key: "+w.key.Secret+"\r\n\r\n", false)
		if res == nil || res.StatusCode != 400 {
			t.Errorf("?%q: %+v, want 400", query, res)
		}
	}
	if seen := w.take(); len(seen) > 0 {
		t.Errorf("the upstream was asked %d times", len(seen))
	}
}

// A front that says which APIs stand behind it lets no call through that leads to another.
func TestForwardAuthIsBound(t *testing.T) {
	w := newWorld(t, nil, func(s *config.Settings) { s.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	for query, want := range map[string]int{"": 200, "?api=weather": 200, "?api=other&api=weather": 200, "?api=other": 403, "?api=": 403} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", w.URL+"/forward-auth/nginx"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{
			"X-Original-Method": {"GET"}, "X-Original-Uri": {"/weather/v1/forecast"}, "X-Original-Host": {"api.test"}, "X-Original-Scheme": {"http"}, "X-Forwarded-For": {"192.0.2.1"},
			"X-Api-Key": {w.key.Secret},
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want || want == 403 && res.Header.Get("X-Lanyard-Status") != "404" {
			t.Errorf("%q: %d, X-Lanyard-Status %q; want %d", query, res.StatusCode, res.Header.Get("X-Lanyard-Status"), want)
		}
	}
}
