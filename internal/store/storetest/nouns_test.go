package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// An error of the change function leaves neither the change, nor its audit line, nor an entry; so does a panic.
func TestRefusedChange(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		server := audit.ServerReach()
		methods := map[string]func(audit.Event, error) error{
			"UpdateApp": func(ev audit.Event, refusal error) error {
				return third(w.UpdateApp(ctx, server, w.ourApp, ev, func(a *app.App) error { a.Name = "changed"; return orPanic(refusal) }))
			},
			"UpdateKey": func(ev audit.Event, refusal error) error {
				return third(w.UpdateKey(ctx, server, w.ourKey, ev, func(k *key.Key) error { k.Name, k.RevokedAt = "changed", t0; return orPanic(refusal) }))
			},
			"UpdateTeam": func(ev audit.Event, refusal error) error {
				return third(w.UpdateTeam(ctx, server, w.ours, ev, func(t *team.Team) error { t.Name = "changed"; return orPanic(refusal) }))
			},
			"UpdateUser": func(ev audit.Event, refusal error) error {
				return third(w.UpdateUser(ctx, w.dev, ev, func(u *user.User) error { u.Name = "changed"; return orPanic(refusal) }))
			},
		}
		before := head(t, w.Store)
		for method, call := range methods {
			if err := call(event("refused"), errRefused); !errors.Is(err, errRefused) {
				t.Errorf("%s = %v, want the change function's error", method, err)
			}
			if err := call(event("refused"), nil); err == nil || fault.KindOf(err) != "" {
				t.Errorf("%s with a panic = %v, want an error without a kind", method, err)
			}
		}
		if lines := auditLines(t, w.Store, "refused"); len(lines) > 0 || head(t, w.Store) != before {
			t.Errorf("refused changes left %d audit lines and entries %v", len(lines), since(t, w.Store, before))
		}
		a, err := w.App(ctx, server, w.ourApp)
		must(t, err)
		k, err := w.Key(ctx, server, w.ourKey)
		must(t, err)
		if a.Name == "changed" || k.Name == "changed" || !k.RevokedAt.IsZero() {
			t.Errorf("refused changes are there: %+v, %+v", a, k)
		}
	})
}

// orPanic returns an error, or panics for want of one.
func orPanic(err error) error {
	if err == nil {
		panic("the change function panics")
	}
	return err
}

