package storetest

import (
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

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
		must(t, second(st.Subscribe(ctx, subscriber, "weather", billing.Change{Plan: "pro"}, event("subscribe"))))
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
		if sub, err := st.Subscription(ctx, subscriber, "weather"); err != nil || sub.PlanAt(t0) != "" {
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
			return second(w.Subscribe(ctx, teamID, api, billing.Change{Plan: plan}, event("subscribe")))
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
			if sub, err := w.Subscription(ctx, w.ours, "weather"); err != nil || sub.PlanAt(t0) != plan {
				t.Errorf("Subscription = %+v, %v, want plan %q", sub, err, plan)
			}
		}
		one := entry(changes.Subscription, string(w.ours)+"/weather")
		if diff := cmp.Diff([]string{one, one, one}, since(t, w.Store, before)); diff != "" {
			t.Errorf("Subscribe: entries -want +got:\n%s", diff)
		}
	})
}

// A change that is still to come is replaced by the next, and one within the same minute too.
func TestSubscribeLater(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		putAPIs(t, w.Store, weather("weather"))
		now, later := t0.Truncate(time.Minute), t0.Truncate(time.Minute).Add(time.Hour)
		for _, step := range []struct {
			change billing.Change
			want   []billing.Change
		}{
			{billing.Change{Plan: ""}, nil}, // it has none
			{billing.Change{Plan: "pro", At: later}, []billing.Change{{At: later, Plan: "pro"}}},
			{billing.Change{Plan: "free", At: later.Add(time.Hour)}, []billing.Change{{At: later.Add(time.Hour), Plan: "free"}}},
			{billing.Change{Plan: "pro", At: t0.Add(20 * time.Second)}, []billing.Change{{At: now, Plan: "pro"}}},
			{billing.Change{Plan: "free", At: later}, []billing.Change{{At: now, Plan: "pro"}, {At: later, Plan: "free"}}},
			{billing.Change{Plan: "pro", At: later}, []billing.Change{{At: now, Plan: "pro"}}}, // undone: it stays as it is
			{billing.Change{Plan: ""}, []billing.Change{{At: now}}},
		} {
			must(t, second(w.Subscribe(ctx, w.ours, "weather", step.change, event("subscribe"))))
			sub, err := w.Subscription(ctx, w.ours, "weather")
			must(t, err)
			if diff := cmp.Diff(step.want, sub.Changes); diff != "" {
				t.Fatalf("after %+v -want +got:\n%s", step.change, diff)
			}
		}
	})
}

// Whoever is to get a plan later counts as its subscriber already.
func TestSubscribersToCome(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		putAPIs(t, w.Store, weather("weather"))
		must(t, second(w.Subscribe(ctx, w.ours, "weather", billing.Change{Plan: "free"}, event("subscribe"))))
		must(t, second(w.Subscribe(ctx, w.ours, "weather", billing.Change{Plan: "pro", At: t0.Add(time.Hour)}, event("subscribe"))))
		_, err := w.UpdateCatalog(ctx, event("look"), func(s *catalog.State) error {
			if diff := cmp.Diff(map[string]map[string]int{"weather": {"free": 1, "pro": 1}}, s.Subscribers); diff != "" {
				t.Errorf("Subscribers -want +got:\n%s", diff)
			}
			return nil
		})
		must(t, err)
	})
}

// Every declaration of a plan that says something new is a version, and so is that the plan goes.
func TestPlanVersions(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		at := t0
		put := func(plans map[string]lanyard.Plan) {
			t.Helper()
			at = at.Add(time.Hour)
			ev := event("catalog.apply")
			ev.At = at
			_, err := w.UpdateCatalog(ctx, ev, func(s *catalog.State) error {
				delete(s.APIs, "weather")
				if plans != nil {
					a, err := catalog.Normalise("weather", lanyard.API{Takes: "key", Plans: plans})
					must(t, err)
					s.APIs["weather"] = a
				}
				return nil
			})
			must(t, err)
		}
		pro := lanyard.Plan{Fee: "9.90", Currency: "USD"}
		put(map[string]lanyard.Plan{"free": {Default: true}, "pro": pro})
		put(map[string]lanyard.Plan{"free": {Default: true}, "pro": pro}) // nothing new
		put(map[string]lanyard.Plan{"free": {Default: true}, "pro": {Fee: "12", Currency: "EUR", Limits: []string{"60/minute"}}})
		put(map[string]lanyard.Plan{"pro": {Fee: "12", Currency: "EUR", Limits: []string{"60/minute"}, Default: true}})
		put(nil)
		put(map[string]lanyard.Plan{"free": {Default: true}})
		must(t, w.VersionPlans(ctx, at)) // nothing is missing

		h, err := w.History(ctx, w.ours, "weather")
		must(t, err)
		var got []string
		for _, v := range h.Versions {
			text := fmt.Sprintf("%s %d after %d h", v.Plan, v.Number, int(v.Since.Sub(t0.Truncate(time.Minute)).Hours()))
			if v.Default {
				text += " default"
			}
			if v.Gone {
				text += " gone"
			}
			if v.Charged() {
				text += " " + v.Charges.Currency.Format(v.Charges.Fee)
			}
			got = append(got, text)
		}
		want := []string{
			"free 1 after 1 h default", "free 2 after 4 h gone", "free 3 after 6 h default",
			"pro 1 after 1 h 9.90 USD", "pro 2 after 3 h 12.00 EUR", "pro 3 after 4 h default 12.00 EUR", "pro 4 after 5 h gone",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("versions -want +got:\n%s", diff)
		}
	})
}
