package manage

import (
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

func TestApplyCatalogRefuses(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct{ field, text string }{
		{"apis.weather.scopes.forecast.read.text", `{"apis": {"weather": {"scopes": {"forecast.read": {}}}}}`},
		{"apis.Weather", `{"apis": {"Weather": {}}}`},
		{"apis.lanyard", `{"apis": {"lanyard": {}}}`},
		{"apis.weather.takes", `{"apis": {"weather": {"takes": "keys"}}}`},
		{"apis.weather.name", `{"apis": {"weather": {"name": "mail"}}}`},
		{"apis.extra.scopes.forecast.read", `{"apis": {"extra": {"scopes": {"forecast.read": {"text": "x"}}}, "weather": {"scopes": {"forecast.read": {"text": "y"}}}}}`},
		{"brand.key_prefix", `{"brand": {"key_prefix": "Acme"}}`},
		{"brand.color", `{"brand": {"name": "Acme", "color": "red"}}`},
	} {
		for _, dry := range []bool{true, false} {
			before := w.trace()
			_, err := w.svc.ApplyCatalog(t.Context(), w.admin, decodeCatalog(t, tc.text), dry)
			if f := faultOf(err); tc.field == "apis.extra.scopes.forecast.read" && f.Field == "apis.weather.scopes.forecast.read" {
				continue // the one declared second, by name, is at fault
			}
			wantFault(t, "ApplyCatalog "+tc.text, err, fault.Invalid, tc.field)
			if w.trace() != before {
				t.Errorf("ApplyCatalog %s was refused and changed something", tc.text)
			}
		}
	}
}

func TestApplyCatalogIsIdempotent(t *testing.T) {
	w := newWorld(t)
	const text = `{"brand": {"name": "Acme"}, "apis": {"weather": {"takes": "key", "scopes": {"forecast.read": {"text": "read all forecasts"}},
		"operations": {"GET /v1/forecast": {"scopes": ["forecast.read"], "cost": 1}}, "plans": {"free": {"default": true, "quota": "1000/month"}}}}}`
	dry, err := w.svc.ApplyCatalog(t.Context(), w.admin, decodeCatalog(t, text), true)
	if err != nil || !dry.DryRun || dry.Revision != "" || len(dry.Changes) == 0 {
		t.Fatalf("ApplyCatalog dry = %+v, %v, want changes and no revision", dry, err)
	}
	applied := w.apply(text)
	if applied.Revision == "" || len(applied.Changes) != len(dry.Changes) {
		t.Errorf("ApplyCatalog = %+v, want a revision and the changes of the dry run", applied)
	}
	warned := strings.Join(applied.Warnings, "\n")
	for _, want := range []string{"apis.weather.scopes.alerts.read: is removed"} {
		if !strings.Contains(warned, want) {
			t.Errorf("warnings = %q, want %q among them", warned, want)
		}
	}
	if ev := w.lastEvent(); ev.Action != "catalog.apply" || !strings.Contains(ev.Details["changes"], "add brand.name") {
		t.Errorf("audit line = %+v, want what changed", ev)
	}
	before := w.trace()
	again := w.apply(text)
	if len(again.Changes) != 0 || again.Changes == nil || again.Revision != "" || w.trace() != before {
		t.Errorf("ApplyCatalog again = %+v, want no changes and no revision", again)
	}
	whole, err := w.svc.Catalog(t.Context(), w.admin)
	if err != nil || whole.Brand.Name != "Acme" || len(whole.APIs) != 3 {
		t.Errorf("Catalog = %+v, %v, want the brand and three APIs", whole, err)
	}
	if diff, err := w.svc.ApplyCatalog(t.Context(), w.admin, whole, false); err != nil || len(diff.Changes) != 0 {
		t.Errorf("ApplyCatalog of what Catalog shows = %+v, %v, want no changes", diff, err)
	}
}

func TestPlansInUseStay(t *testing.T) {
	w := newWorld(t)
	w.subscribe(w.a.team, "pro")
	const without = `{"apis": {"mail": {"scopes": {"messages.read": {"text": "read your messages"}}, "plans": {"max": {}}}}}`
	for _, dry := range []bool{true, false} {
		_, err := w.svc.ApplyCatalog(t.Context(), w.admin, decodeCatalog(t, without), dry)
		wantFault(t, "ApplyCatalog without the plan", err, fault.Conflict, "apis.mail.plans.pro")
		if !strings.Contains(faultOf(err).Detail, "1 team is") {
			t.Errorf("ApplyCatalog = %v, want the number of teams", err)
		}
	}
	_, err := w.svc.PutAPI(t.Context(), w.admin, "mail", lanyard.API{}, false)
	wantFault(t, "PutAPI without the plan", err, fault.Conflict, "plans.pro")
	_, err = w.svc.DeleteAPI(t.Context(), w.admin, "mail")
	wantFault(t, "DeleteAPI", err, fault.Conflict, "apis.mail.plans.pro")
	if _, err := w.svc.Subscribe(t.Context(), w.admin, w.a.team, "mail", lanyard.SubscriptionInput{Plan: ""}); err != nil {
		t.Fatal(err)
	}
	rev, err := w.svc.DeleteAPI(t.Context(), w.admin, "mail")
	if err != nil || rev == 0 {
		t.Errorf("DeleteAPI after the last subscription = %d, %v, want success", rev, err)
	}
	_, err = w.svc.DeleteAPI(t.Context(), w.admin, "mail")
	wantFault(t, "DeleteAPI again", err, fault.NotFound, "")
}

func TestPutAPI(t *testing.T) {
	w := newWorld(t)
	_, err := w.svc.PutAPI(t.Context(), w.admin, "weather", lanyard.API{Scopes: map[string]lanyard.Scope{"a.b": {}}}, false)
	wantFault(t, "PutAPI", err, fault.Invalid, "scopes.a.b.text") // as the sender of the API reads it
	_, err = w.svc.PutAPI(t.Context(), w.admin, "No", lanyard.API{}, false)
	wantFault(t, "PutAPI", err, fault.Invalid, "")
	diff, err := w.svc.PutAPI(t.Context(), w.admin, "extra", lanyard.API{Takes: "key"}, true)
	if err != nil || !diff.DryRun || diff.Revision != "" {
		t.Errorf("PutAPI dry = %+v, %v", diff, err)
	}
	_, err = w.svc.API(t.Context(), w.admin, "extra")
	wantFault(t, "API after a dry run", err, fault.NotFound, "")
	if diff, err = w.svc.PutAPI(t.Context(), w.admin, "extra", lanyard.API{Takes: "key"}, false); err != nil || diff.Revision == "" {
		t.Errorf("PutAPI = %+v, %v, want a revision", diff, err)
	}
}

// TestSetBrand: what is emptied is gone, unlike in a file that does not name it.
func TestSetBrand(t *testing.T) {
	w := newWorld(t)
	_, err := w.svc.SetBrand(t.Context(), w.admin, lanyard.Brand{Name: "Acme", Color: "reddish"}, false)
	wantFault(t, "SetBrand", err, fault.Invalid, "brand.color")
	for _, brand := range []lanyard.Brand{{Name: "Acme", Color: "#cc2200", Support: "help@acme.example"}, {Name: "Acme"}, {}} {
		if diff, err := w.svc.SetBrand(t.Context(), w.admin, brand, false); err != nil || diff.Revision == "" {
			t.Fatalf("SetBrand = %+v, %v, want a revision", diff, err)
		}
		if found, err := w.svc.Catalog(t.Context(), w.admin); err != nil || *found.Brand != brand || len(found.APIs) == 0 {
			t.Errorf("the catalog has the brand %+v and %d APIs, %v; want %+v", found.Brand, len(found.APIs), err, brand)
		}
	}
}

func TestUpstreamsAreForCatalogReaders(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"nothing", "lanyard", "", "x\x00y", strings.Repeat("a", 5000)} {
		_, err := w.svc.API(t.Context(), w.admin, name)
		wantFault(t, "API "+name, err, fault.NotFound, "")
		_, err = w.svc.Plans(t.Context(), w.admin, name)
		wantFault(t, "Plans "+name, err, fault.NotFound, "")
	}
	keysOnly := w.a.keyActor
	keysOnly.Scopes = []string{"lanyard.keys.read"}
	for _, tc := range []struct {
		actor audit.Actor
		want  string
	}{{w.admin, "http://10.0.0.7:9001"}, {w.a.keyActor, ""}, {keysOnly, ""}} {
		one, err := w.svc.API(t.Context(), tc.actor, "weather")
		if err != nil || one.Upstream != tc.want || one.Name != "weather" || one.Takes != "key" {
			t.Errorf("API as %s = %+v, %v, want upstream %q", tc.actor.Label, one, err, tc.want)
		}
		all, err := w.svc.APIs(t.Context(), tc.actor)
		if err != nil || len(all) != 3 || all[0].Name != "mail" || all[2].Upstream != tc.want {
			t.Errorf("APIs as %s = %+v, %v, want three by name", tc.actor.Label, all, err)
		}
	}
	plans, err := w.svc.Plans(t.Context(), keysOnly, "mail")
	if err != nil || len(plans) != 2 || plans["pro"].Limits[0] != "600/minute" {
		t.Errorf("Plans = %+v, %v, want two", plans, err)
	}
	if plans, err = w.svc.Plans(t.Context(), keysOnly, "weather"); err != nil || plans == nil || len(plans) != 0 {
		t.Errorf("Plans = %+v, %v, want an empty table", plans, err)
	}
}

func TestSubscriptions(t *testing.T) {
	w := newWorld(t)
	_, err := w.svc.Subscribe(t.Context(), w.admin, w.a.team, "mail", lanyard.SubscriptionInput{Plan: "gold"})
	wantFault(t, "Subscribe to an unknown plan", err, fault.Invalid, "plan")
	_, err = w.svc.Subscribe(t.Context(), w.admin, w.a.team, "nothing", lanyard.SubscriptionInput{Plan: "pro"})
	wantFault(t, "Subscribe to an unknown API", err, fault.NotFound, "")
	w.subscribe(w.a.team, "pro")
	w.subscribe(w.a.team, "max")
	got, err := w.svc.Subscriptions(t.Context(), userActor(w.a.billing, w.a.team, "lanyard.billing.read"), w.a.team)
	if err != nil || len(got) != 1 || got[0] != (lanyard.Subscription{TeamID: w.a.team, API: "mail", Plan: "max"}) {
		t.Errorf("Subscriptions = %+v, %v, want mail max", got, err)
	}
	if ev := w.lastEvent(); ev.Action != "subscription.set" || ev.Details["plan"] != "max" || string(ev.Team) != w.a.team {
		t.Errorf("audit line = %+v", ev)
	}
}
