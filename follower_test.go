package lanyard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// ledger is a Lanyard with a log of changes, one API and one answer.
type ledger struct {
	mu       sync.Mutex
	changes  []Change
	first    int    // the oldest entry kept
	revision int    // that answers are made at; 0: the newest
	reuse    string // of answers
	until    time.Time
	denied   string // a code
	metering string
	status   int // of everything; 0: 200
	asked    int
	dry      int
	read     int
}

func (l *ledger) set(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

func (l *ledger) change(kind, id string) {
	l.set(func() { l.changes = append(l.changes, Change{Kind: kind, ID: id}) })
}

func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.status != 0 {
		w.WriteHeader(l.status)
		return
	}
	switch r.URL.Path {
	case "/v1/changes":
		l.read++
		page := Changes{Items: []Change{}, Revision: fmt.Sprintf("r%d", len(l.changes)), Cursor: fmt.Sprintf("c%d", len(l.changes))}
		if after := r.URL.Query().Get("after"); after != "now" {
			var n int
			if _, err := fmt.Sscanf(after, "c%d", &n); err != nil || n < l.first {
				w.Header().Set("Content-Type", "application/problem+json")
				w.WriteHeader(http.StatusGone)
				_, _ = io.WriteString(w, `{"status":410,"code":"changes_reset","title":"x"}`)
				return
			}
			page.Items = append(page.Items, l.changes[n:]...)
		}
		_ = json.NewEncoder(w).Encode(page)
	case "/v1/apis/weather":
		_, _ = fmt.Fprintf(w, `{"name":"weather","metering":%q,"operations":{"GET /v1/forecast/{city}":{},"GET /v1/cities":{}}}`, l.metering)
	case "/v1/verify":
		l.asked++
		_, _ = io.WriteString(w, l.decision())
	case "/v1/verify/batch":
		var in BatchRequest
		_ = json.NewDecoder(r.Body).Decode(&in)
		items := make([]string, 0, len(in.Items))
		for _, q := range in.Items {
			if q.DryRun && q.Cost != nil && *q.Cost == 0 {
				l.dry++
			}
			items = append(items, `{"decision":`+l.decision()+`}`)
		}
		_, _ = io.WriteString(w, `{"items":[`+strings.Join(items, ",")+`]}`)
	default:
		w.WriteHeader(http.StatusTeapot)
	}
}

func (l *ledger) decision() string {
	revision := len(l.changes)
	if l.revision != 0 {
		revision = l.revision
	}
	more := ""
	if l.reuse != "" {
		more = `,"reuse":` + l.reuse
	}
	if !l.until.IsZero() {
		more += `,"until":"` + l.until.Format(time.RFC3339Nano) + `"`
	}
	if l.denied != "" {
		status := map[string]int{"rate_limited": 429}[l.denied]
		if status == 0 {
			status = 401
		}
		return fmt.Sprintf(`{"allowed":false,"code":%q,"message":"No.","scopes":[],"limits":[],"http":{"status":%d},"revision":"r%d"}`, l.denied, status, revision)
	}
	return fmt.Sprintf(`{"allowed":true,"code":"valid","message":"ok","credential":{"id":"key_1","kind":"key","mode":"live"},"app":{"id":"app_1","name":"W"},
		"team":{"id":"team_1"},"scopes":[],"limits":[],"http":{"status":200},"revision":"r%d"%s}`, revision, more)
}

// wall is a clock that is moved by hand.
type wall struct {
	mu  sync.Mutex
	now time.Time
}

func (c *wall) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *wall) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type followed struct {
	*testing.T
	*ledger
	clock *wall
	f     *Follower
	guard func(http.Handler) http.Handler
}

