package lanyard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const testToken = "lyd_key_live_tokenTOKENtoken1234567890"

// fake starts a server that answers as told and a client for it.
func fake(t testing.TB, answer http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	c, err := NewClient(server.URL, testToken)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.HTTP.CloseIdleConnections)
	return c
}

func problemJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func TestNewClientRefuses(t *testing.T) {
	tests := []struct{ url, token, says string }{
		{"", "t", "LANYARD_URL"},
		{"https://auth.example", "", "LANYARD_TOKEN"},
		{"https://auth.example", "two words", "copy it again"},
		{"https://auth.example", "token\n", "copy it again"},
		{"https://auth.example", "t\u00f6ken", "copy it again"},
		{"http://auth.example", "t", "in the clear"},
		{"http://lanyard:8420", "t", "in the clear"},
		{"http://127.0.0.1.evil.example", "t", "in the clear"},
		{"http://localhost.evil.example", "t", "in the clear"},
		{"http://10.0.0.1", "t", "in the clear"},
		{"http://[::ffff:10.0.0.1]", "t", "in the clear"},
		{"http://0.0.0.0:8420", "t", "in the clear"},
		{"http://user:hunter2@localhost", "t", "user name"},
		{"https://user:hunter2@auth.example", "t", "user name"},
		{"https://user:hunter2@auth.example:port", "t", "cannot be read"},
		{"ftp://auth.example", "t", "https"},
		{"localhost:8420", "t", "cannot be read"},
		{"auth.example", "t", "cannot be read"},
		{"https://", "t", "cannot be read"},
		{"https://:443", "t", "cannot be read"},
		{"https:auth.example", "t", "cannot be read"},
		{"https://auth.example/?a=b", "t", `"?"`},
		{"https://auth.example/?", "t", `"?"`},
		{"https://auth.example/#", "t", `"?"`},
	}
	for _, test := range tests {
		c, err := NewClient(test.url, test.token)
		if c != nil || err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("NewClient(%q, %q) = %v, %v, want an error with %q", test.url, test.token, c, err, test.says)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "two words") {
			t.Errorf("NewClient(%q): the error %q holds a secret", test.url, err)
		}
	}
}

func TestNewClient(t *testing.T) {
	tests := []struct{ in, want string }{
		{"https://auth.example", "https://auth.example"},
		{"https://auth.example/", "https://auth.example"},
		{"https://auth.example:8443/lanyard/", "https://auth.example:8443/lanyard"},
		{"https://auth.example/a%2Fb", "https://auth.example/a%2Fb"},
		{"http://localhost:8420", "http://localhost:8420"},
		{"http://LOCALHOST:8420", "http://LOCALHOST:8420"},
		{"http://127.1.2.3", "http://127.1.2.3"},
		{"http://[::1]:8420", "http://[::1]:8420"},
	}
	for _, test := range tests {
		c, err := NewClient(test.in, testToken)
		if err != nil || c.URL != test.want {
			t.Errorf("NewClient(%q) = %v, %v, want %q", test.in, c, err, test.want)
			continue
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("made", "client", c)
		asJSON, _ := json.Marshal(c.Token)
		shown := fmt.Sprintf("%v %+v %#v %s %x", c, c, *c, c.Token, c.Token) + log.String() + string(asJSON)
		if strings.Contains(shown, testToken) || strings.Contains(shown, fmt.Sprintf("%x", testToken)) {
			t.Errorf("printing a Client shows its token: %s", shown)
		}
	}
}

func TestFromEnv(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file, windows, empty := write("token", "from-file\n"), write("windows", "from-file\r\n"), write("empty", "\n")
	long, lines := write("long", strings.Repeat("x", maxCredential+1)), write("lines", "a\nb\n")
	handed := filepath.Join(dir, "handed")
	if err := os.Mkdir(handed, 0o700); err != nil {
		t.Fatal(err)
	}
	write("handed/LANYARD_TOKEN", "from-systemd")

	const url = "https://auth.example"
	tests := []struct {
		name                        string
		url, token, file, directory string
		want, says                  string
	}{
		{"nothing", "", "", "", "", "", "LANYARD_URL"},
		{"no url", "", "t", "", "", "", "LANYARD_URL"},
		{"no token", url, "", "", "", "", "LANYARD_TOKEN"},
		{"both", url, "secret-token", file, "", "", "keep one"},
		{"token and directory", url, "secret-token", "", handed, "", "keep one"},
		{"file and directory", url, "", file, handed, "", "keep one"},
		{"no such file", url, "", filepath.Join(dir, "absent"), "", "", "absent"},
		{"empty file", url, "", empty, "", "", "is empty"},
		{"long file", url, "", long, "", "", "too long"},
		{"two lines", url, "", lines, "", "", "line break"},
		{"token", url, "secret-token", "", "", "secret-token", ""},
		{"file", url, "", file, "", "from-file", ""},
		{"file with CRLF", url, "", windows, "", "from-file", ""},
		{"directory", url, "", "", handed, "from-systemd", ""},
		{"directory of others", url, "secret-token", "", dir, "secret-token", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("LANYARD_URL", test.url)
			t.Setenv("LANYARD_TOKEN", test.token)
			t.Setenv("LANYARD_TOKEN_FILE", test.file)
			t.Setenv("CREDENTIALS_DIRECTORY", test.directory)
			c, err := FromEnv()
			if test.says != "" {
				if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "secret-token") {
					t.Errorf("FromEnv = %v, %v, want an error with %q and no token", c, err, test.says)
				}
				return
			}
			if err != nil || c.Token.Reveal() != test.want {
				t.Errorf("FromEnv = %v, %v, want token %q", c, err, test.want)
			}
		})
	}
}

