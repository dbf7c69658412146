package verify_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// watched decides on a request and keeps an eye on it. What ended it stands in the returned slice.
func (w *world) watched(req verify.Request) (*verify.Watch, *[]string) {
	w.tb.Helper()
	req.Hold = true
	d := &verify.Decision{}
	if err := w.v.Verify(context.Background(), &req, d); err != nil || !d.Allowed() {
		w.tb.Fatalf("Verify = %s, %v", d.Code, err)
	}
	ends := &[]string{}
	watch := &verify.Watch{Request: &req, Decision: d, End: func(_ verify.Ending, text string) { *ends = append(*ends, text) }}
	w.v.Watch(watch)
	return watch, ends
}

// sweep looks through the requests under way as often as a slow machine needs to look into each.
func (w *world) sweep() {
	w.tb.Helper()
	for range 50 {
		w.v.Sweep(w.tb.Context())
	}
}

func TestWatchEnds(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(t *testing.T, w *world, m made)
		want string // "": it goes on
	}{
		{"nothing", func(*testing.T, *world, made) {}, ""},
		{"the key is revoked", func(t *testing.T, w *world, m made) {
			w.alter(m.key.ID, func(k *key.Key) error { return k.Revoke(w.clock.Now(), "", 0) })
		}, "revoked"},
		{"the key is disabled", func(t *testing.T, w *world, m made) {
			w.alter(m.key.ID, func(k *key.Key) error { return k.Disable(w.clock.Now()) })
		}, "disabled"},
		{"the key loses its scope", func(t *testing.T, w *world, m made) {
			w.alter(m.key.ID, func(k *key.Key) error { k.Scopes = nil; return nil })
		}, "insufficient_scope"},
		{"the key is called otherwise", func(t *testing.T, w *world, m made) {
			w.alter(m.key.ID, func(k *key.Key) error { k.Name = "other"; return nil })
		}, ""},
		{"another key is revoked", func(t *testing.T, w *world, _ made) {
			w.alter(w.key(keySpec{}).key.ID, func(k *key.Key) error { return k.Revoke(w.clock.Now(), "", 0) })
		}, ""},
		{"the key expires", func(t *testing.T, w *world, _ made) { w.clock.Advance(time.Hour); w.sync() }, "expired"},
		{"the secret was rotated and its time is over", func(t *testing.T, w *world, m made) {
			w.alter(m.key.ID, func(k *key.Key) error { k.Versions[0].EndsAt = w.clock.Now().Add(time.Minute); return nil })
			w.sweep()
			if w.v.Watched() != 1 {
				t.Error("it ended while both secrets are good")
			}
			w.clock.Advance(time.Minute)
			w.sync()
		}, "rotated"},
		{"the database is away", func(t *testing.T, w *world, _ made) {
			w.faulty.cut(errors.New("gone"))
			w.clock.Advance(751 * time.Millisecond)
		}, "whether it was revoked could not be found out in time"},
		{"the database was away for a moment", func(t *testing.T, w *world, _ made) {
			w.faulty.cut(errors.New("gone"))
			w.clock.Advance(700 * time.Millisecond)
			w.v.Sweep(t.Context())
			w.faulty.cut(nil)
			w.sync()
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			m := w.key(keySpec{scopes: []string{"forecast.read"}, expires: w.clock.Now().Add(time.Hour)})
			watch, ends := w.watched(verify.Request{API: "weather", Credential: m.credential, Method: "GET", Path: "/v1/forecast", Cost: verify.DefaultCost})
			test.do(t, w, m)
			w.sweep()
			switch {
			case test.want == "" && (len(*ends) > 0 || w.v.Watched() != 1):
				t.Errorf("ended with %q, want it to go on", *ends)
			case test.want != "" && (len(*ends) != 1 || (*ends)[0] != test.want || w.v.Watched() != 0):
				t.Errorf("ended with %q, %d still watched, want one end: %s", *ends, w.v.Watched(), test.want)
			}
			w.v.Unwatch(watch)
			if w.v.Watched() != 0 {
				t.Error("it is watched after Unwatch")
			}
		})
	}
}

// What changes between the decision and the watch is found too.
func TestWatchAfterTheChange(t *testing.T) {
	w := newWorld(t)
	m := w.key(keySpec{scopes: []string{"forecast.read"}})
	req := verify.Request{API: "weather", Credential: m.credential, Method: "GET", Path: "/v1/forecast", Cost: verify.DefaultCost}
	d := w.ask(req)
	w.alter(m.key.ID, func(k *key.Key) error { return k.Revoke(w.clock.Now(), "", 0) })
	ended := ""
	w.v.Watch(&verify.Watch{Request: &req, Decision: &d, End: func(_ verify.Ending, text string) { ended = text }})
	w.sweep()
	if ended != string(policy.Revoked) {
		t.Errorf("ended with %q, want %s", ended, policy.Revoked)
	}
}

