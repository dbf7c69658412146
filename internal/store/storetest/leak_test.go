package storetest

import (
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/leak"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/store"
)

func aLeak(keyID id.Key, version int, team id.Team) *leak.Leak {
	return &leak.Leak{ID: id.New[id.Leak](), Key: keyID, Version: version, Team: team, Kind: secret.Key, Name: "production", Place: "https://git.example/a", FoundAt: t0}
}

func aReport(target id.Key, team id.Team) leak.Report {
	line := func(action string) audit.Event {
		return audit.Actor{Label: "leak report"}.New(t0, action, string(target), team, map[string]string{})
	}
	return leak.Report{Rule: leak.Rule{Policy: leak.Revoke}, Reason: "leaked", Mails: []leak.Mail{{ID: id.New[id.Message](), Sealed: []byte("letter")}}, Leaked: line("key.leak"), Revoked: line("key.revoke")}
}

// under is a report by another rule.
func under(report leak.Report, rule leak.Rule) leak.Report {
	report.Rule = rule
	return report
}

// However many report a secret at once, on however many nodes, it is ended once, with one mail and one pair of lines.
func TestLeakRace(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		nodes := []*store.Store{db.open(t), db.open(t)}
		w := newWorld(t, nodes[0])
		wantKind(t, "a leak of no key", third(w.LeakOfKey(ctx, aLeak(id.New[id.Key](), 1, w.ours), aReport("key_x", w.ours))), fault.NotFound)
		hook := newHook(t, w.Store, w.ours, "key.leaked", "key.revoked")
		firsts := 0
		for _, first := range race(8, func(i int) bool {
			first, _, err := nodes[i%2].LeakOfKey(ctx, aLeak(w.ourKey, 1, w.ours), aReport(w.ourKey, w.ours))
			if err != nil {
				t.Error(err)
			}
			return first
		}) {
			if first {
				firsts++
			}
		}
		k, err := w.Key(ctx, audit.ServerReach(), w.ourKey)
		mails, mailErr := w.ClaimMails(ctx, t0, time.Minute, 10)
		all, listErr := w.Leaks(ctx, audit.TeamReach(w.ours), leak.Filter{Limit: 10})
		if err != nil || mailErr != nil || listErr != nil || firsts != 1 || k.RevokedAt.IsZero() || k.RevokeReason != "leaked" || len(mails) != 1 || len(all) != 1 || all[0].Outcome != leak.Revoked {
			t.Errorf("%d were first; key %+v, %v; %d mails, %v; leaks %+v, %v", firsts, k, err, len(mails), mailErr, all, listErr)
		}
		if n, m := len(auditLines(t, w.Store, "key.leak")), len(auditLines(t, w.Store, "key.revoke")); n != 1 || m != 1 {
			t.Errorf("%d and %d lines, want one each", n, m)
		}
		if due := claimed(t, w.Store, t0); len(due) != 2 || due[0].Webhook != hook.ID {
			t.Errorf("%d messages are on their way, want key.leaked and key.revoked", len(due))
		}
		if all, err := w.Leaks(ctx, audit.TeamReach(w.theirs), leak.Filter{Limit: 10}); err != nil || len(all) != 0 {
			t.Errorf("another team sees %d leaks, %v", len(all), err)
		}
	})
}

// A secret that was rotated away ends alone, one that is dead changes nothing, and what may be seen works on.
func TestLeakOutcomes(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		server := audit.ServerReach()
		must(t, third(w.UpdateKey(ctx, server, w.ourKey, event("key.rotate"), func(k *key.Key) error {
			return k.Rotate(t0, time.Hour, key.Version{Digest: digest("second"), Scheme: key.SchemeMAC, Pepper: 1})
		})))
		must(t, third(w.LeakOfKey(ctx, aLeak(w.ourKey, 1, w.ours), aReport(w.ourKey, w.ours))))
		k, err := w.Key(ctx, server, w.ourKey)
		if err != nil || !k.RevokedAt.IsZero() || k.Versions[0].RevokedAt.IsZero() || !k.Versions[1].RevokedAt.IsZero() {
			t.Errorf("after a leak of the old secret: %+v, %v, want that alone ended", k, err)
		}
		must(t, third(w.UpdateKey(ctx, server, w.ourKey, event("key.revoke"), func(k *key.Key) error { return k.Revoke(t0, "by hand", 0) })))
		dead := aLeak(w.ourKey, 2, w.ours)
		must(t, third(w.LeakOfKey(ctx, dead, aReport(w.ourKey, w.ours))))
		pub := aKey(w.theirApp, w.theirs)
		pub.Kind = secret.Publishable
		must(t, second(w.CreateKeys(ctx, []*key.Key{pub}, event("key.create"))))
		told := aLeak(pub.ID, 1, w.theirs)
		told.Kind = secret.Publishable
		must(t, third(w.LeakOfKey(ctx, told, under(aReport(pub.ID, w.theirs), leak.Rule{Policy: leak.Notify}))))
		k, err = w.Key(ctx, server, pub.ID)
		if err != nil || !k.RevokedAt.IsZero() || dead.Outcome != leak.DeadByNow || told.Outcome != leak.Told {
			t.Errorf("publishable %+v, %v; outcomes %s and %s", k, err, dead.Outcome, told.Outcome)
		}
		p := aPersonal(w.owner)
		must(t, second(w.CreatePersonal(ctx, p, event("token.create"))))
		l := &leak.Leak{ID: id.New[id.Leak](), Key: p.ID, User: w.owner, Kind: secret.Personal, FoundAt: t0}
		for _, want := range []leak.Outcome{leak.Revoked, leak.DeadByNow} { // the second time it is known and dead
			if first, _, err := w.LeakOfToken(ctx, l, aReport(p.ID, "")); first != (want == leak.Revoked) || err != nil || l.Outcome != want {
				t.Errorf("LeakOfToken = %t, %v, %s, want %s", first, err, l.Outcome, want)
			}
		}
		if got, err := w.Personal(ctx, w.owner, p.ID); err != nil || got.RevokedAt.IsZero() {
			t.Errorf("the token is %+v, %v, want it revoked", got, err)
		}
		if mails, err := w.ClaimMails(ctx, t0, time.Minute, 10); err != nil || len(mails) != 3 {
			t.Errorf("%d mails, %v, want one for each that was not dead", len(mails), err)
		}
	})
}
