package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/factor"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/store"
)

// aPassword is one that somebody chose, by no link.
func aPassword(u id.User, hash string, at time.Time) factor.NewPassword {
	return factor.NewPassword{Password: factor.Password{User: u, Hash: hash, Pepper: 1, ChangedAt: at}, Event: event("password.set"), Ended: event("session.end")}
}

func TestPasswords(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		first := factor.Password{User: w.dev, Hash: "first", Pepper: 1, ChangedAt: t0}
		before := head(t, w.Store)
		wantKind(t, "Password of one who has none", second(w.Password(ctx, w.dev)), fault.NotFound)
		wantKind(t, "SetPassword of nobody", second(w.SetPassword(ctx, aPassword(id.New[id.User](), "x", t0))), fault.NotFound)
		must(t, w.UpgradePassword(ctx, first, "")) // there is none to upgrade
		wantKind(t, "Password after an upgrade of none", second(w.Password(ctx, w.dev)), fault.NotFound)
		if head(t, w.Store) != before || len(auditLines(t, w.Store, "password.set")) > 0 {
			t.Error("refusals left entries or audit lines")
		}

		next := factor.Password{User: w.dev, Hash: "second", Pepper: 2, ChangedAt: t0.Add(time.Hour)}
		for i, p := range []factor.Password{first, next} {
			before := head(t, w.Store)
			rev, err := w.SetPassword(ctx, factor.NewPassword{Password: p, Event: event("password.set")})
			if diff := cmp.Diff([]string{entry(changes.User, string(w.dev))}, since(t, w.Store, before)); err != nil || diff != "" || rev != before+1 {
				t.Errorf("SetPassword = %d, %v; entries -want +got:\n%s", rev, err, diff)
			}
			if n := len(auditLines(t, w.Store, "password.set")); n != i+1 {
				t.Errorf("%d audit lines, want %d", n, i+1)
			}
			got, err := w.Password(ctx, w.dev)
			if diff := cmp.Diff(p, got); err != nil || diff != "" {
				t.Errorf("Password: %v, -want +got:\n%s", err, diff)
			}
		}
		before = head(t, w.Store)
		upgraded := factor.Password{User: w.dev, Hash: "upgraded", Pepper: 3, ChangedAt: t0.Add(5 * time.Hour)}
		must(t, w.UpgradePassword(ctx, upgraded, "first")) // it was changed meanwhile
		if got, err := w.Password(ctx, w.dev); err != nil || got != next {
			t.Errorf("Password after an upgrade that comes too late = %+v, %v, want %+v", got, err, next)
		}
		must(t, w.UpgradePassword(ctx, upgraded, "second"))
		upgraded.ChangedAt = next.ChangedAt // it is the same password
		if got, err := w.Password(ctx, w.dev); err != nil || got != upgraded {
			t.Errorf("Password after an upgrade = %+v, %v, want %+v", got, err, upgraded)
		}
		if got := since(t, w.Store, before); len(got) > 0 {
			t.Errorf("UpgradePassword left entries %v", got)
		}
		wantKind(t, "Password of another", second(w.Password(ctx, w.owner)), fault.NotFound)
	})
}

// Whoever logs in with the old password at the moment it is changed does not bring it back.
func TestPasswordUpgradeRace(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		nodes := []*store.Store{db.open(t), db.open(t)}
		w := newWorld(t, nodes[0])
		for range rounds() {
			must(t, second(w.SetPassword(ctx, aPassword(w.dev, "old", t0))))
			for _, err := range race(racers, func(i int) error {
				if i == 0 {
					return second(nodes[1].SetPassword(ctx, aPassword(w.dev, "new", t0.Add(1000))))
				}
				return nodes[i%2].UpgradePassword(ctx, factor.Password{User: w.dev, Hash: "old, upgraded", Pepper: 2}, "old")
			}) {
				must(t, err)
			}
			if got, err := w.Password(ctx, w.dev); err != nil || got.Hash != "new" {
				t.Errorf("Password = %+v, %v, want the new one", got, err)
			}
		}
	})
}