func follow(t *testing.T, opts ...Option) *followed {
	t.Helper()
	l := &ledger{reuse: `{"ip":false,"origin":false}`, metering: "none"}
	for range 5 { // the log is not at its beginning
		l.change("app", "app_0")
	}
	clock := &wall{now: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)}
	quiet := slog.New(slog.DiscardHandler)
	c := fake(t, l.ServeHTTP)
	f := newFollower(c, FollowOptions{Log: quiet}, clock.Now)
	guard := Require(c, "weather", append([]Option{WithFollower(f), WithLogger(quiet)}, opts...)...)
	f.poll(t.Context())
	return &followed{T: t, ledger: l, clock: clock, f: f, guard: guard}
}

// get sends a request and returns its status and whether it was asked about.
func (w *followed) get(target string, headers ...string) (status int, asked bool) {
	w.Helper()
	before := w.count()
	h := w.guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := IdentityFrom(r.Context())
		_, _ = io.WriteString(w, who.App.ID)
	}))
	if len(headers) == 0 {
		headers = []string{"X-Api-Key", "a-key"}
	}
	res := ask(h, "GET", target, headers...)
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode == http.StatusOK && string(body) != "app_1" {
		w.Errorf("GET %s = %q, %v, want the app's id", target, body, err)
	}
	return res.StatusCode, w.count() != before
}

func (w *followed) count() (n int) {
	w.set(func() { n = w.asked })
	return n
}

// wantAsked sends a request that has to pass, asked about or not.
func (w *followed) wantAsked(why string, want bool, target string, headers ...string) {
	w.Helper()
	if status, asked := w.get(target, headers...); status != http.StatusOK || asked != want {
		w.Errorf("%s: GET %s = %d, asked %t, want 200, %t", why, target, status, asked, want)
	}
}

func TestFollowerGivesAgain(t *testing.T) {
	w := follow(t)
	w.wantAsked("the first call", true, "/v1/forecast/Lagos")
	w.wantAsked("the second", false, "/v1/forecast/Lagos")
	w.wantAsked("another call of the operation", false, "/v1/forecast/Oslo")
	w.wantAsked("another operation", true, "/v1/cities")
	w.wantAsked("another credential", true, "/v1/cities", "X-Api-Key", "b-key")
	w.wantAsked("a token of the same text", true, "/v1/cities", "Authorization", "Bearer a-key")
	w.wantAsked("a key beside it", true, "/v1/cities", "Authorization", "Bearer a-key", "X-Api-Key", "a-key")
	w.wantAsked("what no operation names", true, "/v1/nowhere")
	w.wantAsked("what no operation names", true, "/v1/nowhere")
	w.wantAsked("a proof counts once", true, "/v1/cities", "Authorization", "DPoP a-key", "Dpop", "proof")
	w.wantAsked("a proof counts once", true, "/v1/cities", "Authorization", "DPoP a-key", "Dpop", "proof")
}

func TestFollowerAsks(t *testing.T) {
	for name, change := range map[string]func(w *followed){
		"the server does not say that it may be given again": func(w *followed) { w.set(func() { w.reuse = "" }) },
		"the API is metered": func(w *followed) {
			w.set(func() { w.metering = "exact" })
			w.change("api", "weather")
			w.f.poll(w.Context())
		},
		"a node that has not heard of a change answered": func(w *followed) {
			w.change("key", "key_1")
			w.f.poll(w.Context())
			w.set(func() { w.revision = 5 })
		},
		"the log was not read for too long": func(w *followed) { w.clock.advance(DefaultMaxStaleness + 1) },
		"nothing was read yet":              func(w *followed) { w.f.confirmed.Store(-1) },
		"nobody reads any more":             func(w *followed) { w.f.stop() },
	} {
		w := follow(t)
		change(w)
		for range 3 {
			status, asked := w.get("/v1/cities")
			if name == "nobody reads any more" {
				if status != http.StatusServiceUnavailable {
					t.Errorf("%s: GET = %d, want 503", name, status)
				}
				continue
			}
			if status != http.StatusOK || !asked {
				t.Errorf("%s: GET = %d, asked %t, want it asked about each time", name, status, asked)
			}
		}
	}
}

