package doors_test

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
)

// deadline is when a stream that goes on is a failure. It is no measure of how soon one ends: that is asked of the times themselves.
const deadline = 20 * time.Second

// revoke revokes the world's key and returns when.
func (w *world) revoke() time.Time {
	w.t.Helper()
	if _, err := w.Admin.RevokeKey(w.t.Context(), w.key.ID, lanyard.RevokeInput{}, 0); err != nil {
		w.t.Fatal(err)
	}
	return time.Now()
}

// An event stream, a tunnel and a download end when what they came with is revoked, and nothing of them stays.
func TestStreamsEndAtRevocation(t *testing.T) {
	for _, test := range []struct {
		name string
		open func(w *world, t *testing.T) io.Reader // after something has come
	}{
		{"an event stream", (*world).events}, {"a tunnel", (*world).tunnel}, {"a download", (*world).download}, {"a download that nobody reads", (*world).unread},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, nil)
			from := test.open(w, t)
			if w.Verifier.Watched() != 1 {
				t.Fatalf("%d calls are watched, want 1", w.Verifier.Watched())
			}
			at := w.revoke()
			_, err := io.Copy(io.Discard, from)
			if errors.Is(err, errLate) {
				t.Fatal("it goes on after the revocation")
			}
			t.Logf("ended after %s: %v", time.Since(at).Round(time.Millisecond), err)
			for w.Verifier.Watched() > 0 && time.Since(at) < deadline {
				runtime.Gosched()
			}
			if w.Verifier.Watched() != 0 {
				t.Errorf("%d calls are still watched", w.Verifier.Watched())
			}
			if res, _ := w.call("GET", "/weather/v1/forecast", nil); res.StatusCode != 401 {
				t.Errorf("the next call: %d, want 401", res.StatusCode)
			}
			if calls, _ := w.units(); calls != 1 {
				t.Errorf("%d calls were counted, want 1", calls)
			}
		})
	}
}

var errLate = errors.New("the stream went on")

// limited is a stream that fails the test when it goes on for too long.
func (w *world) limited(conn net.Conn, r io.Reader) io.Reader {
	w.t.Helper()
	w.t.Cleanup(func() { _ = conn.Close() })
	return readerFunc(func(b []byte) (int, error) {
		_ = conn.SetReadDeadline(time.Now().Add(deadline))
		n, err := r.Read(b)
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			err = errLate
		}
		return n, err
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// open sends a request and returns the connection with what comes on it.
func (w *world) open(head string) (net.Conn, *bufio.Reader) {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.GatewayURL, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(deadline))
	if _, err := io.WriteString(conn, "GET /weather/v1/forecast HTTP/1.1\r\nHost: api.test\r\nX-Api-Key: "+w.key.Secret+"\r\n"+head+"\r\n"); err != nil {
		w.t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

func (w *world) events(t *testing.T) io.Reader {
	t.Helper()
	w.serve = func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/event-stream")
		for n := 0; ; n++ {
			if _, err := fmt.Fprintf(rw, "data: %d\n\n", n); err != nil {
				return
			}
			if err := http.NewResponseController(rw).Flush(); err != nil {
				return
			}
			select {
			case <-r.Context().Done():
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	conn, r := w.open("")
	for {
		if text, err := line(r); err != nil {
			t.Fatal(err)
		} else if text == "data: 3" {
			return w.limited(conn, r)
		}
	}
}

func (w *world) tunnel(t *testing.T) io.Reader {
	t.Helper()
	w.serve = func(rw http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello\n")
		_, _ = io.Copy(conn, conn)
	}
	conn, r := w.open("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n")
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%+v, %v", res, err)
	}
	for _, want := range []string{"hello", "echo"} {
		if text, err := line(r); err != nil || text != want {
			t.Fatalf("%q, %v, want %s", text, err, want)
		}
		_, _ = io.WriteString(conn, "echo\n")
	}
	_, _ = line(r)
	return w.limited(conn, r)
}

// endless serves a body that does not end.
func (w *world) endless() {
	block := make([]byte, 64<<10)
	_, _ = rand.Read(block)
	w.serve = func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Length", "1099511627776")
		for {
			if _, err := rw.Write(block); err != nil {
				return
			}
		}
	}
}

func (w *world) download(t *testing.T) io.Reader {
	t.Helper()
	w.endless()
	conn, r := w.open("")
	if _, err := io.CopyN(io.Discard, r, 1<<20); err != nil {
		t.Fatal(err)
	}
	return w.limited(conn, r)
}

// unread is a download whose reader has stopped: the gateway waits in a write. Reading goes on once the call is no longer watched.
func (w *world) unread(t *testing.T) io.Reader {
	t.Helper()
	from := w.download(t)
	began := false
	return readerFunc(func(b []byte) (int, error) {
		for until := time.Now().Add(deadline); !began && w.Verifier.Watched() > 0; {
			if time.Now().After(until) {
				return 0, errLate
			}
			runtime.Gosched()
		}
		began = true
		return from.Read(b)
	})
}

// A long body passes without being kept in memory, in both directions.
func TestLongBodies(t *testing.T) {
	w := newWorld(t, nil)
	size := int64(1 << 30)
	if testing.Short() {
		size = 64 << 20
	}
	var got atomic.Int64
	block := make([]byte, 1<<20)
	w.upstream.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			n, _ := io.Copy(io.Discard, r.Body)
			got.Store(n)
			return
		}
		for range size / int64(len(block)) {
			if _, err := rw.Write(block); err != nil {
				return
			}
		}
	})
	var before, most runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	req, err := http.NewRequestWithContext(t.Context(), "GET", w.GatewayURL+"/weather/v1/forecast", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", w.key.Secret)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	var read int64
	for err == nil {
		var n int64
		n, err = io.CopyN(io.Discard, res.Body, size/8)
		read += n
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		most.HeapInuse = max(most.HeapInuse, now.HeapInuse)
	}
	_ = res.Body.Close()
	if read != size {
		t.Errorf("%d bytes came, %v, want %d", read, err, size)
	}
	if grown := int64(most.HeapInuse) - int64(before.HeapInuse); grown > 32<<20 { // #nosec G115 -- memory of a test
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	req, err = http.NewRequestWithContext(t.Context(), "POST", w.GatewayURL+"/weather/v1/forecast", io.LimitReader(zeros{}, size/4))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", w.key.Secret)
	if res, err = http.DefaultTransport.RoundTrip(req); err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if got.Load() != size/4 {
		t.Errorf("%d bytes arrived, want %d", got.Load(), size/4)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }
