package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/usage"
	"github.com/lanyard-auth/lanyard/internal/user"
)

func aPersonal(u id.User) *key.Personal {
	p := &key.Personal{
		ID: id.New[id.Key](), User: u, Name: "laptop", Mode: secret.Live, Prefix: "lyd", Scopes: []string{"weather.read"},
		Pepper: 1, CreatedAt: t0, ExpiresAt: t0.Add(key.PersonalLife),
	}
	p.Restrictions.Operations = []string{"GET /forecast"}
	p.Digest = digest(string(p.ID))
	return p
}

func newPersonal(tb testing.TB, st *store.Store, u id.User, alter ...func(*key.Personal)) *key.Personal {
	tb.Helper()
	p := aPersonal(u)
	for _, change := range alter {
		change(p)
	}
	must(tb, second(st.CreatePersonal(ctx, p, event("personal.create"))))
	return p
}

func TestPersonalRefusals(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		mine := newPersonal(t, w.Store, w.dev)
		before := head(t, w.Store)
		wantKind(t, "CreatePersonal for nobody", second(w.CreatePersonal(ctx, aPersonal(id.New[id.User]()), event("refused"))), fault.NotFound)
		twice := aPersonal(w.owner)
		twice.Digest = mine.Digest
		wantKind(t, "CreatePersonal of a digest that stands", second(w.CreatePersonal(ctx, twice, event("refused"))), fault.Conflict)
		nobody := id.New[id.Key]()
		wantKind(t, "Personal of nothing", second(w.Personal(ctx, w.dev, nobody)), fault.NotFound)
		wantKind(t, "PersonalForDecision of nothing", second(w.PersonalForDecision(ctx, nobody)), fault.NotFound)
		wantKind(t, "PersonalForDecision of a key", second(w.PersonalForDecision(ctx, w.ourKey)), fault.NotFound)
		wantKind(t, "Personal of another user", second(w.Personal(ctx, w.owner, mine.ID)), fault.NotFound)
		wantKind(t, "RevokePersonal of another user", third(w.RevokePersonal(ctx, w.owner, mine.ID, "x", event("refused"))), fault.NotFound)
		must(t, w.UpgradePersonal(ctx, mine.ID, digest("stale"), 2, digest("new")))
		got, err := w.Personal(ctx, w.dev, mine.ID)
		if diff := cmp.Diff(mine, got); err != nil || diff != "" {
			t.Errorf("Personal after refusals: %v, -want +got:\n%s", err, diff)
		}
		if entries := since(t, w.Store, before); len(entries) > 0 || len(auditLines(t, w.Store, "refused")) > 0 {
			t.Errorf("refusals left entries %v or audit lines", entries)
		}
	})
}

func TestPersonal(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		before := head(t, w.Store)
		p := newPersonal(t, w.Store, w.dev)
		if diff := cmp.Diff([]string{entry(changes.Key, string(p.ID))}, since(t, w.Store, before)); diff != "" {
			t.Errorf("CreatePersonal: entries -want +got:\n%s", diff)
		}
		absorb(t, w.Store, usage.Event{At: t0.UnixMicro(), Key: p.ID, User: w.dev, API: "weather", Operation: "GET /forecast", Outcome: "valid", Network: "203.0.113.0/24", Units: 1})
		must(t, w.UpgradePersonal(ctx, p.ID, p.Digest, 2, digest("upgraded")))
		p.Digest, p.Pepper = digest("upgraded"), 2
		p.LastUsed = key.LastUsed{At: t0, Network: "203.0.113.0/24", API: "weather", Operation: "GET /forecast"}
		for _, of := range []id.User{w.dev, ""} {
			got, err := w.Personal(ctx, of, p.ID)
			if diff := cmp.Diff(p, got); err != nil || diff != "" {
				t.Errorf("Personal of %q: %v, -want +got:\n%s", of, err, diff)
			}
		}
		before = head(t, w.Store)
		ev := event("personal.revoke")
		revoked, rev, err := w.RevokePersonal(ctx, w.dev, p.ID, "lost", ev)
		if err != nil || rev != before+2 || !revoked.RevokedAt.Equal(t0) || revoked.RevokeReason != "lost" {
			t.Errorf("RevokePersonal = %+v, %d, %v, want it revoked at revision %d", revoked, rev, err, before+2)
		}
		if diff := cmp.Diff([]string{entry(changes.Key, string(p.ID)), entry(changes.Revocation, string(p.ID))}, since(t, w.Store, before)); diff != "" {
			t.Errorf("RevokePersonal: entries -want +got:\n%s", diff)
		}
		if got := revokedNow(t, w.Store, string(p.ID)); len(got) != 1 {
			t.Error("nodes do not remember the revocation")
		}
		later := event("personal.revoke")
		later.At = t0.Add(time.Hour)
		again, second, err := w.RevokePersonal(ctx, "", p.ID, "again", later)
		if err != nil || second != rev || !again.RevokedAt.Equal(t0) || again.RevokeReason != "lost" {
			t.Errorf("RevokePersonal again = %+v, %d, %v, want what was at %d", again, second, err, rev)
		}
		if lines := auditLines(t, w.Store, "personal.revoke"); len(lines) != 1 {
			t.Errorf("%d audit lines of one revocation, want 1", len(lines))
		}
		dead, err := w.PersonalForDecision(ctx, p.ID)
		if diff := cmp.Diff(again, dead); err != nil || diff != "" {
			t.Errorf("PersonalForDecision of a revoked token: %v, -want +got:\n%s", err, diff)
		}
	})
}