// Each change has one entry for each thing it altered, and its audit line, filed under the team it is about.
func TestEntriesAndAudit(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		server := audit.ServerReach()
		two := []*key.Key{aKey(w.ourApp, w.ours), aKey(w.ourApp, w.ours)}
		imported := aKey(w.ourApp, w.ours)
		imported.Versions[0].Imported, imported.Versions[0].Scheme = true, key.SchemeImported
		u := &user.User{ID: id.New[id.User](), Email: "eve@example.com", CreatedAt: t0}
		a := anApp(w.ours)
		tm := &team.Team{ID: id.New[id.Team](), Name: "new", CreatedAt: t0}
		ofKey := entry(changes.Key, string(w.ourKey))
		for _, step := range []struct {
			what string
			do   func(audit.Event) (id.Revision, error)
			want []string
			team id.Team
		}{
			{"CreateUser", func(ev audit.Event) (id.Revision, error) { return w.CreateUser(ctx, u, ev) }, []string{entry(changes.User, string(u.ID))}, ""},
			{"UpdateUser", func(ev audit.Event) (id.Revision, error) {
				_, rev, err := w.UpdateUser(ctx, u.ID, ev, func(u *user.User) error { u.DisabledAt = t0; return nil })
				return rev, err
			}, []string{entry(changes.User, string(u.ID)), entry(changes.Revocation, user.EpochSubject(string(u.ID), 0))}, ""},
			{"CreateTeam", func(ev audit.Event) (id.Revision, error) { return w.CreateTeam(ctx, tm, w.dev, ev) }, []string{entry(changes.Team, string(tm.ID)), entry(changes.User, string(w.dev))}, tm.ID},
			{"UpdateTeam", func(ev audit.Event) (id.Revision, error) {
				_, rev, err := w.UpdateTeam(ctx, server, w.ours, ev, func(t *team.Team) error { t.SuspendedAt = t0; return nil })
				return rev, err
			}, []string{entry(changes.Team, string(w.ours))}, w.ours},
			{"SetMember", func(ev audit.Event) (id.Revision, error) {
				return w.SetMember(ctx, server, w.ours, team.Member{User: u.ID, Role: audit.RoleBilling}, ev)
			}, []string{entry(changes.Team, string(w.ours)), entry(changes.User, string(u.ID))}, w.ours},
			{"RemoveMember", func(ev audit.Event) (id.Revision, error) { return w.RemoveMember(ctx, server, w.ours, u.ID, ev) }, []string{entry(changes.Team, string(w.ours)), entry(changes.User, string(u.ID))}, w.ours},
			{"UpdateApp", func(ev audit.Event) (id.Revision, error) {
				_, rev, err := w.UpdateApp(ctx, server, w.ourApp, ev, func(a *app.App) error { a.DisabledAt = t0; return nil })
				return rev, err
			}, []string{entry(changes.App, string(w.ourApp)), entry(changes.Revocation, user.EpochSubject(string(w.ourApp), 0))}, w.ours},
			{"CreateApp", func(ev audit.Event) (id.Revision, error) { ev.Team = w.ours; return w.CreateApp(ctx, a, ev) }, []string{entry(changes.App, string(a.ID))}, w.ours},
			{"CreateKeys", func(ev audit.Event) (id.Revision, error) { ev.Team = w.ours; return w.CreateKeys(ctx, two, ev) }, []string{entry(changes.Key, string(two[0].ID)), entry(changes.Key, string(two[1].ID))}, w.ours},
			{"CreateKeys imported", func(ev audit.Event) (id.Revision, error) {
				ev.Team = w.ours
				return w.CreateKeys(ctx, []*key.Key{imported}, ev)
			}, []string{entry(changes.Key, string(imported.ID)), entry(changes.Import, "")}, w.ours},
			{"UpdateKey", func(ev audit.Event) (id.Revision, error) {
				_, rev, err := w.UpdateKey(ctx, server, w.ourKey, ev, func(k *key.Key) error {
					return k.Rotate(t0.Add(time.Minute), time.Hour, key.Version{Digest: digest("second"), Scheme: key.SchemeMAC, Pepper: 1})
				})
				return rev, err
			}, []string{ofKey}, w.ours},
			{"UpdateKey revoking a version", func(ev audit.Event) (id.Revision, error) {
				_, rev, err := w.UpdateKey(ctx, server, w.ourKey, ev, func(k *key.Key) error { return k.Revoke(t0, "", 1) })
				return rev, err
			}, []string{ofKey, entry(changes.Revocation, key.VersionSubject(w.ourKey, 1))}, w.ours},
			{"UpdateKey revoking", func(ev audit.Event) (id.Revision, error) {
				_, rev, err := w.UpdateKey(ctx, server, w.ourKey, ev, func(k *key.Key) error { return k.Revoke(t0, "leaked", 0) })
				return rev, err
			}, []string{ofKey, entry(changes.Revocation, string(w.ourKey))}, w.ours},
			{"UpdateKey revoking again", func(ev audit.Event) (id.Revision, error) {
				_, rev, err := w.UpdateKey(ctx, server, w.ourKey, ev, func(k *key.Key) error { return k.Revoke(t0, "leaked", 0) })
				return rev, err
			}, []string{ofKey}, w.ours},
		} {
			before, ev := head(t, w.Store), event("audit "+step.what)
			rev, err := step.do(ev)
			must(t, err)
			got := since(t, w.Store, before)
			if diff := cmp.Diff(step.want, got); diff != "" || rev != before+id.Revision(len(step.want)) {
				t.Errorf("%s = revision %d after %d; entries -want +got:\n%s", step.what, rev, before, diff)
			}
			ev.Team = step.team
			if diff := cmp.Diff([]audit.Event{ev}, auditLines(t, w.Store, ev.Action)); diff != "" {
				t.Errorf("%s: audit lines -want +got:\n%s", step.what, diff)
			}
		}
		found, err := w.RevocationsOf(ctx, []string{string(w.ourKey), key.VersionSubject(w.ourKey, 1), string(w.theirKey)})
		if err != nil || len(found) != 2 || !found[0].Until.Equal(t0.Add(changes.RevocationLife)) {
			t.Errorf("RevocationsOf = %v, %v, want the key and its version, until %s", found, err, t0.Add(changes.RevocationLife))
		}
		if lines := auditLines(t, w.Store, "audit CreateKeys"); len(lines) == 0 || len(auditOf(t, w, audit.TeamReach(w.theirs), "audit CreateKeys")) > 0 {
			t.Error("the audit line of a team is read by another")
		}
	})
}

