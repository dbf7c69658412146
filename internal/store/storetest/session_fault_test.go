package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// ends are the ways in which somebody else or the user ends the session of w.dev.
func ends(st *store.Store, w *world) map[string]func(context.Context) error {
	mine := sessionOf(w.dev)
	return map[string]func(context.Context) error{
		"EndSessions": func(ctx context.Context) error {
			return second(st.EndSessions(ctx, w.dev, "", "", event("session.end")))
		},
		"BeginSession of another user": func(ctx context.Context) error {
			return st.BeginSession(ctx, aSession(w.owner), mine, nil, nil)
		},
		"UpdateUser that disables": func(ctx context.Context) error {
			return third(st.UpdateUser(ctx, w.dev, event("user.update"), func(u *user.User) error { u.DisabledAt = t0; return nil }))
		},
	}
}

// A session whose apps cannot be left a notice does not end, and says so: who tries again finds it with its apps.
func TestEndSessionFault(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w, raw := newWorld(t, db.open(t)), db.raw(t)
		se := signIn(t, w.Store, w.dev)
		join(t, w.Store, se, w.ourApp)
		wantSession := func(what string) {
			t.Helper()
			if err := second(w.Session(ctx, se.ID)); err != nil {
				t.Errorf("Session after %s = %v, want it to go on", what, err)
			}
		}
		for _, table := range []string{"logout_notice", "session_app"} {
			must(t, second(raw.ExecContext(ctx, `ALTER TABLE `+table+` RENAME TO away`)))
			for name, call := range ends(w.Store, w) {
				if err := call(ctx); err == nil {
					t.Errorf("%s without the table %s succeeded", name, table)
				}
				wantSession(name + " without the table " + table)
			}
			must(t, second(raw.ExecContext(ctx, `ALTER TABLE away RENAME TO `+table)))
		}
		over, cancel := context.WithCancel(ctx)
		cancel()
		for name, call := range ends(w.Store, w) {
			wantKind(t, name+" of a caller who went", call(over), fault.Unavailable)
			wantSession(name + " of a caller who went")
		}
		for _, name := range []string{"EndSessions", "BeginSession of another user", "UpdateUser that disables"} {
			must(t, ends(w.Store, w)[name](ctx))
			wantKind(t, "Session after "+name, second(w.Session(ctx, se.ID)), fault.NotFound)
			wantNotices(t, name, w.Store, outbox.Logout{Session: se.ID, App: w.ourApp, User: w.dev})
			if name != "UpdateUser that disables" {
				join(t, w.Store, signIn(t, w.Store, w.dev), w.ourApp)
			}
		}
	})
}

// Notices are shared by those who deliver, and one that failed comes again at its time.
func TestLogoutNotices(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		const lease = time.Minute
		nodes := []*store.Store{db.open(t), db.open(t)}
		w := newWorld(t, nodes[0])
		for round := range rounds() {
			const each = 12
			for range each {
				join(t, w.Store, begin(t, w.Store, w.dev), w.ourApp)
			}
			must(t, second(w.EndSessions(ctx, w.dev, "", "", event("session.end"))))
			got := map[outbox.Logout]int{}
			for _, mine := range race(racers, func(i int) (mine []outbox.Logout) {
				for range each {
					notices, err := nodes[i%2].ClaimLogouts(ctx, t0, lease, 4)
					if err != nil || len(notices) > 4 {
						t.Errorf("ClaimLogouts = %d, %v, want at most 4", len(notices), err)
					}
					mine = append(mine, notices...)
				}
				return mine
			}) {
				for _, n := range mine {
					got[n]++
				}
			}
			if len(got) != each {
				t.Errorf("round %d: %d notices claimed, want %d", round, len(got), each)
			}
			for n, times := range got {
				if times != 1 {
					t.Errorf("%+v was claimed %d times", n, times)
				}
				must(t, w.LogoutTold(ctx, n), w.LogoutTold(ctx, n))
			}
		}
		join(t, w.Store, begin(t, w.Store, w.dev), w.ourApp)
		must(t, second(w.EndSessions(ctx, w.dev, "", "", event("session.end"))))
		first, err := w.ClaimLogouts(ctx, t0, lease, 10)
		must(t, err)
		must(t, w.LogoutFailed(ctx, first[0], t0.Add(2*lease), "no\x00\xff answer"), w.LogoutFailed(ctx, outbox.Logout{}, t0, ""))
		if got, err := w.ClaimLogouts(ctx, t0.Add(2*lease-time.Microsecond), lease, 10); err != nil || len(got) != 0 {
			t.Errorf("ClaimLogouts before the next try = %+v, %v, want none", got, err)
		}
		first[0].Attempts = 1
		got, err := w.ClaimLogouts(ctx, t0.Add(2*lease), lease, 10)
		if diff := cmp.Diff(first, got); err != nil || diff != "" {
			t.Errorf("ClaimLogouts at the next try: %v, -want +got:\n%s", err, diff)
		}
	})
}
