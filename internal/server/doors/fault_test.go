package doors_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// An upstream that is dead, slow, breaks off or lies: the caller hears what is true, and is charged as the API says.
func TestUpstreamFaults(t *testing.T) {
	type charged struct{ allow, success int64 } // calls that are counted
	for _, test := range []struct {
		name   string
		head   string // what the upstream answers before it closes; "" nothing
		dead   bool
		hang   bool
		status int
		code   string
		broken bool // the body does not arrive whole
		charge charged
	}{
		{"dead", "", true, false, 502, "upstream_unavailable", false, charged{0, 0}},
		{"closes without an answer", "", false, false, 502, "upstream_unavailable", false, charged{1, 0}},
		{"is too slow", "", false, true, 504, "upstream_timeout", false, charged{1, 0}},
		{"breaks off in its head", "HTTP/1.1 200 OK\r\nContent-Le", false, false, 502, "upstream_unavailable", false, charged{1, 0}},
		{"says nonsense", "SSH-2.0-OpenSSH\r\n\r\n", false, false, 502, "upstream_unavailable", false, charged{1, 0}},
		{"sends less than it said", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsunny", false, false, 200, "", true, charged{1, 1}},
		{"sends more than it said", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsunny and more", false, false, 200, "", false, charged{1, 1}},
		{"says two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nsunny!", false, false, 502, "upstream_unavailable", false, charged{1, 0}},
		{"breaks off in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nsunny", false, false, 200, "", true, charged{1, 1}},
		{"fails", "HTTP/1.1 500 Oh No\r\nContent-Length: 0\r\n\r\n", false, false, 500, "", false, charged{1, 0}},
		{"refuses", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", false, false, 404, "", false, charged{1, 0}},
		{"has moved", "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", false, false, 302, "", false, charged{1, 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, nil)
			bad := liar(t, test.head, test.hang)
			if test.dead {
				_ = bad.Close()
			}
			for charge, want := range map[string]int64{"allow": test.charge.allow, "success": test.charge.success} {
				before, _ := w.units()
				w.declare(func(a *lanyard.API) { a.Upstream, a.Charge, a.Timeout = "http://"+bad.Addr().String(), charge, "200ms" })
				res, body, err := w.try()
				status := test.status
				if res == nil { // broken off before its head was on the way
					res, status = &http.Response{}, 0
				}
				if res.StatusCode != status || (err != nil) != test.broken {
					t.Errorf("charge %s: %d, reading it %v; want %d, broken %v", charge, res.StatusCode, err, status, test.broken)
				}
				var p lanyard.Problem
				if test.code != "" && (json.Unmarshal([]byte(body), &p) != nil || p.Code != test.code) {
					t.Errorf("charge %s: the answer is %s, want the code %s", charge, body, test.code)
				}
				if after, _ := w.units(); after-before != want {
					t.Errorf("charge %s: counted %d times, want %d", charge, after-before, want)
				}
			}
			w.reconciled()
			w.quotaIs(test.charge.allow + test.charge.success)
		})
	}
}

// try asks the gateway and reads what comes, as far as it comes; nil: nothing did.
func (w *world) try() (*http.Response, string, error) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), "GET", w.GatewayURL+"/weather/v1/forecast", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", w.key.Secret)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, "", err
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	return res, string(body), err
}

// liar answers every connection with the same bytes and closes it, or hangs.
func liar(t *testing.T, head string, hang bool) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				var request [4096]byte
				if _, err := conn.Read(request[:]); err != nil {
					return
				}
				if hang {
					_, _ = io.Copy(io.Discard, conn)
					return
				}
				_, _ = io.WriteString(conn, head)
			}()
		}
	}()
	return l
}

// reconciled wants what was counted to agree with itself.
func (w *world) reconciled() {
	w.t.Helper()
	now := time.Now()
	report, err := w.Admin.Reconcile(w.t.Context(), now.Add(-time.Hour), now.Add(time.Hour))
	if err != nil {
		w.t.Fatal(err)
	}
	if len(report.Differences) > 0 || len(report.Billing) > 0 {
		w.t.Errorf("reconcile finds differences: %+v", report)
	}
}

// quotaIs wants so many units of the plan's quota to be used.
func (w *world) quotaIs(used int64) {
	w.t.Helper()
	d, err := w.Admin.Verify(w.t.Context(), lanyard.VerifyRequest{Credential: w.key.Secret, API: "weather", DryRun: true})
	if err != nil {
		w.t.Fatal(err)
	}
	if d.Quota == nil || d.Quota.Used != used {
		w.t.Errorf("the quota stands at %+v, want %d used", d.Quota, used)
	}
}

