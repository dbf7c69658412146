package notify

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/outbound"
	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// hookQueue is a queue in memory: what package store holds on both engines is tested there.
type hookQueue struct {
	mu       sync.Mutex
	waiting  []outbox.Sending
	outcomes []outbox.Outcome
	down     error
}

func (q *hookQueue) ClaimWebhooks(_ context.Context, now time.Time, lease time.Duration, limit int) (due []outbox.Sending, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.waiting {
		if d := &q.waiting[i]; !d.NextAt.IsZero() && !d.NextAt.After(now) && len(due) < limit {
			due = append(due, *d)
			d.NextAt = now.Add(lease)
		}
	}
	return due, q.down
}

func (q *hookQueue) WebhookTried(_ context.Context, o outbox.Outcome) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.outcomes = append(q.outcomes, o)
	for i := range q.waiting {
		d := &q.waiting[i]
		if d.ID == o.ID {
			d.NextAt, d.State = o.NextAt, o.State
			d.Tries++
		}
		if d.Webhook == o.Webhook {
			switch {
			case o.State == outbox.Delivered:
				d.To.FailingSince = time.Time{}
			case d.To.FailingSince.IsZero():
				d.To.FailingSince = o.Attempt.At
			}
		}
	}
	return q.down
}

func (q *hookQueue) Webhook(_ context.Context, _ audit.Reach, hook id.Webhook) (*outbox.Endpoint, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, d := range q.waiting {
		if d.Webhook == hook {
			return &d.To, q.down
		}
	}
	return nil, fault.Missing("webhook", string(hook))
}

func (q *hookQueue) ReleaseWebhooks(_ context.Context, next time.Time, all ...outbox.Sending) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, back := range all {
		for i := range q.waiting {
			if q.waiting[i].ID == back.ID {
				q.waiting[i].NextAt = next
			}
		}
	}
	return nil
}

var hookSecret = secret.Of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

func sending(hook id.Webhook, address string) outbox.Sending {
	return outbox.Sending{
		Delivery: outbox.Delivery{ID: id.New[id.Message](), Webhook: hook, Kind: "key.revoked", Payload: `{"type":"key.revoked"}`, State: outbox.Waits, NextAt: t0, CreatedAt: t0},
		To:       outbox.Endpoint{ID: hook, URL: address, Secrets: outbox.JoinSecrets(hookSecret)},
	}
}