func auditOf(t *testing.T, w *world, reach audit.Reach, action string) []audit.Event {
	t.Helper()
	events, err := w.Audit(ctx, reach, audit.Filter{Action: action, Limit: 10})
	must(t, err)
	return events
}

func TestConflicts(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		server := audit.ServerReach()
		before := head(t, w.Store)

		twice := aKey(w.ourApp, w.ours)
		twice.Versions[0].Digest = digest("first " + string(w.theirKey))
		err := second(w.CreateKeys(ctx, []*key.Key{aKey(w.ourApp, w.ours), twice}, event("key.create")))
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Conflict || f.ID != string(w.theirKey) {
			t.Errorf("CreateKeys with a digest that stands = %v, want a conflict naming %s", err, w.theirKey)
		}
		orphan := aKey(id.New[id.App](), w.ours)
		wantKind(t, "CreateKeys for no app", second(w.CreateKeys(ctx, []*key.Key{orphan}, event("key.create"))), fault.NotFound)
		wantKind(t, "CreateApp for no team", second(w.CreateApp(ctx, anApp(id.New[id.Team]()), event("app.create"))), fault.NotFound)
		wantKind(t, "CreateTeam for no user", second(w.CreateTeam(ctx, &team.Team{ID: id.New[id.Team](), Name: "x", CreatedAt: t0}, id.New[id.User](), event("team.create"))), fault.NotFound)

		ada := newUser(t, w.Store, "Ada@Example.com")
		before++
		wantKind(t, "CreateUser of the same person", second(w.CreateUser(ctx, &user.User{ID: id.New[id.User](), Email: "ada@example.COM", CreatedAt: t0}, event("user.create"))), fault.Conflict)
		wantKind(t, "UpdateUser to another's address", third(w.UpdateUser(ctx, w.dev, event("user.update"), func(u *user.User) error { u.Email = "ADA@example.com"; return nil })), fault.Conflict)
		wantKind(t, "UpdateUser of nobody", third(w.UpdateUser(ctx, id.New[id.User](), event("user.update"), func(*user.User) error { return nil })), fault.NotFound)
		wantKind(t, "User of nobody", second(w.User(ctx, id.New[id.User]())), fault.NotFound)

		wantKind(t, "SetMember taking the last owner", second(w.SetMember(ctx, server, w.ours, team.Member{User: w.owner, Role: audit.RoleBilling}, event("m"))), fault.Conflict)
		wantKind(t, "RemoveMember of the last owner", second(w.RemoveMember(ctx, server, w.ours, w.owner, event("m"))), fault.Conflict)
		wantKind(t, "RemoveMember of a stranger", second(w.RemoveMember(ctx, server, w.ours, w.foreign, event("m"))), fault.NotFound)
		wantKind(t, "SetMember of nobody", second(w.SetMember(ctx, server, w.ours, team.Member{User: id.New[id.User](), Role: audit.RoleOwner}, event("m"))), fault.NotFound)
		wantKind(t, "SetMember to no role", second(w.SetMember(ctx, server, w.ours, team.Member{User: w.dev, Role: audit.RoleAny}, event("m"))), fault.Invalid)
		if got := since(t, w.Store, before); len(got) > 0 {
			t.Errorf("refusals left entries %v", got)
		}

		must(t, third(w.UpdateUser(ctx, ada, event("user.update"), func(u *user.User) error { u.Email, u.Admin = "ada@example.org", true; return nil })))
		got, err := w.Users(ctx, user.Filter{Email: "ADA@example.org", Limit: 5})
		if err != nil || len(got) != 1 || got[0].ID != ada || !got[0].Admin || got[0].EmailKey != "ada@example.org" {
			t.Errorf("Users by address = %v, %v, want %s, an admin", got, err, ada)
		}
		must(t, second(w.SetMember(ctx, server, w.ours, team.Member{User: w.dev, Role: audit.RoleOwner}, event("m"))))
		must(t, second(w.RemoveMember(ctx, server, w.ours, w.owner, event("m"))))
		members, err := w.Members(ctx, server, w.ours)
		if err != nil || len(members) != 2 {
			t.Errorf("Members = %v, %v, want two", members, err)
		}
	})
}

