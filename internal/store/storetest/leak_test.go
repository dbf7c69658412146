package storetest

import (
	"bytes"
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

// waiting puts a leak of a key under notice of an hour.
func waiting(t *testing.T, st *store.Store, keyID id.Key, version int, team id.Team) *leak.Leak {
	t.Helper()
	l := aLeak(keyID, version, team)
	first, _, err := st.LeakOfKey(ctx, l, under(aReport(keyID, team), leak.Rule{Policy: leak.RevokeAfter, After: time.Hour}))
	if err != nil || !first || l.Outcome != leak.Waiting || !l.DueAt.Equal(t0.Add(time.Hour)) {
		t.Fatalf("LeakOfKey under notice = %t, %v, %+v", first, err, l)
	}
	return l
}

func ending(l *leak.Leak, at time.Time) audit.Event {
	return audit.Actor{Label: "leak report"}.New(at, "key.revoke", string(l.Key), l.Team, map[string]string{"reason": "leaked"})
}

func due(t *testing.T, st *store.Store, at time.Time) []*leak.Leak {
	t.Helper()
	all, err := st.DueLeaks(ctx, at, 100)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// When its time comes a leaked key is ended once, by one of however many nodes look, and not a moment sooner.
func TestLeakDueRace(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		nodes := []*store.Store{db.open(t), db.open(t)}
		w, when := newWorld(t, nodes[0]), t0.Add(time.Hour)
		newHook(t, w.Store, w.ours, "key.revoked")
		l := waiting(t, w.Store, w.ourKey, 1, w.ours)
		if early := due(t, w.Store, when.Add(-time.Microsecond)); len(early) != 0 {
			t.Errorf("%d leaks are due before their time", len(early))
		}
		if done, _, err := w.EndLeak(ctx, l, when.Add(-time.Microsecond), "leaked", ending(l, when)); done || err != nil {
			t.Errorf("EndLeak before its time = %t, %v", done, err)
		}
		found := due(t, w.Store, when)
		if len(found) != 1 || found[0].ID != l.ID || !found[0].DueAt.Equal(when) {
			t.Fatalf("DueLeaks = %+v, want the one", found)
		}
		ended := 0
		for _, done := range race(8, func(i int) bool {
			done, rev, err := nodes[i%2].EndLeak(ctx, found[0], when, "leaked", ending(l, when))
			if err != nil || done != (rev > 0) {
				t.Errorf("EndLeak = %t, revision %d, %v", done, rev, err)
			}
			return done
		}) {
			if done {
				ended++
			}
		}
		k, err := w.Key(ctx, audit.ServerReach(), w.ourKey)
		if err != nil || ended != 1 || !k.RevokedAt.Equal(when) || k.RevokeReason != "leaked" || len(auditLines(t, w.Store, "key.revoke")) != 1 || len(claimed(t, w.Store, when)) != 1 || len(due(t, w.Store, when)) != 0 {
			t.Errorf("%d ended it; key %+v, %v, want once, with one line and one message", ended, k, err)
		}
		if all, err := w.Leaks(ctx, audit.TeamReach(w.ours), leak.Filter{Limit: 10}); err != nil || len(all) != 1 || all[0].Outcome != leak.Revoked || !all[0].DueAt.Equal(when) {
			t.Errorf("the leak is %+v, %v, want it revoked, with when that was to be", all, err)
		}
	})
}

