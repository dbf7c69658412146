package extauthz_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestShutdown: what was asked is answered, then nothing is, and no goroutine of the listener stays.
func TestShutdown(t *testing.T) {
	w := newWorld(t, here)
	req := question("GET", forecast, "x-api-key: "+w.key.Secret)
	done := make(chan error, 1)
	go func() {
		for {
			if _, err := w.envoy.Check(t.Context(), req); err != nil {
				done <- err
				return
			}
		}
	}()
	if res, err := w.envoy.Check(t.Context(), req); err != nil || res.GetOkResponse() == nil {
		t.Fatalf("Check = %v, %v", res, err)
	}
	must(t, w.stop())
	if err := <-done; status.Code(err) != codes.Unavailable {
		t.Errorf("Check of a listener that ended = %v, want Unavailable", err)
	}
	stacks := make([]byte, 1<<20)
	for tries := 0; ; tries++ {
		text := string(stacks[:runtime.Stack(stacks, true)])
		if !strings.Contains(text, "internal/server/extauthz.(*Service)") && !strings.Contains(text, "http2.(*serverConn)") {
			return
		}
		if tries == 100 {
			t.Fatalf("goroutines of the listener stay:\n%s", text)
		}
		time.Sleep(10 * time.Millisecond) // the kernel tells of closed connections in its own time
	}
}
