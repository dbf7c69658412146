package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/outbox"
	"github.com/lanyard-auth/lanyard/internal/session"
	"github.com/lanyard-auth/lanyard/internal/store"
	"github.com/lanyard-auth/lanyard/internal/user"
)

func begin(tb testing.TB, st *store.Store, u id.User, alter ...func(*session.Session)) *session.Session {
	tb.Helper()
	se := aSession(u)
	for _, change := range alter {
		change(se)
	}
	must(tb, st.BeginSession(ctx, se, "", nil, nil))
	return se
}

// join signs a session in to an app: a code is issued in it.
func join(tb testing.TB, st *store.Store, se *session.Session, a id.App) {
	tb.Helper()
	must(tb, joins(tb, st, se, a)())
}

// joins is join in two halves: what it returns does the last step alone.
func joins(tb testing.TB, st *store.Store, se *session.Session, a id.App) func() error {
	tb.Helper()
	g, err := st.Allow(ctx, aGrant(se.User, a, "forecast.read"), event("grant.allow"))
	must(tb, err)
	r, c := aRequest(a), aCode(g)
	c.Session = se.Alias
	must(tb, st.SaveRequest(ctx, r))
	return func() error { return second(st.IssueCode(ctx, r.ID, browser, c)) }
}

var byApp = cmp.Transformer("byApp", func(in []outbox.Logout) []outbox.Logout {
	return slices.SortedFunc(slices.Values(in), func(x, y outbox.Logout) int { return strings.Compare(string(x.App), string(y.App)) })
})

// wantNotices wants to be told of these ends, and forgets them.
func wantNotices(t *testing.T, what string, st *store.Store, want ...outbox.Logout) {
	t.Helper()
	got, err := st.ClaimLogouts(ctx, t0, time.Minute, 100)
	if diff := cmp.Diff(want, got, byApp); err != nil || diff != "" {
		t.Errorf("%s: %v, notices -want +got:\n%s", what, err, diff)
	}
	for _, n := range got {
		must(t, st.LogoutTold(ctx, n))
	}
}

// sessionsOf are the ids of a user's sessions, as listed.
func sessionsOf(tb testing.TB, st *store.Store, u id.User, now time.Time) (ids []id.Session) {
	tb.Helper()
	all, err := st.Sessions(ctx, u, now)
	must(tb, err)
	for _, se := range all {
		ids = append(ids, se.ID)
	}
	return ids
}

// rawRequest puts an authorization request that a browser brought past the store.
func rawRequest(t *testing.T, db database, a id.App, browser []byte) id.Request {
	t.Helper()
	request := id.New[id.Request]()
	must(t, second(db.raw(t).ExecContext(ctx, `INSERT INTO auth_request (id, app_id, browser, ask, progress, created_at, expires_at) VALUES ($1, $2, $3, '{}', '{}', 1, 2)`,
		string(request), string(a), browser)))
	return request
}

func browserOf(t *testing.T, db database, request id.Request) (browser []byte) {
	t.Helper()
	must(t, db.raw(t).QueryRowContext(ctx, `SELECT browser FROM auth_request WHERE id = $1`, string(request)).Scan(&browser))
	return browser
}

func TestSessionRefusals(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		disabled := newUser(t, w.Store, "gone@example.com")
		must(t, third(w.UpdateUser(ctx, disabled, event("disable"), func(u *user.User) error { u.DisabledAt = t0; return nil })))
		theirs := begin(t, w.Store, w.owner)
		join(t, w.Store, theirs, w.ourApp)
		request := rawRequest(t, db, w.ourApp, digest("from"))

		// A refused login ends nothing and binds nothing.
		wantKind(t, "BeginSession of a disabled user", w.BeginSession(ctx, aSession(disabled), theirs.ID, digest("from"), digest("to")), fault.Unauthenticated)
		wantKind(t, "BeginSession of nobody", w.BeginSession(ctx, aSession(id.New[id.User]()), theirs.ID, digest("from"), digest("to")), fault.Unauthenticated)
		twice := aSession(w.dev)
		twice.ID = theirs.ID
		wantKind(t, "BeginSession with an id that is taken", w.BeginSession(ctx, twice, "", nil, nil), fault.Conflict)
		if !slices.Equal(browserOf(t, db, request), digest("from")) {
			t.Error("a refused login bound the request to its cookie")
		}
		nobody := id.New[id.Session]()
		wantKind(t, "Session of nothing", second(w.Session(ctx, nobody)), fault.NotFound)
		must(t, w.TouchSession(ctx, nobody, t0.Add(time.Hour)))

		// Another user's session is not theirs to end.
		for _, which := range []id.Session{theirs.ID, nobody, ""} {
			got, err := w.EndSessions(ctx, w.dev, which, "", event("refused"))
			if err != nil || len(got) > 0 {
				t.Errorf("EndSessions(%q) of a user without one = %+v, %v, want none", which, got, err)
			}
		}
		if lines := auditLines(t, w.Store, "refused"); len(lines) > 0 {
			t.Errorf("%d audit lines where nothing ended", len(lines))
		}
		got, err := w.Session(ctx, theirs.ID)
		if diff := cmp.Diff(theirs, got); err != nil || diff != "" {
			t.Errorf("Session after refusals: %v, -want +got:\n%s", err, diff)
		}
		wantNotices(t, "after refusals", w.Store)
	})
}

