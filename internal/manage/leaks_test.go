package manage

import (
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
)

// TestCheckLeaks: keys and client secrets within the team's reach, personal tokens within their user's and the server's; the rest is
// unknown.
func TestCheckLeaks(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	made, err := w.svc.CreateSecret(ctx, w.admin, w.a.app, lanyard.SecretInput{Name: "client"})
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{w.a.key, made.ID, w.a.token, w.b.key, w.b.token, "key_0000000000000000", "nonsense"}
	check := func(who string, as audit.Actor, want ...string) {
		t.Helper()
		got, err := w.svc.CheckLeaks(ctx, as, ids)
		if err != nil || len(got) != len(want) {
			t.Fatalf("CheckLeaks as %s = %v, %v", who, got, err)
		}
		for i := range want {
			if got[i].State != want[i] {
				t.Errorf("CheckLeaks of %s as %s = %s, want %s", ids[i], who, got[i].State, want[i])
			}
		}
	}
	owner := userActor(w.a.owner, w.a.team, everyScope()...)
	check("admin", w.admin, "live", "live", "live", "live", "live", "unknown", "unknown")
	check("owner of A", owner, "live", "live", "live", "unknown", "unknown", "unknown", "unknown")
	check("developer of A", userActor(w.a.developer, w.a.team, everyScope()...), "live", "live", "unknown", "unknown", "unknown", "unknown", "unknown")
	check("key of A", w.a.keyActor, "live", "live", "unknown", "unknown", "unknown", "unknown", "unknown")
	if _, err := w.svc.RevokeToken(ctx, owner, w.a.token, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := w.svc.RevokeKey(ctx, w.admin, made.ID, lanyard.RevokeInput{}); err != nil {
		t.Fatal(err)
	}
	check("owner of A", owner, "live", "dead", "dead", "unknown", "unknown", "unknown", "unknown")
}