// What was stored is what comes back, to the microsecond.
func TestRoundTrip(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		server := audit.ServerReach()
		a := anApp(w.ours)
		a.Description, a.HomepageURL = "für alle 'Wetter'", "https://example.com"
		a.Limits, a.Metadata = []ratelimit.Limit{{Name: "per-minute", N: 60, Window: time.Minute}}, map[string]string{"plan": "?$1"}
		must(t, second(w.CreateApp(ctx, a, event("app.create"))))
		got, err := w.App(ctx, server, a.ID)
		if diff := cmp.Diff(a, got); err != nil || diff != "" {
			t.Errorf("App: %v, -want +got:\n%s", err, diff)
		}
		tm, _, err := w.UpdateTeam(ctx, server, w.ours, event("team.update"), func(t *team.Team) error { t.Limits = a.Limits; return nil })
		again, readErr := w.Team(ctx, server, w.ours)
		if diff := cmp.Diff(tm, again); err != nil || readErr != nil || diff != "" || len(again.Limits) != 1 {
			t.Errorf("Team: %v, %v, -want +got:\n%s", err, readErr, diff)
		}
		if in, err := w.Memberships(ctx, w.owner, 10); err != nil || len(in) != 1 || !cmp.Equal(in[0].Team, *tm) {
			t.Errorf("Memberships = %+v, %v, want the team as it is", in, err)
		}
		u := &user.User{ID: id.New[id.User](), Email: "limited@example.com", EmailKey: "limited@example.com", CreatedAt: t0, Limits: a.Limits}
		must(t, second(w.CreateUser(ctx, u, event("user.create"))))
		same, err := w.User(ctx, u.ID)
		if diff := cmp.Diff(u, same); err != nil || diff != "" {
			t.Errorf("User: %v, -want +got:\n%s", err, diff)
		}
		if st, err := w.UserForDecision(ctx, u.ID); err != nil || !cmp.Equal(st.Limits, a.Limits) {
			t.Errorf("UserForDecision = %+v, %v, want the user's limits", st, err)
		}
		k := aKey(a.ID, w.ours)
		k.NotBefore, k.ExpiresAt, k.RotateEvery = t0.Add(time.Microsecond), t0.Add(time.Hour), 90*24*time.Hour
		k.APIs, k.Metadata, k.Limits = []string{"weather"}, a.Metadata, a.Limits
		must(t, second(w.CreateKeys(ctx, []*key.Key{k}, event("key.create"))))
		found, err := w.Key(ctx, server, k.ID)
		if diff := cmp.Diff(k, found); err != nil || diff != "" {
			t.Errorf("Key: %v, -want +got:\n%s", err, diff)
		}
		must(t, third(w.UpdateKey(ctx, server, k.ID, event("key.delete"), func(k *key.Key) error { k.Delete(t0); return nil })))
		wantKind(t, "Key that was deleted", second(w.Key(ctx, server, k.ID)), fault.NotFound)
		if dead, err := w.KeyForDecision(ctx, k.ID); err != nil || dead.RevokeReason != "deleted" || len(dead.Versions) != 1 {
			t.Errorf("KeyForDecision of a deleted key = %+v, %v, want it", dead, err)
		}
		must(t, third(w.UpdateApp(ctx, server, a.ID, event("app.delete"), func(a *app.App) error { a.DeletedAt = t0; return nil })))
		wantKind(t, "App that was deleted", second(w.App(ctx, server, a.ID)), fault.NotFound)
		wantKind(t, "CreateKeys for a deleted app", second(w.CreateKeys(ctx, []*key.Key{aKey(a.ID, w.ours)}, event("key.create"))), fault.NotFound)
	})
}