// A login ends the session that the browser had and takes over the requests it brought, and only those. If it is the same
// user's, apps know it as before; another user's apps are told that it is over.
func TestBeginSession(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		first := begin(t, w.Store, w.dev, func(se *session.Session) { se.AMR, se.ACR, se.Agent = nil, "", "" })
		other := begin(t, w.Store, w.dev)
		join(t, w.Store, first, w.ourApp)
		join(t, w.Store, first, w.ourApp)
		join(t, w.Store, other, w.theirApp)
		late := joins(t, w.Store, first, w.theirApp)
		mine, foreign := rawRequest(t, db, w.ourApp, digest("from")), rawRequest(t, db, w.ourApp, digest("another"))
		next := aSession(w.dev)
		must(t, w.BeginSession(ctx, next, first.ID, digest("from"), digest("to")))
		wantKind(t, "Session that was replaced", second(w.Session(ctx, first.ID)), fault.NotFound)
		if !slices.Equal(browserOf(t, db, mine), digest("to")) || !slices.Equal(browserOf(t, db, foreign), digest("another")) {
			t.Error("the requests of this browser are not bound to its new cookie, or another's are")
		}
		if got := sessionsOf(t, w.Store, w.dev, t0); len(got) != 2 || !slices.Contains(got, other.ID) {
			t.Errorf("Sessions = %v, want the new one and the one of another browser", got)
		}
		// The same user logged in again, twice: the apps of before are told in the end, under the name that they were given, and
		// so is one whose login began before.
		again := aSession(w.dev)
		must(t, w.BeginSession(ctx, again, next.ID, nil, digest("to")), late())
		got, err := w.Session(ctx, again.ID)
		if diff := cmp.Diff(again, got); err != nil || diff != "" || got.Alias != first.ID {
			t.Errorf("Session: %v, -want +got:\n%s", err, diff)
		}
		wantNotices(t, "after logins of the same user", w.Store)
		ended, err := w.EndSessions(ctx, w.dev, again.ID, "", event("session.end"))
		want := session.Ended{Session: again.ID, Alias: first.ID, User: w.dev, Apps: []id.App{w.ourApp, w.theirApp}}
		slices.Sort(want.Apps)
		if diff := cmp.Diff([]session.Ended{want}, ended); err != nil || diff != "" {
			t.Errorf("EndSessions: %v, -want +got:\n%s", err, diff)
		}
		wantNotices(t, "EndSessions", w.Store, outbox.Logout{Session: first.ID, App: w.ourApp, User: w.dev}, outbox.Logout{Session: first.ID, App: w.theirApp, User: w.dev})
		// Somebody else in the same browser has nothing of them (SECURITY-CASES 120).
		last := aSession(w.owner)
		must(t, w.BeginSession(ctx, last, other.ID, nil, digest("to")))
		wantKind(t, "Session that another user replaced", second(w.Session(ctx, other.ID)), fault.NotFound)
		wantNotices(t, "after another user's login", w.Store, outbox.Logout{Session: other.ID, App: w.theirApp, User: w.dev})
		ended, err = w.EndSessions(ctx, w.owner, last.ID, "", event("session.end"))
		if diff := cmp.Diff([]session.Ended{{Session: last.ID, Alias: last.ID, User: w.owner}}, ended); err != nil || diff != "" {
			t.Errorf("EndSessions of another user in the same browser: %v, -want +got:\n%s", err, diff)
		}
		if !slices.Equal(browserOf(t, db, foreign), digest("another")) {
			t.Error("a login without a cookie before bound a request")
		}
	})
}

