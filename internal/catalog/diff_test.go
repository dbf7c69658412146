package catalog

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

func merge(t *testing.T, before State, text string) State {
	t.Helper()
	var c lanyard.Catalog
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	after, err := Merge(before, c)
	if err != nil {
		t.Fatalf("Merge(%s): %v", text, err)
	}
	return after
}

func TestDiff(t *testing.T) {
	first := merge(t, State{}, `{"brand": {"name": "Acme"}, "apis": {"weather": {"takes": "key", "routes": [{"prefix": "/weather", "strip_prefix": true}],
		"scopes": {"forecast.read": {"text": "read forecasts", "default": true}},
		"operations": {"GET /v1/forecast": {"scopes": ["forecast.read"]}}, "plans": {"free": {}}}}}`)
	second := merge(t, first, `{"brand": {"color": "#0a7"}, "apis": {"weather": {"takes": "key", "routes": [{"prefix": "/w", "strip_prefix": true}],
		"scopes": {"forecast.read": {"text": "read all forecasts"}, "forecast": {"text": "x"}},
		"operations": {"GET /v1/forecast": {"scopes": ["forecast.read", "forecast"], "cost": 2}, "GET /v2/": {}}, "plans": {"free": {"limits": ["60/minute", "5/hour"]}}}, "tiny": {}}}`)
	want := []lanyard.CatalogChange{
		{Path: "apis.tiny.key_in", Action: "add", After: "header"},
		{Path: "apis.tiny.metering", Action: "add", After: "exact"},
		{Path: "apis.tiny.takes", Action: "add", After: "either"},
		{Path: "apis.tiny.token.format", Action: "add", After: "jwt"},
		{Path: "apis.tiny.token.lifetime", Action: "add", After: "15m"},
		{Path: "apis.weather.operations.GET /v1/forecast.cost", Action: "change", Before: "1", After: "2"},
		{Path: "apis.weather.operations.GET /v1/forecast.scopes", Action: "change", Before: "forecast.read", After: "forecast.read, forecast"},
		{Path: "apis.weather.operations.GET /v2/.cost", Action: "add", After: "1"},
		{Path: "apis.weather.plans.free", Action: "remove", Before: "{}"},
		{Path: "apis.weather.plans.free.limits", Action: "add", After: "60/minute, 5/hour"},
		{Path: "apis.weather.routes[0].prefix", Action: "change", Before: "/weather", After: "/w"},
		{Path: "apis.weather.scopes.forecast.grantable_by", Action: "add", After: "everyone"},
		{Path: "apis.weather.scopes.forecast.read.default", Action: "remove", Before: "true"},
		{Path: "apis.weather.scopes.forecast.read.text", Action: "change", Before: "read forecasts", After: "read all forecasts"},
		{Path: "apis.weather.scopes.forecast.text", Action: "add", After: "x"},
		{Path: "brand.color", Action: "add", After: "#0a7"},
	}
	got := Diff(first, second)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Diff (-want +got):\n%s", diff)
	}
	back := Diff(second, first)
	if len(back) != len(got) {
		t.Errorf("Diff backwards has %d changes, want %d", len(back), len(got))
	}
	for i := range min(len(back), len(got)) {
		if back[i].Path != got[i].Path || back[i].Before != got[i].After || back[i].After != got[i].Before {
			t.Errorf("Diff backwards[%d] = %+v, want %+v turned round", i, back[i], got[i])
		}
	}
	if same := Diff(second, second); same == nil || len(same) != 0 {
		t.Errorf("Diff of the same = %#v, want an empty list", same)
	}
	gone := second
	gone.APIs = map[string]lanyard.API{"weather": second.APIs["weather"]}
	if removed := Diff(second, gone); len(removed) != 5 || removed[0].Action != "remove" || !strings.HasPrefix(removed[0].Path, "apis.tiny.") {
		t.Errorf("Diff without tiny = %+v, want its five values removed", removed)
	}
}