func TestDigests(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		if has, err := w.HasImports(ctx); has || err != nil {
			t.Errorf("HasImports without one = %t, %v", has, err)
		}
		hash, raw := aKey(w.ourApp, w.ours), aKey(w.ourApp, w.ours)
		hash.Versions[0] = key.Version{Number: 1, Digest: digest("sha"), Scheme: key.SchemeImported, Imported: true, CreatedAt: t0}
		raw.Versions[0] = key.Version{Number: 1, Digest: digest("mac"), Scheme: key.SchemeMAC, Pepper: 1, Imported: true, CreatedAt: t0}
		must(t, second(w.CreateKeys(ctx, []*key.Key{hash, raw}, event("key.import"))))
		if has, err := w.HasImports(ctx); !has || err != nil {
			t.Errorf("HasImports = %t, %v, want true", has, err)
		}
		wantKind(t, "KeyByDigest of none", second(w.KeyByDigest(ctx, [][]byte{digest("other")})), fault.NotFound)
		wantKind(t, "KeyByDigest of one made here", second(w.KeyByDigest(ctx, [][]byte{digest("first " + string(w.ourKey))})), fault.NotFound)
		if got, err := w.KeyByDigest(ctx, [][]byte{digest("other"), digest("sha")}); got != hash.ID || err != nil {
			t.Errorf("KeyByDigest = %s, %v, want %s", got, err, hash.ID)
		}
		taken, err := w.DigestTaken(ctx, [][]byte{digest("sha"), digest("free"), digest("sha")})
		if diff := cmp.Diff(map[int]id.Key{0: hash.ID, 2: hash.ID}, taken); err != nil || diff != "" {
			t.Errorf("DigestTaken: %v, -want +got:\n%s", err, diff)
		}
		// The digest it would get belongs to another key: nothing changes, and nothing fails.
		must(t, w.UpgradeDigest(ctx, hash.ID, 1, digest("sha"), key.Version{Digest: digest("mac"), Scheme: key.SchemeMAC, Pepper: 1}))
		must(t, w.UpgradeDigest(ctx, hash.ID, 1, digest("stale"), key.Version{Digest: digest("new"), Scheme: key.SchemeMAC, Pepper: 1}))
		before := head(t, w.Store)
		k, err := w.Key(ctx, audit.ServerReach(), hash.ID)
		must(t, err)
		if diff := cmp.Diff(hash.Versions, k.Versions); diff != "" {
			t.Errorf("versions after upgrades that do not fit, -want +got:\n%s", diff)
		}
		must(t, w.UpgradeDigest(ctx, hash.ID, 1, digest("sha"), key.Version{Digest: digest("new"), Scheme: key.SchemeMAC, Pepper: 2}))
		if k, err = w.Key(ctx, audit.ServerReach(), hash.ID); err != nil || k.Versions[0].Scheme != key.SchemeMAC || k.Versions[0].Pepper != 2 {
			t.Errorf("versions after an upgrade = %+v, %v, want the MAC", k.Versions, err)
		}
		if got := since(t, w.Store, before); len(got) > 0 {
			t.Errorf("UpgradeDigest left entries %v", got)
		}
	})
}

func TestRotationsDue(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		k := aKey(w.ourApp, w.ours)
		k.RotateEvery = 24 * time.Hour
		must(t, second(w.CreateKeys(ctx, []*key.Key{k}, event("key.create"))))
		for _, step := range []struct {
			at   time.Time
			want int
		}{{t0.Add(23 * time.Hour), 0}, {t0.Add(24 * time.Hour), 1}, {t0.Add(48 * time.Hour), 0}} {
			if got, err := w.RotationsDue(ctx, step.at); got != step.want || err != nil {
				t.Errorf("RotationsDue(%s) = %d, %v, want %d", step.at, got, err, step.want)
			}
		}
		messages, err := w.Outbox(ctx, 10)
		if err != nil || len(messages) != 1 || messages[0].Subject != string(k.ID)+"#1" || messages[0].Team != w.ours {
			t.Errorf("Outbox = %+v, %v, want one about the first version", messages, err)
		}
	})
}