func TestEndSessions(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		keep, old, older := begin(t, w.Store, w.dev), begin(t, w.Store, w.dev), begin(t, w.Store, w.dev)
		bystander := begin(t, w.Store, w.owner)
		join(t, w.Store, old, w.theirApp)
		join(t, w.Store, old, w.ourApp)
		join(t, w.Store, keep, w.ourApp)
		before := head(t, w.Store)
		ended, err := w.EndSessions(ctx, w.dev, "", keep.ID, event("session.end_others"))
		want := []session.Ended{{Session: old.ID, Alias: old.ID, User: w.dev, Apps: []id.App{w.ourApp, w.theirApp}}, {Session: older.ID, Alias: older.ID, User: w.dev}}
		slices.Sort(want[0].Apps)
		slices.SortFunc(want, func(x, y session.Ended) int { return strings.Compare(string(x.Session), string(y.Session)) })
		if diff := cmp.Diff(want, ended); err != nil || diff != "" {
			t.Errorf("EndSessions of all but one: %v, -want +got:\n%s", err, diff)
		}
		wantNotices(t, "EndSessions of all but one", w.Store, outbox.Logout{Session: old.ID, App: w.ourApp, User: w.dev}, outbox.Logout{Session: old.ID, App: w.theirApp, User: w.dev})
		if diff := cmp.Diff([]id.Session{keep.ID}, sessionsOf(t, w.Store, w.dev, t0)); diff != "" {
			t.Errorf("Sessions -want +got:\n%s", diff)
		}
		if n := len(auditLines(t, w.Store, "session.end_others")); n != 1 {
			t.Errorf("%d audit lines, want 1", n)
		}
		ended, err = w.EndSessions(ctx, w.dev, "", "", event("session.end_all"))
		if err != nil || len(ended) != 1 || ended[0].Session != keep.ID {
			t.Errorf("EndSessions of all = %+v, %v, want the last", ended, err)
		}
		wantKind(t, "Session that ended", second(w.Session(ctx, keep.ID)), fault.NotFound)
		must(t, second(w.Session(ctx, bystander.ID)))
		if got := since(t, w.Store, before); len(got) > 0 {
			t.Errorf("EndSessions left entries %v, want none: no decision rests on a session", got)
		}
	})
}

// Of many who log the same session out one ends it, and an app that joins at that moment is either told or refused.
func TestEndSessionRace(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		nodes := []*store.Store{db.open(t), db.open(t)}
		w := newWorld(t, nodes[0])
		for range rounds() {
			se := begin(t, nodes[0], w.dev)
			signsIn := joins(t, nodes[0], se, w.ourApp)
			type answer struct {
				ended []session.Ended
				err   error
			}
			answers := race(racers, func(i int) answer {
				if i == 0 {
					return answer{nil, signsIn()}
				}
				ended, err := nodes[i%2].EndSessions(ctx, w.dev, se.ID, "", event("session.end"))
				return answer{ended, err}
			})
			var told []session.Ended
			for _, a := range answers[1:] {
				must(t, a.err)
				told = append(told, a.ended...)
			}
			joined := answers[0].err == nil
			if !joined && !fault.Is(answers[0].err, fault.NotFound) {
				t.Errorf("IssueCode = %v, want it done or not_found", answers[0].err)
			}
			if len(told) != 1 || (len(told[0].Apps) == 1) != joined {
				t.Errorf("EndSessions told %+v, want one end, with the app: %t", told, joined)
			}
			if joined {
				wantNotices(t, "after a race", w.Store, outbox.Logout{Session: se.ID, App: w.ourApp, User: w.dev})
			} else {
				wantNotices(t, "after a race", w.Store)
			}
		}
	})
}

// A sign of life is written at most every five minutes, and never backwards.
func TestTouchSession(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		se := begin(t, w.Store, w.dev)
		for _, c := range []struct{ at, want time.Duration }{
			{-time.Hour, 0},
			{5*time.Minute - time.Microsecond, 0},
			{5 * time.Minute, 5 * time.Minute},
			{9 * time.Minute, 5 * time.Minute},
			{time.Hour, time.Hour},
			{30 * time.Minute, time.Hour},
		} {
			must(t, w.TouchSession(ctx, se.ID, t0.Add(c.at)))
			got, err := w.Session(ctx, se.ID)
			if err != nil || !got.SeenAt.Equal(t0.Add(c.want)) || !got.ExpiresAt.Equal(se.ExpiresAt) {
				t.Errorf("TouchSession at %s: seen %s, %v, want %s", c.at, got.SeenAt.Sub(t0), err, c.want)
			}
		}
	})
}

func TestSessionsListed(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		var want []id.Session
		for i := range 3 {
			want = append(want, begin(t, w.Store, w.dev, func(se *session.Session) { se.CreatedAt = t0.Add(-time.Duration(i) * time.Hour) }).ID)
		}
		over := begin(t, w.Store, w.dev, func(se *session.Session) { se.ExpiresAt = t0 })
		join(t, w.Store, over, w.ourApp)
		if diff := cmp.Diff(want, sessionsOf(t, w.Store, w.dev, t0)); diff != "" {
			t.Errorf("Sessions -want +got:\n%s", diff)
		}
		must(t, second(w.Session(ctx, over.ID)))
		must(t, w.TrimSessions(ctx, t0.Add(-time.Microsecond)), second(w.Session(ctx, over.ID)), w.TrimSessions(ctx, t0))
		wantKind(t, "Session that was trimmed", second(w.Session(ctx, over.ID)), fault.NotFound)
		if diff := cmp.Diff(want, sessionsOf(t, w.Store, w.dev, t0)); diff != "" {
			t.Errorf("Sessions after trimming -want +got:\n%s", diff)
		}
		for i := range 250 {
			begin(t, w.Store, w.owner, func(se *session.Session) { se.Agent = fmt.Sprint(i) })
		}
		if got := sessionsOf(t, w.Store, w.owner, t0); len(got) != 200 {
			t.Errorf("Sessions = %d of 250, want a list that ends at 200", len(got))
		}
	})
}
