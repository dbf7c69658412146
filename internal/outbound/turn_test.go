package outbound

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// TestTurns: two at once to one host, three in all; a crowd at one host leaves room for the others.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newTurns(3, 2)
		take := func(host string) func() {
			t.Helper()
			done, err := all.take(t.Context(), host)
			if err != nil {
				t.Fatal(err)
			}
			return done
		}
		refused := func(host string) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), 1)
			defer cancel()
			if _, err := all.take(ctx, host); !fault.Is(err, fault.Unavailable) {
				t.Errorf("take(%s) = %v, want unavailable", host, err)
			}
		}
		first, second := take("slow"), take("slow")
		refused("slow")
		other := take("other")
		refused("third")
		entered := make(chan func())
		go func() { done, _ := all.take(t.Context(), "slow"); entered <- done }()
		synctest.Wait()
		first()
		(<-entered)()
		second()
		other()
		if len(all.hosts) != 0 || len(all.all) != 0 {
			t.Errorf("%d hosts and %d turns are left over, want none", len(all.hosts), len(all.all))
		}
	})
}