func TestFollowerForgets(t *testing.T) {
	poll := func(w *followed) { w.f.poll(w.Context()) }
	changed := func(kind, id string) func(*followed) {
		return func(w *followed) {
			w.change(kind, id)
			poll(w)
		}
	}
	for name, test := range map[string]struct {
		change func(w *followed)
		forget bool
	}{
		"the key":                 {changed("key", "key_1"), true},
		"another key":             {changed("key", "key_2"), false},
		"the app":                 {changed("app", "app_1"), true},
		"the team":                {changed("team", "team_1"), true},
		"the API":                 {changed("api", "weather"), true},
		"another API":             {changed("api", "mail"), false},
		"a subscription":          {changed("subscription", "team_1/weather"), true},
		"another team's":          {changed("subscription", "team_2/weather"), false},
		"a revocation":            {changed("revocation", "key_1#2"), true},
		"another's revocation":    {changed("revocation", "tok_9"), false},
		"the keyring":             {changed("keyring", ""), true},
		"a kind of the future":    {changed("constellation", "x"), true},
		"the face":                {changed("brand", "brand"), false},
		"a restored database":     {changed("restored", ""), true},
		"the log begins anew":     {func(w *followed) { w.set(func() { w.first = 99 }); poll(w) }, true},
		"the answer's end":        {func(w *followed) { w.clock.advance(time.Minute); poll(w) }, true},
		"before the answer's end": {func(w *followed) { w.clock.advance(time.Minute - 1); poll(w) }, false},
		"a read that failed": {func(w *followed) {
			w.set(func() { w.status = http.StatusServiceUnavailable })
			w.clock.advance(DefaultMaxStaleness)
			poll(w)
			w.set(func() { w.status = 0 })
		}, false},
		"reads that failed for too long": {func(w *followed) {
			w.set(func() { w.status = http.StatusServiceUnavailable })
			w.clock.advance(DefaultMaxStaleness + 1)
			poll(w)
			w.set(func() { w.status = 0 })
		}, true},
	} {
		w := follow(t)
		w.set(func() { w.until = w.clock.Now().Add(time.Minute) })
		w.wantAsked(name+", before", true, "/v1/cities")
		w.wantAsked(name+", before", false, "/v1/cities")
		w.set(func() { w.until = time.Time{} })
		test.change(w)
		w.wantAsked(name, test.forget, "/v1/cities")
	}
}

// TestFollowerPlaces: an answer for an address or an origin is given to no other.
func TestFollowerPlaces(t *testing.T) {
	for name, test := range map[string]struct {
		reuse              string
		otherIP, otherPage bool // asked about
	}{
		"anywhere":      {`{"ip":false,"origin":false}`, false, false},
		"by address":    {`{"ip":true,"origin":false}`, true, false},
		"by web origin": {`{"ip":false,"origin":true}`, false, true},
	} {
		w := follow(t)
		w.set(func() { w.reuse = test.reuse })
		h := w.guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		send := func(ip, origin string) bool {
			before := w.count()
			r := httptest.NewRequest("GET", "/v1/cities", nil)
			r.RemoteAddr = ip + ":1234"
			r.Header.Set("X-Api-Key", "a-key")
			r.Header.Set("Origin", origin)
			h.ServeHTTP(httptest.NewRecorder(), r)
			return w.count() != before
		}
		send("192.0.2.1", "https://a.example")
		if send("192.0.2.1", "https://a.example") {
			t.Errorf("%s: the same call was asked about", name)
		}
		if asked := send("192.0.2.2", "https://a.example"); asked != test.otherIP {
			t.Errorf("%s: another address asked %t, want %t", name, asked, test.otherIP)
		}
		send("192.0.2.1", "https://a.example")
		if asked := send("192.0.2.1", "https://b.example"); asked != test.otherPage {
			t.Errorf("%s: another origin asked %t, want %t", name, asked, test.otherPage)
		}
	}
}

