package storetest

import (
	"errors"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/changes"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
)

func TestCatalog(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		st := db.open(t)
		subscriber := newTeam(t, st)
		put := func(what string, want []string, change func(*catalog.State) error) {
			t.Helper()
			before, ev := head(t, st), event(what)
			rev, err := st.UpdateCatalog(ctx, ev, change)
			must(t, err)
			if diff := cmp.Diff(want, since(t, st, before)); diff != "" {
				t.Errorf("%s: entries -want +got:\n%s", what, diff)
			}
			if wantRev := head(t, st); len(want) > 0 && rev != wantRev || len(want) == 0 && rev != 0 {
				t.Errorf("%s = revision %d, want %d, or 0 for no change", what, rev, wantRev)
			}
			if lines := auditLines(t, st, what); len(lines) != min(1, len(want)) {
				t.Errorf("%s left %d audit lines", what, len(lines))
			}
		}
		nothing := func(*catalog.State) error { return nil }
		put("nothing in an empty one", nil, nothing)
		put("two APIs and a face", []string{entry(changes.API, "mail"), entry(changes.API, "weather"), entry(changes.Brand, "brand")}, func(s *catalog.State) error {
			s.Brand.Name, s.APIs["weather"], s.APIs["mail"] = "Acme", weather("weather"), weather("mail")
			return nil
		})
		put("nothing", nil, nothing)
		put("the same again", nil, func(s *catalog.State) error { s.APIs["weather"] = weather("weather"); return nil })
		must(t, second(st.Subscribe(ctx, billing.Subscription{Team: subscriber, API: "weather", Plan: "pro"}, event("subscribe"))))
		put("in place", []string{entry(changes.API, "weather")}, func(s *catalog.State) error {
			if diff := cmp.Diff(map[string]map[string]int{"weather": {"pro": 1}}, s.Subscribers); diff != "" {
				t.Errorf("Subscribers -want +got:\n%s", diff)
			}
			s.APIs["weather"].Scopes["alerts.read"] = lanyard.Scope{Text: "read alerts"} // the map that was given
			return nil
		})
		put("a scope moves", []string{entry(changes.API, "mail"), entry(changes.API, "weather")}, func(s *catalog.State) error {
			s.APIs["mail"].Scopes["alerts.read"] = s.APIs["weather"].Scopes["alerts.read"]
			delete(s.APIs["weather"].Scopes, "alerts.read")
			return nil
		})

		before := head(t, st)
		_, err := st.UpdateCatalog(ctx, event("scope twice"), func(s *catalog.State) error {
			s.APIs["weather"].Scopes["alerts.read"] = lanyard.Scope{Text: "read alerts"}
			return nil
		})
		wantKind(t, "UpdateCatalog with a scope claimed twice", err, fault.Conflict)
		if _, err = st.UpdateCatalog(ctx, event("refused"), func(s *catalog.State) error { clear(s.APIs); return errRefused }); !errors.Is(err, errRefused) {
			t.Errorf("UpdateCatalog = %v, want the change function's error", err)
		}
		if head(t, st) != before || len(auditLines(t, st, "scope twice"))+len(auditLines(t, st, "refused")) > 0 {
			t.Error("a refused change of the catalog left something")
		}

		put("one goes", []string{entry(changes.API, "weather")}, func(s *catalog.State) error { delete(s.APIs, "weather"); return nil })
		wantKind(t, "API that went", second(st.API(ctx, "weather")), fault.NotFound)
		if sub, err := st.Subscription(ctx, subscriber, "weather"); err != nil || sub.Plan != "" {
			t.Errorf("Subscription for an API that went = %+v, %v, want none", sub, err)
		}
		put("it comes back", []string{entry(changes.API, "weather")}, func(s *catalog.State) error { s.APIs["weather"] = weather("weather"); return nil })
		state, err := st.Catalog(ctx)
		must(t, err)
		if diff := cmp.Diff(lanyard.Brand{Name: "Acme"}, state.Brand); diff != "" || len(state.APIs) != 2 || len(state.Subscribers) > 0 {
			t.Errorf("Catalog = %v, subscribers %v; brand -want +got:\n%s", maps.Keys(state.APIs), state.Subscribers, diff)
		}
		if a, err := st.API(ctx, "weather"); err != nil || !cmp.Equal(a, weather("weather")) {
			t.Errorf("API = %+v, %v, want what was put", a, err)
		}
	})
}

func TestSubscribe(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		putAPIs(t, w.Store, weather("weather"))
		before := head(t, w.Store)
		subscribe := func(teamID id.Team, api, plan string) error {
			return second(w.Subscribe(ctx, billing.Subscription{Team: teamID, API: api, Plan: plan}, event("subscribe")))
		}
		err := subscribe(w.ours, "weather", "gold")
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Field != "plan" {
			t.Errorf("Subscribe to no plan = %v, want invalid_request naming plan", err)
		}
		wantKind(t, "Subscribe to no API", subscribe(w.ours, "mail", "pro"), fault.NotFound)
		wantKind(t, "Subscribe of no team", subscribe(id.New[id.Team](), "weather", "pro"), fault.NotFound)
		if got := since(t, w.Store, before); len(got) > 0 {
			t.Errorf("refusals left entries %v", got)
		}
		for _, plan := range []string{"pro", "free", ""} {
			must(t, subscribe(w.ours, "weather", plan))
			if sub, err := w.Subscription(ctx, w.ours, "weather"); err != nil || sub.Plan != plan {
				t.Errorf("Subscription = %+v, %v, want plan %q", sub, err, plan)
			}
		}
		one := entry(changes.Subscription, string(w.ours)+"/weather")
		if diff := cmp.Diff([]string{one, one, one}, since(t, w.Store, before)); diff != "" {
			t.Errorf("Subscribe: entries -want +got:\n%s", diff)
		}
	})
}
