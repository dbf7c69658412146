package storetest

import (
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
)

// What the administration looks for: lines of the audit log by who acted and when, keys that end soon, apps by origin.
func TestSearches(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		server := audit.ServerReach()
		audited := func(f audit.Filter) int {
			f.Action, f.Limit = "audit CreateKeys", 100
			events, err := w.Audit(ctx, server, f)
			must(t, err)
			return len(events)
		}
		ending := func(team id.Team, days int) []id.Key {
			found, err := w.Keys(ctx, audit.TeamReach(team), key.Filter{EndsAfter: t0, EndsBefore: t0.AddDate(0, 0, days), Limit: 10})
			must(t, err)
			var ids []id.Key
			for _, k := range found {
				ids = append(ids, k.ID)
			}
			return ids
		}
		late, soon, over, revoked := aKey(w.ourApp, w.ours), aKey(w.ourApp, w.ours), aKey(w.ourApp, w.ours), aKey(w.ourApp, w.ours)
		late.ExpiresAt, soon.ExpiresAt, over.ExpiresAt, revoked.ExpiresAt = t0.AddDate(0, 0, 9), t0.AddDate(0, 0, 2), t0.AddDate(0, 0, -1), t0.AddDate(0, 0, 1)
		ev := event("audit CreateKeys")
		must(t, second(w.CreateKeys(ctx, []*key.Key{late, soon, over, revoked}, ev)))
		_, _, err := w.UpdateKey(ctx, server, revoked.ID, event("key.revoke"), func(k *key.Key) error { k.RevokedAt = t0; return nil })
		must(t, err)
		if got := ending(w.ours, 10); len(got) != 2 || got[0] != soon.ID || got[1] != late.ID {
			t.Errorf("Keys that end within 10 days = %v, want %s, then %s", got, soon.ID, late.ID)
		}
		if got := ending(w.ours, 3); len(got) != 1 || got[0] != soon.ID {
			t.Errorf("Keys that end within 3 days = %v, want %s", got, soon.ID)
		}
		if got := ending(w.theirs, 10); len(got) != 0 {
			t.Errorf("Keys of another team that end = %v, want none", got)
		}
		for name, test := range map[string]struct {
			filter audit.Filter
			want   bool
		}{
			"actor": {audit.Filter{Actor: ev.Actor}, true}, "another actor": {audit.Filter{Actor: ev.Actor + "x"}, false},
			"from then": {audit.Filter{From: ev.At, To: ev.At.Add(time.Microsecond)}, true}, "from later": {audit.Filter{From: ev.At.Add(time.Microsecond)}, false},
			"to then": {audit.Filter{To: ev.At}, false},
		} {
			if got := audited(test.filter); got > 0 != test.want {
				t.Errorf("Audit by %s = %d lines, want some: %v", name, got, test.want)
			}
		}
		registered := anApp(w.ours)
		registered.Origin = app.DCR
		must(t, second(w.CreateApp(ctx, registered, event("app.create"))))
		apps, err := w.Apps(ctx, server, app.Filter{Origin: app.DCR, Limit: 10})
		if err != nil || len(apps) != 1 || apps[0].ID != registered.ID {
			t.Errorf("Apps that registered themselves = %v, %v, want %s", apps, err, registered.ID)
		}
	})
}
