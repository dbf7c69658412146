package rest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/node"
)

func TestIdempotencyKeyRefuses(t *testing.T) {
	w := newWorld(t)
	path := "/v1/apps/" + w.a.app + "/keys"
	for name, key := range map[string]string{"empty": "", "long": strings.Repeat("k", 201), "control character": "a\tb", "not ASCII": "schlüssel"} {
		p := w.refused(name, w.do("POST", path, "a", `{"name":"k"}`, "Idempotency-Key", key), http.StatusBadRequest, "invalid_request")
		if len(p.Errors) != 1 || p.Errors[0].Field != "Idempotency-Key" {
			t.Errorf("%s: the problem names %+v", name, p.Errors)
		}
	}
	w.ok("POST", path, "a", `{"name":"k"}`, nil)

	first := w.do("POST", path, "a", `{"name":"k"}`, "Idempotency-Key", "one")
	if first.Code != http.StatusCreated {
		t.Fatalf("the first = %d %s", first.Code, first.Body)
	}
	w.refused("another body", w.do("POST", path, "a", `{"name":"other"}`, "Idempotency-Key", "one"), http.StatusUnprocessableEntity, "idempotency_mismatch")
	w.refused("another asker's key", w.do("POST", path, "b", `{"name":"k"}`, "Idempotency-Key", "one"), http.StatusNotFound, "not_found")
	narrowed := w.bearer("a", audit.Actor{Reach: w.bearers["a"].Reach, Scopes: everyScope("lanyard.keys.write")})
	w.refused("an asker who may no longer", w.do("POST", path, narrowed, `{"name":"k"}`, "Idempotency-Key", "one"), http.StatusForbidden, "insufficient_scope")
}

func TestIdempotencyKeyRepeats(t *testing.T) {
	w := newWorld(t)
	path := "/v1/apps/" + w.a.app + "/keys"
	ask := func() *httptest.ResponseRecorder {
		return w.do("POST", path, "a", `{"name":"k"}`, "Idempotency-Key", "one")
	}
	first := ask()
	before, _ := w.traces()
	w.clock.advance(9 * time.Minute)
	if again := ask(); again.Code != 201 || again.Body.String() != first.Body.String() || again.Header().Get("Content-Type") != "application/json" || !strings.Contains(again.Body.String(), `"secret"`) {
		t.Errorf("the repeat = %d %s, want 201 %s", again.Code, again.Body, first.Body)
	}
	if after, _ := w.traces(); after != before {
		t.Errorf("the repeat did something: %d lines more", after-before)
	}
	w.clock.advance(2 * time.Minute)
	late := ask()
	p := w.refused("the late repeat", late, http.StatusConflict, "conflict")
	if p.ID == "" || !strings.Contains(first.Body.String(), p.ID) || strings.Contains(late.Body.String(), "acme_key_") {
		t.Errorf("the late repeat = %s, want the id and no secret", late.Body)
	}
	// The same key at another endpoint is another request.
	if res := w.do("POST", "/v1/keys/"+w.a.key+"/rotate", "a", `{"overlap_seconds":60}`, "Idempotency-Key", "one"); res.Code != 200 {
		t.Errorf("rotate = %d %s", res.Code, res.Body)
	}
}

func TestAFailedRequestGivesItsIdempotencyKeyBack(t *testing.T) {
	w := newWorld(t)
	path := "/v1/apps/" + w.a.app + "/keys"
	w.refused("a failing request", w.do("POST", path, "a", `{"name":"k","scopes":["nobody.knows"]}`, "Idempotency-Key", "one"), http.StatusBadRequest, "invalid_request")
	if res := w.do("POST", path, "a", `{"name":"k"}`, "Idempotency-Key", "one"); res.Code != 201 {
		t.Errorf("the corrected request = %d %s, want 201", res.Code, res.Body)
	}
}

func TestARequestInProgressIsNotRepeated(t *testing.T) {
	w := newWorld(t)
	// As it stands after a crash in the middle.
	claim := node.Answer{Key: digestOf("a", "POST", "/v1/teams", "one"), At: w.clock.now()}
	body := `{"name":"x"}`
	claim.Body = bodyDigest("", []byte(body))
	if _, err := w.store.ClaimAnswer(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	for _, wait := range []time.Duration{0, time.Hour} {
		w.clock.advance(wait)
		w.refused("the repeat", w.do("POST", "/v1/teams", "a", body, "Idempotency-Key", "one"), http.StatusConflict, "conflict")
	}
}

func TestParallelRepeatsMakeOneThing(t *testing.T) {
	w := newWorld(t)
	const askers = 8
	answers := make([]*httptest.ResponseRecorder, askers)
	var all sync.WaitGroup
	for i := range askers {
		all.Go(func() { answers[i] = w.do("POST", "/v1/apps", "a", `{"name":"only one"}`, "Idempotency-Key", "race") })
	}
	all.Wait()
	made := ""
	for _, res := range answers {
		switch {
		case res.Code == http.StatusConflict:
		case res.Code == http.StatusCreated && (made == "" || made == res.Body.String()):
			made = res.Body.String()
		default:
			t.Errorf("one of many = %d %s, after %s", res.Code, res.Body, made)
		}
	}
	if list := w.ok("GET", "/v1/apps?name=only%20one", "a", "", nil); strings.Count(list.Body.String(), `"id"`) != 1 {
		t.Errorf("the apps are %s, want one", list.Body)
	}
}

func TestStoredAnswersAreSealed(t *testing.T) {
	w := newWorld(t)
	res := w.do("POST", "/v1/apps/"+w.a.app+"/keys", "a", `{"name":"k"}`, "Idempotency-Key", "one")
	there, err := w.store.ClaimAnswer(t.Context(), node.Answer{Key: digestOf("a", "POST", "/v1/apps/"+w.a.app+"/keys", "one"), At: w.clock.now()})
	if err != nil || there == nil || there.Status != 201 || !strings.HasPrefix(there.Target, "key_") {
		t.Fatalf("the stored answer is %+v, %v", there, err)
	}
	if strings.Contains(string(there.Reply), "acme_key_") || strings.Contains(string(there.Reply), "secret") || len(there.Reply) < res.Body.Len() {
		t.Errorf("the reply is stored as %q, want it sealed", there.Reply)
	}
}
