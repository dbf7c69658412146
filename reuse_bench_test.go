package lanyard

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// remembering is a guard that has asked about a request and may give the answer again.
func remembering(b *testing.B) (*followed, *gate, *http.Request) {
	b.Helper()
	w := follow(b)
	g := &gate{client: w.f.client, api: "weather", follower: w.f}
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/v1/forecast/Lagos", nil)
	r.Header.Set("X-Api-Key", credential(b, secret.Key, "a"))
	r.Header.Set("Accept", "application/json")
	res := httptest.NewRecorder()
	if g.serve(res, r, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})); res.Code != http.StatusOK {
		b.Fatalf("the guard answered %d %s, want 200", res.Code, res.Body)
	}
	return w, g, r
}

// wantOnce fails if more was asked about than the first request.
func wantOnce(b *testing.B, w *followed) {
	b.Helper()
	if n := w.count(); n != 1 {
		b.Errorf("%d requests were asked about, want the first alone", n)
	}
}

// BenchmarkLocalDecision is what it takes to find an answer that holds for a request again.
func BenchmarkLocalDecision(b *testing.B) {
	w, g, r := remembering(b)
	credentials, err := FromRequest(r, CredentialOptions{})
	if err != nil {
		b.Fatal(err)
	}
	ip := ClientIP(r, nil)
	b.ReportAllocs()
	for b.Loop() {
		a := admission{question: g.question(r, r.URL.Path, ip), credentials: credentials}
		if err := g.ask(r, &a, ip); err != nil || !a.who.Decision.Allowed {
			b.Fatalf("ask() = %v, %v, want who calls", a.who, err)
		}
	}
	wantOnce(b, w)
}

// BenchmarkRequireLocal is the whole guard around a handler that does nothing, when it need not ask; and that handler alone.
func BenchmarkRequireLocal(b *testing.B) {
	nothing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	b.Run("guarded", func(b *testing.B) {
		w, g, r := remembering(b)
		b.ReportAllocs()
		for b.Loop() {
			g.serve(httptest.NewRecorder(), r, nothing)
		}
		wantOnce(b, w)
	})
	b.Run("bare", func(b *testing.B) {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/v1/forecast/Lagos", nil)
		b.ReportAllocs()
		for b.Loop() {
			nothing.ServeHTTP(httptest.NewRecorder(), r)
		}
	})
}
