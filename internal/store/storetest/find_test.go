package storetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/listing"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// leaf reads a list page by page, and back again: each page must be the same from both sides.
func leaf(t *testing.T, w *world, reach audit.Reach, q listing.Query) (ids []string) {
	t.Helper()
	var pages [][]string
	var last listing.Found
	for {
		found, err := w.Find(ctx, reach, q)
		must(t, err)
		if len(found.IDs) > q.Limit {
			t.Fatalf("%+v: a page of %d rows, want at most %d", q, len(found.IDs), q.Limit)
		}
		pages, ids, last = append(pages, found.IDs), append(ids, found.IDs...), found
		if q.From = found.Next; q.From == nil {
			break
		}
	}
	for i := len(pages) - 2; i >= 0 && last.Previous != nil; i-- {
		q.From, q.Back = last.Previous, true
		found, err := w.Find(ctx, reach, q)
		must(t, err)
		if diff := cmp.Diff(pages[i], found.IDs); diff != "" && q.Look == 0 {
			t.Errorf("%+v: page %d is another from behind, -forwards +back:\n%s", q, i, diff)
		}
		last = found
	}
	return ids
}

// Each row is on one page under each order, whatever the case of its name and though many are called alike; a search finds what is
// called by a part, and no sign in it means another.
func TestFind(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		server := audit.ServerReach()
		names := []string{"Weather", "weather", "wEATHER board", "100% rain", "100 rain", `back\slash`, "under_score", "underscore", "Änne", "z"}
		made := map[listing.List]map[string]string{listing.Apps: {}, listing.Keys: {}, listing.People: {}} // names by id
		for i := range 30 {
			name, at := names[i%len(names)], t0.Add(time.Duration(i/7)*time.Hour)
			a := anApp(w.ours)
			a.Name, a.CreatedAt = name, at
			must(t, second(w.CreateApp(ctx, a, event("app.create"))))
			if i%3 == 0 {
				must(t, third(w.UpdateApp(ctx, server, a.ID, event("app.update"), func(a *app.App) error { a.DisabledAt = t0; return nil })))
			}
			made[listing.Apps][string(a.ID)] = name
			k := aKey(a.ID, w.ours)
			k.Name, k.CreatedAt = name, at
			must(t, second(w.CreateKeys(ctx, []*key.Key{k}, event("key.create"))))
			made[listing.Keys][string(k.ID)] = name
			u := &user.User{ID: id.New[id.User](), Email: fmt.Sprintf("p%d.x@Example.org", i), Name: name, CreatedAt: at}
			must(t, second(w.CreateUser(ctx, u, event("user.create"))))
			made[listing.People][string(u.ID)] = name
		}
		for list, all := range made {
			for _, sort := range []string{"", "name", "mail"} {
				if sort == "mail" && list != listing.People {
					continue
				}
				q := listing.Query{Of: list, Sort: sort, Limit: 4}
				up := leaf(t, w, server, q)
				for row := range all {
					if n := count(up, row); n != 1 {
						t.Errorf("%s by %q: %s is on the pages %d times, want once", list, sort, row, n)
					}
				}
				q.Down = true
				down := leaf(t, w, server, q)
				slices.Reverse(down)
				if diff := cmp.Diff(up, down); diff != "" {
					t.Errorf("%s by %q downwards is not the reverse, -up +down:\n%s", list, sort, diff)
				}
				if sort == "name" && strings.ToLower(all[slices.DeleteFunc(up, func(row string) bool { return all[row] == "" })[0]]) != "100 rain" {
					t.Errorf("%s by name begins with %v", list, up[:3])
				}
			}
			for part, want := range map[string][]string{
				"ERSCORE": {"underscore"}, "ther b": {"wEATHER board"}, "100%": {"100% rain"}, "r_s": {"under_score"}, `k\`: {`back\slash`}, "nne": {"Änne"}, "nothing": nil, "%": {"100% rain"},
			} {
				got := map[string]bool{}
				ids := slices.DeleteFunc(leaf(t, w, server, listing.Query{Of: list, Like: part, Sort: "name", Limit: 4}), func(row string) bool {
					_, ours := all[row] // other tests make people in the same database, whose mail may be like it
					return !ours
				})
				for _, row := range ids {
					got[all[row]] = true
				}
				if sorted := slices.Sorted(maps.Keys(got)); !slices.Equal(sorted, slices.Sorted(slices.Values(want))) || len(ids) != 3*len(want) {
					t.Errorf("%s like %q = %q, %d rows, want %q three times", list, part, sorted, len(ids), want)
				}
			}
		}
		if got := leaf(t, w, server, listing.Query{Of: listing.People, Like: "P7.X@example", Limit: 4}); len(got) != 1 {
			t.Errorf("people by a part of the address = %v, want one", got)
		}
		disabled := listing.Query{Of: listing.Apps, Team: w.ours, Where: map[string]string{"state": "disabled"}, Limit: 4}
		if got := leaf(t, w, audit.TeamReach(w.ours), disabled); len(got) != 10 {
			t.Errorf("disabled apps = %d, want 10", len(got))
		}
		// However little is looked through at once, all is found, and a page says that it did not look at all.
		for _, down := range []bool{false, true} {
			q := listing.Query{Of: listing.Apps, Like: "R board", Down: down, Limit: 4, Look: 5}
			if got := leaf(t, w, server, q); len(got) != 3 {
				t.Errorf("apps like R board, five looked at a time, down %v = %v, want three", down, got)
			}
			q.Like = "nothing"
			if found, err := w.Find(ctx, server, q); err != nil || !found.Short || found.Next == nil {
				t.Errorf("five looked through of 30 = %+v, %v, want that more may follow", found, err)
			}
		}
	})
}

// What lies beyond a reach is on no page, and what nobody can ask for is refused.
func TestFindWithin(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		foreign := anApp(w.theirs)
		foreign.Name = "theirs"
		must(t, second(w.CreateApp(ctx, foreign, event("app.create"))))
		for _, reach := range []audit.Reach{audit.TeamReach(w.ours), audit.UserReach(w.dev).As(audit.RoleDeveloper)} {
			for _, q := range []listing.Query{{Of: listing.Apps, Team: w.theirs}, {Of: listing.Apps, Like: "theirs"}, {Of: listing.Teams, Team: w.theirs}, {Of: listing.People}} {
				q.Limit = 50
				if found, err := w.Find(ctx, reach, q); err != nil || len(found.IDs) > 0 {
					t.Errorf("Find(%+v) of another team = %v, %v, want nothing", q, found.IDs, err)
				}
			}
		}
		if found, err := w.Find(ctx, audit.Reach{}, listing.Query{Of: listing.Apps, Limit: 5}); err != nil || len(found.IDs) > 0 {
			t.Errorf("Find of nobody = %v, %v, want nothing", found.IDs, err)
		}
		for _, q := range []listing.Query{
			{Of: "secrets"},
			{Of: listing.Apps, Sort: "id; DROP TABLE app"},
			{Of: listing.Apps, Where: map[string]string{"state": "1 = 1"}},
			{Of: listing.Teams, Where: map[string]string{"role": "admin"}},
		} {
			q.Limit = 5
			_, err := w.Find(ctx, audit.ServerReach(), q)
			wantKind(t, fmt.Sprintf("Find(%+v)", q), err, fault.Invalid)
		}
	})
}