// TestFollowerGates: guards that ask for more share no answers with those that ask for less.
func TestFollowerGates(t *testing.T) {
	w := follow(t)
	w.wantAsked("one guard", true, "/v1/cities")
	w.guard = Require(w.f.client, "weather", WithFollower(w.f), WithScopes("forecast.write"))
	w.wantAsked("another guard", true, "/v1/cities")
	w.wantAsked("again", false, "/v1/cities")
}

func TestFollowerFull(t *testing.T) {
	w := follow(t)
	w.wantAsked("the first", true, "/v1/cities")
	who := &Identity{Decision: Decision{Allowed: true, Revision: "r5", Reuse: &DecisionReuse{}}}
	for i := range maxRemembered + 10 {
		w.f.remember(lookup{key: question{operation: fmt.Sprint(i)}, possible: true}, who)
	}
	if n := len(w.f.answers); n > maxRemembered || n < maxRemembered*3/4 {
		t.Errorf("%d answers are remembered, want at most %d, and not few", n, maxRemembered)
	}
}

// held is a handler that goes on until its request ends.
func (w *followed) held(begin bool) (res *httptest.ResponseRecorder, done chan any, cause chan error) {
	done, cause = make(chan any, 1), make(chan error, 1)
	started := make(chan struct{})
	h := w.guard(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if begin {
			_, _ = io.WriteString(rw, "first")
		}
		close(started)
		<-r.Context().Done()
		cause <- context.Cause(r.Context())
		if _, err := io.WriteString(rw, "more"); err == nil {
			w.Error("what was cut off could still be written to")
		}
	}))
	r := httptest.NewRequest("GET", "/v1/cities", nil)
	r.Header.Set("X-Api-Key", "a-key")
	res = httptest.NewRecorder()
	go func() {
		defer func() { done <- recover() }()
		h.ServeHTTP(res, r)
	}()
	<-started
	return res, done, cause
}

func TestFollowerEnds(t *testing.T) {
	poll := func(w *followed) { w.f.poll(w.Context()); w.f.sweep(w.Context()) }
	for name, test := range map[string]struct {
		change func(w *followed)
		status int // where the handler had not begun
	}{
		"revoked": {func(w *followed) {
			w.set(func() { w.denied = "revoked" })
			w.change("revocation", "key_1")
			poll(w)
		}, 401},
		"expired": {func(w *followed) {
			w.set(func() { w.denied = "expired" })
			w.clock.advance(time.Minute)
			w.f.poll(w.Context())
			w.f.sweep(w.Context())
		}, 401},
		"out of reach": {func(w *followed) {
			w.set(func() { w.status = 503 })
			w.clock.advance(DefaultMaxStaleness + 1)
			poll(w)
		}, 503},
		"a change that cannot be looked into": {func(w *followed) {
			w.change("key", "key_1")
			w.f.poll(w.Context())
			w.set(func() { w.revision = 5 }) // whoever answers does not know of it
			for range 10 {
				w.clock.advance(100 * time.Millisecond)
				poll(w)
			}
		}, 503},
		"the end of the program": {func(w *followed) { w.f.stop() }, 503},
	} {
		for _, begun := range []bool{false, true} {
			w := follow(t)
			w.set(func() { w.until = w.clock.Now().Add(time.Minute) })
			res, done, cause := w.held(begun)
			test.change(w)
			if err := <-cause; !errors.Is(err, ErrEnded) {
				t.Errorf("%s: the request's context ended for %v, want %v", name, err, ErrEnded)
			}
			thrown := <-done
			if begun != (thrown == any(http.ErrAbortHandler)) {
				t.Errorf("%s, begun %t: the handler threw %v", name, begun, thrown)
			}
			if !begun && res.Code != test.status {
				t.Errorf("%s: the answer is %d %s, want %d", name, res.Code, res.Body, test.status)
			}
			if n := len(w.f.underway); n != 0 {
				t.Errorf("%s: %d requests are still watched", name, n)
			}
		}
	}
}

