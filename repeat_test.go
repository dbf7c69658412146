package lanyard

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestRepeats(t *testing.T) {
	busy := func(after string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", after)
			problemJSON(w, 503, `{"code":"unavailable","detail":"x"}`)
		}
	}
	broken := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	refused := func(w http.ResponseWriter, _ *http.Request) { problemJSON(w, 409, `{"code":"conflict"}`) }
	create := func(ctx context.Context, c *Client) error { _, err := c.CreateApp(ctx, AppInput{}); return err }
	rotate := func(ctx context.Context, c *Client) error {
		_, err := c.RotateKey(ctx, "key_1", RotateInput{})
		return err
	}
	verify := func(in VerifyRequest) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error { _, err := c.Verify(ctx, in); return err }
	}
	tests := []struct {
		name  string
		first http.HandlerFunc
		call  func(context.Context, *Client) error
		want  int // requests
	}{
		{"create, broken", broken, create, 2},
		{"create, 503 at once", busy("0"), create, 2},
		{"create, 503 in a while", busy("2"), create, 1},
		{"create, 503 who knows when", busy(""), create, 1},
		{"create, refused", refused, create, 1},
		{"rotate, broken", broken, rotate, 1},
		{"rotate, 503", busy("0"), rotate, 1},
		{"verify, broken", broken, verify(VerifyRequest{}), 1},
		{"verify that charges once, broken", broken, verify(VerifyRequest{IdempotencyKey: "a"}), 2},
		{"verify that charges nothing, broken", broken, verify(VerifyRequest{DryRun: true}), 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var mu sync.Mutex // a connection that breaks orders nothing
			var keys []string
			c := fake(t, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				keys = append(keys, r.Header.Get("Idempotency-Key"))
				n := len(keys)
				mu.Unlock()
				if body, err := io.ReadAll(r.Body); err != nil || !json.Valid(body) {
					t.Errorf("request %d has the body %q, %v", n, body, err)
				}
				if n == 1 {
					test.first(w, r)
					return
				}
				_, _ = io.WriteString(w, `{"allowed":true,"code":"valid","http":{"status":200}}`)
			})
			err := test.call(t.Context(), c)
			mu.Lock()
			defer mu.Unlock()
			if len(keys) != test.want || (err == nil) != (test.want == 2) {
				t.Fatalf("%d requests, %v; want %d", len(keys), err, test.want)
			}
			if test.want == 2 && keys[0] != keys[1] {
				t.Errorf("Idempotency-Key %q, then %q: want the same", keys[0], keys[1])
			}
			if strings.HasPrefix(test.name, "create") != (keys[0] != "") {
				t.Errorf("Idempotency-Key %q", keys[0])
			}
		})
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		began := time.Now()
		if err := wait(ctx, time.Second); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 300*time.Millisecond {
			t.Errorf("wait = %v after %v, want DeadlineExceeded after 300ms", err, time.Since(began))
		}
		if err := wait(t.Context(), time.Second); err != nil || time.Since(began) != 1300*time.Millisecond {
			t.Errorf("wait = %v after %v, want nil after another 1s", err, time.Since(began))
		}
	})
}
