package doors_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// ledger is a gateway on a listener of its own that writes down every call it is asked for, and an upstream that holds every byte it gets
// against that: what arrives is what was ruled on, whole, once, and nothing else. A header tells the one
// which call of the other's it is.
type ledger struct {
	*world
	address string // of the gateway
	api     *httptest.Server
	host    string // the upstream's
	mark    string // the header that numbers calls, which no caller can guess

	mu     sync.Mutex
	calls  map[string]*ruled
	faults []string
	under  int // calls under way
	number int
	last   context.Context // of the call that came last
}

// ruled is a call as the gateway was asked for it.
type ruled struct {
	method, uri, host string
	header            http.Header
	status            int // of the answer; 0: none was begun
	arrived           int // how often the upstream got it
	cut               bool
}

const base = "/base" // below it the upstream stands

func newLedger(t testing.TB, change func(a *lanyard.API)) *ledger {
	t.Helper()
	l := &ledger{world: newWorld(t, nil), calls: map[string]*ruled{}, mark: http.CanonicalHeaderKey("x-" + rand.Text())}
	l.api = httptest.NewUnstartedServer(http.HandlerFunc(l.arrive))
	l.api.Listener = keeping{l.api.Listener}
	l.api.Config.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, keptKey{}, conn)
	}
	l.api.Start()
	t.Cleanup(l.api.Close)
	l.host = l.api.Listener.Addr().String()
	l.declare(func(a *lanyard.API) {
		a.Upstream, a.KeyIn, a.Plans = l.api.URL+base, []string{"header", "query"}, nil // the shop's key is used often
		if change != nil {
			change(a)
		}
	})
	door := httptest.NewUnstartedServer(nil)
	door.Config = web.NewGatewayServer(l.watch(l.Gateway()), slog.New(slog.DiscardHandler))
	door.Start()
	t.Cleanup(door.Close)
	l.address = door.Listener.Addr().String()
	return l
}

type keptKey struct{}

// keeping is a listener whose connections keep what they read.
type keeping struct{ net.Listener }

func (k keeping) Accept() (net.Conn, error) {
	conn, err := k.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &kept{Conn: conn}, nil
}

type kept struct {
	net.Conn
	mu   sync.Mutex
	text bytes.Buffer
}

func (k *kept) Read(b []byte) (int, error) {
	n, err := k.Conn.Read(b)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.text.Write(b[:n])
	return n, err
}

// take returns what came since it was last asked: whole requests, while they come one after another.
func (k *kept) take() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer k.text.Reset()
	return k.text.String()
}

// watch writes down what the gateway is asked for, and with what status it answers.
func (l *ledger) watch(gateway http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &ruled{method: r.Method, uri: r.RequestURI, host: r.Host, header: r.Header.Clone()}
		l.mu.Lock()
		l.under++
		l.number++
		number := strconv.Itoa(l.number)
		l.calls[number] = c
		l.last = r.Context()
		l.mu.Unlock()
		r.Header[l.mark] = []string{number}
		defer func() {
			caught := recover()
			l.mu.Lock()
			l.under--
			c.cut = caught != nil || r.Context().Err() != nil
			l.closed(c)
			l.mu.Unlock()
			if caught != nil {
				panic(caught)
			}
		}()
		gateway.ServeHTTP(&writer{w, l, c}, r)
	})
}

func (l *ledger) latest() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

type writer struct {
	http.ResponseWriter
	l *ledger
	c *ruled
}