// A change that cannot be looked into, because the rows it is about cannot be read, ends what rests on it.
func TestWatchThatCannotBeLookedAt(t *testing.T) {
	w := newWorld(t)
	m := w.key(keySpec{scopes: []string{"forecast.read"}})
	_, ends := w.watched(verify.Request{API: "weather", Credential: m.credential, Method: "GET", Path: "/v1/forecast", Cost: verify.DefaultCost})
	w.alter(m.key.ID, func(k *key.Key) error { k.Name = "other"; return nil })
	w.faulty.cut(errors.New("gone"))
	w.v.Sweep(t.Context())
	if len(*ends) != 0 {
		t.Fatalf("ended with %q at once", *ends)
	}
	w.clock.Advance(901 * time.Millisecond)
	w.v.Sweep(t.Context())
	if len(*ends) != 1 {
		t.Errorf("ended with %q, want one end", *ends)
	}
}

func TestHold(t *testing.T) {
	w := newWorld(t)
	w.quotaAPI()
	m := w.key(keySpec{})
	hold := func() (*verify.Request, *verify.Decision) {
		t.Helper()
		req := &verify.Request{API: "counted", Credential: m.credential, Cost: 3, Hold: true}
		d := &verify.Decision{}
		if err := w.v.Verify(t.Context(), req, d); err != nil {
			t.Fatal(err)
		}
		return req, d
	}
	counted := func(want int) {
		t.Helper()
		if len(w.rec.events) != want {
			t.Errorf("%d uses are counted, want %d", len(w.rec.events), want)
		}
	}
	req, d := hold()
	counted(0)
	if _, second := hold(); second.Code != policy.QuotaExceeded {
		t.Errorf("beside what is held: %s, want %s", second.Code, policy.QuotaExceeded)
	}
	w.v.Drop(d)
	w.v.Drop(d)
	if err := w.v.Settle(t.Context(), req, d); err != nil {
		t.Errorf("Settle of what was dropped = %v", err)
	}
	counted(0)
	req, d = hold()
	for range 2 {
		if err := w.v.Settle(t.Context(), req, d); err != nil {
			t.Errorf("Settle = %v", err)
		}
	}
	w.v.Drop(d)
	counted(1)
	if ev := w.rec.events[0]; ev.Units != 3 || ev.Outcome != "valid" || ev.At != d.At.UnixMicro() {
		t.Errorf("counted is %+v", ev)
	}
	if _, next := hold(); next.Code != policy.QuotaExceeded || next.Quota.Used != 3 {
		t.Errorf("after it is counted: %s, %+v", next.Code, next.Quota)
	}
}

// What cannot be counted gives back what it reserved.
func TestSettleFails(t *testing.T) {
	w := newWorld(t)
	w.quotaAPI()
	m := w.key(keySpec{})
	req := &verify.Request{API: "counted", Credential: m.credential, Cost: 5, Hold: true}
	for range 2 { // the units of the first are there for the second
		d := &verify.Decision{}
		if err := w.v.Verify(t.Context(), req, d); err != nil || !d.Allowed() {
			t.Fatalf("Verify = %s, %v", d.Code, err)
		}
		w.rec.fail = errors.New("the disk is full")
		if err := w.v.Settle(t.Context(), req, d); err == nil {
			t.Error("Settle = nil, want the error")
		}
		w.rec.fail = nil
	}
	if len(w.rec.events) != 0 {
		t.Errorf("%d uses are counted, want none", len(w.rec.events))
	}
}

// What was held is decided on again before it goes on, if anything was heard of.
func TestStill(t *testing.T) {
	w := newWorld(t)
	m := w.key(keySpec{scopes: []string{"forecast.read"}})
	req := verify.Request{API: "weather", Credential: m.credential, Method: "GET", Path: "/v1/forecast", Cost: verify.DefaultCost, Hold: true}
	d := w.ask(req)
	if ok, err := w.v.Still(t.Context(), &req, &d); !ok || err != nil {
		t.Errorf("Still = %v, %v at once", ok, err)
	}
	w.key(keySpec{})
	if ok, err := w.v.Still(t.Context(), &req, &d); !ok || err != nil {
		t.Errorf("Still = %v, %v after something else", ok, err)
	}
	w.alter(m.key.ID, func(k *key.Key) error { return k.Revoke(w.clock.Now(), "", 0) })
	if ok, err := w.v.Still(t.Context(), &req, &d); ok || err != nil || d.Code != policy.Revoked {
		t.Errorf("Still = %v, %v with %s after it was revoked", ok, err, d.Code)
	}
	w.faulty.cut(errors.New("gone"))
	w.clock.Advance(time.Second)
	if ok, err := w.v.Still(t.Context(), &req, &d); ok || err == nil {
		t.Errorf("Still = %v, %v while nobody can say", ok, err)
	}
}

// A call that is revoked while it is counted is not allowed, whatever it was counted as.
func TestRevokedWhileCounted(t *testing.T) {
	w := newWorld(t)
	m := w.key(keySpec{scopes: []string{"forecast.read"}})
	w.rec.before = func() {
		w.rec.before = nil
		w.alter(m.key.ID, func(k *key.Key) error { return k.Revoke(w.clock.Now(), "", 0) })
	}
	d := w.ask(verify.Request{API: "weather", Credential: m.credential, Method: "GET", Path: "/v1/forecast", Cost: verify.DefaultCost})
	if d.Code != policy.Revoked {
		t.Errorf("%s, want %s", d.Code, policy.Revoked)
	}
}