// newHooks sends to addresses of this machine, which it is let off for.
func newHooks(t *testing.T, q *hookQueue) (h *Hooks, now *time.Time, log *bytes.Buffer) {
	t.Helper()
	client, err := outbound.New(outbound.Options{Allow: []string{"127.0.0.1"}, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	now, log = new(t0), new(bytes.Buffer)
	return &Hooks{
		Queue: q, Open: func(_ id.Webhook, sealed []byte) ([]byte, error) { return sealed, nil }, Tell: client.Tell,
		Warn: func(_ context.Context, e *outbox.Endpoint, why outbox.Stop) ([]outbox.Mail, error) {
			return []outbox.Mail{{ID: "msg_warning", Sealed: []byte(string(e.ID) + " " + string(why))}}, nil
		},
		Now: func() time.Time { return *now }, Log: slog.New(slog.NewTextHandler(log, nil)),
	}, now, log
}

// answering is an endpoint that answers as it is told, and remembers what it was sent.
func answering(t *testing.T, answer http.HandlerFunc) (address string, seen func() []*http.Request) {
	t.Helper()
	var mu sync.Mutex
	var got []*http.Request
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		mu.Lock()
		got = append(got, r)
		mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, func() []*http.Request {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(got)
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// Nothing inside the house is told anything, by whatever spelling or by whichever way (SECURITY-CASES 148, 152).
func TestHooksStayOutside(t *testing.T) {
	inside, seen := answering(t, status(200))
	outside, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, inside, http.StatusTemporaryRedirect)
	})
	strict, err := outbound.New(outbound.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	port := inside[strings.LastIndex(inside, ":"):]
	for _, address := range []string{
		inside, "https://127.0.0.1" + port, "https://localhost" + port, "https://[::1]" + port, "https://[::ffff:127.0.0.1]" + port, "https://2130706433" + port, "https://127.1" + port,
		"https://0x7f000001" + port, "https://169.254.169.254/latest/meta-data/", "https://10.0.0.7/", "https://user@127.0.0.1" + port, "https://metadata.google.internal/", "file:///etc/passwd",
	} {
		q := &hookQueue{waiting: []outbox.Sending{sending("hook_1", address)}}
		h, _, _ := newHooks(t, q)
		h.Tell = strict.Tell
		if err := h.Once(t.Context()); err != nil || len(q.outcomes) != 1 || q.outcomes[0].State != outbox.Waits || q.outcomes[0].Attempt.Status != 0 {
			t.Errorf("to %s: %v, %+v, want a failure", address, err, q.outcomes)
		}
	}
	q := &hookQueue{waiting: []outbox.Sending{sending("hook_1", outside)}}
	h, _, _ := newHooks(t, q)
	if err := h.Once(t.Context()); err != nil || q.outcomes[0].State != outbox.Waits || !strings.Contains(q.outcomes[0].Attempt.Error, "redirects are not followed") {
		t.Errorf("a redirect: %v, %+v, want a failure that says so", err, q.outcomes)
	}
	if n := len(seen()); n != 0 {
		t.Errorf("the inside was called %d times", n)
	}
}

func TestHooksSend(t *testing.T) {
	leak, err := secret.New("acme", secret.Key, secret.Live, "0123456789ABCDEF", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	address, seen := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "thanks\r\nfor "+leak.Reveal()+strings.Repeat(" more", 100_000))
	})
	d := sending("hook_1", address+"/hooks?x=1")
	newer, err := outbox.NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d.To.Secrets = outbox.JoinSecrets(newer, outbox.Former{Secret: hookSecret, Until: t0.Add(time.Hour)})
	later := d
	later.ID, later.NextAt = id.New[id.Message](), t0.Add(time.Hour)
	q := &hookQueue{waiting: []outbox.Sending{d, later}}
	h, now, log := newHooks(t, q)
	if err := h.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	*now = t0.Add(time.Hour)
	if err := h.Once(t.Context()); err != nil || len(seen()) != 2 {
		t.Fatalf("Once = %v, %d requests", err, len(seen()))
	}
	for i, want := range []struct {
		message id.Message
		at      time.Time
		secrets []secret.Secret
	}{{d.ID, t0, []secret.Secret{newer, hookSecret}}, {later.ID, *now, []secret.Secret{newer}}} {
		r := seen()[i]
		signature, err := outbox.Sign(want.message, want.at, d.Payload, want.secrets...)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(r.Body)
		if r.Method != "POST" || r.URL.String() != "/hooks?x=1" || r.Header.Get("webhook-id") != string(want.message) || r.Header.Get("webhook-signature") != signature ||
			r.Header.Get("Content-Type") != "application/json" || string(body) != d.Payload || r.Header.Get("Webhook-Timestamp") == "" {
			t.Errorf("request %d is %s %s %v %s", i, r.Method, r.URL, r.Header, body)
		}
	}
	o := q.outcomes[0]
	if o.State != outbox.Delivered || o.Attempt.Status != 202 || o.Attempt.Error != "" || !strings.HasPrefix(o.Attempt.Answer, "thanks for acme_key_live_0123456789ABCDEF… more") ||
		len(o.Attempt.Answer) > 2*hookKept || !o.PauseUntil.IsZero() || log.Len() > 0 {
		t.Errorf("outcome %+v, log %s", o, log)
	}
}

// TestHooksSchedule: about a day, with the same id each time and another timestamp.
func TestHooksSchedule(t *testing.T) {
	address, seen := answering(t, status(500))
	q := &hookQueue{waiting: []outbox.Sending{sending("hook_1", address)}}
	h, now, _ := newHooks(t, q)
	for now.Sub(t0) < 72*time.Hour {
		if err := h.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		if q.waiting[0].NextAt.IsZero() {
			break
		}
		*now = q.waiting[0].NextAt
	}
	span := now.Sub(t0)
	if got := q.waiting[0]; got.State != outbox.Failed || got.Tries != len(schedule)+1 || span < 23*time.Hour || span > 27*time.Hour {
		t.Errorf("after %s and %d tries it is %s, want failed after about a day", span, got.Tries, got.State)
	}
	ids, times := map[string]bool{}, map[string]bool{}
	for _, r := range seen() {
		ids[r.Header.Get("webhook-id")], times[r.Header.Get("webhook-timestamp")] = true, true
	}
	if len(ids) != 1 || len(times) != len(seen()) {
		t.Errorf("%d attempts bore %d ids and %d timestamps, want one and as many", len(seen()), len(ids), len(times))
	}
	for _, o := range q.outcomes {
		if o.Attempt.Error != "it answered 500" || o.Stop != "" || !o.PauseUntil.IsZero() {
			t.Errorf("outcome %+v, want a plain failure", o)
		}
	}
}