func TestMergeLeavesTheRest(t *testing.T) {
	before := merge(t, State{}, `{"brand": {"name": "Acme", "color": "#0a7"}, "apis": {"a1": {"takes": "key", "title": "One"}, "a2": {"takes": "token"}}}`)
	shown := Diff(State{}, before)
	after := merge(t, before, `{"brand": {"name": "Apex"}, "apis": {"a1": {"takes": "both"}}}`)
	if after.Brand.Name != "Apex" || after.Brand.Color != "#0a7" {
		t.Errorf("brand = %+v, want the name set and the colour left", after.Brand)
	}
	if after.APIs["a1"].Takes != "both" || after.APIs["a1"].Title != "" || after.APIs["a2"].Takes != "token" {
		t.Errorf("APIs = %+v, want a1 replaced whole and a2 left", after.APIs)
	}
	if diff := cmp.Diff(shown, Diff(State{}, before)); diff != "" {
		t.Errorf("Merge changed the catalog before:\n%s", diff)
	}
	if empty := merge(t, State{}, `{}`); len(empty.APIs) != 0 || empty.APIs == nil {
		t.Errorf("Merge of nothing = %+v", empty)
	}
}

func TestMergeRefuses(t *testing.T) {
	for _, tc := range []struct{ field, text string }{
		{"brand.color", `{"brand": {"color": "x"}}`},
		{"apis.a1.takes", `{"apis": {"a1": {"takes": "x"}}}`},
		{"apis.A", `{"apis": {"A": {}}}`},
		{"apis.a1.name", `{"apis": {"a1": {"name": "a2"}}}`},
		{"apis.a2.scopes.x", `{"apis": {"a1": {"scopes": {"x": {"text": "x"}}}, "a2": {"scopes": {"x": {"text": "x"}}}}}`},
	} {
		var c lanyard.Catalog
		if err := json.Unmarshal([]byte(tc.text), &c); err != nil {
			t.Fatal(err)
		}
		_, err := Merge(State{}, c)
		if f := faultOf(err); f.Kind != fault.Invalid || f.Field != tc.field {
			t.Errorf("Merge(%s) = %v, want invalid_request about %q", tc.text, err, tc.field)
		}
	}
}

func TestCheckRemovals(t *testing.T) {
	before := merge(t, State{}, `{"apis": {"a1": {"plans": {"free": {}, "pro": {}}}, "a2": {"plans": {"pro": {}}}}}`)
	for _, tc := range []struct {
		name        string
		subscribers map[string]map[string]int
		after       string // APIs that stay
		field, says string
	}{
		{"nobody", nil, `{}`, "", ""},
		{"nobody, counted", map[string]map[string]int{"a1": {"pro": 0}}, `{}`, "", ""},
		{"the plan stays", map[string]map[string]int{"a1": {"pro": 5}}, `{"a1": {"plans": {"pro": {}}}}`, "", ""},
		{"one team", map[string]map[string]int{"a1": {"pro": 1}}, `{"a1": {"plans": {"free": {}}}, "a2": {}}`, "apis.a1.plans.pro", "1 team is"},
		{"many teams, with the API", map[string]map[string]int{"a2": {"pro": 3}}, `{"a1": {}}`, "apis.a2.plans.pro", "3 teams are"},
	} {
		before.Subscribers = tc.subscribers
		after := State{APIs: map[string]lanyard.API{}}
		if err := json.Unmarshal([]byte(tc.after), &after.APIs); err != nil {
			t.Fatal(err)
		}
		err := CheckRemovals(before, after)
		if f := faultOf(err); f.Field != tc.field || (err == nil) != (tc.field == "") || err != nil && (f.Kind != fault.Conflict || !strings.Contains(f.Detail, tc.says)) {
			t.Errorf("%s: CheckRemovals = %v, want %q", tc.name, err, tc.says)
		}
	}
}

func TestWarnings(t *testing.T) {
	before := merge(t, State{}, `{"apis": {"a1": {"scopes": {"x": {"text": "x"}, "y": {"text": "y"}}}, "a2": {}}}`)
	after := merge(t, before, `{"apis": {"a1": {"metering": "none", "plans": {"free": {"quota": "5/day"}}}, "a3": {"plans": {"free": {"quota": "5/day"}}}, "a2": {"scopes": {"y": {"text": "moved"}}}}}`)
	got := Warnings(before, after)
	if len(got) != 2 || !strings.HasPrefix(got[0], "apis.a1.plans.free.quota: 5/day") || !strings.HasPrefix(got[1], "apis.a1.scopes.x: is removed") {
		t.Errorf("Warnings = %q, want the quota of what is not metered and the scope that is gone, not the one that moved", got)
	}
	if got := Warnings(after, after); len(got) != 1 {
		t.Errorf("Warnings of the same = %q, want the quota alone", got)
	}
}