func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) WriteHeader(status int) {
	w.l.mu.Lock()
	w.c.status = status
	w.l.mu.Unlock()
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(b []byte) (int, error) {
	w.l.mu.Lock()
	if w.c.status == 0 {
		w.c.status = http.StatusOK
	}
	w.l.mu.Unlock()
	return w.ResponseWriter.Write(b)
}

// closed holds what became of a call against the rule: refused by the gateway itself, or once at the upstream. It is called with the lock.
func (l *ledger) closed(c *ruled) {
	switch {
	case c.cut && c.arrived <= 1: // its caller is gone
	case c.status == http.StatusOK && c.arrived == 1:
	case c.status == http.StatusOK && c.arrived == 0 && l.own(c):
	case c.status == http.StatusNoContent && c.arrived == 0 && c.method == http.MethodOptions: // a preflight
	case c.status >= 400 && c.status < 500 && c.arrived == 0:
	default:
		l.fault("%s %q of host %q was answered %d, and reached the upstream %d times", c.method, c.uri, c.host, c.status, c.arrived)
	}
}

// own says whether the gateway answers a call itself: its documents stand beside every API.
func (l *ledger) own(c *ruled) bool {
	return strings.Contains(c.uri, "/.well-known/")
}

func (l *ledger) fault(format string, args ...any) {
	l.faults = append(l.faults, fmt.Sprintf(format, args...))
}

// rest waits until the gateway is done with every call: who reads the end of an answer may be before it.
func (l *ledger) rest(t *testing.T) {
	t.Helper()
	for began := time.Now(); ; runtime.Gosched() {
		l.mu.Lock()
		under := l.under
		l.mu.Unlock()
		if under == 0 {
			return
		}
		if time.Since(began) > deadline {
			t.Fatalf("%d calls are still under way", under)
		}
	}
}

// arrived waits until the gateway is done, reports what was wrong, and returns how many calls reached the upstream since.
func (l *ledger) arrived(t *testing.T) (n int) {
	t.Helper()
	l.rest(t)
	calls, faults := l.taken()
	for _, fault := range faults {
		t.Error(fault)
	}
	for _, c := range calls {
		n += c.arrived
	}
	return n
}

// taken returns the calls that ended since, and what was wrong with any.
func (l *ledger) taken() (calls []*ruled, faults []string) {
	l.world.take()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.calls {
		calls = append(calls, c)
	}
	faults = l.faults
	l.faults = nil
	if l.under == 0 {
		l.calls = map[string]*ruled{}
	}
	return calls, faults
}

// arrive is the upstream.
func (l *ledger) arrive(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	conn, _ := r.Context().Value(keptKey{}).(*kept)
	text := conn.take()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil { // its caller is gone
		return
	}
	c := l.calls[r.Header.Get(l.mark)]
	if c == nil {
		l.fault("the upstream was asked what no call was ruled on for:\n%.700q", text)
		return
	}
	c.arrived++
	if c.arrived > 1 {
		l.fault("%s %q reached the upstream twice", c.method, c.uri)
	}
	for _, wrong := range slices.Concat(l.differs(c, r), l.leaks(r), badly(text, body)) {
		l.fault("%s %q: %s; the upstream got\n%.700q", c.method, c.uri, wrong, text)
	}
	_, _ = io.WriteString(rw, "sunny")
}

// differs compares what the upstream is asked for with what was ruled on.
func (l *ledger) differs(c *ruled, r *http.Request) (wrong []string) {
	asked, query, _ := strings.Cut(c.uri, "?")
	if u, err := url.Parse(asked); !strings.HasPrefix(asked, "/") && err == nil {
		asked = u.EscapedPath() // absolute form
	}
	path, err := policy.NormalPath(asked)
	if err != nil {
		wrong = append(wrong, "its path has two readings")
	}
	got, gotQuery, _ := strings.Cut(r.RequestURI, "?")
	if again, err := policy.NormalPath(got); err != nil || again != base+strings.TrimPrefix(path, "/weather") || !strings.HasPrefix(path, "/weather/") {
		wrong = append(wrong, fmt.Sprintf("the upstream is asked for %q, ruled on was %q", got, path))
	}
	if ours := (&url.URL{RawQuery: query}); gotQuery != query {
		if lanyard.StripQuery(ours); ours.RawQuery != gotQuery {
			wrong = append(wrong, fmt.Sprintf("the query is %q", gotQuery))
		}
	}
	if r.Method != c.method || r.Host != l.host || r.Header.Get("X-Forwarded-Host") != c.host {
		wrong = append(wrong, fmt.Sprintf("the upstream is asked %s at %q, told of %q", r.Method, r.Host, r.Header.Get("X-Forwarded-Host")))
	}
	return wrong
}

// leaks looks for what a caller may not tell an upstream.
func (l *ledger) leaks(r *http.Request) (wrong []string) {
	for name, want := range map[string]string{
		"App": l.shop.App.ID, "Team": l.shop.Team.ID, "User": "", "Scopes": "forecast.read", "Credential": l.key.ID, "Mode": "live",
	} {
		if got := r.Header["X-Lanyard-"+name]; len(got) != 1 || got[0] != want {
			wrong = append(wrong, fmt.Sprintf("X-Lanyard-%s is %q, want %q", name, got, want))
		}
	}
	if got := r.Header["X-Lanyard-Assertion"]; len(got) != 1 || strings.Count(got[0], ".") != 2 {
		wrong = append(wrong, fmt.Sprintf("the assertion is %q", got))
	}
	for name, values := range r.Header {
		plain := strings.Map(func(c rune) rune {
			if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
				return c
			}
			return '-'
		}, strings.ToLower(name))
		rest, ours := strings.CutPrefix(plain, "x-lanyard")
		switch {
		case ours && (name != http.CanonicalHeaderKey(plain) || !strings.Contains(" -app -team -user -scopes -credential -mode -assertion ", " "+rest+" ")),
			plain == "authorization", plain == "proxy-authorization", plain == "x-api-key", plain == "dpop", plain == "x-http-method-override", plain == "x-http-method", plain == "x-method-override",
			plain == "te" && values[0] != "trailers", plain == "trailer", plain == "keep-alive", plain == "proxy-connection", plain == "http2-settings", plain == "x-request-id" && len(values) != 1,
			plain == "upgrade" && !strings.EqualFold(values[0], "websocket"), plain == "connection" && !strings.EqualFold(values[0], "upgrade"):
			wrong = append(wrong, fmt.Sprintf("%s: %q", name, values))
		}
		if plain == "cookie" && strings.Contains(strings.ToLower(strings.Join(values, ";")), "lanyard=session") {
			wrong = append(wrong, fmt.Sprintf("%s: %q", name, values))
		}
		if strings.Contains(strings.Join(values, "\n"), l.key.Secret) {
			wrong = append(wrong, "the key in "+name)
		}
	}
	if len(r.Trailer) > 0 || strings.Contains(r.RequestURI, l.key.Secret) {
		wrong = append(wrong, fmt.Sprintf("trailers %v, or the key in the address", r.Trailer))
	}
	return wrong
}