// Each token is told of once a week before and once a day before, by whichever node comes first.
func TestExpiringPersonal(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		nodes := []*store.Store{db.open(t), db.open(t)}
		w := newWorld(t, nodes[0])
		day := 24 * time.Hour
		newPersonal(t, w.Store, w.dev, func(p *key.Personal) { p.ExpiresAt = t0 })                   // has expired
		newPersonal(t, w.Store, w.dev, func(p *key.Personal) { p.ExpiresAt = t0.Add(7*day + 1000) }) // later
		over := newPersonal(t, w.Store, w.dev, func(p *key.Personal) { p.ExpiresAt = t0.Add(day) })
		must(t, third(w.RevokePersonal(ctx, w.dev, over.ID, "", event("revoke"))))
		newPersonal(t, w.Store, w.billing, func(p *key.Personal) { p.ExpiresAt = t0.Add(day) })
		must(t, third(w.UpdateUser(ctx, w.billing, event("disable"), func(u *user.User) error { u.DisabledAt = t0; return nil })))
		newPersonal(t, w.Store, w.owner, func(p *key.Personal) { p.ExpiresAt = t0.Add(day) }) // of an epoch that is over
		must(t, third(w.UpdateUser(ctx, w.owner, event("raise"), func(u *user.User) error { u.Epoch++; return nil })))
		if got, err := w.ExpiringPersonal(ctx, key.Expiring{Now: t0, Days: 7, Limit: 100}); err != nil || len(got) > 0 {
			t.Errorf("ExpiringPersonal = %d, %v, want none of those that ended, end later, or are their user's no more", len(got), err)
		}
		if warned, err := w.WarnPersonal(ctx, over.ID, 1, *aLetter(), t0); warned || err != nil {
			t.Errorf("WarnPersonal of a revoked token = %t, %v, want false", warned, err)
		}
		for round := range rounds() {
			const each = 20
			for i := range each {
				newPersonal(t, w.Store, w.dev, func(p *key.Personal) { p.ExpiresAt = t0.Add(day - time.Duration(i/2)*time.Minute) })
			}
			for _, days := range []int{7, 1} {
				before := deliveries(t, db)
				won := 0
				for _, mine := range race(8, func(i int) int { return warnAll(t, nodes[i%2], w.dev, days) }) {
					won += mine
				}
				if posted := deliveries(t, db) - before; won != each || posted != each {
					t.Errorf("round %d: %d tokens told of at %d days by %d letters, want %d", round, won, days, posted, each)
				}
			}
			if got, err := w.ExpiringPersonal(ctx, key.Expiring{Now: t0, Days: 7, Limit: 100}); err != nil || len(got) > 0 {
				t.Errorf("ExpiringPersonal of 7 days after that of 1 = %s, %v, want none", fmt.Sprint(len(got)), err)
			}
		}
	})
}

// warnAll warns of every token of a user that ends so soon, as a node does, and returns of how many it did.
func warnAll(t *testing.T, st *store.Store, u id.User, days int) (won int) {
	of := key.Expiring{Now: t0, Days: days, Limit: 7}
	for {
		tokens, err := st.ExpiringPersonal(ctx, of)
		if err != nil || len(tokens) > of.Limit {
			t.Errorf("ExpiringPersonal = %d, %v, want at most %d", len(tokens), err, of.Limit)
		}
		for _, p := range tokens {
			if p.User != u || p.Name != "laptop" {
				t.Errorf("ExpiringPersonal has %+v, want the token whole", p)
			}
			warned, err := st.WarnPersonal(ctx, p.ID, days, *aLetter(), t0)
			if err != nil {
				t.Errorf("WarnPersonal = %v", err)
			}
			if warned {
				won++
			}
			of.After, of.AfterID = p.ExpiresAt, p.ID
		}
		if len(tokens) < of.Limit {
			return won
		}
	}
}

// A warning whose letter cannot be kept was not given: it is due as before.
func TestWarnPersonalFault(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w, raw := newWorld(t, db.open(t)), db.raw(t)
		p := newPersonal(t, w.Store, w.dev, func(p *key.Personal) { p.ExpiresAt = t0.Add(time.Hour) })
		must(t, second(raw.ExecContext(ctx, `ALTER TABLE delivery RENAME TO away`)))
		if warned, err := w.WarnPersonal(ctx, p.ID, 1, *aLetter(), t0); warned || err == nil {
			t.Errorf("WarnPersonal without the table of letters = %t, %v, want an error", warned, err)
		}
		must(t, second(raw.ExecContext(ctx, `ALTER TABLE away RENAME TO delivery`)))
		if n := warnAll(t, w.Store, w.dev, 1); n != 1 || deliveries(t, db) != 1 {
			t.Errorf("afterwards %d are warned of by %d letters, want one", n, deliveries(t, db))
		}
	})
}
