package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/session"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// askGrants asks for what hangs on grants, in every way it can be asked for.
func askGrants(t *testing.T, st *Store) {
	t.Helper()
	ctx, now := context.Background(), time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	userID, appID, grantID := id.New[id.User](), id.New[id.App](), id.New[id.Grant]()
	var errs []error
	for _, reach := range []audit.Reach{audit.ServerReach(), audit.TeamReach(id.New[id.Team]()), audit.UserReach(userID).As(audit.RoleDeveloper)} {
		for _, f := range []grant.Filter{{}, {Live: true}, {App: appID}, {User: userID}, {User: userID, Live: true}} {
			f.Before, f.BeforeID, f.Limit = now, "x", 50
			_, err := st.Grants(ctx, reach, f)
			errs = append(errs, err)
		}
	}
	_, err := st.Families(ctx, grantID, now)
	errs = append(errs, err)
	_, err = st.GrantForDecision(ctx, grantID)
	errs = append(errs, wanted(err))
	_, err = st.LiveGrant(ctx, userID, appID)
	errs = append(errs, wanted(err))
	_, err = st.Request(ctx, id.New[id.Request](), []byte("browser"), now)
	errs = append(errs, wanted(err))
	_, err = st.seenLately(ctx, grant.Rotation{Family: id.New[id.Family](), Now: now})
	errs = append(errs, err)
	err = st.TrimApps(ctx, now, now)
	if err := errors.Join(append(errs, err)...); err != nil {
		t.Fatal(err)
	}
}

// takeGrantSteps takes each step of what hangs on grants.
func takeGrantSteps(t *testing.T, st *Store) {
	t.Helper()
	ctx, now, browser := context.Background(), time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC), []byte("browser")
	event := func() audit.Event { return audit.Command("test").New(now, "test", "thing", "", nil) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	teamID, err := st.RegisteredTeam(ctx, now)
	must(err)
	u := &user.User{ID: id.New[id.User](), Email: "bob@example.com", CreatedAt: now}
	_, err = st.CreateUser(ctx, u, event())
	must(err)
	a := &app.App{ID: id.New[id.App](), Team: teamID, Name: "app", Type: app.Public, CreatedAt: now}
	_, err = st.CreateApp(ctx, a, event())
	must(err)
	g := &grant.Grant{ID: id.New[id.Grant](), User: u.ID, App: a.ID, Scopes: []string{"a"}, CreatedAt: now}
	_, err = st.Allow(ctx, g, event())
	must(err)

	se := &session.Session{ID: id.New[id.Session](), User: u.ID, Digest: []byte("digest"), ExpiresAt: now.Add(time.Hour)}
	must(st.BeginSession(ctx, se, "", nil, nil))

	r := &grant.Request{ID: id.New[id.Request](), App: a.ID, Browser: browser, ExpiresAt: now.Add(time.Hour)}
	must(st.SaveRequest(ctx, r))
	must(st.AdvanceRequest(ctx, r.ID, browser, grant.Progress{}, now))
	c := &grant.Code{ID: id.New[id.Code](), Digest: []byte("digest"), App: a.ID, User: u.ID, Grant: g.ID, Session: se.Alias, CreatedAt: now, ExpiresAt: now.Add(time.Minute)}
	_, err = st.IssueCode(ctx, r.ID, browser, c)
	must(err)
	_, err = st.DropRequest(ctx, r.ID, browser)
	must(err)
	_, err = st.TakePushed(ctx, "ticket", now)
	must(err)
	f := &grant.Family{ID: id.New[id.Family](), App: a.ID, User: u.ID, Grant: g.ID, Seed: []byte("seed"), CreatedAt: now, IdleAt: now.Add(time.Hour), ExpiresAt: now.Add(time.Hour)}
	for _, at := range []time.Duration{0, time.Second, time.Minute} { // won, lost, reused
		_, err = st.RedeemCode(ctx, c.ID, f.ID, f, now.Add(at))
		must(err)
	}
	for _, counter := range []uint32{0, 9} {
		for _, keep := range []bool{false, true} {
			_, _, err = st.RotateRefresh(ctx, grant.Rotation{Family: f.ID, Counter: counter, Keep: keep, Now: now.Add(2 * time.Minute)})
			must(err)
		}
	}

	d := &grant.Device{ID: id.New[id.Device](), Digest: []byte("digest"), UserDigest: []byte("user"), App: a.ID, ExpiresAt: now.Add(time.Hour)}
	must(st.CreateDevice(ctx, d))
	_, err = st.DeviceByCode(ctx, [][]byte{[]byte("other"), d.UserDigest}, browser, now)
	must(err)
	_, err = st.AnswerDevice(ctx, d.ID, browser, grant.Answer{State: grant.DeviceApproved, User: u.ID, Grant: g}, now, event())
	must(err)
	for range 2 {
		_, err = st.PollDevice(ctx, d.ID, now)
		must(err)
	}
	_, err = st.RedeemDevice(ctx, d.ID, id.New[id.Family](), nil, now)
	must(err)

	_, err = st.Once(ctx, "once", now)
	must(err)
	_, err = st.RevokeToken(ctx, id.New[id.Token](), now, event())
	must(err)
	_, err = st.RevokeGrant(ctx, audit.ServerReach(), "", g.ID, event())
	must(err)
	must(st.TrimGrants(ctx, now.AddDate(1, 0, 0)))
	newcomer := &app.App{ID: id.New[id.App](), Team: teamID, Origin: app.DCR, Name: "app", Type: app.Public, CreatedAt: now}
	_, err = st.CreateApp(ctx, newcomer, event())
	must(err)
	must(st.TrimApps(ctx, now.AddDate(0, 0, 7), now))
}
