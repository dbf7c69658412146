package lanyard

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

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
	poll := func(w *followed) { w.poll(); w.sweep() }
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
			w.poll()
			w.sweep()
		}, 401},
		"out of reach": {func(w *followed) {
			w.set(func() { w.status = 503 })
			w.clock.advance(DefaultMaxStaleness + 1)
			poll(w)
		}, 503},
		"a change that cannot be looked into": {func(w *followed) {
			w.change("key", "key_1")
			w.poll()
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
			w.set(func() { w.ends = time.Minute })
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
		func() { w.change("key", "key_1") },                      // renamed, say
		func() { w.change("key", "key_2") },                      // somebody else's
		func() { w.set(func() { w.denied = "rate_limited" }) },   // this one was let through
		func() { w.change("key", "key_1") },                      //
		func() { w.set(func() { w.denied = ""; w.first = 99 }) }, // the log begins anew
		func() { w.set(func() { w.ends = time.Second }) },        // it has an end now,
		func() { w.change("key", "key_1") },
		func() { w.set(func() { w.ends = time.Hour }); w.clock.advance(5e8) }, // which is put off
		func() { w.clock.advance(5e8) },
	} {
		change()
		w.poll()
		w.sweep()
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
	w.poll()
	w.sweep()
	if err := <-cause; !errors.Is(err, ErrEnded) {
		t.Errorf("the request ended for %v, want %v", err, ErrEnded)
	}
	<-done
}

// TestFollowerProof: a request with a proof cannot be asked about again, so it ends when something changed.
func TestFollowerProof(t *testing.T) {
	w := follow(t)
	cause := make(chan error, 1)
	h := w.guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		w.change("key", "key_1")
		w.poll()
		w.sweep()
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
	w.poll()
	w.set(func() { w.revision = 5 })
	_, done, cause := w.held(false)
	w.set(func() { w.revision, w.denied = 0, "revoked" })
	w.sweep()
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

// TestFollowerBegins: what was let through before the first read, by a node that was behind, is looked at.
func TestFollowerBegins(t *testing.T) {
	for name, again := range map[string]bool{"at the start": false, "when the log begins anew": true} {
		w := follow(t)
		if !again {
			w.f = newFollower(w.f.client, FollowOptions{Log: slog.New(slog.DiscardHandler)}, w.clock.Now)
			w.guard = Require(w.f.client, "weather", WithFollower(w.f))
		}
		w.set(func() { w.revision = 4 })
		_, done, cause := w.held(false)
		if again {
			w.set(func() { w.first = 99 })
		}
		w.poll()
		w.sweep() // the node that answers is still behind
		w.set(func() { w.revision, w.denied = 0, "revoked" })
		w.sweep()
		if err := <-cause; !errors.Is(err, ErrEnded) {
			t.Errorf("%s: the request ended for %v, want %v", name, err, ErrEnded)
		}
		<-done
	}
}

// TestFollowerBarred: that a source may not ask just now says nothing of what it was let through with.
func TestFollowerBarred(t *testing.T) {
	w := follow(t)
	_, done, cause := w.held(false)
	w.change("key", "key_1")
	w.set(func() { w.denied, w.barred = "rate_limited", true })
	w.poll()
	w.sweep()
	w.set(func() { w.denied, w.barred = "revoked", false })
	w.sweep()
	if err := <-cause; !errors.Is(err, ErrEnded) {
		t.Errorf("the request ended for %v, want %v", err, ErrEnded)
	}
	<-done
}

// TestFollowerUnrelated: changes of others cost a request nothing, be it let through by an answer of before or by a node that is behind.
func TestFollowerUnrelated(t *testing.T) {
	for name, behind := range map[string]bool{"an answer given again": false, "a node that is behind": true} {
		w := follow(t)
		w.wantAsked(name, true, "/v1/cities")
		w.change("key", "key_2")
		w.change("app", "app_2")
		w.poll()
		if behind {
			w.set(func() { w.reuse, w.revision = "", 5 })
			w.change("api", "weather")
			w.set(func() { w.changes[len(w.changes)-1].ID = "mail" })
			w.f.mu.Lock()
			clear(w.f.answers)
			w.f.mu.Unlock()
		}
		_, done, cause := w.held(false)
		w.sweep()
		if w.dry != 0 {
			t.Errorf("%s: it was asked about %d times more", name, w.dry)
		}
		w.f.stop()
		if err := <-cause; !errors.Is(err, ErrEnded) {
			t.Errorf("the request ended for %v, want %v", err, ErrEnded)
		}
		<-done
	}
}

// TestFollowerAnswers: a request that is refused while it is under way is told so as one that was refused at once, and headers of who stands
// before the guard stay.
func TestFollowerAnswers(t *testing.T) {
	w := follow(t)
	inner := w.guard(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("X-Inner", "secret")
		w.change("key", "key_1")
		w.set(func() { w.denied = "revoked" })
		w.poll()
		w.sweep()
	}))
	res := ask(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Access-Control-Allow-Origin", "https://app.example")
		inner.ServeHTTP(rw, r)
	}), "GET", "/v1/cities", "X-Api-Key", "a-key")
	h := res.Header
	if res.StatusCode != 401 || h.Get("WWW-Authenticate") == "" || h.Get("Access-Control-Allow-Origin") == "" || h.Get("X-Inner") != "" || h.Get("Connection") != "close" {
		t.Errorf("the answer is %d with %v, want 401, a challenge, and the headers from before", res.StatusCode, h)
	}
	if n, _ := denialOf(t, res); n.Code != "revoked" {
		t.Errorf("the code is %s, want revoked", n.Code)
	}
	w = follow(t)
	w.f.stop()
	h2 := w.guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a handler runs that nobody looks after") }))
	if res := ask(h2, "GET", "/v1/cities", "X-Api-Key", "a-key"); res.StatusCode != http.StatusServiceUnavailable || w.count() != 0 {
		t.Errorf("after the end: %d and %d questions, want 503 and none", res.StatusCode, w.count())
	}
}

// TestFollowerPieces: a long copy is looked at between its pieces, and deadlines cannot be put off once it has ended.
func TestFollowerPieces(t *testing.T) {
	w := follow(t)
	var sent int64
	h := w.guard(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		from := io.MultiReader(io.LimitReader(zeros{}, 3<<20), readerFunc(func([]byte) (int, error) {
			w.f.stop()
			return 0, io.EOF
		}), zeros{})
		sent, _ = io.Copy(rw, from)
		if err := http.NewResponseController(rw).SetWriteDeadline(time.Now().Add(time.Hour)); !errors.Is(err, ErrEnded) {
			t.Errorf("SetWriteDeadline after the end = %v, want %v", err, ErrEnded)
		}
	}))
	defer func() {
		if thrown := recover(); thrown != any(http.ErrAbortHandler) || sent > 8<<20 {
			t.Errorf("%d bytes were sent, and %v thrown; want the copy to end and %v", sent, thrown, http.ErrAbortHandler)
		}
	}()
	ask(h, "GET", "/v1/cities", "X-Api-Key", "a-key")
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
