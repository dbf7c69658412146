package outbound

import (
	"bytes"
	"context"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// names is a resolver whose answers change from one look-up to the next; the last one stays.
type names struct {
	mu      sync.Mutex
	answers map[string][][]netip.Addr
	asked   []string
}

func (n *names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, host)
	left := n.answers[host]
	if len(left) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if len(left) > 1 {
		n.answers[host] = left[1:]
	}
	return left[0], nil
}

func ips(texts ...string) (all []netip.Addr) {
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

const outside = "93.184.216.34"

// world is a server with the public address outside and the name example.com, which its certificate has, and a client.
type world struct {
	*Client
	names  *names
	dialed []string
}

func newWorld(t *testing.T, o Options, handler http.HandlerFunc) *world {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	o.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(o.CAFile, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	w := &world{names: &names{answers: map[string][][]netip.Addr{"example.com.": {ips(outside)}}}}
	o.Resolver = w.names
	w.Client = client(t, o)
	w.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		w.dialed = append(w.dialed, address)
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}
	return w
}

func fails(t *testing.T, what string, err error, kind fault.Kind, says string) {
	t.Helper()
	if !fault.Is(err, kind) || !strings.Contains(err.Error(), says) {
		t.Errorf("%s = %v, want %s that says %q", what, err, kind, says)
	}
	if err != nil && strings.Contains(err.Error(), "hush") {
		t.Errorf("%s tells the secret: %v", what, err)
	}
}

// TestInside: every address of the corpus that is inside is refused at the dial, whatever name led to it.
func TestInside(t *testing.T) {
	w := newWorld(t, Options{}, func(http.ResponseWriter, *http.Request) { t.Error("the server was asked") })
	for _, text := range corpus(t, "inside") {
		w.names.answers["example.com."] = [][]netip.Addr{ips(text)}
		_, err := w.Get(t.Context(), "https://example.com/?code=hush", GetOptions{})
		fails(t, "Get where the name resolves to "+text, err, fault.Invalid, "example.com, which is not a public address")
		if strings.Contains(err.Error(), text) {
			t.Errorf("the fault says what the name resolves to: %v", err)
		}
	}
	if len(w.dialed) != 0 {
		t.Errorf("dialled %q, want nothing", w.dialed)
	}
	_, err := w.Get(t.Context(), "https://127.0.0.1/?code=hush", GetOptions{})
	fails(t, "Get of a loopback address", err, fault.Invalid, "not a public address")
}

// TestRebinding: what was looked at is what is dialled; a name that changes its mind is refused the next time.
func TestRebinding(t *testing.T) {
	w := newWorld(t, Options{}, func(http.ResponseWriter, *http.Request) {})
	w.names.answers["example.com."] = [][]netip.Addr{ips(outside), ips("127.0.0.1"), ips("10.0.0.1", outside, "::1")}
	for i, refused := range []bool{false, true, false} {
		_, err := w.Get(t.Context(), "https://example.com/", GetOptions{})
		if refused {
			fails(t, "Get after the name changed", err, fault.Invalid, "not a public address")
		} else if err != nil {
			t.Errorf("Get %d = %v", i, err)
		}
	}
	if len(w.names.asked) != 3 {
		t.Errorf("asked for %q, want one look-up a fetch", w.names.asked)
	}
	if got := strings.Join(w.dialed, " "); got != outside+":443 "+outside+":443" {
		t.Errorf("dialled %s, want the public address twice", got)
	}
}

func TestGetFails(t *testing.T) {
	stay := make(chan struct{})
	defer close(stay)
	w := newWorld(t, Options{Timeout: 300 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/elsewhere":
			http.Redirect(w, r, "https://127.0.0.1/?secret=hush", http.StatusFound)
		case "/same":
			w.WriteHeader(http.StatusNotModified)
		case "/large":
			_, _ = w.Write(bytes.Repeat([]byte("x"), 101))
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<16)); err != nil {
					return
				}
			}
		case "/drip":
			_, _ = w.Write([]byte("x"))
			w.(http.Flusher).Flush()
			<-stay
		case "/headers":
			w.Header().Set("X-Large", strings.Repeat("x", 1<<20))
		case "/cut":
			w.Header().Set("Content-Length", "50")
			_, _ = w.Write([]byte("x"))
		default:
			<-stay
		}
	})
	for path, says := range map[string]string{
		"/elsewhere": "redirects are not followed", "/same": "redirects are not followed", "/large": "more than 100 bytes", "/endless": "more than 100 bytes",
		"/drip": "in time", "/silent": "in time", "/headers": "could not be read", "/cut": "could not be read",
	} {
		_, err := w.Get(t.Context(), "https://example.com"+path+"?code=hush", GetOptions{MaxBytes: 100})
		fails(t, "Get "+path, err, fault.Unavailable, says)
	}
	_, err := w.Get(t.Context(), "https://other.example/?code=hush", GetOptions{})
	fails(t, "Get of an unknown name", err, fault.Unavailable, "was not found")
	w.names.answers["other.example."] = [][]netip.Addr{ips(outside)}
	_, err = w.Get(t.Context(), "https://other.example/?code=hush", GetOptions{})
	fails(t, "Get with the certificate of another name", err, fault.Unavailable, "could not be read")
	w.Client.dial = func(context.Context, string, string) (net.Conn, error) { return nil, io.ErrUnexpectedEOF }
	_, err = w.Get(t.Context(), "https://example.com/?code=hush", GetOptions{})
	fails(t, "Get where nobody listens", err, fault.Unavailable, "could not be read")
}

