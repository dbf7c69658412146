package lanyard_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
)

// signer makes assertions, and is the server that has their keys.
type signer struct {
	key     *ecdsa.PrivateKey
	away    atomic.Bool
	fetched atomic.Int64
	serial  int
}

func (s *signer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.fetched.Add(1)
	if s.away.Load() {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	point, err := s.key.PublicKey.Bytes()
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	text := base64.RawURLEncoding.EncodeToString
	_, _ = fmt.Fprintf(w, `{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","kid":"ours","x":%q,"y":%q}]}`, text(point[1:33]), text(point[33:]))
}

// assertion is one of its own, never the same twice.
func (s *signer) assertion(t *testing.T, kid string, now time.Time) string {
	t.Helper()
	s.serial++
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := part(map[string]string{"alg": "ES256", "typ": "lanyard-assertion+jwt", "kid": kid}) + "." +
		part(map[string]any{"aud": "https://api.test", "iat": now.Unix(), "exp": now.Unix() + 60, "user": fmt.Sprint(s.serial)})
	sum := sha256.Sum256([]byte(text))
	r, v, err := ecdsa.Sign(rand.Reader, s.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	v.FillBytes(signature[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature[:])
}

// TestUpstreamFetchesSeldom: neither keys that nobody knows nor a server that is away make an upstream ask more than once in ten seconds, and who has a
// key goes on with it for ten minutes.
func TestUpstreamFetchesSeldom(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &signer{key: key}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	now := time.Now()
	guard := &lanyard.Upstream{URL: server.URL, Audience: "https://api.test", Now: func() time.Time { return now }}
	handler := guard.Guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for i, step := range []struct {
		after   time.Duration
		kid     string
		away    bool
		status  int
		fetches int64 // in all
	}{
		{0, "ours", true, 503, 1},
		{0, "ours", false, 503, 1}, // it is not asked again at once
		{10*time.Second - 1, "theirs", false, 503, 1},
		{1, "ours", false, 200, 2},
		{0, "ours", false, 200, 2},
		{0, "theirs", false, 401, 2},
		{10*time.Second - 1, "nobody's", false, 401, 2},
		{1, "nobody's", false, 401, 3}, // it may be new
		{0, "theirs", false, 401, 3},
		{0, "", false, 401, 3},
		{5*time.Minute - 1, "ours", false, 200, 3},
		{1, "ours", true, 200, 4}, // old, and good enough while the server is away
		{9 * time.Second, "ours", true, 200, 4},
		{time.Second, "ours", true, 200, 5},
		{0, "theirs", true, 401, 5},
		{5*time.Minute - 11*time.Second, "ours", true, 200, 6},
		{time.Second, "ours", true, 503, 6}, // ten minutes: it may have been taken back
		{10 * time.Second, "ours", true, 503, 7},
		{10 * time.Second, "ours", false, 200, 8},
	} {
		now = now.Add(step.after)
		s.away.Store(step.away)
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		req.Header.Set("X-Lanyard-Assertion", s.assertion(t, step.kid, now))
		rec := httptest.NewRecorder()
		if handler.ServeHTTP(rec, req); rec.Code != step.status || s.fetched.Load() != step.fetches {
			t.Errorf("step %d, %s: %d after %d fetches, want %d after %d", i, step.kid, rec.Code, s.fetched.Load(), step.status, step.fetches)
		}
	}
}