// TestHooksStop: 410 at once, days of failure with the last try of a message.
func TestHooksStop(t *testing.T) {
	gone, _ := answering(t, status(410))
	failing, _ := answering(t, status(404))
	last := sending("hook_2", failing)
	last.Tries, last.To.FailingSince = len(schedule), t0.Add(-failingFor)
	early, young := last, last
	early.ID, early.Webhook, early.Tries = "msg_early", "hook_3", 0
	young.ID, young.Webhook, young.To.FailingSince = "msg_young", "hook_4", t0.Add(-failingFor+time.Second)
	q := &hookQueue{waiting: []outbox.Sending{sending("hook_1", gone), last, early, young}}
	h, _, log := newHooks(t, q)
	if err := h.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := map[id.Webhook]outbox.Stop{"hook_1": outbox.Gone, "hook_2": outbox.Failing, "hook_3": "", "hook_4": ""}
	for _, o := range q.outcomes {
		if o.Stop != want[o.Webhook] || (o.Stop == "") != (len(o.Letters) == 0) {
			t.Errorf("%s: %+v, want stop %q, and a letter just then", o.Webhook, o, want[o.Webhook])
		}
		if o.Stop != "" && (o.Event.Action != "webhook.disable" || o.Event.Target != string(o.Webhook) || o.Event.ID == "" || o.State != outbox.Failed) {
			t.Errorf("%s: event %+v", o.Webhook, o.Event)
		}
	}
	if strings.Contains(log.String(), gone) || strings.Contains(log.String(), "whsec") {
		t.Errorf("the log tells too much: %s", log)
	}
}

// A message that is tried for longer than the schedule is given up, however seldom an endpoint that does not answer lets it be tried;
// and the endpoint with it, once nothing has arrived for days. One that somebody sent again gets its whole schedule.
func TestHooksAge(t *testing.T) {
	busy, _ := answering(t, status(503))
	old := sending("hook_1", busy)
	old.CreatedAt, old.Tries, old.Attempts, old.To.FailingSince = t0.Add(-tooOld), 1, 1, t0.Add(-failingFor)
	younger, sooner, untried, again := old, old, old, old
	younger.Webhook, younger.CreatedAt = "hook_2", t0.Add(-tooOld+time.Hour)
	sooner.Webhook, sooner.To.FailingSince = "hook_3", t0.Add(-failingFor+time.Hour)
	untried.Webhook, untried.Tries, untried.Attempts = "hook_4", 0, 0
	again.Webhook, again.Attempts = "hook_5", 11
	q := &hookQueue{}
	for _, d := range []outbox.Sending{old, younger, sooner, untried, again} {
		d.ID = id.New[id.Message]()
		q.waiting = append(q.waiting, d)
	}
	h, _, _ := newHooks(t, q)
	if err := h.Once(t.Context()); err != nil || len(q.outcomes) != len(q.waiting) {
		t.Fatalf("Once = %v, %d outcomes", err, len(q.outcomes))
	}
	want := map[id.Webhook]struct {
		state outbox.State
		stop  outbox.Stop
	}{"hook_1": {outbox.Failed, outbox.Failing}, "hook_2": {outbox.Waits, ""}, "hook_3": {outbox.Failed, ""}, "hook_4": {outbox.Waits, ""}, "hook_5": {outbox.Waits, ""}}
	for _, o := range q.outcomes {
		if o.State != want[o.Webhook].state || o.Stop != want[o.Webhook].stop {
			t.Errorf("%s: %s, stop %q, want %+v", o.Webhook, o.State, o.Stop, want[o.Webhook])
		}
	}
}

// TestHooksPause: one that does not answer holds up its own messages, and nobody else's; what was not tried is not counted.
func TestHooksPause(t *testing.T) {
	good, _ := answering(t, status(204))
	busy, seen := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "120")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	q := &hookQueue{waiting: []outbox.Sending{sending("hook_1", busy), sending("hook_1", busy), sending("hook_1", busy), sending("hook_2", good)}}
	h, _, _ := newHooks(t, q)
	if err := h.Once(t.Context()); err != nil || len(seen()) != 1 {
		t.Errorf("Once = %v, the busy one was asked %d times, want once", err, len(seen()))
	}
	for i, d := range q.waiting {
		switch {
		case d.Webhook == "hook_2" && d.State != outbox.Delivered:
			t.Errorf("the good one got nothing: %+v", d)
		case d.Webhook == "hook_1" && (d.NextAt.Before(t0.Add(2*time.Minute)) || d.Tries > 1 || i > 0 && d.Tries > 0):
			t.Errorf("message %d of the busy one comes at %s after %d tries, want not before it asked for", i, d.NextAt, d.Tries)
		}
	}
	for text, want := range map[string]time.Duration{
		"": 0, "soon": 0, "-5": 0, "7": 7 * time.Second, "999999999": longestWait, "99999999999999999999": 0,
		t0.Add(time.Minute).Format(http.TimeFormat): time.Minute, t0.Add(-time.Minute).Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(text, t0); got != want {
			t.Errorf("retryAfter(%q) = %s, want %s", text, got, want)
		}
	}
}