// TestSystemRoots: without the file, the test server's certificate does not count.
func TestSystemRoots(t *testing.T) {
	w := newWorld(t, Options{}, func(http.ResponseWriter, *http.Request) {})
	plain := client(t, Options{Resolver: w.names})
	plain.dial = w.dial
	_, err := plain.Get(t.Context(), "https://example.com/", GetOptions{})
	fails(t, "Get with a certificate nobody vouches for", err, fault.Unavailable, "could not be read")
	none := filepath.Join(t.TempDir(), "none.pem")
	if err := os.WriteFile(none, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, says := range map[string]string{none: "no certificate", none + ".gone": "cannot be read"} {
		_, err := New(Options{CAFile: file})
		fails(t, "New with "+file, err, fault.Invalid, says)
	}
}

func TestGet(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	w := newWorld(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		for name, want := range map[string]string{"User-Agent": "Lanyard", "Accept": "application/json", "Accept-Encoding": "", "Cookie": "", "Referer": ""} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
		if r.URL.String() != "/a%2Fb?c=d" || r.Host != "example.com" {
			t.Errorf("asked for %s of %s, want /a%%2Fb?c=d of example.com", r.URL, r.Host)
		}
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("Content-Encoding", "gzip") // not asked for, so not undone
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write(bytes.Repeat([]byte("x"), 100))
	})
	for range 2 {
		got, err := w.Get(t.Context(), "https://EXAMPLE.com/a%2Fb?c=d#e", GetOptions{Accept: "application/json", MaxBytes: 100})
		if err != nil || got.Status != http.StatusTeapot || len(got.Body) != 100 || got.Header.Get("Set-Cookie") != "a=b" {
			t.Fatalf("Get = %+v, %v, want the answer as it is", got, err)
		}
	}
}

func TestPost(t *testing.T) {
	w := newWorld(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, strings.Join([]string{r.Method, r.Header.Get("Content-Type"), r.Header.Get("X-Sign"), string(body)}, "|"))
	})
	got, err := w.PostForm(t.Context(), "https://example.com/", url.Values{"logout_token": {"a b"}}, 1000)
	if err != nil || string(got.Body) != "POST|application/x-www-form-urlencoded||logout_token=a+b" {
		t.Errorf("PostForm = %+v, %v", got, err)
	}
	headers := http.Header{"X-Sign": {"s"}}
	got, err = w.PostJSON(t.Context(), "https://example.com/", []byte(`{}`), headers)
	if err != nil || string(got.Body) != "POST|application/json|s|{}" || len(headers) != 1 {
		t.Errorf("PostJSON = %+v, %v, with headers %v", got, err, headers)
	}
	if got, err = w.PostJSON(t.Context(), "https://example.com/", []byte(`{}`), nil); err != nil || string(got.Body) != "POST|application/json||{}" {
		t.Errorf("PostJSON without headers = %+v, %v", got, err)
	}
	if got, err = w.TellForm(t.Context(), "https://example.com/", url.Values{"a": {"b c"}}, headers, 4); err != nil || string(got.Body) != "POST" || len(headers) != 1 {
		t.Errorf("TellForm = %+v, %v, with headers %v, want the beginning of the answer", got, err, headers)
	}
	_, err = w.PostForm(t.Context(), "https://example.com/", url.Values{}, 10)
	fails(t, "PostForm with a large answer", err, fault.Unavailable, "more than 10 bytes")
}

// TestAllowed: a private address by http, because the operator said so.
func TestAllowed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "in") }))
	defer server.Close()
	address := server.Listener.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	resolver := &names{answers: map[string][][]netip.Addr{"suite": {ips("127.0.0.1")}}}
	for _, allow := range []string{address, "127.0.0.0/8", "suite"} {
		c := client(t, Options{Allow: []string{allow}, Resolver: resolver})
		to := "http://" + address
		if allow == "suite" {
			to = "http://suite:" + port
		}
		got, err := c.Get(t.Context(), to, GetOptions{})
		if err != nil || string(got.Body) != "in" {
			t.Errorf("Get with %s allowed = %+v, %v", allow, got, err)
		}
	}
	_, err := client(t, Options{Allow: []string{"192.168.0.0/16"}}).Get(t.Context(), "http://"+address, GetOptions{})
	fails(t, "Get of what is not allowed", err, fault.Invalid, "https")
}
