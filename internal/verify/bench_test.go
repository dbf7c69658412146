package verify_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// BenchmarkVerify is one decision on a remembered key in process: unmetered, and counted by a recorder that does nothing.
func BenchmarkVerify(b *testing.B) {
	for _, api := range []string{"open", "weather"} {
		b.Run(api, func(b *testing.B) {
			w := newWorld(b)
			credential := w.key(keySpec{scopes: []string{"forecast.read"}}).credential
			req := verify.Request{Credential: credential, API: api, Scopes: []string{scopeOf(api)}, Cost: verify.DefaultCost}
			var d verify.Decision
			b.ReportAllocs()
			for b.Loop() {
				if err := w.v.Verify(context.Background(), &req, &d); err != nil || d.Code != policy.Valid && api == "weather" {
					b.Fatal(err, d.Code)
				}
			}
		})
	}
}

// TestVerifyAllocates holds the hot path to four allocations a decision.
func TestVerifyAllocates(t *testing.T) {
	w := newWorld(t)
	credential := w.key(keySpec{scopes: []string{"forecast.read"}}).credential
	req := verify.Request{Credential: credential, API: "weather", Method: "GET", Path: "/v1/forecast", Cost: verify.DefaultCost}
	var d verify.Decision
	got := testing.AllocsPerRun(200, func() {
		if err := w.v.Verify(context.Background(), &req, &d); err != nil || !d.Allowed() {
			t.Fatalf("Verify = %v, %v, want allowed", d.Code, err)
		}
	})
	if got > 4 {
		t.Errorf("Verify allocates %.0f times a decision, want at most 4", got)
	}
}

// TestMemoryPerKey holds a remembered key with one scope and no metadata below 600 bytes, all told.
func TestMemoryPerKey(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 4000
	}
	w := newWorld(t)
	credentials := w.keys(n, keySpec{scopes: []string{"forecast.read"}})
	var d verify.Decision
	ask := func(credential string) {
		req := verify.Request{Credential: credential, API: "open", Cost: verify.DefaultCost}
		if err := w.v.Verify(context.Background(), &req, &d); err != nil || !d.Identified {
			t.Fatalf("Verify = %v, %v, want an identified key", d.Code, err)
		}
	}
	ask(credentials[0])
	before := heap()
	for _, c := range credentials {
		ask(c)
	}
	per := float64(heap()-before) / float64(n)
	t.Logf("%.0f bytes a remembered key", per)
	if per >= 600 {
		t.Errorf("a remembered key takes %.0f bytes, want below 600", per)
	}
	runtime.KeepAlive(w)
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func scopeOf(api string) string {
	if api == "open" {
		return "news.read"
	}
	return "forecast.read"
}

// BenchmarkVerifyToken is one decision on a remembered access token in process, in each of its forms.
func BenchmarkVerifyToken(b *testing.B) {
	w := newWorld(b)
	p := w.person("ada@example.com")
	// A revocation in memory is the ordinary case.
	w.must(w.st.RevokeToken(context.Background(), id.New[id.Token](), w.clock.Now().Add(time.Hour), w.event("token.revoke")))
	w.sync()
	forms := w.forms(w.claims(p, "messages.read"))
	forms["personal"] = w.personal(p, patSpec{scopes: []string{"messages.read"}}).text
	for _, form := range []string{"jwt", "opaque", "personal"} {
		b.Run(form, func(b *testing.B) {
			req := verify.Request{Credential: forms[form], API: "mail", Method: "GET", Path: "/v1/messages", Cost: verify.DefaultCost}
			var d verify.Decision
			b.ReportAllocs()
			for b.Loop() {
				if err := w.v.Verify(context.Background(), &req, &d); err != nil || d.Code != policy.Valid {
					b.Fatal(err, d.Code)
				}
			}
		})
	}
}

// TestVerifyTokenAllocates holds decisions on tokens to five allocations.
func TestVerifyTokenAllocates(t *testing.T) {
	w := newWorld(t)
	p := w.person("ada@example.com")
	w.must(w.st.RevokeToken(context.Background(), id.New[id.Token](), w.clock.Now().Add(time.Hour), w.event("token.revoke")))
	w.sync()
	for form, text := range w.forms(w.claims(p, "messages.read")) {
		req := verify.Request{Credential: text, API: "mail", Method: "GET", Path: "/v1/messages", Cost: verify.DefaultCost}
		var d verify.Decision
		got := testing.AllocsPerRun(200, func() {
			if err := w.v.Verify(context.Background(), &req, &d); err != nil || !d.Allowed() {
				t.Fatalf("Verify = %v, %v, want allowed", d.Code, err)
			}
		})
		if got > 5 {
			t.Errorf("%s: Verify allocates %.0f times a decision, want at most 5", form, got)
		}
	}
}
