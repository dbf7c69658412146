package developers_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard"
)

// TestLimits: a team sees every limit that binds it on its usage page, and on a key's those that bind the key.
func TestLimits(t *testing.T) {
	d := newDesk(t)
	usage := d.sound(d.browser.Get(d.path("/usage"))).Text()
	if !strings.Contains(usage, "Nothing limits how fast you call") {
		t.Errorf("without limits the usage page says %.900s", usage)
	}
	k, err := d.node.Admin.Key(t.Context(), keyID(d, d.get(nil)))
	if err != nil {
		t.Fatal(err)
	}
	if page := d.sound(d.browser.Get(d.path("/keys/" + k.ID))).Text(); strings.Contains(page, "How fast it may call") {
		t.Errorf("without limits the key's page says %.900s", page)
	}

	weather, err := d.node.Admin.API(t.Context(), "weather")
	if err != nil {
		t.Fatal(err)
	}
	weather.Limits, weather.UserLimits = []string{"1000/second"}, []string{"7/minute"}
	weather.Plans = map[string]lanyard.Plan{"free": {Default: true, Limits: []string{"60/minute", "1000/day"}}}
	maps := lanyard.API{Title: "Maps", Takes: "key", Limits: []string{"33/hour"}}
	for name, api := range map[string]lanyard.API{"weather": weather, "maps": maps} {
		if _, err := d.node.Manage.PutAPI(t.Context(), operator, name, api, false); err != nil {
			t.Fatal(err)
		}
	}
	limit := func(name string, n int64) *[]lanyard.Limit {
		return &[]lanyard.Limit{{Name: name, Limit: n, WindowSeconds: 90}}
	}
	if _, err := d.node.Manage.UpdateTeam(t.Context(), operator, d.team.ID, lanyard.TeamPatch{Limits: limit("per-90s", 45)}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.node.Manage.UpdateApp(t.Context(), operator, k.AppID, lanyard.AppPatch{Limits: limit("burst", 30)}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.node.Manage.UpdateKey(t.Context(), operator, k.ID, lanyard.KeyPatch{Limits: limit("slow", 9)}); err != nil {
		t.Fatal(err)
	}
	both := []string{"45/90s", "team-per-90s", "plan-per-minute", "60 calls at once, then 1 a second", "plan-per-day", "by the plan Free", "1000/second", "api-per-second"}
	usageOnly, keyOnly := []string{"7/minute", "api-user-per-minute", "33/hour", "calls of Maps"}, []string{"9/90s", "slow", "30/90s", "app-burst"}
	for path, want := range map[string]struct{ has, lacks []string }{
		"/usage":        {slices.Concat(usageOnly, both), keyOnly},
		"/keys/" + k.ID: {slices.Concat(keyOnly, both), usageOnly},
	} {
		if err := d.node.Tail.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		text := d.sound(d.browser.Get(d.path(path))).Text()
		for _, word := range want.has {
			if !strings.Contains(text, word) {
				t.Errorf("%s lacks %q: %.2500s", path, word, text)
			}
		}
		for _, word := range want.lacks {
			if strings.Contains(text, word) {
				t.Errorf("%s has %q, which does not bind there", path, word)
			}
		}
	}
}
