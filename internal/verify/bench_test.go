package verify_test

import (
	"context"
	"runtime"
	"testing"

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
