package web

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
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

const testKey = "lyd_key_live_8fK2mQz7Lr0Xc41Zabcdefghijklmnopqrstuvwxyz012345abcdef"

// kit returns a kit and what it logs.
func kit() (*Kit, *bytes.Buffer) {
	var log bytes.Buffer
	return &Kit{PublicURL: "https://id.example", Log: slog.New(slog.NewTextHandler(&log, nil))}, &log
}

func problemOf(t *testing.T, res *httptest.ResponseRecorder) lanyard.Problem {
	t.Helper()
	if got := res.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type = %q, want application/problem+json", got)
	}
	var p lanyard.Problem
	if err := json.Unmarshal(res.Body.Bytes(), &p); err != nil {
		t.Fatalf("the answer %q is no problem: %v", res.Body, err)
	}
	if p.Status != res.Code {
		t.Errorf("problem.status = %d, want the answer's %d", p.Status, res.Code)
	}
	return p
}

func TestEveryKindHasAStatus(t *testing.T) {
	for _, test := range []struct {
		kind   fault.Kind
		status int
	}{
		{fault.Invalid, 400},
		{fault.Unauthenticated, 401},
		{fault.InsufficientScope, 403},
		{fault.NotGrantable, 403},
		{fault.NotFound, 404},
		{fault.Conflict, 409},
		{fault.ChangesReset, 410},
		{fault.IdempotencyMismatch, 422},
		{fault.TooMany, 429},
		{fault.Unavailable, 503},
	} {
		k, _ := kit()
		res := httptest.NewRecorder()
		k.Wrap(k.Handle(func(http.ResponseWriter, *http.Request) error {
			return fmt.Errorf("outer: %w", &fault.Error{Kind: test.kind, Detail: "a sentence", ID: "key_1", Err: errors.New("cause")})
		})).ServeHTTP(res, httptest.NewRequest("GET", "/", nil))
		p := problemOf(t, res)
		if res.Code != test.status || p.Code != string(test.kind) || p.Type != "https://id.example/errors/"+string(test.kind) ||
			p.Title == "" || p.Title == "Refused" || p.Detail != "a sentence" || p.ID != "key_1" || p.RequestID != res.Header().Get("X-Request-Id") {
			t.Errorf("%s is answered %d with %+v, want %d", test.kind, res.Code, p, test.status)
		}
		if strings.Contains(res.Body.String(), "cause") {
			t.Errorf("%s: the answer %s holds the cause", test.kind, res.Body)
		}
		if got := res.Header().Get("WWW-Authenticate"); (got != "") != (test.status == 401 || test.kind == fault.InsufficientScope) {
			t.Errorf("%s: WWW-Authenticate = %q", test.kind, got)
		}
		if got := res.Header().Get("Retry-After"); (got != "") != (test.status == 429 || test.status == 503) {
			t.Errorf("%s: Retry-After = %q", test.kind, got)
		}
	}
	if len(statuses) != 10 {
		t.Errorf("there are %d kinds in the table, want the 10 tested", len(statuses))
	}
}

type later struct{ error }

func (later) RetryAfter() time.Duration { return 1500 * time.Millisecond }
func (l later) Unwrap() error           { return l.error }

func TestRetryAfterIsRoundedUp(t *testing.T) {
	k, _ := kit()
	h := http.Header{}
	k.Problem(h, httptest.NewRequest("GET", "/", nil), later{fault.New(fault.TooMany, "slow down")})
	if got := h.Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After = %q, want 2", got)
	}
}

func TestAnErrorWithoutAKindIsABare500LoggedOnce(t *testing.T) {
	k, log := kit()
	res := httptest.NewRecorder()
	k.Wrap(k.Handle(func(http.ResponseWriter, *http.Request) error {
		return errors.New("the inside of things")
	})).ServeHTTP(res, httptest.NewRequest("GET", "/", nil))
	if p := problemOf(t, res); res.Code != 500 || p.Type != "about:blank" || strings.Contains(res.Body.String(), "inside") {
		t.Errorf("answer = %d %s, want a bare 500", res.Code, res.Body)
	}
	if got := strings.Count(log.String(), "the inside of things"); got != 1 {
		t.Errorf("the error is logged %d times, want once:\n%s", got, log)
	}
}

func TestAPanicIsA500(t *testing.T) {
	k, log := kit()
	res := httptest.NewRecorder()
	k.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })).ServeHTTP(res, httptest.NewRequest("GET", "/", nil))
	if p := problemOf(t, res); res.Code != 500 || p.RequestID == "" || strings.Contains(res.Body.String(), "boom") {
		t.Errorf("answer = %d %s, want a bare 500", res.Code, res.Body)
	}
	if !strings.Contains(log.String(), "boom") || !strings.Contains(log.String(), "status=500") {
		t.Errorf("the log misses the panic or the request:\n%s", log)
	}
}