// Of several upstreams one that is dead is passed over; a body that was begun is not sent again.
func TestUpstreams(t *testing.T) {
	w := newWorld(t, nil)
	dead := liar(t, "", false)
	_ = dead.Close()
	breaks := liar(t, "", false)
	var second atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		second.Add(1)
	}))
	t.Cleanup(other.Close)
	send := func(method string, body []byte) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, w.GatewayURL+"/weather/v1/forecast", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", w.key.Secret)
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	for i, test := range []struct {
		name, method, first string
		body                []byte
		status              map[int]bool
	}{
		{"GET, one is dead", "GET", "http://" + dead.Addr().String(), nil, map[int]bool{200: true}},
		{"POST, one is dead", "POST", "http://" + dead.Addr().String(), []byte("hello"), map[int]bool{200: true}},
		{"GET, one breaks off", "GET", "http://" + breaks.Addr().String(), nil, map[int]bool{200: true}},
		{"POST, one breaks off", "POST", "http://" + breaks.Addr().String(), []byte("hello"), map[int]bool{200: true, 502: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.declare(func(a *lanyard.API) {
				a.Upstream, a.Upstreams = "", []string{test.first, other.URL}
				a.Timeout = fmt.Sprintf("%ds", 10+i) // so that nothing is known yet of either
			})
			second.Store(0)
			before, _ := w.units()
			got := map[int]bool{}
			for range 4 { // each is first in turn
				status := send(test.method, test.body)
				got[status] = true
				if !test.status[status] {
					t.Errorf("%d, want one of %v", status, test.status)
				}
			}
			if after, _ := w.units(); after-before != 4 {
				t.Errorf("counted %d times, want 4: once each, however many were asked", after-before)
			}
			if second.Load() == 0 {
				t.Error("the one that works was never asked")
			}
			if test.status[502] && !got[502] {
				t.Error("no POST ended with what broke off: was one sent twice?")
			}
		})
	}
	w.reconciled()
}

// An upstream that says it is not well is asked only if there is no other, and again once it is well.
func TestUpstreamHealth(t *testing.T) {
	var ill atomic.Bool
	var asked, checks atomic.Int64
	first := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			checks.Add(1)
			if ill.Load() {
				rw.WriteHeader(http.StatusServiceUnavailable)
			}
			return
		}
		asked.Add(1)
	}))
	t.Cleanup(first.Close)
	ill.Store(true)
	w := newWorld(t, nil)
	w.declare(func(a *lanyard.API) {
		a.Upstreams, a.Upstream, a.Health = []string{first.URL, w.upstream.URL}, "", &lanyard.HealthCheck{Path: "/healthz", Every: "1s"}
		a.Plans = nil // it is asked often
	})
	until := func(what string, is func() bool) {
		t.Helper()
		for end := time.Now().Add(deadline); !is(); {
			if time.Now().After(end) {
				t.Fatalf("%s: it did not come to be", what)
			}
			_, _ = w.call("GET", "/weather/v1/forecast", nil)
		}
	}
	until("the first is found to be ill", func() bool { return strings.Contains(w.log.text(), "an upstream is not well") })
	asked.Store(0)
	for range 10 {
		if res, _ := w.call("GET", "/weather/v1/forecast", nil); res.StatusCode != 200 {
			t.Errorf("%d while one is ill", res.StatusCode)
		}
	}
	if asked.Load() != 0 || checks.Load() == 0 {
		t.Errorf("who is ill was asked %d times after %d checks", asked.Load(), checks.Load())
	}
	ill.Store(false)
	until("the first is found to be well", func() bool { return asked.Load() > 0 })
}

// What cannot be counted does not reach an upstream.
func TestNothingUncounted(t *testing.T) {
	w := newWorld(t, nil)
	if res, _ := w.call("GET", "/weather/v1/forecast", nil); res.StatusCode != 200 {
		t.Fatalf("%d", res.StatusCode)
	}
	w.take()
	room := servertest.NoRoom(t)
	res, body := w.call("GET", "/weather/v1/forecast", nil)
	room()
	if res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%d %s on a full disk, want 503", res.StatusCode, body)
	}
	if seen := w.take(); len(seen) != 0 {
		t.Errorf("the upstream was asked %d times for what was not counted", len(seen))
	}
}
