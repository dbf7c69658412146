package storetest

import (
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/usage"
)

// reaches are askers, and whether what team ours owns is within their reach.
func (w *world) reaches() map[string]struct {
	reach audit.Reach
	meets bool
} {
	type row = struct {
		reach audit.Reach
		meets bool
	}
	return map[string]row{
		"nobody":                        {audit.Reach{}, false},
		"no team":                       {audit.TeamReach(""), false},
		"no user":                       {audit.UserReach(""), false},
		"no user as owner":              {audit.UserReach("").As(audit.RoleOwner), false},
		"another team":                  {audit.TeamReach(w.theirs), false},
		"another team's owner":          {audit.UserReach(w.foreign), false},
		"developer as owner":            {audit.UserReach(w.dev).As(audit.RoleOwner), false},
		"billing member as developer":   {audit.UserReach(w.billing).As(audit.RoleDeveloper), false},
		"somebody who is not there":     {audit.UserReach(id.New[id.User]()), false},
		"a team narrowed to a role":     {audit.TeamReach(w.theirs).As(audit.RoleAny), false},
		"the server":                    {audit.ServerReach(), true},
		"the team":                      {audit.TeamReach(w.ours), true},
		"owner":                         {audit.UserReach(w.owner), true},
		"owner as developer":            {audit.UserReach(w.owner).As(audit.RoleDeveloper), true},
		"owner as billing member":       {audit.UserReach(w.owner).As(audit.RoleBilling), true},
		"developer as developer":        {audit.UserReach(w.dev).As(audit.RoleDeveloper), true},
		"billing member":                {audit.UserReach(w.billing), true},
		"billing member as such":        {audit.UserReach(w.billing).As(audit.RoleBilling), true},
		"the team, narrowed to a role":  {audit.TeamReach(w.ours).As(audit.RoleOwner), true},
		"the server narrowed to a role": {audit.ServerReach().As(audit.RoleOwner), true},
	}
}

func TestReachOfOne(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		putAPIs(t, w.Store, weather("weather"))
		ev := event("test")
		methods := map[string]func(audit.Reach) error{
			"App": func(r audit.Reach) error { return second(w.App(ctx, r, w.ourApp)) },
			"UpdateApp": func(r audit.Reach) error {
				return third(w.UpdateApp(ctx, r, w.ourApp, fresh(ev), func(*app.App) error { return nil }))
			},
			"Key": func(r audit.Reach) error { return second(w.Key(ctx, r, w.ourKey)) },
			"UpdateKey": func(r audit.Reach) error {
				return third(w.UpdateKey(ctx, r, w.ourKey, fresh(ev), func(*key.Key) error { return nil }))
			},
			"Team": func(r audit.Reach) error { return second(w.Team(ctx, r, w.ours)) },
			"UpdateTeam": func(r audit.Reach) error {
				return third(w.UpdateTeam(ctx, r, w.ours, fresh(ev), func(*team.Team) error { return nil }))
			},
			"Members": func(r audit.Reach) error { return second(w.Members(ctx, r, w.ours)) },
			"SetMember": func(r audit.Reach) error {
				return second(w.SetMember(ctx, r, w.ours, team.Member{User: w.dev, Role: audit.RoleDeveloper}, fresh(ev)))
			},
			"RemoveMember": func(r audit.Reach) error {
				err := second(w.RemoveMember(ctx, r, w.ours, w.dev, fresh(ev)))
				if err == nil {
					must(t, second(w.SetMember(ctx, audit.ServerReach(), w.ours, team.Member{User: w.dev, Role: audit.RoleDeveloper}, fresh(ev))))
				}
				return err
			},
			"Subscriptions": func(r audit.Reach) error { return second(w.Subscriptions(ctx, r, w.ours)) },
		}
		for method, call := range methods {
			for asker, row := range w.reaches() {
				before := head(t, w.Store)
				err := call(row.reach)
				switch {
				case row.meets && err != nil:
					t.Errorf("%s by %s = %v, want it done", method, asker, err)
				case !row.meets && !fault.Is(err, fault.NotFound):
					t.Errorf("%s by %s = %v, want not_found", method, asker, err)
				case !row.meets && head(t, w.Store) != before:
					t.Errorf("%s by %s changed something", method, asker)
				}
			}
		}
	})
}

