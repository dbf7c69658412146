package rest

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// stream is an open event stream, line by line.
type stream struct {
	t    *testing.T
	res  *http.Response
	scan *bufio.Scanner
}

func (w *world) stream(query string, headers ...string) *stream {
	w.Helper()
	server := httptest.NewServer(w.handler)
	w.Cleanup(server.Close)
	return w.open(server.URL+"/v1/changes"+query, headers...)
}

func (w *world) open(url string, headers ...string) *stream {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), "GET", url, nil)
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Authorization", "Bearer follower")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { res.Body.Close() })
	return &stream{w.T, res, bufio.NewScanner(res.Body)}
}

// until reads to the first line with a beginning and returns its rest; false at the end of the stream.
func (s *stream) until(head string) (string, bool) {
	for s.scan.Scan() {
		if rest, ok := strings.CutPrefix(s.scan.Text(), head); ok {
			return rest, true
		}
	}
	return "", false
}

func (w *world) follower() {
	w.bearer("follower", audit.Actor{Reach: audit.ServerReach(), Scopes: []string{"lanyard.changes.read"}})
}

func TestStreamRefusesBeforeItBegins(t *testing.T) {
	w := newWorld(t)
	w.follower()
	w.refused("an unknown cursor", w.do("GET", "/v1/changes?after=garbage", "follower", "", "Accept", "text/event-stream"), http.StatusGone, "changes_reset")
	w.refused("an unknown cursor, as JSON", w.do("GET", "/v1/changes?after=garbage", "follower", ""), http.StatusGone, "changes_reset")
	w.refused("an unknown Last-Event-ID", w.do("GET", "/v1/changes", "follower", "", "Accept", "text/event-stream", "Last-Event-ID", "garbage"), http.StatusGone, "changes_reset")
	w.refused("a team's reach", w.do("GET", "/v1/changes", "a", "", "Accept", "text/event-stream"), http.StatusForbidden, "insufficient_scope")
}

func TestStreamSendsChangesAndBeats(t *testing.T) {
	w := newWorld(t)
	w.follower()
	var page lanyard.Changes
	w.ok("GET", "/v1/changes", "follower", "", &page)
	if len(page.Items) == 0 || page.Cursor == "" {
		t.Fatalf("GET /v1/changes = %+v", page)
	}
	s := w.stream("?after=" + page.Cursor)
	if got := s.res.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("Content-Type = %q", got)
	}
	if age, _ := s.until(": as_of_age_ms="); age != "42" {
		t.Errorf("the first beat says %q, want 42", age)
	}
	w.ok("POST", "/v1/keys/"+w.a.key+"/revoke", "admin", "", nil)
	if err := w.tail.Sync(t.Context()); err != nil { // this node hears of it
		t.Fatal(err)
	}
	cursor, ok := s.until("id: ")
	if !ok {
		t.Fatal("the stream ended")
	}
	data, _ := s.until("data: ")
	var sent lanyard.Changes
	if err := json.Unmarshal([]byte(data), &sent); err != nil || sent.Cursor != cursor || !strings.Contains(data, w.a.key) {
		t.Errorf("the event is %s (id %s), %v, want the revocation of %s", data, cursor, err, w.a.key)
	}
	// Reconnecting with what the browser kept goes on from there.
	again := w.stream("", "Last-Event-ID", page.Cursor)
	if got, _ := again.until("id: "); got != cursor {
		t.Errorf("after reconnecting the first event is %s, want %s", got, cursor)
	}
}

func TestStreamEndsWithItsCredential(t *testing.T) {
	for name, end := range map[string]func(*world){
		"revoked":  func(w *world) { w.revoke("follower") },
		"narrowed": func(w *world) { w.bearer("follower", audit.Actor{Reach: audit.ServerReach()}) },
	} {
		w := newWorld(t)
		w.follower()
		s := w.stream("")
		if _, ok := s.until(": as_of_age_ms="); !ok {
			t.Fatalf("%s: the stream has no beat", name)
		}
		end(w)
		if _, goesOn := s.until("never"); goesOn || s.scan.Err() != nil {
			t.Errorf("%s: the stream ends with %v, want an end", name, s.scan.Err())
		}
	}
}

func TestStreamTellsOfAReset(t *testing.T) {
	w := newWorld(t)
	w.follower()
	r := httptest.NewRequest("GET", "/v1/changes", nil)
	f := &follower{api: &api{Config: w.api}, c: &call{r: r, actor: w.bearers["follower"]}}
	var page lanyard.Changes
	w.ok("GET", "/v1/changes?limit=1", "follower", "", &page)
	f.cursor = page.Cursor
	if err := w.store.TrimChanges(t.Context(), w.clock.now().Add(30*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	res := httptest.NewRecorder()
	f.c.w = res
	if f.send() || !strings.HasPrefix(res.Body.String(), "event: reset\ndata: {") || !strings.Contains(res.Body.String(), "changes_reset") {
		t.Errorf("a follower whose place is gone sends %q, want a reset and the end", res.Body)
	}
}

func TestABeatIsNotSentByAFollowerThatIsBehind(t *testing.T) {
	w := newWorld(t)
	res := httptest.NewRecorder()
	f := &follower{api: &api{Config: w.api}, c: &call{w: res, r: httptest.NewRequest("GET", "/v1/changes", nil)}, next: make(chan struct{}), behind: true}
	if !f.beat() || res.Body.Len() > 0 {
		t.Errorf("a follower that is behind sends %q, want nothing, and to go on", res.Body)
	}
}

func TestStreamEndsWithItsServer(t *testing.T) {
	w := newWorld(t)
	w.follower()
	server := web.NewServer(w.handler, slog.New(slog.DiscardHandler))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(ctx, server, l, time.Minute) }()
	s := w.open("http://" + l.Addr().String() + "/v1/changes")
	if _, ok := s.until(": as_of_age_ms="); !ok {
		t.Fatal("the stream has no beat")
	}
	stop()
	if _, goesOn := s.until("never"); goesOn || s.scan.Err() != nil {
		t.Errorf("the stream ends with %v, want an end", s.scan.Err())
	}
	if err := <-ended; err != nil {
		t.Errorf("Serve() = %v", err)
	}
}
