package doors_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/servertest"
)

// world is a whole server with a gateway, and an upstream that remembers what it was asked.
type world struct {
	*servertest.Node
	t    testing.TB
	shop servertest.Shop
	key  lanyard.NewKey
	log  *logged

	mu       sync.Mutex
	seen     []*http.Request
	bodies   []string
	upstream *httptest.Server
	serve    http.HandlerFunc
}

type logged struct {
	mu sync.Mutex
	bytes.Buffer
	level slog.LevelVar
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(b)
}

func (l *logged) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.String()
}

// newWorld declares weather behind the gateway, changed as wanted.
func newWorld(t testing.TB, change func(a *lanyard.API), settings ...func(*config.Settings)) *world {
	t.Helper()
	w := &world{t: t, log: &logged{}}
	w.log.level.Set(slog.LevelDebug)
	w.upstream = httptest.NewServer(http.HandlerFunc(w.record))
	t.Cleanup(w.upstream.Close)
	w.Node = servertest.Start(t, servertest.Options{
		Gateway: true, Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: &w.log.level})),
		Settings: func(s *config.Settings) {
			for _, set := range settings {
				set(s)
			}
		},
	})
	w.shop = w.Open(t)
	w.key = w.Key(t, w.shop)
	w.declare(change)
	return w
}

// declare declares the API weather at /weather.
func (w *world) declare(change func(a *lanyard.API)) {
	w.t.Helper()
	api := servertest.Catalog().APIs["weather"]
	api.Upstream, api.Routes = w.upstream.URL, []lanyard.Route{{Prefix: "/weather", StripPrefix: true}}
	api.Operations["GET /v1/history"] = lanyard.Operation{Scopes: []string{"forecast.read"}, Cost: new(int64(3))}
	api.Operations["POST /v1/forecast"] = lanyard.Operation{Scopes: []string{"forecast.read"}}
	api.Operations["GET /v1/places/{name}"] = lanyard.Operation{}
	api.Plans = map[string]lanyard.Plan{"free": {Default: true, Limits: []string{"1000/minute"}, Quota: "1000/month"}}
	if change != nil {
		change(&api)
	}
	if _, err := w.Admin.ApplyCatalog(w.t.Context(), lanyard.Catalog{APIs: map[string]lanyard.API{"weather": api}}, false); err != nil {
		w.t.Fatal(err)
	}
	if err := w.Tail.Sync(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) record(rw http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" {
		body, err := io.ReadAll(r.Body)
		if err != nil && w.serve == nil {
			w.t.Errorf("read a body: %v", err)
		}
		w.mu.Lock()
		w.seen, w.bodies = append(w.seen, r), append(w.bodies, string(body))
		w.mu.Unlock()
	}
	if w.serve != nil {
		w.serve(rw, r)
		return
	}
	_, _ = io.WriteString(rw, "sunny")
}

// last is what the upstream was asked last; nil: nothing since take.
func (w *world) take() []*http.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.seen, w.bodies = nil, nil
	return seen
}

// call asks the gateway, with the key unless a header says otherwise.
func (w *world) call(method, path string, header http.Header) (*http.Response, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.GatewayURL+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", w.key.Secret)
	for name, values := range header {
		if req.Header[name] = values; values == nil {
			delete(req.Header, name)
		}
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		w.t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		w.t.Fatal(err)
	}
	return res, string(body)
}

// raw sends bytes to the gateway and reads one answer.
func (w *world) raw(text string) (*http.Response, string) {
	w.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.GatewayURL, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		w.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, ""
	}
	body, _ := io.ReadAll(res.Body)
	return res, string(body)
}

// units are what the shop's team was counted for.
func (w *world) units() (calls, units int64) {
	w.t.Helper()
	rows, err := w.Admin.Usage(context.Background(), lanyard.UsageQuery{Granularity: "month", GroupBy: []string{"outcome"}})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range rows.Items {
		if r.Outcome == "valid" {
			calls, units = calls+r.Count, units+r.Units
		}
	}
	return calls, units
}
