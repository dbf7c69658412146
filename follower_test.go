package lanyard

import (
	"encoding/json"
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
	ends     time.Duration
	denied   string // a code
	barred   bool   // it comes before anybody looked
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
	l.set(func() {
		l.changes = append(l.changes, Change{Kind: kind, ID: id, Revision: fmt.Sprintf("r%d", len(l.changes)+1)})
	})
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
	if l.ends > 0 {
		more += fmt.Sprintf(`,"ends_in_ms":%d`, l.ends.Milliseconds())
	}
	if l.denied != "" {
		status := map[string]int{"rate_limited": 429}[l.denied]
		if status == 0 {
			status = 401
		}
		return fmt.Sprintf(`{"allowed":false,"code":%q,"message":"No.",%s"scopes":[],"limits":[],"http":{"status":%d},"revision":"r%d"}`, l.denied, l.known(), status, revision)
	}
	return fmt.Sprintf(`{"allowed":true,"code":"valid","message":"ok","credential":{"id":"key_1","kind":"key","mode":"live"},"app":{"id":"app_1","name":"W"},
		"team":{"id":"team_1"},"scopes":[],"limits":[],"http":{"status":200},"revision":"r%d"%s}`, revision, more)
}

// known is how a refusal names its credential, if it was found out.
func (l *ledger) known() string {
	if l.barred {
		return ""
	}
	return `"credential":{"id":"key_1","kind":"key","mode":"live"},`
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
	testing.TB
	*ledger
	clock *wall
	f     *Follower
	guard func(http.Handler) http.Handler
}

func follow(t testing.TB) *followed {
	t.Helper()
	l := &ledger{reuse: `{"ip":false,"origin":false}`, metering: "none"}
	for range 5 { // the log is not at its beginning
		l.change("app", "app_0")
	}
	clock := &wall{now: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)}
	quiet := slog.New(slog.DiscardHandler)
	c := fake(t, l.ServeHTTP)
	f := newFollower(c, FollowOptions{Log: quiet}, clock.Now)
	guard := Require(c, "weather", WithFollower(f), WithLogger(quiet))
	w := &followed{TB: t, ledger: l, clock: clock, f: f, guard: guard}
	w.poll()
	return w
}

// poll is a round of all that a Follower reads.
func (w *followed) poll() {
	w.f.poll(w.Context())
	w.f.fetchAPIs(w.Context())
}

func (w *followed) sweep() { w.f.sweep(w.Context()).Wait() }

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
			w.poll()
		},
		"a node that has not heard of a change answered": func(w *followed) {
			w.change("key", "key_1")
			w.poll()
			w.set(func() { w.revision = 5 })
		},
		"the log was not read for too long": func(w *followed) { w.clock.advance(DefaultMaxStaleness + 1) },
		"nothing was read yet":              func(w *followed) { w.f.confirmed.Store(nil) },
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
	poll := (*followed).poll
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
		w.set(func() { w.ends = time.Minute })
		w.wantAsked(name+", before", true, "/v1/cities")
		w.wantAsked(name+", before", false, "/v1/cities")
		w.set(func() { w.ends = 0 })
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
		w.f.remember(lookup{key: question{api: "weather", operation: fmt.Sprint(i)}, sent: w.clock.Now(), heard: w.f.apis["weather"].heard, possible: true}, who)
	}
	if n := len(w.f.answers); n > maxRemembered || n < maxRemembered*3/4 {
		t.Errorf("%d answers are remembered, want at most %d, and not few", n, maxRemembered)
	}
}

// TestFollowerRace: an answer that was on its way when its API changed is not kept: by the new rules it may be another operation's.
func TestFollowerRace(t *testing.T) {
	w := follow(t)
	l := lookup{key: question{api: "weather", operation: "GET /v1/cities"}, sent: w.clock.Now(), heard: w.f.apis["weather"].heard, possible: true}
	w.change("api", "weather")
	w.poll()
	w.f.remember(l, &Identity{Decision: Decision{Allowed: true, Revision: "r6", Reuse: &DecisionReuse{}}})
	if len(w.f.answers) != 0 {
		t.Error("an answer by rules that are over is remembered")
	}
}

// TestFollowerAnew: when the log does not continue, nothing is remembered while nodes may not know of it.
func TestFollowerAnew(t *testing.T) {
	w := follow(t)
	w.set(func() { w.first = 99 })
	w.poll()
	w.set(func() { w.first = 0 })
	for range 2 {
		w.wantAsked("just after", true, "/v1/cities")
	}
	w.clock.advance(settling)
	w.poll()
	w.wantAsked("later", true, "/v1/cities")
	w.wantAsked("later", false, "/v1/cities")
}

// TestFollowerSlept: a machine that slept does not know what happened meanwhile, though the clock that measures stood still.
func TestFollowerSlept(t *testing.T) {
	begun := time.Now()
	f := newFollower(nil, FollowOptions{}, time.Now)
	for name, test := range map[string]struct {
		at   time.Time
		want bool
	}{
		"just now":              {begun, true},
		"the wall went on":      {begun.Round(0).Add(-time.Hour), false},
		"the wall was set back": {begun.Round(0).Add(time.Hour), false},
	} {
		f.confirmed.Store(&test.at)
		if got := f.fresh(begun.Add(time.Millisecond)); got != test.want {
			t.Errorf("%s: fresh = %t, want %t", name, got, test.want)
		}
	}
}