func TestHalfAnAnswerIsCutOff(t *testing.T) {
	k, log := kit()
	server := httptest.NewServer(k.Wrap(k.Handle(func(w http.ResponseWriter, r *http.Request) error {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		if r.URL.Path == "/panic" {
			panic("boom")
		}
		return errors.New("broke off here")
	})))
	defer server.Close()
	for _, path := range []string{"/error", "/panic"} {
		res, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("GET %s reads %q to its end, want the connection cut", path, body)
		}
		res.Body.Close()
	}
	server.Close()
	if !strings.Contains(log.String(), "broke off here") || !strings.Contains(log.String(), "boom") {
		t.Errorf("the log misses a failure:\n%s", log)
	}
}

func TestTheLogHoldsNoSecrets(t *testing.T) {
	k, log := kit()
	r := httptest.NewRequest("GET", "/v1/keys/"+testKey+"?token="+testKey, nil)
	r.Header.Set("Authorization", "Bearer "+testKey)
	r.Header.Set("X-Request-Id", "chosen-outside")
	res := httptest.NewRecorder()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/keys/{id}", func(http.ResponseWriter, *http.Request) {})
	k.Wrap(k.Mux(mux, k.Refuse)).ServeHTTP(res, r)
	for _, bad := range []string{"abcdefghij", "token", "Bearer", "chosen-outside"} {
		if strings.Contains(log.String(), bad) {
			t.Errorf("the log holds %q:\n%s", bad, log)
		}
	}
	for _, good := range []string{`pattern="GET /v1/keys/{id}"`, "status=200", "client=192.0.2.1", "request_id=" + res.Header().Get("X-Request-Id")} {
		if !strings.Contains(log.String(), good) {
			t.Errorf("the log misses %q:\n%s", good, log)
		}
	}
	if got := res.Header().Get("X-Request-Id"); len(got) != 16 {
		t.Errorf("X-Request-Id = %q, want 16 characters of our own", got)
	}
}

func TestQuietPatternsAreLoggedWhenTheyFail(t *testing.T) {
	k, log := kit()
	k.Quiet = []string{"POST /v1/verify"}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/verify", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("fail") {
			w.WriteHeader(503)
		}
	})
	handler := k.Wrap(k.Mux(mux, k.Refuse))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/v1/verify", nil))
	if log.Len() > 0 {
		t.Errorf("a success was logged: %s", log)
	}
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/v1/verify?fail", nil))
	if !strings.Contains(log.String(), "status=503") {
		t.Errorf("a failure was not logged: %q", log)
	}
}

func TestMuxRefuses(t *testing.T) {
	k, _ := kit()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/apps/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	mux.HandleFunc("GET /v1/tree/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/v1/apps/a", 204},
		{"HEAD", "/v1/apps/a", 204},
		{"GET", "/v1/tree/", 204},
		{"GET", "/", 404},
		{"GET", "/v1/apps", 404},
		{"GET", "/v1/apps/a/", 404},
		{"GET", "//v1/apps/a", 404},
		{"GET", "/v1//apps/a", 404},
		{"GET", "/v1/./apps/a", 404},
		{"GET", "/v1/x/../apps/a", 404},
		{"GET", "//evil.example/", 404},
		{"GET", "/v1/apps/%00", 404},
		{"GET", "/v1/apps/a%0ab", 404},
		{"GET", "/v1/apps/%ff", 404},
		{"POST", "/v1/apps/a", 405},
		{"BREW", "/v1/apps/a", 405},
	} {
		res := httptest.NewRecorder()
		r := httptest.NewRequest(test.method, "/", nil)
		path, err := url.PathUnescape(test.path)
		if err != nil {
			t.Fatal(err)
		}
		r.URL = &url.URL{Path: path}
		k.Wrap(k.Mux(mux, k.Refuse)).ServeHTTP(res, r)
		if res.Code != test.status {
			t.Errorf("%s %s = %d, want %d", test.method, test.path, res.Code, test.status)
		}
		if got := res.Header().Get("Location"); got != "" {
			t.Errorf("%s %s redirects to %q", test.method, test.path, got)
		}
		if res.Code >= 400 {
			problemOf(t, res)
		}
		if got := res.Header().Get("Allow"); (got != "") != (test.status == 405) {
			t.Errorf("%s %s has Allow: %q", test.method, test.path, got)
		}
	}
}