func TestReachOfLists(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		putAPIs(t, w.Store, weather("weather"))
		must(t, second(w.Subscribe(ctx, w.ours, "weather", billing.Change{Plan: "pro"}, event("subscribe"))))
		absorb(t, w.Store, usage.Event{At: t0.UnixMicro(), Team: w.ours, App: w.ourApp, Key: w.ourKey, API: "weather", Outcome: "valid", Units: 1},
			usage.Event{At: t0.UnixMicro(), Team: w.theirs, App: w.theirApp, Key: w.theirKey, API: "weather", Outcome: "valid", Units: 1},
			usage.Event{At: t0.UnixMicro(), API: "weather", Outcome: "not_found"})
		lists := map[string]func(audit.Reach) ([]id.Team, error){
			"Apps": func(r audit.Reach) (teams []id.Team, err error) {
				apps, err := w.Apps(ctx, r, app.Filter{Limit: 100})
				for _, a := range apps {
					teams = append(teams, a.Team)
				}
				return teams, err
			},
			"Keys": func(r audit.Reach) (teams []id.Team, err error) {
				keys, err := w.Keys(ctx, r, key.Filter{Limit: 100})
				for _, k := range keys {
					teams = append(teams, k.Team)
				}
				return teams, err
			},
			"Teams": func(r audit.Reach) (teams []id.Team, err error) {
				found, err := w.Teams(ctx, r, team.Filter{Limit: 100})
				for _, found := range found {
					teams = append(teams, found.ID)
				}
				return teams, err
			},
			"Audit": func(r audit.Reach) (teams []id.Team, err error) {
				events, err := w.Audit(ctx, r, audit.Filter{Limit: 100})
				for _, ev := range events {
					teams = append(teams, ev.Team)
				}
				return teams, err
			},
			"UsageSums": func(r audit.Reach) (teams []id.Team, err error) {
				sums, err := w.UsageSums(ctx, r, usage.Query{From: t0, To: t0.Add(time.Hour), Granularity: usage.Hour, GroupBy: []usage.Dimension{usage.ByTeam}})
				for _, sum := range sums {
					teams = append(teams, sum.Team)
				}
				return teams, err
			},
		}
		for list, call := range lists {
			for asker, row := range w.reaches() {
				teams, err := call(row.reach)
				must(t, err)
				ours, others := 0, 0
				for _, owner := range teams {
					if owner == w.ours {
						ours++
					} else {
						others++
					}
				}
				if row.meets != (ours > 0) {
					t.Errorf("%s by %s has %d of team ours, want any: %t", list, asker, ours, row.meets)
				}
				if row.reach != audit.ServerReach() && row.reach != audit.ServerReach().As(audit.RoleOwner) && row.meets && others > 0 {
					t.Errorf("%s by %s has %d of others", list, asker, others)
				}
				if (row.reach == audit.Reach{} || row.reach == audit.TeamReach("")) && others > 0 {
					t.Errorf("%s by %s has %d rows, want none: also not those that no team owns", list, asker, others)
				}
			}
		}
	})
}

// Losing a role bites at the next call.
func TestReachFollowsRole(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		as := audit.UserReach(w.dev).As(audit.RoleDeveloper)
		must(t, second(w.App(ctx, as, w.ourApp)))
		must(t, second(w.SetMember(ctx, audit.ServerReach(), w.ours, team.Member{User: w.dev, Role: audit.RoleBilling}, event("member.set"))))
		wantKind(t, "App by one who is no developer any more", second(w.App(ctx, as, w.ourApp)), fault.NotFound)
		must(t, second(w.RemoveMember(ctx, audit.ServerReach(), w.ours, w.dev, event("member.remove"))))
		wantKind(t, "App by one who left", second(w.App(ctx, audit.UserReach(w.dev), w.ourApp)), fault.NotFound)
	})
}

func third[A, B any](_ A, _ B, err error) error { return err }

// fresh gives an event an id of its own, to be written again.
func fresh(ev audit.Event) audit.Event {
	ev.ID = id.New[id.Event]()
	return ev
}
