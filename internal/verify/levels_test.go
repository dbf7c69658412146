package verify_test

import (
	"context"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/user"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// hourly is a limit of n an hour: none of it comes back while a test runs.
func hourly(n int64) []ratelimit.Limit {
	return []ratelimit.Limit{{Name: "hourly", N: n, Window: time.Hour}}
}

// Every level limits; the smallest that is spent is the one named, and a refusal spends nothing of the others.
func TestLimitsOfEveryLevel(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	p := w.person("ada@example.com")
	w.must(w.st.UpdateCatalog(ctx, w.event("catalog.apply"), func(s *catalog.State) error {
		api := s.APIs["mail"]
		api.Limits, api.UserLimits = []string{"7/hour"}, []string{"6/hour"}
		api.Plans = map[string]lanyard.Plan{"free": {Default: true, Limits: []string{"5/hour"}}}
		s.APIs["mail"] = api
		return nil
	}))
	w.sync()
	set := func(teams, users, apps int64) {
		t.Helper()
		if _, _, err := w.st.UpdateTeam(ctx, audit.ServerReach(), w.team, w.event("team.update"), func(t *team.Team) error { t.Limits = hourly(teams); return nil }); err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.st.UpdateUser(ctx, p.user, w.event("user.update"), func(u *user.User) error { u.Limits = hourly(users); return nil }); err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.st.UpdateApp(ctx, audit.ServerReach(), w.app, w.event("app.update"), func(a *app.App) error { a.Limits = hourly(apps); return nil }); err != nil {
			t.Fatal(err)
		}
		w.sync()
	}
	req := verify.Request{Credential: w.forms(w.claims(p, "messages.read"))["jwt"], API: "mail", Method: "GET", Path: "/v1/messages"}
	names := []string{"app-hourly", "user-hourly", "team-hourly", "plan-per-hour", "api-user-per-hour", "api-per-hour"}
	call := func(by string, left ...int64) {
		t.Helper()
		d := w.ask(req)
		if d.DeniedBy != by || (d.Code == policy.RateLimited) != (by != "") {
			t.Fatalf("call = %s by %q, want it denied by %q", d.Code, d.DeniedBy, by)
		}
		if len(d.Limits) != len(names) {
			t.Fatalf("%d limits in the answer, want %d", len(d.Limits), len(names))
		}
		for i, l := range d.Limits {
			if l.Limit.Name != names[i] || l.Remaining != left[i] {
				t.Errorf("limit %d = %s with %d left, want %s with %d", i, l.Limit.Name, l.Remaining, names[i], left[i])
			}
		}
	}
	anHour := func() { // later: every limit is whole again, and the token another
		w.clock.Advance(time.Hour)
		w.sync()
		req.Credential = w.forms(w.claims(p, "messages.read"))["jwt"]
	}
	set(4, 3, 2)
	call("", 1, 2, 3, 4, 5, 6)
	call("", 0, 1, 2, 3, 4, 5)
	call("app-hourly", 0, 1, 2, 3, 4, 5)
	// A raised limit keeps the part of the hour that was spent, so the other levels are made to refuse by being small.
	set(4, 1, 1000)
	anHour()
	call("", 999, 0, 3, 4, 5, 6)
	call("user-hourly", 999, 0, 3, 4, 5, 6)
	set(1, 1000, 1000)
	anHour()
	call("", 999, 999, 0, 4, 5, 6)
	call("team-hourly", 999, 999, 0, 4, 5, 6)
	set(1000, 1000, 1000)
	anHour()
	for range 5 {
		w.ask(req)
	}
	call("plan-per-hour", 995, 995, 995, 0, 1, 2)
}
