package doors_test

import (
	"context"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/servertest"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// hooked counts, and then something happens before anybody hears of it.
type hooked struct {
	usage.Recorder
	then func()
}

func (h *hooked) Record(e *usage.Event) error {
	err := h.Recorder.Record(e)
	if h.then != nil {
		h.then()
	}
	return err
}

// TestCutAfterCounting: of a call that must not go on, or that nobody waits for, the upstream gets not a byte, though there is a connection and the call
// is counted.
func TestCutAfterCounting(t *testing.T) {
	for _, test := range []struct {
		name   string
		cut    func(l *ledger, conn net.Conn)
		status int // 0: nobody is there to read it
	}{
		{"revoked", func(l *ledger, _ net.Conn) {
			l.revoke()
			if err := l.Tail.Sync(context.Background()); err != nil {
				l.t.Error(err)
			}
		}, 401},
		{"the caller is gone", func(l *ledger, conn net.Conn) {
			_ = conn.Close()
			select {
			case <-l.latest().Done():
			case <-time.After(deadline):
				l.t.Error("the gateway does not see that its caller is gone")
			}
		}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			silent, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = silent.Close() }()
			got := make(chan []byte, 1)
			go func() {
				conn, err := silent.Accept()
				if err != nil {
					return
				}
				defer func() { _ = conn.Close() }()
				_ = conn.SetDeadline(time.Now().Add(deadline))
				text, _ := io.ReadAll(conn)
				got <- text
			}()
			l := newLedger(t, func(a *lanyard.API) { a.Upstream = "http://" + silent.Addr().String() })
			conn, err := net.Dial("tcp", l.address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(time.Now().Add(deadline))
			counter := &hooked{Recorder: l.Verifier.Recorder}
			counter.then = func() { test.cut(l, conn) }
			l.Verifier.Recorder = counter
			if _, err := io.WriteString(conn, l.fill(get(open))); err != nil {
				t.Fatal(err)
			}
			select {
			case text := <-got:
				if len(text) > 0 {
					t.Errorf("the upstream got %q", text)
				}
			case <-time.After(deadline):
				t.Error("the connection to the upstream stays")
			}
			if test.status != 0 {
				text, _ := io.ReadAll(io.LimitReader(conn, 12))
				if string(text) != "HTTP/1.1 401" {
					t.Errorf("the caller gets %q, want %d", text, test.status)
				}
			}
			if calls, _ := l.units(); calls != 1 {
				t.Errorf("%d calls were counted, want 1", calls)
			}
		})
	}
}

// TestNothingUncountedOverHTTP2: on a connection that many calls share, what cannot be counted and what may not go on is not written either, and the others
// go on.
func TestNothingUncountedOverHTTP2(t *testing.T) {
	var opened, asked atomic.Int64
	api := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.ProtoMajor != 2 {
			t.Errorf("the upstream is asked over %s", r.Proto)
		}
	}))
	api.EnableHTTP2 = true
	api.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	api.StartTLS()
	t.Cleanup(api.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: api.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(a *lanyard.API) { a.Upstream = api.URL }, func(s *config.Settings) { s.OutboundCAFile = file })
	counter := &hooked{Recorder: w.Verifier.Recorder}
	w.Verifier.Recorder = counter
	want := func(status int, reached int64) {
		t.Helper()
		asked.Store(0)
		if res, body := w.call("GET", "/weather/v1/forecast", nil); res.StatusCode != status || asked.Load() != reached {
			t.Errorf("%d %s, the upstream asked %d times; want %d, %d", res.StatusCode, body, asked.Load(), status, reached)
		}
	}
	want(200, 1)
	room := servertest.NoRoom(t)
	want(503, 0)
	room()
	want(200, 1)
	counter.then = func() {
		w.revoke()
		if err := w.Tail.Sync(context.Background()); err != nil {
			t.Error(err)
		}
	}
	want(401, 0)
	if opened.Load() != 1 {
		t.Errorf("%d connections to the upstream, want one for all", opened.Load())
	}
}
