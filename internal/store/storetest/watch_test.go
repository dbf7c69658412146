package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// watched is what is known of a key.
func watched(t *testing.T, st *store.Store, of id.Key) *key.Watched {
	t.Helper()
	all, err := st.Watched(ctx, audit.ServerReach(), key.WatchFilter{Key: of, Limit: 10})
	must(t, err)
	if len(all) != 1 {
		t.Fatalf("Watched(%s) = %d keys, want it", of, len(all))
	}
	return all[0]
}

// Networks are kept of secret API keys and accepted calls, not too many of one key, and with their first and last use, whatever comes first.
func TestKeyNetworks(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		public := aKey(w.ourApp, w.ours)
		public.Kind, public.Restrictions.Origins = secret.Publishable, []string{"https://app.example"}
		must(t, second(w.CreateKeys(ctx, []*key.Key{public}, event("key.create"))))
		from := func(of id.Key, network string, at time.Time) usage.Event {
			ev := use(w, at, "")
			ev.Key, ev.Network = of, network
			return ev
		}
		refused, nobody := from(w.ourKey, "10.0.0.0/24", t0), from(id.New[id.Key](), "10.0.1.0/24", t0)
		refused.Outcome, refused.InQuery = "ip_denied", true
		absorb(t, w.Store, refused, nobody, from(public.ID, "10.0.2.0/24", t0), from(w.ourKey, "", t0))
		for _, of := range []id.Key{w.ourKey, public.ID} {
			if got := watched(t, w.Store, of); len(got.Networks) > 0 || !got.InQuery.IsZero() {
				t.Errorf("%s was seen at %v, in an address %s, want nothing", of, got.Networks, got.InQuery)
			}
		}

		const home, away = "203.0.113.0/24", "2001:db8::/48"
		asked := from(w.ourKey, home, t0.Add(2*time.Hour))
		asked.InQuery = true
		absorb(t, w.Store, from(w.ourKey, home, t0.Add(time.Hour)), asked)
		absorb(t, w.Store, from(w.ourKey, home, t0), from(w.ourKey, away, t0))                                   // a segment that comes late
		absorb(t, w.Store, from(w.ourKey, home, t0.Add(2*time.Hour+59*time.Minute)), from(w.theirKey, away, t0)) // within the hour
		late := asked
		late.At, late.API = t0.UnixMicro(), "mail"
		absorb(t, w.Store, late)
		got := watched(t, w.Store, w.ourKey)
		want := []advice.Seen{{Network: away, First: t0, Last: t0}, {Network: home, First: t0, Last: t0.Add(2 * time.Hour)}}
		if diff := cmp.Diff(want, got.Networks, cmpopts.SortSlices(func(a, b advice.Seen) bool { return a.Network < b.Network })); diff != "" {
			t.Errorf("the networks differ (-want +got):\n%s", diff)
		}
		if !got.InQuery.Equal(t0.Add(2*time.Hour)) || got.QueryAPI != "weather" || got.AppName != "WeatherDashboard" || got.LastUsed.At.IsZero() {
			t.Errorf("the key was in an address at %s for %q, of %q", got.InQuery, got.QueryAPI, got.AppName)
		}

		for n := range 3 {
			var many []usage.Event
			for i := range 20 {
				many = append(many, from(w.ourKey, fmt.Sprintf("10.%d.%d.0/24", n, i), t0))
			}
			absorb(t, w.Store, many...)
		}
		var rows int
		must(t, db.raw(t).QueryRowContext(ctx, `SELECT COUNT(*) FROM api_key_network WHERE key_id = $1`, string(w.ourKey)).Scan(&rows))
		if kept := len(watched(t, w.Store, w.ourKey).Networks); kept != usage.MaxNetworks || rows > 2*usage.MaxNetworks {
			t.Errorf("of 62 networks %d are read and %d kept, want about %d", kept, rows, usage.MaxNetworks)
		}

		looked(t, w.Store, w.ours, t0, func(l *outbox.Looked) { l.Forget = t0.Add(time.Hour) })
		if got := watched(t, w.Store, w.ourKey).Networks; len(got) != 1 || got[0].Network != home {
			t.Errorf("after those of an hour ago are forgotten, %v are known, want the last", got)
		}
		if got := watched(t, w.Store, w.theirKey).Networks; len(got) != 1 {
			t.Errorf("of another team's key %v are known, want what was", got)
		}
	})
}