// A slow endpoint's turn ends, and what is left of it waits behind the others.
func TestHooksTurn(t *testing.T) {
	q := &hookQueue{}
	h, now, _ := newHooks(t, q)
	address, seen := answering(t, func(http.ResponseWriter, *http.Request) { *now = now.Add(hookTurn/2 + time.Second) })
	q.waiting = []outbox.Sending{sending("hook_1", address), sending("hook_1", address), sending("hook_1", address)}
	if err := h.turn(t.Context(), slices.Clone(q.waiting)); err != nil || len(seen()) != 2 || !q.waiting[2].NextAt.Equal(*now) || q.waiting[2].Tries != 0 {
		t.Errorf("turn = %v, %d requests, the last is due at %s; want it now", err, len(seen()), q.waiting[2].NextAt)
	}
}

// One that takes its time is paused in proportion, though everything arrives: the round of all the others waits for it.
func TestHooksSlow(t *testing.T) {
	q := &hookQueue{}
	h, now, _ := newHooks(t, q)
	address, seen := answering(t, func(http.ResponseWriter, *http.Request) { *now = now.Add(hookSlow + time.Second) })
	q.waiting = []outbox.Sending{sending("hook_1", address), sending("hook_1", address)}
	if err := h.Once(t.Context()); err != nil || len(seen()) != 1 || q.outcomes[0].State != outbox.Delivered || !q.waiting[1].NextAt.Equal(now.Add(2*(hookSlow+time.Second))) {
		t.Errorf("Once = %v, %d requests, %+v, the other is due at %s; want it later", err, len(seen()), q.outcomes, q.waiting[1].NextAt)
	}
}

// Whoever is disabled or deleted within a turn is told nothing more, and what is changed holds at once.
func TestHooksChange(t *testing.T) {
	former, formerSeen := answering(t, status(204))
	newer, newerSeen := answering(t, status(204))
	for what, change := range map[string]func(*hookQueue){
		"disabled": func(q *hookQueue) { q.waiting[1].To.DisabledAt = t0 },
		"deleted":  func(q *hookQueue) { q.waiting = nil },
		"moved":    func(q *hookQueue) { q.waiting[1].To.URL = newer },
	} {
		before, after := len(formerSeen()), len(newerSeen())
		due := []outbox.Sending{sending("hook_1", former), sending("hook_1", former)}
		q := &hookQueue{waiting: slices.Clone(due[1:])}
		q.waiting = append([]outbox.Sending{sending("hook_2", former)}, q.waiting...)
		change(q)
		h, _, _ := newHooks(t, q)
		if err := h.turn(t.Context(), due); err != nil || len(formerSeen())-before != 1 || len(newerSeen())-after > 0 != (what == "moved") {
			t.Errorf("one that is %s: turn = %v, %d requests there, %d at a newer address", what, err, len(formerSeen())-before, len(newerSeen())-after)
		}
	}
}

func TestHooksFail(t *testing.T) {
	down := fault.New(fault.Unavailable, "down")
	q := &hookQueue{down: down}
	h, _, _ := newHooks(t, q)
	if err := h.Once(t.Context()); !errors.Is(err, down) {
		t.Errorf("Once without a queue = %v, want its error", err)
	}
	// A seal that cannot be opened yet is no reason to give up, nor is a secret that reads as none.
	q = &hookQueue{waiting: []outbox.Sending{sending("hook_1", "https://app.example"), sending("hook_2", "https://app.example")}}
	q.waiting[1].To.Secrets = []byte("nothing")
	h, _, _ = newHooks(t, q)
	h.Open = func(hook id.Webhook, sealed []byte) ([]byte, error) {
		if hook == "hook_1" {
			return nil, errors.New("whsec_hush")
		}
		return sealed, nil
	}
	if err := h.Once(t.Context()); err != nil || len(q.outcomes) != 2 {
		t.Fatalf("Once = %v, %+v", err, q.outcomes)
	}
	for _, o := range q.outcomes {
		if o.State != outbox.Waits || o.Attempt.Error == "" || strings.Contains(o.Attempt.Error, "hush") {
			t.Errorf("outcome %+v, want it tried again", o)
		}
	}
	// The end of the server breaks an attempt off without a trace.
	ctx, cancel := context.WithCancel(t.Context())
	q = &hookQueue{waiting: []outbox.Sending{sending("hook_1", "https://app.example")}}
	h, _, _ = newHooks(t, q)
	h.Tell = func(ctx context.Context, _ string, _ []byte, _ http.Header, _ int64) (*outbound.Response, error) {
		cancel()
		return nil, ctx.Err()
	}
	if err := h.Once(ctx); !errors.Is(err, context.Canceled) || len(q.outcomes) != 0 {
		t.Errorf("Once of a server that stops = %v, %+v, want nothing noted", err, q.outcomes)
	}
}