func TestFollowerLetsGoOn(t *testing.T) {
	w := follow(t)
	_, done, cause := w.held(true)
	for _, change := range []func(){
		func() { w.change("key", "key_1") },                           // renamed, say
		func() { w.change("key", "key_2") },                           // somebody else's
		func() { w.set(func() { w.denied = "rate_limited" }) },        // this one was let through
		func() { w.change("key", "key_1") },                           //
		func() { w.set(func() { w.denied = ""; w.first = 99 }) },      // the log begins anew
		func() { w.set(func() { w.until = w.clock.Now().Add(1e9) }) }, // it has an end now,
		func() { w.change("key", "key_1") },
		func() { w.set(func() { w.until = w.clock.Now().Add(1e12) }); w.clock.advance(5e8) }, // which is put off
		func() { w.clock.advance(5e8) },
	} {
		change()
		w.f.poll(w.Context())
		w.f.sweep(w.Context())
		select {
		case err := <-cause:
			t.Fatalf("the request ended: %v", err)
		default:
		}
	}
	if w.dry < 3 {
		t.Errorf("%d questions were dry runs of no cost, want one for each change", w.dry)
	}
	w.set(func() { w.denied = "revoked" })
	w.change("key", "key_1")
	w.f.poll(w.Context())
	w.f.sweep(w.Context())
	<-cause
	<-done
}

// TestFollowerProof: a request with a proof cannot be asked about again, so it ends when something changed.
func TestFollowerProof(t *testing.T) {
	w := follow(t)
	cause := make(chan error, 1)
	h := w.guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		w.change("key", "key_1")
		w.f.poll(w.Context())
		w.f.sweep(w.Context())
		cause <- context.Cause(r.Context())
	}))
	if res := ask(h, "GET", "/v1/cities", "Authorization", "DPoP token", "Dpop", "proof"); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the answer is %d, want 503", res.StatusCode)
	}
	if err := <-cause; !errors.Is(err, ErrEnded) || w.dry != 0 {
		t.Errorf("the request ended for %v after %d questions, want %v and none", err, w.dry, ErrEnded)
	}
}

// TestFollowerLate: a request that was decided on before a change that we have heard of is looked at.
func TestFollowerLate(t *testing.T) {
	w := follow(t)
	w.change("key", "key_1")
	w.f.poll(w.Context())
	w.set(func() { w.revision = 5 })
	_, done, cause := w.held(false)
	w.set(func() { w.revision, w.denied = 0, "revoked" })
	w.f.sweep(w.Context())
	if err := <-cause; !errors.Is(err, ErrEnded) {
		t.Errorf("the request ended for %v, want %v", err, ErrEnded)
	}
	<-done
}

// TestFollowerSays: that the log cannot be read is said once, with what to do.
func TestFollowerSays(t *testing.T) {
	l := &ledger{status: http.StatusServiceUnavailable}
	var log strings.Builder
	c := fake(t, l.ServeHTTP)
	f := newFollower(c, FollowOptions{Log: slog.New(slog.NewTextHandler(&log, nil))}, time.Now)
	for range 3 {
		f.poll(t.Context())
	}
	l.set(func() { l.status = 0 })
	for range 3 {
		f.poll(t.Context())
	}
	if got := strings.Count(log.String(), "\n"); got != 2 || !strings.Contains(log.String(), "can be read again") {
		t.Errorf("the log is\n%swant a line that it cannot be read, and one that it can", &log)
	}
	f = newFollower(nil, FollowOptions{Log: slog.New(slog.DiscardHandler)}, time.Now)
	f.poll(t.Context()) // says what is missing, and does not fall over
	if f.fresh(time.Now()) {
		t.Error("a follower of nothing relies on what it knows")
	}
}