func TestReadBodyRefuses(t *testing.T) {
	k, _ := kit()
	for _, test := range []struct {
		name   string
		body   io.Reader
		header http.Header
		field  string
		closes bool
	}{
		{"10 MB", strings.NewReader(strings.Repeat(" ", 10<<20)), nil, "", true},
		{"10 MB of unknown length", io.LimitReader(neverEnding{}, 10<<20), nil, "", true},
		{"one byte too many", io.LimitReader(neverEnding{}, MaxBody+1), nil, "", true},
		{"no media type", strings.NewReader("{}"), http.Header{}, "Content-Type", false},
		{"form", strings.NewReader("a=b"), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, "Content-Type", false},
		{"text", strings.NewReader("{}"), http.Header{"Content-Type": {"text/plain; charset=application/json"}}, "Content-Type", false},
		{"two types", strings.NewReader("{}"), http.Header{"Content-Type": {"application/json", "text/plain"}}, "Content-Type", false},
		{"UTF-16", strings.NewReader("{}"), http.Header{"Content-Type": {"application/json; charset=utf-16"}}, "Content-Type", false},
		{"compressed", strings.NewReader("{}"), http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, "Content-Encoding", false},
	} {
		r := httptest.NewRequest("POST", "/", test.body)
		if r.Header = test.header; test.header == nil {
			r.Header = http.Header{"Content-Type": {"application/json"}}
		}
		res := httptest.NewRecorder()
		_, err := k.ReadBody(res, r)
		var e *fault.Error
		if !errors.As(err, &e) || e.Kind != fault.Invalid || e.Field != test.field {
			t.Errorf("%s: ReadBody() = %v, want a fault of kind %s about %q", test.name, err, fault.Invalid, test.field)
		}
		if got := res.Header().Get("Connection") == "close"; got != test.closes {
			t.Errorf("%s: the connection is closed: %v, want %v", test.name, got, test.closes)
		}
	}
}

type neverEnding struct{}

func (neverEnding) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

func TestReadBodyReads(t *testing.T) {
	k, _ := kit()
	for _, contentType := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(`{"a":1}`))
		r.Header.Set("Content-Type", contentType)
		if got, err := k.ReadBody(httptest.NewRecorder(), r); err != nil || string(got) != `{"a":1}` {
			t.Errorf("ReadBody(%s) = %q, %v", contentType, got, err)
		}
	}
	if got, err := k.ReadBody(httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil)); err != nil || len(got) != 0 {
		t.Errorf("ReadBody(none) = %q, %v, want nothing", got, err)
	}
}

// A body that is announced and does not come must not hold the server longer than bodyTime, and a deadline for the body
// must not end a handler that waits longer.
func TestASlowBodyIsGivenUp(t *testing.T) {
	k, _ := kit()
	past := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	k.Now = func() time.Time { return past }
	server := httptest.NewServer(k.Wrap(k.Handle(func(w http.ResponseWriter, r *http.Request) error {
		_, err := k.ReadBody(w, r)
		return err
	})))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn) // to the end: the connection is closed
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
		t.Errorf("answer = %.100q, %v, want 400 and the connection closed", answer, err)
	}
}

func TestQuery(t *testing.T) {
	for _, test := range []struct{ query, field string }{
		{"limit=5&cursor=x", "ok"},
		{"", "ok"},
		{"limit=1&limit=2", "limit"},
		{"team_id=", "team_id"},
		{"team_id", "team_id"},
		{"=5", "query"},
		{"name=%00", "name"},
		{"name=%ff", "name"},
		{"name=%zz", "query"},
		{"a;b=c", "query"},
		{"%00=1", "query"},
		{testKey + "=", "lyd_key_live_8fK2mQz7Lr0Xc41Z…"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.RawQuery = test.query
		err := Query(r)
		var e *fault.Error
		if got := errors.As(err, &e); got != (test.field != "ok") || got && (e.Kind != fault.Invalid || e.Field != test.field) {
			t.Errorf("Query(%s) = %v, want a fault about %q", test.query, err, test.field)
		}
	}
}

func TestServeEndsInOrder(t *testing.T) {
	k, _ := kit()
	arrived, finish := make(chan struct{}), make(chan struct{})
	server := NewServer(k.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-finish
		_, _ = io.WriteString(w, "done")
	})), k.Log)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, server, l, time.Minute) }()
	answered := make(chan string, 1)
	go func() {
		res, err := http.Get("http://" + l.Addr().String())
		if err != nil {
			answered <- err.Error()
			return
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		answered <- string(body)
	}()
	<-arrived
	stop()
	close(finish)
	if got := <-answered; got != "done" {
		t.Errorf("the request under way got %q, want done", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("Serve() = %v, want nil after an orderly end", err)
	}
}

// What another program could take for a part of a request is not read as the next one.
func TestOneAtATime(t *testing.T) {
	for text, want := range map[string]int{
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n":      1,
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n":                           1,
		"POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\nHost: a\r\n\r\n0\r\n\r\n": 1,
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello":                                        2,
	} {
		var asked atomic.Int64
		l := httptest.NewUnstartedServer(nil)
		l.Config = NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }), slog.New(slog.DiscardHandler))
		l.Start()
		conn, err := net.Dial("tcp", l.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, text+"GET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		_ = conn.Close()
		l.Close()
		if got := asked.Load(); got != int64(want) {
			t.Errorf("%q and another: %d requests were read, want %d", text, got, want)
		}
	}
}