// What the owners do before the time has come stands: a new secret lives on, what is dead is not killed, what is disabled does not come back.
func TestLeakDueOutcomes(t *testing.T) {
	rotated := func(overlap time.Duration) func(*key.Key) error {
		return func(k *key.Key) error {
			return k.Rotate(t0, overlap, key.Version{Digest: digest("second of " + string(k.ID)), Scheme: key.SchemeMAC, Pepper: 1})
		}
	}
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		server, when := audit.ServerReach(), t0.Add(time.Hour)
		for _, tt := range []struct {
			what    string
			alter   func(*key.Key) error
			outcome leak.Outcome
			whole   bool // the key is revoked
			alone   bool // the secret that leaked is, on its own
		}{
			{"nothing", func(*key.Key) error { return nil }, leak.Revoked, true, false},
			{"disabled", func(k *key.Key) error { return k.Disable(t0) }, leak.Revoked, true, false},
			{"rotated, and the old secret still works", rotated(2 * time.Hour), leak.Revoked, false, true},
			{"rotated, and the old secret has ended", rotated(time.Minute), leak.Mended, false, false},
			{"rotated twice", func(k *key.Key) error {
				if err := rotated(2 * time.Hour)(k); err != nil {
					return err
				}
				return k.Rotate(t0, 2*time.Hour, key.Version{Digest: digest("third of " + string(k.ID)), Scheme: key.SchemeMAC, Pepper: 1})
			}, leak.Revoked, false, true},
			{"rotated and taken back", func(k *key.Key) error {
				if err := rotated(2 * time.Hour)(k); err != nil {
					return err
				}
				return k.UndoRotation(t0)
			}, leak.Revoked, true, false},
			{"the secret revoked", func(k *key.Key) error { return k.Revoke(t0, "by hand", 1) }, leak.Mended, false, true},
			{"the key revoked", func(k *key.Key) error { return k.Revoke(t0, "by hand", 0) }, leak.Mended, true, false},
			{"expired", func(k *key.Key) error { k.ExpiresAt = t0.Add(time.Minute); return nil }, leak.Mended, false, false},
			{"deleted", func(k *key.Key) error { k.Delete(t0); return nil }, leak.Mended, true, false},
		} {
			k := aKey(w.ourApp, w.ours)
			must(t, second(w.CreateKeys(ctx, []*key.Key{k}, event("key.create"))))
			l := waiting(t, w.Store, k.ID, 1, w.ours)
			must(t, third(w.UpdateKey(ctx, server, k.ID, event("key.change"), tt.alter)))
			before := len(auditLines(t, w.Store, "key.revoke"))
			if found := due(t, w.Store, when); len(found) != 1 || found[0].ID != l.ID {
				t.Fatalf("%s: DueLeaks = %+v, want the one", tt.what, found)
			}
			done, rev, err := w.EndLeak(ctx, l, when, "leaked", ending(l, when))
			if !done || err != nil || (rev > 0) != (tt.outcome == leak.Revoked) {
				t.Errorf("%s: EndLeak = %t, revision %d, %v", tt.what, done, rev, err)
			}
			now, err := w.KeyForDecision(ctx, k.ID)
			if err != nil || now.RevokedAt.IsZero() == tt.whole || now.Versions[0].RevokedAt.IsZero() == tt.alone {
				t.Errorf("%s: the key is %+v, %v", tt.what, now, err)
			}
			for i := range now.Versions[1:] {
				if v := now.Versions[i+1]; tt.what != "rotated and taken back" && !v.RevokedAt.IsZero() {
					t.Errorf("%s: the secret %d, which nobody found, is revoked", tt.what, v.Number)
				}
			}
			if lines := len(auditLines(t, w.Store, "key.revoke")) - before; (lines == 1) != (tt.outcome == leak.Revoked) {
				t.Errorf("%s: %d lines, outcome %s", tt.what, lines, tt.outcome)
			}
			if got := outcomeOfLeak(t, w.Store, l.ID); got != tt.outcome {
				t.Errorf("%s: outcome %s, want %s", tt.what, got, tt.outcome)
			}
			if len(due(t, w.Store, when)) != 0 {
				t.Errorf("%s: it is still due", tt.what)
			}
		}
		p := aPersonal(w.owner)
		must(t, second(w.CreatePersonal(ctx, p, event("token.create"))))
		l := &leak.Leak{ID: id.New[id.Leak](), Key: p.ID, User: w.owner, Kind: secret.Personal, FoundAt: t0}
		if first, _, err := w.LeakOfToken(ctx, l, under(aReport(p.ID, ""), leak.Rule{Policy: leak.RevokeAfter, After: time.Hour})); !first || err != nil || l.Outcome != leak.Waiting {
			t.Errorf("LeakOfToken under notice = %t, %v, %s", first, err, l.Outcome)
		}
		if done, _, err := w.EndLeak(ctx, due(t, w.Store, when)[0], when, "leaked", ending(l, when)); !done || err != nil {
			t.Errorf("EndLeak of a token = %t, %v", done, err)
		}
		if got, err := w.Personal(ctx, w.owner, p.ID); err != nil || !got.RevokedAt.Equal(when) || outcomeOfLeak(t, w.Store, l.ID) != leak.Revoked {
			t.Errorf("the token is %+v, %v, want it revoked", got, err)
		}
		if mine, err := w.LeaksOfUser(ctx, w.owner, 10); err != nil || len(mine) != 1 || mine[0].Key != p.ID {
			t.Errorf("LeaksOfUser = %+v, %v, want the token's", mine, err)
		}
		if none, err := w.LeaksOfUser(ctx, "", 10); err != nil || len(none) != 0 {
			t.Errorf("LeaksOfUser of nobody = %+v, %v, want none", none, err)
		}
		known, err := w.KnownIDs(ctx, []id.Key{p.ID, w.ourKey, id.New[id.Key](), w.ourKey})
		if err != nil || len(known) != 2 || !known[p.ID] || !known[w.ourKey] {
			t.Errorf("KnownIDs = %v, %v, want the token and the key", known, err)
		}
	})
}