// Watched leaves out what is refused anyway and what is out of reach, and goes on behind the last one seen.
func TestWatched(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		list := func(reach audit.Reach, f key.WatchFilter) (ids []id.Key) {
			t.Helper()
			f.Since, f.Limit = t0, 10
			all, err := w.Watched(ctx, reach, f)
			must(t, err)
			for _, k := range all {
				ids = append(ids, k.ID)
			}
			slices.Sort(ids)
			return ids
		}
		for name, alter := range map[string]func(*key.Key) error{
			"revoked":  func(k *key.Key) error { return k.Revoke(t0, "", 0) },
			"disabled": func(k *key.Key) error { return k.Disable(t0) },
			"deleted":  func(k *key.Key) error { k.Delete(t0); return nil },
			"expired":  func(k *key.Key) error { k.ExpiresAt = t0; return nil },
		} {
			k := newKey(t, w.Store, w.ourApp, w.ours)
			_, _, err := w.UpdateKey(ctx, audit.ServerReach(), k.ID, event("key."+name), alter)
			must(t, err)
		}
		off := newApp(t, w.Store, w.ours)
		newKey(t, w.Store, off, w.ours)
		must(t, second(second2(w.UpdateApp(ctx, audit.ServerReach(), off, event("app.update"), func(a *app.App) error { a.DisabledAt = t0; return nil }))))
		just := newKey(t, w.Store, w.ourApp, w.ours)
		must(t, second(second2(w.UpdateKey(ctx, audit.ServerReach(), just.ID, event("key.update"), func(k *key.Key) error { k.ExpiresAt = t0.Add(time.Minute); return nil }))))
		ours := []id.Key{w.ourKey, just.ID}
		slices.Sort(ours)
		for _, test := range []struct {
			name  string
			reach audit.Reach
			f     key.WatchFilter
			want  []id.Key
		}{
			{"the zero reach", audit.Reach{}, key.WatchFilter{}, nil},
			{"another team's", audit.TeamReach(w.theirs), key.WatchFilter{Team: w.ours}, nil},
			{"another team's key", audit.TeamReach(w.theirs), key.WatchFilter{Key: w.ourKey}, nil},
			{"billing", audit.UserReach(w.billing).As(audit.RoleDeveloper), key.WatchFilter{}, nil},
			{"developer", audit.UserReach(w.dev).As(audit.RoleDeveloper), key.WatchFilter{}, ours},
			{"a team", audit.TeamReach(w.ours), key.WatchFilter{}, ours},
			{"the server", audit.ServerReach(), key.WatchFilter{Team: w.theirs}, []id.Key{w.theirKey}},
			{"behind all", audit.ServerReach(), key.WatchFilter{Before: t0, BeforeID: "key_"}, nil},
		} {
			if diff := cmp.Diff(test.want, list(test.reach, test.f)); diff != "" {
				t.Errorf("Watched as %s (-want +got):\n%s", test.name, diff)
			}
		}
		must(t, second(second2(w.UpdateTeam(ctx, audit.ServerReach(), w.ours, event("team.update"), func(t *team.Team) error { t.SuspendedAt = t0; return nil }))))
		if got := list(audit.TeamReach(w.ours), key.WatchFilter{}); len(got) > 0 {
			t.Errorf("Watched of a suspended team = %v, want none", got)
		}
	})
}

func second2[A, B any](_ A, b B, err error) (B, error) { return b, err }

// look is where the look of a team stands.
func look(t *testing.T, st *store.Store, of id.Team, now time.Time) (outbox.Look, bool) {
	t.Helper()
	due, err := st.LooksDue(ctx, now, 100)
	must(t, err)
	i := slices.IndexFunc(due, func(l outbox.Look) bool { return l.Team == of })
	if i < 0 {
		return outbox.Look{}, false
	}
	return due[i], true
}

// looked ends the look of a team that is due, and has the next one be a day later.
func looked(t *testing.T, st *store.Store, of id.Team, now time.Time, alter func(*outbox.Looked)) bool {
	t.Helper()
	due, is := look(t, st, of, now)
	if !is {
		t.Fatalf("no look at %s is due", of)
	}
	l := outbox.Looked{Look: due, Was: due.At}
	l.At = now.Add(24 * time.Hour)
	alter(&l)
	first, err := st.Looked(ctx, l, now)
	must(t, err)
	return first
}

func told(of id.Key, mark string) outbox.Message {
	return outbox.Message{ID: id.New[id.Message](), Kind: outbox.KeyStale, Subject: string(of) + "/stale/" + mark, Body: "{}", CreatedAt: t0}
}

