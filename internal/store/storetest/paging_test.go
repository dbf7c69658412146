package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/usage"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// Pages hold everything once, though many rows have the same time and some are made meanwhile.
func TestPaging(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		server := audit.ServerReach()
		owner := newTeam(t, st)
		appID := newApp(t, st, owner)
		const each = 23
		holder := newUser(t, st, "holder@example.com")
		personal := func(_ int, at time.Time) string {
			return string(newPersonal(t, st, holder, func(p *key.Personal) { p.CreatedAt = at }).ID)
		}
		makers := map[string]func(i int, at time.Time) string{
			"personal tokens": personal, "everybody's personal tokens": personal,
			"apps": func(_ int, at time.Time) string {
				a := anApp(owner)
				a.CreatedAt = at
				must(t, second(st.CreateApp(ctx, a, event("app.create"))))
				return string(a.ID)
			},
			"keys": func(_ int, at time.Time) string {
				k := aKey(appID, owner)
				k.CreatedAt = at
				must(t, second(st.CreateKeys(ctx, []*key.Key{k}, event("key.create"))))
				return string(k.ID)
			},
			"teams": func(_ int, at time.Time) string {
				tm := &team.Team{ID: id.New[id.Team](), Name: "team", CreatedAt: at}
				must(t, second(st.CreateTeam(ctx, tm, "", event("team.create"))))
				return string(tm.ID)
			},
			"users": func(_ int, at time.Time) string {
				u := &user.User{ID: id.New[id.User](), CreatedAt: at}
				u.Email = string(u.ID) + "@example.com"
				must(t, second(st.CreateUser(ctx, u, event("user.create"))))
				return string(u.ID)
			},
			"audit": func(_ int, at time.Time) string {
				ev := audit.Command("test").New(at, "paged", "thing", "", nil)
				must(t, third(st.UpdateTeam(ctx, server, owner, ev, func(*team.Team) error { return nil })))
				return string(ev.ID)
			},
			"attempts": func(i int, at time.Time) string {
				a := usage.Attempt{Source: fmt.Sprintf("203.0.113.%d", i/2), Code: []string{"malformed", "not_found"}[i%2], Start: at, Count: 1, LastAt: at}
				must(t, st.AddAttempts(ctx, []usage.Attempt{a}))
				return fmt.Sprint(usage.Hour.Start(at).Unix(), a.Source, " ", a.Code)
			},
		}
		type place struct {
			at  time.Time
			id  string
			row string
		}
		listPersonal := func(of id.User) func(time.Time, string, int) ([]place, error) {
			return func(before time.Time, beforeID string, limit int) ([]place, error) {
				rows, err := st.Personals(ctx, key.PersonalFilter{User: of, Before: before, BeforeID: beforeID, Limit: limit})
				return places(rows, func(p *key.Personal) place { return place{p.CreatedAt, string(p.ID), string(p.ID)} }), err
			}
		}
		list := map[string]func(before time.Time, beforeID string, limit int) ([]place, error){
			"personal tokens": listPersonal(holder), "everybody's personal tokens": listPersonal(""),
			"apps": func(before time.Time, beforeID string, limit int) ([]place, error) {
				rows, err := st.Apps(ctx, server, app.Filter{Before: before, BeforeID: beforeID, Limit: limit})
				return places(rows, func(a *app.App) place { return place{a.CreatedAt, string(a.ID), string(a.ID)} }), err
			},
			"keys": func(before time.Time, beforeID string, limit int) ([]place, error) {
				rows, err := st.Keys(ctx, audit.TeamReach(owner), key.Filter{App: appID, Team: owner, Name: "production", Before: before, BeforeID: beforeID, Limit: limit})
				return places(rows, func(k *key.Key) place { return place{k.CreatedAt, string(k.ID), string(k.ID)} }), err
			},
			"teams": func(before time.Time, beforeID string, limit int) ([]place, error) {
				rows, err := st.Teams(ctx, server, team.Filter{Before: before, BeforeID: beforeID, Limit: limit})
				return places(rows, func(tm *team.Team) place { return place{tm.CreatedAt, string(tm.ID), string(tm.ID)} }), err
			},
			"users": func(before time.Time, beforeID string, limit int) ([]place, error) {
				rows, err := st.Users(ctx, user.Filter{Before: before, BeforeID: beforeID, Limit: limit})
				return places(rows, func(u *user.User) place { return place{u.CreatedAt, string(u.ID), string(u.ID)} }), err
			},
			"audit": func(before time.Time, beforeID string, limit int) ([]place, error) {
				rows, err := st.Audit(ctx, server, audit.Filter{Action: "paged", Target: "thing", Before: before, BeforeID: beforeID, Limit: limit})
				return places(rows, func(ev audit.Event) place { return place{ev.At, string(ev.ID), string(ev.ID)} }), err
			},
			"attempts": func(before time.Time, beforeID string, limit int) ([]place, error) {
				rows, err := st.Attempts(ctx, before, beforeID, limit)
				return places(rows, func(a usage.Attempt) place {
					return place{a.Start, a.Source + " " + a.Code, fmt.Sprint(a.Start.Unix(), a.Source, " ", a.Code)}
				}), err
			},
		}
		for name, makeOne := range makers {
			var want []string
			for i := range each {
				want = append(want, makeOne(i, t0.Add(time.Duration(i/10)*time.Hour)))
			}
			var got []string
			var last place
			for page := 0; ; page++ {
				rows, err := list[name](last.at, last.id, 4)
				must(t, err)
				if len(rows) == 0 {
					break
				}
				if len(rows) > 4 {
					t.Fatalf("%s: a page of %d rows, want at most 4", name, len(rows))
				}
				for _, row := range rows {
					if !last.at.IsZero() && row.at.After(last.at) {
						t.Errorf("%s: a row of %s follows one of %s, want the newest first", name, row.at, last.at)
					}
					got, last = append(got, row.row), row
				}
				if page == 1 && name != "attempts" {
					makeOne(each, t0.Add(24*time.Hour)) // newer than what is being read: not on later pages
				}
			}
			for _, row := range want {
				if n := count(got, row); n != 1 {
					t.Errorf("%s: %s is on the pages %d times, want once", name, row, n)
				}
			}
		}
	})
}

func places[T, P any](rows []T, of func(T) P) (out []P) {
	for _, r := range rows {
		out = append(out, of(r))
	}
	return out
}

func count(rows []string, row string) int {
	return len(rows) - len(slices.DeleteFunc(slices.Clone(rows), func(r string) bool { return r == row }))
}