func TestProblems(t *testing.T) {
	tests := []struct {
		name       string
		status     int
		retryAfter string
		body       string
		code       string
		says       []string
	}{
		{
			"unauthenticated", 401, "", `{"code":"unauthenticated","status":200,"detail":"The credential expired."}`, "unauthenticated",
			[]string{"show key: The credential expired;", "LANYARD_TOKEN"},
		},
		{"scope", 403, "", `{"code":"insufficient_scope","detail":"This needs lanyard.keys.read."}`, "insufficient_scope", []string{"lanyard.keys.read", "use a token"}},
		{"not grantable", 403, "", `{"code":"scope_not_grantable","detail":"x"}`, "scope_not_grantable", []string{"ask somebody"}},
		{"fields", 400, "", `{"code":"invalid_request","detail":"Wrong.","errors":[{"field":"name","detail":"must not be empty"}],"request_id":"req_1"}`, "invalid_request", []string{"Wrong; name: must not be empty (request req_1)"}},
		{"reset", 410, "", `{"code":"changes_reset","detail":"x"}`, "changes_reset", []string{"from the beginning"}},
		{"too many", 429, "7", `{"code":"too_many_requests","detail":"Slow down."}`, "too_many_requests", []string{"try again in 7s"}},
		{"echo of the token", 400, "", `{"code":"invalid_request","title":"` + testToken + `","detail":"You sent ` + testToken + `!","errors":[{"field":"` + testToken + `","detail":"` + testToken + `"}],"request_id":"` + testToken + `"}`, "invalid_request", []string{"[redacted]"}},
		{"line breaks", 400, "", `{"code":"invalid_request","detail":"a\nb\u001b[31mc"}`, "invalid_request", []string{"a b [31mc"}},
		{"a proxy's page", 502, "", `<html>Bad gateway</html>`, "unavailable", []string{"Bad Gateway; try again"}},
		{"a proxy's 401", 401, "", ``, "unauthenticated", []string{"Unauthorized"}},
		{"a proxy's 403", 403, "", `no`, "insufficient_scope", []string{"Forbidden"}},
		{"a proxy's 404", 404, "", `null`, "not_found", []string{"Not Found"}},
		{"a proxy's 418", 418, "", `[]`, "invalid_request", []string{"teapot"}},
		{"wrong types", 500, "", `{"code":5}`, "unavailable", []string{"Internal Server Error"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := fake(t, func(w http.ResponseWriter, _ *http.Request) {
				if test.retryAfter != "" {
					w.Header().Set("Retry-After", test.retryAfter)
				}
				problemJSON(w, test.status, test.body)
			})
			_, err := c.Key(t.Context(), "key_1")
			var p *ProblemError
			if !errors.As(err, &p) {
				t.Fatalf("Key: %v, want a *ProblemError", err)
			}
			if p.Status != test.status || p.Code != test.code {
				t.Errorf("Key: status %d code %q, want %d %q", p.Status, p.Code, test.status, test.code)
			}
			for _, says := range test.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("Key: %q, want %q in it", err, says)
				}
			}
			if strings.Contains(fmt.Sprintf("%v %+v %#v", err, p, *p), testToken) {
				t.Errorf("the error %+v holds the token", *p)
			}
		})
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	tests := []struct {
		name   string
		answer http.HandlerFunc
		says   string
	}{
		{"a page", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, "cannot read the answer"},
		{"nothing", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, "cannot read the answer"},
		{"two documents", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}{}") }, "cannot read the answer"},
		{"huge", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"name":"`)
			for range 64 {
				if _, err := w.Write(bytes.Repeat([]byte("a"), 32<<10)); err != nil {
					return
				}
			}
		}, "longer than 1048576 bytes"},
		{"huge refusal", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			_, _ = w.Write(bytes.Repeat([]byte("a"), 2<<20))
		}, "longer than 1048576 bytes"},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"id":"key_1"`)
		}, "cannot reach"},
		{"slammed", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "cannot reach"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := fake(t, test.answer).Key(t.Context(), "key_1")
			if err == nil || !strings.Contains(err.Error(), test.says) || !strings.HasPrefix(err.Error(), "show key: ") {
				t.Errorf("Key = %v, want show key: … %s", err, test.says)
			}
			if diff := cmp.Diff(Key{}, got); diff != "" {
				t.Errorf("Key returned something beside an error: %s", diff)
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := NewClient("http://"+listener.Addr().String(), testToken)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.Key(t.Context(), "key_1"); err == nil || !strings.Contains(err.Error(), "is it running") {
		t.Errorf("Key = %v, want a hint", err)
	}

	// A server that speaks no HTTP and says what it was sent.
	listener, err = net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = conn.Write([]byte(testToken + "\r\n\r\n"))
		_, _ = io.Copy(io.Discard, conn)
	}()
	c.URL = "http://" + listener.Addr().String()
	if _, err = c.Key(t.Context(), "key_1"); err == nil || strings.Contains(err.Error(), testToken) {
		t.Errorf("Key = %v, want an error without the token", err)
	}
}

// A credential never goes after a redirect, whatever the http.Client was told.
func TestRedirectsAreNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		var elsewhere atomic.Int32
		other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
		c := fake(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/again" {
				elsewhere.Add(1)
			}
			to := other.URL
			if r.Header.Get("X-Here") != "" {
				to = "/again"
			}
			http.Redirect(w, r, to, status)
		})
		c.HTTP.CheckRedirect = func(*http.Request, []*http.Request) error { return nil }
		_, err := c.Verify(t.Context(), VerifyRequest{Credential: "x", API: "weather"})
		if err == nil || !strings.Contains(err.Error(), "LANYARD_URL") {
			t.Errorf("Verify after a %d = %v, want an error that says what to set", status, err)
		}
		if body, err := c.ExportUsage(t.Context(), UsageQuery{}, "csv"); err == nil {
			body.Close()
			t.Errorf("ExportUsage followed a %d", status)
		}
		if n := elsewhere.Load(); n != 0 {
			t.Errorf("%d requests went after a %d", n, status)
		}
		other.Close()
	}
}

func TestContext(t *testing.T) {
	release := make(chan struct{})
	c := fake(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
	defer close(release)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.CreateApp(cancelled, AppInput{}); !errors.Is(err, context.Canceled) {
		t.Errorf("CreateApp with a cancelled context = %v, want context.Canceled", err)
	}
	c.Timeout = 30 * time.Millisecond
	_, err := c.Key(t.Context(), "key_1")
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "did not answer within 30ms") {
		t.Errorf("Key of a silent server = %v, want a sentence about the time", err)
	}
	if _, err := c.ExportUsage(t.Context(), UsageQuery{}, "csv"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ExportUsage of a silent server = %v, want DeadlineExceeded", err)
	}
	// Not even a create is repeated after it ran out of time: the first may still be under way.
	if _, err := c.CreateApp(t.Context(), AppInput{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("CreateApp of a silent server = %v, want DeadlineExceeded", err)
	}
}

func TestBadIDs(t *testing.T) {
	c := fake(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked for %s", r.URL) })
	for _, id := range []string{"", ".", ".."} {
		if err := c.DeleteKey(t.Context(), id); err == nil {
			t.Errorf("DeleteKey(%q) asked the server", id)
		}
	}
	var none Client
	if _, err := none.Key(t.Context(), "key_1"); err == nil || !strings.Contains(err.Error(), "LANYARD_URL") {
		t.Errorf("Key of a zero Client = %v, want what to set", err)
	}
	c.URL = "http://evil.example"
	if _, err := c.Key(t.Context(), "key_1"); err == nil || !strings.Contains(err.Error(), "in the clear") {
		t.Errorf("Key after a change of URL = %v, want a refusal", err)
	}
}