// Of many nodes that looked at once one tells and one writes: webhooks are told once of one reason, and everybody gets one mail.
func TestLookRace(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		nodes := []*store.Store{w.Store, db.open(t), db.open(t)}
		newHook(t, w.Store, w.ours, outbox.KeyStale)
		for day := range 2 { // the second day has the same reason and another
			now := t0.Add(time.Duration(day) * 24 * time.Hour)
			due, is := look(t, w.Store, w.ours, now)
			if !is {
				t.Fatalf("day %d: no look is due", day)
			}
			firsts := race(16, func(i int) bool {
				l := outbox.Looked{Look: due, Was: due.At, Letters: []outbox.Mail{{ID: id.New[id.Message](), Sealed: []byte("sealed")}}}
				l.At, l.DigestAt, l.Told = now.Add(24*time.Hour), now.Add(48*time.Hour), []string{"a", "b"}
				for n := range day + 1 {
					m := told(w.ourKey, fmt.Sprint(n))
					m.Team = w.ours
					l.Messages = append(l.Messages, m)
				}
				first, err := nodes[i%3].Looked(ctx, l, now)
				if err != nil {
					t.Error(err)
				}
				return first
			})
			if n := len(firsts) - len(slices.DeleteFunc(firsts, func(b bool) bool { return b })); n != 1 {
				t.Errorf("day %d: %d of 16 looks count, want one", day, n)
			}
			if n := deliveries(t, db); n != day+1 {
				t.Errorf("day %d: %d mails wait, want %d", day, n, day+1)
			}
			if _, is := look(t, w.Store, w.ours, now.Add(24*time.Hour-time.Microsecond)); is {
				t.Errorf("day %d: another look is due at once", day)
			}
		}
		if got := len(claimed(t, w.Store, t0.Add(72*time.Hour))); got != 2 {
			t.Errorf("%d deliveries wait, want one for each reason", got)
		}
		got, _ := look(t, w.Store, w.ours, t0.Add(72*time.Hour))
		if diff := cmp.Diff(outbox.Look{Team: w.ours, At: t0.Add(48 * time.Hour), DigestAt: t0.Add(72 * time.Hour), Told: []string{"a", "b"}}, got); diff != "" {
			t.Errorf("the look differs (-want +got):\n%s", diff)
		}
	})
}

// A look that is stopped half-way leaves nothing behind: whoever is next does all of it.
func TestLookIsWhole(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		due, _ := look(t, w.Store, w.ours, t0)
		letter := outbox.Mail{ID: id.New[id.Message](), Sealed: []byte("sealed")}
		l := outbox.Looked{Look: due, Was: due.At, Messages: []outbox.Message{told(w.ourKey, "")}, Letters: []outbox.Mail{letter, letter}} // the second breaks the step
		l.At, l.Messages[0].Team = t0.Add(time.Hour), w.ours
		if first, err := w.Looked(ctx, l, t0); err == nil || first {
			t.Fatalf("Looked with a letter twice = %t, %v, want an error", first, err)
		}
		messages, err := w.Outbox(ctx, 10)
		must(t, err)
		if _, is := look(t, w.Store, w.ours, t0); !is || len(messages) > 0 || deliveries(t, db) > 0 {
			t.Errorf("a step that failed left %d messages and %d mails, due still %t", len(messages), deliveries(t, db), is)
		}
		l.Letters = l.Letters[:1]
		if first, err := w.Looked(ctx, l, t0); err != nil || !first || deliveries(t, db) != 1 {
			t.Errorf("Looked again = %t, %v with %d mails, want it done", first, err, deliveries(t, db))
		}
		must(t, second(second2(w.UpdateTeam(ctx, audit.ServerReach(), w.ours, event("team.update"), func(t *team.Team) error { t.NoDigest = true; return nil }))))
		if got, is := look(t, w.Store, w.ours, t0.Add(time.Hour)); !is || !got.Off {
			t.Errorf("the look of a team that wants no mail = %+v, %t", got, is)
		}
		if kept, err := w.Team(ctx, audit.ServerReach(), w.ours); err != nil || !kept.NoDigest {
			t.Errorf("Team = %+v, %v, want what it chose", kept, err)
		}
		if mine, err := w.Memberships(ctx, w.owner, 10); err != nil || len(mine) != 1 || !mine[0].Team.NoDigest {
			t.Errorf("Memberships = %+v, %v, want what the team chose", mine, err)
		}
	})
}