// badly reads a request as strictly as anybody does: one reading, and nothing after it.
func badly(text string, body []byte) (wrong []string) {
	head, rest, whole := strings.Cut(text, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	if !whole || strings.Count(lines[0], " ") != 2 || !strings.HasSuffix(lines[0], " HTTP/1.1") {
		wrong = append(wrong, "no request line")
	}
	once := map[string]string{}
	for i, line := range lines {
		if strings.ContainsFunc(line, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
			wrong = append(wrong, fmt.Sprintf("control characters in %q", line))
		}
		if i == 0 {
			continue
		}
		name, value, colon := strings.Cut(line, ": ")
		if !colon || name == "" || strings.ContainsAny(name, " \t:") {
			wrong = append(wrong, fmt.Sprintf("the header %q", line))
		}
		switch name = strings.ToLower(name); name {
		case "host", "content-length", "transfer-encoding", "connection", "upgrade":
			if _, twice := once[name]; twice {
				wrong = append(wrong, name+" twice")
			}
			once[name] = value
		}
	}
	length, counted := once["content-length"]
	coding, chunked := once["transfer-encoding"]
	switch {
	case counted && chunked, chunked && (coding != "chunked" || !strings.HasSuffix(rest, "\r\n\r\n")), !chunked && rest != string(body),
		counted && length != fmt.Sprint(len(rest)), !counted && !chunked && rest != "":
		wrong = append(wrong, "a body of two lengths, or something after it")
	}
	if chunked && !strings.HasSuffix(rest, "0\r\n\r\n") {
		wrong = append(wrong, "something after the last chunk")
	}
	return wrong
}

// fill puts what this world has in place of what a text names.
func (l *ledger) fill(text string) string {
	return strings.NewReplacer("{key}", l.key.Secret).Replace(text)
}

// send writes bytes to the gateway and returns what comes back, until it closes. When it is quiet, has given at least so many answers and no call is
// under way it is told that nothing more comes.
func (l *ledger) send(t testing.TB, text string, least int, quiet time.Duration) string {
	t.Helper()
	conn, err := net.Dial("tcp", l.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	limit := time.Now().Add(deadline)
	_ = conn.SetWriteDeadline(limit)
	var got bytes.Buffer
	done := make(chan struct{})
	go func() { // the gateway may answer, and close, before it has read all
		defer close(done)
		_, _ = io.WriteString(conn, text)
	}()
	told := false
	for since := time.Now(); ; {
		before := got.Len()
		_ = conn.SetReadDeadline(time.Now().Add(quiet))
		_, err := io.Copy(&got, conn)
		late, is := err.(net.Error) //nolint:errorlint // as a connection returns it
		if err == nil || !is || !late.Timeout() {
			break
		}
		l.mu.Lock()
		under := l.under
		l.mu.Unlock()
		if got.Len() > before {
			since = time.Now()
		}
		stalled := least == 0 && time.Since(since) > 200*time.Millisecond // a body that does not come
		if time.Now().After(limit) {
			t.Fatalf("the gateway neither answers nor ends after %q", text)
		}
		if tcp, is := conn.(*net.TCPConn); is && (under == 0 || stalled) && !told && len(answers(got.String())) >= least {
			told = true
			_ = tcp.CloseWrite()
		}
	}
	<-done
	return got.String()
}