func outcomeOfLeak(t *testing.T, st *store.Store, leakID id.Leak) leak.Outcome {
	t.Helper()
	all, err := st.Leaks(ctx, audit.ServerReach(), leak.Filter{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		if l.ID == leakID {
			return l.Outcome
		}
	}
	t.Fatalf("there is no leak %s", leakID)
	return ""
}

// A secret that is reported again is dealt with by the rule of then if that is stricter, and never more kindly than was said.
func TestLeakStricter(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		k := aKey(w.ourApp, w.ours)
		must(t, second(w.CreateKeys(ctx, []*key.Key{k}, event("key.create"))))
		found := t0
		var first leak.Leak
		for _, tt := range []struct {
			rule    leak.Rule
			counts  bool
			outcome leak.Outcome
			due     time.Duration
		}{
			{leak.Rule{Policy: leak.Notify}, true, leak.Told, 0},
			{leak.Rule{Policy: leak.Notify}, false, leak.Told, 0},
			{leak.Rule{Policy: leak.RevokeAfter, After: 24 * time.Hour}, true, leak.Waiting, 24*time.Hour + 2*time.Second},
			{leak.Rule{Policy: leak.RevokeAfter, After: 24 * time.Hour}, false, leak.Waiting, 24*time.Hour + 2*time.Second},
			{leak.Rule{Policy: leak.RevokeAfter, After: 48 * time.Hour}, false, leak.Waiting, 24*time.Hour + 2*time.Second},
			{leak.Rule{Policy: leak.Notify}, false, leak.Waiting, 24*time.Hour + 2*time.Second},
			{leak.Rule{Policy: leak.RevokeAfter, After: 24*time.Hour - 30*time.Second}, false, leak.Waiting, 24*time.Hour + 2*time.Second}, // clocks differ a little
			{leak.Rule{Policy: leak.RevokeAfter, After: time.Hour}, true, leak.Waiting, time.Hour + 7*time.Second},
			{leak.Rule{Policy: leak.Revoke}, true, leak.Revoked, 0},
			{leak.Rule{Policy: leak.Revoke}, false, leak.Revoked, 0},
		} {
			l, report := aLeak(k.ID, 1, w.ours), under(aReport(k.ID, w.ours), tt.rule)
			l.FoundAt, report.Revoked.At, report.Leaked.At = found, found, found
			found = found.Add(time.Second)
			counts, _, err := w.LeakOfKey(ctx, l, report)
			all, listErr := w.Leaks(ctx, audit.TeamReach(w.ours), leak.Filter{Limit: 10})
			if err != nil || listErr != nil || len(all) != 1 || counts != tt.counts {
				t.Fatalf("under %+v LeakOfKey = %t, %v; leaks %+v, %v", tt.rule, counts, err, all, listErr)
			}
			if first.ID == "" {
				first = *all[0]
			}
			var want time.Time
			if tt.due > 0 {
				want = t0.Add(tt.due)
			}
			if got := all[0]; got.Outcome != tt.outcome || !got.DueAt.Equal(want) || got.ID != first.ID || !got.FoundAt.Equal(t0) {
				t.Errorf("under %+v the leak is %+v, want %s until %s, and found when it was", tt.rule, got, tt.outcome, want)
			}
		}
		if k, err := w.Key(ctx, audit.ServerReach(), k.ID); err != nil || k.RevokedAt.IsZero() {
			t.Errorf("the key is %+v, %v, want it revoked", k, err)
		}
		if mails, err := w.ClaimMails(ctx, found, time.Minute, 20); err != nil || len(mails) != 4 {
			t.Errorf("%d mails, %v, want one for each time that something was to be told", len(mails), err)
		}
	})
}

// A restoration does not make a leak unfound: what waited goes on waiting, also if the backup knows nothing of it. A later secret that got
// the number of one that is gone with the restoration is another, and nobody found it.
func TestLeakRestored(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		w := newWorld(t, st)
		replaceKeyring(t, st, 1, "check", 1)
		server, other := audit.ServerReach(), newKey(t, st, w.ourApp, w.ours)
		p := aPersonal(w.owner)
		must(t, second(st.CreatePersonal(ctx, p, event("token.create"))))
		told := aLeak(other.ID, 1, w.ours)
		must(t, third(st.LeakOfKey(ctx, told, under(aReport(other.ID, w.ours), leak.Rule{Policy: leak.Notify}))))
		file, _ := backup(t, st)

		found := waiting(t, st, w.ourKey, 1, w.ours)
		stricter := waiting(t, st, other.ID, 1, w.ours)
		token := &leak.Leak{ID: id.New[id.Leak](), Key: p.ID, User: w.owner, Kind: secret.Personal, FoundAt: t0}
		must(t, third(st.LeakOfToken(ctx, token, under(aReport(p.ID, ""), leak.Rule{Policy: leak.RevokeAfter, After: time.Hour}))))
		must(t, third(st.UpdateKey(ctx, server, w.ourKey, event("key.rotate"), func(k *key.Key) error {
			return k.Rotate(t0, 2*time.Hour, key.Version{Digest: digest("lost"), Scheme: key.SchemeMAC, Pepper: 1})
		})))
		lost := waiting(t, st, w.ourKey, 2, w.ours)

		must(t, second(st.Restore(ctx, bytes.NewReader(file), t0.Add(time.Minute), event("restore"))))
		ids := map[id.Key]bool{}
		for _, l := range due(t, st, t0.Add(time.Hour)) {
			if l.ID == lost.ID {
				t.Error("the leak of a secret that is gone waits on, for one that nobody found")
			}
			ids[l.Key] = true
		}
		if !ids[found.Key] || !ids[stricter.Key] || !ids[p.ID] || len(ids) != 3 {
			t.Errorf("%v wait, want what was found since, what became stricter since, and the token", ids)
		}
	})
}
